"""CP-MDA-Nested* for labels."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import column_or_1d

from .._once import once_over
from .._validation import check_alpha
from ..masks import missing_mask
from .base import Masked
from .model import MaskedModel
from .nested import closed_rank, label_counts
from .pairs import PairPlan
from .subsample import as_rule

__all__ = ["CPMDANestedStarClassifier"]


class CPMDANestedStarClassifier(ClassifierMixin, Masked):
    """CP-MDA-Nested* for labels, with the score ``1 - p(label)``.

    Parameters
    ----------
    estimator : scikit-learn classifier, optional
        With ``predict_proba``; logistic regression on standardised features by
        default.
    imputer : scikit-learn imputer, optional
        Fitted on the training covariates; iterative ridge by default.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    add_mask : bool
        Whether the mask is appended to the features.
    subsample : str, int or rule
        As in :class:`CPMDANestedStar`.
    """

    def __init__(
        self, estimator=None, *, imputer=None, alpha=0.1, add_mask=True, subsample="all"
    ):
        self.estimator = estimator
        self.imputer = imputer
        self.alpha = alpha
        self.add_mask = add_mask
        self.subsample = subsample

    def fit(self, X, y):
        """Fit the imputer on the covariates, then the classifier on imputed rows.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Training covariates, NaN for missing.
        y : array_like, shape (n,)
            Training labels.

        Returns
        -------
        self
        """
        levels = check_alpha(self.alpha)
        as_rule(self.subsample, levels[0])
        raw, X = X, self._table(X, reset=True)
        y = column_or_1d(y, warn=True)
        if missing_mask(y[:, None]).any():
            raise ValueError("y holds missing labels: drop those rows")
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model = model if self.estimator is None else self.estimator
        masked = MaskedModel(
            [model], self.imputer, add_mask=self.add_mask, method="predict_proba"
        )
        self.models_ = [masked.fit(X, y)]
        self.classes_ = masked.predictors_[0].classes_
        self.complete_columns_ = ~np.isnan(X).any(axis=0)
        self._train_ref = raw
        for stale in ("X_cal_", "y_cal_", "M_cal_"):
            self.__dict__.pop(stale, None)
        return self

    def conformalize(self, X, y):
        """Take calibration rows that `fit` has not seen.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_cal, d)
            Calibration covariates, NaN for missing.
        y : array_like, shape (n_cal,)
            Calibration labels, all known to the classifier.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a label is unknown to the classifier.
        """
        self._check_fitted()
        y = column_or_1d(y, warn=True)
        if len(X) != len(y):
            raise ValueError(
                f"X has {len(X)} rows and y has {len(y)}: give one outcome a row"
            )
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            raise ValueError(
                f"y holds {int(unknown.sum())} labels that the classifier does not "
                f"know, such as {y[unknown][0]!r}: fit it on all labels"
            )
        return self._keep_calibration(X, np.searchsorted(self.classes_, y))

    def predict(self, X):
        """Most likely labels under each row's own mask, shape (n,)."""
        self._check_fitted()
        X = self._table(X)
        return self.classes_[self.models_[0](X, np.isnan(X)).argmax(axis=1)]

    def predict_set(self, X):
        """Sets of labels.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Test covariates, NaN for missing.

        Returns
        -------
        y_pred : ndarray, shape (n,)
            Most likely labels.
        sets : ndarray of bool, shape (n, C, n_levels)
            True for the labels in the set; columns follow ``classes_``.
        """
        X, mask = self._test_table(X)
        levels = [float(level) for level in check_alpha(self.alpha)]
        sets = np.zeros((len(X), len(self.classes_), len(levels)), dtype=bool)
        with once_over(levels):
            for column, alpha in enumerate(levels):
                sets[:, :, column] = self._sets(X, mask, alpha)
        return self.classes_[self.models_[0](X, mask).argmax(axis=1)], sets

    def _sets(self, X, mask, alpha):
        plan = PairPlan(self.M_cal_, mask, as_rule(self.subsample, alpha))
        out = np.zeros((len(X), len(self.classes_)), dtype=bool)
        infinite, poor = 0, {}
        for view in plan.views(self.models_[0], self.X_cal_, X):
            n_kept = len(view.kept)
            r = closed_rank(n_kept, alpha)
            if r == 0:
                infinite += len(view.rows)
                poor[view.mask.tobytes()] = (view.mask, n_kept)
                out[view.rows] = True
                continue
            labels = self.y_cal_[view.kept]
            scores = 1.0 - view.calibration[np.arange(n_kept), labels]
            count = label_counts(scores, view.slot, 1.0 - view.test)
            out[view.rows] = count <= n_kept - r
        self._warn_masks(infinite, list(poor.values()), len(X), alpha)
        return out
