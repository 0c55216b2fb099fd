"""Algorithm 1, its baselines, the estimator, and the table of bad inputs."""

import warnings

import numpy as np
import pytest
from reference import matrix as reference
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.matrix import (
    ALS,
    Calibration,
    ColumnMean,
    ConformalizationWeights,
    HyperCube,
    HyperRectangle,
    HyperSphere,
    SmallSampleWarning,
    StructuredConformalCompletion,
    bonferroni,
    calibrate,
    clip_to_range,
    individual_thresholds,
    sample_test_groups,
    sample_without_replacement,
    scmc,
    structured_split,
    synthetic_ratings,
    theorem_matrix,
    unadjusted,
)
from notebook_lib.quantiles import conformal_rank, weighted_quantile

pytestmark = pytest.mark.filterwarnings(
    "ignore::notebook_lib.matrix.SmallSampleWarning"
)


@pytest.fixture(scope="module")
def problem():
    M, w, wstar = theorem_matrix(0, n_rows=40, n_cols=30)
    observed = sample_without_replacement(w, 500, 1)
    tests = sample_test_groups(~observed, 2, 15, 2, test_weights=wstar)
    return M, observed, w, wstar, tests


def _truth(M, tests):
    return M[tests[..., 0], tests[..., 1]]


# ------------------------------------------------------------------- algorithms


def test_scmc_equals_the_literal_algorithm(problem):
    M, observed, w, wstar, tests = problem
    calibration = calibrate(
        M,
        observed,
        2,
        ColumnMean(),
        3,
        n_groups=60,
        observation_weights=w,
        test_weights=wstar,
    )
    h = calibration.weights.scale
    groups = calibration.weights.groups
    want = [
        reference.scmc_threshold(
            M, calibration.fitted, observed, groups, test, w, wstar, 0.1, h
        )
        for test in tests[:6]
    ]
    regions = calibration.regions(tests[:6], 0.1)
    np.testing.assert_array_equal(regions.threshold, want)
    np.testing.assert_allclose(
        regions.width(), np.repeat(2 * regions.threshold[:, None], 2, 1), rtol=1e-12
    )
    assert regions.lower.shape == regions.upper.shape == (6, 2)


def test_thresholds_equal_the_core_quantile(problem):
    M, observed, w, wstar, tests = problem
    split = structured_split(observed, 2, 40, 0)
    fitted = np.zeros_like(M)
    made = Calibration.from_groups(M, observed, split.groups, fitted, w, wstar)
    p = made.weights.matrix(tests)
    for alpha in (0.05, 0.1, 0.4):
        want = weighted_quantile(
            made.scores, p[:, :-1], 1 - alpha, mass_at_infinity=p[:, -1]
        )
        np.testing.assert_array_equal(made.thresholds(tests, alpha)[0], want)
    both, _ = made.thresholds(tests, [0.05, 0.4])
    np.testing.assert_array_equal(both[:, 0], made.thresholds(tests, 0.05)[0])


def test_order_of_calibration_groups_does_not_matter(problem):
    M, observed, w, wstar, tests = problem
    groups = structured_split(observed, 2, 40, 0).groups
    scores = np.abs(M[groups[..., 0], groups[..., 1]]).max(axis=1)
    unsorted = Calibration(
        np.zeros_like(M),
        scores,
        ConformalizationWeights(observed, groups, w, wstar),
        HyperCube(),
    )
    made = Calibration.from_groups(M, observed, groups, np.zeros_like(M), w, wstar)
    np.testing.assert_array_equal(
        unsorted.thresholds(tests, 0.2)[0], made.thresholds(tests, 0.2)[0]
    )


def test_covered_if_and_only_if_the_score_is_small_enough(problem):
    M, observed, w, wstar, tests = problem
    options = dict(n_groups=80, observation_weights=w, test_weights=wstar)
    regions = scmc(M, observed, tests, ColumnMean(), 3, **options)
    truth = _truth(M, tests)
    inside = ((regions.lower <= truth) & (truth <= regions.upper)).all(axis=1)
    np.testing.assert_array_equal(regions.covers(truth), inside)


def test_the_two_scales_of_the_cube_give_one_region(problem):
    """Scores max e and max e / (1 + e) select the same calibration group."""
    M, observed, _, _, tests = problem
    made = calibrate(M, observed, 2, ColumnMean(), 3, n_groups=60)
    tau, _ = made.thresholds(tests, 0.1)
    squeezed = Calibration(
        made.fitted, made.scores / (1 + made.scores), made.weights, made.rule
    )
    small, _ = squeezed.thresholds(tests, 0.1)
    np.testing.assert_allclose(small / (1 - small), tau, rtol=1e-12)


def test_infinite_regions_are_infinite_with_one_warning(problem):
    M, observed, _, _, tests = problem
    with pytest.warns(InfiniteSetWarning, match="15 of 15") as caught:
        regions = scmc(M, observed, tests, ColumnMean(), 3, n_groups=5, alpha=0.05)
    assert sum(issubclass(w.category, InfiniteSetWarning) for w in caught) == 1
    assert np.isinf(regions.width()).all()
    assert regions.is_infinite.all()
    assert regions.covers(_truth(M, tests)).all()
    made = calibrate(M, observed, 2, ColumnMean(), 3, n_groups=5)
    largest = made.regions(tests, 0.05, infinite="max", warn=False)
    np.testing.assert_array_equal(largest.threshold, made.scores.max())
    assert largest.is_infinite.all()


def test_nine_equal_weights_reach_ninety_percent():
    """The cumulative sum 0.1 + ... misses 0.9 in floating point (trap E18)."""
    rng = np.random.default_rng(0)
    M = rng.normal(size=(20, 6))
    observed = np.zeros_like(M, dtype=bool)
    observed[:9] = True
    made = calibrate(M, observed, 1, ColumnMean(), 1, n_groups=9)
    assert made.weights.uniform
    tests = np.array([[[15, 2]]])
    assert made.thresholds(tests, 0.1)[0] == made.scores.max()
    p = made.weights.matrix(tests)
    by_weights = weighted_quantile(
        made.scores, p[:, :-1], 0.9, mass_at_infinity=p[:, -1]
    )
    assert by_weights == made.scores.max()


def test_unadjusted_is_scmc_with_groups_of_one(problem):
    M, observed, w, _, tests = problem
    options = dict(observation_weights=w, n_groups=30)
    cells = unadjusted(M, observed, tests, ColumnMean(), 5, **options)
    one = scmc(
        M,
        observed,
        tests.reshape(-1, 1, 2),
        ColumnMean(),
        5,
        observation_weights=w,
        n_groups=60,
    )
    np.testing.assert_array_equal(cells.threshold.ravel(), one.threshold)
    wider = bonferroni(M, observed, tests, ColumnMean(), 5, **options)
    assert (wider.threshold >= cells.threshold).all()


def test_constant_weights_give_the_ordinary_rank(problem):
    M, observed, _, _, tests = problem
    made = calibrate(M, observed, 1, ColumnMean(), 5, n_groups=120)
    regions = made.cell_regions(tests, 0.1)
    rank = conformal_rank(120, 0.1)
    assert (regions.threshold == np.sort(made.scores)[rank - 1]).all()


@pytest.mark.statistical
@pytest.mark.parametrize("rule", [HyperCube(), HyperRectangle(), HyperSphere()])
def test_each_rule_covers(rule):
    M, w, wstar = theorem_matrix(1)
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        observed = sample_without_replacement(w, 1200, rng)
        tests = sample_test_groups(~observed, 2, 1, rng, test_weights=wstar)
        regions = scmc(
            M,
            observed,
            tests,
            ColumnMean(),
            rng,
            n_groups=200,
            observation_weights=w,
            test_weights=wstar,
            rule=rule,
        )
        covered.append(regions.covers(_truth(M, tests))[0])
    # Theorems 1 and 2: between 0.9 and 0.9 + E max p = 0.937; 0.003 to each side.
    error = np.sqrt(0.09 / 400)
    assert 0.9 - 3 * error <= np.mean(covered) <= 0.937 + 3 * error


def test_rectangle_at_a_prediction_of_zero():
    rule = HyperRectangle()
    score = rule.score([[1.0, 2.0], [0.0, 2.0]], [[0.0, 2.0], [0.0, 2.0]])
    np.testing.assert_array_equal(score, [np.inf, 0.0])
    lower, upper = rule.bounds(np.array([[0.0, 2.0]]), [np.inf])
    assert np.isneginf(lower).all()
    assert np.isposinf(upper).all()
    lower, upper = rule.bounds(np.array([[0.0, -2.0]]), [0.5])
    np.testing.assert_array_equal(lower, [[0, -3]])
    np.testing.assert_array_equal(upper, [[0, -1]])


def test_individual_thresholds_equal_the_definition():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, 30).astype(float)
    p, q = rng.uniform(0.05, 1, 30), np.array([0.02, 0.5, 1.0])
    p[3] = 1.0
    for alpha in (0.1, 0.3):
        want = [reference.individual_threshold(scores, p, t, alpha) for t in q]
        np.testing.assert_array_equal(individual_thresholds(scores, p, q, alpha), want)


# -------------------------------------------------------------------- estimator


def test_verbs_agree_with_the_functions(problem):
    M, observed, w, wstar, tests = problem
    model = StructuredConformalCompletion(
        ColumnMean(), alpha=[0.1, 0.3], n_groups=50, random_state=3
    )
    hidden = np.where(observed, M, np.nan)
    assert clone(model).get_params()["n_groups"] == 50
    model.fit(hidden).conformalize(w, wstar)
    prediction, intervals = model.predict_interval(tests)
    assert prediction.shape == (15, 2)
    assert intervals.shape == (15, 2, 2, 2)
    for level, alpha in enumerate((0.1, 0.3)):
        regions = scmc(
            M,
            observed,
            tests,
            ColumnMean(),
            3,
            alpha=alpha,
            n_groups=50,
            observation_weights=w,
            test_weights=wstar,
        )
        np.testing.assert_array_equal(intervals[:, :, 0, level], regions.lower)
        np.testing.assert_array_equal(intervals[:, :, 1, level], regions.upper)


def test_bundles_are_groups_of_the_transposed_matrix(problem):
    M, observed, w, wstar, tests = problem
    options = dict(completion=ColumnMean(), n_groups=50, random_state=3)
    upright = StructuredConformalCompletion(**options).fit(M, observed)
    upright.conformalize(w, wstar)
    turned = StructuredConformalCompletion(axis="row", **options).fit(M.T, observed.T)
    turned.conformalize(w.T, wstar.T)
    np.testing.assert_array_equal(turned.completed_, upright.completed_.T)
    a, b = upright.predict_interval(tests), turned.predict_interval(tests[..., ::-1])
    np.testing.assert_array_equal(a[1], b[1])
    with pytest.raises(ValueError, match="one row"):
        turned.predict_interval(tests)


def test_bounds_clip_both_ends(problem):
    ratings = synthetic_ratings(0, n_users=60, n_films=40, n_ratings=1200)
    model = StructuredConformalCompletion(
        ALS(2, max_sweeps=5), bounds=(1, 5), n_groups=150
    )
    model.fit(ratings.truth, ratings.observed)
    model.conformalize(ratings.observation_weights)
    groups = sample_test_groups(~ratings.observed, 2, 40, 1)
    _, intervals = model.predict_interval(groups)
    assert ((intervals >= 1) & (intervals <= 5)).all()
    assert (intervals[:, :, 0] <= intervals[:, :, 1]).all()
    lower, upper, outside = clip_to_range([7.0, 0.0], [11.0, 2.0], 1, 5)
    np.testing.assert_array_equal(upper - lower, [0, 1])
    np.testing.assert_array_equal(outside, [True, False])


def test_verbs_out_of_order(problem):
    M, observed, _, _, tests = problem
    model = StructuredConformalCompletion(ColumnMean(), n_groups=50)
    with pytest.raises(NotFittedError, match="fit before"):
        model.conformalize()
    model.fit(M, observed)
    with pytest.raises(NotFittedError, match="conformalize"):
        model.predict_interval(tests)
    model.conformalize().predict_interval(tests)
    model.fit(M, observed)
    with pytest.raises(NotFittedError, match="conformalize"):
        model.predict_interval(tests)


# ------------------------------------------------------- bad inputs, row by row


def _scmc(problem, **changes):
    M, observed, w, wstar, tests = problem
    given = dict(
        M=M,
        observed=observed,
        tests=tests,
        completion=ColumnMean(),
        rng=0,
        n_groups=50,
        observation_weights=w,
        test_weights=wstar,
    )
    given |= changes
    return scmc(**given)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5, np.nan, "0.1", True])
def test_alpha_out_of_range(problem, alpha):
    with pytest.raises(ValueError, match="alpha"):
        _scmc(problem, alpha=alpha)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, None])
def test_group_size_not_a_count(problem, size):
    M, observed, *_ = problem
    with pytest.raises(ValueError, match="group_size"):
        calibrate(M, observed, size, ColumnMean(), 0)


def test_group_larger_than_a_column(problem):
    M, observed, *_ = problem
    with pytest.raises(ValueError, match=r"group_size=41 is larger"):
        calibrate(M, observed, 41, ColumnMean(), 0)


def test_group_larger_than_every_observed_column():
    observed = np.zeros((6, 4), dtype=bool)
    observed[0] = True
    with pytest.raises(ValueError, match="xi_obs"):
        calibrate(np.ones((6, 4)), observed, 2, ColumnMean(), 0)


def test_group_larger_than_every_missing_column():
    observed = np.ones((6, 4), dtype=bool)
    observed[0] = False
    with pytest.raises(ValueError, match="no column has 2 missing"):
        calibrate(np.ones((6, 4)), observed, 2, ColumnMean(), 0, n_groups=2)


def test_zero_test_weights_can_close_every_column(problem):
    wstar = np.zeros_like(problem[3])
    wstar[0] = 1.0
    with pytest.raises(ValueError, match="positive test weight"):
        _scmc(problem, test_weights=wstar)


@pytest.mark.parametrize("n", [0, -3, 10_000, 2.0])
def test_n_not_feasible(problem, n):
    with pytest.raises(ValueError, match="n_groups"):
        _scmc(problem, n_groups=n)


def test_n_that_leaves_nothing_to_train_on():
    observed = np.zeros((6, 4), dtype=bool)
    observed[:4] = True
    with pytest.raises(ValueError, match="no cell to train"):
        calibrate(np.ones((6, 4)), observed, 2, ColumnMean(), 0, n_groups=8)


@pytest.mark.parametrize("name", ["observation_weights", "test_weights"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_weights_not_finite_or_negative(problem, name, bad):
    weights = np.ones_like(problem[0])
    weights[0, 0] = bad
    with pytest.raises(ValueError, match=name):
        _scmc(problem, **{name: weights})


@pytest.mark.parametrize("name", ["observation_weights", "test_weights"])
def test_weights_of_another_shape(problem, name):
    with pytest.raises(ValueError, match=name):
        _scmc(problem, **{name: np.ones((3, 3))})


def test_observed_cell_of_weight_zero(problem):
    w = problem[2].copy()
    w[tuple(np.argwhere(problem[1])[0])] = 0.0
    with pytest.raises(ValueError, match="0 on an observed cell"):
        _scmc(problem, observation_weights=w)


def test_test_cell_of_sampling_weight_zero_is_infinite(problem):
    _, _, w, _, tests = problem
    w = w.copy()
    w[tests[0, 0, 0], tests[0, 0, 1]] = 0.0
    with pytest.warns(InfiniteSetWarning, match="1 of 1 "):
        regions = _scmc(problem, observation_weights=w, tests=tests[:1])
    assert np.isinf(regions.threshold[0])


def test_test_cell_of_test_weight_zero(problem):
    _, _, _, wstar, tests = problem
    wstar = wstar.copy()
    wstar[tests[0, 0, 0], tests[0, 0, 1]] = 0.0
    with pytest.raises(ValueError, match="test_weights is 0 on a test cell"):
        _scmc(problem, test_weights=wstar)


def test_calibration_group_of_test_weight_zero_counts_for_nothing(problem):
    _, observed, w, wstar, tests = problem
    groups = structured_split(observed, 2, 40, 0).groups
    wstar = wstar.copy()
    wstar[groups[4, 1, 0], groups[4, 1, 1]] = 0.0
    p = ConformalizationWeights(observed, groups, w, wstar).matrix(tests)
    assert (p[:, 4] == 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_test_groups_that_cannot_be(problem):
    _, observed, _, _, tests = problem
    seen = np.argwhere(observed)
    column = seen[seen[:, 1] == seen[0, 1]]
    cases = {
        "some are observed": column[None, :2],
        "repeats a cell": tests[:1, [0, 0]],
        "outside the matrix": tests[:1] + 1000,
        "one column": np.array([[[0, 0], [1, 1]]]),
        r"shape \(m, K, 2\)": tests[0],
    }
    for word, bad in cases.items():
        with pytest.raises(ValueError, match=word):
            _scmc(problem, tests=bad)
    with pytest.raises(ValueError, match="integer"):
        _scmc(problem, tests=tests.astype(float))


def test_observed_that_disagrees_with_nan(problem):
    M, observed, *_ = problem
    for bad in (np.nan, np.inf):
        broken = M.copy()
        broken[tuple(np.argwhere(observed)[0])] = bad
        with pytest.raises(ValueError, match="1 cells that observed calls seen"):
            _scmc(problem, M=broken)
    hidden = np.where(observed, M, np.nan)
    assert np.isfinite(_scmc(problem, M=hidden).threshold).any()


def test_all_or_none_observed(problem):
    M = problem[0]
    with pytest.raises(ValueError, match="nothing to predict"):
        _scmc(problem, observed=np.ones_like(M, dtype=bool))
    with pytest.raises(ValueError, match="nothing to learn"):
        _scmc(problem, observed=np.zeros_like(M, dtype=bool))


def test_masks_must_be_boolean_and_of_the_same_shape(problem):
    M, observed, *_ = problem
    with pytest.raises(ValueError, match="boolean"):
        _scmc(problem, observed=observed.astype(int))
    with pytest.raises(ValueError, match="shape"):
        _scmc(problem, M=M[:-1])
    with pytest.raises(ValueError, match="universe"):
        _scmc(problem, universe=np.zeros_like(observed))


def test_completion_that_returns_nan_or_another_shape(problem):
    class Broken:
        def __init__(self, value):
            self.value = value

        def fit(self, M, observed):
            return self

        def predict(self):
            return self.value

    shape = problem[0].shape
    for value, word in ((np.full(shape, np.nan), "NaN"), (np.ones((2, 2)), "shape")):
        with pytest.raises(ValueError, match=word):
            _scmc(problem, completion=Broken(value))


def test_column_without_observations_is_allowed(problem):
    M, observed, _, wstar, _ = problem
    observed = observed.copy()
    observed[:, 3] = False
    tests = np.array([[[0, 3], [5, 3]], [[7, 3], [2, 3]]])
    regions = scmc(
        M, observed, tests, ALS(2, max_sweeps=3), 0, n_groups=100, test_weights=wstar
    )
    np.testing.assert_array_equal(regions.prediction, 0)
    assert not np.isnan(regions.threshold).any()


def test_bonferroni_level_too_small_for_its_calibration_set(problem):
    M, observed, _, _, tests = problem
    with pytest.warns(InfiniteSetWarning):
        regions = bonferroni(M, observed, tests, ColumnMean(), 0, n_groups=5)
    assert np.isinf(regions.threshold).all()  # 10 cells, 0.1 / 2 < 1 / 11


@pytest.mark.filterwarnings("default::notebook_lib.matrix.SmallSampleWarning")
def test_few_groups_or_few_that_carry_weight_warn(problem):
    M, observed, _, _, tests = problem
    with pytest.warns(SmallSampleWarning, match="only 50 calibration groups"):
        scmc(M, observed, tests, ColumnMean(), 0, n_groups=50)
    steep = np.exp(3 * np.random.default_rng(0).normal(size=M.shape))
    with pytest.warns(SmallSampleWarning, match="effective"):
        _scmc(problem, observation_weights=steep)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scmc(M, observed, tests, ColumnMean(), 0, n_groups=120)


@pytest.mark.parametrize("p", [0.0, -0.1, 1.1, np.nan])
def test_probability_out_of_range(p):
    with pytest.raises(ValueError, match="probability"):
        individual_thresholds([1.0, 2.0], [0.5, p], [0.5])
    with pytest.raises(ValueError, match="test_probability"):
        individual_thresholds([1.0, 2.0], [0.5, 0.5], [p])


@pytest.mark.parametrize("bounds", [(5, 1), (3, 3), (np.nan, 5)])
def test_rating_bounds_inverted(problem, bounds):
    with pytest.raises(ValueError, match="low < high"):
        clip_to_range([1.0], [2.0], *bounds)
    with pytest.raises(ValueError, match="bounds"):
        StructuredConformalCompletion(bounds=bounds).fit(problem[0], problem[1])


@pytest.mark.parametrize(
    "options",
    [dict(axis="diagonal"), dict(infinite="clip"), dict(method="guess"), dict(alpha=2)],
)
def test_unknown_options(problem, options):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        StructuredConformalCompletion(**options).fit(problem[0], problem[1])
