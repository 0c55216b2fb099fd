"""Split conformal prediction after imputation, on many more data sets than the tables.

The tables of chapter 3 rest on 50 data sets, too few to tell a coverage of .89 from
.90. The law of the coverage is known here, so a thousand settle it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from ..covariates import (
    BETA,
    GaussianImputer,
    GaussianLinear,
    ImputedSplitRegressor,
    equicorrelated,
)
from ..intervals import contains
from ..mechanisms import MCAR
from .store import aggregate
from .study import Study, grid


def replicate_marginal(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """B1: marginal coverage of CP on one data set of Tables 1 to 3, MCAR.

    Returns
    -------
    list of dict
        One row: ``coverage``, the share of 2000 fresh rows that are covered.
    """
    d = int(scenario["d"])
    truth = GaussianLinear(BETA[:d], 1.0, equicorrelated(d, 0.8))
    X, y = truth.sample(2750, rng)
    X = np.where(MCAR(0.2).fit(X).sample(X, rng), np.nan, X)
    train, cal, test = np.split(np.arange(2750), [500, 750])
    model = ImputedSplitRegressor(
        LinearRegression(),
        imputer=GaussianImputer(draw=True, random_state=int(rng.integers(2**31))),
        score="absolute",
        add_mask=False,
    )
    model.fit(X[train], y[train]).conformalize(X[cal], y[cal])
    sets = model.predict_interval(X[test])[1][:, :, 0]
    return [{"coverage": contains(sets, y[test]).mean()}]


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean coverage by number of covariates, with its Monte-Carlo error."""
    return aggregate(frame, ["d"], ["coverage"])


MARGINAL = Study(
    name="masks_marginal",
    scenarios=grid(d=[3, 5, 8]),
    replicate=replicate_marginal,
    n_replicates=1000,
    seed=33,
    description="Marginal coverage of CP after imputation on 1000 data sets, MCAR",
    document="Kong, Liu and Yang (2025)",
    summarise=summarise,
)
