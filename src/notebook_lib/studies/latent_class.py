"""The studies of chapter 1: the blueprint's grid and its variants at paper scale.

The replicates stand on :mod:`notebook_lib.studies.latent_trial`.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import kstest, norm

from ..latent import OUTCOME_MODELS, LatentClassDGP, attenuation_matrix
from ..metrics import coverage_law
from ..quantiles import conformal_quantile
from .latent_trial import ALPHAS, METHODS, Trial, bin_rows, compare_pipelines
from .store import aggregate
from .study import Study, grid

BETAS = (0.0, 0.5, 1.0, 2.0)
SIGMAS = (0.5, 1.0)
SIZES = {"n_train": 2000, "n_cal": 2000, "n_test": 10000}


def _trial(scenario: dict, rng, **knobs) -> Trial:
    dgp = LatentClassDGP(separation=scenario["separation"], **knobs)
    return Trial(dgp, rng, *(int(scenario[name]) for name in SIZES))


def replicate_grid(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """One replicate of a (K, delta) scenario: both EM variants, all outcomes.

    A scenario with a ``sigma`` keeps to that noise.
    """
    trial = _trial(scenario, rng, n_classes=int(scenario["n_classes"]))
    sigmas = [scenario["sigma"]] if "sigma" in scenario else SIGMAS
    return compare_pipelines(trial, list(product(BETAS, sigmas)), ems=("R", "RX"))


def replicate_misspecified(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """F5: one covariance structure and correlation, fitted with two families."""
    knobs = {name: scenario[name] for name in ("structure", "rho")}
    trial = _trial(scenario, rng, **knobs)
    methods = ("oracle", "hard", "soft", "soft-regression", "density", "ignore")
    rows = []
    for family in ("spherical", "full"):
        found = compare_pipelines(
            trial, [(1.0, 0.5)], ems=("R", "RX"), methods=methods, family=family
        )
        rows += [row | {"family": family} for row in found]
    return rows


def replicate_bins(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """F6: coverage and length in bins of the largest responsibility."""
    trial = _trial(scenario, rng)
    tau, _ = trial.impute("R")
    return bin_rows(trial, tau, trial.outcomes(scenario["beta"], trial.dgp.sigma))


def replicate_sizes(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """F7: one training size and ridge."""
    trial = _trial(scenario, rng, n_classes=int(scenario["n_classes"]))
    return compare_pipelines(trial, [(1.0, 0.5)], ridge=scenario["ridge"])


def replicate_tolerance(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """The ``tol`` knob: where EM stops, and what that does to the sets."""
    trial = _trial(scenario, rng)
    methods = ("oracle", "hard", "soft", "soft-regression", "density")
    rows = []
    for tol in TOLERANCES:
        found = compare_pipelines(
            trial, [(1.0, 0.5)], methods=methods, tol=tol, max_iter=5000
        )
        rows += [row | {"tol": tol} for row in found]
    return rows


def replicate_validity(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """em-T1: small splits, under the right mixture and three wrong ones."""
    trial = _trial(scenario, rng, structure="full")
    rows = []
    for label, mixture in WRONG_MIXTURES.items():
        found = compare_pipelines(trial, [(1.0, 0.5)], **mixture)
        rows += [row | {"mixture": label} for row in found]
    return rows


def replicate_slopes(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """em-A5: classes with slopes of their own."""
    trial = _trial(scenario, rng, slopes=CLASS_SLOPES)
    ys = trial.outcomes(1.0, trial.dgp.sigma)
    tau, _ = trial.impute("R")
    rows = []
    for method in ("soft-slopes", "soft", "ignore"):
        coverage, length, model = trial.evaluate(method, tau, ys)
        row = {"method": METHODS[method]}
        if method == "soft-slopes":
            row["slope_error"] = float(np.abs(model.theta_ - CLASS_SLOPES).max())
        for i, alpha in enumerate(ALPHAS):
            found = {"alpha": alpha, "coverage": coverage[i], "length": length[i]}
            rows.append(row | found)
    return rows


def replicate_theory(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """em-T2, em-T3 and em-T4 at large scale, one number each."""
    n = int(scenario["n"])
    checks = {"T2": coverage_law_p_value, "T3": attenuation_error, "T4": accuracy_error}
    return [{"value": checks[scenario["check"]](n, rng)}]


def coverage_law_p_value(n_draws, rng, *, n_cal=50, alpha=0.1, pool=1_000_000) -> float:
    """KS p-value of coverage given the calibration set against its beta law.

    One EM-soft (regression) pipeline is fitted once; each draw calibrates it on
    ``n_cal`` fresh rows. Coverage given those rows is read off ``pool`` more.
    """
    draws = calibration_draws(n_draws, rng, n_cal=n_cal, alpha=alpha, pool=pool)
    return float(kstest(draws, coverage_law(n_cal, alpha).cdf).pvalue)


def calibration_draws(n_draws, rng, *, n_cal, alpha, pool) -> np.ndarray:
    """Coverage of one fitted pipeline given each of many calibration sets, (n,)."""
    trial = Trial(LatentClassDGP(), rng, 2000, n_draws * n_cal, pool)
    tau, _ = trial.impute("R")
    _, scores, fresh = trial.scores("soft-regression", tau, trial.outcomes(1.0, 0.5))
    thresholds = conformal_quantile(scores.reshape(n_draws, n_cal), alpha)
    return np.searchsorted(np.sort(fresh), thresholds, side="right") / pool


def attenuation_error(n, rng) -> float:
    """Largest entry of ``|beta-hat - W beta|`` with true posteriors of ``n`` rows."""
    dgp = LatentClassDGP()
    sample = dgp.sample(n, rng)
    tau = dgp.posterior(sample)
    fitted = OUTCOME_MODELS["soft"]().fit(sample.x, tau, sample.y).beta_
    return float(np.abs(fitted - attenuation_matrix(tau) @ dgp.intercepts).max())


def accuracy_error(n, rng, separations=(0.0, 1.0, 2.0, 3.0, 4.0, 6.0)) -> float:
    """Largest ``|A - Phi(delta / 2)|`` of the Bayes rule for two spherical classes."""
    errors = []
    for separation in separations:
        dgp = LatentClassDGP(n_classes=2, separation=separation)
        sample = dgp.sample(n, rng)
        accuracy = (dgp.posterior(sample).argmax(axis=1) == sample.z).mean()
        errors.append(abs(accuracy - norm.cdf(separation / 2)))
    return float(max(errors))


# ---------------------------------------------------------------- summaries


def _summary(*by, quality_by=()):
    """A function that averages the rows of a study over replicates."""
    return partial(_summarise, by=list(by), quality_by=list(quality_by))


def _summarise(frame: pd.DataFrame, by, quality_by) -> pd.DataFrame:
    measures = ("coverage", "length", "gap", "beta_error", "share", "slope_error")
    parts = [aggregate(frame, by, [m for m in measures if m in frame])]
    if quality_by:
        # Imputation does not depend on the outcome: one row an EM fit is enough.
        fitted = frame[frame["em"].isin(["R", "RX"])]
        parts.append(aggregate(fitted, quality_by, QUALITY))
    return pd.concat(parts).dropna(subset="mean").reset_index(drop=True)


QUALITY = ["accuracy", "max_responsibility", "cross_entropy", "entropy", "n_iter"]
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
CLASS_SLOPES = ((1.0, -0.5), (0.0, 0.5), (-1.0, 1.0))

#: Mixtures for em-T1: the right one and three wrong ones.
WRONG_MIXTURES = {
    "right": {},
    "too few classes": {"n_classes": 2},
    "too many classes": {"n_classes": 6},
    "spherical": {"family": "spherical"},
}

_DOCUMENT = "Simulation blueprint: EM-based imputation of a latent class"
_FIT = ["n_classes", "separation", "em"]


def _study(name, scenarios, replicate, description, summarise, n=200, seed=1) -> Study:
    return Study(
        name=f"latent_class_{name}",
        scenarios=scenarios,
        replicate=replicate,
        n_replicates=n,
        seed=seed,
        description=description,
        document=_DOCUMENT,
        summarise=summarise,
    )


def _sized(scenarios, **sizes) -> list[dict]:
    return [{**scenario, **SIZES, **sizes} for scenario in scenarios]


GRID = _study(
    "grid",
    _sized(grid(n_classes=[2, 3, 5], separation=[0.0, 1.0, 2.0, 3.0, 4.0, 6.0])),
    replicate_grid,
    "F1-F4, T1: every pipeline over K, delta, beta, sigma and EM variant",
    _summary(*_FIT, "beta", "sigma", "method", "alpha", quality_by=_FIT),
)

MISSPECIFIED = _study(
    "misspecified",
    _sized(
        grid(structure=["full"], rho=[0.0], separation=[1.0, 2.0, 3.0, 4.0, 6.0])
        + grid(structure=["spherical"], rho=[0.0, 0.3, 0.6, 0.9], separation=[2.0])
    ),
    replicate_misspecified,
    "F5: spherical or full fit to full covariances; EM-R against EM-RX with "
    "correlation of X and R",
    _summary(
        *("structure", "rho", "separation", "family", "em", "method", "alpha"),
        quality_by=["structure", "rho", "separation", "family", "em"],
    ),
    seed=5,
)

BINS = _study(
    "bins",
    _sized(grid(separation=[2.0, 3.0], beta=[1.0, 2.0])),
    replicate_bins,
    "F6: coverage and length by confidence and by right or wrong label",
    _summary("separation", "beta", "method", "alpha", "bin"),
    seed=6,
)

SAMPLE_SIZES = _study(
    "sample_sizes",
    [
        {**scenario, "n_cal": 2000, "n_test": 10000}
        for scenario in grid(
            n_classes=[3, 5],
            separation=[2.0],
            n_train=[200, 500, 1000, 2000, 5000],
            ridge=[1e-6, 0.1, 1.0],
        )
    ],
    replicate_sizes,
    "F7: size of the training split and ridge",
    _summary(
        *("n_classes", "n_train", "ridge", "em", "method", "alpha"),
        quality_by=["n_classes", "n_train", "ridge", "em"],
    ),
    seed=7,
)

TOLERANCE = _study(
    "tolerance",
    _sized(grid(separation=[1.0, 2.0, 3.0])),
    replicate_tolerance,
    "Where EM stops: accuracy and length against the tolerance",
    _summary(
        *("separation", "tol", "em", "method", "alpha"),
        quality_by=["separation", "tol", "em"],
    ),
    seed=8,
)

VALIDITY = _study(
    "validity",
    _sized([{"separation": 2.0}], n_train=500, n_cal=500, n_test=2000),
    replicate_validity,
    "em-T1: coverage of every pipeline under right and wrong mixtures",
    _summary("mixture", "em", "method", "alpha"),
    n=500,
    seed=9,
)

SLOPES = _study(
    "slopes",
    _sized(grid(separation=[2.0, 6.0])),
    replicate_slopes,
    "em-A5: EM-soft with class-specific slopes",
    _summary("separation", "method", "alpha"),
    seed=10,
)

THEORY = _study(
    "theory",
    [
        {"check": "T2", "n": 5000},
        {"check": "T3", "n": 1_000_000},
        {"check": "T4", "n": 1_000_000},
    ],
    replicate_theory,
    "em-T2, em-T3 and em-T4 at large scale",
    None,
    n=1,
    seed=11,
)
