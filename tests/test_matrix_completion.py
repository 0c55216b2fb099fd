"""Completions, the estimate of the sampling weights, and conditional test weights."""

import warnings

import numpy as np
import pytest
from reference import matrix as reference

from notebook_lib.exceptions import NotConvergedWarning
from notebook_lib.matrix import (
    ALS,
    SVT,
    AdditiveSamplingWeights,
    ColumnMean,
    NuclearNorm,
    SamplingWeights,
    SmallSampleWarning,
    SoftImpute,
    column_effect_matrix,
    consistent_weights,
    genre_test_weights,
    low_rank_matrix,
    project_nuclear,
    sample_without_replacement,
    sparse_column_weights,
    synthetic_ratings,
    worst_slab,
    worst_slab_test_weights,
)

ALL = [
    ALS(3, max_sweeps=20),
    ColumnMean(),
    SoftImpute(max_iter=30),
    NuclearNorm(max_iter=30),
    SVT(max_iter=30),
]


@pytest.fixture(scope="module")
def low_rank():
    rng = np.random.default_rng(0)
    return low_rank_matrix(60, 50, 3, rng), rng.random((60, 50)) < 0.5


@pytest.mark.parametrize("first", ["rows", "columns"])
@pytest.mark.parametrize("empty", [False, True])
def test_als_equals_the_loop_in_either_order(low_rank, first, empty):
    M, seen = low_rank
    if empty:
        seen = seen.copy()
        seen[:, 7] = seen[3] = False
    rng = np.random.default_rng(4)
    U, V = rng.standard_normal((60, 2)), rng.standard_normal((50, 2))
    options = dict(ridge=0.3, max_sweeps=3, tol=0, random_state=4, first=first)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)
        ours = ALS(2, **options).fit(M, seen)
    slow = reference.als(M, seen, 2, 0.3, U, V, 3, first)
    np.testing.assert_allclose(ours.predict(), slow, rtol=1e-9, atol=1e-10)
    # After three sweeps the order still shows: the other one is another answer.
    other = "columns" if first == "rows" else "rows"
    turned = reference.als(M, seen, 2, 0.3, U, V, 3, other)
    assert np.abs(turned - slow).max() > 1e-3


def test_columns_first_solves_the_rows_last(low_rank):
    M, seen = low_rank
    fitted = ALS(3, ridge=0.5, max_sweeps=4, tol=0, first="columns").fit(M, seen)
    U, V = fitted.row_factors_, fitted.column_factors_
    # A last step leaves no slope in what it solved for, and some in the other.
    gap = np.where(seen, M - U @ V.T, 0.0)
    np.testing.assert_allclose(gap @ V - 0.5 * U, 0, atol=1e-9)
    assert np.abs(gap.T @ U - 0.5 * V).max() > 1e-3
    assert (np.diff(fitted.objective_) <= 1e-9 * fitted.objective_[0]).all()
    with pytest.raises(ValueError, match=r"first must be 'rows' or 'columns'"):
        ALS(first="users").fit(M, seen)


def test_als_objective_never_rises_and_is_what_it_says(low_rank):
    M, seen = low_rank
    fitted = ALS(3, ridge=0.5, max_sweeps=25, tol=0).fit(M, seen)
    steps = np.diff(fitted.objective_)
    assert (steps <= 1e-9 * fitted.objective_[0]).all()
    U, V = fitted.row_factors_, fitted.column_factors_
    loss = np.square((M - U @ V.T)[seen]).sum()
    loss += 0.5 * (np.square(U).sum() + np.square(V).sum())
    np.testing.assert_allclose(fitted.objective_[-1], loss, rtol=1e-9)


@pytest.mark.parametrize(
    ("method", "error"),
    [(ALS(3), 0.02), (NuclearNorm(), 0.12), (SVT(), 0.12), (SoftImpute(1.0), 0.4)],
)
def test_completions_recover_a_low_rank_matrix(low_rank, method, error):
    M, seen = low_rank
    gap = (method.fit(M, seen).predict() - M)[~seen]
    assert np.sqrt(np.square(gap).mean()) < error


def test_nuclear_norm_agrees_with_the_observed_cells(low_rank):
    M, seen = low_rank
    fitted = NuclearNorm(max_iter=400, tol=1e-5).fit(M, seen)
    assert fitted.residual_ < 1e-4
    norm = np.linalg.norm(fitted.predict(), "nuc")
    assert norm <= np.linalg.norm(M, "nuc") * (1 + 1e-4)


def test_svt_returns_its_best_iterate(low_rank):
    M, seen = low_rank
    long = SVT(step=6.0, max_iter=60).fit(M, seen)  # too long a step diverges
    short = SVT(step=6.0, max_iter=10).fit(M, seen)
    assert long.residual_ <= short.residual_
    gap = np.linalg.norm((long.predict() - M)[seen]) / np.linalg.norm(M[seen])
    np.testing.assert_allclose(gap, long.residual_, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::notebook_lib.matrix.SmallSampleWarning")
@pytest.mark.parametrize("method", ALL, ids=lambda m: type(m).__name__)
def test_empty_column_and_row_are_allowed_and_values_behind_the_mask_unseen(method):
    rng = np.random.default_rng(1)
    M, seen = rng.normal(size=(20, 15)), rng.random((20, 15)) < 0.6
    seen[:, 4] = seen[7] = False
    with pytest.warns(SmallSampleWarning, match="1 rows and 1 columns"):
        method.fit(M, seen)
    first = method.fit(M, seen).predict()
    again = method.fit(np.where(seen, M, np.nan), seen).predict()
    np.testing.assert_array_equal(first, again)
    assert np.isfinite(first).all()
    np.testing.assert_allclose(first[:, 4], 0, atol=1e-12)


@pytest.mark.parametrize("method", ALL, ids=lambda m: type(m).__name__)
def test_completions_refuse_nothing_and_nan(method):
    with pytest.raises(ValueError, match="no cell"):
        method.fit(np.ones((3, 3)), np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match="NaN"):
        method.fit(np.full((3, 3), np.nan), np.ones((3, 3), bool))


def test_bad_options_of_als():
    for options in (dict(rank=0), dict(rank=2, ridge=0)):
        with pytest.raises(ValueError, match=r"rank|ridge"):
            ALS(**options).fit(np.ones((3, 3)), np.ones((3, 3), bool))


def test_verbose_fits_report_on_standard_error(low_rank, capsys):
    M, seen = low_rank
    ALS(2, max_sweeps=3, verbose=True).fit(M, seen)
    captured = capsys.readouterr()
    assert "ALS [########################] 3/3" in captured.err
    assert captured.out == ""
    ALS(2, max_sweeps=3).fit(M, seen)
    assert capsys.readouterr().err == ""


def test_svt_that_never_gets_anywhere_says_so():
    M = np.random.default_rng(0).normal(size=(10, 10))
    with pytest.warns(NotConvergedWarning):
        SVT(step=1e6, max_iter=3).fit(M, np.ones((10, 10), bool))


# -------------------------------------------------------- estimated weights


def test_projection_is_the_nearest_point():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(12, 9))
    radius = 0.3 * np.linalg.norm(A, "nuc")
    P = project_nuclear(A, radius)
    np.testing.assert_allclose(np.linalg.norm(P, "nuc"), radius, rtol=1e-10)
    for _ in range(20):
        B = rng.normal(size=A.shape)
        B *= radius / np.linalg.norm(B, "nuc")
        assert ((A - P) * (B - P)).sum() <= 1e-9  # the angle is never acute
    np.testing.assert_allclose(project_nuclear(A, 1e3), A, atol=1e-12)


def test_one_bit_estimate_keeps_its_bound_and_climbs():
    rng = np.random.default_rng(1)
    seen = rng.random((60, 60)) < 0.3
    fitted = SamplingWeights(3, nu=1.0).fit(seen)
    assert np.linalg.norm(fitted.logits_, "nuc") <= np.sqrt(3 * 3600) * (1 + 1e-6)
    assert (np.diff(fitted.log_likelihood_) >= 0).all()
    assert len(fitted.log_likelihood_) > 3
    w = fitted.weights()
    assert ((w > 0) & (w < 1)).all()
    assert np.linalg.matrix_rank(fitted.logits_) <= 3


def test_one_bit_estimate_finds_sparse_columns():
    rng = np.random.default_rng(2)
    w = sparse_column_weights(rng, 80, 80, 0.1, share=0.3)
    seen = sample_without_replacement(w, 1900, rng)
    found = SamplingWeights(2, nu=5.0).fit(seen).weights()
    sparse = w[0] < 1
    assert found[:, sparse].mean() < 0.5 * found[:, ~sparse].mean()


def test_consistent_map_and_options():
    np.testing.assert_allclose(
        1 - np.exp(-consistent_weights([0.1, 0.7])), [0.1, 0.7], rtol=1e-12
    )
    seen = np.random.default_rng(0).random((20, 20)) < 0.4
    raw = SamplingWeights(2).fit(seen).weights()
    mapped = SamplingWeights(2, mapping="consistent").fit(seen).weights()
    np.testing.assert_allclose(mapped, -np.log1p(-raw))
    with pytest.raises(ValueError, match="mapping"):
        SamplingWeights(mapping="other")
    with pytest.raises(ValueError, match="nu"):
        SamplingWeights(nu=0)


def test_additive_estimate_matches_the_density_of_rows_and_columns():
    rng = np.random.default_rng(3)
    logits = rng.normal(-2, 1, (80, 1)) + rng.normal(0, 1, (1, 70))
    seen = rng.random((80, 70)) < 1 / (1 + np.exp(-logits))
    w = AdditiveSamplingWeights(ridge=1e-3).fit(seen).weights()
    np.testing.assert_allclose(w.sum(axis=0), seen.sum(axis=0), atol=0.1)
    np.testing.assert_allclose(w.sum(axis=1), seen.sum(axis=1), atol=0.1)


# ------------------------------------------------------ conditional test weights


@pytest.mark.parametrize("seed", range(5))
def test_worst_slab_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    z, e = rng.normal(size=40), rng.exponential(size=40)
    slab = worst_slab(z, e, 0.2, n_starts=40)
    np.testing.assert_allclose(slab.mean_residual, reference.best_slab(z, e, 8))
    inside = (z >= slab.low) & (z <= slab.high)
    np.testing.assert_allclose(e[inside].mean(), slab.mean_residual)
    assert inside.mean() >= 0.2


def test_worst_slab_weights():
    M = column_effect_matrix(0, n_rows=60, n_cols=60, rank=4, mu=10)
    seen = np.random.default_rng(1).random(M.shape) < 0.4
    als = ALS(4, max_sweeps=20).fit(M, seen)
    w, slab, explored = worst_slab_test_weights(
        M, als.predict(), ~seen, als.row_factors_, als.column_factors_, 2, delta=0.2
    )
    assert explored.sum() == (~seen).sum() // 4
    assert (explored <= ~seen).all()
    assert (w[explored] == 0).all()
    assert ((w[~explored] > 0) & (w[~explored] <= 1)).all()
    error = np.abs(als.predict() - M)
    assert slab.mean_residual > error[explored].mean()
    with pytest.raises(ValueError, match="share"):
        worst_slab([1.0], [1.0], 0.0)


def test_genre_weights():
    w = genre_test_weights([True, False], 3, epsilon=0.01)
    np.testing.assert_allclose(w, [[1.01, 0.01]] * 3)


# ------------------------------------------------------------------- simulators


def test_column_effects_have_heavy_columns_and_a_fixed_signal():
    a, b = (column_effect_matrix(seed, mu=1000.0) for seed in (1, 2))
    heavy = np.abs(a).mean(axis=0) > 200
    assert 1 <= heavy.sum() <= 25
    signal = 2 * (a - a[0]) - 2 * (b - b[0])  # column effects and signal cancel
    assert np.abs(signal).max() < 2
    assert np.linalg.matrix_rank(2 * (a - a.mean(axis=0)), tol=10) == 5


def test_synthetic_ratings_are_ratings():
    ratings = synthetic_ratings(0, n_users=50, n_films=30, n_ratings=400)
    assert set(np.unique(ratings.truth)) <= {1, 2, 3, 4, 5}
    assert ratings.observed.sum() == 400
    seen, w = ratings.observed.sum(axis=0), ratings.observation_weights[0]
    assert seen[w.argsort()[-5:]].sum() > 3 * seen[w.argsort()[:5]].sum()
