"""Describing gaps and recommending a method: every branch, and the calibration."""

import re

import numpy as np
import pandas as pd
import pytest
import report_tables

from notebook_lib import guide, report
from notebook_lib.report import gaps as gaps_module


def described(**kw):
    table = report.read_table(report_tables.make(**kw), "y")
    return table, report.describe_gaps(table)


@pytest.mark.parametrize(
    ("x_gaps", "y_gaps", "case"),
    [
        (0, 0, "none"),
        (0.2, 0, "covariates"),
        (0, 0.3, "outcome"),
        (0.2, 0.3, "both"),
    ],
)
def test_case_and_counts(x_gaps, y_gaps, case):
    table, gaps = described(n=300, x_gaps=x_gaps, y_gaps=y_gaps)
    assert gaps.case == case
    assert gaps.summary["outcomes missing"] == (~table.observed).sum()
    assert gaps.masks["rows"].sum() == 300
    counted = gaps.columns.set_index("column")["missing"]
    assert counted.drop("y").sum() == table.X.isna().to_numpy().sum()
    full = table.observed & table.X.notna().all(axis=1)
    assert gaps.summary["rows without any gap"] == full.sum()


def test_rare_masks_are_added_up():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 5)), columns=list("abcde"))
    X = X.mask(rng.random(X.shape) < 0.4)
    masks = report.mask_table(X, n_masks=3)
    assert len(masks) == 4
    assert masks["rows"].sum() == 200
    assert masks["mask"].iloc[-1].endswith("other masks")
    inside = ~(X.isna() & ~X.isna().iloc[[0]].to_numpy()).any(axis=1)
    wide = report.mask_table(X, n_masks=32).set_index("mask")
    first = report.mask_names(X.isna()).iloc[0]
    assert wide.loc[first, "included"] == inside.sum()
    with pytest.raises(ValueError, match="n_masks"):
        report.mask_table(X, n_masks=0)


def test_dependence_is_seen():
    _, gaps = described(n=500, kind="mar")
    assert gaps.untenable == ["b"]
    assert "MCAR looks untenable for 'b'" in " ".join(gaps.notes)


def test_never_says_that_gaps_are_random():
    _, gaps = described(n=300)
    assert set(gaps.related["verdict"]) == {"no sign against MCAR"}
    assert "That is no proof" in " ".join(gaps.notes)
    _, gaps = described(n=300, y_gaps=0.3)
    assert "cannot be tested" in " ".join(gaps.notes)


@pytest.mark.statistical
def test_the_test_is_calibrated_with_dependent_masks():
    # Gaps that come together, as from a page not filled in, are no dependence on data.
    rng = np.random.default_rng(3)
    z = []
    for _ in range(200):
        X = pd.DataFrame(rng.exponential(size=(120, 3)), columns=list("abc"))
        page = rng.random(120) < 0.4
        X.loc[page & (rng.random(120) < 0.8), "b"] = np.nan
        masked = page & (rng.random(120) < 0.8)
        z.append(report.missingness_auc(X, masked, n_permutations=99, rng=rng)[2])
    z = np.array(z)
    assert np.isfinite(z).all()
    assert abs(z.mean()) < 2.81 / np.sqrt(200)
    assert 0.8 < z.std() < 1.25


def test_few_gaps_say_nothing():
    frame = report_tables.make(100, x_gaps=0)
    frame.loc[:4, "a"] = np.nan
    gaps = report.describe_gaps(report.read_table(frame, "y"))
    assert gaps.related["verdict"].tolist() == ["too few gaps to say"]


def test_permutation_keeps_the_strata():
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1], 50)
    masked = rng.random(100) < np.where(strata, 0.8, 0.1)
    out = gaps_module._permute(masked, strata, rng)
    assert (out != masked).any()
    assert out[:50].sum() == masked[:50].sum()
    assert out[50:].sum() == masked[50:].sum()


# ------------------------------------------------------------------- the choice


def test_nothing_missing_takes_split():
    table, gaps = described(n=200, x_gaps=0)
    assert report.recommend(table, gaps=gaps).method == "split"


def test_common_masks_take_exact_rare_ones_nested():
    table, gaps = described(n=600, x_gaps=0.2)
    choice = report.recommend(table, gaps=gaps)
    assert choice.method == "exact"
    assert set(choice.alternatives["key"]) == {
        "nested",
        "adaptive",
        "imputed",
        "per-mask",
    }
    table, gaps = described(n=100, x_gaps=0.6)
    assert report.recommend(table, gaps=gaps).method == "adaptive"


def test_dependent_gaps_take_the_method_that_needs_no_mcar():
    table, gaps = described(n=500, kind="mar")
    choice = report.recommend(table, gaps=gaps)
    assert choice.method == "nested"
    assert any("looks untenable for 'b'" in caution for caution in choice.cautions)
    assert "1 − 2α" in choice.guarantee


def test_missing_outcomes_take_weights_or_bins():
    table, gaps = described(n=300, x_gaps=0, y_gaps=0.3)
    assert report.recommend(table, gaps=gaps).method == "weighted"
    frame = report_tables.make(4000, x_gaps=0)
    frame.loc[np.random.default_rng(0).random(4000) < 0.3, "y"] = np.nan
    table = report.read_table(frame, "y")
    choice = report.recommend(table)
    assert choice.method == "pro-cp"
    assert "cannot be tested" in choice.assumption


def test_both_missing_says_what_is_not_promised():
    table, gaps = described(n=400, y_gaps=0.3)
    choice = report.recommend(table, gaps=gaps)
    assert choice.method == "weighted"
    assert any("nothing is promised for each mask" in c for c in choice.cautions)


def test_a_handful_of_missing_outcomes_are_set_aside():
    frame = report_tables.make(200)
    frame.loc[:3, "y"] = np.nan
    table = report.read_table(frame, "y")
    choice = report.recommend(table)
    assert choice.method in ("exact", "adaptive")
    assert any("4 outcomes are missing" in caution for caution in choice.cautions)


def ratings(n=80, d=20):
    rng = np.random.default_rng(0)
    X = rng.integers(1, 6, (n, d)).astype(float)
    X[rng.random(X.shape) < 0.7] = np.nan
    frame = pd.DataFrame(X, columns=[f"m{j}" for j in range(d)])
    return frame.assign(y=rng.normal(size=n))


def test_ratings_are_sent_to_chapter_2():
    table = report.read_table(ratings(), "y")
    gaps = report.describe_gaps(table)
    choice = report.recommend(table, gaps=gaps)
    assert (gaps.case, choice.method) == ("matrix", "matrix")
    assert "chapter 2" in choice.text()
    with pytest.raises(ValueError, match="StructuredConformalCompletion"):
        report.predict_gaps(table)
    row_wise = report.recommend(table, gaps=gaps, method="imputed")
    assert row_wise.method == "imputed"


@pytest.mark.parametrize(
    ("kw", "method", "told"),
    [
        ({"y_gaps": 0.3}, "exact", "covariates too"),
        ({"x_gaps": 0}, "nested", "nothing is missing"),
        ({}, "weighted", "'y' is complete"),
        ({}, "magic", "'auto' or one of exact"),
    ],
)
def test_a_method_that_does_not_apply_is_refused(kw, method, told):
    table, gaps = described(n=200, **kw)
    with pytest.raises(ValueError, match=told):
        report.recommend(table, gaps=gaps, method=method)


def test_labels_have_no_pro_cp():
    frame = report_tables.make(400, y_gaps=0.3)
    frame["y"] = (
        (frame["y"] > 0).map({True: "up", False: "down"}).where(frame["y"].notna())
    )
    table = report.read_table(frame, "y")
    assert report.recommend(table).method == "weighted"
    with pytest.raises(ValueError, match="labels are wanted"):
        report.recommend(table, method="pro-cp")


def test_text_is_markdown_that_names_all_parts():
    table, gaps = described(n=200)
    text = report.recommend(table, gaps=gaps).text()
    for part in ("* Why:", "* Guarantee:", "* Assumption:", "* Needs:", "* Careful:"):
        assert part in text


def test_every_method_is_told_in_full():
    for key, method in report.METHODS.items():
        assert all(map(str.strip, method[:6])), key
        assert set(method.cases) <= {"none", "covariates", "outcome", "both", "matrix"}


def test_the_guide_of_chapter_6_is_the_source_of_every_promise():
    told = {(entry.guarantee, f"{entry.in_full}.") for entry in guide.GUIDE}
    for key, method in report.METHODS.items():
        assert (method.short, method.guarantee) in told, key


@pytest.mark.parametrize("entry", guide.GUIDE, ids=lambda e: e.key)
def test_a_promise_in_full_has_the_level_of_the_short_one(entry):
    level = re.compile(r"1 − 2?α|α²|none")
    if entry.key == "pro-cp":  # the share covered, and in full the share missed
        assert entry.guarantee.endswith("1 − α − slack")
        assert "missed is at most α plus the slack" in entry.in_full
    else:
        assert level.search(entry.in_full)[0] == level.search(entry.guarantee)[0]


@pytest.mark.parametrize("entry", guide.GUIDE, ids=lambda e: e.key)
def test_a_promise_for_each_pattern_says_when_it_holds(entry):
    if entry.guarantee.startswith("for each pattern"):
        always = "whatever makes the gaps" in entry.in_full
        depends = "if gaps are independent of the data" in entry.in_full
        assert always or depends
        assert depends == entry.assumption.startswith("gaps are independent")
