"""Cost against size: CPU seconds and peak memory of each method on a log grid.

The exponents beside the fitted ones are those of the specs and the docstrings. A cost
of ``n log n`` has the local slope ``1 + 1 / log n``: 1.09 in the middle of the upper
half of the grid.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LinearRegression

from benchmarks.exponents import fit_exponent
from benchmarks.timing import calls_for, peak_memory, seconds
from notebook_lib.covariates import (
    BETA,
    LCP,
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    GaussianImputer,
    GaussianLinear,
    NexCP,
    equicorrelated,
)
from notebook_lib.latent import LatentClassDGP, fit_em
from notebook_lib.matrix import (
    ALS,
    sample_test_groups,
    structured_split,
)
from notebook_lib.matrix.scmc import Calibration
from notebook_lib.outcomes import (
    binned_weighted_threshold,
    draw_setting,
    odds_bins,
    procp2_threshold,
    procp_threshold,
    weighted_threshold,
)
from notebook_lib.split import ConformalizedQuantileRegressor, SplitConformalRegressor

GRID = tuple(round(1000 * 10 ** (k / 4)) for k in range(9))
CELLS = tuple(round(100 * 10 ** (k / 4)) ** 2 for k in range(6))
ALPHA, ROUNDS, N_TRAIN, N_TEST, D = 0.1, 3, 200, 200, 3


@dataclasses.dataclass(frozen=True)
class Curve:
    """One method, what grows, and what theory says of its cost.

    Attributes
    ----------
    id, group, label : str
        Short name, part of the book, name on the page.
    make : callable
        Takes a size, gives the call to measure (data are made outside of it).
    grows : str
        What the size counts, and what stands still.
    time, memory : str
        Theoretical costs.
    time_exponent, memory_exponent : float
        Their exponents, logarithms aside.
    sizes : tuple of int
        The grid.
    limit : str
        Why the grid ends below 100 000; empty if it does not.
    """

    id: str
    group: str
    label: str
    make: Callable
    grows: str
    time: str
    memory: str = "n"
    time_exponent: float = 1.0
    memory_exponent: float = 1.0
    sizes: tuple = GRID
    limit: str = ""


# ---------------------------------------------------------------- complete data


def _regression(n, n_test, d=10):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500 + n + (n_test or n), d))
    y = X @ np.ones(d) + rng.normal(size=len(X))
    parts = np.split(X, [500, 500 + n]), np.split(y, [500, 500 + n])
    return tuple(zip(*parts, strict=True))


def split_conformal(n, n_test=None):
    """Split conformal prediction around least squares."""
    train, cal, test = _regression(n, n_test)
    fitted = LinearRegression().fit(*train)
    model = SplitConformalRegressor(fitted, alpha=ALPHA, prefit=True)
    return lambda: model.conformalize(*cal).predict_interval(test[0])


def quantile_regression(n, n_test=None):
    """CQR around three linear models (least squares: prediction costs the same)."""
    train, cal, test = _regression(n, n_test)
    trio = tuple(LinearRegression().fit(train[0], train[1] + s) for s in (-1, 1, 0))
    model = ConformalizedQuantileRegressor(trio, alpha=ALPHA, prefit=True)
    return lambda: model.conformalize(*cal).predict_interval(test[0])


# ---------------------------------------------------------------- missing outcomes


def _outcomes(n):
    data = draw_setting(1, n, np.random.default_rng(0))
    scores = np.abs(data.Y - data.X[:, 0])[data.A]
    bins = odds_bins(data.p, 0.1)
    return scores, data.p, bins, data.A


def weighted(n):
    """Weighted CP of every row whose outcome is missing."""
    scores, p, _, A = _outcomes(n)
    return lambda: weighted_threshold(scores, p[A], p[~A], ALPHA)


def binned_weighted(n):
    """Weighted CP within bins."""
    scores, p, bins, A = _outcomes(n)
    return lambda: binned_weighted_threshold(
        scores, p[A], p[~A], bins[A], bins[~A], ALPHA
    )


def simultaneous(find, in_cells):
    """Make pro-CP or pro-CP2, in one cell or in cells of ten."""

    def make(n):
        scores, _, bins, A = _outcomes(n)
        cells = np.arange((~A).sum()) // 10 if in_cells else None
        return lambda: find(scores, bins[A], bins[~A], 0.4, cells=cells)

    return make


# -------------------------------------------------------------- missing covariates


def masked_rows(n, d, n_train, n_test):
    """Training, calibration and test rows with a fifth of the entries missing."""
    rng = np.random.default_rng(0)
    law = GaussianLinear(np.resize(BETA, d), 1.0, equicorrelated(d, 0.8))
    X, y = law.sample(n_train + n + n_test, rng)
    X[rng.random(X.shape) < 0.2] = np.nan
    cut = [n_train, n_train + n]
    return zip(np.split(X, cut), np.split(y, cut), strict=True)


def masked(cls, **options):
    """Make a mask-conditional method with eight masks."""

    def make(n):
        train, cal, test = masked_rows(n, D, N_TRAIN, N_TEST)
        model = cls(imputer=GaussianImputer(), alpha=ALPHA, **options).fit(*train)
        return lambda: model.conformalize(*cal).predict_interval(test[0])

    return make


# ------------------------------------------------------------------ missing entries


def seen_matrix(cells, share=0.3):
    """A square matrix, the cells seen of it, and a generator."""
    side, rng = round(cells**0.5), np.random.default_rng(0)
    w = rng.uniform(0.5, 1, (side, side))
    return w, rng.random((side, side)) < share * w, rng


def scmc_set_up(cells):
    """Scores, order and sums of a calibration; a group for every 50 cells, K = 2."""
    w, observed, rng = seen_matrix(cells)
    groups = structured_split(observed, 2, cells // 50, rng).groups
    return lambda: Calibration.from_groups(w, observed, groups, 0 * w, w)


def scmc_regions(n, side=1000):
    """Weights and regions of 100 test groups, the calibration being ready."""
    w, observed, rng = seen_matrix(side**2)
    groups = structured_split(observed, 2, n, rng).groups
    ready = Calibration.from_groups(w, observed, groups, 0 * w, w)
    tests = sample_test_groups(~observed, 2, 100, rng)
    return lambda: ready.regions(tests, ALPHA)


def als(cells):
    """Five sweeps of ALS at rank five."""
    w, observed, _ = seen_matrix(cells)
    return lambda: ALS(5, max_sweeps=5, tol=0).fit(w, observed).predict()


# -------------------------------------------------------------------- latent class


def em(n):
    """Twenty steps of EM for three classes in two dimensions."""
    sample = LatentClassDGP().sample(n, np.random.default_rng(0))
    start = np.random.default_rng(1).dirichlet(np.ones(3), n)
    return lambda: fit_em(sample.r, start, tol=0, max_iter=20)


_BOTH = "n calibration rows and n test rows, d = 10"
_ROWS = "n rows, outcomes missing at random"
_MASKS = f"n calibration rows; {N_TEST} test and {N_TRAIN} training rows, {2**D} masks"
CURVES = (
    Curve("split", "core", "split conformal", split_conformal, _BOTH, "n"),
    Curve("cqr", "core", "CQR", quantile_regression, _BOTH, "n"),
    Curve("em", "latent", "EM, 20 steps", em, "n rows; 3 classes, d = 2", "n"),
    Curve(
        "als",
        "matrix",
        "ALS, 5 sweeps",
        als,
        "cells of a square matrix, 22 % seen; rank 5",
        "n",
        sizes=CELLS,
    ),
    Curve(
        "scmc-set-up",
        "matrix",
        "SCMC, set-up",
        scmc_set_up,
        "cells of a square matrix, a calibration group of 2 for every 50",
        "n log n",
        sizes=CELLS,
    ),
    Curve(
        "scmc-regions",
        "matrix",
        "SCMC, regions",
        scmc_regions,
        "n calibration groups of 2; 100 test groups, 1000 x 1000 cells",
        "n",
    ),
    Curve("exact", "covariates", "CP-MDA-Exact", masked(CPMDAExact), _MASKS, "n log n"),
    Curve(
        "nested", "covariates", "CP-MDA-Nested", masked(CPMDANested), _MASKS, "n log n"
    ),
    Curve(
        "nested-star",
        "covariates",
        "CP-MDA-Nested*",
        masked(CPMDANestedStar),
        _MASKS,
        "n log n",
    ),
    Curve("nexcp", "covariates", "nexCP", masked(NexCP), _MASKS, "n log n"),
    Curve("lcp", "covariates", "LCP", masked(LCP), _MASKS, "n log n"),
    Curve("weighted", "outcomes", "weighted CP", weighted, _ROWS, "n log n"),
    Curve(
        "binned-weighted",
        "outcomes",
        "binned weighted CP",
        binned_weighted,
        _ROWS,
        "n log n",
    ),
    Curve(
        "procp",
        "outcomes",
        "pro-CP, one cell",
        simultaneous(procp_threshold, False),
        _ROWS,
        "n log n",
    ),
    Curve(
        "procp2",
        "outcomes",
        "pro-CP2, one cell",
        simultaneous(procp2_threshold, False),
        _ROWS,
        "n log n",
    ),
    Curve(
        "procp-cells",
        "outcomes",
        "pro-CP, cells of ten",
        simultaneous(procp_threshold, True),
        f"{_ROWS}, L = m / 10 cells",
        "L n",
        time_exponent=2.0,
    ),
    Curve(
        "procp2-cells",
        "outcomes",
        "pro-CP2, cells of ten",
        simultaneous(procp2_threshold, True),
        f"{_ROWS}, L = m / 10 cells",
        "L n",
        time_exponent=2.0,
    ),
)


def shortened(curve):
    """The curve on the lower half of its grid."""
    sizes = curve.sizes[: len(curve.sizes) // 2 + 1]
    return dataclasses.replace(curve, sizes=sizes, limit="a quick run")


def measure(curve, say=print, *, rounds=ROUNDS):
    """Points of one curve: size, median CPU seconds, peak memory.

    Parameters
    ----------
    curve : Curve
        What to measure.
    say : callable
        Takes a line of progress.
    rounds : int
        Passes over the sizes.

    Returns
    -------
    list of dict
        One a size.
    """
    calls = [curve.make(n) for n in curve.sizes]
    seconds(calls[0])
    counts = [calls_for(call) for call in calls]
    times = np.array([list(map(seconds, calls, counts)) for _ in range(rounds)])
    points = [
        {
            "id": curve.id,
            "n": n,
            "seconds": float(np.median(took)),
            "low": float(took.min()),
            "high": float(took.max()),
            "megabytes": peak_memory(call),
        }
        for n, took, call in zip(curve.sizes, times.T, calls, strict=True)
    ]
    last = points[-1]
    say(
        f"{curve.id:16} n = {last['n']:8d}: {last['seconds']:7.3f} s, "
        f"{last['megabytes']:7.1f} MB"
    )
    return points


def exponents(curve, points):
    """Fitted and theoretical exponents of one curve, as a dict."""
    sizes = [p["n"] for p in points]
    time, time_error = fit_exponent(sizes, [p["seconds"] for p in points])
    memory, memory_error = fit_exponent(sizes, [p["megabytes"] for p in points])
    kept = ("id", "group", "label", "grows", "limit")
    return {name: getattr(curve, name) for name in kept} | {
        "largest": max(sizes),
        "time": time,
        "time_error": time_error,
        "time_theory": curve.time_exponent,
        "time_law": curve.time,
        "memory": memory,
        "memory_error": memory_error,
        "memory_theory": curve.memory_exponent,
        "memory_law": curve.memory,
    }
