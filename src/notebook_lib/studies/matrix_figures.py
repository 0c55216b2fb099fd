"""The figures of chapter 2, drawn from tidy frames and from cells of a matrix."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from .. import figures
from .matrix_live import pick


def method_grid(frame, x, facet=None, *, metrics=("coverage", "width"), level=0.9):
    """Rows of coverage and width, one column for each value of `facet`.

    Parameters
    ----------
    frame : DataFrame
        Summary of a study.
    x, facet : str
        Columns on the abscissa and across panels.
    metrics : sequence of str
        Rows of panels.
    level : float
        Nominal level, drawn in the coverage panels.

    Returns
    -------
    Figure
    """
    values = [None] if facet is None else list(frame[facet].unique())
    fig, axes = figures.panels(
        len(metrics), len(values), width=2.5, height=2.0, sharey="row"
    )
    for row, metric in enumerate(metrics):
        for column, value in enumerate(values):
            ax = axes[row, column]
            part = pick(frame, metric, **({} if facet is None else {facet: value}))
            if metric == "coverage":
                figures.nominal_line(ax, level)
            figures.errorbar(ax, part, x=x, y="mean", error="mc_error")
            if row == 0 and facet is not None:
                ax.set_title(f"{_name(facet)} = {value}")
            if row == len(metrics) - 1:
                ax.set_xlabel(_label(x))
            if column == 0:
                ax.set_ylabel(LABELS[metric])
    figures.legend_below(fig, axes)
    return fig


LABELS = {
    "coverage": "share of groups covered",
    "width": "mean width",
    "share_infinite": "share infinite",
}
_NAMES = {"mu": r"$\mu$", "delta": r"$\delta$", "rho": r"$\rho$"}


def _name(column):
    return _NAMES.get(column, column)


def _label(column):
    return {"K": "group size K", "s": "weight s of sparse columns"}.get(
        column, _name(column)
    )


def draw_split(ax, observed, split, tests):
    """Draw the cells of a small matrix by their role."""
    image = np.full((*observed.shape, 3), 1.0)
    image[observed] = _rgb("grey", 0.45)
    image[split.pruned] = _rgb("grey", 0.8)
    ax.imshow(image, aspect="auto", interpolation="nearest")
    for groups, color, marker in (
        (split.groups, "blue", "o"),
        (tests, "vermillion", "s"),
    ):
        for group in groups:
            rows = np.sort(group[:, 0])
            ax.plot(
                group[0, 1] * np.ones(len(rows)),
                rows,
                color=figures.OKABE_ITO[color],
                marker=marker,
                markersize=4,
                linewidth=0.8,
            )
    ax.grid(False)
    ax.set_xlabel("film (column)")
    ax.set_ylabel("user (row)")


def _rgb(name, strength):
    code = figures.OKABE_ITO[name].lstrip("#")
    rgb = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return 1 - strength * (1 - rgb)


def draw_peaks(curves):
    """Figure 2: the peak and the smooth factor, one panel for each size."""
    fig, axes = figures.panels(1, len(curves), width=3.2, height=2.4)
    for ax, (size, curve) in zip(axes[0], curves.items(), strict=True):
        ax.plot(curve["tau"], curve["phi"], color=figures.OKABE_ITO["blue"])
        ax.plot(curve["tau"], curve["eta"], "--", color=figures.OKABE_ITO["vermillion"])
        ax.set_title(f"{size} cells")
        ax.set_xlabel(r"$\tau$")
    axes[0, 0].set_ylabel("divided by its maximum")
    axes[0, 0].legend([r"$\Phi$", r"$\eta_i$"])
    return fig


def draw_film_night(ax, table):
    """Joint intervals of a group for several films."""
    films, color = table["film"].unique(), figures.color("SCMC")
    for position, film in enumerate(films):
        part = table[table["film"] == film].reset_index(drop=True)
        y = position + 0.11 * (part.index - (len(part) - 1) / 2)
        ax.hlines(y, part["lower"], part["upper"], color=color, linewidth=2)
        ax.plot(part["prediction"], y, "|", color=color, markersize=7)
        ax.plot(part["truth"], y, "o", color="black", markersize=3)
    ax.set_yticks(range(len(films)), films)
    ax.set_ylim(len(films) - 0.5, -0.5)
    ax.set_xlabel("stars")


def conditional(slab, gap):
    """Coverage on the worst slab, and what asking for one genre does to the width.

    Parameters
    ----------
    slab : DataFrame
        Rows of the metric "coverage" by ``delta`` and ``method``.
    gap : DataFrame
        Rows of the metric "gap" by ``genre`` and ``K``.

    Returns
    -------
    Figure
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.9))
    columns = dict(x="delta", y="mean", error="mc_error")
    figures.coverage_panel(left, slab, level=0.9, **columns)
    left.set_xlabel("share of cells in the slab, at least")
    left.legend()
    for name, part in gap.groupby("genre", sort=False):
        bars = 1.96 * part["mc_error"]
        right.errorbar(part["K"], part["mean"], bars, marker="o", label=name)
    right.axhline(0, color="black", linewidth=0.8)
    right.set(xlabel="group size K", ylabel="change of width (stars)")
    right.set_xticks([2, 3, 4, 5])
    right.legend(ncol=2)
    return fig
