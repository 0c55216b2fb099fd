"""What the library says when it refuses: each message names what mends it."""

import ast
import itertools
import re
from pathlib import Path

import pytest

import notebook_lib

FOLDER = Path(notebook_lib.__file__).parent

# What a reader is told to do: one of these at the start of a clause.
VERBS = (
    "add|call|check|choose|clip|clone|convert|correct|count|create|divide|drop|encode|"
    "fill|fit (?:it|again)|floor|give|impute|leave|lower|make|merge|move|name|number|"
    "pass|pip install|point|put|raise|remove|rename|renumber|repair|replace|rescale|"
    "reshape|restrict|return|run|save|see|set|store|take|try|unset|use|write"
)
TOLD = re.compile(
    rf"(?:[:;,.(] |\bor |\band |^(?=give|call))(?:{VERBS})\b|did you mean|\bby \w+\(",
    re.IGNORECASE,
)

# Or all that the value may be: a list, a range, a bound, or an example to follow.
EXPECTED = re.compile(
    r"\bmust (?:be|lie|look)\b[^:;]*?(?:'\w|one of|True or False|\d or \d|"
    r"[\[(]-?[\d.]+, |[<>]=? ?\d|at (?:least|most) \d|like \w+=)|such as \w+[=(]"
)

# Texts put together elsewhere: the rules of params (tests/test_params.py), the ways to
# get a table (tests/test_datasets.py), and the error of a notebook, handed on.
BUILT = {
    "_type_hint(value)",
    "_closest(value, options)",
    "_report(problems, rules)",
    "_how_to_get(specs, tried)",
    "error.evalue",
}

# Not sentences: what Rule.check says, and the reasons it puts in brackets behind that.
PARTS = {"needs {}{}", "it is NaN", "it has {}", "element {} is {}"}

# Not refusals of an argument: a claim, a verdict or a study that failed.
OTHER = {"ClaimFailed", "AssertionError", "RuntimeError"}

# About an argument without its name: the words that scikit-learn's checks look for,
# and rules of params, which say the parameter's name before them.
UNNAMED = {
    "Sparse input is not supported: give a dense array",
    "give a text",
    "there is no such file: check the path, or give an empty text",
}


def says_what_to_do(message):
    """Whether a message says what to do, or all that the value may be."""
    return bool(TOLD.search(message) or EXPECTED.search(message))


def versions(node):
    """All texts that an expression can give, ``{}`` for what is put in; or None."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.FormattedValue):
        return ["{}"]
    if isinstance(node, ast.IfExp):
        parts = [versions(node.body), versions(node.orelse)]
        return None if None in parts else list(itertools.chain(*parts))
    parts = None
    if isinstance(node, ast.JoinedStr):
        parts = [versions(part) for part in node.values]
    elif isinstance(node, ast.BinOp):
        parts = [versions(node.left), versions(node.right)]
    if parts is None or None in parts:
        return None
    return ["".join(some) for some in itertools.product(*parts)]


def refusals(source):
    """Yield line, error, its argument and the names in reach of each refusal."""
    todo = [(ast.parse(source), frozenset())]
    while todo:
        node, names = todo.pop()
        if isinstance(node, ast.FunctionDef):
            names |= parameters(node)
        if isinstance(node, ast.ClassDef):
            names |= attributes(node)
        todo += [(child, names) for child in ast.iter_child_nodes(node)]
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            kind = ast.unparse(node.exc.func)
            if kind not in OTHER and not kind.startswith("_"):
                yield node.lineno, kind, node.exc.args[0], names


def parameters(function):
    """Names of the arguments of a function."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg]
    return {argument.arg for argument in named if argument} - {"self"}


def attributes(cls):
    """What the methods of a class are given or read of it, and its fields."""
    names = set()
    for node in ast.walk(cls):
        if isinstance(node, ast.FunctionDef):
            names |= parameters(node)
        if isinstance(node, ast.AnnAssign):
            names.add(ast.unparse(node.target))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            names.add(node.attr)
    return names


def silent(source):
    """The messages of a module that do not say what to do, with their lines."""
    found = []
    for line, _, argument, _ in refusals(source):
        texts = versions(argument)
        if texts is None:
            found += [] if ast.unparse(argument) in BUILT else [(line, "not a text")]
            continue
        found += [
            (line, text)
            for text in texts
            if text not in PARTS and not says_what_to_do(text)
        ]
    return found


def nameless(source):
    """Refusals of a value that name no argument in reach and put none in."""
    found = []
    for line, kind, argument, names in refusals(source):
        if kind not in {"ValueError", "TypeError"}:
            continue
        for text in versions(argument) or []:
            told = "{}" in text or names & set(re.findall(r"\w+", text))
            if not told and text not in PARTS | UNNAMED:
                found.append((line, text))
    return found


@pytest.fixture(scope="module")
def modules():
    return {
        path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(FOLDER.rglob("*.py"))
    }


@pytest.mark.parametrize("lacking", [silent, nameless])
def test_every_message_of_the_library_names_the_argument_and_what_to_do(
    modules, lacking
):
    found = [
        f"{name}:{line}: {text}"
        for name, source in modules.items()
        for line, text in lacking(source)
    ]
    assert not found, f"these messages are {lacking.__name__}:\n" + "\n".join(found)


def test_the_messages_of_the_library_are_found(modules):
    kinds = [kind for source in modules.values() for _, kind, *_ in refusals(source)]
    assert kinds.count("ValueError") > 300
    assert {"TypeError", "NotFittedError", "ImportError"} <= set(kinds)


# Messages as they once were: what is wrong, and no word on what to do.
ONCE = [
    'f"{name} holds {n_infinite} infinite of {x.size} values"',
    '"X holds 3 infinite values"',
    'f"{name} must be two-dimensional (rows, columns), got shape {x.shape}"',
    'f"{name} must be one-dimensional, got shape {x.shape}"',
    'f"X has {n} rows and y has {len(y)}"',
    'f"{name} has shape {mask.shape}, expected {tuple(shape)}"',
    'f"{name} must hold numbers only: {error}"',
    '"no cell is observed: there is nothing to learn from"',
    '"X is empty: fit needs training rows"',
    'f"y must have shape {lower.shape[:1]}, got {y.shape}"',
    '"covered must be a one-dimensional boolean array"',
    '"weights must lie inside the range: the test row weighs 1"',
    '"choose(m) must return a mask that hides at least what the test mask hides"',
    '"order must be a natural one"',
    'f"no style for {method!r}" + (f"; use {near}" if near else "")',
    'f"{name} is NaN"',
    '"alpha holds levels " + told',
]


@pytest.mark.parametrize("argument", ONCE)
def test_a_message_without_a_word_on_what_to_do_is_found(argument):
    assert silent(f"def f():\n    raise ValueError({argument}) from None\n")


@pytest.mark.parametrize(
    "argument",
    [
        'f"{name} holds {n} infinite of {size} values: drop or replace them first"',
        'f"alpha must lie in (0, 1), got {alpha!r}"',
        "f\"score must be 'absolute' or 'quantile', got {score!r}\"",
        'f"h must be an integer >= 0, got {h!r}"',
        '"call fit before conformalize"',
        'f"no style for {method!r}" + (f"; use {near}" if near else ": use any")',
    ],
)
def test_a_message_that_says_what_to_do_passes(argument):
    assert not silent(f"raise ValueError({argument})")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('"X holds 3 infinite values: drop them"', True),
        ('"some values are infinite: drop them"', False),
        ('f"{name} is infinite: drop it"', True),
        ('"rho is infinite: drop it"', True),
        ('"sigma is infinite: drop it"', False),
    ],
)
def test_a_message_that_names_no_argument_is_found(body, named):
    source = f"""
class Model:
    def __init__(self, rho):
        self.rho = rho

    def fit(self, X):
        raise ValueError({body})
"""
    assert (not nameless(source)) == named
