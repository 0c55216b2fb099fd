"""The collector of the benchmarks and the stored tables. No test asserts a time."""

import dataclasses
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import __main__ as command
from benchmarks import curves, store
from benchmarks.exponents import fit_exponent
from benchmarks.rows import COLUMNS, Row, absent, measured, ratio_row
from benchmarks.timing import Turns, peak_memory, turns
from notebook_lib import speed
from tools.book.layout import REPOSITORY

# What DESIGN 8 asks for: the row, its unit, how the goal reads, and the goal.
GOALS = {
    "split-numpy": ("times the time", "<=", 1.1),
    "cqr-numpy": ("times the time", "<=", 1.1),
    "weighted-loop": ("times faster", ">=", 1000),
    "nested-rows": ("times faster", ">=", 50),
    "scmc-loop": ("times faster", ">=", 100),
    "procp-loop": ("times faster", ">=", 100),
    "procp2-pairs": ("times faster", ">=", 100),
    "procp-5000": ("s", "<=", 0.5),
    "procp2-5000": ("s", "<=", 0.5),
    "nexcp-rows": ("times faster", ">=", 10),
    "lcp-rows": ("times faster", ">=", 10),
    "memory-nested-star": ("MB", "<=", 512),
    "memory-lcp": ("MB", "<=", 512),
}
STORED = store.FOLDER / store.MANIFEST


@pytest.fixture(scope="module")
def stored():
    return speed.load()


# -------------------------------------------------------------------- collector


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponent_of_a_power_law(power):
    sizes = np.geomspace(1e3, 1e5, 9)
    slope, error = fit_exponent(sizes, 3e-6 * sizes**power)
    assert slope == pytest.approx(power, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-12)


def test_exponent_sees_the_larger_half_in_any_order():
    sizes = np.geomspace(1e3, 1e5, 9)
    costs = np.where(sizes < 9e3, 1.0, sizes**1.5)
    for order in (slice(None), slice(None, None, -1)):
        assert fit_exponent(sizes[order], costs[order])[0] == pytest.approx(1.5)


def test_error_of_the_exponent_is_that_of_least_squares():
    sizes = np.geomspace(1e4, 1e5, 6)
    noise = np.random.default_rng(0).normal(scale=0.1, size=6)
    found = fit_exponent(sizes, sizes * np.exp(noise))
    design = np.stack([np.ones(3), np.log(sizes[3:])], axis=1)
    beta, rss, *_ = np.linalg.lstsq(design, np.log(sizes[3:]) + noise[3:], rcond=None)
    wanted = beta[1], math.sqrt(rss[0] * np.linalg.inv(design.T @ design)[1, 1])
    assert found == pytest.approx(wanted)


def test_exponent_needs_points():
    assert all(map(math.isnan, fit_exponent([10.0], [1.0])))
    assert math.isnan(fit_exponent([1.0, 10.0, 100.0], [1.0, 2.0, 4.0])[1])
    with pytest.raises(ValueError, match="one length"):
        fit_exponent([1, 2], [1])
    with pytest.raises(ValueError, match="positive"):
        fit_exponent([1, 2], [1, 0])


def test_turns_refuse_unequal_outputs():
    with pytest.raises(AssertionError):
        turns(lambda: np.ones(3), lambda: np.zeros(3), repeats=1)


def test_turns_compare_the_part_that_the_other_does():
    timed = turns(
        lambda: (np.arange(4.0), np.full(2, np.inf)),
        lambda: np.arange(2.0) + 1e-12,
        repeats=3,
        part=0.5,
        atol=1e-9,
    )
    assert timed.ratios.shape == (3,)
    assert 0 < timed.difference < 1e-9


def test_peak_memory_counts_the_arrays_of_a_call():
    peak = peak_memory(lambda: np.ones(2**20).sum())
    assert 8 <= peak < 9


@pytest.mark.parametrize(
    ("value", "relation", "goal", "verdict"),
    [
        (120.0, ">=", 100.0, "reached"),
        (99.0, ">=", 100.0, "missed"),
        (1.05, "<=", 1.1, "reached"),
        (1.2, "<=", 1.1, "missed"),
        (1.2, "<=", math.nan, "no goal"),
    ],
)
def test_verdict(value, relation, goal, verdict):
    row = Row("x", "core", "x", value=value, relation=relation, goal=goal)
    assert row.verdict == verdict
    assert list(row.record()) == COLUMNS


def test_a_ratio_reads_either_way_round():
    timed = Turns(np.array([2.0, 4.0, 8.0]), 1.0, 4.0, 0.0)
    told = {"id": "x", "group": "core", "what": "x"}
    assert ratio_row(timed, **told).value == 4.0
    assert ratio_row(timed, unit="times the time", **told).value == 0.25
    assert measured([1.0, 3.0, 2.0], unit="s", goal=2.5, **told).verdict == "reached"


def test_an_absent_peer_is_a_row_that_says_so():
    row = absent("MAPIE", id="x", group="peers", what="x", goal=1.0)
    assert row.verdict == "not measured: MAPIE is not installed"
    assert "not measured" in row.line()


def test_a_curve_is_measured_at_each_of_its_sizes():
    (curve,) = (c for c in curves.CURVES if c.id == "procp")
    curve = dataclasses.replace(curve, sizes=(100, 200, 400))
    points = curves.measure(curve, say=lambda line: None, rounds=1)
    assert [p["n"] for p in points] == [100, 200, 400]
    assert all(p["megabytes"] > 0 for p in points)
    assert curves.exponents(curve, points)["largest"] == 400


def test_only_a_run_of_everything_is_written(tmp_path):
    with pytest.raises(SystemExit):
        command.main(["core", "--write"])
    with pytest.raises(SystemExit):
        command.main(["nonsense"])
    with pytest.raises(ValueError, match="exponents"):
        store.write({"ratios": [1], "curves": [1]}, minutes=1, folder=tmp_path)


def test_written_tables_are_read_back(tmp_path):
    row = Row("x", "core", "x", value=2.0, goal=1.0).record()
    point = {"id": "procp", "n": 10, "seconds": 1.0, "megabytes": 1.0}
    tables = {"ratios": [row], "curves": [point], "exponents": [{"id": "procp"}]}
    store.write(tables, minutes=0.2, folder=tmp_path)
    found = speed.load(tmp_path)
    assert found.ratios.loc[0, "verdict"] == "reached"
    assert found.manifest["minutes"] == 1
    with pytest.raises(FileNotFoundError, match="make bench"):
        speed.load(tmp_path / "elsewhere")


def test_every_module_of_benchmarks_is_collected():
    scripts = {p.stem for p in (REPOSITORY / "benchmarks").glob("*.py")}
    tools = {"__init__", "__main__", "timing", "rows", "store", "exponents"}
    assert {*command.RATIOS, command.CURVES} == scripts - tools
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^bench: .*\n\t\S+ -m benchmarks .*--write", makefile, re.M)


# ----------------------------------------------------------------- stored tables


def test_the_tables_are_those_of_the_manifest():
    wanted = json.loads(STORED.read_text(encoding="utf-8"))["sha256"]
    assert {name: store.digest(store.FOLDER / name) for name in wanted} == wanted
    assert set(wanted) == {f"{name}.csv" for name in store.TABLES}


def test_every_goal_of_the_design_has_a_row(stored):
    rows = stored.ratios.set_index("id")
    assert rows.index.is_unique
    found = {
        name: (rows.loc[name, "unit"], rows.loc[name, "relation"], float(goal))
        for name, goal in rows["goal"].items()
        if name in GOALS
    }
    assert found == GOALS


def test_every_measured_ratio_has_equal_outputs(stored):
    rows = stored.ratios
    compared = rows[rows["kind"].isin(["naive", "peer"]) & rows["value"].notna()]
    unchecked = set(compared[compared["difference"].isna()]["id"])
    # cmfrec solves other equations; formula (12) is checked on the groups it runs on.
    assert unchecked <= {"als-cmfrec-time", "als-cmfrec-error", "scmc-definition"}
    assert compared["difference"].max() <= 1e-6


def test_every_curve_is_stored(stored):
    ids = [curve.id for curve in curves.CURVES]
    assert stored.exponents["id"].tolist() == ids
    assert set(stored.curves["id"]) == set(ids)
    for name, points in stored.curves.groupby("id"):
        row = stored.exponents.set_index("id").loc[name]
        fitted = fit_exponent(points["n"], points["megabytes"])[0]
        assert fitted == pytest.approx(row["memory"], abs=1e-3)


def test_the_tables_of_the_page(stored):
    table = speed.ratio_table(stored.ratios)
    assert len(table) == len(stored.ratios)
    assert set(table["verdict"].str.split(":").str[0]) <= {
        "reached",
        "missed",
        "no goal",
        "not measured",
    }
    assert len(speed.exponent_table(stored.exponents)) == len(curves.CURVES)


def test_the_page_says_what_the_exponents_say():
    table = pd.DataFrame(
        {
            "label": ["a, b", "c", "d"],
            "limit": [None, "too slow", "too slow"],
            "time": [1.1, 0.5, 2.5],
            "time_theory": [1.0, 1.0, 2.0],
            "memory": [1.0, 1.0, 1.0],
            "memory_theory": 1.0,
        }
    )
    assert speed.reading(table).splitlines() == [
        "time: 1 of 3 within 0.2 of the theory",
        "  below: c (0.50)",
        "  above: d (2.50)",
        "memory: 3 of 3 within 0.2 of the theory",
        "  below: none",
        "  above: none",
    ]
    long = table.assign(label=[f"a method with a name, {n}" for n in ("a", "b", "c")])
    lines = speed.reading(long.assign(memory=0.5)).splitlines()
    assert max(map(len, lines)) <= 88, "the page would scroll"
    assert [line for line in lines if line.startswith("    ")], "and go on in the next"
    assert speed.shortfalls(table) == "too slow: c; d"
    assert speed.shortfalls(table.head(1)) == "no curve does"
