"""Paper-scale studies of chapter 3 besides its tables.

What single claims of Kong, Liu and Yang (2025) need at full size: the networks alone,
the two pipelines that the tables exclude, the stand-in of Table 5, and the coverage of
LCP given the observed entry.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from ..covariates import (
    BETA,
    GaussianLinear,
    column_ranges,
    equicorrelated,
    kernel_weights,
    lcp_radius,
    median_bandwidth,
)
from ..covariates.network import QuantileNetwork
from ..masks import mask_label
from . import mask_conditional as study
from .store import aggregate
from .study import Study, grid

# ------------------------------------------------------------ networks (fcp-A10)


def replicate_network(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Test error of the mean network, and order and coverage of the quantile heads.

    Complete rows, so that the noise (sd 1) is all that is left to err.
    """
    d = int(scenario["d"])
    truth = GaussianLinear(BETA[:d], 1.0, equicorrelated(d, 0.8))
    X, y = truth.sample(500, rng)
    new, target = truth.sample(2000, rng)
    seed = int(rng.integers(2**31))
    mean = QuantileNetwork(None, random_state=seed).fit(X, y).predict(new)
    low, high = QuantileNetwork(random_state=seed).fit(X, y).predict(new).T
    return [
        {
            "rmse": float(np.sqrt(((mean - target) ** 2).mean())),
            "crossing": float((low > high).mean()),
            "coverage": float(((low <= target) & (target <= high)).mean()),
        }
    ]


def _summarise_network(frame):
    return aggregate(frame, ["d"], ["rmse", "crossing", "coverage"])


# ------------------------------------------------------ LCP, given what is seen

POINTS = (-1.5, -0.75, 0.0, 0.75, 1.5)


def local_rows(n, rng):
    """Training and calibration rows of Theorem 4 b, complete, and their scores."""
    X, noise = rng.standard_normal((2, n, 2)), rng.standard_normal((2, n))
    return X, np.abs(X[..., 0] + (0.2 + np.abs(X[..., 1])) * noise)


def replicate_local(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Theorem 4 b: coverage given the observed entry, two bandwidths.

    The first of two covariates is missing in a fifth of the rows and in all test rows;
    the errors grow with the second. Coverage is exact, given the calibrated radius.
    """
    n = int(scenario["n_cal"])
    X, scores = local_rows(n, rng)
    gaps = X[0].copy()
    gaps[rng.random(n) < 0.2, 0] = np.nan
    ranges = column_ranges(gaps)
    points, seen = np.asarray(POINTS), X[..., 1] / ranges[1]
    sd = np.sqrt(1 + (0.2 + np.abs(points)) ** 2)
    widths = {"median": median_bandwidth(gaps, ranges), "shrinking": 0.1 * n**-0.2}
    rows = []
    for name, h in widths.items():
        around = [
            kernel_weights((a[:, None] - seen[0]) ** 2, h)
            for a in (seen[1], points / ranges[1])
        ]
        radius = np.maximum(lcp_radius(scores[0], scores[1], *around, 0.1), 0)
        rows += [
            {"bandwidth": name, "h": h, "point": x, "coverage": c}
            for x, c in zip(POINTS, 2 * norm.cdf(radius / sd) - 1, strict=True)
        ]
    return rows


def _summarise_local(frame):
    return aggregate(frame, ["n_cal", "bandwidth", "point"], ["coverage", "h"])


# ------------------------------------------------------------ Table 5's stand-in


def standin(rng, n=370):
    """Table 5's shape: three covariates, the counts of three masks, unit noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n : int
        Number of rows; 90 are complete and 59 lack the second covariate.

    Returns
    -------
    X : ndarray, shape (n, 3)
        Covariates with NaN.
    y : ndarray, shape (n,)
        Outcomes.
    """
    truth = GaussianLinear([1.0, 1.3, 0.25], 0.0, equicorrelated(3, 0.5))
    X, y = truth.sample(n, rng)
    code = rng.permutation(np.repeat([0, 1, 2], [90, 59, n - 149]))
    X[code == 1, 1], X[code == 2, 2] = np.nan, np.nan
    return X, y


def replicate_standin(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Table 5's protocol on the stand-in: five folds, each predicted once."""
    X, y = standin(rng)
    label = np.array([mask_label(m) for m in np.isnan(X)])
    parts = []
    for fold in np.array_split(rng.permutation(len(y)), 5):
        rest = rng.permutation(np.setdiff1d(np.arange(len(y)), fold))
        cal, train = np.split(rest, [len(rest) // 3])
        methods = study.fitted_methods(
            (X[train], y[train]),
            (X[cal], y[cal]),
            base=scenario.get("base", "linear"),
            draw=True,
            seed=int(rng.integers(2**31)),
        )
        frame = study.evaluate(methods, X[fold], y[fold])
        frame["row"] = fold[frame["row"].to_numpy()]
        parts.append(frame)
    frame = pd.concat(parts, ignore_index=True)
    whole = study._summary(frame.copy(), np.full(len(y), "marginal"))
    return whole + study._summary(frame, label)


# ------------------------------------------------------------------- the studies


def _study(name, scenarios, replicate, description, n, summarise=None):
    return Study(
        name=name,
        scenarios=scenarios,
        replicate=replicate,
        n_replicates=n,
        seed=3,
        description=description,
        document="Kong, Liu and Yang (2025)",
        summarise=summarise,
    )


def _summarise_pipeline(frame):
    return study.summarise(frame, ("draw", "add_mask", "method", "mask"))


_CELL = {"base": "network", "d": 3, "mechanism": "MCAR"}
_CELL |= {"n_marginal": 200, "n_each": 100}

NETWORK = _study(
    "masks_network",
    grid(d=[3, 5, 8]),
    replicate_network,
    "The networks alone, on complete rows",
    50,
    _summarise_network,
)
PIPELINE_NETWORK = _study(
    "masks_pipeline_network",
    [
        _CELL | {"draw": True, "add_mask": False},
        _CELL | {"draw": False, "add_mask": False},
        _CELL | {"draw": True, "add_mask": True},
    ],
    study.replicate_synthetic,
    "Table 1 under MCAR with draws, with conditional means, with the mask as feature",
    50,
    _summarise_pipeline,
)
LOCAL = _study(
    "masks_local",
    grid(n_cal=[250, 1000, 4000]),
    replicate_local,
    "LCP's coverage given the observed entry: median and shrinking bandwidth",
    40,
    _summarise_local,
)
STANDIN = _study(
    "masks_standin",
    [{"base": "linear"}],
    replicate_standin,
    "Stand-in for Table 5 and Figure 1: 370 rows, three masks, five folds",
    100,
)
