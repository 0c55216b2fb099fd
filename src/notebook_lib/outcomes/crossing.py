"""Crossing: intervals for every missing outcome of one table."""

import warnings

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._labels import check_same_order
from .._once import each_kind_once
from .._validation import check_alpha
from ..exceptions import InfiniteSetWarning, warn_infinite
from .bins import odds_bins
from .estimator import check_rows, split_outcome, take_rows

__all__ = ["cross_intervals"]

_COLUMNS = ["prediction", "lower", "upper", "propensity", "bin", "part"]


def cross_intervals(model, X, y, *, n_splits=2, random_state=0):
    """Intervals for every missing outcome of one table, by crossing its parts.

    Rows are dealt at random to `n_splits` parts. Each part is calibrated with models
    trained on the others, so that every missing row gets an interval and no row is
    used twice for one interval. The guarantee holds in each part, hence for the
    share of missed rows overall.

    Parameters
    ----------
    model : MissingOutcomeConformal
        Template; cloned for each part. One level.
    X : DataFrame or array_like, shape (n, d)
        Features.
    y : array_like, shape (n,)
        Outcomes, NaN where missing.
    n_splits : int
        Parts, at least 2. More parts train on more rows and calibrate on fewer.
    random_state : int or numpy.random.RandomState
        Deals the rows.

    Returns
    -------
    DataFrame
        One row for each missing outcome, in the order of the table and with its row
        labels: ``prediction``, ``lower``, ``upper``, ``propensity``, ``bin``, ``part``.

    Raises
    ------
    ValueError
        If there is more than one level, fewer than two parts, too few rows for them,
        or `X` and `y` have the same row labels in different orders.
    """
    if len(check_alpha(model.alpha)) > 1:
        raise ValueError(
            f"alpha must be one level here, got {model.alpha!r}: call once for each "
            "level"
        )
    if isinstance(n_splits, bool) or int(n_splits) != n_splits or n_splits < 2:
        raise ValueError(f"n_splits must be an integer of at least 2, got {n_splits!r}")
    if issparse(X):
        raise TypeError("Sparse input is not supported: give a dense array")
    check_same_order(X, y)
    labels = X.index if hasattr(X, "loc") else pd.RangeIndex(len(X))
    y, observed = split_outcome(y)
    check_rows(X, y)
    part_of = check_random_state(random_state).permutation(len(y)) % n_splits
    places, found = [], []
    with each_kind_once(leave_out=(InfiniteSetWarning,)) as caught:
        for part in range(n_splits):
            inside = part_of == part
            missing = inside & ~observed
            if missing.any():
                places.append(np.flatnonzero(missing))
                found.append(_one_part(model, X, y, inside, missing, part))
    if not found:
        return pd.DataFrame(columns=_COLUMNS, index=labels[:0])
    # By place: labels may repeat.
    places = np.concatenate(places)
    frame = pd.concat(found).iloc[np.argsort(places)].set_index(labels[~observed])
    for item in caught:
        if issubclass(item.category, InfiniteSetWarning):
            infinite = int(np.isinf(frame[["lower", "upper"]]).any(axis=1).sum())
            reason = str(item.message).split(": ", 1)[-1]
            warn_infinite(infinite, len(frame), reason)
            break
    return frame


def _one_part(model, X, y, inside, missing, part):
    """Train on the other parts, calibrate on this one, and predict its gaps."""
    fitted = clone(model).fit(take_rows(X, ~inside), y[~inside])
    fitted.conformalize(take_rows(X, inside), y[inside])
    prediction, intervals = fitted.predict_interval(take_rows(X, missing))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same prediction warned just now
        p = fitted.propensity_.predict(take_rows(X, missing))
    columns = (prediction, intervals[:, 0, 0], intervals[:, 1, 0], p)
    columns = (*columns, odds_bins(p, model.epsilon), part)
    return pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))
