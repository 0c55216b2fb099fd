"""What the study ``matrix-larger`` must find, as data for ``claims.check``.

The criteria are those of the claims, asked of the worst draw.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from .matrix_verdicts import Check, criterion

#: Largest mean relative error of the Laplace ratio, and of a distance of the weights.
CLOSE = 2e-3


def worst(frame: pd.DataFrame, part: str, measure: str, end="largest") -> pd.Series:
    """Largest (or smallest) value of one measure by case and group size.

    Raises
    ------
    ValueError
        If the study holds no such measure, or a value is missing.
    """
    rows = frame[(frame["part"] == part) & (frame["measure"] == measure)]
    values = rows.set_index(["case", "K"])[end]
    if values.empty or values.isna().any():
        raise ValueError(
            f"matrix-larger has no complete {measure!r} of {part!r}: run the study "
            "again"
        )
    return values


def root(frame: pd.DataFrame) -> Iterator[Check]:
    """Newton's iteration for h, under four sets of sampling weights."""

    def told(measure, end="largest"):
        return worst(frame, "root", measure, end).to_numpy()

    told_by = "every matrix of the paper"
    yield criterion("scmc-A6", f"gradient, {told_by}", told("gradient"), at_most=1e-8)
    yield criterion("scmc-A6", f"steps, {told_by}", told("steps"), at_most=60)
    falls = told("steps that fall")
    yield criterion("scmc-A6", f"steps that fall, {told_by}", falls, expected=0)
    inside = told("in the bracket", "smallest")
    yield criterion("scmc-A6", f"in the bracket, {told_by}", inside, expected=1)
    apart = told("last iterate over the root, less 1")
    yield criterion("scmc-A6", "last iterate and root apart", apart, at_most=1e-9)


def laplace(frame: pd.DataFrame) -> Iterator[Check]:
    """The Laplace ratio against quadrature, K from 2 to 8, up to 2000 groups."""
    error = worst(frame, "laplace", "mean error of the ratio")
    told = "mean error, every matrix and K"
    yield criterion("scmc-A7", told, error.to_numpy(), at_most=CLOSE)
    small, large = (
        error.xs(f"uniform weights, {size}", level="case").sort_index()
        for size in ("400 x 400", "800 x 1000")
    )
    fall = (small - large).to_numpy()
    yield criterion("scmc-A7", "falls from 400 x 400 on, every K", fall, at_least=0)
    distance = worst(frame, "laplace", "largest distance of the weights").to_numpy()
    told = "total variation of the weights, every matrix and K"
    yield criterion("scmc-A7", told, distance, at_most=CLOSE)


def slab(frame: pd.DataFrame) -> Iterator[Check]:
    """The worst slab of A3.1.2 at 400 x 400, every delta and K."""

    def told(measure, end="largest"):
        return worst(frame, "slab", measure, end).to_numpy()

    where = "every delta and K"
    share = told("share in the slab less delta", "smallest")
    yield criterion("scmc-A9", f"share less delta, {where}", share, at_least=-1e-9)
    over = told("error in the slab over the mean", "smallest")
    yield criterion("scmc-A9", f"error over the mean, {where}", over, at_least=1)
    off = told("weight inside differs from one by")
    yield criterion("scmc-A9", f"weight inside less 1, {where}", off, at_most=1e-9)
    low, high = told("smallest weight", "smallest"), told("largest weight outside")
    positive = (low > 0).all() and (high <= 1).all()
    yield criterion("scmc-A9", f"weights in (0, 1], {where}", bool(positive))
    used = told("weight of explored cells")
    yield criterion("scmc-A9", f"weight of explored cells, {where}", used, expected=0)


def bounds(frame: pd.DataFrame) -> Iterator[Check]:
    """Lemma A7 with the corrected lower bound, up to 50 000 cells."""
    broken = worst(frame, "bounds", "outside the bounds").to_numpy()
    yield criterion("scmc-T13", "draws outside, 5 to 50000 cells", broken, expected=0)
    outside = worst(frame, "bounds", "outside the limits")
    large = outside[[int(case) >= 5000 for case, _ in outside.index]].to_numpy()
    told = "draws outside the limits, from 5000 cells"
    yield criterion("scmc-T13", told, large, expected=0)


def rule(frame: pd.DataFrame) -> Iterator[Check]:
    """The number of groups as a function of xi does not change in a swap."""
    changed = worst(frame, "rule", "swaps that change xi or n").to_numpy()
    told = "swaps that change xi or n, every K"
    yield criterion("scmc-T17", told, changed, expected=0)


def everything(frame: pd.DataFrame) -> Iterator[Check]:
    """All criteria of the study ``matrix-larger``."""
    for part in (root, laplace, slab, bounds, rule):
        yield from part(frame)
