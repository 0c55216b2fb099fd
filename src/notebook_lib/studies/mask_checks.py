"""More numbers that chapter 3 compares with the statements: naive loops, data, scale.

As in :mod:`notebook_lib.studies.mask_theory`, nothing here asserts.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy.stats import norm

from ..covariates import (
    BETA,
    LCP,
    CPMDAExact,
    GaussianImputer,
    GaussianLinear,
    NexCP,
    PairPlan,
    equicorrelated,
    heom,
    nexcp_radius,
)
from ..covariates.subsample import Exact
from ..masks import all_masks, is_submask
from ..mechanisms import SelfMasked
from ..quantiles import conformal_quantile
from ..scores import QuantileScore
from . import mask_theory as theory
from .mask_paper import POINTS, replicate_local

NORMAL = 2 * norm.ppf(0.95)  # length of 90 % of a standard normal


def gaps(d, sizes, rng, rate=0.2):
    """Rows of the simulated law with gaps at random, in parts of the given sizes."""
    truth = GaussianLinear(BETA[:d], 1.0, equicorrelated(d, 0.8))
    X, y = truth.sample(sum(sizes), rng)
    X[rng.random(X.shape) < rate] = np.nan
    at = np.cumsum(sizes)[:-1]
    return list(zip(np.split(X, at), np.split(y, at), strict=True))


def small_problem(method, rng, n_test=80):
    """A calibrated method and test rows with all 8 masks, 010 unseen in calibration.

    Returns
    -------
    model : estimator
        Fitted on 100 rows, calibrated on at most 60.
    X : ndarray, shape (n_test, 3)
        Test rows, every mask equally often.
    """
    (X, y), (cal, y_cal), (test, _) = gaps(3, (100, 60, n_test), rng)
    other = (np.isnan(cal) != np.array([False, True, False])).any(axis=1)
    model = method.fit(X, y).conformalize(cal[other].copy(), y_cal[other])
    test = np.where(np.isnan(test), 1.0, test)
    mask = np.tile(all_masks(3), (n_test // 8, 1))
    return model, np.where(mask, np.nan, test)


def radius_of(model, X):
    """Half-lengths of a method's intervals, shape (n,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        low, high = model.predict_interval(X.copy())[1][:, :, 0].T
    return np.where(np.isinf(high), np.inf, (high - low) / 2)


def lcp_by_hand(model, x, alpha=0.1):
    """Algorithm 2 for one test row, loops and definitions only: its radius."""
    m, h, inner = np.isnan(x), model.h, model.models_[0]

    def available(X, y):
        kept = ~(np.isnan(X) & ~m).any(axis=1)
        hidden = np.where(m, np.nan, X[kept])
        return hidden, np.abs(y[kept] - inner(hidden, np.isnan(hidden)))

    train, v_train = available(model.X_train_, model.y_train_)
    cal, v_cal = available(model.X_cal_, model.y_cal_)

    def local(row):
        squared = [
            sum(((row[j] - t[j]) / model.ranges_[j]) ** 2 for j in np.flatnonzero(~m))
            for t in train
        ]
        weights = np.exp(-np.array(squared) / (2 * h**2))
        order, mass = np.argsort(v_train), 0.0
        for k in order:
            mass += weights[k]
            if mass >= (1 - alpha) * weights.sum() * (1 - 1e-12):
                return v_train[k]
        return np.inf

    left = [v - local(row) for v, row in zip(v_cal, cal, strict=True)]
    return local(x) + conformal_quantile(np.array(left), alpha)


def lcp_gap(rng):
    """A2: largest difference of LCP's radius from :func:`lcp_by_hand`."""
    method = LCP(imputer=GaussianImputer(draw=True), h=0.4)
    model, X = small_problem(method, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        by_hand = np.array([lcp_by_hand(model, x) for x in X])
    found = radius_of(model, X)
    finite = np.isfinite(by_hand)
    same = (np.isinf(found) == ~finite).all()
    return float(np.abs(found - by_hand)[finite & (by_hand >= 0)].max()), bool(same)


def complete_mask_gap(rng):
    """A1: at the complete mask all rows share it: distance from the order statistic."""
    method = NexCP(imputer=GaussianImputer(draw=True))
    model, X = small_problem(method, rng)
    complete = ~np.isnan(model.X_cal_).any(axis=1)
    rows = model.X_cal_[complete]
    scores = np.abs(model.y_cal_[complete] - model.models_[0](rows, np.isnan(rows)))
    seen = X[~np.isnan(X).any(axis=1)]
    return float(np.abs(radius_of(model, seen) - conformal_quantile(scores, 0.1)).max())


def unit_weight_gap(d, rng):
    """R1: CQR scores with unit weights against CQR-MDA-Exact, end points."""
    train, cal, (X, _) = gaps(d, (200, 200, 200), rng)
    method = CPMDAExact(imputer=GaussianImputer(draw=True), add_mask=False)
    model = method.fit(*train).conformalize(*cal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        exact = model.predict_interval(X.copy())[1][:, :, 0]
    out = np.empty_like(exact)
    plan = PairPlan(np.isnan(cal[0]), np.isnan(X), Exact())
    for view in plan.views(model.models_[0], cal[0], X):
        scores = QuantileScore().score(cal[1][view.kept], view.calibration)
        q = nexcp_radius(scores, np.ones(len(scores)), 0.1)
        out[view.rows] = view.test[:, 0] + np.array([-1, 1]) * q
    finite = np.isfinite(exact).all(axis=1)
    same = (np.isfinite(out).all(axis=1) == finite).all()
    # An inverted pair is the empty set, however it is written.
    full = finite & (out[:, 0] <= out[:, 1])
    return float(np.abs(out - exact)[full].max()) if same else np.inf


# ------------------------------------------------------------------ HEOM, masks


def heom_identity(rng, n=300, d=5):
    """A4, P5: own-mask, over-masked and closed-form distances of available cases.

    Returns
    -------
    float
        Largest difference over all masks.
    """
    X = rng.standard_normal((n, d))
    X[rng.random(X.shape) < 0.2] = np.nan
    ranges = np.nanmax(X, axis=0) - np.nanmin(X, axis=0)
    x, worst = rng.standard_normal(d), 0.0
    for m in all_masks(d):
        rows = X[is_submask(np.isnan(X), m)]
        if not len(rows):
            continue
        test, hidden = np.where(m, np.nan, x)[None], np.where(m, np.nan, rows)
        own, over = (heom(test, part, ranges)[0] for part in (rows, hidden))
        seen = ((rows - x) / ranges)[:, ~m]
        closed = np.sqrt(m.sum() + (seen**2).sum(axis=1))
        worst = max(worst, np.abs(own - over).max(), np.abs(over - closed).max())
    return float(worst)


def over_masked_exactly(rng, n=500, d=5):
    """A5: rows are available iff they show what the mask shows, and get that mask."""
    X = rng.standard_normal((n, d))
    X[rng.random(X.shape) < 0.2] = np.nan
    for m in all_masks(d):
        kept = Exact().keep(np.isnan(X), m)
        if (kept != ~np.isnan(X[:, ~m]).any(axis=1)).any():
            return False
        if (np.isnan(np.where(m, np.nan, X[kept])) != m).any():
            return False
    return True


# ------------------------------------------------------- reference lengths (E2)


def fill_by_law(truth, X, mask, rng):
    """Missing entries drawn from their true conditional law."""
    out = X.copy()
    for m in all_masks(len(truth.beta))[1:]:
        rows = np.flatnonzero((mask == m).all(axis=1))
        slope, cov = truth.conditional_maps(m)
        centre = truth.mean[m] + (X[np.ix_(rows, ~m)] - truth.mean[~m]) @ slope.T
        root = np.linalg.cholesky(cov)
        out[np.ix_(rows, m)] = (
            centre + rng.standard_normal((len(rows), m.sum())) @ root.T
        )
    return out


def lengths_in_large_samples(n, rng):
    """E2: slope and, for each mask, length of least squares on true-law draws."""
    truth = theory.TRUTH3
    X, y = truth.sample(n, rng)
    filled = fill_by_law(truth, X, rng.random(X.shape) < 0.2, rng)
    features = np.column_stack([np.ones(n), filled])
    coefficients = np.linalg.lstsq(features, y, rcond=None)[0]
    lengths = []
    for m in all_masks(3):
        X, y = truth.sample(n, rng)
        filled = fill_by_law(truth, X, np.tile(m, (n, 1)), rng)
        scores = np.abs(y - coefficients[0] - filled @ coefficients[1:])
        lengths.append(2 * conformal_quantile(scores, 0.1))
    return coefficients[1:], np.array(lengths)


# --------------------------------------------------------------------- data, draws


def sample_moments(n, rng):
    """D1: mean, correlation, noise variance and outcome variance, d = 3."""
    X, y = theory.TRUTH3.sample(n, rng)
    noise = y - X @ BETA[:3]
    pairs = np.corrcoef(X.T)[np.triu_indices(3, 1)]
    return X.mean(axis=0), pairs, noise.var(), y.var()


def exact_intercepts():
    """A7: intercepts of probit and logit self-masking for a standard normal column."""
    grid = norm.ppf((np.arange(200_000) + 0.5) / 200_000)[:, None]
    probit = SelfMasked(0.2).fit(grid)
    logit = SelfMasked(0.2, slope=1.0, link="logit").fit(grid)
    return np.array([probit.intercepts_[0], logit.intercepts_[0]])


def empty_rows_alike(rng):
    """A9: rows without any entry are imputed by one rule, alone or in company."""
    (X, y), (test, _) = gaps(3, (200, 40), rng)
    inner = NexCP(imputer=GaussianImputer(draw=True)).fit(X, y).models_[0]
    none = np.full((40, 3), np.nan)
    mixed = np.concatenate([test, none])
    together = inner.features(mixed, np.isnan(mixed))[len(test) :]
    return bool(np.array_equal(inner.features(none, np.isnan(none)), together))


# ------------------------------------------------------------------- localisation


def local_error(n, n_reps, rng) -> pd.Series:
    """T4b: largest distance from 0.9 of the mean coverage at five points."""
    rows = []
    for _ in range(n_reps):
        rows += replicate_local({"n_cal": n}, rng)
    return worst_point(pd.DataFrame(rows))


def worst_point(frame) -> pd.Series:
    """Largest distance from 0.9 over the points, by bandwidth."""
    mean = frame.groupby(["bandwidth", "point"])["coverage"].mean()
    assert mean.index.levels[1].size == len(POINTS)
    return (mean - 0.9).abs().groupby(level=0).max()


# ------------------------------------------------------------------ quoted numbers

#: The vectors of Section 4.1 (Table 2: marginal, then 0 to 4 missing), as quoted in
#: the document's text, and LCP's lengths quoted from Table 5.
QUOTED = {
    ("MCAR", "CQR-MDA-Exact"): (5.508, 4.409, 5.476, 6.621, 7.956, 10.137),
    ("MNAR", "CQR-MDA-Exact"): (5.769, 4.453, 5.660, 7.041, 8.732, 10.811),
    ("MCAR", "LCP"): (5.173, 3.885, 5.160, 6.426, 7.889, 10.257),
    ("MNAR", "LCP"): (5.219, 3.892, 5.188, 6.462, 7.996, 10.321),
}


def quoted_columns(table) -> dict:
    """V0: for each quoted vector, the methods whose column of Table 2 it is."""
    out = {}
    for (mechanism, method), values in QUOTED.items():
        columns = table.loc[("Table 2", f"synthetic d=5; {mechanism}"), "length"]
        columns = columns.loc[["marginal", "0", "1", "2", "3", "4"]]
        match = (columns.sub(np.array(values), axis=0).abs() < 1e-9).all()
        out[mechanism, method] = list(match[match].index)
    return out
