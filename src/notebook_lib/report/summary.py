"""The report in five lines."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from ..intervals import length
from .predict import check_coverage

__all__ = ["in_short"]

#: Masks named one by one, at most.
_SHOWN = 3
#: Of a false alarm in any mask.
_CHANCE = 0.025


def in_short(table, gaps, choice, result):
    """Say the result in a few lines of Markdown.

    Parameters
    ----------
    table : Table
        From :func:`read_table`.
    gaps : Gaps
        From :func:`describe_gaps`.
    choice : Recommendation
        From :func:`recommend`.
    result : DataFrame
        From :func:`predict_gaps`.

    Returns
    -------
    str
        A list: the gaps, the method, its coverage on held-out rows if there are any,
        sizes, infinite sets, and what to be careful about.
    """
    lines = [_gaps(table, gaps), _method(choice)]
    if result["covered"].notna().any():
        lines += _coverage(check_coverage(result))
    lines.append(_sizes(result))
    infinite = result["infinite"]
    if infinite.any():
        why = result.loc[infinite, "reason"].value_counts().index[0]
        lines.append(
            f"{int(infinite.sum())} of {len(result)} sets are infinite "
            f"({why.removeprefix('infinite: ')}): without further assumptions nothing "
            "shorter can be promised there."
        )
    if gaps.untenable:
        lines.append(
            f"Gaps in {', '.join(map(repr, gaps.untenable[:3]))} depend on other "
            "columns: they are not completely at random."
        )
    return "\n".join(f"* {line}" for line in lines)


def _method(choice):
    name = choice.name.replace("*", r"\*")
    return f"**{name}**. Guarantee: {choice.guarantee}"


def _gaps(table, gaps):
    n, d = table.X.shape
    share = float(table.X.isna().to_numpy().mean())
    missing = int((~table.observed).sum())
    told = f"{n} rows and {d} covariates, {100 * share:.1f} % of their entries missing"
    if share:
        told += f" in {gaps.summary['masks']} different masks"
    outcome = f"missing in {missing} rows" if missing else "complete"
    return f"{told}; {table.target!r} is {outcome}."


def _coverage(checked):
    for level, part in checked.groupby("alpha", sort=True):
        one = part.iloc[0]
        yield (
            f"On {one['n']} held-out rows {100 * one['coverage']:.1f} % of the sets "
            f"hold the outcome (95 % interval {100 * one['low']:.1f} to "
            f"{100 * one['high']:.1f} %; wanted {100 * (1 - level):g} %)."
        )
        masks = part.iloc[1:]
        low = masks[_too_low(masks, level)]
        for row in low.iloc[:_SHOWN].itertuples():
            yield (
                f"Rows with mask {row.mask!r} are covered less: "
                f"{100 * row.coverage:.0f} % of {row.n}."
            )
        if len(low) > _SHOWN:
            yield f"So are the rows of {len(low) - _SHOWN} more masks."


def _too_low(masks, level):
    """Which masks are covered less than chance allows in one of them, bool (n,)."""
    hits = np.rint(masks["coverage"] * masks["n"])
    chance = binom.cdf(hits, masks["n"], 1 - level)
    return chance < _CHANCE / max(len(masks), 1)


def _sizes(result):
    told = []
    for level, part in result.groupby("alpha", sort=True):
        if "size" in part:
            one = float((part["size"] == 1).mean())
            told.append(
                f"at alpha = {level:g} sets have {part['size'].mean():.2f} labels on "
                f"average, and {100 * one:.0f} % have one"
            )
        else:
            sizes = np.sort(length(part[["lower", "upper"]].to_numpy()))
            middle = sizes[(len(sizes) - 1) // 2]
            told.append(f"at alpha = {level:g} the median length is {middle:.4g}")
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."
