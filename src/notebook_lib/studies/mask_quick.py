"""Live runs of chapter 3's tables: the stored studies' rows for less work.

The stored studies rest on :mod:`notebook_lib.studies.mask_conditional`, whose code
must stay as it ran. Here all test rows of a replicate share their calibration pairs,
and the mechanism of a setting is fitted once. A test compares the rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from ..covariates import BETA, GaussianLinear, equicorrelated
from . import mask_conditional as study
from . import mask_live


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


def run(d, mechanism, n_reps, *, seed, base="linear", **options) -> pd.DataFrame:
    """Run one setting of Tables 1 to 3 live: every method on every mask.

    Parameters
    ----------
    d : {3, 5, 8}
        Number of covariates.
    mechanism : {"MCAR", "MAR", "MNAR"}
        What drives the gaps.
    n_reps : int
        Repetitions: fresh training, calibration and test rows in each.
    seed : int
        Seed of the repetitions; each has its own stream, so that two runs with one
        seed see the same data.
    base : {"linear", "network"}
        Base model.
    **options
        The rest of the scenario of :func:`replicate_synthetic`: ``n_marginal`` and
        ``n_each``, numbers of test rows, and, if wanted, ``draw`` and ``add_mask``.

    Returns
    -------
    DataFrame
        A row for each method and mask (mask ``marginal``: rows with masks as they
        come), with ``coverage``, ``length`` (in units of the outcome), the standard
        errors of both over repetitions, the share of ``infinite`` intervals and the
        number of repetitions ``n``.
    """
    scenario = {"d": d, "mechanism": mechanism, "base": base} | options
    rows = mask_live.live(replicate_synthetic, [scenario], n_reps, seed)
    return mask_live.by_mask(rows)
