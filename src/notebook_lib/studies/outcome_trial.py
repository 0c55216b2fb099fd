"""One trial of the experiments of chapter 5: models, thresholds, coverage, width.

Models are fitted once for each training draw, as in the paper, and kept: a trial
draws features and the observed indicator, and redraws outcomes in one batch.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LinearRegression, QuantileRegressor

from ..exceptions import InfiniteSetWarning
from ..outcomes import (
    PropensityModel,
    block_cells,
    draw_high_dimensional,
    draw_setting,
    missing_odds,
    odds_bins,
    procp2_threshold,
    procp_threshold,
)
from ..outcomes.simulate import redraw_high_dimensional, redraw_outcome
from ..quantiles import weighted_conformal_quantile
from ..scores import AbsoluteScore, QuantileScore

PROCP, ONE_REP = "pro-CP", "pro-CP (one representative)"
ONE_REP_POOLED = "one representative, no cells"
PROCP2, PROCP2_CONSTANT = "pro-CP2", "pro-CP2 (constant levels)"
TWO_REP = "pro-CP2 (two representatives)"
WEIGHTED = "weighted CP"
FIRST_ORDER = (PROCP, ONE_REP, ONE_REP_POOLED)
SECOND_ORDER = (PROCP2, PROCP2_CONSTANT, TWO_REP)


class Models(NamedTuple):
    """What one training draw gives: band or mean, and the estimated propensity."""

    predictors: tuple
    propensity: object

    def predict(self, X):
        """Mean (n,), or lower and upper quantiles (n, 2)."""
        parts = [model.predict(X) for model in self.predictors]
        return parts[0] if len(parts) == 1 else np.column_stack(parts)

    def score(self):
        """The score that fits the prediction."""
        return AbsoluteScore() if len(self.predictors) == 1 else QuantileScore()


def _fit(data, score, alpha, propensity):
    rows = data.A
    if score == "residual":
        predictors = (LinearRegression().fit(data.X[rows], data.Y[rows]),)
    else:
        predictors = tuple(
            QuantileRegressor(quantile=tau, alpha=0.0).fit(data.X[rows], data.Y[rows])
            for tau in (alpha / 2, 1 - alpha / 2)
        )
    fitted = PropensityModel(propensity).fit(data.X, data.A) if propensity else None
    return Models(predictors, fitted)


@lru_cache(maxsize=64)
def setting_models(setting, score, alpha, n_train, training_seed):
    """Models of Setting 1 or 2 for one training draw; kernel propensity."""
    rng = np.random.default_rng([5, setting, training_seed])
    return _fit(draw_setting(setting, n_train, rng), score, alpha, "kernel")


@lru_cache(maxsize=64)
def high_dimensional_models(scale, score, alpha, n_train, training_seed):
    """Models and coefficients of section 3.2; l1 logistic propensity."""
    rng = np.random.default_rng([5, 30, training_seed])
    beta = rng.uniform(-2, 2, 30)
    data = draw_high_dimensional(n_train, beta, rng, scale=scale)
    return _fit(data, score, alpha, "l1-logistic"), beta


def draw_trial(scenario, rng, n_redraws):
    """Features, indicator, propensities and redrawn outcomes (R, n) of a trial."""
    n, alpha = int(scenario["n_total"]), float(scenario["alpha"])
    seed, score = int(scenario["training_seed"]), scenario["score"]
    if "scale" in scenario:
        key = (float(scenario["scale"]), score, alpha, 500, seed)
        models, beta = high_dimensional_models(*key)
        data = draw_high_dimensional(n, beta, rng, scale=key[0])
        Y = redraw_high_dimensional(data.X, beta, rng, n_redraws)
    else:
        setting = int(scenario["setting"])
        models = setting_models(setting, score, alpha, 500, seed)
        data = draw_setting(setting, n, rng)
        Y = redraw_outcome(data.X[:, 0], rng, n_redraws)
    return data, Y, models


def used_propensity(data, models, kind):
    """Known or estimated propensity of the rows of a trial."""
    return data.p if kind == "known" else models.propensity.predict(data.X)


def thresholds(scores, A, p, alpha, methods, *, epsilon=0.1, block=50):
    """Thresholds (R, m) of each method for scores (R, n) of all rows.

    Only the scores of the observed rows are used.
    """
    bins = odds_bins(p, epsilon)
    cal, bins, test_bins = scores[:, A], bins[A], bins[~A]
    cells = block_cells(np.flatnonzero(~A), block)
    out = {}
    for method in methods:
        if method == WEIGHTED:
            w = missing_odds(p)
            out[method] = np.stack(
                [weighted_conformal_quantile(s, w[A], w[~A], alpha) for s in cal]
            )
        elif method in FIRST_ORDER:
            out[method] = procp_threshold(
                cal,
                bins,
                test_bins,
                alpha,
                cells=None if method == ONE_REP_POOLED else cells,
                variant="paper" if method == PROCP else "one_rep",
            )
        else:
            out[method] = procp2_threshold(
                cal,
                bins,
                test_bins,
                alpha,
                cells=None if method == TWO_REP else cells,
                allocation="paper" if method == PROCP2 else "constant",
                variant="two_rep" if method == TWO_REP else "paper",
            )
    return out


def median_width(prediction, q):
    """Median over test points of the interval width, mean over redraws.

    Infinite widths are kept: the median is infinite if most are.
    """
    base = 0.0 if prediction.ndim == 1 else prediction[:, 1] - prediction[:, 0]
    width = np.sort(np.maximum(base + 2 * q, 0), axis=1)
    m = width.shape[1]
    return float(((width[:, (m - 1) // 2] + width[:, m // 2]) / 2).mean())


def measure(data, Y, models, kind, alpha, methods, *, epsilon=0.1, covered_by=None):
    """Tidy rows of one trial: coverage, squared miss, width, infinite share."""
    A, p = data.A, used_propensity(data, models, kind)
    prediction = models.predict(data.X)
    scores = np.stack([models.score().score(y, prediction) for y in Y])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        found = thresholds(scores, A, p, alpha, methods, epsilon=epsilon)
    rows = []
    for method, q in found.items():
        missed = (scores[:, ~A] > q).mean(axis=1)
        rows.append(
            {
                "method": method,
                "coverage": float(1 - missed.mean()),
                "missed_squared": float((missed**2).mean()),
                "width": median_width(prediction[~A], q),
                "share_infinite": float(np.isposinf(q).mean()),
            }
        )
    return rows
