"""The studies of chapter 2: structured conformal inference for matrix completion.

Each replicate draws its data, calibrates once for groups and once for single cells
(the two baselines share that fit), and returns one row for each method: the share of
test groups covered, the mean width, the share of groups whose level demands an
infinite region, and the median effective sample size. As in the paper's figures an
infinite threshold is replaced by the largest score, so that mean widths exist.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pandas as pd

from ..matrix import (
    ALS,
    SVT,
    AdditiveSamplingWeights,
    Calibration,
    ColumnMean,
    ConformalizationWeights,
    NuclearNorm,
    SamplingWeights,
    clip_to_range,
    column_effect_matrix,
    completed,
    default_calibration_size,
    genre_test_weights,
    low_rank_matrix,
    sample_test_groups,
    sample_without_replacement,
    sparse_column_weights,
    structured_split,
    worst_slab_test_weights,
)
from .study import Study, grid

ALPHA = 0.1
SIZES = [2, 3, 4, 5, 6, 7, 8]
RATINGS = (1.0, 5.0)
METRICS = ("coverage", "width", "share_infinite", "effective_size")


# ------------------------------------------------------------------ one comparison


class Trial:
    """One matrix, one mask, one group size; calibrates what is asked for.

    Parameters
    ----------
    M : ndarray, shape (n_rows, n_cols)
        Values.
    observed : ndarray of bool, shape (n_rows, n_cols)
        Observed cells.
    group_size : int
        ``K``.
    completion : callable
        ``completion(seed)`` makes a completion object.
    rng : numpy.random.Generator
        Source of randomness.
    n_groups : int
        Cap of the rule ``min(n_groups, xi_obs // 2)``.
    universe : ndarray of bool, optional
        Cells that exist at all.
    """

    def __init__(
        self, M, observed, group_size, completion, rng, *, n_groups, universe=None
    ):
        self.M, self.observed, self.universe = M, observed, universe
        self.group_size, self.rng = group_size, rng
        self.n = default_calibration_size(observed, group_size, n_groups)
        self._fit = completion
        self.groups, self.fitted, self.train, self.method = self.split(group_size)

    def split(self, size):
        """Structured split and completion for groups of this size, equal training."""
        n = self.n * self.group_size // size
        split = structured_split(self.observed, size, n, self.rng)
        method = self._fit(int(self.rng.integers(2**31)))
        with warnings.catch_warnings():  # empty columns and SVT's trouble are known
            warnings.simplefilter("ignore")
            fitted = completed(method, self.M, split.train)
        return split.groups, fitted, split.train, method

    def calibration(self, w=None, wstar=None):
        """SCMC with these weights."""
        return self._calibration(self.groups, self.fitted, w, wstar)

    def cells(self, w=None, wstar=None):
        """Groups of one cell, for the baselines."""
        groups, fitted, _, _ = self.split(1)
        return self._calibration(groups, fitted, w, wstar)

    def _calibration(self, groups, fitted, w, wstar):
        return Calibration.from_groups(
            self.M, self.observed, groups, fitted, w, wstar, universe=self.universe
        )

    def row(self, method, calibration, tests, **options):
        """Row of SCMC with this calibration."""
        regions = calibration.regions(tests, ALPHA, infinite="max", warn=False)
        return self._measure(method, regions, tests, **options)

    def baselines(self, cells, tests, **options):
        """Rows of Bonferroni and of the unadjusted intervals, from one calibration."""
        levels = [ALPHA / self.group_size, ALPHA]
        found = cells.cell_regions(tests, levels, infinite="max", warn=False)
        names = ("Bonferroni", "unadjusted")
        return [
            self._measure(name, regions, tests, **options)
            for name, regions in zip(names, found, strict=True)
        ]

    def _measure(self, method, regions, tests, *, truth=True, bounds=None):
        width = regions.width()
        if bounds is not None:
            lower, upper, _ = clip_to_range(regions.lower, regions.upper, *bounds)
            width = upper - lower
        values = self.M[tests[..., 0], tests[..., 1]]
        return {
            "method": method,
            "coverage": regions.covers(values).mean() if truth else np.nan,
            "width": width.mean(),
            "share_infinite": regions.is_infinite.mean(),
            "effective_size": np.median(regions.effective_size),
            "n_groups": self.n,
        }

    def three(self, tests, w=None, wstar=None, **options):
        """SCMC, Bonferroni and unadjusted."""
        own = self.row("SCMC", self.calibration(w, wstar), tests, **options)
        return [own, *self.baselines(self.cells(w, wstar), tests, **options)]


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean, Monte-Carlo error and median over replicates of each measure."""
    good = frame[frame["error"] == ""]
    by = [
        name
        for name in frame.columns
        if name not in {"replicate", "error", "n_groups", *METRICS, *EXTRA}
    ]
    values = [name for name in (*METRICS, *EXTRA) if name in frame]
    long = good.melt(by, values, "metric", "value").dropna(subset="value")
    groups = long.groupby([*by, "metric"], sort=False, dropna=False)["value"]
    table = groups.agg(mean="mean", median="median", sd="std", n="count").reset_index()
    table["mc_error"] = table.pop("sd") / np.sqrt(table["n"])
    return table


#: Measures of single studies, beside METRICS.
EXTRA = ("gap", "delta_tv", "max_p", "error_ratio", "density")


# ------------------------------------------------------- synthetic: Figures 3 and 4


def _als(rank, sweeps):
    return lambda seed: ALS(rank, max_sweeps=sweeps, tol=0, random_state=seed)


def replicate_uniform(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Section 5.2.1 (Figures 3 and A15): uniform sampling, large column effects."""
    s = scenario
    M = column_effect_matrix(rng, mu=s["mu"])
    observed = sample_without_replacement(np.ones(M.shape), 8000, rng)
    fit = _als(s["rank"], s["sweeps"])
    trial = Trial(M, observed, s["K"], fit, rng, n_groups=1000)
    tests = sample_test_groups(~observed, s["K"], 100, rng)
    return trial.three(tests)


@lru_cache(maxsize=2)
def fixed_signal(rank: int, size: int) -> np.ndarray:
    """Low-rank matrix of seed 2024 plus its fixed noise (A3.7, with mean 0)."""
    rng = np.random.default_rng(2024)
    noise = 0.1 * rng.standard_normal((size, size))
    return low_rank_matrix(size, size, rank, rng) + noise


def replicate_sparse(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Section 5.2.2 (Figures 4 and A16): a few columns are seldom observed."""
    s = scenario
    size = s.get("size", 300)
    M = fixed_signal(8, size)
    w = sparse_column_weights(rng, size, size, s["s"])
    observed = sample_without_replacement(w, int(0.3 * size**2), rng)
    trial = Trial(M, observed, s["K"], _als(8, s["sweeps"]), rng, n_groups=2000)
    tests = sample_test_groups(~observed, s["K"], 100, rng)
    unweighted = trial.calibration()
    return [
        *trial.three(tests, w),
        trial.row("SCMC (w = 1)", unweighted, tests),
    ]


# --------------------------------------------------------- MovieLens: Figures 1 and 5


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
        return AdditiveSamplingWeights().fit(seen).weights()
    return SamplingWeights(5, nu=1.0, max_iter=30).fit(seen).weights()


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
    fit = _als(scenario["rank"], 10)
    trial = Trial(M, observed, k, fit, rng, n_groups=2000, universe=rated)
    tests = sample_test_groups(rated & ~observed, k, 100, rng)
    return trial.three(tests, bounds=RATINGS)


def replicate_movielens(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures 1, 5 and A17: estimated weights; groups missing and held out."""
    M, _ = movielens_submatrix()
    rated, k = ~np.isnan(M), scenario["K"]
    observed, w = _eighty(rated, rng), movielens_weights()
    trial = Trial(M, observed, k, _als(scenario["rank"], 10), rng, n_groups=2000)
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
    trial = Trial(M, observed, k, _als(3, 10), rng, n_groups=2000)
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
    trial = Trial(M, observed, k, _als(3, 10), rng, n_groups=2000)
    tests = sample_test_groups(rated & ~observed, k, 100, rng)
    row = trial.row("SCMC", trial.calibration(w), tests, bounds=RATINGS)
    return [row | {"density": w.mean()}]


# ------------------------------------------------------------ worst slab: A6 to A8


@lru_cache(maxsize=1)
def slab_matrix() -> np.ndarray:
    """Matrix of A3.1.1: 400 x 400, rank 4, mu = 10, noise fixed."""
    return column_effect_matrix(2024, n_rows=400, n_cols=400, rank=4, mu=10.0)


def replicate_slab(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures A6 to A8: test groups where the completion is worst."""
    k, M = scenario["K"], slab_matrix()
    observed = sample_without_replacement(np.ones(M.shape), 48_000, rng)
    fit = _als(4, scenario["sweeps"])
    trial = Trial(M, observed, k, fit, rng, n_groups=2000)
    wstar, _, explored = worst_slab_test_weights(
        M,
        trial.fitted,
        ~observed,
        trial.method.row_factors_,
        trial.method.column_factors_,
        rng,
        delta=scenario["delta"],
    )
    tests = sample_test_groups(~observed, k, 200, rng, test_weights=wstar)
    own = trial.row("SCMC", trial.calibration(None, wstar), tests)
    # The explored cells stay missing; only their test weight differs from one.
    flat = np.where(explored, 0.0, 1.0)
    plain = trial.row("SCMC (w* = 1)", trial.calibration(None, flat), tests)
    gap = own["coverage"] - plain["coverage"]
    error = np.abs(trial.fitted - M)
    chosen = error[tests[..., 0], tests[..., 1]].mean()
    extra = {"gap": gap, "error_ratio": chosen / error[~observed].mean()}
    return [own | extra, plain | extra]


# ------------------------------------------------------- other completions: A10, A11


COMPLETIONS = {
    "ALS": lambda rank: lambda seed: ALS(rank, max_sweeps=20, tol=0, random_state=seed),
    "NNM": lambda rank: lambda seed: NuclearNorm(max_iter=100),
    "SVT": lambda rank: lambda seed: SVT(max_iter=200),
}


def replicate_completion(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures A10 (uniform, mu = 15) and A11 (s = 0.14) with three completions."""
    s = scenario
    size = s["size"]
    if s["sampling"] == "uniform":
        M = column_effect_matrix(rng, n_rows=size, n_cols=size, mu=15)
        w, rank, share = np.ones(M.shape), 30, 0.2
    else:
        M, rank, share = fixed_signal(8, size), 8, 0.3
        w = sparse_column_weights(rng, size, size, 0.14)
    observed = sample_without_replacement(w, int(share * size**2), rng)
    fit = COMPLETIONS[s["completion"]](rank)
    trial = Trial(M, observed, s["K"], fit, rng, n_groups=1000)
    return trial.three(sample_test_groups(~observed, s["K"], 100, rng), w)


# -------------------------------------------------------- estimated weights: A12, A13


def replicate_estimated(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figures A12 (uniform) and A13 (sparse columns): true against estimated w."""
    s = scenario
    size = s["size"]
    if s["s"] == 1.0:
        M = column_effect_matrix(rng, n_rows=size, n_cols=size, mu=15)
    else:
        M = fixed_signal(8, size)
    w = sparse_column_weights(rng, size, size, s["s"])
    observed = sample_without_replacement(w, int(0.3 * size**2), rng)
    trial = Trial(M, observed, s["K"], _als(8, 20), rng, n_groups=1000)
    tests = sample_test_groups(~observed, s["K"], 100, rng)
    estimate = SamplingWeights(s["rho"], nu=s["nu"], max_iter=40).fit(observed)
    true, guessed = trial.calibration(w), trial.calibration(estimate.weights())
    p, q = true.weights.matrix(tests), guessed.weights.matrix(tests)
    gap = 0.5 * np.abs(p - q).sum(axis=1).mean()
    return [
        trial.row("SCMC", true, tests) | {"delta_tv": 0.0},
        trial.row("SCMC (estimated w)", guessed, tests) | {"delta_tv": gap},
    ]


def replicate_max_weight(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Figure A14: the largest weight, on which the upper bound of Theorem 2 rests."""
    size, k, n = 200, scenario["K"], scenario["n_cal"]
    rows, columns = np.indices((size, size))
    w = (size * columns + rows + 1.0) ** 2
    w /= w.max()
    observed = sample_without_replacement(w, int(0.2 * size**2), rng)
    groups = structured_split(observed, k, n, rng).groups
    tests = sample_test_groups(~observed, k, 1, rng, test_weights=w)
    p = ConformalizationWeights(observed, groups, w, w).matrix(tests)
    ignored = ConformalizationWeights(observed, groups, None, w).matrix(tests)
    return [
        {"method": "SCMC", "max_p": p.max()},
        {"method": "SCMC (w = 1)", "max_p": ignored.max()},
    ]


def replicate_theorem(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Theorems 1 and 2: one test group, right weights and wrong ones (60 x 60)."""
    from ..matrix import theorem_matrix

    M, w, wstar = theorem_matrix(scenario["matrix_seed"])
    observed = sample_without_replacement(w, 1200, rng)
    trial = Trial(M, observed, 2, lambda seed: ColumnMean(), rng, n_groups=200)
    tests = sample_test_groups(~observed, 2, 1, rng, test_weights=wstar)
    truth = M[tests[..., 0], tests[..., 1]]
    rows = []
    for method, a, b in (
        ("SCMC", w, wstar),
        ("SCMC (w = 1)", None, wstar),
        ("SCMC (w* = 1)", w, None),
    ):
        calibration = trial.calibration(a, b)
        regions = calibration.regions(tests, ALPHA, warn=False)
        row = {"method": method, "coverage": float(regions.covers(truth)[0])}
        if method == "SCMC":
            row["max_p"] = calibration.weights.matrix(tests).max()
        rows.append(row)
    equal = np.sort(calibration.scores)[int(np.ceil((1 - ALPHA) * (trial.n + 1))) - 1]
    covered = float(regions.rule.score(truth, regions.prediction)[0] <= equal)
    return [*rows, {"method": "SCMC (equal weights)", "coverage": covered}]


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


# ----------------------------------------------------------------------- registry


def _study(name, scenarios, replicate, n, seed, description):
    return Study(
        name=f"matrix-{name}",
        scenarios=scenarios,
        replicate=replicate,
        n_replicates=n,
        seed=seed,
        description=description,
        document="Liang, Xie, Tong and Sesia (2024)",
        summarise=summarise,
    )


MOVIELENS_EXACT = _study(
    "movielens-exact",
    grid(rank=[3, 5, 7], K=SIZES),
    replicate_movielens_exact,
    100,
    21,
    "MovieLens hold-out where the guarantee is exact (the authors' oracle_movielens)",
)
MOVIELENS = _study(
    "movielens",
    grid(rank=[3, 5, 7], K=SIZES),
    replicate_movielens,
    100,
    22,
    "Figures 1, 5, A17: MovieLens with estimated sampling weights",
)
UNIFORM = _study(
    "uniform",
    grid(mu=[9, 15, 30], K=SIZES, rank=[30], sweeps=[20]),
    replicate_uniform,
    300,
    23,
    "Figure 3: uniform sampling, hypothesised rank 30 as in the authors' code",
)
UNIFORM_MU = _study(
    "uniform-mu",
    grid(mu=[6, 12, 18, 21, 24, 27], K=[2, 5, 8], rank=[30], sweeps=[20]),
    replicate_uniform,
    300,
    24,
    "Figure A15: the values of mu that Figure 3 leaves out",
)
SPARSE = _study(
    "sparse",
    grid(s=[0.1, 0.14, 0.2], K=SIZES, sweeps=[20]),
    replicate_sparse,
    300,
    25,
    "Figure 4: columns that are seldom observed",
)
SPARSE_S = _study(
    "sparse-s",
    grid(s=[0.12, 0.16, 0.18], K=[2, 5, 8], sweeps=[20]),
    replicate_sparse,
    300,
    26,
    "Figure A16: the values of s that Figure 4 leaves out",
)
SLAB = _study(
    "slab",
    grid(delta=[0.12, 0.16, 0.2], K=[2, 3, 4], sweeps=[20]),
    replicate_slab,
    300,
    27,
    "Figures A6 to A8: test groups where the completion is worst",
)
GENRE = _study(
    "genre",
    grid(genre=["Children's", "Crime", "Drama", "Romance"], K=[2, 3, 4, 5]),
    replicate_genre,
    300,
    28,
    "Figure A9: regions for one genre",
)
COMPLETION = _study(
    "completion",
    grid(
        sampling=["uniform", "sparse"],
        completion=["ALS", "NNM", "SVT"],
        K=[2, 5, 8],
        size=[200],
    ),
    replicate_completion,
    300,
    29,
    "Figures A10, A11: three completions (the second at 200 x 200)",
)
ESTIMATED = _study(
    "estimated",
    [
        *grid(s=[1.0], K=[2, 5, 8], rho=[3, 5, 7], nu=[1.0], size=[200]),
        *grid(s=[0.1, 0.14, 0.2], K=[5], rho=[3, 5, 7], nu=[13.0], size=[200]),
        *grid(s=[0.1], K=[5], rho=[3, 7], nu=[1.0], size=[200]),
    ],
    replicate_estimated,
    300,
    30,
    "Figures A12, A13: true against estimated sampling weights (200 x 200)",
)
MAX_WEIGHT = _study(
    "max-weight",
    [
        *({"K": 2, "n_cal": n} for n in (50, 100, 150, 200, 250, 300)),
        *({"K": k, "n_cal": 400} for k in SIZES),
    ],
    replicate_max_weight,
    200,
    31,
    "Figure A14: the largest conformalization weight",
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
DEGENERATE = _study(
    "degenerate",
    grid(estimate=["one-bit", "additive"], K=[2, 5, 8]),
    replicate_degenerate,
    50,
    32,
    "How many groups carry weight on MovieLens, by the estimate of w",
)
THEOREM = _study(
    "theorem",
    grid(matrix_seed=[1]),
    replicate_theorem,
    3000,
    33,
    "Theorems 1 and 2: coverage with right and wrong weights (60 x 60)",
)
