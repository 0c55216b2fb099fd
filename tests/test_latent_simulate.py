"""The generating process of chapter 1: every knob does what it says."""

import numpy as np
import pytest
from scipy.stats import norm

from notebook_lib.latent import LatentClassDGP, random_covariance, simplex_means


@pytest.mark.parametrize(("n_classes", "dim"), [(2, 1), (2, 2), (3, 2), (5, 4), (5, 7)])
@pytest.mark.parametrize("separation", [0.0, 0.3, 2.0, 6.0])
def test_every_pair_of_simplex_means_is_separation_apart(n_classes, dim, separation):
    means = simplex_means(n_classes, dim, separation)
    gaps = np.linalg.norm(means[:, None] - means[None], axis=2)
    expected = separation * (1 - np.eye(n_classes))
    np.testing.assert_allclose(gaps, expected, atol=1e-12)
    np.testing.assert_allclose(means.mean(axis=0), 0, atol=1e-12)
    assert np.all(means[:, n_classes - 1 :] == 0)


def test_random_covariance_keeps_its_eigenvalues_in_the_band():
    rng = np.random.default_rng(0)
    for _ in range(20):
        eigenvalues = np.linalg.eigvalsh(random_covariance(4, 3.0, rng))
        assert eigenvalues.min() >= 1 / 3 - 1e-12
        assert eigenvalues.max() <= 3 + 1e-12
    assert np.allclose(random_covariance(3, 1.0, rng), np.eye(3))


def test_the_sample_has_the_means_and_covariances_of_the_knobs():
    dgp = LatentClassDGP(
        structure="full", rho=0.3, separation_x=1.0, pi=(0.5, 0.3, 0.2)
    )
    sample = dgp.sample(200_000, np.random.default_rng(1))
    s = sample.observables("RX")
    for k in range(3):
        rows = s[sample.z == k]
        np.testing.assert_allclose(rows.mean(axis=0), dgp.means[k], atol=0.04)
        np.testing.assert_allclose(np.cov(rows.T), dgp.covariances[k], atol=0.08)
    np.testing.assert_allclose(np.bincount(sample.z) / 200_000, dgp.pi, atol=0.006)
    residual = sample.y - sample.x @ dgp.theta - dgp.intercepts[sample.z]
    assert abs(residual.std() - dgp.sigma) < 0.005
    assert abs(np.corrcoef(residual, sample.r[:, 0])[0, 1]) < 0.01


@pytest.mark.parametrize("structure", ["spherical", "diagonal", "full"])
def test_rho_is_the_correlation_within_a_class_whatever_the_structure(structure):
    dgp = LatentClassDGP(structure=structure, rho=-0.25, scale=2.0)
    for covariance in dgp.covariances:
        sd = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(sd, sd)
        np.testing.assert_allclose([correlation[0, 2], correlation[1, 3]], -0.25)
        np.testing.assert_allclose([correlation[0, 3], correlation[1, 2]], 0)
    shared = np.allclose(dgp.covariances[0], dgp.covariances[1])
    assert shared == (structure != "full")


def test_the_covariances_belong_to_the_scenario_not_to_the_replicate():
    one, two = LatentClassDGP(structure="full"), LatentClassDGP(structure="full")
    other = LatentClassDGP(structure="full", structure_seed=1)
    assert np.array_equal(one.covariances, two.covariances)
    assert not np.allclose(one.covariances, other.covariances)
    assert np.array_equal(one.with_(beta=2.0).covariances, one.covariances)


def test_class_specific_slopes_replace_theta():
    slopes = ((1.0,), (2.0,), (3.0,))
    dgp = LatentClassDGP(slopes=slopes, beta=0.0, intercept_shift=5.0)
    assert dgp.d_x == 1
    y = dgp.outcome(np.array([[2.0]] * 3), np.array([0, 1, 2]), np.zeros(3))
    np.testing.assert_allclose(y, [7.0, 9.0, 11.0])


def test_five_classes_get_four_indicators_unless_told_otherwise():
    assert LatentClassDGP(n_classes=5).d_r == 4
    assert LatentClassDGP(n_classes=2).with_(n_classes=5).d_r == 4
    assert LatentClassDGP(n_classes=2).d_r == 2


def test_the_posterior_of_two_spherical_classes_is_logistic_and_as_accurate_as_phi():
    dgp = LatentClassDGP(n_classes=2, separation=2.0)
    sample = dgp.sample(100_000, np.random.default_rng(2))
    tau = dgp.posterior(sample)
    gap = dgp.means[1, :2] - dgp.means[0, :2]
    np.testing.assert_allclose(tau[:, 1], 1 / (1 + np.exp(-sample.r @ gap)), atol=1e-10)
    accuracy = (tau.argmax(axis=1) == sample.z).mean()
    error = np.sqrt(norm.cdf(1) * norm.sf(1) / 100_000)
    assert abs(accuracy - norm.cdf(1.0)) < norm.isf(0.005) * error


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"n_classes": 1}, "n_classes must be at least 2"),
        ({"n_classes": 5, "d_r": 3}, "at least 4 dimensions. Raise d_r"),
        ({"n_classes": 5, "d_r": 4, "separation_x": 1.0}, "dim=2 is too small"),
        ({"rho": 1.0}, "rho is a correlation"),
        ({"rho": -1.2}, "rho is a correlation"),
        ({"rho": float("nan")}, "rho is a correlation"),
        ({"rho": 0.95, "structure": "full"}, "not positive definite.*lower rho"),
        ({"separation": -1.0}, "separation must be"),
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"scale": -1.0}, "scale must be positive"),
        ({"condition": 0.5}, "condition must be at least 1"),
        ({"structure": "round"}, "structure must be one of"),
        ({"slopes": ((1.0,), (2.0,))}, "slopes needs one row a class: 3"),
        ({"pi": (0.5, 0.4, 0.2)}, "sum to 1"),
        ({"pi": (0.5, 0.5)}, "pi must hold 3"),
    ],
)
def test_a_bad_knob_is_named(knobs, words):
    with pytest.raises(ValueError, match=words):
        LatentClassDGP(**knobs)


def test_an_unknown_em_variant_is_named():
    sample = LatentClassDGP().sample(5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="em must be 'R' or 'RX'"):
        sample.observables("X")
