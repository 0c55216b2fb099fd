"""What chapter 6 asserts: comparisons that show it pass, each broken one fails."""

import pandas as pd
import pytest

from notebook_lib.studies import choosing_verdicts as verdicts

LEVEL = 0.9


def table(rows, **columns):
    """A summary: coverage and coverage of the worst group by method."""
    frame = pd.DataFrame.from_dict(rows, "index", columns=["coverage", "worst"])
    return frame.assign(**{"error": 0.004, "worst error": 0.004}, **columns)


def edited(frame, method, column, value):
    frame = frame.copy()
    frame.loc[method, column] = value
    return frame


def mechanism(*, chance):
    exact = 0.9 if chance else 0.88
    light = (0.9, 0.9) if chance else (0.85, 0.8)
    methods = {
        "CP": (0.9, 0.8),
        "CQR": (0.9, 0.9),
        "CQR (mean, no mask)": (0.9, 0.85),
        "same mask": (0.91, 0.9),
        "CP-MDA-Exact": (0.9, exact),
        "CP-MDA-Nested": (0.92, 0.9),
        "CP-MDA-Nested*": (0.92, 0.9),
        "nexCP (mask weights)": light,
        "LCP": light,
    }
    return table(methods, length=[5, 5, 5, 6, 5, 5.01, 5, 5, 5])


MCAR, MAR = mechanism(chance=True), mechanism(chance=False)
OUTCOMES = table(
    {
        "naive": (0.8, 0.7),
        "weighted CP": (0.9, 0.8),
        "weighted CP (estimated)": (0.9, 0.8),
        "weighted CP (wrong way)": (0.7, 0.6),
        "binned wCP": (0.93, 0.9),
        "pro-CP": (0.95, 0.9),
        "pro-CP (estimated)": (0.95, 0.9),
        "pro-CP2": (0.97, 0.92),
    },
    length=[4, 5, 5, 3, 6, 7, 7, 8],
).assign(**{"rms missed": 0.05})
CLASS = table(
    {"ignore": (0.9, 0.7), "EM-soft (regression)": (0.9, 0.8), "oracle": (0.9, 0.9)},
    length=[9, 7, 5],
)
ENTRIES = pd.DataFrame(
    {"joint": [0.6, 0.9, 0.9], "joint error": 0.01},
    index=["individual", "SCMC", "Bonferroni"],
)


@pytest.mark.parametrize("usual", [True, False])
def test_what_the_chapter_says_passes(usual):
    verdicts.covariates(MCAR, MAR, LEVEL, usual=usual)
    verdicts.outcomes(OUTCOMES, LEVEL, usual=usual)
    verdicts.hidden_class(CLASS, LEVEL, usual=usual)
    verdicts.entries(ENTRIES, LEVEL, usual=usual)
    verdicts.filled_covariates(MCAR, MAR, LEVEL)


@pytest.mark.parametrize(
    ("gaps", "method", "column", "value", "always"),
    [
        ("mcar", "CP", "coverage", 0.8, True),
        ("mar", "CQR", "coverage", 0.8, True),
        ("mar", "same mask", "worst", 0.8, True),
        ("mcar", "LCP", "worst", 0.8, True),
        ("mcar", "CP-MDA-Exact", "worst", 0.85, True),
        ("mar", "CP-MDA-Nested*", "worst", 0.75, True),
        ("mcar", "CP", "worst", 0.9, False),
        ("mar", "CQR", "worst", 0.85, False),
        ("mar", "CP-MDA-Exact", "worst", 0.9, False),
        ("mar", "LCP", "worst", 0.9, False),
        ("mar", "nexCP (mask weights)", "coverage", 0.9, False),
        ("mcar", "CP-MDA-Nested", "length", 5.1, False),
    ],
)
def test_covariates_that_show_something_else_fail(gaps, method, column, value, always):
    mcar, mar = MCAR, MAR
    if gaps == "mcar":
        mcar = edited(MCAR, method, column, value)
    else:
        mar = edited(MAR, method, column, value)
    with pytest.raises(AssertionError) as miss:
        verdicts.covariates(mcar, mar, LEVEL)
    assert method in str(miss.value)
    if always:
        with pytest.raises(AssertionError):
            verdicts.covariates(mcar, mar, LEVEL, usual=False)
    else:
        verdicts.covariates(mcar, mar, LEVEL, usual=False)


@pytest.mark.parametrize("frames", [(True, False), (False, True)])
def test_filling_that_does_no_harm_fails(frames):
    better = (edited(MCAR, "CQR (mean, no mask)", "worst", 0.9), MCAR)
    same = (edited(MAR, "CQR (mean, no mask)", "worst", 0.9), MAR)
    tables = [
        pair[0 if broken else 1]
        for pair, broken in zip((better, same), frames, strict=True)
    ]
    with pytest.raises(AssertionError, match="no mask"):
        verdicts.filled_covariates(*tables, LEVEL)


@pytest.mark.parametrize(
    ("method", "column", "value", "always"),
    [
        ("weighted CP", "coverage", 0.85, True),
        ("pro-CP (estimated)", "coverage", 0.85, True),
        ("binned wCP", "worst", 0.85, True),
        ("pro-CP2", "rms missed", 0.12, True),
        ("naive", "coverage", 0.9, False),
        ("weighted CP", "worst", 0.9, False),
        ("weighted CP (wrong way)", "coverage", 0.85, False),
        ("pro-CP", "coverage", 0.905, False),
        ("pro-CP2", "coverage", 0.94, False),
        ("weighted CP (estimated)", "coverage", 0.95, False),
        ("pro-CP", "length", 9.0, False),
    ],
)
def test_outcomes_that_show_something_else_fail(method, column, value, always):
    found = edited(OUTCOMES, method, column, value)
    with pytest.raises(AssertionError):
        verdicts.outcomes(found, LEVEL)
    if always:
        with pytest.raises(AssertionError):
            verdicts.outcomes(found, LEVEL, usual=False)
    else:
        verdicts.outcomes(found, LEVEL, usual=False)


def test_a_class_that_shows_something_else_fails():
    with pytest.raises(AssertionError, match="oracle"):
        verdicts.hidden_class(
            edited(CLASS, "oracle", "coverage", 0.8), LEVEL, usual=False
        )
    for method, column, value in (
        ("ignore", "worst", 0.9),
        ("EM-soft (regression)", "worst", 0.9),
        ("oracle", "length", 8.0),
    ):
        with pytest.raises(AssertionError):
            verdicts.hidden_class(edited(CLASS, method, column, value), LEVEL)


def test_entries_that_show_something_else_fail():
    with pytest.raises(AssertionError, match="SCMC"):
        verdicts.entries(edited(ENTRIES, "SCMC", "joint", 0.8), LEVEL, usual=False)
    with pytest.raises(AssertionError, match="individual"):
        verdicts.entries(edited(ENTRIES, "individual", "joint", 0.9), LEVEL)
