"""Show the built book on loopback."""

from __future__ import annotations

import functools
import http.server
import pathlib

from tools.book.layout import BookError, Layout


class Server(http.server.ThreadingHTTPServer):
    """A server of files on loopback only."""

    daemon_threads = True


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A handler that keeps the terminal quiet."""

    def log_message(self, *args):
        """Say nothing."""


def make_server(folder: pathlib.Path, port: int) -> Server:
    """A server of `folder` on 127.0.0.1; port 0 takes any free one."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    return Server(("127.0.0.1", port), handler)


def serve(layout: Layout, port: int = 8000, *, say=print) -> None:
    """Serve the built book until interrupted.

    Parameters
    ----------
    layout : Layout
        The checkout.
    port : int
        The port; the next free one is taken if it is in use.

    Raises
    ------
    BookError
        If the book is not built, or no port is free.
    """
    if not (layout.html / "index.html").exists():
        raise BookError("the book is not built: run `make book`")
    for candidate in range(port, port + 20):
        try:
            server = make_server(layout.html, candidate)
        except OSError:
            continue
        with server:
            say(f"the book is at http://127.0.0.1:{candidate}/ (Ctrl-C ends)")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                say("")
        return
    raise BookError(f"no free port from {port} to {port + 19}")
