"""Propensities, designs of the paper, and the estimator with its three verbs."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.estimator_checks import estimator_checks_generator

from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.outcomes import (
    KernelPropensity,
    MissingOutcomeConformal,
    PositivityWarning,
    PropensityModel,
    balance_by_bin,
    bin_interval,
    bin_layout,
    bin_table,
    cross_intervals,
    draw_high_dimensional,
    draw_setting,
    effective_sample_size,
    feature_labels,
    jobs_design,
    jobs_propensity,
    mass_at_infinity,
    odds_bins,
    overlap_report,
    procp_threshold,
    setting_propensity,
    sharp_slack,
    split_outcome,
    suggest_epsilon,
    weighted_threshold,
)


def constant(X):
    """A known propensity that can be pickled."""
    return np.full(np.shape(X)[0], 0.8)


def contract():
    """scikit-learn's checks by name: its own ids print where `constant` lies in
    memory, and two workers must collect the same tests."""
    for one in (KernelPropensity(), MissingOutcomeConformal(propensity=constant)):
        for estimator, check in estimator_checks_generator(one):
            name = getattr(check, "func", check).__name__
            yield pytest.param(estimator, check, id=f"{type(one).__name__}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(contract()))
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("epsilon", [0.02, 0.1, 0.5])
def test_bins_hold_odds_within_a_factor(epsilon):
    p = np.random.default_rng(0).beta(2, 1, 20_000).clip(1e-6, 1 - 1e-6)
    labels = odds_bins(p, epsilon)
    odds = pd.Series(p / (1 - p)).groupby(labels).agg(["min", "max"])
    assert (odds["max"] <= odds["min"] * (1 + epsilon) * (1 + 1e-7)).all()
    low, high = bin_interval(labels, epsilon)
    assert (p >= low - 1e-9).all()
    assert (p <= high + 1e-9).all()


def test_a_power_of_the_step_opens_its_own_bin():
    k = np.arange(-60, 61)
    odds = 1.1**k
    np.testing.assert_array_equal(odds_bins(odds / (1 + odds), 0.1), k)


def test_sharp_slack_is_attained_by_two_atoms():
    for epsilon in (0.05, 0.1, 1.0, 4.0):
        r = 1 + epsilon
        w = 1 / (1 + np.sqrt(r))  # mass of the low odds among the observed
        p1, p0 = np.array([w, 1 - w]), np.array([1 - w, w])
        assert max(p0 / p1) / min(p0 / p1) == pytest.approx(r)
        assert abs(p1 - p0).sum() / 2 == pytest.approx(sharp_slack(epsilon))
        assert sharp_slack(epsilon) <= epsilon / 4


def test_feature_labels():
    bins, test_bins = feature_labels([[1, 2], [3, 4], [1, 2]], [[3, 4], [5, 6]])
    assert bins[0] == bins[2] != bins[1] == test_bins[0]
    assert test_bins[1] not in bins
    layout = bin_layout(*feature_labels([1.5, 2.5, 1.5], [2.5]))
    np.testing.assert_array_equal(layout.n_cal, [2, 1])
    np.testing.assert_array_equal(layout.n_test, [[0, 1]])


@pytest.mark.parametrize(("setting", "worst"), [(1, 0.1), (2, 0.12)])
def test_kernel_propensity_is_near_the_truth(setting, worst):
    grid = np.linspace(0, 10, 101)
    errors = []
    for seed in range(5):
        data = draw_setting(setting, 500, np.random.default_rng(seed))
        model = KernelPropensity().fit(data.X, data.A)
        assert 0.1 < model.bandwidth_ < 3
        p = model.predict_proba(grid[:, None])[:, 1]
        errors.append(p - setting_propensity(grid, setting))
    assert np.sqrt(np.mean(np.square(errors))) < worst


def test_kernel_propensity_is_the_weighted_mean():
    rng = np.random.default_rng(1)
    x, A = rng.normal(size=30), rng.random(30) < 0.6
    model = KernelPropensity(bandwidth=0.5).fit(x[:, None], A)
    at = np.array([-1.0, 0.3, 50.0])
    kernel = np.exp(-0.5 * ((at[:2, None] - x) / 0.5) ** 2)
    expected = kernel @ A / kernel.sum(axis=1)
    p = model.predict_proba(at[:, None])[:, 1]
    np.testing.assert_allclose(p[:2], expected)
    assert p[2] == pytest.approx(
        float(A[x.argmax()]), abs=1e-3
    )  # far away the nearest row decides
    assert KernelPropensity("leave-one-out").fit(x[:, None], A).bandwidth_ > 0
    wide = np.column_stack([x, 100 * rng.normal(size=30)])
    several = KernelPropensity(bandwidth=0.5).fit(wide, A)
    scaled = (wide[:3, None] - wide) / wide.std(axis=0)
    kernel = np.exp(-0.5 * (scaled**2).sum(axis=2) / 0.25)
    np.testing.assert_allclose(
        several.predict_proba(wide[:3])[:, 1], kernel @ A / kernel.sum(axis=1)
    )
    with pytest.raises(NotFittedError):
        KernelPropensity().predict_proba(at[:, None])


@pytest.mark.parametrize(
    "model", ["l1-logistic", "logistic", "forest", LogisticRegression()]
)
def test_one_interface_for_classifiers(model):
    rng = np.random.default_rng(2)
    data = draw_high_dimensional(400, rng.uniform(-2, 2, 5), rng)
    fitted = clone(PropensityModel(model)).fit(pd.DataFrame(data.X), data.A * 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PositivityWarning)
        p = fitted.predict(pd.DataFrame(data.X))
    assert ((p > 0) & (p < 1)).all()
    assert np.corrcoef(p, data.p)[0, 1] > 0.25


def test_a_known_propensity_is_taken_as_it_is():
    model = PropensityModel(lambda X: X[:, 0]).fit(np.ones((3, 1)), np.ones(3))
    np.testing.assert_array_equal(model.predict(np.array([[0.3], [1e-9]])), [0.3, 1e-9])
    with pytest.raises(NotFittedError):
        PropensityModel("kernel").predict([[1.0]])


def test_shares_of_missing_outcomes_of_the_designs():
    rng = np.random.default_rng(3)
    for setting, share in ((1, 0.2002), (2, 0.2021)):
        data = draw_setting(setting, 100_000, rng)
        assert 1 - data.p.mean() == pytest.approx(share, abs=0.002)
        assert np.std((data.Y - data.X[:, 0]) / (3 + data.X[:, 0])) == pytest.approx(
            1, abs=0.01
        )
    for scale, share in ((2.0, 0.229), (1.0, 0.222)):
        data = draw_high_dimensional(100_000, np.ones(30), rng, scale=scale)
        assert 1 - data.p.mean() == pytest.approx(share, abs=0.004)


def test_jobs_design_and_propensity():
    frame = pd.DataFrame(
        {
            "econ_hard": [3.0],
            "sex": [0],
            "age": [30.0],
            "nonwhite": ["non.white1"],
            "educ": ["bach"],
            "occp": ["manegerial"],
            "marital": ["widowed"],
            "job_disc": ["High"],
        }
    )
    design = jobs_design(frame)
    assert design.loc[0, ["sex", "nonwhite", "educ", "job_disc"]].tolist() == [
        1,
        1,
        3,
        3,
    ]
    assert design.filter(like="occp=").to_numpy().sum() == 1
    eta = 1 - 0.15 - 0.05 + 0.9 + 0.03 - 0.3 + 0.1 - 0.2 + 0.09
    assert jobs_propensity(design)[0] == pytest.approx(1 / (1 + np.exp(-eta)))
    with pytest.raises(ValueError, match="unknown levels"):
        jobs_design(frame.assign(educ="phd"))


def make(method="pro-cp", **options):
    return MissingOutcomeConformal(
        propensity="kernel", alpha=0.2, method=method, **options
    )


@pytest.fixture(scope="module")
def sample():
    train = draw_setting(1, 400, np.random.default_rng(4))
    return train, draw_setting(1, 400, np.random.default_rng(5))


def test_three_verbs_equal_the_functions(sample):
    train, data = sample
    model = make().fit(train.X, train.seen()).conformalize(data.X, data.seen())
    y_pred, intervals = model.predict_interval(data.X[~data.A])
    line = LinearRegression().fit(train.X[train.A], train.Y[train.A])
    kernel = KernelPropensity().fit(train.X, train.A)
    p = kernel.predict_proba(data.X)[:, 1]
    score = np.abs(data.Y - line.predict(data.X))[data.A]
    bins = odds_bins(p)
    q = procp_threshold(score, bins[data.A], bins[~data.A], 0.2, variant="one_rep")
    np.testing.assert_allclose(intervals[:, 1, 0] - y_pred, q)
    np.testing.assert_allclose(y_pred, line.predict(data.X[~data.A]))
    weighted = make("weighted").fit(train.X, train.seen())
    weighted.conformalize(data.X, data.seen())
    width = weighted.predict_interval(data.X[~data.A])[1][:, 1, 0] - y_pred
    np.testing.assert_allclose(
        width, weighted_threshold(score, p[data.A], p[~data.A], 0.2)
    )


@pytest.mark.parametrize("method", ["pro-cp", "pro-cp2", "weighted", "binned-weighted"])
@pytest.mark.parametrize("variant", ["representative", "paper"])
def test_methods_take_frames_and_several_levels(sample, method, variant):
    train, data = sample
    model = MissingOutcomeConformal(
        propensity="kernel",
        alpha=[0.2, 0.4],
        method=method,
        variant=variant,
        partition="quick",
    )
    X = pd.DataFrame(data.X, columns=["dose"], index=np.arange(400) + 7)
    y = pd.Series(data.seen(), index=X.index)
    y = y.astype(object).where(y.notna(), None)  # gaps as None
    frame = pd.DataFrame(train.X, columns=["dose"])
    model.fit(frame, train.seen()).conformalize(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        _, intervals = model.predict_interval(X[y.isna()])
    assert intervals.shape == ((~data.A).sum(), 2, 2)
    assert (intervals[:, 1, 0] >= intervals[:, 1, 1]).all()
    assert list(model.feature_names_in_) == ["dose"]
    assert len(model.overlap(X[y.isna()])) == 11


def test_quantile_score_and_order_of_rows(sample):
    train, data = sample
    model = make(conformity_score="quantile").fit(train.X, train.seen())
    model.conformalize(data.X, data.seen())
    rows = data.X[~data.A]
    order = np.random.default_rng(6).permutation(len(rows))
    straight, mixed = (model.predict_interval(part)[1] for part in (rows, rows[order]))
    np.testing.assert_allclose(mixed, straight[order])
    covered = (straight[:, 0, 0] <= data.Y[~data.A]) & (
        data.Y[~data.A] <= straight[:, 1, 0]
    )
    assert covered.mean() > 0.6


def test_contract_of_scikit_learn(sample):
    train, data = sample
    model = make()
    assert clone(model).get_params() == model.get_params()
    for verb in (
        lambda: model.predict(data.X),
        lambda: model.conformalize(data.X, data.seen()),
        lambda: model.predict_interval(data.X),
    ):
        with pytest.raises(NotFittedError):
            verb()
    model.fit(train.X, train.seen())
    with pytest.raises(NotFittedError, match="calibrated"):
        model.predict_interval(data.X)
    model.conformalize(data.X, data.seen())
    model.fit(train.X, train.seen())  # a new fit forgets the old calibration
    with pytest.raises(NotFittedError, match="calibrated"):
        model.predict_interval(data.X)
    with pytest.raises(ValueError, match="rows"):
        model.conformalize(data.X[:-1], data.seen())


def test_positivity_is_doubted_once():
    rng = np.random.default_rng(7)
    X = rng.uniform(size=(600, 1))
    y = np.where(rng.random(600) < 1.001 - X[:, 0], X[:, 0], np.nan)
    model = MissingOutcomeConformal(
        propensity=lambda X: 1.001 - X[:, 0], alpha=0.2, positivity=0.05
    )
    model.fit(X[:300], y[:300]).conformalize(X[300:], y[300:])
    with (
        pytest.warns(PositivityWarning, match="below 0.05") as caught,
        pytest.warns(InfiniteSetWarning),
    ):
        model.predict_interval(X[300:][np.isnan(y[300:])])
    assert sum(w.category is PositivityWarning for w in caught) == 1


def test_crossing_gives_every_missing_row_an_interval(sample):
    _, data = sample
    X = pd.DataFrame(data.X, columns=["x"], index=[f"row{i}" for i in range(400)])
    model = make(epsilon=0.5)
    frame = cross_intervals(model, X, data.seen(), n_splits=3, random_state=1)
    assert list(frame.index) == list(X.index[~data.A])
    assert np.isfinite(frame[["lower", "upper"]]).all(axis=None)
    covered = (frame["lower"] <= data.Y[~data.A]) & (data.Y[~data.A] <= frame["upper"])
    assert covered.mean() > 0.6
    assert set(frame["part"]) == {0, 1, 2}
    with pytest.raises(ValueError, match="n_splits"):
        cross_intervals(make(), X, data.seen(), n_splits=1)
    nobody = cross_intervals(
        MissingOutcomeConformal(propensity=lambda X: np.full(len(X), 0.5)), X, data.Y
    )
    assert len(nobody) == 0


def test_split_outcome():
    y, observed = split_outcome(["1", None, 2.5, np.nan])
    np.testing.assert_array_equal(observed, [True, False, True, False])
    assert y[2] == 2.5


def test_epsilon_is_suggested_from_training_rows():
    data = draw_setting(1, 200, np.random.default_rng(9))
    epsilon = suggest_epsilon(data.p, data.A, 0.2)
    bins = odds_bins(data.p, epsilon)
    share = mass_at_infinity(bins[data.A], bins[~data.A], variant="one_rep")
    assert share <= 0.1
    finer = odds_bins(data.p, epsilon / 1.3)
    assert (
        mass_at_infinity(finer[data.A], finer[~data.A], variant="one_rep") > 0.1
        or epsilon == 0.05
    )
    many = draw_setting(1, 20_000, np.random.default_rng(10))
    assert suggest_epsilon(many.p, many.A, 0.2) == 0.05
    with pytest.raises(ValueError, match="both"):
        suggest_epsilon(data.p, np.ones(200), 0.2)


def test_diagnostics():
    assert effective_sample_size([1, 1, 1, 1]) == 4
    assert effective_sample_size([1, 0, 0, 0]) == 1
    assert effective_sample_size([0.0]) == 0
    table = bin_table([0, 0, 3], [3, 5])
    assert table.loc[3].tolist() == [1, 1]
    report = overlap_report([0.5, 0.5, 0.8], [0.5, 0.2])
    assert report["test rows without calibration bin"] == 0.5
    assert report["calibration rows"] == 3
    rng = np.random.default_rng(8)
    x = rng.integers(0, 3, 3000)
    A = rng.random(3000) < np.array([0.9, 0.6, 0.3])[x]
    balance = balance_by_bin(pd.DataFrame({"x": x}), A, x)
    assert balance.loc["x", "raw"] > 0.5
    assert balance.loc["x", "within bins"] == pytest.approx(0, abs=1e-12)
