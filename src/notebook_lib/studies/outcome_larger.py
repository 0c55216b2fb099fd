"""Exact checks of chapter 5 at their larger size, stored.

The same statements as in :mod:`notebook_lib.studies.outcome_theory`, with more laws,
more cases and whole samples of the document's Setting 1.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..exceptions import InfiniteSetWarning
from ..outcomes import (
    avoid_trivial_cells,
    block_cells,
    cell_masses,
    draw_setting,
    improve_partition,
    mass_at_infinity,
    odds_bins,
    partition_test_points,
    procp2_threshold,
    quick_partition,
    sharp_slack,
    squared_mass_at_infinity,
    unavoidable_points,
    worst_mass_bound,
)
from . import outcome_checks as exact
from . import outcome_partitions as brute
from .missing_outcomes import DOCUMENT
from .outcome_trial import setting_models
from .study import Study, grid

# ------------------------------------------------------------------- Lemma 1 (T04)


def replicate_laws(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """T04: largest distance of the two groups over random laws in a bin."""
    epsilon = scenario["epsilon"]
    distance = exact.total_variations(epsilon, int(scenario["n_laws"]), rng)
    return [
        {
            "worst": distance.max(),
            "attained": exact.worst_two_atoms(epsilon),
            "sharp": float(sharp_slack(epsilon)),
        }
    ]


laws = Study(
    name="missing-outcomes-laws",
    scenarios=grid(epsilon=[0.05, 0.1, 0.5, 1.0, 4.0], n_laws=[4000]),
    replicate=replicate_laws,
    n_replicates=5,
    seed=67,
    description="Lemma 1: 20 000 random laws for each width of a bin",
    document=DOCUMENT,
)

# ------------------------------------------- partitions by brute force (A16, T16, T17)


def replicate_partitions(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """A16, T16 and T17: one case with equal counts, one without, some averages.

    Returns
    -------
    list of dict
        ``equal_gap`` and ``spread_gap`` (Proposition 2: 0), ``bound_gap`` (at least
        0), ``quick`` and ``searched`` (worst mass over the optimum of (26)),
        ``trivial`` (rows lost beyond the optimum of (25)), ``spare`` (beyond its
        knapsack bound) and ``fails`` (share of cases where (27) is false).
    """
    u, o = brute.random_counts(rng, equal=True)
    equal = brute.best_worst_mass(u, o) - np.mean(1 / (1 + o))
    spread = brute.spread_cells(rng, 1)[0]
    u, o = brute.random_counts(rng)
    best = brute.best_worst_mass(u, o)
    quick = quick_partition(u, o)
    searched = improve_partition(quick, o)
    table = avoid_trivial_cells(u, o, 0.2)
    trivial = int(table[cell_masses(table, o) > 0.2 + 1e-12].sum())
    return [
        {
            "equal_gap": equal,
            "spread_gap": spread,
            "bound_gap": best - worst_mass_bound(u, o),
            "quick": cell_masses(quick, o).max() / best,
            "searched": cell_masses(searched, o).max() / best,
            "trivial": trivial - brute.fewest_trivial(u, o, 0.2),
            "spare": trivial - int(unavoidable_points(u, o, 0.2).sum()),
            "fails": brute.averaging_fails(rng, int(scenario["n_averages"])),
        }
    ]


partitions = Study(
    name="missing-outcomes-partitions",
    scenarios=[{"n_averages": 100}],
    replicate=replicate_partitions,
    n_replicates=150,
    seed=68,
    description="Proposition 2, (25), (26) and (27) by brute force: 150 cases",
    document=DOCUMENT,
)

# --------------------------------------------- whole samples, n = 500 (A16, A17, E05)


def replicate_samples(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """A16, A17 and E05 on one sample of Setting 1, not partitioned for pro-CP2.

    Returns
    -------
    list of dict
        ``one_cell``, ``blocks``, ``quick`` and ``one_rep``: largest mass at infinity
        of (11), by partition; ``squared`` and ``crude``: mass at infinity of (22) and
        its approximation; ``two_rep``: that mass with two representatives; ``above``:
        least amount by which the law of (19) lies above that with two
        representatives; ``wider``: whether those give a larger threshold.
    """
    n, alpha = int(scenario["n_total"]), scenario["alpha"]
    models = setting_models(1, "residual", alpha, n, 1)
    data = draw_setting(1, n, rng)
    A, bins = data.A, odds_bins(data.p)
    cal, test = bins[A], bins[~A]
    scores = models.score().score(data.Y, models.predict(data.X))[A]
    curves = [exact.survival_curve(scores, cal, test, v) for v in ("paper", "two_rep")]
    cells = block_cells(np.flatnonzero(~A)), partition_test_points(cal, test)
    worst = [mass_at_infinity(cal, test, cells=c).max() for c in cells]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        q, q_two = (
            procp2_threshold(scores, cal, test, alpha, variant=v)[0]
            for v in ("paper", "two_rep")
        )
    share = (~A).mean()
    return [
        {
            "one_cell": float(mass_at_infinity(cal, test)),
            "blocks": worst[0],
            "quick": worst[1],
            "one_rep": float(mass_at_infinity(cal, test, variant="one_rep")),
            "squared": float(squared_mass_at_infinity(cal, test)),
            "two_rep": float(squared_mass_at_infinity(cal, test, variant="two_rep")),
            "crude": share**2 + share / (~A).sum(),
            "above": np.subtract(*curves).min(),
            "wider": float(q_two > q),
        }
    ]


samples = Study(
    name="missing-outcomes-samples",
    scenarios=grid(n_total=[500], alpha=[0.2]),
    replicate=replicate_samples,
    n_replicates=200,
    seed=69,
    description="Masses at infinity and pro-CP2 without a partition: 200 samples",
    document=DOCUMENT,
)
