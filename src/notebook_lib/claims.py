"""Claims: one call checks one statement of a source document and records it.

Every statement that the book checks has an id in ``data/claims.csv``. A chapter
calls :func:`check` (or :func:`differs`, :func:`not_attempted`) in the cell that
computes the evidence. The call displays one output that carries the record, so
the verdict lives in the executed notebook and nowhere else: :func:`ledger` reads
the records back. No verdict without a run.

Recorded numbers are rounded to 6 significant digits, and those below 1e-9 to
zero, so that two machines write the same bytes; a failure shows them in full.
"""

from __future__ import annotations

import csv
import difflib
import html
import json
import math
import numbers
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from notebook_lib import _checkout

MIME = "application/vnd.notebook-lib.claim+json"
REPRODUCED, DIFFERS, NOT_ATTEMPTED = "reproduced", "differs", "not attempted"
VERDICTS = (REPRODUCED, DIFFERS, NOT_ATTEMPTED)
SCALES = ("quick", "paper")
SIGNIFICANT_DIGITS = 6
NEGLIGIBLE = 1e-9


class ClaimFailed(AssertionError):
    """An asserted claim does not hold; the message carries all the numbers."""


# -------------------------------------------------------------------- record


@dataclass(frozen=True)
class Record:
    """One verdict, as stored in the executed notebook.

    Parameters
    ----------
    id, part, scale : str
        The claim, the part of it ("" if whole), ``quick`` or ``paper``.
    verdict : str
        ``reproduced``, ``differs`` or ``not attempted``.
    observed : number, bool, str or None
        Ours; for an array the element with the least slack.
    expected : str
        The criterion in words, e.g. "0.9 within 0.02".
    tolerance, mc_error, published, published_error : number or None
        What the criterion was made of.
    n_values : int
        How many values were checked under this record.
    why, note : str
        The reason of a ``differs`` or ``not attempted``; a remark.
    """

    id: str
    part: str
    scale: str
    verdict: str
    observed: Any = None
    expected: str = ""
    tolerance: float | None = None
    mc_error: float | None = None
    published: Any = None
    published_error: float | None = None
    n_values: int = 1
    why: str = ""
    note: str = ""

    @property
    def anchor(self) -> str:
        """The id of the record's element on the page."""
        part = "-" + _slug(self.part) if self.part else ""
        return f"claim-{self.id}-{self.scale}{part}"


def _slug(words: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in words)


def quantise(value: Any) -> Any:
    """Round a number to what is stored; other values pass unchanged.

    Numbers keep 6 significant digits; those below 1e-9 in size become 0 (what
    is left of them is floating-point noise, which differs between machines);
    infinities and NaN become text, since JSON has no word for them.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    value = float(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if abs(value) < NEGLIGIBLE:
        return 0.0
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def show(value: Any) -> str:
    """Show a recorded value in at most 4 significant digits."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return f"{float(value):.4g}"
    return str(value)


# ------------------------------------------------------------------ criteria


@dataclass(frozen=True)
class _Outcome:
    """What the comparison of observed values with a criterion gave."""

    holds: bool
    observed: Any
    wanted: str
    n_values: int
    detail: str


def _judge(observed, expected, tol, at_least, at_most, mc_error, z) -> _Outcome:
    """Compare; the element with the least slack speaks for an array."""
    if not _is_numeric(observed) or _is_flag(expected):
        return _judge_exact(observed, expected, at_least, at_most)
    observed = np.asarray(observed, dtype=float)
    allowance = (0.0 if mc_error is None else z * np.asarray(mc_error, float)) + (
        0.0 if tol is None else np.asarray(tol, float)
    )
    slacks, words = [], []
    if expected is not None:
        slacks.append(allowance - _distance(observed, np.asarray(expected, float)))
        words.append(_around(expected, tol, mc_error, z))
    if at_least is not None:
        slacks.append(allowance + observed - np.asarray(at_least, float))
        words.append(_bound("at least", at_least, tol, mc_error, z))
    if at_most is not None:
        slacks.append(allowance + np.asarray(at_most, float) - observed)
        words.append(_bound("at most", at_most, tol, mc_error, z))
    return _worst(observed, slacks, " and ".join(words))


def _worst(observed, slacks, words) -> _Outcome:
    slack = np.minimum.reduce(np.broadcast_arrays(*slacks, np.inf))
    # inf bound with inf observed: the difference is NaN, but the bound is met.
    slack = np.where(np.isnan(slack), np.where(np.isnan(observed), -np.inf, 0), slack)
    observed = np.broadcast_to(observed, slack.shape)
    if slack.size == 0:
        raise ValueError("observed is empty: nothing was checked")
    at = np.unravel_index(int(np.argmin(slack)), slack.shape)
    holds = bool(np.all(slack >= 0))
    failing = int(np.sum(slack < 0))
    detail = f"observed {float(observed[at])!r}, slack {float(slack[at])!r}"
    if slack.size > 1:
        index = ", ".join(map(str, at))
        detail += f" at [{index}], {failing} of {slack.size} values fail"
    return _Outcome(holds, float(observed[at]), words, int(slack.size), detail)


def _judge_exact(observed, expected, at_least, at_most) -> _Outcome:
    """Flags and texts: equality, nothing else."""
    if at_least is not None or at_most is not None:
        raise ValueError("at_least and at_most need a numeric observed value")
    wanted = True if expected is None else expected
    values = np.atleast_1d(np.asarray(observed))
    if values.size == 0:
        raise ValueError("observed is empty: nothing was checked")
    equal = values == np.asarray(wanted)
    holds = bool(np.all(equal))
    at = int(np.argmin(np.broadcast_to(equal, values.shape).ravel()))
    worst = values.ravel()[at]
    shown = bool(worst) if isinstance(worst, np.bool_) else str(worst)
    words = show(wanted) if np.ndim(wanted) == 0 else "the same values"
    detail = f"observed {shown!r}, {int(np.sum(~equal))} of {equal.size} values differ"
    return _Outcome(holds, shown, words, int(values.size), detail)


def _is_flag(value) -> bool:
    return isinstance(value, (bool, np.bool_, str))


def _is_numeric(value) -> bool:
    return np.asarray(value).dtype.kind in "iuf"


def _distance(observed, expected):
    same = observed == expected  # inf minus inf is NaN, but they are equal
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.abs(observed - expected))


def _span(value) -> str:
    """A scalar in four digits, or the range of an array."""
    values = np.asarray(value, dtype=float)
    low, high = float(values.min()), float(values.max())
    if low == high:
        return show(low)
    return f"{show(low)} to {show(high)}"


def _around(expected, tol, mc_error, z) -> str:
    allowance = _allowance(tol, mc_error, z)
    if not allowance:
        return f"exactly {_span(expected)}"
    return f"{_span(expected)} within {allowance}"


def _bound(word, bound, tol, mc_error, z) -> str:
    allowance = _allowance(tol, mc_error, z)
    return f"{word} {_span(bound)}" + (f", allowing {allowance}" if allowance else "")


def _allowance(tol, mc_error, z) -> str:
    parts = [] if tol is None else [_span_small(tol)]
    if mc_error is not None:
        parts.append(f"{z:g} MC errors")
    return " + ".join(parts)


def _span_small(value) -> str:
    values = np.asarray(value, dtype=float)
    low, high = float(values.min()), float(values.max())
    return f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"


# ------------------------------------------------------------------ the calls


def check(
    id: str,
    observed: Any,
    *,
    expected: Any = None,
    tol: Any = None,
    at_least: Any = None,
    at_most: Any = None,
    mc_error: Any = None,
    z: float = 3,
    scale: str = "quick",
    published: float | None = None,
    published_error: float | None = None,
    part: str = "",
    note: str = "",
    when: bool = True,
) -> Record:
    """Assert a claim and record that it is reproduced.

    The criterion is two-sided around ``expected`` (allowance ``tol`` plus ``z``
    Monte-Carlo errors), or one-sided with ``at_least``/``at_most`` (the same
    allowance). With neither, a number must match ``published`` within ``tol``
    plus ``z`` combined Monte-Carlo errors, and a flag must be true.

    Parameters
    ----------
    id : str
        Claim id of ``data/claims.csv``.
    observed : number, bool, str or array
        What was computed; every element of an array must satisfy the criterion.
    expected, tol, at_least, at_most, mc_error : number or array
        The criterion; arrays broadcast against ``observed``.
    z : float
        How many Monte-Carlo errors are allowed.
    scale : {"quick", "paper"}
        Live in the chapter, or read from a stored paper-scale study.
    published, published_error : number
        The document's value and its Monte-Carlo error.
    part : str
        Names one of several checks under the same id, e.g. ``"alpha=0.2"``; the
        claim is reproduced only if every part is.
    note : str
        A remark for the ledger.
    when : bool
        False records "not attempted" and asserts nothing: for a criterion that
        only makes sense at the chapter's default parameters.

    Returns
    -------
    Record
        Also displayed, which is how the ledger finds it.

    Raises
    ------
    ClaimFailed
        If the criterion does not hold.
    ValueError
        If the id is unknown or the criterion is incomplete.
    """
    _check_call(id, scale)
    if not when:
        why = "the criterion is stated for the chapter's default parameters"
        return _emit(Record(id, part, scale, NOT_ATTEMPTED, why=why, note=note))
    if expected is None and at_least is None and at_most is None:
        expected, mc_error = _default_criterion(
            observed, published, mc_error, published_error
        )
    outcome = _judge(observed, expected, tol, at_least, at_most, mc_error, z)
    if not outcome.holds:
        raise ClaimFailed(
            f"{id}{f' ({part})' if part else ''} at {scale} scale: "
            f"wanted {outcome.wanted}; {outcome.detail}"
            + (f", mc_error {_span(mc_error)}" if mc_error is not None else "")
            + (f", published {published!r}" if published is not None else "")
        )
    return _emit(
        Record(
            id=id,
            part=part,
            scale=scale,
            verdict=REPRODUCED,
            observed=quantise(outcome.observed),
            expected=outcome.wanted,
            tolerance=quantise(_largest(tol)),
            mc_error=quantise(_largest(mc_error)),
            published=quantise(published),
            published_error=quantise(published_error),
            n_values=outcome.n_values,
            note=note,
        )
    )


def _default_criterion(observed, published, mc_error, published_error):
    """Without a stated criterion: match the published value, or be true."""
    if not _is_numeric(observed):
        return True, mc_error
    if published is None:
        raise ValueError(
            "a number needs a criterion: give expected (with tol or mc_error), "
            "at_least, at_most or published"
        )
    if published_error is not None:
        ours = 0.0 if mc_error is None else np.asarray(mc_error, float)
        mc_error = np.hypot(ours, published_error)
    return published, mc_error


def _largest(value):
    return None if value is None else float(np.max(np.asarray(value, dtype=float)))


def differs(
    id: str,
    observed: Any,
    expected: Any = None,
    *,
    why: str,
    tol: float = 0.0,
    scale: str = "quick",
    mc_error: float | None = None,
    published: Any = None,
    published_error: float | None = None,
    part: str = "",
    note: str = "",
) -> Record:
    """Record that what the document says and what we find differ, and why.

    This asserts too: if the values agree within ``tol`` the call raises, since a
    difference that has gone away must not stay in the ledger.

    Parameters
    ----------
    id, scale, mc_error, published, published_error, part, note
        As in :func:`check`.
    observed : number, bool or str
        Ours.
    expected : number, bool or str
        What the document says; ``published`` if not given.
    why : str
        The reason, for the reader of the ledger; required.
    tol : float
        Differences up to this size are agreement.

    Raises
    ------
    ClaimFailed
        If the values agree.
    """
    _check_call(id, scale)
    if not why.strip():
        raise ValueError("why must say why the result differs")
    expected = published if expected is None else expected
    if expected is None:
        raise ValueError("give expected (or published): what does the document say?")
    if _agree(observed, expected, tol):
        raise ClaimFailed(
            f"{id} at {scale} scale is recorded as different, but {observed!r} agrees "
            f"with {expected!r}; use claims.check"
        )
    return _emit(
        Record(
            id=id,
            part=part,
            scale=scale,
            verdict=DIFFERS,
            observed=quantise(observed),
            expected=show(quantise(expected)),
            tolerance=quantise(tol) if tol else None,
            mc_error=quantise(mc_error),
            published=quantise(published),
            published_error=quantise(published_error),
            why=why,
            note=note,
        )
    )


def _agree(observed, expected, tol) -> bool:
    if _is_numeric(observed) and _is_numeric(expected):
        return bool(_distance(np.float64(observed), np.float64(expected)) <= tol)
    return observed == expected


def not_attempted(
    id: str, *, why: str, scale: str = "quick", part: str = "", note: str = ""
) -> Record:
    """Record that a claim was not tried, and why (data not to be had, cost)."""
    _check_call(id, scale)
    if not why.strip():
        raise ValueError("why must say why the claim was not attempted")
    return _emit(Record(id, part, scale, NOT_ATTEMPTED, why=why, note=note))


def _check_call(id: str, scale: str) -> None:
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, not {scale!r}")
    known = _known_ids()
    if known and id not in known:
        near = difflib.get_close_matches(id, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{id!r} is not a claim of data/claims.csv{hint}")


@lru_cache(maxsize=1)
def _known_ids() -> tuple[str, ...]:
    """The ids of the checkout's claims; empty outside a checkout."""
    folder = _checkout.find_root()
    if folder is None:
        return ()
    path = folder / "data" / "claims.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(row["id"] for row in csv.DictReader(lines))


# ------------------------------------------------------------------- display


def _emit(record: Record) -> Record:
    """Display the record once, in a notebook; print it elsewhere."""
    if _in_notebook():
        from IPython.display import display

        bundle = {
            MIME: {**asdict(record), "anchor": record.anchor},
            "text/html": _html(record),
            "text/plain": _plain(record),
        }
        display(bundle, raw=True)
    else:
        print(_plain(record))
    return _Quiet(**asdict(record))


class _Quiet(Record):
    """A record that shows nothing when it ends a cell (it was displayed)."""

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {}

    def _ipython_display_(self):
        return None


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def _numbers(record: Record) -> list[str]:
    said = []
    if record.observed is not None:
        error = f" ({record.mc_error:.2g})" if _positive(record.mc_error) else ""
        which = f" (the tightest of {record.n_values})"
        tightest = which if record.n_values > 1 else ""
        said.append(f"observed {show(record.observed)}{error}{tightest}")
    if record.expected:
        said.append(f"expected {record.expected}")
    if record.published is not None:
        error = record.published_error
        error = f" ({error:.2g})" if _positive(error) else ""
        said.append(f"published {show(record.published)}{error}")
    return said


def _positive(value) -> bool:
    return isinstance(value, numbers.Real) and value > 0


def _plain(record: Record) -> str:
    part = f" ({record.part})" if record.part else ""
    head = f"claim {record.id}{part}, {record.scale} scale: {record.verdict}"
    said = _numbers(record) + [w for w in (record.why, record.note) if w]
    return head + ("; " + "; ".join(said) if said else "")


def _html(record: Record) -> str:
    kind = record.verdict.replace(" ", "-")
    part = f" <em>{html.escape(record.part)}</em>" if record.part else ""
    said = _numbers(record) + [w for w in (record.why, record.note) if w]
    return (
        f'<div class="claim claim-{kind}" id="{record.anchor}">'
        f'<span class="claim-id">{html.escape(record.id)}</span>{part} '
        f'<span class="claim-scale">{record.scale} scale</span> '
        f'<span class="claim-verdict">{record.verdict}</span> '
        f'<span class="claim-numbers">{html.escape("; ".join(said))}</span></div>'
    )


# -------------------------------------------------------------------- ledger


def load_claims() -> pd.DataFrame:
    """Return all the claims of the five documents (``data/claims.csv``)."""
    path = _checkout.data_folder() / "claims.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


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
        raise ValueError(f"no published numbers for chapter {chapter!r}; for {there}")
    return pd.read_csv(path)


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
                record = output.get("data", {}).get(MIME)
                if record is not None:
                    rows.append({**record, "page": path.stem, "cell": position})
    names = [*Record.__dataclass_fields__, "anchor", "page", "cell"]
    return pd.DataFrame(rows, columns=names)


def combine(verdicts) -> str:
    """One verdict out of those of several parts or scales.

    A difference anywhere makes the whole differ; otherwise a part that was not
    attempted makes it not attempted.
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
        record dicts (one each part), empty where there is none.
    """
    claims = load_claims()
    found = collect(folder)
    pages = {path.stem for path in Path(folder).glob("*.ipynb")}
    by_claim = {key: group for key, group in found.groupby("id", sort=False)}
    rows = [
        _ledger_row(claim, by_claim.get(claim["id"]), claim["chapter"] in pages)
        for claim in claims.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _ledger_row(claim: dict, found: pd.DataFrame | None, written: bool) -> dict:
    records = [] if found is None else found.to_dict("records")
    row = dict(claim)
    for scale in SCALES:
        row[scale] = [r for r in records if r["scale"] == scale]
    row["verdict"] = _overall(row["quick"], row["paper"])
    row["why"] = "; ".join(dict.fromkeys(r["why"] for r in records if r["why"]))
    if not records:
        row["why"] = "no verdict in the chapter" if written else "chapter not written"
    return row


def _overall(quick: list, paper: list) -> str:
    """Both scales together: an unattempted scale does not undo the other."""
    scales = [combine(r["verdict"] for r in part) for part in (quick, paper) if part]
    decided = [v for v in scales if v != NOT_ATTEMPTED]
    return combine(decided or scales)


def summary(table: pd.DataFrame, by: str = "chapter") -> pd.DataFrame:
    """Count the verdicts of a :func:`ledger` by chapter (or document, kind).

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


def problems(folder: str | Path) -> list[str]:
    """What is wrong with the verdicts of a folder of executed notebooks.

    Returns
    -------
    list of str
        A line for each claim of a chapter in the book that has no verdict, each
        verdict without a claim, each verdict in a chapter that is not its own
        and each duplicate; empty when all is well.
    """
    claims, found = load_claims(), collect(folder)
    home = dict(zip(claims["id"], claims["chapter"], strict=True))
    pages = {path.stem for path in Path(folder).glob("*.ipynb")}
    lines = [
        f"{id}: no verdict in {chapter}"
        for id, chapter in home.items()
        if chapter in pages and id not in set(found["id"])
    ]
    for record in found.to_dict("records"):
        if record["id"] not in home:
            lines.append(f"{record['id']}: verdict without a claim in {record['page']}")
    twice = found[found.duplicated(["id", "part", "scale"], keep="first")]
    lines += [
        f"{r['id']} {r['part']} {r['scale']}: more than one verdict".replace("  ", " ")
        for r in twice.to_dict("records")
    ]
    return lines
