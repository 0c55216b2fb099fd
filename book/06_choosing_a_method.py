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
# (ch-choosing)=
# # Choosing a method
#
# Something is missing in your table: which of the methods of this book do you take, and what may you say about its intervals?
#
# Three questions decide: *what* is missing, *why* it is missing, and *for whom* the promise must hold.
# This chapter asks them, runs all the methods on the same rows, shows what a wrong answer costs, and then takes a table of your own.
#
# ```{admonition} At a glance
# :class: tip
#
# | | |
# |---|---|
# | Source | Chapters 1 to 5, and the documents behind them. No claim of the ledger is checked here. |
# | What is missing | In turn: covariates, outcomes, a class, entries of a matrix. |
# | Assumption | The one of each method; each is also run where its assumption fails. |
# | Guarantee | **Marginal**, **for each pattern of gaps**, **over the missing rows**, or **simultaneous**: the table says which. |
# | You need | Nothing but this page to choose; the chapter of the method to understand it. |
# | Run time | Under a minute at the defaults. There is no stored study: everything here runs live. |
# ```

# %% tags=["parameters"]
alpha: float = 0.1  # miscoverage level, in (0, 1)
n_train: int = 400  # rows to train on
n_cal: int = 250  # rows to calibrate on
n_test: int = 800  # test rows of a replicate
n_rows: int = 2000  # rows, with and without outcome, where outcomes are missing
n_reps: int = 24  # replicates with missing covariates, at least 2
n_light: int = 40  # replicates of the other comparisons, at least 2
data: str = ""  # path of your CSV file; empty for the bundled example
target: str = ""  # column to predict in your CSV file
output: str = ""  # folder for the intervals of your rows; empty to write none
seed: int = 6  # seed of everything that is drawn

# %% tags=["hide-input"]
from notebook_lib import params
from notebook_lib.studies import choosing

given = params.validate(
    globals(),
    alpha=params.between(0, 1),
    n_train=params.integer(50),
    n_cal=params.integer(20),
    n_test=params.integer(50),
    n_rows=params.integer(100),
    n_reps=params.integer(2),
    n_light=params.integer(2),
    data=choosing.optional_file,
    target=choosing.words,
    output=choosing.words,
    seed=params.seed,
)
if data and not target:
    raise ValueError("target is empty: name the column of your file to predict")

# %% tags=["hide-input"]
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from myst_nb import glue

from notebook_lib import figures, guide, report
from notebook_lib.studies import choosing_trials as trials
from notebook_lib.studies import choosing_verdicts as verdicts

figures.setup()
rng = np.random.default_rng(seed)
level = 1 - alpha
# Enough to judge by, and the level at which void promises show.
sure = n_reps >= 16 and n_light >= 30 and n_test >= 500 and n_rows >= 1500
usual = sure and alpha == 0.1
pd.set_option("display.precision", 3, "display.max_colwidth", None)

# %% [markdown]
# ## The guide
#
# | Promise | Who may rely on it |
# |---|---|
# | marginal | a row drawn at random; not "rows like mine" |
# | for each pattern (mask-conditional) | a row drawn at random among those with the same gaps |
# | over the missing rows | all rows without outcome together: the share that is missed |
# | simultaneous | a group of entries, all at once |
#
# {numref}`fig-ch-tree` leads to a method by questions, and the table below lists the same methods with what they need and where they hurt.
# Both are drawn from one structure of the library, {py:mod}`notebook_lib.guide`.

# %% mystnb={"figure": {"caption": "From what is missing to a method. Each leaf names the method, its promise and its chapter. Where nothing holds (last leaf) the book has no method to offer.", "name": "fig-ch-tree"}, "image": {"alt": "Decision tree. What is missing? nothing: split CP or CQR (marginal, 1 \u2212 \u03b1; How to use). What is missing? a class, for every row: mixture, then split CP (marginal, 1 \u2212 \u03b1; Chapter 1). What is missing? entries of a matrix, asked for in groups: SCMC (simultaneous over the group, 1 \u2212 \u03b1; Chapter 2). What is missing? covariates; Which promise? on average over all rows: impute, then CQR (marginal, 1 \u2212 \u03b1; Chapter 3). What is missing? covariates; Which promise? for each pattern of gaps; May the gaps depend on the data? yes, or unknown: calibrate on the same mask (for each pattern, 1 \u2212 \u03b1; Chapter 4). What is missing? covariates; Which promise? for each pattern of gaps; May the gaps depend on the data? no (MCAR); Do 1/\u03b1 rows observe as much? yes: CP-MDA-Exact (for each pattern, 1 \u2212 \u03b1; Chapter 4). What is missing? covariates; Which promise? for each pattern of gaps; May the gaps depend on the data? no (MCAR); Do 1/\u03b1 rows observe as much? no: CP-MDA-Nested* (for each pattern, 1 \u2212 2\u03b1; Chapter 4). What is missing? outcomes; Why are they missing? pure chance: split CP on the observed rows (marginal, 1 \u2212 \u03b1; Chapter 5). What is missing? outcomes; Why are they missing? the covariates tell; Which promise? for one missing row at random: weighted CP (marginal over the missing rows, 1 \u2212 \u03b1; Chapter 5). What is missing? outcomes; Why are they missing? the covariates tell; Which promise? for the missing rows together: pro-CP (share of missing rows covered, given their propensity bins: 1 \u2212 \u03b1 \u2212 slack; Chapter 5). What is missing? outcomes; Why are they missing? the covariates tell; Which promise? the same, and few bad draws: pro-CP2 (mean square of the missed share, given the bins: \u03b1\u00b2 plus slack; Chapter 5). What is missing? outcomes; Why are they missing? the outcome itself: none in this book (none; Chapter 5)."}} tags=["hide-input"]
guide.plot_tree()
plt.show()

# %% tags=["hide-input"]
HTML(guide.table_html())

# %% [markdown]
# Three remarks on the questions.
#
# * *Why* is a matter of knowledge, not of testing. Data can show that gaps do depend on what was observed; they can never show that gaps do not depend on what was not.
# * A promise for each pattern needs either many rows of each pattern or gaps that have nothing to do with the data ({prf:ref}`thm-mda-hard`).
# * Covariates and outcomes may be missing at once. The methods of {doc}`chapter 5 <05_missing_outcomes>` take any regressor, also one that accepts NaN: {ref}`the second exercise <ex-ch-both>` does that.
#
# ## The same rows for all
#
# Four correlated covariates $X_1,\dots,X_4$, a hidden class $Z$ with two indicators $R_1,R_2$, and
#
# $$
# Y = X_1+X_2-X_3+X_4+4Z+e^{X_1/2}\,\xi ,\qquad \xi\sim N(0,1).
# $$
#
# The noise grows with $X_1$, one row in four belongs to the rare class, and nobody sees $Z$.
# Then something goes missing:
#
# * **covariates**: $X_2,X_3,X_4$, either by pure chance (MCAR) or more often where $X_1$ is large (MAR; $X_1$ itself is always there);
# * **outcomes**: more often where $X_1$ is large, which is also where the outcome is hardest to predict;
# * **the class**: always, which is the only gap in the third comparison.

# %%
rows = trials.draw_rows(5, rng)
columns = ["x1", "x2", "x3", "x4", "r1", "r2"]
show = pd.DataFrame(rows.X, columns=columns).assign(y=rows.y, z=rows.z)
show["P(y is seen)"] = trials.propensity(rows.X)
show.round(2)

# %% [markdown]
# Every method of a comparison gets the same rows, the same linear model and the same training rows.
# For each we keep the coverage over all test rows, the coverage of the **worst group** (a pattern of gaps, a third of the missing rows, a class), the median length, the share of infinite sets, and the cost: models fitted, and rows predicted as a multiple of plain split CP.
#
# ## Covariates are missing
#
# *Complete cases* drops every row with a gap and gives the whole line to test rows with one.
# CP and CQR impute and ask for marginal coverage.
# *Same mask* calibrates each pattern alone.
# The five others hide in calibration rows what the test row lacks; their promise needs MCAR.

# %%
sizes = {"alpha": alpha, "n_train": n_train, "n_cal": n_cal, "n_test": n_test}
tables = {}
for mechanism in trials.MECHANISMS:
    runs = choosing.run_trials(
        "covariates", n_reps, seed=seed, mechanism=mechanism, **sizes
    )
    tables[f"covariates, {mechanism}"] = choosing.summarise(runs, baseline="CP")
mcar, mar = tables.values()

# %% mystnb={"figure": {"caption": "Coverage over all rows (filled) and over the worst pattern of gaps (open), with 95 % Monte-Carlo intervals; median length and share of infinite sets on the right. Top: gaps by pure chance. Bottom: gaps that depend on an observed covariate. A filled dot on the line says nothing about the open one.", "name": "fig-ch-covariates"}, "image": {"alt": "Two panels of dots, one line a method. With gaps by chance, CP and CQR with mean imputation and no mask have an open dot far below the nominal line; the methods that calibrate under the test mask do not. With gaps that depend on x1, nexCP and LCP fall below the line even over all rows."}} tags=["hide-input"]
fig, axes = plt.subplots(2, 1, figsize=(5.0, 7.2), sharex=True)
titles = ["gaps by pure chance (MCAR)", "gaps depend on x1 (MAR)"]
for ax, table, title in zip(axes, (mcar, mar), titles, strict=True):
    choosing.plot_comparison(ax, table, level)
    ax.set_title(title, pad=14)
plt.show()

# %%
mcar.drop(columns=["rms missed"])

# %% tags=["hide-input"]
if sure:
    verdicts.covariates(mcar, mar, level, usual=usual)

# %% [markdown]
# By pure chance, everybody keeps the marginal level, and CP covers only {glue:text}`cp_mcar` of the rows with pattern {glue:text}`cp_mcar_mask` (1 marks a gap, in the order $X_2X_3X_4$).
# Calibration under the test mask mends that.
# Exact predicts {glue:text}`cost_exact` times as many rows as split CP, Nested\* {glue:text}`cost_star` times, and on these data Nested\* gives, to within a hundredth, the length of the 2023 algorithm.
# *Same mask* holds without any assumption on the gaps, and leaves {glue:text}`same_infinite` of the sets infinite.
#
# When gaps depend on $X_1$, rows with other masks are other rows.
# Then LCP and nexCP lose even the marginal level ({glue:text}`lcp_mar`), CP-MDA-Exact slips a little on its worst pattern ({glue:text}`exact_mar`), and of the methods that promise $1-\alpha$ for each pattern only *same mask* keeps its word.
# CQR with the mask among the features of its model comes close on every pattern here, because a quantile model can learn the spread from $X_1$; that is a good model, not a guarantee.

# %%
mar.drop(columns=["rms missed"])

# %% [markdown]
# ## Outcomes are missing
#
# The test rows are now the rows whose outcome is missing, {glue:text}`share_missing` of all.
# *Naive* is split conformal prediction on the rows that have an outcome.
# The others correct by the propensity, which is known or estimated by logistic regression; one has it the wrong way round.

# %%
runs = choosing.run_trials(
    "outcomes", n_light, seed=seed, alpha=alpha, n_train=n_train, n_rows=n_rows
)
tables["outcomes"] = lost = choosing.summarise(runs, baseline="naive")

# %% mystnb={"figure": {"caption": "Coverage over the rows whose outcome is missing (filled) and over the worst third of them (open), with 95 % Monte-Carlo intervals; median length and share of infinite sets on the right. Leaving the gaps out of account is short, weighting the wrong way is shorter, and pro-CP buys protection with length.", "name": "fig-ch-outcomes"}, "image": {"alt": "One panel of dots, one line a method: naive is below the nominal line, weighting the wrong way far below, weighted CP on it, binned weighted CP, pro-CP and pro-CP2 above it."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.0, 3.5))
choosing.plot_comparison(ax, lost, level)
plt.show()

# %%
lost.drop(columns=["predictions"])

# %% tags=["hide-input"]
if sure:
    verdicts.outcomes(lost, level, usual=usual)
of_naive = runs.query("group == 'all' and method == 'naive'")
share_missing = of_naive["rows"].mean() / n_rows

# %% [markdown]
# Naive coverage of the missing rows is {glue:text}`naive_lost`: they are the noisy ones.
# Weighted CP restores the average ({glue:text}`weighted_lost`), and still covers only {glue:text}`weighted_worst` of the rows that are rarely seen.
# Binned weighted CP covers every third, and leaves {glue:text}`binned_infinite` of the sets infinite.
# pro-CP lies above the level and pro-CP2 further up: its promise is about the root mean square of the missed share (column *rms missed*), here {glue:text}`rms_two` against {glue:text}`rms_weighted` for weighted CP.
# Estimating the propensity cost nothing visible, since the logistic model is right; in general its error comes on top of what the methods promise.
#
# ## A class is hidden
#
# The outcome depends on a class that no column holds.
# *Ignore* regresses on $X$ alone; the others impute the class from $R$ by a mixture; the oracle is told, and calibrates each class by itself.

# %%
runs = choosing.run_trials("class", n_light, seed=seed, **sizes)
tables["class"] = hidden = choosing.summarise(runs, baseline="ignore")
hidden.drop(columns=["predictions", "rms missed", "infinite"])

# %% tags=["hide-input"]
if sure:
    verdicts.hidden_class(hidden, level, usual=usual)

# %% mystnb={"figure": {"caption": "Coverage over all rows (filled) and in the class that is covered least (open), with 95 % Monte-Carlo intervals; median length on the right. All four keep the marginal promise; a better imputed class makes sets shorter and the rare class better off.", "name": "fig-ch-class"}, "image": {"alt": "One panel of dots for ignore, EM-hard, EM-soft and the oracle: filled dots on the nominal line, open dots moving up towards it from ignore to oracle."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.0, 2.4))
choosing.plot_comparison(ax, hidden, level)
plt.show()

# %% [markdown]
# Imputing the class shortens the sets from {glue:text}`length_ignore` to {glue:text}`length_soft`, towards the oracle's {glue:text}`length_oracle`.
# The guarantee is the same with and without it, marginal, and so the rare class pays: {glue:text}`ignore_rare` if the class is ignored, {glue:text}`soft_rare` if it is imputed.
#
# ## One table
#
# The comparisons as one frame: the promise of each method where it was run, and what came of it.

# %% tags=["wrap"]
everything = choosing.one_table(tables)
everything[["coverage", "worst", "length", "infinite", "guarantee"]].round(3)

# %% [markdown]
# ## What goes wrong with the wrong choice
#
# **A marginal promise read as a promise to each row.**
# The software says 90 %, and a person with three gaps in the questionnaire reads it as *my* 90 %.
# **Mean imputation before CQR, without the mask.**
# The model cannot tell a mean that was measured from a mean that was filled in, and gives both the same length.

# %%
wrong = pd.DataFrame(
    {"gaps by chance": mcar["worst"], "gaps depend on x1": mar["worst"]}
).rename_axis("coverage of the worst pattern")
wrong.loc[["CP", "CQR (mean, no mask)", "CQR"]]

# %% tags=["hide-input"]
if usual:
    verdicts.filled_covariates(mcar, mar, level)

# %% [markdown]
# **Dropping the rows without outcome, or weighting them the wrong way.**
# The weights are $(1-p)/p$ for the probability $p$ of being *seen*; with $p/(1-p)$ the rows that look least like the missing ones count most.
# The output looks like any other; the intervals are just too short. ({ref}`An exercise of chapter 5 <ex-mo-weights>` has a check that tells the two directions apart.)

# %%
methods = ["naive", "weighted CP (wrong way)", "weighted CP"]
short = 100 * (level - lost.loc[methods, "coverage"])
short.to_frame("points of coverage lost").round(1)

# %% [markdown]
# **One entry at a time, where a group must be right together.**
# Five friends look for a film; each of the five predicted ratings has its own honest interval.
# That all five hold is another matter.

# %%
runs = choosing.run_trials(
    "entries", n_light // 2 + 1, seed=seed, alpha=alpha, group_size=5
)
groups = runs.groupby("method", sort=False)
joint = groups[["each", "joint", "length"]].mean()
joint["joint error"] = groups["joint"].sem()
joint

# %% tags=["hide-input"]
if sure:
    verdicts.entries(joint, level, usual=usual)

# %% tags=["remove-cell"]
for name, table, method, column in (
    ("cp_mcar", mcar, "CP", "worst"),
    ("exact_mar", mar, "CP-MDA-Exact", "worst"),
    ("lcp_mar", mar, "LCP", "coverage"),
    ("naive_lost", lost, "naive", "coverage"),
    ("weighted_lost", lost, "weighted CP", "coverage"),
    ("weighted_worst", lost, "weighted CP", "worst"),
    ("rms_two", lost, "pro-CP2", "rms missed"),
    ("rms_weighted", lost, "weighted CP", "rms missed"),
    ("ignore_rare", hidden, "ignore", "worst"),
    ("soft_rare", hidden, "EM-soft (regression)", "worst"),
    ("joint_each", joint, "individual", "joint"),
    ("joint_scmc", joint, "SCMC", "joint"),
):
    glue(name, f"{table.loc[method, column]:.2f}", display=False)
for name, table, method, column in (
    ("cost_exact", mcar, "CP-MDA-Exact", "predictions"),
    ("cost_star", mcar, "CP-MDA-Nested*", "predictions"),
    ("length_ignore", hidden, "ignore", "length"),
    ("length_soft", hidden, "EM-soft (regression)", "length"),
    ("length_oracle", hidden, "oracle", "length"),
):
    glue(name, f"{table.loc[method, column]:.1f}", display=False)

# %% tags=["remove-cell"]
glue("cp_mcar_mask", mcar.loc["CP", "worst group"], display=False)
glue("same_infinite", f"{100 * mcar.loc['same mask', 'infinite']:.1f} %", display=False)
glue(
    "binned_infinite",
    f"{100 * lost.loc['binned wCP', 'infinite']:.0f} %",
    display=False,
)
glue("share_missing", f"{100 * share_missing:.0f} %", display=False)
glue("miss_naive", f"{short['naive']:.0f}", display=False)
glue("miss_wrong", f"{short['weighted CP (wrong way)']:.0f}", display=False)

# %% [markdown]
# One by one, all five ratings of a group hold with probability {glue:text}`joint_each`; SCMC makes it {glue:text}`joint_scmc`. (In a matrix this small Bonferroni does as well; {doc}`chapter 2 <02_matrix_completion>` has the sizes at which it does not.)
# Dropping rows costs {glue:text}`miss_naive` points of coverage, the wrong weights {glue:text}`miss_wrong`.
#
# ## Your own data
#
# The same questions, asked of a file.
# Give the path as the parameter `data` and the column to predict as `target`; here it is the example that comes with the library.
# The first step reads the file and looks at the gaps.

# %%
table = report.read_table(
    data or report.example_path(), target or report.EXAMPLE_TARGET
)
gaps = report.describe_gaps(table)
print("\n".join(table.notes) or "every column is used")
gaps.columns

# %%
gaps.masks

# %% [markdown]
# The second recommends a method, with its reasons, and what it could not know.

# %%
choice = report.recommend(table, alpha=alpha, gaps=gaps)
Markdown(choice.text())

# %% [markdown]
# The third predicts: half of the rows train, a quarter calibrates, and the rows left over (or those without an outcome, if that is the gap) get intervals.

# %%
intervals = report.predict_gaps(table, method=choice.method, alpha=alpha, seed=seed)
if output:
    Path(output).mkdir(parents=True, exist_ok=True)
    intervals.to_csv(Path(output) / "intervals.csv", index=False)
intervals[["row", "part", "mask", "prediction", "lower", "upper"]].head().round(2)

# %% [markdown]
# Where the outcomes are known, the last step counts, for all rows and for each pattern that has rows enough.

# %%
if intervals["covered"].notna().any():
    display(report.check_coverage(intervals).round(3))
else:
    print("no outcome of these rows is known: their coverage cannot be counted")

# %% [markdown]
# One command does all of it and writes a notebook, an HTML page and a CSV file:
#
# ```bash
# python -m notebook_lib.report data.csv --target y
# ```
#
# ## Copy this
#
# `read_table` takes a frame or the path of a CSV file.
# The rest looks at the gaps, chooses a method and says what it promises, predicts the rows held out, and counts.

# %% tags=["copy-me"]
import textwrap

import numpy as np
import pandas as pd

from notebook_lib import report

rng = np.random.default_rng(0)
table = pd.DataFrame(rng.normal(size=(1200, 3)), columns=["age", "dose", "marker"])
table["y"] = table["age"] + 2 * table["dose"] + rng.normal(size=1200)
table["dose"] = table["dose"].where(rng.random(1200) > 0.3)  # NaN for a gap

table = report.read_table(table, "y")  # or the path of a CSV file
choice = report.recommend(table, alpha=0.1)
print(choice.name, *textwrap.wrap(choice.guarantee, 80), sep="\n")
intervals = report.predict_gaps(table, alpha=0.1, seed=0)
print(report.check_coverage(intervals).round(3).to_string(index=False))

# %% [markdown]
# ## Exercises
#
# ```{exercise} Filled, and forgotten
# :label: ex-ch-filled
#
# Somebody fills the missing outcomes with predictions, forgets which ones they were, and runs split conformal prediction on all rows. How often do the intervals hold the true outcomes of the filled rows?
# ```
#
# ```{solution-start} ex-ch-filled
# :label: sol-ch-filled
# :class: dropdown
# ```
#
# The filled rows have score zero, so the threshold is a quantile of too many small scores, and it is used where the scores are largest.

# %%
from notebook_lib.quantiles import conformal_quantile

covered = []
for _ in range(20):
    rows = trials.draw_rows(2000, rng)
    seen = rng.random(2000) < trials.propensity(rows.X)
    train = np.flatnonzero(seen[:500])
    slope = np.linalg.lstsq(rows.X[train], rows.y[train])[0]
    score = np.abs(rows.y - rows.X @ slope)[500:]
    filled = np.where(seen[500:], score, 0.0)  # a filled outcome is its prediction
    inside = score <= conformal_quantile(filled, alpha)
    covered.append(inside[~seen[500:]].mean())
error = np.std(covered) / 20**0.5
share = f"{np.mean(covered):.2f} ({error:.2f})"
print(f"{share} of the filled outcomes covered, wanted {level:g}")

# %% [markdown]
# ```{solution-end}
# ```
#
# (ex-ch-both)=
#
# ```{exercise} Two kinds of gap at once
# :label: ex-ch-two
#
# Covariates *and* outcomes are missing: $X_2,X_3,X_4$ by pure chance, $Y$ by the propensity above. Build intervals for the missing outcomes, with a promise.
# ```
#
# ```{solution-start} ex-ch-two
# :label: sol-ch-two
# :class: dropdown
# ```
#
# The propensity depends on $X_1$ only, which is always there, so the outcomes are missing at random given what is seen.
# Weighted CP around a regressor that takes NaN is valid over the missing rows. It is not valid for each pattern of gaps.

# %%
from sklearn.ensemble import HistGradientBoostingRegressor

from notebook_lib.outcomes import MissingOutcomeConformal

covered = []
for _ in range(8):
    rows = trials.draw_rows(2400, rng)
    y = np.where(rng.random(2400) < trials.propensity(rows.X), rows.y, np.nan)
    X = rows.X.copy()
    X[:, 1:4][rng.random((2400, 3)) < 0.3] = np.nan
    model = MissingOutcomeConformal(
        HistGradientBoostingRegressor(max_iter=40),
        method="weighted",
        propensity=trials.propensity,
        alpha=alpha,
    )
    model.fit(X[:800], y[:800]).conformalize(X[800:], y[800:])
    lost_rows = np.isnan(y[800:])
    _, sets = model.predict_interval(X[800:][lost_rows])
    truth = rows.y[800:][lost_rows]
    covered.append(((sets[:, 0, 0] <= truth) & (truth <= sets[:, 1, 0])).mean())
error = np.std(covered) / 8**0.5
print(f"{np.mean(covered):.3f} ({error:.3f}) covered, wanted {level:g}")

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Key ideas
#
# * First what is missing, then why, then for whom the promise must hold. The method follows.
# * A marginal promise is kept by nearly everything that is exchangeable, and tells nothing about the rows with the most gaps.
# * A promise for each pattern costs an assumption (MCAR) or rows of that pattern; a promise for groups costs length.
# * Weights and propensities repair a known mechanism. Used the wrong way round they do more harm than doing nothing, and the output looks the same.
# * Coverage can be counted only where outcomes are known. Where they are missing, the assumption carries the promise.
#
# **In the library:** {py:mod}`notebook_lib.guide`, {py:mod}`notebook_lib.report`.
#
# The methods: {doc}`01_latent_class` · {doc}`02_matrix_completion` · {doc}`03_mask_conditional` · {doc}`04_mda_nested` · {doc}`05_missing_outcomes`; how to run and copy: {doc}`how_to_use`.
