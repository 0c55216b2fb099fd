"""Tables 1 to 4 of Kong, Liu and Yang (2025): ours beside the published numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import mask_live as live
from .store import load

#: Base models of the stored studies: the document's first.
BASES = ("network", "linear")
#: Replicates of the document's simulations, by table.
PUBLISHED_REPLICATES = {
    "Table 1": 50,
    "Table 2": 50,
    "Table 3": 50,
    "Table 4": 100,
}
_TABLE = {3: "Table 1", 5: "Table 2", 8: "Table 3"}


def stored_if_any(name: str):
    """A stored study's frame and manifest, or (None, None) if it was never run."""
    try:
        return load(name)
    except FileNotFoundError:
        return None, None


def load_runs() -> dict:
    """What is stored of the tables: frame by (kind, base), and the replicates.

    Returns
    -------
    dict
        Keys ``("synthetic" | "concrete", "network" | "linear")``; values (frame in the
        layout of :func:`notebook_lib.studies.mask_live.stored`, replicates).
    """
    out = {}
    for kind in ("synthetic", "concrete"):
        by = ("mechanism", "d", "method", "mask")
        by = by if kind == "synthetic" else ("mechanism", "method", "mask")
        for base in BASES:
            frame, manifest = stored_if_any(f"masks_{kind}_{base}")
            if frame is not None:
                out[kind, base] = live.stored(frame, by), manifest["n_replicates"]
    return out


def best(runs: dict, kind: str):
    """The run on which paper-scale verdicts rest: networks if stored, else linear.

    Returns
    -------
    frame : DataFrame
        The run.
    base : str
        Its base model.
    note : str
        Model and replicates, for the ledger.
    """
    base = next(base for base in BASES if (kind, base) in runs)
    frame, n = runs[kind, base]
    model = "networks" if base == "network" else "linear models, no networks stored"
    return frame, base, f"{model}, {n} stored replicates"


def cells(runs: dict) -> pd.DataFrame:
    """Every published cell with ours, tidy.

    Parameters
    ----------
    runs : dict
        As returned by :func:`load_runs`.

    Returns
    -------
    DataFrame
        ``table``, ``mechanism``, ``row``, ``method``, ``metric``, ``base``, ``ours``,
        ``error``, ``published``, ``published_error`` and ``z``, the difference in
        combined Monte-Carlo errors. The document prints no errors: they are ours,
        scaled to its number of replicates.
    """
    parts = []
    for (kind, base), (frame, n) in runs.items():
        frame = frame.assign(base=base, replicates=n, row=frame["mask"])
        if kind == "synthetic":
            frame["table"] = frame["d"].map(_TABLE)
            last = (frame["d"] == 8) & (frame["mechanism"] == "MAR")
            short = frame["row"].where(frame["row"] == "marginal", frame["row"].str[5:])
            frame["row"] = frame["row"].where(~last, short)
        else:
            frame["table"] = "Table 4"
        parts.append(frame)
    ours = pd.concat(parts)
    names = {ours: printed for printed, ours in live.PUBLISHED_NAMES.items()}
    ours["method"] = ours["method"].map(names)
    keys = ["table", "mechanism", "row", "method", "base", "replicates"]
    tidy = []
    for metric in ("coverage", "length"):
        part = ours.dropna(subset="method")[[*keys, metric, f"{metric}_error"]]
        part = part.set_axis([*keys, "ours", "error"], axis=1)
        tidy.append(part.assign(metric=metric))
    joined = pd.concat(tidy).merge(
        _printed(), on=["table", "mechanism", "row", "method", "metric"]
    )
    scale = joined["replicates"] / joined["table"].map(PUBLISHED_REPLICATES)
    joined["published_error"] = joined["error"] * np.sqrt(scale)
    noise = np.hypot(joined["error"], joined["published_error"])
    apart = (joined["ours"] - joined["published"]).abs() - 0.0005  # printed rounding
    joined["z"] = apart.clip(lower=0) / noise
    return joined.drop(columns="replicates")


def _printed() -> pd.DataFrame:
    """Published cells of Tables 1 to 4, tidy."""
    wide = live.published().rename_axis(columns=["metric", "method"])
    tidy = wide.stack(["metric", "method"]).rename("published").reset_index()
    tidy["mechanism"] = tidy["setting"].str.extract("(MCAR|MAR|MNAR)")[0]
    return tidy[tidy["table"].isin(PUBLISHED_REPLICATES)].drop(columns="setting")


METHODS = ("CQR", "CQR-MDA-Exact", "CQR-MDA-Nested", "CP", "nexCP", "LCP")


def shown(table: pd.DataFrame, name: str, metric: str, methods=METHODS) -> pd.DataFrame:
    """One published table with ours, as text with errors in parentheses.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`cells`.
    name : str
        ``"Table 1"`` to ``"Table 4"``.
    metric : {"coverage", "length"}
        What to show.
    methods : sequence of str
        Columns, by the document's names.

    Returns
    -------
    DataFrame
        Rows (mechanism, row), columns (method, published or base model).
    """
    part = table[(table["table"] == name) & (table["metric"] == metric)]
    part = part[part["method"].isin(methods)]
    digits = 3 if metric == "coverage" else 2

    def told(value, error):
        return f"{value:.{digits}f} ({error:.{digits}f})".replace("(0.", "(.")

    columns = {}
    for method in methods:
        of = part[part["method"] == method]
        for base in [b for b in BASES if b in set(of["base"])]:
            one = of[of["base"] == base].set_index(["mechanism", "row"])
            if (method, "published") not in columns:
                columns[method, "published"] = one["published"].map(
                    lambda v: f"{v:.{digits}f}"
                )
            columns[method, base] = pd.Series(
                [told(*v) for v in one[["ours", "error"]].to_numpy()], index=one.index
            )
    return pd.DataFrame(columns)


def as_text(table, name, metric, blocks=(METHODS[:3], METHODS[3:])) -> str:
    """One published table with ours as plain text, a line a row, a block a method.

    Parameters
    ----------
    table, name, metric
        As in :func:`shown`.
    blocks : sequence of sequence of str
        Methods side by side, a block each.
    """
    parts = []
    for methods in blocks:
        wide = shown(table, name, metric, methods)
        wide.index = [" ".join(row) for row in wide.index]
        wide.columns = [f"{method} {which}" for method, which in wide.columns]
        wide.columns = [c.replace("CQR-MDA-", "") for c in wide.columns]
        parts.append(wide.rename_axis(columns=name).to_string())
    return "\n".join(parts)


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """How many cells agree with the published ones, by table and base model.

    Returns
    -------
    DataFrame
        ``cells``, ``within 3 errors`` (share), ``median ratio`` and ``largest gap`` of
        the lengths in percent, by table, metric and base.
    """
    inside = table.assign(
        inside=table["z"] <= 3, ratio=100 * (table["ours"] / table["published"] - 1)
    )
    groups = inside.groupby(["metric", "table", "base"], sort=False)
    out = groups.agg(cells=("z", "size"), inside=("inside", "mean"))
    out["median gap, %"] = groups["ratio"].median()
    out["largest gap, %"] = groups["ratio"].apply(lambda r: r.abs().max())
    return out.rename(columns={"inside": "within 3 errors"})


def with_errors(found: dict, digits: int = 3) -> pd.DataFrame:
    """Lay out means with their standard errors in parentheses.

    Parameters
    ----------
    found : dict of str to dict
        For each row of the table: (mean, standard error) by column.
    digits : int
        Decimals of both.

    Returns
    -------
    DataFrame
        Text, rows and columns in the order of `found`; empty where a row lacks a
        column.
    """
    told = {
        row: {
            column: f"{mean:.{digits}f} ({error:.{digits}f})"
            for column, (mean, error) in values.items()
        }
        for row, values in found.items()
    }
    columns = list(dict.fromkeys(column for row in told.values() for column in row))
    return pd.DataFrame.from_dict(told, orient="index")[columns].fillna("")


def pipelines(runs: dict) -> pd.DataFrame:
    """Three cells of Table 1 (MCAR) that tell pipelines apart, and the printed ones.

    Parameters
    ----------
    runs : dict of str to DataFrame
        For each pipeline its run with three covariates under MCAR, in the layout of
        :func:`notebook_lib.studies.mask_live.by_mask`.

    Returns
    -------
    DataFrame
        Rows "nexCP length, 110", "CQR coverage, 110" and "CP length", a column for
        each pipeline and one ``published``.
    """
    asked = {
        "nexCP length, 110": ("length", "nexCP"),
        "CQR coverage, 110": ("coverage", "CQR"),
        "CP length": ("length", "CP"),
    }
    printed = live.setting(live.published(), 3, "MCAR").loc["110"]
    table = {}
    for name, run in runs.items():
        ours = run[run["mask"] == "110"].set_index("method")
        table[name] = [ours.loc[method, metric] for metric, method in asked.values()]
    table["published"] = [printed[cell] for cell in asked.values()]
    return pd.DataFrame(table, index=list(asked))


def plot_agreement(axes, table):
    """Lengths over the published ones against the published, one panel a table."""
    from .. import figures

    looks = {"network": ("o", 3.5), "linear": ("x", 3.0)}
    names = ("CQR-MDA-Exact", "CP", "nexCP", "LCP")
    length = table[table["metric"] == "length"]
    for ax, name in zip(np.ravel(axes), PUBLISHED_REPLICATES, strict=True):
        part = length[(length["table"] == name) & length["method"].isin(names)]
        for method in names:
            colour = figures.color(live.PUBLISHED_NAMES[method])
            for base, (marker, size) in looks.items():
                one = part[(part["method"] == method) & (part["base"] == base)]
                if not len(one):
                    continue
                error = 3 * np.hypot(one["error"], one["published_error"])
                ax.errorbar(
                    one["published"],
                    one["ours"] / one["published"],
                    yerr=error / one["published"],
                    fmt=marker,
                    markersize=size,
                    color=colour,
                    elinewidth=0.6,
                    label=f"{method}, {base}",
                )
        ax.axhline(1, color="black", linewidth=0.8, linestyle="--")
        ax.set(title=name, xlabel="published length", ylabel="ours / published")
