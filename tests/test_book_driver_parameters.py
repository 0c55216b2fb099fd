"""Parameters of a chapter are refused before anything runs, or fit their type."""

import pytest

from notebook_lib.params import describe
from tools.book import chapter, parameters
from tools.book.cli import main
from tools.book.layout import BookError

CELL = """\
alpha: float = 0.1  # miscoverage level, in (0, 1)
n: int = 100
label: str = "a"  # a word
quick: bool = True
sizes: list[int] = [10, 20]
pair: tuple[float, float] = (0.0, 1.0)
limit: int | None = None
which: str | list[str] = "all"
loose = 3
"""
KNOWN = describe(CELL)


def check_text(**given):
    return parameters.check(given, KNOWN, raw=set(given))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("alpha", "0.2", 0.2),
        ("alpha", "1", 1.0),
        ("alpha", "1e-3", 0.001),
        ("n", "50", 50),
        ("label", "word", "word"),
        ("label", "3", "3"),
        ("label", "true", "true"),
        ("quick", "false", False),
        ("sizes", "[1, 2]", [1, 2]),
        ("pair", "[0, 2]", [0.0, 2.0]),
        ("limit", "null", None),
        ("limit", "7", 7),
        ("which", "[a, b]", ["a", "b"]),
        ("which", "a", "a"),
        ("loose", "4", 4),
    ],
)
def test_values_that_fit(name, text, value):
    fitted = check_text(**{name: text})[name]
    assert fitted == value
    assert type(fitted) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alpha", "x"),
        ("alpha", "true"),
        ("alpha", "[0.1]"),
        ("n", "1.5"),
        ("n", "true"),
        ("n", ""),
        ("quick", "1"),
        ("sizes", "3"),
        ("sizes", "[1, x]"),
        ("pair", "[1]"),
        ("pair", "[1, 2, 3]"),
        ("limit", "1.5"),
        ("loose", "x"),
    ],
)
def test_values_that_do_not_fit(name, text):
    with pytest.raises(BookError, match=f"{name} must be "):
        check_text(**{name: text})


def test_all_problems_at_once_with_the_known_ones():
    with pytest.raises(BookError) as caught:
        check_text(alpah="0.2", n="x")
    message = str(caught.value)
    assert "unknown parameter: alpah" in message
    assert "n must be int, got 'x'" in message
    assert "alpha: float = 0.1  # miscoverage level, in (0, 1)" in message
    assert "loose: int = 3" in message


def test_a_chapter_without_parameters_says_so():
    with pytest.raises(BookError, match="a\nthe parameters are:\n  none"):
        parameters.check({"a": 1}, [])


def test_values_from_yaml_are_not_read_twice():
    assert parameters.check({"label": "3"}, KNOWN) == {"label": "3"}
    with pytest.raises(BookError, match="label must be str, got 3"):
        parameters.check({"label": 3}, KNOWN)


def test_the_command_line_wins_over_files(tmp_path):
    path = tmp_path / "p.yml"
    path.write_text("n: 1\nalpha: 0.3\n")
    given, raw = chapter.read_parameters([["n", "3"]], ["n: 2"], [str(path)])
    assert given == {"n": "3", "alpha": 0.3}
    assert raw == {"n"}


@pytest.mark.parametrize("text", ["[1, 2]", "x", "{a: "])
def test_yaml_that_is_no_mapping_is_refused(text):
    with pytest.raises(BookError):
        chapter.read_parameters([], [text], [])


def test_cli_says_what_is_wrong_without_a_traceback(tmp_path, capsys):
    (tmp_path / "book").mkdir()
    assert main(["--root", str(tmp_path), "chapter", "04", "-p", "alpha", "1"]) == 1
    assert capsys.readouterr().err == (
        "chapter: no chapter fits '04'; the chapters are: none\n"
    )
    assert main(["--root", str(tmp_path), "serve"]) == 1
    assert "make book" in capsys.readouterr().err
