"""One-dimensional Gaussian mixtures, one a row, and their level sets."""

import numpy as np
from scipy.special import logsumexp

from .intervals import IntervalUnion

__all__ = ["GaussianMixture1D"]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_GRID = 16  # points between neighbouring means, before refinement
_BISECTIONS = 60  # halvings: the ends are exact to the last bits of a float


class GaussianMixture1D:
    """A Gaussian mixture on the line for each row.

    Parameters
    ----------
    weights : array_like, shape (n, K)
        Mixture weights, rows summing to one.
    means : array_like, shape (n, K)
        Component means, in the units of the outcome.
    sds : float or array_like, shape (K,) or (n, K)
        Component standard deviations, in the units of the outcome.

    Attributes
    ----------
    weights, means, sds : ndarray, shape (n, K)
        The same, broadcast.

    Raises
    ------
    ValueError
        If weights are negative or do not add up to one, a standard deviation is not
        positive, or anything is NaN.
    """

    def __init__(self, weights, means, sds):
        weights = np.asarray(weights, dtype=float)
        means = np.asarray(means, dtype=float)
        if weights.ndim != 2 or weights.shape != means.shape:
            raise ValueError(
                "weights and means must have the same shape (n, K), got "
                f"{weights.shape} and {means.shape}: give one of each for every "
                "component of every row"
            )
        sds = np.broadcast_to(np.asarray(sds, dtype=float), means.shape)
        if not np.isfinite(means).all():
            raise ValueError(
                f"means must be finite, but {int((~np.isfinite(means)).sum())} of "
                f"{means.size} are not: drop or repair those rows"
            )
        if not (np.isfinite(sds).all() and (sds > 0).all()):
            raise ValueError(
                "sds must be positive and finite: floor them (numpy.maximum), and "
                "drop or repair NaN"
            )
        if not (weights >= 0).all() or not np.allclose(weights.sum(1), 1, atol=1e-6):
            raise ValueError(
                "weights must be >= 0 and add up to one in each row: divide each row "
                "by its sum"
            )
        self.weights, self.means, self.sds = weights, means, sds

    def __len__(self):
        return len(self.weights)

    def mean(self):
        """Mean of each row's mixture, shape (n,)."""
        return (self.weights * self.means).sum(axis=1)

    def logpdf(self, y):
        """Log density.

        Parameters
        ----------
        y : array_like, shape (n,) or (n, g)
            Points, one or several for each row.

        Returns
        -------
        ndarray
            Log densities, of the shape of `y`.
        """
        y = np.asarray(y, dtype=float)
        points = y[:, None] if y.ndim == 1 else y
        values = _logpdf(points, slice(None), self)
        return values[:, 0] if y.ndim == 1 else values

    def level_set(self, log_level):
        """Points where the density is at least ``exp(log_level)``.

        Parameters
        ----------
        log_level : float or array_like, shape (n,)
            Log of the density level. ``-inf`` gives the whole line, ``+inf`` the
            empty set.

        Returns
        -------
        IntervalUnion
            Up to K intervals a row.

        Notes
        -----
        Beyond the outermost means the density is monotone, and between neighbouring
        means every local extremum of a grid is refined until it shows on which side
        of the level it lies; the ends are then found by bisection. All rows are
        worked at once: O(n K^2) for K components.
        """
        n = len(self)
        level = np.broadcast_to(np.asarray(log_level, dtype=float), (n,))
        if np.isnan(level).any():
            raise ValueError(
                f"log_level must not be NaN, but {int(np.isnan(level).sum())} of {n} "
                "are: drop those rows or repair their threshold"
            )
        grid = self._grid(level)
        above = _logpdf(grid, slice(None), self) - level[:, None]
        grid, above = self._refine_extrema(grid, above, level)
        crossing = (above[:, 1:] >= 0) != (above[:, :-1] >= 0)
        row, cell = np.nonzero(crossing)
        ends = self._bisect(row, grid[row, cell], grid[row, cell + 1], level)
        whole = np.flatnonzero(np.isneginf(level))
        # Sign changes of one row alternate: up, down, up, down.
        return IntervalUnion(
            np.concatenate([row[0::2], whole]),
            np.concatenate([ends[0::2], np.full(len(whole), -np.inf)]),
            np.concatenate([ends[1::2], np.full(len(whole), np.inf)]),
            n,
        )

    def _grid(self, level):
        """Points that bracket every crossing, sorted along each row."""
        finite = np.where(np.isfinite(level), level, 0.0)[:, None]
        # p(y) <= max_k N(y; m_k, s_k), which is below the level beyond these reaches.
        drop = -(finite + np.log(self.sds) + _LOG_SQRT_2PI)
        reach = self.sds * (np.sqrt(2 * np.maximum(drop, 0)) + 1e-6)
        first = (self.means - reach).min(axis=1, keepdims=True)
        last = (self.means + reach).max(axis=1, keepdims=True)
        means = np.sort(self.means, axis=1)
        share = np.arange(1, _GRID + 1) / (_GRID + 1)
        between = means[:, :-1, None] + np.diff(means, axis=1)[:, :, None] * share
        inner = np.concatenate([means, between.reshape(len(means), -1)], axis=1)
        return np.concatenate([first, np.sort(inner, axis=1), last], axis=1)

    def _refine_extrema(self, grid, above, level):
        """Move grid points onto extrema that reach across the level unseen."""
        left, mid, right = above[:, :-2], above[:, 1:-1], above[:, 2:]
        hump = (mid < 0) & (mid >= left) & (mid >= right)
        dip = (mid >= 0) & (mid <= left) & (mid <= right)
        row, cell = np.nonzero((hump | dip) & np.isfinite(level)[:, None])
        if not len(row):
            return grid, above
        sign = np.where(hump[row, cell], 1.0, -1.0)
        low, high = grid[row, cell], grid[row, cell + 2]
        for _ in range(40):
            third = (high - low) / 3
            a, b = low + third, high - third
            fa = sign * _logpdf(a[:, None], row, self)[:, 0]
            fb = sign * _logpdf(b[:, None], row, self)[:, 0]
            low, high = np.where(fa < fb, a, low), np.where(fa < fb, high, b)
        spot = (low + high) / 2
        value = _logpdf(spot[:, None], row, self)[:, 0] - level[row]
        grid, above = grid.copy(), above.copy()
        crossed = (value >= 0) == (sign > 0)
        row, cell = row[crossed], cell[crossed] + 1
        grid[row, cell], above[row, cell] = spot[crossed], value[crossed]
        return grid, above

    def _bisect(self, row, low, high, level):
        """Crossing of the level inside each bracket."""
        rising = _logpdf(low[:, None], row, self)[:, 0] < level[row]
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            below = _logpdf(middle[:, None], row, self)[:, 0] < level[row]
            go_right = below == rising
            low, high = (
                np.where(go_right, middle, low),
                np.where(go_right, high, middle),
            )
        return (low + high) / 2


def _logpdf(points, row, mixture):
    """Log densities of `points` (r, g) under the mixtures of the given rows."""
    z = (points[:, :, None] - mixture.means[row][:, None, :]) / mixture.sds[row][
        :, None, :
    ]
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights[row]) - np.log(mixture.sds[row])
    terms = log_weights[:, None, :] - 0.5 * z**2 - _LOG_SQRT_2PI
    return logsumexp(terms, axis=2)
