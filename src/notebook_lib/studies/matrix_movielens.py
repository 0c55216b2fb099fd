"""The studies of chapter 2 on MovieLens 100K, fetched when they run.

Figures 1, 5, A9 and A17 of the paper, the exact-guarantee variant of its authors'
results, and the effective sample size under two estimates of the sampling weights.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from ..matrix import (
    AdditiveSamplingWeights,
    SamplingWeights,
    genre_test_weights,
    sample_test_groups,
    sample_without_replacement,
)
from .matrix_trial import SIZES, Trial, als, study
from .study import Study, grid

RATINGS = (1.0, 5.0)


@lru_cache(maxsize=1)
def movielens_submatrix() -> tuple[np.ndarray, pd.DataFrame]:
    """The 800 x 1000 sub-matrix of the paper's code, NaN where not rated.

    Returns
    -------
    M : ndarray, shape (800, 1000)
        Ratings of users x films.
    movies : DataFrame
        One row for each column of `M`.
    """
    from ..datasets import load_movielens_100k, load_movielens_100k_movies

    ratings, movies = load_movielens_100k(), load_movielens_100k_movies()
    rng = np.random.default_rng(2024)
    # The films are drawn first, as in the authors' code: the order matters.
    items = rng.choice(np.sort(ratings["item"].unique()), 1000, replace=False)
    users = rng.choice(np.sort(ratings["user"].unique()), 800, replace=False)
    wide = ratings.pivot(index="user", columns="item", values="rating")
    M = wide.reindex(index=users, columns=items).to_numpy(float)
    return M, movies.set_index("item").reindex(items)


@lru_cache(maxsize=4)
def movielens_weights(kind: str = "one-bit") -> np.ndarray:
    """Estimated sampling weights of the sub-matrix, from all its ratings."""
    seen = ~np.isnan(movielens_submatrix()[0])
    if kind == "additive":
        fit = AdditiveSamplingWeights(ridge=0.01, max_iter=200)
        return fit.fit(seen).weights()
    return SamplingWeights(5, nu=1.0, max_iter=30).fit(seen).weights()


def _als(rank):
    """Ten sweeps that solve users last: the authors' matrix has films in rows."""
    return als(rank, 10, first="columns")


def _eighty(rated, rng):
    """Uniform 80 % of the rated cells."""
    return sample_without_replacement(
        np.ones(rated.shape), int(0.8 * rated.sum()), rng, mask=rated
    )


def replicate_movielens_exact(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Rated cells are all the cells there are: the guarantee holds exactly."""
    M, _ = movielens_submatrix()
    rated = ~np.isnan(M)
    observed = _eighty(rated, rng)
    k = scenario["K"]
    fit = _als(scenario["rank"])
    trial = Trial(M, observed, k, fit, rng, n_groups=2000, universe=rated)
    tests = sample_test_groups(rated & ~observed, k, 100, rng)
    return trial.three(tests, bounds=RATINGS)


def replicate_movielens(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures 1, 5 and A17: estimated weights; groups missing and held out."""
    M, _ = movielens_submatrix()
    rated, k = ~np.isnan(M), scenario["K"]
    observed, w = _eighty(rated, rng), movielens_weights()
    trial = Trial(M, observed, k, _als(scenario["rank"]), rng, n_groups=2000)
    whole, cells = trial.calibration(w), trial.cells(w)
    rows = []
    for target, cells_of in (("hold-out", rated & ~observed), ("missing", ~observed)):
        tests = sample_test_groups(cells_of, k, 100, rng)
        options = dict(truth=target == "hold-out", bounds=RATINGS)
        found = [
            trial.row("SCMC", whole, tests, **options),
            *trial.baselines(cells, tests, **options),
        ]
        rows += [{"target": target, **row} for row in found]
    return rows


def replicate_genre(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure A9: regions for one genre, with and without its test weights."""
    M, movies = movielens_submatrix()
    rated, k = ~np.isnan(M), scenario["K"]
    observed, w = _eighty(rated, rng), movielens_weights()
    wstar = genre_test_weights(movies[scenario["genre"]], len(M))
    trial = Trial(M, observed, k, _als(3), rng, n_groups=2000)
    tests = sample_test_groups(~observed, k, 50, rng, test_weights=wstar)
    options = dict(truth=False, bounds=RATINGS)
    own = trial.row("SCMC", trial.calibration(w, wstar), tests, **options)
    plain = trial.row("SCMC (w* = 1)", trial.calibration(w), tests, **options)
    gap = own["width"] - plain["width"]
    return [own | {"gap": gap}, plain | {"gap": 0.0}]


def replicate_degenerate(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Trap E20: the effective sample size under a shrunken and a fitted estimate."""
    M, _ = movielens_submatrix()
    rated, k = ~np.isnan(M), scenario["K"]
    observed, w = _eighty(rated, rng), movielens_weights(scenario["estimate"])
    trial = Trial(M, observed, k, _als(3), rng, n_groups=2000)
    calibration, rows = trial.calibration(w), []
    for target, cells_of in (("hold-out", rated & ~observed), ("missing", ~observed)):
        tests = sample_test_groups(cells_of, k, 100, rng)
        options = dict(truth=target == "hold-out", bounds=RATINGS)
        row = trial.row("SCMC", calibration, tests, **options)
        rows.append({"target": target, "density": w.mean(), **row})
    return rows


def replicate_facts(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Counts of the data that the spec names, so that pages need not the data."""
    M, movies = movielens_submatrix()
    rated = ~np.isnan(M)
    facts = {
        "users": M.shape[0],
        "films": M.shape[1],
        "ratings": rated.sum(),
        "mean rating": np.nanmean(M),
        "films without ratings": (rated.sum(axis=0) == 0).sum(),
        "most ratings of a film": rated.sum(axis=0).max(),
        "fewest ratings of a user": rated.sum(axis=1).min(),
        "genres": movies.drop(columns="title").shape[1],
        "mean estimated w": movielens_weights().mean(),
        "mean estimated w (additive)": movielens_weights("additive").mean(),
    }
    return [{"measure": name, "value": float(value)} for name, value in facts.items()]


MOVIELENS_EXACT = study(
    "movielens-exact",
    grid(rank=[3, 5, 7], K=SIZES),
    replicate_movielens_exact,
    100,
    21,
    "MovieLens hold-out where the guarantee is exact (the authors' oracle_movielens)",
)
MOVIELENS = study(
    "movielens",
    grid(rank=[3, 5, 7], K=SIZES),
    replicate_movielens,
    100,
    22,
    "Figures 1, 5, A17: MovieLens with estimated sampling weights",
)
GENRE = study(
    "genre",
    grid(genre=["Children's", "Crime", "Drama", "Romance"], K=[2, 3, 4, 5]),
    replicate_genre,
    300,
    28,
    "Figure A9: regions for one genre",
)
FACTS = Study(
    name="matrix-movielens-facts",
    scenarios=[{}],
    replicate=replicate_facts,
    n_replicates=1,
    seed=34,
    description="Counts of the MovieLens sub-matrix, and the size of estimated w",
    document="Liang, Xie, Tong and Sesia (2024)",
)
DEGENERATE = study(
    "degenerate",
    grid(estimate=["one-bit", "additive"], K=[2, 5, 8]),
    replicate_degenerate,
    50,
    32,
    "How many groups carry weight on MovieLens, by the estimate of w",
)
