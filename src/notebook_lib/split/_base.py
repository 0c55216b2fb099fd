"""What the split conformal estimators share: order of the verbs, checks, warnings."""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import column_or_1d, validate_data

from .._validation import check_1d, check_alpha
from ..exceptions import warn_infinite
from ..quantiles import conformal_quantile, smallest_calibration_size


class SplitConformal(MetaEstimatorMixin, BaseEstimator):
    """What the three estimators share: order of the verbs, checks, warnings."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = self._template()
        if isinstance(inner, BaseEstimator):
            tags.input_tags.allow_nan = get_tags(inner).input_tags.allow_nan
            tags.input_tags.sparse = get_tags(inner).input_tags.sparse
        return tags

    def _check_X(self, X, *, reset=False):
        # Values are left to the wrapped estimator: whether NaN is welcome is its say.
        if len(getattr(X, "shape", (0, 0))) == 1:
            raise ValueError(
                "Expected 2D array, got 1D array instead. Reshape your data: "
                "X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row"
            )
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

    def _forget_calibration(self):
        for stale in ("thresholds_", "scores_", "n_calibration_"):
            self.__dict__.pop(stale, None)

    def _check_calibrated(self):
        self._check_fitted()
        if not hasattr(self, "thresholds_"):
            raise NotFittedError(
                f"{type(self).__name__} is not calibrated: call conformalize(X, y) "
                "with rows that fit has not seen"
            )

    def _warn_infinite(self, n_rows):
        infinite = self.thresholds_ == np.inf
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


def check_outcome(y, name="y"):
    """Return outcomes as finite numbers, one a row."""
    if not (isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype == float):
        y = column_or_1d(y, warn=True)
    return check_1d(y, name)
