"""Show a verdict once: a notebook output that carries it, or a printed line."""

from __future__ import annotations

import html
import numbers
from dataclasses import asdict

from notebook_lib.claims.record import ANY, DEFAULTS, DIFFERS, MIME, Record, show

#: Where a surrounding :func:`notebook_lib.claims.fold` gathers verdicts.
held: list[Record] | None = None


def emit(record: Record) -> Record:
    """Display the record once, in a notebook; print it elsewhere."""
    if not _in_notebook():
        print(_plain(record))
    elif held is not None and record.verdict != DIFFERS:
        held.append(record)
    else:
        show_bundle(
            {
                MIME: as_dict(record),
                "text/html": _html(record),
                "text/plain": _plain(record),
            }
        )
    return _Quiet(**asdict(record))


def as_dict(record: Record) -> dict:
    """The fields of a record with its anchor, as the notebook stores them.

    What a record leaves at its default is left out: a chapter holds hundreds.
    """
    told = {
        k: v for k, v in asdict(record).items() if k not in DEFAULTS or v != DEFAULTS[k]
    }
    return {**told, "anchor": record.anchor}


def show_bundle(bundle: dict) -> None:
    """Display one output in several forms."""
    from IPython.display import display

    display(bundle, raw=True)


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
    if holds(record.observed, record.expected):
        return [f"holds for all {record.n_values}" if record.n_values > 1 else "holds"]
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


def holds(observed, expected: str) -> bool:
    """Whether a verdict is that a statement is true, with no number to show."""
    return observed is True and expected == "yes"


def _positive(value) -> bool:
    return isinstance(value, numbers.Real) and value > 0


def _plain(record: Record) -> str:
    part = f" ({record.part})" if record.part else ""
    head = f"claim {record.id}{part}{_scale(record, ', ')}: {record.verdict}"
    said = _numbers(record) + [w for w in (record.why, record.note) if w]
    return head + ("; " + "; ".join(said) if said else "")


def _scale(record: Record, before: str = "") -> str:
    return "" if record.scale == ANY else f"{before}{record.scale} scale"


def _html(record: Record) -> str:
    kind = record.verdict.replace(" ", "-")
    part = f" <em>{html.escape(record.part)}</em>" if record.part else ""
    said = _numbers(record) + [w for w in (record.why, record.note) if w]
    return (
        f'<div class="claim claim-{kind}" id="{record.anchor}">'
        f'<span class="claim-id">{html.escape(record.id)}</span>{part} '
        f'<span class="claim-scale">{_scale(record)}</span> '
        f'<span class="claim-verdict">{record.verdict}</span> '
        f'<span class="claim-numbers">{html.escape("; ".join(said))}</span></div>'
    )
