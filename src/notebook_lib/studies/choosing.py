"""The running comparison of chapter 6: replicates, summaries and figures.

The trials are in :mod:`notebook_lib.studies.choosing_trials`: one law of rows, in
which covariates, outcomes, a class, or (in a ratings matrix) entries are missing.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from .. import figures
from ..exceptions import InfiniteSetWarning
from ..guide import advice
from ..matrix import SmallSampleWarning
from ..metrics import length_summary
from ..params import Rule
from .choosing_trials import (
    trial_class,
    trial_covariates,
    trial_entries,
    trial_outcomes,
)

__all__ = [
    "falls_short",
    "look",
    "one_table",
    "optional_file",
    "plot_comparison",
    "promise",
    "reaches",
    "run_trials",
    "summarise",
    "words",
]

#: Which entry of the guide each method of the comparison belongs to.
GUIDE_KEYS = {
    "CP": "impute-cqr",
    "CQR": "impute-cqr",
    "CQR (mean, no mask)": "impute-cqr",
    "same mask": "same-mask",
    "CP-MDA-Exact": "cp-mda-exact",
    "CP-MDA-Nested": "nested-star",
    "CP-MDA-Nested*": "nested-star",
    "nexCP (mask weights)": "cp-mda-exact",
    "LCP": "cp-mda-exact",
    "weighted CP": "weighted-cp",
    "weighted CP (estimated)": "weighted-cp",
    "pro-CP": "pro-cp",
    "pro-CP (estimated)": "pro-cp",
    "pro-CP2": "pro-cp2",
    "ignore": "latent-class",
    "EM-hard": "latent-class",
    "EM-soft (regression)": "latent-class",
    "SCMC": "scmc",
    "Bonferroni": "scmc",
}
_OWN_PROMISES = {
    "complete cases": "on complete rows, 1 − α; no answer elsewhere",
    "naive": "none, unless gaps are pure chance",
    "weighted CP (wrong way)": "none",
    "binned wCP": "for each propensity bin, 1 − α",
    "oracle": "for each class, 1 − α",
    "individual": "for each entry, 1 − α; none for groups",
}
#: Methods whose promise rests on gaps that do not depend on the data.
NEEDS_MCAR = (
    "CP-MDA-Exact",
    "CP-MDA-Nested",
    "CP-MDA-Nested*",
    "nexCP (mask weights)",
    "LCP",
)


def promise(method: str, mechanism: str | None = None) -> str:
    """Guarantee of a method of the comparison, in words.

    Parameters
    ----------
    method : str
        Name in the comparison.
    mechanism : str, optional
        Mechanism of gaps in covariates. Under any but MCAR the promise of some
        methods is void.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the comparison has no such method.
    """
    if method in _OWN_PROMISES:
        return _OWN_PROMISES[method]
    if method not in GUIDE_KEYS:
        known = ", ".join([*GUIDE_KEYS, *_OWN_PROMISES])
        raise ValueError(
            f"method {method!r} is not in the comparison: choose one of {known}"
        )
    if method in NEEDS_MCAR and mechanism not in (None, "MCAR"):
        nested = GUIDE_KEYS[method] == "nested-star"
        return "marginal, 1 − 2α" if nested else "none: needs MCAR"
    return advice(GUIDE_KEYS[method]).guarantee


_TRIALS = {
    "covariates": trial_covariates,
    "outcomes": trial_outcomes,
    "class": trial_class,
    "entries": trial_entries,
}


def run_trials(gap, replicates, *, seed, **settings) -> pd.DataFrame:
    """Run replicates of one gap, each with a seed of its own.

    Parameters
    ----------
    gap : {"covariates", "outcomes", "class", "entries"}
        What is missing.
    replicates : int or sequence of int
        How many, or which: the rows of a replicate do not depend on the others.
    seed : int
        Seed of all replicates.
    **settings
        Of the trial of that gap, in :mod:`notebook_lib.studies.choosing_trials`.

    Returns
    -------
    DataFrame
        Tidy rows with ``gap``, ``method``, ``group``, ``replicate``.

    Raises
    ------
    ValueError
        If there is no such gap.
    """
    if gap not in _TRIALS:
        raise ValueError(f"gap must be one of {', '.join(_TRIALS)}; got {gap!r}")
    numbers = range(replicates) if isinstance(replicates, int) else replicates
    kind = list(_TRIALS).index(gap)
    frames = []
    for number in numbers:
        rng = np.random.default_rng([seed, kind, number])
        with warnings.catch_warnings():
            # Infinite sets are what the table counts.
            warnings.simplefilter("ignore", InfiniteSetWarning)
            warnings.simplefilter("ignore", SmallSampleWarning)
            rows = _TRIALS[gap](rng, **settings)
        frames.append(pd.DataFrame(rows).assign(replicate=number))
    out = pd.concat(frames, ignore_index=True)
    out.insert(0, "gap", gap)
    return out


def _ratio_estimate(part) -> tuple[float, float]:
    """Coverage of pooled rows, with its error over replicates."""
    rows, covered = part["rows"].to_numpy(float), part["coverage"].to_numpy()
    mean = float(np.average(covered, weights=rows))
    if len(rows) < 2:
        return mean, np.nan
    spread = rows * (covered - mean) / rows.mean()
    return mean, float(spread.std(ddof=1) / np.sqrt(len(rows)))


def summarise(frame, *, baseline) -> pd.DataFrame:
    """One line for each method: coverage, length, infinite sets, cost.

    Parameters
    ----------
    frame : DataFrame
        Result of :func:`run_trials`.
    baseline : str
        Method whose number of predictions counts as 1.

    Returns
    -------
    DataFrame
        Indexed by method: ``coverage``, ``error``, ``worst group``, ``worst``,
        ``worst error`` (coverage of the group where it is lowest), ``length`` (median
        over replicates of the median length), ``infinite`` (share), ``rms missed``
        (root mean square over replicates of the share that was missed), ``fits`` and
        ``predictions`` (mean, as a multiple of the baseline's).
    """
    whole = frame[frame["group"] == "all"]
    base = whole.loc[whole["method"] == baseline, "predictions"].mean()
    lines = []
    for method, part in whole.groupby("method", sort=False):
        groups = frame[(frame["method"] == method) & (frame["group"] != "all")]
        found = {g: _ratio_estimate(own) for g, own in groups.groupby("group")}
        worst = min(found, key=lambda g: found[g][0])
        coverage, error = _ratio_estimate(part)
        lines.append(
            {
                "method": method,
                "coverage": coverage,
                "error": error,
                "worst group": worst,
                "worst": found[worst][0],
                "worst error": found[worst][1],
                "length": length_summary(part["length"].to_numpy())["median"],
                "infinite": part["infinite"].mean(),
                "rms missed": np.sqrt(((1 - part["coverage"]) ** 2).mean()),
                "fits": part["fits"].iloc[0],
                "predictions": part["predictions"].mean() / base,
            }
        )
    return pd.DataFrame(lines).set_index("method")


def _upper_end(table, method, column, z):
    errors = {"coverage": "error", "worst": "worst error", "joint": "joint error"}
    row = table.loc[method]
    return float(row[column] + z * row[errors[column]])


def reaches(table, method, level, *, column="worst", z=4.5) -> bool:
    """Whether a coverage is at least a level, within its Monte-Carlo error.

    Parameters
    ----------
    table : DataFrame
        Result of :func:`summarise`, with one row for `method`.
    method : str
        Row.
    level : float
        Coverage to reach.
    column : {"worst", "coverage", "joint"}
        Which coverage.
    z : float
        Allowance in Monte-Carlo errors; the smallest of several means is biased
        downwards by one or two.

    Returns
    -------
    bool
    """
    return _upper_end(table, method, column, z) >= level


def falls_short(table, method, level, *, column="worst", z=3.0) -> bool:
    """Whether a coverage is below a level by more than `z` Monte-Carlo errors.

    Parameters
    ----------
    table, method, level, column, z
        As in :func:`reaches`.

    Returns
    -------
    bool
    """
    return _upper_end(table, method, column, z) < level


def one_table(summaries: dict) -> pd.DataFrame:
    """Stack summaries of several gaps into one tidy frame, with the guarantees.

    Parameters
    ----------
    summaries : dict of str to DataFrame
        Results of :func:`summarise` by gap, such as ``"covariates, MAR"``.

    Returns
    -------
    DataFrame
        Indexed by gap and method, with the columns of :func:`summarise` and
        ``guarantee``.
    """
    parts = {}
    for gap, table in summaries.items():
        mechanism = gap.split(", ")[-1] if gap.startswith("covariates") else None
        promises = [promise(method, mechanism) for method in table.index]
        parts[gap] = table.assign(guarantee=promises)
    return pd.concat(parts, names=["gap", "method"])


# ------------------------------------------------------------------------- figures


#: Variants drawn as a known method with an open marker.
_VARIANTS = {
    "CQR (mean, no mask)": "CQR",
    "weighted CP (wrong way)": "weighted CP",
    "weighted CP (estimated)": "weighted CP",
    "pro-CP (estimated)": "pro-CP",
}
_OWN = {"complete cases": figures.MethodStyle("#5A5A5A", "d", ":")}


def look(method: str):
    """Style of a method in the figures of chapter 6, a MethodStyle."""
    return _OWN.get(method) or figures.style(_VARIANTS.get(method, method))


def plot_comparison(ax, table, level):
    """Draw coverage of all rows (filled) and of the worst group (open).

    Parameters
    ----------
    ax : Axes
        Where to draw.
    table : DataFrame
        Result of :func:`summarise`.
    level : float
        Nominal coverage.
    """
    figures.nominal_line(ax, level, axis="x")
    for at, (method, row) in enumerate(table.iterrows()):
        style = look(method)
        common = {"color": style.color, "linestyle": "none"}
        ax.plot([row["worst"], row["coverage"]], [at, at], color="#BBBBBB", zorder=1)
        ax.errorbar(
            row["coverage"],
            at,
            xerr=1.96 * row["error"],
            marker="o",
            markeredgecolor=style.edge,
            **common,
        )
        ax.errorbar(
            row["worst"],
            at,
            xerr=1.96 * row["worst error"],
            marker="o",
            markerfacecolor="white",
            markeredgecolor=style.edge,
            **common,
        )
        tail = "∞" if np.isinf(row["length"]) else f"{row['length']:.1f}"
        if row["infinite"] > 0:
            share = f"{100 * row['infinite']:.0f}" if row["infinite"] >= 0.005 else "<1"
            tail += f" ({share} % ∞)"
        ax.annotate(tail, (1.01, at), xycoords=("axes fraction", "data"), va="center")
    ax.set_yticks(range(len(table)), table.index)
    ax.set_ylim(len(table) - 0.5, -0.7)
    ax.annotate("length", (1.01, -0.7), xycoords=("axes fraction", "data"))
    ax.set_xlabel("coverage: ● all rows   ○ worst group")


# ---------------------------------------------------------- parameters of a reader


def _existing(value):
    if not isinstance(value, str):
        raise ValueError("give a text")
    if value and not Path(value).is_file():
        raise ValueError("there is no such file: check the path, or give an empty text")
    return value


def _text(value):
    if not isinstance(value, str):
        raise ValueError("give a text")
    return value


#: The reader's table: nothing (the bundled example) or a file that exists.
optional_file = Rule("'' (the bundled example) or the path of a CSV file", _existing)
#: Any text, also none.
words = Rule("a text", _text)
