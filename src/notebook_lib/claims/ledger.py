"""Collect the verdicts of executed notebooks and join them with the claims."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from notebook_lib import _checkout
from notebook_lib.claims.published import printed
from notebook_lib.claims.record import (
    ANY,
    DEFAULTS,
    DIFFERS,
    MIME,
    NOT_ATTEMPTED,
    REPRODUCED,
    SCALES,
    VERDICTS,
    Record,
)

AS_QUICK, NOT_WRITTEN = "as quick", "chapter not written"
_GROUPS = (*VERDICTS, "not run", "no own scale")


def load_claims() -> pd.DataFrame:
    """Return all the claims of the five documents (``data/claims.csv``)."""
    path = _checkout.data_folder() / "claims.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def collect(folder: str | Path) -> pd.DataFrame:
    """Read the verdicts out of the executed notebooks of a folder.

    Parameters
    ----------
    folder : str or Path
        Holds ``*.ipynb`` files; only their claim outputs are read.

    Returns
    -------
    DataFrame
        One row per record: its fields, its ``anchor``, the ``page`` (file name
        without suffix) and ``cell`` (position). Empty if there are none.
    """
    rows = []
    for path in sorted(Path(folder).glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for position, cell in enumerate(notebook["cells"]):
            for output in cell.get("outputs", []):
                found = output.get("data", {}).get(MIME)
                if found is not None:
                    where = {"page": path.stem, "cell": position}
                    told = found.get("records", [found])
                    rows += [DEFAULTS | record | where for record in told]
    names = [*Record.__dataclass_fields__, "anchor", "page", "cell"]
    return pd.DataFrame(rows, columns=names)


def combine(verdicts) -> str:
    """One verdict out of those of several parts or scales.

    A difference anywhere makes the whole differ; otherwise a part that was not
    attempted makes it not attempted.

    Parameters
    ----------
    verdicts : iterable of str
        Verdicts of the parts; none at all is "not attempted".
    """
    verdicts = set(verdicts)
    for verdict in (DIFFERS, NOT_ATTEMPTED, REPRODUCED):
        if verdict in verdicts:
            return verdict
    return NOT_ATTEMPTED


def ledger(folder: str | Path) -> pd.DataFrame:
    """Join all claims with the verdicts found in executed notebooks.

    Parameters
    ----------
    folder : str or Path
        As in :func:`collect`.

    Returns
    -------
    DataFrame
        One row per claim of ``data/claims.csv``, in its order: the columns of
        that file, ``verdict``, ``why``, and ``quick`` and ``paper``: lists of
        record dicts (one each part), empty where there is none. Those of
        ``paper`` say in ``as_quick`` whether they repeat the live run.
        ``at_quick`` and ``at_paper`` say in a word what there is at that scale,
        ``printed`` (list of str) what the document prints.
    """
    claims = load_claims()
    numbers = printed(dict(zip(claims["id"], claims["chapter"], strict=True)))
    found = collect(folder)
    pages = {path.stem for path in Path(folder).glob("*.ipynb")}
    by_claim = {key: group for key, group in found.groupby("id", sort=False)}
    rows = [
        _ledger_row(claim, by_claim.get(claim["id"]), claim["chapter"] in pages)
        | {"printed": numbers.get(claim["id"], [])}
        for claim in claims.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _ledger_row(claim: dict, found: pd.DataFrame | None, written: bool) -> dict:
    records = [] if found is None else found.to_dict("records")
    row = dict(claim)
    quick, paper, same = (
        [r for r in records if r["scale"] == scale] for scale in (*SCALES, ANY)
    )
    # One part may agree by chance (a count of 0); all of them do not.
    repeats = all(_is_among(r, quick) for r in paper)
    row["quick"] = quick + same
    row["paper"] = [r | {"as_quick": repeats} for r in paper]
    row["paper"] += [r | {"as_quick": True} for r in same]
    row["verdict"] = _overall(row["quick"], row["paper"])
    row["at_quick"] = _word(row["quick"], claim["no_quick"], written)
    row["at_paper"] = _word(row["paper"], claim["no_paper"], written)
    # The reasons of what decided; of a scale left out if the other decided.
    deciding = [r for r in records if r["verdict"] == row["verdict"] and r["why"]]
    telling = deciding or [r for r in records if r["why"]]
    row["why"] = "; ".join(dict.fromkeys(r["why"] for r in telling))
    if not records:
        row["why"] = "no verdict in the chapter" if written else NOT_WRITTEN
    return row


def _word(records: list[dict], otherwise: str, written: bool) -> str:
    """What there is at one scale: a verdict, or why there is none."""
    own = [r["verdict"] for r in records if not r.get("as_quick")]
    if own:
        return combine(own)
    if records:
        return AS_QUICK
    return otherwise if written else NOT_WRITTEN


def _is_among(record: dict, others: list[dict]) -> bool:
    """Whether a paper-scale record repeats one of the live run, digit for digit."""
    same = ("part", "verdict", "observed", "expected", "n_values")
    return any(all(record[k] == other[k] for k in same) for other in others)


def paper_scale(table: pd.DataFrame) -> int:
    """Count the claims with a paper-scale result of their own.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`ledger`.

    Returns
    -------
    int
        Claims with a verdict from a stored study; one that repeats the live
        run, or was not attempted, does not count.
    """
    own = table["paper"].map(
        lambda records: any(
            not r["as_quick"] and r["verdict"] != NOT_ATTEMPTED for r in records
        )
    )
    return int(own.sum())


def _overall(quick: list, paper: list) -> str:
    """Both scales together: an unattempted scale does not undo the other."""
    scales = [combine(r["verdict"] for r in part) for part in (quick, paper) if part]
    decided = [v for v in scales if v != NOT_ATTEMPTED]
    return combine(decided or scales)


def summary(table: pd.DataFrame, by: str = "chapter") -> pd.DataFrame:
    """Count the verdicts of a :func:`ledger` by chapter (or document, kind).

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`ledger`.
    by : str
        The column to count by.

    Returns
    -------
    DataFrame
        Index ``by`` in order of appearance with a last row "all"; columns
        ``reproduced``, ``differs``, ``not attempted``, ``claims``.
    """
    counts = pd.crosstab(table[by], table["verdict"])
    counts = counts.reindex(columns=list(VERDICTS), fill_value=0)
    counts = counts.reindex(table[by].unique())
    counts.loc["all"] = counts.sum()
    counts["claims"] = counts.sum(axis=1)
    counts.columns.name = None
    return counts


def by_scale(table: pd.DataFrame) -> pd.DataFrame:
    """Count what there is at each scale.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`ledger`.

    Returns
    -------
    DataFrame
        Rows "quick" and "paper scale"; columns ``reproduced``, ``differs``,
        ``not attempted``, ``not run``, ``no own scale`` (the numbers of the live
        run, or a check that size does not change) and ``claims``.
    """
    rows = {}
    for name, column in (("quick", "at_quick"), ("paper scale", "at_paper")):
        counts = table[column].map(_group).value_counts()
        rows[name] = [int(counts.get(group, 0)) for group in _GROUPS] + [len(table)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*_GROUPS, "claims"])


def _group(word: str) -> str:
    if word in VERDICTS:
        return word
    absent = word == NOT_WRITTEN or "not run" in word or "see paper scale" in word
    return "not run" if absent else "no own scale"


def problems(folder: str | Path) -> list[str]:
    """What is wrong with the verdicts of a folder of executed notebooks.

    Returns
    -------
    list of str
        A line for each claim of a chapter in the book that has no verdict, or at
        one scale neither a verdict nor a word that says why, each verdict
        without a claim and each duplicate; empty when all is well.
    """
    claims, found = load_claims(), collect(folder)
    home = dict(zip(claims["id"], claims["chapter"], strict=True))
    pages = {path.stem for path in Path(folder).glob("*.ipynb")}
    lines = [
        f"{id}: no verdict in {chapter}"
        for id, chapter in home.items()
        if chapter in pages and id not in set(found["id"])
    ]
    for row in ledger(folder).to_dict("records"):
        if row["quick"] or row["paper"]:
            for scale in SCALES:
                if not row[f"at_{scale}"]:
                    lines.append(f"{row['id']}: nothing is said at {scale} scale")
    for record in found.to_dict("records"):
        if record["id"] not in home:
            lines.append(f"{record['id']}: verdict without a claim in {record['page']}")
    twice = found[found.duplicated(["id", "part", "scale"], keep="first")]
    lines += [
        f"{r['id']} {r['part']} {r['scale']}: more than one verdict".replace("  ", " ")
        for r in twice.to_dict("records")
    ]
    return lines
