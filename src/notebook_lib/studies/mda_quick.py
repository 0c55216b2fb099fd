"""The replicates of chapter 4 for live runs: the same rows for less work.

The stored studies rest on :mod:`notebook_lib.studies.mda_nested`, whose code must stay
as it ran. Here the imputer is fitted once for both models, all test rows of a
replicate share their calibration pairs, and what depends on the setting alone is
computed once for all replicates. A test compares the rows.
"""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np
from sklearn.base import clone

from ..covariates import BETA, GaussianLinear, MaskedModel, equicorrelated
from ..mechanisms import MCAR
from . import mda_nested as mda


class Trial(mda.Trial):
    """As :class:`notebook_lib.studies.mda_nested.Trial`, with one imputer.

    Parameters
    ----------
    truth, mechanism, rng, base, n_train, n_cal, alpha
        As there.
    plain : bool
        Whether plain quantile regression is wanted too.
    """

    def __init__(
        self,
        truth,
        mechanism,
        rng,
        base,
        *,
        n_train=500,
        n_cal=250,
        alpha=mda.ALPHA,
        plain=True,
    ):
        self.truth, self.rng, self.alpha = truth, rng, alpha
        X, y = truth.sample(n_train + n_cal, rng)
        mask = mechanism.sample(X, rng)
        y = mda._outcome(truth, X, mask, y)
        X = np.where(mask, np.nan, X)
        self.train = X[:n_train], y[:n_train]
        self.cal = X[n_train:], y[n_train:]
        self.M_cal = mask[n_train:]
        seed = int(rng.integers(2**31))
        self.model = MaskedModel(mda.learner(base, alpha, seed)).fit(*self.train)
        if plain:
            self.plain = copy.copy(self.model)
            features = self.model.features(X, mask)
            self.plain.predictors_ = [
                clone(p).fit(features, y) for p in self.model.predictors
            ]


def replicate_sizes(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure 3: marginal test rows and rows of each size, in one pass."""
    truth = GaussianLinear(BETA, 1.0, equicorrelated(10, scenario["phi"]))
    p, alpha = scenario["p"], float(scenario.get("alpha", mda.ALPHA))
    trial = Trial(truth, MCAR(p).fit(truth.cov), rng, scenario["base"], alpha=alpha)
    labels = ["marginal", *map(str, range(10))]
    parts = []
    for label in labels:
        n = int(scenario["n_marginal" if label == "marginal" else "n_each"])
        X, y = truth.sample(n, rng)
        if label == "marginal":
            mask = rng.random(X.shape) < p
        else:
            mask = mda.masks_of_size(10, int(label), n, rng)
        parts.append((X, mask, y))
    X, mask, y = map(np.concatenate, zip(*parts, strict=True))
    frame = trial.evaluate(X, mask, y)
    owner = np.repeat(labels, [len(part[2]) for part in parts])
    frame["size"] = owner[frame["row"].to_numpy()]
    found = mda._means(frame, ["size"])
    rows = []
    for label, (_, hidden, _) in zip(labels, parts, strict=True):
        rows += [row for row in found if row["size"] == label]
        length = truth.oracle_length(hidden, alpha).mean()
        rows.append({"size": label, "method": "oracle", "length": length})
    return rows


@lru_cache(maxsize=1)
def _setting(phi, kind, setting):
    """Truth, pool and mechanism of figures 4 to 7, with the law of X by mask."""
    truth = GaussianLinear(BETA, 1.0, equicorrelated(10, phi))
    pool, _ = truth.sample(60_000, np.random.default_rng([4, int(100 * phi)]))
    mechanism = mda.mechanism_of({"mechanism": kind, "setting": setting}, pool)
    if kind == "MCAR":
        return truth, pool, mechanism, None
    columns = mechanism.columns_
    p = mechanism.probability(pool)[:, columns]
    laws = []
    for m in mda._test_masks({}, mechanism):
        weights = np.where(m[columns], p, 1 - p).prod(axis=1)
        laws.append((m, np.cumsum(weights / weights.sum())))
    return truth, pool, mechanism, laws


def replicate_masks(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures 4 to 7: every mask with its own law of covariates, and marginal rows."""
    key = scenario["phi"], scenario["mechanism"], scenario.get("setting", 0)
    truth, pool, mechanism, laws = _setting(*key)
    alpha = float(scenario.get("alpha", mda.ALPHA))
    trial = Trial(truth, mechanism, rng, scenario["base"], alpha=alpha)
    X, y = truth.sample(int(scenario["n_marginal"]), rng)
    marginal = X, mechanism.sample(X, rng), y
    n = int(scenario["n_each"])
    if laws is None:
        masks = mda._test_masks(scenario, mechanism)
        given = mda._rows_by_mask(truth, mechanism, masks, pool, scenario, rng)
    else:
        at = [np.searchsorted(law / law[-1], rng.random(n), "right") for _, law in laws]
        X = pool[np.concatenate(at)]
        mask = np.repeat([m for m, _ in laws], n, axis=0)
        noise = rng.standard_normal(len(X))
        given = X, mask, X @ truth.beta + truth.noise_sd * noise
    parts = map(np.concatenate, zip(marginal, given, strict=True))
    frame = trial.evaluate(*parts)
    first = len(marginal[2])
    names = np.append(np.full(first, "all"), mda._labels(given[1]))
    frame["mask"] = names[frame["row"].to_numpy()]
    whole = frame["row"] < first
    rows = mda._means(frame[whole]) + mda._means(frame[~whole], ["mask"])
    return [{"mask": "all"} | row for row in rows]


def replicate_additive(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure 8 with an additive learner: CP-MDA-Nested on mask 011 alone."""
    truth = mda.MaskedOutcome(scenario["phi"])
    alpha = float(scenario.get("alpha", mda.ALPHA))
    mechanism = MCAR(0.2).fit(truth.cov)
    trial = Trial(truth, mechanism, rng, scenario["base"], alpha=alpha, plain=False)
    masks, n = mda.all_masks(3)[:-1], int(scenario["n_each"])
    X, y = truth.sample(n * len(masks), rng)
    mask = np.repeat(masks, n, axis=0)
    y = truth.outcome(X, mask, y)
    at = mda._labels(mask) == "011"
    hidden = np.where(mask, np.nan, X)[at]
    cal = trial.cal[0], trial.M_cal, trial.cal[1]
    rules = {"CP-MDA-Nested": None}
    found = mda.family(trial.model, cal, hidden, mask[at], y[at], alpha, rules)
    covered, length = found["CP-MDA-Nested"]
    row = {"mask": "011", "method": "CP-MDA-Nested", "coverage": covered.mean()}
    return [row | {"length": length.mean(), "infinite": np.isinf(length).mean()}]
