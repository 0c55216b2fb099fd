"""The studies of chapter 2 that ask how far the method carries.

Figures A6 to A8 (test groups where the completion is worst), A10 and A11 (three
completions), A12 and A13 (estimated sampling weights) of the paper.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..matrix import (
    SVT,
    NuclearNorm,
    SamplingWeights,
    column_effect_matrix,
    sample_test_groups,
    sample_without_replacement,
    sparse_column_weights,
    worst_slab_test_weights,
)
from .matrix_trial import SIZES, Trial, als, fixed_signal, study
from .study import grid

SHARES = [0.1, 0.12, 0.14, 0.16, 0.18, 0.2]
GUESSED_RANKS = [3, 5, 7]


@lru_cache(maxsize=1)
def slab_matrix() -> np.ndarray:
    """Matrix of A3.1.1: 400 x 400, rank 4, mu = 10, noise fixed."""
    return column_effect_matrix(2024, n_rows=400, n_cols=400, rank=4, mu=10.0)


def replicate_slab(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures A6 to A8: test groups where the completion is worst."""
    k, M = scenario["K"], slab_matrix()
    observed = sample_without_replacement(np.ones(M.shape), 48_000, rng)
    fit = als(4, scenario["sweeps"])
    trial = Trial(M, observed, k, fit, rng, n_groups=2000)
    wstar, _, explored = worst_slab_test_weights(
        M,
        trial.fitted,
        ~observed,
        trial.method.row_factors_,
        trial.method.column_factors_,
        rng,
        delta=scenario["delta"],
    )
    tests = sample_test_groups(~observed, k, 200, rng, test_weights=wstar)
    own = trial.row("SCMC", trial.calibration(None, wstar), tests)
    # The explored cells stay missing; only their test weight differs from one.
    flat = np.where(explored, 0.0, 1.0)
    plain = trial.row("SCMC (w* = 1)", trial.calibration(None, flat), tests)
    gap = own["coverage"] - plain["coverage"]
    error = np.abs(trial.fitted - M)
    chosen = error[tests[..., 0], tests[..., 1]].mean()
    extra = {"gap": gap, "error_ratio": chosen / error[~observed].mean()}
    return [own | extra, plain | extra]


# ------------------------------------------- two settings, for A10 to A13


def uniform_setting(rng: np.random.Generator, size: int):
    """Section 5.2.1 with mu = 15: a fifth observed, hypothesised rank 30.

    Returns
    -------
    M, w : ndarray, shape (size, size)
        Values and sampling weights.
    observed : ndarray of bool, shape (size, size)
        Observed cells.
    rank, n_groups : int
        Rank given to ALS and cap of the number of calibration groups.
    """
    M, w = (
        column_effect_matrix(rng, n_rows=size, n_cols=size, mu=15),
        np.ones((size,) * 2),
    )
    return M, w, sample_without_replacement(w, size**2 // 5, rng), 30, 1000


def sparse_setting(rng: np.random.Generator, size: int, s: float):
    """Section 5.2.2: sparse columns of weight s, three tenths observed, rank 8.

    Returns
    -------
    tuple
        As of :func:`uniform_setting`.
    """
    w = sparse_column_weights(rng, size, size, s)
    observed = sample_without_replacement(w, 3 * size**2 // 10, rng)
    return fixed_signal(8, size), w, observed, 8, 2000


def _setting(scenario, rng):
    if scenario["s"] == 1.0:
        return uniform_setting(rng, scenario["size"])
    return sparse_setting(rng, scenario["size"], scenario["s"])


COMPLETIONS = {
    "ALS": lambda rank: als(rank, 20),
    "NNM": lambda rank: lambda seed: NuclearNorm(max_iter=200),
    "SVT": lambda rank: lambda seed: SVT(max_iter=200),
}


def replicate_completion(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures A10 (s = 1: uniform sampling) and A11 with one of three completions."""
    M, w, observed, rank, n_groups = _setting(scenario, rng)
    fit, k = COMPLETIONS[scenario["completion"]](rank), scenario["K"]
    trial = Trial(M, observed, k, fit, rng, n_groups=n_groups)
    return trial.three(sample_test_groups(~observed, k, 100, rng), w)


def replicate_estimated(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures A12 (s = 1: uniform) and A13: true sampling weights against estimates.

    The guessed ranks share the split, the completion and the test groups; ``gap`` is
    the coverage with the estimate less that with the true weights.
    """
    M, w, observed, rank, n_groups = _setting(scenario, rng)
    k = scenario["K"]
    trial = Trial(M, observed, k, als(rank, 20), rng, n_groups=n_groups)
    tests = sample_test_groups(~observed, k, 100, rng)
    true = trial.calibration(w)
    p, own, rows = true.weights.matrix(tests), trial.row("SCMC", true, tests), []
    for rho in GUESSED_RANKS:
        estimate = SamplingWeights(rho, nu=scenario["nu"], max_iter=40).fit(observed)
        guessed = trial.calibration(estimate.weights())
        q = guessed.weights.matrix(tests)
        row = trial.row("SCMC (estimated w)", guessed, tests)
        row["gap"] = row["coverage"] - own["coverage"]
        row["delta_tv"] = 0.5 * np.abs(p - q).sum(axis=1).mean()
        rows += [own | {"rho": rho, "gap": 0.0, "delta_tv": 0.0}, row | {"rho": rho}]
    return rows


# ----------------------------------------------------------------------- registry


SLAB = study(
    "slab",
    grid(delta=SHARES, K=[2, 3, 4], sweeps=[20]),
    replicate_slab,
    300,
    27,
    "Figures A6 to A8: test groups where the completion is worst",
)
COMPLETION = study(
    "completion",
    grid(s=[1.0], completion=list(COMPLETIONS), K=SIZES, size=[200]),
    replicate_completion,
    300,
    29,
    "Figure A10: three completions, uniform sampling, mu = 15",
)
COMPLETION_SPARSE = study(
    "completion-sparse",
    grid(s=[0.14], completion=list(COMPLETIONS), K=SIZES, size=[300]),
    replicate_completion,
    300,
    35,
    "Figure A11: three completions, sparse columns, s = 0.14",
)
ESTIMATED = study(
    "estimated",
    grid(s=[1.0], K=SIZES, nu=[1.0], size=[200]),
    replicate_estimated,
    300,
    30,
    "Figure A12: true against estimated sampling weights, uniform sampling",
)
ESTIMATED_SPARSE = study(
    "estimated-sparse",
    [
        *grid(s=SHARES, K=[5], nu=[13.0], size=[300]),
        *grid(s=[0.1], K=[5], nu=[1.0], size=[300]),
    ],
    replicate_estimated,
    300,
    36,
    "Figure A13: true against estimated sampling weights, sparse columns",
)
