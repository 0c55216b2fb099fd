"""What may be committed: nothing large, and no trace of where it was made."""

import re
import subprocess
import sys

import pytest

from tools.book.layout import REPOSITORY
from tools.book.pairs import SIZE_CAP

CAP = 5_000_000

# Written in pieces, so that this file does not hold what it forbids.
FORBIDDEN = {
    "registry address": re.compile(
        "|".join(
            [
                r"files\.python" + r"hosted\.org",
                r"pypi\.org/" + "simple",
                "registry\\.npm" + "js",
                "deb\\.debian" + "\\.org",
                "--index" + "-url ",
                "extra-index" + "-url ",
            ]
        )
    ),
    "machine path": re.compile(
        r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|home/\w+)/"
        r"|/tm" + r"p/(?:ipykernel|team|tmp|pytest)"
    ),
}


def committed():
    """Every file that git would carry."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.fail("git cannot list the repository's files")
    names = [name for name in listing.stdout.split("\0") if name]
    return [REPOSITORY / n for n in names if (REPOSITORY / n).is_file()]


FILES = committed()


def read(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_the_listing_is_not_empty():
    names = {str(p.relative_to(REPOSITORY)) for p in FILES}
    assert {"Makefile", "pyproject.toml", "tools/book/cli.py"} <= names


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_file_says_where_it_was_made(kind):
    pattern = FORBIDDEN[kind]
    found = {}
    for path in FILES:
        hits = pattern.findall(read(path))
        if hits:
            found[str(path.relative_to(REPOSITORY))] = hits[:3]
    assert found == {}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("registry address", "https://files.python" + "hosted.org/packages/x"),
        ("machine path", "/wo" + "rk/main/x.py"),
        ("machine path", "File /tm" + "p/ipykernel_12/3.py"),
        ("machine path", "/home/" + "someone/x"),
    ],
)
def test_the_patterns_find_what_they_are_for(kind, text):
    assert FORBIDDEN[kind].search(text)


def test_the_lock_names_no_host():
    lock = read(REPOSITORY / "requirements.lock")
    assert "://" not in lock


def test_no_large_file():
    large = {p.name: p.stat().st_size for p in FILES if p.stat().st_size > CAP}
    assert large == {}


def test_no_large_notebook():
    books = [p for p in FILES if p.suffix == ".ipynb"]
    assert {p.name for p in books if p.stat().st_size > SIZE_CAP} == set()


def test_nothing_made_is_committed():
    made = ("_build/", ".venv/", "__pycache__/", ".egg-info/", ".ipynb_checkpoints/")
    names = [str(p.relative_to(REPOSITORY)) for p in FILES]
    assert [n for n in names if any(m in n for m in made)] == []
    ends = (".running.ipynb", ".failed.ipynb", "uv.lock", "pylock.toml")
    assert [n for n in names if n.endswith(ends)] == []


def unformatted(*paths):
    """Which files `ruff format` would lay out otherwise."""
    command = [sys.executable, "-m", "ruff", "format", "--check"]
    command += ["--output-format", "concise", *map(str, paths)]
    run = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if run.returncode not in (0, 1):
        pytest.fail(f"ruff format did not run: {run.stderr}")
    return re.findall(r"^(.+?\.py):", run.stdout, re.MULTILINE)


def test_python_is_laid_out_by_ruff(tmp_path):
    """What `make lint` and the hook say, before anybody runs them."""
    odd = tmp_path / "odd.py"
    odd.write_text("x = f( 1,2 )\n", encoding="utf-8")
    assert unformatted(odd) == [str(odd)]
    assert unformatted(*(p for p in FILES if p.suffix == ".py")) == []
