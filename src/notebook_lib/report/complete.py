"""Sets where outcomes are known: train, calibrate, and check on held-out rows."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer

from .. import covariates
from ..exceptions import InfiniteSetWarning
from ..quantiles import smallest_calibration_size
from ..split import ConformalizedQuantileRegressor, SplitConformalClassifier
from .encoding import TableEncoder, mask_names
from .many_rows import ExactOnSome, SomeOf, calibration_limits
from .models import filled, outcome_model

__all__ = ["Parts", "Sets", "build_estimator", "complete_sets", "split_rows"]

_MANY_COLUMNS = 40
_SUBSAMPLE = {
    "exact": "exact",
    "nested": "all",
    "adaptive": "adaptive",
    "per-mask": "same",
}


class Parts(NamedTuple):
    """Positions of rows: to train, to calibrate, and held out."""

    train: np.ndarray
    calibrate: np.ndarray
    held_out: np.ndarray


class Sets(NamedTuple):
    """Sets of some rows at each level.

    Attributes
    ----------
    prediction : ndarray, shape (n,)
        Predicted outcomes.
    intervals : ndarray, shape (n, 2, L), or None
        For numbers.
    labels : ndarray of bool, shape (n, C, L), or None
        For labels, with their names in `classes`.
    classes : ndarray, shape (C,), or None
        Names of the labels.
    reasons : ndarray of str, shape (n, L)
        Why a set is infinite or its promise weaker; empty where there is nothing.
    infinite : ndarray of bool, shape (n, L)
        Whether too few rows force the whole space.
    mask : Series of str, shape (n,)
        Readable masks.
    """

    prediction: np.ndarray
    intervals: np.ndarray | None
    labels: np.ndarray | None
    classes: np.ndarray | None
    reasons: np.ndarray
    infinite: np.ndarray
    mask: pd.Series


def split_rows(table, *, seed=0):
    """Deal the rows with an outcome at random: half, a quarter, a quarter.

    Parameters
    ----------
    table : Table
        From :func:`read_table`.
    seed : int
        Seed of the deal.

    Returns
    -------
    Parts
        Sorted positions.

    Examples
    --------
    >>> from notebook_lib import report
    >>> parts = report.split_rows(report.read_table(None, "weight"))
    >>> [len(part) for part in parts]
    [500, 250, 250]
    """
    rows = np.flatnonzero(table.observed)
    rows = np.random.default_rng(seed).permutation(rows)
    cuts = [int(0.5 * len(rows)), int(0.75 * len(rows))]
    return Parts(*(np.sort(part) for part in np.split(rows, cuts)))


def build_estimator(
    table, method, *, alpha=0.1, model="auto", n_train=None, n_max=None
):
    """The library's estimator behind a method, unfitted.

    Parameters
    ----------
    table : Table
        From :func:`read_table`.
    method : str
        ``"split"`` takes raw rows; ``"exact"``, ``"nested"``, ``"adaptive"``,
        ``"per-mask"`` and ``"imputed"`` take rows encoded by :class:`TableEncoder`.
    alpha : float or sequence of float
        Miscoverage level(s).
    model : str or estimator
        As in :func:`outcome_model`.
    n_train : int, optional
        Training rows, half of those with an outcome by default.
    n_max : int, optional
        Calibration rows of one mask, at most, for ``"exact"``; all by default.

    Returns
    -------
    estimator
        With the three verbs of the book.
    """
    n_train = int(table.observed.sum()) // 2 if n_train is None else n_train
    width = TableEncoder().fit(table.X).get_feature_names_out().size
    indicators = 0 if method == "split" else width
    inner = outcome_model(n_train, width + indicators, model=model, task=table.task)
    labels = table.task == "classification"
    if method == "split" or (labels and method == "imputed"):
        wrap = SplitConformalClassifier if labels else ConformalizedQuantileRegressor
        return wrap(filled(inner), alpha=alpha)
    # Chained regressions on very many columns take minutes, and gain little.
    imputer = SimpleImputer(keep_empty_features=True) if width > _MANY_COLUMNS else None
    options = dict(imputer=imputer, alpha=alpha)
    if labels:
        rule = _SUBSAMPLE[method]
        if n_max is not None and method == "exact":
            rule = SomeOf(covariates.Exact(), n_max)
        return covariates.CPMDANestedStarClassifier(inner, subsample=rule, **options)
    if n_max is not None and method == "exact":
        return ExactOnSome(inner, n_max=n_max, **options)
    if method in ("nested", "adaptive"):
        return covariates.CPMDANestedStar(
            inner, subsample=_SUBSAMPLE[method], **options
        )
    known = {
        "exact": covariates.CPMDAExact,
        "per-mask": covariates.PerMaskRegressor,
        "imputed": covariates.ImputedSplitRegressor,
    }
    return known[method](inner, **options)


def complete_sets(table, method, train, calibrate, rows, *, alpha, model="auto"):
    """Train on some rows, calibrate on others, and make sets for a third kind.

    Parameters
    ----------
    table : Table
        From :func:`read_table`.
    method : str
        As in :func:`build_estimator`.
    train, calibrate : ndarray of int
        Positions in the table.
    rows : DataFrame, shape (n, d)
        Covariates of the rows that get sets.
    alpha : tuple of float
        Miscoverage levels.
    model : str or estimator
        As in :func:`outcome_model`.

    Returns
    -------
    Sets
        Predictions, sets and reasons.

    Raises
    ------
    ValueError
        If a label of the calibration rows was in no training row.
    """
    _check_labels(table, train, calibrate)
    in_all, each = calibration_limits(table, method, alpha)
    if in_all is not None and len(calibrate) > in_all:
        spread = np.linspace(0, len(calibrate) - 1, in_all)
        calibrate = calibrate[spread.astype(int)]
    encoder = TableEncoder().fit(table.X.iloc[train])
    raw = method == "split" or (table.task == "classification" and method == "imputed")
    encode = (lambda X: X) if raw else encoder.transform
    estimator = build_estimator(
        table, method, alpha=alpha, model=model, n_train=len(train), n_max=each
    )
    y = table.y.to_numpy()
    with warnings.catch_warnings():
        # Told in the columns `infinite` and `reason`, and once for the whole call.
        warnings.simplefilter("ignore", InfiniteSetWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=".*have gaps here but none")
        estimator.fit(encode(table.X.iloc[train]), y[train])
        estimator.conformalize(encode(table.X.iloc[calibrate]), y[calibrate])
        prediction, intervals, labels = _predict(estimator, encode(rows), table)
    mask, M_cal = encoder.missing(rows), encoder.missing(table.X.iloc[calibrate])
    infinite, reasons = _reasons(method, M_cal.to_numpy(), mask.to_numpy(), alpha)
    fresh = mask & ~encoder.missing(table.X.iloc[train]).any()
    reasons = _add_fresh(reasons, fresh)
    classes = getattr(estimator, "classes_", None) if labels is not None else None
    return Sets(
        prediction, intervals, labels, classes, reasons, infinite, mask_names(mask)
    )


def _predict(estimator, rows, table):
    if not len(rows):
        raise ValueError("there are no rows to predict: give at least one")
    if table.task == "classification":
        prediction, labels = estimator.predict_set(rows)
        return prediction, None, labels
    prediction, intervals = estimator.predict_interval(rows)
    return prediction, intervals, None


def _check_labels(table, train, calibrate):
    if table.task == "regression":
        return
    known = set(table.y.iloc[train])
    strange = sorted(set(table.y.iloc[calibrate]) - known)
    if strange:
        count = int((table.y == strange[0]).sum())
        raise ValueError(
            f"the label {strange[0]!r} of {table.target!r} has {count} rows, and none "
            "fell to the training half: merge it with another label, or try another "
            "seed"
        )


def _reasons(method, M_cal, mask, alpha):
    """Which sets must be infinite, and why: usable calibration rows of each mask."""
    infinite = np.zeros((len(mask), len(alpha)), dtype=bool)
    reasons = np.full(infinite.shape, "", dtype=object)
    usable = _usable(method, M_cal, mask)
    for column, level in enumerate(alpha):
        needed = smallest_calibration_size(level)
        infinite[:, column] = usable < needed
        for count in np.unique(usable[usable < needed]):
            reasons[usable == count, column] = (
                f"infinite: {count} usable calibration rows, {needed} needed for "
                f"alpha={level:g}"
            )
    return infinite, reasons


def _usable(method, M_cal, mask):
    """Calibration rows that a method may use for each row's mask, shape (n,)."""
    if method not in ("exact", "per-mask"):
        return np.full(len(mask), len(M_cal))
    rule = covariates.Exact() if method == "exact" else covariates.SameMask()
    patterns, inverse = np.unique(mask, axis=0, return_inverse=True)
    counts = np.array([int(rule.keep(M_cal, m).sum()) for m in patterns])
    return counts[inverse.ravel()]


def _add_fresh(reasons, fresh):
    """Say where a column is missing that training rows always had."""
    for row in np.flatnonzero(fresh.any(axis=1).to_numpy()):
        names = fresh.columns[fresh.iloc[row]].tolist()
        told = f"{', '.join(names[:3])} unknown here and never in training"
        reasons[row] = [f"{r}; {told}" if r else told for r in reasons[row]]
    return reasons
