"""Test weights for conditional questions: the worst slab, and a genre (A3.1, A3.2)."""

from typing import NamedTuple

import numpy as np

from .._validation import check_rng
from ._checks import check_mask

__all__ = ["WorstSlab", "genre_test_weights", "worst_slab", "worst_slab_test_weights"]

_FLOOR = 1e-300  # positive, so that logarithms exist


class WorstSlab(NamedTuple):
    """A slab ``low <= v'y <= high`` of feature space where completion is worst.

    Attributes
    ----------
    low, high : float
        Ends.
    mean_residual : float
        Mean of the residuals inside, over the cells it was found on.
    share : float
        Share of those cells inside.
    """

    low: float
    high: float
    mean_residual: float
    share: float


def worst_slab(z, residuals, share, *, n_starts=200):
    """Interval of `z` with at least a share of the points and the largest mean.

    Parameters
    ----------
    z : array_like, shape (N,)
        Projections.
    residuals : array_like, shape (N,)
        Absolute residuals.
    share : float
        Least share of the points, in (0, 1].
    n_starts : int
        Starting points tried; ``N`` tries all of them.

    Returns
    -------
    WorstSlab
        The slab.

    Raises
    ------
    ValueError
        If `share` is outside (0, 1].

    Notes
    -----
    An optimal window shorter than twice the least length exists: a longer one splits
    into two, and one of the halves is no worse. So lengths up to twice the least
    suffice, by prefix sums.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], got {share!r}")
    order = np.argsort(z, kind="stable")
    z = np.asarray(z, float)[order]
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(residuals, float)[order])])
    n = len(z)
    least = max(1, int(np.ceil(share * n)))
    starts = np.arange(n - least + 1)
    if n_starts < len(starts):
        starts = np.unique(np.linspace(0, n - least, n_starts).astype(int))
    best = (-np.inf, 0, least)
    for start in starts:
        stops = np.arange(start + least, min(start + 2 * least, n) + 1)
        means = (sums[stops] - sums[start]) / (stops - start)
        at = int(means.argmax())
        best = max(best, (float(means[at]), int(start), int(stops[at])))
    mean, start, stop = best
    return WorstSlab(float(z[start]), float(z[stop - 1]), mean, (stop - start) / n)


def worst_slab_test_weights(
    M, fitted, missing, row_factors, column_factors, rng, *, delta=0.2, explore=0.25
):
    """Test weights that concentrate where completion is worst (A44 to A46).

    An oracle looks at a share of the missing cells, regresses the absolute error on
    the factors of row and column, and finds the slab of the fitted direction where
    the error is largest.

    Parameters
    ----------
    M, fitted : ndarray, shape (n_rows, n_cols)
        True and completed matrix.
    missing : ndarray of bool, shape (n_rows, n_cols)
        Missing cells.
    row_factors, column_factors : ndarray, shape (n_rows, l), (n_cols, l)
        Features of rows and columns.
    rng : numpy.random.Generator or int
        Source of randomness.
    delta : float
        Least share of the explored cells in the slab.
    explore : float
        Share of the missing cells that the oracle looks at.

    Returns
    -------
    test_weights : ndarray, shape (n_rows, n_cols)
        1 inside the slab, a Gaussian decay outside, 0 on the explored cells: test
        groups never hold them.
    slab : WorstSlab
        The slab.
    explored : ndarray of bool, shape (n_rows, n_cols)
        The cells that the oracle looked at.
    """
    rng, missing = check_rng(rng), check_mask(missing, "missing")
    cells = np.argwhere(missing)
    chosen = cells[rng.permutation(len(cells))[: int(explore * len(cells))]]
    explored = np.zeros_like(missing)
    explored[chosen[:, 0], chosen[:, 1]] = True
    rows, columns = np.nonzero(explored)
    features = np.hstack([row_factors[rows], column_factors[columns]])
    residuals = np.abs(fitted - M)[explored]
    design = np.hstack([np.ones((len(features), 1)), features])
    slope = np.linalg.lstsq(design, residuals, rcond=None)[0][1:]
    rank = row_factors.shape[1]
    z = (row_factors @ slope[:rank])[:, None] + column_factors @ slope[rank:]
    slab = worst_slab(z[explored], residuals, delta)
    outside = np.maximum(slab.low - z, 0) + np.maximum(z - slab.high, 0)
    width = max((slab.high - slab.low) / 5, 1e-12)
    weights = np.maximum(np.exp(-0.5 * np.square(outside / width)), _FLOOR)
    weights[explored] = 0.0
    return weights, slab, explored


def genre_test_weights(flags, n_rows, *, epsilon=0.01):
    """Test weights that ask for the products of one genre (A3.2).

    Parameters
    ----------
    flags : array_like of bool, shape (n_cols,)
        Whether each column belongs to the genre.
    n_rows : int
        Rows of the matrix.
    epsilon : float
        Weight of the other columns.

    Returns
    -------
    ndarray, shape (n_rows, n_cols)
        ``flag + epsilon``.
    """
    return np.tile(np.asarray(flags, dtype=float) + epsilon, (n_rows, 1))
