"""The studies of chapter 5: stored rows can be made again, checks can fail."""

import numpy as np
import pytest

from notebook_lib import claims, studies
from notebook_lib.outcomes import (
    bin_interval,
    draw_setting,
    mass_at_infinity,
    odds_bins,
    procp_threshold,
    setting_propensity,
)
from notebook_lib.studies import missing_outcomes as ms
from notebook_lib.studies import outcome_checks as exact
from notebook_lib.studies import outcome_criteria as criteria
from notebook_lib.studies import outcome_facts as facts
from notebook_lib.studies import outcome_table as table_1
from notebook_lib.studies import outcome_verdicts as verdicts


@pytest.mark.parametrize("study", [ms.table1, ms.bins_study], ids=lambda s: s.name)
def test_first_replicates_are_the_first_stored_rows(study):
    stored, _ = studies.load(study.name)
    live = criteria.first_replicates(study, 2)
    stored = stored[stored["replicate"] < 2].reset_index(drop=True)
    assert list(live["method"]) == list(stored["method"])
    for name in ("coverage", "width"):
        if name in live:
            np.testing.assert_allclose(live[name], stored[name], rtol=5e-6)


def test_first_replicates_keep_the_wanted_scenarios():
    frame = criteria.first_replicates(ms.infinite, 1, setting=1, n_total=(60, 100))
    assert set(frame["n_total"]) == {60, 100}
    assert set(frame["setting"]) == {1}


def test_merged_checks_still_fail_where_one_fails():
    good = {"id": "procp-X1", "part": "a", "observed": 0.5, "expected": 0.5, "tol": 0.1}
    bad = good | {"part": "b", "observed": 0.7}
    (one,) = criteria.merge([good, good | {"part": "c", "observed": 0.45}])
    assert one["observed"].tolist() == [0.5, 0.45]
    claims.check(**one)
    (one,) = criteria.merge([good, bad])
    with pytest.raises(claims.ClaimFailed, match="procp-X1"):
        claims.check(**one)
    alone = criteria.merge([good, good | {"published": 0.5}, good | {"id": "procp-X2"}])
    assert len(alone) == 3


def test_arrangements_are_all_choices():
    pooled = [np.arange(4.0), np.arange(10.0, 13.0)]
    scores, bins, hidden, test_bins = exact.arrangements(pooled, [2, 1])
    assert scores.shape == (18, 4)
    assert hidden.shape == (18, 3)
    assert len({tuple(row) for row in hidden}) == 18
    np.testing.assert_array_equal(
        np.sort(np.hstack([scores, hidden]), axis=1),
        np.tile(np.sort(np.concatenate(pooled)), (18, 1)),
    )
    np.testing.assert_array_equal(np.bincount(bins), [2, 2])
    np.testing.assert_array_equal(np.bincount(test_bins), [2, 1])
    ordered = exact.arrangements(pooled, [2, 1], ordered=True)[2]
    assert len(ordered) == 36


def test_enumeration_sees_a_method_that_misses_too_much():
    def too_bold(scores, bins, test_bins, alpha):
        q = procp_threshold(scores, bins, test_bins, alpha)
        return np.where(np.isinf(q), scores.max(initial=0.0), q)

    rng = np.random.default_rng(0)
    assert exact.enumerated(too_bold, (0.1, 0.25), rng, 20).max() > 0.1
    assert exact.enumerated(procp_threshold, (0.1, 0.25), rng, 20).max() <= 1e-12


@pytest.mark.parametrize("rule", ["B", "B,A"])
def test_features_are_redrawn_inside_their_bins(rule):
    rng = np.random.default_rng(1)
    data = draw_setting(1, 400, rng)
    x = ms.redraw_in_bins(data.p, data.A, 0.1, rule, rng, 2000)
    again = odds_bins(setting_propensity(x.ravel(), 1).clip(1e-9), 0.1).reshape(x.shape)
    assert (np.abs(again - odds_bins(data.p, 0.1)) <= 1).all()
    assert (again == odds_bins(data.p, 0.1)).mean() > 0.999
    # Inside a bin the law tilts to large x for missing rows, if only slightly.
    low, high = bin_interval(odds_bins(data.p, 0.1), 0.1)
    left, right = (
        np.clip((0.9 - high) / 0.02, 0, 10),
        np.clip((0.9 - low) / 0.02, 0, 10),
    )
    place = (x.mean(axis=0) - left) / (right - left)
    tilt = place[~data.A].mean() - place[data.A].mean()
    assert (tilt > 0.004) == (rule == "B,A")
    assert -0.004 < tilt < 0.02


def test_greedy_cover_and_grid():
    step = np.log1p(0.1)
    assert exact.greedy_cover(0.1, 0, 31 * step - 1e-6) == 31
    assert exact.grid_bins(0.1, 0.4 * step, 31.4 * step) == 32


def test_published_values_are_read_as_printed():
    table = table_1.published_table1(claims.load_published("05"))
    row = table.query("setting == 1 and propensity == 'known' and method == 'pro-CP'")
    assert row[["reached", "width"]].to_numpy().tolist() == [[0.756, 24.61]]
    assert len(table) == 8


def test_widths_with_infinities_have_an_infinite_median_if_most_are():
    from notebook_lib.studies.outcome_trial import median_width

    half = np.array([[0.5, 1.0, np.inf]])
    assert median_width(np.zeros(3), half) == 2
    assert median_width(np.zeros(3), np.array([[0.5, np.inf, np.inf]])) == np.inf
    band = np.array([[0.0, 1.0], [0.0, 2.0]])
    assert median_width(band, np.array([[-5.0, 1.0]])) == 2  # empty set counts 0


def test_curves_are_compared_at_equal_coverage():
    one = np.array([0.7, 0.8, 0.9]), np.array([10.0, 12.0, 16.0])
    assert verdicts.curve_difference(one, one) == 0
    longer = one[0], one[1] * 1.05
    assert verdicts.curve_difference(longer, one) == pytest.approx(0.05)
    assert mass_at_infinity([0], []) == 0


def test_noise_is_allowed_live_and_not_at_paper_scale():
    one = criteria.criterion("procp-F9", "", 0.82, expected=0.8, tol=0.01, noise=0.01)
    claims.check(**criteria.merge([one])[0])
    with pytest.raises(claims.ClaimFailed, match="procp-F9"):
        claims.check(**criteria.merge([one], "paper")[0])


def test_tail_by_counts_is_the_tail_by_pairs():
    rng = np.random.default_rng(2)
    assert np.abs(exact.survival_gaps(rng, 40)).max() < 1e-10
    assert exact.survival_gains(rng, 40).min() >= -1e-12
    # Two calibration scores and a test row of one bin: pairs of distinct rows only
    # if the bin holds two test rows.
    scores, bins = np.array([1.0, 2.0]), np.zeros(2, int)
    counts, _ = exact.survival(scores, bins, np.zeros(1, int))
    np.testing.assert_allclose(counts, [2 / 3, 1 / 3])
    counts, _ = exact.survival(scores, bins, np.zeros(2, int))
    # W: hidden scores above, of 4 with 3 or 2 above; E[W^2] / 4
    np.testing.assert_allclose(counts, [2.5 / 4, (1 / 6 * 4 + 4 / 6) / 4])


def test_every_estimated_row_of_table_1_is_judged():
    frame, draws = (
        studies.load(f"missing-outcomes-{name}")[0]
        for name in ("table1", "training-draws")
    )
    published = claims.load_published("05")
    made = list(table_1.estimated(frame, draws, published))
    missed = [one for one in made if "why" in one]
    judged = [one for one in made if "published" in one]
    assert len(judged) == 8
    assert len(missed) == len(table_1.MISSED) == 4
    for one in criteria.merge(made, "paper"):
        (claims.differs if "why" in one else claims.check)(**one, scale="paper")
    # Were the miss mended, or another row missed, the call would raise.
    one = missed[0]
    with pytest.raises(claims.ClaimFailed, match="agrees"):
        claims.differs(**one | {"observed": one["published"] + 0.01})
    kept = next(one for one in judged if "why" not in one)
    with pytest.raises(claims.ClaimFailed):
        claims.check(**kept | {"observed": kept["published"] + 2})


def test_facts_need_the_papers_file(monkeypatch):
    import pandas as pd

    frame = pd.DataFrame({"treat": [1, 0]})
    monkeypatch.setattr(facts, "load_jobs", lambda: frame)
    with pytest.raises(ValueError, match="NOTEBOOK_LIB_DATA"):
        facts.replicate_facts({"rows": 1285}, np.random.default_rng(0))


def test_distance_in_bins_of_an_estimate_is_that_of_two_atoms():
    # Two rows in one bin, odds 1 and r: the worst score tells them apart.
    rng = np.random.default_rng(3)
    ratio, distance = exact.estimated_bins_ratio(0.1, 0.0, 20, rng, n_points=50)
    assert ratio.max() <= 1.1 + 1e-9
    assert 0 < distance.max() <= (np.sqrt(1.1) - 1) / (np.sqrt(1.1) + 1)
    np.testing.assert_allclose(exact.worst_two_atoms(0.1), 0.0238227, atol=1e-6)


def test_labels_that_are_off_by_one_bin_are_seen(monkeypatch):
    assert exact.bins_agree(0.1, np.random.default_rng(4), 2000).all()
    monkeypatch.setattr(exact, "odds_bins", lambda p, e: odds_bins(p, e) + 1)
    assert not exact.bins_agree(0.1, np.random.default_rng(4), 2000)[0]
    monkeypatch.setattr(exact, "odds_bins", lambda p, e: odds_bins(p, 2 * e))
    assert not exact.bins_agree(0.1, np.random.default_rng(4), 2000).any()


def test_a_rule_that_pools_wrongly_is_seen(monkeypatch):
    assert exact.pooled_edges(np.random.default_rng(5), 40).all()
    naive = exact.naive_threshold
    monkeypatch.setattr(
        exact, "procp_threshold", lambda s, b, t, a, **_: naive(s, b, t, a)
    )
    assert not exact.pooled_edges(np.random.default_rng(5), 40).all()
