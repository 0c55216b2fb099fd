"""Settings and fixtures that every test shares."""

import threading

import pytest
from hypothesis import settings

# No deadlines: a busy machine is no bug. Derandomised: the same draws on every run.
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")


@pytest.fixture(scope="session")
def address():
    """The built site on loopback."""
    from book_site import site_or_fail

    from tools.book.serve import make_server

    server = make_server(site_or_fail(), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser(address):
    """One Chromium for all tests of pages (marked by ``book_browser.MARKS``)."""
    import book_browser

    with book_browser.Browser(book_browser.find_browser()) as one:
        yield one
