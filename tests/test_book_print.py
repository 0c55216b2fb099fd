"""A page on paper: the article alone, whole, black on white."""

import re

import book_browser
import book_reader
import pytest
from book_site import LAYOUT

pytestmark = book_browser.MARKS
#: The width of A4 less its margins, in CSS pixels.
PAPER = 680
CHAPTERS = [path.stem for path in LAYOUT.notebooks()]


@pytest.fixture
def printed(browser, address):
    """Lay a page out for paper, from a dark screen."""

    def lay_out(page):
        browser.resize(PAPER)
        browser.scheme("dark")
        browser.visit(f"{address}book/{page}.html")
        book_reader.load(browser)
        book_reader.themed(browser, "dark")
        browser.scheme("dark", media="print")
        browser.evaluate("dispatchEvent(new Event('beforeprint'))")

    yield lay_out
    browser.scheme("light")


@pytest.mark.parametrize("page", CHAPTERS)
def test_nothing_is_cut_off_or_out_of_place(printed, browser, page):
    printed(page)
    found = browser.evaluate("bookPage.paper()")
    assert found == {"cut": [], "extra": [], "folded": []}
    contrast = browser.evaluate("bookPage.contrast({paper: true})")
    assert contrast["checked"] > 20
    assert contrast["poor"] == [], "from a dark screen, on white paper"


def test_the_screen_is_as_it_was_after_printing(printed, browser):
    closed = "document.querySelectorAll('article details:not([open])').length"
    printed(CHAPTERS[0])
    during = browser.evaluate(closed)
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    browser.scheme("light")
    after = browser.evaluate(closed)
    assert after >= during
    assert browser.evaluate("document.querySelectorAll('nav').length") > 0


def test_a_chapter_becomes_a_pdf(browser, address):
    browser.resize(1280)
    browser.scheme("light")
    browser.visit(f"{address}book/{CHAPTERS[0]}.html")
    data = browser.pdf()
    assert data.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 60


def test_a_cut_off_line_would_be_seen(browser, tmp_path):
    page = tmp_path / "wide.html"
    page.write_text(
        "<!doctype html><article><pre style='overflow:auto'>" + "x" * 400 + "</pre>"
        "<details class='claims'><summary>s</summary>v</details></article>"
    )
    browser.resize(PAPER)
    browser.visit(page.as_uri())
    book_reader.load(browser)
    found = browser.evaluate("bookPage.paper()")
    assert len(found["cut"]) == 1
    assert len(found["folded"]) == 1
