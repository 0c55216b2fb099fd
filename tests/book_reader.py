"""What ``book_page.js`` finds on a page, for the tests of the reader's ways."""

from __future__ import annotations

import pathlib

SCRIPT = pathlib.Path(__file__).with_name("book_page.js").read_text(encoding="utf-8")
_SETTLE = "new Promise(done => setTimeout(done, 50))"


def load(browser) -> None:
    """Make ``bookPage`` known to the page shown, and its changes immediate."""
    browser.evaluate(SCRIPT)


def themed(browser, name: str) -> None:
    """Show the page ``light`` or ``dark``, as its button does."""
    browser.evaluate(f"document.documentElement.dataset.theme = '{name}'")
    browser.evaluate(_SETTLE)


def facts(browser, url: str) -> dict:
    """Names, order, pictures, tables, links, and contrast in both themes.

    Everything that can be opened is opened first.
    """
    browser.resize(1280)
    browser.scheme("light")
    seen = browser.visit(url)
    load(browser)
    browser.evaluate("bookPage.openAll()")
    found = browser.evaluate("bookPage.facts()")
    found["errors"] = seen.errors
    found["links"] = browser.evaluate("bookPage.links()")
    for theme in ("light", "dark"):
        themed(browser, theme)
        found[theme] = browser.evaluate("bookPage.contrast()")
    return found
