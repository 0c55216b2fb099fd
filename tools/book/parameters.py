"""The parameters of a chapter: read them, and refuse what does not fit.

papermill only warns of an unknown parameter and then runs the defaults, and takes a
word where a number is due. Here both are refused before anything runs.
"""

from __future__ import annotations

import types
import typing

import yaml

from notebook_lib.params import Parameter
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


def describe(parameter: Parameter) -> str:
    """One line for a person: name, type, default and meaning."""
    text = f"{parameter.name}: {annotation_of(parameter)} = {parameter.default}"
    return f"{text}  # {parameter.help}" if parameter.help else text


def annotation_of(parameter: Parameter) -> str:
    """The type as written; that of the default where none is written."""
    try:
        return parameter.annotation or type(parameter.value).__name__
    except ValueError:
        return "Any"


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
        kind = _type(annotation_of(by_name[name]))
        read = read_text_value(value) if name in raw else value
        try:
            values[name] = _fit(read, kind)
        except TypeError:
            if name in raw and _takes_text(kind):
                values[name] = value
                continue
            wanted = annotation_of(by_name[name])
            problems.append(f"{name} must be {wanted}, got {value!r}")
    if problems:
        listing = [f"  {describe(p)}" for p in known] or ["  none"]
        raise BookError("\n".join([*problems, "the parameters are:", *listing]))
    return values


def _takes_text(kind) -> bool:
    return kind is str or str in typing.get_args(kind)
