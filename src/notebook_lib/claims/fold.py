"""Many verdicts under one line: a block of checks that the reader may open."""

from __future__ import annotations

import html
from collections import Counter
from contextlib import contextmanager

from notebook_lib.claims import display
from notebook_lib.claims.record import MIME, VERDICTS


@contextmanager
def fold(title: str):
    """Show the verdicts of a block as one line with their count, to be opened.

    The ledger finds every one of them. A claim that differs is shown at once, above
    the line: a miss must not be folded away. Outside a notebook nothing changes.

    Parameters
    ----------
    title : str
        What the block checks, e.g. ``"Fixed weights"``.

    Examples
    --------
    >>> from notebook_lib import claims
    >>> with claims.fold("Ranks"):
    ...     _ = claims.check("em-A1", 0.9, expected=0.9)
    claim em-A1, quick scale: reproduced; observed 0.9; expected exactly 0.9
    """
    before, held = display.held, []
    display.held = held
    try:
        yield
    finally:
        display.held = before
    if held:
        display.show_bundle(_bundle(title, held))


def _bundle(title, records):
    counts = Counter(record.verdict for record in records)
    told = ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v])
    lines = "".join(display._html(record) for record in records)
    return {
        MIME: {"records": [display.as_dict(record) for record in records]},
        "text/html": f'<details class="claims"><summary>{html.escape(title)}: '
        f"<span>{told}</span></summary>{lines}</details>",
        "text/plain": f"{title}: {told}",
    }
