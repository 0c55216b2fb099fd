"""What a verdict is, as it is stored and as it is shown."""

from __future__ import annotations

import math
import numbers
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

MIME = "application/vnd.notebook-lib.claim+json"
REPRODUCED, DIFFERS, NOT_ATTEMPTED = "reproduced", "differs", "not attempted"
VERDICTS = (REPRODUCED, DIFFERS, NOT_ATTEMPTED)
SCALES = ("quick", "paper")
#: The scale of an identity or of a check on printed numbers: it has none.
ANY = "any"
SIGNIFICANT_DIGITS = 6
NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Record:
    """One verdict, as stored in the executed notebook.

    Parameters
    ----------
    id, part, scale : str
        The claim, the part of it ("" if whole), ``quick``, ``paper``, or ``any`` for
        what has no scale.
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


#: What a stored record does not say.
DEFAULTS = {f.name: f.default for f in fields(Record) if f.default is not MISSING}


def _slug(words: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in words)


def quantise(value: Any) -> Any:
    """Round a number to what is stored; other values pass unchanged.

    Numbers keep 6 significant digits; those below 1e-9 in size become 0 (what
    is left of them is floating-point noise, which differs between machines);
    infinities and NaN become text, since JSON has no word for them.

    Parameters
    ----------
    value : number, bool, str or None
        What a record would hold.
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
    """Show a recorded value in at most 4 significant digits.

    Parameters
    ----------
    value : number, bool, str or None
        As stored in a record; flags become "yes" and "no", None "".
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return f"{float(value):.4g}"
    return str(value)
