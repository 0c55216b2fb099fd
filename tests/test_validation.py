"""The checks that all modules share: what they refuse, and what they say to do."""

from fractions import Fraction

import numpy as np
import pytest

from notebook_lib import densities, mechanisms, metrics, quantiles
from notebook_lib._validation import (
    check_1d,
    check_2d,
    check_alpha,
    check_rate,
    check_rng,
    check_same_length,
)
from notebook_lib.covariates import localized, pairs
from notebook_lib.covariates.gaussian import GaussianLinear
from notebook_lib.covariates.subsample import SameMask
from notebook_lib.matrix import laplace_scale
from notebook_lib.outcomes import (
    cell_levels,
    pac_threshold,
    procp_threshold,
    weighted_threshold,
)

SCORES, BINS = np.arange(4.0), np.zeros(4, dtype=int)

#: What was given; the message, from the name of the argument to the way out.
REFUSED = [
    (lambda: check_alpha(()), "alpha is empty: give one level, such as alpha=0.1"),
    (
        lambda: check_alpha("0.1", name="level"),
        r"level must be a number in \(0, 1\), got '0\.1': give one such as level=0\.1",
    ),
    (lambda: check_alpha(90), r"alpha must lie .*, got 90.* alpha=0\.1 asks for 90 %"),
    (
        lambda: check_1d(np.ones((3, 1)), "y"),
        r"y must be one-dimensional, got shape \(3, 1\): give a flat list.*ravel",
    ),
    (lambda: check_1d(["a"], "y"), "y must hold numbers only: encode or drop .*'a'"),
    (lambda: check_1d([1, np.nan], "y"), "y holds 1 NaN of 2 values: drop or impute"),
    (
        lambda: check_1d([1, np.inf, np.inf], "y"),
        "y holds 2 infinite of 3 values: drop or replace them",
    ),
    (
        lambda: check_2d(np.ones(3), "X"),
        r"X must be two-dimensional \(rows, columns\), got shape \(3,\): "
        r"use reshape\(-1, 1\) for one column, reshape\(1, -1\) for one row",
    ),
    (lambda: check_2d([["a"]], "X"), "X must hold numbers only: encode or drop"),
    (
        lambda: check_same_length(X=[1, 2], y=[1]),
        r"lengths differ \(X: 2, y: 1\); give one entry a row in each",
    ),
    (lambda: check_rng(None), r"rng \(or random_state\) must be .*None: give a seed"),
    (lambda: check_rng(True), "got True: give a seed, such as 0"),
    (
        lambda: check_rate("all"),
        r"rate must be a number in \[0, 1\], got 'all': give one such as rate=0\.2",
    ),
    (
        lambda: check_rate(20, name="share"),
        r"share must lie in \[0, 1\], got 20: give a share such as share=0\.2",
    ),
]

#: The same of modules whose other tests do not come to these lines.
ELSEWHERE = [
    (
        lambda: laplace_scale([0.0, 1.0], 1.0),
        "observed_weights must be positive, got 0: leave out cells of weight 0",
    ),
    (
        lambda: localized.median_bandwidth(np.ones((1, 2)), [1.0, 1.0]),
        "X has 1 rows, and the median distance needs two: add rows, or give h",
    ),
    (
        lambda: pairs.PairPlan(
            np.zeros((2, 3), bool), np.zeros((2, 2), bool), SameMask()
        ),
        "M_cal has 3 columns and M_test 2: give both the same columns",
    ),
    (
        lambda: pairs.check_masked(np.ones(3), None, "X"),
        r"X must have shape \(n, d\), got \(3,\): use reshape\(-1, 1\)",
    ),
    (
        lambda: GaussianLinear([1.0, 2.0], 0.0, np.eye(3)),
        r"cov must have shape \(2, 2\), got \(3, 3\): give one row and one column",
    ),
    (
        lambda: densities.GaussianMixture1D([[1.0]], [[0.0]], 1.0).level_set(np.nan),
        "log_level must not be NaN, but 1 of 1 are: drop those rows",
    ),
    (
        lambda: quantiles.weighted_quantile(np.ones((1, 1, 1)), [1.0], 0.5),
        "must have one or two dimensions, got 3 and 1: give one distribution a row",
    ),
    (
        lambda: metrics.coverage_estimate(np.ones((3, 2), bool)),
        r"covered must be .* shape \(3, 2\): take one level at a time",
    ),
    (
        lambda: mechanisms.solve_intercept([], 0.5),
        "linear must hold finite numbers, at least one: drop NaN",
    ),
    (
        lambda: procp_threshold(SCORES, BINS, [0], (0.1, 0.2)),
        "alpha must be one level here, got 2: call once for each level",
    ),
    (
        lambda: pac_threshold(SCORES, BINS, [0], 0.2, (0.1, 0.2)),
        "delta must be one level here, got 2: call once",
    ),
    (
        lambda: pac_threshold(SCORES, BINS, [0], 0.2, 2),
        r"delta must lie in \(0, 1\), got 2; it bounds the chance .* delta=0\.1",
    ),
    (
        lambda: pac_threshold(np.ones((2, 4)), BINS, [0], 0.2, 0.1),
        r"scores must be one-dimensional here, got shape \(2, 4\): call once",
    ),
    (
        lambda: cell_levels([5, 5], 0.2, [0.1]),
        "allocation has 1 levels for 2 cells: give one level a cell",
    ),
    (
        lambda: cell_levels([5, 5], 0.2, [0.1, -0.1]),
        r"allocation must hold levels >= 0, got -0\.1: raise it to 0",
    ),
    (
        lambda: weighted_threshold(SCORES, np.full(4, np.nan), [0.5], 0.2),
        "propensity holds 4 NaN of 4 values: drop or impute",
    ),
    (
        lambda: weighted_threshold(SCORES, np.full(3, 0.5), [0.5], 0.2),
        "lengths differ .*: 4.*: 3.*; give one entry a row",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED + ELSEWHERE)
def test_a_refusal_names_the_argument_and_the_way_out(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)


def test_what_is_good_comes_back_as_numbers():
    assert check_alpha(0.1) == (0.1,)
    assert check_alpha([0.1, Fraction(1, 5)]) == (0.1, Fraction(1, 5))
    assert check_rate(1) == 1.0
    assert check_1d([1, 2], "y").dtype == float
    assert check_2d([[1, 2]], "X").shape == (1, 2)
    assert np.isinf(check_1d([np.inf], "scores", finite=False)).all()
    draws = [check_rng(seed).random() for seed in (3, np.int64(3))]
    assert draws[0] == draws[1] == np.random.default_rng(3).random()
