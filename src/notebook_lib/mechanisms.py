"""Missingness mechanisms with a wanted rate: MCAR, MAR, and two kinds of MNAR.

Each mechanism is fitted on a pool of complete rows (to solve its intercept or find its
quantiles) and then gives, for any complete rows, the probability that each entry goes
missing. Given the rows, entries go missing independently.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from ._validation import check_2d, check_rate, check_rng

__all__ = ["MAR", "MCAR", "QuantileCensored", "SelfMasked", "solve_intercept"]

_LINKS = {"logit": expit, "probit": ndtr}


def solve_intercept(linear, rate, link="logit"):
    """Intercept that makes the mean probability equal the wanted rate.

    Parameters
    ----------
    linear : array_like, shape (n,)
        Linear predictor without intercept, for a pool of rows.
    rate : float
        Wanted mean of ``link(linear + intercept)``, in (0, 1).
    link : {"logit", "probit"}
        Which inverse link.

    Returns
    -------
    float
        The intercept.

    Raises
    ------
    ValueError
        If the rate is not in (0, 1) or the link is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> round(solve_intercept(np.zeros(5), 0.5), 6)
    0.0
    """
    rate = check_rate(rate)
    if not 0 < rate < 1:
        raise ValueError(
            f"rate must lie strictly between 0 and 1, got {rate}: give a share such as "
            "rate=0.2"
        )
    if link not in _LINKS:
        raise ValueError(f"link must be one of {sorted(_LINKS)}, got {link!r}")
    linear = np.asarray(linear, dtype=float)
    if not linear.size or not np.isfinite(linear).all():
        raise ValueError(
            "linear must hold finite numbers, at least one: drop NaN and infinities"
        )
    reach = np.abs(linear).max() + 40.0
    return brentq(
        lambda b: _LINKS[link](linear + b).mean() - rate, -reach, reach, xtol=1e-12
    )


class _Mechanism:
    """Shared verbs: which columns, sample, and the probability of a pattern."""

    def _check_fitted(self, X):
        X = check_2d(X, "X")
        if not hasattr(self, "columns_"):
            raise ValueError(f"{type(self).__name__} is not fitted: call fit(X) first")
        if X.shape[1] != self.n_columns_:
            raise ValueError(
                f"X has {X.shape[1]} columns, the mechanism was fitted on "
                f"{self.n_columns_}: give the same columns"
            )
        return X

    def _set_columns(self, X, columns, exclude=()):
        X = check_2d(X, "X")
        d = X.shape[1]
        if columns is None:
            columns = [j for j in range(d) if j not in set(exclude)]
        columns = np.asarray(columns, dtype=np.int64)
        if columns.size == 0 or columns.min() < 0 or columns.max() >= d:
            raise ValueError(
                f"columns must name at least one of the columns 0..{d - 1}, got "
                f"{columns.tolist()}: give positions counted from 0"
            )
        self.n_columns_, self.columns_ = d, columns
        return X

    def probability(self, X):
        """Probability that each entry goes missing, shape (n, d).

        Parameters
        ----------
        X : array_like, shape (n, d)
            Complete rows.
        """
        X = self._check_fitted(X)
        out = np.zeros(X.shape)
        out[:, self.columns_] = self._probability(X)
        return out

    def sample(self, X, rng):
        """Draw a mask for each row.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Complete rows.
        rng : numpy.random.Generator or int
            Source of randomness.

        Returns
        -------
        ndarray of bool, shape (n, d)
            True where an entry goes missing.
        """
        X = self._check_fitted(X)
        return check_rng(rng).random(X.shape) < self.probability(X)

    def pattern_probability(self, X, mask):
        """Probability of one whole pattern given each row, shape (n,).

        Parameters
        ----------
        X : array_like, shape (n, d)
            Complete rows.
        mask : array_like of bool, shape (d,)
            The pattern.
        """
        p = self.probability(X)
        return np.where(np.asarray(mask, dtype=bool), p, 1 - p).prod(axis=1)


class MCAR(_Mechanism):
    """Entries go missing completely at random.

    Parameters
    ----------
    rate : float
        Probability, in [0, 1].
    columns : sequence of int, optional
        Columns that may go missing; all by default.
    """

    def __init__(self, rate, columns=None):
        self.rate, self.columns = check_rate(rate), columns

    def fit(self, X):
        """Record the number of columns of `X`, shape (n, d); returns self."""
        self._set_columns(X, self.columns)
        return self

    def _probability(self, X):
        return np.full((len(X), len(self.columns_)), self.rate)


class MAR(_Mechanism):
    """Entries go missing by a logistic model on columns that are always observed.

    The linear predictor is scaled to standard deviation `slope` on the pool.

    Parameters
    ----------
    rate : float
        Wanted rate in each column that may go missing, in (0, 1).
    observed : sequence of int
        Columns that are always observed; the model depends on these alone.
    columns : sequence of int, optional
        Columns that may go missing; all others by default.
    weights : array_like, shape (len(observed),) or (len(observed), len(columns))
        Weights of the standardised observed columns; equal by default.
    slope : float
        Standard deviation of the linear predictor, on the logit scale.
    """

    def __init__(self, rate, observed, columns=None, *, weights=None, slope=1.0):
        self.rate, self.observed = check_rate(rate), observed
        self.columns, self.weights, self.slope = columns, weights, slope

    def fit(self, X):
        """Solve the intercepts on a pool `X` of complete rows, shape (n, d)."""
        X = self._set_columns(X, self.columns, exclude=self.observed)
        self.observed_ = np.asarray(self.observed, dtype=np.int64)
        if np.isin(self.columns_, self.observed_).any():
            raise ValueError(
                "columns and observed must not overlap: take "
                f"{np.intersect1d(self.columns_, self.observed_).tolist()} out of one "
                "of them"
            )
        self.center_ = X[:, self.observed_].mean(axis=0)
        self.scale_ = _positive_sd(X[:, self.observed_])
        shape = (len(self.observed_), len(self.columns_))
        weights = np.ones(shape) if self.weights is None else np.asarray(self.weights)
        if weights.ndim == 1:
            weights = weights[:, None]
        weights = np.broadcast_to(weights, shape).astype(float)
        linear = (X[:, self.observed_] - self.center_) / self.scale_ @ weights
        self.weights_ = weights * (self.slope / _positive_sd(linear))
        linear = (X[:, self.observed_] - self.center_) / self.scale_ @ self.weights_
        self.intercepts_ = np.array([solve_intercept(v, self.rate) for v in linear.T])
        return self

    def _probability(self, X):
        z = (X[:, self.observed_] - self.center_) / self.scale_
        return expit(z @ self.weights_ + self.intercepts_)


class SelfMasked(_Mechanism):
    """Entries go missing depending on their own value (missing not at random).

    Parameters
    ----------
    rate : float
        Wanted rate in each column that may go missing, in (0, 1).
    columns : sequence of int, optional
        Columns that may go missing; all by default.
    slope : float or array_like, shape (len(columns),)
        Slope on the standardised value; its sign says which tail goes missing.
    link : {"probit", "logit"}
        Which inverse link.
    """

    def __init__(self, rate, columns=None, *, slope=0.5, link="probit"):
        self.rate, self.columns = check_rate(rate), columns
        self.slope, self.link = slope, link

    def fit(self, X):
        """Solve the intercepts on a pool `X` of complete rows, shape (n, d)."""
        X = self._set_columns(X, self.columns)
        if self.link not in _LINKS:
            raise ValueError(f"link must be one of {sorted(_LINKS)}, got {self.link!r}")
        own = X[:, self.columns_]
        self.center_, self.scale_ = own.mean(axis=0), _positive_sd(own)
        self.slopes_ = np.broadcast_to(
            np.asarray(self.slope, float), self.columns_.shape
        )
        linear = (own - self.center_) / self.scale_ * self.slopes_
        self.intercepts_ = np.array(
            [solve_intercept(v, self.rate, self.link) for v in linear.T]
        )
        return self

    def _probability(self, X):
        z = (X[:, self.columns_] - self.center_) / self.scale_
        return _LINKS[self.link](z * self.slopes_ + self.intercepts_)


class QuantileCensored(_Mechanism):
    """Only extreme values go missing, each with the same probability.

    Parameters
    ----------
    rate : float
        Wanted rate in each column that may go missing.
    columns : sequence of int, optional
        Columns that may go missing; all by default.
    share : float
        Share of values that are candidates, at least `rate`.
    tail : {"upper", "lower", "both"}
        Which values are candidates. With ``"both"`` half of the share lies in each
        tail.
    """

    def __init__(self, rate, columns=None, *, share=0.5, tail="upper"):
        self.rate, self.columns = check_rate(rate), columns
        self.share, self.tail = check_rate(share, name="share"), tail
        if not 0 < self.rate <= self.share:
            raise ValueError(
                f"rate={rate} must lie in (0, share={share}]: only candidates can go "
                "missing; lower rate or raise share"
            )
        if tail not in ("upper", "lower", "both"):
            raise ValueError(f"tail must be 'upper', 'lower' or 'both', got {tail!r}")

    def fit(self, X):
        """Find the quantiles on a pool `X` of complete rows, shape (n, d)."""
        X = self._set_columns(X, self.columns)
        own = X[:, self.columns_]
        each = self.share / 2 if self.tail == "both" else self.share
        nobody = np.full(len(self.columns_), np.inf)
        above = np.quantile(own, 1 - each, axis=0)
        below = np.quantile(own, each, axis=0)
        self.above_ = nobody if self.tail == "lower" else above
        self.below_ = -nobody if self.tail == "upper" else below
        return self

    def _probability(self, X):
        own = X[:, self.columns_]
        candidate = (own > self.above_) | (own <= self.below_)
        return candidate * (self.rate / self.share)


def _positive_sd(x):
    sd = x.std(axis=0)
    return np.where(sd > 0, sd, 1.0)
