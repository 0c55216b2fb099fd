"""Every public symbol is documented, and the reference has a place for it."""

import importlib
import inspect
import re

import pytest
from book_api import public_modules, public_names, public_symbols

from tools.book.layout import REPOSITORY

SYMBOLS = [
    (module, name) for module, names in public_symbols().items() for name in names
]
_ORDER = re.compile(
    r"(Draw|Fit|Make|Build|Compute|Solve|Find|Check|Split|Sample|Read|Load|Run|Write)\b"
)


def section(doc: str, *names: str) -> bool:
    """Whether a numpydoc text has one of these sections."""
    return any(re.search(rf"^\s*{name}\n\s*-{{3,}}", doc, re.M) for name in names)


def parameters(function) -> list[str]:
    """The parameters a caller gives."""
    return [
        p
        for p in inspect.signature(function).parameters
        if p not in ("self", "cls", "args", "kwargs")
    ]


def doc_problems(name: str, function) -> list[str]:
    """What a function's docstring lacks."""
    doc = inspect.getdoc(function) or ""
    if not doc.strip():
        return [f"{name} has no docstring"]
    found = []
    if not section(doc, "Parameters"):  # a line that names them all is enough
        silent = [p for p in parameters(function) if not re.search(rf"\b{p}\b", doc)]
        found += [f"{name} does not say its parameter {p}" for p in silent]
    returns = inspect.signature(function).return_annotation
    if returns not in (None, "None", inspect.Signature.empty):
        # A first line that names the thing ("Width of ...") says it; an order
        # ("Draw ...") needs the section.
        told = section(doc, "Returns", "Yields") or not re.match(_ORDER, doc)
        if not told and "eturn" not in doc:
            found.append(f"{name} does not say what it Returns")
    return found


def class_problems(name: str, cls) -> list[str]:
    """What a class's docstring and its methods' lack."""
    doc = inspect.getdoc(cls) or ""
    found = [] if doc.strip() else [f"{name} has no docstring"]
    if issubclass(cls, (Warning, Exception)):
        return found
    given = parameters(cls.__init__) if "__init__" in vars(cls) else []
    if not section(doc, "Parameters", "Attributes"):
        silent = [p for p in given if not re.search(rf"\b{p}\b", doc)]
        found += [f"{name} does not say its parameter {p}" for p in silent]
    for key, value in vars(cls).items():
        is_method = inspect.isfunction(value) and not key.startswith("_")
        if is_method and not (inspect.getdoc(getattr(cls, key)) or "").strip():
            found.append(f"{name}.{key} has no docstring")
    return found


@pytest.mark.parametrize(("module", "name"), SYMBOLS, ids=lambda x: x)
def test_public_symbol_is_documented(module, name):
    value = getattr(importlib.import_module(module), name)
    problems = class_problems if inspect.isclass(value) else doc_problems
    assert problems(f"{module}.{name}", value) == []


@pytest.mark.parametrize("name", public_modules())
def test_module_says_what_it_is_for(name):
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip()
    missing = [n for n in public_names(module) if not hasattr(module, n)]
    assert missing == []


@pytest.mark.parametrize("name", public_modules())
def test_module_has_a_place_in_the_reference(name):
    texts = [p.read_text(encoding="utf-8") for p in _api_pages()]
    lines = {line.strip() for text in texts for line in text.splitlines()}
    assert f".. automodule:: {name}" in lines


def _api_pages():
    return sorted((REPOSITORY / "book" / "api").glob("*.md"))
