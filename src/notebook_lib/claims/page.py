"""The ledger as a web page: tables that link every verdict to its cell.

Colours come from the page's own style, so the tables read on light and dark
backgrounds; without one they are plain text and links.
"""

from __future__ import annotations

import html

import pandas as pd

from notebook_lib.claims.display import holds
from notebook_lib.claims.record import (
    DIFFERS,
    NOT_ATTEMPTED,
    REPRODUCED,
    VERDICTS,
    show,
)

_SHOWN_PARTS = 4
_COLUMNS = {"id": 14, "quick": 26, "paper scale": 27, "published": 16, "verdict": 17}

#: The chapters by their names on the page.
CHAPTERS = {
    "01_latent_class": "1. A latent class",
    "02_matrix_completion": "2. Matrix completion",
    "03_mask_conditional": "3. Mask-conditional weighting",
    "04_mda_nested": "4. CP-MDA-Nested*",
    "05_missing_outcomes": "5. Missing outcomes",
    "all": "all five",
}

STYLE = """<style>
table.ledger {border-collapse: collapse; font-size: .84rem; width: 100%;
  font-variant-numeric: tabular-nums}
table.ledger.verdicts {table-layout: fixed; min-width: 660px}
table.ledger th, table.ledger td {border: 0; padding: .3rem .5rem;
  border-bottom: 1px solid var(--pst-color-border, #ccc);
  text-align: left; vertical-align: top; overflow-wrap: anywhere}
table.ledger td.above {border-bottom: 0; padding-bottom: 0}
table.ledger thead th {overflow-wrap: normal}
table.ledger tbody th {white-space: nowrap; font-weight: 600}
table.ledger.counts th {white-space: normal; overflow-wrap: normal}
table.ledger.counts td, table.ledger.counts th {padding: .3rem .35rem}
table.ledger .word {opacity: .78}
@media (max-width: 40rem) {
  table.ledger.counts {font-size: .74rem}
  table.ledger.counts .share {display: none}
}
table.ledger .criterion, table.ledger .why {opacity: .78; display: block}
table.ledger a {white-space: nowrap}
table.ledger .verdict {font-weight: 600; white-space: nowrap}
table.ledger .reproduced {color: var(--book-reproduced, #00704f)}
table.ledger .differs {color: var(--book-differs, #a84300)}
table.ledger .not-attempted {color: var(--book-open, #5c6470)}
table.ledger td > div + div {margin-top: .35rem}
div.ledger {overflow-x: auto}
</style>"""


def style() -> str:
    """Return the style element of the ledger's tables."""
    return STYLE


def ledger_html(table: pd.DataFrame, prefix: str = "ledger") -> str:
    """Lay out ledger rows as one table.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`notebook_lib.claims.ledger`.
    prefix : str
        What the ids of the rows begin with; a claim that a page lists twice needs
        two.

    Returns
    -------
    str
        Two lines a claim: what is claimed and by which criterion; below it what
        was found at quick and at paper scale, beside what is published. Ids and
        numbers link to the cells that show them.
    """
    head = "".join(
        f'<th scope="col" style="width: {width}%">{name}</th>'
        for name, width in _COLUMNS.items()
    )
    rows = "".join(_row(row, prefix) for row in table.to_dict("records"))
    return (
        '<div class="ledger"><table class="ledger verdicts">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(row: dict, prefix: str) -> str:
    records = row["quick"] + row["paper"]
    name = html.escape(row["id"])
    if records:
        name = f'<a href="{link(records[0])}">{name}</a>'
    found = (
        f"<tr><td>{_cell(row['quick'], row['at_quick'])}</td>"
        f"<td>{_cell(row['paper'], row['at_paper'])}</td>"
        f"<td>{_published(records, row['printed'])}</td></tr>"
    )
    span = ' rowspan="2"' if records else ""
    return (
        f'<tr id="{prefix}-{html.escape(row["id"])}">'
        f'<th scope="row"{span}>{name}</th>'
        f'<td colspan="3" class="claimed{" above" if records else ""}">'
        f"{html.escape(row['claim'])}"
        f'<span class="criterion">{html.escape(row["check"])}</span></td>'
        f"<td{span}>{_verdict(row)}</td></tr>{found if records else ''}"
    )


def link(record: dict) -> str:
    """Return the address of a record's element, relative to the ledger page."""
    return html.escape(f"{record['page']}.html#{record['anchor']}", quote=True)


def _cell(records: list[dict], word: str) -> str:
    if not records or all(record.get("as_quick") for record in records):
        return f'<span class="word">{html.escape(word)}</span>'
    return _stack([_line(record) for record in records])


def _stack(lines: list[str]) -> str:
    """Put the first lines below each other and count the rest."""
    shown = lines[:_SHOWN_PARTS]
    if len(lines) > _SHOWN_PARTS:
        shown.append(f"and {len(lines) - _SHOWN_PARTS} more")
    return "".join(f"<div>{line}</div>" for line in shown)


def _line(record: dict) -> str:
    """Ours against what was expected, linked to the cell."""
    if record["verdict"] == NOT_ATTEMPTED:
        return f'<a href="{link(record)}">not attempted</a>'
    part = f"{html.escape(record['part'])}: " if record["part"] else ""
    if record.get("as_quick"):
        return f"{part}as quick"
    if holds(record["observed"], record["expected"]):
        return f'{part}<a href="{link(record)}">holds</a>'
    observed = show(record["observed"]) + _error(record["mc_error"])
    expected = html.escape(str(record["expected"]))
    return (
        f'{part}<a href="{link(record)}">{html.escape(observed)}</a>'
        f'<span class="criterion">expected {expected}</span>'
    )


def _error(value) -> str:
    known = isinstance(value, (int, float)) and value > 0
    return f" ({value:.2g})" if known else ""


def _published(records: list[dict], printed: list[str]) -> str:
    """What the document prints: by its tables, else as the records have it."""
    found = dict.fromkeys(printed)
    if not found:
        for record in records:
            if not pd.isna(record["published"]):
                value = show(record["published"]) + _error(record["published_error"])
                found[value] = None
    if not found:
        return '<span class="word">no number</span>'
    return _stack([html.escape(value) for value in found])


def _verdict(row: dict) -> str:
    kind = row["verdict"].replace(" ", "-")
    why = f'<span class="why">{html.escape(row["why"])}</span>' if row["why"] else ""
    return f'<span class="verdict {kind}">{row["verdict"]}</span>{why}'


def summary_html(counts: pd.DataFrame, label: str = "", *, bar: bool = True) -> str:
    """Lay out counts as a narrow table, with a bar for each row.

    Parameters
    ----------
    counts : DataFrame
        As :func:`notebook_lib.claims.summary` returns it, or another table of
        whole numbers.
    label : str
        The head of the first column; with "chapter" the rows get the chapters'
        titles.
    bar : bool
        Whether the last column shows the share of the verdicts.
    """
    names = "".join(f'<th scope="col">{html.escape(str(n))}</th>' for n in counts)
    first = f'<th scope="col">{html.escape(label)}</th>'
    share = '<th scope="col" class="share">share</th>' if bar else ""
    titles = CHAPTERS if label == "chapter" else {}
    rows = "".join(
        _summary_row(titles.get(str(name), str(name)), row, bar)
        for name, row in counts.iterrows()
    )
    return (
        '<div class="ledger"><table class="ledger counts"><thead>'
        f"<tr>{first}{names}{share}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _summary_row(name: str, row: pd.Series, bar: bool) -> str:
    cells = "".join(f"<td>{int(value)}</td>" for value in row)
    if bar:
        cells += f'<td class="share">{_bar(row)}</td>'
    return f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>'


def _bar(row: pd.Series) -> str:
    """A stacked bar of the three verdicts; the numbers stand beside it."""
    tints = {
        REPRODUCED: "var(--book-reproduced, #00704f)",
        DIFFERS: "var(--book-differs, #a84300)",
        NOT_ATTEMPTED: "color-mix(in srgb, var(--book-open, #5c6470) 25%, transparent)",
    }
    parts = "".join(
        f'<span style="background: {tints[verdict]}; '
        f'width: {100 * row[verdict] / row["claims"]:.1f}%"></span>'
        for verdict in VERDICTS
    )
    return (
        '<span aria-hidden="true" style="display: flex; width: 6rem; height: .7rem; '
        f'border-radius: .2rem; overflow: hidden">{parts}</span>'
    )
