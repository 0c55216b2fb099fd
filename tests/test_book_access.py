"""Screen readers, keyboards and eyes: the pages as they stand in a browser."""

import functools

import book_browser
import book_reader
import pytest
from book_site import PAGES

pytestmark = book_browser.MARKS
each_page = pytest.mark.parametrize("page", PAGES)
TAB = ("Tab", 9)


@pytest.fixture(scope="module")
def facts(browser, address):
    """The facts of a page, gathered in one visit."""

    @functools.cache
    def gather(page):
        return book_reader.facts(browser, f"{address}{page}.html")

    return gather


@each_page
def test_language_parts_and_ids(facts, page):
    assert facts(page)["structure"] == []


@each_page
def test_one_first_heading_and_no_level_skipped(facts, page):
    assert facts(page)["headings"] == []


@each_page
def test_pictures_are_told_in_words(facts, page):
    assert facts(page)["pictures"] == []


@each_page
def test_tables_say_which_cells_are_heads(facts, page):
    assert facts(page)["tables"] == []


@each_page
def test_whatever_can_be_pressed_has_a_name(facts, page):
    assert facts(page)["unnamed"] == []


@each_page
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(facts, page, theme):
    """WCAG AA: 4.5 to 1, large text 3 to 1; code, verdicts and links included."""
    found = facts(page)[theme]
    assert found["checked"] > 20
    assert found["poor"] == []


def test_the_keyboard_reaches_the_text(browser, address):
    """The first stop leads past the menu; each stop shows where one is."""
    browser.resize(1280)
    browser.scheme("light")
    browser.visit(f"{address}book/how_to_use.html")
    book_reader.load(browser)
    browser.press(*TAB)
    first = browser.evaluate("bookPage.focus()")
    assert first["name"] == "Skip to main content"
    assert first["shown"]
    browser.press("Enter", 13, "\r")
    browser.wait_for("location.hash === '#main-content'")
    stops = []
    for _ in range(12):
        browser.press(*TAB)
        stops.append(browser.evaluate("bookPage.focus()"))
    assert any(stop["inside"] for stop in stops), [stop["what"] for stop in stops]
    assert [
        stop["what"] for stop in stops if not (stop["shown"] and stop["ring"])
    ] == []
    assert [stop["what"] for stop in stops if not stop["name"]] == []


def test_folded_cells_open_by_keyboard(browser, address):
    browser.visit(f"{address}book/04_mda_nested.html")
    browser.evaluate("document.querySelector('article details > summary').focus()")
    opened = "document.querySelector('article details').open"
    before = browser.evaluate(opened)
    browser.press("Enter", 13, "\r")
    browser.wait_for(f"{opened} !== {str(before).lower()}")


BAD = """<!doctype html><html><head><title></title></head><body><main><article>
<h2>Second</h2><h4>Fourth</h4><img src="a.png" alt="a.png">
<p style="color:#999">pale</p><p style="opacity:.3">faded</p>
<p style="color:#000">plain</p><button></button><a href="#x" id="x"></a><b id="x">b</b>
<table><tr><td>1</td></tr></table></article></main></body></html>"""


def test_a_bad_page_would_be_seen(browser, tmp_path):
    """The checks themselves: each fault of this page is named."""
    path = tmp_path / "bad.html"
    path.write_text(BAD)
    found = book_reader.facts(browser, path.as_uri())
    assert len(found["light"]["poor"]) == 2
    assert found["light"]["checked"] > 4
    assert found["headings"] == [
        "0 headings of the first level",
        "begins with Second",
        "skips to Fourth",
    ]
    assert found["pictures"] == ['a.png: "a.png"']
    assert len(found["unnamed"]) == 2
    assert found["tables"] == ["no head: 1"]
    assert found["structure"] == [
        "no language",
        "no title",
        "ids given twice: x",
        "no link past the menu",
    ]
