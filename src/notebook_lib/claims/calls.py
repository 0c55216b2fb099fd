"""The three calls of a chapter: reproduced, differs, not attempted."""

from __future__ import annotations

import csv
import difflib
from functools import lru_cache
from typing import Any

import numpy as np

from notebook_lib import _checkout
from notebook_lib.claims.criteria import ClaimFailed, agree, is_numeric, judge
from notebook_lib.claims.display import emit
from notebook_lib.claims.record import (
    ANY,
    DIFFERS,
    NOT_ATTEMPTED,
    REPRODUCED,
    SCALES,
    Record,
    quantise,
    show,
)

#: Fewest Monte-Carlo errors that a check allows, see :func:`another_seed`.
_fewest_errors = 0.0


def another_seed(other: bool) -> None:
    """Say that this run draws with another seed than the one the ledger rests on.

    Among hundreds of checks at three Monte-Carlo errors, one fails by chance for
    about every other seed. Ours does not, and a rerun with another seed must not
    stop for that: it allows 5.5 errors, or more where the check does.

    Parameters
    ----------
    other : bool
        Whether the seed differs from the chapter's default.
    """
    global _fewest_errors  # one notebook, one kernel, one seed
    _fewest_errors = 5.5 if other else 0.0


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
    scale : {"quick", "paper", "any"}
        Live in the chapter; read from a stored paper-scale study; or without a
        scale: an identity, a closed form, a check on printed numbers.
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
        return emit(Record(id, part, scale, NOT_ATTEMPTED, why=why, note=note))
    allowed, z = mc_error, max(z, _fewest_errors)
    if expected is None and at_least is None and at_most is None:
        expected, allowed = _default_criterion(
            observed, published, mc_error, published_error
        )
    outcome = judge(observed, expected, tol, at_least, at_most, allowed, z)
    if not outcome.holds:
        miss = ClaimFailed(
            f"{id}{f' ({part})' if part else ''} at {scale} scale: "
            f"wanted {outcome.wanted}; {outcome.detail}"
            + (f", published {published!r}" if published is not None else "")
        )
        miss.outcome = outcome
        raise miss
    ours = _largest(mc_error)  # without the published error that was allowed for
    return emit(
        Record(
            id=id,
            part=part,
            scale=scale,
            verdict=REPRODUCED,
            observed=quantise(outcome.observed),
            expected=outcome.wanted,
            tolerance=quantise(_largest(tol)),
            mc_error=quantise(outcome.mc_error if allowed is mc_error else ours),
            published=quantise(published),
            published_error=quantise(published_error),
            n_values=outcome.n_values,
            note=note,
        )
    )


def _default_criterion(observed, published, mc_error, published_error):
    """Without a stated criterion: match the published value, or be true."""
    if not is_numeric(observed):
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
    z: float = 3,
    scale: str = "quick",
    mc_error: float | None = None,
    published: Any = None,
    published_error: float | None = None,
    part: str = "",
    note: str = "",
) -> Record:
    """Record that what the document says and what we find differ, and why.

    This asserts too: if the values agree within ``tol`` plus ``z`` combined
    Monte-Carlo errors the call raises, since noise is no difference, and one that
    has gone away must not stay in the ledger.

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
    tol, z : float
        Differences up to ``tol`` plus ``z`` Monte-Carlo errors are agreement.

    Raises
    ------
    ClaimFailed
        If the values agree.
    """
    _check_call(id, scale)
    if not why.strip():
        raise ValueError(
            "why must say why the result differs: give the reason in a sentence"
        )
    expected = published if expected is None else expected
    if expected is None:
        raise ValueError("give expected (or published): what does the document say?")
    noise = float(np.hypot(mc_error or 0.0, published_error or 0.0))
    if agree(observed, expected, tol + z * noise):
        raise ClaimFailed(
            f"{id} at {scale} scale is recorded as different, but {observed!r} agrees "
            f"with {expected!r}; use claims.check"
        )
    return emit(
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


def not_attempted(
    id: str, *, why: str, scale: str = "quick", part: str = "", note: str = ""
) -> Record:
    """Record that a claim was not tried, and why (data not to be had, cost).

    Parameters
    ----------
    id, scale, part, note
        As in :func:`check`.
    why : str
        The reason, for the reader of the ledger; required.
    """
    _check_call(id, scale)
    if not why.strip():
        raise ValueError(
            "why must say why the claim was not attempted: give the reason in a "
            "sentence"
        )
    return emit(Record(id, part, scale, NOT_ATTEMPTED, why=why, note=note))


def _check_call(id: str, scale: str) -> None:
    if scale not in (*SCALES, ANY):
        raise ValueError(f"scale must be one of {(*SCALES, ANY)}, not {scale!r}")
    known = _known_ids()
    if known and id not in known:
        near = difflib.get_close_matches(id, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{id!r} is not a claim of data/claims.csv: give an id that is listed "
            f"there{hint}"
        )


@lru_cache(maxsize=1)
def _known_ids() -> tuple[str, ...]:
    """The ids of the checkout's claims; empty outside a checkout."""
    folder = _checkout.find_root()
    if folder is None:
        return ()
    path = folder / "data" / "claims.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(row["id"] for row in csv.DictReader(lines))
