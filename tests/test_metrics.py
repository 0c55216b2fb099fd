"""Coverage, length, and the laws of coverage."""

import numpy as np
import pytest

from notebook_lib import metrics


def test_estimates_know_their_error_and_their_text():
    estimate = metrics.coverage_estimate(np.array([True] * 9 + [False]))
    assert estimate == (0.9, pytest.approx(np.sqrt(0.09 / 10)), 10)
    assert str(estimate) == "0.900 (0.095)"
    mean = metrics.mean_estimate([1.0, 2.0, 3.0])
    assert mean == (2.0, pytest.approx(1 / np.sqrt(3)), 3)
    assert mean.within(2.1, 3.0, z=1)
    assert not mean.within(4.0, 5.0, z=3)


def test_estimates_of_nothing_are_nan():
    assert metrics.coverage_estimate(np.zeros(0, bool)).n == 0
    assert np.isnan(metrics.coverage_estimate(np.zeros(0, bool)).value)
    assert np.isnan(metrics.mean_estimate([]).value)
    assert np.isnan(metrics.mean_estimate([1.0]).mc_error)


def test_lengths_keep_infinite_sets_in_sight():
    got = metrics.length_summary([1.0, 3.0, np.inf, np.inf])
    assert got == {"mean_finite": 2.0, "median": np.inf, "share_infinite": 0.5}
    assert metrics.length_summary([np.inf, np.inf])["median"] == np.inf
    assert metrics.length_summary([1.0, 2.0, np.inf])["median"] == 2.0
    assert np.isnan(metrics.length_summary([])["share_infinite"])


def test_groups_and_masks_give_the_hand_count():
    covered = np.array([True, False, True, True])
    lengths = np.array([1.0, 3.0, np.inf, 2.0])
    frame = metrics.coverage_by_group(covered, ["b", "b", "a", "b"], lengths)
    assert frame.index.tolist() == ["a", "b"]
    assert frame.loc["b", "n"] == 3
    assert frame.loc["b", "coverage"] == pytest.approx(2 / 3)
    assert frame.loc["b", "mean_finite"] == 2
    assert frame.loc["a", "share_infinite"] == 1
    mask = np.array([[1, 0], [1, 0], [0, 0], [1, 1]], dtype=bool)
    by_mask = metrics.coverage_by_mask(covered, mask)
    assert by_mask.index.tolist() == ["00", "10", "11"]
    assert by_mask["n_missing"].tolist() == [0, 1, 2]
    assert by_mask["coverage"].tolist() == [1.0, 0.5, 1.0]


def test_laws_have_the_known_moments():
    law = metrics.coverage_law(99, 0.1)
    assert law.mean() == pytest.approx(0.9)
    assert metrics.coverage_law(100, 0.1).mean() == pytest.approx(91 / 101)
    counts = metrics.coverage_count_law(99, 0.1, 10)
    assert counts.mean() == pytest.approx(9.0)
    low, high = metrics.coverage_band(99, 0.1)
    assert law.cdf(high) - law.cdf(low) == pytest.approx(0.95)
    wide_low, wide_high = metrics.coverage_band(99, 0.1, n_test=50)
    assert wide_low <= low
    assert wide_high >= high


def test_bad_metrics_are_named():
    with pytest.raises(ValueError, match="covered"):
        metrics.coverage_estimate([1, 0, 1])
    with pytest.raises(ValueError, match="lengths differ"):
        metrics.coverage_by_group(np.array([True]), ["a", "b"])
    with pytest.raises(ValueError, match="n_cal=8 is too small"):
        metrics.coverage_law(8, 0.1)
    with pytest.raises(ValueError, match="alpha"):
        metrics.coverage_law(100, 1.0)
