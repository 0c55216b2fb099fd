"""What the experiments of chapter 1 must show, as data for ``claims.check``.

Each function takes the summary of a study, live or stored, and yields the arguments
of one call of :func:`notebook_lib.claims.check` after the other; those with a ``why``
are for :func:`notebook_lib.claims.differs`. A live run of few replicates does not
know its own Monte-Carlo error: it is read off the stored study (:func:`errors`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import norm

from .latent_live import gap_share, select, wide
from .latent_trial import METHODS

Check = dict
ORACLE, HARD, SOFT, SLOPES, REGRESSION, DENSITY, IGNORE = METHODS.values()
FITTED = [HARD, SOFT, SLOPES, REGRESSION, DENSITY]
_MEASURED = ["mean", "mc_error", "n", "n_failed"]


def errors(rows: pd.DataFrame, stored: pd.DataFrame) -> np.ndarray:
    """Monte-Carlo error of each row's mean, as the stored study knows it.

    Parameters
    ----------
    rows, stored : DataFrame
        Summaries of the same study. The error of a stored mean is scaled to the
        number of replicates of the row; of a stored row it is its own.

    Returns
    -------
    ndarray, shape (len(rows),)
        NaN where the stored study has no such cell.
    """
    keys = [name for name in rows if name not in _MEASURED and name in stored]
    known = stored[[*keys, "mc_error", "n"]]
    both = rows[[*keys, "n"]].merge(
        known, on=keys, how="left", suffixes=("", "_stored")
    )
    return (both["mc_error"] * np.sqrt(both["n_stored"] / both["n"])).to_numpy()


def _known(table: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    return table.assign(mc_error=errors(table, stored))


def _check(id: str, part: str, observed, **rule) -> Check:
    return {"id": id, "part": part, "observed": observed} | rule


def oracle_limit(table, stored) -> Iterator[Check]:
    """em-A2: the oracle's length over ``2 sigma z``, its limit."""
    rows = select(table, "length", method=ORACLE, alpha=0.1)
    limit = 2 * rows["sigma"] * norm.isf(0.05)
    # The stored means need no allowance beyond the tolerance.
    live = table is not stored
    noise = errors(rows, stored) / limit.to_numpy() if live else None
    rule = {"expected": 1, "tol": 0.02, "mc_error": noise}
    yield _check("em-A2", "", rows["mean"] / limit, **rule)


def limits(table, stored) -> Iterator[Check]:
    """em-T5: every pipeline ignores the class where it must, and nears the oracle."""
    mean, error = wide(_known(table, stored), "length", alpha=0.1)
    for name in ("beta", "separation"):
        means, noise = mean.xs(0, level=name), error.xs(0, level=name)
        gap = means[FITTED].sub(means[IGNORE], axis=0)
        noise = np.hypot(noise[FITTED], noise[[IGNORE]].to_numpy())
        part = f"{'delta' if name == 'separation' else name} = 0, minus class-blind"
        yield _check("em-T5", part, gap, expected=0, mc_error=noise)
    share = gap_share(mean)[FITTED].dropna().xs(6, level="separation")
    part = "delta = 6: share of the way from the oracle"
    yield _check("em-T5", part, share, expected=0, tol=0.05)


def far_limit(stored) -> Check:
    """em-T5 at the largest separation: close to the oracle, not within errors."""
    rows = select(stored, "gap", method=FITTED, alpha=0.1, separation=6.0)
    worst = rows.loc[(rows["mean"] / rows["mc_error"]).idxmax()]
    return _check(
        "em-T5",
        "delta = 6: gap to the oracle",
        worst["mean"],
        expected=0.0,
        mc_error=worst["mc_error"],
        why="the limit is not reached at delta = 6: some labels are still wrong, and "
        "200 repetitions see a gap of a few per cent of the length",
    )


def quality(table) -> Iterator[Check]:
    """em-F1: accuracy rises and cross-entropy falls, but for one corner."""
    for metric, sign in (("accuracy", 1), ("cross_entropy", -1)):
        rows = select(table, metric, em=["R", "RX"])
        corner = (rows["em"] == "RX") & (rows["n_classes"] == 5)
        rows = rows[~corner] if metric == "cross_entropy" else rows
        rows = rows.set_index(["em", "n_classes", "separation"])["mean"]
        steps = sign * rows.groupby(level=[0, 1]).diff().dropna()
        yield _check("em-F1", metric, steps, at_least=0)


def quality_corner(stored) -> Check:
    """em-F1 in the corner: five classes, EM on [R; X]."""
    last = select(stored, "cross_entropy", n_classes=5, separation=6.0)
    last = last.set_index("em")
    return _check(
        "em-F1",
        "cross-entropy at delta = 6, K = 5: EM-RX, expected as EM-R",
        last["mean"]["RX"],
        expected=last["mean"]["R"],
        mc_error=np.hypot(*last["mc_error"][["R", "RX"]]),
        why="with five classes and [R; X], k-means now and then starts EM in a wrong "
        "split, and the mixture is then sure of wrong labels: cross-entropy does not "
        "fall from delta = 4 on",
    )


def gaps(table, stored, *, slack=0.0) -> Iterator[Check]:
    """em-F3, em-A4 and em-A7, from the gaps to the oracle."""
    gap = wide(table, "gap", alpha=0.1)[0]
    level = gap.index.get_level_values
    falls = gap[FITTED][(level("separation") >= 2) & (level("beta") > 0)]
    falls = falls.groupby(level=["n_classes", "em", "beta", "sigma"]).diff().dropna()
    part = "gap falls from delta = 2 on"
    yield _check("em-F3", part, falls, at_most=0, tol=slack)
    blind = _known(select(table, "length", method=IGNORE, alpha=0.1), stored)
    flat = blind.groupby(["n_classes", "beta", "sigma"])["mean"].transform("mean")
    rule = {"expected": 0, "mc_error": blind["mc_error"]}
    yield _check("em-F3", "baseline is flat", blind["mean"] - flat, **rule)
    two = gap.xs((2.0, 2.0), level=("separation", "beta"))
    yield _check("em-A7", "", two[DENSITY] - two[SOFT], at_most=0)
    rows = _known(select(table, "beta_error", method=SOFT, alpha=0.1), stored)
    part = "largest error of beta-hat against W beta"
    rule = {"at_most": 0.25} | ({"mc_error": rows["mc_error"]} if slack else {})
    yield _check("em-A4", part, rows["mean"], **rule)


def gap_rises(stored) -> Check:
    """em-F3 at strong class effects: the gap rises before it falls."""
    rows = select(stored, "gap", alpha=0.1, beta=2.0, method=FITTED, em=["R", "RX"])
    keys = ["n_classes", "em", "sigma", "method"]
    ends = rows.pivot(index=keys, columns="separation", values=["mean", "mc_error"])
    rise = ends["mean"][1] - ends["mean"][0]
    at = rise.idxmax()
    return _check(
        "em-F3",
        "beta = 2: from delta = 0 to 1",
        rise[at],
        expected=0.0,
        mc_error=np.hypot(*ends.loc[at, "mc_error"][[0, 1]]),
        why="at strong class effects the gap first rises, since the quantile of the "
        "residual lies among the rows with wrong labels; it falls from delta = 2 on",
    )


def soft_against_regression(table, stored) -> Iterator[Check]:
    """em-A6: the consistent regression is not longer, but for one cell."""
    known = _known(table, stored)
    mean, error = wide(known, "length", alpha=0.1, beta=[0.0, 0.5, 1.0])
    excess = mean[REGRESSION] - mean[SOFT]
    noise = np.hypot(error[REGRESSION], error[SOFT])
    corner = _corner(excess)
    part = "all cells but one"
    kept = {"at_most": 0, "mc_error": noise[~corner]}
    yield _check("em-A6", part, excess[~corner], **kept)


def _corner(lengths):
    cells = {"n_classes": 2, "separation": 1.0, "beta": 1.0, "sigma": 0.5}
    return np.logical_and.reduce(
        [lengths.index.get_level_values(k) == v for k, v in cells.items()]
    )


def soft_wins(stored) -> Check:
    """em-A6 in that cell."""
    mean, error = wide(stored, "length", alpha=0.1, beta=[0.0, 0.5, 1.0])
    excess = (mean[REGRESSION] - mean[SOFT])[_corner(mean)]
    return _check(
        "em-A6",
        "K = 2, delta = 1, beta = 1, sigma = 0.5",
        excess.max(),
        expected=0.0,
        mc_error=np.hypot(*error.loc[excess.idxmax(), [REGRESSION, SOFT]]),
        why="a smaller mean square is not a smaller quantile of the absolute residual: "
        "with two classes at beta = 1 the consistent fit is longer",
    )


def accuracy(table, *, slack=0.0) -> Iterator[Check]:
    """em-F4 at weak class effects: length falls as accuracy rises."""
    mean, _ = wide(table, "length", alpha=0.1, beta=[0.5])
    share = gap_share(mean)[FITTED]
    steps = share.groupby(level=["n_classes", "em", "sigma"]).diff().dropna()
    yield _check("em-F4", "beta = 0.5", steps, at_most=0, tol=slack)


def accuracy_misleads(share) -> Check:
    """em-F4 at strong class effects: longer than ignoring the class.

    Parameters
    ----------
    share : DataFrame
        Length of each pipeline as :func:`~.latent_live.gap_share` tells it.
    """
    return _check(
        "em-F4",
        "beta = 2",
        share[HARD].max(),
        expected=1.0,
        tol=0.1,
        why="while more than a share alpha of the labels is wrong, the quantile of the "
        "residual lies among those rows, and length rises with accuracy",
    )


def accuracy_between(stored) -> Iterator[Check]:
    """em-F4 at beta = 1: length falls with accuracy, but for one pipeline at first."""
    mean, error = wide(stored, "length", alpha=0.1, beta=[1.0])
    by = ["n_classes", "em", "sigma"]
    noise = error[FITTED].div(mean[IGNORE] - mean[ORACLE], axis=0)
    noise = np.hypot(noise, noise.groupby(level=by).shift())
    steps = gap_share(mean)[FITTED].groupby(level=by).diff()
    level = steps.index.get_level_values
    two = (level("n_classes") == 2) & (level("separation") == 1)
    first = steps.loc[two & (level("sigma") == 0.5), HARD]
    rest = steps.copy()
    rest.loc[first.index, HARD] = np.nan
    rest = rest.stack().dropna()
    rule = {"at_most": 0, "mc_error": noise.stack()[rest.index]}
    yield _check("em-F4", "beta = 1, all other steps", rest, **rule)
    yield _check(
        "em-F4",
        "beta = 1, K = 2, hard labels: from delta = 0 to 1",
        first.max(),
        expected=0.0,
        mc_error=noise.loc[first.idxmax(), HARD],
        why="with two classes and little noise the first wrong labels cost more than "
        "the right ones save: the same reason as at beta = 2, in the smallest degree",
    )


def slopes(table) -> Iterator[Check]:
    """em-A5: class-specific slopes come back where classes are far apart."""
    rows = select(table, "slope_error", separation=6.0)
    yield _check("em-A5", "slopes at delta = 6", rows["mean"], at_most=0.05)


def misspecified(table, stored) -> Iterator[Check]:
    """em-F5: what a spherical fit to full covariances costs."""
    rows = select(_known(table, stored), "gap", structure="full", alpha=0.1)
    rows = rows[rows["em"] != "-"]
    keys = ["em", "separation", "method"]
    both = rows.pivot(index=keys, columns="family", values=["mean", "mc_error"])
    cost = both["mean"]["spherical"] - both["mean"]["full"]
    noise = np.hypot(*both["mc_error"].to_numpy().T)
    yield _check("em-F5", "gap no smaller", cost, at_least=0, mc_error=noise)
    far = cost[cost.index.get_level_values("separation") >= 3]
    yield _check("em-F5", "gap larger from delta = 3 on", far, at_least=0)


def bins(table) -> Iterator[Check]:
    """em-F6: who covers too little where the class is in doubt."""
    for (separation, beta), counts, doubt in _bins(table):
        where = f"delta = {separation:g}, beta = {beta:g}"
        yield _check("em-F6", f"doubtful bins, {where}", doubt, at_most=0.89)
        ahead = counts[DENSITY] - counts[[HARD, SOFT, REGRESSION]].max()
        if (separation, beta) != (3, 2):
            part = f"bins near nominal, {where}"
            yield _check("em-F6", part, ahead, at_least=1)
        else:
            yield _check(
                "em-F6",
                f"bins near nominal, density set ahead by, {where}",
                int(ahead),
                expected=1,
                why="with far classes and strong effects the density set too is off "
                "by more than 0.03 in all doubtful bins, if by much less than "
                "the sets of constant width",
            )


def _bins(table):
    rows = select(table, "coverage", alpha=0.1)
    for case, part in rows.groupby(["separation", "beta"]):
        cover = part.pivot(index="bin", columns="method", values="mean")
        cover = cover.drop(["right", "wrong"])
        doubt = cover.loc[["0.5", "0.6", "0.7"], [HARD, SOFT, REGRESSION]]
        yield case, (cover - 0.9).abs().le(0.03).sum(), doubt


def sizes(table, stored) -> Iterator[Check]:
    """em-F7: the gap falls as training rows are added, at the default ridge."""
    rows = select(_known(table, stored), "gap", ridge=1e-6, alpha=0.1, method=FITTED)
    keys = ["n_classes", "method"]
    ends = rows.pivot(index=keys, columns="n_train", values=["mean", "mc_error"])
    steps = ends["mean"].diff(axis=1).iloc[:, 1:]
    spread = ends["mc_error"].to_numpy()
    noise = np.hypot(spread[:, 1:], spread[:, :-1])
    yield _check("em-F7", "each step", steps, at_most=0, mc_error=noise)
    fall = ends["mean"][5000] - ends["mean"][200]
    # A few live replicates may put two noisy ends in the wrong order.
    live = table is not stored
    rule = {"mc_error": np.hypot(spread[:, 0], spread[:, -1])} if live else {}
    yield _check("em-F7", "from 200 to 5000 rows", fall, at_most=0, **rule)


def ridge_misleads(stored) -> Check:
    """em-F7 with a large ridge: EM-soft gets worse with more rows."""
    rows = select(stored, "gap", n_classes=3, ridge=0.1, alpha=0.1, method=SOFT)
    rows = rows.set_index("n_train")
    return _check(
        "em-F7",
        "ridge 0.1, EM-soft: from 200 to 5000 rows",
        rows["mean"][5000] - rows["mean"][200],
        expected=0.0,
        mc_error=np.hypot(*rows["mc_error"][[200, 5000]]),
        why="a large ridge flattens the responsibilities, which EM-soft takes at their "
        "word; more rows only make it surer of the wrong mixture",
    )
