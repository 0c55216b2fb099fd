"""Chapter parameters: typed defaults, validated together, with help.

A chapter's first code cell holds typed defaults with a comment each; the
second validates them::

    alpha: float = 0.1  # miscoverage level, in (0, 1)
    n_cal: int = 500    # calibration rows

    from notebook_lib import params
    params.validate(globals(), alpha=params.between(0, 1), n_cal=params.integer(1))

papermill injects *any* name it is given, known or not. :func:`validate` refuses
the unknown ones, and reports every problem at once.
"""

from __future__ import annotations

import ast
import difflib
import io
import json
import math
import numbers
import re
import tokenize
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INJECTED_HEADER = "# Parameters"
_IPYTHON_NAMES = frozenset({"In", "Out", "exit", "quit", "open", "get_ipython"})
_PLAIN = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set)


# --------------------------------------------------------------------- rules


@dataclass(frozen=True)
class Rule:
    """What one parameter may be.

    Parameters
    ----------
    wants : str
        The condition, as read in "alpha = 2: needs <wants>".
    convert : callable
        Maps a value to its canonical form, or raises ``ValueError``.
    """

    wants: str
    convert: Callable[[Any], Any]

    def check(self, value: Any) -> Any:
        """Return the canonical value.

        Raises
        ------
        ValueError
            "needs <wants>", with the reason if the rule gives one.
        """
        try:
            return self.convert(value)
        except (ValueError, TypeError, OverflowError) as reason:
            extra = f" ({reason})" if str(reason) else ""
            raise ValueError(f"needs {self.wants}{extra}") from None


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ValueError(_type_hint(value))
    value = float(value)
    if math.isnan(value):
        raise ValueError("it is NaN")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ValueError(_type_hint(value))
    return int(value)


def _type_hint(value: Any) -> str:
    name = type(value).__name__
    if isinstance(value, str):
        return f"it is the text {value!r}"
    return f"it is {'an' if name[0] in 'aeiou' else 'a'} {name}"


def _need(condition: bool) -> None:
    if not condition:
        raise ValueError


def between(low: float, high: float, *, closed: str = "neither") -> Rule:
    """A number between two bounds; ints are accepted.

    Parameters
    ----------
    low, high : float
        The bounds.
    closed : {"neither", "left", "right", "both"}
        Which bounds are allowed values.
    """
    if closed not in ("neither", "left", "right", "both"):
        raise ValueError(
            f"closed must be 'neither', 'left', 'right' or 'both', not {closed!r}"
        )
    left, right = closed in ("left", "both"), closed in ("right", "both")
    span = f"{'[' if left else '('}{low:g}, {high:g}{']' if right else ')'}"

    def convert(value):
        value = _real(value)
        _need(value > low or (left and value == low))
        _need(value < high or (right and value == high))
        return value

    return Rule(f"a number in {span}", convert)


def number(minimum: float | None = None, maximum: float | None = None) -> Rule:
    """A finite number.

    Parameters
    ----------
    minimum, maximum : float, optional
        Bounds; both are allowed values.
    """
    wants = "a finite number" + _bounds_text(minimum, maximum)

    def convert(value):
        value = _real(value)
        _need(math.isfinite(value))
        _need(minimum is None or value >= minimum)
        _need(maximum is None or value <= maximum)
        return value

    return Rule(wants, convert)


def positive() -> Rule:
    """A finite number above zero."""

    def convert(value):
        value = _real(value)
        _need(math.isfinite(value) and value > 0)
        return value

    return Rule("a finite number above 0", convert)


def integer(minimum: int | None = None, maximum: int | None = None) -> Rule:
    """A whole number, not a bool.

    Parameters
    ----------
    minimum, maximum : int, optional
        Bounds; both are allowed values.
    """
    wants = "a whole number" + _bounds_text(minimum, maximum)

    def convert(value):
        value = _whole(value)
        _need(minimum is None or value >= minimum)
        _need(maximum is None or value <= maximum)
        return value

    return Rule(wants, convert)


def _bounds_text(minimum, maximum) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum:g} to {maximum:g}"
    if minimum is not None:
        return f", at least {minimum:g}"
    return "" if maximum is None else f", at most {maximum:g}"


def choice(*options: Any) -> Rule:
    """One of the given values.

    Parameters
    ----------
    *options : str, number or None
        The allowed values; ``True`` is not ``1``.
    """
    if not options:
        raise ValueError(
            "options is empty: give the allowed values, such as choice('a', 'b')"
        )

    def convert(value):
        for option in options:
            same_kind = isinstance(value, bool) == isinstance(option, bool)
            if same_kind and value == option:
                return option
        raise ValueError(_closest(value, options))

    return Rule("one of " + ", ".join(map(repr, options)), convert)


def _closest(value: Any, options: tuple) -> str:
    if not isinstance(value, str):
        return ""
    texts = {o.lower(): o for o in options if isinstance(o, str)}
    near = difflib.get_close_matches(value.lower(), texts, 1)
    return f"did you mean {texts[near[0]]!r}?" if near else ""


def text() -> Rule:
    """A text that is not empty."""

    def convert(value):
        _need(isinstance(value, str) and value.strip() != "")
        return value

    return Rule("a text that is not empty", convert)


def optional(rule: Rule) -> Rule:
    """``None``, or what the other rule wants.

    Parameters
    ----------
    rule : Rule
        For values other than ``None``.
    """
    return Rule(
        f"None, or {rule.wants}",
        lambda value: None if value is None else rule.check(value),
    )


def list_of(rule: Rule, *, min_length: int = 1, max_length: int | None = None) -> Rule:
    """A list or tuple whose every element satisfies a rule.

    Parameters
    ----------
    rule : Rule
        For each element.
    min_length, max_length : int
        How many elements there may be.
    """
    wants = f"a list of at least {min_length}, each {rule.wants}"

    def convert(value):
        if not isinstance(value, (list, tuple)):
            raise ValueError(_type_hint(value))
        if len(value) < min_length or len(value) > (max_length or math.inf):
            raise ValueError(f"it has {len(value)}")
        return tuple(_element(rule, i, v) for i, v in enumerate(value))

    return Rule(wants, convert)


def _element(rule: Rule, position: int, value: Any) -> Any:
    try:
        return rule.convert(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"element {position} is {value!r}") from None


def _convert_boolean(value):
    _need(isinstance(value, bool))
    return value


def _convert_seed(value):
    value = _whole(value)
    _need(0 <= value < 2**63)
    return value


boolean = Rule("True or False", _convert_boolean)
seed = Rule("a whole number from 0 (a seed)", _convert_seed)


# ---------------------------------------------------------------- validation


def validate(namespace: Mapping[str, Any], /, **rules: Rule):
    """Check a chapter's parameters, all of them together.

    Parameters
    ----------
    namespace : mapping
        ``globals()`` of the chapter.
    **rules : Rule
        One rule for each parameter of the chapter.

    Returns
    -------
    Parameters
        A named tuple of the checked values: numbers in their canonical type,
        lists as tuples.

    Raises
    ------
    ValueError
        One line for each parameter that is out of range, of the wrong type,
        missing, or unknown (papermill silently injects unknown names).
    """
    for name, rule in rules.items():
        if not isinstance(rule, Rule):
            raise TypeError(
                f"the rule of {name} is {rule!r}, not a params rule: use "
                "params.between, params.choice or another"
            )
    values, problems = _check_known(namespace, rules)
    for name in unknown_names(namespace, rules):
        problems.append(_unknown_text(name, rules))
    if problems:
        raise ValueError(_report(problems, rules))
    return namedtuple("Parameters", rules)(**values)


def _check_known(namespace, rules):
    values, problems = {}, []
    for name, rule in rules.items():
        if name not in namespace:
            problems.append(f"{name} is not set: add it to the parameters cell")
            continue
        try:
            values[name] = rule.check(namespace[name])
        except ValueError as error:
            problems.append(f"{name} = {_short(namespace[name])}: {error}")
    return values, problems


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _unknown_text(name: str, rules) -> str:
    near = difflib.get_close_matches(name, list(rules), 1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{name} is not a parameter of this chapter{hint}"


def _report(problems: list[str], rules) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{count} with the parameters"]
    lines += [f"  - {line}" for line in problems]
    lines.append("known parameters: " + ", ".join(rules))
    return "\n".join(lines)


def unknown_names(namespace: Mapping[str, Any], known) -> list[str]:
    """Names set by the parameter cells that no rule knows.

    In a kernel with a history only the latest parameters cell and the cells
    papermill injected after it count, so that running the second cell again at
    the end of a session does not take later variables for parameters. Without a
    history (nbval, plain Python) every public plain value counts.

    Parameters
    ----------
    namespace : mapping
        ``globals()`` of the chapter.
    known : container of str
        Names of the chapter's parameters.
    """
    candidates = _names_from_history(namespace.get("In"), known)
    if candidates is None:
        candidates = [n for n in namespace if n not in _IPYTHON_NAMES]
    return [
        name
        for name in candidates
        if name in namespace
        and name not in known
        and not name.startswith("_")
        and isinstance(namespace[name], _PLAIN)
    ]


def _names_from_history(history: Any, known) -> list[str] | None:
    """Names assigned by the latest parameters cell and the injected ones."""
    if not isinstance(history, list) or not any(history):
        return None
    found: dict[str, None] = {}
    for source in reversed([s for s in history if isinstance(s, str)]):
        injected = source.lstrip().startswith(_INJECTED_HEADER)
        assigned = _assignments(source)
        typed = any(a.annotation and a.name in known for a in assigned)
        if injected or typed:
            found = dict.fromkeys([a.name for a in assigned] + list(found))
        if typed:
            break
    return list(found)


# ---------------------------------------------------------------------- help


@dataclass(frozen=True)
class Parameter:
    """One parameter of a chapter, as its parameters cell declares it.

    Parameters
    ----------
    name, annotation, default, help : str
        Name, type annotation, default as source text, and comment; an absent
        annotation or comment is empty.
    """

    name: str
    annotation: str
    default: str
    help: str

    @property
    def value(self) -> Any:
        """The default as a Python value (``ValueError`` if not a literal)."""
        return ast.literal_eval(self.default)


def describe(source: str | Path) -> list[Parameter]:
    """Read the parameters of a chapter without running it.

    Parameters
    ----------
    source : str or Path
        A chapter (``.py`` in the percent format, or ``.ipynb``), or the source
        text of a parameters cell.

    Returns
    -------
    list of Parameter
        In the order of the cell; empty if the chapter has no parameters cell.
    """
    return _assignments(_parameters_cell(source))


def _parameters_cell(source: str | Path) -> str:
    if isinstance(source, str) and ("\n" in source or "=" in source):
        return source
    path = Path(source)
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return _cell_of_notebook(json.loads(content))
    return _cell_of_percent(content)


def _cell_of_notebook(notebook: dict) -> str:
    for cell in notebook["cells"]:
        if "parameters" in cell.get("metadata", {}).get("tags", []):
            return "".join(cell["source"])
    return ""


def _cell_of_percent(content: str) -> str:
    cells = re.split(r"^(?=# %%)", content, flags=re.M)
    for cell in cells:
        header, _, body = cell.partition("\n")
        if re.search(r"tags=\[[^\]]*\"parameters\"", header):
            return body
    return ""


def _assignments(source: str) -> list[Parameter]:
    """Top-level assignments of a cell; empty for a cell that is not Python."""
    try:
        tree = ast.parse(source)
        comments = _comments(source)
    except (SyntaxError, tokenize.TokenError, ValueError):
        return []
    found = []
    for node in tree.body:
        for name, annotation in _targets(node):
            default = ast.get_source_segment(source, node.value) or ""
            note = comments.get(node.end_lineno) or _above(comments, source, node)
            found.append(Parameter(name, annotation, default, note))
    return found


def _targets(node) -> list[tuple[str, str]]:
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        if isinstance(node.target, ast.Name):
            return [(node.target.id, ast.unparse(node.annotation))]
    elif isinstance(node, ast.Assign):
        return [(t.id, "") for t in node.targets if isinstance(t, ast.Name)]
    return []


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        t.start[0]: t.string.lstrip("# ").rstrip()
        for t in tokens
        if t.type == tokenize.COMMENT
    }


def _above(comments: dict[int, str], source: str, node) -> str:
    """The comment lines standing alone directly above an assignment."""
    lines, found, at = source.splitlines(), [], node.lineno - 1
    while at >= 1 and lines[at - 1].lstrip().startswith("#"):
        found.insert(0, comments.get(at, ""))
        at -= 1
    return " ".join(found)


def table(parameters: list[Parameter]) -> str:
    """Lay out parameters as aligned text: name, type, default, comment.

    Parameters
    ----------
    parameters : list of Parameter
        As returned by :func:`describe`.
    """
    rows = [("name", "type", "default", "meaning")]
    rows += [(p.name, p.annotation, p.default, p.help) for p in parameters]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        + "  "
        + row[3]
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
