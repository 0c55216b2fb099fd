"""The synthetic studies of chapter 2: coverage, widths and the largest weight.

Figures 3, 4, A14, A15 and A16 of the paper, and the simulation of Theorems 1 and 2.
"""

from __future__ import annotations

import numpy as np

from ..matrix import (
    ColumnMean,
    ConformalizationWeights,
    column_effect_matrix,
    sample_test_groups,
    sample_without_replacement,
    sparse_column_weights,
    structured_split,
)
from .matrix_trial import ALPHA, SIZES, Trial, als, fixed_signal, study
from .study import grid


def replicate_uniform(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Section 5.2.1 (Figures 3 and A15): uniform sampling, large column effects."""
    s = scenario
    M = column_effect_matrix(rng, mu=s["mu"])
    observed = sample_without_replacement(np.ones(M.shape), 8000, rng)
    fit = als(s["rank"], s["sweeps"])
    trial = Trial(M, observed, s["K"], fit, rng, n_groups=1000)
    tests = sample_test_groups(~observed, s["K"], 100, rng)
    return trial.three(tests)


def replicate_sparse(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Section 5.2.2 (Figures 4 and A16): a few columns are seldom observed."""
    s = scenario
    size = s.get("size", 300)
    M = fixed_signal(8, size)
    w = sparse_column_weights(rng, size, size, s["s"])
    observed = sample_without_replacement(w, int(0.3 * size**2), rng)
    trial = Trial(M, observed, s["K"], als(8, s["sweeps"]), rng, n_groups=2000)
    tests = sample_test_groups(~observed, s["K"], 100, rng)
    unweighted = trial.calibration()
    return [
        *trial.three(tests, w),
        trial.row("SCMC (w = 1)", unweighted, tests),
    ]


def replicate_max_weight(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure A14: the largest weight, on which the upper bound of Theorem 2 rests."""
    size, k, n = 200, scenario["K"], scenario["n_cal"]
    rows, columns = np.indices((size, size))
    w = (size * columns + rows + 1.0) ** 2
    w /= w.max()
    observed = sample_without_replacement(w, int(0.2 * size**2), rng)
    groups = structured_split(observed, k, n, rng).groups
    tests = sample_test_groups(~observed, k, 1, rng, test_weights=w)
    p = ConformalizationWeights(observed, groups, w, w).matrix(tests)
    ignored = ConformalizationWeights(observed, groups, None, w).matrix(tests)
    return [
        {"method": "SCMC", "max_p": p.max()},
        {"method": "SCMC (w = 1)", "max_p": ignored.max()},
    ]


def replicate_theorem(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Theorems 1 and 2: one test group, right weights and wrong ones (60 x 60)."""
    from ..matrix import theorem_matrix

    M, w, wstar = theorem_matrix(scenario["matrix_seed"])
    observed = sample_without_replacement(w, 1200, rng)
    trial = Trial(M, observed, 2, lambda seed: ColumnMean(), rng, n_groups=200)
    tests = sample_test_groups(~observed, 2, 1, rng, test_weights=wstar)
    truth = M[tests[..., 0], tests[..., 1]]
    rows = []
    for method, a, b in (
        ("SCMC", w, wstar),
        ("SCMC (w = 1)", None, wstar),
        ("SCMC (w* = 1)", w, None),
    ):
        calibration = trial.calibration(a, b)
        regions = calibration.regions(tests, ALPHA, warn=False)
        row = {"method": method, "coverage": float(regions.covers(truth)[0])}
        if method == "SCMC":
            row["max_p"] = calibration.weights.matrix(tests).max()
        rows.append(row)
    equal = np.sort(calibration.scores)[int(np.ceil((1 - ALPHA) * (trial.n + 1))) - 1]
    covered = float(regions.rule.score(truth, regions.prediction)[0] <= equal)
    return [*rows, {"method": "SCMC (equal weights)", "coverage": covered}]


UNIFORM = study(
    "uniform",
    grid(mu=[9, 15, 30], K=SIZES, rank=[30], sweeps=[20]),
    replicate_uniform,
    300,
    23,
    "Figure 3: uniform sampling, hypothesised rank 30 as in the authors' code",
)
UNIFORM_MU = study(
    "uniform-mu",
    grid(mu=[6, 12, 18, 21, 24, 27], K=[2, 5, 8], rank=[30], sweeps=[20]),
    replicate_uniform,
    300,
    24,
    "Figure A15: the values of mu that Figure 3 leaves out",
)
SPARSE = study(
    "sparse",
    grid(s=[0.1, 0.14, 0.2], K=SIZES, sweeps=[20]),
    replicate_sparse,
    300,
    25,
    "Figure 4: columns that are seldom observed",
)
SPARSE_S = study(
    "sparse-s",
    grid(s=[0.12, 0.16, 0.18], K=[2, 5, 8], sweeps=[20]),
    replicate_sparse,
    300,
    26,
    "Figure A16: the values of s that Figure 4 leaves out",
)
MAX_WEIGHT = study(
    "max-weight",
    [
        *({"K": 2, "n_cal": n} for n in (50, 100, 150, 200, 250, 300)),
        *({"K": k, "n_cal": 400} for k in SIZES),
    ],
    replicate_max_weight,
    200,
    31,
    "Figure A14: the largest conformalization weight",
)
THEOREM = study(
    "theorem",
    grid(matrix_seed=[1]),
    replicate_theorem,
    3000,
    33,
    "Theorems 1 and 2: coverage with right and wrong weights (60 x 60)",
)
