"""More numbers that chapter 4 compares with the statements.

As in :mod:`notebook_lib.studies.mda_theory`, nothing here asserts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binom

from ..covariates import (
    BETA,
    AdaptiveAtMost,
    AllRows,
    CPMDANestedStar,
    GaussianImputer,
    GaussianLinear,
    MaskedModel,
    PairPlan,
    covering_segments,
    equicorrelated,
    equicorrelated_variance,
)
from ..covariates.network import QuantileNetwork
from ..covariates.pairs import check_masked
from ..masks import all_masks
from ..mechanisms import MCAR, QuantileCensored
from ..quantiles import conformal_quantile
from ..scores import QuantileScore
from . import mda_nested as mda
from .mda_live import live

# ---------------------------------------------------------------- oracle lengths


def oracle_by_size(phi, alpha=0.1) -> np.ndarray:
    """Oracle length averaged over the masks of each size, d = 10, shape (11,)."""
    masks = all_masks(10)
    truth = GaussianLinear(BETA, 1.0, equicorrelated(10, phi))
    lengths = pd.Series(truth.oracle_length(masks, alpha))
    return lengths.groupby(masks.sum(axis=1)).mean().to_numpy()


def oracle_marginal(phi, p, alpha=0.1) -> float:
    """Oracle length averaged over masks of independent entries missing with rate p."""
    return float(oracle_by_size(phi, alpha) @ binom.pmf(np.arange(11), 10, p))


def decreasing_pairs(phi) -> int:
    """Pairs of masks, one feature apart, where hiding more lowers the variance."""
    masks = all_masks(10)
    variance = equicorrelated_variance(BETA, phi, masks)
    code = masks @ (1 << np.arange(10))
    by_code = np.empty(1024)
    by_code[code] = variance
    bad = 0
    for j in range(10):
        inside = code[~masks[:, j]]
        bad += int((by_code[inside] > by_code[inside | (1 << j)] + 1e-12).sum())
    return bad


# ------------------------------------------------------------------------ theory


def bound_on_a_grid() -> float:
    """T2.3c: least slack of the sharp method over the corrected bound."""
    slack = []
    for alpha in (0.05, 0.1, 0.2, 0.5):
        for n in (10, 100, 1000):
            for rho in (1e-4, 1e-3, 0.01, 0.1, 0.5):
                j = np.arange(n + 1)
                infinite = binom.pmf(j, n, rho) @ np.clip(1 - alpha * (j + 1), 0, None)
                slack.append(infinite - ((1 - rho) ** n - alpha))
    return float(min(slack))


def per_mask_infinite_draws(rho, n, alpha, n_draws, rng) -> float:
    """Share of infinite sets of same-mask calibration, simulated."""
    return float(((rng.binomial(n, rho, n_draws) + 1) * alpha < 1 - 1e-9).mean())


def borrowed_interval(n, rng) -> float:
    """T3.6: coverage, on complete rows, of the interval that hides the second entry."""
    x1, x2, noise = rng.standard_normal((3, n))
    y = x1 + 0.1 * x2 + noise
    return float((np.abs(y - x1) <= 1.6448536 * np.sqrt(1.01)).mean())


# ------------------------------------------------------------------------ method

BY_HAND = (
    ([0, 0, 2, 2], [1, 1, 3, 3], [(0.0, 1.0), (2.0, 3.0)]),
    ([0, 2, 2.5], [1, 3, 4], [(2.5, 3.0)]),
)


def segments_by_hand() -> bool:
    """A2: the two examples of the specification, rank 2."""
    for lower, upper, wanted in BY_HAND:
        _, start, end = covering_segments(np.array([lower]), np.array([upper]), 2)
        if list(zip(start, end, strict=True)) != wanted:
            return False
    return True


def counted_predictions(n_test, rate, seed) -> tuple[int, int]:
    """A7: rows that a counting model predicted, and the plan's distinct pairs."""
    rng = np.random.default_rng(seed)
    X_cal, X = rng.standard_normal((250, 10)), rng.standard_normal((n_test, 10))
    M_cal, M = (rng.random(part.shape) < rate for part in (X_cal, X))
    plan, calls, seen = PairPlan(M_cal, M, AllRows()), [0], set()

    def model(rows, mask):
        calls[0] += len(rows)
        some = ~mask.all(axis=1)  # rows without any entry all look alike
        seen.update(row.tobytes() for row in np.where(mask, np.nan, rows)[some])
        empty[0] += int((~some).sum())
        return np.zeros(len(rows))

    empty = [0]
    for _ in plan.views(model, X_cal, X):
        pass
    once = len(seen) + empty[0] == calls[0]
    return calls[0] if once else -1, plan.n_calibration_pairs + plan.n_test_pairs


def hidden_values_ignored(rng) -> bool:
    """A9: whatever stands under the mask, fitted objects and sets are the same."""
    X, y = rng.standard_normal((300, 4)), rng.standard_normal(300)
    mask = rng.random(X.shape) < 0.3
    other = np.where(mask, 1e6 * rng.standard_normal(X.shape), X)
    sets, fitted = [], []
    for table in (X, other):
        rows = check_masked(table, mask, "X")[0]
        star = CPMDANestedStar(imputer=GaussianImputer(), alpha=0.2)
        star.fit(rows[:100], y[:100]).conformalize(rows[100:200].copy(), y[100:200])
        sets.append(star.predict_interval(rows[200:].copy())[1])
        fitted.append(star.models_[0].predictors_[0].coef_)
    return all(np.array_equal(*pair) for pair in (sets, fitted))


def at_most_two_is_all(rng, n_problems=500) -> bool:
    """A8: at most two more keeps all rows iff no row lacks three that are shown."""
    for _ in range(n_problems):
        M, m = rng.random((50, 10)) < 0.3, rng.random(10) < rng.random()
        keep = mda.AtMost(2).keep(M, m)
        if keep.all() != ((M & ~m).sum(axis=1) <= 2).all():
            return False
        if (~m).sum() <= 2 and not keep.all():
            return False
    return True


def adaptive_rows(rng, n_sets=20, rate=0.4, n_cal=250) -> int:
    """A12: fewest rows that the adaptive rule keeps, over data sets and 1024 masks."""
    rule, least = AdaptiveAtMost.for_level(0.1), n_cal
    for _ in range(n_sets):
        M = rng.random((n_cal, 10)) < rate
        least = min(least, *(int(rule.keep(M, m).sum()) for m in all_masks(10)))
    return least


def longer_than_all(seed, p=0.4) -> tuple[float, float]:
    """E19: complete rows whose set is longer with at most two more than with all.

    Returns
    -------
    tuple of float
        Share of rows that are longer; share where the starred set is longer than
        the unstarred one on the same rows.
    """
    rng = np.random.default_rng(seed)
    truth = GaussianLinear(BETA, 1.0, equicorrelated(10, 0.8))
    trial = mda.Trial(truth, MCAR(p).fit(truth.cov), rng, "linear")
    X, y = truth.sample(200, rng)
    frame = trial.evaluate(X, np.zeros(X.shape, dtype=bool), y)
    wide = frame.pivot(index="row", columns="method", values="length")
    longer = wide["CP-MDA-Nested* (<=2)"] > wide["CP-MDA-Nested*"] + 1e-9
    outside = wide["CP-MDA-Nested*"] > wide["CP-MDA-Nested"] + 1e-9
    return float(longer.mean()), float(outside.mean())


# -------------------------------------------------------------------------- data


def mar_sees_the_observed_only(pool, setting, rng) -> tuple[float, bool]:
    """D2: sd of the MAR predictor, and whether hidden columns do not matter."""
    mechanism = mda.mechanism_of({"mechanism": "MAR", "setting": setting}, pool)
    p = mechanism.probability(pool)[:, list(mda.MASKABLE)]
    moved = pool.copy()
    moved[:, list(mda.MASKABLE)] = rng.standard_normal((len(pool), len(mda.MASKABLE)))
    same = np.array_equal(p, mechanism.probability(moved)[:, list(mda.MASKABLE)])
    return float(np.log(p / (1 - p)).std(axis=0).mean()), same


def self_masked_parameters(pool, setting) -> tuple[np.ndarray, np.ndarray]:
    """D3: slopes times standard deviations, and intercepts of ``a x + b``."""
    mechanism = mda.mechanism_of({"mechanism": "self-masked", "setting": setting}, pool)
    columns = list(mda.MASKABLE)
    X = pool[:, columns]
    p = mechanism.probability(pool)[:, columns]
    logit = np.log(p / (1 - p))
    a = np.array([np.polyfit(x, v, 1) for x, v in zip(X.T, logit.T, strict=True)])
    return np.abs(a[:, 0]) * X.std(axis=0), a[:, 1]


def censoring_shares(shares, n, rng) -> pd.DataFrame:
    """D4: rows that the public code may censor, in its two readings, by simulation.

    In commits before 2020-07-02 the cut is the quantile at `q`; later the tail has
    mass `q`. The default cuts both ends.
    """
    x = rng.standard_normal(n)
    rows = []
    for q in shares:
        old = x >= np.quantile(x, q), x <= np.quantile(x, 1 - q)
        new = x >= np.quantile(x, 1 - q), x <= np.quantile(x, q)
        rows.append(
            {
                "q": q,
                "new, upper": new[0].mean(),
                "new, both": (new[0] | new[1]).mean(),
                "old, upper": old[0].mean(),
                "old, both": (old[0] | old[1]).mean(),
            }
        )
    return pd.DataFrame(rows).set_index("q")


def censored_rate(q, n, rng) -> float:
    """D4: realised rate of the library's upper-tail censoring, one column."""
    X = rng.standard_normal((n, 1))
    return float(QuantileCensored(0.2, share=q).fit(X).sample(X, rng).mean())


def mcar_gap(seed, n=40_000) -> np.ndarray:
    """ME1: under MCAR, natural against imposed masks: differences in errors of CQR."""
    rng = np.random.default_rng(seed)
    truth = GaussianLinear(BETA, 1.0, equicorrelated(10, 0.0))
    mechanism = MCAR(0.2).fit(truth.cov)
    trial = mda.Trial(truth, mechanism, rng, "linear")
    X, y = truth.sample(n, rng)
    mask = mechanism.sample(X, rng)
    fresh, target = truth.sample(n, rng)
    covered = [
        trial.evaluate(rows, mask, out, rules={})
        .query("method == 'CQR'")["covered"]
        .to_numpy()
        for rows, out in ((X, y), (fresh, target))
    ]
    _, where = np.unique(mask, axis=0, return_inverse=True)
    where = where.ravel()
    size = np.bincount(where)
    a, b = (np.bincount(where, c) / size for c in covered)
    often = size >= 200
    pooled = (a + b)[often] / 2
    error = np.sqrt(2 * pooled * (1 - pooled) / size[often])
    return (a - b)[often] / error


# ---------------------------------------------------------------- figure 8, live


def replicate_outcome_network(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure 8 with one network fit: CQR, Exact and Nested on the given masks."""
    truth = mda.MaskedOutcome(scenario["phi"])
    X, y = truth.sample(750, rng)
    mask = rng.random(X.shape) < 0.2
    y = truth.outcome(X, mask, y)
    X = np.where(mask, np.nan, X)
    seed = int(rng.integers(2**31))
    model = MaskedModel([QuantileNetwork(random_state=seed)]).fit(X[:500], y[:500])
    masks = np.array([[c == "1" for c in m] for m in scenario["masks"]])
    n = int(scenario["n_each"])
    test, target = truth.sample(n * len(masks), rng)
    hidden = np.repeat(masks, n, axis=0)
    target = truth.outcome(test, hidden, target)
    test = np.where(hidden, np.nan, test)
    scores = QuantileScore().score(y[500:], model(X[500:], mask[500:]))
    band = model(test, hidden)
    found = {"CQR": mda._band(band, target, conformal_quantile(scores, 0.1))}
    rules = {"CP-MDA-Exact": mda.Exact(), "CP-MDA-Nested": None}
    cal = X[500:], mask[500:], y[500:]
    found |= mda.family(model, cal, test, hidden, target, 0.1, rules)
    network = model.predictors_[0]
    fall = network.loss_[-50:].mean() / network.loss_[0]
    crossed = float((band[:, 0] > band[:, 1]).mean())
    return [
        {
            "method": name,
            "mask": m,
            "coverage": float(covered[k * n : (k + 1) * n].mean()),
        }
        | {"fall": float(fall), "crossed": crossed}
        for name, (covered, _) in found.items()
        for k, m in enumerate(scenario["masks"])
    ]


def outcome_by_network(n_reps, seed, phi=0.0, masks=("100", "110", "101", "011")):
    """Rows of :func:`replicate_outcome_network` over replicates."""
    scenario = {"phi": phi, "masks": list(masks), "n_each": 200}
    frame = live(replicate_outcome_network, [scenario], n_reps, seed)
    return frame.drop(columns="masks")


def mean_length_in_order(run, p=0.2) -> float:
    """F3a: least step of mean length from oracle to Exact to Nested* to Nested.

    Over the sizes, in the order that the figure's caption states; percent of the
    oracle's length.
    """
    part = run[run["p"] == p]
    mean = part.groupby(["size", "method"])["length"].mean().unstack()
    chain = ["oracle", "CP-MDA-Exact", "CP-MDA-Nested* (<=2)", "CP-MDA-Nested"]
    steps = mean[chain].diff(axis=1).iloc[:, 1:]
    return float(100 * steps.div(mean["oracle"], axis=0).min().min())


def infinite_rows(run, p=0.4) -> pd.DataFrame:
    """F3c: share of infinite rows of CP-MDA-Exact over replicates, with its error."""
    part = run[(run["p"] == p) & (run["method"] == "CP-MDA-Exact")]
    groups = part.groupby(part["size"].astype(str))["infinite"]
    return pd.DataFrame({"mean": groups.mean(), "error": groups.sem()})
