"""Intervals for missing outcomes from a table with gaps in ``y``: three verbs."""

import warnings

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.utils import get_tags
from sklearn.utils.validation import _num_samples, column_or_1d, validate_data

from .._validation import check_alpha
from ..exceptions import InfiniteSetWarning, warn_infinite
from ..scores import AbsoluteScore, QuantileScore
from ..split import at_quantile_level
from .bins import check_epsilon, odds_bins
from .diagnostics import overlap_report
from .partition import partition_test_points
from .propensity import PositivityWarning, PropensityModel
from .squared import procp2_threshold
from .thresholds import check_choice, naive_threshold, procp_threshold
from .weighted import binned_weighted_threshold, weighted_threshold

__all__ = ["MissingOutcomeConformal", "split_outcome"]

#: Of the cross-validation behind ``propensity="l1-logistic"``.
_FOLDS = 10
_METHODS = ("pro-cp", "pro-cp2", "weighted", "binned-weighted", "naive")


def split_outcome(y, name="y"):
    """Return the outcomes as floats and the indicator of the observed ones.

    Parameters
    ----------
    y : array_like, shape (n,)
        Outcomes with NaN, None or NA where they are missing.
    name : str
        Name of the argument, for the message.

    Returns
    -------
    y : ndarray, shape (n,)
        Floats, NaN where missing.
    observed : ndarray of bool, shape (n,)
        The indicator ``A``.

    Raises
    ------
    ValueError
        If outcomes are not numbers, or infinite.
    """
    if y is None:
        raise ValueError(
            f"MissingOutcomeConformal requires {name} to be passed, but the target "
            f"{name} is None: give outcomes, NaN where missing"
        )
    y = column_or_1d(np.asarray(y), warn=True)
    try:
        y = pd.to_numeric(pd.Series(y)).to_numpy(float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold numbers (NaN where missing): encode or drop the rest "
            f"({error})"
        ) from None
    if np.isinf(y).any():
        raise ValueError(
            f"{name} holds {int(np.isinf(y).sum())} infinite values: use NaN where "
            "the outcome is missing"
        )
    return y, ~np.isnan(y)


class MissingOutcomeConformal(RegressorMixin, MetaEstimatorMixin, BaseEstimator):
    """Prediction intervals for missing outcomes, simultaneous or weighted.

    ``fit(X, y)`` trains the outcome model on rows whose outcome is seen and the
    propensity on all rows; ``conformalize(X, y)`` calibrates on the observed rows of
    other data; ``predict_interval(X)`` takes the rows of that data whose outcome is
    missing, **all at once**: the thresholds depend on them jointly.

    Parameters
    ----------
    estimator : scikit-learn regressor, optional
        Model of the outcome; :class:`~sklearn.linear_model.LinearRegression` by
        default, or a linear quantile regression for
        ``conformity_score="quantile"``.
    propensity : str, classifier or callable
        Model of ``P(observed | X)``, see :class:`PropensityModel`.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    method : {"pro-cp", "pro-cp2", "weighted", "binned-weighted", "naive"}
        How thresholds are found.
    variant : {"representative", "paper"}
        For pro-CP and pro-CP2: the one- or two-representative form (never wider,
        equally valid), or the printed formula.
    epsilon : float
        Bin width of the propensity odds.
    partition : {"none", "quick"}
        Cells of the test points; the representative forms seldom need any.
    conformity_score : {"absolute", "quantile"}
        Residual score, or conformalized quantile regression.
    positivity : float
        A test row whose propensity is below this raises a
        :class:`PositivityWarning`.

    Attributes
    ----------
    estimator_, propensity_ : fitted models
        ``estimator_`` is a list of (lower, upper) pairs for the quantile score.
    n_calibration_ : int
        Observed rows in the last call of :meth:`conformalize`.
    thresholds_ : ndarray, shape (m, n_levels)
        Thresholds of the last call of :meth:`predict_interval`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 10, (900, 1))
    >>> y = X[:, 0] + rng.normal(size=900)
    >>> y[rng.random(900) < 0.2] = np.nan
    >>> model = MissingOutcomeConformal(propensity=lambda X: np.full(len(X), 0.8))
    >>> model = model.fit(X[:400], y[:400]).conformalize(X[400:], y[400:])
    >>> y_pred, intervals = model.predict_interval(X[400:][np.isnan(y[400:])])
    >>> intervals.shape[1:]
    (2, 1)
    """

    def __init__(
        self,
        estimator=None,
        *,
        propensity="l1-logistic",
        alpha=0.1,
        method="pro-cp",
        variant="representative",
        epsilon=0.1,
        partition="none",
        conformity_score="absolute",
        positivity=0.02,
    ):
        self.estimator = estimator
        self.propensity = propensity
        self.alpha = alpha
        self.method = method
        self.variant = variant
        self.epsilon = epsilon
        self.partition = partition
        self.conformity_score = conformity_score
        self.positivity = positivity

    def _check_parameters(self):
        check_choice(self.method, _METHODS, "method")
        check_choice(self.variant, ("representative", "paper"), "variant")
        check_choice(self.partition, ("none", "quick"), "partition")
        check_choice(
            self.conformity_score, ("absolute", "quantile"), "conformity_score"
        )
        check_epsilon(self.epsilon)
        if not 0 <= self.positivity < 1:
            raise ValueError(f"positivity must lie in [0, 1), got {self.positivity!r}")
        return [float(level) for level in check_alpha(self.alpha)]

    def _check_X(self, X, *, reset=False):
        if issparse(X):
            raise TypeError("Sparse input is not supported: give a dense array")
        if len(getattr(X, "shape", (0, 0))) == 1:
            raise ValueError(
                "Expected 2D array, got 1D array instead. Reshape your data: "
                "X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row"
            )
        # Values are left to the wrapped models: whether NaN is welcome is their say.
        validate_data(self, X, reset=reset, skip_check_array=True)

    def fit(self, X, y):
        """Train the outcome model and the propensity model.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Training features.
        y : array_like, shape (n,)
            Training outcomes, NaN where missing.

        Returns
        -------
        MissingOutcomeConformal
            Itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, no outcome is observed, or none is
            missing while the propensity must be estimated.
        """
        levels = self._check_parameters()
        self._check_X(X, reset=True)
        y, observed = split_outcome(y)
        check_rows(X, y)
        if not observed.any():
            raise ValueError(
                "y holds no observed outcome: there is nothing to learn; give a "
                "number in some rows"
            )
        _check_folds(self.propensity, observed)
        self.propensity_ = PropensityModel(self.propensity).fit(X, observed)
        rows = take_rows(X, observed)
        if self.conformity_score == "absolute":
            model = LinearRegression() if self.estimator is None else self.estimator
            self.estimator_ = clone(model).fit(rows, y[observed])
        else:
            model = self.estimator
            if model is None:
                model = QuantileRegressor(alpha=0.0)
            self.estimator_ = [
                tuple(
                    at_quantile_level(model, tau).fit(rows, y[observed])
                    for tau in (level / 2, 1 - level / 2)
                )
                for level in levels
            ]
        self.__dict__.pop("scores_", None)
        return self

    def _predictions(self, X):
        """Predictions in the form of the score, one for each level."""
        self._check_X(X)
        if self.conformity_score == "absolute":
            return [np.asarray(self.estimator_.predict(X))] * len(
                check_alpha(self.alpha)
            )
        return [
            np.column_stack([model.predict(X) for model in pair])
            for pair in self.estimator_
        ]

    def _score(self):
        return (
            AbsoluteScore() if self.conformity_score == "absolute" else QuantileScore()
        )

    def conformalize(self, X, y):
        """Compute scores of the observed rows; rows with missing outcome are left.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Rows that `fit` has not seen.
        y : array_like, shape (n,)
            Their outcomes, NaN where missing.

        Returns
        -------
        MissingOutcomeConformal
            Itself.

        Raises
        ------
        ValueError
            If lengths differ or outcomes are not numbers.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        self._check_parameters()
        self._check_fitted()
        y, observed = split_outcome(y)
        check_rows(X, y)
        rows = take_rows(X, observed)
        self.n_calibration_ = int(observed.sum())
        if not self.n_calibration_:
            self.cal_propensity_ = np.empty(0)
            self.scores_ = np.empty((len(check_alpha(self.alpha)), 0))
            return self
        self.cal_propensity_ = self.propensity_.predict(rows)
        self.scores_ = np.stack(
            [self._score().score(y[observed], part) for part in self._predictions(rows)]
        )
        return self

    def predict(self, X):
        """Point predictions (centres of the first band for the quantile score)."""
        self._check_fitted()
        first = self._predictions(X)[0]
        return first if first.ndim == 1 else first.mean(axis=1)

    def predict_interval(self, X):
        """Intervals for the rows whose outcome is missing, jointly.

        Parameters
        ----------
        X : array_like or DataFrame, shape (m, d)
            All rows whose outcome is missing.

        Returns
        -------
        y_pred : ndarray, shape (m,)
            Point predictions.
        intervals : ndarray, shape (m, 2, n_levels)
            Lower and upper ends; infinite, with one warning, where the data are too
            few. A pair with lower > upper is the empty set.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` or `conformalize` was not called.
        """
        levels = self._check_parameters()
        self._check_calibrated()
        if not len(X):
            self.thresholds_ = np.empty((0, len(levels)))
            return np.empty(0), np.empty((0, 2, len(levels)))
        parts = self._predictions(X)
        test = self.propensity_.predict(X)
        self._warn_positivity(test)
        columns, reasons = [], {}
        for row, level in zip(self.scores_, levels, strict=True):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                columns.append(self._threshold(row, test, level))
            _sort_out(caught, level, reasons)
        self.thresholds_ = np.column_stack(columns)
        infinite = int(np.isposinf(self.thresholds_).sum())
        warn_infinite(infinite, self.thresholds_.size, "; ".join(reasons.values()))
        intervals = np.stack(
            [
                self._score().invert(part, column)
                for part, column in zip(parts, columns, strict=True)
            ],
            axis=2,
        )
        first = parts[0]
        return (first if first.ndim == 1 else first.mean(axis=1)), intervals

    def _threshold(self, row, test, level):
        cal = self.cal_propensity_
        if self.method == "weighted":
            return weighted_threshold(row, cal, test, level)
        bins, test_bins = odds_bins(cal, self.epsilon), odds_bins(test, self.epsilon)
        if self.method == "binned-weighted":
            return binned_weighted_threshold(row, cal, test, bins, test_bins, level)
        if self.method == "naive":
            return naive_threshold(row, bins, test_bins, level)
        cells = (
            partition_test_points(bins, test_bins)
            if self.partition == "quick"
            else None
        )
        paper = self.variant == "paper"
        if self.method == "pro-cp2":
            return procp2_threshold(
                row,
                bins,
                test_bins,
                level,
                cells=cells,
                allocation="constant",
                variant="paper" if paper else "two_rep",
            )
        return procp_threshold(
            row,
            bins,
            test_bins,
            level,
            cells=cells,
            variant="paper" if paper else "one_rep",
        )

    def _warn_positivity(self, test):
        low = int((test < self.positivity).sum())
        if low:
            warnings.warn(
                f"{low} of {len(test)} rows have a propensity below "
                f"{self.positivity:g} (lowest {test.min():.2g}): outcomes like theirs "
                "are hardly ever observed, and intervals there rest on the model; "
                "see overlap()",
                PositivityWarning,
                stacklevel=3,
            )

    def overlap(self, X):
        """Diagnostics of the calibration rows against the missing rows `X`.

        Parameters
        ----------
        X : array_like or DataFrame, shape (m, d)
            Rows whose outcome is missing.

        Returns
        -------
        Series
            See :func:`overlap_report`.
        """
        self._check_calibrated()
        return overlap_report(
            self.cal_propensity_, self.propensity_.predict(X), epsilon=self.epsilon
        )

    def _check_fitted(self):
        if not hasattr(self, "propensity_"):
            raise NotFittedError(
                "MissingOutcomeConformal is not fitted: call fit(X, y), then "
                "conformalize(X, y) on other rows"
            )

    def _check_calibrated(self):
        self._check_fitted()
        if not hasattr(self, "scores_"):
            raise NotFittedError(
                "MissingOutcomeConformal is not calibrated: call conformalize(X, y) "
                "with rows that fit has not seen"
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if isinstance(self.estimator, BaseEstimator):
            tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags


def _sort_out(caught, level, reasons):
    """Keep the reason of infinite sets by level; pass other warnings on."""
    for item in caught:
        if issubclass(item.category, InfiniteSetWarning):
            reasons[level] = f"alpha={level:g}: " + str(item.message).split(": ", 1)[-1]
        else:
            warnings.warn(item.message, stacklevel=4)


def _check_folds(propensity, observed):
    """Refuse to cross-validate a penalty on fewer rows than there are folds."""
    if not isinstance(propensity, str) or propensity != "l1-logistic":
        return
    larger = max(observed.sum(), (~observed).sum())
    if larger < _FOLDS and observed.any() and not observed.all():
        raise ValueError(
            f"propensity='l1-logistic' is cross-validated in {_FOLDS} folds, and there "
            f"are {len(observed)} rows to train on: give more rows, "
            "propensity='logistic', or a known propensity"
        )


def take_rows(X, rows):
    """Rows of an array or of a DataFrame, by a boolean mask."""
    return X[rows] if hasattr(X, "loc") else np.asarray(X)[rows]


def check_rows(X, y):
    """Refuse covariates and outcomes of different lengths."""
    n = _num_samples(X)
    if n != len(y):
        raise ValueError(f"X has {n} rows and y has {len(y)}: give one outcome a row")
