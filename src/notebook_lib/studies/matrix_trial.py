"""What the studies of chapter 2 share: one comparison of methods, and its summary.

A replicate draws its data, calibrates once for groups and once for single cells (the
two baselines share that fit), and returns one row for each method: the share of test
groups covered, the mean width, the share of groups whose level demands an infinite
region, and the median effective sample size. As in the paper's figures an infinite
threshold is replaced by the largest score, so that mean widths exist.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pandas as pd

from ..matrix import (
    ALS,
    Calibration,
    clip_to_range,
    completed,
    default_calibration_size,
    low_rank_matrix,
    structured_split,
)
from .study import Study

ALPHA = 0.1
SIZES = [2, 3, 4, 5, 6, 7, 8]
METRICS = ("coverage", "width", "share_infinite", "effective_size")
#: Measures of single studies, beside METRICS.
EXTRA = ("gap", "delta_tv", "max_p", "error_ratio", "density")


class Trial:
    """One matrix, one mask, one group size; calibrates what is asked for.

    Parameters
    ----------
    M : ndarray, shape (n_rows, n_cols)
        Values.
    observed : ndarray of bool, shape (n_rows, n_cols)
        Observed cells.
    group_size : int
        ``K``.
    completion : callable
        ``completion(seed)`` makes a completion object.
    rng : numpy.random.Generator
        Source of randomness.
    n_groups : int
        Cap of the rule ``min(n_groups, xi_obs // 2)``.
    universe : ndarray of bool, optional
        Cells that exist at all.
    """

    def __init__(
        self, M, observed, group_size, completion, rng, *, n_groups, universe=None
    ):
        self.M, self.observed, self.universe = M, observed, universe
        self.group_size, self.rng = group_size, rng
        self.n = default_calibration_size(observed, group_size, n_groups)
        self._fit = completion
        self.groups, self.fitted, self.train, self.method = self.split(group_size)

    def split(self, size):
        """Structured split and completion for groups of this size, equal training."""
        n = self.n * self.group_size // size
        split = structured_split(self.observed, size, n, self.rng)
        method = self._fit(int(self.rng.integers(2**31)))
        with warnings.catch_warnings():  # empty columns and SVT's trouble are known
            warnings.simplefilter("ignore")
            fitted = completed(method, self.M, split.train)
        return split.groups, fitted, split.train, method

    def calibration(self, w=None, wstar=None):
        """SCMC with these weights."""
        return self._calibration(self.groups, self.fitted, w, wstar)

    def cells(self, w=None, wstar=None):
        """Groups of one cell, for the baselines."""
        groups, fitted, _, _ = self.split(1)
        return self._calibration(groups, fitted, w, wstar)

    def _calibration(self, groups, fitted, w, wstar):
        return Calibration.from_groups(
            self.M, self.observed, groups, fitted, w, wstar, universe=self.universe
        )

    def row(self, method, calibration, tests, **options):
        """Row of SCMC with this calibration."""
        regions = calibration.regions(tests, ALPHA, infinite="max", warn=False)
        return self._measure(method, regions, tests, **options)

    def baselines(self, cells, tests, **options):
        """Rows of Bonferroni and of the unadjusted intervals, from one calibration."""
        levels = [ALPHA / self.group_size, ALPHA]
        found = cells.cell_regions(tests, levels, infinite="max", warn=False)
        names = ("Bonferroni", "unadjusted")
        return [
            self._measure(name, regions, tests, **options)
            for name, regions in zip(names, found, strict=True)
        ]

    def _measure(self, method, regions, tests, *, truth=True, bounds=None):
        width = regions.width()
        if bounds is not None:
            lower, upper, _ = clip_to_range(regions.lower, regions.upper, *bounds)
            width = upper - lower
        values = self.M[tests[..., 0], tests[..., 1]]
        return {
            "method": method,
            "coverage": regions.covers(values).mean() if truth else np.nan,
            "width": width.mean(),
            "share_infinite": regions.is_infinite.mean(),
            "effective_size": np.median(regions.effective_size),
            "n_groups": self.n,
        }

    def three(self, tests, w=None, wstar=None, **options):
        """SCMC, Bonferroni and unadjusted."""
        own = self.row("SCMC", self.calibration(w, wstar), tests, **options)
        return [own, *self.baselines(self.cells(w, wstar), tests, **options)]


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean, Monte-Carlo error and median over replicates of each measure."""
    good = frame[frame["error"] == ""]
    by = [
        name
        for name in frame.columns
        if name not in {"replicate", "error", "n_groups", *METRICS, *EXTRA}
    ]
    values = [name for name in (*METRICS, *EXTRA) if name in frame]
    long = good.melt(by, values, "metric", "value").dropna(subset="value")
    groups = long.groupby([*by, "metric"], sort=False, dropna=False)["value"]
    table = groups.agg(mean="mean", median="median", sd="std", n="count").reset_index()
    table["mc_error"] = table.pop("sd") / np.sqrt(table["n"])
    return table


def als(rank: int, sweeps: int, **options):
    """Maker of ALS completions that run all their sweeps, for :class:`Trial`."""
    fixed = dict(max_sweeps=sweeps, tol=0, **options)
    return lambda seed: ALS(rank, random_state=seed, **fixed)


@lru_cache(maxsize=2)
def fixed_signal(rank: int, size: int) -> np.ndarray:
    """Low-rank matrix of seed 2024 plus its fixed noise (A3.7, with mean 0)."""
    rng = np.random.default_rng(2024)
    noise = 0.1 * rng.standard_normal((size, size))
    return low_rank_matrix(size, size, rank, rng) + noise


def study(name, scenarios, replicate, n, seed, description):
    """A study of this chapter; its name goes without ``matrix-``."""
    return Study(
        name=f"matrix-{name}",
        scenarios=scenarios,
        replicate=replicate,
        n_replicates=n,
        seed=seed,
        description=description,
        document="Liang, Xie, Tong and Sesia (2024)",
        summarise=summarise,
    )
