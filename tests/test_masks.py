"""Masks and missingness mechanisms."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reference import core as naive
from scipy.special import ndtri

from notebook_lib import masks, mechanisms

MASK = hnp.arrays(
    bool, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.booleans()
)


def test_missing_entries_of_any_kind_are_seen():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None], "c": [pd.NA, 3]})
    want = [[False, False, True], [True, True, False]]
    assert masks.missing_mask(frame).tolist() == want
    assert masks.missing_mask(frame.to_numpy(dtype=object)).tolist() == want
    with pytest.raises(ValueError, match=r"shape \(n, d\)"):
        masks.missing_mask([1.0, np.nan])


def test_hide_copies_and_hides_only_what_it_must():
    X = np.arange(6.0).reshape(2, 3)
    hidden = masks.hide(X, np.array([True, False, False]))
    assert np.isnan(hidden[:, 0]).all()
    assert (hidden[:, 1:] == X[:, 1:]).all()
    assert not np.isnan(X).any()
    assert np.isnan(masks.hide(X, [1, 0, 0])[:, 0]).all()


@given(mask=MASK)
def test_codes_say_equality_inclusion_and_union(mask):
    codes = masks.encode_masks(mask)
    for i, a in enumerate(mask):
        for j, b in enumerate(mask):
            assert (codes[i] == codes[j]) == (a == b).all()
            inside = naive.is_submask(a, b)
            assert (codes[i] & ~codes[j] == 0) == inside
            assert masks.is_submask(a, b) == inside
            assert codes[i] | codes[j] == masks.encode_masks((a | b)[None])[0]


@given(mask=MASK)
def test_wide_masks_are_told_apart_as_narrow_ones(mask):
    wide = np.concatenate([np.zeros((len(mask), 70), bool), mask], axis=1)
    narrow, codes = masks.encode_masks(mask), masks.encode_masks(wide)
    assert ((codes[:, None] == codes) == (narrow[:, None] == narrow)).all()
    assert (masks.group_masks(wide).labels == masks.group_masks(mask).labels).all()


@given(mask=MASK, seed=st.integers(0, 99))
def test_groups_rebuild_the_mask_and_ignore_row_order(mask, seed):
    groups = masks.group_masks(mask)
    assert (groups.patterns[groups.labels] == mask).all()
    assert (np.bincount(groups.labels) == groups.counts).all()
    assert (np.diff(groups.patterns.sum(axis=1)) >= 0).all()
    shuffled = np.random.default_rng(seed).permutation(len(mask))
    assert (masks.group_masks(mask[shuffled]).patterns == groups.patterns).all()


def test_labels_and_all_masks():
    assert [masks.mask_label(m) for m in masks.all_masks(2)] == ["00", "01", "10", "11"]
    assert len(np.unique(masks.encode_masks(masks.all_masks(6)))) == 64
    with pytest.raises(ValueError, match="d must lie"):
        masks.all_masks(21)


@pytest.mark.parametrize("bad", [[[0, 2]], [["a", "b"]], [0, 1], [[0.5, 1]]])
def test_masks_that_are_no_masks_are_refused(bad):
    with pytest.raises(ValueError, match="mask"):
        masks.encode_masks(bad)


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20_000, 4)) * [1, 2, 3, 4] + [0, 5, 0, -5]


MECHANISMS = {
    "mcar": mechanisms.MCAR(0.2, columns=[0, 2]),
    "mar": mechanisms.MAR(0.2, observed=[1, 3], slope=2.0),
    "mar-weights": mechanisms.MAR(0.2, [1, 3], weights=[[1.0, 0.0], [0.0, 1.0]]),
    "self": mechanisms.SelfMasked(0.2, [0, 2]),
    "self-logit": mechanisms.SelfMasked(0.2, [0, 2], slope=[1.0, -1.0], link="logit"),
    "upper": mechanisms.QuantileCensored(0.2, [0, 2], share=0.25),
    "lower": mechanisms.QuantileCensored(0.2, [0, 2], share=0.5, tail="lower"),
    "both": mechanisms.QuantileCensored(0.2, [0, 2], share=0.4, tail="both"),
}


@pytest.mark.parametrize("name", MECHANISMS)
def test_mechanisms_solve_the_wanted_rate(name, pool):
    mechanism = MECHANISMS[name].fit(pool)
    p = mechanism.probability(pool)
    assert p.mean(axis=0) == pytest.approx([0.2, 0, 0.2, 0], abs=2e-4)
    assert (p >= 0).all()
    assert (p <= 1).all()
    mask = mechanism.sample(pool, np.random.default_rng(1))
    assert not mask[:, [1, 3]].any()
    # Binomial error .0028: four of them.
    assert mask.mean(axis=0)[[0, 2]] == pytest.approx([0.2, 0.2], abs=0.0115)
    assert (mask == mechanism.sample(pool, np.random.default_rng(1))).all()


def test_pattern_probabilities_add_up_to_one(pool):
    mechanism = MECHANISMS["mar"].fit(pool)
    total = sum(mechanism.pattern_probability(pool[:50], m) for m in masks.all_masks(4))
    np.testing.assert_allclose(total, 1)


def test_mar_looks_only_at_observed_columns_and_mnar_only_at_its_own(pool):
    rows, other = pool[:30], pool[:30].copy()
    other[:, [0, 2]] += 7
    mar = MECHANISMS["mar"].fit(pool)
    assert (mar.probability(rows) == mar.probability(other)).all()
    other = rows.copy()
    other[:, [1, 3]] += 7
    own = MECHANISMS["self"].fit(pool)
    assert (own.probability(rows) == own.probability(other)).all()
    upper = MECHANISMS["upper"].fit(pool)
    highest = upper.probability(pool)[:, 0] > 0
    assert pool[highest, 0].min() > pool[~highest, 0].max()
    assert highest.mean() == pytest.approx(0.25, abs=1e-3)


def test_mar_slope_is_the_spread_of_the_linear_predictor(pool):
    p = mechanisms.MAR(0.2, observed=[1, 3], slope=2.0).fit(pool).probability(pool)
    logit = np.log(p[:, 0] / (1 - p[:, 0]))
    assert logit.std() == pytest.approx(2.0, rel=1e-6)


def test_intercepts_known_in_closed_form():
    # Probit with slope .5 on a standard normal: 20 % at -0.94096 (spec 03, 2.11).
    grid = (np.arange(100_000) + 0.5) / 100_000

    got = mechanisms.solve_intercept(0.5 * ndtri(grid), 0.2, "probit")
    assert got == pytest.approx(np.sqrt(1.25) * ndtri(0.2), abs=1e-4)
    logit = [mechanisms.solve_intercept(b * ndtri(grid), 0.2) for b in (0.5, 1, 2, 3)]
    assert logit == pytest.approx([-1.4585, -1.6497, -2.2285, -2.9293], abs=1e-3)


def test_bad_mechanisms_are_named(pool):
    with pytest.raises(ValueError, match="rate"):
        mechanisms.MCAR(1.2)
    with pytest.raises(ValueError, match="rate"):
        mechanisms.MCAR(True)
    with pytest.raises(ValueError, match="candidates"):
        mechanisms.QuantileCensored(0.3, share=0.2)
    with pytest.raises(ValueError, match="tail"):
        mechanisms.QuantileCensored(0.1, tail="left")
    with pytest.raises(ValueError, match="overlap"):
        mechanisms.MAR(0.2, observed=[0], columns=[0]).fit(pool)
    with pytest.raises(ValueError, match="columns"):
        mechanisms.MCAR(0.2, columns=[9]).fit(pool)
    with pytest.raises(ValueError, match="link"):
        mechanisms.SelfMasked(0.2, link="loglog").fit(pool)
    with pytest.raises(ValueError, match="not fitted"):
        mechanisms.MCAR(0.2).probability(pool)
    with pytest.raises(ValueError, match="X has 2 columns"):
        mechanisms.MCAR(0.2).fit(pool).probability(pool[:, :2])
    with pytest.raises(ValueError, match="rng"):
        mechanisms.MCAR(0.2).fit(pool).sample(pool, None)
    with pytest.raises(ValueError, match="NaN"):
        mechanisms.MCAR(0.2).fit([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="rate must lie strictly"):
        mechanisms.solve_intercept([0.0], 1.0)
    with pytest.raises(ValueError, match="link must"):
        mechanisms.solve_intercept([0.0], 0.5, "cauchit")
