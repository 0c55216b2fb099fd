"""Split conformal prediction: three estimators with three verbs.

``fit`` trains the model on one part of the data, ``conformalize`` computes scores on
another, ``predict_interval`` (or ``predict_set``) returns sets with marginal coverage
at least ``1 - alpha``.
"""

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    clone,
)
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.validation import column_or_1d, validate_data

from ._validation import check_1d, check_alpha
from .exceptions import warn_infinite
from .quantiles import conformal_quantile, smallest_calibration_size
from .scores import (
    AbsoluteScore,
    CumulativeLabelScore,
    LabelScore,
    NormalizedScore,
    QuantileScore,
)

__all__ = [
    "ConformalizedQuantileRegressor",
    "SplitConformalClassifier",
    "SplitConformalRegressor",
    "split_interval",
]


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


class _SplitConformal(MetaEstimatorMixin, BaseEstimator):
    """What the three estimators share: order of the verbs, checks, warnings."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _check_X(self, X, *, reset=False):
        # Values are left to the wrapped estimator: whether NaN is welcome is its say.
        if not self.prefit or hasattr(self, "n_features_in_"):
            validate_data(self, X, reset=reset, skip_check_array=True)

    def _check_prefit(self):
        if self.prefit:
            raise ValueError(
                "fit was called with prefit=True: call conformalize directly, or set "
                "prefit=False to train the estimator here"
            )

    def _check_fitted(self):
        if not self.prefit and not hasattr(self, "n_features_in_"):
            raise NotFittedError(
                f"{type(self).__name__} is not fitted: call fit(X, y) and then "
                "conformalize(X, y) on other rows"
            )

    def _calibrate(self, scores):
        levels = check_alpha(self.alpha)
        self.scores_ = scores
        self.n_calibration_ = len(scores)
        self.thresholds_ = conformal_quantile(scores, levels)
        return self

    def _check_calibrated(self):
        self._check_fitted()
        if not hasattr(self, "thresholds_"):
            raise NotFittedError(
                f"{type(self).__name__} is not calibrated: call conformalize(X, y) "
                "with rows that fit has not seen"
            )

    def _warn_infinite(self, n_rows):
        infinite = np.isposinf(self.thresholds_)
        if infinite.any():
            alpha = min(check_alpha(self.alpha))
            warn_infinite(
                int(infinite.sum()) * n_rows,
                len(self.thresholds_) * n_rows,
                f"{self.n_calibration_} calibration rows are too few for "
                f"alpha={alpha}; give at least "
                f"{smallest_calibration_size(alpha)}",
                stacklevel=4,
            )


def _check_outcome(y, name="y"):
    y = column_or_1d(y, warn=True)
    if y.dtype == object:
        y = y.astype(float)
    return check_1d(y, name)


class SplitConformalRegressor(RegressorMixin, _SplitConformal):
    """Split conformal intervals around any regressor.

    Parameters
    ----------
    estimator : scikit-learn regressor, optional
        Model of the outcome; :class:`~sklearn.linear_model.LinearRegression` by
        default. NaN in `X` is welcome if the estimator takes it.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    score : {"absolute", "normalized"}
        ``"absolute"`` gives intervals of one width; ``"normalized"`` divides residuals
        by a spread that a second model predicts.
    scale_estimator : scikit-learn regressor, optional
        Model of the absolute residual, for ``score="normalized"``; by default a clone
        of `estimator`. It is fitted on the training residuals.
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
        score="absolute",
        scale_estimator=None,
        prefit=False,
    ):
        self.estimator = estimator
        self.alpha = alpha
        self.score = score
        self.scale_estimator = scale_estimator
        self.prefit = prefit

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
        y = _check_outcome(y)
        model = LinearRegression() if self.estimator is None else self.estimator
        self.estimator_ = clone(model).fit(X, y, **fit_params)
        if self.score == "normalized":
            spread = model if self.scale_estimator is None else self.scale_estimator
            residual = np.abs(y - self.estimator_.predict(X))
            self.scale_estimator_ = clone(spread).fit(X, residual, **fit_params)
            # A spread of zero would make a score infinite; the floor is far below
            # any residual that matters.
            self.scale_floor_ = max(1e-3 * residual.mean(), np.finfo(float).tiny)
        for stale in ("thresholds_", "scores_", "n_calibration_"):
            self.__dict__.pop(stale, None)
        return self

    def _check_parameters(self):
        check_alpha(self.alpha)
        if self.score not in ("absolute", "normalized"):
            raise ValueError(
                f"score must be 'absolute' or 'normalized', got {self.score!r}"
            )
        if self.prefit and self.score == "normalized":
            raise ValueError("score='normalized' fits a spread: it needs prefit=False")

    def _model(self):
        return self.estimator if self.prefit else self.estimator_

    def _predict(self, X):
        """Prediction in the form that the score takes."""
        self._check_X(X)
        mu = np.asarray(self._model().predict(X))
        if self.score == "absolute":
            return mu
        sigma = np.maximum(self.scale_estimator_.predict(X), self.scale_floor_)
        return np.column_stack([mu, sigma])

    def _score(self):
        return AbsoluteScore() if self.score == "absolute" else NormalizedScore()

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
        y = _check_outcome(y)
        prediction = self._predict(X)
        if len(prediction) != len(y):
            raise ValueError(f"X has {len(prediction)} rows and y has {len(y)}")
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


class ConformalizedQuantileRegressor(RegressorMixin, _SplitConformal):
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
        y = _check_outcome(y)
        model = self.estimator
        if model is None:
            model = HistGradientBoostingRegressor(loss="quantile", random_state=0)
        self.estimators_ = [
            tuple(
                _at_level(model, level).fit(X, y, **fit_params)
                for level in (alpha / 2, 1 - alpha / 2)
            )
            for alpha in map(float, levels)
        ]
        self.median_ = _at_level(model, 0.5).fit(X, y, **fit_params)
        for stale in ("thresholds_", "scores_", "n_calibration_"):
            self.__dict__.pop(stale, None)
        return self

    def _bands(self, X):
        """Predicted (lower, upper) quantiles, one array (n, 2) a level."""
        self._check_X(X)
        pairs = self.estimators_ if not self.prefit else [tuple(self.estimator[:2])]
        return [np.column_stack([m.predict(X) for m in pair]) for pair in pairs]

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
                "and one alpha"
            )
        y = _check_outcome(y)
        bands = self._bands(X)
        if len(bands[0]) != len(y):
            raise ValueError(f"X has {len(bands[0])} rows and y has {len(y)}")
        self.scores_ = np.column_stack([QuantileScore().score(y, b) for b in bands])
        self.n_calibration_ = len(y)
        self.thresholds_ = np.array(
            [
                conformal_quantile(column, alpha)
                for column, alpha in zip(self.scores_.T, levels, strict=True)
            ]
        )
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


def _at_level(estimator, level):
    """Clone of a quantile regressor set to one level."""
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
            f"{named or 'none'}"
        )
    return clone(estimator).set_params(**{named[0]: level})


class SplitConformalClassifier(ClassifierMixin, _SplitConformal):
    """Split conformal sets of labels around any probabilistic classifier.

    Parameters
    ----------
    estimator : scikit-learn classifier, optional
        Model with ``predict_proba``; logistic regression by default.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    score : {"label", "cumulative"}
        ``"label"`` is one minus the probability of the label (smallest sets on
        average); ``"cumulative"`` adds up the labels at least as likely (sets that
        adapt to how hard a row is).
    prefit : bool
        Whether `estimator` is trained already; then `fit` is not called.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
        Labels, in the order of the columns of the sets.
    thresholds_ : ndarray, shape (n_levels,)
        Conformal quantile for each level.
    """

    def __init__(self, estimator=None, *, alpha=0.1, score="label", prefit=False):
        self.estimator = estimator
        self.alpha = alpha
        self.score = score
        self.prefit = prefit

    def fit(self, X, y, **fit_params):
        """Train the classifier.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Training covariates.
        y : array_like, shape (n,)
            Training labels.
        **fit_params
            Passed to the estimator's ``fit``.

        Returns
        -------
        SplitConformalClassifier
            Itself.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        self._check_parameters()
        self._check_prefit()
        self._check_X(X, reset=True)
        model = LogisticRegression() if self.estimator is None else self.estimator
        self.estimator_ = clone(model).fit(X, column_or_1d(y, warn=True), **fit_params)
        for stale in ("thresholds_", "scores_", "n_calibration_"):
            self.__dict__.pop(stale, None)
        return self

    def _check_parameters(self):
        check_alpha(self.alpha)
        if self.score not in ("label", "cumulative"):
            raise ValueError(
                f"score must be 'label' or 'cumulative', got {self.score!r}"
            )

    def _model(self):
        return self.estimator if self.prefit else self.estimator_

    @property
    def classes_(self):
        """Labels, in the order of the columns of the sets."""
        self._check_fitted()
        return self._model().classes_

    def _score(self):
        return LabelScore() if self.score == "label" else CumulativeLabelScore()

    def conformalize(self, X, y):
        """Compute calibration scores on rows that `fit` has not seen.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_cal, d)
            Calibration covariates.
        y : array_like, shape (n_cal,)
            Calibration labels, all known to the classifier.

        Returns
        -------
        SplitConformalClassifier
            Itself.

        Raises
        ------
        ValueError
            If a label is unknown to the classifier, or lengths differ.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        self._check_parameters()
        self._check_fitted()
        y = column_or_1d(y, warn=True)
        classes = np.asarray(self.classes_)
        unknown = ~np.isin(y, classes)
        if unknown.any():
            raise ValueError(
                f"y holds {int(unknown.sum())} labels that the classifier does not "
                f"know, such as {y[unknown][0]!r}: fit it on all labels"
            )
        self._check_X(X)
        probabilities = self._model().predict_proba(X)
        if len(probabilities) != len(y):
            raise ValueError(f"X has {len(probabilities)} rows and y has {len(y)}")
        column = np.searchsorted(classes, y)
        return self._calibrate(self._score().score(column, probabilities))

    def predict(self, X):
        """Most likely labels, shape (n,), for rows `X`, shape (n, d)."""
        self._check_fitted()
        self._check_X(X)
        return self._model().predict(X)

    def predict_proba(self, X):
        """Predicted probabilities, shape (n, C), for rows `X`, shape (n, d)."""
        self._check_fitted()
        self._check_X(X)
        return self._model().predict_proba(X)

    def predict_set(self, X):
        """Sets of labels.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Test covariates.

        Returns
        -------
        y_pred : ndarray, shape (n,)
            Most likely labels.
        sets : ndarray of bool, shape (n, C, n_levels)
            True for the labels in the set; columns follow ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` or `conformalize` was not called.
        """
        self._check_calibrated()
        self._check_X(X)
        probabilities = self._model().predict_proba(X)
        sets = [self._score().invert(probabilities, q) for q in self.thresholds_]
        self._warn_infinite(len(probabilities))
        y_pred = np.asarray(self.classes_)[probabilities.argmax(axis=1)]
        return y_pred, np.stack(sets, axis=2)
