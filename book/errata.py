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
# (errata)=
# # Errata of the documents
#
# Working through five documents line by line, one finds slips; some in passing, a few in a theorem.
# This page lists {glue:text}`n_errata:d` entries: what is printed, what holds, and **what still stands**, which is nearly everything.
# {glue:text}`n_strong:d` concern a statement or a proof, {glue:text}`n_formula:d` a formula or an experiment, {glue:text}`n_code:d` a difference between text and code; {glue:text}`n_reading:d` are cautions on how to read a result, and {glue:text}`n_misprint:d` are misprints.
#
# A statement is called wrong only where a cell of this book shows it: {glue:text}`n_shown:d` entries link to the cell, theorem or section that does.
# The others say why there is nothing to run.
# Where we infer and cannot prove, the entry says so.

# %%
import os

from IPython.display import HTML
from myst_nb import glue

from notebook_lib.claims.registers import Register

errata = Register("errata", os.environ.get("NOTEBOOK_LIB_EXECUTED", "."))

# %% tags=["remove-cell"]
glue("n_errata", errata.count(), display=False)
kinds = {
    "n_strong": ["statement", "proof"],
    "n_formula": ["formula", "experiment"],
    "n_code": ["text and code"],
    "n_reading": ["reading"],
    "n_misprint": ["misprint"],
}
for name, of in kinds.items():
    glue(name, errata.count(*of), display=False)
glue("n_shown", int((errata.table["shown"] != "").sum()), display=False)

# %% [markdown]
# ## Counts
#
# By kind, and by the number of the chapter.

# %% tags=["remove-input"]
HTML(errata.counts_html())

# %% [markdown]
# ## 1. A latent class
#
# The simulation blueprint, {doc}`chapter 1 <01_latent_class>`.

# %% tags=["remove-input"]
HTML(errata.chapter_html(1))

# %% [markdown]
# ## 2. Matrix completion
#
# {cite:t}`liang2024structured`, {doc}`chapter 2 <02_matrix_completion>`.

# %% tags=["remove-input"]
HTML(errata.chapter_html(2))

# %% [markdown]
# ## 3. Mask-conditional weighting
#
# {cite:t}`kong2025fair`, {doc}`chapter 3 <03_mask_conditional>`.

# %% tags=["remove-input"]
HTML(errata.chapter_html(3))

# %% [markdown]
# ## 4. CP-MDA-Nested\*
#
# {cite:t}`zaffran2024predictive`, {doc}`chapter 4 <04_mda_nested>`.

# %% tags=["remove-input"]
HTML(errata.chapter_html(4))

# %% [markdown]
# ## 5. Missing outcomes
#
# {cite:t}`lee2025conditional`, {doc}`chapter 5 <05_missing_outcomes>`.

# %% tags=["remove-input"]
HTML(errata.chapter_html(5))

# %% [markdown]
# ## Check yourself
#
# An entry whose link leads nowhere, or with neither a link nor a reason, would be a line here.
# The list of what we add instead is {doc}`additions`.

# %%
print(
    "\n".join(errata.problems())
    or "every erratum has a link that leads somewhere, or a reason"
)
