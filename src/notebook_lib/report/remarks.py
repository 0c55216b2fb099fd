"""Remarks on a table: what was left out, and what looks wrong."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from .columns import suspicious_codes

__all__ = ["column_notes", "table_notes"]


def column_notes(columns):
    """Say which columns are left out and why: sentences from ``Table.columns``."""
    told = columns[~columns["used"] & ~columns["kind"].isin(["target", "dropped"])]
    return [
        f"Column {row.column!r} ({row.kind}): {row.note}."
        for row in told.itertuples(index=False)
    ]


def table_notes(frame, X, y, target):
    """Say what to look at before any result is believed, in sentences.

    Parameters
    ----------
    frame : DataFrame, shape (n, c)
        The table as read.
    X : DataFrame, shape (n, d)
        Covariates in use.
    y : Series, shape (n,)
        Outcome.
    target : str
        Its name.

    Returns
    -------
    list of str
        Copies, rows without covariates, ratings one a row, codes for missing, copies
        of the target, rare labels.
    """
    notes = []
    copies = _copies(frame)
    if copies:
        notes.append(
            f"{copies} rows are copies of others: if the same case was entered twice, "
            "remove them, or held-out results look better than they are."
        )
    empty = int(X.isna().all(axis=1).sum())
    if empty:
        notes.append(
            f"{empty} rows have no covariate at all: their sets rest on the others' "
            "outcomes alone."
        )
    notes += _long_ratings(frame, target)
    notes += _codes(X)
    if pd.api.types.is_numeric_dtype(y.dtype):
        for code, count in suspicious_codes(y):
            notes.append(
                f"The target {target!r} holds {code:g} in {count} rows: if it means "
                f"missing, pass missing_values=[{code:g}]."
            )
        notes += _leaks(X, y, target)
        if 3 <= y.nunique() <= 10:
            notes.append(
                f"The target {target!r} has {y.nunique()} different values: for sets "
                "of labels pass task='classification'."
            )
    else:
        notes += _label_copies(X, y, target)
        few = y.value_counts().loc[lambda count: count < 10]
        if len(few):
            notes.append(
                f"Few rows have the label {', '.join(map(repr, few.index[:3]))}: sets "
                "say little about it."
            )
    return notes


_USERS = re.compile(r"user|reader|rater|viewer|customer|person", re.I)
_ITEMS = re.compile(r"item|film|movie|book|product|song|title", re.I)


def _long_ratings(frame, target):
    """A matrix of ratings written one rating a row."""
    names = [name for name in frame.columns if name != target]
    users = [name for name in names if _USERS.search(name)]
    items = [name for name in names if _ITEMS.search(name)]
    if len(users) != 1 or len(items) != 1 or users == items:
        return []
    return [
        f"Columns {users[0]!r} and {items[0]!r} look like a matrix of ratings, one "
        f"rating a row: pivot(index={users[0]!r}, columns={items[0]!r}, "
        f"values={target!r}) makes the matrix, whose gaps are for chapter 2 "
        "(StructuredConformalCompletion)."
    ]


def _copies(frame):
    try:
        return int(frame.duplicated().sum())
    except TypeError:  # lists in the cells of a column that was left out
        return int(frame.astype(str).duplicated().sum())


def _leaks(X, y, target):
    numbers = X.select_dtypes("number")
    both = numbers.notna().to_numpy() & y.notna().to_numpy()[:, None]
    numbers = numbers[numbers.columns[both.sum(axis=0) >= 10]]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Ranks find a copy on another scale, such as its logarithm.
        r = [numbers.corrwith(y).abs(), numbers.rank().corrwith(y.rank()).abs()]
    found = pd.concat(r, axis=1).max(axis=1) > 0.999
    return [_COPY.format(name, target) for name in numbers.columns[found.to_numpy()]]


def _label_copies(X, y, target):
    """Columns whose levels and the labels tell each other."""
    found = []
    for name in X.columns[(X.nunique() == y.nunique()).to_numpy()]:
        pairs = pd.DataFrame({"x": X[name], "y": y}).dropna()
        different = pairs.drop_duplicates()
        if len(pairs) >= 10 and 1 < len(different) == y.nunique():
            found.append(_COPY.format(name, target))
    return found


_COPY = "Column {!r} is almost a copy of the target {!r}: is it known when you predict?"


def _codes(X):
    return [
        f"Column {name!r} holds {code:g} in {count} rows, far from its other values: "
        f"if it means missing, pass missing_values=[{code:g}]."
        for name in X.select_dtypes("number").columns
        for code, count in suspicious_codes(X[name])
    ]
