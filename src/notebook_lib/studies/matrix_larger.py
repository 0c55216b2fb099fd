"""Chapter 2's parts at the sizes of the paper's experiments, at every group size.

The stored checks of :mod:`.matrix_checks` are one draw each. Here five parts whose
accuracy could depend on size, weights or ``K`` are drawn again and again: the root
``h``, the Laplace form of the weights, the worst slab, the bounds on ``h``, and the
rule for the number of calibration groups.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..matrix import (
    ConformalizationWeights,
    default_calibration_size,
    exact_log_ratios,
    laplace_log_odds,
    laplace_scale,
    max_calibration_groups,
    sample_test_groups,
    sample_without_replacement,
    sparse_column_weights,
    structured_split,
    worst_slab_test_weights,
)
from .matrix_robustness import SHARES, slab_matrix
from .matrix_trial import SIZES, Trial, als
from .study import Study, grid

#: Shape and number of observed cells of the paper's matrices, by name.
MATRICES = {
    "uniform weights, 400 x 400": ((400, 400), 48_000),
    "uniform weights, 800 x 1000": ((800, 1000), 51_449),
    "sparse columns, 300 x 300": ((300, 300), 27_000),
    "squared positions, 200 x 200": ((200, 200), 8000),
}
#: Cap on the number of groups, shape and observed cells: Sections 5.2.1 and A3.1.1.
RULES = {"200 x 200": (1000, (200, 200), 8000), "400 x 400": (2000, (400, 400), 48_000)}
CELLS = [5, 50, 500, 5000, 50_000]


def observation_weights(case: str, rng: np.random.Generator) -> np.ndarray:
    """Sampling weights of one of the :data:`MATRICES`."""
    shape, _ = MATRICES[case]
    if case.startswith("sparse"):
        return sparse_column_weights(rng, *shape, 0.1)
    if case.startswith("squared"):
        rows, columns = np.indices(shape)
        w = (shape[0] * columns + rows + 1.0) ** 2
        return w / w.max()
    return rng.uniform(0, 1, shape)


def newton_facts(seen: np.ndarray, delta: float) -> dict:
    """Newton's iterates for ``z(h) = 0`` from ``1 / delta``, written out (A2.3).

    Parameters
    ----------
    seen : ndarray, shape (n_obs,)
        Weights of the observed cells.
    delta : float
        Weight of the missing cells.

    Returns
    -------
    dict
        ``gradient`` at the library's root, divided by ``n_obs``; the number of
        ``steps`` and of ``steps that fall``; whether the root lies ``in the bracket``
        and how far the last iterate is from it.
    """

    def z_and_slope(h):
        odds = seen / np.expm1(h * seen * np.log(2))
        slope = 1 / h**2 + np.log(2) * (odds**2 * np.exp2(h * seen)).sum()
        return delta - 1 / h - odds.sum(), slope

    path = [1 / delta]
    while len(path) < 100 and (len(path) < 2 or path[-1] > path[-2] * (1 + 1e-12)):
        value, slope = z_and_slope(path[-1])
        path.append(path[-1] - value / slope)
    root = laplace_scale(seen, delta)
    return {
        "gradient": abs(2 * root * z_and_slope(root)[0]) / len(seen),
        "steps": len(path),
        # The last step is rounding and may go either way.
        "steps that fall": int((np.diff(path)[:-1] < 0).sum()),
        "in the bracket": 1 / delta < root <= (1 + len(seen) / np.log(2)) / delta,
        "last iterate over the root, less 1": abs(path[-1] / root - 1),
    }


def _root(case, k, rng):
    w = observation_weights(case, rng)
    observed = sample_without_replacement(w, MATRICES[case][1], rng)
    return newton_facts(w[observed], w[~observed].sum())


def _laplace(case, k, rng):
    w, n_obs = observation_weights(case, rng), MATRICES[case][1]
    observed = sample_without_replacement(w, n_obs, rng)
    n = default_calibration_size(observed, k, 2000)
    groups = structured_split(observed, k, n, rng).groups
    tests = sample_test_groups(~observed, k, 100, rng)
    cal, asked = w[groups[..., 0], groups[..., 1]], w[tests[..., 0], tests[..., 1]]
    seen, delta = w[observed], w[~observed].sum()
    h = laplace_scale(seen, delta)
    odds = laplace_log_odds(cal, h).sum(1) - laplace_log_odds(asked, h).sum(1)[:, None]
    swap = np.log1p((cal.sum(1) - asked.sum(1)[:, None]) / delta)
    error = np.abs(np.expm1(odds + swap - exact_log_ratios(seen, delta, cal, asked)))
    fast, exact = (
        ConformalizationWeights(observed, groups, w, method=method).matrix(tests)
        for method in ("laplace", "exact")
    )
    distance = 0.5 * np.abs(fast - exact).sum(axis=1)
    return {
        "mean error of the ratio": error.mean(),
        "largest error of the ratio": error.max(),
        "largest distance of the weights": distance.max(),
        "groups": n,
    }


def _slab(case, k, rng):
    M, delta = slab_matrix(), float(case)
    observed = sample_without_replacement(np.ones(M.shape), 48_000, rng)
    trial = Trial(M, observed, k, als(4, 10), rng, n_groups=2000)
    rows, columns = trial.method.row_factors_, trial.method.column_factors_
    weights, slab, explored = worst_slab_test_weights(
        M, trial.fitted, ~observed, rows, columns, rng, delta=delta
    )
    error = np.abs(trial.fitted - M)
    z = regression_direction(error, explored, rows, columns)
    askable = ~observed & ~explored
    inside = askable & (z >= slab.low) & (z <= slab.high)
    return {
        "share in the slab less delta": slab.share - delta,
        "error in the slab over the mean": slab.mean_residual / error[explored].mean(),
        "weight inside differs from one by": np.abs(weights[inside] - 1).max(),
        "smallest weight": weights[askable].min(),
        "largest weight outside": weights[askable & ~inside].max(),
        "weight of explored cells": weights[explored].max(),
    }


def regression_direction(error, explored, rows, columns) -> np.ndarray:
    """Slopes of the error on both factors (A44), applied to every cell.

    By normal equations on centred features: another way than the library's.

    Parameters
    ----------
    error : ndarray, shape (n_rows, n_cols)
        Absolute error of the completion.
    explored : ndarray of bool, shape (n_rows, n_cols)
        Cells that the regression may see.
    rows, columns : ndarray, shape (n_rows, l), (n_cols, l)
        Factors.

    Returns
    -------
    ndarray, shape (n_rows, n_cols)
        Projection of every cell's features.
    """
    i, j = np.nonzero(explored)
    features = np.hstack([rows[i], columns[j]])
    centred, values = features - features.mean(axis=0), error[explored]
    slope = np.linalg.solve(centred.T @ centred, centred.T @ (values - values.mean()))
    rank = rows.shape[1]
    return (rows @ slope[:rank])[:, None] + columns @ slope[rank:]


def bound_facts(m: int, rng: np.random.Generator, *, draws: int = 5) -> dict:
    """Lemma A7 for uniform weights: draws in which ``h`` leaves its bounds.

    Also its limits ``J / L2`` and ``1 / (L2 log 2)``, which need a large ``m``.
    """
    broken = outside = kept = 0
    half, rest = 1 / 2, 1 / 2 - 1 / 3  # E x and E (1 - x) w for x ~ Bernoulli(w)
    low = half * (2 / rest) / np.expm1(2 / rest * np.log(2)) / rest
    for _ in range(draws):
        w = rng.uniform(0, 1, m)
        x = rng.random(m) < w
        if not x.any() or x.all():
            continue  # no observed or no missing cell: there is no root
        delta, s, kept = w[~x].sum(), x.sum(), kept + 1
        ratio = 2 * m / delta
        a = ratio / np.expm1(min(ratio * np.log(2), 700))
        h = laplace_scale(w[x], delta)
        broken += not (a * s + 1) / delta <= h <= (1 + s / np.log(2)) / delta
        outside += not low <= h <= 1 / (rest * np.log(2))
    return {"outside the bounds": broken, "outside the limits": outside, "draws": kept}


def _bounds(case, k, rng):
    return bound_facts(int(case), rng)


def _rule(case, k, rng):
    largest, shape, n_obs = RULES[case]
    observed = sample_without_replacement(np.ones(shape), n_obs, rng)
    n = default_calibration_size(observed, k, largest)
    xi = max_calibration_groups(observed, k)
    test = sample_test_groups(~observed, k, 1, rng)[0]
    changed = 0
    for group in structured_split(observed, k, n, rng).groups:
        swapped = observed.copy()
        swapped[tuple(group.T)], swapped[tuple(test.T)] = False, True
        same = max_calibration_groups(swapped, k) == xi
        changed += not (same and default_calibration_size(swapped, k, largest) == n)
    return {"swaps that change xi or n": changed, "groups": n, "xi": xi}


PARTS = {
    "root": _root,
    "laplace": _laplace,
    "slab": _slab,
    "bounds": _bounds,
    "rule": _rule,
}


def replicate_part(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """One part at one size: a row for each number that it measured."""
    found = PARTS[scenario["part"]](scenario["case"], scenario["K"], rng)
    return [{"measure": name, "value": float(value)} for name, value in found.items()]


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean, smallest and largest value of each measure over the replicates."""
    good = frame[frame["error"] == ""]
    groups = good.groupby(["part", "case", "K", "measure"], sort=False)["value"]
    table = groups.agg(mean="mean", smallest="min", largest="max", n="count")
    return table.reset_index()


LARGER = Study(
    name="matrix-larger",
    scenarios=[
        *grid(part=["root"], case=list(MATRICES), K=[0]),
        *grid(part=["laplace"], case=list(MATRICES), K=SIZES),
        *grid(part=["slab"], case=[str(share) for share in SHARES], K=SIZES),
        *grid(part=["bounds"], case=[str(m) for m in CELLS], K=[0]),
        *grid(part=["rule"], case=list(RULES), K=SIZES),
    ],
    replicate=replicate_part,
    n_replicates=10,
    seed=38,
    description="Root, Laplace weights, worst slab and group rule at the paper's sizes",
    document="Liang, Xie, Tong and Sesia (2024)",
    summarise=summarise,
)
