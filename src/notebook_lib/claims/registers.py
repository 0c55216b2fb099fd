"""The registers: errata found in the documents, and what the book adds to them.

``data/errata.csv`` and ``data/additions.csv`` hold one entry a row. The column
``shown`` names where an entry is shown: claim ids, and sections or theorems of the
entry's chapter (a heading's anchor with ``#``, a theorem's label). Everything is
looked up in the executed chapters, so that a link to nothing is found at once.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pandas as pd

from notebook_lib import _checkout
from notebook_lib.claims.ledger import collect
from notebook_lib.claims.page import link, style, summary_html

_LABEL = re.compile(r"^:label:\s*(\S+)\s*$|^\(([\w-]+)\)=\s*$", re.M)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.M)
_NAMES = {"thm": "theorem", "lem": "lemma", "prop": "proposition", "sec": "section"}

STYLE = """<style>
div.register > div {border-top: 1px solid var(--pst-color-border, #ccc);
  padding: .5rem 0; overflow-wrap: anywhere}
div.register p {margin: 0 0 .25rem}
div.register .kind {opacity: .78}
div.register dl {display: grid; grid-template-columns: 5.5rem 1fr; gap: .1rem .6rem;
  margin: 0; font-size: .9rem}
div.register dt {font-weight: 400; opacity: .78}
div.register dd {margin: 0}
</style>"""


def load_errata() -> pd.DataFrame:
    """Return the errata found in the documents (``data/errata.csv``).

    Returns
    -------
    DataFrame
        ``id`` (chapter and number), ``kind``, ``where`` in the document,
        ``printed``, ``holds``, ``stands`` (what is not touched, or what mends it),
        ``shown`` and ``not_shown`` (why no cell shows it).
    """
    return _load("errata.csv")


def load_additions() -> pd.DataFrame:
    """Return what the book adds to its documents (``data/additions.csv``).

    Returns
    -------
    DataFrame
        ``id``, ``kind``, ``title``, ``what``, ``gain`` and ``shown``.
    """
    return _load("additions.csv")


def _load(name: str) -> pd.DataFrame:
    path = _checkout.data_folder() / name
    return pd.read_csv(path, dtype=str, keep_default_na=False)


class Places:
    """Where things are shown in the executed chapters of a folder.

    Parameters
    ----------
    folder : str or Path
        Holds the executed ``NN_*.ipynb``.
    """

    def __init__(self, folder: str | Path):
        self.pages = {p.stem[:2]: p for p in Path(folder).glob("[0-9][0-9]_*.ipynb")}
        found = collect(folder).drop_duplicates("id")
        self.claims = {record["id"]: record for record in found.to_dict("records")}
        self.anchors = {number: _anchors(path) for number, path in self.pages.items()}

    def find(self, entry: dict) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the links of an entry, as (text, address), and what is not there."""
        number = f"0{entry['id'].partition('.')[0]}"
        links, lost = [], []
        for target in entry["shown"].split():
            anchor = target.removeprefix("#")
            if target in self.claims:
                links.append((target, link(self.claims[target])))
            elif anchor in self.anchors.get(number, ()):
                address = f"{self.pages[number].stem}.html#{anchor}"
                links.append((_NAMES.get(anchor.partition("-")[0], "section"), address))
            else:
                lost.append(target)
        return links, lost


def _anchors(path: Path) -> set[str]:
    """The labels and headings of a notebook, as the page names them."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )
    labels = {first or second for first, second in _LABEL.findall(text)}
    return labels | {_slug(title) for title in _HEADING.findall(text)}


def _slug(title: str) -> str:
    """A heading's anchor, by docutils' rule."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def register_problems(folder: str | Path) -> list[str]:
    """What is wrong with the registers, given a folder of executed chapters.

    Parameters
    ----------
    folder : str or Path
        As for :class:`Places`.

    Returns
    -------
    list of str
        A line for each entry with a link to nothing, with neither a link nor a
        reason, or with an id that is taken; empty when all is well.
    """
    places, lines = Places(folder), []
    for name, table in (("errata", load_errata()), ("additions", load_additions())):
        for id in table["id"][table["id"].duplicated()]:
            lines.append(f"{name} {id}: more than one entry")
        for entry in table.to_dict("records"):
            links, lost = places.find(entry)
            lines += [f"{name} {entry['id']}: {t} is not in the chapters" for t in lost]
            if not (links or lost or entry.get("not_shown")):
                lines.append(f"{name} {entry['id']}: neither a link nor a reason")
    return lines


def errata_html(table: pd.DataFrame, folder: str | Path) -> str:
    """Lay out errata, each with links to the cells that show it.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`load_errata`.
    folder : str or Path
        As for :class:`Places`.
    """
    places = Places(folder)
    return _register(
        _entry(
            "erratum",
            row,
            row["where"],
            {
                "printed": html.escape(row["printed"]),
                "holds": html.escape(row["holds"]),
                "stands": html.escape(row["stands"]),
                "shown in": _links(places, row),
            },
        )
        for row in table.to_dict("records")
    )


def additions_html(table: pd.DataFrame, folder: str | Path) -> str:
    """Lay out additions, each with links to its checks.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`load_additions`.
    folder : str or Path
        As for :class:`Places`.
    """
    places = Places(folder)
    return _register(
        _entry(
            "addition",
            row,
            row["title"],
            {
                "what": html.escape(row["what"]),
                "gain": html.escape(row["gain"]),
                "check": _links(places, row),
            },
        )
        for row in table.to_dict("records")
    )


def _register(entries) -> str:
    return f'<div class="register">{"".join(entries)}</div>'


def _entry(name: str, row: dict, title: str, lines: dict[str, str]) -> str:
    body = "".join(f"<dt>{key}</dt><dd>{text}</dd>" for key, text in lines.items())
    return (
        f'<div id="{name}-{row["id"]}"><p><strong>{row["id"]} '
        f"{html.escape(title)}</strong> "
        f'<span class="kind">{html.escape(row["kind"])}</span></p>'
        f"<dl>{body}</dl></div>"
    )


def _links(places: Places, row: dict) -> str:
    links, _ = places.find(row)
    if not links:
        return f"no cell: {html.escape(row['not_shown'])}"
    return ", ".join(f'<a href="{address}">{text}</a>' for text, address in links)


def register_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Count the entries of a register by kind and chapter.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`load_errata` or :func:`load_additions`.

    Returns
    -------
    DataFrame
        A row for each kind and one for all; a column for each chapter, by its
        number, and one for all.
    """
    chapter = table["id"].str.partition(".")[0]
    counts = pd.crosstab(table["kind"], chapter).reindex(table["kind"].unique())
    counts["all"] = counts.sum(axis=1)
    counts.loc["all"] = counts.sum()
    counts.index.name = counts.columns.name = None
    return counts


class Register:
    """One register as its page shows it.

    Parameters
    ----------
    name : {"errata", "additions"}
        Which one.
    folder : str or Path
        As for :class:`Places`.
    """

    def __init__(self, name: str, folder: str | Path):
        loaders = {"errata": load_errata, "additions": load_additions}
        if name not in loaders:
            raise ValueError(f"name must be 'errata' or 'additions', got {name!r}")
        self.name, self.folder, self.table = name, folder, loaders[name]()

    def count(self, *kinds: str) -> int:
        """Count the entries of some kinds, or of all kinds."""
        return int(self.table["kind"].isin(kinds or set(self.table["kind"])).sum())

    def counts_html(self) -> str:
        """Lay out the counts by kind and chapter, with the style of the page."""
        counts = register_summary(self.table)
        return style() + STYLE + summary_html(counts, "kind", bar=False)

    def chapter_html(self, number: int) -> str:
        """Lay out the entries of one chapter, given its number."""
        mine = self.table[self.table["id"].str.startswith(f"{number}.")]
        layout = errata_html if self.name == "errata" else additions_html
        return layout(mine, self.folder)

    def problems(self) -> list[str]:
        """What :func:`register_problems` says of this register."""
        return [p for p in register_problems(self.folder) if p.startswith(self.name)]
