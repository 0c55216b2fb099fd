"""Links, anchors and downloads, followed in a browser."""

import functools
import json
import urllib.error
import urllib.parse
import urllib.request

import book_browser
import book_reader
import pytest
from book_site import LAYOUT, PAGES

from tools.book import pages

pytestmark = book_browser.MARKS


@functools.cache
def fetch(url):
    """The status and the bytes of an address of the site."""
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


@functools.cache
def ids_of(url):
    return pages.Page(fetch(url)[1].decode()).ids


def is_broken(link):
    url, fragment = urllib.parse.urldefrag(link)
    if fetch(url)[0] != 200:
        return True
    wanted = urllib.parse.unquote(fragment)
    return bool(wanted) and url.endswith(".html") and wanted not in ids_of(url)


@pytest.fixture(scope="module")
def links(browser, address):
    """The links of a page as the browser resolves them, scripts having run."""

    @functools.cache
    def gather(page):
        browser.resize(1280)
        seen = browser.visit(f"{address}{page}.html")
        assert seen.errors == []
        book_reader.load(browser)
        return browser.evaluate("bookPage.links()")

    return gather


@pytest.mark.parametrize("page", [*PAGES, "search", "genindex"])
def test_every_link_leads_somewhere(links, page):
    found = links(page)
    assert len(found) > len(PAGES) / 2, "the menu alone has more links"
    assert [link for link in found if is_broken(link)] == []


def test_links_of_the_ledger_lead_to_what_can_be_seen(browser, address, links):
    """A verdict may lie in a folded block: the link opens it."""
    targets = {}
    for link in links("book/ledger"):
        url, fragment = urllib.parse.urldefrag(link)
        if fragment and "/ledger.html" not in url:
            targets.setdefault(url, []).append(urllib.parse.unquote(fragment))
    chapters = [f"{address}book/{path.stem}.html" for path in LAYOUT.chapters()]
    assert sum(len(targets.get(url, [])) for url in chapters) > 100
    unseen = {}
    for url in sorted(set(targets) & set(chapters)):
        unseen[url] = []
        # Chromium ignores what comes after 200 jumps on one page within ten seconds.
        for start in range(0, len(targets[url]), 100):
            browser.visit(url)
            book_reader.load(browser)
            ids = json.dumps(targets[url][start : start + 100])
            unseen[url] += browser.evaluate(f"bookPage.unseen({ids})")
    assert {url: ids for url, ids in unseen.items() if ids} == {}


def test_a_link_opens_the_block_it_leads_into(browser, address, tmp_path):
    """The script that opens it, on a page of one folded verdict; and its absence."""
    script = (LAYOUT.book / "_static" / "claims.js").read_text(encoding="utf-8")
    body = "<details><summary>many</summary><p id='v'>verdict</p></details>"
    for name, head, expected in (
        ("with", f"<script>{script}</script>", []),
        ("without", "", ["v"]),
    ):
        path = tmp_path / f"{name}.html"
        path.write_text(f"<!doctype html>{head}{body}")
        browser.visit(path.as_uri())
        book_reader.load(browser)
        # Chromium opens a closed block for some targets itself; what counts is that
        # a link never ends in a closed one.
        seen = browser.evaluate("bookPage.unseen(['v'])")
        assert seen in (expected, []), name
        if name == "with":
            assert browser.evaluate("document.querySelector('details').open")


@pytest.mark.parametrize("path", LAYOUT.notebooks(), ids=lambda p: p.stem)
def test_the_download_is_the_confirmed_notebook(browser, address, path):
    browser.resize(1280)
    browser.visit(f"{address}book/{path.stem}.html")
    link = browser.evaluate(
        "document.querySelector('a.btn-download-source-button').href"
    )
    status, data = fetch(link)
    assert status == 200
    assert data == (LAYOUT.stage_book / path.name).read_bytes()
    assert json.loads(data)["cells"]


def test_the_menu_of_downloads_opens(browser, address):
    browser.resize(1280)
    browser.visit(f"{address}book/{LAYOUT.notebooks()[0].stem}.html")
    entry = "document.querySelector('a.btn-download-source-button').checkVisibility()"
    assert not browser.evaluate(entry)
    browser.evaluate(
        "document.querySelector('.dropdown-download-buttons button').focus()"
    )
    browser.press("Enter", 13, "\r")
    browser.wait_for(entry)
