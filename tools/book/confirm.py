"""nbval runs the staged notebooks a second time; the hashes of what it confirmed."""

from __future__ import annotations

import subprocess
import sys
import time

from tools.book.environment import kernel_environment
from tools.book.layout import BookError, Layout
from tools.book.staging import load_record, save_record, sha256

CELL_TIMEOUT = 600


def unconfirmed(layout: Layout) -> list:
    """The staged notebooks that nbval has not confirmed as they are now."""
    staged = load_record(layout.staged_record)
    tested = load_record(layout.manifest)
    return [
        layout.stage_book / path.name
        for path in layout.notebooks()
        if not staged.get(path.name) or tested.get(path.name) != staged[path.name]
    ]


def confirm(layout: Layout, *, say=print) -> None:
    """Let nbval reproduce every output of the staged notebooks.

    Another runner, a fresh kernel and another hash seed must give the same text.
    What passed is recorded with its hash, which `verify` compares with the pages.

    Raises
    ------
    BookError
        If an output is not reproduced.
    """
    for path in layout.notebooks():
        if not (layout.stage_book / path.name).exists():
            raise BookError(f"{path.name} is not staged: run `make book`")
    todo = unconfirmed(layout)
    start = time.perf_counter()
    if todo:
        command = [sys.executable, "-m", "pytest", "-q", "--no-header"]
        command += ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
        command += ["--nbval", f"--nbval-cell-timeout={CELL_TIMEOUT}"]
        command += ["--nbval-sanitize-with", str(layout.root / "nbval_sanitize.cfg")]
        if len(todo) > 1:  # whole files: a notebook's cells must share one kernel
            command += ["-n", "2", "--dist", "loadfile"]
        command += [str(path) for path in todo]
        env = kernel_environment(layout)
        done = subprocess.run(command, env=env, cwd=layout.root, check=False)
        if done.returncode:
            raise BookError("nbval could not reproduce the outputs above")
    staged = load_record(layout.staged_record)
    record = {path.name: staged[path.name] for path in layout.notebooks()}
    for path in layout.notebooks():
        now = sha256((layout.stage_book / path.name).read_bytes())
        if now != record[path.name]["sha256"]:
            raise BookError(f"{path.name} changed while it was being confirmed")
    save_record(layout.manifest, record)
    seconds = time.perf_counter() - start
    say(f"confirmed: {len(record)} notebooks ({len(todo)} run, {seconds:.1f} s)")
