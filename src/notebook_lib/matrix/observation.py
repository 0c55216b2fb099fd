"""Estimate the sampling weights from the mask: one-bit matrix completion (A2.5)."""

import numpy as np
from scipy.special import expit

from ._checks import check_mask
from ._progress import Progress

__all__ = [
    "AdditiveSamplingWeights",
    "SamplingWeights",
    "consistent_weights",
    "project_nuclear",
]


def project_nuclear(matrix, radius):
    """Nearest matrix whose singular values add up to at most `radius`.

    Parameters
    ----------
    matrix : ndarray, shape (n_rows, n_cols)
        Matrix to project, in Frobenius norm.
    radius : float
        Bound on the nuclear norm.

    Returns
    -------
    ndarray, shape (n_rows, n_cols)
        Projection.
    """
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    s = _project_simplex(s, radius)
    kept = int((s > 0).sum())
    return (u[:, :kept] * s[:kept]) @ vt[:kept]


def _project_simplex(s, radius):
    """Project sorted, non-negative values on {sum <= radius}."""
    if s.sum() <= radius:
        return s
    excess = (np.cumsum(s) - radius) / np.arange(1, len(s) + 1)
    last = np.flatnonzero(s > excess)[-1]
    return np.maximum(s - excess[last], 0.0)


class SamplingWeights:
    """Sampling weights by maximum likelihood under a nuclear-norm bound.

    ``P(observed) = 1 / (1 + exp(-A))`` with ``||A||_* <= nu sqrt(rho n_rows n_cols)``,
    fitted by accelerated projected gradient, then cut to its leading `rank` singular
    values.

    Parameters
    ----------
    rank : int
        ``rho``, the guessed rank.
    nu : float
        Bound on the logit. With ``nu = 1`` the bound shrinks the estimate hard: on a
        sparse matrix it cannot even reach the density of the mask.
    mapping : {"document", "consistent"}
        ``"document"`` returns the probability of observation itself (A43);
        ``"consistent"`` returns ``-log(1 - p)``, which is what model (1) implies, as
        a cell with weight ``w`` is drawn by time ``t`` with probability
        ``1 - exp(-w t)``.
    max_iter : int
        Iterations.
    tol : float
        Relative gain in log-likelihood at which the iteration stops.
    verbose : bool
        Whether to show progress on standard error.

    Attributes
    ----------
    logits_ : ndarray, shape (n_rows, n_cols)
        ``A`` after the cut.
    log_likelihood_ : list of float
        After each iteration, before the cut.
    """

    def __init__(
        self,
        rank=5,
        *,
        nu=1.0,
        mapping="document",
        max_iter=60,
        tol=1e-5,
        verbose=False,
    ):
        if mapping not in ("document", "consistent"):
            raise ValueError(
                f"mapping must be 'document' or 'consistent', got {mapping!r}"
            )
        if not nu > 0:
            raise ValueError(
                f"nu must be positive, got {nu!r}: give one such as nu=1.0"
            )
        self.rank, self.nu, self.mapping = rank, nu, mapping
        self.max_iter, self.tol, self.verbose = max_iter, tol, verbose

    def fit(self, observed):
        """Fit to a mask.

        Parameters
        ----------
        observed : array_like of bool, shape (n_rows, n_cols)
            Observed cells.

        Returns
        -------
        self
        """
        observed = check_mask(observed, "observed")
        seen = observed.astype(float)
        radius = self.nu * np.sqrt(self.rank * seen.size)
        A = self._climb(seen, radius)
        u, s, vt = np.linalg.svd(A, full_matrices=False)
        self.logits_ = (u[:, : self.rank] * s[: self.rank]) @ vt[: self.rank]
        return self

    def _climb(self, seen, radius):
        A = look = np.zeros_like(seen)
        momentum, value = 1.0, _log_likelihood(A, seen)
        self.log_likelihood_ = [value]
        progress = Progress("SamplingWeights", self.max_iter, self.verbose)
        for _ in progress:
            # The gradient is 1/4-Lipschitz, hence the step length 4.
            new = project_nuclear(look + 4 * (seen - expit(look)), radius)
            new_value = _log_likelihood(new, seen)
            if new_value < value:  # momentum overshot: restart from the best point
                if look is A:
                    break
                look, momentum = A, 1.0
                continue
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            look = new + (momentum - 1) / following * (new - A)
            gain = (new_value - value) / abs(value)
            A, value, momentum = new, new_value, following
            self.log_likelihood_.append(value)
            progress.value = value
            if gain < self.tol:
                break
        return A

    def weights(self):
        """Estimated sampling weights, shape (n_rows, n_cols), positive."""
        probability = expit(self.logits_)
        if self.mapping == "document":
            return probability
        return consistent_weights(probability)


def _log_likelihood(A, seen):
    return float((seen * A - np.logaddexp(0, A)).sum())


def consistent_weights(probability):
    """Weights of model (1) that give these probabilities of observation.

    Parameters
    ----------
    probability : array_like
        Probabilities in [0, 1).

    Returns
    -------
    ndarray
        ``-log(1 - p)``, up to the constant that the model does not need.
    """
    return -np.log1p(-np.asarray(probability, dtype=float))


class AdditiveSamplingWeights:
    """Sampling weights from a logit that adds a row effect and a column effect.

    A well-fitting estimate on real ratings, and a warning: with it the weights of
    SCMC concentrate on few groups.

    Parameters
    ----------
    ridge : float
        Penalty on the effects, which keeps empty rows and columns finite.
    max_iter : int
        Newton sweeps.
    """

    def __init__(self, *, ridge=1.0, max_iter=50):
        self.ridge, self.max_iter = ridge, max_iter

    def fit(self, observed):
        """Fit to a mask of shape (n_rows, n_cols)."""
        seen = check_mask(observed, "observed").astype(float)
        share = seen.mean()
        base = np.log(share / (1 - share))
        rows, columns = np.zeros((len(seen), 1)), np.zeros((1, seen.shape[1]))
        for _ in range(self.max_iter):
            for effect, axis in ((rows, 1), (columns, 0)):
                p = expit(base + rows + columns)
                slope = (seen - p).sum(axis=axis, keepdims=True) - self.ridge * effect
                curve = (p * (1 - p)).sum(axis=axis, keepdims=True) + self.ridge
                # A full step overshoots where most probabilities are near 0.
                effect += np.clip(slope / curve, -1, 1)
        self.logits_ = base + rows + columns
        return self

    def weights(self):
        """Estimated sampling weights, shape (n_rows, n_cols), positive."""
        return expit(self.logits_)
