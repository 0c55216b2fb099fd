"""The examples of the docstrings give what they print."""

import doctest
import importlib
import pkgutil

import numpy as np
import pandas as pd
import pytest

import notebook_lib

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(notebook_lib.__path__, "notebook_lib.")
    if not name.endswith("__main__")
]


def examples(name):
    # Another test may have set the book's display: examples print the plain one.
    plain = np.printoptions(precision=8, suppress=False, linewidth=75)
    with plain, pd.option_context("display.precision", 6):
        return doctest.testmod(importlib.import_module(name))


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    assert examples(name).failed == 0


def test_there_are_examples():
    assert examples("notebook_lib.quantiles").attempted > 0
