"""What all estimators of this sub-package share: checks, verbs, warnings."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from ..exceptions import warn_infinite
from ..masks import mask_label
from ..quantiles import smallest_calibration_size
from .model import as_table


class Masked(BaseEstimator):
    """What all estimators here share: checks, verbs, and the fitted model."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _table(self, X, *, reset=False):
        if len(getattr(X, "shape", (0, 0))) == 1:
            raise ValueError(
                "Expected 2D array, got 1D array instead: X needs shape (n, d). "
                "Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) "
                "for one row"
            )
        validate_data(self, X, reset=reset, skip_check_array=True)
        return as_table(X)

    def _check_fitted(self):
        if not hasattr(self, "models_"):
            raise NotFittedError(
                f"{type(self).__name__} is not fitted: call fit(X, y) and then "
                "conformalize(X, y) on other rows"
            )

    def _check_calibrated(self):
        self._check_fitted()
        if not hasattr(self, "X_cal_"):
            raise NotFittedError(
                f"{type(self).__name__} is not calibrated: call conformalize(X, y) "
                "with rows that fit has not seen"
            )

    def _keep_calibration(self, X, y):
        self._check_fitted()
        raw, X = X, self._table(X)
        if not len(X):
            raise ValueError(
                "X is empty: give conformalize at least one calibration row"
            )
        if shares_memory(raw, self._train_ref):
            warnings.warn(
                "the calibration rows share memory with the training rows: sets are "
                "valid only if calibration rows were not used to train",
                UserWarning,
                stacklevel=3,
            )
        self.X_cal_, self.y_cal_ = X, y
        self.M_cal_ = np.isnan(X)
        self._cal_ref = raw
        self._warn_constant_columns(self.M_cal_)
        return self

    def _test_table(self, X):
        self._check_calibrated()
        if shares_memory(X, self._cal_ref):
            raise ValueError(
                "X shares memory with the calibration rows: coverage measured on "
                "calibration rows means nothing; pass other rows"
            )
        X = self._table(X)
        return X, np.isnan(X)

    def _warn_constant_columns(self, mask):
        fresh = mask.any(axis=0) & self.complete_columns_
        if fresh.any() and self.add_mask:
            warnings.warn(
                f"columns {np.flatnonzero(fresh).tolist()} have gaps here but none in "
                "training: their mask indicator was constant there",
                UserWarning,
                stacklevel=4,
            )

    def _warn_masks(self, infinite, masks_kept, n_total, alpha):
        """One warning a call, with the masks that have too few rows."""
        if not infinite:
            return
        told = ", ".join(
            f"{mask_label(m) if len(m) <= 12 else f'{int(m.sum())} missing'}: {n}"
            for m, n in masks_kept[:8]
        )
        more = "" if len(masks_kept) <= 8 else f" and {len(masks_kept) - 8} more masks"
        warn_infinite(
            infinite,
            n_total,
            f"too few usable calibration rows for alpha={alpha} (mask: rows; {told}"
            f"{more}); at least {smallest_calibration_size(alpha)} are needed",
            stacklevel=5,
        )


def shares_memory(a, b):
    return (
        isinstance(a, np.ndarray)
        and isinstance(b, np.ndarray)
        and a.size > 0
        and np.shares_memory(a, b)
    )
