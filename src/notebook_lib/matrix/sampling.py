"""Which cells are seen, which group is asked for, and which groups calibrate.

Source: Liang, Xie, Tong and Sesia (2024), models (1) to (3) and Algorithm 2. A group
is an ordered tuple of ``K`` distinct cells of one column, stored as ``(row, column)``
pairs in an integer array of shape (m, K, 2).
"""

from typing import NamedTuple

import numpy as np

from .._validation import check_rng
from ._checks import check_mask, check_size, check_weights

__all__ = [
    "StructuredSplit",
    "default_calibration_size",
    "max_calibration_groups",
    "sample_test_groups",
    "sample_without_replacement",
    "structured_split",
]

_BLOCK = 4_000_000  # race times held at once


def sample_without_replacement(weights, size, rng, *, mask=None):
    """Draw cells one after another, each in proportion to its weight (model 1).

    Parameters
    ----------
    weights : array_like, shape (n_rows, n_cols)
        Sampling weights, >= 0; a weight of 0 is never drawn.
    size : int
        Number of cells to draw.
    rng : numpy.random.Generator or int
        Source of randomness.
    mask : array_like of bool, shape (n_rows, n_cols), optional
        Cells that may be drawn.

    Returns
    -------
    ndarray of bool, shape (n_rows, n_cols)
        True for the drawn cells.

    Raises
    ------
    ValueError
        If weights are negative or not finite, or too few cells can be drawn.

    Notes
    -----
    An exponential race: cell ``x`` rings at ``E_x / w_x`` with ``E_x`` standard
    exponential, and the first `size` cells to ring are the sample. This is exact.
    """
    weights = np.asarray(weights, dtype=float)
    weights = check_weights(weights, "weights", weights.shape)
    if mask is not None:
        weights = np.where(check_mask(mask, "mask", weights.shape), weights, 0.0)
    size = check_size(size, "size", int((weights > 0).sum()))
    times = _race(weights, check_rng(rng)).ravel()
    drawn = np.zeros(weights.size, dtype=bool)
    drawn[np.argpartition(times, size - 1)[:size]] = True
    return drawn.reshape(weights.shape)


def _race(weights, rng):
    times = rng.standard_exponential(weights.shape)
    with np.errstate(divide="ignore"):
        return times / weights


def sample_test_groups(missing, group_size, n_groups, rng, *, test_weights=None):
    """Draw test groups from the missing cells (models 2 and 3, with pruning A36).

    The first cell is drawn in proportion to the test weights over the columns that
    still miss `group_size` cells; the others in proportion to the weights among the
    missing cells of the same column, without replacement. Groups are independent.

    Parameters
    ----------
    missing : array_like of bool, shape (n_rows, n_cols)
        Cells that may be asked for.
    group_size : int
        Cells in a group, ``K``.
    n_groups : int
        Number of groups.
    rng : numpy.random.Generator or int
        Source of randomness.
    test_weights : array_like, shape (n_rows, n_cols), optional
        Test weights, >= 0; ones if not given. Only missing cells with a positive
        weight count towards the `group_size` that a column must hold.

    Returns
    -------
    ndarray of int, shape (n_groups, group_size, 2)
        Cells ``(row, column)`` in the order drawn.

    Raises
    ------
    ValueError
        If no column misses `group_size` cells of positive weight.
    """
    missing = check_mask(missing, "missing")
    group_size = check_size(group_size, "group_size")
    n_groups, rng = check_size(n_groups, "n_groups"), check_rng(rng)
    weights = check_weights(test_weights, "test_weights", missing.shape)
    weights = np.where(missing, weights, 0.0)
    columns = np.flatnonzero((weights > 0).sum(axis=0) >= group_size)
    if not len(columns):
        raise ValueError(
            f"no column has {group_size} missing cells with positive test weight: "
            "lower group_size, or give more missing cells a weight above 0"
        )
    mass = weights[:, columns].sum(axis=0)
    drawn = rng.choice(columns, size=n_groups, p=mass / mass.sum())
    rows = np.empty((n_groups, group_size), dtype=np.int64)
    step = max(1, _BLOCK // len(weights))
    for start in range(0, n_groups, step):
        times = _race(weights[:, drawn[start : start + step]].T, rng)
        rows[start : start + step] = np.argsort(times, axis=1)[:, :group_size]
    return np.stack([rows, np.repeat(drawn[:, None], group_size, axis=1)], axis=-1)


class StructuredSplit(NamedTuple):
    """Outcome of Algorithm 2.

    Attributes
    ----------
    groups : ndarray of int, shape (n, K, 2)
        Calibration groups, in the order drawn.
    train : ndarray of bool, shape (n_rows, n_cols)
        Cells left for training, the pruned ones included.
    pruned : ndarray of bool, shape (n_rows, n_cols)
        Cells pruned so that each column's count is a multiple of ``K``.
    """

    groups: np.ndarray
    train: np.ndarray
    pruned: np.ndarray


def max_calibration_groups(observed, group_size):
    """Largest feasible number of calibration groups, xi_obs.

    Parameters
    ----------
    observed : array_like of bool, shape (n_rows, n_cols)
        Observed cells.
    group_size : int
        Cells in a group, ``K``.

    Returns
    -------
    int
        ``sum_c floor(n_obs^c / K)``.
    """
    observed = check_mask(observed, "observed")
    return int((observed.sum(axis=0) // check_size(group_size, "group_size")).sum())


def default_calibration_size(observed, group_size, largest=1000):
    """Number of calibration groups by the paper's rule ``min(largest, xi_obs // 2)``.

    Parameters
    ----------
    observed : array_like of bool, shape (n_rows, n_cols)
        Observed cells.
    group_size : int
        Cells in a group.
    largest : int
        Cap; the paper uses 1000 and 2000.

    Returns
    -------
    int
        At least 1 if any group is feasible. The rule depends on the data through
        xi_obs only, which a swap of test and calibration group does not change.
    """
    feasible = max_calibration_groups(observed, group_size)
    return min(largest, max(feasible // 2, min(feasible, 1)))


def structured_split(observed, group_size, n_groups, rng):
    """Set calibration groups aside that mimic the test groups (Algorithm 2).

    Each column first gives up ``n_obs^c mod K`` cells to the training set; then
    `n_groups` groups are drawn one after another, a first cell uniformly from what is
    left and its companions uniformly from the same column.

    Parameters
    ----------
    observed : array_like of bool, shape (n_rows, n_cols)
        Observed cells.
    group_size : int
        Cells in a group, ``K``.
    n_groups : int
        Number of calibration groups, at most :func:`max_calibration_groups`.
    rng : numpy.random.Generator or int
        Source of randomness.

    Returns
    -------
    StructuredSplit
        Groups, training cells and pruned cells.

    Raises
    ------
    ValueError
        If `group_size` or `n_groups` is not feasible; the message gives xi_obs.

    Notes
    -----
    Done without a loop: shuffle each column, drop the first ``m^c`` cells, cut the
    rest into blocks of ``K`` and take `n_groups` blocks uniformly. A first cell that is
    uniform on what is left picks a column in proportion to its remaining blocks, so
    the law is that of the loop (Lemma A6). Cost O(n_rows n_cols + n K).
    """
    observed = check_mask(observed, "observed")
    group_size = check_size(group_size, "group_size")
    feasible = max_calibration_groups(observed, group_size)
    if feasible == 0:
        raise ValueError(
            f"no column has group_size={group_size} observed cells (xi_obs = 0): "
            "use smaller groups"
        )
    n_groups = check_size(n_groups, "n_groups")
    if n_groups > feasible:
        raise ValueError(
            f"n_groups={n_groups} calibration groups are not feasible: xi_obs = "
            f"{feasible} at group_size={group_size}; give n_groups of at most "
            f"{feasible}"
        )
    rng = check_rng(rng)
    columns, rows = _shuffled_columns(observed, rng)
    counts = observed.sum(axis=0)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = place >= np.repeat(counts % group_size, counts)
    cells = np.stack([rows[kept], columns[kept]], axis=-1)
    blocks = cells.reshape(feasible, group_size, 2)
    groups = blocks[rng.permutation(feasible)[:n_groups]]
    train = observed.copy()
    train[groups[..., 0], groups[..., 1]] = False
    pruned = np.zeros_like(observed)
    pruned[rows[~kept], columns[~kept]] = True
    return StructuredSplit(groups, train, pruned)


def _shuffled_columns(observed, rng):
    """Observed cells column by column, each column in random order."""
    columns, rows = np.nonzero(observed.T)
    order = np.lexsort((rng.random(len(rows)), columns))
    return columns[order], rows[order]
