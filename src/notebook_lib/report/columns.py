"""What kind of column is this? One answer a column, with the reason in words."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["ColumnKind", "column_kind", "level_text", "suspicious_codes"]

#: Texts that stand for a missing value, blanks around them or not.
BLANKS = ("", "?", "-", "--", ".", "..", "missing", "NA", "N/A", "n/a", "nan", "NULL")
#: A category with more levels than this is taken for text.
MAX_LEVELS = 30
_ID_NAME = re.compile(
    r"(^|[_ .])(id|index|idx|row|rows|rownames|row_?id)$|^unnamed", re.I
)
_DATE = re.compile(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?\s*$")
_DECIMAL_COMMA = re.compile(r"^\s*-?\d+,\d+\s*$")
#: Thousands in groups, a currency, a percent sign.
_DRESSED = re.compile(r"^\s*-?[$€£]?\s?\d{1,3}(,?\d{3})*(\.\d+)?\s?[%€]?\s*$")
_CODES = (-9, -99, -999, -9999, 99, 999, 9999, 99999)


class ColumnKind(NamedTuple):
    """What a column is, and its values ready for use.

    Attributes
    ----------
    kind : str
        ``"number"``, ``"yes/no"``, ``"category"``, ``"ordinal"``; or one that is not
        used: ``"never observed"``, ``"constant"``, ``"date"``, ``"identifier"``,
        ``"text"``.
    values : Series
        Numbers with NaN, or text with NaN.
    note : str
        What to tell the reader, or nothing.
    """

    kind: str
    values: pd.Series
    note: str = ""


USED = ("number", "yes/no", "category", "ordinal")


def column_kind(values, name, *, order=None, keep=False):
    """Say what kind of column this is.

    Parameters
    ----------
    values : Series, shape (n,)
        The column as read.
    name : str
        Its name, for messages and because names give identifiers away.
    order : sequence, optional
        Levels from low to high: the column is ordinal.
    keep : bool
        Whether to use it even if it looks like an identifier, text or a date.

    Returns
    -------
    ColumnKind
        Kind, values and a note.

    Raises
    ------
    ValueError
        If numbers are infinite or mixed with words, or a level is not in `order`.
    """
    _refuse_odd(values, name)
    values = _plain(values)
    seen = values.dropna()
    if not len(seen):
        return ColumnKind("never observed", values, "no value at all: left out")
    if order is not None:
        return _ordinal(values, name, order)
    if isinstance(values.dtype, pd.CategoricalDtype):
        if values.cat.ordered:
            return _ordinal(values, name, list(values.cat.categories))
        # Whoever made a category of numbers means names, not amounts.
        values = level_text(values)
        seen = values.dropna()
        kind = _words(values, seen)
    else:
        kind = _guess(values, seen, name)
    if seen.nunique() == 1:
        told = "one value only: left out"
        if len(seen) < len(values):
            told += "; if a blank means 'no' here, write it out"
        return ColumnKind("constant", kind.values, told)
    if keep and kind.kind in ("identifier", "text", "date"):
        return _kept(kind, name)
    return kind


def level_text(values):
    """Levels as text: 3, 3.0 and "3 " are one level, in any table that holds it.

    Parameters
    ----------
    values : Series, shape (n,)
        Levels of any type.

    Returns
    -------
    Series of object, shape (n,)
        Text, NaN where a level is missing.

    Examples
    --------
    >>> level_text(pd.Series([3.0, None, 2.5])).tolist()
    ['3', nan, '2.5']
    """
    values = values.astype(object)
    known = values[values.notna()].map(_one_level)
    return known[~known.isin(BLANKS)].reindex(values.index).astype(object)


def _one_level(level):
    number = isinstance(level, int | float | np.number)
    if number and not isinstance(level, bool) and float(level).is_integer():
        return str(int(level))
    return str(level).strip()


def _refuse_odd(values, name):
    """Refuse cells that are no single real value."""
    if pd.api.types.is_complex_dtype(values.dtype):
        raise ValueError(
            f"column {name!r} holds complex numbers: give their real and imaginary "
            "parts a column each, or drop it"
        )
    if values.dtype != object:
        return
    several = list | tuple | dict | set | np.ndarray
    holders = values.map(lambda v: isinstance(v, several))
    if holders.any():
        kind = type(values[holders].iloc[0]).__name__
        raise ValueError(
            f"column {name!r} holds more than one value in a cell ({kind}): give each "
            "value a column of its own, or drop it"
        )


def _plain(values):
    """Drop pandas' extension types; pandas' missing values become NaN."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        return values.dt.total_seconds()
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype(object).map({True: 1.0, False: 0.0}).astype(float)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return pd.Series(values.to_numpy(float, na_value=np.nan), index=values.index)
    return _text(values.astype(object))


def _text(values):
    """Objects as stripped text, blanks as NaN; numbers and booleans stay themselves."""
    known = values.dropna()
    if len(known) and known.map(lambda v: isinstance(v, bool | np.bool_)).all():
        return values.map({True: 1.0, False: 0.0}).astype(float)
    numbers = known.map(lambda v: isinstance(v, int | float | np.number))
    if len(known) and numbers.all():
        return pd.to_numeric(values, errors="coerce").astype(float)
    text = known.map(lambda v: str(v).strip())
    return text[~text.isin(BLANKS)].reindex(values.index).astype(object)


def _guess(values, seen, name):
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return ColumnKind("date", values, _DATE_NOTE)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _number(values, seen, name)
    parsed = pd.to_numeric(seen, errors="coerce")
    share = parsed.notna().mean()
    if share == 1:
        return _number(pd.to_numeric(values), parsed, name)
    if share >= 0.8 and parsed.nunique() > 10:
        odd = sorted(set(seen[parsed.isna()]))
        raise ValueError(
            f"column {name!r} holds numbers, but also {', '.join(map(repr, odd[:3]))}"
            f"{' and others' if len(odd) > 3 else ''} ({int(parsed.isna().sum())} "
            "rows): write numbers, leave blanks, or pass these as missing_values"
        )
    _refuse_dressed(seen, name)
    if seen.map(lambda v: bool(_DECIMAL_COMMA.match(v))).mean() >= 0.8:
        number = pd.to_numeric(
            values.str.replace(",", ".", regex=False), errors="coerce"
        )
        if number.notna().sum() == len(seen):
            note = "numbers with a decimal comma"
            return _number(number, number.dropna(), name)._replace(note=note)
    if seen.map(lambda v: bool(_DATE.match(v))).mean() >= 0.9:
        return ColumnKind("date", values, _DATE_NOTE)
    return _words(values, seen)


def _refuse_dressed(seen, name):
    """Refuse numbers with signs in them, which would pass for text or be misread."""
    dressed = seen[seen.map(lambda v: bool(_DRESSED.match(v)))]
    comma = dressed.str.contains(",", regex=False)
    if len(dressed) < 0.8 * len(seen) or dressed.nunique() <= 10:
        return  # a few of them are levels
    # All with a comma and no other sign: a decimal comma, or as good as one.
    if comma.all() and not dressed.str.contains(r"[.%$€£]").any():
        return
    if comma.any() or dressed.str.contains(r"[%$€£]").any():
        odd = dressed[comma | dressed.str.contains(r"[%$€£]")].iloc[0]
        raise ValueError(
            f"column {name!r} holds numbers written as {odd!r}: write plain numbers, "
            "such as 1234.5, or drop the column"
        )


_DATE_NOTE = (
    "dates: left out; if time matters, make numbers of them (year, days since ...), "
    "and mind that rows ordered in time are seldom exchangeable"
)


def _number(values, seen, name):
    n_infinite = int(np.isinf(seen).sum())
    if n_infinite:
        raise ValueError(
            f"column {name!r} holds {n_infinite} infinite values: leave blanks, or "
            "drop the column"
        )
    distinct = set(seen.unique())
    if distinct == {0.0, 1.0}:
        return ColumnKind("yes/no", values)
    whole = len(seen) == len(values) and (seen % 1 == 0).all()
    if whole and seen.is_unique and len(seen) >= 10:
        steps = np.diff(seen.to_numpy())
        counted = (steps == steps[0]).all()
        if counted or _ID_NAME.search(str(name)):
            return ColumnKind("identifier", values, _ID_NOTE)
    return ColumnKind("number", values)


_ID_NOTE = "looks like a row number or an identifier: left out (keep it with keep=...)"


def _words(values, seen):
    levels = seen.nunique()
    if levels > 10 and levels > 0.5 * len(seen):
        return ColumnKind("identifier", values, _ID_NOTE)
    if levels > MAX_LEVELS:
        note = f"{levels} different texts: left out (keep it with keep=...)"
        return ColumnKind("text", values, note)
    return ColumnKind("category", values, f"{levels} levels, one indicator each")


def _kept(kind, name):
    if pd.api.types.is_numeric_dtype(kind.values.dtype):
        return ColumnKind("number", kind.values, "kept as asked")
    if kind.kind == "date":
        raise ValueError(
            f"column {name!r} holds dates, which cannot be kept as they are: make "
            "numbers of them (year, days since ...), or leave them out"
        )
    return ColumnKind("category", kind.values, "kept as asked")


def _ordinal(values, name, order):
    levels = level_text(pd.Series(list(order), dtype=object)).tolist()
    known = {level: rank for rank, level in enumerate(levels)}
    if len(known) < len(levels):
        raise ValueError(
            f"the ordinal levels {list(order)} of column {name!r} name a level twice: "
            "name each once, from low to high"
        )
    values = level_text(values)
    strange = sorted(set(values.dropna()) - set(known))
    if strange:
        raise ValueError(
            f"column {name!r} holds {', '.join(map(repr, strange[:3]))}, not among the "
            f"ordinal levels {list(order)}: name every level, from low to high"
        )
    ranks = values.map(known).astype(float)
    return ColumnKind("ordinal", ranks, f"ranks 0 to {len(known) - 1}")


def suspicious_codes(values):
    """Numbers that look like codes for missing, such as -999.

    Parameters
    ----------
    values : Series of float, shape (n,)
        A column of numbers.

    Returns
    -------
    list of tuple (float, int)
        Codes with their counts: often repeated, at one end, and far from the rest.
    """
    seen, found = values.dropna().to_numpy(float), []
    for code in _CODES:
        here = seen == code
        rest = seen[~here]
        if here.sum() < max(3, 0.005 * len(seen)) or len(rest) < 10:
            continue
        spread = max(np.ptp(rest), 1e-12)
        distance = max(code - rest.max(), rest.min() - code)
        if distance > 0.5 * spread:
            found.append((float(code), int(here.sum())))
    return found
