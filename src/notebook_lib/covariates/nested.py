"""The sets of CP-MDA-Nested*, computed exactly from intervals or label scores.

For a test point with mask ``m`` and a kept calibration row ``k``, both are seen under
the mask ``max(M_k, m)``. With ``(lo_k, hi_k)`` the band predicted for the test point
and ``S_k`` the score of row ``k``, the outcome ``y`` beats row ``k`` when it lies in
the closed interval ``[lo_k - S_k, hi_k + S_k]``. Algorithm 1 keeps the outcomes that
lie in at least ``r = floor(alpha (N + 1))`` of these ``N`` intervals.
"""

from fractions import Fraction

import numpy as np

from ..intervals import IntervalUnion
from ..quantiles import as_fraction

__all__ = [
    "closed_rank",
    "covering_segments",
    "covering_union",
    "label_counts",
    "unstarred_bounds",
]

_BLOCK = 2_000_000  # entries of a (rows, intervals) array worked on at once


def closed_rank(n, alpha):
    """Rank ``r = floor(alpha (n + 1))``, exactly, with levels 0 and 1 allowed.

    Parameters
    ----------
    n : int
        Number of kept calibration rows.
    alpha : float or Fraction
        Miscoverage level in [0, 1].

    Returns
    -------
    int
        0 stands for the whole space, ``n + 1`` for the empty set.

    Raises
    ------
    ValueError
        If `alpha` is outside [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], got {alpha!r}")
    level = as_fraction(alpha) if 0 < alpha < 1 else Fraction(int(alpha))
    return int(level * (n + 1) // 1)


def covering_union(lower, upper, r):
    """Points covered by at least `r` of the intervals of each row, as an object.

    Parameters
    ----------
    lower, upper : array_like, shape (n, N)
        Ends of the closed intervals; ``lower > upper`` is an empty one.
    r : int
        Wanted count; 0 gives the whole line.

    Returns
    -------
    IntervalUnion
        The sets, with ``n`` rows.

    Examples
    --------
    >>> union = covering_union([[0.0, 0.0, 2.0, 2.0]], [[1.0, 1.0, 3.0, 3.0]], 2)
    >>> union.lower, union.upper
    (array([0., 2.]), array([1., 3.]))
    """
    lower = np.atleast_2d(np.asarray(lower, dtype=float))
    return IntervalUnion(*covering_segments(lower, upper, r), len(lower))


def covering_segments(lower, upper, r):
    """Points covered by at least `r` of the intervals of each row, as flat arrays.

    Parameters
    ----------
    lower, upper : array_like, shape (n, N)
        Ends of the closed intervals; ``lower > upper`` is an empty one.
    r : int
        Wanted count.

    Returns
    -------
    row : ndarray of int, shape (s,)
        Row of each segment, sorted.
    start, end : ndarray, shape (s,)
        Closed segments, disjoint and sorted within a row. A row with an empty set
        has none; the whole line is one segment with infinite ends.

    Raises
    ------
    ValueError
        If an end is NaN.

    Notes
    -----
    Most rows need no sort. If ``a`` is the r-th smallest lower end and ``b`` the r-th
    largest upper end, no point outside ``[a, b]`` can be covered r times; and all of
    ``[a, b]`` is, if between the smallest upper end and the largest lower end (the
    only place where an interval may be over while another has not begun) the
    intervals that can be missing there are at most ``N - r``. The other rows are
    swept: sort the ends, lower before upper at equal value, and count.
    """
    lower = np.atleast_2d(np.asarray(lower, dtype=float))
    upper = np.atleast_2d(np.asarray(upper, dtype=float))
    n, size = lower.shape
    if np.isnan(lower).any() or np.isnan(upper).any():
        raise ValueError(
            "lower or upper holds NaN: repair the scores or predictions behind it"
        )
    if r <= 0:
        return np.arange(n), np.full(n, -np.inf), np.full(n, np.inf)
    if r > size or n == 0:
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    step = max(1, _BLOCK // size)
    parts = [
        _segments_block(lower[s : s + step], upper[s : s + step], r, s)
        for s in range(0, n, step)
    ]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _segments_block(lower, upper, r, offset):
    empty = lower > upper
    if empty.any():
        lower, upper = np.where(empty, np.inf, lower), np.where(empty, -np.inf, upper)
    size = lower.shape[1]
    held = size - empty.sum(axis=1)
    start = np.partition(lower, r - 1, axis=1)[:, r - 1]
    end = np.partition(upper, size - r, axis=1)[:, size - r]
    first_over = np.where(empty, np.inf, upper).min(axis=1)
    last_begun = np.where(empty, -np.inf, lower).max(axis=1)
    # Between those two, at most this many of the held intervals can be absent.
    late = (lower > first_over[:, None]).sum(axis=1) - empty.sum(axis=1)
    gone = (upper < last_begun[:, None]).sum(axis=1) - empty.sum(axis=1)
    together = last_begun <= first_over
    solid = held - late - gone >= r
    # At the ends themselves: a <= first_over says that nobody is over at a.
    framed = (start <= first_over) & (last_begun <= end)
    simple = (held >= r) & (together | (solid & framed))
    row = np.flatnonzero(simple)
    hard = np.flatnonzero(~simple & (held >= r))
    segments = [row, start[row], end[row]]
    if len(hard):
        swept = _sweep(lower[hard], upper[hard], r)
        segments = [
            np.concatenate(pair)
            for pair in zip(segments, (hard[swept[0]], *swept[1:]), strict=True)
        ]
        order = np.lexsort((segments[1], segments[0]))
        segments = [part[order] for part in segments]
    return segments[0] + offset, segments[1], segments[2]


def _sweep(lower, upper, r):
    """Sort the 2N ends of each row and count; empties come as (+inf, -inf)."""
    n, size = lower.shape
    upper = np.where(lower > upper, np.inf, upper)
    ends = np.concatenate([lower, upper], axis=1)
    order = np.argsort(ends, axis=1, kind="stable")
    opens = order < size
    count = np.cumsum(np.where(opens, 1, -1), axis=1)
    values = np.take_along_axis(ends, order, axis=1)
    # Empty intervals open and close at +inf; a true end at +inf closes there too.
    begins = opens & (count == r) & (values < np.inf)
    closes = ~opens & (count == r - 1)
    row, at = np.nonzero(begins)
    row_end, at_end = np.nonzero(closes)
    before = values[row_end, at_end] < np.inf
    start = values[row, at]
    # A segment that never comes down before +inf ends there.
    end = np.full(len(row), np.inf)
    n_start = np.bincount(row, minlength=n)
    n_end = np.bincount(row_end[before], minlength=n)
    place = np.arange(len(row)) - (np.cumsum(n_start) - n_start)[row]
    closed = place < n_end[row]
    end[closed] = values[row_end[before], at_end[before]]
    return row, start, end


def unstarred_bounds(lower, upper, r):
    """The one interval of CP-MDA-Nested (2023), from two order statistics.

    Parameters
    ----------
    lower, upper : array_like, shape (n, N)
        Ends of the intervals, empty ones included.
    r : int
        Rank ``floor(alpha (N + 1))``; 0 gives the whole line.

    Returns
    -------
    ndarray, shape (n, 2)
        The r-th smallest lower end and the r-th largest upper end. An inverted pair
        is the empty set.
    """
    lower = np.atleast_2d(np.asarray(lower, dtype=float))
    upper = np.atleast_2d(np.asarray(upper, dtype=float))
    n, size = lower.shape
    if r <= 0:
        return np.tile([-np.inf, np.inf], (n, 1))
    if r > size:
        return np.tile([np.inf, -np.inf], (n, 1))
    low = np.partition(lower, r - 1, axis=1)[:, r - 1]
    high = np.partition(upper, size - r, axis=1)[:, size - r]
    return np.column_stack([low, high])


def label_counts(scores, slot, label_scores):
    """For each label, how many kept calibration rows it loses to.

    Parameters
    ----------
    scores : array_like, shape (N,)
        Scores of the kept calibration rows, each under its augmented mask.
    slot : array_like of int, shape (N,)
        Which augmented mask each row has.
    label_scores : array_like, shape (n, D, C)
        Scores of each label for the test rows, under each augmented mask.

    Returns
    -------
    ndarray of int, shape (n, C)
        ``#{k : S_k < t_k(label)}``; the label is kept if it is at most ``K - 1`` with
        ``K = N + 1 - r``. O(n C D log N).
    """
    scores, slot = np.asarray(scores, dtype=float), np.asarray(slot)
    label_scores = np.asarray(label_scores, dtype=float)
    count = np.zeros((label_scores.shape[0], label_scores.shape[2]), dtype=np.int64)
    for s in range(label_scores.shape[1]):
        ordered = np.sort(scores[slot == s])
        count += np.searchsorted(ordered, label_scores[:, s], side="left")
    return count
