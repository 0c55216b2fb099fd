"""Split conformal intervals around any regressor."""

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.linear_model import LinearRegression

from .._validation import check_alpha
from ..quantiles import conformal_quantile
from ..scores import AbsoluteScore, NormalizedScore
from ._base import SplitConformal, check_outcome


def split_interval(scores, prediction, alpha, score=None):
    """Split conformal intervals from calibration scores and test predictions.

    Parameters
    ----------
    scores : array_like, shape (n_cal,)
        Scores of the calibration rows.
    prediction : array_like
        Predictions of the test rows, in the form that `score` inverts.
    alpha : float
        Miscoverage level in (0, 1).
    score : Score, optional
        Score whose inverse makes the sets; :class:`AbsoluteScore` by default.

    Returns
    -------
    ndarray, shape (n_test, 2), or IntervalUnion
        Prediction sets.

    Raises
    ------
    ValueError
        If `alpha` is outside (0, 1) or a score is NaN.
    """
    score = AbsoluteScore() if score is None else score
    return score.invert(prediction, conformal_quantile(scores, alpha))


class SplitConformalRegressor(RegressorMixin, SplitConformal):
    """Split conformal intervals around any regressor.

    Parameters
    ----------
    estimator : scikit-learn regressor, optional
        Model of the outcome; :class:`~sklearn.linear_model.LinearRegression` by
        default. NaN in `X` is welcome if the estimator takes it.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    conformity_score : {"absolute", "normalized"}
        ``"absolute"`` gives intervals of one width; ``"normalized"`` divides residuals
        by a spread that a second model predicts.
    scale_estimator : scikit-learn regressor, optional
        Model of the absolute residual, for ``conformity_score="normalized"``; by
        default a clone of `estimator`. It is fitted on the training residuals.
    prefit : bool
        Whether `estimator` is trained already; then `fit` is not called.

    Attributes
    ----------
    estimator_ : estimator
        The fitted model.
    scores_ : ndarray, shape (n_cal,)
        Calibration scores.
    thresholds_ : ndarray, shape (n_levels,)
        Conformal quantile for each level.

    Notes
    -----
    If calibration and test rows are exchangeable, the marginal coverage is at least
    ``1 - alpha``, whatever the model (Vovk, Gammerman and Shafer 2005).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> y = X @ [1.0, -0.5] + rng.normal(size=300)
    >>> model = SplitConformalRegressor(alpha=0.1).fit(X[:100], y[:100])
    >>> y_pred, intervals = model.conformalize(X[100:200], y[100:200]).predict_interval(
    ...     X[200:]
    ... )
    >>> intervals.shape
    (100, 2, 1)
    """

    def __init__(
        self,
        estimator=None,
        *,
        alpha=0.1,
        conformity_score="absolute",
        scale_estimator=None,
        prefit=False,
    ):
        self.estimator = estimator
        self.alpha = alpha
        self.conformity_score = conformity_score
        self.scale_estimator = scale_estimator
        self.prefit = prefit

    def _template(self):
        return LinearRegression() if self.estimator is None else self.estimator

    def fit(self, X, y, **fit_params):
        """Train the model (and the model of the spread).

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Training covariates.
        y : array_like, shape (n,)
            Training outcomes.
        **fit_params
            Passed to the estimator's ``fit``, such as ``sample_weight``.

        Returns
        -------
        SplitConformalRegressor
            Itself.

        Raises
        ------
        ValueError
            If a parameter or `y` is out of range.
        """
        self._check_parameters()
        self._check_prefit()
        self._check_X(X, reset=True)
        y = check_outcome(y)
        model = self._template()
        self.estimator_ = clone(model).fit(X, y, **fit_params)
        if self.conformity_score == "normalized":
            spread = model if self.scale_estimator is None else self.scale_estimator
            residual = np.abs(y - self.estimator_.predict(X))
            self.scale_estimator_ = clone(spread).fit(X, residual, **fit_params)
            # A spread of zero would make a score infinite; the floor is far below
            # any residual that matters.
            self.scale_floor_ = max(1e-3 * residual.mean(), np.finfo(float).tiny)
        self._forget_calibration()
        return self

    def _check_parameters(self):
        check_alpha(self.alpha)
        if self.conformity_score not in ("absolute", "normalized"):
            raise ValueError(
                "conformity_score must be 'absolute' or 'normalized', got "
                f"{self.conformity_score!r}"
            )
        if self.prefit and self.conformity_score == "normalized":
            raise ValueError(
                "conformity_score='normalized' fits a spread, which prefit=True "
                "leaves out: set prefit=False, or use conformity_score='absolute'"
            )

    def _model(self):
        return self.estimator if self.prefit else self.estimator_

    def _predict(self, X):
        """Prediction in the form that the score takes."""
        self._check_X(X)
        mu = np.asarray(self._model().predict(X))
        if self.conformity_score == "absolute":
            return mu
        sigma = np.maximum(self.scale_estimator_.predict(X), self.scale_floor_)
        return np.column_stack([mu, sigma])

    def _score(self):
        return (
            AbsoluteScore()
            if self.conformity_score == "absolute"
            else NormalizedScore()
        )

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
        SplitConformalRegressor
            Itself.

        Raises
        ------
        ValueError
            If `y` holds NaN or infinities, or lengths differ.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        self._check_parameters()
        self._check_fitted()
        y = check_outcome(y)
        prediction = self._predict(X)
        if len(prediction) != len(y):
            raise ValueError(
                f"X has {len(prediction)} rows and y has {len(y)}: give one outcome a "
                "row"
            )
        return self._calibrate(self._score().score(y, prediction))

    def predict(self, X):
        """Point predictions, shape (n,), for rows `X`, shape (n, d)."""
        self._check_fitted()
        self._check_X(X)
        return self._model().predict(X)

    def predict_interval(self, X):
        """Prediction intervals.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Test covariates.

        Returns
        -------
        y_pred : ndarray, shape (n,)
            Point predictions.
        intervals : ndarray, shape (n, 2, n_levels)
            Lower and upper ends for each level; infinite, with one warning, where
            there are too few calibration rows.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` or `conformalize` was not called.
        """
        self._check_calibrated()
        prediction = self._predict(X)
        intervals = _stack_levels(self._score(), prediction, self.thresholds_)
        self._warn_infinite(len(intervals))
        return (prediction if prediction.ndim == 1 else prediction[:, 0]), intervals


def _stack_levels(score, prediction, thresholds):
    if len(thresholds) == 1:
        return score.invert(prediction, thresholds[0])[:, :, None]
    return np.stack([score.invert(prediction, q) for q in thresholds], axis=2)
