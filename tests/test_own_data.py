"""The estimators on tables as people bring them: row labels, gaps, few rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array, csr_array

from notebook_lib import covariates
from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.matrix import ALS, StructuredConformalCompletion, synthetic_ratings
from notebook_lib.outcomes import (
    MissingOutcomeConformal,
    PositivityWarning,
    cross_intervals,
)


def survey(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    y = X["a"] + rng.normal(size=n)
    return X, y.where(rng.random(n) < 1 / (1 + np.exp(-1 - X["a"])))


def weighted(**kw):
    options = {"alpha": 0.3, "positivity": 0.0, **kw}
    return MissingOutcomeConformal(propensity="logistic", method="weighted", **options)


# ------------------------------------------------------------------ row labels


@pytest.mark.parametrize(
    "index",
    [
        np.repeat(np.arange(150), 2),
        np.zeros(300, dtype=int),
        [f"r{k}" for k in range(300)][::-1],
        pd.MultiIndex.from_product([range(3), range(100)]),
    ],
    ids=["twice", "one label", "text", "two levels"],
)
def test_crossed_intervals_keep_rows_and_labels(index):
    X, y = survey()
    plain = cross_intervals(weighted(), X, y)
    X.index = index
    found = cross_intervals(weighted(), X, y.to_numpy())
    assert found.index.equals(X.index[y.isna()])
    np.testing.assert_array_equal(found.to_numpy(), plain.to_numpy())


def test_crossing_takes_arrays_and_lists():
    X, y = survey()
    by_frame = cross_intervals(weighted(), X, y)
    by_list = cross_intervals(weighted(), X.to_numpy().tolist(), y.tolist())
    np.testing.assert_allclose(by_list.to_numpy(), by_frame.to_numpy(), rtol=1e-9)
    assert by_list.index.tolist() == np.flatnonzero(y.isna()).tolist()


@pytest.mark.parametrize(
    "call", [lambda X, y: cross_intervals(weighted(), X, y), covariates.mask_report]
)
def test_outcomes_in_another_order_than_their_rows_are_refused(call):
    X, y = survey()
    with pytest.raises(ValueError, match=r"y\.loc\[X\.index\]"):
        call(X, y.sample(frac=1, random_state=0))


def test_crossing_refuses_a_sparse_table():
    X, y = survey()
    with pytest.raises(TypeError, match="Sparse"):
        cross_intervals(weighted(), csr_array(X.to_numpy()), y)


# ------------------------------------------------------------------ warnings


def test_crossing_warns_once_of_each_kind_and_counts_all_parts():
    X, y = survey()
    model = weighted(alpha=0.002, positivity=0.9)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = cross_intervals(model, X, y, n_splits=3)
    infinite = int(np.isinf(found["upper"]).sum())
    told = {item.category: str(item.message) for item in caught}
    assert len(caught) == 2
    assert told[InfiniteSetWarning].startswith(f"{infinite} of {len(found)} pred")
    assert infinite > len(found) / 3
    assert "more like this" in told[PositivityWarning]
    assert all(item.filename == __file__ for item in caught)


def test_mask_report_warns_once():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    X[:2, 0] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        covariates.mask_report(X, rng.normal(size=40), n_repeats=8)
    assert ["have gaps here" in str(item.message) for item in caught] == [True]
    assert caught[0].filename == __file__


# ------------------------------------------------------------------ arguments


def test_too_few_rows_to_choose_a_penalty():
    X, _ = survey()
    few = pd.Series([1.0, np.nan] * 6)
    with pytest.raises(ValueError, match="propensity='logistic'"):
        cross_intervals(MissingOutcomeConformal(), X.iloc[:12], few)


@pytest.mark.parametrize(
    ("kw", "told"),
    [
        ({"n_repeats": 0}, "n_repeats must be"),
        ({"n_repeats": 2.5}, "n_repeats must be"),
        ({"shares": (0.5,)}, "shares must be two"),
        ({"shares": (0.9, 0.2)}, "shares must be two"),
        ({"shares": (0.5, 0.001)}, "rows, too few to train, calibrate and test"),
        ({"methods": [covariates.CPMDAExact()]}, "methods must be a dictionary"),
        ({"methods": {}}, "methods must be a dictionary"),
    ],
)
def test_mask_report_names_the_wrong_argument(kw, told):
    X, y = survey()
    with pytest.raises(ValueError, match=told):
        covariates.mask_report(X, y.fillna(0.0), **kw)


# ------------------------------------------------------------------ ratings


def ratings():
    data = synthetic_ratings(0)
    return np.where(data.observed, np.round(data.truth), np.nan)


def completed(M):
    model = StructuredConformalCompletion(ALS(3, max_sweeps=5), group_size=2)
    return model.fit(M).completed_


def test_a_table_of_ratings_of_any_dtype_is_the_same_matrix():
    M = ratings()
    frame = pd.DataFrame(M)
    for same in (frame, frame.astype("Int64"), np.where(np.isnan(M), None, M)):
        np.testing.assert_array_equal(completed(same), completed(M))


def test_a_long_table_becomes_a_matrix_by_pivot():
    M = ratings()
    rows, columns = np.nonzero(~np.isnan(M))
    known = {"user": rows, "item": columns, "rating": M[rows, columns]}
    long = pd.DataFrame(known).sample(frac=1, random_state=0)
    wide = long.pivot(index="user", columns="item", values="rating")
    np.testing.assert_array_equal(completed(wide), completed(M))
    with pytest.raises(ValueError, match=r"pivot\("):
        completed(long.astype({"user": str}).replace({"user": {"1": "Ann"}}))
    with pytest.raises(ValueError, match="write NaN"):
        completed(long)


def test_a_sparse_matrix_is_refused_with_the_way_out():
    M = ratings()
    S = coo_array(np.nan_to_num(M))
    with pytest.raises(ValueError, match="must not be sparse"):
        completed(S)
    filled = np.full(S.shape, np.nan)
    filled[S.nonzero()] = S.data
    np.testing.assert_array_equal(completed(filled), completed(M))
