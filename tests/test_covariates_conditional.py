"""nexCP, LCP, the distance, the imputers and the Gaussian oracle."""

import warnings

import numpy as np
import pytest
from reference import covariates as naive
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import LinearRegression
from test_covariates_nested import fitted, linear_model, problem, quiet_infinite

from notebook_lib.covariates import (
    BETA,
    LCP,
    CPMDAExact,
    GaussianImputer,
    GaussianLinear,
    NexCP,
    column_ranges,
    equicorrelated,
    equicorrelated_variance,
    heom,
    impute,
    kernel_weights,
    median_bandwidth,
    nexcp_radius,
    rank_weights,
)
from notebook_lib.covariates.imputation import row_noise
from notebook_lib.masks import all_masks
from notebook_lib.quantiles import conformal_quantile


def made(cls, train, cal, model=linear_model, **options):
    """An estimator around a given function of (row, mask), with a training set."""
    estimator = cls(**options)
    estimator.models_ = [model]
    estimator.X_train_, estimator.y_train_ = train
    estimator.complete_columns_ = np.zeros(train[0].shape[1], dtype=bool)
    estimator.n_features_in_ = train[0].shape[1]
    estimator._train_ref = None
    estimator.ranges_ = column_ranges(train[0])
    return estimator.conformalize(*cal)


def sets(rng, ties=False, d=3):
    X_tr, M_tr, y_tr = problem(rng, n=60, d=d, rate=0.3, ties=ties)
    X, M, y = problem(rng, n=50, d=d, rate=0.3, ties=ties)
    X_new, M_new, _ = problem(rng, n=40, d=d, rate=0.4, ties=ties)
    X_new[0], M_new[0] = np.nan, True
    return (X_tr, M_tr, y_tr), (X, M, y), X_new, M_new


def radius_of(estimator, X_new, M_new):
    with quiet_infinite(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        out = estimator.predict_interval(X_new)[1][:, :, 0]
    with np.errstate(invalid="ignore"):
        half = np.where(np.isinf(out[:, 1]), np.inf, (out[:, 1] - out[:, 0]) / 2)
    return half


@pytest.mark.parametrize("kind", ["rank", "mask"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("rho", [0.99, 0.7])
def test_nexcp_equals_the_loop(kind, ties, rho):
    train, cal, X_new, M_new = sets(np.random.default_rng(0), ties)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = made(NexCP, train[::2], cal[::2], alpha=0.2, rho=rho, weights=kind)
    wanted = [
        naive.nexcp_radius(linear_model, cal, x, m, 0.2, rho, model.ranges_, kind)
        for x, m in zip(X_new, M_new, strict=True)
    ]
    np.testing.assert_allclose(radius_of(model, X_new, M_new), wanted, rtol=1e-9)
    assert np.isfinite(wanted).any()


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_lcp_equals_the_loop(own, ties):
    train, cal, X_new, M_new = sets(np.random.default_rng(1), ties)
    model = made(
        LCP,
        train[::2],
        cal[::2],
        alpha=0.2,
        h=0.4,
        distance_mask="own" if own else "over",
    )
    wanted = [
        naive.lcp_radius(linear_model, train, cal, x, m, 0.2, 0.4, model.ranges_, own)
        for x, m in zip(X_new, M_new, strict=True)
    ]
    np.testing.assert_allclose(
        radius_of(model, X_new, M_new), wanted, rtol=1e-9, atol=1e-12
    )


def test_equal_weights_are_cp_mda_exact_and_flat_lcp_too():
    """Remark 3.5, and the limit of LCP at an infinite bandwidth."""
    train, cal, X_new, M_new = sets(np.random.default_rng(2))
    X, _, y = cal
    exact = fitted(CPMDAExact, linear_model, "absolute", X, y, alpha=0.2)
    wanted = radius_of(exact, X_new, M_new)
    for model in (
        made(NexCP, train[::2], cal[::2], alpha=0.2, weights="equal"),
        made(NexCP, train[::2], cal[::2], alpha=0.2, rho=1.0),
        made(LCP, train[::2], cal[::2], alpha=0.2, h=np.inf),
    ):
        np.testing.assert_allclose(
            radius_of(model, X_new, M_new), wanted, rtol=1e-12, atol=1e-12
        )


def test_same_mask_rows_all_weigh_one():
    distances = np.array([[0.3, 0.1, 0.1, 0.9]])
    same = np.array([False, False, True, False])
    weights = rank_weights(distances, same, 0.5)
    np.testing.assert_allclose(weights, [[0.5**3, 0.5, 1.0, 0.5**4]])


def test_radius_is_finite_iff_the_weights_reach_the_odds():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=50) ** 2
    for _ in range(200):
        weights = rng.random(50) * rng.random()
        radius = nexcp_radius(scores, weights, 0.1)
        assert np.isfinite(radius) == (weights.sum() >= 9 * (1 - 1e-10))
    unit = nexcp_radius(scores, np.ones(50), 0.1)
    assert unit == conformal_quantile(scores, 0.1)


@pytest.mark.parametrize(
    ("rho", "alpha", "needed"),
    [(0.99, 0.05, 22), (0.99, 0.1, 10), (0.99, 0.2, 5), (0.91, 0.1, 24)],
)
def test_smallest_size_without_same_mask_rows(rho, alpha, needed):
    for n, finite in ((needed - 1, False), (needed, True)):
        weights = rho ** np.arange(1, n + 1)
        assert np.isfinite(nexcp_radius(np.arange(n), weights, alpha)) == finite


def test_decay_at_the_level_is_infinite_for_every_size():
    # Beyond 260 rows the sum is 9 to within rounding, though never in truth.
    for n in (10, 50, 200):
        weights = 0.9 ** np.arange(1, n + 1)
        assert np.isinf(nexcp_radius(np.arange(n), weights, 0.1))


@pytest.mark.parametrize("bad", [-0.1, np.nan, 1.5])
def test_weights_outside_the_unit_interval_are_refused(bad):
    with pytest.raises(ValueError, match="weights"):
        nexcp_radius([1.0, 2.0], [0.5, bad], 0.1)


def test_all_zero_weights_give_an_infinite_radius():
    assert np.isinf(nexcp_radius([1.0, 2.0], [0.0, 0.0], 0.1))


# -------------------------------------------------------------- the distance


def test_heom_by_hand_and_against_the_loop():
    x = np.array([[np.nan, 1.0, 2.0]])
    assert heom(x, x, np.ones(3))[0, 0] == 1.0
    a, b = np.array([[0.0, np.nan]]), np.array([[1.0, 3.0]])
    np.testing.assert_allclose(heom(a, b, np.array([2.0, 2.0])), np.sqrt(1.25))
    rng = np.random.default_rng(4)
    A, _, _ = problem(rng, n=12, ties=True)
    B, _, _ = problem(rng, n=9, ties=True)
    ranges = column_ranges(B)
    wanted = [[naive.heom(p, q, ranges, (1,)) for q in B] for p in A]
    np.testing.assert_allclose(heom(A, B, ranges, nominal=(1,)), wanted, rtol=1e-12)


def test_among_available_cases_hiding_more_does_not_change_the_distance():
    """H1: the distance says nothing about the similarity of masks."""
    rng = np.random.default_rng(5)
    X, M, _ = problem(rng, n=300, d=5, rate=0.3)
    M[:2], X[:2] = False, rng.normal(size=(2, 5))
    ranges = column_ranges(X)
    for m in all_masks(5):
        x = np.where(m, np.nan, rng.normal(size=5))[None]
        available = X[~(M & ~m).any(axis=1)]
        hidden = np.where(m, np.nan, available)
        own, over = heom(available, x, ranges), heom(hidden, x, ranges)
        np.testing.assert_allclose(own, over, rtol=1e-12)
        seen = np.flatnonzero(~m)
        rest = heom(hidden[:, seen], x[:, seen], ranges[seen], squared=True)
        np.testing.assert_allclose(over**2, m.sum() + rest, rtol=1e-12)


def test_kernel_does_not_underflow_and_ignores_a_common_constant():
    squared = np.array([[2.0, 2.01, 2.5]])
    weights = kernel_weights(squared, 0.025, "gaussian", 2)
    assert weights[0, 0] > weights[0, 1] > 0
    np.testing.assert_allclose(weights, kernel_weights(squared - 2, 0.025), rtol=1e-12)
    np.testing.assert_allclose(weights.sum(), 1)


def test_a_kernel_row_without_mass_becomes_uniform_with_a_warning():
    with pytest.warns(UserWarning, match="equal weights"):
        weights = kernel_weights(np.array([[4.0, 9.0]]), 1.0, "epanechnikov")
    np.testing.assert_allclose(weights, 0.5)


def test_columns_without_spread_get_range_one():
    X = np.array([[1.0, np.nan, 3.0], [1.0, np.nan, 5.0]])
    with pytest.warns(UserWarning, match="no spread"):
        np.testing.assert_array_equal(column_ranges(X), [1.0, 1.0, 2.0])


def test_median_bandwidth_is_the_median_over_pairs():
    X, _, _ = problem(np.random.default_rng(6), n=31)
    ranges = column_ranges(X)
    pairs = [
        naive.heom(X[i], X[j], ranges) for i in range(31) for j in range(i + 1, 31)
    ]
    np.testing.assert_allclose(median_bandwidth(X, ranges), np.median(pairs))


@pytest.mark.parametrize("h", ["median_train", "median_all", "slcp", 0.3])
@pytest.mark.parametrize("kernel", ["gaussian", "box", lambda u: 1 / (1 + u)])
def test_lcp_runs_with_every_bandwidth_and_kernel(h, kernel):
    train, cal, X_new, M_new = sets(np.random.default_rng(7))
    model = made(LCP, train[::2], cal[::2], alpha=0.2, h=h, kernel=kernel)
    assert np.isfinite(radius_of(model, X_new, M_new)).any()
    assert model.h_ > 0


# --------------------------------------------------------------- the imputers


def test_gaussian_imputer_agrees_with_the_truth_it_samples_from():
    model = GaussianLinear(BETA[:3], 1.0, equicorrelated(3, 0.8))
    rng = np.random.default_rng(8)
    X, _ = model.sample(20000, rng)
    X[rng.random(X.shape) < 0.2] = np.nan
    imputer = GaussianImputer().fit(X)
    np.testing.assert_allclose(imputer.mean_, 1.0, atol=0.05)
    np.testing.assert_allclose(imputer.covariance_, model.cov, atol=0.05)


def test_draws_have_the_conditional_law_and_do_not_depend_on_the_batch():
    model = GaussianLinear(BETA[:3], 1.0, equicorrelated(3, 0.8))
    X, _ = model.sample(3000, 9)
    imputer = GaussianImputer(draw=True).fit(X)
    hidden = X[:2000].copy()
    hidden[:, 1] = np.nan
    drawn = imputer.transform(hidden)
    mean = GaussianImputer().fit(X).transform(hidden)
    sd = (drawn - mean)[:, 1].std()
    assert abs(sd - 0.5375) < 0.03  # sqrt(1 - .8^2 2/(1.8)) = .5375
    np.testing.assert_array_equal(imputer.transform(hidden[5:9]), drawn[5:9])
    other = GaussianImputer(draw=True, random_state=1).fit(X).transform(hidden)
    assert (other[:, 1] != drawn[:, 1]).all()


def test_row_noise_is_standard_normal_and_uncorrelated():
    observed = np.random.default_rng(10).normal(size=(20000, 2))
    noise = row_noise(observed, np.array([False, True, False, True]), 2, 3)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(noise.T), np.eye(2), atol=0.04)
    other = row_noise(observed, np.array([True, True, False, False]), 2, 3)
    assert abs(np.corrcoef(noise[:, 0], other[:, 0])[0, 1]) < 0.03


def test_fast_chain_equals_sklearn_row_by_row_and_in_batch():
    rng = np.random.default_rng(11)
    X, _ = GaussianLinear(BETA, 1.0, equicorrelated(10, 0.8)).sample(400, rng)
    X[rng.random(X.shape) < 0.3] = np.nan
    imputer = IterativeImputer(random_state=0).fit(X[:200])
    test = X[200:][~np.isnan(X[200:]).all(axis=1)]
    means = np.nanmean(X[:200], axis=0)
    ours = impute(imputer, test, means)
    np.testing.assert_allclose(ours, imputer.transform(test), rtol=1e-9, atol=1e-9)
    for i in range(20):
        alone = impute(imputer, test[i : i + 1], means)
        np.testing.assert_allclose(alone[0], ours[i], rtol=1e-12)


def test_rows_without_any_entry_get_the_means_alone_or_in_company():
    rng = np.random.default_rng(12)
    X = rng.normal(size=(50, 3)) + 5
    X[rng.random(X.shape) < 0.2] = np.nan
    means = np.nanmean(X, axis=0)
    empty = np.full((1, 3), np.nan)
    for imputer in (
        IterativeImputer(sample_posterior=True, random_state=0),
        GaussianImputer(draw=True),
        SimpleImputer(),
    ):
        imputer.fit(X)
        np.testing.assert_array_equal(impute(imputer, empty, means)[0], means)
        mixed = impute(imputer, np.concatenate([X[:5], empty]), means)
        np.testing.assert_array_equal(mixed[-1], means)


def test_gaussian_imputer_refuses_a_column_never_seen():
    with pytest.raises(ValueError, match="never observed"):
        GaussianImputer().fit(np.array([[1.0, np.nan], [2.0, np.nan]]))


# ----------------------------------------------------------------- the oracle


@pytest.mark.parametrize("d", [3, 5, 8])
@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_closed_form_variance_equals_the_matrix_formula(d, phi):
    masks = all_masks(d)
    model = GaussianLinear(BETA[:d], 1.0, equicorrelated(d, phi))
    np.testing.assert_allclose(
        equicorrelated_variance(BETA[:d], phi, masks),
        model.conditional_variance(masks),
        rtol=1e-10,
    )


def test_oracle_lengths_of_the_table():
    model = GaussianLinear(BETA[:3], 1.0, equicorrelated(3, 0.8))
    wanted = [3.2897, 3.7348, 4.8299, 3.7348, 4.8349, 3.8924, 6.1015, 7.6446]
    order = ["000", "001", "010", "100", "011", "101", "110", "111"]
    masks = np.array([[c == "1" for c in label] for label in order])
    np.testing.assert_allclose(model.oracle_length(masks, 0.1), wanted, atol=1e-4)


@pytest.mark.statistical
def test_oracle_covers_on_every_mask():
    model = GaussianLinear(BETA[:3], 1.0, equicorrelated(3, 0.8))
    rng = np.random.default_rng(13)
    for m in all_masks(3):
        X, y = model.sample(20000, rng)
        mask = np.tile(m, (len(X), 1))
        low, high = model.oracle_interval(X, mask, 0.1).T
        share = ((low <= y) & (y <= high)).mean()
        assert abs(share - 0.9) < 3.2 * np.sqrt(0.09 / 20000)  # 1 % over 8 masks


def test_estimators_fit_end_to_end_with_draws():
    rng = np.random.default_rng(14)
    model = GaussianLinear(BETA[:3], 1.0, equicorrelated(3, 0.8))
    X, y = model.sample(600, rng)
    X[rng.random(X.shape) < 0.2] = np.nan
    for cls in (NexCP, LCP):
        fit = cls(LinearRegression(), imputer=GaussianImputer(draw=True))
        fit.fit(X[:300], y[:300]).conformalize(X[300:500], y[300:500])
        _, out = fit.predict_interval(X[500:].copy())
        low, high = out[:, 0, 0], out[:, 1, 0]
        assert 0.75 < ((low <= y[500:]) & (y[500:] <= high)).mean() <= 1
