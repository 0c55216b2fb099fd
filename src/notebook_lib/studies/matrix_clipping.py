"""Why our widths on MovieLens are not the published ones: how an end is clipped.

The authors' code cuts the lower end at 1 from below and the upper end at 5 from above.
An interval that lies wholly outside 1 to 5 then has a negative width (erratum 2.E13).
Here the same regions are measured in both ways, for Figures 1 and A9.
"""

from __future__ import annotations

import numpy as np

from ..matrix import (
    clip_to_range,
    genre_test_weights,
    sample_test_groups,
    sample_without_replacement,
)
from .matrix_movielens import RATINGS, movielens_submatrix, movielens_weights
from .matrix_trial import ALPHA, Trial, als, study
from .study import grid


def widths(regions) -> dict[str, float]:
    """Mean width with both ends clipped to both bounds, and as the authors clip.

    Parameters
    ----------
    regions : GroupRegions
        Joint regions.

    Returns
    -------
    dict
        ``both ends``, ``one side``.
    """
    low, high = RATINGS
    lower, upper, _ = clip_to_range(regions.lower, regions.upper, low, high)
    one = np.minimum(regions.upper, high) - np.maximum(regions.lower, low)
    return {"both ends": (upper - lower).mean(), "one side": one.mean()}


def replicate_clipping(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure 1 (no genre) or A9: mean width, and its change by the genre's weights."""
    M, movies = movielens_submatrix()
    rated, w = ~np.isnan(M), movielens_weights()
    genre, k = scenario["genre"], scenario["K"]
    share = int(0.8 * rated.sum())
    observed = sample_without_replacement(np.ones(M.shape), share, rng, mask=rated)
    fit = als(scenario["rank"], 10, first="columns")
    trial = Trial(M, observed, k, fit, rng, n_groups=2000)
    wstar = None if genre == "none" else genre_test_weights(movies[genre], len(M))
    tests = sample_test_groups(~observed, k, 50, rng, test_weights=wstar)

    def measured(test_weights):
        calibration = trial.calibration(w, test_weights)
        return widths(calibration.regions(tests, ALPHA, infinite="max", warn=False))

    own = measured(wstar)
    plain = own if wstar is None else measured(None)
    return [
        {"method": "SCMC", "clip": clip, "width": own[clip]}
        | ({} if wstar is None else {"gap": own[clip] - plain[clip]})
        for clip in own
    ]


CLIPPING = study(
    "clipping",
    [
        *grid(genre=["none"], rank=[3, 5, 7], K=[2, 8]),
        *grid(genre=["Children's", "Crime", "Drama", "Romance"], rank=[3], K=[3, 4, 5]),
    ],
    replicate_clipping,
    30,
    39,
    "Figures 1 and A9 with widths clipped at both ends, and as the authors clip",
)
