"""What ran when: every study beside its stored result, as a table and a page."""

from __future__ import annotations

import html
from pathlib import Path

import pandas as pd

from notebook_lib.studies.plan import CHANGED, PROVED, SAME, UNKNOWN, seconds, state
from notebook_lib.studies.study import Study

_WORDS = {
    SAME: "as it ran",
    PROVED: "changed without effect",
    CHANGED: "changed since",
    UNKNOWN: "not comparable",
}


def history(known: dict[str, Study], folder: str | Path | None = None) -> pd.DataFrame:
    """List every study: what ran when, how long, with which versions.

    Parameters
    ----------
    known : dict
        Studies by name, as :func:`notebook_lib.studies.discover` returns them.
    folder : str or Path, optional
        ``data/results`` of the checkout by default.

    Returns
    -------
    DataFrame
        One row per study, sorted by name: ``study``, ``description``,
        ``document``, ``scenarios``, ``replicates`` (stored), ``planned``,
        ``failed``, ``minutes`` (wall time times workers), ``date`` ("" if not
        run), ``python``, ``packages`` (dict) and ``code`` (see :class:`State`).
    """
    rows = []
    for name, study in sorted(known.items()):
        now = state(study, folder)
        manifest = now.manifest or {}
        rows.append(
            {
                "study": name,
                "description": study.description,
                "document": study.document,
                "scenarios": len(study.scenarios),
                "replicates": now.stored,
                "planned": study.n_replicates,
                "failed": manifest.get("n_failed", 0),
                "minutes": round(seconds(manifest) / 60, 1),
                "date": manifest.get("date", ""),
                "python": manifest.get("python", ""),
                "packages": manifest.get("packages", {}),
                "code": now.code,
            }
        )
    return pd.DataFrame(rows)


def versions(table: pd.DataFrame) -> pd.DataFrame:
    """Count the stored studies by the versions that made them.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`history`.

    Returns
    -------
    DataFrame
        ``python``, one column per package ("" where it was not installed), and
        ``studies``; the most frequent set first.
    """
    ran = table[table["date"] != ""]
    sets = pd.DataFrame(
        [{"python": r["python"], **r["packages"]} for r in ran.to_dict("records")]
    ).fillna("")
    if sets.empty:
        return sets
    counts = sets.value_counts().rename("studies").reset_index()
    return counts.sort_values("studies", ascending=False, ignore_index=True)


def history_html(table: pd.DataFrame) -> str:
    """Lay out a history as a list that a narrow page can hold.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`history`.

    Returns
    -------
    str
        Two lines a study: its name and what it computes; below it replicates,
        failures, minutes, date and whether its code has changed since.
    """
    rows = "".join(_row(row) for row in table.to_dict("records"))
    return f'<div class="history">{rows}</div>'


def _row(row: dict) -> str:
    head = f"<strong>{html.escape(row['study'])}</strong>"
    words = f"{head} {html.escape(row['description'])}"
    return f"<div><p>{words}</p><p>{_facts(row)}</p></div>"


def _facts(row: dict) -> str:
    size = _count(row["scenarios"], "scenario")
    if not row["date"]:
        planned = _count(row["planned"], "replicate")
        return f'<span class="short">not run</span>: {size}, {planned} planned'
    done = _count(row["replicates"], "replicate")
    if row["replicates"] < row["planned"]:
        done = f"{row['replicates']} of {row['planned']} replicates"
        done = f'<span class="short">{done}</span>'
    failed = f"{row['failed']} failed" if row["failed"] else "none failed"
    code = f'<span class="code-state">{_WORDS[row["code"]]}</span>'
    return (
        f"{size}, {done}, {failed}; {row['minutes']:g} minutes, {row['date']}; "
        f"code {code}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def code_html(table: pd.DataFrame) -> str:
    """Say of how many stored studies the code is the one that ran.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`history`.
    """
    counts = table[table["date"] != ""]["code"].value_counts()
    said = ", ".join(f"{counts[k]} {_WORDS[k]}" for k in _WORDS if k in counts)
    return f'<p>Code of the stored studies: <span class="code-state">{said}</span>.</p>'


STYLE = """<style>
div.history > div {border-top: 1px solid var(--pst-color-border, #ccc);
  padding: .35rem 0; font-size: .9rem; overflow-wrap: anywhere}
div.history p {margin: 0}
div.history p + p {opacity: .85; font-variant-numeric: tabular-nums}
div.history .short {font-weight: 600; color: var(--book-differs, #a84300)}
</style>"""
