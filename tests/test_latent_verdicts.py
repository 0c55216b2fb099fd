"""Criteria of chapter 1: they hold for the stored studies, and would fail if broken."""

import numpy as np
import pytest

from notebook_lib import claims, studies
from notebook_lib.studies import latent_verdicts as verdicts
from notebook_lib.studies.latent_live import gap_share, wide


@pytest.fixture(scope="module")
def stored():
    names = ("grid", "misspecified", "bins", "sample_sizes", "slopes")
    return {name: studies.load(f"latent_class_{name}")[0] for name in names}


def judge(checks):
    for one in checks:
        (claims.differs if "why" in one else claims.check)(**one, scale="paper")


def test_every_criterion_holds_at_paper_scale(stored):
    grid, sizes = stored["grid"], stored["sample_sizes"]
    judge(verdicts.oracle_limit(grid, grid))
    judge(verdicts.limits(grid, grid))
    judge(verdicts.slopes(stored["slopes"]))
    judge([verdicts.accuracy_misleads(shares(grid))])
    judge(verdicts.quality(grid))
    judge(verdicts.gaps(grid, grid))
    judge(verdicts.soft_against_regression(grid, grid))
    judge(verdicts.accuracy(grid))
    judge(verdicts.accuracy_between(grid))
    judge(verdicts.misspecified(stored["misspecified"], stored["misspecified"]))
    judge(verdicts.bins(stored["bins"]))
    judge(verdicts.sizes(sizes, sizes))
    judge([verdicts.far_limit(grid), verdicts.quality_corner(grid)])
    judge([verdicts.gap_rises(grid), verdicts.soft_wins(grid)])
    judge([verdicts.ridge_misleads(sizes)])


def shares(table):
    """Lengths between the oracle (0) and the class-blind baseline (1)."""
    mean, _ = wide(table, "length", alpha=0.1, sigma=0.5, em=["R", "-"])
    return gap_share(mean)


def moved(table, metric, by, **where):
    """The table with one metric of some rows moved."""
    rows = table["metric"] == metric
    for name, value in where.items():
        rows &= table[name] == value
    assert rows.any()
    return table.assign(mean=table["mean"] + by * rows)


def test_an_oracle_off_its_limit_fails(stored):
    grid = stored["grid"]
    where = {"method": verdicts.ORACLE, "sigma": 0.5, "separation": 2.0}
    with pytest.raises(claims.ClaimFailed, match="em-A2"):
        judge(verdicts.oracle_limit(moved(grid, "length", 0.1, **where), grid))
    few = grid.assign(n=2)
    (one,) = verdicts.oracle_limit(few, grid)
    assert (one["mc_error"] > 0).all(), "a live run does not know its own error"


def test_slopes_that_stay_away_fail(stored):
    worse = moved(stored["slopes"], "slope_error", 0.1, separation=6.0)
    with pytest.raises(claims.ClaimFailed, match="slopes at delta = 6"):
        judge(verdicts.slopes(worse))


def test_accuracy_that_always_helps_is_no_difference(stored):
    share = shares(stored["grid"]).clip(upper=1.0)
    with pytest.raises(claims.ClaimFailed, match="agrees"):
        judge([verdicts.accuracy_misleads(share)])


def test_between_weak_and_strong_effects_one_pipeline_alone_may_rise(stored):
    grid = stored["grid"]
    where = {"separation": 3.0, "beta": 1.0, "method": verdicts.DENSITY}
    with pytest.raises(claims.ClaimFailed, match="beta = 1, all other steps"):
        judge(verdicts.accuracy_between(moved(grid, "length", 1.0, **where)))
    where = {"separation": 1.0, "beta": 1.0, "method": verdicts.HARD, "sigma": 0.5}
    shorter = moved(grid, "length", -0.05, n_classes=2, **where)
    with pytest.raises(AssertionError, match="agrees"):
        judge(verdicts.accuracy_between(shorter))


def test_a_pipeline_that_uses_an_empty_class_fails(stored):
    grid = stored["grid"]
    where = {"beta": 0.0, "method": verdicts.HARD, "separation": 2.0}
    with pytest.raises(claims.ClaimFailed, match="beta = 0"):
        judge(verdicts.limits(moved(grid, "length", 0.1, **where), grid))


def test_a_pipeline_far_from_the_oracle_fails(stored):
    grid = stored["grid"]
    where = {"method": verdicts.SOFT, "separation": 6.0, "beta": 1.0}
    with pytest.raises(claims.ClaimFailed, match="delta = 6"):
        judge(verdicts.limits(moved(grid, "length", 0.5, **where), grid))


def test_accuracy_that_falls_fails(stored):
    worse = moved(stored["grid"], "accuracy", -0.2, separation=4.0, em="RX")
    with pytest.raises(claims.ClaimFailed, match="accuracy"):
        judge(verdicts.quality(worse))


def test_a_gap_that_rises_fails(stored):
    grid = stored["grid"]
    where = {"separation": 6.0, "beta": 1.0, "method": verdicts.DENSITY}
    with pytest.raises(claims.ClaimFailed, match="gap falls"):
        judge(verdicts.gaps(moved(grid, "gap", 0.5, **where), grid))


def test_a_mended_difference_fails(stored):
    grid = stored["grid"]
    where = {"separation": 1.0, "beta": 1.0, "n_classes": 2, "sigma": 0.5}
    shorter = moved(grid, "length", -1.0, method=verdicts.REGRESSION, **where)
    level = moved(grid, "gap", -100.0, separation=1.0, beta=2.0)
    one = verdicts.gap_rises(level)
    assert one["observed"] < 0, "the rise is gone: the number says so"
    assert verdicts.soft_wins(shorter)["observed"] < 0
    with pytest.raises(claims.ClaimFailed, match="agrees"):
        claims.differs(**verdicts.gap_rises(grid) | {"observed": 0.0})


def test_errors_of_few_replicates_are_read_off_the_stored_study(stored):
    grid = stored["grid"]
    few = grid.sample(50, random_state=0).assign(n=8, mc_error=np.nan, mean=0.0)
    known = verdicts.errors(few, grid)
    wanted = grid.loc[few.index, "mc_error"] * np.sqrt(200 / 8)
    np.testing.assert_allclose(known, wanted)
    unknown = few.assign(separation=7)
    assert np.isnan(verdicts.errors(unknown, grid)).all()
