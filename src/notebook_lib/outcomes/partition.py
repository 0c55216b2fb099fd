"""Partitions of the test points that keep the mass at infinity low: appendix C.

A partition is described by a table ``u`` of shape (L, M): test points of each bin in
each cell, with ``o`` (M,) the calibration points of the bins. The mass at infinity of
a cell is ``F(u) = sum_k u_k^2 / (u_k + o_k) / sum_k u_k``. Problem (26) minimises the
largest F over cells; problem (25) the number of test points in cells with ``F >
alpha``. Source: Lee, Dobriban and Tchetgen Tchetgen; bounds and searches are ours.
"""

import numpy as np

from .._validation import check_1d, check_rng
from .bins import bin_layout
from .thresholds import one_alpha, safe_divide

__all__ = [
    "avoid_trivial_cells",
    "block_cells",
    "cell_masses",
    "improve_partition",
    "partition_test_points",
    "quick_partition",
    "round_robin",
    "unavoidable_points",
    "worst_mass_bound",
]

_SLACK = 1e-12


def block_cells(index, size=50):
    """Cells of consecutive rows of the whole sample: equation (14).

    Parameters
    ----------
    index : array_like of int, shape (m,)
        Position of each test point in the sample of observed and missing rows.
    size : int
        Rows of a block. Cell sizes are then random.

    Returns
    -------
    ndarray of int, shape (m,)
        Cell of each test point.
    """
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"size must be an integer of at least 1, got {size!r}")
    return np.asarray(index, dtype=np.int64) // size


def cell_masses(table, n_cal):
    """Mass at infinity of pro-CP (11) in each cell.

    Parameters
    ----------
    table : array_like of int, shape (L, M)
        Test points by cell and bin.
    n_cal : array_like of int, shape (M,)
        Calibration points of each bin.

    Returns
    -------
    ndarray, shape (L,)
        ``F``; 0 for an empty cell.
    """
    table = np.asarray(table, dtype=float)
    return safe_divide(_cost(table, np.asarray(n_cal)).sum(-1), table.sum(-1))


def _cost(u, o):
    """``u^2 / (u + o)``, convex in u and 0 at 0."""
    return safe_divide(u**2, u + o)


def worst_mass_bound(n_test, n_cal):
    """Lower bound of (26) for any counts: ``sum_k u_k / (1 + o_k) / m``.

    It is also the mass at infinity of the one-representative form, which attains it
    without a partition.

    Parameters
    ----------
    n_test, n_cal : array_like of int, shape (M,)
        Test and calibration points of each bin.

    Returns
    -------
    float
        No partition has all ``F`` below this.
    """
    n_test, n_cal = check_1d(n_test, "n_test"), check_1d(n_cal, "n_cal")
    return float((n_test / (1 + n_cal)).sum() / n_test.sum())


def unavoidable_points(n_test, n_cal, alpha):
    """Lower bound of (25): test points that no partition can serve.

    Parameters
    ----------
    n_test, n_cal : array_like of int, shape (M,)
        Test and calibration points of each bin.
    alpha : float
        Level in (0, 1).

    Returns
    -------
    ndarray of int, shape (M,)
        Points of each bin that must be left in cells with infinite sets; their sum
        is the bound. Attained exactly by the one-representative form.

    Notes
    -----
    With ``a_k = 1/(1 + o_k)`` a cell with ``F <= alpha`` has ``sum_k u_k (a_k -
    alpha) <= 0``: easy bins pay for hard ones, a knapsack that greed solves.
    """
    alpha = float(one_alpha(alpha))
    n_test = np.asarray(n_test, dtype=np.int64)
    price = 1 / (1 + np.asarray(n_cal, dtype=float)) - alpha
    easy = price <= _SLACK
    purse = float(-(n_test * price)[easy].sum())
    left = np.where(easy, 0, n_test)
    for k in np.argsort(price, kind="stable"):
        if not easy[k] and n_test[k]:
            bought = min(int(n_test[k]), int((purse + _SLACK) / price[k]))
            left[k] -= bought
            purse -= bought * price[k]
    return left


def round_robin(n_test, n_cells):
    """Deal the points of each bin to the cells in turn, going on where it stopped.

    Parameters
    ----------
    n_test : array_like of int, shape (M,)
        Test points of each bin.
    n_cells : int
        Number of cells.

    Returns
    -------
    ndarray of int, shape (n_cells, M)
        Test points by cell and bin.
    """
    n_test = np.asarray(n_test, dtype=np.int64)
    table = np.zeros((n_cells, len(n_test)), dtype=np.int64)
    cell = np.arange(n_test.sum()) % n_cells
    np.add.at(table, (cell, np.repeat(np.arange(len(n_test)), n_test)), 1)
    return table


def _hardest_first(n_test, n_cal, n_cells):
    """Each point, hardest bin first, into the cell that suffers least."""
    table = np.zeros((n_cells, len(n_test)), dtype=np.int64)
    cost, size = np.zeros(n_cells), np.zeros(n_cells)
    for k in np.argsort(n_cal, kind="stable"):
        for _ in range(n_test[k]):
            grown = _cost(table[:, k] + 1.0, n_cal[k]) - _cost(
                table[:, k] * 1.0, n_cal[k]
            )
            best = int(np.argmin((cost + grown) / (size + 1)))
            cost[best] += grown[best]
            size[best] += 1
            table[best, k] += 1
    return table


def _occupied(table):
    return table[table.sum(axis=1) > 0]


def quick_partition(n_test, n_cal, *, n_cells=None):
    """Best of round robin and hardest-first over all numbers of cells.

    Parameters
    ----------
    n_test, n_cal : array_like of int, shape (M,)
        Test and calibration points of each bin.
    n_cells : int, optional
        Fixed number of cells; by default 1 to ``min(m, 2 max(n_test))`` are tried.

    Returns
    -------
    ndarray of int, shape (L, M)
        Test points by cell and bin, no cell empty.
    """
    return _starts(n_test, n_cal, n_cells)[0]


def _starts(n_test, n_cal, n_cells=None):
    n_test = np.asarray(n_test, dtype=np.int64)
    n_cal = np.asarray(n_cal, dtype=np.int64)
    most = min(int(n_test.sum()), 2 * int(n_test.max(initial=0)))
    if most == 0:
        return [np.zeros((0, len(n_test)), dtype=np.int64)]
    tried = range(1, most + 1) if n_cells is None else [n_cells]
    tables = [
        _occupied(make)
        for count in tried
        for make in (
            round_robin(n_test, count),
            _hardest_first(n_test, n_cal, count),
        )
    ]
    return sorted(tables, key=lambda table: cell_masses(table, n_cal).max())


def _objective(table, n_cal):
    """Largest mass first, then a smooth measure of the bad cells."""
    mass = cell_masses(table, n_cal)
    return mass.max(initial=0.0), float((table.sum(1) * mass**4).sum())


def _neighbours(table, n_cal):
    """Tables that differ by a move, swap, merge or import with the worst cell."""
    worst = int(np.argmax(cell_masses(table, n_cal)))
    inside = np.flatnonzero(table[worst])
    for other in range(len(table)):
        if other == worst:
            continue
        merged = table.copy()
        merged[other] += merged[worst]
        yield np.delete(merged, worst, axis=0)
        theirs = np.flatnonzero(table[other])
        for k in inside:
            yield _shift(table, worst, other, k)
            for j in theirs:
                if j != k:
                    yield _shift(_shift(table, worst, other, k), other, worst, j)
        for j in theirs:
            yield _shift(table, other, worst, j)
    grown = np.vstack([table, np.zeros_like(table[:1])])
    for k in inside:
        yield _shift(grown, worst, len(table), k)


def _shift(table, source, target, k):
    moved = table.copy()
    moved[source, k] -= 1
    moved[target, k] += 1
    return moved


def improve_partition(table, n_cal, *, max_steps=1000):
    """Local search from a partition: best neighbour until none is better.

    Parameters
    ----------
    table : array_like of int, shape (L, M)
        Test points by cell and bin.
    n_cal : array_like of int, shape (M,)
        Calibration points of each bin.
    max_steps : int
        Most steps to take.

    Returns
    -------
    ndarray of int, shape (L', M)
        A partition whose largest mass is no worse.
    """
    table, n_cal = np.asarray(table), np.asarray(n_cal)
    score = _objective(table, n_cal)
    for _ in range(max_steps):
        if not len(table):
            break
        options = [_occupied(option) for option in _neighbours(table, n_cal)]
        scores = [_objective(option, n_cal) for option in options]
        best = min(range(len(options)), key=scores.__getitem__, default=None)
        if best is None or not _better(scores[best], score):
            break
        table, score = options[best], scores[best]
    return table


def _better(new, old):
    if abs(new[0] - old[0]) > _SLACK:
        return new[0] < old[0]
    return new[1] < old[1] - _SLACK


def _search(n_test, n_cal):
    """Local search from each start, best first; stops at the lower bound."""
    bound = worst_mass_bound(n_test, n_cal)
    best = None
    for start in _starts(n_test, n_cal):
        found = improve_partition(start, n_cal)
        if best is None or _better(_objective(found, n_cal), _objective(best, n_cal)):
            best = found
        if cell_masses(best, n_cal).max() <= bound + _SLACK:
            break
    return best


def avoid_trivial_cells(n_test, n_cal, alpha, *, search=True):
    """Partition for (25): as few test points as can be in cells with ``F > alpha``.

    Parameters
    ----------
    n_test, n_cal : array_like of int, shape (M,)
        Test and calibration points of each bin.
    alpha : float
        Level in (0, 1).
    search : bool
        Whether to search locally, which is slow beyond some dozens of points;
        otherwise the quick partition serves.

    Returns
    -------
    ndarray of int, shape (L, M)
        Partition; the points given up are in one last cell.
    """
    level = float(one_alpha(alpha))
    n_test = np.asarray(n_test, dtype=np.int64)
    n_cal = np.asarray(n_cal, dtype=np.int64)
    hardest = np.repeat(np.arange(len(n_test)), n_test)
    hardest = hardest[np.argsort(n_cal[hardest], kind="stable")]
    find = _search if search else quick_partition
    for dropped in range(
        int(unavoidable_points(n_test, n_cal, alpha).sum()), len(hardest)
    ):
        trash = np.bincount(hardest[:dropped], minlength=len(n_test))
        table = find(n_test - trash, n_cal)
        if cell_masses(table, n_cal).max() <= level + _SLACK:
            return np.vstack([table, trash]) if dropped else table
    return n_test[None]


def partition_test_points(bins, test_bins, *, method="quick", rng=None):
    """Cells of test points from the counts of the bins alone.

    Parameters
    ----------
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    method : {"quick", "search"}
        The quick heuristic, or local search from it (for some dozens of points).
    rng : numpy.random.Generator or int, optional
        Shuffles which points of a bin go to which cell; without it they go in order.

    Returns
    -------
    ndarray of int, shape (m,)
        Cell of each test point, for the argument ``cells`` of the thresholds.
    """
    if method not in ("quick", "search"):
        raise ValueError(f"method must be 'quick' or 'search', got {method!r}")
    rng = None if rng is None else check_rng(rng)
    layout = bin_layout(bins, test_bins)
    n_test = layout.n_test.sum(axis=0)
    if not n_test.sum():
        return np.zeros(0, dtype=np.int64)
    make = quick_partition if method == "quick" else _search
    table = make(n_test, layout.n_cal)
    cells = np.empty(len(layout.test_bin), dtype=np.int64)
    for k in np.flatnonzero(n_test):
        rows = np.flatnonzero(layout.test_bin == k)
        if rng is not None:
            rows = rng.permutation(rows)
        cells[rows] = np.repeat(np.arange(len(table)), table[:, k])
    return cells
