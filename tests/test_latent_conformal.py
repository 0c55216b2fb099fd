"""The user's estimator of chapter 1: verbs, columns, bad input, validity."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from notebook_lib.exceptions import InfiniteSetWarning, NotConvergedWarning
from notebook_lib.latent import (
    OUTCOME_MODELS,
    EMGaussianMixture,
    LatentClassConformal,
    LatentClassDGP,
    LatentClassRegressor,
    RegressionMixture,
)
from notebook_lib.quantiles import conformal_quantile

PIPELINES = ("hard", "soft", "soft-slopes", "soft-regression", "ignore", "density")
COLUMNS = {"class_columns": ["r0", "r1"], "outcome_columns": ["x0", "x1"]}


def frame(n, seed=0, **knobs):
    sample = LatentClassDGP(**knobs).sample(n, np.random.default_rng(seed))
    X = pd.DataFrame(np.hstack([sample.r, sample.x]), columns=["r0", "r1", "x0", "x1"])
    return X, sample.y


@pytest.fixture(scope="module")
def data():
    return frame(1500)


def calibrated(data, **options):
    X, y = data
    model = LatentClassConformal(3, random_state=0, **{**COLUMNS, **options})
    return model.fit(X[:500], y[:500]).conformalize(X[500:1000], y[500:1000])


@parametrize_with_checks(
    [
        LatentClassRegressor(random_state=0),
        LatentClassConformal(random_state=0),
        LatentClassConformal(pipeline="density", random_state=0),
    ]
)
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        # The checks fit mixtures to grids and to repeated rows.
        warnings.simplefilter("ignore", NotConvergedWarning)
        check(estimator)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_verbs_equal_the_steps_by_hand(data, pipeline):
    X, y = data
    model = calibrated(data, pipeline=pipeline, alpha=[0.1, 0.2])
    s, x = X[["r0", "r1"]].to_numpy(), X[["x0", "x1"]].to_numpy()
    mixture = EMGaussianMixture(3, random_state=0).fit(s[:500])
    tau = mixture.predict_proba(s)
    make = RegressionMixture if pipeline == "density" else OUTCOME_MODELS[pipeline]
    hand = make().fit(x[:500], tau[:500], y[:500])
    if pipeline == "density":
        scores = hand.residual_score(x, tau, y)
    else:
        scores = np.abs(y - hand.predict(x, tau))
    q = conformal_quantile(scores[500:1000], [0.1, 0.2])
    y_pred, sets = model.predict_set(X[1000:])
    np.testing.assert_allclose(y_pred, hand.predict(x, tau)[1000:], rtol=1e-9)
    for level, union in enumerate(sets):
        inside = union.contains(y[1000:])
        assert (inside == (scores[1000:] <= q[level])).all()
    y_pred, intervals = model.predict_interval(X[1000:])
    assert intervals.shape == (500, 2, 2)
    np.testing.assert_allclose(intervals[:, :, 0], sets[0].hull())
    if pipeline != "density":
        np.testing.assert_allclose(intervals[:, 1, 1] - y_pred, q[1])


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_sets_do_not_depend_on_the_batch_or_on_the_order(data, pipeline):
    X, _ = data
    model = calibrated(data, pipeline=pipeline)
    rows = X[1000:1040]
    whole = model.predict_interval(rows)[1]
    single = [model.predict_interval(rows[i : i + 1])[1][0] for i in range(40)]
    np.testing.assert_allclose(whole, single, rtol=1e-9)
    order = np.random.default_rng(0).permutation(40)
    shuffled = model.predict_interval(rows.iloc[order])[1]
    np.testing.assert_allclose(shuffled, whole[order], rtol=1e-9)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_intervals_follow_a_shift_and_a_scale_of_the_outcome(data, pipeline):
    X, y = data
    plain = calibrated(data, pipeline=pipeline).predict_interval(X[1000:1100])[1]
    moved = calibrated((X, 10 - 3 * y), pipeline=pipeline)
    moved = moved.predict_interval(X[1000:1100])[1]
    # EM of the outcome model stops at a tolerance: the density sets agree to it.
    np.testing.assert_allclose(moved, 10 - 3 * plain[:, ::-1], atol=0.02)


def test_names_and_positions_choose_the_same_columns(data):
    X, y = data
    names = calibrated(data).predict_interval(X[1000:])[1]
    positions = {"class_columns": [0, 1], "outcome_columns": [2, 3]}
    places = calibrated((X.to_numpy(), y), **positions)
    places = places.predict_interval(X[1000:].to_numpy())[1]
    np.testing.assert_array_equal(names, places)


def test_all_columns_are_used_by_default(data):
    model = calibrated(data, class_columns=None, outcome_columns=None)
    assert model.mixture_.means_.shape == (3, 4)
    assert list(model.outcome_positions_) == [0, 1, 2, 3]
    assert model.responsibilities(data[0]).shape == (1500, 3)


def test_a_refit_forgets_the_calibration(data):
    X, y = data
    model = calibrated(data).fit(X[:500], y[:500])
    with pytest.raises(NotFittedError, match="not calibrated: call conformalize"):
        model.predict_interval(X[:5])


def test_calling_out_of_order_says_what_to_call(data):
    X, y = data
    model = LatentClassConformal(3)
    for call in (model.predict, model.predict_interval, model.responsibilities):
        with pytest.raises(NotFittedError):
            call(X)
    with pytest.raises(NotFittedError):
        model.conformalize(X, y)


def test_clone_keeps_every_parameter():
    model = LatentClassConformal(4, pipeline="density", alpha=0.2, tol=1e-5, ridge=0.1)
    assert clone(model).get_params() == model.get_params()


def test_only_the_density_pipeline_has_a_distribution(data):
    with pytest.raises(ValueError, match="set pipeline='density'"):
        calibrated(data).predict_distribution(data[0])
    density = calibrated(data, pipeline="density").predict_distribution(data[0])
    assert len(density) == 1500


# ------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_classes": 1}, "n_classes must be at least 2"),
        ({"n_classes": 900}, "add rows or lower n_classes"),
        ({"alpha": 0.0}, r"alpha must lie in \(0, 1\)"),
        ({"alpha": 1.0}, r"alpha must lie in \(0, 1\)"),
        ({"alpha": [0.1, 1.5]}, r"alpha must lie in \(0, 1\)"),
        ({"pipeline": "oracle"}, "pipeline must be one of"),
        ({"family": "round"}, "family must be one of"),
        ({"class_columns": ["r9"]}, "class_columns: no column 'r9'; X has columns"),
        ({"class_columns": [7]}, "class_columns: no column 7"),
        ({"outcome_columns": []}, "outcome_columns is empty"),
    ],
)
def test_a_bad_parameter_is_named_before_any_work(data, options, words):
    X, y = data
    model = LatentClassConformal(3, **COLUMNS).set_params(**options)
    with pytest.raises(ValueError, match=words):
        model.fit(X[:500], y[:500])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("verb", ["fit", "conformalize", "predict_interval"])
def test_rows_that_are_not_finite_are_refused(data, value, verb):
    X, y = data
    bad = X[:50].copy()
    bad.iloc[3, 2] = value
    model = calibrated(data)
    with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
        getattr(model, verb)(*((bad,) if verb == "predict_interval" else (bad, y[:50])))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("verb", ["fit", "conformalize"])
def test_outcomes_that_are_not_finite_are_refused(data, value, verb):
    X, y = data
    bad = y[:50].copy()
    bad[3] = value
    with pytest.raises(ValueError, match=r"y holds 1 (NaN|infinite)"):
        getattr(calibrated(data), verb)(X[:50], bad)


def test_lengths_must_agree(data):
    X, y = data
    with pytest.raises(ValueError, match="lengths differ"):
        calibrated(data).fit(X[:50], y[:40])


@pytest.mark.parametrize("pipeline", ["soft-regression", "density"])
def test_too_few_calibration_rows_give_the_whole_line_and_one_warning(data, pipeline):
    X, y = data
    model = calibrated(data, pipeline=pipeline, alpha=[0.1, 0.2])
    model.conformalize(X[500:508], y[500:508])
    with pytest.warns(InfiniteSetWarning, match="give at least 9") as caught:
        _, intervals = model.predict_interval(X[1000:])
    assert len(caught) == 1
    assert np.isinf(intervals[:, :, 0]).all()
    assert np.isfinite(intervals[:, :, 1]).all()


def test_em_that_did_not_converge_warns_through_the_estimator(data):
    X, y = data
    model = LatentClassConformal(3, tol=1e-14, max_iter=2, **COLUMNS)
    with pytest.warns(NotConvergedWarning, match="raise max_iter or tol"):
        model.fit(X[:500], y[:500])


# -------------------------------------------------------------------- validity


@pytest.mark.statistical
def test_coverage_is_nominal_however_wrong_the_mixture_is():
    """Mean coverage over replicates lies in [1 - a, 1 - a + 1/(n + 1)]."""
    wrong = [
        ("soft", {}),
        ("density", {}),
        ("hard", {"n_classes": 2}),
        ("soft-regression", {"n_classes": 6}),
        ("density", {"family": "spherical"}),
    ]
    n_cal, alpha, n_replicates = 99, 0.1, 60
    coverage = np.empty((len(wrong), n_replicates))
    for r in range(n_replicates):
        X, y = frame(300 + n_cal + 1000, seed=r, structure="full")
        train, cal, test = np.split(np.arange(len(y)), [300, 300 + n_cal])
        for row, (pipeline, options) in zip(coverage, wrong, strict=True):
            model = LatentClassConformal(
                **{"n_classes": 3, "pipeline": pipeline, **COLUMNS, **options},
                random_state=0,
                tol=1e-3,
            ).fit(X.iloc[train], y[train])
            model.conformalize(X.iloc[cal], y[cal])
            _, (sets,) = model.predict_set(X.iloc[test])
            row[r] = sets.contains(y[test]).mean()
    error = coverage.std(axis=1, ddof=1) / np.sqrt(n_replicates)
    z = stats.t.isf(0.005 / len(wrong), n_replicates - 1)
    mean = coverage.mean(axis=1)
    assert (mean > 1 - alpha - z * error).all(), mean
    assert (mean < 1 - alpha + 1 / (n_cal + 1) + z * error).all(), mean
