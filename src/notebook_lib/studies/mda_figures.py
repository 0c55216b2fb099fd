"""The figures of chapter 4, drawn from arrays and tidy frames.

Each function makes a figure of its own and returns it. The figures of the document
are those of Zaffran, Josse, Romano and Dieuleveut (2024).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from .. import figures
from ..covariates import AllRows, AtMost, Exact, covering_union, unstarred_bounds
from . import mda_theory as theory

#: The methods of figures 3 to 7.
METHODS = ["CQR", "CP-MDA-Exact", "CP-MDA-Nested* (<=2)", "CP-MDA-Nested"]
#: The rules of the study with the true predictor, as methods.
RULES = {
    "exact": "CP-MDA-Exact",
    "h=1": "CP-MDA-Nested* (<=2)",
    "adaptive": "CP-MDA-Nested* (adaptive)",
    "all": "CP-MDA-Nested*",
}
_GREY = "#777777"


def hardness(n_rows, n_drawn, infinite, *, probability=0.01, alpha=0.1):
    """Lower bounds of Theorem 2.3 and two valid methods, against the number of rows.

    Parameters
    ----------
    n_rows : array_like of int, shape (n,)
        Abscissae of the curves.
    n_drawn : array_like of int, shape (k,)
        Numbers of rows at which the randomised method was simulated.
    infinite : array_like of float, shape (k,)
        Its share of infinite sets there.
    probability : float
        Probability of the mask.
    alpha : float
        Miscoverage level.

    Returns
    -------
    Figure
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.4))
    where = (probability, n_rows, alpha)
    printed, corrected = theory.printed_bound(*where), theory.corrected_bound(*where)
    ax.plot(n_rows, printed.clip(0), "--", color=_GREY, label="printed bound")
    ax.plot(n_rows, corrected.clip(0), "-", color="black", label="corrected bound")
    alone, color = theory.per_mask_infinite(*where), figures.color("same mask")
    ax.plot(n_rows, alone, color=color, label="same mask only")
    color = figures.color("CP-MDA-Nested")
    ax.plot(n_drawn, infinite, "o", color=color, label="randomised, valid")
    ax.set(
        xscale="log", xlabel="number of rows $n$", ylabel="P(infinite set on the mask)"
    )
    ax.legend()
    return fig


def model33(x, y, limit, beta=2.0):
    """Figure 1: outcomes and residuals of Model 3.3, every fifth X missing.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Covariate and outcome.
    limit : float
        Where the spread of a row with X equals that of rows without.
    beta : float
        Slope of the model.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(1, 4, figsize=(10, 2.6))
    gone = np.arange(len(x)) % 5 == 0
    seen, lost = figures.OKABE_ITO["blue"], figures.OKABE_ITO["orange"]
    residual = y - beta * x
    for mask, colour in ((~gone, seen), (gone, lost)):
        axes[0].plot(x[mask], y[mask], ".", markersize=2, color=colour)
    axes[0].set(xlabel="$X$", ylabel="$Y$", title="all rows")
    bins = np.linspace(-10, 10, 61)
    axes[1].hist(y[gone], bins=bins, density=True, color=lost)
    axes[1].set(xlabel="$Y$", ylabel="density", title="$X$ missing")
    axes[2].plot(x[~gone], residual[~gone], ".", markersize=2, color=seen)
    for at in (-limit, limit):
        axes[2].axvline(at, linestyle="--", color="black")
    axes[2].set(xlabel="$X$", ylabel=r"$Y-\beta X$", title="$X$ observed")
    axes[3].hist(residual[~gone], bins=bins, density=True, color=seen)
    axes[3].set(xlabel=r"$Y-\beta X$", ylabel="density", title="$X$ observed")
    return fig


def by_hand(lower, upper, r):
    """Intervals, the outcomes that `r` of them hold, and the unstarred interval.

    Parameters
    ----------
    lower, upper : ndarray, shape (n,)
        Ends of the intervals.
    r : int
        How many of them must hold an outcome.

    Returns
    -------
    Figure
    """
    fig, ax = plt.subplots(figsize=(6, 2.6))
    n = len(lower)
    ax.hlines(range(n), lower, upper, color=_GREY, linewidth=4)
    union = covering_union(lower, upper, r)
    below, color = np.full(len(union.row), -1), figures.color("CP-MDA-Nested*")
    ax.hlines(below, union.lower, union.upper, color=color, linewidth=7)
    hull, color = unstarred_bounds(lower, upper, r)[0], figures.color("CP-MDA-Nested")
    ax.hlines(-2, *hull, color=color, linewidth=7)
    names = [f"row {k + 1}" for k in range(n)]
    ax.set_yticks([*range(n), -1, -2], [*names, "Nested*", "Nested"])
    ax.set(xlabel="outcome $y$", ylim=(-2.6, n - 0.4))
    return fig


def kept_rows(M_cal, m):
    """Figure 2: the calibration rows that three rules keep, and what they hide.

    Parameters
    ----------
    M_cal : ndarray of bool, shape (n, d)
        Masks of the calibration rows.
    m : ndarray of bool, shape (d,)
        Mask of the test row.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(1, 3, figsize=(8, 3.2), sharey=True)
    titles = {"exact": Exact(), "at most 1 more": AtMost(1), "all": AllRows()}
    for ax, (title, rule) in zip(axes, titles.items(), strict=True):
        keep = rule.keep(M_cal, m)
        augmented = M_cal | m
        colour = np.where(M_cal, 0.75, np.where(augmented, 0.4, 0.08))
        colour = np.where(keep[:, None], colour, np.nan)
        test = np.where(m, 0.75, 0.08)[None]
        picture = np.vstack([colour, np.full((1, len(m)), np.nan), test])
        ax.imshow(picture, cmap="Greys", vmin=0, vmax=1, aspect="equal")
        rows = [f"row {k + 1}" for k in range(len(M_cal))]
        ax.set_yticks([*range(len(M_cal)), len(M_cal) + 1], [*rows, "test"])
        ax.set_xticks(range(len(m)), [f"$X_{j + 1}$" for j in range(len(m))])
        for j in range(len(m) + 1):
            ax.axvline(j - 0.5, color="white", linewidth=2)
        for i in range(len(picture) + 1):
            ax.axhline(i - 0.5, color="white", linewidth=2)
        ax.set(title=f"{title} ({int(keep.sum())} rows)")
        ax.grid(False)
    return fig


def oracle(coverage, law, level=0.9):
    """Coverage by mask with the true predictor, and the exact law of CP-MDA-Exact.

    Parameters
    ----------
    coverage : DataFrame
        Columns ``rule``, ``mask``, ``mean`` and ``mc_error``; masks in one order for
        every rule. Rules without a name in :data:`RULES` are left out.
    law : Series
        Coverage of CP-MDA-Exact by mask, in that order.
    level : float
        Nominal level.

    Returns
    -------
    Figure
    """
    fig, ax = plt.subplots(figsize=(8, 3.2))
    table = coverage.assign(
        method=coverage["rule"].map(RULES), at=coverage.groupby("rule").cumcount()
    ).dropna(subset="method")
    how = {"x": "at", "y": "mean", "error": "mc_error", "level": level}
    labels = {"CP-MDA-Nested* (<=2)": "CP-MDA-Nested* (<=1)"}
    figures.coverage_panel(ax, table, **how, dodge=0.15, labels=labels)
    ax.plot(range(len(law)), law, "x", color="black", label="law of Exact")
    ax.set_xticks(range(len(law)), law.index, rotation=60)
    ax.legend(fontsize=8, ncol=2)
    return fig


def sizes(panels, lengths, level=0.9):
    """Figure 3: coverage above and length below, by mask size, one column a setting.

    Parameters
    ----------
    panels : dict of tuple to DataFrame
        Tables of :func:`notebook_lib.studies.mda_live.by_group` with the column
        ``size``, by share of missing entries and base model.
    lengths : DataFrame
        Rows of the oracle, with columns ``p``, ``size`` and ``length``.
    level : float
        Nominal level.

    Returns
    -------
    Figure
    """
    n = len(panels)
    fig, axes = plt.subplots(
        2, n, figsize=(3.2 * n, 5.2), sharex=True, sharey="row", squeeze=False
    )
    for column, ((p, base), table) in enumerate(panels.items()):
        above, below = axes[:, column]
        _sizes(above, below, table, lengths[lengths["p"] == p], level)
        above.set_title(f"{p:.0%} missing, {base}")
    figures.legend_below(fig, axes)
    return fig


def _sizes(above, below, table, oracle, level):
    order = ["marginal", *map(str, range(10))]
    place = {size: at for at, size in enumerate(order)}
    table = table[table["method"].isin(METHODS)]
    table = table.assign(at=table["size"].astype(str).map(place))
    how = {"x": "at", "level": level, "error": "coverage_error"}
    figures.coverage_panel(above, table, **how, dodge=0.12)
    above.set_ylim(0.55, 1.005)
    # A set that is infinite in most replicates has no length to show.
    shown = table[table["infinite_replicates"] <= 0.5]
    figures.errorbar(below, shown, x="at", y="length", dodge=0.12)
    oracle = oracle.assign(at=oracle["size"].astype(str).map(place))
    mean, color = oracle.groupby("at")["length"].mean(), figures.color("oracle")
    below.plot(mean.index, mean, color=color, marker="*", linestyle=":", label="oracle")
    below.set(ylim=(2, 19), ylabel="length")
    below.set_xticks(range(11), ["all", *map(str, range(10))])
    below.set_xlabel("missing covariates")


def extremes(panels, level=0.9):
    """Figures 4 to 7: lowest mask, all masks and highest mask of each method.

    Parameters
    ----------
    panels : dict of str to DataFrame
        Tables of :func:`notebook_lib.studies.mda_live.extremes`, by title.
    level : float
        Nominal level.

    Returns
    -------
    Figure
    """
    n = len(panels)
    fig, axes = plt.subplots(1, n, figsize=(2.5 * n, 3.4), sharey=True, squeeze=False)
    for ax, (title, table) in zip(axes[0], panels.items(), strict=True):
        _extremes(ax, table, level)
        ax.set(title=title)
    axes[0, 0].set_ylabel("coverage")
    return fig


def _extremes(ax, table, level):
    table = table[table["method"].isin(METHODS)]
    methods = figures.order(table["method"])
    for at, method in enumerate(methods):
        part = table[table["method"] == method]
        shift = at + np.linspace(-0.28, 0.28, len(part)) * (len(part) > 1)
        color = figures.color(method)
        ax.vlines(shift, part["lowest"], part["highest"], color=color, alpha=0.6)
        ax.plot(shift, part["lowest"], "v", color=color)
        ax.plot(shift, part["marginal"], "D", color=color)
        ax.plot(shift, part["highest"], "^", color=color)
    figures.nominal_line(ax, level)
    short = [m.replace("CP-MDA-", "") for m in methods]
    ax.set_xticks(range(len(methods)), short, rotation=20)


def outcome(coverage, correlations=(0.8, 0.0), level=0.9):
    """Figure 8: coverage by mask when the outcome depends on the mask.

    Parameters
    ----------
    coverage : DataFrame
        Columns ``phi``, ``mask``, ``method``, ``coverage`` and ``coverage_error``.
    correlations : sequence of float
        One panel each.
    level : float
        Nominal level.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.2), sharey=True)
    shown = coverage["method"].isin(["CQR", "CP-MDA-Exact", "CP-MDA-Nested"])
    coverage = coverage[shown & (coverage["mask"] != "all")]
    for ax, correlation in zip(axes, correlations, strict=True):
        table = coverage[coverage["phi"] == correlation]
        table = table.assign(at=table.groupby("method").cumcount())
        how = {"x": "at", "level": level, "error": "coverage_error"}
        figures.coverage_panel(ax, table, **how, dodge=0.15)
        masks = table["mask"].unique()
        ax.set_xticks(range(len(masks)), masks, rotation=45)
        ax.set(xlabel="mask", title=f"correlation {correlation}")
    figures.legend_below(fig, axes)
    return fig


def trade_off(table, settings=((0.2, "0"), (0.4, "3")), level=0.9):
    """Coverage with its spread, and median length, against h.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`notebook_lib.studies.mda_live.by_group`, with columns
        ``p``, ``size`` and ``h``.
    settings : sequence of (float, str)
        Share of missing entries and mask size, one panel each.
    level : float
        Nominal level.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 3), sharey=True)
    blue, orange = map(figures.color, ("CP-MDA-Nested*", "CP-MDA-Nested"))
    for ax, (p, size) in zip(axes, settings, strict=True):
        part = table[(table["p"] == p) & (table["size"].astype(str) == size)]
        spread = part["coverage_sd"]
        ax.errorbar(part["h"], part["coverage"], yerr=spread, color=blue, marker="o")
        figures.nominal_line(ax, level)
        # A set that is infinite in most replicates has no length to show.
        twin, shown = ax.twinx(), part[part["infinite_replicates"] <= 0.5]
        twin.plot(shown["h"], shown["length"], "s--", color=orange)
        twin.set_ylabel("median length (dashed)")
        ax.set(xlabel="$h$, more missing covariates allowed", ylabel="coverage")
        ax.set(title=f"{p:.0%} missing, {size} gaps")
    return fig
