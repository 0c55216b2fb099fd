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
from .outcome_trial import (
    ONE_REP,
    ONE_REP_POOLED,
    PROCP,
    PROCP2,
    PROCP2_CONSTANT,
    WEIGHTED,
)
from .study import Study

Check = dict


def first_replicates(study: Study, n_replicates: int, **only) -> pd.DataFrame:
    """Rows of the first replicates of a study, in memory.

    They are exactly the first rows of the stored study, since every replicate has
    its own seed.

    Parameters
    ----------
    study : Study
        What to run.
    n_replicates : int
        Replicates of each scenario.
    **only
        Keep the scenarios that have this value, or one of these.
    """
    rows = []
    for index, scenario in enumerate(study.scenarios):
        if any(scenario[name] not in _many(value) for name, value in only.items()):
            continue
        for replicate in range(n_replicates):
            found = study.replicate(dict(scenario), study.rng(index, replicate))
            head = {"scenario": index} | scenario | {"replicate": replicate}
            rows += [head | row for row in found]
    frame = pd.DataFrame(rows).assign(error="")
    return frame if study.summarise is None else study.summarise(frame)


def _many(value):
    return value if isinstance(value, tuple) else (value,)


def _check(id: str, part: str, observed, **rule) -> Check:
    return {"id": id, "part": part, "observed": observed} | rule


def pivot(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Aggregated rows with one column a metric, and its error beside it."""
    wide = frame.pivot_table(index=by, columns="metric", values=["mean", "mc_error"])
    wide.columns = [
        metric if kind == "mean" else f"{metric}_se" for kind, metric in wide.columns
    ]
    return wide.reset_index()


_KINDS = {
    ("at_least",): "lower bounds",
    ("at_most",): "upper bounds",
    ("at_least", "at_most"): "ranges",
    ("expected",): "values",
}


def merge(checks) -> list[Check]:
    """Put checks of one claim and one kind of criterion into one, with arrays.

    A page with a line for each of some hundred checks hides what it shows; of an
    array, the element with the least slack is shown. Checks against published
    numbers and of flags stay alone.
    """
    groups: dict[tuple, list[Check]] = {}
    for position, one in enumerate(checks):
        kind = tuple(n for n in ("at_least", "at_most", "expected") if n in one)
        alone = "published" in one or kind not in _KINDS
        key = (one["id"], position) if alone else (one["id"], kind, "tol" in one)
        groups.setdefault(key, []).append(one)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[Check]) -> Check:
    if len(group) == 1:
        return group[0]
    out = {"id": group[0]["id"]}
    kind = tuple(n for n in ("at_least", "at_most", "expected") if n in group[0])
    out["part"] = f"{group[0]['part']} and {len(group) - 1} more {_KINDS[kind]}"
    sizes = [np.size(one["observed"]) for one in group]
    for name in ("observed", "tol", "mc_error", *kind):
        if any(name in one for one in group):
            parts = [one.get(name, 0.0) for one in group]
            spread = [
                np.broadcast_to(np.ravel(part), size)
                for part, size in zip(parts, sizes, strict=True)
            ]
            out[name] = np.concatenate(spread).astype(float)
    return out


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
        yield _check(
            "procp-F1",
            f"lowest pro-CP, {score}",
            table.loc[(1, score, PROCP), "lowest"],
            at_least=0.8,
        )
        n = table.loc[(1, score, WEIGHTED), "n"]
        yield _check(
            "procp-F1",
            f"share of trials in which weighted CP is below, {score}",
            table.loc[(1, score, WEIGHTED), "below"],
            at_least=0.25,
            at_most=0.6,
            mc_error=0.5 / np.sqrt(n),
        )
    wanted = {1: (0.851, 0.830, 0.802), 2: (0.883, 0.854, 0.802)}
    for setting, values in wanted.items():
        for method, value in zip((PROCP, ONE_REP, WEIGHTED), values, strict=True):
            row = table.loc[(setting, "residual", method)]
            yield _check(
                "procp-F4",
                f"Setting {setting}, {method}",
                row["coverage"],
                expected=value,
                tol=0.01,
            )
        both = table.loc[(setting, "residual")]
        yield _check(
            "procp-F4",
            f"Setting {setting}, width ratio",
            both.loc[PROCP, "width"] / both.loc[WEIGHTED, "width"],
            at_least=1.05,
            at_most=1.35,
        )
        yield _check(
            "procp-F4",
            f"Setting {setting}, lowest pro-CP",
            both.loc[PROCP, "lowest"],
            at_least=0.8,
        )


def bins(frame: pd.DataFrame, conditional_frame: pd.DataFrame) -> Iterator[Check]:
    """Figure 3 and erratum E10."""
    groups = frame.groupby(["rule", "method"])["coverage"]
    mean, low, error = groups.mean(), groups.min(), groups.sem()
    yield _check("procp-F3", "pro-CP", mean[("B", PROCP)], expected=0.851, tol=0.01)
    yield _check("procp-F3", "lowest pro-CP", low[("B", PROCP)], at_least=0.8)
    yield _check(
        "procp-F3", "weighted CP", mean[("B", WEIGHTED)], expected=0.8, tol=0.01
    )
    same = conditional_frame.query("setting == 1 and score == 'residual'")
    feature = same.groupby("method")["coverage"].mean()
    for method in (PROCP, WEIGHTED):
        yield _check(
            "procp-F3",
            f"bin minus feature, {method}",
            mean[("B", method)] - feature[method],
            expected=0,
            tol=0.01,
        )
        yield _check(
            "procp-E03",
            method,
            mean[("B", method)] - mean[("B,A", method)],
            expected=0,
            tol=0.005,
            mc_error=np.hypot(error[("B", method)], error[("B,A", method)]),
        )


# -------------------------------------------------------------------- Figure 5


def single(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure 5, residual score."""
    frame = frame[frame["score"] == "residual"]
    table = pivot(frame, ["setting", "epsilon", "method", "x"])
    parts = table.set_index(["setting", "epsilon", "method"]).sort_index()
    cover = parts["coverage"]
    yield _check(
        "procp-F5",
        "Setting 1, lowest pro-CP",
        cover[(1, 0.1, PROCP)].min(),
        at_least=0.76,
    )
    yield _check(
        "procp-F5",
        "Setting 1, weighted CP: share of x below",
        (cover[(1, 0.1, WEIGHTED)] < 0.8).mean(),
        at_least=0.3,
        at_most=0.55,
    )
    yield _check(
        "procp-F5",
        "Setting 1, lowest weighted CP",
        cover[(1, 0.1, WEIGHTED)].min(),
        at_most=0.7,
    )
    yield _check(
        "procp-F5",
        "Setting 2, lowest pro-CP",
        cover[(2, 0.1, PROCP)].min(),
        at_most=0.65,
    )
    yield _check(
        "procp-F5",
        "Setting 2, epsilon = 0.02: share of x below",
        (cover[(2, 0.02, PROCP)] < 0.8).mean(),
        at_most=0.15,
    )
    yield _check(
        "procp-F5",
        "Setting 2, epsilon = 0.02: share of infinite sets",
        parts["share_infinite"][(2, 0.02, PROCP)].mean(),
        expected=0.49,
        tol=0.05,
    )


# -------------------------------------------------------- Table 1, Figures 10, 11

TABLE_METHODS = {"pro-CP": ONE_REP, "pro-CP2": PROCP2_CONSTANT}


def published_table1(published: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as printed: setting, propensity, method; P, width and their errors."""
    names = {
        "P(coverage>=0.8)": "reached",
        "P(coverage>=0.8) se": "reached_se",
        "mean median width": "width",
        "mean median width se": "width_se",
    }
    rows = published[published["table"] == "Table 1"]
    wide = rows.pivot_table(
        index=["setting", "row", "method"], columns="metric", values="value"
    ).rename(columns=names)[list(names.values())]
    wide = wide.reset_index()
    wide["setting"] = wide["setting"].str[-1].astype(int)
    wide["propensity"] = wide.pop("row").str.split().str[0]
    wide.columns.name = None
    return wide


def our_table1(frame: pd.DataFrame) -> pd.DataFrame:
    """Our rows of Table 1 with Monte-Carlo errors."""
    table = summary(frame, ["setting", "propensity", "method"])
    table["reached"] = 1 - table.pop("below")
    table["reached_se"] = np.sqrt(
        table["reached"] * (1 - table["reached"]) / table["n"]
    )
    return table


def table1(frame: pd.DataFrame, published: pd.DataFrame) -> Iterator[Check]:
    """Table 1, known propensity: the forms that produced the printed numbers."""
    ours = our_table1(frame).set_index(["setting", "propensity", "method"])
    for _, row in published_table1(published).iterrows():
        if row["propensity"] != "known":
            continue
        found = ours.loc[(row["setting"], "known", TABLE_METHODS[row["method"]])]
        for metric in ("reached", "width"):
            # A share of 1 in few trials has no error of its own: use 1/n.
            error = max(
                found[f"{metric}_se"], 1 / found["n"] if metric == "reached" else 0
            )
            yield _check(
                "procp-Tab1",
                f"Setting {row['setting']}, {row['method']}, {metric}",
                found[metric],
                mc_error=error,
                published=row[metric],
                published_error=row[f"{metric}_se"],
            )
    known = ours.xs("known", level="propensity").loc[1]
    yield _check(
        "procp-E01",
        "one representative: width",
        known.loc[ONE_REP, "width"],
        expected=24.7,
        tol=0.4,
    )
    yield _check(
        "procp-E01",
        "one representative: P",
        known.loc[ONE_REP, "reached"],
        expected=0.77,
        tol=0.06,
    )
    yield _check(
        "procp-E01",
        "printed (11): width",
        known.loc[PROCP, "width"],
        expected=26.2,
        tol=0.4,
    )
    yield _check(
        "procp-E01", "printed (11): P", known.loc[PROCP, "reached"], at_least=0.87
    )


def estimated(draws: pd.DataFrame, published: pd.DataFrame) -> Iterator[Check]:
    """Table 1, estimated propensity: inside the range over training draws.

    The paper drew one training sample; ours differ by more than their Monte-Carlo
    errors, so the printed value must lie in the range of ours, widened by 3 combined
    errors.
    """
    table = pivot(draws, ["setting", "propensity", "method", "training_seed"])
    table = table[table["propensity"] == "estimated"].set_index(["setting", "method"])
    for _, row in published_table1(published).iterrows():
        if row["propensity"] != "estimated":
            continue
        found = table.loc[(row["setting"], TABLE_METHODS[row["method"]])]
        for metric in ("reached", "width"):
            # A draw with an infinite median in some trial has no mean width.
            found = found[np.isfinite(found[metric])]
            error = np.hypot(found[f"{metric}_se"].mean(), row[f"{metric}_se"])
            yield _check(
                "procp-Tab1",
                f"Setting {row['setting']}, {row['method']}, {metric}, estimated",
                row[metric],
                at_least=found[metric].min(),
                at_most=found[metric].max(),
                mc_error=error,
                published=row[metric],
                note="observed is the printed value; the bounds are our range over "
                "ten training samples",
            )


def squared(frame: pd.DataFrame) -> Iterator[Check]:
    """Theorems 6 and 7; Figures 10 and 11."""
    for kind, theorem, figure in (
        ("known", "procp-T12", "procp-F10"),
        ("estimated", "procp-T14", "procp-F11"),
    ):
        rows = frame[frame["propensity"] == kind]
        for setting, part in rows.groupby("setting"):
            by = part.groupby("method")
            for method in (PROCP2, PROCP2_CONSTANT):
                moment = by.get_group(method)["missed_squared"]
                yield _check(
                    theorem,
                    f"Setting {setting}, {method}",
                    moment.mean() + 3 * moment.sem(),
                    at_most=0.04,
                    note="mean of the squared missed share plus 3 errors",
                )
            for metric in ("coverage", "width"):
                mean = by[metric].mean()
                yield _check(
                    figure,
                    f"Setting {setting}, {metric}, pro-CP2 minus pro-CP",
                    mean[PROCP2_CONSTANT] - mean[ONE_REP],
                    at_least=0.0,
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
        yield _check(
            "procp-F6",
            f"{score}, known: trials below, pro-CP",
            known.loc[PROCP, "below"],
            at_most=0.05,
        )
        yield _check(
            "procp-F6",
            f"{score}, known: weighted CP",
            known.loc[WEIGHTED, "coverage"],
            expected=0.8,
            tol=0.01,
            mc_error=known.loc[WEIGHTED, "coverage_se"],
        )
        yield _check(
            "procp-F6",
            f"{score}, estimated: weighted CP",
            estimated.loc[WEIGHTED, "coverage"],
            expected=0.8,
            tol=0.03,
        )
    yield _check(
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
                yield _check(
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
    yield _check(
        "procp-F8",
        "",
        curve_difference(curve(high, PROCP), curve(high, WEIGHTED)),
        at_most=0.1,
        note="largest relative difference of widths at equal coverage",
    )
    for setting in (1, 2):
        part = squared_frame[squared_frame["setting"] == setting]
        yield _check(
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
    """Figure 9, for each split; the design too if the data are the paper's."""
    table = pivot(frame, ["split_seed", "treated", "propensity", "method"])
    for split, part in table[table["propensity"] == "known"].groupby("split_seed"):
        part = part.set_index("method")
        yield _check(
            "procp-F9",
            f"split {split}: weighted CP",
            part.loc[WEIGHTED, "coverage"],
            expected=0.8,
            tol=0.015,
            mc_error=part.loc[WEIGHTED, "coverage_se"],
        )
        yield _check(
            "procp-F9",
            f"split {split}: pro-CP minus weighted CP",
            part.loc[PROCP, "coverage"] - part.loc[WEIGHTED, "coverage"],
            at_least=0.03,
        )
        if full:
            yield _check(
                "procp-F9",
                f"split {split}: width ratio",
                part.loc[PROCP, "width"] / part.loc[WEIGHTED, "width"],
                at_least=1.05,
                at_most=1.4,
            )
            yield _check(
                "procp-D3",
                f"split {split}: missing",
                part.loc[PROCP, "missing"],
                expected=0.223,
                tol=0.01,
                published=0.22,
            )
    if full:
        yield _check(
            "procp-D3", "treated rows", int(table["treated"].iloc[0]), expected=879
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
        yield _check("procp-X1", name, found[name], expected=value, tol=0.015)


def infinite(frame: pd.DataFrame) -> Iterator[Check]:
    """X2: pooling wins where bins are full and loses where they are empty."""
    table = pivot(frame, ["setting", "n_total", "method"])
    share = table.set_index(["setting", "n_total", "method"])["share_infinite"]
    yield _check(
        "procp-X2",
        "n = 500: binned minus pooled",
        share[(1, 500, "binned wCP")] - share[(1, 500, PROCP)],
        at_least=0.0,
    )
    yield _check(
        "procp-X2",
        "n = 100: pooled minus binned",
        share[(1, 100, PROCP)] - share[(1, 100, "binned wCP")],
        at_least=0.0,
    )
    yield _check(
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
        yield _check("procp-E02", ", ".join(key), found[key], expected=value, tol=0.02)


def effects(frame: pd.DataFrame) -> Iterator[Check]:
    """A14: treatment effects of the untreated."""
    table = frame.set_index("metric")
    yield _check(
        "procp-A14",
        "coverage",
        table.loc["coverage", "mean"],
        at_least=0.8 - 0.0238,
        mc_error=table.loc["coverage", "mc_error"],
    )
    yield _check(
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
    yield _check(
        "procp-T05",
        "not below the sharp bound",
        cover["mean"],
        at_least=nominal - 0.0238227,
        mc_error=cover["mc_error"],
    )
    yield _check(
        "procp-T05",
        "below the nominal level",
        cover["mean"] + 3 * cover["mc_error"],
        at_most=nominal,
    )


def binned(frame: pd.DataFrame) -> Iterator[Check]:
    """T09: Proposition 1."""
    row = frame.set_index("metric").loc["coverage"]
    yield _check("procp-T09", "", row["mean"], at_least=0.8, mc_error=row["mc_error"])
