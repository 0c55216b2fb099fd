"""The count behind Theorem 4.3 of chapter 4, for any masks that rows may have.

Its proof colours the pairs of rows so that each row meets each mask once, and bounds
how many rows can lose. Here the bound is held to all outcomes of small tournaments.
"""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest


def matchings(n):
    """Colour the pairs of an even number of points, by the circle method."""
    return [
        [(n - 1, r)]
        + [((r + k) % (n - 1), (r - k) % (n - 1)) for k in range(1, n // 2)]
        for r in range(n - 1)
    ]


@pytest.mark.parametrize("points", [2, 4, 6, 8])
def test_each_point_meets_each_colour_once(points):
    colours = matchings(points)
    pairs = [tuple(sorted(pair)) for colour in colours for pair in colour]
    assert len(set(pairs)) == len(pairs) == points * (points - 1) // 2
    for colour in colours:
        assert sorted(np.ravel(colour)) == list(range(points))


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_most_rows_that_can_lose_to_rows_compared_under_one_mask_each(kept):
    points = kept + 1 + (kept + 1) % 2  # one more row, and an idle colour, if even
    pairs = [pair for colour in matchings(points)[:kept] for pair in colour]
    losses = []
    for outcome in product((0, 1), repeat=len(pairs)):
        losers = [pair[who] for pair, who in zip(pairs, outcome, strict=True)]
        losses.append(np.bincount(losers, minlength=points))
    losses = np.array(losses)
    for twentieths in range(1, 20):
        alpha = Fraction(twentieths, 20)
        missed = losses * 20 >= (20 - twentieths) * (kept + 1)
        most, r = int(missed.sum(axis=1).max()), int(alpha * (kept + 1))
        assert most == min(points, max(2 * r - kept % 2, 0))
        assert Fraction(most, points) <= 2 * alpha
