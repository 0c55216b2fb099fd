"""Make the pages of the staged tree with jupyter-book, execution off."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys
import time

from tools.book.environment import kernel_environment
from tools.book.layout import BookError, Layout
from tools.book.staging import copy_pages

_JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def jupyter_book(
    layout: Layout, source: pathlib.Path, output: pathlib.Path, *options: str
) -> str:
    """Run ``jupyter-book build`` on a tree; return what it printed.

    Raises
    ------
    BookError
        With the warnings and errors, if it fails.
    """
    command = [sys.executable, "-c", _JUPYTER_BOOK, "build", str(source)]
    command += ["--path-output", str(output), *options]
    done = subprocess.run(
        command,
        env=kernel_environment(layout),
        cwd=layout.root,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    output.mkdir(parents=True, exist_ok=True)
    (output / "render.log").write_text(said, encoding="utf-8")
    if done.returncode:
        marks = ("WARNING", "ERROR", "Exception", "CRITICAL")
        lines = [x for x in said.splitlines() if any(m in x for m in marks)]
        lines = list(dict.fromkeys(lines))[:40] or said.splitlines()[-20:]
        raise BookError("\n".join(["jupyter-book refused the pages:", *lines]))
    return said


def render(layout: Layout, *, say=print) -> None:
    """Render the staged tree; every warning is an error.

    The pages are always made from nothing: a page left over from a chapter that was
    renamed would look like a chapter.
    """
    start = time.perf_counter()
    shutil.rmtree(layout.site, ignore_errors=True)
    copy_pages(layout)
    jupyter_book(layout, layout.stage, layout.site, "-W", "-n", "--keep-going")
    say(f"rendered: the pages, in {time.perf_counter() - start:.1f} s")
