"""Large tables: how many calibration rows each mask may use, and which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import covariates
from ..masks import group_masks
from ..quantiles import smallest_calibration_size

__all__ = ["ExactOnSome", "SomeOf", "calibration_limits"]

#: Enough for nested sets, where each test row meets each calibration row.
NESTED_ROWS = 2000
_LEAST_ROWS = 200
# What a minute of one core allows, over all masks of a table: comparisons of a mask
# with a calibration row, and predictions of a row under a mask.
_COMPARISONS = 300_000_000
_PREDICTIONS = 2_000_000


@dataclass(frozen=True)
class SomeOf:
    """At most so many of the calibration rows that another rule keeps.

    Which ones is drawn by a seed made of the test mask: a rule of masks and outside
    randomness only, so guarantees stay. Different masks draw different rows, so that
    their errors do not add up over a table.

    Attributes
    ----------
    rule : rule
        Of :mod:`notebook_lib.covariates.subsample`.
    n_max : int
        Rows to keep at most.
    """

    rule: object
    n_max: int

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        keep = self.rule.keep(M_cal, m)
        found = np.flatnonzero(keep)
        if len(found) <= self.n_max:
            return keep
        rng = np.random.default_rng(np.packbits(m).tolist())
        chosen = np.zeros_like(keep)
        chosen[rng.choice(found, self.n_max, replace=False)] = True
        return chosen


class ExactOnSome(covariates.CPMDAExact):
    """CP-MDA-Exact on at most so many of the rows that a mask can use.

    Parameters
    ----------
    estimator, imputer, alpha, score, add_mask
        As in :class:`~notebook_lib.covariates.ImputedSplitRegressor`.
    n_max : int
        Calibration rows of a mask, at most.
    """

    def __init__(
        self,
        estimator=None,
        *,
        imputer=None,
        alpha=0.1,
        score="quantile",
        add_mask=True,
        n_max=_LEAST_ROWS,
    ):
        super().__init__(
            estimator, imputer=imputer, alpha=alpha, score=score, add_mask=add_mask
        )
        self.n_max = n_max

    def _rule(self):
        return SomeOf(super()._rule(), self.n_max)


def calibration_limits(table, method, alpha):
    """How many calibration rows to use in all, and for each mask.

    Parameters
    ----------
    table : Table
        From :func:`read_table`; its masks say how much there is to do.
    method : str
        As in :func:`build_estimator`.
    alpha : sequence of float
        Miscoverage levels; the smallest asks for the most rows.

    Returns
    -------
    in_all : int or None
        Rows in all; None is no limit.
    each : int or None
        Rows of each mask.
    """
    if method in ("nested", "adaptive"):
        return NESTED_ROWS, None
    if method not in ("exact", "per-mask"):
        return None, None
    n_masks = len(group_masks(table.X.isna().to_numpy()).counts)
    in_all = max(NESTED_ROWS, _COMPARISONS // n_masks)
    if method == "per-mask":  # no row serves two masks
        return in_all, None
    needed = 4 * smallest_calibration_size(min(alpha))
    return in_all, max(_LEAST_ROWS, needed, _PREDICTIONS // n_masks)
