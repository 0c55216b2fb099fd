"""Split conformal prediction: three estimators with three verbs.

``fit`` trains the model on one part of the data, ``conformalize`` computes scores on
another, ``predict_interval`` (or ``predict_set``) returns sets with marginal coverage
at least ``1 - alpha``.
"""

from ._classification import SplitConformalClassifier
from ._quantile import ConformalizedQuantileRegressor, at_quantile_level
from ._regression import SplitConformalRegressor, split_interval

__all__ = [
    "ConformalizedQuantileRegressor",
    "SplitConformalClassifier",
    "SplitConformalRegressor",
    "at_quantile_level",
    "split_interval",
]
