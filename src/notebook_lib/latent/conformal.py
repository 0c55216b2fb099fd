"""A latent class imputed, an outcome predicted, and the whole calibrated."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .._validation import check_1d, check_alpha, check_same_length
from ..exceptions import warn_infinite
from ..intervals import IntervalUnion
from ..quantiles import conformal_quantile, smallest_calibration_size
from ..scores import AbsoluteScore, MixtureDensityScore
from .density import RegressionMixture
from .mixture import EMGaussianMixture
from .outcome_models import OUTCOME_MODELS

PIPELINES = ("hard", "soft", "soft-slopes", "soft-regression", "ignore", "density")


class LatentClassRegressor(RegressorMixin, BaseEstimator):
    """Regression on covariates and an imputed latent class.

    A Gaussian mixture fitted to some columns gives each row its class
    responsibilities ``tau``; a regression then predicts the outcome from other
    columns and ``tau`` (blueprint, section 2).

    Parameters
    ----------
    n_classes : int
        Number of classes ``K``, at least 2.
    pipeline : str
        ``"soft-regression"`` (least squares on ``[x, tau]``), ``"soft"`` (the
        blueprint's weighted loss), ``"soft-slopes"`` (the same with slopes a
        class), ``"hard"`` (dummies of the likeliest class), ``"density"``
        (mixture of regressions) or ``"ignore"`` (no class).
    class_columns : sequence of str or int, optional
        Columns ``S`` that the mixture is fitted on; names if `X` is a
        DataFrame, else positions. All columns by default.
    outcome_columns : sequence of str or int, optional
        Columns of the regression. All columns by default.
    family : {"full", "tied", "diagonal", "spherical"}
        Covariances of the mixture.
    ridge, tol, max_iter, n_init : float, float, int, int
        As in :class:`EMGaussianMixture`.
    random_state : int or None
        Seed of the mixture's k-means start.

    Attributes
    ----------
    mixture_ : EMGaussianMixture
        The fitted mixture.
    outcome_model_ : object
        The fitted outcome model.
    n_iter_ : int
        EM iterations of the mixture.
    class_positions_, outcome_positions_ : ndarray of int
        Positions of the columns used.
    """

    def __init__(
        self,
        n_classes=2,
        *,
        pipeline="soft-regression",
        class_columns=None,
        outcome_columns=None,
        family="full",
        ridge=1e-6,
        tol=1e-4,
        max_iter=1000,
        n_init=1,
        random_state=None,
    ):
        self.n_classes = n_classes
        self.pipeline = pipeline
        self.class_columns = class_columns
        self.outcome_columns = outcome_columns
        self.family = family
        self.ridge = ridge
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X, y):
        """Fit the mixture, then the outcome model, on the training split.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d)
        y : array-like of shape (n,)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter is out of range, a column is unknown, there are fewer
            rows than classes, or `X` or `y` holds NaN or infinite values.
        """
        if self.pipeline not in PIPELINES:
            raise ValueError(
                f"pipeline must be one of {PIPELINES}, got {self.pipeline!r}."
            )
        X, y = self._check_rows(X, y, reset=True)
        self.class_positions_ = self._positions("class_columns")
        self.outcome_positions_ = self._positions("outcome_columns")
        self.mixture_ = EMGaussianMixture(
            self.n_classes,
            family=self.family,
            ridge=self.ridge,
            tol=self.tol,
            max_iter=self.max_iter,
            n_init=self.n_init,
            random_state=self.random_state,
        ).fit(X[:, self.class_positions_])
        density = self.pipeline == "density"
        model = RegressionMixture() if density else OUTCOME_MODELS[self.pipeline]()
        self.n_iter_ = self.mixture_.n_iter_
        self.outcome_model_ = model.fit(*self._inputs(X), y)
        return self

    def predict(self, X):
        """Predicted mean of the outcome, shape (n,)."""
        check_is_fitted(self, "outcome_model_")
        return self.outcome_model_.predict(*self._inputs(self._check_rows(X)))

    def responsibilities(self, X):
        """Class responsibilities ``tau`` of the rows, shape (n, K)."""
        check_is_fitted(self, "mixture_")
        return self._inputs(self._check_rows(X))[1]

    def predict_distribution(self, X):
        """Predictive density of each row (``pipeline="density"`` only).

        Returns
        -------
        GaussianMixture1D
        """
        check_is_fitted(self, "outcome_model_")
        if self.pipeline != "density":
            raise ValueError(
                f"pipeline={self.pipeline!r} predicts a mean only: set "
                "pipeline='density' for a predictive distribution."
            )
        inputs = self._inputs(self._check_rows(X))
        return self.outcome_model_.predict_distribution(*inputs)

    def _inputs(self, X):
        tau = self.mixture_.predict_proba(X[:, self.class_positions_])
        return X[:, self.outcome_positions_], tau

    def _check_rows(self, X, y=None, *, reset=False):
        X = validate_data(self, X, reset=reset, dtype=np.float64)
        if y is None and not reset:
            return X
        y = check_1d(column_or_1d(y, warn=True), "y")
        check_same_length(X=X, y=y)
        return X, y

    def _positions(self, argument):
        wanted = getattr(self, argument)
        if wanted is None:
            return np.arange(self.n_features_in_)
        names = [wanted] if isinstance(wanted, str | int) else list(wanted)
        known = list(getattr(self, "feature_names_in_", []))
        if not names:
            raise ValueError(f"{argument} is empty: name a column, or give None.")
        places = [known.index(name) if name in known else name for name in names]
        for name, place in zip(names, places, strict=True):
            is_place = isinstance(place, int | np.integer)
            if not is_place or not 0 <= place < self.n_features_in_:
                have = f"columns {known}" if known else f"{self.n_features_in_} columns"
                raise ValueError(
                    f"{argument}: no column {name!r}; X has {have}: give a name that X "
                    "has, or a position counted from 0."
                )
        return np.array(places, dtype=int)


class LatentClassConformal(LatentClassRegressor):
    """Split conformal sets around a regression on an imputed latent class.

    Mixture and outcome model are fitted by ``fit`` on the training split alone
    and applied in the same way to calibration and test rows, so that the
    marginal coverage is at least ``1 - alpha`` however bad the imputation is.

    Parameters
    ----------
    n_classes, pipeline, class_columns, outcome_columns : see below
        As in :class:`LatentClassRegressor`.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    family, ridge, tol, max_iter, n_init, random_state : see below
        As in :class:`LatentClassRegressor`.

    Attributes
    ----------
    scores_ : ndarray of shape (n_cal,)
        Calibration scores.
    thresholds_ : ndarray of shape (n_levels,)
        Conformal quantiles.

    Notes
    -----
    ``pipeline="density"`` scores by minus the log predictive density. Its sets
    are unions of up to ``K`` intervals: :meth:`predict_set` returns them,
    :meth:`predict_interval` their hulls.

    Examples
    --------
    >>> import numpy as np
    >>> from notebook_lib.latent import LatentClassConformal, LatentClassDGP
    >>> sample = LatentClassDGP(separation=4.0).sample(900, np.random.default_rng(0))
    >>> X, y = np.hstack([sample.r, sample.x]), sample.y
    >>> model = LatentClassConformal(
    ...     3, class_columns=[0, 1], outcome_columns=[2, 3], random_state=0
    ... )
    >>> _ = model.fit(X[:400], y[:400]).conformalize(X[400:800], y[400:800])
    >>> y_pred, intervals = model.predict_interval(X[800:])
    >>> intervals.shape
    (100, 2, 1)
    """

    def __init__(
        self,
        n_classes=2,
        *,
        pipeline="soft-regression",
        alpha=0.1,
        class_columns=None,
        outcome_columns=None,
        family="full",
        ridge=1e-6,
        tol=1e-4,
        max_iter=1000,
        n_init=1,
        random_state=None,
    ):
        super().__init__(
            n_classes,
            pipeline=pipeline,
            class_columns=class_columns,
            outcome_columns=outcome_columns,
            family=family,
            ridge=ridge,
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            random_state=random_state,
        )
        self.alpha = alpha

    def fit(self, X, y):
        """Fit mixture and outcome model on the training split.

        See :meth:`LatentClassRegressor.fit`; also checks `alpha`.
        """
        check_alpha(self.alpha)
        for stale in ("scores_", "thresholds_"):
            self.__dict__.pop(stale, None)
        return super().fit(X, y)

    def conformalize(self, X, y):
        """Compute the calibration scores on rows that ``fit`` has not seen.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_cal, d)
        y : array-like of shape (n_cal,)

        Returns
        -------
        self
        """
        check_is_fitted(self, "outcome_model_")
        levels = check_alpha(self.alpha)
        X, y = self._check_rows(X, y, reset=False)
        self.scores_ = self._score.score(y, self._prediction(X))
        self.thresholds_ = conformal_quantile(self.scores_, levels)
        return self

    def predict_interval(self, X):
        """Prediction intervals (hulls of the sets for ``pipeline="density"``).

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d)

        Returns
        -------
        y_pred : ndarray of shape (n,)
        intervals : ndarray of shape (n, 2, n_levels)
            Infinite, with one warning, if the calibration rows are too few.
        """
        X = self._check_calibrated(X)
        prediction = self._prediction(X)
        sets = [self._score.invert(prediction, q) for q in self.thresholds_]
        sets = [s.hull() if isinstance(s, IntervalUnion) else s for s in sets]
        self._warn_infinite(len(X))
        return self.outcome_model_.predict(*self._inputs(X)), np.stack(sets, axis=2)

    def predict_set(self, X):
        """Prediction sets, as a union of intervals for each row.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d)

        Returns
        -------
        y_pred : ndarray of shape (n,)
        sets : list of IntervalUnion
            One for each level of `alpha`.
        """
        X = self._check_calibrated(X)
        prediction = self._prediction(X)
        sets = [self._score.invert(prediction, q) for q in self.thresholds_]
        sets = [
            s if isinstance(s, IntervalUnion) else IntervalUnion.from_bounds(*s.T)
            for s in sets
        ]
        self._warn_infinite(len(X))
        return self.outcome_model_.predict(*self._inputs(X)), sets

    @property
    def _score(self):
        density = self.pipeline == "density"
        return MixtureDensityScore() if density else AbsoluteScore()

    def _prediction(self, X):
        model, inputs = self.outcome_model_, self._inputs(X)
        density = self.pipeline == "density"
        return (model.predict_distribution if density else model.predict)(*inputs)

    def _check_calibrated(self, X):
        check_is_fitted(self, "outcome_model_")
        if not hasattr(self, "thresholds_"):
            raise NotFittedError(
                "LatentClassConformal is not calibrated: call conformalize(X, y) "
                "with rows that fit has not seen."
            )
        return self._check_rows(X)

    def _warn_infinite(self, n_rows):
        infinite = int(np.isposinf(self.thresholds_).sum())
        alpha = min(check_alpha(self.alpha))
        warn_infinite(
            infinite * n_rows,
            len(self.thresholds_) * n_rows,
            f"{len(self.scores_)} calibration rows are too few for alpha={alpha}; "
            f"give at least {smallest_calibration_size(alpha)}.",
            stacklevel=4,
        )
