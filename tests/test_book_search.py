"""The search finds each method by each of its names, and leads to its chapter."""

import urllib.parse

import book_browser
import pytest
from book_site import LAYOUT

pytestmark = book_browser.MARKS
CHAPTERS = {path.stem[:2]: path.stem for path in LAYOUT.chapters()}
#: What people type, and the chapters that explain it.
NAMES = {
    "CP-MDA-Nested*": "04",
    "CP-MDA-Nested": "04",
    "CP-MDA-Exact": "04",
    "nested star": "04",
    "missing data augmentation": "04",
    "Mondrian": "04",
    "CQR": "04",
    "impute-then-predict": "04",
    "MCAR": "04",
    "MAR": "04",
    "MNAR": "04",
    "missing completely at random": "04",
    "nexCP": "03",
    "nonexchangeable": "03",
    "LCP": "03",
    "localized": "03",
    "localized conformal prediction": "03",
    "HEOM": "03",
    "SCMC": "02",
    "structured conformal": "02",
    "structured conformal matrix completion": "02",
    "ALS": "02",
    "alternating least squares": "02",
    "Wallenius": "02",
    "Bonferroni": "02",
    "weighted CP": "05",
    "weighted conformal": "05",
    "weighted conformal prediction": "05",
    "pro-CP": "05",
    "pro-CP2": "05",
    "propensity": "05",
    "individual treatment effect": "05",
    "missing at random": "05",
    "EM": "01",
    "expectation maximization": "01",
    "latent class": "01",
    "split conformal": "notation",
}
#: A reader looks at the first results.
LOOKED_AT = 6
RESULTS = """[...document.querySelectorAll('#search-results ul.search > li > a')]
  .map(a => a.href)"""
#: What the page says when it is done, once there is such a page and it is done.
DONE = """(said => /finished|did not match/.test(said) && said)(
  document.querySelector('#search-results')?.innerText)"""


def results(browser):
    """The addresses that the page of the search shows, best first."""
    browser.wait_for(DONE)
    return browser.evaluate(RESULTS)


def search(browser, address, words):
    browser.resize(1280)
    query = urllib.parse.quote_plus(words)
    browser.visit(f"{address}search.html?q={query}")
    return results(browser)


def linked_from_entry(browser, url):
    """The pages that the entry of a word links to."""
    browser.visit(url)
    term = urllib.parse.unquote(urllib.parse.urlsplit(url).fragment)
    return browser.evaluate(
        f"""(() => {{
      let e = document.getElementById({term!r});
      while (e && e.tagName !== 'DD') e = e.nextElementSibling;
      return e ? [...e.querySelectorAll('a')].map(a => a.pathname) : [];
    }})()"""
    )


@pytest.mark.parametrize("words", NAMES)
def test_found_by_its_name(browser, address, words):
    """The chapter is among the first results, or the first one's entry links to it."""
    page = CHAPTERS.get(NAMES[words], NAMES[words])
    found = search(browser, address, words)[:LOOKED_AT]
    assert found
    entries = [url for url in found[:2] if "/names.html#term-" in url]
    assert entries, f"no entry in book/names.md: {found}"
    paths = [urllib.parse.urlsplit(url).path for url in found]
    paths += linked_from_entry(browser, entries[0])
    assert f"/book/{page}.html" in paths


def test_typed_into_the_field(browser, address):
    """Ctrl and K, the words, Enter: the way of the keyboard."""
    browser.resize(1280)
    browser.visit(f"{address}book/intro.html")
    ctrl_k = {"key": "k", "code": "KeyK", "windowsVirtualKeyCode": 75, "modifiers": 2}
    for kind in ("rawKeyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, **ctrl_k)
    browser.call("Input.insertText", text="CP-MDA-Nested*")
    browser.press("Enter", 13, "\r")
    assert any("04_mda_nested" in url for url in results(browser)[:LOOKED_AT])


def test_a_word_that_is_nowhere_is_not_found(browser, address):
    assert search(browser, address, "qwertzuiop") == []
