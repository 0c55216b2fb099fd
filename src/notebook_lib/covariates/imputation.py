"""Imputation for conformal prediction: a Gaussian imputer, and safe, fast transforms.

What validity needs is one rule, learnt on the training rows, that imputes each row on
its own. Two things of scikit-learn stand in the way and are mended here: an iterative
imputer treats a batch of rows without any observed entry unlike the same rows in a
mixed batch, and its transform spends most of its time on indexing.
"""

import warnings

import numpy as np
from scipy.special import ndtri
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..exceptions import NotConvergedWarning
from ..masks import group_masks
from .gaussian import conditional_maps

__all__ = ["GaussianImputer", "default_imputer", "impute"]


def default_imputer():
    """Iterative ridge imputation, deterministic (the imputer of Zaffran et al.).

    Returns
    -------
    sklearn.impute.IterativeImputer
        With its defaults: Bayesian ridge, 10 rounds, started at the means.
    """
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(random_state=0)


class GaussianImputer(TransformerMixin, BaseEstimator):
    """Impute by the conditional law of a Gaussian fitted by EM.

    It is the limit of chained linear imputation for Gaussian data, costs one solve a
    mask, and imputes a row in the same way whatever the batch.

    Parameters
    ----------
    draw : bool
        Whether to draw the missing entries from their conditional law; otherwise the
        conditional mean. A draw is a fixed function of the row's observed values, its
        mask and `random_state`: the same row gets the same draw in any batch, and a
        row without observed entries gets the means.
    max_iter : int
        Rounds of EM at most.
    tol : float
        Stop when no mean or covariance, on the scale of the columns, moves by more.
    ridge : float
        Share of the column variances added to the covariance, for stability.
    random_state : int
        Seed of the draws.

    Attributes
    ----------
    mean_ : ndarray, shape (d,)
        Means.
    covariance_ : ndarray, shape (d, d)
        Covariance.
    n_iter_ : int
        Rounds done.
    """

    def __init__(
        self, *, draw=False, max_iter=100, tol=1e-4, ridge=1e-6, random_state=0
    ):
        self.draw = draw
        self.max_iter = max_iter
        self.tol = tol
        self.ridge = ridge
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X, y=None):
        """Estimate means and covariance by EM.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Rows with NaN for missing entries; every column observed at least once.
        y : ignored
            Outcomes never enter an imputer here.

        Returns
        -------
        GaussianImputer
            Itself.

        Raises
        ------
        ValueError
            If a column is never observed.
        """
        X = np.asarray(X, dtype=float)
        missing = np.isnan(X)
        if missing.all(axis=0).any():
            columns = np.flatnonzero(missing.all(axis=0)).tolist()
            raise ValueError(f"columns {columns} are never observed: drop them")
        self.n_features_in_ = X.shape[1]
        mean = np.nanmean(X, axis=0)
        sd = np.nanstd(X, axis=0)
        sd = np.where(sd > 0, sd, 1.0)
        Z = np.where(missing, 0.0, (X - mean) / sd)
        groups = group_masks(missing)
        members = [
            (mask, np.flatnonzero(groups.labels == g))
            for g, mask in enumerate(groups.patterns)
            if mask.any()
        ]
        mu, cov = np.zeros(X.shape[1]), np.diag(Z.var(axis=0) + self.ridge)
        moved, self.n_iter_ = np.inf, 0
        while moved > self.tol and self.n_iter_ < self.max_iter:
            new_mu, new_cov = self._em_step(Z, members, mu, cov)
            moved = max(np.abs(new_mu - mu).max(), np.abs(new_cov - cov).max())
            mu, cov = new_mu, new_cov
            self.n_iter_ += 1
        if moved > self.tol and members:
            warnings.warn(
                f"EM stopped after {self.max_iter} rounds, still moving by "
                f"{moved:.1e}: raise max_iter or tol",
                NotConvergedWarning,
                stacklevel=2,
            )
        self.mean_ = mean + sd * mu
        self.covariance_ = cov * np.outer(sd, sd)
        self._maps = {}
        return self

    def _em_step(self, Z, members, mu, cov):
        filled, extra = Z.copy(), np.zeros_like(cov)
        for mask, rows in members:
            slope, rest = conditional_maps(cov, mask)
            observed = Z[np.ix_(rows, ~mask)] - mu[~mask]
            filled[np.ix_(rows, mask)] = mu[mask] + observed @ slope.T
            extra[np.ix_(mask, mask)] += len(rows) * rest
        new_mu = filled.mean(axis=0)
        centred = filled - new_mu
        new_cov = (centred.T @ centred + extra) / len(Z)
        return new_mu, new_cov + self.ridge * np.eye(len(mu))

    def transform(self, X):
        """Fill the missing entries.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Rows with NaN for missing entries.

        Returns
        -------
        ndarray, shape (n, d)
            Complete rows.
        """
        check_is_fitted(self, "mean_")
        X = np.array(X, dtype=float)
        groups = group_masks(np.isnan(X))
        for g, mask in enumerate(groups.patterns):
            if not mask.any():
                continue
            rows = np.flatnonzero(groups.labels == g)
            slope, root = self._map(mask)
            observed = X[np.ix_(rows, ~mask)]
            values = self.mean_[mask] + (observed - self.mean_[~mask]) @ slope.T
            if self.draw and not mask.all():
                noise = row_noise(observed, mask, int(mask.sum()), self.random_state)
                values = values + noise @ root.T
            X[np.ix_(rows, mask)] = values
        return X

    def _map(self, mask):
        key = mask.tobytes()
        if key not in self._maps:
            slope, rest = conditional_maps(self.covariance_, mask)
            rest = rest + 1e-12 * np.trace(rest) * np.eye(len(rest))
            self._maps[key] = slope, np.linalg.cholesky(rest) if self.draw else None
        return self._maps[key]


def row_noise(observed, mask, size, seed):
    """Standard normal noise that depends only on the row, its mask and the seed.

    A hash of the bits (splitmix64) seeds a counter for each row, so that no draw
    depends on the other rows of a batch.
    """
    with np.errstate(over="ignore"):
        state = np.full(len(observed), np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
        for bit in np.packbits(mask):
            state = _mix(state + np.uint64(bit))
        # Adding zero turns -0.0 into 0.0: equal values must hash alike.
        for column in (observed + 0.0).T:
            state = _mix(state ^ np.ascontiguousarray(column).view(np.uint64))
        counters = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        bits = _mix(state[:, None] + counters)
    return ndtri(((bits >> np.uint64(11)).astype(float) + 0.5) / 2.0**53)


def _mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def impute(imputer, X, fallback):
    """Complete rows by a fitted imputer, each row on its own.

    Parameters
    ----------
    imputer : fitted transformer
        Any scikit-learn imputer.
    X : ndarray, shape (n, d)
        Rows with NaN for missing entries.
    fallback : ndarray, shape (d,)
        Values for rows without any observed entry (the training means): imputers
        treat such rows differently alone and in company.

    Returns
    -------
    ndarray, shape (n, d)
        Complete rows.

    Raises
    ------
    ValueError
        If the imputer changes the number of columns or leaves NaN behind.
    """
    missing = np.isnan(X)
    empty = missing.all(axis=1)
    out = np.empty_like(X)
    out[empty] = fallback
    rest = X if not empty.any() else X[~empty]
    if len(rest):
        if not missing.any():
            filled = rest
        elif _is_linear_chain(imputer):
            filled = _chain_transform(imputer, rest)
        else:
            filled = np.asarray(imputer.transform(rest), dtype=float)
        if filled.shape != rest.shape:
            raise ValueError(
                f"the imputer turned {X.shape[1]} columns into {filled.shape[1]}: "
                "a column is never observed in training; drop it, or give an imputer "
                "with keep_empty_features=True"
            )
        out[~empty] = filled
    if not np.isfinite(out).all():
        raise ValueError(
            "the imputer left NaN or infinities behind: use one that fills every gap "
            "with a number"
        )
    return out


def _is_linear_chain(imputer):
    steps = getattr(imputer, "imputation_sequence_", None)
    if not steps or imputer.sample_posterior:
        return False
    if imputer.skip_complete or imputer.add_indicator:
        return False
    if not np.isnan(imputer.missing_values):
        return False
    return (
        all(np.ndim(getattr(step.estimator, "coef_", None)) == 1 for step in steps)
        and len(imputer.initial_imputer_.statistics_) == imputer.n_features_in_
    )


def _chain_transform(imputer, X):
    """`IterativeImputer.transform` for linear steps, without its indexing."""
    missing = np.ascontiguousarray(np.isnan(X).T)
    start = imputer.initial_imputer_.statistics_[:, None]
    columns = np.where(missing, start, X.T)
    low, high = imputer._min_value, imputer._max_value
    for step in imputer.imputation_sequence_:
        j = step.feat_idx
        if not missing[j].any():
            continue
        weights = np.zeros(len(columns))
        weights[step.neighbor_feat_idx] = step.estimator.coef_
        weights[j] = 0.0
        # All rows at once: gathering the rows with a gap costs more than it saves.
        values = weights @ columns + step.estimator.intercept_
        np.copyto(columns[j], np.clip(values, low[j], high[j]), where=missing[j])
    return columns.T
