"""The three split conformal estimators: contract, coverage, and bad input."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    QuantileRegressor,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.intervals import contains, length
from notebook_lib.quantiles import conformal_quantile
from notebook_lib.split import (
    ConformalizedQuantileRegressor,
    SplitConformalClassifier,
    SplitConformalRegressor,
    split_interval,
)

LINEAR_QUANTILE = QuantileRegressor(alpha=0.0, solver="highs")


@parametrize_with_checks(
    [
        SplitConformalRegressor(),
        SplitConformalRegressor(conformity_score="normalized"),
        ConformalizedQuantileRegressor(
            HistGradientBoostingRegressor(loss="quantile", max_iter=60)
        ),
        SplitConformalClassifier(),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = X @ [1.0, -0.5, 0.2] + (0.5 + np.abs(X[:, 0])) * rng.normal(size=600)
    return (X[:200], y[:200]), (X[200:400], y[200:400]), (X[400:], y[400:])


def test_absolute_intervals_are_the_textbook_ones(data):
    train, cal, test = data
    model = SplitConformalRegressor(alpha=[0.1, 0.3]).fit(*train).conformalize(*cal)
    y_pred, intervals = model.predict_interval(test[0])
    plain = LinearRegression().fit(*train)
    residuals = np.abs(cal[1] - plain.predict(cal[0]))
    for column, rank in enumerate([181, 141]):
        q = np.sort(residuals)[rank - 1]
        np.testing.assert_array_equal(intervals[:, 0, column], y_pred - q)
        np.testing.assert_array_equal(intervals[:, 1, column], y_pred + q)
    one = split_interval(residuals, y_pred, 0.1)
    np.testing.assert_array_equal(one, intervals[:, :, 0])


def test_normalized_intervals_adapt_and_cover(data):
    train, cal, test = data
    model = SplitConformalRegressor(
        conformity_score="normalized",
        scale_estimator=HistGradientBoostingRegressor(random_state=0),
    )
    _, intervals = model.fit(*train).conformalize(*cal).predict_interval(test[0])
    lengths = length(intervals)[:, 0]
    assert lengths.std() > 0
    inside = contains(intervals, test[1])[:, 0].mean()
    assert 0.8 < inside < 0.98


@pytest.mark.parametrize(
    "estimator",
    [
        LINEAR_QUANTILE,
        GradientBoostingRegressor(loss="quantile", n_estimators=10, random_state=0),
        HistGradientBoostingRegressor(loss="quantile", max_iter=10, random_state=0),
        make_pipeline(StandardScaler(), LINEAR_QUANTILE),
    ],
    ids=["linear", "gbr", "hist", "pipeline"],
)
def test_cqr_is_the_textbook_one_for_any_quantile_model(estimator, data):
    train, cal, test = data
    model = ConformalizedQuantileRegressor(estimator, alpha=[0.2, 0.1])
    y_pred, intervals = model.fit(*train).conformalize(*cal).predict_interval(test[0])
    lower, upper = model.estimators_[0]
    name = [k for k in lower.get_params() if k.endswith(("quantile", "alpha"))]
    assert any(np.isclose(lower.get_params()[k], 0.1) for k in name)
    scores = np.maximum(lower.predict(cal[0]) - cal[1], cal[1] - upper.predict(cal[0]))
    q = conformal_quantile(scores, 0.2)
    np.testing.assert_allclose(intervals[:, 0, 0], lower.predict(test[0]) - q)
    np.testing.assert_allclose(intervals[:, 1, 0], upper.predict(test[0]) + q)
    assert intervals.shape == (200, 2, 2)
    assert y_pred.shape == (200,)


def test_cqr_with_trained_models_equals_cqr_that_trains(data):
    train, cal, test = data
    whole = ConformalizedQuantileRegressor(LINEAR_QUANTILE).fit(*train)
    parts = (*whole.estimators_[0], whole.median_)
    _, want = whole.conformalize(*cal).predict_interval(test[0])
    for trained in (parts, parts[:2]):
        model = ConformalizedQuantileRegressor(trained, prefit=True)
        y_pred, got = model.conformalize(*cal).predict_interval(test[0])
        np.testing.assert_array_equal(got, want)
        assert y_pred.shape == (200,)
    with pytest.raises(ValueError, match="prefit=True takes"):
        ConformalizedQuantileRegressor(
            parts, alpha=[0.1, 0.2], prefit=True
        ).conformalize(*cal)


def test_prefit_models_are_used_as_they_are(data):
    train, cal, test = data
    trained = Ridge().fit(*train)
    model = SplitConformalRegressor(trained, prefit=True).conformalize(*cal)
    y_pred, _ = model.predict_interval(test[0])
    np.testing.assert_array_equal(y_pred, trained.predict(test[0]))
    np.testing.assert_array_equal(model.predict(test[0]), y_pred)
    with pytest.raises(ValueError, match="prefit=True"):
        model.fit(*train)
    with pytest.raises(ValueError, match="conformity_score='normalized'"):
        SplitConformalRegressor(
            trained, prefit=True, conformity_score="normalized"
        ).conformalize(*cal)


def test_label_sets_cover_and_follow_the_classes():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    order = np.random.default_rng(0).permutation(150)
    train, cal, test = order[:50], order[50:110], order[110:]
    for score in ("label", "cumulative"):
        model = SplitConformalClassifier(alpha=[0.1, 0.3], conformity_score=score)
        model.fit(X[train], names[train]).conformalize(X[cal], names[cal])
        y_pred, sets = model.predict_set(X[test])
        assert sets.shape == (40, 3, 2)
        assert (sets[:, :, 1] <= sets[:, :, 0]).all()
        column = np.searchsorted(model.classes_, names[test])
        assert sets[np.arange(40), column, 0].mean() > 0.75
        assert (model.predict(X[test]) == y_pred).all()
        np.testing.assert_allclose(model.predict_proba(X[test]).sum(1), 1)


def test_results_ignore_batches_row_order_shift_and_scale(data):
    train, cal, test = data
    model = SplitConformalRegressor().fit(*train).conformalize(*cal)
    _, whole = model.predict_interval(test[0])
    _, piece = model.predict_interval(test[0][17:23])
    np.testing.assert_allclose(piece, whole[17:23], rtol=1e-12)
    model.conformalize(cal[0][::-1], cal[1][::-1])
    np.testing.assert_allclose(model.predict_interval(test[0])[1], whole, rtol=1e-12)
    moved = SplitConformalRegressor().fit(train[0], 3 * train[1] + 7)
    moved.conformalize(cal[0], 3 * cal[1] + 7)
    np.testing.assert_allclose(
        moved.predict_interval(test[0])[1], 3 * whole + 7, rtol=1e-9, atol=1e-9
    )


class NoModel(RegressorMixin, BaseEstimator):
    """Predicts zero: coverage must hold all the same."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.zeros(len(X))


@pytest.mark.statistical
@pytest.mark.parametrize("n_cal", [9, 10, 15, 22, 50, 100])
@pytest.mark.parametrize("alpha", [0.1, 0.25])
def test_coverage_is_neither_low_nor_high(n_cal, alpha):
    """Mean coverage is k/(n+1) over calibration sets; 1 % over twelve tests."""
    rng = np.random.default_rng([n_cal, int(100 * alpha)])
    repeats, n_test = 400, 200
    model = SplitConformalRegressor(NoModel(), alpha=alpha)
    model.fit(np.zeros((2, 1)), np.zeros(2))
    coverage = np.empty(repeats)
    for r in range(repeats):
        y = rng.standard_normal(n_cal + n_test)
        X = np.zeros((n_cal + n_test, 1))
        model.conformalize(X[:n_cal], y[:n_cal])
        _, intervals = model.predict_interval(X[n_cal:])
        coverage[r] = contains(intervals, y[n_cal:]).mean()
    want = -(-(1 - alpha) * (n_cal + 1) // 1) / (n_cal + 1)
    result = stats.ttest_1samp(coverage, want)
    assert result.pvalue > 0.01 / 12


def test_frames_keep_their_names_and_their_order(data):
    (X, y), cal, _ = data
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = SplitConformalRegressor().fit(frame, pd.Series(y))
    model.conformalize(pd.DataFrame(cal[0], columns=["a", "b", "c"]), pd.Series(cal[1]))
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict_interval(frame[["c", "b", "a"]])


def test_nan_in_X_is_the_estimators_affair(data):
    train, cal, test = data

    def hide(X):
        return np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)

    model = SplitConformalRegressor(HistGradientBoostingRegressor(random_state=0))
    model.fit(hide(train[0]), train[1]).conformalize(hide(cal[0]), cal[1])
    _, intervals = model.predict_interval(hide(test[0]))
    assert np.isfinite(intervals).all()
    with pytest.raises(ValueError, match="NaN"):
        SplitConformalRegressor(LinearRegression()).fit(hide(train[0]), train[1])


@pytest.mark.parametrize(
    "model",
    [
        SplitConformalRegressor(alpha=[0.05, 0.3]),
        ConformalizedQuantileRegressor(LINEAR_QUANTILE, alpha=0.05),
    ],
    ids=["split", "cqr"],
)
def test_too_few_calibration_rows_give_the_whole_line_and_one_warning(model, data):
    train, cal, test = data
    model = clone(model).fit(*train).conformalize(cal[0][:10], cal[1][:10])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, intervals = model.predict_interval(test[0])
    caught = [w for w in caught if w.category is InfiniteSetWarning]
    assert len(caught) == 1
    assert "200 of" in str(caught[0].message)
    assert "at least 19" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert np.isinf(intervals[:, :, 0]).all()
    assert np.isfinite(intervals[:, :, 1:]).all()


def test_an_infinite_label_set_is_every_label():
    X, y = load_iris(return_X_y=True)
    model = (
        SplitConformalClassifier(LogisticRegression(max_iter=1000))
        .fit(X, y)
        .conformalize(X[:5], y[:5])
    )
    with pytest.warns(InfiniteSetWarning, match="150 of 150"):
        _, sets = model.predict_set(X)
    assert sets.all()


@pytest.mark.parametrize("alpha", [0, 1, -1, "a", None, [0.1, 2]])
@pytest.mark.parametrize(
    "kind",
    [SplitConformalRegressor, ConformalizedQuantileRegressor, SplitConformalClassifier],
)
def test_bad_levels_stop_before_any_work(kind, alpha):
    with pytest.raises(ValueError, match="alpha"):
        kind(alpha=alpha).fit(None, None)


def test_verbs_out_of_order_are_told(data):
    train, cal, test = data
    for kind in (SplitConformalRegressor, ConformalizedQuantileRegressor):
        with pytest.raises(NotFittedError, match="call fit"):
            kind().conformalize(*cal)
        with pytest.raises(NotFittedError, match="call fit"):
            kind().predict_interval(test[0])
    with pytest.raises(NotFittedError, match="call conformalize"):
        SplitConformalRegressor().fit(*train).predict_interval(test[0])
    with pytest.raises(NotFittedError, match="call conformalize"):
        SplitConformalClassifier().fit(train[0], train[1] > 0).predict_set(test[0])
    # A new fit forgets the old calibration.
    model = SplitConformalRegressor().fit(*train).conformalize(*cal).fit(*train)
    with pytest.raises(NotFittedError, match="call conformalize"):
        model.predict_interval(test[0])


def test_bad_outcomes_and_parameters_are_named(data):
    (X, y), cal, _ = data
    broken = y.copy()
    broken[3] = np.nan
    model = SplitConformalRegressor().fit(X, y)
    with pytest.raises(ValueError, match="y holds 1 NaN"):
        model.conformalize(X, broken)
    broken[3] = np.inf
    with pytest.raises(ValueError, match="y holds 1 infinite"):
        model.conformalize(X, broken)
    with pytest.raises(ValueError, match="rows"):
        model.conformalize(X, y[:-1])
    with pytest.raises(ValueError, match="rows"):
        ConformalizedQuantileRegressor(LINEAR_QUANTILE).fit(X, y).conformalize(
            X, y[:-1]
        )
    with pytest.raises(ValueError, match="conformity_score must be"):
        SplitConformalRegressor(conformity_score="cubed").fit(X, y)
    with pytest.raises(ValueError, match="conformity_score must be"):
        SplitConformalClassifier(conformity_score="cubed").fit(X, y > 0)
    with pytest.raises(ValueError, match="quantile level"):
        ConformalizedQuantileRegressor(LinearRegression()).fit(X, y)
    labels = np.where(y > 0, "up", "down")
    with pytest.raises(ValueError, match="'sideways'"):
        SplitConformalClassifier().fit(X, labels).conformalize(
            cal[0], np.full(len(cal[0]), "sideways")
        )
    with pytest.raises(ValueError, match="rows"):
        SplitConformalClassifier().fit(X, labels).conformalize(X, labels[:-1])
