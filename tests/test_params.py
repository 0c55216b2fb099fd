"""Chapter parameters: rules, reports, unknown names, help."""

import json
import math
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notebook_lib import params

RULES = {
    "alpha": params.between(0, 1),
    "n_cal": params.integer(1),
    "sizes": params.list_of(params.integer(1)),
    "mechanism": params.choice("MCAR", "MAR"),
    "center": params.boolean,
    "seed": params.seed,
}
GOOD = {
    "alpha": 0.1,
    "n_cal": 50,
    "sizes": [1, 2],
    "mechanism": "MAR",
    "center": True,
    "seed": 1,
}
IPYTHON = {
    "In": [""],
    "Out": {},
    "get_ipython": lambda: None,
    "exit": object(),
    "quit": object(),
    "open": open,
    "_": "",
    "_i1": "x = 1",
    "__name__": "__main__",
    "params": params,
    "Path": types.SimpleNamespace,
}


def test_good_parameters_come_back_frozen():
    checked = params.validate({**IPYTHON, **GOOD}, **RULES)
    assert checked.alpha == 0.1
    assert checked.sizes == (1, 2)
    assert checked._asdict() == {**GOOD, "sizes": (1, 2)}
    with pytest.raises(AttributeError):
        checked.alpha = 0.2


def test_all_problems_come_together():
    bad = {**GOOD, "alpha": 2, "n_cal": True, "sizes": [1, "a"], "mechanism": "MNAR"}
    with pytest.raises(ValueError, match="4 problems") as error:
        params.validate({**IPYTHON, **bad}, **RULES)
    lines = str(error.value).splitlines()
    assert len(lines) == 6
    assert lines[1] == "  - alpha = 2: needs a number in (0, 1)"
    assert "n_cal = True" in lines[2]
    assert "bool" in lines[2]
    assert "element 1 is 'a'" in lines[3]
    assert "'MCAR', 'MAR'" in lines[4]
    assert lines[5] == "known parameters: " + ", ".join(RULES)


def test_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match="did you mean alpha") as error:
        params.validate({**IPYTHON, **GOOD, "alhpa": 0.2}, **RULES)
    assert "1 problem" in str(error.value)
    assert "known parameters: alpha, n_cal" in str(error.value)


def test_missing_parameter_is_named():
    short = {k: v for k, v in GOOD.items() if k != "seed"}
    with pytest.raises(ValueError, match="seed is not set"):
        params.validate({**IPYTHON, **short}, **RULES)


@pytest.mark.parametrize("junk", [None, 1, 1.5, "a", [1], {"a": 1}, True, (1,)])
def test_every_kind_that_papermill_injects_is_seen(junk):
    with pytest.raises(ValueError, match="surprise"):
        params.validate({**GOOD, "surprise": junk}, **RULES)


def test_functions_modules_classes_and_private_names_pass():
    extras = {"f": len, "m": math, "C": int, "_hidden": 3, "rng": object()}
    assert params.validate({**GOOD, **extras}, **RULES).n_cal == 50


CELL = "alpha: float = 0.1  # level\nn_cal: int = 50\n"


def _kernel(history, **extra):
    return {**IPYTHON, "In": ["", *history], "alpha": 0.1, "n_cal": 50, **extra}


def _check(namespace):
    rules = {"alpha": RULES["alpha"], "n_cal": RULES["n_cal"]}
    return params.validate(namespace, **rules)


def test_later_variables_do_not_count_when_a_cell_is_run_again():
    history = [CELL, "params.validate(globals())", "rank = 5\nalpha_2 = 0.2", "again"]
    assert _check(_kernel(history, rank=5, alpha_2=0.2)).alpha == 0.1


def test_injected_cell_is_read_from_the_history():
    history = [CELL, "# Parameters\nalhpa = 0.2\n", "params.validate(globals())"]
    with pytest.raises(ValueError, match="alhpa is not a parameter"):
        _check(_kernel(history, alhpa=0.2))


def test_a_corrected_typo_is_forgotten():
    history = ["alpha: float = 0.1\nn_ca: int = 9", CELL, "params.validate(globals())"]
    assert _check(_kernel(history, n_ca=9)).n_cal == 50
    with pytest.raises(ValueError, match="did you mean n_cal"):
        _check(_kernel(history[:1], n_ca=9))


def test_cells_that_are_not_python_are_passed_over():
    history = ["%matplotlib inline\n?x", CELL, "!ls"]
    assert _check(_kernel(history, other=1)).alpha == 0.1


def test_a_rule_must_be_a_rule():
    with pytest.raises(TypeError, match="alpha"):
        params.validate({"alpha": 0.1}, alpha=(0, 1))


# --------------------------------------------------------------------- rules


@settings(deadline=None)
@given(st.floats(allow_nan=False) | st.integers(-5, 5))
def test_between_is_the_open_interval(value):
    rule = params.between(0, 1)
    if 0 < value < 1:
        assert rule.check(value) == value
        assert type(rule.check(value)) is float
    else:
        with pytest.raises(ValueError, match="needs a number in \\(0, 1\\)"):
            rule.check(value)


@pytest.mark.parametrize(
    ("closed", "low", "high"),
    [
        ("both", True, True),
        ("left", True, False),
        ("right", False, True),
        ("neither", False, False),
    ],
)
def test_closed_bounds(closed, low, high):
    rule = params.between(0, 1, closed=closed)
    for value, allowed in [(0, low), (1, high)]:
        if allowed:
            assert rule.check(value) == value
        else:
            with pytest.raises(ValueError, match="needs"):
                rule.check(value)
    with pytest.raises(ValueError, match="closed"):
        params.between(0, 1, closed="yes")


BAD = [
    (params.between(0, 1), True),
    (params.between(0, 1), "0.1"),
    (params.between(0, 1), float("nan")),
    (params.number(), float("inf")),
    (params.number(minimum=0), -1),
    (params.number(maximum=0), 1),
    (params.positive(), 0),
    (params.positive(), float("inf")),
    (params.integer(1), 0),
    (params.integer(1, 3), 4),
    (params.integer(1), 1.0),
    (params.integer(1), True),
    (params.boolean, 1),
    (params.seed, -1),
    (params.seed, 2**63),
    (params.seed, True),
    (params.choice("a", "b"), "c"),
    (params.choice(1, 2), True),
    (params.choice("a"), ["a"]),
    (params.list_of(params.integer()), 3),
    (params.list_of(params.integer()), []),
    (params.list_of(params.integer(), max_length=1), [1, 2]),
    (params.list_of(params.between(0, 1)), [0.5, 2]),
    (params.text(), " "),
    (params.text(), 3),
    (params.optional(params.integer(1)), 0),
]


@pytest.mark.parametrize(("rule", "value"), BAD)
def test_bad_values_are_refused(rule, value):
    with pytest.raises(ValueError, match=r"^needs ") as error:
        rule.check(value)
    assert "\n" not in str(error.value)


GOOD_VALUES = [
    (params.between(0, 1), 0.5, 0.5),
    (params.between(-1, math.inf), 3, 3.0),
    (params.number(0, 2), 2, 2.0),
    (params.positive(), 1, 1.0),
    (params.integer(1, 3), 3, 3),
    (params.boolean, False, False),
    (params.seed, 0, 0),
    (params.choice("a", None), None, None),
    (params.list_of(params.between(0, 1)), (0.1, 0.2), (0.1, 0.2)),
    (params.list_of(params.list_of(params.integer())), [[1], [2, 3]], ((1,), (2, 3))),
    (params.text(), "a", "a"),
    (params.optional(params.integer(1)), None, None),
    (params.optional(params.integer(1)), 2, 2),
]


@pytest.mark.parametrize(("rule", "value", "wanted"), GOOD_VALUES)
def test_good_values_pass(rule, value, wanted):
    assert rule.check(value) == wanted
    assert type(rule.check(value)) is type(wanted)


def test_near_choice_is_suggested():
    with pytest.raises(ValueError, match="did you mean 'MCAR'"):
        params.choice("MCAR", "MAR").check("mcAR")


# ---------------------------------------------------------------------- help

SOURCE = """
# miscoverage level,
# in (0, 1)
alpha: float = 0.1
sizes: list[int] = [1, 2]  # sizes: a "list" # of them
name = "a # b"
first = second = 3  # two at once
path: str
"""


def test_describe_reads_annotation_default_and_comment():
    found = params.describe(SOURCE)
    assert [p.name for p in found] == ["alpha", "sizes", "name", "first", "second"]
    assert found[0].help == "miscoverage level, in (0, 1)"
    assert found[1].annotation == "list[int]"
    assert found[1].value == [1, 2]
    assert found[1].help == 'sizes: a "list" # of them'
    assert found[2].value == "a # b"
    assert found[2].help == ""
    assert found[4].help == "two at once"


def test_describe_finds_the_cell_in_both_formats(tmp_path):
    percent = (
        f'# %%\nx = 1\n\n# %% tags=["hide-input", "parameters"]\n{CELL}\n# %%\ny = 2\n'
    )
    script = tmp_path / "chapter.py"
    script.write_text(percent)
    cells = [
        {"source": ["x = 1"], "metadata": {}},
        {"source": CELL.splitlines(True), "metadata": {"tags": ["parameters"]}},
    ]
    notebook = tmp_path / "chapter.ipynb"
    notebook.write_text(json.dumps({"cells": cells}))
    assert params.describe(script) == params.describe(str(notebook))
    assert [p.name for p in params.describe(script)] == ["alpha", "n_cal"]
    script.write_text("# %%\nx = 1\n")
    assert params.describe(script) == []


def test_table_aligns_columns():
    lines = params.table(params.describe(CELL)).splitlines()
    assert lines[0].split() == ["name", "type", "default", "meaning"]
    assert lines[1].split() == ["alpha", "float", "0.1", "level"]
    assert lines[0].index("type") == lines[1].index("float") == lines[2].index("int")
