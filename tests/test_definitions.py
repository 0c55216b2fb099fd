"""Theorems by exhaustion, and what every set must do: nothing is drawn, all is counted.

A guarantee over exchangeable rows is a statement about every multiset of rows: of all
ways to deal them to calibration and test, enough must cover. Here the ways are few
enough to go through, with ties, crossing bands and models that fit nothing.
"""

import math
import warnings
from fractions import Fraction
from itertools import pairwise, permutations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.impute import SimpleImputer

from notebook_lib.covariates import (
    LCP,
    AllRows,
    AtMost,
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    Exact,
    ImputedSplitRegressor,
    NexCP,
    PerMaskRegressor,
    SameMask,
)
from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.outcomes import (
    binned_weighted_threshold,
    kth_order_threshold,
    naive_threshold,
    procp2_threshold,
    procp_threshold,
    weighted_threshold,
)
from notebook_lib.quantiles import conformal_quantile, weighted_conformal_quantile

LEVELS = [0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7]


class Odd(RegressorMixin, BaseEstimator):
    """Integer predictions that follow nothing; a band of changing width."""

    def __init__(self, quantile=0.5):
        self.quantile = quantile

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        X = np.asarray(X, dtype=float)
        centre = np.round(X @ ((np.arange(X.shape[1]) * 7 + 3) % 5 - 2))
        width = np.round(3 * np.abs(np.cos(3 * X).sum(axis=1)))
        return centre + np.sign(self.quantile - 0.5) * width / 2


def rows(rng, n, d=2, rate=0.4):
    X = rng.integers(-2, 3, (n, d)).astype(float)
    X[rng.random((n, d)) < rate] = np.nan
    return X, rng.integers(-5, 6, n).astype(float)


def trained(method, rng, d=2, **options):
    """A method with a fixed model: what it covers is a matter of calibration alone."""
    X, y = rows(rng, 12, d)
    X[0], X[1] = 1.0, -1.0
    return method(Odd(), imputer=SimpleImputer(), **options).fit(X, y)


def quiet(call, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args)


def covers(model, X, y):
    """Whether the set of each row holds its outcome, shape (n,)."""
    low, high = quiet(model.predict_interval, X)[1][:, :, 0].T
    return (low <= y) & (y <= high)


def star_covers(model, X, y):
    (union,) = quiet(model.predict_union, X)[1]
    return union.contains(y)


# ------------------------------------------------------------- theorems by exhaustion


@pytest.mark.parametrize("alpha", [*LEVELS, 1 / 3, 1 - 0.9, 0.99, 0.999])
def test_split_cp_covers_whichever_row_is_the_test_row(alpha):
    rng = np.random.default_rng(1)
    level = Fraction(alpha).limit_denominator(1000)
    for n in range(1, 25):
        for ties in (True, False):
            scores = rng.integers(0, 4, n + 1) if ties else rng.permutation(n + 1)
            hit = [
                scores[i] <= conformal_quantile(np.delete(scores, i), alpha)
                for i in range(n + 1)
            ]
            share = Fraction(sum(map(bool, hit)), n + 1)
            assert share >= 1 - level
            if not ties:
                assert share == Fraction(math.ceil((1 - level) * (n + 1)), n + 1)


@pytest.mark.parametrize("alpha", LEVELS)
def test_weighted_cp_covers_when_the_test_row_is_drawn_by_weight(alpha):
    rng = np.random.default_rng(2)
    for case in range(60):
        n = int(rng.integers(1, 9))
        scores = rng.integers(0, 4, n + 1).astype(float)
        extreme = 10.0 ** rng.integers(-300, 1, n + 1)
        weights = extreme if case % 2 else rng.random(n + 1)
        hit = 0.0
        for i in range(n + 1):
            rest = np.arange(n + 1) != i
            q = weighted_conformal_quantile(
                scores[rest], weights[rest], weights[[i]], alpha
            )[0]
            hit += weights[i] * (scores[i] <= q)
        assert hit / weights.sum() >= 1 - alpha - 1e-11


@pytest.mark.parametrize("score", ["absolute", "quantile"])
def test_nested_star_misses_no_more_than_the_lemma_allows(score):
    """Theorem 4.2: any exchangeable rows, outcomes that depend on masks included."""
    rng = np.random.default_rng(3)
    for case in range(12):
        n, alpha = int(rng.integers(4, 9)), float(rng.choice([0.2, 0.25, 0.3, 0.4]))
        X, y = rows(rng, n + 1)
        y += 20 * np.isnan(X[:, 0]) * (case % 2)
        star = trained(CPMDANestedStar, rng, alpha=alpha, score=score)
        missed = 0
        for i in range(n + 1):
            rest = np.arange(n + 1) != i
            quiet(star.conformalize, X[rest], y[rest])
            missed += int(not star_covers(star, X[[i]], y[[i]])[0])
        r = math.floor(Fraction(alpha).limit_denominator(100) * (n + 1))
        assert missed <= max(2 * r - 1, 0)


ONE_MINUS_ALPHA = [
    (CPMDAExact, {"score": "quantile"}),
    (CPMDAExact, {"score": "absolute"}),
    (PerMaskRegressor, {}),
    (NexCP, {"weights": "mask", "rho": 0.7}),
    (NexCP, {"weights": "equal"}),
    (LCP, {"h": 0.3}),
]


@pytest.mark.parametrize(("method", "options"), ONE_MINUS_ALPHA)
def test_mask_conditional_coverage_over_all_deals_of_the_rows(method, options):
    """Masks fixed, rows dealt to them in all ways: MCAR, given the masks."""
    rng = np.random.default_rng(4)
    full = rng.integers(-2, 3, (5, 2)).astype(float)
    y = rng.integers(-5, 6, 5).astype(float)
    masks = np.array([[0, 0], [0, 1], [0, 0], [0, 1], [0, 1]], dtype=bool)
    model = trained(method, rng, alpha=0.4, **options)
    hit = []
    for deal in permutations(range(5)):
        X = np.where(masks, np.nan, full[list(deal)])
        quiet(model.conformalize, X[:4], y[list(deal[:4])])
        hit.append(covers(model, X[4:], y[[deal[4]]])[0])
    assert 0.6 <= np.mean(hit) < 1


# -------------------------------------------------------------- what every set must do


SETS = [
    (ImputedSplitRegressor, {}),
    (CPMDAExact, {}),
    (CPMDANested, {}),
    (CPMDANestedStar, {}),
    (CPMDANestedStar, {"subsample": 1}),
    (PerMaskRegressor, {}),
    (NexCP, {"rho": 0.8}),
    (NexCP, {"weights": "mask", "rho": 0.8}),
]


@pytest.mark.parametrize(("method", "options"), SETS)
def test_sets_shrink_as_alpha_grows(method, options):
    rng = np.random.default_rng(5)
    model = quiet(lambda: trained(method, rng, d=3, alpha=LEVELS, **options))
    quiet(model.conformalize, *rows(rng, 25, 3))
    intervals = quiet(model.predict_interval, rows(rng, 20, 3)[0])[1]
    low, high = intervals[:, 0], intervals[:, 1]
    empty = low > high
    assert not (empty[:, :-1] & ~empty[:, 1:]).any()
    inside = (low[:, :-1] <= low[:, 1:]) & (high[:, 1:] <= high[:, :-1])
    assert (inside | empty[:, 1:]).all()


@pytest.mark.parametrize(("method", "options"), [*SETS[:6], SETS[7], (LCP, {})])
def test_the_order_of_calibration_rows_means_nothing(method, options):
    rng = np.random.default_rng(6)
    model = trained(method, rng, d=3, alpha=0.2, **options)
    X, y = rows(rng, 25, 3)
    X[3], y[3] = X[4], y[4]
    X_new = rows(rng, 20, 3)[0]
    order = rng.permutation(25)
    quiet(model.conformalize, X, y)
    one = quiet(model.predict_interval, X_new)[1]
    quiet(model.conformalize, X[order], y[order])
    np.testing.assert_array_equal(quiet(model.predict_interval, X_new)[1], one)


THRESHOLDS = [
    lambda s, b, t, a: naive_threshold(s, b, t, a),
    lambda s, b, t, a: procp_threshold(s, b, t, a),
    lambda s, b, t, a: procp_threshold(s, b, t, a, variant="one_rep"),
    lambda s, b, t, a: procp2_threshold(s, b, t, a),
    lambda s, b, t, a: procp2_threshold(s, b, t, a, variant="two_rep"),
    lambda s, b, t, a: kth_order_threshold(s, b, t, a, 3),
    lambda s, b, t, a: weighted_threshold(s, 0.3 + b / 9, 0.3 + t / 9, a),
    lambda s, b, t, a: binned_weighted_threshold(s, 0.3 + b / 9, 0.3 + t / 9, b, t, a),
]


@pytest.mark.parametrize("find", THRESHOLDS)
def test_thresholds_fall_with_alpha_scale_with_scores_and_ignore_order(find):
    rng = np.random.default_rng(7)
    for _ in range(20):
        n, m = int(rng.integers(1, 30)), int(rng.integers(1, 8))
        scores = rng.integers(0, 9, n).astype(float)
        bins, test_bins = rng.integers(0, 3, n), rng.integers(0, 3, m)
        all_levels = [quiet(find, scores, bins, test_bins, a) for a in LEVELS]
        assert all((b <= a).all() for a, b in pairwise(all_levels))
        order = rng.permutation(n)
        one = quiet(find, scores, bins, test_bins, 0.3)
        moved = quiet(find, scores[order], bins[order], test_bins, 0.3)
        np.testing.assert_array_equal(moved, one)
        np.testing.assert_array_equal(
            quiet(find, 2.0**50 * scores, bins, test_bins, 0.3), 2.0**50 * one
        )


# ------------------------------------------------------------------------- lone rows


@pytest.mark.parametrize("score", ["absolute", "quantile"])
@pytest.mark.parametrize("rule", ["exact", "same", 0, Exact(), SameMask(), AtMost(0)])
def test_a_call_that_keeps_no_calibration_row_at_all_gives_the_whole_line(rule, score):
    rng = np.random.default_rng(8)
    star = trained(CPMDANestedStar, rng, subsample=rule, score=score)
    X, y = rows(rng, 30)
    X[:, 0] = np.nan
    quiet(star.conformalize, X, y)
    lone = np.array([[0.0, 1.0]])
    with pytest.warns(InfiniteSetWarning, match="1 of 1") as caught:
        _, intervals = star.predict_interval(lone)
    assert len(caught) == 1
    assert intervals[0, :, 0].tolist() == [-np.inf, np.inf]
    (union,) = quiet(star.predict_union, lone)[1]
    assert (union.lower.tolist(), union.upper.tolist()) == ([-np.inf], [np.inf])
    star.set_params(shape="unstarred")
    assert np.isinf(quiet(star.predict_interval, lone)[1]).all()
    everyone = star.set_params(subsample=AllRows(), shape="set")
    assert np.isfinite(quiet(everyone.predict_interval, lone)[1]).all()


class OddBand(Odd):
    """Both ends at once, as a network predicts them."""

    def __init__(self, quantiles=(0.05, 0.95)):
        self.quantiles = quantiles

    def predict(self, X):
        return np.stack([Odd(q).predict(X) for q in self.quantiles], axis=1)


def test_the_model_that_was_passed_in_stays_as_it_was():
    X, y = rows(np.random.default_rng(9), 12)
    X[0], X[1] = 1.0, -1.0
    band = OddBand()
    method = CPMDAExact(band, imputer=SimpleImputer(), alpha=[0.2, 0.4]).fit(X, y)
    fitted = [model.predictors_[0].quantiles for model in method.models_]
    assert fitted == [(0.1, 0.9), (0.2, 0.8)]
    assert band.quantiles == (0.05, 0.95)
