"""Compare observed values with a criterion; the tightest element speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from notebook_lib.claims.record import NEGLIGIBLE, show


class ClaimFailed(AssertionError):
    """An asserted claim does not hold; the message carries all the numbers.

    Attributes
    ----------
    outcome : Outcome or None
        What :func:`judge` found.
    """

    outcome: Outcome | None = None


@dataclass(frozen=True)
class Outcome:
    """What the comparison of observed values with a criterion gave."""

    holds: bool
    observed: Any
    wanted: str
    n_values: int
    detail: str
    mc_error: float | None = None
    slack: float | None = None


def judge(observed, expected, tol, at_least, at_most, mc_error, z) -> Outcome:
    """Compare; the element with the least slack speaks for an array."""
    if not is_numeric(observed) or _is_flag(expected):
        return _judge_exact(observed, expected, at_least, at_most)
    _refuse_nan(
        expected=expected,
        tol=tol,
        at_least=at_least,
        at_most=at_most,
        mc_error=mc_error,
    )
    observed = np.asarray(observed, dtype=float)
    allowance = (0.0 if mc_error is None else z * np.asarray(mc_error, float)) + (
        0.0 if tol is None else np.asarray(tol, float)
    )
    slacks, words = [], []
    if expected is not None:
        slacks.append(allowance - _distance(observed, np.asarray(expected, float)))
        words.append(_around(expected, tol, mc_error, z))
    if at_least is not None:
        slacks.append(allowance + _minus(observed, at_least))
        words.append(_bound("at least", at_least, tol, mc_error, z))
    if at_most is not None:
        slacks.append(allowance + _minus(at_most, observed))
        words.append(_bound("at most", at_most, tol, mc_error, z))
    return _worst(observed, slacks, " and ".join(words), mc_error)


def _refuse_nan(**parts) -> None:
    """A NaN in the criterion would make it hold or fail for no reason."""
    for name, value in parts.items():
        if value is not None and np.isnan(np.asarray(value, dtype=float)).any():
            raise ValueError(
                f"{name} is NaN: "
                + (
                    "take at least two replicates"
                    if name == "mc_error"
                    else "give a number"
                )
            )


def _minus(upper, lower):
    """``upper - lower``, where equal infinities differ by 0."""
    upper, lower = np.asarray(upper, float), np.asarray(lower, float)
    with np.errstate(invalid="ignore"):
        return np.where(upper == lower, 0.0, upper - lower)


def _worst(observed, slacks, words, mc_error) -> Outcome:
    slack = np.minimum.reduce(np.broadcast_arrays(*slacks, np.inf))
    slack = np.where(np.isnan(slack), -np.inf, slack)  # NaN satisfies nothing
    observed = np.broadcast_to(observed, slack.shape)
    if slack.size == 0:
        raise ValueError(
            "observed is empty: nothing was checked; give at least one value"
        )
    # Rounded, so that a tie broken by noise does not differ between machines.
    at = np.unravel_index(int(np.argmin(np.round(slack, 12))), slack.shape)
    holds = bool(np.all(slack >= 0))
    failing = int(np.sum(slack < 0))
    detail = f"observed {float(observed[at])!r}, slack {float(slack[at])!r}"
    if slack.size > 1:
        index = ", ".join(map(str, at))
        detail += f" at [{index}], {failing} of {slack.size} values fail"
    error = None
    if mc_error is not None:
        error = float(np.broadcast_to(np.asarray(mc_error, float), slack.shape)[at])
        detail += f", mc_error {error!r}"
    found, least = float(observed[at]), float(slack[at])
    return Outcome(holds, found, words, int(slack.size), detail, error, least)


def _judge_exact(observed, expected, at_least, at_most) -> Outcome:
    """Flags and texts: equality, nothing else."""
    if at_least is not None or at_most is not None:
        raise ValueError(
            "at_least and at_most need a numeric observed value: use expected for a "
            "flag or a text"
        )
    wanted = True if expected is None else expected
    values = np.atleast_1d(np.asarray(observed))
    if values.size == 0:
        raise ValueError(
            "observed is empty: nothing was checked; give at least one value"
        )
    equal = values == np.asarray(wanted)
    holds = bool(np.all(equal))
    at = int(np.argmin(np.broadcast_to(equal, values.shape).ravel()))
    worst = values.ravel()[at]
    shown = bool(worst) if isinstance(worst, np.bool_) else str(worst)
    words = show(wanted) if np.ndim(wanted) == 0 else "the same values"
    detail = f"observed {shown!r}, {int(np.sum(~equal))} of {equal.size} values differ"
    return Outcome(holds, shown, words, int(values.size), detail)


def _is_flag(value) -> bool:
    return isinstance(value, (bool, np.bool_, str))


def is_numeric(value) -> bool:
    return np.asarray(value).dtype.kind in "iuf"


def _distance(observed, expected):
    return np.abs(_minus(observed, expected))


def span(value) -> str:
    """A scalar in four digits, or the range of an array."""
    values = np.asarray(value, dtype=float)
    low, high = float(values.min()), float(values.max())
    if low == high:
        return show(low)
    return f"{show(low)} to {show(high)}"


def _around(expected, tol, mc_error, z) -> str:
    allowance = _allowance(tol, mc_error, z)
    expected = np.asarray(expected, dtype=float)
    expected = span(np.where(np.abs(expected) < NEGLIGIBLE, 0.0, expected))
    return f"{expected} within {allowance}" if allowance else f"exactly {expected}"


def _bound(word, bound, tol, mc_error, z) -> str:
    allowance = _allowance(tol, mc_error, z)
    return f"{word} {span(bound)}" + (f", allowing {allowance}" if allowance else "")


def _allowance(tol, mc_error, z) -> str:
    parts = [] if tol is None else [_span_small(tol)]
    if mc_error is not None:
        parts.append(f"{z:g} MC errors")
    return " + ".join(parts)


def _span_small(value) -> str:
    values = np.asarray(value, dtype=float)
    low, high = float(values.min()), float(values.max())
    return f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"


def agree(observed, expected, tol: float) -> bool:
    """Whether two values are the same, numbers within ``tol``."""
    if is_numeric(observed) and is_numeric(expected):
        return bool(_distance(np.float64(observed), np.float64(expected)) <= tol)
    return observed == expected
