"""Prediction sets on the line: intervals, and unions of intervals.

An interval is a pair ``(lower, upper)`` of closed ends; ``(-inf, inf)`` is the whole
line and a pair with ``lower > upper`` is the empty set. The functions take an array of
shape ``(n, 2)`` or ``(n, 2, n_levels)``, or an :class:`IntervalUnion`.
"""

import numpy as np

from ._validation import check_same_length

__all__ = [
    "IntervalUnion",
    "contains",
    "is_empty",
    "is_infinite",
    "length",
    "share_infinite",
]


class IntervalUnion:
    """For each row a union of disjoint closed intervals, in one flat layout.

    Parameters
    ----------
    row : array_like of int, shape (s,)
        Row that each segment belongs to.
    lower, upper : array_like, shape (s,)
        Ends of the segments, ``lower <= upper``; infinite ends are allowed.
    n_rows : int
        Number of rows. A row without a segment holds the empty set.

    Attributes
    ----------
    row, lower, upper : ndarray, shape (s,)
        The segments, sorted by row and then by lower end.
    n_rows : int
        Number of rows.

    Raises
    ------
    ValueError
        If ends are NaN or inverted, rows are out of range, or segments of one row
        overlap.

    Examples
    --------
    >>> union = IntervalUnion([0, 0, 2], [0.0, 2.0, -1.0], [1.0, 3.0, 1.0], 3)
    >>> union.length()
    array([2., 0., 2.])
    >>> union.contains([2.5, 0.0, 1.0])
    array([ True, False,  True])
    """

    def __init__(self, row, lower, upper, n_rows):
        row = np.asarray(row, dtype=np.int64).ravel()
        lower = np.asarray(lower, dtype=float).ravel()
        upper = np.asarray(upper, dtype=float).ravel()
        check_same_length(row=row, lower=lower, upper=upper)
        if row.size and (row.min() < 0 or row.max() >= n_rows):
            raise ValueError(
                f"row must lie in 0..{n_rows - 1}, got {row.min()} to {row.max()}: "
                "count rows from 0, or raise n_rows"
            )
        if not (lower <= upper).all():
            raise ValueError(
                "lower must not exceed upper, and neither may be NaN: leave such "
                "segments out (a row without any is the empty set)"
            )
        order = np.lexsort((lower, row))
        self.row, self.lower, self.upper = row[order], lower[order], upper[order]
        self.n_rows = int(n_rows)
        touching = (self.row[1:] == self.row[:-1]) & (self.lower[1:] <= self.upper[:-1])
        if touching.any():
            raise ValueError("segments of one row overlap: merge them first")

    def __len__(self):
        return self.n_rows

    def __repr__(self):
        return f"IntervalUnion({self.n_rows} rows, {len(self.row)} segments)"

    @classmethod
    def from_bounds(cls, lower, upper):
        """One interval a row; ``lower > upper`` gives the empty set.

        Parameters
        ----------
        lower, upper : array_like, shape (n,)
            Ends.

        Returns
        -------
        IntervalUnion
            With ``n`` rows.
        """
        lower, upper = np.asarray(lower, float), np.asarray(upper, float)
        row = np.flatnonzero(lower <= upper)
        return cls(row, lower[row], upper[row], len(lower))

    def n_segments(self):
        """Number of intervals in each row, shape (n_rows,)."""
        return np.bincount(self.row, minlength=self.n_rows)

    def length(self):
        """Total length of each row's set, shape (n_rows,)."""
        return np.bincount(
            self.row, weights=self.upper - self.lower, minlength=self.n_rows
        )

    def is_empty(self):
        """Whether each row's set is empty, shape (n_rows,)."""
        return self.n_segments() == 0

    def is_infinite(self):
        """Whether each row's set has infinite length, shape (n_rows,)."""
        return np.isinf(self.length())

    def contains(self, y):
        """Whether each row's set holds its outcome.

        Parameters
        ----------
        y : array_like, shape (n_rows,)
            Outcomes, one a row.

        Returns
        -------
        ndarray of bool, shape (n_rows,)
            Membership; the ends belong to the set.
        """
        y = np.asarray(y, dtype=float)
        if y.shape != (self.n_rows,):
            raise ValueError(
                f"y must have shape ({self.n_rows},), got {y.shape}: give one outcome "
                "a row"
            )
        inside = (self.lower <= y[self.row]) & (y[self.row] <= self.upper)
        return np.bincount(self.row, weights=inside, minlength=self.n_rows) > 0

    def hull(self):
        """Smallest interval around each row's set.

        Returns
        -------
        ndarray, shape (n_rows, 2)
            Ends; ``(inf, -inf)`` for an empty set.
        """
        ends = np.column_stack(
            [np.full(self.n_rows, np.inf), np.full(self.n_rows, -np.inf)]
        )
        np.minimum.at(ends[:, 0], self.row, self.lower)
        np.maximum.at(ends[:, 1], self.row, self.upper)
        return ends


def _ends(intervals):
    intervals = np.asarray(intervals, dtype=float)
    if intervals.ndim not in (2, 3) or intervals.shape[1] != 2:
        raise ValueError(
            "intervals must have shape (n, 2) or (n, 2, n_levels), got "
            f"{intervals.shape}: use numpy.stack([lower, upper], axis=1)"
        )
    return intervals[:, 0], intervals[:, 1]


def length(intervals):
    """Length of each set.

    Parameters
    ----------
    intervals : array_like, shape (n, 2) or (n, 2, n_levels), or IntervalUnion
        Prediction sets.

    Returns
    -------
    ndarray, shape (n,) or (n, n_levels)
        Lengths: 0 for an empty set, ``inf`` for an unbounded one.
    """
    if isinstance(intervals, IntervalUnion):
        return intervals.length()
    lower, upper = _ends(intervals)
    with np.errstate(invalid="ignore"):
        return np.where(lower <= upper, upper - lower, 0.0)


def contains(intervals, y):
    """Whether each set holds its outcome.

    Parameters
    ----------
    intervals : array_like, shape (n, 2) or (n, 2, n_levels), or IntervalUnion
        Prediction sets.
    y : array_like, shape (n,)
        Outcomes.

    Returns
    -------
    ndarray of bool, shape (n,) or (n, n_levels)
        Membership; the ends belong to the set.
    """
    if isinstance(intervals, IntervalUnion):
        return intervals.contains(y)
    lower, upper = _ends(intervals)
    y = np.asarray(y, dtype=float)
    if y.shape != lower.shape[:1]:
        raise ValueError(
            f"y must have shape {lower.shape[:1]}, got {y.shape}: give one outcome a "
            "row"
        )
    y = y.reshape(y.shape + (1,) * (lower.ndim - 1))
    return (lower <= y) & (y <= upper)


def is_infinite(intervals):
    """Whether each set has infinite length.

    Parameters
    ----------
    intervals : array_like, shape (n, 2) or (n, 2, n_levels), or IntervalUnion
        Prediction sets.

    Returns
    -------
    ndarray of bool, shape (n,) or (n, n_levels)
        True where a set is unbounded.
    """
    return np.isinf(length(intervals))


def is_empty(intervals):
    """Whether each set is empty.

    Parameters
    ----------
    intervals : array_like, shape (n, 2) or (n, 2, n_levels), or IntervalUnion
        Prediction sets.

    Returns
    -------
    ndarray of bool, shape (n,) or (n, n_levels)
        True where a set holds no point.
    """
    if isinstance(intervals, IntervalUnion):
        return intervals.is_empty()
    lower, upper = _ends(intervals)
    return ~(lower <= upper)


def share_infinite(intervals):
    """Share of sets with infinite length.

    Parameters
    ----------
    intervals : array_like, shape (n, 2) or (n, 2, n_levels), or IntervalUnion
        Prediction sets.

    Returns
    -------
    float or ndarray, shape (n_levels,)
        Mean of :func:`is_infinite` over the rows.
    """
    share = is_infinite(intervals).mean(axis=0)
    return float(share) if np.ndim(share) == 0 else share
