"""The pages in a real browser: nothing from outside, formulae set, phones served."""

import re

import book_browser
import pytest
from book_site import LAYOUT, PAGES, site_or_fail

from tools.book import chapter

pytestmark = book_browser.MARKS
PHONE = 390
# The words of the article without code, where TeX would be meant as TeX.
WORDS = """(() => {
  const copy = document.querySelector('article').cloneNode(true);
  copy.querySelectorAll('pre, code, mjx-container, script, .viewcode-back')
    .forEach(e => e.remove());
  return copy.textContent;
})()"""
RAW_TEX = re.compile(r"\\[()\[\]]|\$\$|\\(?:frac|mathbb|alpha|hat|begin|left|text)\b")
WIDE = """[...document.querySelectorAll('article *')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .filter(e => !e.closest('pre, mjx-container, .cell_output, .math, '
    + '.pst-scrollable-table-container, .highlight'))
  .slice(0, 5).map(e => e.tagName + ' ' + e.textContent.slice(0, 60))"""


def outside(requests, address):
    """The requests that left the machine."""
    return [r for r in requests if not r.startswith((address, "data:", "blob:"))]


@pytest.mark.parametrize("page", [*PAGES, "search", "genindex"])
def test_page_asks_only_itself_and_sets_its_formulae(browser, address, page):
    browser.resize(1280)
    browser.scheme("light")
    seen = browser.visit(f"{address}{page}.html")
    assert seen.requests
    assert outside(seen.requests, address) == []
    assert seen.failures == []
    assert seen.errors == []
    formulae = browser.evaluate("document.querySelectorAll('.math').length")
    assert (
        browser.evaluate(
            "[...document.querySelectorAll('.math')]"
            ".filter(e => !e.querySelector('mjx-container')).length"
        )
        == 0
    )
    assert (
        browser.evaluate(
            "[...document.querySelectorAll('mjx-merror, mjx-mtext[style*=red]')]"
            ".map(e => e.textContent)"
        )
        == []
    )
    if page in PAGES:
        words = browser.evaluate(WORDS)
        assert RAW_TEX.findall(words) == [], f"{formulae} formulae, raw TeX left"
    assert (
        browser.evaluate(
            "[...document.images].filter(i => i.offsetParent && !i.naturalWidth)"
            ".map(i => i.src)"
        )
        == []
    )


@pytest.mark.parametrize("page", PAGES)
def test_page_fits_a_phone(browser, address, page):
    browser.resize(PHONE)
    browser.scheme("dark")
    browser.visit(f"{address}{page}.html")
    wide = browser.evaluate(WIDE)
    width = browser.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE, f"{width} pixels wide: {wide}"


def test_dark_and_light_follow_the_reader(browser, address):
    colours = {}
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.visit(f"{address}book/intro.html")
        colours[scheme] = browser.evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
    assert colours["light"] != colours["dark"]


def test_the_page_of_a_variant_asks_only_itself(browser, tmp_path):
    """`make chapter` renders one page with the book's look and local formulae."""
    site_or_fail()
    staged = LAYOUT.stage_book / LAYOUT.notebooks()[0].name
    page = chapter.page_of(LAYOUT, tmp_path, staged)
    browser.resize(1280)
    browser.scheme("light")
    seen = browser.visit(page.as_uri())
    assert [r for r in seen.requests if not r.startswith(("file:", "data:"))] == []
    assert seen.failures == []
    assert browser.evaluate("document.querySelectorAll('article h1').length") == 1
    unset = "[...document.querySelectorAll('.math')]"
    unset += ".filter(e => !e.querySelector('mjx-container')).length"
    assert browser.evaluate(unset) == 0


def test_a_request_to_elsewhere_would_be_seen(browser, address, tmp_path):
    """The check itself: a page with an outside picture must not look clean."""
    page = tmp_path / "bad.html"
    page.write_text("<img src='http://outside.invalid/x.png'>")
    seen = browser.visit(page.as_uri())
    assert "http://outside.invalid/x.png" in outside(seen.requests, address)
    assert seen.failures
