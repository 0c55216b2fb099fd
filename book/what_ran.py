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
# (what-ran)=
# # What ran when
#
# The paper-scale numbers of this book come from {glue:text}`n_studies:d` studies, {glue:text}`n_stored:d` of them stored in `data/results`: {glue:text}`hours` hours of one busy core.
# {glue:text}`n_whole:d` hold as many replicates as planned; of the others this page says how many.
# Everything here is read from the manifests that were written beside the results.
#
# | To | Say |
# |---|---|
# | see this list | `make studies LIST=1` |
# | run what is missing, incomplete or older than the code | `make studies` |
# | run one | `make studies RUN=name` |
# | run a stored one again and compare the bytes | `make studies VERIFY=name` |
#
# Each says first what it will cost.
# A run that was killed takes up where it stopped, in two processes with `JOBS=2`, on a Dask cluster with `DASK=tcp://host:8786`, and the bytes are the same.

# %%
from IPython.display import HTML
from myst_nb import glue

from notebook_lib import studies
from notebook_lib.studies.history import STYLE, code_html, history_html, versions

table = studies.history(studies.discover())
stored = table[table["date"] != ""]

# %% tags=["remove-cell"]
glue("n_studies", len(table), display=False)
glue("n_stored", len(stored), display=False)
glue("n_whole", int((stored["replicates"] >= stored["planned"]).sum()), display=False)
glue("hours", f"{stored['minutes'].sum() / 60:.1f}", display=False)

# %% [markdown]
# ## With which versions
#
# A row for each set of versions that made a stored result.

# %%
versions(table)

# %% [markdown]
# ## Is the code still the same?
#
# A manifest keeps a hash of the study's grid, seed and of all code that its replicates reach, without comments and without what an error says.
# *Changed since* says that some of it was edited after the run; the numbers need not differ, and `VERIFY` tells; with `STAMP=1` it notes in the manifest that they do not.
# *Changed without effect* says that the numbers cannot differ, and the manifest says why: say, only calls that raised an error behave otherwise now, and no replicate had failed.
# The hash depends on Python's minor version, so results made with another one are *not comparable*.

# %% tags=["remove-input"]
HTML(code_html(table))

# %% [markdown]
# ## Every study
#
# Minutes are wall time of one worker.

# %% tags=["remove-input"]
HTML(STYLE + history_html(table))
