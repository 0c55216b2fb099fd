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

from notebook_lib.claims.registers import Register

additions = Register("additions", os.environ.get("NOTEBOOK_LIB_EXECUTED", "."))

# %% tags=["remove-cell"]
glue("n_additions", additions.count(), display=False)
kinds = {
    "n_sharper": "sharper constant",
    "n_proofs": "new proof",
    "n_corrected": "corrected statement",
    "n_counter": "counterexample",
    "n_tighter": "tighter variant",
    "n_exact": "exact formula",
    "n_faster": "faster algorithm",
    "n_seen": "observation",
}
for name, kind in kinds.items():
    glue(name, additions.count(kind), display=False)

# %% [markdown]
# ## Counts
#
# By kind, and by the number of the chapter.

# %% tags=["remove-input"]
HTML(additions.counts_html())

# %% [markdown]
# ## 1. A latent class
#
# To the simulation blueprint, in {doc}`chapter 1 <01_latent_class>`.

# %% tags=["remove-input"]
HTML(additions.chapter_html(1))

# %% [markdown]
# ## 2. Matrix completion
#
# To {cite:t}`liang2024structured`, in {doc}`chapter 2 <02_matrix_completion>`.

# %% tags=["remove-input"]
HTML(additions.chapter_html(2))

# %% [markdown]
# ## 3. Mask-conditional weighting
#
# To {cite:t}`kong2025fair`, in {doc}`chapter 3 <03_mask_conditional>`.

# %% tags=["remove-input"]
HTML(additions.chapter_html(3))

# %% [markdown]
# ## 4. CP-MDA-Nested\*
#
# To {cite:t}`zaffran2024predictive`, in {doc}`chapter 4 <04_mda_nested>`.

# %% tags=["remove-input"]
HTML(additions.chapter_html(4))

# %% [markdown]
# ## 5. Missing outcomes
#
# To {cite:t}`lee2025conditional`, in {doc}`chapter 5 <05_missing_outcomes>`.

# %% tags=["remove-input"]
HTML(additions.chapter_html(5))

# %% [markdown]
# ## Check yourself
#
# An addition whose check is not in the chapters would be a line here.
# What we find wrong is listed in the {doc}`errata`.

# %%
print(
    "\n".join(additions.problems()) or "every addition links to a check that is there"
)
