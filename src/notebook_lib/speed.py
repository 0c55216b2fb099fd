"""The stored benchmarks (``data/benchmarks``), laid out for the page about speed.

They are measured by ``make bench``; nothing here measures anything, so that the page
is the same whenever it is built.
"""

from __future__ import annotations

import json
import math
import textwrap
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from notebook_lib import _checkout, figures

__all__ = [
    "Benchmarks",
    "exponent_table",
    "load",
    "plot_curves",
    "ratio_table",
    "reading",
    "shortfalls",
]

#: Signs of a printed line that a page shows without scrolling.
_WIDTH = 88

#: Curves whose name is not that of a method with a style of its own.
_STYLES = {
    "split conformal": "CP",
    "binned weighted CP": "binned wCP",
    "pro-CP, one cell": "pro-CP",
    "pro-CP2, one cell": "pro-CP2",
    "pro-CP, cells of ten": "pro-CP, quick partition",
    "pro-CP2, cells of ten": "pro-CP2 (two representatives)",
    "nexCP": "nexCP (mask weights)",  # apart from CP-MDA-Nested*
    "SCMC, set-up": "SCMC",
    "SCMC, regions": "SCMC (w* = 1)",
    "ALS, 5 sweeps": "SCMC (w = 1)",
    "EM, 20 steps": "EM-soft (blueprint)",
}
_TABLES = ("ratios", "curves", "exponents")


class Benchmarks(NamedTuple):
    """The tables of one run of ``make bench``, and its manifest."""

    ratios: pd.DataFrame
    curves: pd.DataFrame
    exponents: pd.DataFrame
    manifest: dict


def load(folder: str | Path | None = None) -> Benchmarks:
    """Read the stored benchmarks.

    Parameters
    ----------
    folder : str or Path, optional
        Where they are; ``data/benchmarks`` of the checkout by default.

    Returns
    -------
    Benchmarks
        Ratios, points of the curves, exponents and the manifest.

    Raises
    ------
    FileNotFoundError
        If there are none: run ``make bench``.
    """
    folder = Path(folder or _checkout.root() / "data" / "benchmarks")
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise FileNotFoundError(f"no benchmarks in {folder.name}: run make bench")
    tables = [
        pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])
        for name in _TABLES
    ]
    return Benchmarks(*tables, json.loads(manifest.read_text(encoding="utf-8")))


def ratio_table(ratios: pd.DataFrame) -> pd.DataFrame:
    """Write rows of measures as words: what, against, measured, goal, verdict.

    Parameters
    ----------
    ratios : DataFrame
        Rows of :attr:`Benchmarks.ratios`.

    Returns
    -------
    DataFrame
        One row a measure; columns that say nothing are left out.
    """
    table = pd.DataFrame(
        {
            "what": ratios["what"],
            "against": ratios["against"].fillna(""),
            "sizes": ratios["sizes"].fillna(""),
            "measured": [_measure(row) for row in ratios.to_dict("records")],
            "goal": [_goal(row) for row in ratios.to_dict("records")],
            "verdict": ratios["verdict"],
        }
    )
    empty = [name for name in ("against", "sizes") if not table[name].any()]
    return table.drop(columns=empty).set_index("what")


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{float(f'{value:.3g}'):.0f}"


def _measure(row: dict) -> str:
    if math.isnan(row["value"]):
        return "-"
    text = f"{_number(row['value'])} {row['unit']}"
    if row["turns"] > 1:
        text += f" ({_number(row['low'])} to {_number(row['high'])})"
    return text


def _goal(row: dict) -> str:
    if math.isnan(row["goal"]):
        return ""
    word = {">=": "at least", "<=": "at most"}[row["relation"]]
    return f"{word} {row['goal']:g}"


def exponent_table(exponents: pd.DataFrame) -> pd.DataFrame:
    """Write fitted exponents beside the theoretical costs.

    Parameters
    ----------
    exponents : DataFrame
        Rows of :attr:`Benchmarks.exponents`.

    Returns
    -------
    DataFrame
        One row a method: what grows, time and memory as ``fitted (error)`` and the
        theoretical cost, and the largest size.
    """
    rows = exponents.to_dict("records")
    return pd.DataFrame(
        {
            "method": exponents["label"],
            "size counts": exponents["grows"],
            "up to": [f"{n:,}".replace(",", " ") for n in exponents["largest"]],
            "time": [f"{r['time']:.2f} ({r['time_error']:.2f})" for r in rows],
            "theory": exponents["time_law"],
            "memory": [f"{r['memory']:.2f} ({r['memory_error']:.2f})" for r in rows],
            "theory ": exponents["memory_law"],
        }
    ).set_index("method")


def reading(exponents: pd.DataFrame, *, near: float = 0.2) -> str:
    """Say which fitted exponents agree with the theory, and which do not.

    Parameters
    ----------
    exponents : DataFrame
        Rows of :attr:`Benchmarks.exponents`.
    near : float
        Largest difference that counts as agreement.

    Returns
    -------
    str
        For time and for memory: how many agree, which lie below and which above, in
        lines that fit a page.
    """
    lines = []
    for what in ("time", "memory"):
        gap = exponents[what] - exponents[f"{what}_theory"]
        agree = int((gap.abs() <= near).sum())
        lines.append(f"{what}: {agree} of {len(gap)} within {near:g} of the theory")
        for word, apart in (("below", gap < -near), ("above", gap > near)):
            rows = exponents[apart]
            names = rows["label"] + rows[what].map(" ({:.2f})".format)
            told = f"  {word}: {'; '.join(names) or 'none'}"
            lines.append(textwrap.fill(told, _WIDTH, subsequent_indent="    "))
    return "\n".join(lines)


def shortfalls(exponents: pd.DataFrame) -> str:
    """Say which curves end early, and why.

    Parameters
    ----------
    exponents : DataFrame
        Rows of :attr:`Benchmarks.exponents`.

    Returns
    -------
    str
        A line for each reason, with the curves.
    """
    cut = exponents.dropna(subset="limit")
    lines = [f"{why}: {'; '.join(rows['label'])}" for why, rows in cut.groupby("limit")]
    return "\n".join(lines) or "no curve does"


def plot_curves(axes, stored: Benchmarks, ids) -> None:
    """Draw time and memory against size, on log scales.

    Parameters
    ----------
    axes : sequence of two Axes
        For CPU seconds and for megabytes.
    stored : Benchmarks
        The tables.
    ids : sequence of str
        Curves to draw.
    """
    label = stored.exponents.set_index("id")["label"]
    for name in ids:
        points = stored.curves[stored.curves["id"] == name]
        style = figures.style(_STYLES.get(label[name], label[name]))
        drawn = {"color": style.color, "marker": style.marker, "markersize": 4}
        drawn |= {"linestyle": style.linestyle, "label": label[name]}
        bars = [points["seconds"] - points["low"], points["high"] - points["seconds"]]
        axes[0].errorbar(points["n"], points["seconds"], yerr=bars, **drawn)
        axes[1].plot(points["n"], points["megabytes"], **drawn)
    for ax, title in zip(axes, ("CPU seconds", "peak memory [MB]"), strict=True):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("size n")
        ax.set_ylabel(title)
