"""The mixture-density pipeline: a predictive density and its level sets.

Our addition to the blueprint. Given the responsibilities the outcome has
density ``p(y | x, s) = sum_k tau_k N(y; theta'x + beta_k, sigma^2)``; the
score ``-log p`` makes split conformal sets that are unions of up to ``K``
intervals and whose measure follows ``tau``.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..densities import GaussianMixture1D
from ..exceptions import NotConvergedWarning
from .outcome_models import ResponsibilityRegression, solve_soft_system

_LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)


class RegressionMixture:
    """Mixture of regressions with known prior weights ``tau``, fitted by EM.

    Maximises ``sum_i log sum_k tau_ik N(y_i; theta'x_i + beta_k, sigma^2)``.
    The E-step updates ``tau`` by the outcome, the M-step solves the blueprint's
    weighted system with those updated weights: this removes the attenuation.
    EM starts at the regression on ``[x, tau]``.

    Parameters
    ----------
    tol : float
        EM stops when the mean log-likelihood moves by less.
    max_iter : int
        Largest number of iterations.

    Attributes
    ----------
    theta_ : ndarray of shape (d,)
    beta_ : ndarray of shape (K,)
    sigma_ : float
    log_likelihood_ : float
        Mean over the training rows.
    converged_ : bool
    """

    def __init__(self, *, tol: float = 1e-6, max_iter: int = 1000):
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, x, tau, y):
        """Fit on covariates (n, d), responsibilities (n, K), outcome (n,)."""
        start = ResponsibilityRegression().fit(x, tau, y)
        theta, beta = start.theta_, start.beta_
        # A perfect fit has no likelihood to climb: keep the spread off zero.
        floor = 1e-6 * max(float(np.std(y)), np.finfo(float).tiny)
        sigma = max(float(np.std(y - start.predict(x, tau))), floor)
        with np.errstate(divide="ignore"):
            log_tau = np.log(tau)
        value, self.converged_ = -np.inf, False
        for _ in range(self.max_iter):
            last, (value, weights) = (
                value,
                outcome_e_step(y - x @ theta, log_tau, beta, sigma),
            )
            if abs(value - last) < self.tol:
                self.converged_ = True
                break
            theta, beta = solve_soft_system(x, weights, y)
            squares = ((y - x @ theta)[:, None] - beta) ** 2
            sigma = max(np.sqrt((weights * squares).sum() / len(y)), floor)
        self.theta_, self.beta_, self.sigma_ = theta, beta, float(sigma)
        self.log_likelihood_ = value
        if not self.converged_:
            warnings.warn(
                "EM of the outcome model did not converge in "
                f"max_iter={self.max_iter} iterations: raise max_iter or tol.",
                NotConvergedWarning,
                stacklevel=2,
            )
        return self

    def predict(self, x, tau):
        """Predictive mean ``theta'x + sum_k tau_k beta_k``, shape (n,)."""
        return x @ self.theta_ + tau @ self.beta_

    def predict_distribution(self, x, tau) -> GaussianMixture1D:
        """Predictive density of each row."""
        means = (x @ self.theta_)[:, None] + self.beta_
        return GaussianMixture1D(tau, means, self.sigma_)

    def residual_score(self, x, tau, y) -> np.ndarray:
        """``-log p(y | x, s)``, shape (n,)."""
        return -_log_density(y - x @ self.theta_, tau, self.beta_, self.sigma_)


def outcome_e_step(residual, log_tau, beta, sigma) -> tuple[float, np.ndarray]:
    """Class weights given the outcome too: ``w_ik ~ tau_ik N(r_i; beta_k, sigma^2)``.

    Parameters
    ----------
    residual : ndarray of shape (n,)
        ``y - theta'x``.
    log_tau : ndarray of shape (n, K)
    beta : ndarray of shape (K,)
    sigma : float

    Returns
    -------
    log_likelihood : float
        Mean over rows.
    weights : ndarray of shape (n, K)
    """
    joint = log_tau - 0.5 * ((residual[:, None] - beta) / sigma) ** 2
    top = joint.max(axis=1, keepdims=True)
    weights = np.exp(joint - top)
    total = weights.sum(axis=1, keepdims=True)
    value = (top + np.log(total)).mean() - np.log(sigma) - _LOG_ROOT_2PI
    return float(value), weights / total


def _log_density(residual, tau, beta, sigma) -> np.ndarray:
    with np.errstate(divide="ignore"):
        joint = np.log(tau) - 0.5 * ((residual[:, None] - beta) / sigma) ** 2
    top = joint.max(axis=1)
    total = np.exp(joint - top[:, None]).sum(axis=1)
    return top + np.log(total) - np.log(sigma) - _LOG_ROOT_2PI


def level_set_measure(tau, beta, sigma, threshold, *, step=0.05) -> np.ndarray:
    """Length of ``{r : -log sum_k tau_k N(r; beta_k, sigma^2) <= threshold}``.

    All rows share their centres, so one grid and one matrix product serve them
    all: this is what a study needs, thousands of rows at a time. The crossing
    points are interpolated linearly in the log density. The exact roots are in
    :class:`~notebook_lib.scores.MixtureDensityScore`; a test compares the two.

    Parameters
    ----------
    tau : ndarray of shape (n, K)
    beta : ndarray of shape (K,)
    sigma : float
    threshold : float
        Conformal quantile of the score; ``inf`` gives infinite lengths.
    step : float
        Grid step as a multiple of ``sigma``.

    Returns
    -------
    ndarray of shape (n,)
    """
    if np.isposinf(threshold):
        return np.full(len(tau), np.inf)
    reach = 2 * (threshold - np.log(sigma) - _LOG_ROOT_2PI)
    if reach <= 0:  # above the highest peak any mixture of these can have
        return np.zeros(len(tau))
    pad = sigma * (np.sqrt(reach) + 2 * step)
    low, high = beta.min() - pad, beta.max() + pad
    grid = np.linspace(low, high, int(np.ceil((high - low) / (step * sigma))) + 1)
    kernel = np.exp(-0.5 * ((grid - beta[:, None]) / sigma) ** 2)
    log_density = np.log(np.maximum(tau @ kernel, 1e-300))
    above = log_density - (np.log(sigma) + _LOG_ROOT_2PI - threshold)
    left, right = above[:, :-1], above[:, 1:]
    positive = np.maximum(left, 0) + np.maximum(right, 0)
    share = positive / np.maximum(np.abs(left) + np.abs(right), 1e-300)
    return share.sum(axis=1) * (grid[1] - grid[0])
