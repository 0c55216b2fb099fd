"""One fitted imputer and one fitted predictor: rows with gaps in, predictions out."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from .._validation import check_1d
from ..masks import missing_mask
from .imputation import default_imputer, impute

__all__ = ["MaskedModel", "as_table"]


def as_table(X, name="X"):
    """Covariates as floats with NaN for every missing entry.

    Parameters
    ----------
    X : array_like or DataFrame, shape (n, d)
        Numbers; None, NaN and pandas' NA stand for missing. Columns of dtype object
        will do if they hold numbers.
    name : str
        Name for the error message.

    Returns
    -------
    ndarray, shape (n, d)
        The table.

    Raises
    ------
    ValueError
        If an entry is no number, or infinite.
    """
    mask = missing_mask(X)
    values = np.array(X, dtype=object) if mask.any() else np.asarray(X)
    if mask.any():
        values[mask] = np.nan
    try:
        table = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold numbers: encode categories first ({error})"
        ) from None
    n_infinite = int(np.isinf(table).sum())
    if n_infinite:
        raise ValueError(
            f"{name} holds {n_infinite} infinite values: replace them (NaN means "
            "missing), or drop those rows"
        )
    return table


class MaskedModel:
    """Impute, append the mask if asked, predict: a function of (row, mask).

    Parameters
    ----------
    predictors : sequence of estimators
        Unfitted: one for a point prediction, two for a lower and an upper quantile
        (or one that predicts both columns), or one classifier.
    imputer : transformer, optional
        Unfitted imputer; iterative ridge by default. It never sees outcomes.
    add_mask : bool
        Whether the mask is appended to the features (``2d`` columns).
    method : {"predict", "predict_proba"}
        What to ask of the predictors.

    Attributes
    ----------
    imputer_ : transformer
        The fitted imputer.
    predictors_ : list of estimators
        The fitted predictors.
    n_predicted_ : int
        Number of (row, mask) pairs predicted so far.
    """

    def __init__(self, predictors, imputer=None, *, add_mask=True, method="predict"):
        self.predictors, self.imputer = list(predictors), imputer
        self.add_mask, self.method = add_mask, method
        self.n_predicted_ = 0

    def fit(self, X, y, *, X_predictor=None, y_predictor=None):
        """Fit the imputer on covariates and the predictors on imputed covariates.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            Training rows with NaN for missing entries.
        y : ndarray, shape (n,)
            Outcomes.
        X_predictor, y_predictor : ndarray, optional
            Other rows to fit the predictors on (plain quantile regression uses the
            calibration rows too); the imputer still sees `X` only.

        Returns
        -------
        MaskedModel
            Itself.

        Raises
        ------
        ValueError
            If a column is never observed in training and the imputer cannot keep it.
        """
        missing = np.isnan(X)
        never = np.flatnonzero(missing.all(axis=0))
        imputer = default_imputer() if self.imputer is None else clone(self.imputer)
        if len(never) and not getattr(imputer, "keep_empty_features", False):
            raise ValueError(
                f"columns {never.tolist()} are never observed in the training rows: "
                "drop them, or give an imputer with keep_empty_features=True"
            )
        with warnings.catch_warnings():
            if self.imputer is None:
                # Ten rounds are the document's setting, converged or not.
                warnings.simplefilter("ignore", ConvergenceWarning)
            self.imputer_ = imputer.fit(X)
        seen = np.maximum((~missing).sum(axis=0), 1)
        self.means_ = np.where(missing, 0.0, X).sum(axis=0) / seen
        if X_predictor is not None:
            X, y = X_predictor, y_predictor
        features = self.features(X, np.isnan(X))
        self.predictors_ = [clone(p).fit(features, y) for p in self.predictors]
        return self

    def features(self, X, mask):
        """What the predictors see: imputed rows, and the mask if asked.

        Parameters
        ----------
        X : ndarray, shape (q, d)
            Rows with NaN under the mask.
        mask : ndarray of bool, shape (q, d)
            True where an entry is missing.
        """
        filled = impute(self.imputer_, X, self.means_)
        return np.hstack([filled, mask]) if self.add_mask else filled

    def __call__(self, X, mask):
        """Predictions, shape (q,), (q, 2) or (q, C); quantiles come sorted."""
        self.n_predicted_ += len(X)
        features = self.features(X, mask)
        parts = [getattr(p, self.method)(features) for p in self.predictors_]
        if self.method == "predict_proba":
            return parts[0]
        if len(parts) == 1 and np.ndim(parts[0]) == 1:
            return parts[0]
        return np.sort(np.column_stack(parts), axis=1)


def check_outcome(y, n_rows, name="y"):
    """Outcomes as floats, one a row."""
    y = check_1d(np.asarray(y), name)
    if len(y) != n_rows:
        raise ValueError(
            f"X has {n_rows} rows and {name} has {len(y)}: give one outcome a row"
        )
    return y
