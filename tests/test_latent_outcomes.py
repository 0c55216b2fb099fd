"""The outcome models of chapter 1 against their definitions."""

import numpy as np
import pytest
from reference import latent as naive

from notebook_lib.exceptions import NotConvergedWarning
from notebook_lib.latent import (
    OUTCOME_MODELS,
    LatentClassDGP,
    RegressionMixture,
    attenuation_matrix,
    level_set_measure,
    one_hot,
    solve_soft_system,
)


def small(seed, n=30, n_classes=3, d=2):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    tau = rng.dirichlet(np.ones(n_classes), size=n)
    return x, tau, x @ np.arange(1, d + 1) + tau @ [-2, 0, 2] + rng.standard_normal(n)


@pytest.mark.parametrize("seed", range(4))
def test_one_solve_equals_the_blueprints_alternation(seed):
    x, tau, y = small(seed)
    theta, beta = solve_soft_system(x, tau, y)
    slow_theta, slow_beta = naive.soft_by_alternation(x, tau, y)
    np.testing.assert_allclose(theta, slow_theta, rtol=1e-9)
    np.testing.assert_allclose(beta, slow_beta, rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_solution_minimises_the_blueprints_loss(seed):
    x, tau, y = small(seed)
    theta, beta = solve_soft_system(x, tau, y)
    best = naive.weighted_loss(x, tau, y, theta, beta)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        step, other = rng.normal(size=2) / 10, rng.normal(size=3) / 10
        assert naive.weighted_loss(x, tau, y, theta + step, beta + other) > best


def test_with_known_classes_every_soft_model_is_least_squares_on_dummies():
    x, tau, y = small(0)
    truth = one_hot(tau)
    expected = OUTCOME_MODELS["hard"]().fit(x, truth, y)
    for name in ("soft", "soft-regression"):
        model = OUTCOME_MODELS[name]().fit(x, truth, y)
        np.testing.assert_allclose(model.theta_, expected.theta_)
        np.testing.assert_allclose(model.beta_, expected.beta_)


def test_hard_labels_are_dummies_of_the_largest_responsibility():
    x, tau, y = small(1)
    model = OUTCOME_MODELS["hard"]().fit(x, tau, y)
    design = np.zeros((len(y), 5))
    for i in range(len(y)):
        design[i, :2] = x[i]
        design[i, 2 + max(range(3), key=lambda k, i=i: tau[i, k])] = 1
    solution = np.linalg.solve(design.T @ design, design.T @ y)
    np.testing.assert_allclose(model.predict(x, tau), design @ solution, rtol=1e-9)


def test_slopes_are_one_weighted_regression_a_class():
    x, tau, y = small(2)
    model = OUTCOME_MODELS["soft-slopes"]().fit(x, tau, y)
    design = np.column_stack([x, np.ones(len(y))])
    predicted = np.zeros(len(y))
    for k in range(3):
        weight = np.diag(tau[:, k])
        gram, right = design.T @ weight @ design, design.T @ weight @ y
        predicted += tau[:, k] * (design @ np.linalg.solve(gram, right))
    np.testing.assert_allclose(model.predict(x, tau), predicted, rtol=1e-9)


@pytest.mark.parametrize("name", OUTCOME_MODELS)
def test_several_outcomes_at_once_equal_one_at_a_time(name):
    x, tau, y = small(3)
    ys = np.column_stack([y, -2 * y + 1, y**2])
    together = OUTCOME_MODELS[name]().fit(x, tau, ys).predict(x, tau)
    for j in range(3):
        alone = OUTCOME_MODELS[name]().fit(x, tau, ys[:, j]).predict(x, tau)
        np.testing.assert_allclose(together[:, j], alone, rtol=1e-9)


@pytest.mark.parametrize("name", [*OUTCOME_MODELS, "density"])
def test_predictions_do_not_depend_on_the_names_of_the_classes(name):
    x, tau, y = small(4, n=80)
    make = OUTCOME_MODELS.get(name, RegressionMixture)
    order = [2, 0, 1]
    one = make().fit(x, tau, y).predict(x, tau)
    two = make().fit(x, tau[:, order], y).predict(x, tau[:, order])
    np.testing.assert_allclose(one, two, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", [*OUTCOME_MODELS, "density"])
def test_an_empty_class_does_not_crash(name):
    x, tau, y = small(5, n=60)
    tau = np.column_stack([tau[:, 0], 1 - tau[:, 0], np.zeros(60)])
    make = OUTCOME_MODELS.get(name, RegressionMixture)
    model = make().fit(x, tau, y)
    assert np.isfinite(model.predict(x, tau)).all()
    # A test row may still fall into the class that training never saw.
    assert np.isfinite(model.predict(x[:1], np.array([[0.0, 0.0, 1.0]]))).all()


def test_soft_intercepts_are_attenuated_and_regression_ones_are_not():
    dgp = LatentClassDGP()
    sample = dgp.sample(100_000, np.random.default_rng(6))
    tau = dgp.posterior(sample)
    soft = OUTCOME_MODELS["soft"]().fit(sample.x, tau, sample.y)
    regression = OUTCOME_MODELS["soft-regression"]().fit(sample.x, tau, sample.y)
    w = attenuation_matrix(tau)
    assert np.abs(soft.beta_ - w @ dgp.intercepts).max() < 0.03
    assert np.abs(soft.beta_ - dgp.intercepts).max() > 0.3
    assert np.abs(regression.beta_ - dgp.intercepts).max() < 0.03


# ------------------------------------------------------- mixture of regressions


def test_the_outcome_em_climbs_and_recovers_the_truth():
    dgp = LatentClassDGP(beta=2.0)
    sample = dgp.sample(20_000, np.random.default_rng(7))
    tau = dgp.posterior(sample)
    model = RegressionMixture().fit(sample.x, tau, sample.y)
    np.testing.assert_allclose(model.theta_, dgp.theta, atol=0.03)
    np.testing.assert_allclose(model.beta_, dgp.intercepts, atol=0.05)
    assert abs(model.sigma_ - dgp.sigma) < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_is_the_loops_and_no_lower_than_at_the_start(seed):
    x, tau, y = small(seed)
    model = RegressionMixture(tol=1e-10).fit(x, tau, y)
    at = model.theta_, model.beta_, model.sigma_
    value = naive.outcome_log_likelihood(x, tau, y, *at)
    assert value == pytest.approx(model.log_likelihood_, abs=1e-7)
    start = OUTCOME_MODELS["soft-regression"]().fit(x, tau, y)
    sigma = np.std(y - start.predict(x, tau))
    first = naive.outcome_log_likelihood(x, tau, y, start.theta_, start.beta_, sigma)
    assert value >= first - 1e-12


def test_the_score_is_minus_the_log_density_of_the_distribution():
    x, tau, y = small(8)
    model = RegressionMixture().fit(x, tau, y)
    scores = model.residual_score(x, tau, y)
    distribution = model.predict_distribution(x, tau)
    np.testing.assert_allclose(scores, -distribution.logpdf(y), rtol=1e-9)
    for i in range(len(y)):
        means = [model.theta_ @ x[i] + b for b in model.beta_]
        density = naive.mixture_density(y[i], tau[i], means, model.sigma_)
        assert scores[i] == pytest.approx(-np.log(density), rel=1e-9)
    np.testing.assert_allclose(distribution.mean(), model.predict(x, tau), rtol=1e-9)


def test_an_outcome_without_noise_keeps_the_variance_off_zero():
    x, tau, _ = small(9)
    model = RegressionMixture().fit(
        x, one_hot(tau), x @ [1.0, 2.0] + one_hot(tau) @ [0, 1, 2]
    )
    assert model.sigma_ > 0
    assert np.isfinite(model.log_likelihood_)


def test_an_outcome_em_that_ran_out_of_iterations_says_so():
    x, tau, y = small(10)
    with pytest.warns(NotConvergedWarning, match="raise max_iter or tol"):
        RegressionMixture(tol=0.0, max_iter=3).fit(x, tau, y)


@pytest.mark.parametrize("threshold", [0.5, 1.0, 1.5, 2.5, 6.0])
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_the_grid_measure_equals_the_exact_level_set(threshold, sigma):
    x, tau, y = small(11, n=60)
    model = RegressionMixture().fit(x, tau, y)
    model.beta_, model.sigma_ = np.array([-2.0, 0.1, 1.5]), sigma
    exact = model.predict_distribution(x, tau).level_set(-threshold).length()
    grid = level_set_measure(tau, model.beta_, sigma, threshold)
    np.testing.assert_allclose(grid, exact, atol=0.02 * sigma)
    assert abs(grid.mean() - exact.mean()) < 2e-3 * max(exact.mean(), sigma)


def test_an_infinite_threshold_gives_infinite_sets_and_a_low_one_empty_sets():
    tau = np.full((4, 2), 0.5)
    assert np.isinf(level_set_measure(tau, np.array([0.0, 1.0]), 1.0, np.inf)).all()
    assert (level_set_measure(tau, np.array([0.0, 1.0]), 1.0, -5.0) == 0).all()
