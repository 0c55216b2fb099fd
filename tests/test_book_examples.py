"""Python examples of the front matter run as they stand, each in its own namespace."""

import pathlib
import re

import pytest

BOOK = pathlib.Path(__file__).resolve().parents[1] / "book"
BLOCK = re.compile(r"<!-- tested -->\s*```python\n(.*?)```", re.DOTALL)
EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in sorted(BOOK.glob("*.md"))
    for number, code in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
]


def test_the_guide_has_an_example():
    assert EXAMPLES


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code):
    assert "assert " in code  # an example that checks nothing is no test
    exec(compile(code, "example", "exec"), {"__name__": "example"})
