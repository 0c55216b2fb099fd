"""Read a file with a table in it, and say how it was read."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path

import pandas as pd

from .columns import BLANKS, level_text

__all__ = ["MIN_ROWS", "as_name", "load"]

MIN_ROWS = 20
#: First bytes of workbooks (old and new), Parquet files and gzip.
_NO_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1", b"\x1f\x8b")


def load(source, separator, missing_values):
    """The table as read, and notes on how."""
    if isinstance(source, pd.DataFrame):
        frame, notes = source.copy(), []
    else:
        frame, notes = _read_csv(Path(source), separator, missing_values)
    frame.columns = [as_name(name) for name in frame.columns]
    twice = frame.columns[frame.columns.duplicated()].unique().tolist()
    if twice:
        raise ValueError(f"column {twice[0]!r} appears twice: give each its own name")
    if not len(frame):
        raise ValueError(f"the table has no rows: give at least {MIN_ROWS}")
    if not frame.index.is_unique:
        frame = frame.reset_index(drop=True)
        notes.append("Row labels were not unique: rows are numbered from 0.")
    if len(missing_values):
        frame = _hide(frame, missing_values)
    return frame, notes


def as_name(label):
    """Name of a column as text; the parts of a tuple in one line."""
    if isinstance(label, tuple):
        return " ".join(filter(None, map(as_name, label)))
    return str(label).strip()


def _hide(frame, missing_values):
    words = {*map(str, missing_values)}
    words |= {*level_text(pd.Series([*missing_values], dtype=object)).dropna()}
    numbers = {
        float(v) for v in missing_values if not isinstance(v, str) or _is_number(v)
    }
    out = frame.copy()
    for name in out.columns:
        numeric = pd.api.types.is_numeric_dtype(out[name].dtype)
        if numeric:
            hit = out[name].isin(numbers)
        else:  # -999.0 in a column of objects is -999 too
            hit = out[name].astype(str).isin(words) | level_text(out[name]).isin(words)
        if hit.any():
            out[name] = out[name].mask(hit)
    return out


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_csv(path, separator, missing_values):
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}: check the path")
    content, notes = path.read_bytes(), []
    if content.startswith(_NO_TEXT) or b"\x00" in content[:10_000]:
        raise ValueError(
            f"{path.name!r} is no text file: save the table as CSV (UTF-8), or read it "
            "with pandas and pass the DataFrame"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
        notes.append("The file is not UTF-8: it was read as Latin-1.")
    if not text.strip():
        raise ValueError(
            f"the file {path.name!r} is empty: save the table again, with its column "
            "names"
        )
    if separator is None:
        separator = _find_separator(text)
        if separator != ",":
            named = {"\t": "tab"}.get(separator, separator)
            notes.append(f"Columns are separated by {named!r}.")
    header = next(csv.reader(io.StringIO(text), delimiter=separator))
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ValueError(
            f"column {twice[0]!r} appears twice in {path.name!r}: give each its own "
            "name"
        )
    named = not _rows_have_labels(text, separator, len(names))
    if not named:
        notes.append("The first column has no name: its values are the row labels.")
    try:
        with warnings.catch_warnings():
            # pandas only warns where it drops fields that no column name belongs to.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                na_values=[*BLANKS, *map(str, missing_values)],
                skipinitialspace=True,
                low_memory=False,
                index_col=False if named else None,
            )
    except pd.errors.ParserWarning:
        raise ValueError(
            f"{path.name!r} names {len(names)} columns in its first line, and rows "
            "hold more: name every column there, or pass separator="
        ) from None
    except pd.errors.ParserError as error:
        raise ValueError(
            f"{path.name!r} is no table with {separator!r} between columns: {error}; "
            "pass separator="
        ) from None
    return frame, notes


def _rows_have_labels(text, separator, n_names):
    """Whether rows hold one field more than there are names, as R writes tables."""
    lines = [line for line in text.splitlines()[1:31] if line.strip()]
    rows = list(csv.reader(lines, delimiter=separator))
    longer = bool(rows) and {len(row) for row in rows} == {n_names + 1}
    return longer and any(row[-1].strip() for row in rows)


def _find_separator(text):
    """The separator that gives the most columns, the same number on each line."""
    lines = [line for line in text.splitlines()[:30] if line.strip()]
    best, width = ",", 1
    for candidate in (",", ";", "\t", "|"):
        head, *rest = (len(row) for row in csv.reader(lines, delimiter=candidate))
        found = rest[0] if rest else head
        # A header may be one short: the labels of rows have no name then.
        if set(rest) <= {found} and head in (found, found - 1) and found > width:
            best, width = candidate, found
    return best
