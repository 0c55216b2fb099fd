"""Data whose class is never seen: the simulation blueprint's generating process.

Source: *Simulation Blueprint: EM-based Z Imputation and Conformal Prediction
for Y*, section 2. Within class ``k`` the observables ``S = [R; X]`` are
Gaussian and the outcome is ``Y = theta'X + beta_k + noise``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .mixture import e_step

STRUCTURES = ("spherical", "diagonal", "full")


def simplex_means(n_classes: int, dim: int, separation: float) -> np.ndarray:
    """Class means on a regular simplex, every pair at distance ``separation``.

    The points ``(separation / sqrt(2)) e_k`` in ``R^K`` are pairwise
    ``separation`` apart and lie, once centred, in a space of dimension
    ``K - 1``. They are rotated into its coordinates and padded with zeros.

    Parameters
    ----------
    n_classes : int
        Number of classes ``K``, at least 2.
    dim : int
        Dimension of the means, at least ``K - 1``.
    separation : float
        Pairwise distance, not negative.

    Returns
    -------
    ndarray of shape (n_classes, dim)

    Raises
    ------
    ValueError
        If ``n_classes < 2``, ``dim < n_classes - 1`` or ``separation < 0``.
    """
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}.")
    if dim < n_classes - 1:
        raise ValueError(
            f"dim={dim} is too small: {n_classes} equidistant means need at least "
            f"{n_classes - 1} dimensions. Raise d_r or lower n_classes."
        )
    if not separation >= 0:
        raise ValueError(f"separation must be a distance >= 0, got {separation}.")
    corners = separation / np.sqrt(2) * np.eye(n_classes)
    centred = corners - corners.mean(axis=0)
    axes = np.linalg.svd(centred + 0.0)[2][: n_classes - 1] if separation else None
    means = np.zeros((n_classes, dim))
    if axes is not None:
        # A fixed sign for each axis: svd leaves it to the linear algebra library.
        axes = (
            axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
        )
        means[:, : n_classes - 1] = centred @ axes.T
    return means


def random_covariance(dim: int, condition: float, rng) -> np.ndarray:
    """A covariance with random axes and eigenvalues log-uniform in ``[1/c, c]``.

    Parameters
    ----------
    dim : int
        Dimension.
    condition : float
        The bound ``c >= 1``; the condition number is at most ``c ** 2``.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (dim, dim)
    """
    bound = np.log(condition)
    eigenvalues = np.exp(rng.uniform(-bound, bound, size=dim))
    rotation, upper = np.linalg.qr(rng.standard_normal((dim, dim)))
    rotation = rotation * np.sign(np.diag(upper))  # Haar, whatever qr's signs
    return rotation * eigenvalues @ rotation.T


def spread_intercepts(n_classes: int, beta: float) -> np.ndarray:
    """Class intercepts, equally spaced from ``-beta`` to ``beta``.

    Parameters
    ----------
    n_classes : int
    beta : float

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    return np.linspace(-beta, beta, n_classes)


@dataclass(frozen=True)
class LatentClassSample:
    """One sample: the hidden class ``z`` and what is seen, ``r``, ``x`` and ``y``.

    Attributes
    ----------
    z : ndarray of shape (n,)
        Hidden class, ``0 .. K-1``.
    r : ndarray of shape (n, d_r)
        Indicators of the class.
    x : ndarray of shape (n, d_x)
        Covariates of the outcome model.
    y : ndarray of shape (n,)
        Outcome.
    """

    z: np.ndarray
    r: np.ndarray
    x: np.ndarray
    y: np.ndarray

    def observables(self, em: str = "R") -> np.ndarray:
        """What the mixture is fitted on: ``R`` (EM-R) or ``[R; X]`` (EM-RX)."""
        _check_em(em)
        return self.r if em == "R" else np.hstack([self.r, self.x])


def _check_em(em: str) -> None:
    if em not in ("R", "RX"):
        raise ValueError(f"em must be 'R' or 'RX', got {em!r}.")


@dataclass(frozen=True)
class LatentClassDGP:
    """The blueprint's data generating process with all its knobs.

    ``Z ~ Cat(pi)``, ``[R; X] | Z = k ~ N(m_k, Sigma_k)`` and
    ``Y = theta_k'X + beta_k + sigma * noise`` (blueprint, section 2).

    Parameters
    ----------
    n_classes : int
        ``K``, at least 2.
    separation : float
        ``delta``, the distance between any two class means of ``R``.
    beta : float
        Half range of the class intercepts: ``-beta, ..., beta`` equally spaced.
    sigma : float
        Standard deviation of the outcome's noise, positive.
    theta : tuple of float
        Slopes shared by the classes; its length is ``d_x``.
    slopes : tuple of tuples of float, optional
        Class-specific slopes ``theta_k``, shape (K, d_x); replaces ``theta``.
    d_r : int, optional
        Dimension of ``R``; by default ``max(2, K - 1)``.
    separation_x : float
        Distance between any two class means of ``X`` (0: equal means).
    structure : {"spherical", "diagonal", "full"}
        Covariance of ``R`` and of ``X`` in a class: ``scale ** 2`` times the
        identity; one diagonal shared by the classes; or one full matrix a
        class, drawn by :func:`random_covariance`.
    scale : float
        ``sigma_S``, standard deviation of the spherical structure, and a factor
        of the other two.
    condition : float
        Eigenvalues lie in ``[1/condition, condition]`` (diagonal and full).
    rho : float
        Correlation of ``X_j`` with ``R_j`` in a class, ``j <= min(d_r, d_x)``.
    pi : tuple of float, optional
        Class probabilities; equal by default.
    intercept_shift : float
        Added to every class intercept (gives ``beta_Z`` a non-zero mean).
    structure_seed : int
        Seed of the random covariances: they belong to the scenario and do not
        change from replicate to replicate.

    Raises
    ------
    ValueError
        If a knob is out of range or a class covariance is not positive
        definite; the message names the knob and the fix.
    """

    n_classes: int = 3
    separation: float = 2.0
    beta: float = 1.0
    sigma: float = 0.5
    theta: tuple = (1.0, -0.5)
    slopes: tuple | None = None
    d_r: int | None = None
    separation_x: float = 0.0
    structure: str = "spherical"
    scale: float = 1.0
    condition: float = 3.0
    rho: float = 0.0
    pi: tuple | None = None
    intercept_shift: float = 0.0
    structure_seed: int = 0
    means: np.ndarray = field(init=False, repr=False, compare=False)
    covariances: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        d_r = self.d_r if self.d_r is not None else max(2, self.n_classes - 1)
        object.__setattr__(self, "d_r", d_r)
        means_r = simplex_means(self.n_classes, d_r, self.separation)
        means_x = np.zeros((self.n_classes, self.d_x))
        if self.separation_x:
            means_x = simplex_means(self.n_classes, self.d_x, self.separation_x)
        object.__setattr__(self, "means", np.hstack([means_r, means_x]))
        object.__setattr__(self, "covariances", self._make_covariances())

    def _check(self) -> None:
        if self.n_classes < 2:
            raise ValueError(f"n_classes must be at least 2, got {self.n_classes}.")
        if not abs(self.rho) < 1:
            raise ValueError(f"rho is a correlation: give |rho| < 1, got {self.rho}.")
        if not self.sigma > 0:
            raise ValueError(
                f"sigma must be positive, got {self.sigma}: give a standard deviation "
                "such as 1."
            )
        if not self.scale > 0:
            raise ValueError(
                f"scale must be positive, got {self.scale}: give a number such as 1."
            )
        if not self.condition >= 1:
            raise ValueError(f"condition must be at least 1, got {self.condition}.")
        if self.structure not in STRUCTURES:
            raise ValueError(
                f"structure must be one of {STRUCTURES}, got {self.structure!r}."
            )
        if self.slopes is not None and np.shape(self.slopes)[0] != self.n_classes:
            raise ValueError(
                f"slopes needs one row a class: {self.n_classes}, got "
                f"{np.shape(self.slopes)[0]}; add or drop rows."
            )
        if self.pi is not None:
            ok = len(self.pi) == self.n_classes and min(self.pi) >= 0
            if not (ok and np.isclose(sum(self.pi), 1)):
                raise ValueError(
                    f"pi must hold {self.n_classes} probabilities that sum to 1, got "
                    f"{self.pi}: give one a class, divided by their sum."
                )

    def _make_covariances(self) -> np.ndarray:
        rng = np.random.default_rng(self.structure_seed)
        d_r, dim = self.d_r, self.d_r + self.d_x
        bound = np.log(self.condition)
        shared = np.ones(dim)
        if self.structure == "diagonal":
            shared = np.exp(rng.uniform(-bound, bound, size=dim))
        covariances = np.zeros((self.n_classes, dim, dim))
        pairs = np.arange(min(d_r, self.d_x))
        for sigma_k in covariances:
            sigma_k[np.arange(dim), np.arange(dim)] = shared
            if self.structure == "full":
                sigma_k[:d_r, :d_r] = random_covariance(d_r, self.condition, rng)
                sigma_k[d_r:, d_r:] = random_covariance(self.d_x, self.condition, rng)
            sd = np.sqrt(np.diag(sigma_k))
            cross = self.rho * sd[pairs] * sd[d_r + pairs]
            sigma_k[pairs, d_r + pairs] = sigma_k[d_r + pairs, pairs] = cross
        covariances *= self.scale**2
        if np.linalg.eigvalsh(covariances).min() <= 1e-10 * self.scale**2:
            raise ValueError(
                f"A class covariance is not positive definite with rho={self.rho} "
                f"and condition={self.condition}: lower rho or condition."
            )
        return covariances

    @property
    def d_x(self) -> int:
        """Dimension of ``X``."""
        return np.shape(self.theta if self.slopes is None else self.slopes)[-1]

    @property
    def intercepts(self) -> np.ndarray:
        """Class intercepts ``beta_k``, shape (K,)."""
        return spread_intercepts(self.n_classes, self.beta) + self.intercept_shift

    @property
    def weights(self) -> np.ndarray:
        """Class probabilities ``pi_k``, shape (K,)."""
        return np.asarray(
            self.pi if self.pi is not None else [1 / self.n_classes] * self.n_classes
        )

    @cached_property
    def _roots(self) -> np.ndarray:
        return np.linalg.cholesky(self.covariances)

    def sample(self, n: int, rng: np.random.Generator) -> LatentClassSample:
        """Draw ``n`` independent rows.

        Parameters
        ----------
        n : int
            Number of rows.
        rng : numpy.random.Generator

        Returns
        -------
        LatentClassSample
        """
        z = rng.choice(self.n_classes, size=n, p=self.weights)
        noise = rng.standard_normal((n, self.means.shape[1]))
        s = self.means[z] + np.einsum("nij,nj->ni", self._roots[z], noise)
        x = s[:, self.d_r :]
        y = self.outcome(x, z, rng.standard_normal(n))
        return LatentClassSample(z=z, r=s[:, : self.d_r], x=x, y=y)

    def outcome(self, x, z, noise) -> np.ndarray:
        """The outcome for given covariates, classes and standard noise, shape (n,)."""
        slopes = (
            np.broadcast_to(self.theta, (self.n_classes, self.d_x))
            if self.slopes is None
            else np.asarray(self.slopes, dtype=float)
        )
        mean = np.einsum("nj,nj->n", x, slopes[z]) + self.intercepts[z]
        return mean + self.sigma * np.asarray(noise)

    def posterior(self, sample: LatentClassSample, em: str = "R") -> np.ndarray:
        """True class probabilities given ``R`` or ``[R; X]``, shape (n, K)."""
        _check_em(em)
        keep = slice(0, self.d_r if em == "R" else None)
        return e_step(
            sample.observables(em),
            self.weights,
            self.means[:, keep],
            self.covariances[:, keep, keep],
        )[1]

    def with_(self, **changes) -> LatentClassDGP:
        """A copy with some knobs changed (``d_r`` is worked out again)."""
        if "n_classes" in changes:
            changes.setdefault("d_r", None)
        return replace(self, **changes)
