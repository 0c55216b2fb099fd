"""Bad inputs: each row of the tables of both specifications."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression

from notebook_lib.covariates import (
    LCP,
    AtMost,
    Chosen,
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    CPMDANestedStarClassifier,
    GaussianImputer,
    ImputedSplitRegressor,
    MaskedModel,
    NexCP,
    PerMaskRegressor,
    Supermask,
    as_table,
    check_masked,
)
from notebook_lib.covariates.pairs import predict_blocks
from notebook_lib.covariates.report import _verdict, mask_report
from notebook_lib.exceptions import InfiniteSetWarning

REGRESSORS = [
    ImputedSplitRegressor(LinearRegression(), score="absolute"),
    CPMDAExact(LinearRegression(), score="absolute"),
    PerMaskRegressor(LinearRegression(), score="absolute"),
    CPMDANested(LinearRegression(), score="absolute"),
    CPMDANestedStar(LinearRegression(), score="absolute"),
    NexCP(LinearRegression()),
    LCP(LinearRegression()),
]
IDS = [type(model).__name__ for model in REGRESSORS]


@pytest.fixture(name="data")
def make_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = X @ [1.0, 2.0, -1.0] + rng.normal(size=300)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X, y


def quick(model):
    return clone(model).set_params(imputer=GaussianImputer())


def trained(model, X, y):
    model = quick(model)
    return model.fit(X[:150].copy(), y[:150]).conformalize(
        X[150:250].copy(), y[150:250]
    )


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_outcomes_are_refused_in_fit_and_conformalize(model, data, bad):
    X, y = data
    broken = y.copy()
    broken[3] = bad
    with pytest.raises(ValueError, match="y"):
        quick(model).fit(X, broken)
    fit = quick(model).fit(X[:150], y[:150])
    with pytest.raises(ValueError, match="y"):
        fit.conformalize(X[:100].copy(), broken[:100])


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5, np.nan, "0.1", []])
def test_levels_outside_the_unit_interval_are_refused(model, data, alpha):
    with pytest.raises(ValueError, match="alpha"):
        quick(model).set_params(alpha=alpha).fit(*data)


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_order_of_verbs_is_enforced(model, data):
    from sklearn.exceptions import NotFittedError

    X, y = data
    with pytest.raises(NotFittedError, match="fit"):
        quick(model).conformalize(X, y)
    with pytest.raises(NotFittedError, match="calibrated"):
        quick(model).fit(X, y).predict_interval(X)


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_a_row_with_everything_missing_is_legal(model, data):
    X, y = data
    rows = np.vstack([np.full((1, 3), np.nan), X[250:].copy()])
    _, out = trained(model, X, y).predict_interval(rows)
    assert not np.isnan(out).any()
    assert out[0, 0, 0] < out[0, 1, 0]


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_a_mask_never_seen_is_answered_and_never_by_zero_width(model, data):
    X, y = data
    X = np.where(np.isnan(X), 0.3, X)
    X[::2, 0] = np.nan
    new = X[250:256].copy()
    new[:, :] = [1.0, np.nan, 0.5]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        _, out = trained(model, X, y).predict_interval(new)
    assert (out[:, 1, 0] - out[:, 0, 0] > 0.5).all()
    if isinstance(model, PerMaskRegressor):
        assert np.isinf(out).all()


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_too_few_rows_give_infinite_sets_with_one_warning(model, data):
    X, y = data
    fit = quick(model).fit(X[:150].copy(), y[:150])
    fit.conformalize(X[150:157].copy(), y[150:157])
    with pytest.warns(InfiniteSetWarning, match=r"at least 9") as caught:
        _, out = fit.predict_interval(X[250:].copy())
    assert np.isinf(out).all()
    assert sum(w.category is InfiniteSetWarning for w in caught) == 1


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_a_column_never_observed_in_training_is_refused(model, data):
    X, y = data
    X[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"\[1\].*never observed"):
        quick(model).fit(X, y)


def test_a_column_never_observed_is_kept_if_the_imputer_can(data):
    X, y = data
    X[:, 1] = np.nan
    model = CPMDANestedStar(imputer=SimpleImputer(keep_empty_features=True))
    model.fit(X[:150].copy(), y[:150]).conformalize(X[150:250].copy(), y[150:250])
    assert np.isfinite(model.predict_interval(X[250:].copy())[1]).all()


def test_an_imputer_that_changes_the_width_is_refused(data):
    X, _ = data
    X[:, 1] = np.nan
    X[0, 1] = 1.0
    model = MaskedModel([LinearRegression()], SimpleImputer())
    X_bad = X.copy()
    X_bad[0, 1] = np.nan
    model.imputer_ = SimpleImputer().fit(X_bad)
    model.means_ = np.zeros(3)
    with pytest.raises(ValueError, match="3 columns into 2"):
        model.features(X, np.isnan(X))


def test_a_column_complete_in_training_may_have_gaps_later_with_a_warning(data):
    X, y = data
    X[:150, 2] = 1.0
    X[:150, 2] += np.random.default_rng(1).normal(size=150)
    model = CPMDANestedStar(LinearRegression(), score="absolute")
    model.set_params(imputer=GaussianImputer()).fit(X[:150].copy(), y[:150])
    with pytest.warns(UserWarning, match="constant"):
        model.conformalize(X[150:250].copy(), y[150:250])


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_data_frames_must_keep_their_columns(model, data):
    X, y = data
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    fit = quick(model).fit(frame[:150], y[:150])
    fit.conformalize(frame[150:250], y[150:250])
    assert list(fit.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        fit.predict_interval(frame.loc[250:, ["c", "b", "a"]])
    with pytest.raises(ValueError, match="features"):
        fit.predict_interval(X[250:, :2].copy())


def test_objects_and_pandas_gaps_are_read_as_numbers(data):
    X, _ = data
    frame = pd.DataFrame(X).astype(object).where(~np.isnan(X), None)
    np.testing.assert_array_equal(as_table(frame), X)
    nullable = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64")})
    np.testing.assert_array_equal(as_table(nullable), [[1.0], [np.nan], [3.0]])
    np.testing.assert_array_equal(as_table(np.array([[True], [False]])), [[1], [0]])
    with pytest.raises(ValueError, match="encode"):
        as_table(pd.DataFrame({"a": ["x", "y"]}))


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_wrong_shapes_are_refused(model, data):
    X, y = data
    with pytest.raises(ValueError, match="2D"):
        quick(model).fit(X[:, 0], y)
    with pytest.raises(ValueError, match="rows"):
        quick(model).fit(X, y[:-1])
    with pytest.raises(ValueError, match=r"empty|0 sample"):
        quick(model).fit(X[:0], y[:0])
    with pytest.raises(ValueError, match=r"empty|0 sample"):
        quick(model).fit(X, y).conformalize(X[:0], y[:0])


def test_infinite_covariates_are_refused(data):
    X, y = data
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinite"):
        CPMDAExact().fit(X, y)


def test_nan_that_the_mask_calls_observed_is_counted_and_refused(data):
    X, _ = data
    mask = np.isnan(X)
    wrong = mask.copy()
    wrong[np.nonzero(mask)[0][:2], np.nonzero(mask)[1][:2]] = False
    with pytest.raises(ValueError, match="2 NaN that its mask calls observed"):
        check_masked(X, wrong, "X")
    with pytest.raises(ValueError, match="True/False or 1/0"):
        check_masked(X, mask + 0.5, "X")
    with pytest.raises(ValueError, match="shape"):
        check_masked(X, mask[:, :2], "X")


def test_values_under_the_mask_are_ignored(data):
    X, _ = data
    mask = np.random.default_rng(2).random(X.shape) < 0.3
    X = np.where(np.isnan(X), 0.0, X)
    once, _ = check_masked(X, mask, "X")
    again, _ = check_masked(np.where(mask, 1e6, X), mask, "X")
    np.testing.assert_array_equal(once, again)


def test_training_and_calibration_rows_never_reach_the_fitted_objects(data):
    """mdan-A9: the imputer and the model see training rows only."""
    X, y = data
    one = trained(REGRESSORS[4], X, y)
    changed = X.copy()
    changed[150:] += 7.0
    two = trained(REGRESSORS[4], changed, y + np.where(np.arange(300) < 150, 0, 3))
    np.testing.assert_array_equal(
        one.models_[0].imputer_.mean_, two.models_[0].imputer_.mean_
    )
    np.testing.assert_array_equal(
        one.models_[0].predictors_[0].coef_, two.models_[0].predictors_[0].coef_
    )


def test_testing_on_calibration_rows_is_refused(data):
    X, y = data
    model = quick(REGRESSORS[1]).fit(X[:150].copy(), y[:150])
    model.conformalize(X[150:250], y[150:250])
    with pytest.raises(ValueError, match="calibration rows"):
        model.predict_interval(X[200:260])


def test_calibrating_on_training_rows_warns(data):
    X, y = data
    model = quick(REGRESSORS[1]).fit(X[:150], y[:150])
    with pytest.warns(UserWarning, match="training rows"):
        model.conformalize(X[100:250], y[100:250])


@pytest.mark.parametrize("h", [-1, 1.5, True])
def test_bad_h_is_refused(h):
    with pytest.raises(ValueError, match="h must be"):
        AtMost(h)


@pytest.mark.parametrize("subsample", ["none", None, -1, 0.5])
def test_bad_rules_are_refused(data, subsample):
    with pytest.raises(ValueError, match=r"subsample|h must"):
        CPMDANestedStar(subsample=subsample).fit(*data)


def test_bad_choices_of_rows_are_refused():
    M, m = np.zeros((5, 2), bool), np.array([True, False])
    for index, match in (((0, 0), "twice"), ((0, 5), "0..4")):
        with pytest.raises(ValueError, match=match):
            Chosen(index).keep(M, m)
    with pytest.raises(ValueError, match="at least"):
        Supermask(lambda m: ~m).keep(M, m)


@pytest.mark.parametrize(
    "options", [{"shape": "box"}, {"score": "mean"}, {"subsample": "most"}]
)
def test_unknown_options_are_refused(data, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        CPMDANestedStar(**options).fit(*data)


def test_the_unstarred_shape_has_no_union(data):
    X, y = data
    model = trained(CPMDANestedStar(LinearRegression(), score="absolute"), X, y)
    model.set_params(shape="unstarred")
    with pytest.raises(ValueError, match="unstarred"):
        model.predict_union(X[250:].copy())


def test_crossing_quantiles_are_sorted(data):
    X, y = data

    class Crossed(LinearRegression):
        quantiles = None

        def set_params(self, **_):
            return self

        def predict(self, X):
            mu = super().predict(X)
            return np.column_stack([mu + 1, mu - 1])

    model = trained(CPMDANestedStar(Crossed()), X, y)
    band = model.models_[0](X[:5], np.isnan(X[:5]))
    assert (band[:, 0] <= band[:, 1]).all()


def test_predictions_that_are_not_finite_are_refused(data):
    X, _ = data
    with pytest.raises(ValueError, match="not finite"):
        predict_blocks(
            lambda X, M: np.full(len(X), np.nan), X, np.arange(3), np.isnan(X[:3])
        )
    with pytest.raises(ValueError, match="2 predictions for 3 rows"):
        predict_blocks(lambda X, M: np.zeros(2), X, np.arange(3), np.isnan(X[:3]))


@pytest.mark.parametrize(
    ("cls", "option", "value"),
    [
        (NexCP, "rho", 0),
        (NexCP, "rho", 1.1),
        (NexCP, "rho", np.nan),
        (NexCP, "weights", "nearest"),
        (LCP, "h", 0),
        (LCP, "h", -1.0),
        (LCP, "h", np.nan),
        (LCP, "h", "median"),
        (LCP, "kernel", "triangle"),
        (LCP, "distance_mask", "test"),
    ],
)
def test_options_of_nexcp_and_lcp_are_checked(data, cls, option, value):
    with pytest.raises(ValueError, match=option):
        cls(**{option: value}).fit(*data)


def test_a_decay_at_the_level_warns(data):
    with pytest.warns(UserWarning, match="at any calibration size"):
        NexCP(LinearRegression(), rho=0.9).fit(*data)


def test_a_negative_lcp_radius_is_the_empty_set_with_a_warning(data):
    X, y = data
    X, y = np.where(np.isnan(X), 0.0, X), np.zeros(300)
    y[:150] = np.where(X[:150, 0] > 0, 5.0, 0.0) * np.sign(
        np.random.default_rng(3).normal(size=150)
    )
    model = LCP(LinearRegression(), h=0.02, alpha=0.6, imputer=GaussianImputer())
    model.fit(X[:150].copy(), y[:150]).conformalize(X[150:250].copy(), y[150:250])
    with pytest.warns(UserWarning, match="sets are empty"):
        _, out = model.predict_interval(X[250:].copy())
    assert (out[:, 0, 0] > out[:, 1, 0]).any()


def test_unknown_labels_are_refused(data):
    X, y = data
    labels = np.where(y > 0, "up", "down")
    model = CPMDANestedStarClassifier(imputer=GaussianImputer())
    model.fit(X[:150], labels[:150])
    with pytest.raises(ValueError, match="'sideways'"):
        model.conformalize(X[150:152].copy(), np.array(["up", "sideways"]))


@pytest.mark.parametrize(
    ("coverage", "error", "n_rows", "poor", "verdict"),
    [
        (0.7, 0.06, 40, False, "undercovers"),
        (0.7, 0.06, 9, True, "undercovers"),
        (0.7, 0.07, 40, False, "unclear"),
        (0.92, 0.02, 400, True, "too few rows"),
        (0.92, 0.04, 400, False, "unclear"),
        (0.92, 0.03, 400, False, "ok"),
        (1.0, 0.0, 15, False, "unclear"),
        (1.0, 0.0, 17, False, "ok"),
    ],
)
def test_a_mask_is_ok_only_if_its_rows_could_have_shown_trouble(
    coverage, error, n_rows, poor, verdict
):
    assert _verdict(coverage, error, n_rows, 0.1, poor) == verdict


def test_report_says_which_mask_is_in_trouble():
    rng = np.random.default_rng(4)
    X = pd.DataFrame(rng.normal(size=(2000, 2)), columns=["a", "b"])
    y = X["a"] + 3 * X["b"] + rng.normal(size=2000)
    X.loc[rng.random(2000) < 0.15, "b"] = np.nan
    X.loc[:2, "a"] = np.nan
    table = mask_report(
        X,
        y,
        methods={"split": REGRESSORS[0], "exact": REGRESSORS[1]},
        n_repeats=4,
    ).set_index(["method", "mask"])
    assert table.loc[("split", "01"), "verdict"] == "undercovers"
    assert table.loc[("exact", "01"), "verdict"] == "ok"
    assert table.loc[("split", "all"), "n_rows"] == 2000
    assert (table.xs("10", level="mask")["verdict"] == "too few rows").all()
    for bad in ({"shares": (0.5, 0.5)}, {"alpha": 2}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            mask_report(X, y, **bad)
