"""Rows of the bad-input tables that need more than a refusal: what comes back."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression
from test_covariates_inputs import IDS, REGRESSORS, quick, trained

from notebook_lib import metrics
from notebook_lib.covariates import (
    LCP,
    CPMDAExact,
    CPMDANestedStar,
    CPMDANestedStarClassifier,
    GaussianImputer,
    ImputedSplitRegressor,
    NexCP,
    Supermask,
    check_masked,
    default_imputer,
    kernel_weights,
    mask_report,
    rank_weights,
)
from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.intervals import contains, length


@pytest.fixture(name="data")
def make_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = X @ [1.0, 2.0, -1.0] + rng.normal(size=300)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X, y


@pytest.fixture(name="labels")
def make_labels(data):
    X, y = data
    return X, np.where(y > 1, "high", np.where(y < -1, "low", "middle"))


def classifier(**options):
    return CPMDANestedStarClassifier(imputer=GaussianImputer(), **options)


def infinite_warnings(caught):
    return [w for w in caught if issubclass(w.category, InfiniteSetWarning)]


# ------------------------------------------------------- tables of any make


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_frames_of_objects_give_the_sets_of_their_numbers(model, data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abc"))
    objects = frame.astype(object).where(frame.notna(), None)
    objects.loc[objects["a"].isna(), "a"] = pd.NA
    sets = []
    for table in (frame, objects):
        fit = quick(model).fit(table[:150], y[:150])
        fit.conformalize(table[150:250], y[150:250])
        sets.append(fit.predict_interval(table[250:])[1])
    np.testing.assert_array_equal(*sets)


@pytest.mark.parametrize("kind", [int, bool])
def test_integers_and_flags_are_read_as_numbers(data, kind):
    X, y = data
    whole = (np.nan_to_num(X) > 0).astype(kind)
    model = quick(REGRESSORS[1]).fit(whole[:150], y[:150])
    model.conformalize(whole[150:250].copy(), y[150:250])
    as_floats = quick(REGRESSORS[1]).fit(whole[:150].astype(float), y[:150])
    as_floats.conformalize(whole[150:250].astype(float), y[150:250])
    np.testing.assert_array_equal(
        model.predict_interval(whole[250:].copy())[1],
        as_floats.predict_interval(whole[250:].astype(float))[1],
    )


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_words_are_refused_with_the_way_out(model, data):
    X, y = data
    frame = pd.DataFrame(X).astype(object)
    frame.iloc[0, 0] = "red"
    with pytest.raises(ValueError, match=r"X must hold numbers.*encode"):
        quick(model).fit(frame, y)


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_calibration_rows_with_other_columns_are_refused(model, data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abc"))
    fit = quick(model).fit(frame[:150], y[:150])
    with pytest.raises(ValueError, match="feature names"):
        fit.conformalize(frame.loc[150:249, ["c", "b", "a"]], y[150:250])
    with pytest.raises(ValueError, match="features"):
        quick(model).fit(X[:150], y[:150]).conformalize(X[150:, :2].copy(), y[150:])


@pytest.mark.parametrize("where", ["fit", "conformalize", "predict_interval"])
def test_infinite_covariates_are_refused_by_every_verb(data, where):
    X, y = data
    broken = X.copy()
    broken[[0, 160, 260], 0] = -np.inf
    parts = {"fit": X[:150], "conformalize": X[150:250], "predict_interval": X[250:]}
    rows = {"fit": slice(150), "conformalize": slice(150, 250)}
    parts[where] = broken[rows.get(where, slice(250, None))]
    model = quick(REGRESSORS[4])

    def use():
        model.fit(parts["fit"].copy(), y[:150])
        model.conformalize(parts["conformalize"].copy(), y[150:250])
        model.predict_interval(parts["predict_interval"].copy())

    with pytest.raises(ValueError, match="X holds 1 infinite"):
        use()


@pytest.mark.parametrize("bad", [pd.NA, None, "yes", 2])
def test_a_mask_is_zeros_and_ones_and_nothing_else(data, bad):
    X, _ = data
    mask = np.isnan(X).astype(object)
    mask[0, 0] = bad
    with pytest.raises(ValueError, match=r"mask of X must (be boolean|hold only)"):
        check_masked(X, mask, "X")


# -------------------------------------------------- rows without any entry


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_empty_rows_may_train_and_calibrate(model, data):
    X, y = data
    X = X.copy()
    X[[0, 1, 150, 151]] = np.nan
    fit = trained(model, X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        _, out = fit.predict_interval(X[250:].copy())
    assert not np.isnan(out).any()
    assert (length(out[:, :, 0]) > 0).all()


def test_an_empty_test_row_ranks_calibration_rows_in_their_order(data):
    X, y = data
    model = trained(NexCP(LinearRegression(), rho=0.97), X, y)
    nothing = np.full((1, 3), np.nan)
    got = model.predict_interval(nothing)[1][0, 1, 0]
    same = model.M_cal_.all(axis=1)
    weights = np.where(same, 1, 0.97 ** np.arange(1.0, len(same) + 1))
    mean = model.models_[0](nothing, np.isnan(nothing))[0]
    scores = np.abs(y[150:250] - mean)
    order = np.argsort(scores, kind="stable")
    mass = np.cumsum(weights[order])
    radius = scores[order][np.argmax(mass >= 0.9 * (mass[-1] + 1) - 1e-12)]
    assert got == pytest.approx(mean + radius, rel=1e-9)


def test_distances_that_tie_keep_the_order_of_the_rows():
    weights = rank_weights(np.zeros((1, 4)), np.zeros(4, bool), 0.5)
    np.testing.assert_allclose(weights, [[0.5, 0.25, 0.125, 0.0625]])


# ------------------------------------------- infinite, once, naming the masks


@pytest.mark.parametrize("model", [REGRESSORS[1], *REGRESSORS[4:]], ids=lambda m: m)
def test_masks_without_usable_rows_are_named_in_one_warning(model, data):
    X, y = data
    X = X.copy()
    X[150:250, 0] = np.nan  # no calibration row shows the first column
    X[250:] = 0.5
    X[260:270, 1] = np.nan
    fit = quick(model)
    if isinstance(fit, CPMDANestedStar):
        fit.set_params(subsample="exact")
    fit.fit(X[:150].copy(), y[:150]).conformalize(X[150:250].copy(), y[150:250])
    with pytest.warns(InfiniteSetWarning) as caught:
        _, out = fit.predict_interval(X[250:].copy())
    assert np.isneginf(out[:, 0]).all()
    assert np.isposinf(out[:, 1]).all()
    (told,) = infinite_warnings(caught)
    words = str(told.message)
    for part in ("50 of 50", "000: 0", "010: 0", "alpha=0.1", "at least 9"):
        assert part in words


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS)
def test_several_levels_too_small_for_the_rows_give_one_warning(model, data):
    X, y = data
    fit = trained(quick(model).set_params(alpha=(0.001, 0.002)), X, y)
    with pytest.warns(InfiniteSetWarning) as caught:
        _, out = fit.predict_interval(X[250:].copy())
    assert np.isinf(out).all()
    (told,) = infinite_warnings(caught)
    assert "50 of 50" in str(told.message)
    assert told.filename == __file__


def test_weights_that_fall_short_are_infinite_for_their_masks_alone(data):
    X, y = data
    X = np.where(np.isnan(X), 0.1, X)
    X[150:250:2, 2] = np.nan
    model = NexCP(LinearRegression(), rho=0.91, imputer=GaussianImputer())
    model.fit(X[:150].copy(), y[:150]).conformalize(X[150:250].copy(), y[150:250])
    new = np.zeros((4, 3))
    new[2:, 0] = np.nan  # unseen: fifty cases, whose weights stay below 0.91/0.09
    assert np.isfinite(model.predict_interval(new)[1]).all()
    model.set_params(rho=0.9)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, out = model.predict_interval(new)
    assert np.isfinite(out[:2]).all()
    assert np.isinf(out[2:]).all()
    (told,) = infinite_warnings(caught)
    assert "2 of 4" in str(told.message)
    assert "100: 50" in str(told.message)
    assert any("at any calibration size" in str(w.message) for w in caught)


def test_lcp_without_training_rows_of_a_mask_is_infinite_with_a_warning(data):
    X, y = data
    X = np.where(np.isnan(X), 0.1, X)
    X[:150:2, 0], X[1:150:2, 1] = np.nan, np.nan  # no training row is complete
    model = trained(LCP(LinearRegression()), X, y)
    with pytest.warns(InfiniteSetWarning, match="50 of 50.*000") as caught:
        _, out = model.predict_interval(X[250:].copy())
    assert np.isinf(out).all()
    assert len(infinite_warnings(caught)) == 1


def test_too_few_rows_keep_every_label_with_one_warning(labels):
    X, y = labels
    model = classifier().fit(X[:150], y[:150])
    model.conformalize(X[150:158].copy(), y[150:158])
    with pytest.warns(InfiniteSetWarning, match="at least 9") as caught:
        _, sets = model.predict_set(X[250:].copy())
    assert sets.all()
    assert len(infinite_warnings(caught)) == 1


def test_no_rule_answers_an_unseen_mask_with_a_point(data):
    X, y = data
    X = np.where(np.isnan(X), 0.3, X)
    new = np.tile([np.nan, np.nan, 0.5], (5, 1))
    for rule in ("exact", "all", "adaptive", 0, 1, 3, Supermask(lambda m: m | True)):
        model = CPMDANestedStar(LinearRegression(), score="absolute", subsample=rule)
        model.set_params(imputer=GaussianImputer())
        model.fit(X[:150].copy(), y[:150]).conformalize(X[150:250].copy(), y[150:250])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            _, out = model.predict_interval(new)
        assert (length(out[:, :, 0]) > 0.5).all()


# ------------------------------------------------------------------ empty sets


def test_an_inverted_band_is_the_empty_set_of_length_zero_that_covers_nothing():
    bounds = np.array([[1.0, -1.0], [0.0, 2.0]])
    np.testing.assert_array_equal(length(bounds), [0.0, 2.0])
    np.testing.assert_array_equal(contains(bounds, np.zeros(2)), [False, True])


def test_wide_quantiles_leave_empty_sets_after_correction(data):
    X, y = data

    class Wide(LinearRegression):
        quantiles = None

        def set_params(self, **_):
            return self

        def predict(self, X):
            first = X[:, 0] > 0
            return np.column_stack([np.where(first, -9, -0.1), np.where(first, 9, 0.1)])

    y = np.where(np.nan_to_num(X[:, 0]) > 0, y, 0.0)
    for model in (ImputedSplitRegressor(Wide()), CPMDAExact(Wide())):
        fit = quick(model).set_params(alpha=0.8)
        fit.fit(X[:150].copy(), y[:150]).conformalize(X[150:250].copy(), y[150:250])
        band = fit.predict_interval(X[250:].copy())[1][:, :, 0]
        empty = band[:, 0] > band[:, 1]
        assert empty.any()
        assert (length(band)[empty] == 0).all()
        assert not contains(band, y[250:])[empty].any()


# ---------------------------------------------------------------- classification


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda X, y: (X, np.where(np.arange(len(y)) == 3, None, y)), "missing labels"),
        (lambda X, y: (X[:, 0], y), "2D"),
        (lambda X, y: (X, y[:-1]), "rows|inconsistent"),
        (lambda X, y: (X[:0], y[:0]), "empty|0 sample"),
        (lambda X, y: (np.where(np.arange(3) == 1, np.nan, X), y), "never observed"),
        (lambda X, y: (np.where(np.isnan(X), np.inf, X), y), "infinite"),
    ],
)
def test_the_classifier_refuses_what_the_regressors_refuse(labels, spoil, match):
    with pytest.raises(ValueError, match=match):
        classifier().fit(*spoil(*labels))


@pytest.mark.parametrize("alpha", [0, 1, np.nan, "0.1"])
def test_the_classifier_checks_its_level_and_rule(labels, alpha):
    with pytest.raises(ValueError, match="alpha"):
        classifier(alpha=alpha).fit(*labels)
    with pytest.raises(ValueError, match="subsample"):
        classifier(subsample="most").fit(*labels)


def test_the_classifier_has_no_unstarred_shape():
    with pytest.raises(TypeError, match="shape"):
        classifier(shape="unstarred")


def test_the_classifier_answers_empty_rows_and_unseen_masks(labels):
    X, y = labels
    model = classifier(alpha=0.2).fit(X[:150].copy(), y[:150])
    shown = ~np.isnan(X).all(axis=1) & ~np.isnan(X[:, 0])
    rows = 150 + np.flatnonzero(shown[150:])
    model.conformalize(X[rows].copy(), y[rows])
    new = np.array([[np.nan, np.nan, np.nan], [np.nan, np.nan, 0.3]])
    _, sets = model.predict_set(new)
    assert sets.any(axis=1).all()


# ------------------------------------------------------------------- the rest


def test_kernels_that_give_nonsense_are_refused():
    for bad in (lambda u: -u - 1, lambda u: u * np.nan):
        with pytest.raises(ValueError, match="kernel gave negative or NaN"):
            kernel_weights(np.ones((2, 3)), 1.0, bad)


def test_predictions_that_are_not_finite_stop_the_estimator(data):
    X, y = data

    class Lost(LinearRegression):
        def predict(self, X):
            return np.full(len(X), np.nan)

    model = quick(CPMDAExact(Lost(), score="absolute")).fit(X[:150].copy(), y[:150])
    model.conformalize(X[150:250].copy(), y[150:250])
    with pytest.raises(ValueError, match="not finite"):
        model.predict_interval(X[250:].copy())


def test_outcomes_that_are_missing_are_not_scored_in_silence():
    with pytest.raises(ValueError, match=r"covered|NaN"):
        metrics.coverage_estimate(np.array([1.0, np.nan]))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"alpha": 0}, "alpha"),
        ({"shares": (1, 0)}, "shares"),
        ({"shares": (0.7, 0.4)}, "shares"),
        ({"rng": None}, "rng"),
    ],
)
def test_the_report_refuses_bad_arguments(data, options, match):
    with pytest.raises(ValueError, match=match):
        mask_report(*data, **options)


def test_the_report_refuses_gaps_in_the_outcome(data):
    X, y = data
    y = y.copy()
    y[5] = np.nan
    with pytest.raises(ValueError, match="y holds 1 NaN"):
        mask_report(X, y)


def test_the_report_has_error_bars_and_says_where_rows_are_too_few(data):
    X, y = data
    X = np.where(np.isnan(X), 0.2, X)
    X[:90, 1] = np.nan
    X[90:96, 0] = np.nan
    methods = {"exact": CPMDAExact(LinearRegression(), score="absolute")}
    with warnings.catch_warnings():
        warnings.simplefilter("error", InfiniteSetWarning)
        table = mask_report(X, y, methods=methods, n_repeats=6, rng=1)
    table = table.set_index("mask")
    assert table.loc["100", "verdict"] == "too few rows"
    assert table.loc["010", "verdict"] == "ok"
    low, mid, high = table[["length_low", "median_length", "length_high"]].to_numpy().T
    assert (low <= mid).all()
    assert (mid <= high).all()
    assert (table["mc_error"] >= 0).all()
    # Rows of the whole table are many: their median is known better than a mask's.
    spread = (high - low) / mid
    at = {mask: k for k, mask in enumerate(table.index)}
    assert spread[at["all"]] < 0.2


@pytest.mark.parametrize(
    "imputer",
    [
        SimpleImputer(),
        SimpleImputer(strategy="median"),
        KNNImputer(),
        GaussianImputer(draw=True),
        "chained draws",
    ],
    ids=str,
)
@pytest.mark.parametrize("model", [REGRESSORS[1], *REGRESSORS[4:]], ids=repr)
def test_any_imputer_serves(data, imputer, model):
    X, y = data
    if imputer == "chained draws":
        imputer = default_imputer().set_params(sample_posterior=True, max_iter=3)
    fit = clone(model).set_params(imputer=imputer, alpha=0.2)
    fit.fit(X[:150].copy(), y[:150]).conformalize(X[150:250].copy(), y[150:250])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        _, out = fit.predict_interval(X[250:].copy())
    covered = contains(out[:, :, 0], y[250:]).mean()
    assert covered > 0.8 - 4 * np.sqrt(0.16 / 50)
    assert not np.isnan(out).any()
