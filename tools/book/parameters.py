"""The parameters of a chapter: read them, and refuse what does not fit.

papermill only warns of an unknown parameter and then runs the defaults, and takes a
word where a number is due. Here both are refused before anything runs.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import pathlib
import tokenize
import types
import typing

import yaml

from tools.book import notebooks
from tools.book.layout import BookError

_NAMES = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "None": type(None),
    "Optional": typing.Optional,
    "Union": typing.Union,
    "Any": typing.Any,
}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One line of a ``parameters`` cell.

    Attributes
    ----------
    name : str
        The variable.
    annotation : str
        Its type as written; that of the default where none is written.
    default : str
        The default as written.
    help : str
        The comment behind it.
    typed : bool
        Whether the cell itself says the type.
    """

    name: str
    annotation: str
    default: str
    help: str
    typed: bool

    def describe(self) -> str:
        """One line for a person."""
        text = f"{self.name}: {self.annotation} = {self.default}"
        return f"{text}  # {self.help}" if self.help else text


def _comments(source: str) -> dict[int, str]:
    """The comment of each line that has one."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def parse(source: str) -> list[Parameter]:
    """Read the parameters out of the source of a ``parameters`` cell.

    Parameters
    ----------
    source : str
        Python: assignments, with or without annotations.

    Returns
    -------
    list of Parameter
        In the order of the cell.
    """
    comments = _comments(source)
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation, typed = node.target.id, ast.unparse(node.annotation), True
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, typed = node.targets[0].id, False
            annotation = type(ast.literal_eval(node.value)).__name__
        else:
            continue
        default = ast.unparse(node.value) if node.value is not None else "required"
        comment = comments.get(node.end_lineno, "")
        found.append(Parameter(name, annotation, default, comment, typed))
    return found


def of_notebook(path: pathlib.Path) -> list[Parameter]:
    """The parameters of a notebook; an empty list if it has none."""
    for cell in notebooks.read(path).cells:
        if cell.cell_type == "code" and "parameters" in notebooks.tags(cell):
            return parse(cell.source)
    return []


def _type(annotation: str):
    """The type that an annotation names; ``Any`` if it is none of the simple ones."""
    try:
        return eval(annotation, {"__builtins__": {}}, dict(_NAMES))
    except (NameError, TypeError, SyntaxError, AttributeError):
        return typing.Any


def _fit(value, kind):
    """`value` as one of type `kind`; raise TypeError if it is not one.

    An integer is a float; a bool is no number; a list stands for a tuple, because
    YAML has no tuples.
    """
    if kind is typing.Any:
        return value
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _fit_any(value, inner)
    if origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            raise TypeError
        kinds = [k for k in inner if k is not Ellipsis] or [typing.Any]
        if origin is tuple and Ellipsis not in inner and len(inner) != len(value):
            raise TypeError
        kinds = kinds * len(value) if len(kinds) == 1 else kinds
        return [_fit(v, k) for v, k in zip(value, kinds, strict=True)]
    if origin is dict:
        kind = dict
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (list, tuple) and isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, bool) and kind is not bool:
        raise TypeError
    if not isinstance(value, kind):
        raise TypeError
    return value


def _fit_any(value, kinds):
    """The first of several types that `value` fits."""
    for kind in sorted(kinds, key=lambda k: not _is_exact(value, k)):
        try:
            return _fit(value, kind)
        except TypeError:
            continue
    raise TypeError


def _is_exact(value, kind) -> bool:
    return isinstance(kind, type) and type(value) is kind


def read_text_value(text: str):
    """A value given on the command line, read as YAML: ``0.2``, ``[1, 2]``, ``x``.

    Scientific notation without a point, ``1e-3``, is a number too.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def check(given: dict, known: list[Parameter], *, raw=()) -> dict:
    """Refuse what does not fit; return what papermill is to inject.

    Parameters
    ----------
    given : dict
        Names and values; those in `raw` as typed on a command line.
    known : list of Parameter
        What the chapter offers.
    raw : collection of str
        Names whose value is text still to be read.

    Returns
    -------
    dict
        The values, as the types that the chapter names.

    Raises
    ------
    BookError
        Naming every unknown or ill-typed parameter, and listing the known ones.
    """
    by_name = {p.name: p for p in known}
    problems, values = [], {}
    for name, value in given.items():
        if name not in by_name:
            problems.append(f"unknown parameter: {name}")
            continue
        kind = _type(by_name[name].annotation)
        read = read_text_value(value) if name in raw else value
        try:
            values[name] = _fit(read, kind)
        except TypeError:
            if name in raw and _takes_text(kind):
                values[name] = value
                continue
            wanted = by_name[name].annotation
            problems.append(f"{name} must be {wanted}, got {value!r}")
    if problems:
        listing = [f"  {p.describe()}" for p in known] or ["  none"]
        raise BookError("\n".join([*problems, "the parameters are:", *listing]))
    return values


def _takes_text(kind) -> bool:
    return kind is str or str in typing.get_args(kind)
