"""Table 1 of chapter 5: which formula printed it, and squared coverage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .missing_outcomes import summary
from .outcome_criteria import Check, criterion, pivot
from .outcome_trial import ONE_REP, PROCP, PROCP2, PROCP2_CONSTANT

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
    """Table 1, known propensity: the forms that produced the printed numbers.

    Each printed number is met within 3 combined Monte-Carlo errors; at paper scale
    also within .06 in the share of trials and .6 in width.
    """
    ours = our_table1(frame).set_index(["setting", "propensity", "method"])
    for row, found in _pairs(ours, published, "known"):
        for metric, tol in (("reached", 0.06), ("width", 0.6)):
            # A share of 1 in few trials has no error of its own: use 1/n.
            error = max(
                found[f"{metric}_se"], 1 / found["n"] if metric == "reached" else 0
            )
            part = f"Setting {row['setting']}, {row['method']}, {metric}"
            yield criterion(
                "procp-Tab1",
                part,
                found[metric],
                mc_error=error,
                published=row[metric],
                published_error=row[f"{metric}_se"],
            )
            yield criterion(
                "procp-Tab1",
                f"{part}, distance to the printed value",
                found[metric] - row[metric],
                expected=0,
                tol=tol,
                noise=np.hypot(error, row[f"{metric}_se"]),
            )
    known = ours.xs("known", level="propensity").loc[1]
    yield criterion(
        "procp-E01",
        "one representative: width",
        known.loc[ONE_REP, "width"],
        expected=24.7,
        tol=0.4,
    )
    yield criterion(
        "procp-E01",
        "one representative: P",
        known.loc[ONE_REP, "reached"],
        expected=0.77,
        tol=0.06,
    )
    yield criterion(
        "procp-E01",
        "printed (11): width",
        known.loc[PROCP, "width"],
        expected=26.2,
        tol=0.4,
    )
    yield criterion(
        "procp-E01", "printed (11): P", known.loc[PROCP, "reached"], at_least=0.87
    )


def _pairs(ours, published, propensity: str):
    """Printed rows of one kind, each with ours."""
    for _, row in published_table1(published).iterrows():
        if row["propensity"] == propensity:
            method = TABLE_METHODS[row["method"]]
            yield row, ours.loc[(row["setting"], propensity, method)]


#: Rows of Table 1 with an estimated propensity that our training draw misses.
MISSED = {
    (1, "pro-CP", "reached"),
    (1, "pro-CP2", "width"),
    (2, "pro-CP", "reached"),
    (2, "pro-CP2", "width"),
}


def estimated(
    frame: pd.DataFrame, draws: pd.DataFrame, published: pd.DataFrame
) -> Iterator[Check]:
    """Table 1, estimated propensity: within .12 and 1.5, or recorded as a miss.

    Parameters
    ----------
    frame, draws : DataFrame
        The study of Table 1 (one training sample, as in the paper), and the one over
        ten training samples, which explains the misses.
    published : DataFrame
        The printed numbers.
    """
    ours = our_table1(frame).set_index(["setting", "propensity", "method"])
    spread = over_draws(draws)
    for row, found in _pairs(ours, published, "estimated"):
        for metric, tol in (("reached", 0.12), ("width", 1.5)):
            part = f"Setting {row['setting']}, {row['method']}, {metric}, estimated"
            values = {"published": row[metric], "tol": tol}
            among = spread.loc[(row["setting"], TABLE_METHODS[row["method"]])][metric]
            yield criterion(
                "procp-Tab1",
                f"{part}: printed, in our range over training samples",
                row[metric],
                at_least=among["min"],
                at_most=among["max"],
                note="explains the differences; not the criterion",
            )
            if (row["setting"], row["method"], metric) not in MISSED:
                yield criterion("procp-Tab1", part, found[metric], **values)
                continue
            values["tol"] = 0.0
            why = (
                "the estimate hangs on one training sample, of which the paper shows "
                f"one: over ten of ours this number runs from {among['min']:.3g} to "
                f"{among['max']:.3g}, on both sides of the printed one (known "
                "propensity: all rows agree)"
            )
            errors = {name: v[f"{metric}_se"] for name, v in _errors(found, row)}
            yield criterion(
                "procp-Tab1", part, found[metric], **values, **errors, why=why
            )


def _errors(found, row):
    return ("mc_error", found), ("published_error", row)


def over_draws(draws: pd.DataFrame) -> pd.DataFrame:
    """Least, median and largest value over training samples, by setting and method."""
    table = pivot(draws, ["setting", "propensity", "method", "training_seed"])
    table = table[table["propensity"] == "estimated"]
    how = ["min", "median", "max"]
    return table.groupby(["setting", "method"])[["reached", "width"]].agg(how)


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
                yield criterion(
                    theorem,
                    f"Setting {setting}, {method}",
                    moment.mean() + 3 * moment.sem(),
                    at_most=0.04,
                    note="mean of the squared missed share plus 3 errors",
                )
            for metric in ("coverage", "width"):
                mean = by[metric].mean()
                yield criterion(
                    figure,
                    f"Setting {setting}, {metric}, pro-CP2 minus pro-CP",
                    mean[PROCP2_CONSTANT] - mean[ONE_REP],
                    at_least=0.0,
                )
