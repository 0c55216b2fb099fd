"""Sets for the rows that need them, in one tidy frame, and their coverage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import beta
from threadpoolctl import threadpool_limits

from .._validation import check_alpha
from ..exceptions import warn_infinite
from ..intervals import length
from ..metrics import coverage_by_group
from .complete import complete_sets, split_rows
from .gaps import describe_gaps
from .outcome import new_sets, outcome_sets
from .recommend import recommend

__all__ = ["check_coverage", "predict_gaps"]

HELD_OUT, MISSING, NEW = "held out", "missing outcome", "new"
OUTCOME_METHODS = ("weighted", "pro-cp", "pro-cp2")


def predict_gaps(
    table,
    *,
    method="auto",
    alpha=0.1,
    new=None,
    model="auto",
    seed=0,
    recommendation=None,
):
    """Sets for missing outcomes, for new rows, or for held-out rows.

    With (nearly) complete outcomes half of the rows train, a quarter calibrate and a
    quarter are held out, so that coverage can be checked; rows whose outcome is
    missing and new rows are calibrated on all rows that did not train. With many
    missing outcomes every row without one gets a set, by crossing two parts.

    Parameters
    ----------
    table : Table
        From :func:`read_table`.
    method : str
        ``"auto"``, or a key that :func:`recommend` knows.
    alpha : float or sequence of float
        Miscoverage level(s).
    new : DataFrame or path, optional
        New rows with the same columns, in any order.
    model : {"auto", "linear", "boosting"} or estimator
        Model of the outcome.
    seed : int
        Seed of the deal.
    recommendation : Recommendation, optional
        From :func:`recommend`; saves its computation.

    Returns
    -------
    DataFrame
        One line for each row and level: ``row`` (label in the table), ``part``
        (``"held out"``, ``"missing outcome"`` or ``"new"``), ``alpha``,
        ``prediction``, ``lower`` and ``upper`` (for labels ``set``, joined by ``|``,
        and ``size``), ``method``, ``mask``, ``infinite``, ``reason``, ``y`` and
        ``covered`` (where the outcome is known).

    Raises
    ------
    ValueError
        If the method does not apply, or columns of the new rows do not fit.

    Examples
    --------
    >>> from notebook_lib import report
    >>> result = report.predict_gaps(report.read_table(None, "weight"), alpha=0.2)
    >>> result.shape
    (250, 12)
    """
    levels = tuple(float(level) for level in check_alpha(alpha))
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be an integer of at least 0, got {seed!r}")
    new = None if new is None else _new_rows(table, new)
    if recommendation is None:
        gaps = describe_gaps(table)
        recommendation = recommend(table, alpha=levels, gaps=gaps, method=method)
    chosen = recommendation.method
    if chosen == "matrix":
        raise ValueError(
            "the table looks like a matrix of ratings: use "
            "notebook_lib.matrix.StructuredConformalCompletion (chapter 2), or give a "
            "method to go on row by row, such as method='imputed'"
        )
    make = _by_weights if chosen in OUTCOME_METHODS else _by_masks
    # On a table of this kind several threads cost more than they give.
    with threadpool_limits(limits=1):
        parts = [
            _frame(table, part, labels, sets, levels, recommendation.name)
            for part, labels, sets in make(table, chosen, levels, new, model, int(seed))
        ]
    frame = pd.concat(parts, ignore_index=True)
    infinite = frame["infinite"]
    if infinite.any():
        why = frame.loc[infinite, "reason"].value_counts().index[0]
        warn_infinite(int(infinite.sum()), len(frame), why.removeprefix("infinite: "))
    return frame


def _new_rows(table, new):
    if isinstance(new, pd.DataFrame | str | Path):
        rows = table.covariates(new)
        if not len(rows):
            raise ValueError("new has no rows: give at least one")
        return rows
    raise ValueError(
        f"new must be a DataFrame or a path, got {type(new).__name__}: convert it with "
        "pandas.DataFrame"
    )


def _by_masks(table, method, levels, new, model, seed):
    train, calibrate, held_out = split_rows(table, seed=seed)
    rest = np.sort(np.concatenate([calibrate, held_out]))

    def sets(cal, X):
        return complete_sets(table, method, train, cal, X, alpha=levels, model=model)

    X = table.X
    yield HELD_OUT, X.index[held_out], sets(calibrate, X.iloc[held_out])
    if not table.observed.all():
        rows = X[~table.observed]
        yield MISSING, rows.index, sets(rest, rows)
    if new is not None:
        yield NEW, new.index, sets(rest, new)


def _by_weights(table, method, levels, new, model, seed):
    rows = table.X.index[~table.observed]
    found = outcome_sets(table, method, alpha=levels, model=model, seed=seed)
    yield MISSING, rows, found
    if new is not None:
        found = new_sets(table, new, alpha=levels, model=model, seed=seed)
        yield NEW, new.index, found


def _frame(table, part, labels, sets, levels, name):
    frames = []
    for k, level in enumerate(levels):
        frame = pd.DataFrame({"row": labels, "part": part, "alpha": level})
        frame["prediction"] = sets.prediction
        if sets.labels is None:
            frame["lower"] = sets.intervals[:, 0, k]
            frame["upper"] = sets.intervals[:, 1, k]
        else:
            inside = sets.labels[:, :, k]
            classes = np.asarray(sets.classes, dtype=object)
            frame["set"] = ["|".join(map(str, classes[row])) for row in inside]
            frame["size"] = inside.sum(axis=1)
        if part == NEW and name.startswith("pro-CP"):
            frame["method"] = "weighted CP"
        else:
            frame["method"] = name
        frame["mask"] = sets.mask.to_numpy()
        frame["infinite"] = sets.infinite[:, k]
        frame["reason"] = _empty_too(frame, sets.reasons[:, k])
        frame["place"] = np.arange(len(frame))
        frames.append(frame)
    frame = pd.concat(frames).sort_values(["place", "alpha"], kind="stable")
    return _with_outcome(table, frame.drop(columns="place"), part)


def _empty_too(frame, reasons):
    """Add the other end of the scale: a set without any value."""
    if "lower" in frame:
        empty = (frame["lower"] > frame["upper"]).to_numpy()
    else:
        empty = (frame["size"] == 0).to_numpy()
    told = "empty: the calibration rows leave no value at this level"
    return [
        (f"{r}; {told}" if r else told) if e else r
        for r, e in zip(reasons, empty, strict=True)
    ]


def _with_outcome(table, frame, part):
    if part == HELD_OUT:
        y = table.y.loc[frame["row"]].to_numpy()
        if "lower" in frame:
            covered = (frame["lower"] <= y) & (y <= frame["upper"])
        else:
            sets = frame["set"].str.split("|", regex=False)
            covered = [v in inside for v, inside in zip(y, sets, strict=True)]
        covered = np.asarray(covered, dtype=bool)
    else:
        y, covered = np.nan, pd.NA
    dtype = object if table.task == "classification" else float
    frame["y"] = pd.Series(y, index=frame.index, dtype=dtype)
    frame["covered"] = pd.Series(covered, index=frame.index, dtype="boolean")
    return frame


def check_coverage(result, *, min_rows=10):
    """Coverage and length on held-out rows, all together and by mask.

    Parameters
    ----------
    result : DataFrame
        From :func:`predict_gaps`, with held-out rows.
    min_rows : int
        Masks with fewer held-out rows are counted together as ``"rare masks"``.

    Returns
    -------
    DataFrame
        ``alpha``, ``mask`` (``"all"`` first), ``n``, ``coverage``, ``mc_error``
        (binomial), ``low`` and ``high`` (95 % Clopper-Pearson), and for intervals
        ``median_length`` and ``share_infinite``, for labels ``mean_size``.

    Raises
    ------
    ValueError
        If no row of `result` has a known outcome.

    Notes
    -----
    The error is that of the held-out rows alone. All share one calibration set, whose
    draw moves the coverage too: with ``n`` calibration rows by about
    ``sqrt(alpha * (1 - alpha) / n)``.
    """
    known = result[result["covered"].notna()]
    if not len(known):
        raise ValueError(
            "no row of result has a known outcome: coverage on missing outcomes "
            "cannot be measured; fill in some of them and predict again"
        )
    frames = []
    for level, part in known.groupby("alpha", sort=True):
        counts = part["mask"].map(part["mask"].value_counts())
        masks = part["mask"].where(counts >= min_rows, "rare masks")
        frames.append(_coverage(part, pd.Series("all", index=part.index), level))
        by_mask = _coverage(part, masks, level)
        by_mask = by_mask.sort_values("n", ascending=False, kind="stable")
        last = by_mask["mask"] == "rare masks"
        frames += [by_mask[~last], by_mask[last]]
    return pd.concat([f for f in frames if len(f)], ignore_index=True)


def _coverage(part, groups, level):
    covered = part["covered"].to_numpy(bool)
    intervals = "lower" in part
    sizes = (
        length(part[["lower", "upper"]].to_numpy())
        if intervals
        else part["size"].to_numpy(float)
    )
    found = coverage_by_group(covered, groups.to_numpy(), sizes)
    hits = np.rint(found["coverage"] * found["n"])
    with np.errstate(invalid="ignore"):
        low = beta.ppf(0.025, hits, found["n"] - hits + 1)
        high = beta.ppf(0.975, hits + 1, found["n"] - hits)
    out = found.reset_index(names="mask")[["mask", "n", "coverage", "mc_error"]]
    out.insert(0, "alpha", level)
    out["low"], out["high"] = np.nan_to_num(low), np.nan_to_num(high, nan=1.0)
    if intervals:
        out["median_length"] = found["median"].to_numpy()
        out["share_infinite"] = found["share_infinite"].to_numpy()
    else:
        out["mean_size"] = found["mean_finite"].to_numpy()
    return out
