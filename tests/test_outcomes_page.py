"""What chapter 5 takes from the library for its cells: verdicts, tables, figures."""

from functools import partial

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from notebook_lib import claims, figures
from notebook_lib.outcomes import (
    MissingOutcomes,
    draw_setting,
    procp2_threshold,
    procp_threshold,
    sharp_slack,
    squared_mass_at_infinity,
)
from notebook_lib.studies import outcome_checks as exact
from notebook_lib.studies import outcome_figures, outcome_live
from notebook_lib.studies import outcome_page_verdicts as page

mpl.use("Agg")


def judge(checks):
    """Check each; return the records."""
    return [claims.check(**one) for one in checks]


def fails(checks, id):
    """Whether a check of this claim fails."""
    with pytest.raises(claims.ClaimFailed, match=id):
        judge(checks)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


# ------------------------------------------------------------------- verdicts


@pytest.fixture(scope="module")
def large():
    rng = np.random.default_rng(0)
    return {s: draw_setting(s, 100_000, rng) for s in (1, 2)}


def test_generators_have_the_shares_and_the_spread_of_the_paper(large, rng):
    records = judge(page.generators(large, rng))
    assert [r.id for r in records] == [
        *("procp-D1", "procp-F2") * 2,
        *("procp-D1", "procp-D2", "procp-D2"),
    ]
    more = large[1].A.copy()
    more[:5000] = True
    fails(page.generators(large | {1: large[1]._replace(A=more)}, rng), "procp-D1")
    wild = MissingOutcomes(large[1].X, large[1].A, 2 * large[1].Y, large[1].p)
    fails(page.generators(large | {1: wild}, rng), "procp-D1")


def pooled(scores, bins, test_bins, alpha, representatives):
    """The library in the place of the page's version, with a sum of masses."""
    variant = "paper" if representatives is None else "one_rep"
    return procp_threshold(scores, bins, test_bins, alpha, variant=variant)[0], 1.0


def pairs(scores, bins, test_bins, alpha):
    q = procp2_threshold(scores, bins, test_bins, alpha)[0]
    return q, squared_mass_at_infinity(bins, test_bins)


@pytest.mark.filterwarnings("ignore::notebook_lib.exceptions.InfiniteSetWarning")
def test_a_version_by_hand_must_agree_and_its_masses_sum_to_one(rng):
    judge(page.pooled_by_hand(pooled, rng, 20))
    for wrong in (
        lambda *args: (pooled(*args)[0] + 1e-6, 1.0),
        lambda *args: (pooled(*args)[0], 1.001),
        lambda *args: pooled(*args[:-1], None),
    ):
        fails(page.pooled_by_hand(wrong, rng, 20), "procp-A03")


@pytest.mark.filterwarnings("ignore::notebook_lib.exceptions.InfiniteSetWarning")
def test_pairs_by_hand_must_agree_in_threshold_and_mass(rng):
    judge(page.pairs_by_hand(pairs, rng, 20))
    shifted = partial(_shift, by=(1e-6, 0))
    fails(page.pairs_by_hand(shifted, rng, 20), "procp-A06")
    heavier = partial(_shift, by=(0, 1e-6))
    fails(page.pairs_by_hand(heavier, rng, 20), "procp-A07")


def _shift(*args, by):
    return tuple(np.add(pairs(*args), by))


def test_bins_and_lemmas_hold(rng):
    records = judge(page.bins_of_odds(rng))
    records += judge(page.theorem_3())
    records += judge(page.estimated_bins(rng, 50))
    records += judge(page.inequality_27(rng))
    records += judge(page.widths())
    found = {r.id for r in records}
    wanted = ("A01", "A02", "T06", "T07", "T08", "T17", "M1")
    assert found == {f"procp-{id}" for id in wanted}


def test_the_median_width_of_mostly_infinite_sets_is_asked_for(monkeypatch):
    monkeypatch.setattr(page, "median_width", lambda *args: 2.0)
    fails(page.widths(), "procp-M1")


def test_bins_of_another_width_are_seen(rng, monkeypatch):
    bins = page.odds_bins
    monkeypatch.setattr(page, "odds_bins", lambda p, width: bins(p, 2 * width))
    fails(page.bins_of_odds(rng), "procp-A01")


def test_an_excess_over_the_level_is_seen():
    right = {"procp-T01": np.array([[-0.1, 0.0]]), "procp-T02": np.zeros((1, 2))}
    assert [r.id for r in judge(page.simultaneous(right))] == list(right)
    fails(page.simultaneous(right | {"procp-T02": np.array([[0, 1e-9]])}), "procp-T02")


def test_lemma_1_is_an_upper_bound_that_is_attained():
    width = np.array([0.1, 1.0])
    sharp = sharp_slack(width)
    attained = [exact.worst_two_atoms(w) for w in width]
    table = {"random laws": sharp / 2, "two atoms": attained, "sharp slack": sharp}
    table = pd.DataFrame(table, index=width)
    judge(page.lemma_1(table))
    fails(page.lemma_1(table.assign(**{"random laws": 1.01 * sharp})), "random laws")
    fails(page.lemma_1(table.assign(**{"two atoms": 0.99 * sharp})), "attained")


def test_slips_are_slips():
    judge(page.slips(0.12, 1.0))
    fails(page.slips(1.0, 1.0), "procp-A05")
    fails(page.slips(0.12, 0.999), "procp-A05")


def test_the_noise_of_redraws_is_asked_for_at_the_defaults_only():
    frame = pd.DataFrame({"coverage": [0.8, 0.8]})
    right = frame.assign(missed_squared=0.04 + 0.05**2)
    judge(page.redraws(right, when=True))
    wrong = frame.assign(missed_squared=0.04 + 0.1**2)
    fails(page.redraws(wrong, when=True), "procp-M2")
    (record,) = judge(page.redraws(wrong, when=False))
    assert record.verdict == claims.NOT_ATTEMPTED


# --------------------------------------------------------------------- tables


def test_narrow_bins_cost_mass_and_wide_ones_slack(rng):
    widths = [0.05, 0.5, 2.0]
    cost = outcome_live.cost_of_width(widths, 300, rng, n_samples=4)
    assert cost.index.name == "epsilon"
    assert list(cost.index) == widths
    np.testing.assert_allclose(cost["slack"], sharp_slack(np.array(widths)))
    assert cost["mass, one_rep"].is_monotonic_decreasing
    assert (cost["mass, one_rep"] < cost["mass, paper"]).all()
    assert cost["mass, paper"].between(0.15, 0.4).all()


def test_each_width_has_samples_of_its_own():
    draw = partial(outcome_live.cost_of_width, n_total=200, n_samples=2)
    one = draw([0.3, 0.30001], rng=np.random.default_rng(1))
    again = draw([0.3, 0.30001], rng=np.random.default_rng(1))
    pd.testing.assert_frame_equal(one, again)
    assert one["mass, one_rep"].nunique() == 2


# -------------------------------------------------------------------- figures


@pytest.fixture
def drawn():
    """Call a figure; return its panels."""
    with mpl.rc_context():
        figures.setup()
        yield lambda draw, *args: (draw(*args), plt.gcf().axes)[1]
        plt.close("all")


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def levels(ax):
    """Where a panel has its lines across (x, y)."""
    lines = [line.get_xydata() for line in ax.lines if len(line.get_xydata()) == 2]
    upright = [xy[0, 0] for xy in lines if xy[0, 0] == xy[1, 0]]
    return upright, [xy[0, 1] for xy in lines if xy[0, 1] == xy[1, 1]]


def test_the_sample_is_drawn_with_its_missing_rows(drawn, rng):
    data = draw_setting(1, 200, rng)
    left, right = drawn(outcome_figures.setting, data)
    sizes = [len(points.get_offsets()) for points in left.collections]
    assert sizes == [data.A.sum(), (~data.A).sum()]
    assert labels(left) == ["observed", "missing"]
    wave = right.lines[1].get_ydata()
    np.testing.assert_allclose(right.lines[0].get_ydata()[[0, -1]], [0.1, 0.3])
    assert np.sum(np.diff(np.sign(np.diff(wave))) != 0) > 5


def trials(**more):
    methods = ("weighted CP", "pro-CP", "pro-CP (one representative)")
    rows = [
        {"setting": s, "score": score, "method": method, "coverage": 0.8}
        for s, n in ((1, 2), (2, 3))
        for score in ("residual", "cqr")
        for method in methods
        for _ in range(n)
    ]
    return pd.DataFrame(rows).assign(**more)


def test_trials_of_the_residual_score_are_counted(drawn):
    for ax, n in zip(drawn(outcome_figures.conditional, trials()), (2, 3), strict=True):
        heights = [bar.get_height() for bar in ax.patches]
        assert sum(heights) == 3 * n
        assert levels(ax)[0] == [0.8]
        assert labels(ax)[:3] == [
            "weighted CP",
            "pro-CP (one representative)",
            "pro-CP",
        ]


def test_squared_has_a_panel_for_each_setting_and_propensity(drawn):
    table = pd.concat(
        trials(propensity=kind).assign(
            method=lambda t: t["method"].replace("pro-CP", "pro-CP2 (constant levels)")
        )
        for kind in ("known", "estimated")
    )
    panels = drawn(outcome_figures.squared, table)
    assert [ax.get_title("left") for ax in panels] == [
        f"Setting {s}, {kind} propensity"
        for s in (1, 2)
        for kind in table["propensity"].unique()
    ]
    for ax, n in zip(panels, (4, 4, 6, 6), strict=True):
        assert sum(bar.get_height() for bar in ax.patches) == 2 * n
        assert levels(ax)[0] == [0.8]


def test_single_tells_the_share_of_infinite_sets_of_pro_cp(drawn):
    rows = [
        {"setting": s, "epsilon": e, "method": method, "x": x, "coverage": 0.8}
        | {"share_infinite": (0.25 + 0.5 * x) * (method == "pro-CP")}
        for s, e in ((1, 0.1), (2, 0.1), (2, 0.02))
        for method in ("pro-CP", "weighted CP")
        for x in (0.0, 1.0)
    ]
    at_x = pd.DataFrame(rows)
    at_x = pd.concat([at_x.assign(score="residual"), at_x.assign(score="cqr", x=7.0)])
    panels = drawn(outcome_figures.single, at_x)
    assert (
        panels[2].get_title("left")
        == "Setting 2, ε = 0.02\n50 % of pro-CP sets infinite"
    )
    for ax in panels:
        curves = dict(zip(labels(ax), ax.get_legend_handles_labels()[0], strict=True))
        assert list(curves["pro-CP"].get_xdata()) == [0, 1]
        assert levels(ax)[1][-1] == 0.8


def test_curves_leave_out_infinite_widths_and_boxes_have_their_method(drawn):
    methods = ["pro-CP", "pro-CP (one representative)", "weighted CP"]
    methods += ["pro-CP2 (constant levels)"]
    curve = pd.DataFrame(
        [
            {"setting": 1, "alpha": a, "method": m, "coverage": 1 - a, "width": w}
            for m in methods
            for a, w in ((0.3, 1.0), (0.2, 2.0), (0.1, np.inf))
        ]
    )
    boxes = pd.DataFrame(
        [
            {"scale": 2, "score": "cqr", "method": m, "propensity": kind, "coverage": c}
            for m in methods
            for kind in ("known", "estimated")
            for c in (0.7, 0.8, 0.9)
        ]
    )
    panels = drawn(outcome_figures.curves, curve, curve, boxes)
    np.testing.assert_allclose(panels[0].lines[0].get_xdata(), [0.7, 0.8])
    assert labels(panels[0]) == ["pro-CP", "pro-CP2"]
    assert labels(panels[1]) == ["pro-CP", "weighted CP"]
    np.testing.assert_allclose(panels[2].lines[0].get_xdata(), [0.7, 0.8, 0.9])
    faces = [mpl.colors.to_hex(box.get_facecolor()) for box in panels[3].patches]
    wanted = [figures.color(m).lower() for m in methods[:3] for _ in range(2)]
    assert faces == wanted


def test_bins_that_are_not_of_the_propensity_have_a_colour_of_their_own(drawn, rng):
    names = ["epsilon = 0.1", "one bin", "parity of floor(x)"]
    binnings = {"bins": names, "mean": [0.87, 0.59, 0.6], "mc_error": 0.001}
    infinite = [
        {"setting": s, "n_total": n, "method": m, "metric": "share_infinite"}
        | {"mean": n / 1000 + (s == 2), "mc_error": 0.01}
        for s in (1, 2)
        for n in (60, 500)
        for m in ("binned wCP", "pro-CP", "one representative, no cells")
    ]
    cost = outcome_live.cost_of_width([0.1, 1.0], 200, rng, n_samples=1)
    left, middle, right = drawn(
        outcome_figures.breaks, pd.DataFrame(binnings), pd.DataFrame(infinite), cost
    )
    colors = [mpl.colors.to_hex(bar.get_facecolor()) for bar in left.patches]
    blue, other = (figures.OKABE_ITO[c].lower() for c in ("blue", "vermillion"))
    assert colors == [blue, other, other]
    assert levels(left)[0] == [0.8]
    for handle in middle.get_legend_handles_labels()[0]:
        np.testing.assert_allclose(handle[0].get_ydata(orig=False), [0.06, 0.5])
    np.testing.assert_allclose(right.lines[0].get_ydata(), cost["slack"])
