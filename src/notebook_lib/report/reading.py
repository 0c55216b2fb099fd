"""Read a table with gaps, check it, and say what will be used and what not."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from .columns import USED, column_kind, level_text
from .files import MIN_ROWS, as_name, load
from .remarks import column_notes, table_notes

__all__ = ["EXAMPLE_TARGET", "Table", "example_path", "read_table"]

#: Target of the bundled example.
EXAMPLE_TARGET = "weight"
#: Fewer missing outcomes than this tell nothing about who is missing.
MIN_MISSING_OUTCOMES = 20
MAX_LABELS = 20


@dataclass(frozen=True)
class Table:
    """A table that has been read and checked.

    Attributes
    ----------
    target : str
        Name of the outcome.
    task : {"regression", "classification"}
        Intervals, or sets of labels.
    X : DataFrame, shape (n, d)
        Covariates in use: floats and text, NaN where missing.
    y : Series, shape (n,)
        Outcome, NaN where missing.
    columns : DataFrame
        One row for each column of the file: ``column``, ``kind``, ``used``,
        ``missing`` (rows), ``share``, ``distinct``, ``note``.
    notes : tuple of str
        What was left out and what to look at, in sentences.
    orders : dict
        Levels of the ordinal columns, low to high.
    missing_values : tuple
        What stands for missing beside blanks, in new rows too.
    """

    target: str
    task: str
    X: pd.DataFrame
    y: pd.Series
    columns: pd.DataFrame
    notes: tuple = ()
    orders: dict = field(default_factory=dict)
    missing_values: tuple = ()

    @property
    def observed(self):
        """Which rows have their outcome, ndarray of bool, shape (n,)."""
        return self.y.notna().to_numpy()

    def covariates(self, source, *, separator=None, missing_values=None):
        """Covariates of other rows, read in the same way.

        Parameters
        ----------
        source : path or DataFrame
            A table with the same columns in any order; the outcome may be absent.
        separator : str, optional
            As in :func:`read_table`.
        missing_values : sequence, optional
            As in :func:`read_table`; those of the table by default.

        Returns
        -------
        DataFrame, shape (m, d)
            Columns as in ``X``, rows in their order. Labels that are not unique are
            replaced by numbers from 0.

        Raises
        ------
        ValueError
            If a column is absent, or holds words where numbers are needed.
        """
        if missing_values is None:
            missing_values = self.missing_values
        frame, _ = load(source, separator, missing_values)
        absent = [name for name in self.X.columns if name not in frame.columns]
        if absent:
            raise ValueError(
                f"the new rows lack the column {absent[0]!r}"
                + (f" and {len(absent) - 1} more" if len(absent) > 1 else "")
                + ": add it (blank where unknown)"
            )
        kinds = dict(zip(self.columns["column"], self.columns["kind"], strict=True))
        parts = {
            name: _as_kind(frame[name], name, kinds[name], self.orders.get(name))
            for name in self.X.columns
        }
        return pd.DataFrame(parts, index=frame.index)


def example_path():
    """Path of the bundled example: births, with real gaps.

    1000 births in the United States in 2014, from the public natality file of the
    National Center for Health Statistics: the age of the father is missing for 114,
    visits, weight gained and smoking for some. The target is ``"weight"``.

    Returns
    -------
    pathlib.Path
        A CSV file inside the package.
    """
    return Path(str(resources.files(__package__) / "births.csv"))


def read_table(
    source,
    target,
    *,
    drop=(),
    keep=(),
    ordinal=None,
    missing_values=(),
    separator=None,
    task="auto",
):
    """Read a table and check whether intervals for its target make sense.

    Parameters
    ----------
    source : path, DataFrame or None
        CSV file, table (not changed), or the bundled example.
    target : str
        Column to predict. A column name that is no text (a number, or a tuple of a
        table with several header rows) may be given here as it is; it becomes text.
    drop, keep : sequence of str
        Columns to leave out, and columns to use although they look like identifiers.
    ordinal : dict of str to sequence, optional
        Levels of ordered categories, low to high; other text is one-hot encoded.
    missing_values : sequence
        Further values that stand for missing, such as ``-999``.
    separator : str, optional
        Of the CSV file; found by looking if not given.
    task : {"auto", "regression", "classification"}
        ``"auto"`` takes text, pandas categories and targets of two values as labels.

    Returns
    -------
    Table
        Covariates, outcome, and what was found.

    Raises
    ------
    ValueError
        If the file, the target or a column cannot be used; the message names the
        column and the fix.

    Examples
    --------
    >>> table = read_table(None, "weight")
    >>> table.X.shape, table.task
    ((1000, 8), 'regression')
    """
    if task not in ("auto", "regression", "classification"):
        raise ValueError(
            f"task must be 'auto', 'regression' or 'classification', got {task!r}"
        )
    lists = {"drop": drop, "keep": keep, "missing_values": missing_values}
    for argument, given in lists.items():
        if isinstance(given, str):
            raise ValueError(
                f"{argument} must be a list, got {given!r}: use [{given!r}]"
            )
    source = example_path() if source is None else source
    frame, notes = load(source, separator, missing_values)
    target, drop, keep = as_name(target), [*map(as_name, drop)], [*map(as_name, keep)]
    orders = {as_name(name): list(levels) for name, levels in (ordinal or {}).items()}
    _check_names(frame, target, drop, keep, orders)
    y, task = _target(frame[target], target, task)
    parts, rows = {}, []
    for name in frame.columns:
        if name == target:
            rows.append(_row(name, "target", False, frame[name], "what is predicted"))
        elif name in drop:
            rows.append(_row(name, "dropped", False, frame[name], "left out as asked"))
        else:
            found = column_kind(
                frame[name], name, order=orders.get(name), keep=name in keep
            )
            used = found.kind in USED
            rows.append(_row(name, found.kind, used, found.values, found.note))
            ordered = isinstance(frame[name].dtype, pd.CategoricalDtype)
            if ordered and found.kind == "ordinal":
                orders.setdefault(name, list(frame[name].cat.categories))
            if used:
                parts[name] = found.values
    _leave_out_companions(parts, rows, y, keep)
    if not parts:
        raise ValueError(
            f"no column is left to predict {target!r} from: see keep=, or add columns"
            " (ratings of items by users, one a row, are for chapter 2: pivot them)"
        )
    columns = pd.DataFrame(rows)
    X = pd.DataFrame(parts, index=frame.index)
    notes = [*notes, *column_notes(columns), *table_notes(frame, X, y, target)]
    told = tuple(missing_values)
    return Table(target, task, X, y, columns, tuple(notes), orders, told)


def _leave_out_companions(parts, rows, y, keep):
    """Drop covariates that say no more than that the outcome is missing.

    They would make the propensity of every missing row zero.
    """
    gone = y.isna()
    if gone.sum() < MIN_MISSING_OUTCOMES:
        return
    for row in rows:
        name = row["column"]
        if name not in parts or name in keep:
            continue
        told = _companion(parts[name], gone)
        if told:
            del parts[name]
            row["used"] = False
            row["note"] = (
                f"{told}, so it cannot help to predict those: left out (keep it with "
                "keep=...)"
            )


def _companion(values, gone):
    inside, outside = values[gone], values[~gone]
    if inside.isna().all():
        return "missing in every row whose target is missing"
    value = inside.iloc[0]
    if (inside == value).all() and not (outside == value).any():
        return f"{value!s} in every row whose target is missing, and in no other"
    return ""


def _check_names(frame, target, drop, keep, ordinal):
    if target not in frame.columns:
        shown = ", ".join(map(repr, frame.columns[:8]))
        more = ", ..." if frame.shape[1] > 8 else ""
        raise ValueError(
            f"there is no column {target!r}; the columns are {shown}{more}: choose one "
            "of them"
        )
    for argument, names in (("drop", drop), ("keep", keep), ("ordinal", ordinal)):
        for name in names:
            if name not in frame.columns:
                raise ValueError(
                    f"{argument} names {name!r}, which is no column: check its spelling"
                )
            if name == target:
                raise ValueError(
                    f"{argument} names the target {target!r}: leave it out"
                )


# ------------------------------------------------------------------- the target


def _target(values, name, task):
    if isinstance(values.dtype, pd.CategoricalDtype):
        # Ranks of ordered categories are no amounts: labels, unless told otherwise.
        task = "classification" if task == "auto" else task
        values = values.astype(object)
    found = column_kind(values, name, keep=True)
    y = found.values
    seen = y.dropna()
    if found.kind == "never observed":
        raise ValueError(
            f"the target {name!r} has no value at all: there is nothing to learn from; "
            "fill some in, or choose another target"
        )
    if found.kind == "constant":
        raise ValueError(
            f"the target {name!r} has one value only ({seen.iloc[0]!r}): there is "
            "nothing to predict; choose another target"
        )
    if len(seen) < MIN_ROWS:
        raise ValueError(
            f"the target {name!r} is known in {len(seen)} rows; at least {MIN_ROWS} "
            "are needed to train, calibrate and say anything: add rows"
        )
    numeric = pd.api.types.is_numeric_dtype(y.dtype)
    if task == "auto":
        task = "regression" if numeric and seen.nunique() > 2 else "classification"
    if task == "regression":
        if not numeric:
            raise ValueError(
                f"the target {name!r} holds text such as {seen.iloc[0]!r}: use "
                "task='classification', or give numbers"
            )
        return y.astype(float), task
    if seen.nunique() > MAX_LABELS:
        raise ValueError(
            f"the target {name!r} has {seen.nunique()} different values, too many for "
            f"labels (at most {MAX_LABELS}): use task='regression', or merge labels"
        )
    labels = _labels(y, values)
    joined = sorted({label for label in labels.dropna() if "|" in label})
    if joined:
        raise ValueError(
            f"the target {name!r} has the label {joined[0]!r}, and '|' stands between "
            "the labels of a set: write the label without it"
        )
    return labels, task


def _labels(y, values):
    """Labels as text; whole numbers without a decimal point."""
    if not pd.api.types.is_numeric_dtype(y.dtype):
        return y
    if pd.api.types.is_bool_dtype(values.dtype) or set(map(type, values.dropna())) == {
        bool
    }:
        return y.map({1.0: "True", 0.0: "False"}).astype(object)
    return level_text(y)


# ------------------------------------------------------------------- what to say


def _row(name, kind, used, values, note):
    missing = int(values.isna().sum())
    return {
        "column": name,
        "kind": kind,
        "used": used,
        "missing": missing,
        "share": missing / len(values),
        "distinct": _distinct(values),
        "note": note,
    }


def _distinct(values):
    try:
        return int(values.nunique())
    except TypeError:  # lists in the cells of a column that was left out
        return int(values.astype(str).nunique())


def _as_kind(values, name, kind, order):
    """New values of a known column as the kind that it has."""
    if values.isna().all():
        return pd.Series(np.nan, index=values.index, dtype=float).astype(
            object if kind == "category" else float
        )
    if kind == "category":
        return level_text(values)
    found = column_kind(values, name, order=order, keep=True)
    if not pd.api.types.is_numeric_dtype(found.values.dtype):
        raise ValueError(
            f"column {name!r} holds text in the new rows, such as "
            f"{found.values.dropna().iloc[0]!r}, and numbers in the table: write "
            "numbers, or leave blanks"
        )
    return found.values.astype(float)
