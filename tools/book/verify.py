"""Prove that the pages are the confirmed files, and hold what they must hold."""

from __future__ import annotations

import pathlib

import yaml

from tools.book import notebooks, pages
from tools.book.compare import png_hashes
from tools.book.layout import BookError, Layout
from tools.book.staging import load_record, sha256

_HIDDEN = {"remove-cell", "remove-output", "remove_cell", "remove_output"}


def source_of(layout: Layout, page: str) -> pathlib.Path:
    """The file from which a page of the table of contents was rendered."""
    for ending in (".ipynb", ".md"):
        path = layout.stage / (page + ending)
        if path.exists():
            return path
    raise BookError(f"_toc.yml names {page}, which is not staged")


def known_texts(source: pathlib.Path) -> list[str]:
    """Texts that the page of a source must show.

    Its headings, and of each visible cell that prints, the first line printed.
    """
    if source.suffix == ".md":
        return pages.markdown_headings(source.read_text(encoding="utf-8"))
    found = []
    for cell in notebooks.read(source).cells:
        if _HIDDEN & set(notebooks.tags(cell)):
            continue
        if cell.cell_type == "markdown":
            found += pages.markdown_headings(cell.source)
        for out in cell.get("outputs", []):
            if out.output_type == "stream" and out.text.strip():
                found.append(pages.fold(out.text.strip().splitlines()[0]))
    return found


def _page_problems(layout: Layout, page: str) -> tuple[list[str], int]:
    """What a page lacks, and how many known texts it was asked for."""
    built = layout.html / f"{page}.html"
    if not built.exists():
        return [f"{page}: no page was built"], 0
    wanted = known_texts(source_of(layout, page))
    text = pages.read_page(built).text
    found = [f"{page}: the page lacks {t!r}" for t in wanted if t not in text]
    if not wanted:
        found.append(f"{page}: the source has no heading to look for")
    return found, len(wanted)


def _identity_problems(layout: Layout, name: str, digest: str) -> tuple[list[str], int]:
    """Whether a page was made from the confirmed notebook, pictures included."""
    staged = layout.stage_book / name
    copies = (staged, layout.html / "_sources" / "book" / name)
    for copy in copies:
        if not copy.exists():
            return [f"{name}: {copy.relative_to(layout.root)} is missing"], 0
        if sha256(copy.read_bytes()) != digest:
            return [f"{name}: the page's source is not the confirmed notebook"], 0
    images = png_hashes(staged)
    lost = [x for x in images if not (layout.html / "_images" / f"{x}.png").exists()]
    return [f"{name}: picture {x[:12]} is not on the page" for x in lost], len(images)


def verify(layout: Layout, *, say=print) -> None:
    """Check the built site against the record of what nbval confirmed.

    Raises
    ------
    BookError
        With everything that is missing or not the confirmed file.
    """
    tested = load_record(layout.manifest)
    toc = yaml.safe_load((layout.root / "_toc.yml").read_text(encoding="utf-8"))
    toc_pages = pages.toc_files(toc)
    problems, figures, texts = [], 0, 0
    for path in layout.notebooks():
        if f"book/{path.stem}" not in toc_pages:
            problems.append(f"{path.name} is not in _toc.yml: nobody can find it")
            continue
        if path.name not in tested:
            problems.append(f"{path.name} was never confirmed")
            continue
        digest = tested[path.name]["sha256"]
        found, count = _identity_problems(layout, path.name, digest)
        problems += found
        figures += count
    for page in toc_pages:
        found, count = _page_problems(layout, page)
        problems += found
        texts += count
    if not (layout.html / "index.html").exists():
        problems.append("index.html is missing")
    if problems:
        raise BookError("\n".join(problems))
    say(
        f"verified: {len(toc_pages)} pages hold {texts} known texts; the"
        f" {len(tested)} notebooks and {figures} figures rendered are those confirmed"
    )
