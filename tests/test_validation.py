"""The checks that all modules share: what they refuse, and what they say to do."""

from fractions import Fraction

import numpy as np
import pytest
from sklearn.impute import SimpleImputer

from notebook_lib import densities, mechanisms, metrics, params, quantiles
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
from notebook_lib.covariates.imputation import impute
from notebook_lib.covariates.subsample import AdaptiveAtMost, SameMask
from notebook_lib.latent.simulate import simplex_means
from notebook_lib.matrix import ConformalizationWeights, laplace_scale
from notebook_lib.matrix.scmc import one_level
from notebook_lib.outcomes import (
    KernelPropensity,
    MissingOutcomeConformal,
    PropensityModel,
    cell_levels,
    check_indicator,
    pac_threshold,
    procp_threshold,
    weighted_threshold,
)
from notebook_lib.studies import runner

SCORES, BINS = np.arange(4.0), np.zeros(4, dtype=int)
TABLE, FLAGS = np.arange(9.0)[:, None], np.arange(9) % 2
GAPS = np.array([[1.0, np.nan], [2.0, 3.0]])
SEEN = np.array([[True, False], [False, True], [False, False], [False, True]])


class Leaves(SimpleImputer):
    """An imputer that leaves the gaps as they are."""

    def transform(self, X):
        return X


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
    (
        lambda: impute(Leaves().fit(GAPS), GAPS, np.zeros(2)),
        "the imputer left NaN or infinities behind: use one that fills every gap",
    ),
    (
        lambda: pairs.check_masked(np.full((2, 2), np.inf), None, "X"),
        r"X holds 4 infinite values: replace them \(NaN means missing\)",
    ),
    (
        lambda: AdaptiveAtMost(0),
        "n_min must be an integer >= 1, got 0",
    ),
    (
        lambda: simplex_means(1, 1, 1.0),
        "n_classes must be at least 2, got 1",
    ),
    (
        lambda: one_level((0.1, 0.2)),
        "alpha holds 2 levels: give one alpha a call",
    ),
    (
        lambda: ConformalizationWeights(SEEN, [[[0, 0], [1, 0]]]),
        "groups must hold observed cells only: some are missing; take .* from struct",
    ),
    (
        lambda: MissingOutcomeConformal(positivity=1).fit(TABLE, np.arange(9.0)),
        r"positivity must lie in \[0, 1\), got 1",
    ),
    (
        lambda: check_indicator(np.ones((3, 1))),
        r"A must be one-dimensional, got shape \(3, 1\): give one 0 or 1 a row",
    ),
    (
        lambda: KernelPropensity("silverman").fit(TABLE, FLAGS),
        "bandwidth must be 'plug-in', 'leave-one-out' or a number, got 'silverman'",
    ),
    (
        lambda: KernelPropensity(0).fit(TABLE, FLAGS),
        "bandwidth must be above 0, got 0: give a finite number, 'plug-in'",
    ),
    (
        lambda: PropensityModel("logistic", clip=0.6).fit(TABLE, FLAGS),
        r"clip must lie in \(0, 0\.5\), got 0\.6",
    ),
    (
        lambda: PropensityModel(3).fit(TABLE, FLAGS),
        "model must be one of .*logistic.*, or a function of X, got 3",
    ),
    (
        lambda: procp_threshold(np.ones((1, 1, 4)), BINS, [0], 0.2),
        r"scores must have shape \(n,\) or \(R, n\), got \(1, 1, 4\): give one score",
    ),
    (
        lambda: procp_threshold(["a"] * 4, BINS, [0], 0.2),
        "scores must hold numbers only: drop the rest .*'a'",
    ),
    (params.choice, "options is empty: give the allowed values, such as choice"),
    (lambda: runner._tidy([]), "the replicate returned no rows: return at least one"),
    (
        lambda: runner._tidy({"replicate": 1}),
        "may not have a column named 'replicate': rename it",
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
