# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,mystnb,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ledger)=
# # The ledger of claims
#
# The five source documents make {glue:text}`n_claims` statements that can be checked: algorithms, theorems, figures, tables, metrics and data sets.
# Each has an id, a criterion that was written down before the chapters were, and a verdict.
#
# * **reproduced**: a cell of this book computed it and asserted the criterion.
# * **differs**: a cell computed it and it does not come out as the document says; the reason stands beside it.
# * **not attempted**: no cell has checked it; the reason stands beside it.
#
# Nothing on this page is typed in.
# The verdicts are read out of the executed notebooks that you are reading, so a verdict without a run cannot appear.
# {glue:text}`n_reproduced` claims are reproduced, {glue:text}`n_differs` differ, and {glue:text}`n_open` are not attempted at either scale.
#
# Three pages stand beside this one: the {doc}`errata <errata>` of the documents, {doc}`what we add <additions>` to them, and {doc}`what ran when <what_ran>`.

# %%
import os

from IPython.display import HTML
from myst_nb import glue

from notebook_lib import claims
from notebook_lib.claims import page

folder = os.environ.get("NOTEBOOK_LIB_EXECUTED", ".")
ledger = claims.ledger(folder)
counts = claims.summary(ledger)

# %% tags=["remove-cell"]
totals = counts.loc["all"]
glue("n_claims", int(totals["claims"]), display=False)
glue("n_reproduced", int(totals["reproduced"]), display=False)
glue("n_differs", int(totals["differs"]), display=False)
glue("n_paper", claims.paper_scale(ledger), display=False)
glue("n_open", int(totals["not attempted"]), display=False)

# %% [markdown]
# ## Counts
#
# By chapter; by the kind of statement; and what there is at each scale.

# %% tags=["remove-input"]
HTML(page.style() + page.summary_html(counts, "chapter"))

# %% tags=["remove-input"]
HTML(page.summary_html(claims.summary(ledger, by="kind"), "kind"))

# %% tags=["remove-input"]
HTML(page.summary_html(claims.by_scale(ledger).T, "at each scale", bar=False))

# %% [markdown]
# ## How to read the tables
#
# * *Quick* is what the chapter computes live, in seconds, each time the book is built.
# * *Paper scale* comes from a stored study (`data/results`, with a manifest each): {glue:text}`n_paper:d` claims have such a result. It may hold fewer replicates than the document's experiment; {doc}`what_ran` says how many each study has.
# * Where a scale has no verdict of its own, a word says why. *As quick*: the numbers are those of the live run. *Exact at any size*: an identity, an enumeration, a comparison with a naive version. *Part of every study*: the method runs at that size in the chapter's studies, and has no check of its own there. *The larger size was not run* means just that.
# * *Published* is what the document prints for the claim, as a range over its settings: from its tables and result files (`data/published`). Most claims are words, and have no number.
# * The other numbers are ours, and link to the cell that computed them; in parentheses, a Monte-Carlo standard error. Where one claim has several parts, or an array of values, the number is that of the part closest to failing.

# %% [markdown]
# ## Where we differ
#
# The claims for which the run does not give what the document says.

# %% tags=["remove-input"]
different = ledger[ledger["verdict"] == claims.DIFFERS]
if len(different):
    display(HTML(page.ledger_html(different, "differs")))
else:
    print("no claim differs so far")

# %% [markdown]
# ## 1. A latent class
#
# The simulation blueprint (chapter 1).

# %% tags=["remove-input"]
HTML(page.ledger_html(ledger[ledger["chapter"] == "01_latent_class"]))

# %% [markdown]
# ## 2. Matrix completion
#
# Structured conformal inference for matrix completion, {cite:t}`liang2024structured` (chapter 2).

# %% tags=["remove-input"]
HTML(page.ledger_html(ledger[ledger["chapter"] == "02_matrix_completion"]))

# %% [markdown]
# ## 3. Mask-conditional weighting
#
# Fair conformal prediction for incomplete covariate data, {cite:t}`kong2025fair` (chapter 3).

# %% tags=["remove-input"]
HTML(page.ledger_html(ledger[ledger["chapter"] == "03_mask_conditional"]))

# %% [markdown]
# ## 4. CP-MDA-Nested\*
#
# Predictive uncertainty quantification with missing covariates, {cite:t}`zaffran2024predictive` (chapter 4).

# %% tags=["remove-input"]
HTML(page.ledger_html(ledger[ledger["chapter"] == "04_mda_nested"]))

# %% [markdown]
# ## 5. Missing outcomes
#
# Conditional predictive inference for missing outcomes, {cite:t}`lee2025conditional` (chapter 5).

# %% tags=["remove-input"]
HTML(page.ledger_html(ledger[ledger["chapter"] == "05_missing_outcomes"]))

# %% [markdown]
# ## Check yourself
#
# The book's tests call the same function: a claim without a verdict, a scale of which nothing is said, a verdict without a claim, or two verdicts for one claim would be a line here.

# %%
problems = claims.problems(folder)
print("\n".join(problems) or "every claim of a written chapter has one verdict")
