"""The studies of chapter 5 at paper scale: Table 1 and the figures behind it.

The trials stand on :mod:`notebook_lib.studies.outcome_trial`.
"""

from __future__ import annotations

import warnings
from functools import lru_cache, partial

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from ..datasets import load_jobs
from ..exceptions import InfiniteSetWarning
from ..outcomes import (
    MissingOutcomes,
    PropensityModel,
    bin_interval,
    binned_weighted_threshold,
    draw_setting,
    effect_intervals,
    jobs_design,
    jobs_propensity,
    missing_odds,
    naive_threshold,
    odds_bins,
    partition_test_points,
    procp_threshold,
    setting_propensity,
    shift_threshold,
    weighted_threshold,
)
from ..outcomes.simulate import redraw_outcome
from ..quantiles import conformal_quantile, weighted_conformal_quantile
from .outcome_trial import (
    FIRST_ORDER,
    ONE_REP,
    ONE_REP_POOLED,
    PROCP,
    PROCP2,
    PROCP2_CONSTANT,
    SECOND_ORDER,
    WEIGHTED,
    Models,
    draw_trial,
    measure,
    setting_models,
)
from .store import aggregate
from .study import Study, grid

DOCUMENT = "Lee, Dobriban and Tchetgen Tchetgen, arXiv 2403.04613 (July 2025)"
COMMON = {"n_total": [500], "alpha": [0.2], "training_seed": [1]}
ALL = (*FIRST_ORDER, *SECOND_ORDER, WEIGHTED)


# ------------------------------------------------- Table 1 and Figures 10, 11


def replicate_table1(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Draw one whole sample and run pro-CP, pro-CP2 and weighted CP on it."""
    scenario = {"score": "residual"} | scenario
    data, Y, models = draw_trial(scenario, rng, 1)
    return measure(data, Y, models, scenario["propensity"], scenario["alpha"], ALL)


def add_hits(frame, *, alpha=0.2):
    """Add whether the coverage of a trial reached the level."""
    return frame.assign(reached=(frame["coverage"] >= 1 - alpha - 1e-12) * 1.0)


def summarise_draws(frame):
    """Average the measures over trials, for each training draw."""
    by = ["setting", "propensity", "training_seed", "method"]
    return aggregate(add_hits(frame), by, ["reached", "width", "coverage"])


table1 = Study(
    name="missing-outcomes-table1",
    scenarios=grid(setting=[1, 2], propensity=["known", "estimated"], **COMMON),
    replicate=replicate_table1,
    n_replicates=500,
    seed=51,
    description="Table 1, Figures 10 and 11: coverage proportion and median width",
    document=DOCUMENT,
)


def replicate_training(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Draw one sample and use the models of one training draw, estimated propensity."""
    data, Y, models = draw_trial({"score": "residual"} | scenario, rng, 1)
    methods = (ONE_REP, PROCP2_CONSTANT, WEIGHTED)
    return measure(data, Y, models, "estimated", scenario["alpha"], methods)


training_draws = Study(
    name="missing-outcomes-training-draws",
    scenarios=grid(
        setting=[1, 2],
        propensity=["estimated"],
        n_total=[500],
        alpha=[0.2],
        training_seed=list(range(1, 11)),
    ),
    replicate=replicate_training,
    n_replicates=200,
    seed=52,
    description="What the one training draw of Table 1 changes",
    document=DOCUMENT,
    summarise=summarise_draws,
)


# ---------------------------------------------------- Figures 1, 4, 6, 7, 8, 12


def replicate_conditional(
    scenario: dict, rng: np.random.Generator, *, n_redraws: int = 100
) -> list[dict]:
    """Feature-conditional coverage of one trial: the mean over redraws of Y."""
    data, Y, models = draw_trial(scenario, rng, n_redraws)
    methods = (*FIRST_ORDER, WEIGHTED)
    kind = scenario.get("propensity", "known")
    return measure(data, Y, models, kind, scenario["alpha"], methods)


conditional = Study(
    name="missing-outcomes-conditional",
    scenarios=grid(setting=[1, 2], score=["cqr", "residual"], **COMMON),
    replicate=replicate_conditional,
    n_replicates=500,
    seed=53,
    description="Figures 1 and 4: feature-conditional coverage and width",
    document=DOCUMENT,
)

high_dimensional = Study(
    name="missing-outcomes-high-dimensional",
    scenarios=grid(
        scale=[2.0, 1.0],
        score=["cqr", "residual"],
        propensity=["known", "estimated"],
        **COMMON,
    ),
    replicate=replicate_conditional,
    n_replicates=500,
    seed=54,
    description="Figures 6 and 7: 30 features, known and estimated propensity",
    document=DOCUMENT,
)

curve_high = Study(
    name="missing-outcomes-curve-high",
    scenarios=grid(
        scale=[2.0],
        score=["cqr"],
        n_total=[500],
        alpha=[0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4],
        training_seed=[1],
    ),
    replicate=partial(replicate_conditional, n_redraws=10),
    n_replicates=100,
    seed=55,
    description="Figure 8: width against coverage of pro-CP and weighted CP",
    document=DOCUMENT,
)


def replicate_curve(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Draw one sample and run pro-CP and pro-CP2 on it at every level of Figure 12."""
    models = setting_models(int(scenario["setting"]), "residual", 0.2, 500, 1)
    data = draw_setting(int(scenario["setting"]), scenario["n_total"], rng)
    methods = (PROCP, ONE_REP, PROCP2, PROCP2_CONSTANT)
    rows = []
    for alpha in CURVE_LEVELS:
        found = measure(data, data.Y[None], models, "known", alpha, methods)
        rows += [{"alpha": alpha} | row for row in found]
    return rows


CURVE_LEVELS = [round(0.15 + 0.025 * i, 3) for i in range(11)]

curve_squared = Study(
    name="missing-outcomes-curve-squared",
    scenarios=grid(setting=[1, 2], n_total=[500]),
    replicate=replicate_curve,
    n_replicates=500,
    seed=56,
    description="Figure 12: width against coverage of pro-CP and pro-CP2",
    document=DOCUMENT,
    summarise=lambda frame: aggregate(
        frame, ["setting", "alpha", "method"], ["coverage", "width", "share_infinite"]
    ),
)


# -------------------------------------------------------------------- Figure 3


def redraw_in_bins(p, A, epsilon, rule, rng, size):
    """Features X' of Setting 1 given the bins of X: (size, n).

    ``rule="B"`` draws from the law given the bin, as the paper does; ``"B,A"`` from
    the law given bin and indicator, which the model demands (erratum E10).
    """
    low, high = bin_interval(odds_bins(p, epsilon), epsilon)
    left = np.clip((0.9 - high) / 0.02, 0, 10)
    right = np.clip((0.9 - low) / 0.02, 0, 10)
    x = rng.uniform(left, right, (size, len(p)))
    if rule == "B":
        return x
    # Accept with chance proportional to p (A = 1) or 1 - p (A = 0) inside the bin.
    at_left, at_right = setting_propensity(left, 1), setting_propensity(right, 1)
    top = np.where(A, at_left, 1 - at_right)
    waiting = np.ones(x.shape, dtype=bool)
    while waiting.any():
        fresh = rng.uniform(left, right, x.shape)
        chance = setting_propensity(fresh, 1)
        accepted = rng.random(x.shape) * top <= np.where(A, chance, 1 - chance)
        x = np.where(waiting & accepted, fresh, x)
        waiting &= ~accepted
    return x


def replicate_bins(
    scenario: dict, rng: np.random.Generator, *, n_redraws: int = 100
) -> list[dict]:
    """Bin-conditional coverage of one trial: features and outcomes redrawn."""
    models = setting_models(1, "residual", scenario["alpha"], 500, 1)
    data = draw_setting(1, scenario["n_total"], rng)
    x = redraw_in_bins(data.p, data.A, 0.1, scenario["rule"], rng, n_redraws)
    Y = redraw_outcome(x, rng)
    slope, constant = models.predictors[0].coef_[0], models.predictors[0].intercept_
    scores = np.abs(Y - constant - slope * x)
    bins, A, alpha = odds_bins(data.p, 0.1), data.A, scenario["alpha"]
    cells = np.flatnonzero(~A) // 50
    p = setting_propensity(x, 1)
    w = (1 - p) / p
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        found = {
            PROCP: procp_threshold(scores[:, A], bins[A], bins[~A], alpha, cells=cells),
            ONE_REP: procp_threshold(
                scores[:, A], bins[A], bins[~A], alpha, cells=cells, variant="one_rep"
            ),
        }
    found[WEIGHTED] = np.stack(
        [
            weighted_conformal_quantile(s[A], v[A], v[~A], alpha)
            for s, v in zip(scores, w, strict=True)
        ]
    )
    return [
        {"method": method, "coverage": float((scores[:, ~A] <= q).mean())}
        for method, q in found.items()
    ]


bins_study = Study(
    name="missing-outcomes-bins",
    scenarios=grid(rule=["B", "B,A"], n_total=[500], alpha=[0.2]),
    replicate=replicate_bins,
    n_replicates=500,
    seed=57,
    description="Figure 3: coverage given the bins, Setting 1",
    document=DOCUMENT,
)


# -------------------------------------------------------------------- Figure 5

GRID = np.round(np.arange(0, 10.05, 0.1), 1)


def _observed_features(setting, n, rng):
    """Draws of X given A = 1, by rejection."""
    kept = np.empty(0)
    while len(kept) < n:
        x = rng.uniform(0, 10, 2 * n)
        kept = np.append(kept, x[rng.random(2 * n) < setting_propensity(x, setting)])
    return kept[:n]


def _coverage_at(models, q):
    """Exact coverage at each feature of the grid, given the thresholds."""
    prediction = models.predict(GRID[:, None])
    low, high = models.score().invert(prediction, q).T
    scale = 3 + GRID
    return np.maximum(norm.cdf((high - GRID) / scale), 0) - norm.cdf(
        (low - GRID) / scale
    )


def replicate_single(
    scenario: dict, rng: np.random.Generator, *, n_draws: int = 25
) -> list[dict]:
    """Coverage at each x of a single test point, mean over calibration draws."""
    setting, alpha = int(scenario["setting"]), scenario["alpha"]
    seed, epsilon = int(scenario["training_seed"]), scenario["epsilon"]
    models = setting_models(setting, scenario["score"], alpha, 500, seed)
    test_p = setting_propensity(GRID, setting)
    totals = {PROCP: np.zeros((2, len(GRID))), WEIGHTED: np.zeros((2, len(GRID)))}
    for _ in range(n_draws):
        x = _observed_features(setting, 500, rng)
        p = setting_propensity(x, setting)
        score = models.score().score(redraw_outcome(x, rng), models.predict(x[:, None]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InfiniteSetWarning)
            found = {
                PROCP: naive_threshold(
                    score, odds_bins(p, epsilon), odds_bins(test_p, epsilon), alpha
                ),
                WEIGHTED: weighted_threshold(score, p, test_p, alpha),
            }
        for method, q in found.items():
            totals[method] += _coverage_at(models, q), np.isinf(q)
    return [
        {
            "method": method,
            "x": x,
            "coverage": c / n_draws,
            "share_infinite": i / n_draws,
        }
        for method, (cover, infinite) in totals.items()
        for x, c, i in zip(GRID, cover, infinite, strict=True)
    ]


single = Study(
    name="missing-outcomes-single",
    scenarios=[
        {
            "setting": setting,
            "epsilon": epsilon,
            "score": score,
            "alpha": 0.2,
            "training_seed": 1,
        }
        for setting, epsilon in ((1, 0.1), (2, 0.1), (2, 0.02))
        for score in ("cqr", "residual")
    ],
    replicate=replicate_single,
    n_replicates=20,
    seed=58,
    description="Figure 5: one test point, coverage given x (20 blocks of 25 draws)",
    document=DOCUMENT,
    summarise=lambda frame: aggregate(
        frame,
        ["setting", "epsilon", "score", "method", "x"],
        ["coverage", "share_infinite"],
    ),
)


# -------------------------------------------------------------------- Figure 9


@lru_cache(maxsize=8)
def jobs_models(split_seed: int):
    """Treated rows of JOBS II, split and fitted once: calibration rows, models."""
    frame = load_jobs()
    treated = frame[frame["treat"].astype(str).isin(["exp", "1"])].reset_index(
        drop=True
    )
    design = jobs_design(treated)
    X, y, p = design.to_numpy(), treated["depress2"].to_numpy(), jobs_propensity(design)
    rng = np.random.default_rng([5, 9, split_seed])
    order = rng.permutation(len(X))
    n_train = round(len(X) * 379 / 879)
    train, cal = order[:n_train], order[n_train:]
    A = rng.random(n_train) < p[train]
    outcome = RandomForestRegressor(
        500, max_features=7, min_samples_split=6, random_state=split_seed
    ).fit(X[train][A], y[train][A])
    forest = RandomForestClassifier(500, max_features=4, random_state=split_seed)
    propensity = PropensityModel(forest, clip=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        propensity.fit(X[train], A)
        estimated = propensity.predict(X[cal])
    mu = outcome.predict(X[cal])
    return len(treated), X[cal], y[cal], p[cal], estimated, mu


class _Fixed:
    """Predictions and propensities that were computed once."""

    def __init__(self, values):
        self.values = values

    def predict(self, X):
        return self.values


def replicate_jobs(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """One draw of who is observed among the fixed calibration rows."""
    n_treated, X, y, p, estimated, mu = jobs_models(int(scenario["split_seed"]))
    data = MissingOutcomes(X, rng.random(len(y)) < p, y, p)
    models = Models((_Fixed(mu),), _Fixed(estimated))
    out = []
    for kind in ("known", "estimated"):
        rows = _measure_fixed(data, mu, models, kind, scenario["alpha"])
        out += [
            {
                "propensity": kind,
                "treated": n_treated,
                "missing": float(1 - data.A.mean()),
            }
            | row
            for row in rows
        ]
    return out


def _measure_fixed(data, mu, models, kind, alpha):
    methods = (PROCP, ONE_REP, PROCP2_CONSTANT, WEIGHTED)
    return measure(data, data.Y[None], models, kind, alpha, methods)


jobs = Study(
    name="missing-outcomes-jobs",
    scenarios=grid(split_seed=[1, 2, 3], alpha=[0.2]),
    replicate=replicate_jobs,
    n_replicates=500,
    seed=59,
    description="Figure 9: JOBS II, the version of the data that the machine has",
    document=DOCUMENT,
    summarise=lambda frame: aggregate(
        add_hits(frame),
        ["split_seed", "treated", "propensity", "method"],
        ["coverage", "reached", "width", "share_infinite", "missing"],
    ),
)


jobs_public = Study(
    name="missing-outcomes-jobs-public",
    scenarios=jobs.scenarios,
    replicate=replicate_jobs,
    n_replicates=500,
    seed=59,
    description="Figure 9 on the public 899-row version of JOBS II",
    document=DOCUMENT,
    summarise=jobs.summarise,
)


# ---------------------------------------------------------- checks beyond the paper


def replicate_binnings(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Propensity bins of several widths, one bin, and bins that break MAR."""
    x = rng.uniform(0, 10, int(scenario["n_total"]))
    p = 0.95 - 0.09 * x
    A = rng.random(len(x)) < p
    score = np.abs(rng.standard_normal(len(x))) * (0.2 + 0.2 * x)
    binnings = {f"epsilon = {e:g}": odds_bins(p, e) for e in (0.1, 0.5, 2.0)}
    binnings["one bin"] = np.zeros(len(x), dtype=int)
    binnings["parity of floor(x)"] = np.floor(x).astype(int) % 2
    rows = []
    for name, bins in binnings.items():
        q = procp_threshold(
            score[A], bins[A], bins[~A], scenario["alpha"], variant="one_rep"
        )
        rows.append({"bins": name, "coverage": float((score[~A] <= q).mean())})
    return rows


binnings = Study(
    name="missing-outcomes-binnings",
    scenarios=grid(n_total=[4000], alpha=[0.2]),
    replicate=replicate_binnings,
    n_replicates=400,
    seed=60,
    description="Arbitrary bins break missing at random",
    document="ours",
    summarise=lambda frame: aggregate(frame, ["bins"], ["coverage"]),
)


def replicate_infinite(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Share of infinite sets and coverage: binned weighted CP against pooling."""
    setting, alpha = int(scenario["setting"]), scenario["alpha"]
    models = setting_models(setting, "residual", alpha, 500, 1)
    data = draw_setting(setting, int(scenario["n_total"]), rng)
    score = models.score().score(data.Y, models.predict(data.X))
    A, bins = data.A, odds_bins(data.p, 0.1)
    if A.all():
        return []
    args = score[A], bins[A], bins[~A], alpha
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        found = {
            "binned wCP": binned_weighted_threshold(
                score[A], data.p[A], data.p[~A], bins[A], bins[~A], alpha
            ),
            PROCP: procp_threshold(*args, cells=np.flatnonzero(~A) // (len(A) // 10)),
            "pro-CP, quick partition": procp_threshold(
                *args, cells=partition_test_points(bins[A], bins[~A])
            ),
            ONE_REP_POOLED: procp_threshold(*args, variant="one_rep"),
        }
    per_bin = A.sum() / len(np.unique(bins))
    return [
        {
            "method": method,
            "share_infinite": float(np.isposinf(q).mean()),
            "coverage": float((score[~A] <= q).mean()),
            "rows_per_bin": float(per_bin),
        }
        for method, q in found.items()
    ]


infinite = Study(
    name="missing-outcomes-infinite",
    scenarios=grid(setting=[1, 2], n_total=[60, 100, 150, 200, 300, 500], alpha=[0.2]),
    replicate=replicate_infinite,
    n_replicates=200,
    seed=61,
    description="Pooling against binned weighted CP: share of infinite sets",
    document=DOCUMENT,
    summarise=lambda frame: aggregate(
        frame,
        ["setting", "n_total", "method"],
        ["share_infinite", "coverage", "rows_per_bin"],
    ),
)


def replicate_direction(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Weights (1 - p)/p, their inverse as printed, and none (erratum E6)."""
    alpha = scenario["alpha"]
    if scenario["design"] == "Setting 1":
        data = draw_setting(1, 500, rng)
        models = setting_models(1, "residual", alpha, 500, 1)
        score, A, p = np.abs(data.Y - models.predict(data.X)), data.A, data.p
    else:
        x = rng.uniform(0, 1, 400)
        p = 0.95 - 0.9 * x
        A = rng.random(len(x)) < p
        score = np.abs(rng.standard_normal(len(x))) * (0.2 + 2 * x)
    if A.all():
        return []
    w = missing_odds(p)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        found = {
            "(1-p)/p": shift_threshold(score[A], w[A], w[~A], alpha),
            "p/(1-p), as printed": shift_threshold(
                score[A], 1 / w[A], 1 / w[~A], alpha
            ),
            "no weights": np.full((~A).sum(), conformal_quantile(score[A], alpha)),
        }
    return [
        {"weights": name, "coverage": float((score[~A] <= q).mean())}
        for name, q in found.items()
    ]


direction = Study(
    name="missing-outcomes-weights",
    scenarios=grid(design=["Setting 1", "strong shift"], alpha=[0.2]),
    replicate=replicate_direction,
    n_replicates=4000,
    seed=62,
    description="The direction of the weights of weighted CP",
    document="ours",
    summarise=lambda frame: aggregate(frame, ["design", "weights"], ["coverage"]),
)


def replicate_effects(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Effects of the untreated: coverage of Y(1) and of Y(1) - Y(0)."""
    alpha = scenario["alpha"]
    models = setting_models(1, "residual", alpha, 500, 1)
    data = draw_setting(1, int(scenario["n_total"]), rng)
    control = rng.standard_normal(len(data.Y))
    mu, A, bins = models.predict(data.X), data.A, odds_bins(data.p, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        q = procp_threshold(
            np.abs(data.Y - mu)[A],
            bins[A],
            bins[~A],
            alpha,
            cells=np.flatnonzero(~A) // 50,
        )
    sets = models.score().invert(mu[~A], q)
    effects = effect_intervals(sets, control[~A], treated=False)
    effect = (data.Y - control)[~A]
    hit = (sets[:, 0] <= data.Y[~A]) & (data.Y[~A] <= sets[:, 1])
    hit_effect = (effects[:, 0] <= effect) & (effect <= effects[:, 1])
    return [
        {
            "coverage": float(hit_effect.mean()),
            "disagree": float((hit != hit_effect).mean()),
        }
    ]


effects = Study(
    name="missing-outcomes-effects",
    scenarios=grid(n_total=[500], alpha=[0.2]),
    replicate=replicate_effects,
    n_replicates=500,
    seed=63,
    description="Section 2.4: intervals for individual treatment effects",
    document=DOCUMENT,
    summarise=lambda frame: aggregate(frame, ["n_total"], ["coverage", "disagree"]),
)


def replicate_adversary(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Worst case of Theorem 2: one bin, one test point, two atoms of the odds."""
    r, n = 1 + scenario["epsilon"], int(scenario["n_total"])
    # Atoms at odds r**-.5 and r**.5, weighted so that the likelihood ratio of the
    # two groups is r**.5 and r**-.5; the score is large at the lower odds.
    low = 1 / (1 + np.sqrt(r))  # P(low odds | A = 1); P(low odds | A = 0) = 1 - low
    alpha = low + 0.02
    reps = int(scenario["n_draws"])
    cal = rng.random((reps, n)) < low
    noise = rng.random((reps, n))
    q = conformal_quantile(cal + noise, alpha)
    test = (rng.random(reps) < 1 - low) + rng.random(reps)
    return [{"coverage": float((test <= q).mean()), "nominal": 1 - alpha}]


adversary = Study(
    name="missing-outcomes-adversary",
    scenarios=grid(epsilon=[0.1], n_total=[400], n_draws=[2000]),
    replicate=replicate_adversary,
    n_replicates=500,
    seed=64,
    description="Theorem 2: a bin that attains the sharp slack",
    document="ours",
    summarise=lambda frame: aggregate(frame, ["epsilon"], ["coverage", "nominal"]),
)


def replicate_binned(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Proposition 1: coverage of binned weighted CP."""
    setting, alpha = int(scenario["setting"]), scenario["alpha"]
    models = setting_models(setting, "residual", alpha, 500, 1)
    data = draw_setting(setting, int(scenario["n_total"]), rng)
    score, A = np.abs(data.Y - models.predict(data.X)), data.A
    bins = odds_bins(data.p, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        q = binned_weighted_threshold(
            score[A], data.p[A], data.p[~A], bins[A], bins[~A], alpha
        )
    return [
        {
            "method": "binned wCP",
            "coverage": float((score[~A] <= q).mean()),
            "share_infinite": float(np.isposinf(q).mean()),
        }
    ]


proposition1 = Study(
    name="missing-outcomes-binned",
    scenarios=grid(setting=[1], n_total=[500], alpha=[0.2]),
    replicate=replicate_binned,
    n_replicates=1000,
    seed=65,
    description="Proposition 1: binned weighted CP",
    document=DOCUMENT,
    summarise=lambda frame: aggregate(
        frame, ["setting", "method"], ["coverage", "share_infinite"]
    ),
)


#: The studies that chapter 5 reads, without their common prefix.
STORED = tuple(
    study.name.removeprefix("missing-outcomes-")
    for study in list(globals().values())
    if isinstance(study, Study)
)


def summary(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean coverage and width by group, one row a group, with errors."""
    frame = add_hits(frame)
    groups = frame.groupby(by, sort=False)
    out = groups.agg(
        coverage=("coverage", "mean"),
        coverage_se=("coverage", "sem"),
        lowest=("coverage", "min"),
        below=("reached", lambda hit: 1 - hit.mean()),
        width=("width", "mean"),
        width_se=("width", "sem"),
        infinite=("share_infinite", "mean"),
        n=("coverage", "size"),
    )
    return out.reset_index()
