"""Conformal quantiles: exact ranks, weights, and mass at infinity.

One convention serves every chapter. The conformal quantile of ``n`` scores at
miscoverage level ``alpha`` is the ``k``-th smallest score with
``k = ceil((1 - alpha)(n + 1))``, and ``+inf`` when ``k > n``. With weights it is
the smallest score whose cumulative mass reaches ``1 - alpha`` of the total, where
the total includes a mass at infinity; it is ``+inf`` when the finite mass is short.
Nothing is interpolated and nothing is clipped.
"""

from fractions import Fraction
from functools import lru_cache
from numbers import Rational

import numpy as np

from ._validation import check_1d, check_alpha, check_same_length

__all__ = [
    "conformal_quantile",
    "conformal_rank",
    "lower_rank",
    "smallest_calibration_size",
    "weighted_conformal_quantile",
    "weighted_quantile",
]

_BLOCK = 4_000_000  # entries of a (rows, scores) array held at once: 32 MB


def as_fraction(alpha):
    """Read a level as the simple fraction that its author meant.

    ``0.1`` is stored as a binary number that is not one tenth, and ``1 - 0.9`` as
    another one. A level within 1e-15 of a fraction with a denominator up to one
    million is taken to be that fraction; any other is read by its decimal text.

    Parameters
    ----------
    alpha : float or Fraction
        Level.

    Returns
    -------
    Fraction
        The level, exact.
    """
    return Fraction(alpha) if isinstance(alpha, Rational) else _simplest(float(alpha))


@lru_cache(maxsize=1024)
def _simplest(level):
    decimal = Fraction(repr(level))
    simple = decimal.limit_denominator(10**6)
    # A level beside 0 or 1 is neither: their ranks do not exist.
    near = 0 < simple < 1 and abs(simple - decimal) <= Fraction(1, 10**15)
    return simple if near else decimal


def conformal_rank(n, alpha):
    """Rank ``ceil((1 - alpha)(n + 1))`` of the conformal quantile, exactly.

    Parameters
    ----------
    n : int or array_like of int
        Number of calibration scores.
    alpha : float
        Miscoverage level in (0, 1).

    Returns
    -------
    int or ndarray of int
        Rank, counted from 1. A rank of ``n + 1`` means that no finite score is
        large enough.

    Raises
    ------
    ValueError
        If `alpha` is outside (0, 1) or `n` is negative.

    See Also
    --------
    lower_rank : The mirror image; the two add up to ``n + 1``.

    Notes
    -----
    The float expression ``ceil((1 - alpha) * (n + 1))`` is one too large for some
    pairs, such as ``alpha = 0.18, n = 149``. Here the product is a ratio of integers.

    Examples
    --------
    >>> conformal_rank(99, 0.1), conformal_rank(9, 0.1), conformal_rank(8, 0.1)
    (90, 9, 9)
    """
    return _map_sizes(n, lambda size, p, q: -((p - q) * (size + 1) // q), alpha)


def lower_rank(n, alpha):
    """Rank ``floor(alpha (n + 1))`` of the lower conformal quantile, exactly.

    Parameters
    ----------
    n : int or array_like of int
        Number of calibration scores.
    alpha : float
        Miscoverage level in (0, 1).

    Returns
    -------
    int or ndarray of int
        Rank, counted from 1; 0 stands for minus infinity.

    Raises
    ------
    ValueError
        If `alpha` is outside (0, 1) or `n` is negative.

    Examples
    --------
    >>> lower_rank(99, 0.1), lower_rank(8, 0.1)
    (10, 0)
    """
    return _map_sizes(n, lambda size, p, q: p * (size + 1) // q, alpha)


def _map_sizes(n, rank, alpha):
    """Apply ``rank(size, p, q)`` with ``alpha = p / q``, in Python's exact integers."""
    (alpha,) = check_alpha(alpha)
    p, q = as_fraction(alpha).as_integer_ratio()
    if isinstance(n, int) and not isinstance(n, bool) and n >= 0:
        return rank(n, p, q)
    sizes = np.asarray(n)
    if sizes.dtype.kind not in "iu" or (sizes.size and sizes.min() < 0):
        raise ValueError(f"n must be a count (an integer >= 0), got {n!r}")
    if sizes.ndim == 0:
        return rank(int(sizes), p, q)
    values, where = np.unique(sizes, return_inverse=True)
    ranks = np.array([rank(int(v), p, q) for v in values], dtype=np.int64)
    return ranks[where].reshape(sizes.shape)


def smallest_calibration_size(alpha):
    """Fewest calibration scores that give a finite conformal quantile.

    Parameters
    ----------
    alpha : float
        Miscoverage level in (0, 1).

    Returns
    -------
    int
        ``ceil(1 / alpha) - 1``.

    Examples
    --------
    >>> smallest_calibration_size(0.1), smallest_calibration_size(0.05)
    (9, 19)
    """
    (alpha,) = check_alpha(alpha)
    return int(-(-1 / as_fraction(alpha) // 1)) - 1


def conformal_quantile(scores, alpha, *, axis=-1):
    """Conformal quantile of calibration scores.

    Parameters
    ----------
    scores : array_like
        Calibration scores, ``n`` of them along `axis`. ``+inf`` is allowed, NaN is
        not.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    axis : int
        Axis of the scores.

    Returns
    -------
    float or ndarray
        The ``ceil((1 - alpha)(n + 1))``-th smallest score, ``+inf`` if that rank
        exceeds ``n``. The shape is that of `scores` without `axis`, followed by the
        number of levels if `alpha` is a sequence.

    Raises
    ------
    ValueError
        If a level is outside (0, 1) or a score is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> float(conformal_quantile(np.arange(1, 100), 0.1))
    90.0
    >>> float(conformal_quantile(np.arange(1, 9), 0.1))
    inf
    """
    levels = check_alpha(alpha)
    scores = np.asarray(scores, dtype=float)
    if scores.ndim > 1:
        scores = np.moveaxis(scores, axis, -1)
    n = scores.shape[-1]
    lowest = scores.min() if scores.size else 0.0
    if lowest != lowest:  # only NaN differs from itself
        raise ValueError(
            f"scores holds {int(np.isnan(scores).sum())} NaN: drop those rows or "
            "repair the model that made them"
        )
    found = [_order_statistic(scores, conformal_rank(n, level)) for level in levels]
    if np.ndim(alpha) == 0:
        return found[0]
    return np.array(found) if scores.ndim == 1 else np.stack(found, axis=-1)


def _order_statistic(scores, rank):
    """The rank-th smallest score along the last axis, or infinity beyond the last."""
    if rank > scores.shape[-1]:
        return np.full(scores.shape[:-1], np.inf)[()]
    return np.partition(scores, rank - 1, axis=-1)[..., rank - 1]


def weighted_quantile(scores, weights, level, *, mass_at_infinity=0.0, tol=1e-12):
    """Smallest score whose cumulative mass reaches a share of the total.

    Parameters
    ----------
    scores : array_like, shape (n,) or (m, n)
        Atoms. ``+inf`` is allowed, NaN is not.
    weights : array_like, shape (n,) or (m, n)
        Mass of each atom, >= 0; need not add up to one. One row for each of ``m``
        distributions if two-dimensional.
    level : float or array_like, shape (m,)
        Share of the total mass to reach. At or below 0 the answer is ``-inf``.
    mass_at_infinity : float or array_like, shape (m,)
        Mass at ``+inf``, on the scale of `weights`.
    tol : float
        Relative slack for the rounding of cumulative sums: mass that misses the
        level by less than ``tol`` of the total counts as reaching it. Without it a
        sum that equals the level in exact arithmetic is missed half of the time.

    Returns
    -------
    float or ndarray, shape (m,)
        Quantiles, ``+inf`` where the finite mass is short (or there is no mass).

    Raises
    ------
    ValueError
        If a weight is negative or not finite, a score is NaN, or shapes disagree.

    Notes
    -----
    Ties need no care: atoms at equal scores add up. Work is done in blocks of rows,
    so that memory does not grow with ``m``.

    Examples
    --------
    >>> weighted_quantile([1.0, 2.0, 3.0], [1, 1, 1], 0.5)
    2.0
    >>> weighted_quantile([1.0, 2.0, 3.0], [1, 1, 1], 0.9, mass_at_infinity=1)
    inf
    """
    scores, weights = np.asarray(scores, dtype=float), np.asarray(weights, dtype=float)
    _check_atoms(scores, weights)
    level, infinity = np.asarray(level, float), np.asarray(mass_at_infinity, float)
    if not np.isfinite(infinity.sum()) or (infinity < 0).any():
        raise ValueError(
            "mass_at_infinity must be finite and >= 0: give the weight of the test "
            "point, such as 1"
        )
    if np.isnan(level.sum()) or (level > 1 + 1e-9).any():
        raise ValueError(
            "level must be at most 1, a share of the total mass: give one such as 1 - "
            "alpha"
        )
    if scores.ndim == 1 and weights.ndim == 1:
        return _one_distribution(scores, weights, level, infinity, tol)
    return _many_distributions(scores, weights, level, infinity, tol)


def _check_atoms(scores, weights):
    if scores.ndim not in (1, 2) or weights.ndim not in (1, 2):
        raise ValueError(
            f"scores and weights must have one or two dimensions, got {scores.ndim} "
            f"and {weights.ndim}: give one distribution a row"
        )
    if scores.shape[-1] != weights.shape[-1]:
        raise ValueError(
            f"scores has {scores.shape[-1]} atoms and weights {weights.shape[-1]}: "
            "give one weight an atom"
        )
    if np.isnan(scores.sum()) and np.isnan(scores).any():
        raise ValueError(
            f"scores holds {int(np.isnan(scores).sum())} NaN: drop those atoms, or "
            "repair the model that made them"
        )
    if weights.size and not (weights.min() >= 0 and np.isfinite(weights.sum())):
        raise ValueError(
            "weights must be finite and >= 0: replace NaN, infinite and negative ones"
        )


def _one_distribution(scores, weights, level, infinity, tol):
    # The order among equal scores changes nothing, so the fastest sort will do.
    order = np.argsort(scores)
    mass = np.cumsum(weights[order])
    total = (mass[-1] if len(mass) else 0.0) + infinity
    at = _search(mass, (level - tol) * total)
    answer = np.append(scores[order], np.inf)[at]
    if not mass.size or mass[-1] == 0:
        answer = np.where(total > 0, answer, np.inf)
    if (level <= 0).any():
        answer = np.where(level <= 0, -np.inf, answer)
    return float(answer) if answer.ndim == 0 else answer


def _search(mass, wanted):
    """``np.searchsorted(mass, wanted)`` for many values that lie close together."""
    if wanted.ndim == 0 or not wanted.size:
        return np.searchsorted(mass, wanted)
    # One test point moves the level by little, so a short stretch holds them all.
    first, last = np.searchsorted(mass, [wanted.min(), wanted.max()])
    return first + np.searchsorted(mass[first:last], wanted)


def _many_distributions(scores, weights, level, infinity, tol):
    n = scores.shape[-1]
    rows = np.broadcast_shapes(
        scores.shape[:-1], weights.shape[:-1], level.shape, infinity.shape
    )
    level, infinity = np.broadcast_to(level, rows), np.broadcast_to(infinity, rows)
    weights = np.broadcast_to(weights, (*rows, n))
    if scores.ndim == 1:
        # One sort serves all rows.
        order = np.argsort(scores, kind="stable")
        scores, weights = scores[order], _Columns(weights, order)
    else:
        scores = np.broadcast_to(scores, (*rows, n))
    answer = np.empty(rows)
    step = max(1, _BLOCK // max(n, 1))
    for start in range(0, rows[0], step):
        part = slice(start, start + step)
        atoms, masses = scores, weights[part]
        if scores.ndim == 2:
            order = np.argsort(scores[part], axis=1, kind="stable")
            atoms = np.take_along_axis(scores[part], order, axis=1)
            masses = np.take_along_axis(masses, order, axis=1)
        answer[part] = _first_reached(atoms, masses, level[part], infinity[part], tol)
    return np.where(level <= 0, -np.inf, answer)


class _Columns:
    """Columns of a table in another order, taken only for the rows asked for."""

    def __init__(self, table, order):
        self.table, self.order = table, order

    def __getitem__(self, rows):
        return self.table[rows][:, self.order]


def _first_reached(atoms, masses, level, infinity, tol):
    """First sorted atom whose cumulative mass reaches the level, row by row."""
    mass = np.cumsum(masses, axis=1)
    finite = mass[:, -1] if mass.shape[1] else np.zeros(len(mass))
    total = finite + infinity
    at = (mass < ((level - tol) * total)[:, None]).sum(axis=1)
    if atoms.ndim == 1:
        found = np.append(atoms, np.inf)[at]
    else:
        padded = np.column_stack([atoms, np.full(len(atoms), np.inf)])
        found = np.take_along_axis(padded, at[:, None], axis=1)[:, 0]
    return np.where(total > 0, found, np.inf)


def weighted_conformal_quantile(scores, weights, test_weights, alpha, *, tol=1e-12):
    """Weighted conformal quantile of every test point, from one sort.

    Test point ``j`` gets the ``1 - alpha`` quantile of the scores with masses
    proportional to `weights`, and a mass proportional to ``test_weights[j]`` at
    infinity (Tibshirani, Barber, Candès and Ramdas 2019, equation 7).

    Parameters
    ----------
    scores : array_like, shape (n,)
        Calibration scores. ``+inf`` is allowed, NaN is not.
    weights : array_like, shape (n,)
        Likelihood ratio at the calibration points, up to a constant, >= 0.
    test_weights : array_like, shape (m,)
        The same ratio, with the same constant, at the test points.
    alpha : float
        Miscoverage level in (0, 1).
    tol : float
        Relative slack for rounding, as in :func:`weighted_quantile`.

    Returns
    -------
    ndarray, shape (m,)
        Thresholds; ``+inf`` where the finite mass is short.

    Raises
    ------
    ValueError
        If a level, weight or score is out of range, or lengths differ.
    """
    (alpha,) = check_alpha(alpha)
    scores = check_1d(scores, "scores", finite=False)
    weights = check_1d(weights, "weights")
    check_same_length(scores=scores, weights=weights)
    test_weights = check_1d(test_weights, "test_weights")
    return weighted_quantile(
        scores,
        weights,
        float(1 - as_fraction(alpha)),
        mass_at_infinity=test_weights,
        tol=tol,
    )
