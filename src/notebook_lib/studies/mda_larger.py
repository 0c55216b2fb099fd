"""Checks of chapter 4 at the document's size: Model 3.3, sub-sampling, conditioning.

They take minutes, so they are stored; the chapter reads them beside its live runs
of the same checks.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from ..covariates import (
    BETA,
    AllRows,
    AtMost,
    GaussianLinear,
    MaskedModel,
    PairPlan,
    closed_rank,
    covering_segments,
    equicorrelated,
    unstarred_bounds,
)
from ..covariates.estimators import augmented_intervals
from ..masks import all_masks, mask_label
from ..mechanisms import MCAR, SelfMasked
from ..quantiles import conformal_quantile
from ..scores import QuantileScore
from . import mda_nested as mda
from .mda_theory import Model33
from .store import aggregate
from .study import Study

DOCUMENT = "Zaffran, Josse, Romano and Dieuleveut (2024)"

# ------------------------------------------------------------------- Model 3.3


def replicate_model33(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """M3.3: variances of one sample, and how often hiding X would help."""
    x, y = Model33().sample(int(scenario["n_draws"]), rng)
    return [
        {
            "hidden": y.var(),
            "seen": (y - 2 * x).var(),
            "beyond": (np.abs(x) > np.sqrt(7.5)).mean(),
        }
    ]


model33 = Study(
    name="mda_model33",
    scenarios=[{"n_draws": 100_000}],
    replicate=replicate_model33,
    n_replicates=1000,
    seed=41,
    description="Model 3.3 and Figure 1: variances of 1000 samples of 100 000 rows",
    document=DOCUMENT,
)

# -------------------------------------------------- fewer rows, longer sets (E19)


def replicate_longer(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """E19: complete rows, with at most two more features hidden and with all rows.

    Returns
    -------
    list of dict
        One row: share of test rows whose set is ``longer`` with fewer calibration
        rows, share whose starred set leaves the unstarred one on the *same* rows
        (``outside``), and the percentage by which mean length shrinks (``gain``).
    """
    truth = GaussianLinear(BETA, 1.0, equicorrelated(10, scenario["phi"]))
    mechanism = MCAR(scenario["p"]).fit(truth.cov)
    trial = mda.Trial(truth, mechanism, rng, "linear")
    X, _ = truth.sample(int(scenario["n_each"]), rng)
    few, out_few = _lengths(trial, X, AtMost(2))
    every, out_every = _lengths(trial, X, AllRows())
    return [
        {
            "longer": (few > every + 1e-9).mean(),
            "outside": (out_few | out_every).mean(),
            "gain": 100 * (1 - few.mean() / every.mean()),
        }
    ]


def _lengths(trial, X, rule):
    """Length of the starred set, and whether it leaves the unstarred interval."""
    length, outside = np.zeros(len(X)), np.zeros(len(X), dtype=bool)
    plan = PairPlan(trial.M_cal, np.zeros(X.shape, dtype=bool), rule)
    for view in plan.views(trial.model, trial.cal[0], X):
        lower, upper = augmented_intervals(QuantileScore(), view, trial.cal[1])
        r = closed_rank(len(view.kept), trial.alpha)
        row, start, end = covering_segments(lower, upper, r)
        low, high = unstarred_bounds(lower, upper, r).T
        left = (start < low[row]) | (end > high[row])
        outside[view.rows[row[left]]] = True
        length[view.rows] = np.bincount(row, end - start, minlength=len(view.rows))
    return length, outside


longer = Study(
    name="mda_longer",
    scenarios=[{"phi": 0.8, "p": 0.4, "n_each": 200}],
    replicate=replicate_longer,
    n_replicates=50,
    seed=42,
    description="Sub-sampled sets against sets on all rows, complete test rows",
    document=DOCUMENT,
)

# ------------------------------------------------ the law of X given the mask (ME1)


@lru_cache(maxsize=2)
def conditioning_setting(kind: str):
    """Truth, a pool of its rows, and a mechanism on six of the ten columns."""
    truth = GaussianLinear(BETA, 1.0, equicorrelated(10, 0.0))
    pool, _ = truth.sample(30_000, np.random.default_rng([4, 3]))
    if kind == "MCAR":
        return truth, pool, MCAR(0.2, mda.MASKABLE).fit(pool)
    mechanism = SelfMasked(0.2, mda.MASKABLE, slope=1.0, link="logit")
    return truth, pool, mechanism.fit(pool)


def replicate_conditioning(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """ME1: coverage of CQR by mask, rows given the mask and masks imposed on rows.

    Self-masked: `n_each` rows a mask, drawn from a pool with the weights of the mask.
    MCAR: natural rows, and the same masks on fresh rows.
    """
    kind, n_each = scenario["mechanism"], int(scenario["n_each"])
    truth, pool, mechanism = conditioning_setting(kind)
    covers = _fitted_cqr(truth, mechanism, rng)
    if kind == "MCAR":
        X, y = truth.sample(64 * n_each, rng)
        mask = mechanism.sample(X, rng)
    else:
        masks = np.zeros((64, 10), dtype=bool)
        masks[:, mechanism.columns_] = all_masks(6)
        p = mechanism.probability(pool)
        blocks = [
            mda.rows_given_mask(pool, np.where(m, p, 1 - p).prod(axis=1), n_each, rng)
            for m in masks
        ]
        X, mask = np.concatenate(blocks), np.repeat(masks, n_each, axis=0)
        y = X @ truth.beta + rng.standard_normal(len(X))
    fresh, target = truth.sample(len(X), rng)
    frame = pd.DataFrame(
        {
            "mask": [mask_label(m[mechanism.columns_]) for m in mask],
            "proper": covers(X, mask, y).astype(float),
            "imposed": covers(fresh, mask, target).astype(float),
        }
    )
    table = frame.groupby("mask").agg(
        proper=("proper", "mean"), imposed=("imposed", "mean"), rows=("proper", "size")
    )
    table["gap"] = table["proper"] - table["imposed"]
    return table.reset_index().to_dict("records")


def _fitted_cqr(truth, mechanism, rng):
    """Impute, then CQR with linear quantile regression: a function of test rows."""
    X, y = truth.sample(750, rng)
    mask = mechanism.sample(X, rng)
    X = np.where(mask, np.nan, X)
    model = MaskedModel(mda.learner("linear")).fit(X[:500], y[:500])
    scores = QuantileScore().score(y[500:], model(X[500:], mask[500:]))
    q = conformal_quantile(scores, mda.ALPHA)

    def covers(X, mask, y):
        low, high = model(np.where(mask, np.nan, X), mask).T
        return (low - q <= y) & (y <= high + q)

    return covers


def summarise_conditioning(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over replicates by mechanism and mask, with errors."""
    values = ["proper", "imposed", "gap", "rows"]
    return aggregate(frame, ["mechanism", "mask"], values)


conditioning = Study(
    name="mda_conditioning",
    scenarios=[{"mechanism": kind, "n_each": 100} for kind in ("self-masked", "MCAR")],
    replicate=replicate_conditioning,
    n_replicates=100,
    seed=43,
    description="Coverage of CQR by mask: X given the mask against imposed masks",
    document=DOCUMENT,
    summarise=summarise_conditioning,
)
