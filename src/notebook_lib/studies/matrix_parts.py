"""Executable checks of the parts of SCMC: samplers, split, rules, completions.

Each function returns the numbers that decide; chapter 2 asserts on them.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter

import numpy as np
from scipy import stats

from ..matrix import (
    ALS,
    SVT,
    Calibration,
    ColumnMean,
    ConformalizationWeights,
    HyperCube,
    HyperRectangle,
    HyperSphere,
    NuclearNorm,
    SamplingWeights,
    calibrate,
    column_effect_matrix,
    default_calibration_size,
    individual_thresholds,
    low_rank_matrix,
    sample_test_groups,
    sample_without_replacement,
    scmc,
    sparse_column_weights,
    structured_split,
    theorem_matrix,
    worst_slab_test_weights,
)
from ..matrix.enumeration import (
    literal_weights,
    set_probability,
    split_law,
    test_group_law,
)
from ..quantiles import weighted_quantile

# ------------------------------------------------------- samplers and Algorithm 2


def sampler_p_values(rng, *, draws=8000) -> dict:
    """Chi-square p-values of both samplers on tiny urns; both laws are exact."""
    w = rng.uniform(0.2, 2, (2, 3))
    cells = list(itertools.product(range(2), range(3)))
    law = {c: set_probability(c, w, w.sum()) for c in itertools.combinations(cells, 3)}
    seen = Counter(_cells(sample_without_replacement(w, 3, rng)) for _ in range(draws))
    missing = np.array([[1, 1, 0], [1, 1, 1], [1, 1, 0]], dtype=bool)
    star = rng.uniform(0.2, 2, missing.shape)
    groups = sample_test_groups(missing, 2, draws, rng, test_weights=star)
    asked = Counter(tuple(map(tuple, g)) for g in groups.tolist())
    return {
        "observed": _chi2(seen, law, draws),
        "test": _chi2(asked, test_group_law(_cells(missing), 2, star), draws),
        "short columns drawn": int((groups[..., 1] == 2).sum()),
    }


def _cells(mask):
    return tuple(map(tuple, np.argwhere(mask).tolist()))


def _chi2(counts, law, draws):
    expected = np.array(list(law.values()))
    found = np.array([counts[key] for key in law])
    if found.sum() != draws:
        return 0.0  # something of probability zero came up
    return float(stats.chisquare(found, expected / expected.sum() * draws).pvalue)


def split_law_check(rng, *, draws=20_000) -> dict:
    """Algorithm 2 by blocks against Lemma A6, column counts (5, 2, 4), K = n = 2."""
    observed = np.zeros((5, 3), dtype=bool)
    observed[:, 0] = observed[:2, 1] = observed[:4, 2] = True
    law, ordered = Counter(), {}
    for pruned, groups, p in split_law(_cells(observed), 2, 2):
        law[pruned, groups] += p
        ordered[pruned, groups] = p
    asymmetry = max(abs(p - ordered[d, g[::-1]]) for (d, g), p in ordered.items())
    counts = Counter()
    for _ in range(draws):
        split = structured_split(observed, 2, 2, rng)
        groups = tuple(tuple(map(tuple, g)) for g in split.groups.tolist())
        counts[frozenset(_cells(split.pruned)), groups] += 1
    return {
        "outcomes": len(law),
        "total": sum(law.values()),
        "asymmetry": asymmetry,
        "p": _chi2(counts, law, draws),
        "lemma A6": max(
            abs(p - lemma_a6(observed.sum(0), groups, 2))
            for (_, groups), p in ordered.items()
        ),
    }


def lemma_a6(n_obs, groups, k) -> float:
    """Probability of pruned cells and ordered groups by the formula of Lemma A6."""
    kept = n_obs - n_obs % k
    value = 1 / math.prod(math.comb(int(n), int(n % k)) for n in n_obs)
    for i in range(len(groups)):
        value /= kept.sum() - k * i
    for c, count in Counter(group[0][1] for group in groups).items():
        for j, a in itertools.product(range(count), range(1, k)):
            value /= kept[c] - k * j - a
    return value


def partition_facts(rng, *, size=60, share=0.2, k=2, n_groups=200) -> dict:
    """What Algorithm 2 must keep: how many cells or columns break each property."""
    observed = rng.random((size, size)) < share
    split = structured_split(observed, k, n_groups, rng)
    times = np.zeros(observed.shape, dtype=int)
    np.add.at(times, (split.groups[..., 0], split.groups[..., 1]), 1)
    one_column = (split.groups[..., 1] == split.groups[:, :1, 1]).all(axis=1)
    per_column = split.pruned.sum(axis=0) != observed.sum(axis=0) % k
    return {
        "cells not in exactly one part": int((times + split.train != observed).sum()),
        "groups across columns": int((~one_column).sum()),
        "columns pruned by another number": int(per_column.sum()),
        "pruned cells outside training": int((split.pruned & ~split.train).sum()),
        "training cells too many": int(
            split.train.sum() - observed.sum() + k * n_groups
        ),
    }


def algorithm_facts(rng, *, size=60, n_obs=1200, k=2, n_groups=200, tests=40) -> dict:
    """What Algorithm 1 returns, on the matrix of Theorem 1's simulation."""
    M, w, star = theorem_matrix(1, n_rows=size, n_cols=size)
    observed = sample_without_replacement(w, n_obs, rng)
    groups = sample_test_groups(~observed, k, tests, rng, test_weights=star)
    made = calibrate(
        M,
        observed,
        k,
        ColumnMean(),
        rng,
        n_groups=n_groups,
        observation_weights=w,
        test_weights=star,
    )
    found = made.regions(groups, 0.1, warn=False)
    p, tau = made.weights.matrix(groups), found.threshold
    truth = M[groups[..., 0], groups[..., 1]]
    score = np.abs(truth - found.prediction).max(axis=1)
    short = weighted_quantile(
        made.scores / (1 + made.scores),
        p[:, :-1],
        np.full(tests, 0.9),
        mass_at_infinity=p[:, -1],
    )
    finite = np.isfinite(tau)
    return {
        "shapes": found.lower.shape == found.upper.shape == (tests, k),
        "covered iff S <= tau": np.array_equal(found.covers(truth), score <= tau),
        "infinite iff p > alpha": np.array_equal(found.is_infinite, p[:, -1] > 0.1),
        "gap to the scale of (A38)": np.abs(
            short[finite] / (1 - short[finite]) / tau[finite] - 1
        ).max(),
    }


def baseline_facts(rng, *, size=60, n_obs=1200, k=4) -> dict:
    """Algorithm A3 is Algorithm 1 with groups of one, and an ordinary rank."""
    M, w, star = theorem_matrix(1, n_rows=size, n_cols=size)
    observed = sample_without_replacement(w, n_obs, rng)
    n = k * default_calibration_size(observed, k)
    groups = sample_test_groups(~observed, k, 20, rng)
    seed = int(rng.integers(2**31))
    options = dict(n_groups=n, observation_weights=w, test_weights=star)
    ones = calibrate(M, observed, 1, ColumnMean(), seed, **options)
    both = ones.cell_regions(groups, [0.1 / k, 0.1], warn=False)
    alone = scmc(
        M, observed, groups.reshape(-1, 1, 2), ColumnMean(), seed, **options
    ).threshold
    plain = calibrate(M, observed, 1, ColumnMean(), seed, n_groups=n)
    rank = -(-9 * (n + 1) // 10)
    return {
        "equals Algorithm 1 with K = 1": np.array_equal(
            both[1].threshold.ravel(), alone
        ),
        "ordinary rank": plain.cell_regions(groups, 0.1).threshold.max()
        == np.sort(plain.scores)[rank - 1],
        "least gap of Bonferroni": (both[0].threshold - both[1].threshold)[
            np.isfinite(both[1].threshold)
        ].min(),
    }


# --------------------------------------------------------------- Gui, Barber and Ma


def individual_coverage(rng, *, n_replicates=400, alpha=0.1) -> np.ndarray:
    """Proposition A3 on 30 x 30: coverage with odds weights, and with equal ones."""
    size = 30
    a = rng.random(size)
    p = np.clip(0.15 + 0.5 * (1 - a) + rng.uniform(-0.1, 0.1, (size, size)), 0.02, 1)
    M = np.exp(1.5 * a) * rng.standard_normal((size, size))
    covered = []
    for _ in range(n_replicates):
        observed = rng.random(p.shape) < p
        train = observed & (rng.random(p.shape) < 0.5)
        fitted = ColumnMean().fit(M, train).predict()
        error = np.abs(M - fitted)
        cal = observed & ~train
        missing = np.argwhere(~observed)
        test = tuple(missing[rng.integers(len(missing))])
        row = [
            error[test] <= individual_thresholds(error[cal], q[cal], [q[test]], alpha)
            for q in (p, np.full_like(p, 0.5))
        ]
        covered.append(np.ravel(row))
    return np.array(covered)


# --------------------------------------------------------------- parts of the method


def rule_facts(rng, *, sizes=range(2, 9)) -> dict:
    """Scores and sides of the rules for several group sizes, straight from A2.2."""
    gap, zero = 0.0, []
    for k in sizes:
        values, centre = rng.normal(size=(2, 50, k))
        error, tau = np.abs(values - centre), rng.uniform(0.1, 2, 50)
        wanted = {
            HyperCube(): (error.max(axis=1), np.ones_like(centre)),
            HyperRectangle(): ((error / abs(centre)).max(axis=1), np.abs(centre)),
            HyperSphere(): (np.sqrt((error**2).sum(axis=1)), np.ones_like(centre)),
        }
        for rule, (score, side) in wanted.items():
            lower, upper = rule.bounds(centre, tau)
            width = np.abs(upper - lower - 2 * tau[:, None] * side).max()
            off = np.abs(rule.score(values, centre) - score).max()
            gap = max(gap, width, off)
        null = np.zeros((1, k))
        zero += [HyperRectangle().score(null + 1, null)[0] == np.inf]
        zero += [HyperRectangle().score(null, null)[0] == 0]
    return {"gap": gap, "prediction of zero": all(zero)}


def rule_coverage(rng, *, n_replicates=150) -> np.ndarray:
    """Coverage of cube, rectangle and sphere on the 60 x 60 matrix of Theorem 1."""
    M, w, star = theorem_matrix(1)
    rules = (HyperCube(), HyperRectangle(), HyperSphere())
    covered = []
    for _ in range(n_replicates):
        observed = sample_without_replacement(w, 1200, rng)
        tests = sample_test_groups(~observed, 2, 1, rng, test_weights=star)
        split = structured_split(observed, 2, 200, rng)
        fitted = ColumnMean().fit(M, split.train).predict()
        truth = M[tests[..., 0], tests[..., 1]]
        row = []
        for rule in rules:
            made = Calibration.from_groups(
                M, observed, split.groups, fitted, w, star, rule=rule
            )
            row.append(made.regions(tests, 0.1, warn=False).covers(truth)[0])
        covered.append(row)
    return np.array(covered)


def weights_speed(rng, *, size=(200, 200), n=750, k=5, tests=100) -> dict:
    """Fast weights against the literal loop: agreement, and ratios of times.

    ``growth`` is the time of eight times as many test groups over that of `tests`,
    ``growth in n`` that of Algorithm 2 with four times as many groups.
    """
    w = rng.uniform(0.2, 1, size)
    observed = sample_without_replacement(w, int(0.2 * w.size), rng)
    groups = structured_split(observed, k, n, rng).groups
    made = ConformalizationWeights(observed, groups, w, w)
    asked = sample_test_groups(~observed, k, 8 * tests, rng, test_weights=w)
    started = time.process_time()
    slow = literal_weights(observed, groups, asked[0], w, w, made.scale)
    loop = time.process_time() - started
    for _ in range(5):  # a busy machine may spoil one measurement, hardly five
        few = _best_time(_all_blocks, made, asked[:tests])
        growth = _best_time(_all_blocks, made, asked) / few
        if 4 < growth < 16:
            break
    short = _best_time(structured_split, observed, k, n // 4, rng)
    return {
        "gap": np.abs(made.matrix(asked[:1])[0] / slow - 1).max(),
        "times faster": tests * loop / few,
        "growth": growth,
        "growth in n": _best_time(structured_split, observed, k, n, rng) / short,
    }


def _all_blocks(made, tests):
    for _ in made.blocks(tests):
        pass


def _best_time(function, *args, repeats=7):
    times = []
    for _ in range(repeats):
        started = time.process_time()
        function(*args)
        times.append(time.process_time() - started)
    return min(times)


def completion_facts(rng, *, size=60) -> dict:
    """What A2.4 asks of the three completions, on a rank-3 matrix with a gap."""
    M = low_rank_matrix(size, size, 3, rng)
    seen = rng.random(M.shape) < 0.5
    seen[:, 4] = False
    als = ALS(3, max_sweeps=30, tol=0).fit(M, seen)
    nuclear = NuclearNorm(max_iter=300, tol=1e-4).fit(M, seen)
    short, long = (SVT(max_iter=n).fit(M, seen) for n in (50, 150))
    column = [method.predict()[:, 4] for method in (als, nuclear, long)]
    return {
        "rise of the ALS objective": np.diff(als.objective_).max(),
        "residual of the nuclear norm": nuclear.residual_,
        "SVT residual, longer less shorter": long.residual_ - short.residual_,
        "empty column": float(np.abs(column).max()),
    }


def als_rise(rng, shape, *, share=0.064) -> float:
    """Largest rise of the ALS objective in ten sweeps at the density of MovieLens."""
    seen = rng.random(shape) < share
    fit = ALS(3, max_sweeps=10, tol=0, first="columns")
    return float(np.diff(fit.fit(rng.normal(size=shape), seen).objective_).max())


def one_bit_facts(rng, *, size=(60, 60), rank=3, share=0.3) -> dict:
    """What A2.5 asks of the estimated sampling weights."""
    seen = rng.random(size) < share
    fitted = SamplingWeights(rank).fit(seen)
    w = fitted.weights()
    return {
        "nuclear norm over its bound": np.linalg.norm(fitted.logits_, "nuc")
        / np.sqrt(rank * seen.size),
        "smallest gain": np.diff(fitted.log_likelihood_).min(),
        "smallest w": w.min(),
        "largest w": w.max(),
    }


def worst_slab_facts(rng, *, size=60, delta=0.2) -> dict:
    """What A3.1.2 asks of the worst slab."""
    M = column_effect_matrix(rng, n_rows=size, n_cols=size, rank=4, mu=10)
    seen = rng.random(M.shape) < 0.4
    als = ALS(4, max_sweeps=20, tol=0).fit(M, seen)
    weights, slab, explored = worst_slab_test_weights(
        M, als.predict(), ~seen, als.row_factors_, als.column_factors_, rng, delta=delta
    )
    error = np.abs(als.predict() - M)
    inside = _projection(als, error, explored)
    inside = (slab.low <= inside) & (inside <= slab.high) & ~seen & ~explored
    return {
        "share in the slab": slab.share,
        "error in the slab over the mean": slab.mean_residual / error[explored].mean(),
        "weight inside differs from one by": np.abs(weights[inside] - 1).max(),
        "smallest weight": weights[~explored].min(),
        "largest weight": weights[~explored].max(),
        "weight of explored cells": weights[explored].max(),
    }


def _projection(als, error, explored):
    """Slopes of errors on both factors, written out, applied to every cell."""
    rows, columns = np.indices(error.shape)
    features = np.dstack([als.row_factors_[rows], als.column_factors_[columns]])
    design = np.column_stack([np.ones(explored.sum()), features[explored]])
    slopes = np.linalg.lstsq(design, error[explored], rcond=None)[0][1:]
    return features @ slopes


def consistent_map(rng, *, s=0.1, size=300, draws=40) -> dict:
    """Trap E8: ratio of inclusion probabilities, raw and mapped by -log(1 - p)."""
    w = np.ones((size, size))
    w[:, : size // 20] = s
    share = np.zeros(w.shape)
    for _ in range(draws):
        share += sample_without_replacement(w, int(0.3 * w.size), rng) / draws
    sparse, dense = share[w < 1].mean(), share[w == 1].mean()
    return {
        "raw": sparse / dense,
        "mapped": np.log1p(-sparse) / np.log1p(-dense),
    }


def generator_facts(rng) -> dict:
    """Shape of the two data generating processes (A3.6, A3.7)."""
    first = column_effect_matrix(rng, mu=1000.0)
    centred = first - first.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    # The signal is the same in every draw: what differs is the noise.
    noise = (first - column_effect_matrix(rng, mu=1000.0)) / np.sqrt(2)
    light = np.abs(noise.mean(axis=0)) < 100
    w = sparse_column_weights(rng, 300, 4000, 0.1)
    sparse = (w[0] < 1).mean()
    small = sparse_column_weights(rng, 300, 300, 0.1)
    observed = sample_without_replacement(small, 27_000, rng)
    return {
        "signal rank": int((values > 10 * values[10]).sum()),
        "noise within columns": noise[:, light].std(axis=0).mean(),
        "heavy columns": (np.abs(first.mean(axis=0)) > 200).mean(),
        "sparse columns": sparse,
        "weights": sorted(set(np.round(w[0], 6).tolist())),
        "inclusion": (observed[small == 1].mean(), observed[small < 1].mean()),
    }
