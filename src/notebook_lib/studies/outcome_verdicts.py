"""What the experiments of chapter 5 must show, as data for ``claims.check``.

Each function takes the rows of a study, live or stored, and yields the arguments of
one call of :func:`notebook_lib.claims.check` after the other: the same criteria hold
at both scales.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .missing_outcomes import summary
from .outcome_criteria import Check, criterion, pivot
from .outcome_trial import (
    ONE_REP,
    ONE_REP_POOLED,
    PROCP,
    PROCP2_CONSTANT,
    WEIGHTED,
)


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """Aggregated curves with one column a metric."""
    keys = ["setting", "alpha", "method"]
    return frame.pivot_table(index=keys, columns="metric", values="mean").reset_index()


# --------------------------------------------------------------- Figures 1 and 4


def conditional(frame: pd.DataFrame) -> Iterator[Check]:
    """Figures 1 and 4."""
    table = summary(frame, ["setting", "score", "method"])
    table = table.set_index(["setting", "score", "method"])
    for score in ("cqr", "residual"):
        yield criterion(
            "procp-F1",
            f"lowest pro-CP, {score}",
            table.loc[(1, score, PROCP), "lowest"],
            at_least=0.8,
        )
        n = table.loc[(1, score, WEIGHTED), "n"]
        yield criterion(
            "procp-F1",
            f"share of trials in which weighted CP is below, {score}",
            table.loc[(1, score, WEIGHTED), "below"],
            at_least=0.25,
            at_most=0.6,
            noise=0.5 / np.sqrt(n),
        )
    wanted = {1: (0.851, 0.830, 0.802), 2: (0.883, 0.854, 0.802)}
    for setting, values in wanted.items():
        for method, value in zip((PROCP, ONE_REP, WEIGHTED), values, strict=True):
            row = table.loc[(setting, "residual", method)]
            yield criterion(
                "procp-F4",
                f"Setting {setting}, {method}",
                row["coverage"],
                expected=value,
                tol=0.01,
            )
        both = table.loc[(setting, "residual")]
        yield criterion(
            "procp-F4",
            f"Setting {setting}, width ratio",
            both.loc[PROCP, "width"] / both.loc[WEIGHTED, "width"],
            at_least=1.05,
            at_most=1.35,
        )
        yield criterion(
            "procp-F4",
            f"Setting {setting}, lowest pro-CP",
            both.loc[PROCP, "lowest"],
            at_least=0.8,
        )


def bins(frame: pd.DataFrame, conditional_frame: pd.DataFrame) -> Iterator[Check]:
    """Figure 3 and erratum E10."""
    groups = frame.groupby(["rule", "method"])["coverage"]
    mean, low, error = groups.mean(), groups.min(), groups.sem()
    yield criterion("procp-F3", "pro-CP", mean[("B", PROCP)], expected=0.851, tol=0.01)
    yield criterion("procp-F3", "lowest pro-CP", low[("B", PROCP)], at_least=0.8)
    yield criterion(
        "procp-F3", "weighted CP", mean[("B", WEIGHTED)], expected=0.8, tol=0.01
    )
    same = conditional_frame.query("setting == 1 and score == 'residual'")
    feature = same.groupby("method")["coverage"].mean()
    for method in (PROCP, WEIGHTED):
        yield criterion(
            "procp-F3",
            f"bin minus feature, {method}",
            mean[("B", method)] - feature[method],
            expected=0,
            tol=0.01,
        )
        yield criterion(
            "procp-E03",
            method,
            mean[("B", method)] - mean[("B,A", method)],
            expected=0,
            tol=0.005,
            noise=np.hypot(error[("B", method)], error[("B,A", method)]),
        )


# -------------------------------------------------------------------- Figure 5


def single(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure 5, residual score."""
    frame = frame[frame["score"] == "residual"]
    table = pivot(frame, ["setting", "epsilon", "method", "x"])
    parts = table.set_index(["setting", "epsilon", "method"]).sort_index()
    cover = parts["coverage"]
    yield criterion(
        "procp-F5",
        "Setting 1, lowest pro-CP",
        cover[(1, 0.1, PROCP)].min(),
        at_least=0.76,
    )
    yield criterion(
        "procp-F5",
        "Setting 1, weighted CP: share of x below",
        (cover[(1, 0.1, WEIGHTED)] < 0.8).mean(),
        at_least=0.3,
        at_most=0.55,
    )
    yield criterion(
        "procp-F5",
        "Setting 1, lowest weighted CP",
        cover[(1, 0.1, WEIGHTED)].min(),
        at_most=0.7,
    )
    yield criterion(
        "procp-F5",
        "Setting 2, lowest pro-CP",
        cover[(2, 0.1, PROCP)].min(),
        at_most=0.65,
    )
    yield criterion(
        "procp-F5",
        "Setting 2, epsilon = 0.02: share of x below",
        (cover[(2, 0.02, PROCP)] < 0.8).mean(),
        at_most=0.15,
    )
    yield criterion(
        "procp-F5",
        "Setting 2, epsilon = 0.02: share of infinite sets",
        parts["share_infinite"][(2, 0.02, PROCP)].mean(),
        expected=0.49,
        tol=0.05,
    )


# -------------------------------------------------------- Figures 6, 7, 8 and 12


def high_dimensional(frame: pd.DataFrame) -> Iterator[Check]:
    """Figures 6 and 7."""
    table = summary(frame, ["scale", "score", "propensity", "method"])
    table = table.set_index(["scale", "score", "propensity", "method"]).sort_index()
    for score in ("cqr", "residual"):
        known, estimated = (
            table.loc[(2, score, "known")],
            table.loc[(2, score, "estimated")],
        )
        yield criterion(
            "procp-F6",
            f"{score}, known: trials below, pro-CP",
            known.loc[PROCP, "below"],
            at_most=0.05,
        )
        yield criterion(
            "procp-F6",
            f"{score}, known: weighted CP",
            known.loc[WEIGHTED, "coverage"],
            expected=0.8,
            tol=0.01,
            noise=known.loc[WEIGHTED, "coverage_se"],
        )
        yield criterion(
            "procp-F6",
            f"{score}, estimated: weighted CP",
            estimated.loc[WEIGHTED, "coverage"],
            expected=0.8,
            tol=0.03,
        )
    yield criterion(
        "procp-F6",
        "one representative",
        table.loc[(2, "cqr", "known", ONE_REP), "coverage"],
        expected=0.89,
        tol=0.02,
    )
    rows = frame[frame["scale"] == 2]
    middle = rows.groupby(["score", "propensity", "method"])[
        ["coverage", "width"]
    ].median()
    for score in ("cqr", "residual"):
        for kind in ("known", "estimated"):
            part = middle.loc[(score, kind)]
            for metric in ("coverage", "width"):
                yield criterion(
                    "procp-F7",
                    f"{score}, {kind}, median {metric}: pro-CP minus weighted CP",
                    part.loc[PROCP, metric] - part.loc[WEIGHTED, metric],
                    at_least=0.0,
                )


def curve(frame: pd.DataFrame, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and width of a method, sorted, medians that are infinite left out."""
    part = frame[frame["method"] == method]
    part = part[np.isfinite(part["width"])].sort_values("coverage")
    return part["coverage"].to_numpy(), part["width"].to_numpy()


def curve_difference(one, two, low=0.7, high=0.9) -> float:
    """Largest relative difference of widths at equal coverage, on a grid."""
    low = max(low, one[0].min(), two[0].min())
    high = min(high, one[0].max(), two[0].max())
    grid = np.linspace(low, high, 41)
    a, b = np.interp(grid, *one), np.interp(grid, *two)
    return float(np.max(np.abs(a - b) / b))


def curves(high: pd.DataFrame, squared_frame: pd.DataFrame) -> Iterator[Check]:
    """Figures 8 and 12, from mean coverage and width at each level."""
    yield criterion(
        "procp-F8",
        "",
        curve_difference(curve(high, PROCP), curve(high, WEIGHTED)),
        at_most=0.1,
        note="largest relative difference of widths at equal coverage",
    )
    for setting in (1, 2):
        part = squared_frame[squared_frame["setting"] == setting]
        yield criterion(
            "procp-F12",
            f"Setting {setting}",
            curve_difference(curve(part, PROCP2_CONSTANT), curve(part, PROCP)),
            at_most=0.04,
            note="largest relative difference of widths at equal coverage",
        )


def mean_curve(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean coverage and width by level and method."""
    keys = [name for name in ("setting", "alpha", "method") if name in frame]
    return frame.groupby(keys, as_index=False)[["coverage", "width"]].mean()


# -------------------------------------------------------------------- Figure 9


def jobs(frame: pd.DataFrame, *, full: bool) -> Iterator[Check]:
    """Figure 9, for each split; the widths too if the data are the paper's."""
    where = {} if full else {"note": "on the public 899-row version"}
    table = pivot(frame, ["split_seed", "treated", "propensity", "method"])
    for split, part in table[table["propensity"] == "known"].groupby("split_seed"):
        part = part.set_index("method")
        yield criterion(
            "procp-F9",
            f"split {split}: weighted CP",
            part.loc[WEIGHTED, "coverage"],
            expected=0.8,
            tol=0.015,
            noise=part.loc[WEIGHTED, "coverage_se"],
            **where,
        )
        yield criterion(
            "procp-F9",
            f"split {split}: pro-CP minus weighted CP",
            part.loc[PROCP, "coverage"] - part.loc[WEIGHTED, "coverage"],
            at_least=0.03,
            **where,
        )
        if full:
            yield criterion(
                "procp-F9",
                f"split {split}: width ratio",
                part.loc[PROCP, "width"] / part.loc[WEIGHTED, "width"],
                at_least=1.05,
                at_most=1.4,
            )


def jobs_facts(frame: pd.DataFrame) -> Iterator[Check]:
    """D3: rows, columns and missing outcomes of the paper's file."""
    fact = frame.set_index("fact")["value"]
    for part, value in (("treated rows", 879), ("columns", 23), ("duplicates", 0)):
        yield criterion("procp-D3", part, int(fact[part]), expected=value)
    yield criterion(
        "procp-D3",
        "missing on average",
        fact["missing"],
        expected=0.223,
        tol=0.01,
        published=0.22,
    )


# ----------------------------------------------------------- checks beyond the paper


def binnings(frame: pd.DataFrame) -> Iterator[Check]:
    """X1: arbitrary bins break missing at random."""
    wanted = {
        "epsilon = 0.1": 0.871,
        "epsilon = 0.5": 0.819,
        "epsilon = 2": 0.798,
        "one bin": 0.588,
        "parity of floor(x)": 0.594,
    }
    found = frame.set_index("bins")["mean"]
    for name, value in wanted.items():
        yield criterion("procp-X1", name, found[name], expected=value, tol=0.015)


def infinite(frame: pd.DataFrame) -> Iterator[Check]:
    """X2: pooling wins where bins are full and loses where they are empty."""
    table = pivot(frame, ["setting", "n_total", "method"])
    share = table.set_index(["setting", "n_total", "method"])["share_infinite"]
    yield criterion(
        "procp-X2",
        "n = 500: binned minus pooled",
        share[(1, 500, "binned wCP")] - share[(1, 500, PROCP)],
        at_least=0.0,
    )
    yield criterion(
        "procp-X2",
        "n = 100: pooled minus binned",
        share[(1, 100, PROCP)] - share[(1, 100, "binned wCP")],
        at_least=0.0,
    )
    yield criterion(
        "procp-X2",
        "n = 500: one representative",
        share[(1, 500, ONE_REP_POOLED)],
        at_most=0.001,
    )


def weights(frame: pd.DataFrame) -> Iterator[Check]:
    """E02 (erratum E6): the direction of the weights."""
    wanted = {
        ("Setting 1", "(1-p)/p"): 0.801,
        ("Setting 1", "p/(1-p), as printed"): 0.682,
        ("Setting 1", "no weights"): 0.750,
        ("strong shift", "(1-p)/p"): 0.812,
        ("strong shift", "p/(1-p), as printed"): 0.344,
        ("strong shift", "no weights"): 0.588,
    }
    found = frame.set_index(["design", "weights"])["mean"]
    for key, value in wanted.items():
        yield criterion(
            "procp-E02", ", ".join(key), found[key], expected=value, tol=0.02
        )


def effects(frame: pd.DataFrame) -> Iterator[Check]:
    """A14: treatment effects of the untreated."""
    table = frame.set_index("metric")
    yield criterion(
        "procp-A14",
        "coverage",
        table.loc["coverage", "mean"],
        at_least=0.8 - 0.0238,
        mc_error=table.loc["coverage", "mc_error"],
    )
    yield criterion(
        "procp-A14",
        "rows that disagree with Y(1)",
        table.loc["disagree", "mean"],
        expected=0,
    )


def adversary(frame: pd.DataFrame) -> Iterator[Check]:
    """T05: the bin that attains the sharp slack."""
    table = frame.set_index("metric")
    nominal = table.loc["nominal", "mean"]
    cover = table.loc["coverage"]
    yield criterion(
        "procp-T05",
        "not below the sharp bound",
        cover["mean"],
        at_least=nominal - 0.0238227,
        mc_error=cover["mc_error"],
    )
    yield criterion(
        "procp-T05",
        "below the nominal level",
        cover["mean"] + 3 * cover["mc_error"],
        at_most=nominal,
    )


def binned(frame: pd.DataFrame) -> Iterator[Check]:
    """T09: Proposition 1."""
    row = frame.set_index("metric").loc["coverage"]
    yield criterion(
        "procp-T09", "", row["mean"], at_least=0.8, mc_error=row["mc_error"]
    )
