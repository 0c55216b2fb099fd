"""The commands in the prose that are marked as tested do what they say.

A page marks a fenced block by ``<!-- tested -->`` on a line before it. Of the block,
the lines that begin with ``make``, ``papermill`` or ``python -m`` are tested:
targets must exist, parameters must fit, and what is quick is run for real.
"""

import os
import re
import shlex
import subprocess
import sys

import pytest

from notebook_lib.params import describe
from tools.book import chapter, parameters
from tools.book.cli import build_parser
from tools.book.layout import REPOSITORY, Layout

LAYOUT = Layout()
BLOCK = re.compile(
    r"^<!-- tested -->\s*\n+(?P<fence>`{3,})[^\n]*\n(?P<body>.*?)^(?P=fence)\s*$",
    re.M | re.S,
)
START = ("make", "papermill ", "python -m ")


def commands():
    found = []
    for path in [REPOSITORY / "README.md", *sorted(LAYOUT.book.glob("*.md"))]:
        for block in BLOCK.finditer(path.read_text(encoding="utf-8")):
            body = block["body"].replace("\\\n", " ")
            for line in body.splitlines():
                line = line.strip().removeprefix("$ ").split("  #")[0].strip()
                if line.startswith(START):
                    found.append(pytest.param(line, id=f"{path.stem}: {line}"))
    return list({p.values[0]: p for p in found}.values())


def run(command, timeout=600):
    """Run a command of the environment at the root of the checkout."""
    here = os.path.dirname(sys.executable)
    env = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def check_make(words):
    done = run(["make", "-n", *words[1:]])
    assert done.returncode == 0, done.stderr
    given = dict(w.split("=", 1) for w in words[1:] if "=" in w)
    if "chapter" in words:
        check_chapter([given["CH"], *shlex.split(given.get("PARAMS", ""))])


def check_chapter(words):
    args = build_parser().parse_args(["chapter", *words])
    values, raw = chapter.read_parameters(args.p, args.y, args.f)
    parameters.check(values, describe(LAYOUT.find(args.name)), raw=raw)


def papermill_parts(words):
    """The files, the parameters and the other options of a papermill call."""
    files, given, options = [], {}, []
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word == "-p":
            name = rest.pop(0)
            given[name] = rest.pop(0)
        elif word == "--cwd":
            rest.pop(0)
        elif word.startswith("-"):
            options.append(word)
        else:
            files.append(word)
    return files, given, options


def check_papermill(words, tmp_path):
    """Run it for real, made small by the chapter's smoke parameters."""
    files, given, options = papermill_parts(words)
    notebook = REPOSITORY / files[0]
    assert notebook.exists(), f"{files[0]} does not exist"
    if "--help-notebook" in options:
        assert run(words).stdout
        return
    parameters.check(given, describe(notebook), raw=set(given))
    smoke = LAYOUT.book / "params" / f"{notebook.stem}.smoke.yml"
    target = tmp_path / "out.ipynb"
    small = ["papermill", str(notebook), str(target), "-f", str(smoke)]
    small += [word for pair in given.items() for word in ("-p", *pair)]
    done = run([*small, "--cwd", str(LAYOUT.book), "--no-progress-bar"])
    assert done.returncode == 0, done.stderr[-2000:]
    assert target.exists()


def check_module(words):
    assert words[:2] == ["python", "-m"]
    if words[2] == "tools.book" and words[3] == "chapter":
        check_chapter(words[4:])
    else:
        done = run([sys.executable, *words[1:]])
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("line", commands())
def test_command_in_the_prose(line, tmp_path):
    words = shlex.split(line)
    if words[0] == "make":
        check_make(words)
    elif words[0] == "papermill":
        check_papermill(words, tmp_path)
    else:
        check_module(words)


def test_the_book_says_how_to_run_itself():
    """The ways of using it that have a command, in how_to_use, each tested."""
    lines = [p.values[0] for p in commands()]
    for start in ("make book", "make test", "make chapter ", "papermill "):
        assert any(line.startswith(start) for line in lines), start


def test_parts_of_a_papermill_call():
    line = "papermill --cwd book in.ipynb out.ipynb -p a 1 -p b x --log-output"
    assert papermill_parts(shlex.split(line)) == (
        ["in.ipynb", "out.ipynb"],
        {"a": "1", "b": "x"},
        ["--log-output"],
    )


def test_a_wrong_command_would_be_seen(tmp_path):
    with pytest.raises(AssertionError):
        check_make(["make", "nosuchtarget"])
    with pytest.raises(AssertionError):
        check_papermill(["papermill", "book/nosuch.ipynb", "out.ipynb"], tmp_path)
