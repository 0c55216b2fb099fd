"""Prediction rules for a group of cells: a score, and the region it inverts to.

Source: Liang et al. (2024), A2.2. Each rule is a family of regions of ``R^K`` that
grows with ``tau``; the score is the smallest ``tau`` whose region holds the truth.
Regions are closed.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["HyperCube", "HyperRectangle", "HyperSphere", "clip_to_range"]


@dataclass(frozen=True)
class HyperCube:
    """``M_hat +- tau`` for every entry; the score is the largest error (A38)."""

    def score(self, values, predictions):
        """Largest absolute error of each group.

        Parameters
        ----------
        values, predictions : array_like, shape (g, K)
            True and predicted entries.

        Returns
        -------
        ndarray, shape (g,)
            Scores.
        """
        return np.abs(np.asarray(values) - predictions).max(axis=-1)

    def bounds(self, predictions, tau):
        """Ends of the region's projection on each entry.

        Parameters
        ----------
        predictions : array_like, shape (m, K)
            Predicted entries.
        tau : array_like, shape (m,)
            Thresholds, ``inf`` allowed.

        Returns
        -------
        lower, upper : ndarray, shape (m, K)
            Ends.
        """
        return _around(predictions, np.ones_like(predictions), tau)


@dataclass(frozen=True)
class HyperRectangle:
    """``M_hat +- |M_hat| tau``; the score is the largest relative error (A39).

    An entry predicted as exactly 0 has score 0 if it is right and ``inf`` if not: no
    finite ``tau`` widens its interval. The region at ``tau = inf`` is everything.
    """

    def score(self, values, predictions):
        """Largest relative error of each group, shape (g,)."""
        error = np.abs(np.asarray(values) - predictions)
        size = np.abs(predictions)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(error == 0, 0.0, error / size)
        return ratio.max(axis=-1)

    def bounds(self, predictions, tau):
        """Ends of the interval of each entry, two arrays (m, K)."""
        return _around(predictions, np.abs(predictions), tau)


@dataclass(frozen=True)
class HyperSphere:
    """Ball of radius ``tau``; the score is the Euclidean error (A40).

    :meth:`bounds` gives the coordinate-wise projection, which is wider than the ball;
    :meth:`score` at most ``tau`` decides membership.
    """

    def score(self, values, predictions):
        """Euclidean error of each group, shape (g,)."""
        return np.linalg.norm(np.asarray(values) - predictions, axis=-1)

    def bounds(self, predictions, tau):
        """Ends of the ball's projection on each entry, two arrays (m, K)."""
        return _around(predictions, np.ones_like(predictions), tau)


def _around(predictions, scale, tau):
    predictions = np.asarray(predictions, dtype=float)
    tau = np.asarray(tau, dtype=float)[:, None]
    # 0 * inf is no number, but the region at an infinite threshold is everything.
    with np.errstate(invalid="ignore"):
        half = np.where(np.isinf(tau), np.inf, scale * tau)
    return predictions - half, predictions + half


def clip_to_range(lower, upper, low, high):
    """Clip both ends of each interval to a known range, such as 1 to 5 stars.

    Parameters
    ----------
    lower, upper : array_like
        Ends.
    low, high : float
        Range of the outcome, ``low < high``.

    Returns
    -------
    lower, upper : ndarray
        Clipped ends; never inverted. Coverage of outcomes in the range does not
        change.
    outside : ndarray of bool
        Intervals that lay wholly outside and have become a point at the edge.

    Raises
    ------
    ValueError
        If ``low >= high``.
    """
    if not low < high:
        raise ValueError(
            f"rating bounds need low < high, got {low!r} and {high!r}: give the lowest "
            "possible entry first"
        )
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    outside = (upper < low) | (lower > high)
    return np.clip(lower, low, high), np.clip(upper, low, high), outside
