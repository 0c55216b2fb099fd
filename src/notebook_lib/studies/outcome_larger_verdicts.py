"""What the stored checks of chapter 5 at their larger size say, as criteria."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from .outcome_criteria import Check, criterion


def laws(frame: pd.DataFrame) -> Iterator[Check]:
    """T04: no law beyond the sharp slack, which two atoms attain."""
    n = int(frame.groupby("epsilon")["n_laws"].sum().min())
    about = {"note": f"{n} stored laws for each width"}
    worst = frame.groupby("epsilon")["worst"].max()
    sharp = frame.groupby("epsilon")["sharp"].first()
    # Stored with six digits.
    tol = {"tol": 1e-5}
    yield criterion("procp-T04", "random laws", worst, at_most=sharp, **tol, **about)
    reached = frame.groupby("epsilon")["attained"].max()
    yield criterion("procp-T04", "attained", reached, expected=sharp, **tol, **about)


def partitions(frame: pd.DataFrame) -> Iterator[Check]:
    """T16, T17 and A16 on stored small cases, by brute force."""
    about = {"note": f"{len(frame)} stored cases"}
    zero = {"expected": 0, "tol": 1e-12}
    yield criterion("procp-T16", "equal counts", frame["equal_gap"], **zero, **about)
    part = "attained by one row of each bin"
    yield criterion("procp-T16", part, frame["spread_gap"], **zero, **about)
    spare = frame["bound_gap"]
    yield criterion("procp-T16", "lower bound", spare, at_least=0, tol=1e-12, **about)
    n = int(frame["n_averages"].sum())
    yield criterion(
        "procp-T17",
        "share of cases that fail",
        frame["fails"].mean(),
        expected=0.28,
        tol=0.1,
        note=f"{n} stored draws; the share depends on their law, which is free",
    )
    for part, holds in (
        ("quick: share within a quarter of the optimum", frame["quick"] <= 1.25 + 1e-5),
        ("search: share optimal", frame["searched"] <= 1 + 1e-5),
        ("(25): share optimal", frame["trivial"] == 0),
    ):
        yield criterion("procp-A16", part, holds.mean(), at_least=0.95, **about)
    yield criterion(
        "procp-A16", "(25): above the bound", frame["spare"], at_least=0, **about
    )


def samples(frame: pd.DataFrame) -> Iterator[Check]:
    """A16, A17 and E05 on stored samples of Setting 1, 500 rows each."""
    about = {"note": f"{len(frame)} stored samples"}
    mean = frame.mean(numeric_only=True)
    part = "Setting 1, n = 500: worst mass of the quick deal"
    yield criterion("procp-A16", part, mean["quick"], at_most=0.08, **about)
    part = "Setting 1, n = 500: blocks less the quick deal"
    gain = frame["blocks"] - frame["quick"]
    yield criterion("procp-A16", part, gain.mean(), at_least=0, **about)
    part = "the law of (19) is never below"
    yield criterion("procp-A17", part, frame["above"], at_least=0, tol=1e-12, **about)
    part = "never wider"
    yield criterion("procp-A17", part, frame["wider"] == 0, **about)
    part = "finite without a partition"
    level = float(frame["alpha"].iloc[0]) ** 2
    yield criterion("procp-A17", part, frame["two_rep"], at_most=level, **about)
    for part, column, value in (
        ("mass", "squared", 0.057),
        ("approximation", "crude", 0.042),
    ):
        yield criterion(
            "procp-E05", part, mean[column], expected=value, tol=0.005, **about
        )
    part = "share of samples with infinite sets"
    share = (frame["squared"] > level).mean()
    yield criterion("procp-E05", part, share, at_least=0.9, **about)
