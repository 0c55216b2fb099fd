"""Read built pages: their text, headings, pictures and links."""

from __future__ import annotations

import html.parser
import pathlib
import re

_VOID = {"img", "br", "hr", "meta", "link", "input", "source", "wbr", "col", "area"}
_BLOCKS = {"p", "div", "li", "dt", "dd", "td", "th", "tr", "pre", "section"}
_BLOCKS |= {f"h{level}" for level in range(1, 7)}
_SILENT = {"script", "style", "noscript", "template"}


class Page(html.parser.HTMLParser):
    """One built page.

    Attributes
    ----------
    text : str
        The words of the article, white space folded.
    headings : list of (int, str)
        Level and text, in order.
    images : list of dict
        The attributes of each picture.
    links : list of str
        Each ``href`` and ``src``.
    ids : set of str
        What a link can point at.
    """

    def __init__(self, markup: str):
        super().__init__(convert_charrefs=True)
        self.headings: list[tuple[int, str]] = []
        self.images: list[dict] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self._open: list[str] = []
        self._article_depth: int | None = None
        self._article: list[str] = []
        self._heading: list[str] | None = None
        self.feed(markup)
        self.close()
        self.text = fold("".join(self._article))

    def handle_starttag(self, tag, attrs):
        """Note ids, links, pictures; enter the article or a heading."""
        attrs = dict(attrs)
        if attrs.get("id"):
            self.ids.add(attrs["id"])
        if tag == "a" and attrs.get("name"):
            self.ids.add(attrs["name"])
        for key in ("href", "src"):
            if attrs.get(key):
                self.links.append(attrs[key])
        if tag == "img":
            self.images.append(attrs)
        if tag in _VOID:
            return
        self._open.append(tag)
        if tag == "article" and self._article_depth is None:
            self._article_depth = len(self._open)
        if re.fullmatch("h[1-6]", tag) and self._article_depth is not None:
            self._heading = []

    def handle_endtag(self, tag):
        """Leave the article or a heading."""
        if tag in _VOID or tag not in self._open:
            return
        while self._open and self._open.pop() != tag:
            pass
        if self._heading is not None and re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), fold("".join(self._heading))))
            self._heading = None
        if tag in _BLOCKS and self._article_depth is not None:
            self._article.append(" ")
        depth = self._article_depth
        if depth is not None and len(self._open) < depth:
            self._article_depth = None

    def handle_data(self, data):
        """Collect the article's words."""
        if self._open and self._open[-1] in _SILENT:
            return
        if self._heading is not None:
            self._heading.append(data)
        if self._article_depth is not None:
            self._article.append(data)


def fold(text: str) -> str:
    """White space folded to single spaces; the sign of a permanent link removed."""
    return re.sub(r"\s+", " ", text.replace("\N{PILCROW SIGN}", "")).strip("# ")


def read_page(path: pathlib.Path) -> Page:
    """Parse one built page."""
    return Page(path.read_text(encoding="utf-8"))


def markdown_headings(text: str) -> list[str]:
    """The headings of a MyST text whose words appear on the page as they are.

    Those with mathematics or roles are left out: the page shows them differently.
    """
    found, fence = [], ""
    for line in text.splitlines():
        mark = re.match(r"\s*(`{3,}|~{3,}|:{3,})", line)
        if mark:
            if not fence:
                fence = mark[1]
            elif line.strip() == fence:
                fence = ""
            continue
        heading = None if fence else re.match(r"#{1,6}\s+(.*)", line)
        if heading and not re.search(r"[$<{\\]", heading[1]):
            found.append(fold(re.sub(r"[*`]|\[|\]\([^)]*\)", "", heading[1])))
    return found


def toc_files(toc: dict) -> list[str]:
    """The pages of a ``_toc.yml``, the root first."""
    found = [toc["root"]]

    def walk(entry):
        if isinstance(entry, list):
            for item in entry:
                walk(item)
        elif isinstance(entry, dict):
            if "file" in entry:
                found.append(entry["file"])
            for value in entry.values():
                walk(value)

    walk({k: v for k, v in toc.items() if k not in ("root", "defaults")})
    return found
