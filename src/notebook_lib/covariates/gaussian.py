"""Gaussian covariates, a linear outcome, and what the best interval looks like.

The model of both documents: ``X ~ N(mean, cov)``, ``Y = beta'X + noise``, with the
mask independent of ``(X, Y)``. Given the observed entries the outcome is normal, so
the oracle interval, its length and its conditional variance are closed forms.
"""

import numpy as np
from scipy.stats import norm

from .._validation import check_1d, check_alpha, check_rng
from ..masks import check_mask, group_masks

__all__ = [
    "BETA",
    "GaussianLinear",
    "equicorrelated",
    "equicorrelated_variance",
]

#: Coefficients of the simulations of both documents (Zaffran et al. use all ten, Kong
#: et al. the first 3, 5 or 8).
BETA = np.array([1.0, 2.0, -1.0, 3.0, -0.5, -1.0, 0.3, 1.7, 0.4, -0.3])


def equicorrelated(d, phi):
    """Covariance with ones on the diagonal and `phi` elsewhere.

    Parameters
    ----------
    d : int
        Number of columns.
    phi : float
        Correlation, in ``(-1/(d-1), 1)``.

    Returns
    -------
    ndarray, shape (d, d)
        The matrix.
    """
    return np.full((d, d), float(phi)) + (1.0 - phi) * np.eye(d)


def equicorrelated_variance(beta, phi, mask, noise_sd=1.0):
    r"""Variance of the outcome given the observed entries, in closed form.

    Parameters
    ----------
    beta : array_like, shape (d,)
        Coefficients.
    phi : float
        Common correlation of the covariates, which have unit variance.
    mask : array_like of bool, shape (n, d)
        True where an entry is missing.
    noise_sd : float
        Standard deviation of the noise.

    Returns
    -------
    ndarray, shape (n,)
        :math:`\sigma^2 + (1-\varphi)\{\|\beta_{mis}\|^2 +
        \frac{\varphi}{1-\varphi+q\varphi}(\sum_{mis}\beta_j)^2\}` with ``q`` entries
        observed. O(d) a mask.
    """
    mask = check_mask(mask)
    beta = check_1d(beta, "beta")
    hidden = mask * beta
    seen = (~mask).sum(axis=1)
    common = phi / (1 - phi + seen * phi) * hidden.sum(axis=1) ** 2
    return noise_sd**2 + (1 - phi) * ((hidden**2).sum(axis=1) + common)


class GaussianLinear:
    """Gaussian covariates with a linear outcome (Example 1; Model 3.4).

    Parameters
    ----------
    beta : array_like, shape (d,)
        Coefficients.
    mean : float or array_like, shape (d,)
        Means of the covariates.
    cov : array_like, shape (d, d)
        Covariance of the covariates.
    noise_sd : float
        Standard deviation of the noise.

    Examples
    --------
    >>> import numpy as np
    >>> model = GaussianLinear([1.0, 2.0, -1.0], 1.0, equicorrelated(3, 0.8))
    >>> mask = np.array([[False, False, False], [False, True, False]])
    >>> model.conditional_variance(mask).round(6)
    array([1.      , 2.155556])
    """

    def __init__(self, beta, mean, cov, noise_sd=1.0):
        self.beta = check_1d(beta, "beta")
        d = len(self.beta)
        self.mean = np.broadcast_to(np.asarray(mean, dtype=float), (d,))
        self.cov = np.asarray(cov, dtype=float)
        if self.cov.shape != (d, d):
            raise ValueError(
                f"cov must have shape ({d}, {d}), got {self.cov.shape}: give one row "
                "and one column for each entry of beta"
            )
        self._root = np.linalg.cholesky(self.cov)
        self.noise_sd = float(noise_sd)

    def sample(self, n, rng):
        """Draw complete rows.

        Parameters
        ----------
        n : int
            Number of rows.
        rng : numpy.random.Generator or int
            Source of randomness.

        Returns
        -------
        X : ndarray, shape (n, d)
            Covariates.
        y : ndarray, shape (n,)
            Outcomes.
        """
        rng = check_rng(rng)
        X = self.mean + rng.standard_normal((n, len(self.beta))) @ self._root.T
        return X, X @ self.beta + self.noise_sd * rng.standard_normal(n)

    def conditional_maps(self, mask):
        """Linear map that gives the mean of the missing entries, and their covariance.

        Parameters
        ----------
        mask : array_like of bool, shape (d,)
            True where an entry is missing.

        Returns
        -------
        slope : ndarray, shape (mis, obs)
            ``cov[mis, obs] cov[obs, obs]^-1``.
        cov : ndarray, shape (mis, mis)
            Covariance of the missing entries given the observed ones.
        """
        return conditional_maps(self.cov, np.asarray(mask, dtype=bool))

    def conditional_mean(self, X, mask):
        """Mean of the outcome given the observed entries of each row, shape (n,).

        Parameters
        ----------
        X : array_like, shape (n, d)
            Rows; entries under the mask are ignored.
        mask : array_like of bool, shape (n, d)
            True where an entry is missing.
        """
        X, mask = np.asarray(X, dtype=float), check_mask(mask)
        out = np.empty(len(X))
        groups = group_masks(mask)
        for g, m in enumerate(groups.patterns):
            rows = np.flatnonzero(groups.labels == g)
            slope, _ = self.conditional_maps(m)
            centred = X[np.ix_(rows, ~m)] - self.mean[~m]
            weights = self.beta[~m] + self.beta[m] @ slope
            out[rows] = self.mean @ self.beta + centred @ weights
        return out

    def conditional_variance(self, mask):
        """Variance of the outcome given the observed entries, shape (n,).

        Parameters
        ----------
        mask : array_like of bool, shape (n, d)
            True where an entry is missing.
        """
        groups = group_masks(check_mask(mask))
        values = np.array(
            [
                self.beta[m] @ self.conditional_maps(m)[1] @ self.beta[m]
                for m in groups.patterns
            ]
        )
        return self.noise_sd**2 + values[groups.labels]

    def oracle_length(self, mask, alpha):
        """Length of the oracle interval for each mask, shape (n,).

        Parameters
        ----------
        mask : array_like of bool, shape (n, d)
            True where an entry is missing.
        alpha : float
            Miscoverage level in (0, 1).
        """
        (alpha,) = check_alpha(alpha)
        z = norm.ppf(1 - float(alpha) / 2)
        return 2 * z * np.sqrt(self.conditional_variance(mask))

    def oracle_interval(self, X, mask, alpha):
        """Shortest interval that covers with probability ``1 - alpha`` on every mask.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Rows; entries under the mask are ignored.
        mask : array_like of bool, shape (n, d)
            True where an entry is missing.
        alpha : float
            Miscoverage level in (0, 1).

        Returns
        -------
        ndarray, shape (n, 2)
            Lower and upper ends.
        """
        centre = self.conditional_mean(X, mask)
        half = self.oracle_length(mask, alpha) / 2
        return np.column_stack([centre - half, centre + half])


def conditional_maps(cov, mask):
    """Slope and covariance of the missing entries of a Gaussian given the others."""
    observed = ~mask
    across = cov[np.ix_(mask, observed)]
    slope = np.linalg.solve(cov[np.ix_(observed, observed)], across.T).T
    return slope, cov[np.ix_(mask, mask)] - slope @ across.T
