"""Split conformal sets of labels around any probabilistic classifier."""

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import column_or_1d

from .._validation import check_alpha
from ..scores import CumulativeLabelScore, LabelScore
from ._base import SplitConformal


class SplitConformalClassifier(ClassifierMixin, SplitConformal):
    """Split conformal sets of labels around any probabilistic classifier.

    Parameters
    ----------
    estimator : scikit-learn classifier, optional
        Model with ``predict_proba``; logistic regression by default.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    conformity_score : {"label", "cumulative"}
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

    def __init__(
        self, estimator=None, *, alpha=0.1, conformity_score="label", prefit=False
    ):
        self.estimator = estimator
        self.alpha = alpha
        self.conformity_score = conformity_score
        self.prefit = prefit

    def _template(self):
        return LogisticRegression() if self.estimator is None else self.estimator

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
        model = self._template()
        self.estimator_ = clone(model).fit(X, column_or_1d(y, warn=True), **fit_params)
        self._forget_calibration()
        return self

    def _check_parameters(self):
        check_alpha(self.alpha)
        if self.conformity_score not in ("label", "cumulative"):
            raise ValueError(
                "conformity_score must be 'label' or 'cumulative', got "
                f"{self.conformity_score!r}"
            )

    def _model(self):
        return self.estimator if self.prefit else self.estimator_

    @property
    def classes_(self):
        """Labels, in the order of the columns of the sets."""
        self._check_fitted()
        return self._model().classes_

    def _score(self):
        return (
            LabelScore() if self.conformity_score == "label" else CumulativeLabelScore()
        )

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
            raise ValueError(
                f"X has {len(probabilities)} rows and y has {len(y)}: give one outcome "
                "a row"
            )
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
