"""EM for a Gaussian mixture: the two steps in the open, and a fitted class.

Source: blueprint, section 2, "EM estimation of Z". :func:`e_step` and
:func:`m_step` are the formulas of the document; :class:`EMGaussianMixture`
hands the work to scikit-learn and a test holds the two together.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from .._validation import check_2d
from ..exceptions import NotConvergedWarning

FAMILIES = {
    "spherical": "spherical",
    "diagonal": "diag",
    "tied": "tied",
    "full": "full",
}


def log_gaussian(s, means, covariances) -> np.ndarray:
    """Log density of ``N(m_k, Sigma_k)`` at each row, shape (n, K).

    Parameters
    ----------
    s : ndarray of shape (n, d)
    means : ndarray of shape (K, d)
    covariances : ndarray of shape (K, d, d)
    """
    s = np.asarray(s, dtype=float)
    roots = np.linalg.cholesky(covariances)
    logs = np.empty((len(s), len(means)))
    for k, (mean, root) in enumerate(zip(means, roots, strict=True)):
        standard = np.linalg.solve(root, (s - mean).T)
        logs[:, k] = -0.5 * (standard**2).sum(axis=0) - np.log(np.diag(root)).sum()
    return logs - 0.5 * s.shape[1] * np.log(2 * np.pi)


def e_step(s, weights, means, covariances) -> tuple[float, np.ndarray]:
    """Responsibilities ``tau_ik``, proportional to ``pi_k N(S_i | m_k, Sigma_k)``.

    Worked out in log space, so that far points do not underflow.

    Parameters
    ----------
    s : ndarray of shape (n, d)
    weights : ndarray of shape (K,)
    means : ndarray of shape (K, d)
    covariances : ndarray of shape (K, d, d)

    Returns
    -------
    log_likelihood : float
        Mean log-likelihood of the rows under these parameters.
    tau : ndarray of shape (n, K)
        Rows sum to one.
    """
    with np.errstate(divide="ignore"):
        joint = log_gaussian(s, means, covariances) + np.log(weights)
    top = joint.max(axis=1, keepdims=True)
    scaled = np.exp(joint - top)
    total = scaled.sum(axis=1, keepdims=True)
    return float((top + np.log(total)).mean()), scaled / total


def m_step(s, tau, ridge: float = 1e-6):
    """Weighted proportions, means and covariances (+ ``ridge`` times identity).

    Parameters
    ----------
    s : ndarray of shape (n, d)
    tau : ndarray of shape (n, K)
    ridge : float
        ``lambda`` of the blueprint.

    Returns
    -------
    weights : ndarray of shape (K,)
    means : ndarray of shape (K, d)
    covariances : ndarray of shape (K, d, d)
    """
    s = np.asarray(s, dtype=float)
    mass = tau.sum(axis=0) + 10 * np.finfo(float).eps  # an empty class stays finite
    means = tau.T @ s / mass[:, None]
    covariances = np.empty((tau.shape[1], s.shape[1], s.shape[1]))
    for k, mean in enumerate(means):
        centred = s - mean
        covariances[k] = (tau[:, k] * centred.T) @ centred / mass[k]
    covariances += ridge * np.eye(s.shape[1])
    return mass / mass.sum(), means, covariances


def kmeans_start(s, n_classes: int, random_state: int) -> np.ndarray:
    """Responsibilities of a k-means partition, one-hot, shape (n, K).

    The very start of scikit-learn's ``GaussianMixture`` with the same integer
    ``random_state``.

    Parameters
    ----------
    s : array-like of shape (n, d)
    n_classes : int
    random_state : int

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    labels = KMeans(n_classes, n_init=1, random_state=random_state).fit(s).labels_
    return np.eye(n_classes)[labels]


class EMTrace(NamedTuple):
    """What :func:`fit_em` returns: parameters, responsibilities, log-likelihoods."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    tau: np.ndarray
    log_likelihood: np.ndarray


def fit_em(s, tau, *, ridge=1e-6, tol=1e-4, max_iter=1000) -> EMTrace:
    """Alternate the two steps until the mean log-likelihood moves less than ``tol``.

    Parameters
    ----------
    s : ndarray of shape (n, d)
    tau : ndarray of shape (n, K)
        Responsibilities to start from, as :func:`kmeans_start` makes them.
    ridge, tol, max_iter
        As in :class:`EMGaussianMixture`.

    Returns
    -------
    EMTrace
        ``log_likelihood`` holds one value an iteration.
    """
    trace = []
    weights, means, covariances = m_step(s, tau, ridge)
    for _ in range(max_iter):
        value, tau = e_step(s, weights, means, covariances)
        weights, means, covariances = m_step(s, tau, ridge)
        trace.append(value)
        if len(trace) > 1 and abs(trace[-1] - trace[-2]) < tol:
            break
    tau = e_step(s, weights, means, covariances)[1]
    return EMTrace(weights, means, covariances, tau, np.array(trace))


class EMGaussianMixture(BaseEstimator):
    """Gaussian mixture fitted by EM from a k-means start.

    A thin cover of :class:`sklearn.mixture.GaussianMixture`: the blueprint's
    names, a tighter default ``tol``, and a warning that says what to do when
    the iterations ran out.

    Parameters
    ----------
    n_classes : int
        ``K``, at least 2.
    family : {"full", "tied", "diagonal", "spherical"}
        Fitted covariances: one full matrix a class, one shared by all, one
        diagonal a class, or one variance a class.
    ridge : float
        ``lambda >= 0`` added to every fitted variance.
    tol : float
        EM stops when the mean log-likelihood moves by less. scikit-learn's own
        default, 1e-3, stops after a handful of iterations at low separation.
    max_iter : int
        Largest number of iterations.
    n_init : int
        k-means starts; the fit with the best likelihood is kept.
    random_state : int or None
        Seed of the k-means start.

    Attributes
    ----------
    weights_ : ndarray of shape (K,)
    means_ : ndarray of shape (K, d)
    covariances_ : ndarray of shape (K, d, d)
        Always full matrices, whatever the family.
    n_iter_ : int
    converged_ : bool
    log_likelihood_ : float
        Mean log-likelihood of the training rows.
    """

    def __init__(
        self,
        n_classes=2,
        *,
        family="full",
        ridge=1e-6,
        tol=1e-4,
        max_iter=1000,
        n_init=1,
        random_state=None,
    ):
        self.n_classes = n_classes
        self.family = family
        self.ridge = ridge
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, s, y=None):
        """Fit the mixture.

        Parameters
        ----------
        s : array-like of shape (n, d)
            Observables; finite.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If ``n_classes < 2``, there are fewer rows than classes, the family
            is unknown, or ``s`` holds NaN or infinite values.
        """
        s = check_2d(s, "s")
        self._check(len(s))
        mixture = GaussianMixture(
            self.n_classes,
            covariance_type=FAMILIES[self.family],
            reg_covar=self.ridge,
            tol=self.tol,
            max_iter=self.max_iter,
            n_init=self.n_init,
            random_state=self.random_state,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(s)
        self.mixture_ = mixture
        self.n_features_in_ = s.shape[1]
        self.weights_, self.means_ = mixture.weights_, mixture.means_
        self.covariances_ = _full(mixture, self.family)
        self.n_iter_, self.converged_ = mixture.n_iter_, mixture.converged_
        self.log_likelihood_ = float(mixture.lower_bound_)
        if not self.converged_:
            warnings.warn(
                f"EM did not converge in max_iter={self.max_iter} iterations "
                f"(tol={self.tol}): raise max_iter or tol.",
                NotConvergedWarning,
                stacklevel=2,
            )
        return self

    def predict_proba(self, s) -> np.ndarray:
        """Responsibilities ``tau`` of the fitted classes, shape (n, K)."""
        check_is_fitted(self, "mixture_")
        return self.mixture_.predict_proba(check_2d(s, "s"))

    def predict(self, s) -> np.ndarray:
        """The class of largest responsibility, shape (n,)."""
        return self.predict_proba(s).argmax(axis=1)

    def _check(self, n: int) -> None:
        if self.n_classes < 2:
            raise ValueError(f"n_classes must be at least 2, got {self.n_classes}.")
        if not self.ridge >= 0:
            raise ValueError(
                f"ridge must not be negative, got {self.ridge}: give 0 or a small "
                "number such as 1e-6."
            )
        if self.family not in FAMILIES:
            raise ValueError(
                f"family must be one of {sorted(FAMILIES)}, got {self.family!r}."
            )
        if n < self.n_classes:
            raise ValueError(
                f"n_classes={self.n_classes} needs at least as many training rows, "
                f"got n_samples={n}: add rows or lower n_classes."
            )


def _full(mixture: GaussianMixture, family: str) -> np.ndarray:
    """The fitted covariances as K full matrices."""
    fitted, (n_classes, dim) = mixture.covariances_, mixture.means_.shape
    if family == "spherical":
        return fitted[:, None, None] * np.eye(dim)
    if family == "diagonal":
        return fitted[:, :, None] * np.eye(dim)
    if family == "tied":
        return np.broadcast_to(fitted, (n_classes, dim, dim)).copy()
    return fitted
