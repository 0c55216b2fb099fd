"""Intervals, unions, densities and scores: a score and its inverse must agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import core as naive
from scipy import stats

from notebook_lib import intervals as iv
from notebook_lib.densities import GaussianMixture1D
from notebook_lib.scores import (
    AbsoluteScore,
    CumulativeLabelScore,
    LabelScore,
    MixtureDensityScore,
    NormalizedScore,
    QuantileScore,
)

INF = np.inf
EDGES = [(0.0, 1.0), (2.0, 2.0), (1.0, 0.0), (-INF, INF), (3.0, INF), (INF, -INF)]


def test_length_membership_and_emptiness_at_the_edges():
    bounds = np.array(EDGES)
    assert iv.length(bounds).tolist() == [1, 0, 0, INF, INF, 0]
    assert iv.is_empty(bounds).tolist() == [False, False, True, False, False, True]
    assert iv.is_infinite(bounds).tolist() == [False, False, False, True, True, False]
    assert iv.share_infinite(bounds) == pytest.approx(2 / 6)
    y = [1.0, 2.0, 0.5, 9.0, 2.9, 0.0]
    assert iv.contains(bounds, y).tolist() == [True, True, False, True, False, False]


def test_levels_are_a_last_axis():
    bounds = np.stack([np.array(EDGES), np.array(EDGES)[::-1]], axis=2)
    assert iv.length(bounds).shape == (6, 2)
    assert (iv.length(bounds)[:, 1] == iv.length(bounds)[::-1, 0]).all()
    assert iv.share_infinite(bounds).shape == (2,)
    assert iv.contains(bounds, np.zeros(6)).shape == (6, 2)


def test_a_union_of_one_interval_is_that_interval():
    bounds = np.array(EDGES)
    union = iv.IntervalUnion.from_bounds(*bounds.T)
    y = np.array([1.0, 2.0, 0.5, 9.0, 2.9, 0.0])
    assert (union.contains(y) == iv.contains(bounds, y)).all()
    assert (iv.contains(union, y) == iv.contains(bounds, y)).all()
    assert (iv.length(union) == iv.length(bounds)).all()
    assert (iv.is_empty(union) == iv.is_empty(bounds)).all()
    assert (iv.is_infinite(union) == iv.is_infinite(bounds)).all()
    proper = ~iv.is_empty(bounds)
    assert (union.hull()[proper] == bounds[proper]).all()
    assert union.hull()[2].tolist() == [INF, -INF]
    assert len(union) == 6
    assert union.n_segments().tolist() == [1, 1, 0, 1, 1, 0]
    assert repr(union) == "IntervalUnion(6 rows, 4 segments)"


def test_bad_sets_are_refused():
    with pytest.raises(ValueError, match="overlap"):
        iv.IntervalUnion([0, 0], [0.0, 0.5], [1.0, 2.0], 1)
    with pytest.raises(ValueError, match="lower"):
        iv.IntervalUnion([0], [1.0], [0.0], 1)
    with pytest.raises(ValueError, match="lower"):
        iv.IntervalUnion([0], [np.nan], [0.0], 1)
    with pytest.raises(ValueError, match="row"):
        iv.IntervalUnion([1], [0.0], [1.0], 1)
    with pytest.raises(ValueError, match="shape"):
        iv.length(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="y must have shape"):
        iv.contains(np.zeros((3, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="y must have shape"):
        iv.IntervalUnion.from_bounds([0.0], [1.0]).contains([0.0, 1.0])


# Multiples of 1/8: sums and differences are exact, so the two sides of an
# equivalence must agree to the last bit, on the boundary too.
EIGHTH = st.integers(-40, 40).map(lambda k: k / 8)
THRESHOLD = st.one_of(EIGHTH, st.just(INF))


@given(y=EIGHTH, mu=EIGHTH, q=THRESHOLD)
def test_absolute_set_holds_what_scores_at_most_q(y, mu, q):
    score = AbsoluteScore()
    inside = iv.contains(score.invert([mu], q), [y])[0]
    assert inside == (score.score([y], [mu])[0] <= q)


@given(y=EIGHTH, mu=EIGHTH, sigma=st.sampled_from([0.5, 1.0, 2.0]), q=THRESHOLD)
def test_normalized_set_holds_what_scores_at_most_q(y, mu, sigma, q):
    score = NormalizedScore()
    inside = iv.contains(score.invert([[mu, sigma]], q), [y])[0]
    assert inside == (score.score([y], [[mu, sigma]])[0] <= q)


@given(y=EIGHTH, lo=EIGHTH, hi=EIGHTH, q=THRESHOLD)
def test_quantile_set_holds_what_scores_at_most_q(y, lo, hi, q):
    score = QuantileScore()
    inside = iv.contains(score.invert([[lo, hi]], q), [y])[0]
    assert inside == (score.score([y], [[lo, hi]])[0] <= q)


@given(p=st.lists(st.integers(0, 8), min_size=2, max_size=5), q=st.integers(0, 8))
def test_label_sets_hold_what_scores_at_most_q(p, q):
    probabilities = np.array([p], dtype=float) / max(sum(p), 1)
    for score in (LabelScore(), CumulativeLabelScore()):
        inside = score.invert(probabilities, q / 8)[0]
        alone = [score.score([c], probabilities)[0] <= q / 8 for c in range(len(p))]
        assert inside.tolist() == alone


def test_cumulative_score_adds_up_from_the_likeliest():
    scores = CumulativeLabelScore().score_all([[0.2, 0.5, 0.3]])[0]
    np.testing.assert_allclose(scores, [1.0, 0.5, 0.8])


def test_scores_may_have_a_threshold_a_row():
    bounds = AbsoluteScore().invert([0.0, 0.0], [1.0, INF])
    assert bounds.tolist() == [[-1, 1], [-INF, INF]]
    assert LabelScore().invert([[0.9, 0.1]] * 2, [0.2, 1.0]).sum(1).tolist() == [1, 2]


def test_a_spread_must_be_positive_and_a_mixture_a_mixture():
    with pytest.raises(ValueError, match="sigma must be positive"):
        NormalizedScore().score([0.0], [[0.0, 0.0]])
    with pytest.raises(ValueError, match="two columns"):
        NormalizedScore().score([0.0], [0.0])
    with pytest.raises(ValueError, match="GaussianMixture1D"):
        MixtureDensityScore().score([0.0], np.zeros(1))


def random_mixture(rng, n=40, k=3):
    weights = rng.dirichlet(np.full(k, 0.5), size=n)
    means = rng.normal(scale=3, size=(n, k))
    return GaussianMixture1D(weights, means, rng.uniform(0.05, 1.5, size=(n, k)))


def test_mixture_density_is_the_sum_of_its_parts():
    mixture = random_mixture(np.random.default_rng(3))
    y = np.random.default_rng(4).normal(scale=3, size=40)
    want = (
        mixture.weights * stats.norm.pdf(y[:, None], mixture.means, mixture.sds)
    ).sum(1)
    np.testing.assert_allclose(np.exp(mixture.logpdf(y)), want, rtol=1e-12)
    np.testing.assert_allclose(mixture.mean(), (mixture.weights * mixture.means).sum(1))
    many = mixture.logpdf(np.column_stack([y, y]))
    assert many.shape == (40, 2)
    assert (many[:, 1] == mixture.logpdf(y)).all()


@pytest.mark.parametrize("quantile", [0.001, 0.05, 0.3, 0.7, 0.99])
def test_level_sets_hold_exactly_the_points_above_the_level(quantile):
    rng = np.random.default_rng(5)
    mixture = random_mixture(rng, n=60)
    level = mixture.logpdf(mixture.means).max(axis=1) + np.log(quantile)
    sets = mixture.level_set(level)
    assert sets.n_segments().max() <= 3
    probes = np.concatenate(
        [rng.uniform(-12, 12, size=(60, 300)), mixture.means], axis=1
    )
    above = mixture.logpdf(probes) >= level[:, None]
    for column, want in zip(probes.T, above.T, strict=True):
        assert (sets.contains(column) == want).all()


def test_level_set_lengths_agree_with_a_fine_grid():
    mixture = random_mixture(np.random.default_rng(6), n=3)
    level = np.full(3, -3.0)
    lengths = mixture.level_set(level).length()
    for row in range(3):
        one = GaussianMixture1D(
            mixture.weights[[row]], mixture.means[[row]], mixture.sds[[row]]
        )
        grid = np.linspace(-15, 15, 20_001)
        values = dict(zip(grid, one.logpdf(grid[None, :])[0], strict=True))
        want = naive.mixture_level_set_length(
            lambda y, values=values, grid=grid: values[
                grid[np.clip(np.searchsorted(grid, y), 0, 20_000)]
            ],
            -3.0,
            -15,
            15,
            cells=20_000,
        )
        assert lengths[row] == pytest.approx(want, abs=0.01)


def test_a_narrow_peak_and_a_narrow_gap_are_not_missed():
    peak = GaussianMixture1D([[0.999, 0.001]], [[0.0, 5.0]], [[1.0, 1e-3]])
    assert peak.level_set(np.log(0.05)).n_segments()[0] == 2
    # Two equal bumps: just below their saddle one piece, just above it two.
    twin = GaussianMixture1D([[0.5, 0.5]], [[-1.013, 1.017]], [[1.0, 1.0]])
    saddle = -0.5 * 1.015**2 - 0.5 * np.log(2 * np.pi)
    assert twin.level_set(saddle - 1e-9).n_segments()[0] == 1
    assert twin.level_set(saddle + 1e-9).n_segments()[0] == 2


def test_level_sets_at_infinite_levels_and_a_single_component():
    mixture = GaussianMixture1D([[1.0]] * 3, [[2.0]] * 3, 0.5)
    sets = mixture.level_set([-INF, INF, stats.norm.logpdf(0.5 * 1.5, scale=0.5)])
    assert sets.hull()[0].tolist() == [-INF, INF]
    assert sets.is_empty().tolist() == [False, True, False]
    np.testing.assert_allclose(sets.hull()[2], [1.25, 2.75], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.integers(-5, 5),
    scale=st.sampled_from([0.5, 2.0]),
)
def test_level_sets_follow_shift_and_scale(seed, shift, scale):
    mixture = random_mixture(np.random.default_rng(seed), n=5)
    level = mixture.logpdf(mixture.means[:, 0]) - 0.5
    moved = GaussianMixture1D(
        mixture.weights, scale * mixture.means + shift, scale * mixture.sds
    )
    base, other = mixture.level_set(level), moved.level_set(level - np.log(scale))
    assert (base.n_segments() == other.n_segments()).all()
    np.testing.assert_allclose(
        other.length(), scale * base.length(), rtol=1e-7, atol=1e-7
    )


def test_density_scores_invert_to_level_sets():
    mixture = random_mixture(np.random.default_rng(7))
    y = np.random.default_rng(8).normal(scale=3, size=40)
    scores = MixtureDensityScore().score(y, mixture)
    q = np.median(scores)
    inside = MixtureDensityScore().invert(mixture, q).contains(y)
    assert (inside == (scores <= q)).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([[0.5, 0.4]], [[0.0, 1.0]], 1.0), "weights"),
        (([[1.5, -0.5]], [[0.0, 1.0]], 1.0), "weights"),
        (([[0.5, 0.5]], [[0.0, np.nan]], 1.0), "means"),
        (([[0.5, 0.5]], [[0.0, 1.0]], 0.0), "sds"),
        (([0.5, 0.5], [0.0, 1.0], 1.0), "shape"),
    ],
)
def test_bad_mixtures_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        GaussianMixture1D(*arguments)
