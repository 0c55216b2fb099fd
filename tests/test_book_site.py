"""The built pages: all there, true to what was confirmed, and whole."""

import functools
import itertools
import posixpath
import re
import urllib.parse

import pytest
from book_site import LAYOUT, PAGES, site_or_fail

from tools.book import pages, verify

KNOWN = {
    "book/api/core": "conformal_quantile",
    "book/api/latent": "EMGaussianMixture",
    "book/api/support": "NOTEBOOK_LIB_DATA",
    "book/bibliography": "Algorithmic Learning in a Random World",
    "book/intro": "missing",
    "book/how_to_use": "make book",
    "book/notation": "quantile",
    "book/ledger": "em-A1",
    "book/errata": "2.E5",
    "book/additions": "5.A1",
    "book/what_ran": "latent_class_grid",
}


@pytest.fixture(scope="module")
def site():
    return site_or_fail()


@functools.cache
def parsed(path):
    return pages.read_page(path)


def test_rendered_pages_are_the_confirmed_files(site):
    said = []
    verify.verify(LAYOUT, say=said.append)
    assert "verified" in said[0]


@pytest.mark.parametrize("page", sorted(set(KNOWN) & set(PAGES)))
def test_page_holds_known_text(site, page):
    assert KNOWN[page] in parsed(site / f"{page}.html").text


def test_every_notebook_is_in_the_table_of_contents():
    assert {f"book/{p.stem}" for p in LAYOUT.notebooks()} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_headings_are_in_order(site, page):
    levels = [level for level, _ in parsed(site / f"{page}.html").headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    steps = [b - a for a, b in itertools.pairwise(levels)]
    assert max(steps, default=0) <= 1


@pytest.mark.parametrize("page", PAGES)
def test_images_have_words(site, page):
    images = parsed(site / f"{page}.html").images
    assert [i.get("src") for i in images if not (i.get("alt") or "").strip()] == []


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_titled_twice_or_shows_raw_markup(site, page):
    text = parsed(site / f"{page}.html").text
    assert not re.search(r"\{(ref|doc|numref|eq|cite:?\w*|prf:ref|glue:?\w*)\}`", text)
    assert "```{" not in text


def built_pages(site):
    return sorted(p for p in site.rglob("*.html") if "_static" not in p.parts)


def broken_links(site, path):
    """The local links of a page that lead nowhere."""
    broken = []
    here = path.relative_to(site).as_posix()
    for link in set(parsed(path).links):
        parts = urllib.parse.urlsplit(link)
        if parts.scheme in ("http", "https", "mailto", "data") or link == "#":
            continue
        name = urllib.parse.unquote(parts.path)
        goal = posixpath.normpath(posixpath.join(posixpath.dirname(here), name))
        target = site / (goal if name else here)
        if not target.is_file():
            broken.append(link)
        elif parts.fragment and target.suffix == ".html":
            ids = parsed(target).ids
            if urllib.parse.unquote(parts.fragment) not in ids:
                broken.append(link)
    return broken


def test_every_internal_link_resolves(site):
    found = {str(p.relative_to(site)): broken_links(site, p) for p in built_pages(site)}
    assert {page: links for page, links in found.items() if links} == {}


def test_nothing_is_loaded_from_outside(site):
    """Scripts, styles, fonts and pictures come from the site itself."""
    pattern = re.compile(
        r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"'](?:https?:)?//"
        r"[^\"']*",
        re.I,
    )
    found = {}
    for path in built_pages(site):
        hits = pattern.findall(path.read_text(encoding="utf-8"))
        if hits:
            found[path.name] = hits[:3]
    assert found == {}


@pytest.mark.parametrize("path", LAYOUT.notebooks(), ids=lambda p: p.stem)
def test_a_chapter_can_be_downloaded(site, path):
    links = parsed(site / "book" / f"{path.stem}.html").links
    assert any(link.endswith(f"_sources/book/{path.name}") for link in links)


def test_the_library_reference_lists_every_public_symbol(site):
    from book_api import public_symbols
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as stream:
        inventory = InventoryFile.load(stream, "", posixpath.join)
    listed = {name for kind in inventory for name in inventory[kind]}
    missing = [
        full
        for module, names in public_symbols().items()
        for full in (f"{module}.{name}" for name in names)
        if full not in listed
    ]
    assert missing == []
