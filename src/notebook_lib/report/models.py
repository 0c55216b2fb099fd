"""Models for a table of any shape: linear quantile regression, or boosted trees."""

from __future__ import annotations

from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .encoding import TableEncoder

__all__ = ["filled", "outcome_model"]

_LINEAR_ROWS = 3000


def outcome_model(n_rows, n_columns, *, model="auto", task="regression"):
    """A model of the outcome on encoded, complete columns.

    Parameters
    ----------
    n_rows, n_columns : int
        Size of the encoded training table.
    model : {"auto", "linear", "boosting"} or estimator
        ``"auto"`` is linear up to 3000 training rows if there are 5 rows for each
        column, mask indicators counted, and boosted trees otherwise.
    task : {"regression", "classification"}
        A quantile regressor with a level to set, or a classifier.

    Returns
    -------
    estimator
        Unfitted.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if hasattr(model, "fit"):
        return model
    if model not in ("auto", "linear", "boosting"):
        raise ValueError(
            f"model must be 'auto', 'linear', 'boosting' or an estimator, got {model!r}"
        )
    if model == "auto":
        small = 5 * n_columns <= n_rows <= _LINEAR_ROWS
        model = "linear" if small else "boosting"
    if task == "classification":
        if model == "linear":
            return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        return HistGradientBoostingClassifier(random_state=0, early_stopping=False)
    if model == "linear":
        return make_pipeline(
            StandardScaler(), QuantileRegressor(alpha=0.0, solver="highs")
        )
    return HistGradientBoostingRegressor(
        loss="quantile", random_state=0, early_stopping=False
    )


def filled(model):
    """A pipeline from raw rows: encode, fill gaps with means, append the mask, predict.

    Parameters
    ----------
    model : estimator
        Of encoded rows.

    Returns
    -------
    Pipeline
        Unfitted; it takes a DataFrame with text and NaN.
    """
    return make_pipeline(
        TableEncoder(),
        SimpleImputer(add_indicator=True, keep_empty_features=True),
        model,
    )
