"""One look for all the figures of the book, and one colour for each method.

Colours are those of Okabe and Ito, safe for colour-blind readers. A method keeps
its colour, marker and line style in every chapter. Within a chapter no two methods
share a marker, and only variants of one method (a name with an addition after it)
share a colour; their lines differ.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#5A5A5A",
}


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn.

    Parameters
    ----------
    color : str
        Hex colour.
    marker, linestyle : str
        As matplotlib knows them.
    """

    color: str
    marker: str
    linestyle: str

    @property
    def edge(self) -> str:
        """Colour of the marker's edge: dark where the colour is faint on white."""
        return "#333333" if self.color == OKABE_ITO["yellow"] else self.color


def _style(color: str, marker: str, linestyle: str) -> MethodStyle:
    return MethodStyle(OKABE_ITO[color], marker, linestyle)


#: The methods of each chapter, in the order in which legends list them.
METHODS: dict[str, dict[str, MethodStyle]] = {
    "01_latent_class": {
        "oracle": _style("black", "o", "-"),
        "EM-hard": _style("orange", "s", "-"),
        "EM-soft (blueprint)": _style("vermillion", "^", "-"),
        "EM-soft (class slopes)": _style("purple", "v", "-."),
        "EM-soft (regression)": _style("blue", "D", "-"),
        "mixture density": _style("green", "P", "-"),
        "ignore": _style("grey", "X", "--"),
    },
    "02_matrix_completion": {
        "SCMC": _style("blue", "o", "-"),
        "Bonferroni": _style("orange", "s", "--"),
        "unadjusted": _style("grey", "X", ":"),
        "SCMC (estimated w)": _style("sky", "v", "-."),
        "SCMC (equal weights)": _style("vermillion", "^", "--"),
        "SCMC (w* = 1)": _style("purple", "D", ":"),
        "SCMC (w = 1)": _style("green", "P", "-."),
        "individual": _style("yellow", "*", "--"),
    },
    "03_mask_conditional": {
        "oracle": _style("black", "o", "-"),
        "CP": _style("grey", "X", "--"),
        "CQR": _style("sky", "v", "--"),
        "CP-MDA-Exact": _style("green", "P", "-"),
        "CP-MDA-Nested": _style("orange", "s", "-"),
        "nexCP": _style("blue", "D", "-"),
        "LCP": _style("vermillion", "^", "-"),
        "equal weights": _style("yellow", "*", ":"),
        "same mask": _style("purple", "h", "-."),
        "nexCP (mask weights)": _style("blue", "p", ":"),
        "nexCP (equal weights)": _style("blue", "<", "-."),
    },
    "04_mda_nested": {
        "oracle": _style("black", "o", "-"),
        "QR": _style("yellow", ".", ":"),
        "CP": _style("grey", "X", "--"),
        "CQR": _style("sky", "v", "--"),
        "CP-MDA-Exact": _style("green", "P", "-"),
        "CP-MDA-Nested": _style("orange", "s", "-"),
        "CP-MDA-Nested*": _style("blue", "D", "-"),
        "CP-MDA-Nested* (<=2)": _style("vermillion", "^", "-."),
        "CP-MDA-Nested* (adaptive)": _style("blue", "p", ":"),
        "same mask": _style("purple", "h", "-."),
    },
    "05_missing_outcomes": {
        "oracle": _style("black", "o", "-"),
        "naive": _style("grey", "X", "--"),
        "weighted CP": _style("orange", "s", "-"),
        "binned wCP": _style("purple", "h", "-."),
        "pro-CP": _style("blue", "D", "-"),
        "pro-CP (one representative)": _style("sky", "v", "-."),
        "pro-CP, quick partition": _style("blue", "p", ":"),
        "pro-CP2": _style("green", "P", "-"),
        "pro-CP2 (constant levels)": _style("green", "<", "--"),
        "pro-CP2 (two representatives)": _style("green", ">", ":"),
        "K-th order": _style("yellow", "*", ":"),
        "PAC": _style("vermillion", "^", "--"),
    },
}

#: Other names under which the documents and the code know the same methods.
ALIASES = {
    "oracle-z": "oracle",
    "em-soft": "EM-soft (blueprint)",
    "blueprint": "EM-soft (blueprint)",
    "regression on tau": "EM-soft (regression)",
    "em-soft (slopes)": "EM-soft (class slopes)",
    "em-soft (class-specific slopes)": "EM-soft (class slopes)",
    "density": "mixture density",
    "ignore-z": "ignore",
    "simultaneous": "SCMC",
    "cqr-mda-exact": "CP-MDA-Exact",
    "cqr-mda-nested": "CP-MDA-Nested",
    "cqr-mda-nested*": "CP-MDA-Nested*",
    "exact": "CP-MDA-Exact",
    "nested": "CP-MDA-Nested",
    "cp-mda-nested (half tails)": "CP-MDA-Nested",
    "nested*": "CP-MDA-Nested*",
    "nested* (<=2)": "CP-MDA-Nested* (<=2)",
    "eqw": "equal weights",
    "per mask": "same mask",
    "wcp": "weighted CP",
    "binned weighted cp": "binned wCP",
    "one_rep": "pro-CP (one representative)",
    "split cp": "CP",
    "split conformal": "CP",
    "pro-cp (partition)": "pro-CP, quick partition",
    "individual cmc": "individual",
    "nexcp (equal)": "nexCP (equal weights)",
    "nexcp (mask)": "nexCP (mask weights)",
}


def setup() -> None:
    """Set the book's style and make every output reproducible.

    Numbers print with 4 digits, scikit-learn shows text, figures have a fixed
    resolution and a white background (which reads on dark pages too).
    """
    import sklearn

    np.set_printoptions(precision=4, suppress=True, linewidth=88)
    pd.set_option("display.precision", 4)
    pd.set_option("display.width", 100)
    pd.set_option("display.max_columns", 12)
    sklearn.set_config(display="text")
    mpl.rcParams.update(_RC)


_RC = {
    "svg.hashsalt": "notebook_lib",
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "figure.figsize": (6.4, 3.8),
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.prop_cycle": mpl.cycler(
        color=[
            OKABE_ITO[c] for c in ("blue", "orange", "green", "vermillion", "purple")
        ]
    ),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.labelsize": "medium",
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "errorbar.capsize": 2.5,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
}


# ------------------------------------------------------------------- methods


def _registry() -> dict[str, MethodStyle]:
    merged: dict[str, MethodStyle] = {}
    for methods in METHODS.values():
        merged.update(methods)
    return merged


def style(method: str) -> MethodStyle:
    """Return the style of a method.

    Raises
    ------
    ValueError
        If the method is unknown, with the nearest names.
    """
    registry = _registry()
    lowered = {name.lower(): name for name in registry}
    key = method.lower()
    name = lowered.get(key) or ALIASES.get(key)
    if name is None:
        near = difflib.get_close_matches(key, [*lowered, *ALIASES], 3)
        near = [lowered.get(n) or ALIASES[n] for n in near]
        raise ValueError(
            f"no style for the method {method!r}"
            + (
                f"; did you mean {' or '.join(dict.fromkeys(near))}?"
                if near
                else ": use one that notebook_lib.figures.METHODS lists"
            )
        )
    return registry[name]


def color(method: str) -> str:
    """Return the colour (hex) of a method."""
    return style(method).color


def marker(method: str) -> str:
    """Return the marker of a method."""
    return style(method).marker


def linestyle(method: str) -> str:
    """Return the line style of a method."""
    return style(method).linestyle


def order(methods) -> list[str]:
    """Sort methods as the registry lists them; unknown ones come last."""
    known = list(_registry())
    names = list(dict.fromkeys(methods))
    resolve = {n: ALIASES.get(n.lower(), n) for n in names}
    return sorted(
        names, key=lambda n: known.index(resolve[n]) if resolve[n] in known else 999
    )


# ------------------------------------------------------------------- drawing


def nominal_line(ax, level: float, *, label: str | None = "nominal", axis: str = "y"):
    """Draw a thin dark line at the nominal level.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    level : float
        The nominal value, e.g. ``1 - alpha``.
    label : str or None
        Legend entry.
    axis : {"y", "x"}
        A horizontal line (value on y) or a vertical one.
    """
    draw = ax.axhline if axis == "y" else ax.axvline
    return draw(level, color="#333333", linewidth=1, linestyle=(0, (4, 3)), label=label)


def errorbar(
    ax,
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    error: str | None = None,
    by: str = "method",
    z: float = 1.96,
    dodge: float = 0.0,
    labels: dict[str, str] | None = None,
    **kwargs,
):
    """Draw a line with error bars for each method of a tidy frame.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    frame : DataFrame
        One row per point; infinite ``y`` are left out.
    x, y, error, by : str
        Columns: abscissa, ordinate, its Monte-Carlo error (or None), method.
    z : float
        Half-length of the bars in Monte-Carlo errors.
    dodge : float
        Horizontal shift between methods, in units of x, so that bars stay
        visible.
    labels : dict, optional
        Legend text by method.
    **kwargs
        Passed to ``Axes.errorbar``.

    Returns
    -------
    list
        The containers, in legend order.
    """
    methods = order(frame[by])
    drawn = []
    for position, method in enumerate(methods):
        part = frame[(frame[by] == method) & np.isfinite(frame[y])].sort_values(x)
        shift = (position - (len(methods) - 1) / 2) * dodge
        look = style(method)
        options = {
            "color": look.color,
            "marker": look.marker,
            "linestyle": look.linestyle,
            "markeredgecolor": look.edge,
        }
        drawn.append(
            ax.errorbar(
                part[x] + shift if dodge else part[x],
                part[y],
                yerr=None if error is None else z * part[error].fillna(0),
                label=(labels or {}).get(method, method),
                **(options | kwargs),
            )
        )
    return drawn


def dots(
    ax,
    frame: pd.DataFrame,
    *,
    value: str,
    error: str | None = None,
    by: str = "method",
    z: float = 1.96,
):
    """Draw one dot with a horizontal error bar for each method, names on y.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    frame : DataFrame
        One row per method (or a few).
    value, error, by : str
        Columns: abscissa, its Monte-Carlo error (or None), method.
    z : float
        Half-length of the bars in Monte-Carlo errors.
    """
    methods = order(frame[by])
    for position, method in enumerate(methods):
        part = frame[frame[by] == method]
        look = style(method)
        ax.errorbar(
            part[value],
            np.full(len(part), position),
            xerr=None if error is None else z * part[error].fillna(0),
            color=look.color,
            marker=look.marker,
            markeredgecolor=look.edge,
            linestyle="none",
        )
    ax.set_yticks(range(len(methods)), methods)
    ax.set_ylim(len(methods) - 0.5, -0.5)


def coverage_panel(ax, frame, *, x, level, y="coverage", error=None, by="method", **kw):
    """Draw coverage against x with the nominal line and sensible limits.

    Parameters
    ----------
    ax, frame, x, y, error, by, **kw
        As in :func:`errorbar`.
    level : float
        Nominal coverage, ``1 - alpha``.

    Returns
    -------
    list
        The containers, in legend order.
    """
    nominal_line(ax, level)
    drawn = errorbar(ax, frame, x=x, y=y, error=error, by=by, **kw)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, level - 0.05), min(max(high, level + 0.05), 1.005))
    ax.set_ylabel("coverage")
    return drawn


def panels(
    n_rows: int, n_cols: int, *, width=3.1, height=2.6, sharex=True, sharey=True
):
    """Make small multiples.

    Parameters
    ----------
    n_rows, n_cols : int
        Shape of the grid of panels.
    width, height : float
        Of one panel, in inches.
    sharex, sharey : bool
        Whether the panels share an axis.

    Returns
    -------
    figure, array of Axes (n_rows, n_cols)
        The array is two-dimensional also for one row or column.
    """
    return plt.subplots(
        n_rows,
        n_cols,
        figsize=(width * n_cols, height * n_rows),
        sharex=sharex,
        sharey=sharey,
        squeeze=False,
    )


def legend_below(fig, axes, *, ncol: int = 4):
    """Put one legend for all panels under the figure, each label once.

    Parameters
    ----------
    fig : Figure
        The figure of the panels.
    axes : array of Axes
        Where the labels are.
    ncol : int
        Columns of the legend.
    """
    entries: dict = {}
    for ax in np.ravel(axes):
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    fig.legend(
        entries.values(), entries, loc="outside lower center", ncol=ncol, frameon=False
    )
