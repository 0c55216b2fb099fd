"""Conformal quantiles against fractions and against the definitions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import core as naive
from scipy import stats

from notebook_lib import quantiles as q

ALPHAS = st.fractions(Fraction(1, 200), Fraction(199, 200), max_denominator=200)
# Few distinct values: ties in almost every draw.
SCORE = st.one_of(st.integers(-3, 3).map(float), st.just(math.inf))
SCORES = st.lists(SCORE, min_size=0, max_size=12)


@given(n=st.integers(0, 300), alpha=ALPHAS)
def test_ranks_are_exact_and_add_up(n, alpha):
    rank, low = q.conformal_rank(n, float(alpha)), q.lower_rank(n, float(alpha))
    assert rank == naive.conformal_rank(n, alpha)
    assert low == naive.lower_rank(n, alpha)
    assert rank + low == n + 1


def test_float_arithmetic_would_have_been_wrong():
    assert math.ceil((1 - 0.18) * 150) == 124
    assert q.conformal_rank(149, 0.18) == 123
    assert math.floor(0.29 * 100) == 28
    assert q.lower_rank(99, 0.29) == 29


@pytest.mark.parametrize(
    ("alpha", "meant"),
    [(0.1, "1/10"), (1 - 0.9, "1/10"), (1 / 3, "1/3"), (0.05, "1/20"), (2 / 7, "2/7")],
)
def test_a_level_is_read_as_the_fraction_that_was_meant(alpha, meant):
    assert q.as_fraction(alpha) == Fraction(meant)


def test_a_level_that_is_no_simple_fraction_keeps_its_decimals():
    assert q.as_fraction(0.123456789012345) == Fraction("0.123456789012345")


@pytest.mark.parametrize("alpha", [5e-324, 1e-300, 1e-16, 1e-15])
def test_a_level_beside_0_or_1_is_neither(alpha):
    needed = math.ceil(1 / Fraction(repr(alpha))) - 1
    assert q.smallest_calibration_size(alpha) == needed
    assert q.conformal_quantile(np.arange(5.0), alpha) == np.inf


def test_a_level_just_below_1_takes_the_smallest_score():
    assert q.conformal_quantile([2.0, 1.0, 3.0], 1 - 1e-15) == 1.0
    assert q.conformal_quantile([2.0, 1.0, 3.0], 1 - 2.0**-53) == 1.0


def test_rank_of_an_array_of_sizes():
    sizes = np.array([[0, 8], [9, 99]])
    assert q.conformal_rank(sizes, 0.1).tolist() == [[1, 9], [9, 90]]


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.2, 1 / 3, 0.5])
def test_smallest_size_is_where_the_quantile_becomes_finite(alpha):
    n = q.smallest_calibration_size(alpha)
    assert q.conformal_rank(n, alpha) <= n
    assert n == 0 or q.conformal_rank(n - 1, alpha) > n - 1


@given(scores=SCORES, alpha=ALPHAS)
def test_conformal_quantile_is_the_definition(scores, alpha):
    assert q.conformal_quantile(scores, float(alpha)) == naive.conformal_quantile(
        scores, alpha
    )


@given(scores=SCORES, alphas=st.lists(ALPHAS, min_size=1, max_size=4))
def test_several_levels_and_axes_at_once(scores, alphas):
    levels = [float(a) for a in alphas]
    alone = [q.conformal_quantile(scores, a) for a in levels]
    assert q.conformal_quantile(scores, levels).tolist() == alone
    table = np.tile(np.asarray(scores, float)[:, None], (1, 3))
    assert (q.conformal_quantile(table, levels, axis=0) == np.array(alone)).all()


WEIGHT = st.integers(0, 6).map(lambda k: Fraction(k, 6))


@settings(max_examples=300)
@given(
    atoms=st.lists(st.tuples(SCORE, WEIGHT), min_size=0, max_size=10),
    level=st.fractions(Fraction(-1, 10), 1, max_denominator=40),
    infinity=WEIGHT,
)
def test_weighted_quantile_is_the_definition(atoms, level, infinity):
    scores, weights = [a for a, _ in atoms], [w for _, w in atoms]
    want = naive.weighted_quantile(scores, weights, level, infinity)
    got = q.weighted_quantile(
        scores,
        [float(w) for w in weights],
        float(level),
        mass_at_infinity=float(infinity),
    )
    assert got == want


@settings(max_examples=100)
@given(data=st.data(), n=st.integers(0, 8), m=st.integers(1, 6))
def test_batched_rows_equal_rows_alone(data, n, m):
    draw = lambda strategy, size: data.draw(  # noqa: E731
        st.lists(strategy, min_size=size, max_size=size)
    )
    shared = draw(SCORE, n)
    own = [draw(SCORE, n) for _ in range(m)]
    weights = [[float(w) for w in draw(WEIGHT, n)] for _ in range(m)]
    level = [float(x) for x in draw(st.fractions(0, 1, max_denominator=20), m)]
    infinity = [float(w) for w in draw(WEIGHT, m)]
    shape = (m, n)
    got_shared = q.weighted_quantile(
        shared, np.reshape(weights, shape), level, mass_at_infinity=infinity
    )
    got_own = q.weighted_quantile(
        np.reshape(own, shape),
        np.reshape(weights, shape),
        level,
        mass_at_infinity=infinity,
    )
    for j in range(m):
        alone = {"level": level[j], "mass_at_infinity": infinity[j]}
        assert got_shared[j] == q.weighted_quantile(shared, weights[j], **alone)
        assert got_own[j] == q.weighted_quantile(own[j], weights[j], **alone)


def test_blocks_of_rows_do_not_change_the_answer(monkeypatch):
    rng = np.random.default_rng(1)
    scores, weights = rng.normal(size=(23, 11)), rng.random((23, 11))
    whole = q.weighted_quantile(scores, weights, 0.7)
    whole_shared = q.weighted_quantile(scores[0], weights, 0.7)
    monkeypatch.setattr(q, "_BLOCK", 25)
    assert (q.weighted_quantile(scores, weights, 0.7) == whole).all()
    assert (q.weighted_quantile(scores[0], weights, 0.7) == whole_shared).all()


@settings(max_examples=200)
@given(
    atoms=st.lists(st.tuples(SCORE, WEIGHT), min_size=0, max_size=9),
    tests=st.lists(WEIGHT, min_size=1, max_size=5),
    alpha=ALPHAS,
)
def test_one_sort_equals_a_sort_for_each_test_point(atoms, tests, alpha):
    scores, weights = [a for a, _ in atoms], [w for _, w in atoms]
    want = naive.weighted_conformal_quantiles(scores, weights, tests, alpha)
    got = q.weighted_conformal_quantile(
        scores, [float(w) for w in weights], [float(w) for w in tests], float(alpha)
    )
    assert got.tolist() == want


def test_equal_weights_give_the_unweighted_quantile():
    scores = np.random.default_rng(2).normal(size=199)
    for alpha in (0.05, 0.1, 0.29):
        got = q.weighted_conformal_quantile(scores, np.ones(199), [1.0], alpha)
        assert got[0] == q.conformal_quantile(scores, alpha)


def test_mass_exactly_at_the_level_counts():
    # 9 calibration points and one test point at 10 %: the largest score, not infinity.
    scores = np.arange(9.0)
    assert q.weighted_quantile(scores, np.full(9, 0.1), 0.9, mass_at_infinity=0.1) == 8


@given(scores=st.lists(st.integers(-50, 50), min_size=1, max_size=30), alpha=ALPHAS)
def test_order_shift_and_scale_move_the_quantile_as_they_should(scores, alpha):
    alpha = float(alpha)
    base = q.conformal_quantile(scores, alpha)
    assert q.conformal_quantile(scores[::-1], alpha) == base
    assert q.conformal_quantile(4.0 * np.array(scores) + 3, alpha) == 4.0 * base + 3


@pytest.mark.statistical
@pytest.mark.parametrize(("n_cal", "alpha"), [(12, 0.2), (19, 0.1), (50, 0.1)])
def test_number_covered_is_beta_binomial(n_cal, alpha):
    """Chi-square of covered counts against the exact law; 1 % over three cases."""
    rng = np.random.default_rng(20)
    n_test, draws = 6, 20_000
    threshold = q.conformal_quantile(rng.random((draws, n_cal)), alpha)
    covered = (rng.random((draws, n_test)) <= threshold[:, None]).sum(axis=1)
    rank = q.conformal_rank(n_cal, alpha)
    law = stats.betabinom(n_test, rank, n_cal + 1 - rank)
    seen = np.bincount(covered, minlength=n_test + 1)
    wanted = draws * law.pmf(np.arange(n_test + 1))
    keep = wanted >= 5
    seen = np.append(seen[keep], seen[~keep].sum())
    wanted = np.append(wanted[keep], wanted[~keep].sum())
    use = wanted > 0
    assert stats.chisquare(seen[use], wanted[use]).pvalue > 0.01 / 3


@pytest.mark.parametrize(
    "alpha", [0, 1, -0.1, 1.5, float("nan"), "0.1", True, None, []]
)
def test_bad_levels_are_named(alpha):
    with pytest.raises(ValueError, match="alpha"):
        q.conformal_quantile([1.0, 2.0], alpha)


@pytest.mark.parametrize("n", [-1, 2.5, "3"])
def test_bad_sizes_are_named(n):
    with pytest.raises(ValueError, match="n must be a count"):
        q.conformal_rank(n, 0.1)


def test_bad_scores_and_weights_are_named():
    with pytest.raises(ValueError, match="scores holds 1 NaN"):
        q.conformal_quantile([1.0, np.nan], 0.1)
    with pytest.raises(ValueError, match="scores holds 1 NaN"):
        q.weighted_quantile([1.0, np.nan], [1, 1], 0.5)
    for weights in ([1.0, -1.0], [1.0, np.nan], [1.0, np.inf]):
        with pytest.raises(ValueError, match="weights"):
            q.weighted_quantile([1.0, 2.0], weights, 0.5)
    with pytest.raises(ValueError, match="one weight an atom"):
        q.weighted_quantile([1.0, 2.0], [1.0], 0.5)
    with pytest.raises(ValueError, match="mass_at_infinity"):
        q.weighted_quantile([1.0], [1.0], 0.5, mass_at_infinity=-1)
    with pytest.raises(ValueError, match="level"):
        q.weighted_quantile([1.0], [1.0], 1.5)
    with pytest.raises(ValueError, match="lengths differ"):
        q.weighted_conformal_quantile([1.0, 2.0], [1.0], [1.0], 0.1)
