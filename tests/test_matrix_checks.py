"""The checks of chapter 2 at the paper's sizes: what they run, and what reads them."""

import numpy as np
import pandas as pd
import pytest
from test_matrix_verdicts import failing, passes

from notebook_lib import claims
from notebook_lib.matrix import laplace_scale
from notebook_lib.studies import matrix_checks as checks
from notebook_lib.studies import matrix_larger as larger
from notebook_lib.studies import matrix_larger_verdicts as larger_verdicts
from notebook_lib.studies import matrix_live as show
from notebook_lib.studies import matrix_verdicts as verdicts
from notebook_lib.studies.matrix_parts import lemma_a6


class Spy:
    """Stands in for a function: keeps what it was called with."""

    def __init__(self, value):
        self.value, self.calls = value, []

    def __call__(self, rng, *args, **options):
        self.calls.append(args + tuple(sorted(options.items())))
        return dict(self.value) if isinstance(self.value, dict) else self.value


@pytest.fixture
def spy(monkeypatch):
    def put(module, name, value):
        made = Spy(value)
        monkeypatch.setattr(module, name, made)
        return made

    return put


# ------------------------------------------------------------- matrix_checks


def test_a_check_becomes_one_row_for_each_number(monkeypatch):
    found = {"a flag": np.True_, "a count": 3, "a gap": np.float64(0.5)}
    monkeypatch.setitem(checks.CHECKS, "mine", lambda rng: found)
    rows = checks.replicate_check({"check": "mine"}, np.random.default_rng(0))
    assert rows == [
        {"measure": "a flag", "value": 1.0},
        {"measure": "a count", "value": 3.0},
        {"measure": "a gap", "value": 0.5},
    ]
    assert all(type(row["value"]) is float for row in rows)


def test_sizes_are_those_of_the_paper(spy):
    parts = checks.parts
    run = {name: function for name, function in checks.CHECKS.items()}
    facts = spy(parts, "algorithm_facts", {"a": 1})
    split = spy(parts, "partition_facts", {"b": 1})
    base = spy(parts, "baseline_facts", {"c": 1})
    assert run["algorithm"](None) == {"a": 1, "b": 1, "c": 1}
    assert facts.calls == [(("n_groups", 1000), ("n_obs", 8000), ("size", 200))]
    assert split.calls == [(("n_groups", 1000), ("size", 200))]
    assert base.calls == [(("n_obs", 8000), ("size", 200))]
    speed = spy(parts, "weights_speed", {"gap": 0, "times faster": 30, "growth": 8})
    assert run["weights"](None) == {"gap": 0, "times faster": 30}
    assert speed.calls == [(("k", 8), ("n", 2000), ("size", (800, 1000)))]
    fits, rise = spy(parts, "completion_facts", {"r": 1}), spy(parts, "als_rise", -2)
    assert run["completions"](None) == {
        "r": 1,
        "rise of the ALS objective, 800 x 1000": -2,
    }
    assert fits.calls == [(("size", 200),)]
    assert rise.calls == [((800, 1000),)]
    law = spy(parts, "split_law_check", {"p": 0.5, "total": 1})
    urns = spy(parts, "sampler_p_values", {"observed": 0.4})
    assert run["samplers"](None) == {"split law p": 0.5, "observed": 0.4}
    assert law.calls == urns.calls == [(("draws", 200_000),)]


def test_the_slab_is_told_by_its_share_above_delta(spy):
    fitted = spy(checks.parts, "one_bit_facts", {"smallest w": 0.1})
    slab = spy(checks.parts, "worst_slab_facts", {"share in the slab": 0.21})
    found = checks.CHECKS["estimates"](None)
    assert fitted.calls == [(("rank", 5), ("share", 0.064), ("size", (800, 1000)))]
    assert [call[0][1] for call in slab.calls] == list(checks.SHARES)
    assert {call[1][1] for call in slab.calls} == {400}
    np.testing.assert_allclose(found["share in the slab, 0.2"], 0.01)
    np.testing.assert_allclose(found["share in the slab, 0.1"], 0.11)


@pytest.mark.parametrize(
    ("path", "root", "falls", "inside"),
    [
        ([1.0, 2.0, 3.0, 3.0], 3.0, 0, True),
        ([1.0, 2.0, 1.5, 3.0], 3.0, 1, True),
        ([1.0, 2.0, 3.0, 2.9999], 3.0, 0, True),  # the last step is rounding
        ([1.0, 2.0, 3.0, 3.0], 1.0, 0, False),
        ([1.0, 2.0, 3.0, 3.0], 4.1, 0, False),
    ],
)
def test_a_fall_of_newtons_path_and_its_bracket(spy, path, root, falls, inside):
    made = {"path": np.array(path), "root": root, "bracket": (1.0, 4.0)}
    newton = spy(checks.integral, "newton_path", made | {"gradient": 0.0})
    ratio = spy(checks.integral, "laplace_ratio_errors", [1e-6])
    bounds = []
    spy(checks.integral, "root_bounds", 0)
    checks.integral.root_bounds = lambda *, sizes: bounds.append(sizes) or 0
    found = checks.CHECKS["scale"](None)
    assert (found["falls"], found["in the bracket"]) == (falls, inside)
    assert newton.calls[0] == (("share", 51_449 / 800_000), ("size", 800_000))
    assert ratio.calls == [(("sizes", (40_000,)),)]
    assert bounds == [(5, 50, 500, 5000)]


def test_every_check_is_a_scenario_and_every_verdict_reads_a_check():
    names = [scenario["check"] for scenario in checks.THEORY.scenarios]
    assert names == list(checks.CHECKS)
    assert checks.THEORY.n_replicates == 1


# ---------------------------------------- the stored checks, and what reads them


def _judged(m):
    yield from verdicts.paper_theory(m)
    facts = {"users": 800, "films": 1000, "ratings": 51_449, "films without ratings": 6}
    yield from verdicts.dataset(facts, m["movielens"])


def test_each_stored_measure_decides_something():
    m = show.measured()
    assert failing(_judged(m)) == []
    told_only = {("rules", "cube"), ("movielens", "share missing")}
    unread = set()
    for check, measures in m.items():
        for name in measures:
            if passes(_judged(m | {check: measures | {name: np.nan}})):
                unread.add((check, name))
    assert unread == told_only


@pytest.mark.parametrize(
    ("check", "name", "value", "part"),
    [
        ("enumeration", "5 x 2", 2e-12, "every fourth law"),
        ("enumeration", "(3, 3, 4, 2, 1)", 2e-12, "full enumeration, every law"),
        ("enumeration", "swaps that change xi", 1, "swaps that change xi"),
        ("scale", "gradient", 2e-8, "gradient"),
        ("scale", "steps", 61, "steps"),
        ("scale", "falls", 1, "steps that fall"),
        ("scale", "in the bracket", 0.0, "root in its bracket"),
        ("scale", "error of the ratio", 2.1e-3, "40000 cells"),
        ("scale", "violations of Lemma A7", 1, "up to 5000 cells"),
        ("estimates", "share in the slab, 0.14", -1e-6, "share in it, 0.14"),
        ("rules", "sphere", 0.878, "coverage"),  # three errors at 2000 draws: 0.022
    ],
)
def test_a_stored_measure_out_of_bounds_fails(check, name, value, part):
    m = show.measured()
    assert name in m[check]
    assert failing(_judged(m | {check: m[check] | {name: value}})) == [part]


def test_a_study_without_one_of_its_scenarios_is_refused(monkeypatch):
    frame = pd.DataFrame({"scenario": [0, 2], "metric": "coverage"})
    manifest = {"scenarios": [{}, {}, {}]}
    monkeypatch.setattr(show, "load", lambda name: (frame, manifest))
    with pytest.raises(ValueError, match=r"matrix-x holds no rows of scenarios \[1\]"):
        show.stored("x")


# ------------------------------------------------------------- matrix_larger


@pytest.fixture(scope="module")
def stored():
    return show.stored("larger")


def test_the_larger_study_holds_its_criteria_and_each_measure_decides(stored):
    assert failing(larger_verdicts.everything(stored)) == []
    told_only = {("laplace", "largest error of the ratio"), ("bounds", "draws")}
    told_only |= {(part, "groups") for part in ("laplace", "rule")} | {("rule", "xi")}
    unread = set()
    for part, measure in stored[["part", "measure"]].drop_duplicates().to_numpy():
        rows = (stored["part"] == part) & (stored["measure"] == measure)
        gone = stored.assign(
            **{end: stored[end].mask(rows) for end in ("smallest", "largest")}
        )
        if passes(larger_verdicts.everything(gone)):
            unread.add((part, measure))
        else:
            assert not passes(larger_verdicts.everything(stored[~rows]))
    assert unread == told_only


@pytest.mark.parametrize(
    ("part", "measure", "end", "value", "claim"),
    [
        ("root", "gradient", "largest", 2e-8, "scmc-A6"),
        ("root", "steps", "largest", 61, "scmc-A6"),
        ("root", "steps that fall", "largest", 1, "scmc-A6"),
        ("root", "in the bracket", "smallest", 0, "scmc-A6"),
        ("root", "last iterate over the root, less 1", "largest", 2e-9, "scmc-A6"),
        ("laplace", "mean error of the ratio", "largest", 2.1e-3, "scmc-A7"),
        ("laplace", "largest distance of the weights", "largest", 2.1e-3, "scmc-A7"),
        ("slab", "share in the slab less delta", "smallest", -1e-8, "scmc-A9"),
        ("slab", "error in the slab over the mean", "smallest", 0.999, "scmc-A9"),
        ("slab", "weight inside differs from one by", "largest", 1e-8, "scmc-A9"),
        ("slab", "smallest weight", "smallest", 0.0, "scmc-A9"),
        ("slab", "largest weight outside", "largest", 1.01, "scmc-A9"),
        ("slab", "weight of explored cells", "largest", 1e-9, "scmc-A9"),
        ("bounds", "outside the bounds", "largest", 1, "scmc-T13"),
        ("rule", "swaps that change xi or n", "largest", 1, "scmc-T17"),
    ],
)
def test_one_bad_draw_of_the_larger_study_fails_its_claim(
    stored, part, measure, end, value, claim
):
    rows = stored.index[(stored["part"] == part) & (stored["measure"] == measure)]
    broken = stored.copy()
    broken[end] = broken[end].astype(float)
    broken.loc[rows[-1], end] = value
    with pytest.raises(claims.ClaimFailed, match=claim):
        failing(larger_verdicts.everything(broken), stop=True)


def test_small_counts_may_leave_the_limits_but_large_ones_not(stored):
    rows = (stored["part"] == "bounds") & (stored["measure"] == "outside the limits")
    for case, good in (("5", True), ("5000", False)):
        at = rows & (stored["case"] == case)
        assert at.sum() == 1
        moved = stored.assign(largest=stored["largest"].mask(at, 1.0))
        assert passes(larger_verdicts.bounds(moved)) is good


def test_newton_written_out_ends_at_the_librarys_root():
    rng = np.random.default_rng(0)
    for n_obs, delta in ((30, 20.0), (400, 3.0), (50, 900.0)):
        seen = rng.uniform(0.01, 1, n_obs)
        found = larger.newton_facts(seen, delta)
        assert found["in the bracket"]
        assert found["steps that fall"] == 0
        assert found["steps"] < 60
        assert found["last iterate over the root, less 1"] < 1e-9
        assert found["gradient"] < 1e-8
    # A root that is off shows in gradient and distance.
    wrong = laplace_scale(seen, 901.0)
    assert abs(wrong / laplace_scale(seen, 900.0) - 1) > 1e-4


def test_the_direction_of_the_slab_is_the_least_squares_one():
    rng = np.random.default_rng(1)
    rows, columns = rng.normal(size=(12, 2)), rng.normal(size=(9, 2))
    error, explored = rng.random((12, 9)), rng.random((12, 9)) < 0.7
    z = larger.regression_direction(error, explored, rows, columns)
    i, j = np.nonzero(explored)
    design = np.column_stack([np.ones(len(i)), rows[i], columns[j]])
    fitted = design @ np.linalg.lstsq(design, error[explored], rcond=None)[0]
    np.testing.assert_allclose(np.diff(z[explored]), np.diff(fitted), atol=1e-12)


def test_bounds_of_the_root_count_what_lies_outside(monkeypatch):
    good = larger.bound_facts(200, np.random.default_rng(2))
    assert good == {"outside the bounds": 0, "outside the limits": 0, "draws": 5}
    monkeypatch.setattr(larger, "laplace_scale", lambda seen, delta: 1e3)
    bad = larger.bound_facts(200, np.random.default_rng(2))
    assert bad == {"outside the bounds": 5, "outside the limits": 5, "draws": 5}


@pytest.mark.parametrize("part", ["root", "laplace", "slab", "bounds", "rule"])
def test_each_part_follows_its_seed_at_a_small_size(monkeypatch, part):
    small = "squared positions, 200 x 200"
    monkeypatch.setitem(larger.MATRICES, small, ((30, 25), 250))
    monkeypatch.setitem(larger.RULES, "200 x 200", (40, (30, 25), 250))
    signal = np.add.outer(np.arange(30.0), np.arange(25.0))
    monkeypatch.setattr(larger, "slab_matrix", lambda: signal)
    draw = larger.sample_without_replacement
    monkeypatch.setattr(
        larger,
        "sample_without_replacement",
        lambda w, size, rng: draw(w, min(size, 250), rng),
    )
    case = {"root": small, "laplace": small, "slab": "0.2", "bounds": "50"}
    scenario = {"part": part, "case": case.get(part, "200 x 200"), "K": 2}
    first, again = (
        larger.replicate_part(scenario, np.random.default_rng(4)) for _ in range(2)
    )
    assert first == again
    found = {row["measure"]: row["value"] for row in first}
    assert np.isfinite(list(found.values())).all()
    if part == "laplace":
        assert 0 < found["mean error of the ratio"] < 0.05
        assert found["mean error of the ratio"] <= found["largest error of the ratio"]
    if part == "rule":
        assert found["groups"] == min(40, found["xi"] // 2)
        assert found["swaps that change xi or n"] == 0


def test_summary_keeps_the_worst_draw_and_drops_failures():
    rows = {"part": "root", "case": "a", "K": 0, "measure": "steps"}
    frame = pd.DataFrame([rows | {"value": v, "error": ""} for v in (3.0, 5.0, 4.0)])
    failed = pd.DataFrame([rows | {"value": 99.0, "error": "broke"}])
    table = larger.summarise(pd.concat([frame, failed]))
    assert table.to_dict("records") == [
        rows | {"mean": 4.0, "smallest": 3.0, "largest": 5.0, "n": 3}
    ]


def test_lemma_a6_counts_the_groups_of_each_column():
    # Columns of 4 and 2 cells, K = 2, one group: a first cell among 6, then its mate.
    n_obs = np.array([4, 2])
    first = lemma_a6(n_obs, [((0, 0), (1, 0))], 2)
    second = lemma_a6(n_obs, [((0, 1), (1, 1))], 2)
    np.testing.assert_allclose([first, second], [1 / 18, 1 / 6])
    assert abs(12 * first + 2 * second - 1) < 1e-12
