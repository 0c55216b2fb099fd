"""Three figures of a report: the gaps, coverage by mask, and some of the sets."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from ..figures import OKABE_ITO, nominal_line

__all__ = ["plot_coverage", "plot_gaps", "plot_intervals"]

_MOST = 12


def _short(text, width=34):
    text = str(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def _bars(ax, labels, values, told, color):
    place = np.arange(len(labels))[::-1]
    ax.barh(place, values, color=color, height=0.65)
    ax.set_yticks(place, [_short(label) for label in labels])
    ax.grid(axis="y", visible=False)
    for at, value, words in zip(place, values, told, strict=True):
        ax.annotate(words, (value, at), (4, 0), textcoords="offset points", va="center")
    ax.margins(x=0.15)


def plot_gaps(gaps):
    """Draw the share missing of each column, and the most frequent masks.

    Parameters
    ----------
    gaps : Gaps
        From :func:`describe_gaps`.

    Returns
    -------
    Figure
        Two panels, one below the other.
    """
    columns = gaps.columns[gaps.columns["missing"] > 0].head(_MOST)
    masks = gaps.masks
    rows = max(len(columns), 1), len(masks)
    fig, axes = plt.subplots(
        2,
        1,
        figsize=(6.4, 1.6 + 0.3 * sum(rows)),
        height_ratios=[n + 1.2 for n in rows],
        layout="constrained",
    )
    share = 100 * columns["share"].to_numpy(float)
    _bars(
        axes[0],
        columns["column"],
        share,
        [f"{value:.1f} %" for value in share],
        OKABE_ITO["blue"],
    )
    axes[0].set(xlabel="rows missing (%)", title="Columns with gaps")
    if not len(columns):
        axes[0].set_yticks([0], ["no gap"])
        axes[0].set_xlim(0, 100)
    count = masks["rows"].to_numpy(float)
    _bars(
        axes[1],
        masks["mask"],
        count,
        [f"{value:.0f}" for value in count],
        OKABE_ITO["sky"],
    )
    axes[1].set(xlabel="rows", title="Masks of the covariates (missing columns)")
    plt.close(fig)
    return fig


def plot_coverage(checked, alpha):
    """Draw coverage by mask with 95 % intervals and the nominal line.

    Parameters
    ----------
    checked : DataFrame
        From :func:`check_coverage`.
    alpha : float
        Which level.

    Returns
    -------
    Figure
        One row for each mask.

    Raises
    ------
    ValueError
        If `checked` has no such level.
    """
    part = checked[np.isclose(checked["alpha"], alpha)].head(_MOST + 1)
    if not len(part):
        raise ValueError(
            f"checked has no alpha={alpha!r}: choose one of "
            f"{checked['alpha'].unique().tolist()}"
        )
    fig, ax = plt.subplots(figsize=(6.4, 1.3 + 0.36 * len(part)), layout="constrained")
    place = np.arange(len(part))[::-1]
    value = part["coverage"].to_numpy(float)
    error = [value - part["low"].to_numpy(), part["high"].to_numpy() - value]
    ax.errorbar(
        value, place, xerr=np.abs(error), fmt="o", color=OKABE_ITO["blue"], capsize=3
    )
    labels = [
        f"{_short(mask)} (n = {n})"
        for mask, n in zip(part["mask"], part["n"], strict=True)
    ]
    ax.set_yticks(place, labels)
    nominal_line(ax, 1 - alpha, label=f"wanted, {1 - alpha:g}", axis="x")
    ax.set(xlabel="coverage on held-out rows, with 95 % interval", xlim=(None, 1.01))
    ax.set_ylim(-0.7, len(part) - 0.3)
    ax.legend(loc="lower left")
    plt.close(fig)
    return fig


def plot_intervals(result, *, alpha=None, n_rows=60):
    """Draw some of the sets: intervals with outcomes, or sizes of sets of labels.

    Parameters
    ----------
    result : DataFrame
        From :func:`predict_gaps`.
    alpha : float, optional
        Which level; the smallest by default.
    n_rows : int
        Rows to draw, spread evenly over the predictions.

    Returns
    -------
    Figure
        Intervals by rank of the prediction, or bars by size.
    """
    alpha = result["alpha"].min() if alpha is None else alpha
    part = result[np.isclose(result["alpha"], alpha)]
    fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    if "size" in part:
        count = part["size"].value_counts().sort_index()
        ax.bar(count.index.astype(str), count.to_numpy(), color=OKABE_ITO["blue"])
        ax.set(xlabel="labels in the set", ylabel="rows")
        ax.grid(axis="x", visible=False)
    else:
        _draw_intervals(ax, part, n_rows)
        fig.legend(loc="outside lower center", ncol=4)
    plt.close(fig)
    return fig


def _draw_intervals(ax, part, n_rows):
    part = part.sort_values("prediction", kind="stable")
    if len(part) > n_rows:
        part = part.iloc[np.linspace(0, len(part) - 1, n_rows).astype(int)]
    place = np.arange(len(part))
    finite = np.isfinite(part["lower"].to_numpy()) & np.isfinite(
        part["upper"].to_numpy()
    )
    low, high = part["lower"].to_numpy()[finite], part["upper"].to_numpy()[finite]
    ax.vlines(
        place[finite], low, high, color=OKABE_ITO["sky"], linewidth=3, label="interval"
    )
    ax.plot(place, part["prediction"], "_", color=OKABE_ITO["blue"], label="prediction")
    y = part["y"].to_numpy(float)
    if np.isfinite(y).any():
        ax.plot(
            place, y, "o", color=OKABE_ITO["vermillion"], markersize=3, label="outcome"
        )
    if (~finite).any():
        for at in place[~finite]:
            ax.axvline(at, color=OKABE_ITO["grey"], linewidth=1, linestyle=":")
        ax.plot([], [], ":", color=OKABE_ITO["grey"], label="infinite")
    ax.set(xlabel="rows, by prediction", ylabel="outcome")
    ax.set_xticks([])
