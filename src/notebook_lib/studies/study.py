"""What a Monte-Carlo study is: a grid, one replicate, and its seeds."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

RESERVED = ("scenario", "replicate", "error")

_LIBRARY = __name__.partition(".")[0]
#: Running and storing a study does not change its numbers.
_PARTS = ("study", "runner", "store", "checkpoint", "plan", "compare", "history")
_MACHINERY = {f"{_LIBRARY}.studies"} | {f"{_LIBRARY}.studies.{p}" for p in _PARTS}

Replicate = Callable[[dict, np.random.Generator], "list[dict]"]


@dataclass(frozen=True)
class Study:
    """A Monte-Carlo study, fixed before it runs.

    Parameters
    ----------
    name : str
        Letters, digits, ``-`` and ``_``; names the stored result.
    scenarios : DataFrame or sequence of dict
        The grid: one row (dict) for each scenario.
    replicate : callable
        ``replicate(scenario: dict, rng: numpy.random.Generator) -> list of dict``:
        one tidy row per method or measure. A module-level function, so that
        worker processes can import it.
    n_replicates : int
        Replicates of each scenario at paper scale.
    seed : int
        Replicate ``r`` of scenario ``s`` draws from
        ``SeedSequence(seed, spawn_key=(s, r))``: its numbers do not depend on
        batches, workers or order.
    description, document : str
        One sentence, and the source document or chapter.
    summarise : callable, optional
        Maps the frame of rows to the frame that is stored, for studies whose
        rows are too many to keep (see :func:`notebook_lib.studies.aggregate`).
    version : str
        Change it when the computation changes elsewhere than in the replicate's
        module, so that old checkpoints are not resumed.
    """

    name: str
    scenarios: Sequence[Mapping[str, Any]]
    replicate: Replicate
    n_replicates: int
    seed: int
    description: str = ""
    document: str = ""
    summarise: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    version: str = "1"

    def __post_init__(self):
        if not self.name or not self.name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(
                f"name must be letters, digits, - and _, not {self.name!r}: give one "
                "such as my-study"
            )
        if self.n_replicates < 1:
            raise ValueError(
                f"n_replicates must be at least 1, not {self.n_replicates}"
            )
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, not {self.seed}")
        object.__setattr__(self, "scenarios", _as_scenarios(self.scenarios))

    @cached_property
    def key(self) -> str:
        """Hash of all that the numbers depend on, as far as it can be known.

        Name, grid, seed, ``version``, and the code (not the comments, not what
        an error says) of the replicate and of every module of this library that it
        uses: a changed study does not resume from the checkpoints of the old one.
        The number of replicates is left out: a longer study extends a shorter one.
        """
        scenarios = json.dumps(self.scenarios, sort_keys=True, default=str)
        parts = (self.name, scenarios, str(self.seed), self.version)
        code = source_of(self.replicate)
        return hashlib.sha256("\x00".join(parts + code).encode()).hexdigest()[:16]

    def rng(self, scenario: int, replicate: int) -> np.random.Generator:
        """Return the generator of one replicate of one scenario."""
        key = (scenario, replicate)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def source_of(function: Callable) -> tuple[str, ...]:
    """Return the sources that a function's results depend on.

    Its own module (or its own text, if it was typed in) and the modules of this
    library that are reached from there; arguments bound by ``partial`` count too.
    """
    bound = ()
    while isinstance(function, partial):
        bound += (repr(function.args), repr(sorted(function.keywords.items())))
        function = function.func
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if module is None or getattr(module, "__file__", None) is None:
        return (*bound, _text(function))
    reached: dict[str, ModuleType] = {}
    _reach(module, reached)
    others = sorted(name for name in reached if name != module.__name__)
    texts = (_text(reached[name]) for name in others)
    return (*bound, function.__qualname__, _text(module), *texts)


def _reach(module: ModuleType, reached: dict[str, ModuleType]) -> None:
    """Collect a module and the modules of this library that its names live in.

    The submodules of a package are not followed as such: which of them are
    loaded depends on what else ran.
    """
    reached[module.__name__] = module
    is_package = hasattr(module, "__path__")
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            name = "" if is_package else value.__name__
        else:
            name = _home(value)
        if _is_ours(name) and name not in reached and name in sys.modules:
            _reach(sys.modules[name], reached)


def _is_ours(module: str) -> bool:
    return module.startswith(_LIBRARY + ".") and module not in _MACHINERY


def _home(value: Any) -> str:
    return getattr(value, "__module__", None) or ""


@cache
def _text(thing: Any) -> str:
    """The code of a module or function, without comments, layout and docstrings."""
    try:
        return code_only(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return getattr(thing, "__qualname__", type(thing).__qualname__)


def code_only(source: str) -> str:
    """Reduce source text to what can change a result: no docstring, no message."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a bare string, as docstrings are."""
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _as_scenarios(scenarios) -> tuple[dict, ...]:
    if isinstance(scenarios, pd.DataFrame):
        scenarios = scenarios.to_dict("records")
    rows = tuple({k: plain(v) for k, v in dict(row).items()} for row in scenarios)
    if not rows:
        raise ValueError("scenarios is empty: give at least one row (it may be {})")
    for row in rows:
        taken = [name for name in row if name in RESERVED]
        if taken:
            raise ValueError(
                f"a scenario may not have a column named {taken[0]!r}: rename it"
            )
    return rows


def plain(value: Any) -> Any:
    """Turn numpy scalars into Python's, tuples into lists; leave the rest."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def grid(**axes: Sequence[Any]) -> list[dict]:
    """Return the full factorial grid, the last axis varying fastest.

    Parameters
    ----------
    **axes : sequence
        Levels by column name.

    Examples
    --------
    >>> grid(delta=[0, 2], K=[2, 3])[1]
    {'delta': 0, 'K': 3}
    """
    rows: list[dict] = [{}]
    for name, levels in axes.items():
        rows = [{**row, name: level} for row in rows for level in levels]
    return rows
