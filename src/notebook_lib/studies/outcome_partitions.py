"""Partitions of test rows by brute force, for chapter 5."""

from __future__ import annotations

import numpy as np

from ..outcomes import cell_masses


def all_partitions(points):
    """All partitions of a list of bin labels into cells."""
    if not points:
        yield []
        return
    first, rest = points[0], points[1:]
    for smaller in all_partitions(rest):
        for i, cell in enumerate(smaller):
            yield [*smaller[:i], [first, *cell], *smaller[i + 1 :]]
        yield [[first], *smaller]


def tables(n_test):
    """Each partition of the test points as a table (L, M), repeats left out."""
    points = [k for k, u in enumerate(n_test) for _ in range(u)]
    seen = set()
    for partition in all_partitions(points):
        key = tuple(sorted(tuple(sorted(cell)) for cell in partition))
        if key not in seen:
            seen.add(key)
            yield np.array([np.bincount(cell, minlength=len(n_test)) for cell in key])


def best_worst_mass(n_test, n_cal):
    """Optimum of (26) by brute force."""
    return min(cell_masses(table, n_cal).max() for table in tables(n_test))


def fewest_trivial(n_test, n_cal, alpha):
    """Optimum of (25) by brute force."""
    return min(
        int(table[cell_masses(table, n_cal) > alpha + 1e-12].sum())
        for table in tables(n_test)
    )


def random_counts(rng, *, equal=False, most=6):
    """Test and calibration points of up to three bins."""
    n_bins = int(rng.integers(1, 4))
    n_cal = rng.integers(0, 12, n_bins)
    if equal:
        copies = int(rng.integers(1, most // n_bins + 1))
        return np.full(n_bins, copies), n_cal
    n_test = rng.integers(0, 4, n_bins)
    while not 0 < n_test.sum() <= most:
        n_test = rng.integers(0, 4, n_bins)
    return n_test, n_cal


def averaging_fails(rng, n_draws):
    """Share of random cases in which F(mean of x) > F(x): inequality (27) is false."""
    failures = 0
    for _ in range(n_draws):
        n_bins = int(rng.integers(2, 5))
        o = rng.integers(1, 100, n_bins)
        x = rng.integers(0, 6, n_bins).astype(float)
        x[0] += not x.any()
        even = np.full(n_bins, x.mean())
        failures += bool(_mass(even, o) > _mass(x, o) + 1e-12)
    return failures / n_draws


def spread_cells(rng, n_cases):
    """Equal counts, cells with one row of each bin: worst mass minus the optimum."""
    gaps = []
    for _ in range(n_cases):
        n_test, n_cal = random_counts(rng, equal=True)
        table = np.ones((n_test[0], len(n_test)), dtype=int)
        gaps.append(cell_masses(table, n_cal).max() - np.mean(1 / (1 + n_cal)))
    return np.array(gaps)


def _mass(u, o):
    return float((u**2 / (u + o)).sum() / u.sum())
