"""Chapter 6: the guide, the running comparison, and the promises it prints."""

import importlib

import numpy as np
import pandas as pd
import pytest

from notebook_lib import figures, guide
from notebook_lib.params import validate
from notebook_lib.studies import choosing
from notebook_lib.studies import choosing_trials as trials
from tools.book import notebooks
from tools.book.layout import REPOSITORY

SMALL = {"n_train": 120, "n_cal": 80, "n_test": 150}
METHODS = {
    "covariates": trials.COVARIATE_METHODS,
    "outcomes": trials.OUTCOME_METHODS,
    "class": trials.CLASS_METHODS,
    "entries": trials.ENTRY_METHODS,
}
SETTINGS = {
    "covariates": SMALL,
    "outcomes": {"n_train": 150, "n_rows": 300},
    "class": SMALL,
    "entries": {"n_users": 60, "n_films": 40, "group_size": 3},
}
each_gap = pytest.mark.parametrize("gap", METHODS)


# --------------------------------------------------------------------- the guide


def test_tree_leads_to_every_entry_once_and_under_its_own_gap():
    leaves = [key for key, _ in guide.walk()]
    assert sorted(leaves) == sorted(entry.key for entry in guide.GUIDE)
    for key, answers in guide.walk():
        assert answers[0] == ("What is missing?", guide.GAPS[guide.advice(key).gap])
        assert guide.path(key) == answers


@pytest.mark.parametrize("entry", guide.GUIDE, ids=lambda e: e.key)
def test_entry_names_something_that_exists(entry):
    assert (REPOSITORY / "book" / f"{entry.chapter}.ipynb").exists() or (
        REPOSITORY / "book" / f"{entry.chapter}.md"
    ).exists()
    if entry.call:
        module, _, name = entry.call.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
    else:
        assert entry.guarantee == "none"


def test_table_has_every_entry_and_links_it():
    assert list(guide.table().index) == [entry.key for entry in guide.GUIDE]
    assert set(guide.table("outcomes")["gap"]) == {"outcomes"}
    page = guide.table_html()
    for entry in guide.GUIDE:
        assert f'href="{entry.chapter}.html"' in page
        assert entry.guarantee in page


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: guide.advice("nested"), "nested-star"),
        (lambda: guide.table("rows"), "covariates"),
        (lambda: choosing.promise("magic"), "CP-MDA-Exact"),
        (lambda: choosing.run_trials("rows", 1, seed=0), "covariates"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_words_and_figure_say_the_same():
    fig = guide.plot_tree()
    drawn = " ".join(t.get_text().replace("\n", " ") for t in fig.axes[0].texts)
    words = guide.in_words()
    for entry in guide.GUIDE:
        for text in (entry.method, entry.page, entry.guarantee):
            assert text in drawn
            assert text in words
    right = fig.get_size_inches()[0] * fig.dpi
    renderer = fig.canvas.get_renderer()
    ends = [t.get_window_extent(renderer).x1 for t in fig.axes[0].texts]
    assert max(ends) <= right


def test_chapter_describes_the_tree_as_it_is():
    nb = notebooks.read(REPOSITORY / "book" / "06_choosing_a_method.ipynb")
    said = [
        c.metadata["mystnb"]["image"]["alt"]
        for c in notebooks.code_cells(nb)
        if "guide.plot_tree" in c.source
    ]
    assert said == [guide.in_words()]


# ---------------------------------------------------------------- the comparison


@pytest.fixture(scope="module")
def runs():
    return {
        gap: choosing.run_trials(gap, 3, seed=1, **settings)
        for gap, settings in SETTINGS.items()
    }


@each_gap
def test_every_method_in_every_replicate(runs, gap):
    frame = runs[gap]
    whole = frame if gap == "entries" else frame[frame["group"] == "all"]
    counts = whole.groupby("method", sort=False).size()
    assert list(counts.index) == list(METHODS[gap])
    assert (counts == 3).all()
    assert not frame.drop(columns="length").isna().any().any()


@each_gap
def test_rows_do_not_depend_on_the_batch(runs, gap):
    parts = [
        choosing.run_trials(gap, numbers, seed=1, **SETTINGS[gap])
        for numbers in ([2], [0, 1])
    ]
    again = pd.concat([parts[1], parts[0]], ignore_index=True)
    pd.testing.assert_frame_equal(again, runs[gap])


@pytest.mark.parametrize("gap", ["covariates", "outcomes", "class"])
def test_groups_add_up_to_all_rows(runs, gap):
    frame = runs[gap].assign(covered=lambda f: f["rows"] * f["coverage"])
    keys = ["replicate", "method"]
    whole = frame[frame["group"] == "all"].set_index(keys)
    parts = frame[frame["group"] != "all"].groupby(keys)[["rows", "covered"]].sum()
    parts = parts.reindex(whole.index)
    assert (parts["rows"] == whole["rows"]).all()
    np.testing.assert_allclose(parts["covered"], whole["covered"], atol=1e-9)


def test_shared_model_gives_what_a_fit_of_its_own_gives():
    rng = np.random.default_rng(0)
    rows = trials.draw_rows(350, rng)
    X = rows.X.copy()
    X[:, 1:4][rng.random((350, 3)) < 0.3] = np.nan
    train, cal, test = trials._parts(X, rows.y, 120, 80)
    fitted = {}
    for name, template in trials.COVARIATE_METHODS.items():
        if template is None:
            continue
        shared, cost = trials._run_masked(
            trials.clone(template), fitted, train, cal, test[0]
        )
        alone = trials.clone(template).fit(*train)
        alone.conformalize(cal[0].copy(), cal[1])
        np.testing.assert_allclose(
            shared, alone.predict_interval(test[0].copy())[1][:, :, 0], err_msg=name
        )
        assert cost["predictions"] >= len(cal[1]) + len(test[1])


def test_published_interval_holds_the_star(runs):
    frame = runs["covariates"].set_index(["replicate", "group", "method"])
    for column in ("coverage", "length"):
        wide = frame[column].unstack()
        assert (wide["CP-MDA-Nested"] >= wide["CP-MDA-Nested*"] - 1e-9).all()


def test_law_of_the_rows():
    """Slopes, class share, noise and propensity are those that the page prints."""
    rows = trials.draw_rows(200_000, np.random.default_rng(3))
    x = rows.X[:, :4]
    rest = rows.y - x @ [1, 1, -1, 1] - 4 * rows.z
    z = rest / np.exp(x[:, 0] / 2)
    assert abs(z.mean()) < 4 / len(z) ** 0.5
    assert abs(z.std() - 1) < 4 / (2 * len(z)) ** 0.5
    assert abs(rows.z.mean() - 0.25) < 4 * (0.1875 / len(z)) ** 0.5
    assert abs(np.corrcoef(x.T)[0, 1] - 0.5) < 0.01
    np.testing.assert_allclose(
        trials.propensity(rows.X), 1 / (1 + np.exp(x[:, 0] - 1.2))
    )


@pytest.mark.parametrize("mechanism", trials.MECHANISMS)
def test_mechanism_spares_x1_and_keeps_its_rate(mechanism):
    rows = trials.draw_rows(50_000, np.random.default_rng(4))
    mask = trials._mechanism(mechanism).sample(rows.X, np.random.default_rng(5))
    assert not mask[:, [0, 4, 5]].any()
    assert np.abs(mask[:, 1:4].mean(axis=0) - 0.3).max() < 0.015
    high = mask[rows.X[:, 0] > 0, 1:4].mean() - mask[rows.X[:, 0] < 0, 1:4].mean()
    assert (abs(high) < 0.02) == (mechanism == "MCAR")


# -------------------------------------------------------------------- summaries


def toy(method="a", coverage=(1.0, 0.5), rows=(10, 30)):
    lines = []
    for replicate in range(2):
        whole = float(np.average(coverage, weights=rows))
        groups = [("all", sum(rows), whole), *zip("gh", rows, coverage, strict=True)]
        lines += [
            {
                "method": method,
                "replicate": replicate,
                "group": group,
                "rows": n,
                "coverage": share,
                "length": np.inf if replicate else 2.0,
                "infinite": 0.5 * replicate,
                "fits": 1,
                "predictions": 40,
            }
            for group, n, share in groups
        ]
    return pd.DataFrame(lines)


def test_summary_by_hand():
    frame = pd.concat([toy(), toy("b").assign(predictions=100)])
    table = choosing.summarise(frame, baseline="a")
    row = table.loc["a"]
    assert row["coverage"] == pytest.approx(0.625)
    assert row["error"] == pytest.approx(0)
    assert (row["worst group"], row["worst"]) == ("h", 0.5)
    assert row["infinite"] == 0.25
    assert np.isinf(row["length"])
    assert row["rms missed"] == pytest.approx(0.375)
    assert table["predictions"].tolist() == [1, 2.5]


def test_verdicts_allow_for_the_error():
    table = pd.DataFrame({"worst": [0.85], "worst error": [0.02]}, index=["a"])
    assert choosing.reaches(table, "a", 0.9)
    assert not choosing.reaches(table, "a", 0.95)
    assert choosing.falls_short(table, "a", 0.92)
    assert not choosing.falls_short(table, "a", 0.9)


def test_promises_depend_on_the_mechanism():
    methods = [m for methods in METHODS.values() for m in methods]
    assert all(choosing.promise(m) for m in methods)
    assert choosing.promise("CP-MDA-Exact", "MCAR") == "for each pattern, 1 − α"
    assert choosing.promise("CP-MDA-Exact", "MAR") == "none: needs MCAR"
    assert choosing.promise("CP-MDA-Nested*", "MAR") == "marginal, 1 − 2α"
    assert choosing.promise("CQR", "MAR") == "marginal, 1 − α"
    table = choosing.summarise(toy("CP"), baseline="CP")
    both = choosing.one_table({"covariates, MAR": table})
    assert both.loc[("covariates, MAR", "CP"), "guarantee"] == "marginal, 1 − α"


def test_figure_marks_both_coverages_and_infinite_sets():
    table = choosing.summarise(toy("CP"), baseline="CP")
    _, ax = figures.panels(1, 1)
    choosing.plot_comparison(ax[0, 0], table, 0.9)
    drawn = [line.get_xdata()[0] for line in ax[0, 0].lines]
    assert 0.625 in drawn
    assert 0.5 in drawn
    assert any("25 % ∞" in t.get_text() for t in ax[0, 0].texts)


def test_parameters_of_the_reader(tmp_path):
    rules = {"data": choosing.optional_file, "target": choosing.words}
    file = tmp_path / "a.csv"
    file.write_text("x,y\n1,2\n")
    assert validate({"data": "", "target": ""}, **rules).data == ""
    assert validate({"data": str(file), "target": "y"}, **rules).target == "y"
    with pytest.raises(ValueError, match="no such file"):
        validate({"data": str(tmp_path / "b.csv"), "target": "y"}, **rules)
    with pytest.raises(ValueError, match="target"):
        validate({"data": "", "target": 3}, **rules)
