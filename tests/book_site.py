"""The built site, as the tests of pages see it."""

from __future__ import annotations

import pytest
import yaml

from tools.book import pages
from tools.book.layout import Layout

LAYOUT = Layout()
TOC = yaml.safe_load((LAYOUT.root / "_toc.yml").read_text(encoding="utf-8"))
PAGES = pages.toc_files(TOC)


def site_or_fail():
    """The folder of the built pages.

    Not skipped where it is absent: `make test` builds the book first, and a test
    that is passed over looks like one that passed.
    """
    if not (LAYOUT.html / "index.html").exists():
        pytest.fail("the book is not built: run `make book` first (or `make test`)")
    return LAYOUT.html
