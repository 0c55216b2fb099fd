"""The numbers that a document prints for a claim, taken from its tables."""

from __future__ import annotations

import pandas as pd

from notebook_lib import _checkout
from notebook_lib.claims.record import show


def load_published(chapter: str) -> pd.DataFrame:
    """Return the numbers that a document prints (``data/published``).

    Parameters
    ----------
    chapter : str
        Its number or name, e.g. ``"05"`` or ``"05_missing_outcomes"``.

    Returns
    -------
    DataFrame
        ``source``, ``table``, ``setting``, ``row``, ``method``, ``metric``,
        ``value``.
    """
    folder = _checkout.data_folder() / "published"
    path = folder / f"{chapter[:2]}_published.csv"
    if not path.is_file():
        there = ", ".join(sorted(p.name[:2] for p in folder.glob("*_published.csv")))
        raise ValueError(
            f"no published numbers for chapter {chapter!r}: choose one of {there}"
        )
    return pd.read_csv(path)


def printed(chapters: dict[str, str]) -> dict[str, list[str]]:
    """Return, for each claim that has some, what its document prints.

    ``data/published/claims.csv`` says which rows of the published tables belong
    to a claim; several rows are given by their range.

    Parameters
    ----------
    chapters : dict
        The chapter of each claim, by id.

    Returns
    -------
    dict
        Lines such as ``"SCMC, coverage: 0.8661 to 0.9087"`` by claim id.

    Raises
    ------
    ValueError
        If an entry finds no number, or names no claim.
    """
    wanted = pd.read_csv(_checkout.data_folder() / "published" / "claims.csv")
    tables: dict[str, pd.DataFrame] = {}
    lines: dict[str, list[str]] = {}
    for entry in wanted.to_dict("records"):
        if entry["id"] not in chapters:
            raise ValueError(
                f"published/claims.csv: {entry['id']!r} is no claim; correct the id, "
                "or drop the line"
            )
        number = chapters[entry["id"]][:2]
        if number not in tables:
            tables[number] = load_published(number)
        values = tables[number].query(entry["query"])["value"]
        if values.empty:
            raise ValueError(
                f"published/claims.csv: {entry['id']}, {entry['label']!r} finds no "
                f"number with {entry['query']!r}; correct the query"
            )
        low, high = _text(values.min()), _text(values.max())
        text = low if low == high else f"{low} to {high}"
        lines.setdefault(entry["id"], []).append(f"{entry['label']}: {text}")
    return lines


def _text(value: float) -> str:
    return show(int(value) if float(value).is_integer() else float(value))
