"""One replicate of chapter 6: one law of rows, and a gap of each kind.

The rows are the same throughout: four correlated covariates, two indicators of a
hidden class, and an outcome whose noise grows with the first covariate. Then either
covariates go missing, or outcomes, or only the class, and every method that applies
is run on them.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression

from ..covariates import (
    LCP,
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    GaussianImputer,
    ImputedSplitRegressor,
    NexCP,
    PerMaskRegressor,
)
from ..intervals import contains, is_infinite, length
from ..latent import LatentClassConformal
from ..masks import group_masks, mask_label
from ..matrix import (
    ALS,
    bonferroni,
    sample_test_groups,
    scmc,
    synthetic_ratings,
    unadjusted,
)
from ..mechanisms import MAR, MCAR
from ..metrics import length_summary
from ..outcomes import MissingOutcomeConformal
from ..quantiles import conformal_quantile
from ..split import SplitConformalRegressor

__all__ = [
    "CLASS_METHODS",
    "COVARIATE_METHODS",
    "ENTRY_METHODS",
    "MAY_MISS",
    "MECHANISMS",
    "OUTCOME_METHODS",
    "Rows",
    "draw_rows",
    "propensity",
    "trial_class",
    "trial_covariates",
    "trial_entries",
    "trial_outcomes",
]

SLOPES = np.array([1.0, 1.0, -1.0, 1.0])
CORRELATION = 0.5
CLASS_SHIFT, CLASS_SHARE, SEPARATION = 4.0, 0.25, 3.0
MAY_MISS = (1, 2, 3)  # x2, x3 and x4; x1 is always observed
GAP_RATE = 0.3
MECHANISMS = ("MCAR", "MAR")


class Rows(NamedTuple):
    """Complete rows, before anything goes missing.

    Attributes
    ----------
    X : ndarray, shape (n, 6)
        Covariates x1 to x4, then the two indicators of the class.
    y : ndarray, shape (n,)
        Outcomes.
    z : ndarray of int, shape (n,)
        Class, 0 or 1.
    """

    X: np.ndarray
    y: np.ndarray
    z: np.ndarray

    def part(self, rows):
        """The given rows (a slice or an index array), as Rows."""
        return Rows(self.X[rows].copy(), self.y[rows], self.z[rows])


def draw_rows(n: int, rng) -> Rows:
    """Draw complete rows.

    Parameters
    ----------
    n : int
        Number of rows.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Rows
        With ``y = x1 + x2 - x3 + x4 + 4 z + exp(x1 / 2) * noise``.
    """
    shared = rng.standard_normal((n, 1))
    own = rng.standard_normal((n, len(SLOPES)))
    x = np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own
    z = (rng.random(n) < CLASS_SHARE).astype(int)
    r = rng.standard_normal((n, 2))
    r[:, 0] += SEPARATION * z
    y = x @ SLOPES + CLASS_SHIFT * z + np.exp(x[:, 0] / 2) * rng.standard_normal(n)
    return Rows(np.hstack([x, r]), y, z)


def propensity(X) -> np.ndarray:
    """Probability that the outcome of each row is observed: it falls with x1.

    Parameters
    ----------
    X : array_like, shape (n, 6)
        Complete covariates.

    Returns
    -------
    ndarray, shape (n,)
    """
    return expit(1.2 - np.asarray(X)[:, 0])


@lru_cache(maxsize=4)
def _mechanism(name: str):
    """A fitted mechanism; its pool is drawn with a seed of its own."""
    pool = draw_rows(20_000, np.random.default_rng(6)).X
    if name == "MCAR":
        return MCAR(GAP_RATE, MAY_MISS).fit(pool)
    return MAR(GAP_RATE, (0,), MAY_MISS, slope=2.0).fit(pool)


def _measure(intervals, y, groups, **extra) -> list[dict]:
    """Tidy rows, one for all rows together and one for each group."""
    covered, size = contains(intervals, y), length(intervals)
    unbounded = is_infinite(intervals)
    out = []
    for group in ("all", *np.unique(groups)):
        inside = np.ones(len(y), bool) if group == "all" else groups == group
        out.append(
            {
                "group": str(group),
                "rows": int(inside.sum()),
                "coverage": float(covered[inside].mean()),
                "length": length_summary(size[inside])["median"],
                "infinite": float(unbounded[inside].mean()),
                **extra,
            }
        )
    return out


# --------------------------------------------------------- covariates are missing


#: Methods for missing covariates, by the names of the figures.
COVARIATE_METHODS = {
    "complete cases": None,
    "CP": ImputedSplitRegressor(score="absolute", add_mask=False),
    "CQR": ImputedSplitRegressor(),
    "CQR (mean, no mask)": ImputedSplitRegressor(add_mask=False),
    "same mask": PerMaskRegressor(),
    "CP-MDA-Exact": CPMDAExact(),
    "CP-MDA-Nested": CPMDANested(),
    "CP-MDA-Nested*": CPMDANestedStar(),
    "nexCP (mask weights)": NexCP(weights="mask"),
    "LCP": LCP(),
}
_MEAN = SimpleImputer()


def _lend(fitted, other):
    """Give an unfitted estimator the model of a fitted one with the same settings."""
    kept = {k: v for k, v in vars(fitted).items() if k.endswith("_")}
    vars(other).update(kept, _train_ref=fitted._train_ref)
    return other


def _settings(model):
    """What decides the fitted model, beside the level."""
    return model.score, model.add_mask, str(model.imputer)


def trial_covariates(rng, *, mechanism="MCAR", alpha=0.1, n_train, n_cal, n_test):
    """One replicate with gaps in x2, x3 and x4.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    mechanism : {"MCAR", "MAR"}
        Gaps by pure chance, or more often where x1 is large.
    alpha : float
        Miscoverage level.
    n_train, n_cal, n_test : int
        Rows.

    Returns
    -------
    list of dict
        One row for each method and group (all rows, and each mask). ``fits`` counts
        fitted models, ``predictions`` rows that the model predicted.
    """
    rows = draw_rows(n_train + n_cal + n_test, rng)
    X = np.where(_mechanism(mechanism).sample(rows.X, rng), np.nan, rows.X)
    train, cal, test = _parts(X, rows.y, n_train, n_cal)
    groups = group_masks(np.isnan(test[0]))
    labels = np.array([mask_label(m)[1:4] for m in groups.patterns])[groups.labels]
    found, fitted = [], {}
    for name, template in COVARIATE_METHODS.items():
        if template is None:
            intervals, cost = _complete_cases(train, cal, test[0], alpha)
        else:
            imputer = _MEAN if "mean" in name else GaussianImputer()
            model = clone(template).set_params(alpha=alpha, imputer=imputer)
            intervals, cost = _run_masked(model, fitted, train, cal, test[0])
        found += _measure(intervals, test[1], labels, method=name, **cost)
    return found


def _parts(X, y, n_train, n_cal):
    cuts = np.cumsum([n_train, n_cal])
    return list(zip(np.split(X, cuts), np.split(y, cuts), strict=True))


def _run_masked(model, fitted, train, cal, X):
    key = _settings(model)
    if key not in fitted:
        # The column ranges of nexCP and LCP come with the fit of either.
        starter = NexCP if key[:2] == ("absolute", False) else type(model)
        given = {"alpha": model.alpha, "imputer": model.imputer}
        start = model if starter is type(model) else starter(**given)
        fitted[key] = start.fit(train[0], train[1])
    model = _lend(fitted[key], model).conformalize(cal[0].copy(), cal[1])
    before = sum(m.n_predicted_ for m in model.models_)
    _, intervals = model.predict_interval(X.copy())
    predicted = sum(m.n_predicted_ for m in model.models_) - before
    n_models = sum(len(m.predictors_) for m in model.models_)
    return intervals[:, :, 0], {"fits": 1 + n_models, "predictions": predicted}


def _complete_cases(train, cal, X, alpha):
    """Rows with gaps are dropped, and get the whole line at test time."""
    whole = [~np.isnan(part).any(axis=1) for part in (train[0], cal[0], X)]
    model = SplitConformalRegressor(LinearRegression(), alpha=alpha)
    model.fit(train[0][whole[0]], train[1][whole[0]])
    model.conformalize(cal[0][whole[1]], cal[1][whole[1]])
    intervals = np.tile([-np.inf, np.inf], (len(X), 1))
    intervals[whole[2]] = model.predict_interval(X[whole[2]])[1][:, :, 0]
    return intervals, {"fits": 1, "predictions": int(whole[1].sum() + whole[2].sum())}


# ----------------------------------------------------------- outcomes are missing


def _known(X):
    return propensity(X)


def _wrong_way(X):
    return 1 - propensity(X)


_LOGISTIC = LogisticRegression(C=1e3)

#: Methods for missing outcomes: settings of MissingOutcomeConformal.
OUTCOME_METHODS = {
    "naive": {"method": "naive", "epsilon": 1e6, "propensity": _known},
    "weighted CP (wrong way)": {"method": "weighted", "propensity": _wrong_way},
    "weighted CP": {"method": "weighted", "propensity": _known},
    "weighted CP (estimated)": {"method": "weighted", "propensity": _LOGISTIC},
    "binned wCP": {"method": "binned-weighted", "propensity": _known},
    "pro-CP": {"method": "pro-cp", "propensity": _known},
    "pro-CP (estimated)": {"method": "pro-cp", "propensity": _LOGISTIC},
    "pro-CP2": {"method": "pro-cp2", "propensity": _known},
}


def trial_outcomes(rng, *, alpha=0.1, epsilon=0.2, n_train, n_rows):
    """One replicate with missing outcomes, more often where x1 is large.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    alpha : float
        Miscoverage level.
    epsilon : float
        Width of the propensity bins.
    n_train, n_rows : int
        Rows to train on, and the others: those that keep their outcome calibrate,
        those that lose it are the test rows.

    Returns
    -------
    list of dict
        One row for each method and group: all missing rows, and those rarely,
        sometimes and often observed (about a third each).
    """
    rows = draw_rows(n_train + n_rows, rng)
    y = np.where(rng.random(len(rows.y)) < propensity(rows.X), rows.y, np.nan)
    train, rest = slice(n_train), slice(n_train, None)
    missing = np.isnan(y[rest])
    X, truth = rows.X[rest][missing], rows.y[rest][missing]
    names = np.array(["rarely seen", "sometimes", "often seen"])
    groups = names[np.digitize(propensity(X), _THIRDS)]
    found = []
    for name, settings in OUTCOME_METHODS.items():
        settings = {"epsilon": epsilon, "positivity": 0, **settings, "alpha": alpha}
        model = MissingOutcomeConformal(LinearRegression(), **settings)
        model.fit(rows.X[train], y[train]).conformalize(rows.X[rest], y[rest])
        _, intervals = model.predict_interval(X)
        cost = {
            "fits": 1 + (not callable(settings["propensity"])),
            "predictions": len(y[rest]),
        }
        found += _measure(intervals[:, :, 0], truth, groups, method=name, **cost)
    return found


#: Thirds of the propensity among rows whose outcome is missing, rounded.
_THIRDS = (0.54, 0.72)


# ---------------------------------------------------------------- a class is hidden


#: Methods for a hidden class: pipelines of LatentClassConformal, and the oracle.
CLASS_METHODS = {
    "ignore": "ignore",
    "EM-hard": "hard",
    "EM-soft (regression)": "soft-regression",
    "oracle": None,
}


def trial_class(rng, *, alpha=0.1, n_train, n_cal, n_test):
    """One replicate in which nothing is missing but the class.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    alpha : float
        Miscoverage level.
    n_train, n_cal, n_test : int
        Rows.

    Returns
    -------
    list of dict
        One row for each method and group (all rows, and each class).
    """
    rows = draw_rows(n_train + n_cal + n_test, rng)
    cuts = (0, n_train, n_train + n_cal, n_train + n_cal + n_test)
    train, cal, test = (rows.part(slice(*pair)) for pair in pairwise(cuts))
    seed = int(rng.integers(2**31))
    groups = np.array(["common class", "rare class"])[test.z]
    found = []
    for name, pipeline in CLASS_METHODS.items():
        if pipeline is None:
            intervals = _class_known(train, cal, test.X, test.z, alpha)
        else:
            model = LatentClassConformal(
                2,
                pipeline=pipeline,
                alpha=alpha,
                class_columns=(4, 5),
                outcome_columns=(0, 1, 2, 3),
                random_state=seed,
            )
            model.fit(train.X, train.y).conformalize(cal.X, cal.y)
            intervals = model.predict_interval(test.X)[1][:, :, 0]
        cost = {
            "fits": 1 + (name.startswith("EM")),
            "predictions": n_cal + n_test,
        }
        found += _measure(intervals, test.y, groups, method=name, **cost)
    return found


def _class_known(train, cal, X, z, alpha):
    """The class is told, and each class is calibrated on its own rows."""
    model = LinearRegression().fit(_with_class(train.X, train.z), train.y)
    scores = np.abs(cal.y - model.predict(_with_class(cal.X, cal.z)))
    thresholds = [conformal_quantile(scores[cal.z == k], alpha) for k in (0, 1)]
    prediction, q = model.predict(_with_class(X, z)), np.array(thresholds)[z]
    return np.column_stack([prediction - q, prediction + q])


def _with_class(X, z):
    return np.column_stack([X[:, :4], z])


# ---------------------------------------------------- entries of a matrix are missing


#: Methods for groups of missing entries.
ENTRY_METHODS = {
    "individual": unadjusted,
    "Bonferroni": bonferroni,
    "SCMC": scmc,
}


def trial_entries(rng, *, alpha=0.1, group_size=5, n_users=150, n_films=100):
    """One replicate of a ratings matrix in which a group of users asks for one film.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    alpha : float
        Miscoverage level.
    group_size : int
        Users in a group.
    n_users, n_films : int
        Size of the matrix.

    Returns
    -------
    list of dict
        One row for each method: ``each`` and ``joint``, shares of covered entries
        and of groups covered as a whole, and the median ``length`` in stars.
    """
    made = synthetic_ratings(
        rng, n_users=n_users, n_films=n_films, n_ratings=n_users * n_films // 4
    )
    tests = sample_test_groups(~made.observed, group_size, 50, rng)
    truth = made.truth[tests[..., 0], tests[..., 1]]
    seed = int(rng.integers(2**31))
    found = []
    for name, method in ENTRY_METHODS.items():
        regions = method(
            made.truth,
            made.observed,
            tests,
            ALS(3, ridge=1.0, max_sweeps=10, tol=0, random_state=seed),
            np.random.default_rng(seed),
            alpha=alpha,
            observation_weights=made.observation_weights,
        )
        inside = (regions.lower <= truth) & (truth <= regions.upper)
        found.append(
            {
                "method": name,
                "each": float(inside.mean()),
                "joint": float(inside.all(axis=1).mean()),
                "length": length_summary(np.ravel(regions.width()))["median"],
            }
        )
    return found
