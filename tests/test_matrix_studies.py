"""The studies of chapter 2 and what the chapter shows of them, at tiny size."""

import numpy as np
import pandas as pd
import pytest

from notebook_lib.matrix import GroupRegions
from notebook_lib.studies import matrix_clipping as clipping
from notebook_lib.studies import matrix_completion as studies
from notebook_lib.studies import matrix_live as show
from notebook_lib.studies import matrix_movielens as movielens
from notebook_lib.studies import matrix_parts as parts
from notebook_lib.studies import matrix_robustness as robust
from notebook_lib.studies import matrix_theory as theory
from notebook_lib.studies import matrix_trial as trial

TINY = [
    (studies.replicate_uniform, {"mu": 9, "K": 2, "rank": 2, "sweeps": 2}, 3),
    (studies.replicate_sparse, {"s": 0.2, "K": 2, "sweeps": 2, "size": 60}, 4),
    (robust.replicate_slab, {"delta": 0.2, "K": 2, "sweeps": 2}, 2),
    (
        robust.replicate_completion,
        {"s": 0.14, "completion": "ALS", "K": 2, "size": 60},
        3,
    ),
    (
        robust.replicate_estimated,
        {"s": 0.2, "K": 2, "nu": 1.0, "size": 40},
        6,
    ),
    (studies.replicate_theorem, {"matrix_seed": 1}, 4),
    (show.replicate_default_ratings, {"rank": 2, "K": 2, "data_seed": 1}, 3),
]


def _key(row):
    return row["method"], row.get("rho")


@pytest.mark.parametrize(("replicate", "scenario", "n_rows"), TINY)
def test_replicates_return_tidy_rows_that_follow_the_seed(replicate, scenario, n_rows):
    first, again = (replicate(scenario, np.random.default_rng(5)) for _ in range(2))
    assert first == again
    assert len(first) == n_rows == len({_key(row) for row in first})
    for row in first:
        assert 0 <= row["coverage"] <= 1
        if "width" in row:
            assert np.isfinite(row["width"])
            assert row["width"] > 0


def test_one_large_weight_shows_in_the_largest():
    rows = studies.replicate_max_weight({"K": 2, "n_cal": 50}, np.random.default_rng(0))
    assert all(1 / 51 <= row["max_p"] <= 1 for row in rows)


def test_summary_counts_replicates_and_keeps_scenarios():
    frame = pd.DataFrame(
        {
            "scenario": [0, 0, 1],
            "K": [2, 2, 3],
            "replicate": [0, 1, 0],
            "method": "SCMC",
            "coverage": [0.8, 1.0, 0.9],
            "error": ["", "", ""],
        }
    )
    table = trial.summarise(frame)
    assert table["n"].tolist() == [2, 1]
    np.testing.assert_allclose(table["mean"], 0.9)
    np.testing.assert_allclose(table["mc_error"].iloc[0], 0.1)


@pytest.mark.parametrize(
    ("table", "cells"), [("Fig1", 63), ("Fig5", 126), ("exact", 126), ("FigA9", 140)]
)
def test_published_values_are_read_in_the_names_of_the_book(table, cells):
    frame = show.published(table)
    assert len(frame) == cells
    assert set(frame["method"]) <= set(show.PUBLISHED_NAMES.values())
    assert frame["published"].notna().all()
    assert (frame["published_error"] > 0).all()


def test_film_night_groups_are_unseen_and_share_the_friends():
    _, seen, _, titles = show.film_ratings("synthetic", 3)
    groups = show.film_night_groups(seen, 4, np.random.default_rng(0))
    assert groups.shape[1:] == (4, 2)
    assert not seen[groups[..., 0], groups[..., 1]].any()
    assert (groups[:, :, 0] == groups[:1, :, 0]).all()
    assert len(titles) == seen.shape[1]


def test_lemma_a6_is_the_law_of_the_loop():
    law = parts.split_law_check(np.random.default_rng(0), draws=50)
    assert law["lemma A6"] < 1e-15
    assert abs(law["total"] - 1) < 1e-12
    assert law["asymmetry"] < 1e-15


def test_exact_coverage_of_wrong_weights_keeps_the_bound_of_theorem_3():
    rng = np.random.default_rng(3)
    wrong = theory.conditional_coverage((4, 2, 4, 2, 1), 0.4, rng, wrong=True)
    assert wrong["slack"] >= -1e-12
    assert wrong["distance"] > 0.05
    assert wrong["events"] == 28


def test_movielens_submatrix_is_the_one_of_the_authors():
    try:
        M, movies = movielens.movielens_submatrix()
    except Exception as reason:  # no network, no data: say so and go on
        pytest.skip(f"MovieLens 100K cannot be had here: {reason}")
    seen = ~np.isnan(M)
    assert M.shape == (800, 1000)
    assert seen.sum() == 51_449
    assert (seen.sum(axis=0) == 0).sum() == 6
    assert len(movies) == 1000


def test_widths_clipped_on_one_side_are_negative_outside_the_range():
    lower = np.array([[7.0, 2.0], [0.0, 3.0]])  # the first lies wholly above 5
    upper = np.array([[11.0, 4.0], [2.0, 9.0]])
    nothing = np.zeros(2)
    regions = GroupRegions(lower, lower, upper, nothing, nothing, nothing, None)
    found = clipping.widths(regions)
    np.testing.assert_allclose(found["both ends"], (0 + 2 + 1 + 2) / 4)
    np.testing.assert_allclose(found["one side"], (-2 + 2 + 1 + 2) / 4)


def test_clipping_is_measured_on_the_same_regions(monkeypatch):
    ratings = show.synthetic_ratings(0, n_users=60, n_films=40, n_ratings=1200)
    M = np.where(ratings.observed, ratings.truth, np.nan)
    flags = pd.DataFrame({"Crime": np.arange(40) % 2 == 0})
    w = ratings.observation_weights
    monkeypatch.setattr(clipping, "movielens_submatrix", lambda: (M, flags))
    monkeypatch.setattr(clipping, "movielens_weights", lambda: w)
    for genre, columns in (("none", {"width"}), ("Crime", {"width", "gap"})):
        scenario = {"genre": genre, "rank": 2, "K": 2}
        rows, again = (
            clipping.replicate_clipping(scenario, np.random.default_rng(1))
            for _ in range(2)
        )
        assert rows == again
        assert [row["clip"] for row in rows] == ["both ends", "one side"]
        assert all(set(row) == {"method", "clip"} | columns for row in rows)
        assert rows[1]["width"] <= rows[0]["width"]
        assert rows[0]["width"] >= 0


def test_broken_promises_are_broken_and_kept_ones_kept():
    table = show.broken_promises(np.random.default_rng(3), n_replicates=16)
    assert table.index.tolist() == show.PROMISES
    low, high = table["coverage"].iloc[[1, 4]], table["coverage"].iloc[[0, 2, 3]]
    allowed = 3 * table["MC error"]
    assert (low + allowed.iloc[[1, 4]] < 0.9).all()
    assert (high + allowed.iloc[[0, 2, 3]] > 0.9).all()
    assert np.isinf(table["median width"].iloc[3])
    assert table["median width"].iloc[2] > table["median width"].iloc[1]
