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
# (additions)=
# # What we add
#
# The documents are the source of nearly all ideas in this book.
# In the course of checking them {glue:text}`n_additions:d` things came up that they do not have, or have in another form: {glue:text}`n_sharper:d` constants that are sharper, {glue:text}`n_proofs:d` proofs of our own, {glue:text}`n_corrected:d` statements put right, {glue:text}`n_counter:d` counterexamples, {glue:text}`n_tighter:d` variants that are tighter or keep a guarantee, {glue:text}`n_exact:d` exact formulas, {glue:text}`n_faster:d` faster algorithms and {glue:text}`n_seen:d` observations.
# Each links to its check.
#
# We have not searched the literature for each of them.
# *New* means: not in the document of that chapter.
# A proof here is a proof on the page, checked by a program on cases and read by nobody else: judge it as such.

# %%
import os

from IPython.display import HTML
from myst_nb import glue

from notebook_lib import claims
from notebook_lib.claims import page, registers

folder = os.environ.get("NOTEBOOK_LIB_EXECUTED", ".")
additions = claims.load_additions()
counts = claims.register_summary(additions)

# %% tags=["remove-cell"]
kinds = counts["all"].to_dict()
glue("n_additions", len(additions), display=False)
glue("n_sharper", kinds["sharper constant"], display=False)
glue("n_proofs", kinds["new proof"], display=False)
glue("n_corrected", kinds["corrected statement"], display=False)
glue("n_counter", kinds["counterexample"], display=False)
glue("n_tighter", kinds["tighter variant"], display=False)
glue("n_exact", kinds["exact formula"], display=False)
glue("n_faster", kinds["faster algorithm"], display=False)
glue("n_seen", kinds["observation"], display=False)


def of_chapter(number):
    """The additions to one document, laid out."""
    mine = additions[additions["id"].str.startswith(f"{number}.")]
    return HTML(registers.additions_html(mine, folder))


# %% [markdown]
# ## Counts
#
# By kind, and by the number of the chapter.

# %% tags=["remove-input"]
HTML(page.style() + registers.STYLE + page.summary_html(counts, "kind", bar=False))

# %% [markdown]
# ## 1. A latent class
#
# To the simulation blueprint, in {doc}`chapter 1 <01_latent_class>`.

# %% tags=["remove-input"]
of_chapter(1)

# %% [markdown]
# ## 2. Missing entries of a matrix
#
# To {cite:t}`liang2024structured`, in {doc}`chapter 2 <02_matrix_completion>`.

# %% tags=["remove-input"]
of_chapter(2)

# %% [markdown]
# ## 3. Missing covariates: fair prediction
#
# To {cite:t}`kong2025fair`, in {doc}`chapter 3 <03_mask_conditional>`.

# %% tags=["remove-input"]
of_chapter(3)

# %% [markdown]
# ## 4. Missing covariates: validity for every mask
#
# To {cite:t}`zaffran2024predictive`, in {doc}`chapter 4 <04_mda_nested>`.

# %% tags=["remove-input"]
of_chapter(4)

# %% [markdown]
# ## 5. Missing outcomes
#
# To {cite:t}`lee2025conditional`, in {doc}`chapter 5 <05_missing_outcomes>`.

# %% tags=["remove-input"]
of_chapter(5)

# %% [markdown]
# ## Check yourself
#
# An addition whose check is not in the chapters would be a line here.
# What we find wrong is listed in the {doc}`errata`.

# %%
problems = [line for line in claims.register_problems(folder) if "additions" in line]
print("\n".join(problems) or "every addition links to a check that is there")
