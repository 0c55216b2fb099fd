"""Conformalization weights against full enumeration and against literal loops."""

import itertools

import numpy as np
import pytest
from reference import matrix as reference
from scipy.integrate import quad

from notebook_lib.matrix import (
    ConformalizationWeights,
    effective_sample_size,
    exact_log_ratios,
    laplace_log_odds,
    laplace_scale,
    log_probability,
    sample_test_groups,
    sample_without_replacement,
    structured_split,
)

TINY = [  # rows, columns, observed, K, n
    (4, 2, 4, 2, 1),
    (3, 3, 4, 2, 1),
    (4, 2, 5, 3, 1),
    (4, 2, 4, 1, 2),
]


def _mask(shape, cells):
    mask = np.zeros(shape, dtype=bool)
    for cell in cells:
        mask[cell] = True
    return mask


def _worst_gap(shape, laws, example, w, wstar, keys, **options):
    worst = 0.0
    for key in keys:
        for test in laws[key]:
            observed, groups = example[key, test]
            weights = ConformalizationWeights(
                _mask(shape, observed), np.array(groups), w, wstar, **options
            )
            p = weights.matrix(np.array([test]))[0]
            law = [laws[key].get(group, 0.0) for group in (*groups, test)]
            worst = max(worst, np.abs(p - law).max())
    return worst


@pytest.mark.parametrize("case", TINY)
def test_weights_equal_full_enumeration(case):
    rows, columns, n_obs, k, n = case
    rng = np.random.default_rng(sum(case))
    w, wstar = rng.uniform(0.05, 3, (2, rows, columns))
    laws, example = reference.conditional_laws((rows, columns), n_obs, k, n, w, wstar)
    keys = list(laws)
    assert sum(len(laws[key]) for key in keys) > 500
    keys = [keys[i] for i in rng.permutation(len(keys))[:120]]
    gap = _worst_gap((rows, columns), laws, example, w, wstar, keys, method="exact")
    assert gap < 1e-12


def test_weights_with_zero_test_weights_count_positive_cells():
    rng = np.random.default_rng(5)
    w, wstar = rng.uniform(0.05, 3, (2, 4, 2))
    wstar[0, 0] = wstar[3, 1] = 0.0
    laws, example = reference.conditional_laws((4, 2), 4, 2, 1, w, wstar)
    keys = list(laws)[::5]
    gap = _worst_gap((4, 2), laws, example, w, wstar, keys, method="exact")
    assert gap < 1e-12


def test_uniform_weights_make_the_laplace_form_exact():
    w, wstar = np.full((4, 2), 0.7), np.ones((4, 2))
    laws, example = reference.conditional_laws((4, 2), 4, 2, 1, w, wstar)
    gap = _worst_gap((4, 2), laws, example, w, wstar, list(laws)[::5])
    assert gap < 1e-12


def test_the_printed_denominators_are_wrong_without_the_correction():
    """Equations (13)-(14) leave out u_i: on a tiny matrix that shows."""
    rng = np.random.default_rng(8)
    w, wstar = rng.uniform(0.05, 3, (2, 4, 2))
    laws, example = reference.conditional_laws((4, 2), 4, 2, 1, w, wstar)
    worst = 0.0
    for key, law in laws.items():
        for test in law:
            observed, groups = example[key, test]
            p = reference.literal_weights(
                _mask((4, 2), observed), groups, test, w, wstar, correct=False
            )
            worst = max(worst, abs(p[-1] - law[test]))
    assert worst > 0.05


@pytest.mark.parametrize("seed", range(6))
def test_matrix_equals_the_literal_loop(seed):
    rng = np.random.default_rng(seed)
    shape, k = (int(rng.integers(8, 16)), int(rng.integers(4, 9))), 1 + seed % 4
    w, wstar = np.exp(rng.normal(size=(2, *shape)))
    wstar *= rng.random(shape) < 0.85
    observed = sample_without_replacement(w, int(0.55 * w.size), rng)
    groups = structured_split(observed, k, 5, rng).groups
    tests = sample_test_groups(~observed, k, 6, rng, test_weights=wstar)
    h = laplace_scale(w[observed], w[~observed].sum())
    fast = ConformalizationWeights(observed, groups, w, wstar).matrix(tests)
    with np.errstate(invalid="ignore"):
        slow = [
            reference.literal_weights(observed, groups, test, w, wstar, h)
            for test in tests
        ]
    np.testing.assert_allclose(fast, np.nan_to_num(slow), rtol=1e-9, atol=1e-15)


def test_universe_restricts_sums_and_counts():
    """Cells outside the universe may as well not exist: drop whole columns."""
    rng = np.random.default_rng(2)
    w, wstar = rng.uniform(0.5, 2, (2, 9, 7))
    universe = np.ones((9, 7), dtype=bool)
    universe[:, [1, 4]] = False
    observed = sample_without_replacement(w, 20, rng, mask=universe)
    split = structured_split(observed, 2, 6, rng)
    tests = sample_test_groups(universe & ~observed, 2, 5, rng, test_weights=wstar)
    inside = ConformalizationWeights(
        observed, split.groups, w, wstar, universe=universe
    ).matrix(tests)
    keep = np.flatnonzero(universe.all(axis=0))
    new = np.full(7, -1)
    new[keep] = np.arange(len(keep))

    def move(groups):
        return np.stack([groups[..., 0], new[groups[..., 1]]], axis=-1)

    small = ConformalizationWeights(
        observed[:, keep], move(split.groups), w[:, keep], wstar[:, keep]
    ).matrix(move(tests))
    np.testing.assert_allclose(inside, small, rtol=1e-12)


def test_rows_add_up_and_do_not_depend_on_the_batch():
    rng = np.random.default_rng(3)
    w = rng.uniform(0.2, 2, (30, 20))
    observed = sample_without_replacement(w, 250, rng)
    weights = ConformalizationWeights(
        observed, structured_split(observed, 3, 30, rng).groups, w, w
    )
    tests = sample_test_groups(~observed, 3, 12, rng, test_weights=w)
    p = weights.matrix(tests)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    alone = np.vstack([weights.matrix(tests[i : i + 1]) for i in range(12)])
    np.testing.assert_array_equal(p, alone)
    assert (effective_sample_size(p) <= 31 + 1e-9).all()
    np.testing.assert_allclose(effective_sample_size(np.full((1, 4), 0.25)), 4)


def test_test_cell_that_cannot_be_observed_takes_all_the_weight():
    rng = np.random.default_rng(4)
    w = rng.uniform(0.5, 2, (10, 6))
    observed = sample_without_replacement(w, 30, rng)
    tests = sample_test_groups(~observed, 2, 3, rng)
    w[tests[0, 0, 0], tests[0, 0, 1]] = 0.0
    groups = structured_split(observed, 2, 5, rng).groups
    for method in ("laplace", "exact"):
        p = ConformalizationWeights(observed, groups, w, method=method).matrix(tests)
        np.testing.assert_array_equal(p[0], [0, 0, 0, 0, 0, 1])
        assert np.isfinite(p).all()


# ------------------------------------------------------------ the integral


@pytest.mark.parametrize("h", [None, 1.7])
def test_integral_equals_subset_sums(h):
    """Proposition 2 for every h > 0, on all 210 sets of 4 cells out of 10."""
    w = np.random.default_rng(0).uniform(0.05, 3, 10)
    total = 0.0
    for chosen in itertools.combinations(range(10), 4):
        chosen = list(chosen)
        exact = reference.set_probability(chosen, w, w.sum())
        delta = np.delete(w, chosen).sum()
        ours = np.exp(log_probability(w[chosen], delta))
        assert abs(ours / exact - 1) < 1e-12
        if h is not None:

            def integrand(tau, delta=delta, seen=w[chosen]):
                return (
                    h * delta * tau ** (h * delta - 1) * np.prod(1 - tau ** (h * seen))
                )

            assert abs(quad(integrand, 0, 1, epsabs=1e-13)[0] / exact - 1) < 1e-8
        total += exact
    assert abs(total - 1) < 1e-12


def test_newton_finds_the_root_inside_its_bracket():
    rng = np.random.default_rng(1)
    for n_obs, delta in ((3, 0.2), (300, 350.0), (5000, 3.0), (20, 4000.0)):
        w = rng.uniform(1e-3, 1, n_obs)
        h = laplace_scale(w, delta)
        z = delta - 1 / h - (w / np.expm1(h * w * np.log(2))).sum()
        assert abs(z) < 1e-8 * delta
        assert 1 / delta < h <= (1 + n_obs / np.log(2)) / delta


def test_scale_falls_back_to_bisection_when_newton_may_not_run():
    w = np.random.default_rng(2).uniform(0, 1, 50)
    assert abs(laplace_scale(w, 9.0, max_steps=0) / laplace_scale(w, 9.0) - 1) < 1e-10


def test_scale_survives_weights_that_differ_by_eighty_orders():
    w = np.geomspace(1e-60, 1e20, 40)
    h = laplace_scale(w, 1.0)
    assert np.isfinite(h)
    assert h > 1


@pytest.mark.parametrize("delta", [0.0, -1.0, np.nan, np.inf])
def test_scale_refuses_missing_cells_without_weight(delta):
    with pytest.raises(ValueError, match="missing cells must carry"):
        laplace_scale([1.0, 2.0], delta)


def test_laplace_error_falls_with_size():
    means = []
    for size in (50, 200, 1000):
        errors = []
        for seed in range(8):
            rng = np.random.default_rng([size, seed])
            w = rng.uniform(0, 1, size)
            cells = sample_without_replacement(w[None], int(0.3 * size), rng)[0]
            cal, test = w[cells][:5][None], w[~cells][:5][None]
            delta = w[~cells].sum()
            h = laplace_scale(w[cells], delta)
            d = cal.sum() - test.sum()
            approximate = (1 + d / delta) * np.exp(
                laplace_log_odds(cal, h).sum() - laplace_log_odds(test, h).sum()
            )
            exact = np.exp(exact_log_ratios(w[cells], delta, cal, test))[0, 0]
            errors.append(abs(approximate / exact - 1))
        means.append(np.mean(errors))
    assert means[0] > means[1] > means[2]
    assert means[2] < 2e-3


def test_odds_of_missing_are_finite_at_large_weights():
    odds = laplace_log_odds([0.0, 1e-300, 1.0, 60.0, 1e6], 1.0)
    assert odds[0] == np.inf
    np.testing.assert_allclose(odds[2:], [0, -60 * np.log(2), -1e6 * np.log(2)])
