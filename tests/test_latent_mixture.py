"""EM for the mixture: the open steps, scikit-learn's, and the loops agree."""

import numpy as np
import pytest
from reference import latent as naive

from notebook_lib.exceptions import NotConvergedWarning
from notebook_lib.latent import (
    EMGaussianMixture,
    LatentClassDGP,
    align_classes,
    attenuation_matrix,
    e_step,
    efficiency_gap,
    fit_em,
    imputation_quality,
    kmeans_start,
    m_step,
)


@pytest.fixture(scope="module")
def sample():
    return LatentClassDGP(separation=3.0).sample(2000, np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(5))
def test_the_two_steps_equal_the_loops(seed):
    rng = np.random.default_rng(seed)
    s = rng.standard_normal((25, 3))
    tau = rng.dirichlet(np.ones(4), size=25)
    fast, slow = m_step(s, tau, 0.2), naive.m_step(s, tau, 0.2)
    for a, b in zip(fast, slow, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    fast, slow = e_step(s, *fast), naive.e_step(s, *slow)
    np.testing.assert_allclose(fast[0], slow[0], rtol=1e-9)
    np.testing.assert_allclose(fast[1], slow[1], rtol=1e-9)


def test_responsibilities_do_not_underflow_far_from_every_class():
    far = np.array([[1e4, 0.0]])
    tau = e_step(far, [0.5, 0.5], np.array([[0, 0], [1, 0]]), np.array([np.eye(2)] * 2))
    np.testing.assert_allclose(tau[1], [[0.0, 1.0]])
    assert np.isfinite(tau[0])


@pytest.mark.parametrize("separation", [0.0, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("em", ["R", "RX"])
def test_the_open_em_climbs_and_ends_where_scikit_learn_does(separation, em):
    dgp = LatentClassDGP(separation=separation)
    s = dgp.sample(2000, np.random.default_rng(1)).observables(em)
    ours = fit_em(s, kmeans_start(s, 3, 7), tol=1e-4)
    theirs = EMGaussianMixture(3, tol=1e-4, random_state=7).fit(s)
    assert (np.diff(ours.log_likelihood) > -1e-9).all()
    assert len(ours.log_likelihood) == theirs.n_iter_
    np.testing.assert_allclose(ours.tau, theirs.predict_proba(s), atol=1e-6)
    np.testing.assert_allclose(ours.covariances, theirs.covariances_, atol=1e-6)


@pytest.mark.parametrize("family", ["full", "tied", "diagonal", "spherical"])
def test_the_full_covariances_of_every_family_give_its_responsibilities(family, sample):
    model = EMGaussianMixture(3, family=family, random_state=0).fit(sample.r)
    parameters = model.weights_, model.means_, model.covariances_
    value, tau = e_step(sample.r, *parameters)
    np.testing.assert_allclose(tau, model.predict_proba(sample.r), atol=1e-8)
    off = model.covariances_[:, 0, 1]
    assert (off == 0).all() == (family in ("diagonal", "spherical"))
    assert abs(value - model.log_likelihood_) < 1e-3


def test_ridge_is_added_to_every_fitted_variance(sample):
    start = kmeans_start(sample.r, 3, 0)
    gap = m_step(sample.r, start, 0.5)[2] - m_step(sample.r, start, 0.0)[2]
    np.testing.assert_allclose(gap, 0.5 * np.array([np.eye(2)] * 3), atol=1e-12)
    s = LatentClassDGP(separation=8.0).sample(500, np.random.default_rng(1)).r
    plain = EMGaussianMixture(3, random_state=0).fit(s).covariances_
    ridged = EMGaussianMixture(3, ridge=0.5, random_state=0).fit(s).covariances_
    # Classes this far apart keep their rows, whatever the ridge.
    np.testing.assert_allclose(ridged - plain, gap, atol=0.02)


def test_more_starts_escape_a_wrong_split():
    """Chapter 1, F1: with five classes k-means may start EM in a wrong split."""
    dgp = LatentClassDGP(n_classes=5, separation=6.0)
    accuracy = {1: [], 5: []}
    for seed in range(20):
        sample = dgp.sample(2000, np.random.default_rng(seed))
        s = sample.observables("RX")
        for n_init, found in accuracy.items():
            model = EMGaussianMixture(5, n_init=n_init, random_state=seed).fit(s)
            tau = model.predict_proba(s)
            order = align_classes(tau, sample.z)
            found.append(imputation_quality(tau[:, order], sample.z)["accuracy"])
    assert min(accuracy[1]) < 0.9
    assert min(accuracy[5]) > 0.98


def test_em_that_ran_out_of_iterations_says_what_to_raise(sample):
    model = EMGaussianMixture(3, tol=1e-12, max_iter=2, random_state=0)
    with pytest.warns(NotConvergedWarning, match="raise max_iter or tol"):
        model.fit(sample.r)
    assert not model.converged_


@pytest.mark.parametrize(
    ("model", "rows", "words"),
    [
        (EMGaussianMixture(1), np.zeros((5, 2)), "n_classes must be at least 2"),
        (EMGaussianMixture(4), np.zeros((3, 2)), "add rows or lower n_classes"),
        (EMGaussianMixture(2, family="flat"), np.zeros((5, 2)), "family must be one"),
        (EMGaussianMixture(2, ridge=-1), np.zeros((5, 2)), "ridge must not be negati"),
        (EMGaussianMixture(2), np.full((5, 2), np.nan), "s holds 10 NaN"),
        (EMGaussianMixture(2), np.full((5, 2), np.inf), "s holds 10 infinite"),
        (EMGaussianMixture(2), np.zeros(5), "s must be two-dimensional"),
    ],
)
def test_bad_input_is_named(model, rows, words):
    with pytest.raises(ValueError, match=words):
        model.fit(rows)


@pytest.mark.parametrize("seed", range(10))
def test_the_alignment_has_as_many_agreements_as_the_best_of_all_orders(seed):
    rng = np.random.default_rng(seed)
    tau, z = rng.dirichlet(np.ones(4) / 2, size=60), rng.integers(4, size=60)
    order = align_classes(tau, z)
    best = naive.best_alignment(tau, z)
    assert sorted(order) == [0, 1, 2, 3]
    found = (tau[:, order].argmax(axis=1) == z).sum()
    assert found == (tau[:, list(best)].argmax(axis=1) == z).sum()


def test_the_alignment_undoes_a_permutation():
    z = np.array([0, 1, 2, 0, 1, 2])
    tau = np.eye(3)[z][:, [2, 0, 1]]
    assert (tau[:, align_classes(tau, z)].argmax(axis=1) == z).all()


def test_quality_of_a_hand_made_table():
    tau = np.array(
        [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0], [0.5, 0.5, 0]]
    )
    found = imputation_quality(tau, [0, 0, 2, 1])
    assert found["accuracy"] == 0.5
    assert found["max_responsibility"] == 0.625
    np.testing.assert_allclose(found["cross_entropy"], np.log(2) * (1 + 2 + 0 + 1) / 4)
    np.testing.assert_allclose(found["entropy"], np.log(2) * (1.5 + 1.5 + 0 + 1) / 4)


@pytest.mark.parametrize("seed", range(5))
def test_quality_and_attenuation_equal_the_loops(seed):
    rng = np.random.default_rng(seed)
    tau, z = rng.dirichlet(np.ones(3), size=40), rng.integers(3, size=40)
    assert imputation_quality(tau, z) == pytest.approx(naive.quality(tau, z), rel=1e-9)
    w = attenuation_matrix(tau)
    np.testing.assert_allclose(w, naive.attenuation_matrix(tau), rtol=1e-9)
    np.testing.assert_allclose(w.sum(axis=1), 1)


def test_a_class_nobody_belongs_to_keeps_its_row_of_the_attenuation_matrix():
    w = attenuation_matrix(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    assert np.isfinite(w).all()
    np.testing.assert_array_equal(w[2], [0, 0, 1])


def test_a_responsibility_of_zero_for_the_truth_is_large_and_finite():
    found = imputation_quality(np.array([[1.0, 0.0]]), [1])["cross_entropy"]
    assert 700 < found < 800


@pytest.mark.parametrize("z", [[0, 1], [0, 1, 3], [0, -1, 1]])
def test_quality_refuses_classes_without_a_column(z):
    with pytest.raises(ValueError, match="z must"):
        imputation_quality(np.full((3, 3), 1 / 3), z)


def test_efficiency_gap_is_a_difference_of_means():
    assert efficiency_gap([2.0, 4.0], [1.0, 2.0]) == 1.5
