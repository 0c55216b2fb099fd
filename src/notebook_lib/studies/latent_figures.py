"""The figures of chapter 1, drawn from tidy frames.

Everywhere lines with bars are a stored study and open markers are a live run.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from .. import figures
from .latent_live import draw, select
from .latent_trial import METHODS

_COLORS = [figures.OKABE_ITO[c] for c in ("blue", "orange", "green", "purple", "sky")]
_OPEN = {"linestyle": "none", "marker": "o", "markerfacecolor": "none", "markersize": 8}
_DELTA = r"separation $\delta$"
_BASE = {"n_classes": 3, "sigma": 0.5, "alpha": 0.1, "em": ["R", "-"]}


def setting(sample, theta, *, n=800):
    """The indicators twice: coloured by hidden class, and by the outcome."""
    fig, axes = plt.subplots(1, 2, figsize=(7.6, 3.6), sharex=True, sharey=True)
    r, z = sample.r[:n], sample.z[:n]
    for k in np.unique(z):
        color, label = _COLORS[k % len(_COLORS)], f"class {k + 1}"
        axes[0].scatter(*r[z == k, :2].T, s=9, color=color, label=label)
    adjusted = (sample.y - sample.x @ np.asarray(theta))[:n]
    points = axes[1].scatter(*r[:, :2].T, s=9, c=adjusted, cmap="cividis")
    axes[0].set(title="Hidden: the class $Z$", xlabel="$R_1$", ylabel="$R_2$")
    axes[1].set(title="Seen: the outcome", xlabel="$R_1$")
    axes[0].legend(markerscale=2)
    fig.colorbar(points, ax=axes[1], label=r"$Y-\theta^\top X$")


def law(draws, law, nominal):
    """Coverage given the calibration set: a histogram and its beta law."""
    _, ax = plt.subplots(figsize=(6, 3))
    grid = np.linspace(law.ppf(1e-4), 1, 300)
    label = f"{len(draws)} calibration sets"
    ax.hist(draws, bins=30, density=True, color="#BBBBBB", label=label)
    first, second = law.args
    ax.plot(grid, law.pdf(grid), color="black", label=f"Beta({first:g}, {second:g})")
    figures.nominal_line(ax, nominal, axis="x")
    ax.set(xlabel="coverage given the calibration set", ylabel="density")
    ax.legend()


def quality(stored, now):
    """Four measures of imputation quality against separation, EM-R and EM-RX."""
    labels = {
        "accuracy": "accuracy $A$",
        "max_responsibility": r"mean of $\max_k\hat\tau_k$",
        "cross_entropy": r"cross-entropy of $\hat\tau$ (nats)",
        "entropy": r"entropy of $\hat\tau$ (nats)",
    }
    _, axes = plt.subplots(2, 2, figsize=(7.4, 5.2), sharex=True)
    for ax, (metric, label) in zip(axes.flat, labels.items(), strict=True):
        for em, color in zip(("R", "RX"), _COLORS, strict=False):
            part, points = (
                select(t, metric, n_classes=3, em=em) for t in (stored, now)
            )
            ax.errorbar(
                part["separation"],
                part["mean"],
                yerr=1.96 * part["mc_error"],
                marker="os"[em == "RX"],
                color=color,
                label=f"EM-{em}",
            )
            ax.plot(points["separation"], points["mean"], **_OPEN, color=color)
        ax.set_ylabel(label)
    for ax in axes[1]:
        ax.set_xlabel(_DELTA)
    axes[0, 0].legend()


def coverage(stored, now, *, beta=1.0):
    """Coverage against separation, one panel a level."""
    _, axes = plt.subplots(1, 2, figsize=(7.6, 3.9))
    for ax, alpha in zip(axes, (0.1, 0.2), strict=True):
        where = _BASE | {"alpha": alpha, "beta": beta}
        draw(ax, stored, now, "coverage", x="separation", dodge=0.06, **where)
        figures.nominal_line(ax, 1 - alpha, label=None)
        ax.set(ylim=(0.98 - alpha, 1.02 - alpha), xlabel=_DELTA)
        ax.set_title(rf"$\alpha={alpha}$")
    axes[0].set_ylabel("coverage")
    _legend_below(axes[0])


def length(stored, now):
    """Length against separation, one panel for each spread of the intercepts."""
    _, axes = plt.subplots(2, 2, figsize=(7.6, 6.4), sharex=True)
    for ax, beta in zip(axes.flat, (0.0, 0.5, 1.0, 2.0), strict=True):
        draw(ax, stored, now, "length", x="separation", beta=beta, **_BASE)
        figures.nominal_line(ax, norm.isf(0.05), label=None)
        ax.set_title(rf"$\beta={beta:g}$")
        ax.set_ylim(1.5, max(1.8, ax.get_ylim()[1]))
    for ax in axes[1]:
        ax.set_xlabel(_DELTA)
    for ax in axes[:, 0]:
        ax.set_ylabel("average length (units of $Y$)")
    _legend_below(axes[0, 0])


def _legend_below(ax, **options):
    handles, labels = ax.get_legend_handles_labels()
    ax.figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=4,
        fontsize="small",
        **options,
    )


def accuracy(share, accuracies):
    """Share of the gap left against accuracy, one dash for each number of classes."""
    _, axes = plt.subplots(1, 2, figsize=(7.6, 4.2), sharey=True)
    methods = [METHODS[m] for m in ("hard", "soft", "soft-regression", "density")]
    for ax, beta in zip(axes, (0.5, 2.0), strict=True):
        for n_classes, dash in zip((2, 3, 5), ("-", "--", ":"), strict=True):
            part = share.xs((n_classes, beta), level=("n_classes", "beta"))
            for name in methods:
                ax.plot(
                    accuracies[n_classes],
                    part[name],
                    dash,
                    marker=figures.marker(name),
                    color=figures.color(name),
                    label=name if n_classes == 2 else None,
                )
        figures.nominal_line(ax, 1, label=None)
        figures.nominal_line(ax, 0.9, axis="x", label=None)
        ax.set(xlabel="accuracy $A$", title=rf"$\beta={beta:g}$")
    axes[0].set_ylabel("share of the gap left")
    _legend_below(axes[0])


def misspecified(stored, now, *, method=METHODS["soft-regression"]):
    """Gap to the oracle by fitted family and EM variant."""
    looks = {
        ("R", "full"): ("blue", "o-"),
        ("R", "spherical"): ("sky", "s--"),
        ("RX", "full"): ("orange", "D-"),
        ("RX", "spherical"): ("vermillion", "^--"),
    }
    _, axes = plt.subplots(1, 2, figsize=(7.6, 4), sharey=True)
    panels = [("separation", "full"), ("rho", "spherical")]
    for ax, (x, structure) in zip(axes, panels, strict=True):
        for (em, family), (name, look) in looks.items():
            where = {"em": em, "family": family, "structure": structure}
            part, points = (
                select(t, "gap", method=method, alpha=0.1, **where)
                for t in (stored, now)
            )
            color, label = figures.OKABE_ITO[name], f"EM-{em}, {family} fit"
            bars = 1.96 * part["mc_error"]
            ax.errorbar(
                part[x], part["mean"], yerr=bars, fmt=look, color=color, label=label
            )
            ax.plot(points[x], points["mean"], **_OPEN, color=color)
    axes[0].set(xlabel=_DELTA, ylabel="gap to the oracle (units of $Y$)")
    axes[0].set_title("class-specific full covariances")
    axes[1].set_xlabel(r"correlation $\rho$ of $X_j$ and $R_j$")
    axes[1].set_title("correlated covariates")
    _legend_below(axes[1])


def bins(stored, now, *, separation=2.0, beta=2.0):
    """Coverage and length by confidence and by right or wrong label."""
    order = ["0.5", "0.6", "0.7", "0.8", "0.9", "0.99", "1", "right", "wrong"]
    place = {name: i + (i > 6) for i, name in enumerate(order)}
    where = {"separation": separation, "alpha": 0.1}
    _, axes = plt.subplots(2, 1, figsize=(7.2, 6.6), sharex=True)
    for ax, metric in zip(axes, ("coverage", "length"), strict=True):
        kept = [t.assign(at=t["bin"].astype(str).map(place)) for t in (stored, now)]
        kept = [t[t["beta"] == beta] if "beta" in t else t for t in kept]
        for names in (order[:7], order[7:]):
            inside = [t[t["bin"].astype(str).isin(names)] for t in kept]
            draw(ax, *inside, metric, x="at", dodge=0.06, **where)
    figures.nominal_line(axes[0], 0.9, label=None)
    axes[0].set_ylabel("coverage")
    axes[1].set_ylabel("average length (units of $Y$)")
    ticks = ["0.5", "0.6", "0.7", "0.8", "0.9", "0.99", "1"]
    ticks += ["right\nlabel", "wrong\nlabel"]
    axes[1].set_xticks(list(place.values()), ticks)
    axes[1].set_xlabel(r"upper end of the bin of $\max_k\hat\tau_k$", loc="left")
    handles, labels = axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes[0].figure.legend(
        unique.values(), unique, loc="outside lower center", ncols=3, fontsize="small"
    )


def knobs(sizes, now_sizes, tolerance, now_tolerance):
    """Gap against training rows, against the ridge, and accuracy against ``tol``."""
    _, axes = plt.subplots(1, 3, figsize=(9.4, 3.9))
    where = {"n_classes": 3, "alpha": 0.1, "em": "R"}
    draw(axes[0], sizes, now_sizes, "gap", x="n_train", ridge=1e-6, **where)
    axes[0].set(xscale="log", xlabel="training rows", title="sample size")
    axes[0].set_xticks([200, 500, 1000, 2000, 5000], ["200", "500", "1k", "2k", "5k"])
    axes[0].minorticks_off()
    axes[0].set_ylabel("gap to the oracle (units of $Y$)")
    draw(axes[1], sizes, None, "gap", x="ridge", n_train=2000, **where)
    axes[1].set(xlabel=r"ridge $\lambda$", title="ridge")
    axes[1].set_xscale("symlog", linthresh=0.05)
    axes[1].set_xticks([0, 0.1, 1], ["0", "0.1", "1"])
    axes[1].minorticks_off()
    for separation, color in zip((1.0, 2.0, 3.0), _COLORS, strict=False):
        part, points = (
            select(t, "accuracy", separation=separation)
            for t in (tolerance, now_tolerance)
        )
        axes[2].errorbar(
            part["tol"],
            part["mean"],
            yerr=1.96 * part["mc_error"],
            color=color,
            marker="o",
            label=rf"$\delta={separation:g}$",
        )
        axes[2].plot(points["tol"], points["mean"], **_OPEN, color=color)
    axes[2].set(xscale="log", xlabel="tolerance of EM", ylabel="accuracy $A$")
    axes[2].set_title("where EM stops")
    axes[2].invert_xaxis()
    axes[2].minorticks_off()
    axes[2].legend(loc=(0.04, 0.62))
    _legend_below(axes[0])


def penguins(table):
    """Average length on the penguins, a dot a pipeline, oracle and blind marked."""
    _, ax = plt.subplots(figsize=(6.4, 3.2))
    for place, (name, row) in enumerate(table[::-1].iterrows()):
        method = name.split(",")[0]
        ax.errorbar(
            row["length"],
            place,
            xerr=1.96 * row["length error"],
            color=figures.color(method),
            marker=figures.marker(method),
        )
    ax.set_yticks(range(len(table)), list(table.index[::-1]))
    ax.set_xlabel("average length of the interval for body mass (g)")
