"""Thresholds for missing outcomes equal their definitions, ties and infinities too."""

import numpy as np
import pytest
from reference import outcomes as ref

from notebook_lib.outcomes import (
    bin_layout,
    binned_weighted_threshold,
    cell_levels,
    kth_order_threshold,
    mass_at_infinity,
    missed_law,
    missing_odds,
    naive_threshold,
    pac_threshold,
    procp2_threshold,
    procp_threshold,
    shift_threshold,
    squared_mass_at_infinity,
    weighted_threshold,
)
from notebook_lib.quantiles import weighted_conformal_quantile

pytestmark = pytest.mark.filterwarnings(
    "ignore::notebook_lib.exceptions.InfiniteSetWarning"
)
LEVELS = (0.1, 0.2, 0.25, 0.4, 0.5, 0.7)


def cases(n_cases, seed, *, n_most=13, m_most=6):
    """Random small cases: ties in every other one, an infinity in every third."""
    rng = np.random.default_rng(seed)
    for case in range(n_cases):
        n, m = rng.integers(0, n_most), rng.integers(1, m_most)
        n_bins = rng.integers(1, 4)
        scores = rng.integers(0, 8, n) * 1.0 if case % 2 else rng.normal(size=n)
        if case % 3 == 0 and n:
            scores[rng.integers(n)] = np.inf
        yield (
            scores,
            rng.integers(0, n_bins, n),
            rng.integers(0, n_bins, m),
            float(rng.choice(LEVELS)),
        )


@pytest.mark.parametrize(("variant", "extra"), [("paper", None), ("one_rep", 1)])
def test_procp_equals_definition(variant, extra):
    for scores, bins, test_bins, alpha in cases(300, 1):
        q = procp_threshold(
            scores, bins, test_bins, alpha, variant=variant, allow_infinite=True
        )
        assert q.shape == test_bins.shape
        assert (q == ref.procp(scores, bins, test_bins, alpha, extra)).all()


@pytest.mark.parametrize(("variant", "extra"), [("paper", None), ("two_rep", 2)])
def test_procp2_equals_all_pairs(variant, extra):
    for scores, bins, test_bins, alpha in cases(200, 2, n_most=12):
        q = procp2_threshold(
            scores, bins, test_bins, alpha, variant=variant, allow_infinite=True
        )
        assert (q == ref.procp2(scores, bins, test_bins, alpha, extra)).all()


@pytest.mark.parametrize(("variant", "extra"), [("paper", None), ("two_rep", 2)])
def test_squared_mass_at_infinity_equals_pair_sum(variant, extra):
    for scores, bins, test_bins, _ in cases(100, 3):
        scores = np.arange(len(scores), dtype=float)
        atoms = ref.procp2_atoms(scores, bins, test_bins, extra)
        exact = sum(mass for value, mass in atoms if value == np.inf)
        ours = squared_mass_at_infinity(bins, test_bins, variant=variant)
        assert ours == pytest.approx(float(exact), abs=1e-12)
        assert float(sum(mass for _, mass in atoms)) == pytest.approx(1)


@pytest.mark.parametrize(("variant", "extra"), [("paper", None), ("one_rep", 1)])
def test_first_order_masses_sum_to_one(variant, extra):
    for scores, bins, test_bins, alpha in cases(200, 4):
        scores = np.arange(len(scores), dtype=float)
        atoms = ref.procp_atoms(scores, bins, test_bins, extra)
        share = mass_at_infinity(bins, test_bins, variant=variant)
        exact = sum(mass for value, mass in atoms if value == np.inf)
        assert sum(mass for _, mass in atoms) == 1
        assert share == pytest.approx(float(exact), abs=1e-12)
        q = procp_threshold(scores, bins, test_bins, alpha, variant=variant)
        assert np.isfinite(q).all() == (share <= alpha + 1e-12)


def test_finite_exactly_at_the_boundary():
    # n = 9, m = 1, alpha = .1: F = alpha and the answer is the largest score (E8).
    scores, bins = np.arange(9.0), np.zeros(9, int)
    assert procp_threshold(scores, bins, [0], 0.1)[0] == 8
    assert procp_threshold(scores[:8], bins[:8], [0], 0.1)[0] == np.inf


def test_one_representative_is_never_wider():
    for scores, bins, test_bins, alpha in cases(300, 5):
        kwargs = {"allow_infinite": True}
        paper = procp_threshold(scores, bins, test_bins, alpha, **kwargs)
        one = procp_threshold(
            scores, bins, test_bins, alpha, variant="one_rep", **kwargs
        )
        assert (one <= paper).all()
        layout = bin_layout(bins, test_bins)
        n_test = layout.n_test.sum(axis=0)
        same = ((n_test <= 1) | (layout.n_cal == 0)).all()
        masses = [
            mass_at_infinity(bins, test_bins, variant=v) for v in ("paper", "one_rep")
        ]
        assert np.isclose(*masses) == same


def test_two_representatives_are_never_wider():
    for scores, bins, test_bins, alpha in cases(300, 6):
        q = [
            procp2_threshold(
                scores, bins, test_bins, alpha, variant=v, allow_infinite=True
            )
            for v in ("paper", "two_rep")
        ]
        assert (q[1] <= q[0]).all()


def test_naive_equals_definition_and_singleton_cells():
    for scores, bins, test_bins, alpha in cases(200, 7):
        q = naive_threshold(scores, bins, test_bins, alpha, allow_infinite=True)
        assert list(q) == ref.naive(scores, bins, test_bins, alpha)
        alone = procp_threshold(
            scores,
            bins,
            test_bins,
            alpha,
            cells=np.arange(len(test_bins)),
            allow_infinite=True,
        )
        assert (q == alone).all()


def test_cells_at_once_equal_cells_one_by_one():
    rng = np.random.default_rng(8)
    for scores, bins, test_bins, alpha in cases(60, 9, m_most=12):
        cells = rng.integers(0, 4, len(test_bins)) * 7  # numbers with gaps
        for find, options in (
            (procp_threshold, {}),
            (procp_threshold, {"variant": "one_rep"}),
            (procp2_threshold, {"allocation": "constant"}),
            (procp2_threshold, {"allocation": "constant", "variant": "two_rep"}),
        ):
            options = options | {"allow_infinite": True}
            at_once = find(scores, bins, test_bins, alpha, cells=cells, **options)
            for cell in np.unique(cells):
                inside = cells == cell
                alone = find(scores, bins, test_bins[inside], alpha, **options)
                assert (at_once[inside] == alone).all()


def test_replications_at_once_equal_one_by_one():
    rng = np.random.default_rng(10)
    bins, test_bins = rng.integers(0, 4, 30), rng.integers(0, 4, 9)
    cells, scores = rng.integers(0, 2, 9), rng.integers(0, 20, (7, 30)) * 1.0
    for find in (procp_threshold, procp2_threshold):
        together = find(scores, bins, test_bins, 0.3, cells=cells)
        alone = [find(row, bins, test_bins, 0.3, cells=cells) for row in scores]
        np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(
        naive_threshold(scores, bins, test_bins, 0.3),
        [naive_threshold(row, bins, test_bins, 0.3) for row in scores],
    )


def test_thresholds_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(11)
    bins, test_bins = rng.integers(0, 4, 40), rng.integers(0, 4, 9)
    scores, cells = rng.normal(size=40), rng.integers(0, 3, 9)
    cal, test = rng.permutation(40), rng.permutation(9)
    for find in (procp_threshold, procp2_threshold):
        straight = find(scores, bins, test_bins, 0.3, cells=cells)
        mixed = find(scores[cal], bins[cal], test_bins[test], 0.3, cells=cells[test])
        np.testing.assert_array_equal(mixed, straight[test])


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kth_order_equals_enumeration(order):
    for scores, bins, test_bins, alpha in cases(60, 12, n_most=8, m_most=5):
        q = kth_order_threshold(
            scores, bins, test_bins, alpha, order, allow_infinite=True
        )
        assert (q == ref.kth_order(scores, bins, test_bins, alpha, order)).all()


def test_first_and_second_order_are_the_simultaneous_sets():
    for scores, bins, test_bins, alpha in cases(100, 13):
        first = kth_order_threshold(
            scores, bins, test_bins, alpha, 1, allow_infinite=True
        )
        second = kth_order_threshold(
            scores, bins, test_bins, alpha, 2, allow_infinite=True
        )
        assert (
            first
            == procp_threshold(scores, bins, test_bins, alpha, allow_infinite=True)
        ).all()
        assert (
            second
            == procp2_threshold(scores, bins, test_bins, alpha, allow_infinite=True)
        ).all()


@pytest.mark.parametrize("delta", [0.1, 0.3, 0.5])
def test_pac_equals_enumeration(delta):
    for scores, bins, test_bins, alpha in cases(60, 14, n_most=8, m_most=5):
        q = pac_threshold(scores, bins, test_bins, alpha, delta, allow_infinite=True)
        assert (q == ref.pac(scores, bins, test_bins, alpha, delta)).all()


def test_missed_law_has_the_masses_of_both_orders():
    rng = np.random.default_rng(15)
    bins, test_bins = rng.integers(0, 3, 20), rng.integers(0, 3, 6)
    law = missed_law(rng.normal(size=20), bins, test_bins, np.inf)
    share = np.arange(7) / 6
    assert law.sum() == pytest.approx(1)
    assert law @ share == pytest.approx(mass_at_infinity(bins, test_bins))
    assert law @ share**2 == pytest.approx(squared_mass_at_infinity(bins, test_bins))


def test_weighted_equals_definition():
    rng = np.random.default_rng(16)
    for scores, _, test_bins, alpha in cases(300, 17):
        weights = rng.integers(0, 4, len(scores)) * 1.0
        test_weights = rng.integers(0, 4, len(test_bins)) * 1.0
        q = shift_threshold(scores, weights, test_weights, alpha, allow_infinite=True)
        assert list(q) == [
            ref.weighted(scores, weights, w, alpha) for w in test_weights
        ]


def test_weighted_takes_the_odds_of_missing():
    rng = np.random.default_rng(18)
    p, scores = rng.uniform(0.2, 0.9, 40), rng.normal(size=40)
    q = weighted_threshold(scores[:30], p[:30], p[30:], 0.2)
    odds = missing_odds(p)
    np.testing.assert_allclose(odds, 1 / p - 1)
    np.testing.assert_array_equal(
        q, weighted_conformal_quantile(scores[:30], odds[:30], odds[30:], 0.2)
    )


def test_binned_weighted_is_weighted_on_the_subsample():
    rng = np.random.default_rng(19)
    for scores, bins, test_bins, alpha in cases(200, 20):
        p = rng.uniform(0.1, 0.9, len(bins))
        test_p = rng.uniform(0.1, 0.9, len(test_bins))
        q = binned_weighted_threshold(
            scores, p, test_p, bins, test_bins, alpha, allow_infinite=True
        )
        for j, label in enumerate(test_bins):
            inside = bins == label
            alone = weighted_threshold(
                scores[inside], p[inside], test_p[[j]], alpha, allow_infinite=True
            )
            assert q[j] == alone[0]


def test_levels_of_cells():
    sizes = np.array([11, *np.ones(120, int)])
    with pytest.warns(UserWarning, match="level above 1"):
        levels = cell_levels(sizes, 0.2)
    assert levels[0] == 1
    assert np.array([5, 15, 20]) @ cell_levels([5, 15, 20], 0.2) / 40 == pytest.approx(
        0.2
    )
    np.testing.assert_allclose(cell_levels([7, 7], 0.3), 0.3)
    np.testing.assert_allclose(cell_levels([5, 15], 0.3, "constant"), 0.3)
    np.testing.assert_allclose(cell_levels([5, 15], 0.3, [0.6, 0.2]), [0.6, 0.2])
    with pytest.raises(ValueError, match="spends"):
        cell_levels([5, 15], 0.3, [0.6, 0.3])


def test_a_cell_at_level_one_is_empty():
    scores, bins = np.arange(30.0), np.zeros(30, int)
    test_bins, cells = np.zeros(131, int), np.r_[np.zeros(11, int), 1 + np.arange(120)]
    with pytest.warns(UserWarning, match="level above 1"):
        q = procp2_threshold(scores, bins, test_bins, 0.2, cells=cells)
    assert (q[:11] == -np.inf).all()
    assert (q[11:] > -np.inf).all()
