"""Sets where outcomes are missing: propensity, overlap, weights and bins."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from ..exceptions import InfiniteSetWarning
from ..outcomes import (
    MissingOutcomeConformal,
    PositivityWarning,
    PropensityModel,
    cross_intervals,
    overlap_report,
    shift_threshold,
    weighted_threshold,
)
from ..scores import LabelScore, QuantileScore
from ..split import at_quantile_level
from .complete import Sets
from .encoding import TableEncoder, mask_names
from .models import filled, outcome_model

__all__ = [
    "new_sets",
    "outcome_estimator",
    "outcome_sets",
    "overlap",
    "propensity_model",
]

_PARTS = 2


def propensity_model():
    """Logistic regression of "the outcome is observed" on raw rows and their mask.

    Returns
    -------
    Pipeline
        Unfitted classifier; it takes a DataFrame with text and NaN.
    """
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return filled(logistic)


def outcome_estimator(table, method, *, alpha=0.1, model="auto"):
    """The library's estimator for missing outcomes, unfitted.

    Parameters
    ----------
    table : Table
        From :func:`read_table`, a regression.
    method : {"weighted", "pro-cp", "pro-cp2"}
        How thresholds are found.
    alpha : float
        Miscoverage level.
    model : str or estimator
        As in :func:`outcome_model`.

    Returns
    -------
    MissingOutcomeConformal
        It takes raw rows.
    """
    inner = _model(table, model)
    return MissingOutcomeConformal(
        filled(inner),
        propensity=propensity_model(),
        alpha=alpha,
        method=method,
        conformity_score="quantile",
        positivity=0.0,
    )


def _model(table, model):
    width = TableEncoder().fit(table.X).get_feature_names_out().size
    width += int(table.X.isna().any().sum())
    n_train = int(table.observed.sum()) // _PARTS
    return outcome_model(n_train, width, model=model, task=table.task)


def _parts(table, seed):
    # The deal of `cross_intervals`, so that diagnostics are those of its parts.
    order = check_random_state(seed).permutation(len(table.y))
    return order % _PARTS


def overlap(table, *, epsilon=0.1, seed=0):
    """Can the observed rows stand for the missing ones? Propensities by crossing.

    Parameters
    ----------
    table : Table
        With missing outcomes.
    epsilon : float
        Bin width of the propensity odds.
    seed : int
        Deals the rows to two parts.

    Returns
    -------
    Series
        As :func:`~notebook_lib.outcomes.overlap_report`, the worse part for ranges
        and smallest levels, the mean of the parts otherwise.

    Raises
    ------
    ValueError
        If no outcome is missing.
    """
    if table.observed.all():
        raise ValueError(
            f"{table.target!r} has no missing value: nothing to weight; use a table "
            "whose target has gaps"
        )
    part, found = _parts(table, seed), []
    for k in range(_PARTS):
        inside = part == k
        p = _propensity(table, ~inside, table.X[inside])
        seen = table.observed[inside]
        found.append(overlap_report(p[seen], p[~seen], epsilon=epsilon))
    both = pd.concat(found, axis=1)
    out = both.mean(axis=1)
    for name in out.index:
        if name.startswith("smallest"):
            out[name] = both.loc[name].max()
    out["lowest test propensity"] = both.loc["lowest test propensity"].min()
    out["highest test propensity"] = both.loc["highest test propensity"].max()
    return out.rename("value")


def _propensity(table, rows, X):
    with _quiet():
        model = PropensityModel(propensity_model())
        model.fit(table.X[rows], table.observed[rows])
        return model.predict(X)


@contextlib.contextmanager
def _quiet():
    """Warnings that the columns of the result say better."""
    with warnings.catch_warnings():
        for category in (InfiniteSetWarning, ConvergenceWarning, PositivityWarning):
            warnings.simplefilter("ignore", category)
        yield


def outcome_sets(table, method, *, alpha, model="auto", seed=0):
    """Sets for every row whose outcome is missing, by crossing two parts.

    Parameters
    ----------
    table : Table
        With missing outcomes.
    method : {"weighted", "pro-cp", "pro-cp2"}
        ``"weighted"`` alone makes sets of labels.
    alpha : tuple of float
        Miscoverage levels.
    model : str or estimator
        As in :func:`outcome_model`.
    seed : int
        Deals the rows to the parts.

    Returns
    -------
    Sets
        Of the rows with a missing outcome, in the order of the table.
    """
    rows = table.X[~table.observed]
    if table.task == "classification":
        return _crossed_labels(table, alpha, model, seed)
    frames = []
    for level in alpha:
        estimator = outcome_estimator(table, method, alpha=level, model=model)
        with _quiet():
            frames.append(
                cross_intervals(estimator, table.X, table.y, random_state=seed)
            )
    intervals = np.stack([f[["lower", "upper"]].to_numpy() for f in frames], axis=2)
    propensity = frames[0]["propensity"].to_numpy()
    infinite = np.isinf(intervals).any(axis=1)
    return Sets(
        frames[0]["prediction"].to_numpy(),
        intervals,
        None,
        None,
        _reasons(method, infinite, propensity, alpha),
        infinite,
        mask_names(rows.isna()),
    )


def new_sets(table, X, *, alpha, model="auto", seed=0):
    """Sets for new rows from a table with missing outcomes, by weighted CP.

    New rows are taken as drawn like all rows of the table, observed or not, so that
    an observed row with propensity ``p`` has weight ``1 / p``.

    Parameters
    ----------
    table : Table
        With missing outcomes.
    X : DataFrame, shape (m, d)
        Covariates of the new rows.
    alpha : tuple of float
        Miscoverage levels.
    model : str or estimator
        As in :func:`outcome_model`.
    seed : int
        Deals the rows to a training and a calibration half.

    Returns
    -------
    Sets
        Of the new rows.
    """
    train = _parts(table, seed) != 0
    p = _propensity(table, train, pd.concat([table.X[~train], X]))
    weights = 1 / p
    seen = table.observed[~train]
    cal, test = weights[: len(seen)][seen], weights[len(seen) :]

    def threshold(scores, level):
        return shift_threshold(scores, cal, test, level)

    return _reweighted(table, train, X, threshold, alpha, model, p[len(seen) :])


def _reweighted(table, train, X, threshold, alpha, model, propensity):
    """Score the observed rows outside training, and invert at given thresholds."""
    y, inner = table.y.to_numpy(), filled(_model(table, model))
    fit, cal = train & table.observed, ~train & table.observed
    parts, prediction, classes = [], None, None
    for level in alpha:
        with _quiet():
            if table.task == "classification":
                fitted = clone(inner).fit(table.X[fit], y[fit])
                classes = fitted.classes_
                column = _columns(y[cal], classes, table)
                scores = LabelScore().score(column, fitted.predict_proba(table.X[cal]))
                band = fitted.predict_proba(X)
                prediction = classes[band.argmax(axis=1)]
                q = threshold(scores, level)
                parts.append(LabelScore().invert(band, q))
            else:
                models = [
                    at_quantile_level(inner, tau).fit(table.X[fit], y[fit])
                    for tau in (level / 2, 1 - level / 2)
                ]
                seen = np.column_stack([m.predict(table.X[cal]) for m in models])
                band = np.column_stack([m.predict(X) for m in models])
                prediction = band.mean(axis=1) if prediction is None else prediction
                q = threshold(QuantileScore().score(y[cal], seen), level)
                parts.append(QuantileScore().invert(band, q))
        parts[-1] = parts[-1], np.isposinf(q)
    sets = np.stack([part for part, _ in parts], axis=2)
    infinite = np.column_stack([flag for _, flag in parts])
    labels = table.task == "classification"
    return Sets(
        prediction,
        None if labels else sets,
        sets if labels else None,
        classes,
        _reasons("weighted", infinite, propensity, alpha),
        infinite,
        mask_names(X.isna()),
    )


def _crossed_labels(table, alpha, model, seed):
    part, found = _parts(table, seed), []
    for k in range(_PARTS):
        inside = part == k
        rows = inside & ~table.observed
        if not rows.any():
            continue
        p = _propensity(table, ~inside, table.X)
        cal, test = p[inside & table.observed], p[rows]

        def threshold(scores, level, cal=cal, test=test):
            return weighted_threshold(scores, cal, test, level)

        sets = _reweighted(table, ~inside, table.X[rows], threshold, alpha, model, test)
        found.append((np.flatnonzero(rows), sets))
    order = np.argsort(np.concatenate([rows for rows, _ in found]))
    return _joined([sets for _, sets in found], order)


def _joined(parts, order):
    """Sets of several parts as one, in a given order; labels of any part."""
    classes = np.unique(np.concatenate([part.classes for part in parts]))
    blocks = []
    for part in parts:
        shape = (part.labels.shape[0], len(classes), part.labels.shape[2])
        block = np.zeros(shape, dtype=bool)
        block[:, np.searchsorted(classes, part.classes)] = part.labels
        blocks.append(block)
    return Sets(
        np.concatenate([part.prediction for part in parts])[order],
        None,
        np.concatenate(blocks)[order],
        classes,
        np.concatenate([part.reasons for part in parts])[order],
        np.concatenate([part.infinite for part in parts])[order],
        pd.concat([part.mask for part in parts]).iloc[order],
    )


def _columns(labels, classes, table):
    strange = sorted(set(labels) - set(classes))
    if strange:
        raise ValueError(
            f"the label {strange[0]!r} of {table.target!r} is so rare that no training "
            "row has it: merge it with another label, or try another seed"
        )
    return np.searchsorted(classes, labels)


def _reasons(method, infinite, propensity, alpha):
    reasons = np.full(infinite.shape, "", dtype=object)
    for row, column in zip(*np.nonzero(infinite), strict=True):
        reasons[row, column] = (
            f"infinite: rows like this are observed with probability about "
            f"{propensity[row]:.2f}, and too few were for alpha={alpha[column]:g}"
            if method == "weighted"
            else f"infinite: too few rows in the propensity bins for "
            f"alpha={alpha[column]:g}; weighted CP needs fewer"
        )
    return reasons
