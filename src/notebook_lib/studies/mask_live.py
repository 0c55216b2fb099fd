"""What chapter 3 runs live and reads from the published tables."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy.stats import binom

from .. import claims, figures
from ..covariates import (
    LCP,
    GaussianImputer,
    GaussianLinear,
    NexCP,
    PerMaskRegressor,
    QuantileNetwork,
    column_ranges,
    equicorrelated,
    equicorrelated_variance,
    heom,
    kernel_weights,
    median_bandwidth,
)
from ..masks import all_masks, mask_label
from . import mask_conditional as study
from . import mask_theory as theory
from .mask_paper import replicate_standin, standin
from .mda_live import live

__all__ = ["live", "replicate_standin", "standin"]

#: Names of the methods in the published tables.
PUBLISHED_NAMES = {
    "CQR": "CQR",
    "CQR-MDA-Exact": "CP-MDA-Exact",
    "CQR-MDA-Nested": "CP-MDA-Nested (half tails)",
    "CP": "CP",
    "nexCP": "nexCP",
    "LCP": "LCP",
}


def by_mask(frame, by=("mechanism", "d", "method", "mask")) -> pd.DataFrame:
    """Means over replicates with errors; the mask without its leading ``m``."""
    groups = frame.assign(mask=frame["mask"].str[1:]).groupby(list(by), sort=False)
    table = groups.agg(
        coverage=("coverage", "mean"),
        coverage_sd=("coverage", "std"),
        length=("length", "mean"),
        length_sd=("length", "std"),
        infinite=("infinite", "mean"),
        n=("replicate", "nunique"),
    )
    for name in ("coverage", "length"):
        table[f"{name}_error"] = table.pop(f"{name}_sd") / np.sqrt(table["n"])
    return table.reset_index()


def stored(frame, by=("mechanism", "d", "method", "mask")) -> pd.DataFrame:
    """A stored summary in the layout of :func:`by_mask`."""
    frame = frame.assign(mask=frame["mask"].str[1:])
    wide = frame.pivot_table(
        index=list(by), columns="metric", values=["mean", "mc_error", "n"], sort=False
    )
    out = {}
    for name in ("coverage", "length"):
        out[name], out[f"{name}_error"] = wide["mean", name], wide["mc_error", name]
    out["infinite"], out["n"] = wide["mean", "infinite"], wide["n", "coverage"]
    return pd.DataFrame(out).reset_index()


# ---------------------------------------------------------- published numbers


def published() -> pd.DataFrame:
    """Published coverage and length, one row a table row, columns (metric, method)."""
    frame = claims.load_published("03")
    frame["row"] = frame["row"].astype(str).str.strip("[]")
    frame["value"] = frame["value"].astype(float)
    return frame.pivot_table(
        index=["table", "setting", "row"],
        columns=["metric", "method"],
        values="value",
        sort=False,
    )


def setting(table, d, mechanism) -> pd.DataFrame:
    """The published rows of one number of covariates and mechanism."""
    return table.xs(f"synthetic d={d}; {mechanism}", level="setting").droplevel(0)


def published_verdicts() -> dict[str, object]:
    """The counts and ranges behind claims V0 to V7."""
    table = published()
    coverage, lengths = table["coverage"], table["length"]
    marginal = table.index.get_level_values("row") == "marginal"
    blocks = coverage[~marginal].groupby(level=["table", "setting"], sort=False)
    worst, best = blocks.min(), blocks.max()
    adaptive = ["CQR-MDA-Exact", "CQR-MDA-Nested", "nexCP", "LCP"]
    complete = lengths[np.isin(table.index.get_level_values("row"), ["000", "0"])]
    complete = complete[complete.index.get_level_values("setting").str.contains("MCAR")]
    spread = lengths[marginal].droplevel("row")
    ratios = {}
    for d, name in ((3, "Table 1"), (5, "Table 2"), (8, "Table 3")):
        mnar = spread.loc[(name, f"synthetic d={d}; MNAR")]
        mcar = spread.loc[(name, f"synthetic d={d}; MCAR")]
        ratios[d] = 100 * (mnar / mcar - 1)
    first = lengths[
        table.index.get_level_values("table").isin(["Table 1", "Table 2", "Table 3"])
    ]
    cp = first["CP"].groupby(level=["table", "setting"])
    five = lengths.loc["Table 5"].droplevel(0)["LCP"]
    return {
        "cp_spread": float((cp.max() - cp.min()).max()),
        "lcp_table_5": five[["000", "010", "001"]].to_numpy(),
        "marginal": (coverage[marginal].min().min(), coverage[marginal].max().max()),
        "worst_cp": worst["CP"].max(),
        "worst_cqr": worst["CQR"].max(),
        "best": best[["CP", "CQR"]].min().min(),
        "lowest_adaptive": coverage[~marginal][adaptive].min().min(),
        "nested_lowest": coverage["CQR-MDA-Nested"].min(),
        "nested_longer": (lengths["CQR-MDA-Nested"] > lengths["CQR-MDA-Exact"]).sum(),
        "lcp_shorter": (lengths["LCP"] < lengths["CQR-MDA-Exact"]).sum(),
        "nexcp_shorter": (lengths["nexCP"] < lengths["CQR-MDA-Exact"]).sum(),
        "lcp_below_nexcp": (lengths["LCP"] < lengths["nexCP"]).sum(),
        "rows": len(table),
        "complete_gap": 100 * (1 - complete["LCP"] / complete["nexCP"]).to_numpy(),
        "mechanism": pd.DataFrame(ratios),
    }


def reference_lengths(d, mechanism) -> pd.DataFrame:
    """Oracle and draw-imputation lengths by table row (mask, or size)."""
    columns = study.LAST[d] if mechanism == "MAR" else None
    masks = all_masks(d)
    if columns is not None:
        frozen = np.setdiff1d(np.arange(d), columns)
        masks = masks[~masks[:, frozen].any(axis=1)]
    variance = equicorrelated_variance(study.BETA[:d], 0.8, masks)
    table = pd.DataFrame(
        {
            "oracle": 2 * 1.6448536269514722 * np.sqrt(variance),
            "draws": theory.draw_lengths(d, masks, columns=columns),
        }
    )
    if d > 3 and mechanism != "MAR":
        return table.groupby(masks.sum(axis=1).astype(str)).mean()
    digits = slice(-len(columns), None) if columns and d == 8 else slice(None)
    return table.set_index(pd.Index([mask_label(m)[digits] for m in masks]))


def reference_ratios() -> pd.DataFrame:
    """V8: published lengths over the reference lengths, MCAR and MAR rows."""
    table, parts = published(), []
    for d in (3, 5, 8):
        for mechanism in ("MCAR", "MAR"):
            rows = setting(table, d, mechanism)["length"][["nexCP", "LCP"]]
            reference = reference_lengths(d, mechanism)
            both = rows.join(reference, how="inner")
            parts.append(both.assign(d=d, mechanism=mechanism))
    out = pd.concat(parts)
    for name in ("nexCP", "LCP"):
        out[f"{name} / draws"] = out[name] / out["draws"]
        out[f"{name} / oracle"] = out[name] / out["oracle"]
    return out


# ------------------------------------------------------------- small checks


def bandwidth(d, seed, n=750):
    """A6: median bandwidth, and effective share of the kernel at the complete mask."""
    rng = np.random.default_rng(seed)
    truth = GaussianLinear(study.BETA[:d], 1.0, equicorrelated(d, 0.8))
    X, _ = truth.sample(n, rng)
    X[rng.random(X.shape) < 0.2] = np.nan
    ranges = column_ranges(X[:500])
    h = median_bandwidth(X, ranges)
    full = X[~np.isnan(X).any(axis=1)]
    weights = kernel_weights(heom(full, full, ranges, squared=True), h)
    return h, float((1 / (weights**2).sum(axis=1)).mean() / len(full))


def draw_spread(seed, n=2000):
    """A9: spread of drawn entries around their conditional mean, second of three."""
    X, _ = theory.TRUTH3.sample(n, seed)
    hidden = X.copy()
    hidden[:, 1] = np.nan
    drawn = GaussianImputer(draw=True).fit(X).transform(hidden)
    mean = GaussianImputer().fit(X).transform(hidden)
    return float((drawn - mean)[:, 1].std())


def network_error(seed, epochs):
    """A10: test error of the mean network on complete rows (noise has sd 1)."""
    rng = np.random.default_rng(seed)
    X, y = theory.TRUTH3.sample(500, rng)
    new, target = theory.TRUTH3.sample(2000, rng)
    network = QuantileNetwork(None, epochs=epochs, random_state=seed).fit(X, y)
    return float(np.sqrt(((network.predict(new) - target) ** 2).mean()))


def same_mask_coverage(n_reps, rng, n=1000):
    """B5: coverage of calibration on the same mask under self-masking, by mask.

    Each replicate draws fresh data, and test rows from the law of the covariates given
    the mask. Coverage is over replicates with at least nine rows of the mask (NaN if
    there are fewer than five of those), ``infinite`` the share of the others, and
    ``expected_infinite`` its binomial probability.
    """
    truth, masks = theory.TRUTH3, all_masks(3)
    complete, _ = truth.sample(30_000, rng)
    mechanism = study.SelfMasked(0.2).fit(complete)
    p = mechanism.probability(complete)
    law = {mask_label(m): np.where(m, p, 1 - p).prod(axis=1) for m in masks}
    hits = {label: [] for label in law}
    for _ in range(n_reps):
        X, y = truth.sample(500 + n, rng)
        hidden = np.where(mechanism.sample(X, rng), np.nan, X)
        model = PerMaskRegressor(
            score="absolute", imputer=GaussianImputer(), add_mask=False
        )
        model.fit(hidden[:500], y[:500]).conformalize(hidden[500:], y[500:])
        for m in masks:
            if (model.M_cal_ == m).all(axis=1).sum() < 9:
                continue
            label = mask_label(m)
            rows = study.rows_given_mask(complete, law[label], 100, rng)
            target = rows @ truth.beta + rng.standard_normal(100)
            rows[:, m] = np.nan
            low, high = model.predict_interval(rows)[1][:, :, 0].T
            hits[label].append(((low <= target) & (target <= high)).mean())
    rows = {}
    for label, values in hits.items():
        seen = len(values) > 4
        rows[label] = {
            "coverage": np.mean(values) if seen else np.nan,
            "error": np.std(values, ddof=1) / np.sqrt(len(values)) if seen else np.nan,
            "infinite": 1 - len(values) / n_reps,
            "expected_infinite": binom.cdf(8, n, law[label].mean()),
        }
    return pd.DataFrame(rows).T


def pool(first, second, n_first, n_second):
    """Join two independent runs of (mean, error) by key into one larger run."""
    total = n_first + n_second
    return {
        name: (
            (n_first * first[name][0] + n_second * second[name][0]) / total,
            float(np.hypot(n_first * first[name][1], n_second * second[name][1]))
            / total,
        )
        for name in first
    }


def sensitivity(rng, alpha, n_test=1000) -> pd.DataFrame:
    """How coverage and length move with the choices that the document leaves open.

    One training set of 500 rows, one calibration set of 250, `n_test` test rows.

    Returns
    -------
    DataFrame
        ``knob`` ("rho", "bandwidth" or "kernel"), ``value``, ``imputer`` ("draws" or
        "means"), ``coverage`` and ``length`` with errors over test rows.
    """
    X, y = theory.TRUTH3.sample(750 + n_test, rng)
    X[rng.random(X.shape) < 0.2] = np.nan
    train, cal, test = np.split(np.arange(len(y)), [500, 750])
    knobs = [("rho", r, NexCP(rho=r)) for r in (0.95, 0.98, 0.99, 1.0)]
    widths = (0.05, 0.1, 0.2, "slcp", "median_train")
    knobs += [("bandwidth", h, LCP(h=h)) for h in widths]
    shapes = ("gaussian", "epanechnikov", "box")
    knobs += [("kernel", k, LCP(h=0.2, kernel=k)) for k in shapes]
    rows = []
    for imputer, draw in (("draws", True), ("means", False)):
        for knob, value, model in knobs:
            model.set_params(alpha=alpha, imputer=GaussianImputer(draw=draw))
            model.fit(X[train], y[train]).conformalize(X[cal].copy(), y[cal])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                low, high = model.predict_interval(X[test].copy())[1][:, :, 0].T
            covered = (low <= y[test]) & (y[test] <= high)
            size = np.maximum(high - low, 0)[np.isfinite(high - low)]
            rows.append(
                {
                    "knob": knob,
                    "value": str(value),
                    "imputer": imputer,
                    "coverage": covered.mean(),
                    "coverage_error": covered.std() / np.sqrt(n_test),
                    "length": size.mean(),
                    "length_error": size.std() / np.sqrt(len(size)),
                }
            )
    return pd.DataFrame(rows)


def plot_sensitivity(axes, frame):
    """Coverage (top) and length (bottom) against each choice, one line an imputer."""
    looks = {"draws": ("o-", "blue"), "means": ("s--", "orange")}
    for column, (knob, part) in enumerate(frame.groupby("knob", sort=False)):
        for line, metric in enumerate(("coverage", "length")):
            ax = axes[line, column]
            for imputer, (shape, colour) in looks.items():
                one = part[part["imputer"] == imputer]
                ax.errorbar(
                    range(len(one)),
                    one[metric],
                    yerr=1.96 * one[f"{metric}_error"],
                    fmt=shape,
                    color=figures.OKABE_ITO[colour],
                    label=f"imputed by {imputer}",
                )
            ax.set_xticks(range(len(one)), one["value"], rotation=30)
        axes[1, column].set_xlabel(knob)
        figures.nominal_line(axes[0, column], 0.9)
    axes[0, 0].set_ylabel("coverage")
    axes[1, 0].set_ylabel("mean length")


def plot_boxes(axes, frame, rows):
    """Figure 1: boxes of coverage (top) and length (bottom) over repetitions."""
    methods = figures.order([m for m in frame["method"].unique() if m in BOXES])
    for column, row in enumerate(rows):
        part = frame[frame["mask"].str[1:] == row]
        for line, value in enumerate(("coverage", "length")):
            ax = axes[line, column]
            values = [part[part["method"] == m][value].to_numpy() for m in methods]
            boxes = ax.boxplot(values, widths=0.6, patch_artist=True)
            for patch, method in zip(boxes["boxes"], methods, strict=True):
                patch.set_facecolor(figures.color(method))
            ax.set_xticks(range(1, len(methods) + 1), methods, rotation=75, fontsize=7)
        figures.nominal_line(axes[0, column], 0.9)
        axes[0, column].set_title("all" if row == "marginal" else row)
    axes[0, 0].set_ylabel("coverage")
    axes[1, 0].set_ylabel("length")


BOXES = [
    "CP",
    "CQR",
    "CP-MDA-Exact",
    "CP-MDA-Nested (half tails)",
    "nexCP",
    "LCP",
]


# -------------------------------------------------------------------- plotting

SHOWN = ["CP", "CQR", "CP-MDA-Exact", "nexCP", "LCP"]


def plot_table(axes, table, reference, rows):
    """Coverage and length by mask, with the oracle's length."""
    place = {row: at for at, row in enumerate(rows)}
    table = table[table["method"].isin(SHOWN)]
    table = table.assign(at=table["mask"].map(place)).dropna(subset="at")
    figures.coverage_panel(
        axes[0], table, x="at", level=0.9, error="coverage_error", dodge=0.12
    )
    figures.errorbar(
        axes[1], table, x="at", y="length", error="length_error", dodge=0.12
    )
    look = figures.style("oracle")
    axes[1].plot(
        [place[row] for row in reference.index if row in place],
        [reference.loc[row, "oracle"] for row in reference.index if row in place],
        "*",
        color=look.color,
        label="oracle",
    )
    axes[1].set_xticks(range(len(rows)), rows, rotation=45)
    axes[1].set_ylabel("length")
