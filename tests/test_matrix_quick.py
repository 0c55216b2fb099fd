"""The live checks of chapter 2's theory: right numbers pass, each broken one fails."""

import numpy as np
import pandas as pd
import pytest

from notebook_lib import claims
from notebook_lib.studies import matrix_figures as draw
from notebook_lib.studies import matrix_quick as quick
from notebook_lib.studies import matrix_quick_verdicts as verdicts
from notebook_lib.studies import matrix_theory as theory


def failing(checks):
    """Claim and part of each criterion that does not hold."""
    found = []
    for one in checks:
        try:
            claims.check(**one)
        except claims.ClaimFailed:
            found.append((one["id"], one["part"]))
    return found


SPLIT = {"asymmetry": 0.0, "lemma A6": 0.0, "total": 1.0}
TINY = {
    "5 x 2": 0.0,
    "constant w": 0.0,
    "n = xi": 0.0,
    "zeros": 0.0,
    "zeros counted": 0.2,
    "constant w*": 0.0,
    "varied w*": 0.1,
    "swaps that change xi": 0,
}
INTEGRAL = {
    "integral": [1e-9, 1e-9, 1e-9],
    "sign changes": [0, 0, 1, 1],
    "ratio": np.array([0.1, 0.01, 0.001]),
    "outside": 0,
    "odds": 1e-12,
}
IN_THE_HEAD = {
    "closed": True,
    "width of 9 +- 2": 0.0,
    "flagged": True,
    "least width": 0.0,
    "effective size": 50.0,
    "nine scores": 8.0,
}


def laplace(first=0.1, last=0.001):
    errors = {"f = 1": [first, last], "f = eta": [first, last]}
    return pd.DataFrame(errors, index=[20, 2000])


@pytest.mark.parametrize("name", SPLIT)
def test_split_law(name):
    assert failing(verdicts.split_law(SPLIT)) == []
    assert len(failing(verdicts.split_law(SPLIT | {name: SPLIT[name] + 1e-6}))) == 1


def test_quantile_inflation():
    good = {"lower": 0.0, "upper": 0.01}
    assert failing(verdicts.inflation(good, 0, 1e-15)) == []
    bad = verdicts.inflation({"lower": -1e-3, "upper": -1e-3}, 1, 1e-9)
    assert [id for id, _ in failing(bad)] == [
        "scmc-T1",
        "scmc-T1",
        "scmc-T2",
        "scmc-T4",
    ]


@pytest.mark.parametrize(
    ("name", "broken", "claim"),
    [
        ("5 x 2", 1e-6, "scmc-T5"),
        ("constant w", 1e-6, "scmc-T15"),
        ("n = xi", 1e-6, "scmc-T17"),
        ("zeros", 1e-6, "scmc-E3"),
        ("zeros counted", 0.05, "scmc-E3"),
        ("constant w*", 1e-6, "scmc-T16"),
        ("varied w*", 0.01, "scmc-T16"),
        ("swaps that change xi", 1, "scmc-T17"),
    ],
)
def test_enumeration(name, broken, claim):
    assert failing(verdicts.enumeration([0.0], 0.1, TINY)) == []
    found = failing(verdicts.enumeration([0.0], 0.1, TINY | {name: broken}))
    assert [id for id, _ in found] == [claim]


def test_the_weights_are_right_and_the_printed_ones_wrong():
    found = failing(verdicts.enumeration([0.0, 1e-6], 0.01, TINY))
    assert found == [
        ("scmc-A4", "every twelfth law"),
        ("scmc-A4", "(13)-(14) without u, gap"),
    ]


@pytest.mark.parametrize(
    ("name", "broken", "claim"),
    [
        ("integral", [1e-9, 1e-6, 1e-9], "scmc-T9"),
        ("sign changes", [0, 1, 1, 1], "scmc-T10"),
        ("ratio", np.array([0.001, 0.01, 0.001]), "scmc-A7"),
        ("ratio", np.array([0.1, 0.01, 0.003]), "scmc-A7"),
        ("outside", 1, "scmc-T13"),
        ("odds", 1e-6, "scmc-T18"),
    ],
)
def test_integral(name, broken, claim):
    spread = 10.0 ** -np.array([0, 0.5, 1])
    assert failing(verdicts.integral(INTEGRAL, laplace(), spread)) == []
    found = failing(verdicts.integral(INTEGRAL | {name: broken}, laplace(), spread))
    assert [id for id, _ in found] == [claim]


def test_peak_and_laplace_form_sharpen_with_size():
    flat = failing(verdicts.integral(INTEGRAL, laplace(), [1.0, 0.5, 0.1]))
    assert flat == [("scmc-F2", "")]
    spread = 10.0 ** -np.array([0, 0.5, 1])
    late = failing(verdicts.integral(INTEGRAL, laplace(last=0.01), spread))
    assert late == [("scmc-T12", "f = 1, m = 2000")]
    grows = failing(verdicts.integral(INTEGRAL, laplace(first=5e-4), spread))
    assert [part for _, part in grows] == [
        "f = 1, error falls with size",
        "f = eta, error falls with size",
    ]


def test_metrics_are_those_done_in_the_head():
    measured = quick.metrics(np.random.default_rng(0))
    assert measured.keys() == IN_THE_HEAD.keys()
    assert failing(verdicts.metrics(measured, True, True)) == []


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("closed", False),
        ("width of 9 +- 2", 4.0),
        ("flagged", False),
        ("least width", -4.0),
        ("effective size", 49.0),
        ("nine scores", np.inf),
    ],
)
def test_metrics_that_are_wrong_fail(name, broken):
    assert failing(verdicts.metrics(IN_THE_HEAD, True, True)) == []
    assert len(failing(verdicts.metrics(IN_THE_HEAD | {name: broken}, True, True))) == 1
    assert failing(verdicts.metrics(IN_THE_HEAD, False, True)) == [
        ("scmc-M1", "centre")
    ]
    assert len(failing(verdicts.metrics(IN_THE_HEAD, True, False))) == 1


def test_one_cell_at_a_time():
    good = {"odds": (0.895, 0.005), "equal": (0.8, 0.005)}
    assert failing(verdicts.one_cell(good)) == []
    low = failing(verdicts.one_cell(good | {"odds": (0.88, 0.005)}))
    assert [id for id, _ in low] == ["scmc-T14", "scmc-B3"]
    harmless = failing(verdicts.one_cell(good | {"equal": (0.9, 0.005)}))
    assert harmless == [("scmc-T14", "equal weights")]


def simulated(right=0.905, wrong=0.8):
    methods = ["SCMC", "SCMC (w = 1)", "SCMC (equal weights)", "SCMC"]
    return pd.DataFrame(
        {
            "method": methods,
            "metric": ["coverage", "coverage", "coverage", "max_p"],
            "mean": [right, wrong, wrong, 0.01],
            "mc_error": 0.001,
        }
    )


def test_theorems():
    exact = [{"slack": 0.0, "over": 0.0}]
    guess, spy = {"slack": 0.0}, {"coverage": 0.8, "bound": 0.86}

    def broken(exact=exact, guess=guess, spy=spy, stored=None):
        stored = simulated() if stored is None else stored
        return [id for id, _ in failing(verdicts.theorems(exact, guess, spy, stored))]

    assert broken() == []
    assert broken([{"slack": -0.01, "over": 0.01}]) == ["scmc-T6", "scmc-T7"]
    assert broken(stored=simulated(right=0.89)) == ["scmc-T6"]
    assert broken(stored=simulated(right=0.92)) == ["scmc-T7"]
    assert broken(stored=simulated(wrong=0.89)) == ["scmc-T6"]
    assert broken(guess={"slack": -0.01}) == ["scmc-T8"]
    assert broken(spy={"coverage": 0.84, "bound": 0.86}) == ["scmc-T8", "scmc-T8"]


def test_mapped_weights():
    assert failing(verdicts.mapped({"mapped": 0.1, "raw": 0.12})) == []
    assert len(failing(verdicts.mapped({"mapped": 0.11, "raw": 0.11}))) == 2


def test_coverage_by_names_the_columns():
    covered = np.array([[True, False], [True, True], [True, False], [True, True]])
    found = quick.coverage_by(covered, ["first", "second"])
    assert found["first"] == (1.0, 0.0)
    value, error = found["second"]
    assert (value, error) == (0.5, pytest.approx(np.sqrt(0.25 / 3)))
    with pytest.raises(ValueError, match="longer"):
        quick.coverage_by(covered, ["first"])


def test_enumeration_names_what_it_varies(monkeypatch):
    """The case and the options behind each name, without their cost."""
    asked = []

    def gap(case, rng, **options):
        asked.append((case, options))
        return {"gap": float(len(asked))}

    monkeypatch.setattr(theory, "enumeration_gap", gap)
    found = quick.enumeration(np.random.default_rng(0))
    of = dict(zip(list(found)[:5], asked, strict=True))
    assert [found[name] for name in of] == [1, 2, 3, 4, 5]
    assert of["5 x 2"][0] == (5, 2, 5, 2, 2)
    assert of["constant w"][1]["constant"]
    assert of["n = xi"][0][-1] == "all"
    assert of["zeros"][1]["zeros"]
    assert "count_zeros" not in of["zeros"][1]
    assert of["zeros counted"][1]["count_zeros"]


def test_the_figure_of_conditional_questions():
    shares, sizes = [0.1, 0.2], [2, 3]
    slab = pd.DataFrame({"delta": shares, "mean": 0.9, "mc_error": 0.01})
    gap = pd.DataFrame({"K": sizes, "mean": [-0.1, 0.2], "mc_error": 0.01})
    fig = draw.conditional(slab.assign(method="SCMC"), gap.assign(genre="Crime"))
    left, right = fig.axes
    assert left.get_xlabel() == "share of cells in the slab, at least"
    assert left.get_legend() is not None
    assert right.get_ylabel() == "change of width (stars)"
    (line,) = [line for line in right.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(line.get_ydata(), [-0.1, 0.2])
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["Crime"]
