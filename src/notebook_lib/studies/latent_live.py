"""Chapter 1's studies at quick scale, and the stored ones beside them.

:func:`live` runs a few replicates in this process, without checkpoints;
:func:`draw` shows them as open markers over the stored lines.
"""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import norm

from .. import figures
from .runner import run_one, to_frame
from .study import Study


def live(study: Study, scenarios, n_replicates: int, seed: int) -> pd.DataFrame:
    """Run some scenarios of a study now and summarise them as the stored ones are.

    Parameters
    ----------
    study : Study
    scenarios : sequence of dict
        Scenarios, with the sizes wanted here.
    n_replicates : int
        At least 2, so that there are Monte-Carlo errors.
    seed : int

    Returns
    -------
    DataFrame
        As ``study.summarise`` makes it: one row for each group and metric.

    Raises
    ------
    RuntimeError
        If a replicate failed.
    """
    small = dataclasses.replace(study, scenarios=list(scenarios), seed=seed)
    tasks = list(product(range(len(small.scenarios)), range(n_replicates)))
    frame = to_frame(small, [(task, run_one(small, *task)) for task in tasks])
    failed = frame["error"][frame["error"] != ""]
    if len(failed):
        raise RuntimeError(f"{study.name}: {failed.iloc[0]}")
    return frame if study.summarise is None else study.summarise(frame)


def sized(scenarios, **sizes) -> list[dict]:
    """The scenarios with other sizes (those that a scenario fixes itself stay)."""
    return [{**sizes, **scenario} for scenario in scenarios]


def select(table: pd.DataFrame, metric: str, **where) -> pd.DataFrame:
    """Rows of one metric; each keyword is a column with its value or list of values."""
    keep = table["metric"] == metric
    for column, wanted in where.items():
        values = [wanted] if pd.api.types.is_scalar(wanted) else list(wanted)
        keep &= table[column].isin(values)
    return table[keep]


def draw(ax, stored, now, metric: str, *, x: str, dodge=0.0, **where) -> None:
    """One metric of every method: stored lines with 95 % bars, live open markers.

    Parameters
    ----------
    ax : Axes
    stored, now : DataFrame
        Summaries; ``now`` may be None.
    metric, x : str
        Ordinate and abscissa.
    dodge : float
        Horizontal shift between methods.
    **where
        As in :func:`select`.
    """
    lines = select(stored, metric, **where)
    figures.errorbar(ax, lines, x=x, y="mean", error="mc_error", dodge=dodge)
    if now is None:
        return
    points = select(now, metric, **where)
    methods = figures.order(lines["method"])
    for position, method in enumerate(methods):
        part = points[points["method"] == method]
        ax.plot(
            part[x] + (position - (len(methods) - 1) / 2) * dodge,
            part["mean"],
            linestyle="none",
            marker="o",
            markersize=8,
            markerfacecolor="none",
            markeredgecolor=figures.color(method),
        )


def coverage_error(n_cal: int, n_test: int, n_replicates: int, alpha) -> np.ndarray:
    """Standard error of a mean coverage over replicates, known beforehand.

    Given its calibration set, a pipeline with continuous scores has coverage
    ``Beta(k, n_cal + 1 - k)``; ``n_test`` rows then observe it with binomial
    noise. With few replicates this beats the error estimated from them.

    Parameters
    ----------
    n_cal, n_test, n_replicates : int
    alpha : float or array-like
        Miscoverage level(s).
    """
    alpha = np.asarray(alpha, dtype=float)
    variance = alpha * (1 - alpha) * (1 / (n_cal + 2) + 1 / n_test)
    return np.sqrt(variance / n_replicates)


def family_z(n_checks: int, level: float = 0.01) -> float:
    """Errors to allow so that ``n_checks`` true statements fail with odds ``level``."""
    return round(float(norm.isf(level / (2 * n_checks))), 2)


def coverage_criterion(
    rows: pd.DataFrame, n_cal: int, n_test: int, level: float = 0.01
) -> dict:
    """What :func:`notebook_lib.claims.check` needs to hold coverage to its bounds.

    Parameters
    ----------
    rows : DataFrame
        Rows of the metric "coverage", as :func:`select` returns them.
    n_cal, n_test : int
        Sizes of the splits.
    level : float
        Family-wise error of the check.

    Returns
    -------
    dict
        ``observed``; ``expected`` and ``tol``, which span ``1 - alpha`` to
        ``1 - alpha + 1 / (n_cal + 1)``; ``mc_error`` known beforehand; and ``z``
        for the family-wise error.
    """
    half = 0.5 / (n_cal + 1)
    error = coverage_error(n_cal, n_test, 1, rows["alpha"])
    return {
        "observed": rows["mean"].to_numpy(),
        "expected": 1 - rows["alpha"].to_numpy() + half,
        "tol": half,
        "mc_error": error / np.sqrt(rows["n"].to_numpy()),
        "z": family_z(2 * len(rows), level),
    }


def wide(
    table: pd.DataFrame, metric: str, **where
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One column a method: the means of a metric, and their Monte-Carlo errors.

    The oracle and the class-blind baseline fit no mixture (``em`` is "-"); they
    are repeated beside every EM variant.

    Parameters
    ----------
    table : DataFrame
        A summary with the columns ``em`` and ``method``.
    metric : str
    **where
        As in :func:`select`.

    Returns
    -------
    mean, mc_error : DataFrame
        Indexed by the columns left to vary.
    """
    rows = select(table, metric, **where)
    variants = [em for em in rows["em"].unique() if em != "-"]
    fixed = {"metric", "mean", "mc_error", "n", "n_failed", "method"}
    fixed |= {c for c, v in where.items() if pd.api.types.is_scalar(v)}
    fixed |= {"em"} if len(variants) == 1 else set()
    index = [c for c in rows if c not in fixed and rows[c].notna().all()]
    alone = rows[rows["em"] == "-"]
    shared = [alone.assign(em=em) for em in variants]
    rows = pd.concat([rows[rows["em"] != "-"], *shared])
    found = rows.set_index([*index, "method"])[["mean", "mc_error"]].unstack("method")
    return found["mean"], found["mc_error"]


def gap_share(lengths: pd.DataFrame) -> pd.DataFrame:
    """Length as a share of the way from the oracle (0) to ignoring the class (1).

    Parameters
    ----------
    lengths : DataFrame
        One column a method, as :func:`wide` returns them. Cells where the two ends
        are closer than one per cent have no share (NaN).
    """
    span = lengths["ignore"] - lengths["oracle"]
    span = span.where(span > 0.01 * lengths["oracle"])
    return lengths.sub(lengths["oracle"], axis=0).div(span, axis=0)
