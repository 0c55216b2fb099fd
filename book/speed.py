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
# (speed)=
# # Speed and scale
#
# How much faster the library is than the formulas as written, how it compares with other packages that do the same work, and how its cost grows.
# Of the {glue:text}`n_goals:d` goals that were set before anything was measured, {glue:text}`n_reached:d` are reached, {glue:text}`n_missed:d` are missed and {glue:text}`n_open:d` were not measured.
#
# Nothing is timed while this page is built.
# It shows the last run of `make bench`, stored in `data/benchmarks`; that run took {glue:text}`minutes:d` minutes.
#
# | To | Say |
# |---|---|
# | measure everything anew and store it | `make bench` |
# | print one part, storing nothing | `make bench BENCH=outcomes` |
# | show the stored run on this page | `make refresh CH=speed` |
#
# How it is measured:
#
# * Both sides of a ratio run **in one process, in turns**, on the same data, after a check that **their outputs are equal**. The largest difference is shown where it is not zero.
# * Times are CPU seconds of one thread, so other work on the machine is not counted. A ratio is the **median over the turns**, with the 10 % and 90 % quantiles in parentheses.
# * Where a version as written would take hours, it runs on a few test points, and its time is scaled to all of them.
# * Memory is the largest sum of numpy's arrays and Python's objects alive at a time.

# %%
from myst_nb import glue

from notebook_lib import figures, speed

stored = speed.load()
ratios = stored.ratios
made_with = stored.manifest["versions"] | stored.manifest["peers"]

# %% tags=["remove-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

figures.setup()
pd.set_option("display.max_colwidth", None)
run = stored.manifest
print(f"{run['date']}, {run['cores']} cores, Python {run['python']}")
if run["quick"]:
    print("A quick run: one round, and the curves on the lower half of their grid.")
pd.Series(made_with, name="version").to_frame()

# %% tags=["remove-cell"]
with_goal = ratios[ratios["goal"].notna()]
glue("n_goals", len(with_goal), display=False)
for word, verdict in {
    "reached": "reached",
    "missed": "missed",
    "open": "not measured",
}.items():
    found = int(with_goal["verdict"].str.startswith(verdict).sum())
    glue(f"n_{word}", found, display=False)
glue("minutes", stored.manifest["minutes"], display=False)
glue("difference", f"{ratios['difference'].max():.1g}", display=False)
peers = ratios[ratios["group"] == "peers"]
glue("peer_difference", f"{peers['difference'].max():.1g}", display=False)

# %% [markdown]
# ## Against the formulas as written
#
# *Times faster* is the time of the other over ours, *times the time* is ours over the other's.
# The largest difference between two outputs is {glue:text}`difference`.

# %% tags=["remove-input", "wrap"]
speed.ratio_table(ratios.query("kind == 'naive'"))

# %% [markdown]
# Some goals are times:

# %% tags=["remove-input", "wrap"]
speed.ratio_table(ratios.query("kind == 'absolute' and unit == 's'"))

# %% [markdown]
# ## Against other packages
#
# MAPIE, crepes and puncc are given the same fitted models and the same calibration rows.
# No goal was set here: the others check less, or more, of what they are given.
# At these sizes all of them take the same order statistic as this library, so the intervals are the same: the largest difference is {glue:text}`peer_difference`.
# None of them treats missing covariates by mask, simultaneous sets or groups of matrix entries, so the other chapters have no peer here.
# For completion of a matrix the peer is cmfrec, which does not solve the same equations: its error on the unseen cells is compared as well.

# %% tags=["remove-input", "wrap"]
speed.ratio_table(ratios[ratios["kind"] == "peer"])

# %% [markdown]
# ## Memory
#
# Each method at ten covariates, with 1000 calibration and 10 000 test rows, both verbs together.

# %% tags=["remove-input", "wrap"]
speed.ratio_table(ratios.query("group == 'memory'"))

# %% [markdown]
# ## Cost against size
#
# Each method on a grid of sizes up to {glue:text}`largest_rows` rows (for matrices: {glue:text}`largest_cells` cells), the median over the rounds of the run, with the smallest and the largest as bars.
# The exponent is the slope on log scales, fitted by least squares to the upper half of the grid, with its standard error in parentheses.
# A cost of $n \log n$ has a slope of $1 + 1/\log n$, which is {glue:text}`log_slope` at the largest of these sizes.
# Methods with a fixed cost, such as a sort of the masks, come to their slope only at large sizes.

# %% tags=["remove-input", "wrap"]
speed.exponent_table(stored.exponents)

# %% [markdown]
# In words:

# %% tags=["remove-input"]
print(speed.reading(stored.exponents))

# %% tags=["remove-cell"]
of_cells = stored.exponents["grows"].str.startswith("cells")
largest = stored.exponents["largest"].groupby(of_cells).max()
glue("largest_rows", f"{largest[False]:,}".replace(",", " "), display=False)
glue("largest_cells", f"{largest[True]:,}".replace(",", " "), display=False)
glue("log_slope", f"{1 + 1 / np.log(largest[False]):.2f}", display=False)

# %% mystnb={"figure": {"caption": "Complete data, a hidden class, and a matrix: time (left) and memory (right) against the size, which is the number of rows, of calibration groups (SCMC, regions) or of cells (ALS; SCMC, set-up). The regions of SCMC have a fixed part: the matrix of a million cells.", "name": "fig-speed-core"}, "image": {"alt": "Time and peak memory against size on log scales for split conformal prediction, CQR, EM, ALS and SCMC."}} tags=["remove-input"]
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8))
speed.plot_curves(
    axes, stored, ["split", "cqr", "em", "als", "scmc-set-up", "scmc-regions"]
)
figures.legend_below(fig, axes)
plt.show()

# %% mystnb={"figure": {"caption": "Missing covariates, three of them, eight masks: 200 training and 200 test rows, time (left) and memory (right) against the number of calibration rows. CP-MDA-Nested* sorts the ends of all calibration rows for each test row; LCP holds a kernel weight for each pair of a calibration and a training row.", "name": "fig-speed-covariates"}, "image": {"alt": "Time and peak memory against the number of calibration rows on log scales for CP-MDA-Exact, Nested, Nested*, nexCP and LCP."}} tags=["remove-input"]
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8))
speed.plot_curves(axes, stored, ["exact", "nested", "nested-star", "nexcp", "lcp"])
figures.legend_below(fig, axes)
plt.show()

# %% mystnb={"figure": {"caption": "Missing outcomes: time (left) and memory (right) against the number of rows; calibration and test rows grow together. One cell needs one sort; cells of ten test points need a pass over the calibration scores for each cell.", "name": "fig-speed-outcomes"}, "image": {"alt": "Time and peak memory against the number of rows on log scales for weighted CP, binned weighted CP, pro-CP and pro-CP2."}} tags=["remove-input"]
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8))
speed.plot_curves(
    axes,
    stored,
    ["weighted", "binned-weighted", "procp", "procp2", "procp-cells", "procp2-cells"],
)
figures.legend_below(fig, axes)
plt.show()

# %% [markdown]
# Why a curve ends before the planned sizes:

# %% tags=["remove-input"]
print(speed.shortfalls(stored.exponents))
