"""The studies of chapter 4: coverage and length by mask of the CP-MDA family.

Figures 3 to 8 of Zaffran, Josse, Romano and Dieuleveut (2024). One pass over the
distinct (row, mask) pairs serves every member of the family: CP-MDA-Exact, Nested*
with any sub-sampling rule, and Nested differ only in which rows they keep and how
they read the intervals.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from sklearn.linear_model import QuantileRegressor

from ..covariates import (
    BETA,
    AllRows,
    AtMost,
    Exact,
    GaussianLinear,
    MaskedModel,
    PairPlan,
    closed_rank,
    covering_segments,
    equicorrelated,
    unstarred_bounds,
)
from ..covariates.estimators import augmented_intervals
from ..covariates.network import QuantileNetwork
from ..masks import all_masks
from ..mechanisms import MAR, MCAR, QuantileCensored, SelfMasked
from ..quantiles import conformal_quantile
from ..scores import QuantileScore
from .store import aggregate
from .study import Study, grid

ALPHA = 0.1
SIZES = {"n_train": 500, "n_cal": 250}
#: Columns that go missing in the MAR and MNAR figures, and the others.
MASKABLE, OBSERVED = (0, 1, 2, 4, 7, 8), (3, 5, 6, 9)
FAMILY = {
    "CP-MDA-Exact": Exact(),
    "CP-MDA-Nested* (<=2)": AtMost(2),
    "CP-MDA-Nested*": AllRows(),
    "CP-MDA-Nested": None,
}


def learner(name: str, alpha: float = ALPHA, seed: int = 0) -> list:
    """Unfitted predictors of the two quantiles: linear, or the papers' network."""
    levels = (alpha / 2, 1 - alpha / 2)
    if name == "network":
        return [QuantileNetwork(levels, random_state=seed)]
    return [QuantileRegressor(quantile=q, alpha=0.0, solver="highs") for q in levels]


class Trial:
    """One replicate: data with gaps, fitted imputer and quantile models.

    Parameters
    ----------
    truth : object with ``sample(n, rng)``
        Law of complete rows; ``outcome(X, M, y)`` if masks act on the outcome.
    mechanism : fitted mechanism
        Makes the gaps of training and calibration rows.
    rng : numpy.random.Generator
        Source of randomness.
    base : {"linear", "network"}
        Quantile model, fitted on imputed rows and masks.
    """

    def __init__(
        self, truth, mechanism, rng, base, *, n_train=500, n_cal=250, alpha=ALPHA
    ):
        self.truth, self.rng, self.alpha = truth, rng, alpha
        X, y = truth.sample(n_train + n_cal, rng)
        mask = mechanism.sample(X, rng)
        y = _outcome(truth, X, mask, y)
        X = np.where(mask, np.nan, X)
        self.train = X[:n_train], y[:n_train]
        self.cal = X[n_train:], y[n_train:]
        self.M_cal = mask[n_train:]
        seed = int(rng.integers(2**31))
        self.model = MaskedModel(learner(base, alpha, seed)).fit(*self.train)
        # Plain quantile regression learns from the calibration rows too.
        self.plain = MaskedModel(learner(base, alpha, seed)).fit(
            *self.train, X_predictor=X, y_predictor=y
        )

    def evaluate(self, X, mask, y, rules=None) -> pd.DataFrame:
        """Coverage and length of each method on each test row.

        Returns
        -------
        DataFrame
            Columns ``method``, ``row``, ``covered``, ``length``.
        """
        X = np.where(mask, np.nan, X)
        found = {"QR": _band(self.plain(X, mask), y, 0.0)}
        scores = QuantileScore().score(self.cal[1], self.model(self.cal[0], self.M_cal))
        q = conformal_quantile(scores, self.alpha)
        found["CQR"] = _band(self.model(X, mask), y, q)
        rules = FAMILY if rules is None else rules
        cal = self.cal[0], self.M_cal, self.cal[1]
        found |= family(self.model, cal, X, mask, y, self.alpha, rules)
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "method": name,
                        "row": np.arange(len(y)),
                        "covered": covered,
                        "length": length,
                    }
                )
                for name, (covered, length) in found.items()
            ],
            ignore_index=True,
        )


def _outcome(truth, X, mask, y):
    return truth.outcome(X, mask, y) if hasattr(truth, "outcome") else y


def _band(band, y, q):
    low, high = band[:, 0] - q, band[:, 1] + q
    return (low <= y) & (y <= high), np.maximum(high - low, 0.0)


def family(model, cal, X, mask, y, alpha, rules):
    """Covered or not, and length, for every rule, from one pass over the pairs.

    Parameters
    ----------
    model : callable
        ``model(X, M)`` gives two quantiles.
    cal : tuple of ndarray
        Calibration rows (with NaN), masks and outcomes.
    X, mask, y : ndarray
        Test rows (with NaN), masks and outcomes.
    alpha : float
        Miscoverage level.
    rules : dict of str to rule
        Sub-sampling rule of each member; None is the 2023 algorithm.

    Returns
    -------
    dict of str to (ndarray of bool, ndarray)
        For each member, covered (n,) and length (n,).
    """
    if not rules:
        return {}
    X_cal, M_cal, y_cal = cal
    widest = AllRows() if any(r is None for r in rules.values()) else _Union(rules)
    plan = PairPlan(M_cal, mask, widest)
    out = {name: (np.zeros(len(y), bool), np.zeros(len(y))) for name in rules}
    for view in plan.views(model, X_cal, X):
        lower, upper = augmented_intervals(QuantileScore(), view, y_cal)
        target = y[view.rows][:, None]
        inside = (lower <= target) & (target <= upper)
        for name, rule in rules.items():
            covered, length = out[name]
            if rule is None:
                r = closed_rank(len(view.kept), alpha)
                low, high = unstarred_bounds(lower, upper, r).T
                covered[view.rows] = (low <= target[:, 0]) & (target[:, 0] <= high)
                length[view.rows] = np.maximum(high - low, 0.0)
                continue
            keep = rule.keep(M_cal[view.kept], view.mask)
            r = closed_rank(int(keep.sum()), alpha)
            covered[view.rows] = inside[:, keep].sum(axis=1) >= r
            row, start, end = covering_segments(lower[:, keep], upper[:, keep], r)
            length[view.rows] = np.bincount(row, end - start, minlength=len(view.rows))
    return out


class _Union:
    """Rows that any of several rules keeps."""

    def __init__(self, rules):
        self.rules = list(rules.values())

    def keep(self, M_cal, m):
        return np.any([rule.keep(M_cal, m) for rule in self.rules], axis=0)


# ------------------------------------------------------------------ test rows


def masks_of_size(d, size, n, rng):
    """`n` masks, uniform among those that hide `size` of `d` columns."""
    order = np.argsort(rng.random((n, d)), axis=1)
    return order < size


def rows_given_mask(X, weights, n, rng):
    """`n` rows of a pool, drawn with the given weights: the law of X given the mask."""
    total = weights.sum()
    if not total > 0:
        return X[:0]
    return X[rng.choice(len(X), size=n, p=weights / total)]


def mechanism_of(scenario, X):
    """The fitted mechanism of a scenario of figures 4 to 7."""
    kind, setting = scenario["mechanism"], scenario.get("setting", 0)
    if kind == "MCAR":
        return MCAR(scenario.get("rate", 0.2)).fit(X)
    if kind == "MAR":
        weights = np.random.default_rng(int(setting)).standard_normal((4, 6))
        return MAR(0.2, OBSERVED, MASKABLE, weights=weights).fit(X)
    if kind == "self-masked":
        signs = np.sign(np.random.default_rng(int(setting)).standard_normal(6))
        return SelfMasked(0.2, MASKABLE, slope=signs, link="logit").fit(X)
    return QuantileCensored(0.2, MASKABLE, share=float(setting)).fit(X)


# ------------------------------------------------------------- the replicates


def _trial(truth, mechanism, rng, scenario):
    alpha = float(scenario.get("alpha", ALPHA))
    return Trial(truth, mechanism, rng, scenario["base"], alpha=alpha)


def replicate_sizes(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure 3: marginal test rows, and rows of each mask size."""
    truth = GaussianLinear(BETA, 1.0, equicorrelated(10, scenario["phi"]))
    trial = _trial(truth, MCAR(scenario["p"]).fit(truth.cov), rng, scenario)
    rules = _rules_of(scenario)
    parts = [("marginal", int(scenario["n_marginal"]), None)]
    parts += [(str(q), int(scenario["n_each"]), q) for q in range(10)]
    rows = []
    for label, n, size in parts:
        X, y = truth.sample(n, rng)
        if size is None:
            mask = rng.random(X.shape) < scenario["p"]
        else:
            mask = masks_of_size(10, size, n, rng)
        frame = trial.evaluate(X, mask, y, rules)
        rows += [{"size": label} | row for row in _means(frame)]
        oracle = truth.oracle_length(mask, trial.alpha).mean()
        rows.append({"size": label, "method": "oracle", "length": oracle})
    return rows


def _rules_of(scenario):
    if "max_h" not in scenario:
        return FAMILY
    return {f"h={h}": AtMost(h) for h in range(int(scenario["max_h"]) + 1)}


def _means(frame, by=()):
    """Mean coverage and length, one row a method (and group)."""
    groups = frame.assign(infinite=np.isinf(frame["length"])).groupby(
        ["method", *by], sort=False
    )
    table = groups.agg(
        coverage=("covered", "mean"),
        length=("length", "mean"),
        infinite=("infinite", "mean"),
        n=("covered", "size"),
    )
    return table.reset_index().to_dict("records")


def replicate_masks(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures 4 to 7: every mask with its own law of covariates, and marginal rows."""
    d = 10
    truth = GaussianLinear(BETA, 1.0, equicorrelated(d, scenario["phi"]))
    setting_rng = np.random.default_rng([4, int(100 * scenario["phi"])])
    pool, _ = truth.sample(60_000, setting_rng)
    mechanism = mechanism_of(scenario, pool)
    trial = _trial(truth, mechanism, rng, scenario)
    X, y = truth.sample(int(scenario["n_marginal"]), rng)
    frame = trial.evaluate(X, mechanism.sample(X, rng), y)
    rows = [{"mask": "all"} | row for row in _means(frame)]
    masks = _test_masks(scenario, mechanism)
    X, mask, y = _rows_by_mask(truth, mechanism, masks, pool, scenario, rng)
    frame = trial.evaluate(X, mask, y)
    frame["mask"] = _labels(mask)[frame["row"].to_numpy()]
    return rows + _means(frame, ["mask"])


def _labels(mask):
    digits = np.where(mask, "1", "0")
    return np.array(["".join(row) for row in digits])


def _test_masks(scenario, mechanism):
    masks = np.zeros((2 ** len(mechanism.columns_), 10), dtype=bool)
    masks[:, mechanism.columns_] = all_masks(len(mechanism.columns_))
    masks = masks[~masks.all(axis=1)]
    if scenario.get("n_masks"):
        # The same masks in every replicate, so that each can be averaged.
        order = np.random.default_rng(7).permutation(len(masks))
        masks = masks[order[: int(scenario["n_masks"])]]
    return masks


def _rows_by_mask(truth, mechanism, masks, pool, scenario, rng):
    n = int(scenario["n_each"])
    if isinstance(mechanism, MCAR):
        X, y = truth.sample(n * len(masks), rng)
        return X, np.repeat(masks, n, axis=0), y
    p = mechanism.probability(pool)
    blocks = []
    for m in masks:
        weights = np.where(m, p, 1 - p).prod(axis=1)
        blocks.append(rows_given_mask(pool, weights, n, rng))
    X = np.concatenate(blocks)
    mask = np.repeat(masks, [len(block) for block in blocks], axis=0)
    y = X @ truth.beta + truth.noise_sd * rng.standard_normal(len(X))
    return X, mask, y


class MaskedOutcome(GaussianLinear):
    """Figure 8: three covariates, and an outcome that depends on the mask."""

    def __init__(self, phi):
        super().__init__([1.0, 0.0, 0.0], 1.0, equicorrelated(3, phi))

    def outcome(self, X, mask, y):
        """Add what the mask adds: X1 once more if hidden, 3 X2 if X2, X3 are."""
        extra = X[:, 0] * mask[:, 0] + 3 * X[:, 1] * (mask[:, 1] & mask[:, 2])
        return y + extra


def replicate_outcome(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure 8: each of the seven masks that leave something to see."""
    truth = MaskedOutcome(scenario["phi"])
    trial = _trial(truth, MCAR(0.2).fit(truth.cov), rng, scenario)
    masks = all_masks(3)[:-1]
    n = int(scenario["n_each"])
    X, y = truth.sample(n * len(masks), rng)
    mask = np.repeat(masks, n, axis=0)
    frame = trial.evaluate(X, mask, truth.outcome(X, mask, y))
    frame["mask"] = _labels(mask)[frame["row"].to_numpy()]
    X, y = truth.sample(int(scenario["n_marginal"]), rng)
    mask = rng.random(X.shape) < 0.2
    whole = trial.evaluate(X, mask, truth.outcome(X, mask, y))
    return [{"mask": "all"} | row for row in _means(whole)] + _means(frame, ["mask"])


# ------------------------------------------------------------------ summaries


def summarise(frame: pd.DataFrame, by) -> pd.DataFrame:
    """Mean, error and count over replicates; lengths also by their median."""
    kept = frame.replace({"length": {np.inf: np.nan}})
    table = aggregate(kept, list(by), ["coverage", "length", "infinite"])
    return table.dropna(subset="mean").reset_index(drop=True)


def _study(name, scenarios, replicate, description, by=None, n=100):
    return Study(
        name=name,
        scenarios=scenarios,
        replicate=replicate,
        n_replicates=n,
        seed=4,
        description=description,
        document="Zaffran, Josse, Romano and Dieuleveut (2024)",
        summarise=None if by is None else partial(summarise, by=by),
    )


_SCALE = {"n_marginal": [2000], "n_each": [100]}
_BY_MASK = ("base", "phi", "mechanism", "setting", "method", "mask")
_CENSORED = (0.5, 0.75, 0.8, 0.85, 0.9, 0.95)


def _mechanisms(base):
    cells = [("MAR", s) for s in range(1, 6)]
    cells += [("self-masked", s) for s in range(1, 6)]
    cells += [("censored", q) for q in _CENSORED]
    return [
        {"base": base, "phi": phi, "mechanism": kind, "setting": setting}
        | {"n_marginal": 2000, "n_each": 100}
        for phi in (0.0, 0.8)
        for kind, setting in cells
    ]


def _mask_grid(base):
    cell = {"base": base, "phi": 0.8, "mechanism": "MCAR", "setting": 0}
    return [cell | {"n_marginal": 2000, "n_each": 100}]


SIZES_LINEAR = _study(
    "mda_sizes_linear",
    grid(base=["linear"], phi=[0.8], p=[0.2, 0.4], **_SCALE),
    replicate_sizes,
    "Figure 3, linear quantile regression: coverage and length by mask size",
    n=50,
)
SIZES_NETWORK = _study(
    "mda_sizes_network",
    grid(base=["network"], phi=[0.8], p=[0.2, 0.4], **_SCALE),
    replicate_sizes,
    "Figure 3, quantile network: coverage and length by mask size",
    n=50,
)
TRADE_OFF = _study(
    "mda_trade_off",
    grid(base=["linear"], phi=[0.8], p=[0.2, 0.4], max_h=[10], **_SCALE),
    replicate_sizes,
    "Exact validity against variability as h goes from 0 to d (ours)",
    n=50,
)
MASKS_LINEAR = _study(
    "mda_masks_linear",
    _mask_grid("linear"),
    replicate_masks,
    "Figure 4, linear quantile regression: all 1023 masks under MCAR",
    by=_BY_MASK,
)
MASKS_NETWORK = _study(
    "mda_masks_network",
    _mask_grid("network"),
    replicate_masks,
    "Figure 4, quantile network: all 1023 masks under MCAR",
    by=_BY_MASK,
)
MECHANISMS_LINEAR = _study(
    "mda_mechanisms_linear",
    _mechanisms("linear"),
    replicate_masks,
    "Figures 5 to 7, linear quantile regression: MAR, self-masked, censored",
    by=_BY_MASK,
)
MECHANISMS_NETWORK = _study(
    "mda_mechanisms_network",
    _mechanisms("network"),
    replicate_masks,
    "Figures 5 to 7, quantile network: MAR, self-masked, censored",
    by=_BY_MASK,
)
OUTCOME_NETWORK = _study(
    "mda_outcome_network",
    grid(base=["network"], phi=[0.0, 0.8], **_SCALE),
    replicate_outcome,
    "Figure 8, quantile network: the outcome depends on the mask",
)
OUTCOME_LINEAR = _study(
    "mda_outcome_linear",
    grid(base=["linear"], phi=[0.0, 0.8], **_SCALE),
    replicate_outcome,
    "Figure 8, linear quantile regression: the outcome depends on the mask",
)
