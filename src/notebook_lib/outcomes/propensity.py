"""Propensity of being observed: known, or estimated by any classifier.

Every estimate must come from rows other than the calibration and test rows. The
kernel estimate follows appendix D.1 of Lee, Dobriban and Tchetgen Tchetgen
(Nadaraya-Watson with the plug-in bandwidth of Ruppert, Sheather and Wand 1995, as in
R's ``KernSmooth::dpill``).
"""

import warnings

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from .._validation import check_1d
from .bandwidth import leave_one_out_bandwidth, plug_in_bandwidth

__all__ = [
    "KernelPropensity",
    "PositivityWarning",
    "PropensityModel",
    "check_indicator",
]


class PositivityWarning(UserWarning):
    """Some rows are (almost) never, or always, observed: nothing can be learnt."""


def check_indicator(A, name="A"):
    """Return the indicator of observed outcomes as a boolean array.

    Parameters
    ----------
    A : array_like of 0/1 or bool, shape (n,)
        1 where the outcome is observed.
    name : str
        Name of the argument, for the message.

    Returns
    -------
    ndarray of bool, shape (n,)
        The indicator.

    Raises
    ------
    ValueError
        If it holds anything but 0 and 1, or has another shape.
    """
    A = np.asarray(A)
    if A.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional, got shape {A.shape}: give one 0 or 1 a "
            "row"
        )
    if A.dtype == bool:
        return A
    if A.size and not (A.dtype.kind in "iuf" and np.isin(A, (0, 1)).all()):
        raise ValueError(
            f"{name} must hold 0 and 1 only (1 = outcome observed): convert other "
            "labels first"
        )
    return A.astype(bool)


class KernelPropensity(ClassifierMixin, BaseEstimator):
    """Nadaraya-Watson estimate of the propensity.

    Parameters
    ----------
    bandwidth : {"plug-in", "leave-one-out"} or float
        Standard deviation of the Gaussian kernel: in units of the feature if there is
        one, in standard deviations of each feature (a product kernel) if there are
        several. ``"plug-in"`` is for one feature; it falls back to leave-one-out for
        several, or where it is not finite.

    Attributes
    ----------
    bandwidth_ : float
        Bandwidth in use.
    scale_ : ndarray, shape (d,)
        Units of the features.
    classes_ : ndarray, shape (2,)
        ``[0, 1]`` (False and True for a boolean indicator).
    """

    def __init__(self, bandwidth="plug-in"):
        self.bandwidth = bandwidth

    def fit(self, X, y):
        """Store the rows and choose the bandwidth.

        Parameters
        ----------
        X : array_like, shape (n, 1)
            The feature.
        y : array_like, shape (n,)
            Indicator, 1 = outcome observed.

        Returns
        -------
        KernelPropensity
            Itself.

        Raises
        ------
        ValueError
            If the indicator is constant or has more than two values.
        """
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.classes_, observed = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}. Give 0 and 1 (1 = outcome observed)"
            )
        if len(self.classes_) < 2:
            raise ValueError(
                "Classifier can't train when only one class is present: y is "
                "constant; give rows of both kinds"
            )
        spread = X.std(axis=0)
        self.scale_ = np.where((X.shape[1] > 1) & (spread > 0), spread, 1.0)
        self.x_, self.y_ = X / self.scale_, observed.astype(float)
        self.bandwidth_ = self._choose()
        return self

    def _choose(self):
        if not isinstance(self.bandwidth, str):
            if not 0 < self.bandwidth < np.inf:
                raise ValueError(
                    f"bandwidth must be above 0, got {self.bandwidth!r}: give a finite "
                    "number, 'plug-in' or 'leave-one-out'"
                )
            return float(self.bandwidth)
        if self.bandwidth not in ("plug-in", "leave-one-out"):
            raise ValueError(
                "bandwidth must be 'plug-in', 'leave-one-out' or a number, got "
                f"{self.bandwidth!r}"
            )
        if self.bandwidth == "plug-in" and self.x_.shape[1] == 1 and len(self.x_) > 24:
            h = plug_in_bandwidth(self.x_[:, 0], self.y_)
            if np.isfinite(h) and h > 0:
                return float(h)
        return leave_one_out_bandwidth(self.x_, self.y_)

    def predict_proba(self, X):
        """Probabilities of missing and observed, shape (m, 2)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False) / self.scale_
        p = np.empty(len(X))
        step = max(1, 4_000_000 // len(self.x_))
        for first in range(0, len(X), step):
            rows = slice(first, first + step)
            exponent = -0.5 * cdist(X[rows], self.x_, "sqeuclidean")
            exponent /= self.bandwidth_**2
            # Far from all rows every kernel underflows: the nearest row decides.
            kernel = np.exp(exponent - exponent.max(axis=1, keepdims=True))
            p[rows] = kernel @ self.y_ / kernel.sum(axis=1)
        return np.column_stack([1 - p, p])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True
        return tags

    def predict(self, X):
        """Likelier class of each row, shape (m,)."""
        check_is_fitted(self)
        return self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)]


def _l1_logistic():
    """L1 logistic regression, penalty by 10-fold cross-validated deviance."""
    options = dict(
        Cs=np.logspace(-2.5, 1.5, 20),
        cv=10,
        solver="liblinear",
        scoring="neg_log_loss",
        intercept_scaling=10.0,  # liblinear penalises the intercept: make that cheap
        random_state=0,
    )
    return make_pipeline(StandardScaler(), _lasso_cv(options))


def _lasso_cv(options):
    """The l1 penalty by the name that this scikit-learn gives it."""
    try:
        return LogisticRegressionCV(
            l1_ratios=(1.0,), use_legacy_attributes=False, **options
        )
    except TypeError:  # before scikit-learn 1.8
        return LogisticRegressionCV(penalty="l1", **options)


_NAMED = {
    "kernel": (KernelPropensity, 1e-12),
    "l1-logistic": (_l1_logistic, 1e-6),
    "logistic": (
        lambda: make_pipeline(StandardScaler(), LogisticRegression(C=1e6)),
        1e-6,
    ),
    "forest": (
        lambda: RandomForestClassifier(
            n_estimators=500, max_features="sqrt", random_state=0
        ),
        1e-3,
    ),
}


class PropensityModel(BaseEstimator):
    """Probability that the outcome is observed, behind one interface.

    Parameters
    ----------
    model : str, scikit-learn classifier, or callable
        ``"kernel"``, ``"l1-logistic"`` (10-fold cross-validation),
        ``"logistic"`` or ``"forest"`` (500 trees, vote share); any classifier with
        ``predict_proba``; or a function of `X`, the known propensity.
    clip : float, optional
        Estimates are cut to ``[clip, 1 - clip]``. By default 1e-12 for the kernel,
        ``1 / (2 * trees)`` for the forest, 1e-6 otherwise. A known propensity is
        never cut.

    Attributes
    ----------
    model_ : fitted classifier or the function
        What predicts.
    n_clipped_ : int
        Estimates cut in the last call of :meth:`predict`.
    """

    def __init__(self, model="l1-logistic", *, clip=None):
        self.model = model
        self.clip = clip

    def fit(self, X, A):
        """Fit the indicator on the features, on training rows only.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Features.
        A : array_like of 0/1 or bool, shape (n,)
            1 where the outcome is observed.

        Returns
        -------
        PropensityModel
            Itself.

        Raises
        ------
        ValueError
            If the indicator is not 0/1 or is constant, or the model is unknown.
        """
        A = check_indicator(A)
        check_consistent_length(X, A)
        model, self.clip_ = self._resolve()
        if callable(model) and not hasattr(model, "fit"):
            self.model_ = model
            return self
        if not len(A) or A.all() or not A.any():
            raise ValueError(
                "A is constant in the training rows: a propensity cannot be estimated; "
                "give training rows of both kinds, or a known propensity"
            )
        self.model_ = clone(model).fit(X, A.astype(int))
        return self

    def _resolve(self):
        if isinstance(self.model, str):
            if self.model not in _NAMED:
                raise ValueError(
                    f"model must be one of {', '.join(_NAMED)}, a classifier or a "
                    f"function, got {self.model!r}"
                )
            make, clip = _NAMED[self.model]
            model = make()
        elif hasattr(self.model, "predict_proba") or callable(self.model):
            model, clip = self.model, 1e-6
        else:
            raise ValueError(
                f"model must be one of {', '.join(_NAMED)}, a classifier with "
                f"predict_proba, or a function of X, got {self.model!r}"
            )
        clip = clip if self.clip is None else self.clip
        if not 0 < clip < 0.5:
            raise ValueError(f"clip must lie in (0, 0.5), got {clip!r}")
        return model, clip

    def predict(self, X):
        """Propensities of rows, strictly inside (0, 1).

        Parameters
        ----------
        X : array_like or DataFrame, shape (m, d)
            Features.

        Returns
        -------
        ndarray, shape (m,)
            Probability that the outcome is observed.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        if not hasattr(self, "model_"):
            raise NotFittedError("PropensityModel is not fitted: call fit(X, A)")
        self.n_clipped_ = 0
        if not hasattr(self.model_, "predict_proba"):
            return check_1d(self.model_(X), "propensity")
        p = self.model_.predict_proba(X)[:, 1]
        outside = (p < self.clip_) | (p > 1 - self.clip_)
        self.n_clipped_ = int(outside.sum())
        if self.n_clipped_:
            warnings.warn(
                f"{self.n_clipped_} of {len(p)} estimated propensities were cut to "
                f"[{self.clip_:g}, {1 - self.clip_:g}]: positivity is doubtful there",
                PositivityWarning,
                stacklevel=2,
            )
        return np.clip(p, self.clip_, 1 - self.clip_)
