"""What chapter 4 runs live: small studies, tidy tables, checks of the method."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd

from ..covariates import (
    AllRows,
    AtMost,
    CPMDAExact,
    CPMDANestedStar,
    CPMDANestedStarClassifier,
    Exact,
    GaussianImputer,
    GaussianLinear,
    PairPlan,
    count_naive_predictions,
    covering_segments,
    default_imputer,
    equicorrelated,
    impute,
    label_counts,
    unstarred_bounds,
)
from ..covariates.network import QuantileNetwork
from ..exceptions import InfiniteSetWarning
from ..masks import all_masks
from ..mechanisms import SelfMasked
from .mda_nested import ALPHA, Trial, _rows_by_mask

_MOMENTS = ("metric", "mean", "mc_error", "n", "n_failed")


def live(replicate, scenarios, n_replicates, seed) -> pd.DataFrame:
    """Run every scenario a few times: tidy rows with scenario and replicate."""
    rows = []
    for s, scenario in enumerate(scenarios):
        for r in range(n_replicates):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(s, r)))
            labels = {**scenario, "scenario": s, "replicate": r}
            rows += [labels | row for row in replicate(scenario, rng)]
    return pd.DataFrame(rows)


def by_group(frame, by) -> pd.DataFrame:
    """Means over replicates with errors; infinite lengths are counted apart.

    Returns
    -------
    DataFrame
        ``coverage``, ``coverage_error``, ``coverage_sd``, ``length`` (median over
        the replicates where it is finite), ``infinite`` (share of
        infinite sets), ``infinite_replicates`` (share of replicates with one), ``n``.
    """
    finite = frame["length"].where(np.isfinite(frame["length"]))
    table = (
        frame.assign(finite=finite, lost=~np.isfinite(frame["length"]))
        .groupby(list(by), sort=False)
        .agg(
            coverage=("coverage", "mean"),
            coverage_sd=("coverage", "std"),
            length=("finite", "median"),
            infinite=("infinite", "mean"),
            infinite_replicates=("lost", "mean"),
            n=("replicate", "nunique"),
            rows=("n", "sum"),
        )
    )
    table["coverage_error"] = table["coverage_sd"] / np.sqrt(table["n"])
    return table.reset_index()


def gain(frame, method="CP-MDA-Nested* (<=2)", against="CP-MDA-Nested") -> pd.DataFrame:
    """Length saved in percent, from medians over replicates, by rate and size."""
    medians = (
        frame[frame["method"].isin([method, against])]
        .groupby(["p", "size", "method"], sort=False)["length"]
        .median()
        .unstack()
    )
    saved = 100 * (1 - medians[method] / medians[against])
    return saved.unstack("p")


def extremes(table) -> pd.DataFrame:
    """Lowest and highest mask of each method from stored or live averages.

    Parameters
    ----------
    table : DataFrame
        Columns ``method``, ``mask``, ``coverage``, ``coverage_error`` and whatever
        else tells settings apart (``phi``, ``mechanism``, ``setting``).

    Returns
    -------
    DataFrame
        ``marginal``, ``lowest``, ``lowest_error``, ``highest``, ``infinite`` (largest
        share of a mask), and ``failing``: masks with coverage below the level by more
        than three errors.
    """
    keys = [k for k in ("phi", "mechanism", "setting", "method") if k in table]
    rows = []
    for values, part in table.groupby(keys, sort=False):
        whole, masks = part[part["mask"] == "all"], part[part["mask"] != "all"]
        low = masks.loc[masks["coverage"].idxmin()]
        # Two replicates say little of their own spread: not below the binomial's.
        least = np.sqrt(ALPHA * (1 - ALPHA) / masks["rows"]) if "rows" in masks else 0
        error = np.fmax(masks["coverage_error"], least)
        short = masks["coverage"] + 3 * error < 1 - ALPHA
        rows.append(
            dict(zip(keys, values, strict=True))
            | {
                "marginal": whole["coverage"].iloc[0],
                "marginal_error": whole["coverage_error"].iloc[0],
                "lowest": low["coverage"],
                "lowest_error": float(error[low.name]),
                "highest": masks["coverage"].max(),
                "infinite": masks["infinite"].max(),
                "failing": int(short.sum()),
                "masks": len(masks),
            }
        )
    return pd.DataFrame(rows)


def stored_by_mask(frame) -> pd.DataFrame:
    """A stored summary (metric, mean, mc_error) in the layout of :func:`by_group`."""
    keys = [
        c for c in frame if c not in ("metric", "mean", "mc_error", "n", "n_failed")
    ]
    frame = frame.assign(setting=frame.get("setting", 0))
    wide = frame.pivot_table(
        index=keys, columns="metric", values=["mean", "mc_error"], sort=False
    )
    out = pd.DataFrame(
        {
            "coverage": wide["mean", "coverage"],
            "coverage_error": wide["mc_error", "coverage"],
            "length": wide["mean"].get("length"),
            "infinite": wide["mean"].get("infinite"),
        }
    )
    return out.reset_index()


# --------------------------------------------------------- checks of the method


def _small(rng, n=120, d=4, rate=0.35):
    truth = GaussianLinear([1.0, 2.0, -1.0, 0.5], 0.0, equicorrelated(d, 0.5))
    X, y = truth.sample(n, rng)
    mask = rng.random(X.shape) < rate
    return np.where(mask, np.nan, X), mask, y


def _quiet(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        return function(*args)


def method_checks(seed) -> dict[str, bool]:
    """Statements about the algorithm that hold exactly, on small problems.

    Returns
    -------
    dict of str to bool
        By claim: A5 (Exact is strategy i), A6 (labels), A8 (rules), A9 (nothing
        leaks), A10 (Algorithm 3), B3 (Nested by sorting), B6 (imputer by row).
    """
    rng = np.random.default_rng(seed)
    X, _, y = _small(rng, 1180)
    fit = X[:100], y[:100]
    cal, y_cal, test = X[100:180], y[100:180], X[180:]
    options = {"imputer": GaussianImputer(), "alpha": 0.2}
    star = CPMDANestedStar(subsample="exact", **options).fit(*fit)
    star.conformalize(cal.copy(), y_cal)
    exact = CPMDAExact(**options).fit(*fit).conformalize(cal.copy(), y_cal)
    same = _sets_equal(
        _quiet(exact.predict_interval, test)[1], _quiet(star.predict_interval, test)[1]
    )
    return {
        "A5": same,
        "A6": labels_agree(rng),
        "A8": rules_are_nested(rng),
        "A9": nothing_leaks(star, X, y),
        "A10": algorithm_three(rng),
        "B3": nested_by_sorting(rng),
        "B6": imputer_by_row(rng),
    }


def _sets_equal(a, b):
    """Equal interval arrays, where any inverted pair is the empty set."""
    empty = (a[:, 0] > a[:, 1]) & (b[:, 0] > b[:, 1])
    close = np.isclose(a, b, rtol=1e-12, atol=0) | (a == b)
    return bool((close.all(axis=1) | empty).all())


def labels_agree(rng, n_problems=100) -> bool:
    """Label counts by groups equal the double loop, ties included (A6)."""
    for _ in range(n_problems):
        scores, slot = rng.integers(0, 5, 12) / 4, rng.integers(0, 3, 12)
        labels = rng.integers(0, 5, (4, 3, 3)) / 4
        wanted = (scores[None, :, None] < labels[:, slot]).sum(axis=1)
        if (label_counts(scores, slot, labels) != wanted).any():
            return False
    return True


def rules_are_nested(rng, n_problems=200) -> bool:
    """Exact, h=1, h=2, all keep more and more rows; h=|obs| keeps all (A8)."""
    for _ in range(n_problems):
        M, m = rng.random((50, 10)) < 0.3, rng.random(10) < 0.3
        kept = [rule.keep(M, m) for rule in (Exact(), AtMost(1), AtMost(2), AllRows())]
        ordered = all((a <= b).all() for a, b in pairwise(kept))
        ends = (AtMost(0).keep(M, m) == kept[0]).all()
        ends &= AtMost(int((~m).sum())).keep(M, m).all()
        if not (ordered and ends):
            return False
    return True


def nothing_leaks(model, X, y) -> bool:
    """Other calibration and test rows leave imputer and predictors alone (A9)."""
    before = [p.coef_.copy() for p in model.models_[0].predictors_]
    means = model.models_[0].imputer_.mean_.copy()
    model.conformalize(X[100:180] + 5.0, y[100:180] - 3.0)
    after = model.models_[0]
    return bool(
        all(
            (a == p.coef_).all() for a, p in zip(before, after.predictors_, strict=True)
        )
        and (means == after.imputer_.mean_).all()
    )


def algorithm_three(rng) -> bool:
    """Nested* equals Algorithm 3 with the calibration masks as exogenous ones (A10)."""
    X, M, y = _small(rng, 60)
    truth = GaussianLinear([1.0, 2.0, -1.0, 0.5], 0.0, equicorrelated(4, 0.5))
    m = np.array([False, True, False, False])
    tests = np.where(m, np.nan, rng.normal(size=(100, 4)))
    plan = PairPlan(M, np.tile(m, (100, 1)), AllRows())
    same = True
    for view in plan.views(truth.conditional_mean, X, tests):
        radius = np.abs(y - view.calibration)
        mu = view.test[:, view.slot]
        fast = covering_segments(mu - radius, mu + radius, 12)
        slow_low, slow_high = [], []
        for k in range(60):  # row k of Algorithm 3: predictor under max(m, nu_k)
            both = m | M[k]
            own = truth.conditional_mean(X[k : k + 1], both[None])
            new = truth.conditional_mean(tests[view.rows], np.tile(both, (100, 1)))
            slow_low.append(new - np.abs(y[k] - own))
            slow_high.append(new + np.abs(y[k] - own))
        slow = covering_segments(np.array(slow_low).T, np.array(slow_high).T, 12)
        same &= all(
            a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-9)
            for a, b in zip(fast, slow, strict=True)
        )
    return bool(same)


def nested_by_sorting(rng) -> bool:
    """The 2023 interval equals its definition, and holds the starred hull (B3)."""
    low = rng.normal(size=(1000, 40)) - 1
    high = low + rng.normal(size=(1000, 40)) + 2
    r = 8
    out = unstarred_bounds(low, high, r)
    by_sort = np.column_stack([np.sort(low)[:, r - 1], np.sort(high)[:, -r]])
    row, start, end = covering_segments(low, high, r)
    inside = (start >= out[row, 0]).all() and (end <= out[row, 1]).all()
    return bool((out == by_sort).all() and inside)


def imputer_by_row(rng) -> bool:
    """Iterative ridge imputes row by row as in a batch (B6)."""
    X, _, _ = _small(rng, 150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        imputer = default_imputer().fit(X[:100])
    test, means = X[100:], np.nanmean(X[:100], axis=0)
    alone = np.concatenate([impute(imputer, row[None], means) for row in test])
    return bool(np.allclose(alone, impute(imputer, test, means), rtol=0, atol=1e-12))


def prediction_counts(n_test, rate, seed, n_cal=250, d=10) -> pd.DataFrame:
    """Predictions made, and made row by row, for three rules (A7)."""
    rng = np.random.default_rng(seed)
    M_cal, M_test = rng.random((n_cal, d)) < rate, rng.random((n_test, d)) < rate
    rows = []
    for name, rule in (("all", AllRows()), ("h=2", AtMost(2)), ("exact", Exact())):
        plan = PairPlan(M_cal, M_test, rule)
        ours = plan.n_calibration_pairs + plan.n_test_pairs
        naive = count_naive_predictions(M_cal, M_test, rule)
        rows.append({"rule": name, "row by row": naive, "ours": ours})
    table = pd.DataFrame(rows).set_index("rule")
    return table.assign(ratio=table["row by row"] / table["ours"])


def every_mask_ratio(rate, seed, n_each=100) -> float:
    """Row-by-row predictions over ours, for 1023 masks with `n_each` rows each."""
    rng = np.random.default_rng(seed)
    M_cal = rng.random((250, 10)) < rate
    M_test = np.repeat(all_masks(10)[:-1], n_each, axis=0)
    plan = PairPlan(M_cal, M_test, AllRows())
    ours = plan.n_calibration_pairs + plan.n_test_pairs
    return count_naive_predictions(M_cal, M_test, AllRows()) / ours


def network_trains(epochs, seed) -> tuple[float, bool]:
    """Relative fall of the pinball loss, and whether quantiles are ordered (B5)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 6))
    y = X[:, 0] + rng.normal(size=300)
    network = QuantileNetwork(epochs=epochs, random_state=seed).fit(X, y)
    low, high = network.predict(rng.normal(size=(200, 6))).T
    return network.loss_[-20:].mean() / network.loss_[0], bool((low <= high).all())


def conditioning_gap(seed, n_each=200) -> float:
    """ME1: largest change of CQR's coverage of a mask when the mask is imposed."""
    rng = np.random.default_rng(seed)
    truth = GaussianLinear(_BETA10, 1.0, equicorrelated(10, 0.0))
    pool, _ = truth.sample(30_000, rng)
    mechanism = SelfMasked(0.2, (0, 1, 2, 4, 7, 8), slope=1.0, link="logit").fit(pool)
    trial = Trial(truth, mechanism, rng, "linear")
    masks = np.zeros((64, 10), dtype=bool)
    masks[:, mechanism.columns_] = all_masks(6)
    X, mask, y = _rows_by_mask(truth, mechanism, masks, pool, {"n_each": n_each}, rng)
    proper = _cqr_by_mask(trial, X, mask, y)
    X, y = truth.sample(64 * n_each, rng)
    imposed = _cqr_by_mask(trial, X, np.repeat(masks, n_each, axis=0), y)
    return float(np.abs(proper - imposed).max())


def _cqr_by_mask(trial, X, mask, y):
    frame = trial.evaluate(X, mask, y, rules={})
    covered = frame[frame["method"] == "CQR"]["covered"].to_numpy()
    _, where = np.unique(mask, axis=0, return_inverse=True)
    where = where.ravel()
    return np.bincount(where, covered) / np.bincount(where)


_BETA10 = (1.0, 2.0, -1.0, 3.0, -0.5, -1.0, 0.3, 1.7, 0.4, -0.3)


def expected_minimum(sd, n_masks, n_replicates, rng, level=0.9) -> float:
    """ME3: mean of the lowest of many noisy averages that are all right."""
    noise = rng.normal(level, sd / np.sqrt(n_replicates), (2000, n_masks))
    return float(noise.min(axis=1).mean())


def classify(table, columns, target, *, alpha, rate, n_splits, seed) -> pd.DataFrame:
    """Repeated splits of a table with gaps: coverage and set size by rule.

    Extra entries are hidden completely at random at the given rate, so that masks
    other than the complete one have rows.
    """
    y = table[target].to_numpy()
    X = table[columns].to_numpy(dtype=float)
    rows = []
    for split in range(n_splits):
        rng = np.random.default_rng([seed, split])
        hidden = np.where(rng.random(X.shape) < rate, np.nan, X)
        parts = np.split(rng.permutation(len(y)), [len(y) // 2, 3 * len(y) // 4])
        model = CPMDANestedStarClassifier(imputer=GaussianImputer(), alpha=alpha)
        model.fit(hidden[parts[0]], y[parts[0]])
        model.conformalize(hidden[parts[1]], y[parts[1]])
        test, label = hidden[parts[2]], np.searchsorted(model.classes_, y[parts[2]])
        for rule in ("exact", 1, "all", "adaptive"):
            model.set_params(subsample=rule)
            sets = _quiet(model.predict_set, test)[1][:, :, 0]
            own = sets[np.arange(len(test)), label]
            n_missing = np.isnan(test).sum(axis=1)
            for missing, chosen in (
                ("all", n_missing >= 0),
                ("0", n_missing == 0),
                ("1", n_missing == 1),
                ("2+", n_missing >= 2),
            ):
                rows.append(
                    {
                        "rule": str(rule),
                        "missing": missing,
                        "replicate": split,
                        "coverage": own[chosen].mean(),
                        "length": sets[chosen].sum(axis=1).mean(),
                        "infinite": sets[chosen].all(axis=1).mean(),
                    }
                )
    return pd.DataFrame(rows)


def replace_infinite(lengths, outcomes):
    """Lengths with the range of the outcomes in place of infinity, for plots (ME2)."""
    lengths = np.asarray(lengths, dtype=float)
    return np.where(np.isinf(lengths), np.ptp(outcomes), lengths)
