"""The verdicts of chapter 3 on its tables, its data and where its methods break.

Each function records the claims of one section on one run; the criteria are those of
``data/claims.csv``.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import binom

from .. import claims, covariates, datasets
from ..masks import mask_label
from ..mechanisms import MCAR, SelfMasked
from ..quantiles import conformal_rank
from . import mask_checks as checks
from . import mask_conditional as study
from . import mask_live as live
from . import mask_tables as tables
from . import mask_theory as theory
from .mask_verdicts import LARGE, assess, family_z, identity, not_stored

ADAPTIVE = ("CP-MDA-Exact", "nexCP", "nexCP (mask weights)", "LCP")
SEVEN = ["000", "001", "010", "011", "100", "101", "110"]


def _by_mask(id, rows, **how):
    """Coverage of every mask in [0.9, 0.93], up to the family's errors."""
    z = family_z(len(rows))
    error = rows["coverage_error"]
    assess(id, rows["coverage"], expected=0.915, tol=0.015, mc_error=error, z=z, **how)


def _near_print(id, ratio, tol, noise, *, part, **how):
    """Ours over the printed value within `tol`: reproduced, or differs with its size.

    At paper scale the stored run decides; live runs only assert.
    """
    ratio = np.atleast_1d(np.asarray(ratio, dtype=float))
    off = ratio[np.argmax(np.abs(ratio - 1))]
    if how["scale"] == "paper" and abs(off - 1) > tol:
        told = {k: v for k, v in how.items() if k != "when"}
        why = f"{int((np.abs(ratio - 1) > tol).sum())} of {len(ratio)} lengths are off "
        why += f"by more than {tol:.0%} (the worst by {off - 1:+.1%}): the document "
        why += "leaves mechanisms, imputation and training open"
        claims.differs(id, off, 1.0, tol=tol, part=part, why=why, **told)
    else:
        assess(id, ratio, expected=1, tol=tol, mc_error=noise, part=part, **how)


def _at_least(id, rows, level=0.9, **how):
    z = family_z(len(rows))
    error = rows["coverage_error"]
    assess(id, rows["coverage"], at_least=level, mc_error=error, z=z, **how)


# ----------------------------------------------------------------------- Table 1


def table_1(table, scale, note, base, *, ok):
    """T3, T4a, B1 to B4, B7, V1 to V3, V7, P1, E2, TB1 on one run with d = 3.

    Parameters
    ----------
    table : DataFrame
        Layout of :func:`notebook_lib.studies.mask_live.by_mask`, MCAR and MNAR (and
        MAR at paper scale).
    scale : {"quick", "paper"}
        Where the run comes from.
    note : str
        Model and replicates.
    base : {"linear", "network"}
        Base model; criteria that are stated for linear models need it.
    ok : bool
        Whether the parameters are the defaults.
    """
    how = {"scale": scale, "note": note, "when": ok or scale == "paper"}
    three = table[table["d"] == 3]
    t = three[three["mechanism"] == "MCAR"].set_index(["method", "mask"])
    coverage_by_mask(t, how)
    failures(t, how, base)
    lengths_by_mask(t, three, how, base)


def coverage_by_mask(t, how):
    """T3, T4a, B3, V1, V3: who is valid on every mask, under MCAR."""
    valid = t.loc[[(m, r) for m in ADAPTIVE for r in SEVEN]]
    _by_mask("fcp-T3", valid.loc["nexCP"], part="nexCP", **how)
    _by_mask("fcp-T3", valid.loc["nexCP (mask weights)"], part="mask weights", **how)
    _by_mask("fcp-T4a", valid.loc["LCP"], part="by mask", **how)
    _by_mask("fcp-B3", valid.loc["CP-MDA-Exact"], part="by mask", **how)
    nested = ["CP-MDA-Nested", "CP-MDA-Nested (half tails)"]
    everyone = t.loc[[(m, r) for m in (*ADAPTIVE, *nested) for r in SEVEN]]
    _at_least("fcp-V3", everyone, part="own run", **how)
    _at_least("fcp-V1", t.xs("marginal", level="mask"), part="own run", **how)


def marginal_level(rank):
    """B1: marginal coverage on many more data sets than the tables have."""
    frame, manifest = tables.stored_if_any("masks_marginal")
    if frame is None:
        return not_stored("fcp-B1", "masks_marginal", "marginal coverage, more data")
    count = manifest["n_replicates"]
    return assess(
        "fcp-B1",
        frame["mean"],
        expected=rank,
        mc_error=frame["mc_error"],
        z=family_z(len(frame)),
        part="marginal coverage, more data",
        scale="paper",
        note=f"linear models, {count} data sets each of 3, 5 and 8 covariates",
    )


def failures(t, how, base):
    """B1, B2, V2: one radius, or nearly one length, for all masks."""
    cp, cqr = t.loc["CP"], t.loc["CQR"]
    rank = conformal_rank(250, 0.1) / 251
    spread = cp.loc[SEVEN, "length"].max() - cp.loc[SEVEN, "length"].min()
    assess("fcp-B1", spread, at_most=1e-9, part="one length", **how)
    marginal = cp.loc["marginal"]
    assess(
        "fcp-B1",
        marginal["coverage"],
        expected=rank,
        mc_error=marginal["coverage_error"],
        part="marginal coverage",
        but="with more data sets it comes out: see the next part",
        **how,
    )
    if how["scale"] == "paper":
        marginal_level(rank)
    if base == "linear":
        error = cp.loc["110", "length_error"] if how["scale"] == "quick" else None
        assess(
            "fcp-B1",
            cp.loc["110", "length"],
            expected=4.17,
            tol=0.15,
            mc_error=error,
            part="length, linear models",
            **how,
        )
    else:
        assess(
            "fcp-B1",
            cp.loc["110", "length"],
            published=4.209,
            tol=0.0005,
            mc_error=cp.loc["110", "length_error"],
            published_error=cp.loc["110", "length_error"],
            part="length, networks",
            **how,
        )
    one = cqr.loc[SEVEN, "length"]
    assess("fcp-B2", one.max() / one.min(), at_most=1.05, part="one length", **how)
    for id, rows, complete in (("fcp-V2", cp, 0.93), ("fcp-B2", cqr, 0.92)):
        low, high = rows.loc["110", "coverage"], rows.loc["000", "coverage"]
        assess(id, low, at_most=0.75, part="mask 110", **how)
        assess(id, high, at_least=complete, part="mask 000", **how)


def lengths_by_mask(t, three, how, base):
    """TB1, B3, B4, B7, P1, E2, V6, V7: lengths under MCAR, and their mechanism."""
    printed = live.setting(live.published(), 3, "MCAR")["length"]
    L = t["length"].unstack("method").loc[SEVEN]
    error = t["length_error"].unstack("method").loc[SEVEN]
    for name in ("nexCP", "LCP"):
        ratio = L[name] / printed[name].loc[SEVEN]
        noise = error[name] / L[name] if how["scale"] == "quick" else None
        _near_print("fcp-TB1", ratio, 0.06, noise, part=name, **how)
    assess("fcp-TB1", ordered(L), expected=True, part="order of masks", **how)
    for mechanism in three["mechanism"].unique():
        rows = three[three["mechanism"] == mechanism].set_index(["method", "mask"])
        rows = rows.loc[["CP-MDA-Exact", "nexCP", "LCP"]]
        rows = rows[rows.index.get_level_values("mask").isin(SEVEN)]
        _by_mask("fcp-TB1", rows, part=f"coverage, {mechanism}", **how)
    exact = L["CP-MDA-Exact"] / printed["CQR-MDA-Exact"].loc[SEVEN]
    _near_print("fcp-B3", exact, 0.12, None, part="lengths", **how)
    nested_tails(t, L, how)
    flat = L["LCP"] / L["equal weights"]
    assess("fcp-B7", flat, expected=1, tol=0.01, part="LCP", **how)
    assess("fcp-P1", flat, expected=1, tol=0.01, part="LCP is equal weights", **how)
    rank = L["nexCP"] / L["equal weights"]
    assess("fcp-B7", rank, expected=1.015, tol=0.025, part="nexCP", **how)
    assess("fcp-B7", rank["000"], expected=1, tol=1e-12, part="complete mask", **how)
    gap = L.loc["000", "LCP"] / L.loc["000", "nexCP"]
    assess("fcp-P1", gap, expected=1, tol=0.005, part="complete mask", **how)
    assess("fcp-V6", gap, expected=1, tol=0.005, part="own complete mask", **how)
    if base == "linear":
        ratio = L["nexCP"] / pd.Series(LARGE)[SEVEN]
        assess("fcp-E2", ratio, expected=1.03, tol=0.06, part="small samples", **how)
    m = three[three["mask"] == "marginal"]
    m = m.pivot(index="method", columns="mechanism", values="length")
    change = 100 * (m["MNAR"] / m["MCAR"] - 1)
    gap = change["LCP"] - change["equal weights"]
    assess("fcp-V7", gap, expected=0, tol=1, part="own run, percent", **how)


def ordered(L) -> bool:
    """Whether masks are ordered by length as the reference says, up to near-ties.

    Near-ties: 010 and 011, 100 and 101.
    """
    groups = [["000"], ["001"], ["100", "101"], ["010", "011"], ["110"]]
    ends = [
        (L.loc[g, name].min(), L.loc[g, name].max())
        for name in ("nexCP", "LCP")
        for g in groups
    ]
    runs = (ends[: len(groups)], ends[len(groups) :])
    return all(before[1] < after[0] for run in runs for before, after in pairwise(run))


def nested_tails(t, L, how):
    """B4: CQR-MDA-Nested at level alpha, and alpha / 2, a side."""
    names = ["CP-MDA-Nested", "CP-MDA-Nested (half tails)"]
    tails = L.loc["000", names].to_numpy(float)
    tol = np.array([0.4, 0.5])
    wanted = np.array([4.75, 6.08])
    assess("fcp-B4", tails, expected=wanted, tol=tol, part="lengths, 000", **how)
    cover = [t.loc[(name, "000"), "coverage"] for name in names]
    assess("fcp-B4", cover[0], expected=0.94, tol=0.02, part="coverage", **how)
    assess("fcp-B4", cover[1], at_least=0.965, part="coverage, half", **how)
    longer = L["CP-MDA-Nested"] - L["CP-MDA-Exact"]
    assess("fcp-B4", longer, at_least=0, part="longer than Exact", **how)
    if ("CP-MDA-Nested", "111") in t.index:
        empty = t["length"].xs("111", level="mask")
        gap = empty["CP-MDA-Nested"] - empty["CP-MDA-Exact"]
        assess("fcp-B4", gap, expected=0, tol=1e-9, part="equal on 111", **how)


# ---------------------------------------------------------------------- pipeline


def pipeline(table, scale, note, *, ok):
    """V9 (and B1's second length): draws without mask input, and two other ways.

    Parameters
    ----------
    table : DataFrame
        Rows "nexCP length, 110", "CQR coverage, 110", "CP length", columns by pipeline.
    scale, note, ok
        As in :func:`table_1`.
    """
    how = {"scale": scale, "note": note, "when": ok or scale == "paper"}
    length, cqr = table.loc["nexCP length, 110"], table.loc["CQR coverage, 110"]
    assess("fcp-V9", length["draws"], expected=7.7, tol=0.5, part="draws", **how)
    means = length["conditional means"]
    assess("fcp-V9", means, expected=6.4, tol=0.4, part="means", **how)
    assess("fcp-V9", cqr["draws"], at_most=0.75, part="CQR", **how)
    masked = cqr["draws, mask as feature"]
    assess("fcp-V9", masked, at_least=0.8, part="CQR, mask as feature", **how)
    if scale == "quick":
        found = table.loc["CP length", "conditional means"]
        assess("fcp-B1", found, expected=3.82, tol=0.15, part="means", **how)


def pipeline_at_paper_scale(*, ok=True):
    """V9 from the stored study with networks, if there is one."""
    frame, manifest = tables.stored_if_any("masks_pipeline_network")
    if frame is None:
        return not_stored("fcp-V9", "masks_pipeline_network")
    frame = frame.assign(mask=frame["mask"].str[1:])
    kinds = {
        "draws": (True, False),
        "conditional means": (False, False),
        "draws, mask as feature": (True, True),
    }
    value = frame.set_index(["draw", "add_mask", "method", "mask", "metric"])["mean"]
    table = pd.DataFrame(
        {
            name: {
                "nexCP length, 110": value[(*kind, "nexCP", "110", "length")],
                "CQR coverage, 110": value[(*kind, "CQR", "110", "coverage")],
            }
            for name, kind in kinds.items()
        }
    )
    note = f"networks, {manifest['n_replicates']} stored replicates"
    return pipeline(table, "paper", note, ok=ok)


def network(seed):
    """A10: one fit live, 50 a setting stored."""
    error = live.network_error(seed, 2000)
    assess("fcp-A10", error, at_most=1.12, part="test error")
    X, y = theory.TRUTH3.sample(500, seed)
    heads = covariates.QuantileNetwork(random_state=seed).fit(X, y).predict(X)
    assess("fcp-A10", bool((heads[:, 0] <= heads[:, 1]).all()), part="order")
    frame, manifest = tables.stored_if_any("masks_network")
    if frame is None:
        return not_stored("fcp-A10", "masks_network")
    value = frame.set_index(["d", "metric"])["mean"]
    note = f"{manifest['n_replicates']} stored replicates of six fits"
    how = {"scale": "paper", "note": note}
    assess("fcp-A10", value[3, "rmse"], at_most=1.12, part="test error", **how)
    crossing = value.xs("crossing", level="metric").to_numpy()
    return assess("fcp-A10", crossing, expected=0.0, tol=0, part="order", **how)


def gaps_and_draws(seed, rng):
    """A7, A8, A9: mechanisms, test rows given a mask, drawn entries."""
    assess("fcp-A9", live.draw_spread(seed), expected=0.5375, tol=0.03)
    alike = checks.empty_rows_alike(rng)
    assess("fcp-A9", alike, expected=True, part="rows without any entry")
    pool, _ = theory.TRUTH3.sample(200_000, rng)
    probit = SelfMasked(0.2).fit(pool)
    kinds = (MCAR(0.2).fit(pool), study.mechanism_of("MAR", 3, pool), probit)
    rates = np.array([m.sample(pool, rng).mean(axis=0) for m in kinds])
    wanted = np.array([[0.2] * 3, [0, 0.2, 0.2], [0.2] * 3])
    assess("fcp-A7", rates, expected=wanted, tol=0.005, part="rates")
    printed = np.array([-0.94096, -1.6497])
    found = checks.exact_intercepts()
    identity("fcp-A7", found, expected=printed, tol=1e-4, part="intercepts")
    first, n = [True, False, False], 20_000
    centre = pool[:, 0].mean()
    weights = probit.pattern_probability(pool, first)
    given = study.rows_given_mask(pool, weights, n, rng)[:, 0].mean()
    apart = 5 * np.sqrt(2 / n)
    assess("fcp-A8", given - centre, at_least=apart, part="self-masked")
    weights = MCAR(0.2).fit(pool).pattern_probability(pool, first)
    plain = study.rows_given_mask(pool, weights, n, rng)[:, 0].mean()
    error = np.sqrt(1 / n)
    assess("fcp-A8", plain, expected=centre, mc_error=error, z=4, part="MCAR")


# ------------------------------------------------------------- published numbers

LONGER = {
    ("Table 1", "MCAR", "010"),
    ("Table 1", "MCAR", "011"),
    ("Table 1", "MCAR", "110"),
    ("Table 2", "MCAR", "4"),
    ("Table 3", "MCAR", "6"),
    ("Table 3", "MCAR", "7"),
    ("Table 4", "MAR", "001"),
    ("Table 4", "MAR", "011"),
    ("Table 4", "MAR", "101"),
}


def printed(v, interpolated):
    """V0 to V8, M1, M2: what the published tables say by themselves.

    Parameters
    ----------
    v : dict
        As returned by :func:`notebook_lib.studies.mask_live.published_verdicts`.
    interpolated : list of float
        Percent that interpolation shortens, Tables 1 to 4.
    """
    table = live.published()
    identity("fcp-V0", v["cp_spread"], expected=0.0, part="one CP length")
    quoted = np.array([3.031, 5.494, 3.161])
    identity("fcp-V0", v["lcp_table_5"], expected=quoted, part="Table 5")
    found = checks.quoted_columns(table)
    right = all(columns == [method] for (_, method), columns in found.items())
    identity("fcp-V0", right, expected=True, part="24 quoted numbers of Table 2")
    low, high = v["marginal"]
    inside = bool(low >= 0.894 - 1e-9 and high <= 0.996 + 1e-9)
    identity("fcp-V1", inside, expected=True, part="published")
    ends = np.array([v["worst_cp"], v["worst_cqr"], v["best"]])
    wanted = np.array([0.792, 0.829, 0.921])
    identity("fcp-V2", ends, expected=wanted, tol=1e-9, part="published")
    lowest = v["lowest_adaptive"]
    identity("fcp-V3", lowest, at_least=0.889, part="published")
    always = bool(v["nested_longer"] == v["rows"] == 90)
    identity("fcp-V4", v["nested_lowest"], at_least=0.962, part="coverage")
    identity("fcp-V4", always, expected=True, part="longer in 90 of 90 rows")
    counts = np.array([v["lcp_shorter"], v["nexcp_shorter"]])
    identity("fcp-V5", counts, expected=np.array([81, 66]))
    shorter = table["length"]["LCP"] < table["length"]["CQR-MDA-Exact"]
    rest = {(a, b.split("; ")[-1], c) for a, b, c in shorter[~shorter].index}
    identity("fcp-V5", rest == LONGER, expected=True, part="the nine exceptions")
    identity("fcp-V6", int(v["lcp_below_nexcp"]), expected=90, part="published rows")
    gap = np.asarray(v["complete_gap"])
    ours, wanted = np.array(interpolated), np.array([1.34, 1.57, 2.50, 8.30])
    identity("fcp-V6", gap, expected=wanted, tol=0.006, part="printed gap, percent")
    wanted = np.array([0.83, 1.35, 2.81, 8.66])
    tol = np.array([0.1, 0.1, 0.15, 0.5])
    identity("fcp-V6", ours, expected=wanted, tol=tol, part="interpolation, percent")
    near = np.abs(ours - gap).max()
    identity("fcp-V6", near, at_most=0.7, part="distance of the two, points")
    change = v["mechanism"]
    ours = change.loc[["nexCP", "LCP"]].abs().to_numpy().max()
    identity("fcp-V7", ours, at_most=0.95, part="published nexCP and LCP, percent")
    exact = change.loc["CQR-MDA-Exact"].to_numpy(float)
    inside = bool((exact >= 2.05).all() and (exact <= 4.75).all())
    identity("fcp-V7", inside, expected=True, part="published Exact, percent")
    ratios = live.reference_ratios()
    for name, (low, high) in {"nexCP": (1.037, 1.240), "LCP": (1.022, 1.209)}.items():
        ends = ratios[f"{name} / draws"].agg(["min", "max"]).to_numpy()
        identity("fcp-V8", ends, expected=np.array([low, high]), tol=5e-4, part=name)
    above = ratios[["nexCP / oracle", "LCP / oracle"]].to_numpy().min()
    identity("fcp-V8", above, at_least=1.08, part="above the oracle")
    sizes = ((128, 100, 50), (250, 2000, 50), (16.8, 100, 100))
    errors = np.array([theory.cell_error(*size) for size in sizes])
    wanted = np.array([0.0056, 0.0028, 0.0075])
    identity("fcp-M2", errors, expected=wanted, tol=1e-4)
    two = {"method": "a", "row": [0, 1], "coverage": 1.0}
    two |= {"length": [2.0, np.inf], "infinite": [0.0, 1.0]}
    mixed = study._summary(pd.DataFrame(two), np.array(["0", "0"]))[0]
    values = np.array([mixed["length"], mixed["infinite"]])
    identity("fcp-M1", values, expected=np.array([2.0, 0.5]))


# ----------------------------------------------------------------- Tables 2 to 5


def more_covariates(table, scale, note, *, ok):
    """TB2 and TB3 on one run with five and eight covariates."""
    how = {"scale": scale, "note": note, "when": ok or scale == "paper"}
    mcar = table[table["mechanism"] == "MCAR"]
    five, eight = (mcar[mcar["d"] == d].set_index(["method", "mask"]) for d in (5, 8))
    for id, t, d, tol, rows in (
        ("fcp-TB2", five, 5, 0.06, ["0", "1", "2", "3", "4"]),
        ("fcp-TB3", eight, 8, 0.12, ["0", "2", "5", "7"]),
    ):
        target = live.setting(live.published(), d, "MCAR")["length"]["nexCP"]
        ours = t.loc["nexCP"].loc[rows]
        ratio = ours["length"] / target.loc[rows]
        noise = ours["length_error"] / ours["length"] if scale == "quick" else None
        _near_print(id, ratio, tol, noise, part="nexCP", **how)
    cp = five.loc[("CP", "marginal")]
    noise = cp["length_error"] / 5.31 if scale == "quick" else None
    _near_print("fcp-TB2", cp["length"] / 5.31, 0.05, noise, part="CP", **how)
    mar = table[(table["d"] == 5) & (table["mechanism"] == "MAR")]
    mar = mar[mar["method"] == "nexCP"].set_index("mask")["length"]
    double = mar["00010"] / mar["00000"]
    assess("fcp-TB2", double, expected=2, tol=0.15, part="MAR, 00010", **how)
    grow = eight["length"].unstack("method")
    names = ["CP-MDA-Exact", "CP-MDA-Nested", "nexCP", "LCP"]
    steps = grow.loc[["0", "2", "5", "7"], names].diff().dropna()
    assess("fcp-TB3", steps, at_least=0, part="longer with more gaps", **how)
    ends = eight.loc["CP"].loc[["0", "7"]]
    if scale == "quick":  # a few replicates settle the fall, not the values
        first, last = ends["coverage"]
        assess("fcp-TB3", first, at_least=0.95, part="CP coverage, 0 gaps", **how)
        assess("fcp-TB3", last, at_most=0.65, part="CP coverage, 7 gaps", **how)
        return
    assess(
        "fcp-TB3",
        ends["coverage"],
        expected=np.array([0.976, 0.57]),
        tol=0.03,
        mc_error=ends["coverage_error"],
        part="CP coverage, 0 and 7 gaps",
        **how,
    )


def concrete(table, scale, note, *, ok):
    """TB4 on one run of the concrete mixtures."""
    how = {"scale": scale, "note": note, "when": ok or scale == "paper"}
    t = table[table["mechanism"] == "MCAR"].set_index(["method", "mask"])
    sizes = ["0", "1", "2", "3", "4"] if scale == "paper" else ["0", "2", "4"]
    rows = t.loc[[(m, r) for m in ("nexCP", "LCP") for r in ["marginal", *sizes]]]
    _at_least("fcp-TB4", rows, part="coverage", **how)
    L = t["length"].unstack("method").loc[sizes[1:], ["nexCP", "LCP"]]
    steps = L.diff().dropna()
    assess("fcp-TB4", steps, at_least=0, part="longer with more gaps", **how)
    # A replicate is infinite there if fewer than nine of 100 rows are complete.
    complete = t.loc[("nexCP", "0")]
    count = round(complete["infinite"] * complete["n"])
    most = int(binom.ppf(0.9995, int(complete["n"]), binom.cdf(8, 100, 0.8**8)))
    part = f"infinite replicates of {int(complete['n'])}, complete mask"
    assess("fcp-TB4", count, at_most=most, part=part, **how)


def concrete_data():
    """TB4's published part and D2."""
    age = live.published()["length"].loc[("Table 4", "Concrete d=8; MAR")]
    names = ["nexCP", "LCP"]
    ratio = (age.loc["001", names] / age.loc["000", names]).to_numpy()
    identity("fcp-TB4", ratio, at_least=1.5, part="published, missing age")
    data = datasets.load_concrete()
    whole = data.shape == (1030, 9) and not data.isna().any().any()
    identity("fcp-D2", bool(whole), expected=True, part="shape")
    ends = data["compressive_strength"].agg(["min", "max"]).to_numpy()
    identity("fcp-D2", ends, expected=np.array([2.33, 82.6]), tol=0.005, part="range")


def standin(boxes, scale, note, rng, *, ok):
    """TB5 and F1 on repetitions of the stand-in."""
    how = {"scale": scale, "note": note, "when": ok or scale == "paper"}
    table = live.by_mask(boxes, ("method", "mask")).set_index(["method", "mask"])
    for name in ("nexCP", "equal weights", "LCP"):
        L = table.loc[name]["length"]
        ratios = np.array([L["010"] / L["000"], L["001"] / L["000"]])
        tol, centre = np.array([0.25, 0.125]), np.array([1.65, 0.975])
        assess("fcp-TB5", ratios, expected=centre, tol=tol, part=name, **how)
    lost = table.loc[("CP", "010"), "coverage"]
    assess("fcp-TB5", lost, at_most=0.8, part="CP on 010", **how)
    kept = table.loc[[(m, "010") for m in ("nexCP", "equal weights", "LCP")]]
    assess("fcp-TB5", kept["coverage"], at_least=0.88, part="others on 010", **how)
    frame = boxes.assign(mask=boxes["mask"].str[1:])
    frame = frame[frame["mask"].isin(["marginal", "000", "010", "001"])]
    quartile = frame.groupby(["method", "mask"])["coverage"].quantile(0.75)
    upper = max(quartile["CP"]["010"], quartile["CQR"]["010"])
    assess("fcp-F1", upper, at_most=0.9, part="CP and CQR boxes, 010", **how)
    median = frame.groupby(["method", "mask"])["coverage"].median()
    others = ["CP-MDA-Exact", "CP-MDA-Nested (half tails)", "nexCP", "LCP"]
    assess("fcp-F1", median[others], at_least=0.88, part="medians", **how)
    longest = frame.groupby(["method", "mask"])["length"].median().unstack("mask")
    drawn = ["CQR", "CP", *others]
    winner = longest.loc[drawn].idxmax()
    nested = bool((winner == "CP-MDA-Nested (half tails)").all())
    assess("fcp-F1", nested, part="Nested longest in all panels", **how)


def standin_data(rng):
    """TB5's published ratios and D3."""
    ratio = live.published()["length"].loc[("Table 5",)].droplevel(0)["LCP"]
    two = np.array([ratio["010"] / ratio["000"], ratio["001"] / ratio["000"]])
    wanted = np.array([1.81, 1.04])
    identity("fcp-TB5", two, expected=wanted, tol=0.005, part="published")
    X, _ = live.standin(rng)
    counts = pd.Series([mask_label(m) for m in np.isnan(X)]).value_counts()
    counts = counts[["000", "010", "001"]].to_numpy()
    identity("fcp-D3", counts, expected=np.array([90, 59, 221]))
    masks = ([0, 1, 0], [0, 0, 1])
    variance = [
        covariates.equicorrelated_variance([1.0, 1.3, 0.25], 0.5, [m])[0] for m in masks
    ]
    ratio = np.sqrt(1 + 2 * (np.array(variance) - 1))
    wanted = np.array([1.804, 1.041])
    identity("fcp-D3", ratio, expected=wanted, tol=1e-3, part="ratios")


# --------------------------------------------------------------- where it breaks


def breaks(errors, constant, scale, *, ok):
    """P2: MAR with errors that grow, and with constant ones."""
    how = {"scale": scale, "when": ok or scale == "paper"}
    names = ("equal", "rank", "LCP")
    value, _ = np.array([errors[k] for k in names]).T
    assess("fcp-P2", value, at_most=0.86, part="errors grow", **how)
    value, noise = np.array([constant[k] for k in names]).T
    noise = noise if scale == "quick" else None
    assess(
        "fcp-P2",
        value,
        expected=0.9,
        tol=0.02,
        mc_error=noise,
        part="constant errors",
        **how,
    )


def self_masking(table, scale, note, base="linear", *, ok):
    """P3: the mask without any covariate, with rows from its own law.

    The criterion was found with linear models; a run of networks that covers more is
    recorded as a difference.
    """
    how = {"scale": scale, "note": note, "when": ok or scale == "paper"}
    t = table[(table["d"] == 3) & (table["mask"] == "111")]
    t = t.set_index(["mechanism", "method"]).sort_index()
    lost = t.loc["MNAR"].loc[["nexCP", "LCP"]]
    if base == "network":
        value, part = float(lost["coverage"].max()), "111, self-masked, networks"
        if value <= 0.8:
            assess("fcp-P3", value, at_most=0.8, part=part, **how)
            return
        why = "the criterion was found with linear models; networks lose less on rows "
        why += "without any covariate"
        told = {"scale": scale, "note": note, "part": part}
        claims.differs("fcp-P3", value, 0.8, why=why, **told)
        return
    value = lost["coverage"]
    assess("fcp-P3", value, at_most=0.8, part="111, self-masked", **how)
    kept = t.loc["MCAR"].loc[["nexCP", "LCP"]]
    noise = kept["coverage_error"] if scale == "quick" else None
    value, part = kept["coverage"], "111, MCAR"
    assess("fcp-P3", value, at_least=0.88, mc_error=noise, part=part, **how)


def same_mask(tables_by_scale, n_reps, *, ok):
    """B5: calibration on the same mask alone, any mechanism.

    Parameters
    ----------
    tables_by_scale : dict of str to DataFrame
        As returned by :func:`notebook_lib.studies.mask_live.same_mask_coverage`.
    n_reps : dict of str to int
        Replicates behind each.
    ok : bool
        Whether the parameters are the defaults.
    """
    for scale, table in tables_by_scale.items():
        how = {"scale": scale, "when": ok or scale == "paper"}
        rows = table.dropna().rename(columns={"error": "coverage_error"})
        _by_mask("fcp-B5", rows, part="coverage", **how)
        wanted = table["expected_infinite"]
        error = np.sqrt(wanted * (1 - wanted) / n_reps[scale]).clip(1e-3)
        assess(
            "fcp-B5",
            table["infinite"],
            expected=wanted,
            mc_error=error,
            z=family_z(8),
            part="infinite share",
            **how,
        )
    common = tables_by_scale["quick"]["coverage"].notna()["111"]
    assess("fcp-B5", bool(common), part="checked where LCP fails", when=ok)
