"""Conformalized quantile regression around any quantile regressor."""

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor

from .._validation import check_alpha
from ..quantiles import conformal_quantile
from ..scores import QuantileScore
from ._base import SplitConformal, check_outcome


class ConformalizedQuantileRegressor(RegressorMixin, SplitConformal):
    """Conformalized quantile regression (Romano, Patterson and Candès 2019).

    Parameters
    ----------
    estimator : scikit-learn regressor, optional
        Quantile regressor with a parameter for its level: ``quantile`` (as
        :class:`~sklearn.linear_model.QuantileRegressor` and
        :class:`~sklearn.ensemble.HistGradientBoostingRegressor`, the default, which
        takes NaN) or ``alpha`` with ``loss="quantile"``. A pipeline that ends in one
        will do.
    alpha : float or sequence of float
        Miscoverage level(s); the band is fitted at ``alpha/2`` and ``1 - alpha/2``.
    prefit : bool
        Whether `estimator` is a trained pair ``(lower, upper)``, or triple with the
        median last; then `fit` is not called, and `alpha` must be one level.

    Attributes
    ----------
    estimators_ : list of tuple
        Fitted (lower, upper) models, one pair a level.
    median_ : estimator
        Fitted median model, which gives the point predictions.
    thresholds_ : ndarray, shape (n_levels,)
        Conformal quantile for each level.
    """

    def __init__(self, estimator=None, *, alpha=0.1, prefit=False):
        self.estimator = estimator
        self.alpha = alpha
        self.prefit = prefit

    def _template(self):
        if self.estimator is not None:
            return self.estimator
        return HistGradientBoostingRegressor(loss="quantile", random_state=0)

    def fit(self, X, y, **fit_params):
        """Train a pair of quantile models for each level, and a median model.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Training covariates.
        y : array_like, shape (n,)
            Training outcomes.
        **fit_params
            Passed to the estimator's ``fit``.

        Returns
        -------
        ConformalizedQuantileRegressor
            Itself.

        Raises
        ------
        ValueError
            If `alpha` or `y` is out of range, or the estimator has no level to set.
        """
        levels = check_alpha(self.alpha)
        self._check_prefit()
        self._check_X(X, reset=True)
        y = check_outcome(y)
        model = self._template()
        self.estimators_ = [
            tuple(
                at_quantile_level(model, level).fit(X, y, **fit_params)
                for level in (alpha / 2, 1 - alpha / 2)
            )
            for alpha in map(float, levels)
        ]
        self.median_ = at_quantile_level(model, 0.5).fit(X, y, **fit_params)
        self._forget_calibration()
        return self

    def _bands(self, X):
        """Predicted (lower, upper) quantiles, one array (n, 2) a level."""
        self._check_X(X)
        pairs = self.estimators_ if not self.prefit else [tuple(self.estimator[:2])]
        return [np.array([model.predict(X) for model in pair]).T for pair in pairs]

    def conformalize(self, X, y):
        """Compute calibration scores on rows that `fit` has not seen.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_cal, d)
            Calibration covariates.
        y : array_like, shape (n_cal,)
            Calibration outcomes.

        Returns
        -------
        ConformalizedQuantileRegressor
            Itself.

        Raises
        ------
        ValueError
            If `y` holds NaN or infinities, or lengths differ.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        levels = check_alpha(self.alpha)
        self._check_fitted()
        if self.prefit and (not 2 <= len(self.estimator) <= 3 or len(levels) > 1):
            raise ValueError(
                "prefit=True takes estimator=(lower, upper) or (lower, upper, median) "
                "and one alpha: give two or three fitted models"
            )
        y = check_outcome(y)
        bands = self._bands(X)
        if len(bands[0]) != len(y):
            raise ValueError(
                f"X has {len(bands[0])} rows and y has {len(y)}: give one outcome a row"
            )
        scores = [QuantileScore().score(y, band) for band in bands]
        self.scores_ = np.array(scores).T
        self.n_calibration_ = len(y)
        self.thresholds_ = np.array(list(map(conformal_quantile, scores, levels)))
        return self

    def predict(self, X):
        """Predicted medians (or band centres without a median model), shape (n,)."""
        self._check_fitted()
        self._check_X(X)
        if not self.prefit:
            return self.median_.predict(X)
        if len(self.estimator) == 3:
            return self.estimator[2].predict(X)
        return np.mean([model.predict(X) for model in self.estimator], axis=0)

    def predict_interval(self, X):
        """Prediction intervals.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Test covariates.

        Returns
        -------
        y_pred : ndarray, shape (n,)
            Predicted medians.
        intervals : ndarray, shape (n, 2, n_levels)
            Lower and upper ends for each level. A pair with lower > upper is the
            empty set.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` or `conformalize` was not called.
        """
        self._check_calibrated()
        sets = [
            QuantileScore().invert(band, q)
            for band, q in zip(self._bands(X), self.thresholds_, strict=True)
        ]
        intervals = np.stack(sets, axis=2) if len(sets) > 1 else sets[0][:, :, None]
        self._warn_infinite(len(intervals))
        return self.predict(X), intervals


def at_quantile_level(estimator, level):
    """Clone of a quantile regressor, set to one level.

    Parameters
    ----------
    estimator : scikit-learn regressor or pipeline
        With one parameter for its level: ``quantile``, or ``alpha`` beside
        ``loss="quantile"``.
    level : float
        Quantile level in (0, 1).

    Returns
    -------
    estimator
        Unfitted clone.

    Raises
    ------
    ValueError
        If there is no such parameter, or more than one.
    """
    parameters = estimator.get_params()
    named = [key for key in parameters if key.split("__")[-1] == "quantile"]
    if not named:
        named = [
            key
            for key in parameters
            if key.split("__")[-1] == "alpha"
            and parameters.get(key[: -len("alpha")] + "loss") == "quantile"
        ]
    if len(named) != 1:
        raise ValueError(
            "estimator must have one parameter for its quantile level: `quantile`, or "
            f"`alpha` with loss='quantile'; {type(estimator).__name__} has "
            f"{named or 'none'}: use one that has, such as QuantileRegressor"
        )
    return clone(estimator).set_params(**{named[0]: level})
