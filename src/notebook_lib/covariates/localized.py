"""Distances, kernels and weights of nexCP and LCP (Kong, Liu and Yang 2025).

Both methods work, mask by mask, on the calibration rows that observe at least what
the test row does, hidden down to its mask.
"""

import warnings
from fractions import Fraction

import numpy as np

from .._validation import check_alpha
from ..quantiles import as_fraction, conformal_quantile, weighted_quantile

__all__ = [
    "column_ranges",
    "heom",
    "lcp_radius",
    "median_bandwidth",
    "nexcp_radius",
    "nexcp_weights",
    "rank_weights",
    "slcp_bandwidth",
]

_BLOCK = 4_000_000  # entries of a distance matrix held at once
_MAX_PAIRS_ROWS = 3000  # rows whose pairs give the median distance


def column_ranges(X, *, warn=True):
    """Range of each column over its observed entries, 1 where there is none.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Rows with NaN for missing entries (the training rows).
    warn : bool
        Whether to warn about columns without spread.

    Returns
    -------
    ndarray, shape (d,)
        Positive ranges, in the units of the columns.
    """
    seen = ~np.isnan(X)
    low = np.where(seen, X, np.inf).min(axis=0)
    high = np.where(seen, X, -np.inf).max(axis=0)
    with np.errstate(invalid="ignore"):
        ranges = high - low
    flat = ~(ranges > 0)
    if flat.any() and warn:
        warnings.warn(
            f"columns {np.flatnonzero(flat).tolist()} have no spread: their range is "
            "taken as 1",
            UserWarning,
            stacklevel=3,
        )
    return np.where(flat, 1.0, ranges)


def heom(A, B, ranges, *, nominal=(), squared=False):
    """Heterogeneous Euclidean-overlap distance, with a gap counted as distance 1.

    Parameters
    ----------
    A, B : ndarray, shape (a, d) and (b, d)
        Rows with NaN for missing entries.
    ranges : array_like, shape (d,)
        Range of each numeric column.
    nominal : sequence of int
        Columns compared by equality.
    squared : bool
        Whether to return squared distances.

    Returns
    -------
    ndarray, shape (a, b)
        Distances. That of a row to itself is the root of its number of gaps: this
        is no metric (Wilson and Martinez 1997).
    """
    total = np.zeros((len(A), len(B)))
    for j in range(A.shape[1]):
        a, b = A[:, j, None], B[None, :, j]
        differ = (a != b).astype(float) if j in nominal else (a - b) / ranges[j]
        apart = differ**2
        gap = np.isnan(a) | np.isnan(b)
        total += np.where(gap, 1.0, apart) if gap.any() else apart
    return total if squared else np.sqrt(total)


def median_bandwidth(X, ranges, *, nominal=(), rng=0):
    """Median distance over all pairs of rows, under their own masks.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Rows with NaN for missing entries.
    ranges : array_like, shape (d,)
        Column ranges.
    nominal : sequence of int
        Columns compared by equality.
    rng : int
        Seed for the choice of 3000 rows when there are more.

    Returns
    -------
    float
        The bandwidth.
    """
    if len(X) > _MAX_PAIRS_ROWS:
        X = X[np.random.default_rng(rng).permutation(len(X))[:_MAX_PAIRS_ROWS]]
    if len(X) < 2:
        raise ValueError(
            f"X has {len(X)} rows, and the median distance needs two: add rows, or "
            "give h a number"
        )
    above = np.triu_indices(len(X), 1)
    return float(np.median(heom(X, X, ranges, nominal=nominal)[above]))


def slcp_bandwidth(X, ranges, *, nominal=(), size=300, rng=0):
    """Narrower bandwidth of the SLCP code, on the scale of ``exp(-d^2 / 2 h^2)``.

    That code uses ``exp(-d^2 / b)`` with ``b = median(d^2) / log(size)`` over
    ``size`` training rows; here ``h = sqrt(b / 2)``.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Training rows with NaN for missing entries.
    ranges : array_like, shape (d,)
        Column ranges.
    nominal : sequence of int
        Columns compared by equality.
    size : int
        Rows used.
    rng : int
        Seed for the choice of rows.

    Returns
    -------
    float
        The bandwidth.
    """
    size = min(size, len(X))
    X = X[np.random.default_rng(rng).permutation(len(X))[:size]]
    above = np.triu_indices(size, 1)
    distances = heom(X, X, ranges, nominal=nominal, squared=True)[above]
    return float(np.sqrt(np.median(distances) / np.log(size) / 2))


def rank_weights(distances, same, rho):
    """Weights ``rho^rank``, 1 for the nearest row, and 1 for rows with the same mask.

    Parameters
    ----------
    distances : ndarray, shape (t, n)
        Distances from test to calibration rows; ties go by row order.
    same : ndarray of bool, shape (n,)
        Calibration rows with the test mask: weight 1, though they use up a rank.
    rho : float
        Decay, in (0, 1].

    Returns
    -------
    ndarray, shape (t, n)
        Weights. They depend on the covariates, so they are not fixed, and Theorem 3
        does not hold for them.
    """
    order = np.argsort(distances, axis=1, kind="stable")
    powers = float(rho) ** np.arange(1, distances.shape[1] + 1)
    weights = np.empty(distances.shape)
    np.put_along_axis(weights, order, np.broadcast_to(powers, order.shape), axis=1)
    weights[:, same] = 1.0
    return weights


def nexcp_weights(kind, view, X_cal, M_cal, X_test, *, rho, ranges, nominal=()):
    """Weights of the available cases for the test rows with one mask.

    Parameters
    ----------
    kind : {"rank", "mask", "equal"}
        As published; ``rho`` to the number of features by which masks differ (valid);
        or all one (CP-MDA-Exact with this score).
    view : GroupView
        One test mask with its rows and the available calibration rows.
    X_cal, M_cal : ndarray, shape (n, d)
        Calibration rows and masks.
    X_test : ndarray, shape (n_g, d)
        The test rows of this view.
    rho : float
        Decay, in (0, 1].
    ranges : ndarray, shape (d,)
        Column ranges.
    nominal : sequence of int
        Columns compared by equality.

    Returns
    -------
    ndarray, shape (n_g, N) or (N,)
        Weights.
    """
    apart = (M_cal[view.kept] != view.mask).sum(axis=1)
    if kind == "equal":
        return np.ones(len(view.kept))
    if kind == "mask":
        return float(rho) ** apart
    seen = np.flatnonzero(~view.mask)
    nominal = [at for at, j in enumerate(seen) if j in nominal]
    distances = heom(
        X_test[:, seen],
        X_cal[np.ix_(view.kept, seen)],
        ranges[seen],
        nominal=nominal,
        squared=True,
    )
    return rank_weights(distances, apart == 0, rho)


def nexcp_radius(scores, weights, alpha):
    """Weighted conformal quantile with a mass of 1 at infinity.

    Parameters
    ----------
    scores : ndarray, shape (N,)
        Scores of the available cases.
    weights : ndarray, shape (N,) or (t, N)
        Weights in [0, 1].
    alpha : float
        Miscoverage level in (0, 1).

    Returns
    -------
    float or ndarray, shape (t,)
        Radius; infinite iff the weights add up to less than ``(1 - alpha)/alpha``.

    Raises
    ------
    ValueError
        If a weight is negative, NaN or above 1 (above the test row's own weight the
        guarantee is void).
    """
    (alpha,) = check_alpha(alpha)
    weights = np.asarray(weights, dtype=float)
    if weights.size and not (weights.min() >= 0 and weights.max() <= 1):
        raise ValueError(
            "weights must lie in [0, 1] (the test row weighs 1), got "
            f"{weights.min():g} to {weights.max():g}: rescale them, and replace NaN"
        )
    level = float(1 - as_fraction(alpha))
    return weighted_quantile(scores, weights, level, mass_at_infinity=1.0)


def smallest_sum_of_weights(alpha):
    """Total weight ``(1 - alpha)/alpha`` that makes the radius finite, exactly."""
    level = as_fraction(alpha)
    return Fraction(1 - level, 1) / level


def kernel_weights(squared, h, kernel="gaussian", n_missing=0):
    """Rows of kernel weights, each adding up to one.

    Parameters
    ----------
    squared : ndarray, shape (a, b)
        Squared distances, gaps counted as 1.
    h : float
        Bandwidth; ``inf`` gives equal weights.
    kernel : {"gaussian", "epanechnikov", "box"} or callable
        Kernel of ``d / h``.
    n_missing : int
        Gaps that all pairs share; the Gaussian kernel does not feel them.

    Returns
    -------
    ndarray, shape (a, b)
        Weights. A row without any mass becomes uniform, with one warning.
    """
    if np.isinf(h):
        return np.full(squared.shape, 1.0 / max(squared.shape[1], 1))
    if kernel == "gaussian":
        # In logs, less the row's maximum: exp(-d^2/2h^2) itself underflows to 0/0.
        power = -(squared - n_missing) / (2 * h**2)
        power -= power.max(axis=1, keepdims=True)
        values = np.exp(power)
    else:
        values = np.asarray(_KERNELS.get(kernel, kernel)(np.sqrt(squared) / h), float)
        if not (values >= 0).all():
            raise ValueError(
                "the kernel gave negative or NaN values: return weights >= 0 from it"
            )
        nothing = values.sum(axis=1) == 0
        if nothing.any():
            warnings.warn(
                f"{int(nothing.sum())} of {len(values)} rows have no neighbour within "
                "the kernel's reach: they get equal weights; raise h",
                UserWarning,
                stacklevel=5,
            )
            values[nothing] = 1.0
    return values / values.sum(axis=1, keepdims=True)


_KERNELS = {
    "epanechnikov": lambda u: np.maximum(1 - u**2, 0.0),
    "box": lambda u: (u <= 1).astype(float),
}


def lcp_radius(scores_train, scores_cal, weights_cal, weights_test, alpha):
    """Localised radius: a smoothed conditional quantile plus a conformal correction.

    Parameters
    ----------
    scores_train : ndarray, shape (b,)
        Scores of the available training rows.
    scores_cal : ndarray, shape (N,)
        Scores of the available calibration rows.
    weights_cal : ndarray, shape (N, b)
        Kernel weights of the training rows around each calibration row.
    weights_test : ndarray, shape (t, b)
        Kernel weights of the training rows around each test row.
    alpha : float
        Miscoverage level in (0, 1).

    Returns
    -------
    ndarray, shape (t,)
        Radius; a negative one says that the set is empty.
    """
    (alpha,) = check_alpha(alpha)
    level = float(1 - as_fraction(alpha))
    local = weighted_quantile(scores_train, weights_cal, level)
    correction = conformal_quantile(scores_cal - local, alpha)
    return weighted_quantile(scores_train, weights_test, level) + correction
