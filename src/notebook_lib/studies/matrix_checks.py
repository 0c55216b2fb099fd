"""The executable checks of chapter 2 at the sizes of the paper's experiments.

One replicate is enough: what is checked holds in every draw. MovieLens is fetched for
its counts, which the page cannot show otherwise.
"""

from __future__ import annotations

import numpy as np

from . import matrix_integral as integral
from . import matrix_parts as parts
from . import matrix_theory as theory
from .matrix_movielens import movielens_submatrix
from .study import Study

CASES = ((4, 2, 4, 2, 1), (3, 3, 4, 2, 1), (4, 2, 5, 3, 1))
SHARES = (0.1, 0.12, 0.14, 0.16, 0.18, 0.2)


def _enumeration(rng):
    found = {str(case): theory.enumeration_gap(case, rng)["gap"] for case in CASES}
    found["5 x 2"] = theory.enumeration_gap((5, 2, 5, 2, 2), rng, every=4)["gap"]
    found["swaps that change xi"] = theory.swap_keeps_xi(rng, size=200, n_groups=1000)
    return found


def _samplers(rng):
    law = parts.split_law_check(rng, draws=200_000)
    urns = parts.sampler_p_values(rng, draws=200_000)
    return {"split law p": law["p"]} | urns


def _algorithm(rng):
    sizes = dict(size=200, n_obs=8000)
    return (
        parts.algorithm_facts(rng, n_groups=1000, **sizes)
        | parts.partition_facts(rng, size=200, n_groups=1000)
        | parts.baseline_facts(rng, **sizes)
    )


def _scale(rng):
    newton = integral.newton_path(rng, size=800_000, share=51_449 / 800_000)
    low, high = newton["bracket"]
    return {
        "gradient": newton["gradient"],
        "steps": len(newton["path"]),
        "falls": int((np.diff(newton["path"])[:-1] <= 0).sum()),
        "in the bracket": low < newton["root"] <= high,
        "error of the ratio": integral.laplace_ratio_errors(rng, sizes=(40_000,))[0],
        "violations of Lemma A7": integral.root_bounds(sizes=(5, 50, 500, 5000)),
    }


def _weights(rng):
    speed = parts.weights_speed(rng, size=(800, 1000), n=2000, k=8)
    return {name: speed[name] for name in ("gap", "times faster")}


def _completions(rng):
    return parts.completion_facts(rng, size=200) | {
        "rise of the ALS objective, 800 x 1000": parts.als_rise(rng, (800, 1000))
    }


def _estimates(rng):
    found = parts.one_bit_facts(rng, size=(800, 1000), rank=5, share=0.064)
    for delta in SHARES:
        facts = parts.worst_slab_facts(rng, size=400, delta=delta)
        facts["share in the slab"] -= delta
        found |= {f"{name}, {delta}": value for name, value in facts.items()}
    return found


def _rules(rng):
    cover = parts.rule_coverage(rng, n_replicates=2000).mean(axis=0)
    names = ("cube", "rectangle", "sphere")
    return parts.rule_facts(rng) | dict(zip(names, cover, strict=True))


def _movielens(rng):
    from ..datasets import load_movielens_100k

    every, M = load_movielens_100k(), movielens_submatrix()[0]
    return {
        "all ratings": len(every),
        "all users": every["user"].nunique(),
        "all films": every["item"].nunique(),
        "share missing": 1 - len(every) / (943 * 1682),
        "mean rating": np.nanmean(M),
    }


CHECKS = {
    "enumeration": _enumeration,
    "samplers": _samplers,
    "algorithm": _algorithm,
    "scale": _scale,
    "weights": _weights,
    "completions": _completions,
    "estimates": _estimates,
    "rules": _rules,
    "movielens": _movielens,
}


def replicate_check(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """One group of checks; what it measured, one row for each number."""
    found = CHECKS[scenario["check"]](rng)
    return [{"measure": name, "value": float(value)} for name, value in found.items()]


THEORY = Study(
    name="matrix-theory",
    scenarios=[{"check": name} for name in CHECKS],
    replicate=replicate_check,
    n_replicates=1,
    seed=37,
    description="The executable checks of chapter 2 at the paper's sizes",
    document="Liang, Xie, Tong and Sesia (2024)",
)
