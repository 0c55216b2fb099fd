"""Partitions: bounds hold, searches reach the optimum of small cases."""

import numpy as np
import pytest
from reference import outcomes as ref

from notebook_lib.outcomes import (
    avoid_trivial_cells,
    block_cells,
    cell_masses,
    improve_partition,
    mass_at_infinity,
    partition_test_points,
    quick_partition,
    round_robin,
    unavoidable_points,
    worst_mass_bound,
)
from notebook_lib.outcomes.partition import _search


def small_cases(n_cases, seed, most=6):
    rng = np.random.default_rng(seed)
    for _ in range(n_cases):
        n_bins = rng.integers(1, 4)
        n_test = rng.integers(0, 4, n_bins)
        while not 0 < n_test.sum() <= most:
            n_test = rng.integers(0, 4, n_bins)
        yield n_test, rng.integers(0, 12, n_bins)


def test_blocks_are_rows_of_the_whole_sample():
    np.testing.assert_array_equal(block_cells([0, 49, 50, 499]), [0, 0, 1, 9])
    with pytest.raises(ValueError, match="size"):
        block_cells([0], 0)


def test_cell_masses_are_the_masses_at_infinity():
    rng = np.random.default_rng(1)
    bins, test_bins, cells = (
        rng.integers(0, k, n) for k, n in ((4, 30), (4, 9), (3, 9))
    )
    table = np.zeros((3, 4), int)
    np.add.at(table, (cells, test_bins), 1)
    np.testing.assert_allclose(
        cell_masses(table, np.bincount(bins, minlength=4)),
        mass_at_infinity(bins, test_bins, cells=cells),
    )


def test_bound_and_search_against_all_partitions():
    quick_worst, missed = 1.0, 0
    for n_test, n_cal in small_cases(60, 2):
        best = float(ref.best_worst_mass(n_test, n_cal))
        assert worst_mass_bound(n_test, n_cal) <= best + 1e-12
        quick = cell_masses(quick_partition(n_test, n_cal), n_cal).max()
        found = cell_masses(_search(n_test, n_cal), n_cal).max()
        assert found <= quick + 1e-12
        assert found >= best - 1e-12
        assert found <= 1.05 * best
        missed += found > best + 1e-12
        quick_worst = max(quick_worst, quick / best)
    assert missed <= 3
    assert quick_worst <= 1.25


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.4])
def test_fewest_trivial_points_against_all_partitions(alpha):
    missed = 0
    for n_test, n_cal in small_cases(30, 3):
        best = ref.fewest_trivial(n_test, n_cal, alpha)
        assert unavoidable_points(n_test, n_cal, alpha).sum() <= best
        table = avoid_trivial_cells(n_test, n_cal, alpha)
        np.testing.assert_array_equal(table.sum(axis=0), n_test)
        trivial = cell_masses(table, n_cal) > alpha + 1e-12
        lost = table[trivial].sum()
        assert lost >= best
        missed += lost > best
    assert missed <= 1


def test_equal_counts_reach_the_bound():
    n_cal = np.array([3, 7, 11])
    table = round_robin(np.full(3, 2), 2)
    assert cell_masses(table, n_cal).max() == pytest.approx(np.mean(1 / (1 + n_cal)))


def test_one_copy_a_cell_is_not_best_for_unequal_counts():
    n_test, n_cal = np.array([3, 1]), np.array([100, 1])
    dealt = cell_masses(np.array([[1, 1], [1, 0], [1, 0]]), n_cal).max()
    assert dealt == pytest.approx(0.25495, abs=1e-5)
    assert cell_masses(quick_partition(n_test, n_cal), n_cal).max() == pytest.approx(
        0.14684, abs=1e-5
    )


def test_every_partition_keeps_all_points():
    rng = np.random.default_rng(4)
    n_test, n_cal = rng.integers(0, 8, 12), rng.integers(0, 40, 12)
    for table in (
        round_robin(n_test, 5),
        quick_partition(n_test, n_cal),
        improve_partition(round_robin(n_test, 3), n_cal, max_steps=2),
        avoid_trivial_cells(n_test, n_cal, 0.05, search=False),
    ):
        np.testing.assert_array_equal(table.sum(axis=0), n_test)


@pytest.mark.parametrize("method", ["quick", "search"])
def test_cells_of_points(method):
    rng = np.random.default_rng(5)
    bins, test_bins = rng.integers(0, 4, 60), rng.integers(0, 4, 12)
    cells = partition_test_points(bins, test_bins, method=method, rng=rng)
    assert cells.shape == (12,)
    one = mass_at_infinity(bins, test_bins)
    assert mass_at_infinity(bins, test_bins, cells=cells).max() < one
    assert partition_test_points(bins, []).shape == (0,)
    np.testing.assert_array_equal(
        partition_test_points(bins, test_bins, rng=3),
        partition_test_points(bins, test_bins, rng=np.random.default_rng(3)),
    )
    with pytest.raises(ValueError, match="method"):
        partition_test_points(bins, test_bins, method="best")
    with pytest.raises(ValueError, match="rng"):
        partition_test_points(bins, test_bins, rng="now")
