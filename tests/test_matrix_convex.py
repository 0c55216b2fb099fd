"""The optional convex solver: what it says when absent, and our ADMM beside it."""

import sys

import numpy as np
import pytest

from notebook_lib.matrix import NuclearNorm, NuclearNormSolver, SmallSampleWarning


@pytest.fixture
def low_rank():
    rng = np.random.default_rng(3)
    M = rng.standard_normal((30, 2)) @ rng.standard_normal((2, 24))
    return M, rng.random(M.shape) < 0.5


def test_without_cvxpy_it_says_what_to_install(monkeypatch, low_rank):
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(ImportError, match=r"notebook-lib\[convex\].*NuclearNorm"):
        NuclearNormSolver().fit(*low_rank)


def test_input_is_checked_before_the_solver_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(ValueError, match="no cell is observed"):
        NuclearNormSolver().fit(np.ones((3, 3)), np.zeros((3, 3), bool))


def test_admm_finds_what_the_solver_finds(low_rank):
    pytest.importorskip("cvxpy", reason="the extra 'convex' is not installed")
    M, seen = low_rank
    theirs = NuclearNormSolver(options={"eps": 1e-7}).fit(M, seen)
    ours = NuclearNorm(max_iter=4000, tol=1e-9).fit(M, seen)
    assert theirs.status_ == "optimal"
    np.testing.assert_allclose(theirs.predict()[seen], M[seen], atol=1e-4)
    np.testing.assert_allclose(ours.predict(), theirs.predict(), atol=1e-3)
    norm = np.linalg.norm(ours.predict(), "nuc")
    np.testing.assert_allclose(norm, theirs.norm_, rtol=1e-4)
    # The minimum, not just any matrix that agrees: the filled-in truth has more.
    assert theirs.norm_ <= np.linalg.norm(np.where(seen, M, 0), "nuc")


def test_empty_column_and_an_unknown_solver(low_rank):
    pytest.importorskip("cvxpy", reason="the extra 'convex' is not installed")
    M, seen = low_rank
    seen[:, 2] = False
    with pytest.warns(SmallSampleWarning, match="1 columns"):
        fitted = NuclearNormSolver().fit(M, seen)
    np.testing.assert_allclose(fitted.predict()[:, 2], 0, atol=1e-3)
    with pytest.raises(ValueError, match="solver must be one of"):
        NuclearNormSolver("no such").fit(M, np.ones_like(seen))
