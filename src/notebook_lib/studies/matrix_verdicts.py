"""What chapter 2 must find, as data for ``claims.check``.

Each function takes what was measured, live or stored, and yields the arguments of one
call of :func:`notebook_lib.claims.check` after the other: the same criteria hold at
both scales. A check with the key ``why`` is for :func:`notebook_lib.claims.differs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from .matrix_live import by_method, over_sizes, pick

Check = dict
Measures = Mapping[str, float]


def criterion(id: str, part: str, observed, **rule) -> Check:
    """Arguments of one call of :func:`notebook_lib.claims.check`."""
    return {"id": id, "part": part, "observed": observed} | rule


def _true(id: str, part: str, flag) -> Check:
    # Stored flags are 1.0 and 0.0; a NaN is neither, though bool(NaN) is True.
    return criterion(id, part, bool(flag == 1))


# ----------------------------------------------------------- the parts of the method


def split(m: Measures) -> Iterator[Check]:
    """Algorithm 2: what :func:`~.matrix_parts.partition_facts` counts is nought."""
    for name in (
        "cells not in exactly one part",
        "groups across columns",
        "columns pruned by another number",
        "pruned cells outside training",
        "training cells too many",
    ):
        yield criterion("scmc-A2", name, m[name], expected=0)


def samplers(m: Measures) -> Iterator[Check]:
    """Both samplers and the block form of Algorithm 2 against their exact laws."""
    yield criterion("scmc-A2", "law, chi-square p", m["split law p"], at_least=1e-3)
    for name in ("observed", "test"):
        yield criterion("scmc-A3", f"{name}, chi-square p", m[name], at_least=1e-3)
    short = m["short columns drawn"]
    yield criterion("scmc-A3", "short columns drawn", short, expected=0)


def algorithm(m: Measures) -> Iterator[Check]:
    """Algorithm 1: shapes, coverage, infinite regions, the other scale."""
    for name in ("shapes", "covered iff S <= tau", "infinite iff p > alpha"):
        yield _true("scmc-A1", name, m[name])
    gap = m["gap to the scale of (A38)"]
    yield criterion("scmc-A1", "scale of (A38)", gap, at_most=1e-9)


def baselines(m: Measures) -> Iterator[Check]:
    """Algorithms A3 and A4."""
    for name in ("equals Algorithm 1 with K = 1", "ordinary rank"):
        yield _true("scmc-B1", name, m[name])
    gap = m["least gap of Bonferroni"]
    yield criterion("scmc-B2", "its threshold less the unadjusted", gap, at_least=0)


def rules(m: Measures, cover: Mapping[str, tuple[float, float]]) -> Iterator[Check]:
    """The three rules; `cover` holds coverage and its error by rule."""
    yield criterion("scmc-A10", "score and sides", m["gap"], at_most=1e-12)
    yield criterion("scmc-A11", "score and sides", m["gap"], at_most=1e-12)
    yield _true("scmc-A11", "prediction of zero", m["prediction of zero"])
    yield criterion("scmc-A12", "score", m["gap"], at_most=1e-12)
    for claim, rule in (("scmc-A11", "rectangle"), ("scmc-A12", "sphere")):
        value, error = cover[rule]
        yield criterion(claim, "coverage", value, at_least=0.9, mc_error=error)


def completions(m: Measures) -> Iterator[Check]:
    """ALS, nuclear norm and SVT on a matrix of low rank with an empty column."""
    largest = {
        "rise of the ALS objective": 1e-9,
        "rise of the ALS objective, 800 x 1000": 1e-9,
        "residual of the nuclear norm": 1e-3,
        "SVT residual, longer less shorter": 1e-12,
        "empty column": 1e-9,
    }
    for name, bound in largest.items():
        if name in m:
            yield criterion("scmc-A13", name, m[name], at_most=bound)


def one_bit(m: Measures) -> Iterator[Check]:
    """The estimate of the sampling weights keeps its bound and climbs."""
    over = m["nuclear norm over its bound"] - 1
    yield criterion("scmc-A8", "nuclear norm over its bound", over, at_most=1e-6)
    yield criterion("scmc-A8", "smallest gain", m["smallest gain"], at_least=0)
    ends = [m["smallest w"], m["largest w"]]
    inside = 0 < ends[0] <= ends[1] < 1
    yield _true("scmc-A8", f"w from {ends[0]:.2f} to {ends[1]:.2f}", inside)


def worst_slab(m: Measures, delta: float, suffix: str = "") -> Iterator[Check]:
    """The slab holds its share, errs most, and its weights are what (A46) says."""
    m = {name.removesuffix(suffix): v for name, v in m.items() if suffix in name}
    share, error = m["share in the slab"], m["error in the slab over the mean"]
    off = m["weight inside differs from one by"]
    yield criterion("scmc-A9", f"share in it{suffix}", share, at_least=delta)
    yield _true("scmc-A9", f"error above the mean{suffix}", error > 1)
    yield criterion("scmc-A9", f"weight inside less 1{suffix}", off, at_most=0)
    outside = m["smallest weight"] > 0 and m["largest weight"] <= 1
    yield _true("scmc-A9", f"weights in (0, 1]{suffix}", outside)
    used = m["weight of explored cells"]
    yield criterion("scmc-A9", f"weight of explored cells{suffix}", used, expected=0)


def newton(m: Mapping) -> Iterator[Check]:
    """Newton's iteration for h, from :func:`~.matrix_integral.newton_path`."""
    path, (low, high) = m["path"], m["bracket"]
    rising = (np.diff(path)[:-1] >= 0).all()
    yield criterion("scmc-A6", "gradient", m["gradient"], at_most=1e-8)
    yield _true("scmc-A6", "iterates rise", rising)
    yield criterion("scmc-A6", "steps", len(path), at_most=60)
    yield _true("scmc-A6", "root in its bracket", low < m["root"] <= high)
    shape = m["increasing"] == m["concave"] == 1
    yield _true("scmc-T11", "z increasing and concave", shape)
    yield criterion("scmc-T11", "roots on the bracket", m["roots"], expected=1)
    yield _true("scmc-T11", "from 1/delta the iterates rise", rising)
    right = m["from the right"]
    yield criterion("scmc-T11", "first step from 2h", right, at_most=0)


def speed(m: Measures) -> Iterator[Check]:
    """The weights against the literal loop, and how time grows."""
    yield criterion("scmc-A5", "gap to the literal loop", m["gap"], at_most=1e-10)
    fast = m["times faster"] >= 20
    yield _true("scmc-A5", "at least 20 times faster", fast)
    if "growth" in m:
        told = "time of 800 test groups at most 16, at least 4 times that of 100"
        yield _true("scmc-Tab1", told, 4 < m["growth"] < 16)
        told = "Algorithm 2: four times the groups, at most eight times the time"
        yield _true("scmc-Tab1", told, m["growth in n"] < 8)


def paper_theory(m: Mapping[str, Measures]) -> Iterator[Check]:
    """The stored checks at the paper's sizes: measures by name of the check."""
    exact = dict(m["enumeration"])
    swaps, larger = exact.pop("swaps that change xi"), exact.pop("5 x 2")
    gaps = list(exact.values())
    yield criterion("scmc-A4", "full enumeration, every law", gaps, at_most=1e-12)
    yield criterion("scmc-T5", "every fourth law", larger, at_most=1e-12)
    yield criterion("scmc-T17", "swaps that change xi", swaps, expected=0)
    yield from samplers(m["samplers"])
    yield from algorithm(m["algorithm"])
    yield from split(m["algorithm"])
    yield from baselines(m["algorithm"])
    cover = {r: m["rules"][r] for r in ("rectangle", "sphere")}
    error = {r: np.sqrt(c * (1 - c) / 2000) for r, c in cover.items()}
    yield from rules(m["rules"], {r: (cover[r], error[r]) for r in cover})
    yield from completions(m["completions"])
    yield from one_bit(m["estimates"])
    for delta in (0.1, 0.12, 0.14, 0.16, 0.18, 0.2):
        mine = m["estimates"] | {
            f"share in the slab, {delta}": m["estimates"][f"share in the slab, {delta}"]
            + delta
        }
        yield from worst_slab(mine, delta - 1e-9, f", {delta}")
    yield from speed(m["weights"])
    large = m["scale"]
    yield criterion("scmc-A6", "gradient", large["gradient"], at_most=1e-8)
    yield criterion("scmc-A6", "steps", large["steps"], at_most=60)
    yield criterion("scmc-A6", "steps that fall", large["falls"], expected=0)
    yield _true("scmc-A6", "root in its bracket", large["in the bracket"])
    ratio = large["error of the ratio"]
    yield criterion("scmc-A7", "40000 cells", ratio, at_most=2e-3)
    broken = large["violations of Lemma A7"]
    yield criterion("scmc-T13", "up to 5000 cells", broken, expected=0)


def dataset(facts: Measures, source: Measures) -> Iterator[Check]:
    """MovieLens 100K and the sub-matrix of the authors' code."""
    counts = {"all ratings": 100_000, "all users": 943, "all films": 1682}
    for name, value in counts.items():
        yield criterion("scmc-D1", name, source[name], expected=value)
    counts = {
        "users": 800,
        "films": 1000,
        "ratings": 51_449,
        "films without ratings": 6,
    }
    for name, value in counts.items():
        yield criterion("scmc-D1", f"sub-matrix, {name}", facts[name], expected=value)
    mean = source["mean rating"]
    yield criterion("scmc-D1", "sub-matrix, mean", mean, expected=3.514, tol=5e-4)


def generators(m: Mapping) -> Iterator[Check]:
    """The two data generating processes (A3.6, A3.7)."""
    yield criterion("scmc-D2", "signal rank", m["signal rank"], expected=5)
    sd = m["noise within columns"]
    yield criterion("scmc-D2", "noise within columns", sd, expected=0.05, tol=0.002)
    heavy = m["heavy columns"]
    yield criterion("scmc-D2", "heavy columns", heavy, expected=0.05, tol=0.05)
    yield criterion("scmc-D3", "weights", m["weights"], expected=[0.1, 1])
    sparse = m["sparse columns"]
    yield criterion("scmc-D3", "sparse columns", sparse, expected=0.05, tol=0.015)
    seen = list(m["inclusion"])
    yield criterion("scmc-D3", "inclusion", seen, expected=[0.314, 0.037], tol=0.01)


# -------------------------------------------------------------------- the figures


def _cells(frame: pd.DataFrame, metric: str, method: str, **where) -> pd.DataFrame:
    return pick(frame, metric, method=method, **where)


def _valid(id: str, part: str, rows: pd.DataFrame, level: float = 0.9) -> Check:
    # Family-wise 1 % over the two dozen cells of a figure.
    rule = dict(at_least=level, mc_error=rows["mc_error"].to_numpy(), z=3.3)
    return criterion(id, part, rows["mean"].to_numpy(), **rule)


def uniform(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure 3, at the cell that the specification names: mu = 30."""
    eight = _cells(frame, "coverage", "SCMC", mu=30, K=8).iloc[0]
    rule = dict(expected=0.9, tol=0.01, mc_error=eight["mc_error"])
    yield criterion("scmc-F3", "SCMC, mu = 30, K = 8", eight["mean"], **rule)
    alone = by_method(frame, "coverage", mu=30)["unadjusted"]
    yield criterion("scmc-F3", "unadjusted, K = 8", alone.loc[8], at_most=0.75)
    fall = alone.loc[2] - alone.loc[8]
    yield criterion("scmc-F3", "unadjusted, fall from K = 2 to 8", fall, at_least=0)
    width = by_method(frame, "width", "median", mu=30, K=8).iloc[0]
    ratio = width["Bonferroni"] / width["SCMC"]
    yield criterion("scmc-F3", "Bonferroni / SCMC, median", ratio, at_least=1.3)


def uniform_everywhere(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure 3 at every mu and K, and what it says of Bonferroni and Theorem 1."""
    rows = _cells(frame, "coverage", "SCMC")
    rule = dict(expected=0.9, tol=0.01, mc_error=rows["mc_error"].to_numpy(), z=3.3)
    yield criterion("scmc-F3", "SCMC, all mu and K", rows["mean"].to_numpy(), **rule)
    yield _valid("scmc-T6", "SCMC, 200 x 200, all mu and K", rows)
    alone = by_method(frame, "coverage")["unadjusted"].unstack("K")
    fall = (alone[2] - alone[8]).to_numpy()
    yield criterion(
        "scmc-F3", "unadjusted, every mu, fall from K = 2 to 8", fall, at_least=0.1
    )
    steps = (alone.diff(2, axis=1).dropna(axis=1)).to_numpy().ravel()
    yield criterion("scmc-F3", "unadjusted, over two steps of K", steps, at_most=0)
    wide = by_method(frame, "width", "median").query("K >= 3")
    ratio = (wide["Bonferroni"] / wide["SCMC"]).to_numpy()
    yield criterion("scmc-F3", "Bonferroni / SCMC, K >= 3", ratio, at_least=1)
    bonferroni = _cells(frame, "coverage", "Bonferroni")
    yield _valid("scmc-B2", "coverage, all mu and K", bonferroni)


def sparse(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure 4, at the cell that the specification names: s = 0.1, K = 5."""
    where = dict(s=0.1, K=5)
    rows = _cells(frame, "coverage", "SCMC", **where)
    yield _valid("scmc-F4", "SCMC, s = 0.1, K = 5", rows)
    alone = _cells(frame, "coverage", "unadjusted", **where)["mean"].iloc[0]
    yield criterion("scmc-F4", "unadjusted", alone, at_most=0.8)
    width = by_method(frame, "width", "median", **where).iloc[0]
    ratio = width["Bonferroni"] / width["SCMC"]
    yield criterion("scmc-F4", "Bonferroni / SCMC, median", ratio, at_least=1.3)


def sparse_everywhere(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure 4 at every s and K."""
    rows = _cells(frame, "coverage", "SCMC")
    yield _valid("scmc-F4", "SCMC, all s and K", rows)
    yield _valid("scmc-T6", "SCMC, 300 x 300, all s and K", rows)
    alone = _cells(frame, "coverage", "unadjusted")["mean"].to_numpy()
    yield criterion("scmc-F4", "unadjusted, all s and K", alone, at_most=0.85)
    wide = by_method(frame, "width", "median")
    ratio = (wide["Bonferroni"] / wide["SCMC"]).unstack("s")
    gain = (ratio[0.1] - ratio[0.2]).to_numpy()
    yield criterion("scmc-F4", "ratio at s = 0.1 less at 0.2", gain, at_least=0)


def wider_with_mu(widths: pd.DataFrame) -> Iterator[Check]:
    """Figure A15: median widths by mu, one column a method, at K = 5."""
    gap = (widths["Bonferroni"] / widths["SCMC"]).sort_index()
    yield criterion("scmc-FA15", "ratio at 30 less at 9", gap[30] - gap[9], at_least=0)


def wider_with_s(widths: pd.DataFrame) -> Iterator[Check]:
    """Figure A16: median widths by s, one column a method, at K = 5."""
    gap = widths["Bonferroni"] / widths["SCMC"]
    gain = gap.loc[0.1] - gap.loc[0.2]
    yield criterion("scmc-FA16", "ratio at 0.1 less at 0.2", gain, at_least=0)
    names = ["SCMC", "Bonferroni", "unadjusted"]
    growth = (widths.loc[0.1, names] - widths.loc[0.2, names]).to_numpy()
    yield criterion("scmc-FA16", "widths at 0.1 less at 0.2", growth, at_least=0)
    own = growth[1] - growth[[0, 2]]
    yield criterion("scmc-FA16", "Bonferroni grows most", own, at_least=0)


def anchor(beside: pd.DataFrame) -> Iterator[Check]:
    """The exact-guarantee hold-out beside the authors' results, all ranks and K."""
    own = beside[beside["method"] == "SCMC"].set_index("metric")
    cover = own.loc["coverage", "mean"].to_numpy()
    yield criterion("scmc-FX1", "coverage", cover, at_least=0.87, at_most=0.94)
    for metric in ("coverage", "width"):
        rows = own.loc[metric]
        z = rows["z"].abs().to_numpy()
        told = f"{metric}, combined errors from the published"
        yield criterion("scmc-FX1", told, z, at_most=3)
    three = own.loc["width"].query("rank == 3 and K in (2, 5, 8)")
    rule = dict(expected=three["published"].to_numpy(), tol=0.1)
    yield criterion("scmc-FX1", "width, rank 3", three["mean"].to_numpy(), **rule)


def movielens(frame: pd.DataFrame) -> Iterator[Check]:
    """Figures 1, 5 and A17 at every rank and K."""
    holdout, missing = (
        frame[frame["target"] == name] for name in ("hold-out", "missing")
    )
    cover, width = by_method(holdout, "coverage"), by_method(holdout, "width")
    own, alone = cover["SCMC"], cover["unadjusted"]
    error = pick(holdout, "coverage", method="SCMC")["mc_error"].to_numpy()
    rule = dict(at_least=0.85, at_most=0.95, mc_error=error)
    yield criterion("scmc-F5", "SCMC near 0.9", own.to_numpy(), **rule)
    gain = (width["Bonferroni"] - width["SCMC"]).to_numpy()
    yield criterion("scmc-F5", "narrower than Bonferroni", gain, at_least=0)
    eight = alone.xs(8, level="K").to_numpy()
    yield criterion("scmc-F5", "unadjusted at K = 8", eight, at_most=0.78)
    two = (own - alone).xs(2, level="K")
    told = "SCMC less unadjusted at K = 2"
    yield criterion("scmc-F5", f"{told}, rank 3", two.loc[3], at_least=0.03)
    yield criterion("scmc-F5", f"{told}, all ranks", two.to_numpy(), at_least=0)
    width = by_method(missing, "width")
    gain = (width["Bonferroni"] - width["SCMC"]).to_numpy()
    yield criterion("scmc-F1", "narrower than Bonferroni", gain, at_least=0)
    ratio = (width["SCMC"] / width["unadjusted"]).to_numpy()
    yield criterion("scmc-FA17", "width ratio", ratio, at_least=1, at_most=1.5)


def degenerate(frame: pd.DataFrame) -> Iterator[Check]:
    """Effective sample size at K = 8 for groups of missing cells."""
    rows = pick(frame, "effective_size", target="missing", K=8).set_index("estimate")
    fitted, shrunk = rows.loc["additive"], rows.loc["one-bit"]
    told = "additive logit, K = 8, missing cells"
    rule = dict(at_most=10, mc_error=fitted["mc_error"])
    yield criterion("scmc-E4", told, fitted["mean"], **rule)
    told = "nuclear-norm bound, K = 8, missing cells"
    yield criterion("scmc-E4", told, shrunk["mean"], at_least=100)


def slab(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure A6 at the cell that the specification names: delta = 0.12, K = 2."""
    gap = _cells(frame, "gap", "SCMC", delta=0.12, K=2).iloc[0]
    rule = dict(at_least=2 * gap["mc_error"])
    told = "paired difference, delta = 0.12, K = 2, over two errors"
    yield criterion("scmc-FA6", told, gap["mean"], **rule)


def slab_everywhere(frame: pd.DataFrame) -> Iterator[Check]:
    """Figures A6 to A8 at every delta and K."""
    gap = _cells(frame, "gap", "SCMC")
    surplus = (gap["mean"] - 2 * gap["mc_error"]).to_numpy()
    told = "paired difference less two errors, all delta and K"
    yield criterion("scmc-FA6", told, surplus, at_least=0)
    short = _cells(frame, "coverage", "SCMC (w* = 1)").groupby("delta")
    loss = 0.9 - short["mean"].mean()
    error = short["mc_error"].agg(lambda e: np.sqrt((e**2).sum()) / len(e))
    rule = dict(at_least=-2 * np.hypot(error[0.12], error[0.2]))
    told = "shortfall at 0.12 less at 0.2"
    yield criterion("scmc-FA7", told, loss[0.12] - loss[0.2], **rule)
    infinite = _cells(frame[frame["delta"] >= 0.12], "share_infinite", "SCMC")["mean"]
    told = "all K, delta from 0.12"
    yield criterion("scmc-FA8", told, infinite.to_numpy(), at_most=0.025)


def genre(gap: pd.DataFrame) -> Iterator[Check]:
    """Figure A9: sign of the mean change of width, by genre and K from 3 to 5.

    Where a sign is not the published one, the worst K decides: it agrees within three
    combined Monte-Carlo errors, or the claim differs.

    Parameters
    ----------
    gap : DataFrame
        ``mean``, ``mc_error`` and ``published`` by genre and K.

    Raises
    ------
    ValueError
        If a genre lacks a K from 3 to 5 or one of its numbers.
    """
    signs = {"Children's": -1, "Crime": -1, "Drama": 1, "Romance": 1}
    for name, sign in signs.items():
        rows = gap.loc[name].loc[3:5]
        if len(rows) != 3 or rows.isna().any(axis=None):
            raise ValueError(
                f"gap lacks numbers of {name} at K from 3 to 5: run matrix-genre again"
            )
        change = sign * rows["mean"]
        told = f"{name}: {'wider' if sign > 0 else 'narrower'} by, K = 3 to 5"
        if (change >= 0).all():
            yield criterion("scmc-FA9", told, change.to_numpy(), at_least=0)
            continue
        k = change.idxmin()
        ours, theirs = rows.loc[k, "mean"], rows.loc[k, "published"]
        told = f"{name}: change of width at K = {k}"
        errors = dict(mc_error=rows.loc[k, "mc_error"], published_error=GENRE_ERROR)
        one = criterion("scmc-FA9", told, ours, **errors)
        if abs(ours - theirs) <= 3 * np.hypot(errors["mc_error"], GENRE_ERROR):
            yield one | {"published": theirs}
        else:
            yield one | {"expected": theirs, "why": GENRE_WHY}


#: Unpaired error of the published differences of one genre and K, by the spec.
GENRE_ERROR = 0.02
GENRE_WHY = (
    "The published sign does not come out in our runs. Clipping as the authors clip "
    "moves the change of width by less than its Monte-Carlo error (stored study "
    "matrix-clipping), so that is not the reason; nor was, in a trial with constant "
    "w, the estimate of w. What else differs in their run we do not know."
)
LEVEL_WHY = (
    "The ordering holds, the level does not: the authors cut each end on one side "
    "only, so an interval wholly outside 1 to 5 counts with a negative width. Measured "
    "their way our regions are as wide as theirs on average (the part on clipping)."
)


def level(missing: pd.DataFrame) -> Check:
    """Figure 1 at rank 3 and K = 2: our width beside the published one.

    Parameters
    ----------
    missing : DataFrame
        Ours beside the published values of Figure 1.
    """
    row = missing[missing["method"] == "SCMC"].set_index(["rank", "K"]).loc[(3, 2)]
    errors = dict(mc_error=row["mc_error"], published_error=row["published_error"])
    told = "level at rank 3 and K = 2"
    rule = dict(published=row["published"], why=LEVEL_WHY)
    return criterion("scmc-F1", told, row["mean"], **errors, **rule)


def clipping(one_side: pd.DataFrame) -> Iterator[Check]:
    """Figure 1 with ends clipped as the authors clip: mean distance from their widths.

    Parameters
    ----------
    one_side : DataFrame
        Ours beside the published values, some ranks and K.
    """
    rows = one_side[one_side["method"] == "SCMC"]
    errors = np.hypot(rows["mc_error"], rows["published_error"])
    apart = (rows["mean"] - rows["published"]).mean()
    rule = dict(expected=0, mc_error=np.sqrt((errors**2).sum()) / len(rows))
    told = "level clipped on one side, less the published, mean over rank and K"
    yield criterion("scmc-F1", told, apart, **rule)


def completion(frame: pd.DataFrame, id: str) -> Iterator[Check]:
    """Figures A10 and A11: three completions, each at every K."""
    for name, part in frame.groupby("completion", sort=False):
        cover, width = by_method(part, "coverage"), by_method(part, "width", "median")
        own = over_sizes(part, "SCMC").iloc[0]
        rule = dict(at_least=0.9, mc_error=own["error"])
        yield criterion(id, f"{name}, SCMC, mean over K", own["mean"], **rule)
        yield _valid(id, f"{name}, SCMC, every K", _cells(part, "coverage", "SCMC"))
        below = (cover["SCMC"] - cover["unadjusted"]).to_numpy()
        told = f"{name}, SCMC less unadjusted, every K"
        yield criterion(id, told, below, at_least=0.02)
        ratio = (width["Bonferroni"] / width["SCMC"]).loc[3:].to_numpy()
        told = f"{name}, Bonferroni / SCMC, median widths, every K >= 3"
        yield criterion(id, told, ratio, at_least=1)


def estimated(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure A12: true and estimated sampling weights, uniform sampling."""
    rows = pick(frame, "gap", method="SCMC (estimated w)", rho=3)
    told = "coverage difference, rho = 3, all K"
    yield criterion("scmc-FA12", told, rows["mean"].abs().to_numpy(), at_most=0.03)
    tv = pick(frame, "delta_tv", method="SCMC (estimated w)")
    tv = tv.pivot(index="K", columns="rho", values="mean")
    grows = [np.diff(tv, axis=0).min(), np.diff(tv, axis=1).min()]
    yield criterion("scmc-FA12", "distance grows with K, rho", grows, at_least=0)


def estimated_sparse(frame: pd.DataFrame) -> Iterator[Check]:
    """Figure A13: true and estimated sampling weights, sparse columns."""
    own = frame[frame["nu"] == 13]
    rows = pick(own, "coverage", method="SCMC (estimated w)")
    yield _valid("scmc-FA13", "coverage, all s and rho, nu = 13", rows, 0.85)
    tv = pick(frame, "delta_tv", method="SCMC (estimated w)")
    tv = tv.pivot(index=["nu", "s"], columns="rho", values="mean")
    grows = (tv[7] - tv[3]).to_numpy()
    yield criterion("scmc-FA13", "distance at rho 7 less at 3", grows, at_least=0)
    gap = pick(own, "gap", method="SCMC (estimated w)", rho=3).set_index("s")["mean"]
    told = "coverage lost at s = 0.1 less that at 0.2, rho = 3"
    yield criterion("scmc-FA13", told, gap[0.2] - gap[0.1], at_least=0)
    more = (tv.loc[(13, 0.1)] - tv.loc[(1, 0.1)]).to_numpy()
    yield criterion("scmc-FA13", "distance at nu 13 less at 1", more, at_least=0)


def largest_weight(rows: pd.DataFrame) -> Iterator[Check]:
    """Figure A14: mean largest weight by number of groups, and by K."""
    by_n = rows.query("K == 2 and n_cal < 400")
    slope = np.polyfit(np.log(by_n["n_cal"]), np.log(by_n["mean"]), 1)[0]
    yield criterion("scmc-FA14L", "slope in logarithms", slope, expected=-1, tol=0.3)
    multiple = (by_n["mean"] * (by_n["n_cal"] + 1)).to_numpy()
    rule = dict(at_least=1, at_most=4)
    yield criterion("scmc-FA14L", "multiple of 1 / (n + 1)", multiple, **rule)
    by_k = rows[rows["n_cal"] == 400].set_index("K")["mean"]
    ratio = by_k[8] / by_k[2]
    yield criterion("scmc-FA14R", "K = 8 over K = 2", ratio, at_least=2)
