"""Coverage and length with their Monte-Carlo errors, and the laws of coverage."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ._validation import check_1d, check_alpha, check_same_length
from .masks import group_masks, mask_label
from .quantiles import conformal_rank

__all__ = [
    "Estimate",
    "coverage_band",
    "coverage_by_group",
    "coverage_by_mask",
    "coverage_count_law",
    "coverage_estimate",
    "coverage_law",
    "length_summary",
    "mean_estimate",
]


class Estimate(NamedTuple):
    """A Monte-Carlo mean with its standard error.

    Attributes
    ----------
    value : float
        Mean.
    mc_error : float
        Standard error of the mean; NaN from fewer than two values.
    n : int
        Number of independent values.
    """

    value: float
    mc_error: float
    n: int

    def __str__(self):
        return f"{self.value:.3f} ({self.mc_error:.3f})"

    def within(self, low, high, z=3.0):
        """Whether the value lies in [low, high] widened by `z` standard errors."""
        return low - z * self.mc_error <= self.value <= high + z * self.mc_error


def mean_estimate(x):
    """Mean of independent values with its standard error.

    Parameters
    ----------
    x : array_like, shape (n,)
        Independent values, such as one number a replicate.

    Returns
    -------
    Estimate
        Mean, standard error, and number of values.
    """
    x = check_1d(x, "x", finite=False)
    if not len(x):
        return Estimate(np.nan, np.nan, 0)
    with np.errstate(invalid="ignore"):
        error = x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.nan
    return Estimate(float(x.mean()), float(error), len(x))


def coverage_estimate(covered):
    """Share of covered outcomes with its binomial standard error.

    Parameters
    ----------
    covered : array_like of bool, shape (n,)
        Whether each set held its outcome. The error supposes independent rows: for
        many test points that share one calibration set, average within a replicate
        and use :func:`mean_estimate` over the replicates.

    Returns
    -------
    Estimate
        Share, binomial standard error, and number of rows.
    """
    covered = np.asarray(covered)
    if covered.dtype != bool or covered.ndim != 1:
        raise ValueError(
            "covered must be a one-dimensional boolean array, got dtype "
            f"{covered.dtype} and shape {covered.shape}: take one level at a time, "
            "convert 0 and 1 with astype(bool)"
        )
    if not len(covered):
        return Estimate(np.nan, np.nan, 0)
    share = covered.mean()
    error = np.sqrt(share * (1 - share) / len(covered))
    return Estimate(float(share), float(error), len(covered))


def length_summary(lengths):
    """Lengths in three numbers that infinite sets cannot hide behind.

    Parameters
    ----------
    lengths : array_like, shape (n,)
        Lengths, ``inf`` where a set is unbounded.

    Returns
    -------
    dict
        ``mean_finite`` (NaN if there is none), ``median`` and ``share_infinite``.
    """
    lengths = check_1d(lengths, "lengths", finite=False)
    finite = lengths[np.isfinite(lengths)]
    # np.median averages the two middle values, and inf - inf is no number.
    middle = (
        np.sort(lengths)[[(len(lengths) - 1) // 2, len(lengths) // 2]].mean()
        if len(lengths)
        else np.nan
    )
    return {
        "mean_finite": float(finite.mean()) if len(finite) else np.nan,
        "median": float(middle),
        "share_infinite": float(np.isinf(lengths).mean()) if len(lengths) else np.nan,
    }


def coverage_by_group(covered, groups, lengths=None):
    """Coverage, and length if given, within each group of rows.

    Parameters
    ----------
    covered : array_like of bool, shape (n,)
        Whether each set held its outcome.
    groups : array_like, shape (n,)
        Group of each row.
    lengths : array_like, shape (n,), optional
        Lengths, ``inf`` where a set is unbounded.

    Returns
    -------
    DataFrame
        Indexed by group, with ``n``, ``coverage``, ``mc_error`` (binomial) and, with
        lengths, ``mean_finite``, ``median`` and ``share_infinite``.
    """
    covered, groups = np.asarray(covered), np.asarray(groups)
    given = {"covered": covered, "groups": groups}
    if lengths is not None:
        lengths = given["lengths"] = check_1d(lengths, "lengths", finite=False)
    check_same_length(**given)
    rows = []
    values, where = np.unique(groups, return_inverse=True)
    for index in range(len(values)):
        inside = where == index
        estimate = coverage_estimate(covered[inside])
        row = {
            "n": estimate.n,
            "coverage": estimate.value,
            "mc_error": estimate.mc_error,
        }
        if lengths is not None:
            row |= length_summary(lengths[inside])
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(values, name="group"))


def coverage_by_mask(covered, mask, lengths=None):
    """Coverage, and length if given, for each pattern of missing entries.

    Parameters
    ----------
    covered : array_like of bool, shape (n,)
        Whether each set held its outcome.
    mask : array_like of bool, shape (n, d)
        True where an entry is missing.
    lengths : array_like, shape (n,), optional
        Lengths, ``inf`` where a set is unbounded.

    Returns
    -------
    DataFrame
        As :func:`coverage_by_group`, indexed by pattern such as ``"010"``, with the
        column ``n_missing``; sorted by it.
    """
    groups = group_masks(mask)
    labels = np.array([mask_label(pattern) for pattern in groups.patterns])
    frame = coverage_by_group(covered, labels[groups.labels], lengths)
    frame.index.name = "mask"
    frame.insert(0, "n_missing", [label.count("1") for label in frame.index])
    return frame.sort_values("n_missing", kind="stable")


def coverage_law(n_cal, alpha):
    """Law of the coverage of split conformal sets, given the calibration set.

    For continuous scores the coverage of a set calibrated on ``n_cal`` rows is
    ``Beta(k, n_cal + 1 - k)`` with ``k`` the conformal rank (Vovk 2012).

    Parameters
    ----------
    n_cal : int
        Calibration size, large enough for a finite set.
    alpha : float
        Miscoverage level in (0, 1).

    Returns
    -------
    scipy.stats frozen distribution
        The Beta law.

    Raises
    ------
    ValueError
        If the set is infinite at this size.
    """
    rank = _finite_rank(n_cal, alpha)
    return stats.beta(rank, n_cal + 1 - rank)


def coverage_count_law(n_cal, alpha, n_test):
    """Law of the number of covered test points out of `n_test`.

    Parameters
    ----------
    n_cal : int
        Calibration size, large enough for a finite set.
    alpha : float
        Miscoverage level in (0, 1).
    n_test : int
        Number of test points that share the calibration set.

    Returns
    -------
    scipy.stats frozen distribution
        The Beta-binomial law.

    Raises
    ------
    ValueError
        If the set is infinite at this size.
    """
    rank = _finite_rank(n_cal, alpha)
    return stats.betabinom(n_test, rank, n_cal + 1 - rank)


def _finite_rank(n_cal, alpha):
    (alpha,) = check_alpha(alpha)
    rank = conformal_rank(n_cal, alpha)
    if rank > n_cal:
        raise ValueError(
            f"n_cal={n_cal} is too small for alpha={alpha}: the set is the whole line; "
            "take at least 1 / alpha - 1 calibration rows, or raise alpha"
        )
    return rank


def coverage_band(n_cal, alpha, *, n_test=None, level=0.95):
    """Central band that the coverage falls into with probability `level`.

    Parameters
    ----------
    n_cal : int
        Calibration size.
    alpha : float
        Miscoverage level in (0, 1).
    n_test : int, optional
        If given, the band is that of the share of `n_test` test points.
    level : float
        Probability of the band.

    Returns
    -------
    tuple of float
        Lower and upper coverage.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    if n_test is None:
        low, high = coverage_law(n_cal, alpha).ppf(tails)
    else:
        low, high = coverage_count_law(n_cal, alpha, n_test).ppf(tails) / n_test
    return float(low), float(high)
