"""Bins of similar propensity, and what a bin costs.

Outcomes are observed where ``A = 1`` (calibration) and missing where ``A = 0``
(test). Inside a bin in which the odds ``p / (1 - p)`` vary by a factor of at most
``1 + epsilon``, the scores of the two groups have nearly the same law. Source: Lee,
Dobriban and Tchetgen Tchetgen, *Conditional predictive inference for missing
outcomes*, equations (5) and (10), Lemma 1.
"""

from typing import NamedTuple

import numpy as np

from .._validation import check_1d

__all__ = [
    "BinLayout",
    "bin_interval",
    "bin_layout",
    "feature_labels",
    "odds_bins",
    "sharp_slack",
]

_EDGE = 1e-9  # an odds value equal to a power must not fall one bin short


def check_epsilon(epsilon):
    """Return the bin width as a float, refusing what is not a number above 0."""
    if isinstance(epsilon, bool | str) or not np.isscalar(epsilon):
        raise ValueError(
            f"epsilon must be a number above 0, got {epsilon!r}: give one such as "
            "epsilon=0.1"
        )
    if not 0 < epsilon < np.inf:
        raise ValueError(
            f"epsilon must be above 0 and finite, got {epsilon!r}: give one such as "
            "epsilon=0.1, the factor by which the odds may vary inside a bin, minus "
            "one"
        )
    return float(epsilon)


def check_propensity(propensity, name="propensity"):
    """Return propensities strictly inside (0, 1): positivity."""
    propensity = check_1d(propensity, name)
    outside = (propensity <= 0) | (propensity >= 1)
    if outside.any():
        raise ValueError(
            f"{name} must lie strictly between 0 and 1 (positivity), but "
            f"{int(outside.sum())} of {propensity.size} values do not: where the "
            "outcome is never (or always) observed nothing can be learnt; restrict "
            "the population, or clip an estimate"
        )
    return propensity


def odds_bins(propensity, epsilon=0.1):
    """Label of the bin of each propensity: equation (5).

    Bin ``k`` holds the odds in ``[(1 + epsilon)^k, (1 + epsilon)^(k + 1))``.

    Parameters
    ----------
    propensity : array_like, shape (n,)
        Probability that the outcome is observed, strictly inside (0, 1).
    epsilon : float
        Bin width, above 0.

    Returns
    -------
    ndarray of int, shape (n,)
        ``floor(logit(p) / log(1 + epsilon))``; negative below one half.

    Raises
    ------
    ValueError
        If `epsilon` is not above 0, or a propensity is 0, 1 or NaN.

    Notes
    -----
    The floor is taken of the value plus 1e-9: in floating point an odds value that
    equals a power of ``1 + epsilon`` would otherwise land one bin low about half of
    the time, and split a discrete propensity at random. Lemma 1 allows closed bins.

    Examples
    --------
    >>> odds_bins([0.5, 0.52, 0.6], epsilon=0.1)
    array([0, 0, 4])
    """
    epsilon = check_epsilon(epsilon)
    propensity = check_propensity(propensity)
    position = (np.log(propensity) - np.log1p(-propensity)) / np.log1p(epsilon)
    return np.floor(position + _EDGE).astype(np.int64)


def bin_interval(label, epsilon=0.1):
    """Propensities at the two ends of a bin.

    Parameters
    ----------
    label : int or array_like of int
        Labels as from :func:`odds_bins`.
    epsilon : float
        Bin width.

    Returns
    -------
    lower, upper : float or ndarray
        ``z_k`` and ``z_(k+1)`` with ``z_k = (1+eps)^k / (1 + (1+eps)^k)``.
    """
    epsilon = check_epsilon(epsilon)
    step = np.log1p(epsilon)
    label = np.asarray(label, dtype=float)
    return 1 / (1 + np.exp(-label * step)), 1 / (1 + np.exp(-(label + 1) * step))


def sharp_slack(epsilon):
    """Largest total-variation distance inside a bin: the sharp form of Lemma 1.

    Parameters
    ----------
    epsilon : float or array_like
        Bin width, >= 0: the odds vary by a factor of at most ``1 + epsilon``.

    Returns
    -------
    float or ndarray
        ``(sqrt(1+eps) - 1) / (sqrt(1+eps) + 1)``, at most ``epsilon / 4``.

    Notes
    -----
    A likelihood ratio whose largest value is ``r`` times its smallest has total
    variation at most ``(sqrt(r) - 1)/(sqrt(r) + 1)``, attained by two atoms at which
    the ratio is ``r**0.5`` and ``r**-0.5``. The paper states the bound ``epsilon``.

    Examples
    --------
    >>> round(float(sharp_slack(0.1)), 6)
    0.023823
    """
    root = np.sqrt(1 + np.asarray(epsilon, dtype=float))
    return (root - 1) / (root + 1)


def feature_labels(X, X_test):
    """Label the distinct rows of two tables jointly, for discrete features.

    Parameters
    ----------
    X, X_test : array_like, shape (n,) or (n, d), (m,) or (m, d)
        Features of calibration and test rows.

    Returns
    -------
    bins, test_bins : ndarray of int, shape (n,), (m,)
        Equal labels for equal rows.
    """
    X, X_test = np.asarray(X), np.asarray(X_test)
    both = np.concatenate([X, X_test])
    if both.ndim == 1:
        labels = np.unique(both, return_inverse=True)[1]
    else:
        labels = np.unique(both, axis=0, return_inverse=True)[1].ravel()
    return labels[: len(X)], labels[len(X) :]


class BinLayout(NamedTuple):
    """Counts of calibration and test points by bin, and test points by cell.

    Attributes
    ----------
    labels : ndarray of int, shape (M,)
        Labels of the bins that hold any point.
    cal_bin, test_bin : ndarray of int, shape (n_cal,), (m,)
        Position of each point's bin in `labels`.
    cell : ndarray of int, shape (m,)
        Cell of each test point, numbered 0..L-1 without gaps.
    n_cal : ndarray of int, shape (M,)
        Calibration points of each bin (``N_k^1``).
    n_test : ndarray of int, shape (L, M)
        Test points of each cell and bin (``N_k^0`` of the cell).
    """

    labels: np.ndarray
    cal_bin: np.ndarray
    test_bin: np.ndarray
    cell: np.ndarray
    n_cal: np.ndarray
    n_test: np.ndarray


def bin_layout(bins, test_bins, cells=None):
    """Count points by bin and cell.

    Parameters
    ----------
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    cells : array_like of int, shape (m,), optional
        Cell of each test point; by default all are in one. Numbers may have gaps.

    Returns
    -------
    BinLayout
        The counts.

    Raises
    ------
    ValueError
        If labels are not integers, or cells do not cover the test points.
    """
    bins, test_bins = check_labels(bins, "bins"), check_labels(test_bins, "test_bins")
    labels, joint = _number(np.concatenate([bins, test_bins]))
    cal_bin, test_bin = joint[: len(bins)], joint[len(bins) :]
    cell, n_cells = _check_cells(cells, len(test_bins))
    n_bins = len(labels)
    n_test = np.bincount(cell * n_bins + test_bin, minlength=n_cells * n_bins)
    return BinLayout(
        labels,
        cal_bin,
        test_bin,
        cell,
        np.bincount(cal_bin, minlength=n_bins),
        n_test.reshape(n_cells, n_bins),
    )


def _number(labels):
    """Distinct labels in order, and the position of each entry among them."""
    low = int(labels.min()) if labels.size else 0
    span = int(labels.max()) - low if labels.size else 0
    if span > 4 * labels.size + 1000:
        return np.unique(labels, return_inverse=True)
    shifted = labels - low  # counting is faster than sorting
    present = np.bincount(shifted, minlength=1) > 0
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[shifted]


def check_labels(labels, name):
    """Return integer labels as a one-dimensional array."""
    labels = np.asarray(labels)
    if labels.size == 0 and labels.ndim == 1:
        return labels.astype(np.int64)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a one-dimensional array of integer labels, got shape "
            f"{labels.shape} of type {labels.dtype}: use odds_bins or feature_labels"
        )
    return labels


def _check_cells(cells, m):
    if cells is None:
        return np.zeros(m, dtype=np.int64), int(m > 0)
    cells = check_labels(cells, "cells")
    if len(cells) != m:
        raise ValueError(
            f"cells has {len(cells)} entries for {m} test points: give each test "
            "point its cell"
        )
    if m and cells.min() < 0:
        raise ValueError(
            "cells must be numbered from 0: a negative one was given; renumber them"
        )
    values, compact = np.unique(cells, return_inverse=True)
    return compact, len(values)
