"""What chapter 2 shows of its studies: live runs, stored ones, published values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import _checkout
from ..matrix import (
    ALS,
    Calibration,
    ColumnMean,
    calibrate,
    sample_test_groups,
    sample_without_replacement,
    synthetic_ratings,
)
from ..metrics import mean_estimate
from . import (
    matrix_clipping,
    matrix_completion,
    matrix_larger,
    matrix_movielens,
    matrix_robustness,
)
from .matrix_movielens import RATINGS
from .matrix_trial import Trial, als, summarise
from .runner import run
from .store import load
from .study import Study

PUBLISHED_NAMES = {
    "SCMC": "SCMC",
    "Bonferroni": "Bonferroni",
    "Unadjusted": "unadjusted",
    "SCMC conditional (correct w*)": "SCMC",
    "SCMC marginal (w*=1)": "SCMC (w* = 1)",
}


def live(replicate, scenarios, n_replicates, seed) -> pd.DataFrame:
    """Run a few replicates now and summarise them like a stored study.

    Parameters
    ----------
    replicate : callable
        Of a study of this chapter.
    scenarios : list of dict
        Grid.
    n_replicates, seed : int
        Size and seed.

    Returns
    -------
    DataFrame
        Scenario columns, ``method``, ``metric``, ``mean``, ``median``, ``mc_error``,
        ``n``.
    """
    study = Study("matrix-live", scenarios, replicate, n_replicates, seed)
    frame = run(study, progress=False, resume=False)
    if (frame["error"] != "").any():
        raise RuntimeError(frame.loc[frame["error"] != "", "error"].iloc[0])
    return summarise(frame)


def stored(name) -> pd.DataFrame:
    """Summary of a stored study of this chapter (name without ``matrix-``).

    Raises
    ------
    ValueError
        If a scenario of the study has no rows: a verdict on all of them would hold
        for those that are left.
    """
    frame, manifest = load(f"matrix-{name}")
    if "scenario" in frame:
        gone = set(range(len(manifest["scenarios"]))) - set(frame["scenario"])
        if gone:
            raise ValueError(
                f"matrix-{name} holds no rows of scenarios {sorted(gone)}: run the "
                "study again"
            )
    return frame


def reached() -> str:
    """How many replicates the stored studies have, in words for the page."""
    parts = []
    for study in known_studies():
        found = load(study.name)[1]["n_replicates"]
        name = study.name.removeprefix("matrix-")
        parts.append(f"{name}: {found} of {study.n_replicates}")
    return ", ".join(parts)


def stored_seconds() -> float:
    """Wall time of all stored studies of this chapter."""
    return sum(load(study.name)[1]["wall_seconds"] for study in known_studies())


def known_studies() -> list[Study]:
    """The Monte-Carlo studies of this chapter, in the order of their modules."""
    modules = (
        matrix_completion,
        matrix_movielens,
        matrix_robustness,
        matrix_larger,
        matrix_clipping,
    )
    things = [thing for module in modules for thing in vars(module).values()]
    return [s for s in things if isinstance(s, Study) and s.n_replicates > 1]


def measured() -> dict[str, dict[str, float]]:
    """What the stored checks measured, by name of the check."""
    frame = stored("theory")
    groups = frame.groupby("check", sort=False)
    return {
        name: dict(zip(g["measure"], g["value"], strict=True)) for name, g in groups
    }


def pick(frame, metric, **where) -> pd.DataFrame:
    """Rows of one metric at the given values of other columns."""
    rows = frame[frame["metric"] == metric]
    for name, value in where.items():
        rows = rows[rows[name].isin(value if isinstance(value, list) else [value])]
    if rows.empty:
        raise ValueError(
            f"no rows with metric {metric!r} and {where}: choose values that the frame "
            "holds"
        )
    return rows.reset_index(drop=True)


def by_method(frame, metric, value="mean", **where) -> pd.DataFrame:
    """Table with one column for each method, one row for each scenario.

    The index holds what varies among the scenarios picked.
    """
    rows = pick(frame, metric, **where)
    known = [c for c in ("rank", "genre", "mu", "s", "delta", "K") if c in rows]
    index = [c for c in known if rows[c].nunique() > 1] or known[-1:]
    return rows.pivot_table(value, index, "method", sort=False, observed=True)


def over_sizes(frame, method, metric="coverage", by="completion") -> pd.DataFrame:
    """Mean over group sizes, with its Monte-Carlo error, for each value of `by`."""
    rows = pick(frame, metric, method=method)
    return rows.groupby(by, sort=False).agg(
        mean=("mean", "mean"),
        error=("mc_error", lambda e: np.sqrt((e**2).sum()) / len(e)),
    )


def published(table) -> pd.DataFrame:
    """Published means and errors of one table, in the names of this book.

    Parameters
    ----------
    table : str
        ``"Fig1"``, ``"Fig5"``, ``"exact"`` or ``"FigA9"``.

    Returns
    -------
    DataFrame
        ``rank`` or ``genre``, ``K``, ``method``, ``metric``, ``published``,
        ``published_error``.
    """
    frame = pd.read_csv(_checkout.data_folder() / "published" / "02_published.csv")
    starts = {"Fig1": "Fig1", "Fig5": "Fig5", "FigA9": "FigA9 ", "exact": "not in pap"}
    frame = frame[frame["table"].str.startswith(starts[table])]
    if table == "exact":
        frame = frame[frame["table"].str.contains("exact-guarantee")]
    frame = frame[frame["row"].str.startswith("K=")]
    key = "genre" if table == "FigA9" else "rank"
    value = frame["setting"].str.extract(key + r"=([^;]+)")[0]
    names = {"avg_width": "width", "group_coverage": "coverage"}
    frame = frame.assign(
        **{key: value if key == "genre" else value.astype(int)},
        K=frame["row"].str[2:].astype(int),
        method=frame["method"].map(PUBLISHED_NAMES),
        error=frame["metric"].str.endswith("_se"),
        metric=frame["metric"].str.removesuffix("_se").map(names),
    ).dropna(subset=["metric", "method"])
    wide = frame.pivot_table("value", [key, "K", "method", "metric"], "error")
    wide = wide.rename(columns={False: "published", True: "published_error"})
    return wide.reset_index().rename_axis(columns=None)


def beside_published(frame, table, **where) -> pd.DataFrame:
    """Ours and the published values, with the distance in combined errors."""
    known = published(table)
    keys = [c for c in ("rank", "genre", "K", "method", "metric") if c in known]
    both = frame.merge(known, on=keys)
    for name, value in where.items():
        both = both[both[name] == value]
    error = np.hypot(both["mc_error"], both["published_error"])
    both["z"] = (both["mean"] - both["published"]) / error
    both["allowed"] = 3 * error
    return both.reset_index(drop=True)


def exact_guarantee(ratings, scenario, rng) -> list[dict]:
    """The exact-guarantee hold-out of the chapter on any ratings.

    ``ratings`` is a matrix with NaN where nothing was rated; the rated cells are the
    universe, a uniform 80 % of them are observed, test groups come from the rest.
    """
    rated = ~np.isnan(ratings)
    observed = sample_without_replacement(
        np.ones(rated.shape), int(0.8 * rated.sum()), rng, mask=rated
    )
    fit = als(scenario["rank"], 10, ridge=1.0)
    k = scenario["K"]
    trial = Trial(ratings, observed, k, fit, rng, n_groups=2000, universe=rated)
    tests = sample_test_groups(rated & ~observed, k, 100, rng)
    return trial.three(tests, bounds=RATINGS)


def replicate_default_ratings(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Exact-guarantee hold-out on the book's own synthetic ratings."""
    made = synthetic_ratings(scenario["data_seed"])
    rated = np.where(made.observed, made.truth, np.nan)
    return exact_guarantee(rated, scenario, rng)


def film_ratings(source, seed):
    """Ratings for the film night: invented ones, or MovieLens fetched now.

    Returns
    -------
    table : ndarray, shape (n_users, n_films)
        Ratings; where nobody rated, the truth if it is known, else NaN.
    seen : ndarray of bool, shape (n_users, n_films)
    weights : ndarray, shape (n_users, n_films)
        Sampling weights, known or estimated.
    titles : ndarray of str, shape (n_films,)
    """
    if source == "movielens":
        table, films = matrix_movielens.movielens_submatrix()
        weights = matrix_movielens.movielens_weights()
        return table, ~np.isnan(table), weights, films["title"].to_numpy()
    made = synthetic_ratings(seed)
    titles = np.array([f"film {i + 1}" for i in range(made.truth.shape[1])])
    return made.truth, made.observed, made.observation_weights, titles


def film_night_groups(seen, group_size, rng, *, n_films=6):
    """A group of friends with every popular film that none of them has rated.

    Returns
    -------
    ndarray of int, shape (n_films or fewer, group_size, 2)
    """
    popular = np.argsort(-seen.sum(axis=0), kind="stable")[:80]
    ratings = seen[:, popular].sum(axis=1)
    candidates = np.argsort(ratings, kind="stable")[: max(60, group_size)]
    friends = rng.permutation(candidates)[:group_size]
    unseen = popular[~seen[np.ix_(friends, popular)].any(axis=0)][:n_films]
    return np.array([[(friend, film) for friend in friends] for film in unseen])


def film_table(titles, groups, prediction, intervals, table) -> pd.DataFrame:
    """One row for each friend and film, for the figure."""
    return pd.DataFrame(
        {
            "film": np.repeat(titles[groups[:, 0, 1]], groups.shape[1]),
            "prediction": prediction.ravel(),
            "lower": intervals[:, :, 0, 0].ravel(),
            "upper": intervals[:, :, 1, 0].ravel(),
            "truth": table[groups[..., 0], groups[..., 1]].ravel(),
        }
    )


def broken_promises(rng, *, n_replicates=12, group_size=2) -> pd.DataFrame:
    """Coverage where an assumption fails, beside where it holds.

    Rare films: test groups from the quarter of films with the fewest ratings, while
    the test weights say that films are asked for by popularity. Cut to the largest
    score: infinite regions of a tiny calibration set made finite.

    Returns
    -------
    DataFrame
        ``coverage`` and ``MC error`` over replicates and the median of their
        ``median width``, one row for each promise.
    """
    kept = {name: [] for name in PROMISES}
    for _ in range(n_replicates):
        found = _rare_films(rng, group_size) | _tiny_calibration(rng)
        for name, value in found.items():
            kept[name].append(value)
    rows = []
    for name in PROMISES:
        covered, widths = np.array(kept[name], float).T
        rows.append([*mean_estimate(covered)[:2], np.median(widths)])
    columns = ["coverage", "MC error", "median width"]
    return pd.DataFrame(rows, index=PROMISES, columns=columns)


PROMISES = [
    "asked by popularity, as calibrated",
    "rare films, calibrated for popular ones",
    "rare films, calibrated for them",
    "5 calibration groups, infinite regions kept",
    "5 calibration groups, cut to the largest score",
]


def _rare_films(rng, k):
    # Popularity so unequal that the rare films are hardly rated at all.
    made = synthetic_ratings(rng, n_ratings=10_000, popularity=1.0)
    w, seen = made.observation_weights, made.observed
    wstar = np.zeros_like(w)
    wstar[:, np.argsort(seen.sum(axis=0))[: w.shape[1] // 4]] = 1.0
    fit = ALS(4, ridge=1.0, max_sweeps=10, tol=0)
    usual = calibrate(
        made.truth, seen, k, fit, rng, observation_weights=w, test_weights=w
    )
    own = Calibration.from_groups(
        made.truth, seen, usual.weights.groups, usual.fitted, w, wstar
    )
    popular = sample_test_groups(~seen, k, 200, rng, test_weights=w)
    rare = sample_test_groups(~seen, k, 200, rng, test_weights=wstar)
    values = [
        _judged(usual, popular, made.truth),
        _judged(usual, rare, made.truth),
        _judged(own, rare, made.truth),
    ]
    return dict(zip(PROMISES[:3], values, strict=True))


def _tiny_calibration(rng, *, draws=10):
    noise = np.exp(1.5 * rng.random(30))
    M = noise * rng.standard_normal((40, 30))
    values = []
    for _ in range(draws):  # five groups vary a great deal
        observed = sample_without_replacement(np.ones(M.shape), 400, rng)
        tests = sample_test_groups(~observed, 2, 50, rng)
        made = calibrate(M, observed, 2, ColumnMean(), rng, n_groups=5)
        options = ("inf", "max")
        values.append([_judged(made, tests, M, infinite=o) for o in options])
    covered, widths = np.moveaxis(values, 2, 0)
    found = zip(covered.mean(axis=0), np.median(widths, axis=0), strict=True)
    return dict(zip(PROMISES[3:], found, strict=True))


def _judged(calibration, tests, truth, **options):
    """Share of groups covered, and the median width of an entry."""
    regions = calibration.regions(tests, 0.1, warn=False, **options)
    covered = regions.covers(truth[tests[..., 0], tests[..., 1]])
    return covered.mean(), np.median(regions.width())
