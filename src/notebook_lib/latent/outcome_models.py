"""Regressions of the outcome on covariates and an imputed class.

Source: blueprint, section 2, "Y-models and prediction functions". Every model
has ``fit(x, tau, y)`` and ``predict(x, tau)``, where ``tau`` holds the
responsibilities (one-hot true classes for the oracle). ``y`` may have several
columns: the models are linear in ``y``, so that a study fits many outcomes at
once.
"""

from __future__ import annotations

import numpy as np


def _lstsq(design, y) -> np.ndarray:
    # Minimum norm: an empty fitted class leaves a zero column, not a crash.
    return np.linalg.lstsq(design, y, rcond=None)[0]


def one_hot(tau) -> np.ndarray:
    """Hard labels as dummies: 1 for the largest responsibility of a row.

    Parameters
    ----------
    tau : ndarray of shape (n, K)

    Returns
    -------
    ndarray of shape (n, K)
    """
    return np.eye(tau.shape[1])[np.argmax(tau, axis=1)]


def solve_soft_system(x, weights, y) -> tuple[np.ndarray, np.ndarray]:
    """Minimise ``sum_i sum_k w_ik (y_i - theta'x_i - beta_k)^2`` in one solve.

    The blueprint alternates two closed forms; their fixed point solves one
    linear system, because the weights of a row sum to one.

    Parameters
    ----------
    x : ndarray of shape (n, d)
    weights : ndarray of shape (n, K)
        Rows sum to one.
    y : ndarray of shape (n,) or (n, m)

    Returns
    -------
    theta : ndarray of shape (d,) or (d, m)
    beta : ndarray of shape (K,) or (K, m)
    """
    cross = x.T @ weights
    system = np.block([[x.T @ x, cross], [cross.T, np.diag(weights.sum(axis=0))]])
    solution = _lstsq(system, np.concatenate([x.T @ y, weights.T @ y]))
    return solution[: x.shape[1]], solution[x.shape[1] :]


class IgnoreClass:
    """Ignore-Z: least squares of ``y`` on ``x`` with an intercept.

    The blueprint writes no intercept; without one a non-zero mean of
    ``beta_Z`` would widen this baseline for no good reason.
    """

    def fit(self, x, tau, y):
        """Fit; ``tau`` is not looked at."""
        solution = _lstsq(np.column_stack([x, np.ones(len(x))]), y)
        self.theta_, self.intercept_ = solution[:-1], solution[-1]
        return self

    def predict(self, x, tau=None):
        """Predicted mean, shape (n,) or (n, m)."""
        return x @ self.theta_ + self.intercept_


class ClassDummies:
    """Least squares of ``y`` on ``x`` and dummies of ``argmax_k tau_k``.

    With fitted responsibilities this is EM-hard, with one-hot true classes
    Oracle-Z. A class that no training row was given gets a zero intercept
    (minimum-norm least squares).
    """

    def fit(self, x, tau, y):
        """Fit on covariates (n, d), responsibilities (n, K) and outcome."""
        solution = _lstsq(np.hstack([x, one_hot(tau)]), y)
        self.theta_, self.beta_ = solution[: x.shape[1]], solution[x.shape[1] :]
        return self

    def predict(self, x, tau):
        """Predicted mean, shape (n,) or (n, m)."""
        return x @ self.theta_ + self.beta_[np.argmax(tau, axis=1)]


class SoftIntercepts:
    """EM-soft as the blueprint has it: the weighted loss, one intercept a class.

    Its intercepts estimate ``W beta`` and not ``beta``
    (see :func:`~notebook_lib.latent.attenuation_matrix`).
    """

    def fit(self, x, tau, y):
        """Fit on covariates (n, d), responsibilities (n, K) and outcome."""
        self.theta_, self.beta_ = solve_soft_system(x, tau, y)
        return self

    def predict(self, x, tau):
        """Predicted mean ``theta'x + sum_k tau_k beta_k``."""
        return x @ self.theta_ + tau @ self.beta_


class SoftSlopes:
    """EM-soft with class-specific slopes: ``K`` weighted regressions.

    The blueprint's note replaces ``beta_k`` by ``theta_k``; here each
    regression also has an intercept, as a constant among its covariates.
    """

    def fit(self, x, tau, y):
        """Fit on covariates (n, d), responsibilities (n, K) and outcome."""
        design = np.column_stack([x, np.ones(len(x))])
        solutions = []
        for weight in tau.T:
            root = np.sqrt(weight)
            scaled_y = root * y if np.ndim(y) == 1 else root[:, None] * y
            solutions.append(_lstsq(root[:, None] * design, scaled_y))
        solution = np.stack(solutions)
        self.theta_, self.beta_ = solution[:, :-1], solution[:, -1]
        return self

    def predict(self, x, tau):
        """Predicted mean ``sum_k tau_k (theta_k'x + beta_k)``."""
        by_class = np.einsum("nd,kd...->nk...", x, self.theta_) + self.beta_
        return np.einsum("nk,nk...->n...", tau, by_class)


class ResponsibilityRegression:
    """Least squares of ``y`` on ``[x, tau]`` (our addition).

    Consistent for ``beta`` when ``tau`` is the true posterior, because then
    ``E[Y | X, tau] = theta'X + sum_k tau_k beta_k``.
    """

    def fit(self, x, tau, y):
        """Fit on covariates (n, d), responsibilities (n, K) and outcome."""
        solution = _lstsq(np.hstack([x, tau]), y)
        self.theta_, self.beta_ = solution[: x.shape[1]], solution[x.shape[1] :]
        return self

    def predict(self, x, tau):
        """Predicted mean ``theta'x + sum_k tau_k beta_k``."""
        return x @ self.theta_ + tau @ self.beta_


#: The interval pipelines by name; "oracle" expects one-hot true classes.
OUTCOME_MODELS = {
    "oracle": ClassDummies,
    "hard": ClassDummies,
    "soft": SoftIntercepts,
    "soft-slopes": SoftSlopes,
    "soft-regression": ResponsibilityRegression,
    "ignore": IgnoreClass,
}
