"""Intervals for individual treatment effects: section 2.4.

The outcome under treatment is missing for the untreated, and the other way round.
An interval for the missing potential outcome, minus the observed one, is an interval
for the effect, covered on exactly the same rows.
"""

import numpy as np

from .._validation import check_1d

__all__ = ["effect_intervals"]


def effect_intervals(intervals, observed, *, treated):
    """Intervals for ``Y(1) - Y(0)`` from those of the missing potential outcome.

    Parameters
    ----------
    intervals : array_like, shape (n, 2) or (n, 2, n_levels)
        Intervals for ``Y(1)`` of untreated rows, or ``Y(0)`` of treated rows.
    observed : array_like, shape (n,)
        The outcome that was seen.
    treated : bool
        Whether the rows were treated.

    Returns
    -------
    ndarray, shape of `intervals`
        Lower and upper ends; infinite ends stay infinite, an inverted (empty) pair
        stays inverted.

    Raises
    ------
    ValueError
        If shapes disagree or an outcome is NaN.
    """
    intervals = np.asarray(intervals, dtype=float)
    if intervals.ndim not in (2, 3) or intervals.shape[1] != 2:
        raise ValueError(
            f"intervals must have shape (n, 2, ...), got {intervals.shape}: give what "
            "predict_interval returns"
        )
    observed = check_1d(observed, "observed")
    if len(observed) != len(intervals):
        raise ValueError(
            f"intervals has {len(intervals)} rows and observed has {len(observed)}: "
            "give one observed outcome a row"
        )
    if not isinstance(treated, bool | np.bool_):
        raise ValueError("treated must be True or False: give one group at a time")
    seen = observed.reshape(-1, *[1] * (intervals.ndim - 1))
    return seen - intervals[:, ::-1] if treated else intervals - seen
