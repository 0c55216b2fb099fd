"""Bad inputs of chapter 2, row by row: the type, the argument, what to do about it.

The rows are those of the table of bad inputs in the chapter's specification; the
functions and the estimator are asked alike.
"""

import warnings

import numpy as np
import pytest

from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.matrix import (
    ALS,
    ColumnMean,
    HyperRectangle,
    SmallSampleWarning,
    StructuredConformalCompletion,
    bonferroni,
    calibrate,
    clip_to_range,
    individual_thresholds,
    laplace_scale,
    sample_test_groups,
    sample_without_replacement,
    scmc,
    theorem_matrix,
    unadjusted,
)

M, W, WSTAR = theorem_matrix(0, n_rows=40, n_cols=30)
OBSERVED = sample_without_replacement(W, 500, 1)
TESTS = sample_test_groups(~OBSERVED, 2, 15, 2, test_weights=WSTAR)
FIRST = tuple(np.argwhere(OBSERVED)[0])

pytestmark = pytest.mark.filterwarnings(
    "ignore::notebook_lib.matrix.SmallSampleWarning"
)


def changed(matrix, cell, value):
    matrix = matrix.copy()
    matrix[tuple(cell)] = value
    return matrix


def only_first_row(value):
    mask = np.full((6, 4), not value)
    mask[0] = value
    return mask


def function(**given):
    """Algorithm 1 as a function."""
    usual = dict(
        M=M,
        observed=OBSERVED,
        tests=TESTS,
        completion=ColumnMean(),
        rng=0,
        n_groups=50,
        observation_weights=W,
        test_weights=WSTAR,
    )
    return scmc(**(usual | given))


def estimator(**given):
    """The three verbs, with the same names."""
    fit = dict(M=np.where(OBSERVED, M, np.nan), observed=OBSERVED)
    weigh = dict(observation_weights=W, test_weights=WSTAR)
    tests = given.pop("tests", TESTS)
    fit |= {name: given.pop(name) for name in list(given) if name in fit}
    weigh |= {name: given.pop(name) for name in list(given) if name in weigh}
    usual = dict(completion=ColumnMean(), n_groups=50, random_state=0) | given
    model = StructuredConformalCompletion(**usual)
    return model.fit(**fit).conformalize(**weigh).predict_interval(tests)


def group_size(size):
    return lambda: calibrate(M, OBSERVED, size, ColumnMean(), 0)


def of_both(**given):
    return [lambda: function(**given), lambda: estimator(**given)]


class Returns:
    """A completion that returns whatever it was told to."""

    def __init__(self, value):
        self.value = value

    def fit(self, M, observed):
        return self

    def predict(self):
        return self.value


NO_TRAINING = np.zeros((6, 4), dtype=bool)
NO_TRAINING[:4] = True
COLUMN = np.argwhere(OBSERVED)[np.argwhere(OBSERVED)[:, 1] == FIRST[1]][:2]
OPEN_ROW = np.zeros_like(WSTAR)
OPEN_ROW[0] = 1.0

#: Row of the table; calls; the argument by name; what the message says to do.
ROWS = {
    "alpha outside (0, 1)": (
        [call for a in (0, 1, -0.1, np.nan) for call in of_both(alpha=a)],
        "alpha",
        r"must lie in \(0, 1\)",
    ),
    "K no count": (
        [group_size(size) for size in (0, -1, 1.5, True, None)]
        + [lambda: estimator(group_size=1.5)],
        "group_size",
        "must be a whole number >= 1",
    ),
    "shapes differ": (
        [
            lambda: function(M=M[:-1]),
            lambda: estimator(M=M[:-1]),
            *of_both(observation_weights=np.ones((3, 3))),
            *of_both(test_weights=np.ones((3, 3))),
        ],
        "M has|observation_weights|test_weights",
        r"\(40, 30\): give (both the same shape|one weight for each cell)",
    ),
    "K larger than the rows": (
        [group_size(41), lambda: estimator(group_size=41)],
        "group_size=41",
        "larger than the possible 40: lower it",
    ),
    "no column holds K observed cells": (
        [
            lambda: calibrate(
                np.ones((6, 4)), only_first_row(True), 2, ColumnMean(), 0
            ),
            lambda: StructuredConformalCompletion().fit(
                np.ones((6, 4)), only_first_row(True)
            ),
        ],
        "group_size=2",
        r"xi_obs = 0\): use smaller groups",
    ),
    "weights too far apart for their sum": (
        of_both(observation_weights=changed(W, FIRST, 1e17)),
        "observation_weights",
        "raise the smallest",
    ),
    "n below 1": (of_both(n_groups=0), "n_groups", ">= 1"),
    "n above xi": (
        of_both(n_groups=10_000),
        "n_groups=10000",
        r"xi_obs = (\d+) at group_size=2; give n_groups of at most \1",
    ),
    "n that leaves nothing to train on": (
        [
            lambda: calibrate(
                np.ones((6, 4)), NO_TRAINING, 2, ColumnMean(), 0, n_groups=8
            ),
            lambda: StructuredConformalCompletion(n_groups=8).fit(
                np.ones((6, 4)), NO_TRAINING
            ),
        ],
        "n_groups=8",
        "use fewer groups",
    ),
    "no column misses K cells": (
        [
            lambda: calibrate(
                np.ones((6, 4)), only_first_row(False), 2, ColumnMean(), 0, n_groups=2
            ),
            *of_both(test_weights=OPEN_ROW),
        ],
        "missing cells with positive test weight",
        "no test group of this size exists; use smaller groups",
    ),
    "NaN or infinite where observed": (
        [
            call
            for bad in (np.nan, np.inf)
            for call in of_both(M=changed(M, FIRST, bad), observed=OBSERVED)
        ],
        "M is NaN or infinite",
        "1 cells that observed calls seen: set observed to False there",
    ),
    "NaN or another shape from the completion": (
        [
            *of_both(completion=Returns(np.full(M.shape, np.nan))),
            *of_both(completion=Returns(np.ones((2, 2)))),
        ],
        r"completion\.predict\(\)",
        r"NaN.*: return a finite|expected \(40, 30\): return the whole",
    ),
    "weights NaN, infinite or negative": (
        [
            call
            for name, weights in (("observation_weights", W), ("test_weights", WSTAR))
            for bad in (np.nan, np.inf, -1.0)
            for call in of_both(**{name: changed(weights, (0, 0), bad)})
        ],
        "observation_weights|test_weights",
        "must be finite and >= 0, but 1 entries are not: replace them",
    ),
    "w of 0 on an observed cell": (
        of_both(observation_weights=changed(W, FIRST, 0.0)),
        "observation_weights is 0",
        "on an observed cell.*: give every observed cell a positive weight",
    ),
    "w of 0 on every missing cell": (
        of_both(observation_weights=np.where(OBSERVED, W, 0.0)),
        "observation_weights is 0",
        "on every missing cell: give those that .* a positive weight",
    ),
    "w* of 0 on a test cell": (
        of_both(test_weights=changed(WSTAR, TESTS[0, 0], 0.0)),
        "test_weights",
        "never (drawn|asked for): give it a positive weight",
    ),
    "test cells that are observed": (
        of_both(tests=COLUMN[None]),
        "tests|groups",
        "must hold missing cells only.*; leave those groups out",
    ),
    "a test cell twice": (
        of_both(tests=TESTS[:1, [0, 0]]),
        "tests|groups",
        "repeats a cell; give 2 different cells",
    ),
    "test cells outside": (
        of_both(tests=TESTS[:1] + 1000) + of_both(tests=TESTS[:1] - 1000),
        "tests|groups",
        r"outside the matrix of shape \(40, 30\): count .* from 0",
    ),
    "a test group across columns": (
        of_both(tests=np.array([[[0, 0], [1, 1]]])),
        "tests|groups",
        "must lie in one column; put cells of other columns into groups",
    ),
    "test groups no integers of shape (m, K, 2)": (
        of_both(tests=TESTS[0]) + of_both(tests=TESTS.astype(float)),
        "tests|groups",
        r"must be an integer array of shape \(m, K, 2\).*: put a single group into",
    ),
    "all cells observed": (
        of_both(M=M, observed=np.ones_like(OBSERVED)),
        "observed",
        "nothing to predict; .*set observed to False",
    ),
    "no cell observed": (
        of_both(observed=np.zeros_like(OBSERVED)),
        "observed",
        "nothing to learn from; set observed to True",
    ),
    "a mask of integers": (
        of_both(observed=OBSERVED.astype(int)),
        "observed",
        r"must be a two-dimensional boolean array.*: convert .*astype\(bool\)",
    ),
    "a universe of another shape": (
        [
            lambda: function(universe=np.ones((3, 3), bool)),
            lambda: StructuredConformalCompletion(ColumnMean()).fit(
                M, OBSERVED, universe=np.ones((3, 3), bool)
            ),
        ],
        "universe",
        r"expected \(40, 30\): give one entry for each cell",
    ),
    "observed cells outside the universe": (
        [
            lambda: function(universe=changed(OBSERVED, FIRST, False)),
            lambda: StructuredConformalCompletion(ColumnMean()).fit(
                M, OBSERVED, universe=changed(OBSERVED, FIRST, False)
            ),
        ],
        "observed",
        "1 observed cells do not: set universe to True there",
    ),
    "probability 0 or above 1 (Gui et al.)": (
        [
            lambda: individual_thresholds([1.0, 2.0], [0.5, 0.0], [0.5]),
            lambda: individual_thresholds([1.0, 2.0], [0.5, 1.1], [0.5]),
            lambda: individual_thresholds([1.0, 2.0], [0.5, np.nan], [0.5]),
            lambda: individual_thresholds([1.0, 2.0], [0.5, 0.5], [-0.1]),
        ],
        "probability",
        r"must lie in \(0, 1\].*: clip estimates|NaN.*: drop or impute",
    ),
    "delta of 0": (
        [lambda: laplace_scale([1.0, 2.0], 0.0)],
        "the missing cells",
        "must carry positive, finite weight.*: give the sum of their weights",
    ),
    "rating bounds upside down": (
        [
            lambda: clip_to_range([1.0], [2.0], 5, 1),
            lambda: clip_to_range([1.0], [2.0], 3, 3),
            lambda: estimator(bounds=(5, 1)),
            lambda: estimator(bounds=(np.nan, 5)),
        ],
        "bounds",
        "need low < high.*: give the lowest",
    ),
    "options that do not exist": (
        [
            *of_both(method="guess"),
            *of_both(infinite="clip"),
            lambda: estimator(axis="diagonal"),
            lambda: ALS(2, first="users").fit(M, OBSERVED),
        ],
        "method|infinite|axis|first",
        "must be|must be one of",
    ),
    "a completion without the two verbs": (
        [
            lambda thing=thing: estimator(completion=thing)
            for thing in (3, object(), ALS)
        ],
        "completion",
        r"object with fit\(M, observed\) and predict\(\)",
    ),
    "groups of another size than calibrated": (
        [
            lambda: estimator(group_size=3),
            lambda: calibrate(M, OBSERVED, 3, ColumnMean(), 0).regions(TESTS),
        ],
        "groups hold 2 cells|tests are groups of 2",
        "group_size=3 was calibrated: give groups of 3|groups of 3: give groups of 3",
    ),
}
CALLS = [(row, call) for row, (calls, _, _) in ROWS.items() for call in calls]


@pytest.mark.parametrize(("row", "call"), CALLS)
def test_a_bad_input_is_refused_by_name_and_with_a_word_on_what_to_do(row, call):
    _, argument, advice = ROWS[row]
    with pytest.raises(ValueError, match=argument) as caught:
        call()
    assert type(caught.value) is ValueError
    caught.match(advice)
    assert "\n" not in str(caught.value)


def test_nothing_is_fitted_before_the_input_is_known_to_be_good():
    class Spy(Returns):
        def fit(self, M, observed):
            raise AssertionError("work before the checks")

    for given in (dict(alpha=2), dict(n_groups=0), dict(M=changed(M, FIRST, np.nan))):
        for run in (function, estimator):
            with pytest.raises(ValueError, match=r"alpha|n_groups|M is NaN"):
                run(completion=Spy(None), **given)


@pytest.mark.parametrize("method", [unadjusted, bonferroni])
@pytest.mark.parametrize(
    "tests", [TESTS[0], TESTS[0, 0], TESTS.astype(float), TESTS[:, ::-1] + 99]
)
def test_cells_alone_know_their_groups_before_anything_is_fitted(method, tests):
    with pytest.raises(ValueError, match=r"tests .*(shape|outside)"):
        method(M, OBSERVED, tests, Returns(None), 0)


# ------------------------------------------------- rows that are allowed, with a word


def test_the_default_number_of_groups_needs_no_argument():
    made = calibrate(M, OBSERVED, 2, ColumnMean(), 0)
    xi = (OBSERVED.sum(axis=0) // 2).sum()
    assert made.weights.n_groups == min(1000, xi // 2)


def test_an_impossible_test_cell_is_infinite_with_one_warning():
    w = changed(W, TESTS[0, 0], 0.0)
    for run, given in ((function, {}), (estimator, {})):
        with pytest.warns(InfiniteSetWarning, match="1 of 1 ") as caught:
            run(observation_weights=w, tests=TESTS[:1], **given)
        assert sum(issubclass(c.category, InfiniteSetWarning) for c in caught) == 1


def test_a_short_bonferroni_level_is_infinite_with_one_warning():
    with pytest.warns(InfiniteSetWarning, match="30 of 30 ") as caught:
        found = bonferroni(M, OBSERVED, TESTS, ColumnMean(), 0, n_groups=5)
    assert sum(issubclass(c.category, InfiniteSetWarning) for c in caught) == 1
    assert np.isinf(found.upper).all()
    assert found.is_infinite.all()


@pytest.mark.filterwarnings("always::notebook_lib.matrix.SmallSampleWarning")
def test_few_groups_a_small_effective_size_and_empty_rows_and_columns_warn():
    with pytest.warns(SmallSampleWarning, match="50 calibration groups: use 100"):
        function(observation_weights=None, test_weights=None)
    steep = np.exp(3 * np.random.default_rng(0).normal(size=M.shape))
    with pytest.warns(SmallSampleWarning, match="fewer than 20 effective"):
        _quiet(function, observation_weights=steep)
    empty = OBSERVED.copy()
    empty[:, 3] = empty[5] = False
    with pytest.warns(SmallSampleWarning, match="1 rows and 1 columns have no train"):
        fitted = ALS(2, max_sweeps=3).fit(M, empty).predict()
    assert not fitted[:, 3].any()
    assert not fitted[5].any()


def test_a_prediction_of_zero_gives_no_nan_in_the_rectangle():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = HyperRectangle().score([[1.0], [0.0]], [[0.0], [0.0]])
    np.testing.assert_array_equal(score, [np.inf, 0.0])


def test_a_certain_cell_has_weight_zero():
    # p = 1 on the largest score: it carries nothing, and the two others the same.
    scores, p = [1.0, 2.0, 9.0], [0.5, 0.5, 1.0]
    assert individual_thresholds(scores, p, [0.9], 0.1)[0] == 2.0


def test_infinite_regions_become_finite_only_on_request():
    honest = _quiet(estimator, n_groups=5)
    asked = _quiet(estimator, n_groups=5, infinite="max")
    infinite = np.isinf(honest[1])
    assert infinite.any()
    assert np.isfinite(asked[1]).all()
    np.testing.assert_array_equal(honest[1][~infinite], asked[1][~infinite])


def _quiet(run, **given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        return run(**(dict(observation_weights=None, test_weights=None) | given))


# --------------------------------------------- any object with fit and predict


class RowMeans:
    """As plain as a completion can be: no parameters, no base class."""

    def fit(self, M, observed):
        assert np.isnan(M[~observed]).all(), "the values behind the mask are hidden"
        self.mean = np.nansum(M, axis=1) / np.maximum(observed.sum(axis=1), 1)
        self.n_columns = M.shape[1]

    def predict(self):
        return np.repeat(self.mean[:, None], self.n_columns, axis=1)


def test_any_object_with_fit_and_predict_completes():
    given = RowMeans()
    model = StructuredConformalCompletion(given, n_groups=60, random_state=3)
    model.fit(np.where(OBSERVED, M, np.nan)).conformalize(W, WSTAR)
    assert not hasattr(given, "mean"), "a copy is fitted, not the object given"
    _, intervals = model.predict_interval(TESTS)
    own = scmc(
        M,
        OBSERVED,
        TESTS,
        RowMeans(),
        3,
        n_groups=60,
        observation_weights=W,
        test_weights=WSTAR,
    )
    np.testing.assert_array_equal(intervals[..., 0, 0], own.lower)
    np.testing.assert_array_equal(intervals[..., 1, 0], own.upper)
    train = model._split.train
    expected = np.where(train, M, 0).sum(axis=1) / np.maximum(train.sum(axis=1), 1)
    np.testing.assert_allclose(model.completed_[:, 0], expected)
