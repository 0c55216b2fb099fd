"""The figures of chapter 4: what is drawn is what the tables say."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from notebook_lib import figures
from notebook_lib.studies import mda_figures as plots
from notebook_lib.studies import mda_theory as theory

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    with mpl.rc_context():
        yield
        plt.close("all")


def lines_by_label(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_hardness_draws_the_bounds_where_they_are_and_never_below_zero():
    n_rows = np.array([10, 100, 30_000])
    (ax,) = plots.hardness(n_rows, [10], [0.8]).axes
    drawn = lines_by_label(ax)
    corrected = drawn["corrected bound"].get_ydata()
    assert corrected[0] == theory.corrected_bound(0.01, 10, 0.1)
    assert corrected[-1] == 0
    assert drawn["printed bound"].get_ydata()[-1] == 0
    alone = drawn["same mask only"].get_ydata()
    assert (alone == theory.per_mask_infinite(0.01, n_rows, 0.1)).all()
    assert drawn["randomised, valid"].get_ydata().tolist() == [0.8]
    assert ax.get_xscale() == "log"


def test_by_hand_draws_the_segments_and_the_interval_that_holds_them():
    lower, upper = np.array([0.0, 0.2, 1.9, 2.0]), np.array([1.0, 1.3, 2.6, 3.0])
    (ax,) = plots.by_hand(lower, upper, 2).axes
    rows, star, plain = (c.get_segments() for c in ax.collections)
    assert len(rows) == 4
    assert [[p[0] for p in s] for s in star] == [[0.2, 1.0], [2.0, 2.6]]
    assert [[p[0] for p in s] for s in plain] == [[0.2, 2.6]]
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names == ["row 1", "row 2", "row 3", "row 4", "Nested*", "Nested"]


def test_model33_hides_every_fifth_row_and_marks_the_limit():
    x, y = np.arange(10.0), np.arange(10.0) * 3
    first, _, third, _ = plots.model33(x, y, 2.5).axes
    seen, gone = first.get_lines()
    assert gone.get_xdata().tolist() == [0, 5]
    assert len(seen.get_xdata()) == 8
    residual, *limits = third.get_lines()
    assert (residual.get_ydata() == residual.get_xdata()).all()  # 3 x - 2 x
    assert [line.get_xdata()[0] for line in limits] == [-2.5, 2.5]


def test_kept_rows_leaves_blank_what_a_rule_drops():
    M_cal = np.array([[0, 0], [0, 1], [1, 1]], dtype=bool)
    axes = plots.kept_rows(M_cal, np.array([True, False])).axes
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in axes]
    assert titles == ["exact (1 rows)", "at most 1 more (3 rows)", "all (3 rows)"]
    picture = axes[0].images[0].get_array()
    blank = np.ma.getmaskarray(picture) | np.isnan(np.ma.filled(picture, np.nan))
    assert blank.all(axis=1).tolist() == [False, True, True, True, False]
    assert picture[0].tolist() == [0.4, 0.08]  # X_1 hidden to meet the test row


def test_oracle_names_the_rules_and_draws_the_law():
    rules = ["exact", "iii", "all"]
    table = pd.DataFrame(
        [
            {"rule": rule, "mask": mask, "mean": 0.9 + 0.01 * k, "mc_error": 0.002}
            for k, rule in enumerate(rules)
            for mask in ("00", "01")
        ]
    )
    law = pd.Series({"00": 0.92, "01": 0.91})
    (ax,) = plots.oracle(table, law).axes
    handles, labels = ax.get_legend_handles_labels()
    assert set(labels) == {"nominal", "CP-MDA-Exact", "CP-MDA-Nested*", "law of Exact"}
    found = dict(zip(labels, handles, strict=True))
    assert found["law of Exact"].get_ydata().tolist() == [0.92, 0.91]
    star = found["CP-MDA-Nested*"].lines[0]
    assert star.get_ydata() == pytest.approx([0.92, 0.92])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["00", "01"]


def sizes_table():
    rows = [
        {"method": m, "size": s, "coverage": 0.9, "coverage_error": 0.01, "length": 4.0}
        | {"infinite_replicates": float(m == "CP-MDA-Exact" and s == "0")}
        for m in (*plots.METHODS, "QR")
        for s in ("marginal", "0", "1")
    ]
    return pd.DataFrame(rows)


def test_sizes_draws_no_length_for_what_is_infinite():
    oracle = pd.DataFrame({"p": 0.2, "size": ["0", "0", "1"], "length": [2.0, 4.0, 5]})
    panels = {(0.2, "linear"): sizes_table(), (0.4, "network"): sizes_table()}
    axes = np.reshape(plots.sizes(panels, oracle).axes, (2, 2))
    assert axes[0, 1].get_title() == "40% missing, network"
    exact = dict(zip(plots.METHODS, axes[1, 0].containers, strict=False))
    names = [c.get_label() for c in axes[1, 0].containers]
    assert set(names) == set(plots.METHODS)  # QR is not drawn
    points = {c.get_label(): len(c.lines[0].get_xdata()) for c in exact.values()}
    assert points["CP-MDA-Exact"] == 2
    assert points["CQR"] == 3
    best = lines_by_label(axes[1, 0])["oracle"]
    assert best.get_ydata().tolist() == [3.0, 5.0]
    assert len(lines_by_label(axes[1, 1])["oracle"].get_ydata()) == 0


def test_extremes_draws_lowest_all_and_highest_of_each_method():
    table = pd.DataFrame(
        {"method": ["CQR", "CQR", "CP-MDA-Nested", "QR"], "lowest": [0.5, 0.6, 0.9, 0]}
    ).assign(marginal=0.9, highest=0.99)
    (ax,) = plots.extremes({"MCAR, network": table}).axes
    down = [line for line in ax.get_lines() if line.get_marker() == "v"]
    assert [line.get_ydata().tolist() for line in down] == [[0.5, 0.6], [0.9]]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["CQR", "Nested"]
    assert down[0].get_color() == figures.color("CQR")
    assert ax.get_ylabel() == "coverage"


def test_outcome_has_a_panel_a_correlation_and_leaves_all_rows_out():
    masks = ("000", "100", "all")
    table = pd.DataFrame(
        [
            {"phi": phi, "mask": m, "method": method, "coverage": phi / 10 + 0.8}
            for phi in (0.0, 0.8)
            for method in ("CQR", "CP-MDA-Exact", "CP-MDA-Nested", "QR")
            for m in masks
        ]
    ).assign(coverage_error=0.01)
    left, right = plots.outcome(table).axes
    assert [t.get_text() for t in left.get_xticklabels()] == ["000", "100"]
    assert len(left.containers) == 3
    assert left.containers[0].lines[0].get_ydata() == pytest.approx([0.88, 0.88])
    assert right.containers[0].lines[0].get_ydata() == pytest.approx([0.8, 0.8])


def test_trade_off_draws_no_length_for_what_is_infinite():
    table = pd.DataFrame({"h": [0, 1, 2], "coverage": [0.9, 0.92, 0.95]})
    table = table.assign(coverage_sd=0.01, length=[np.nan, 5.0, 6.0])
    table["infinite_replicates"] = [0.9, 0.1, 0.0]
    both = [table.assign(p=0.2, size="0"), table.assign(p=0.4, size="3")]
    fig = plots.trade_off(pd.concat(both))
    first, second, twin, _ = fig.axes
    assert second.get_title() == "40% missing, 3 gaps"
    assert first.containers[0].lines[0].get_ydata().tolist() == [0.9, 0.92, 0.95]
    (length,) = twin.get_lines()
    assert length.get_xdata().tolist() == [1, 2]
