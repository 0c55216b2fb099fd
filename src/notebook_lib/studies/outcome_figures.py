"""The figures of chapter 5, drawn from the sample at hand and from stored studies."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from .. import figures
from ..outcomes import MissingOutcomes, setting_propensity
from .outcome_criteria import pivot
from .outcome_trial import ONE_REP, ONE_REP_POOLED, PROCP, PROCP2_CONSTANT, WEIGHTED
from .outcome_verdicts import curve

#: The curves of the last panel of :func:`breaks`: colour, dash, legend.
_COSTS = {
    "slack": ("black", "-", "slack of the bins"),
    "mass, paper": (figures.color("pro-CP"), "--", "F, printed formula"),
    "mass, one_rep": (figures.color("one_rep"), "-.", "F, one representative"),
}


def setting(data: MissingOutcomes) -> None:
    """Draw a sample of Setting 1, and the chance of a missing outcome in both.

    Parameters
    ----------
    data : MissingOutcomes
        One covariate; all outcomes are known to the one who draws.
    """
    _, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    for rows, label, color, marker in (
        (data.A, "observed", "blue", "o"),
        (~data.A, "missing", "vermillion", "x"),
    ):
        look = {"s": 14, "marker": marker, "linewidths": 1}
        color = figures.OKABE_ITO[color]
        left.scatter(data.X[rows, 0], data.Y[rows], color=color, label=label, **look)
    left.set(xlabel="covariate x", ylabel="outcome y")
    left.legend()
    grid = np.linspace(0, 10, 300)
    for number, line in ((1, "-"), (2, "--")):
        missing, label = 1 - setting_propensity(grid, number), f"Setting {number}"
        right.plot(grid, missing, color="black", linestyle=line, label=label)
    right.set(xlabel="covariate x", ylabel="probability of a missing outcome")
    right.set_ylim(0, 0.45)
    right.legend()


def conditional(frame: pd.DataFrame) -> None:
    """Draw histograms of the feature-conditional coverage of trials, by setting.

    Parameters
    ----------
    frame : DataFrame
        Rows of the study ``conditional``; those of the residual score are drawn.
    """
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
    for ax, number in zip(axes, (1, 2), strict=True):
        part = frame.query("setting == @number and score == 'residual'")
        _histograms(
            ax,
            part,
            {name: name for name in (WEIGHTED, ONE_REP, PROCP)},
            bins=np.arange(0.73, 0.93, 0.005),
            alpha=0.65,
        )
        ax.set(title=f"Setting {number}", xlabel="feature-conditional coverage")
    axes[0].set_ylabel("trials")
    figures.legend_below(fig, axes)


def _histograms(ax, frame, looks, **options):
    """Coverage by method, each in the style of another name, over the level 0.8."""
    for method, look in looks.items():
        values = frame.loc[frame["method"] == method, "coverage"]
        ax.hist(values, color=figures.color(look), label=method, **options)
    figures.nominal_line(ax, 0.8, axis="x")


def single(at_x: pd.DataFrame) -> None:
    """Draw coverage at each x for one test row, in three panels.

    Parameters
    ----------
    at_x : DataFrame
        The study ``single``, one row for each setting, epsilon, score, method and
        x, with ``coverage`` and ``share_infinite``.
    """
    fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.2), sharey=True)
    panels = ((1, 0.1), (2, 0.1), (2, 0.02))
    for ax, (number, width) in zip(axes, panels, strict=True):
        chosen = "setting == @number and epsilon == @width and score == 'residual'"
        part = at_x.query(chosen)
        for method, rows in part.groupby("method"):
            look = figures.style(method)
            line = {"color": look.color, "linestyle": look.linestyle}
            ax.plot(rows["x"], rows["coverage"], label=method, **line)
        figures.nominal_line(ax, 0.8)
        share = 100 * part.loc[part["method"] == PROCP, "share_infinite"].mean()
        title = f"Setting {number}, ε = {width:g}"
        ax.set_title(f"{title}\n{share:.0f} % of pro-CP sets infinite")
        ax.set_xlabel("covariate x")
    axes[0].set_ylabel("coverage at x")
    figures.legend_below(fig, axes)


def squared(frame: pd.DataFrame) -> None:
    """Draw histograms of the coverage proportion of pro-CP and pro-CP2.

    Parameters
    ----------
    frame : DataFrame
        Rows of the study ``table1``: a panel for each setting and propensity.
    """
    fig, axes = figures.panels(2, 2, width=4)
    looks = {ONE_REP: ONE_REP, PROCP2_CONSTANT: "pro-CP2"}
    for row, number in zip(axes, (1, 2), strict=True):
        for ax, kind in zip(row, ("known", "estimated"), strict=True):
            part = frame.query("setting == @number and propensity == @kind")
            _histograms(ax, part, looks, bins=np.arange(0.64, 1.01, 0.02), alpha=0.6)
            ax.set_title(f"Setting {number}, {kind} propensity")
    for ax in axes[1]:
        ax.set_xlabel("coverage proportion")
    for ax in axes[:, 0]:
        ax.set_ylabel("trials")
    figures.legend_below(fig, axes)


def curves(low: pd.DataFrame, high: pd.DataFrame, trials: pd.DataFrame) -> None:
    """Draw width against coverage, coverage against level, and boxes of coverage.

    Parameters
    ----------
    low, high : DataFrame
        Mean coverage and width by level and method: the two settings, and 30
        covariates.
    trials : DataFrame
        Rows of the study ``high-dimensional``.
    """
    fig, axes = plt.subplots(2, 2, figsize=(8, 5.6))
    one = low[low["setting"] == 1]
    _width_curves(axes[0, 0], one, (PROCP, PROCP2_CONSTANT), "Setting 1")
    _width_curves(axes[0, 1], high, (PROCP, WEIGHTED), "30 covariates")
    ax = axes[1, 0]
    for method in (PROCP, ONE_REP, PROCP2_CONSTANT):
        part = one[one["method"] == method]
        ax.plot(1 - part["alpha"], part["coverage"], **_look(method))
    nominal = {"color": "#333333", "linestyle": (0, (4, 3)), "linewidth": 1}
    ax.plot([0.6, 0.85], [0.6, 0.85], **nominal, label="nominal")
    ax.set(xlabel="level asked for", ylabel="coverage", title="Setting 1")
    _boxes(axes[1, 1], trials.query("scale == 2 and score == 'cqr'"))
    figures.legend_below(fig, axes)


def _look(method):
    """Style and legend of a curve; pro-CP2 is drawn in one form only."""
    name = "pro-CP2" if method == PROCP2_CONSTANT else method
    look = figures.style(name)
    return {"color": look.color, "marker": look.marker, "label": name}


def _width_curves(ax, frame, methods, title):
    for method in methods:
        ax.plot(*curve(frame, method), **_look(method))
    ax.set(xlabel="coverage", ylabel="median width", title=title)


def _boxes(ax, frame):
    """Coverage of the trials, three methods side by side for each propensity."""
    cover = frame.set_index(["method", "propensity"])["coverage"]
    options = {"widths": 0.6, "patch_artist": True, "showfliers": False}
    options["medianprops"] = {"color": "black"}
    for i, method in enumerate((PROCP, ONE_REP, WEIGHTED)):
        for j, kind in enumerate(("known", "estimated")):
            place = [3 * j + i * 0.8]
            box = ax.boxplot(cover[(method, kind)], positions=place, **options)
            box["boxes"][0].set(facecolor=figures.color(method), alpha=0.7)
    figures.nominal_line(ax, 0.8)
    ax.set_xticks([0.8, 3.8], ["known p", "estimated p"])
    ax.set(ylabel="conditional coverage", title="30 covariates")


def breaks(binnings: pd.DataFrame, infinite: pd.DataFrame, cost: pd.DataFrame) -> None:
    """Draw coverage by binning, infinite sets by sample size, and what bins cost.

    Parameters
    ----------
    binnings, infinite : DataFrame
        Rows of the studies of these names.
    cost : DataFrame
        As :func:`notebook_lib.studies.outcome_live.cost_of_width` makes it.
    """
    _, axes = plt.subplots(1, 3, figsize=(10, 3.4))
    propensity = binnings["bins"].str.startswith("eps")
    colors = propensity.map({True: "blue", False: "vermillion"})
    colors = colors.map(figures.OKABE_ITO).tolist()
    bars = {"xerr": 2 * binnings["mc_error"], "color": colors}
    axes[0].barh(binnings["bins"], binnings["mean"], **bars)
    figures.nominal_line(axes[0], 0.8, axis="x")
    axes[0].invert_yaxis()
    axes[0].set(xlabel="coverage", xlim=(0.5, 0.9))
    _infinite_sets(axes[1], infinite)
    for name, (color, line, label) in _COSTS.items():
        axes[2].plot(cost.index, cost[name], color=color, linestyle=line, label=label)
    axes[2].set(xlabel="bin width ε", ylabel="share", xscale="log")
    axes[2].legend(fontsize="x-small")


def _infinite_sets(ax, frame):
    share = pivot(frame, ["setting", "n_total", "method"]).query("setting == 1")
    looks = {"binned wCP": "binned wCP", PROCP: PROCP, ONE_REP_POOLED: ONE_REP}
    for method, name in looks.items():
        part, look = share[share["method"] == method], figures.style(name)
        style = {"color": look.color, "marker": look.marker, "label": name}
        error = 2 * part["share_infinite_se"]
        ax.errorbar(part["n_total"], part["share_infinite"], yerr=error, **style)
    ax.set(xlabel="rows in the sample", ylabel="share of infinite sets", xscale="log")
    ax.set_xticks([60, 100, 200, 500], ["60", "100", "200", "500"])
    ax.minorticks_off()
    ax.legend(fontsize="x-small")
