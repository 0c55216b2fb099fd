"""The tables' replicate for live runs of chapter 3: the same rows for less work.

The stored studies rest on :mod:`notebook_lib.studies.mask_conditional`, whose code
must stay as it ran. Here all test rows of a replicate share their calibration pairs,
and the mechanism of a setting is fitted once. A test compares the rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..covariates import BETA, GaussianLinear, equicorrelated
from . import mask_conditional as study


@lru_cache(maxsize=8)
def _setting(d, kind):
    """Truth, a pool of its rows, and the mechanism fitted on them."""
    truth = GaussianLinear(BETA[:d], 1.0, equicorrelated(d, 0.8))
    pool, _ = truth.sample(30_000, np.random.default_rng(3))
    return truth, pool, study.mechanism_of(kind, d, pool)


def replicate_synthetic(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Tables 1 to 3: one replicate, marginal rows and rows by mask in one pass."""
    d, kind = int(scenario["d"]), scenario["mechanism"]
    truth, pool, mechanism = _setting(d, kind)
    X, y = truth.sample(750, rng)
    X = np.where(mechanism.sample(X, rng), np.nan, X)
    methods = study.fitted_methods(
        (X[:500], y[:500]),
        (X[500:], y[500:]),
        base=scenario["base"],
        draw=bool(scenario.get("draw", True)),
        add_mask=bool(scenario.get("add_mask", False)),
        seed=int(rng.integers(2**31)),
    )
    n = int(scenario["n_marginal"])
    X, y = truth.sample(n, rng)
    hidden = np.where(mechanism.sample(X, rng), np.nan, X)
    each, y_each, label = study._rows_of_each(
        truth, mechanism, kind, pool, scenario, rng
    )
    both = np.concatenate([hidden, each]), np.concatenate([y, y_each])
    frame = study.evaluate(methods, *both)
    label = np.append(np.full(n, "marginal"), label)
    first = frame["row"] < n
    parts = frame[first].copy(), frame[~first].copy()
    return [row for part in parts for row in study._summary(part, label)]
