"""Chapter 1 where it breaks: pipelines whose calibration rows are not exchangeable."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..latent import (
    OUTCOME_MODELS,
    EMGaussianMixture,
    LatentClassDGP,
    RegressionMixture,
)
from ..quantiles import conformal_quantile
from .latent_trial import METHODS

_PIPELINES = ("hard", "soft", "soft-regression", "density", "ignore")


def _mixture(rows) -> EMGaussianMixture:
    return EMGaussianMixture(3, tol=1e-3, random_state=0).fit(rows.r)


def _fit(method, rows, mixture):
    make = RegressionMixture if method == "density" else OUTCOME_MODELS[method]
    return make().fit(rows.x, mixture.predict_proba(rows.r), rows.y)


def _score(model, rows, mixture) -> np.ndarray:
    tau = mixture.predict_proba(rows.r)
    if isinstance(model, RegressionMixture):
        return model.residual_score(rows.x, tau, rows.y)
    return np.abs(rows.y - model.predict(rows.x, tau))


def broken_coverage(rng: np.random.Generator, *, alpha: float = 0.1) -> pd.DataFrame:
    """Coverage of every pipeline when used rightly and in three wrong ways.

    Parameters
    ----------
    rng : numpy.random.Generator
    alpha : float
        Miscoverage level.

    Returns
    -------
    DataFrame
        Rows: "as it should be"; "fitted on the calibration rows" (one sample of
        60 rows for everything); "new mixture for calibration" (classes named
        anew); "shifted class mix" (outer classes nine times as likely).
        Columns: methods.
    """
    dgp = LatentClassDGP(beta=2.0)
    train, cal, test = (dgp.sample(n, rng) for n in (2000, 2000, 5000))
    few = dgp.sample(60, rng)
    shifted = dgp.with_(pi=(0.45, 0.1, 0.45)).sample(5000, rng)
    mixture, renamed, small = (_mixture(rows) for rows in (train, cal, few))
    found = {}
    for method in _PIPELINES:
        model, reused = _fit(method, train, mixture), _fit(method, few, small)
        q = conformal_quantile(_score(model, cal, mixture), alpha)
        q_reused = conformal_quantile(_score(reused, few, small), alpha)
        q_renamed = conformal_quantile(_score(model, cal, renamed), alpha)
        right = _score(model, test, mixture)
        found[METHODS[method]] = {
            "as it should be": (right <= q).mean(),
            "fitted on the calibration rows": (
                _score(reused, test, small) <= q_reused
            ).mean(),
            "new mixture for calibration": (right <= q_renamed).mean(),
            "shifted class mix": (_score(model, shifted, mixture) <= q).mean(),
        }
    return pd.DataFrame(found)
