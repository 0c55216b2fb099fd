"""Figures: one look, one style a method, safe for colour-blind readers."""

import itertools
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from reference.colors import VISIONS, lab_distance

from notebook_lib import figures

mpl.use("Agg")

#: Below this distance in CIELAB two lines of one chapter must not rely on colour.
DISTINCT = 15.0


@pytest.fixture
def ax():
    with mpl.rc_context():
        figures.setup()
        fig, ax = plt.subplots()
        yield ax
        plt.close(fig)


@pytest.mark.parametrize("chapter", figures.METHODS)
@pytest.mark.parametrize("vision", VISIONS)
def test_methods_of_a_chapter_can_be_told_apart(chapter, vision):
    """Different colours stay different; equal ones differ in marker and line."""
    for (one, a), (two, b) in itertools.combinations(
        figures.METHODS[chapter].items(), 2
    ):
        if a.color == b.color:
            assert a.marker != b.marker, (one, two)
            assert a.linestyle != b.linestyle, (one, two)
        else:
            distance = lab_distance(a.color, b.color, vision)
            assert distance > DISTINCT, (one, two, distance)
            assert a.marker != b.marker, (one, two)


def _family(method):
    return re.split(r" \(|,", method)[0]


@pytest.mark.parametrize("chapter", figures.METHODS)
def test_only_variants_of_a_method_share_its_color(chapter):
    for (one, a), (two, b) in itertools.combinations(
        figures.METHODS[chapter].items(), 2
    ):
        assert a.color != b.color or _family(one) == _family(two), (one, two)


@pytest.mark.parametrize("chapter", figures.METHODS)
def test_lines_are_seen_on_white(chapter):
    for method, style in figures.METHODS[chapter].items():
        assert lab_distance(style.color, "#FFFFFF", "normal") > 30, method


def test_a_method_looks_the_same_in_every_chapter():
    seen = {}
    for methods in figures.METHODS.values():
        for name, style in methods.items():
            assert seen.setdefault(name, style) == style, name


def test_the_test_can_see_a_confusion():
    """A red and an olive that only deuteranopes confuse."""
    assert lab_distance("#D04030", "#7A7A20", "normal") > 4 * DISTINCT
    assert lab_distance("#D04030", "#7A7A20", "deuteranopia") < DISTINCT / 2


def test_names_aliases_and_suggestions():
    assert figures.color("pro-CP") == figures.color("PRO-cp")
    assert figures.style("simultaneous") == figures.style("SCMC")
    assert figures.marker("oracle") == "o"
    assert figures.linestyle("oracle") == "-"
    with pytest.raises(ValueError, match="did you mean EM-hard"):
        figures.color("EM-hrad")
    with pytest.raises(ValueError, match=r"the method 'zzz': use one that .*METHODS"):
        figures.color("zzz")


@pytest.mark.parametrize("alias", figures.ALIASES)
def test_aliases_lead_to_methods(alias):
    assert alias == alias.lower()
    assert figures.ALIASES[alias] in figures.order(figures.ALIASES.values())
    figures.style(alias)


def test_order_is_that_of_the_registry():
    assert figures.order(["ignore", "mystery", "oracle", "EM-hard", "ignore"]) == [
        "oracle",
        "EM-hard",
        "ignore",
        "mystery",
    ]


def test_setup_is_deterministic(ax):
    assert mpl.rcParams["svg.hashsalt"] == "notebook_lib"
    assert mpl.rcParams["figure.facecolor"] == "white"
    assert repr(np.array([1 / 3])) == "array([0.3333])"
    assert "0.3333" in repr(pd.Series([1 / 3]))


FRAME = pd.DataFrame(
    {
        "method": ["ignore", "ignore", "ignore", "oracle", "oracle", "oracle"],
        "delta": [2, 1, 3, 1, 2, 3],
        "length": [3.0, 4.0, np.inf, 1.0, 1.1, 1.2],
        "mc_error": [0.1, 0.2, 0.1, np.nan, 0.1, 0.1],
    }
)


def test_errorbar_draws_each_method_in_order(ax):
    drawn = figures.errorbar(ax, FRAME, x="delta", y="length", error="mc_error")
    assert [c.get_label() for c in drawn] == ["oracle", "ignore"]
    oracle, ignore = (c.lines[0] for c in drawn)
    assert oracle.get_color() == figures.color("oracle")
    assert ignore.get_marker() == figures.marker("ignore")
    np.testing.assert_array_equal(ignore.get_xydata(), [[1, 4], [2, 3]])
    (bars,) = drawn[1].lines[2]
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, [2 * 1.96 * 0.2, 2 * 1.96 * 0.1])


def test_errorbar_dodges_and_renames(ax):
    drawn = figures.errorbar(
        ax, FRAME, x="delta", y="length", dodge=0.1, labels={"oracle": "true Z"}
    )
    assert drawn[0].get_label() == "true Z"
    np.testing.assert_allclose(
        np.asarray(drawn[0].lines[0].get_xdata(), float), [0.95, 1.95, 2.95]
    )
    np.testing.assert_allclose(
        np.asarray(drawn[1].lines[0].get_xdata(), float), [1.05, 2.05]
    )


def test_nominal_line(ax):
    line = figures.nominal_line(ax, 0.9)
    assert list(line.get_ydata()) == [0.9, 0.9]
    assert list(figures.nominal_line(ax, 2, axis="x").get_xdata()) == [2, 2]


def test_coverage_panel_shows_the_level_and_stays_below_one(ax):
    frame = FRAME.assign(coverage=[0.9, 0.91, 0.9, 0.999, 0.99, 0.9])
    figures.coverage_panel(ax, frame, x="delta", level=0.9, error="mc_error")
    low, high = ax.get_ylim()
    assert low <= 0.85
    assert high <= 1.005
    assert ax.get_ylabel() == "coverage"


def test_dots_names_methods_on_the_axis(ax):
    figures.dots(ax, FRAME[FRAME["delta"] == 1], value="length", error="mc_error")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["oracle", "ignore"]
    assert ax.yaxis_inverted()


def test_legend_below_lists_each_label_once():
    fig, axes = figures.panels(2, 2)
    for ax in axes.flat:
        figures.nominal_line(ax, 0.9)
        figures.errorbar(ax, FRAME, x="delta", y="length")
    figures.legend_below(fig, axes)
    (legend,) = fig.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["nominal", "oracle", "ignore"]
    plt.close(fig)
