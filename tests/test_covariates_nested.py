"""CP-MDA-Nested*: the sets against brute force, the estimators against loops."""

import warnings
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
from reference import covariates as naive
from scipy.stats import binom
from sklearn.linear_model import LinearRegression, LogisticRegression

from notebook_lib.covariates import (
    AdaptiveAtMost,
    AllRows,
    AtMost,
    Chosen,
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    CPMDANestedStarClassifier,
    Exact,
    GaussianImputer,
    ImputedSplitRegressor,
    PairPlan,
    PerMaskRegressor,
    RandomSupermask,
    SameMask,
    Supermask,
    closed_rank,
    count_naive_predictions,
    covering_segments,
    covering_union,
    label_counts,
    unstarred_bounds,
)
from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.masks import is_submask


@contextmanager
def quiet_infinite():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        yield


LINEAR = np.array([1.0, -2.0, 0.5, 3.0])


def linear_model(X, mask):
    """A point prediction that feels both the values and the mask."""
    return np.where(mask, 0.25, X) @ LINEAR[: X.shape[1]] - mask.sum(axis=1) / 2


def band_model(X, mask):
    """Quantiles, narrow enough for negative widths after calibration."""
    mu = linear_model(X, mask)
    return np.column_stack([mu - 0.5, mu + 0.5 + mask.sum(axis=1)])


def problem(rng, n=30, d=4, rate=0.4, ties=False):
    X = rng.integers(-2, 3, (n, d)) if ties else rng.normal(size=(n, d))
    M = rng.random((n, d)) < rate
    X = np.where(M, np.nan, X.astype(float))
    y = rng.integers(-4, 5, n) if ties else rng.normal(size=n) * 3
    return X, M, y.astype(float)


# ------------------------------------------------------------------- the sets


def random_intervals(rng, size):
    left = rng.integers(-4, 5, size).astype(float)
    right = left + rng.integers(-2, 7, size)
    special = rng.random(size)
    left[special < 0.03] = -np.inf
    right[special > 0.97] = np.inf
    return left, right


def test_covering_segments_equal_counting_with_ties_empties_and_infinities():
    rng = np.random.default_rng(0)
    grid = np.concatenate([np.arange(-9, 13, 0.5), [-1e9, 1e9]])
    n_unions = 0
    for _ in range(3000):
        left, right = random_intervals(rng, rng.integers(0, 12))
        r = int(rng.integers(0, len(left) + 2))
        union = covering_union(left[None], right[None], r)
        wanted = naive.covered_points(left, right, r, grid)
        found = np.array([union.contains([y])[0] for y in grid])
        np.testing.assert_array_equal(found, wanted)
        n_unions += union.n_segments()[0] > 1
    assert n_unions > 50


def test_shortcut_and_sweep_agree_row_by_row():
    from notebook_lib.covariates.nested import _sweep

    rng = np.random.default_rng(1)
    left = rng.normal(size=(400, 25)) - rng.exponential(size=(400, 1)) * 2
    right = rng.normal(size=(400, 25)) + rng.exponential(size=(400, 1)) * 2
    for r in (1, 3, 8, 25):
        row, start, end = covering_segments(left, right, r)
        empty = left > right
        swept = _sweep(
            np.where(empty, np.inf, left), np.where(empty, -np.inf, right), r
        )
        for found, wanted in zip((row, start, end), swept, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("intervals", "segments"),
    [
        ([(0, 1), (0, 1), (2, 3), (2, 3)], [(0, 1), (2, 3)]),
        ([(0, 1), (2, 3), (2.5, 4)], [(2.5, 3)]),
        ([(0, 1), (2, 3)], []),
        ([(0, 1), (1, 2)], [(1, 1)]),
    ],
)
def test_examples_by_hand(intervals, segments):
    left, right = np.array(intervals, dtype=float).T
    union = covering_union(left, right, 2)
    assert list(zip(union.lower, union.upper, strict=True)) == segments


def test_star_is_inside_unstarred_on_the_same_rows():
    rng = np.random.default_rng(2)
    strict = 0
    for _ in range(2000):
        left, right = random_intervals(rng, rng.integers(1, 12))
        r = int(rng.integers(1, len(left) + 1))
        union = covering_union(left, right, r)
        low, high = unstarred_bounds(left, right, r)[0]
        assert (union.lower >= low).all()
        assert (union.upper <= high).all()
        strict += union.length()[0] < max(high - low, 0) or union.n_segments()[0] > 1
    assert strict > 100


def test_a_common_point_makes_both_equal():
    rng = np.random.default_rng(3)
    left, right = -rng.exponential(size=(50, 20)), rng.exponential(size=(50, 20))
    for r in (1, 2, 19):
        hull = covering_union(left, right, r).hull()
        np.testing.assert_array_equal(hull, unstarred_bounds(left, right, r))


@pytest.mark.parametrize("n", [0, 1, 8, 9, 60])
def test_ranks_at_the_edges(n):
    assert closed_rank(n, 0) == 0
    assert closed_rank(n, 1) == n + 1
    assert (closed_rank(n, 0.1) == 0) == (n <= 8)
    low = np.zeros((2, n))
    assert covering_union(low, low + 1, 0).is_infinite().all()
    assert covering_union(low, low + 1, n + 1).is_empty().all()


def test_closed_rank_refuses_other_levels():
    for alpha in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="alpha"):
            closed_rank(5, alpha)


def test_nan_ends_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        covering_segments([[np.nan, 0.0]], [[1.0, 1.0]], 1)


def test_label_counts_equal_the_double_loop():
    rng = np.random.default_rng(4)
    for _ in range(100):
        scores = rng.integers(0, 4, 9) / 4
        slot = rng.integers(0, 3, 9)
        labels = rng.integers(0, 4, (5, 3, 2)) / 4
        wanted = [
            [sum(scores[k] < labels[i, slot[k], c] for k in range(9)) for c in range(2)]
            for i in range(5)
        ]
        np.testing.assert_array_equal(label_counts(scores, slot, labels), wanted)


# ------------------------------------------------------------- fast and naive


def fitted(cls, model, score, X, y, **options):
    """An estimator around a given function of (row, mask)."""
    estimator = cls(score=score, **options)
    estimator.models_ = [model]
    estimator.complete_columns_ = np.zeros(X.shape[1], dtype=bool)
    estimator.n_features_in_ = X.shape[1]
    estimator._train_ref = None
    return estimator.conformalize(X, y)


RULES = [
    AllRows(),
    Exact(),
    AtMost(1),
    AdaptiveAtMost(9),
    RandomSupermask(3),
    Supermask(lambda m: m | np.array([True, False, False, False])),
    Chosen(tuple(range(0, 30, 2))),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("kind", ["absolute", "quantile"])
@pytest.mark.parametrize("ties", [False, True])
def test_nested_star_equals_algorithm_1(rule, kind, ties):
    rng = np.random.default_rng(5)
    model = linear_model if kind == "absolute" else band_model
    X, M, y = problem(rng, ties=ties)
    X_new, M_new, _ = problem(rng, n=12, ties=ties)
    star = fitted(CPMDANestedStar, model, kind, X, y, alpha=0.2, subsample=rule)
    with quiet_infinite():
        _, (union,) = star.predict_union(X_new)
    # Without exact arithmetic an outcome at an end may fall on either side.
    grid = np.concatenate([np.linspace(-20, 20, 41), y if ties else y + 0.01])
    for i in range(len(X_new)):
        keep = rule.keep(M, M_new[i])
        wanted = naive.nested_star_contains(
            model, kind, (X, M, y), X_new[i], M_new[i], 0.2, keep, grid
        )
        mine = union.row == i
        found = (
            (union.lower[mine] <= grid[:, None]) & (grid[:, None] <= union.upper[mine])
        ).any(axis=1)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", ["absolute", "quantile"])
def test_nested_2023_exact_and_per_mask_equal_loops(kind):
    rng = np.random.default_rng(6)
    model = linear_model if kind == "absolute" else band_model
    X, M, y = problem(rng, n=40)
    X_new, M_new, _ = problem(rng, n=15)
    cal = (X, M, y)
    pairs = [
        (CPMDANested, lambda x, m: naive.nested_2023(model, kind, cal, x, m, 0.2)),
        (
            CPMDAExact,
            lambda x, m: naive.one_threshold(
                model, kind, cal, x, m, 0.2, is_submask(M, m)
            ),
        ),
        (
            PerMaskRegressor,
            lambda x, m: naive.one_threshold(
                model, kind, cal, x, m, 0.2, (m == M).all(axis=1)
            ),
        ),
    ]
    for cls, reference in pairs:
        with quiet_infinite():
            _, out = fitted(cls, model, kind, X, y, alpha=0.2).predict_interval(X_new)
        wanted = [reference(X_new[i], M_new[i]) for i in range(len(X_new))]
        np.testing.assert_allclose(out[:, :, 0], wanted, rtol=1e-9, err_msg=str(cls))


def test_nested_half_tails_is_nested_at_half_the_level():
    rng = np.random.default_rng(7)
    X, _, y = problem(rng, n=60)
    X_new = problem(rng, n=10)[0]
    half = fitted(CPMDANested, band_model, "quantile", X, y, alpha=0.2, tails="half")
    whole = fitted(CPMDANested, band_model, "quantile", X, y, alpha=0.1)
    np.testing.assert_array_equal(
        half.predict_interval(X_new)[1], whole.predict_interval(X_new)[1]
    )


def test_exact_is_nested_star_with_strategy_i_ties_included():
    rng = np.random.default_rng(8)
    X, _, y = problem(rng, n=80, ties=True)
    X_new = problem(rng, n=200, ties=True)[0]
    exact = fitted(CPMDAExact, linear_model, "absolute", X, y, alpha=0.25)
    star = fitted(
        CPMDANestedStar, linear_model, "absolute", X, y, alpha=0.25, subsample="exact"
    )
    with quiet_infinite():
        np.testing.assert_array_equal(
            exact.predict_interval(X_new)[1], star.predict_interval(X_new)[1]
        )


def test_nested_star_equals_algorithm_3_with_the_calibration_masks():
    """mdan-A10: own masks set to the test mask, the old ones as exogenous masks."""
    rng = np.random.default_rng(9)
    X, M, y = problem(rng, n=40)
    m = np.array([False, True, False, False])
    X_new = np.where(m, np.nan, rng.normal(size=(6, 4)))
    X_full = np.where(M, rng.normal(size=X.shape), X)
    star = fitted(CPMDANestedStar, linear_model, "absolute", X, y, alpha=0.2)
    _, (union,) = star.predict_union(X_new)
    grid = np.linspace(-15, 15, 61)
    for i, x in enumerate(X_new):
        wanted = naive.nested_star_contains(
            linear_model,
            "absolute",
            (np.where(M | m, np.nan, X_full), M, y),
            x,
            m,
            0.2,
            np.ones(40, bool),
            grid,
        )
        mine = union.row == i
        found = (
            (union.lower[mine] <= grid[:, None]) & (grid[:, None] <= union.upper[mine])
        ).any(axis=1)
        np.testing.assert_array_equal(found, wanted)


def test_classifier_equals_the_double_loop():
    rng = np.random.default_rng(10)
    X, _, _ = problem(rng, n=150)
    y = np.array(list("abc"))[rng.integers(0, 3, 150)]
    X_new, M_new, _ = problem(rng, n=25)
    model = CPMDANestedStarClassifier(
        LogisticRegression(), imputer=GaussianImputer(), alpha=0.2, subsample=1
    )
    model.fit(X[:70], y[:70]).conformalize(X[70:], y[70:])
    _, sets = model.predict_set(X_new)
    M_cal, code = np.isnan(X[70:]), np.searchsorted(["a", "b", "c"], y[70:])
    rule = AtMost(1)
    for i in range(len(X_new)):
        kept = np.flatnonzero(rule.keep(M_cal, M_new[i]))
        for c in range(3):
            count = 0
            for k in kept:
                both = M_cal[k] | M_new[i]
                own = naive._one(model.models_[0], X[70 + k], both)[code[k]]
                new = naive._one(model.models_[0], X_new[i], both)[c]
                count += 1 - own < 1 - new - 1e-12
            wanted = Fraction(count) < Fraction(8, 10) * (len(kept) + 1)
            assert sets[i, c, 0] == wanted


# --------------------------------------------------------- plans and counting


class Counting:
    """A model that remembers every (row, mask) pair it was asked for."""

    def __init__(self):
        self.pairs = []

    def __call__(self, X, mask):
        self.pairs += [row.tobytes() for row in np.nan_to_num(X, nan=1e9)]
        return linear_model(X, mask)


@pytest.mark.parametrize("subsample", ["all", "exact", 1])
def test_each_distinct_pair_is_predicted_once(subsample):
    rng = np.random.default_rng(11)
    X, M, y = problem(rng, n=60)
    X_new, M_new, _ = problem(rng, n=80)
    counting = Counting()
    star = fitted(
        CPMDANestedStar, counting, "absolute", X, y, alpha=0.2, subsample=subsample
    )
    rule = {"all": AllRows(), "exact": Exact()}.get(subsample, AtMost(1))
    list(star._views(X_new, M_new, 0, 0.2))
    wanted = set()
    for i, m in enumerate(M_new):
        for k in np.flatnonzero(rule.keep(M, m)):
            both = M[k] | m
            wanted.add(("cal", k, both.tobytes()))
            wanted.add(("test", i, both.tobytes()))
    plan = PairPlan(M, M_new, rule)
    assert len(counting.pairs) == len(wanted)
    assert plan.n_calibration_pairs + plan.n_test_pairs == len(wanted)
    assert len(wanted) < count_naive_predictions(M, M_new, rule)


def test_more_than_64_columns_work_like_few():
    rng = np.random.default_rng(12)
    d = 70
    M, M_new = rng.random((20, d)) < 0.02, rng.random((15, d)) < 0.02
    plan = PairPlan(M, M_new, AllRows())
    wanted = {
        (k, (M[k] | m).tobytes()) for m in np.unique(M_new, axis=0) for k in range(20)
    }
    assert plan.n_calibration_pairs == len(wanted)
    small = PairPlan(M[:, :60], M_new[:, :60], AllRows())
    padded = PairPlan(
        np.pad(M[:, :60], ((0, 0), (0, 30))),
        np.pad(M_new[:, :60], ((0, 0), (0, 30))),
        AllRows(),
    )
    assert small.n_calibration_pairs == padded.n_calibration_pairs
    assert small.n_test_pairs == padded.n_test_pairs


def test_results_do_not_depend_on_batch_or_order(monkeypatch):
    rng = np.random.default_rng(13)
    X, _, y = problem(rng, n=50)
    X_new = problem(rng, n=60)[0]
    star = fitted(CPMDANestedStar, band_model, "quantile", X, y, alpha=0.2)
    whole = star.predict_interval(X_new)[1]
    order = rng.permutation(60)
    np.testing.assert_array_equal(star.predict_interval(X_new[order])[1], whole[order])
    alone = np.concatenate(
        [star.predict_interval(X_new[i : i + 1])[1] for i in range(60)]
    )
    np.testing.assert_array_equal(alone, whole)
    monkeypatch.setattr("notebook_lib.covariates.pairs._BLOCK", 7)
    monkeypatch.setattr("notebook_lib.covariates.nested._BLOCK", 100)
    np.testing.assert_array_equal(star.predict_interval(X_new)[1], whole)


# ----------------------------------------------------------------------- rules


def test_rules_are_ordered_and_see_masks_only():
    rng = np.random.default_rng(14)
    for _ in range(100):
        M, m = rng.random((40, 10)) < 0.3, rng.random(10) < 0.3
        exact, one, two, every = (
            rule.keep(M, m) for rule in (Exact(), AtMost(1), AtMost(2), AllRows())
        )
        assert (exact <= one).all()
        assert (one <= two).all()
        assert (two <= every).all()
        np.testing.assert_array_equal(AtMost(0).keep(M, m), exact)
        np.testing.assert_array_equal(AtMost(int((~m).sum())).keep(M, m), every)
        assert (SameMask().keep(M, m) <= exact).all()


def test_adaptive_keeps_enough_rows_and_no_needless_ones():
    rng = np.random.default_rng(15)
    M = rng.random((250, 10)) < 0.4
    rule = AdaptiveAtMost.for_level(0.1)
    for _ in range(50):
        m = rng.random(10) < 0.4
        h = rule.chosen_h(M, m)
        assert rule.keep(M, m).sum() >= 9
        assert h == 0 or AtMost(h - 1).keep(M, m).sum() < 9


def test_random_supermask_depends_on_seed_and_mask_alone():
    m = np.array([True, False, False, False, False, False])
    first = RandomSupermask(1).supermask(m)
    assert (first >= m).all()
    np.testing.assert_array_equal(first, RandomSupermask(1).supermask(m.copy()))
    draws = {RandomSupermask(seed).supermask(m).tobytes() for seed in range(40)}
    assert len(draws) > 10


# ------------------------------------------------------------- guarantees


@pytest.mark.statistical
def test_per_mask_coverage_of_exact_with_the_oracle_predictor():
    """mdan-B4: E[K/(N+1)] on each mask; two-sided at 1 % over the masks."""
    from notebook_lib.covariates import GaussianLinear, equicorrelated
    from notebook_lib.masks import all_masks

    truth = GaussianLinear([1.0, 2.0, -1.0, 0.5], 0.0, equicorrelated(4, 0.5))
    rng, masks = np.random.default_rng(17), all_masks(4)
    n_reps, n_each = 250, 20
    covered = np.zeros((n_reps, 16))
    for rep in range(n_reps):
        X, y = truth.sample(60, rng)
        X[rng.random(X.shape) < 0.3] = np.nan
        exact = fitted(CPMDAExact, truth.conditional_mean, "absolute", X, y, alpha=0.1)
        X_new, y_new = truth.sample(16 * n_each, rng)
        X_new[np.repeat(masks, n_each, axis=0)] = np.nan
        with quiet_infinite():
            out = exact.predict_interval(X_new)[1][:, :, 0]
        inside = (out[:, 0] <= y_new) & (y_new <= out[:, 1])
        covered[rep] = inside.reshape(16, n_each).mean(axis=1)
    se = covered.std(axis=0, ddof=1) / np.sqrt(n_reps)
    seen = (~masks).sum(axis=1)
    for mean, error, q in zip(covered.mean(axis=0), se, seen, strict=True):
        sizes = np.arange(61)
        ranks = sizes + 1 - np.array([closed_rank(int(n), 0.1) for n in sizes])
        law = (binom.pmf(sizes, 60, 0.7**q) * ranks / (sizes + 1)).sum()
        assert abs(mean - law) < 3.42 * error + 1e-9  # 1 % over 16 masks


def test_split_cp_has_one_length_for_all_masks():
    rng = np.random.default_rng(17)
    X, _, y = problem(rng, n=50)
    X_new = problem(rng, n=30)[0]
    cp = fitted(ImputedSplitRegressor, linear_model, "absolute", X, y, alpha=0.1)
    out = cp.predict_interval(X_new)[1][:, :, 0]
    np.testing.assert_allclose(np.ptp(out[:, 1] - out[:, 0]), 0, atol=1e-12)


def test_a_real_fit_with_sklearn_models_and_two_levels():
    rng = np.random.default_rng(18)
    X, _, y = problem(rng, n=200)
    model = CPMDANestedStar(
        LinearRegression(), score="absolute", alpha=[0.1, 0.3], subsample="adaptive"
    )
    model.fit(X[:100], y[:100]).conformalize(X[100:180], y[100:180])
    y_pred, out = model.predict_interval(X[180:].copy())
    assert y_pred.shape == (20,)
    assert out.shape == (20, 2, 2)
    assert (out[:, 0, 0] <= out[:, 0, 1]).all()
    assert (out[:, 1, 0] >= out[:, 1, 1]).all()


def test_gradient_boosting_serves_as_quantile_model():
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(5)
    X = rng.normal(size=(500, 3))
    y = X[:, 0] ** 2 + 0.3 * rng.normal(size=500)
    X[rng.random(X.shape) < 0.2] = np.nan
    boosted = HistGradientBoostingRegressor(loss="quantile", max_iter=40)
    star = CPMDANestedStar(boosted, imputer=GaussianImputer(), alpha=0.2)
    star.fit(X[:200], y[:200]).conformalize(X[200:350].copy(), y[200:350])
    low, high = star.predict_interval(X[350:].copy())[1][:, :, 0].T
    covered = ((low <= y[350:]) & (y[350:] <= high)).mean()
    assert 0.7 <= covered <= 0.97  # 150 rows, level 0.8, above it by construction
    assert np.median(high - low) < np.ptp(np.quantile(y, [0.1, 0.9])) * 1.5
