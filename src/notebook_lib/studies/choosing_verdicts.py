"""What the comparisons of chapter 6 must show, at any settings or at the usual ones.

Each function takes summaries of :func:`~.choosing.summarise` and raises AssertionError
with the method and its coverage if one does not hold. ``usual`` tells the default
level and sizes: what breaks a promise does so there, and need not elsewhere.
"""

from __future__ import annotations

import pandas as pd

from .choosing import NEEDS_MCAR, falls_short, reaches


def covariates(
    mcar: pd.DataFrame, mar: pd.DataFrame, level: float, *, usual: bool = True
) -> None:
    """Missing covariates, by pure chance and depending on one that is seen.

    Parameters
    ----------
    mcar, mar : DataFrame
        Summaries under the two mechanisms.
    level : float
        Nominal coverage.
    usual : bool
        Whether to hold the failures to what they are at the defaults.

    Raises
    ------
    AssertionError
        If a promise is not kept, or (`usual`) one that is void seems to be.
    """
    for table in (mcar, mar):
        _keep(table, ["CP", "CQR"], level, "coverage")
        _keep(table, ["same mask"], level)
    _keep(mcar, NEEDS_MCAR, level)
    _keep(mar, ["CP-MDA-Nested*"], 2 * level - 1)
    if not usual:
        return
    for table in (mcar, mar):
        _miss(table, ["CP"], level)
        _keep(table, ["CQR"], level)
    _miss(mar, ["CP-MDA-Exact"], level, z=1)
    _miss(mar, ["nexCP (mask weights)", "LCP"], level)
    _miss(mar, ["nexCP (mask weights)", "LCP"], level, "coverage")
    longer = mcar["length"]["CP-MDA-Nested"] / mcar["length"]["CP-MDA-Nested*"]
    _say(1 <= longer < 1.01, f"CP-MDA-Nested is {longer:.3f} times as long as Nested*")


def filled_covariates(mcar: pd.DataFrame, mar: pd.DataFrame, level: float) -> None:
    """Mean imputation without the mask, on its worst pattern of gaps.

    Parameters
    ----------
    mcar, mar : DataFrame
        Summaries under the two mechanisms.
    level : float
        Nominal coverage.

    Raises
    ------
    AssertionError
        If it does as well as CQR with the mask by pure chance, or keeps the level
        where gaps depend on a covariate.
    """
    _miss(mcar, ["CQR (mean, no mask)"], mcar["worst"]["CQR"])
    _miss(mar, ["CQR (mean, no mask)"], level)


def outcomes(table: pd.DataFrame, level: float, *, usual: bool = True) -> None:
    """Missing outcomes: who covers the rows without one, and at what length.

    Parameters
    ----------
    table : DataFrame
    level : float
        Nominal coverage.
    usual : bool
        Whether to hold the failures to what they are at the defaults.

    Raises
    ------
    AssertionError
        If a promise is not kept, or (`usual`) one that is void seems to be.
    """
    weighted = ["weighted CP", "weighted CP (estimated)", "binned wCP"]
    together = ["pro-CP", "pro-CP (estimated)", "pro-CP2"]
    _keep(table, [*weighted, *together], level, "coverage")
    _keep(table, ["binned wCP"], level)
    missed = table["rms missed"]["pro-CP2"]
    _say(missed < 1 - level, f"pro-CP2 misses {missed:.3f} in root mean square")
    if not usual:
        return
    cover, length = table["coverage"], table["length"]
    _miss(table, ["naive"], level, "coverage")
    _miss(table, ["weighted CP"], level)
    _miss(table, ["weighted CP (wrong way)"], cover["naive"], "coverage")
    above = level + 3 * table["error"]["pro-CP"]
    rises = cover["pro-CP2"] > cover["pro-CP"] > above
    _say(rises, "coverage does not rise from the level to pro-CP to pro-CP2")
    cost = abs(cover["weighted CP (estimated)"] - cover["weighted CP"])
    _say(cost < 0.02, f"estimating the propensity moves coverage by {cost:.3f}")
    grows = length["weighted CP"] < length["pro-CP"] < length["pro-CP2"]
    _say(grows, "length does not grow from weighted CP to pro-CP to pro-CP2")


def hidden_class(table: pd.DataFrame, level: float, *, usual: bool = True) -> None:
    """A hidden class: all keep the marginal level, and the rare class pays.

    Parameters
    ----------
    table : DataFrame
    level : float
        Nominal coverage.
    usual : bool
        Whether to hold the failures to what they are at the defaults.

    Raises
    ------
    AssertionError
        If a promise is not kept, or (`usual`) one that is void seems to be.
    """
    _keep(table, table.index, level, "coverage")
    if not usual:
        return
    _miss(table, ["ignore", "EM-soft (regression)"], level)
    shorter = table["length"].is_monotonic_decreasing
    _say(shorter, "length does not fall from ignoring the class to knowing it")


def entries(table: pd.DataFrame, level: float, *, usual: bool = True) -> None:
    """A group of entries: who covers it as a whole.

    Parameters
    ----------
    table : DataFrame
        ``joint`` and ``joint error`` by method.
    level : float
        Nominal coverage.
    usual : bool
        Whether to hold the failures to what they are at the defaults.

    Raises
    ------
    AssertionError
        If a promise is not kept, or (`usual`) one that is void seems to be.
    """
    _keep(table, ["SCMC", "Bonferroni"], level, "joint")
    if usual:
        _miss(table, ["individual"], level - 0.1, "joint")


def _keep(table, methods, level, column="worst"):
    for method in methods:
        found = f"{method}: {column} {table[column][method]:.3f}, wanted {level:.3f}"
        _say(reaches(table, method, level, column=column), found)


def _miss(table, methods, level, column="worst", z=3.0):
    for method in methods:
        found = (
            f"{method}: {column} {table[column][method]:.3f} is not below {level:.3f}"
        )
        _say(falls_short(table, method, level, column=column, z=z), found)


def _say(holds, words):
    if not holds:
        raise AssertionError(words)
