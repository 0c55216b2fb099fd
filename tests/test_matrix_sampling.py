"""Samplers and the structured split against their laws."""

import itertools
from collections import Counter

import numpy as np
import pytest
from reference import matrix as reference
from scipy import stats

from notebook_lib.matrix import (
    default_calibration_size,
    max_calibration_groups,
    sample_test_groups,
    sample_without_replacement,
    structured_split,
)


def _chi2(counts, law, draws):
    """p-value of observed counts against a law over the same keys."""
    keys = list(law)
    expected = np.array([law[k] for k in keys]) * draws
    observed = np.array([counts[k] for k in keys])
    assert observed.sum() == draws, "an outcome of probability zero was drawn"
    return stats.chisquare(observed, expected * draws / expected.sum()).pvalue


@pytest.mark.statistical
def test_weighted_draws_follow_the_urn():
    w = np.array([[0.5, 1.0, 2.0], [0.2, 1.5, 0.8]])
    rng, draws = np.random.default_rng(0), 8000
    cells = list(itertools.product(range(2), range(3)))
    law = {
        c: reference.set_probability(c, w, w.sum())
        for c in itertools.combinations(cells, 3)
    }
    counts = Counter(
        tuple(map(tuple, np.argwhere(sample_without_replacement(w, 3, rng)).tolist()))
        for _ in range(draws)
    )
    assert _chi2(counts, law, draws) > 1e-3


@pytest.mark.statistical
def test_test_groups_follow_the_model_in_order():
    rng = np.random.default_rng(1)
    missing = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)
    wstar = rng.uniform(0.2, 2, missing.shape)
    wstar[0, 0] = 0.0
    law = reference.test_group_law(map(tuple, np.argwhere(missing)), 2, wstar)
    draws = 20_000
    groups = sample_test_groups(missing, 2, draws, rng, test_weights=wstar)
    counts = Counter(tuple(map(tuple, g)) for g in groups.tolist())
    assert (groups[..., 1] != 2).all(), "column 2 misses one cell only"
    assert _chi2(counts, law, draws) > 1e-3


@pytest.mark.statistical
def test_split_follows_algorithm_2():
    observed = np.zeros((5, 3), dtype=bool)
    observed[:5, 0] = observed[:2, 1] = observed[:4, 2] = True
    rng, draws = np.random.default_rng(2), 30_000
    law = Counter()
    cells = [tuple(x) for x in np.argwhere(observed).tolist()]
    for pruned, groups, p in reference.split_law(cells, 2, 2):
        law[pruned, groups] += p
    assert abs(sum(law.values()) - 1) < 1e-12
    counts = Counter()
    for _ in range(draws):
        split = structured_split(observed, 2, 2, rng)
        pruned = frozenset(map(tuple, np.argwhere(split.pruned).tolist()))
        groups = tuple(tuple(map(tuple, g)) for g in split.groups.tolist())
        counts[pruned, groups] += 1
    assert _chi2(counts, law, draws) > 1e-3


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_split_partitions_the_observed_cells(k):
    rng = np.random.default_rng(k)
    observed = rng.random((23, 17)) < 0.4
    n = default_calibration_size(observed, k)
    split = structured_split(observed, k, n, rng)
    in_groups = np.zeros_like(observed)
    in_groups[split.groups[..., 0], split.groups[..., 1]] = True
    assert in_groups.sum() == n * k
    assert not (in_groups & split.train).any()
    np.testing.assert_array_equal(in_groups | split.train, observed)
    assert (split.pruned <= split.train).all()
    np.testing.assert_array_equal(split.pruned.sum(0), observed.sum(0) % k)
    assert (split.groups[..., 1] == split.groups[:, :1, 1]).all()


def test_all_feasible_groups_can_be_taken():
    observed = np.random.default_rng(0).random((12, 6)) < 0.6
    n = max_calibration_groups(observed, 2)
    split = structured_split(observed, 2, n, 1)
    np.testing.assert_array_equal(split.train, split.pruned)


def test_default_size():
    observed = np.ones((10, 4), dtype=bool)
    assert max_calibration_groups(observed, 3) == 12
    assert default_calibration_size(observed, 3) == 6
    assert default_calibration_size(observed, 3, 4) == 4
    assert default_calibration_size(observed[:3, :1], 3) == 1


def test_same_seed_same_draw_and_mask_is_respected():
    w = np.ones((6, 6))
    mask = np.eye(6, dtype=bool)
    a, b = (sample_without_replacement(w, 4, 7, mask=mask) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert (a <= mask).all()
    with pytest.raises(ValueError, match="possible 6"):
        sample_without_replacement(w, 7, 7, mask=mask)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_weights_must_be_finite_and_not_negative(bad):
    w = np.ones((3, 3))
    w[1, 1] = bad
    with pytest.raises(ValueError, match="finite and >= 0"):
        sample_without_replacement(w, 2, 0)
    with pytest.raises(ValueError, match="test_weights"):
        sample_test_groups(np.ones((3, 3), bool), 2, 1, 0, test_weights=w)


def test_no_column_with_enough_missing_cells():
    with pytest.raises(ValueError, match="no column has 3 missing"):
        sample_test_groups(np.ones((2, 5), bool), 3, 1, 0)


@pytest.mark.parametrize(
    ("k", "n", "word"),
    [(7, 1, "xi_obs = 0"), (2, 99, "xi_obs = 9"), (2, 0, ">= 1"), (1.5, 1, "whole")],
)
def test_split_refuses_what_is_not_feasible(k, n, word):
    with pytest.raises(ValueError, match=word):
        structured_split(np.ones((6, 3), bool), k, n, 0)
