"""Sets from a table with gaps: every case, new rows, and coverage that is kept."""

import warnings

import numpy as np
import pandas as pd
import pytest
import report_tables
from scipy.stats import norm

from notebook_lib import report
from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.intervals import contains
from notebook_lib.outcomes import cross_intervals

REPEATS = 16
COLUMNS = [
    "row",
    "part",
    "alpha",
    "prediction",
    "lower",
    "upper",
    "method",
    "mask",
    "infinite",
    "reason",
    "y",
    "covered",
]


def read(**kw):
    return report.read_table(report_tables.make(**kw), "y")


def labelled(**kw):
    frame = report_tables.make(**kw)
    words = np.where(frame["y"] > 1, "high", np.where(frame["y"] < -1, "low", "mid"))
    frame["y"] = pd.Series(words, dtype=object).where(frame["y"].notna())
    return report.read_table(frame, "y")


# ------------------------------------------------------------------- each case


@pytest.mark.parametrize(
    "method", ["exact", "nested", "adaptive", "imputed", "per-mask"]
)
def test_covariates_missing(method):
    table = read(n=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        result = report.predict_gaps(table, method=method, alpha=(0.2, 0.4))
    assert list(result.columns) == COLUMNS
    assert len(result) == 2 * 50
    assert set(result["part"]) == {"held out"}
    infinite = np.isinf(result["lower"]) & np.isinf(result["upper"])
    assert (infinite == result["infinite"]).all()
    assert result.loc[infinite, "reason"].str.startswith("infinite: ").all()
    inside = contains(result[["lower", "upper"]].to_numpy(), result["y"].to_numpy())
    assert (inside == result["covered"]).all()
    wide, narrow = (result[result["alpha"] == a] for a in (0.2, 0.4))
    assert wide["covered"].sum() >= narrow["covered"].sum()


def test_masks_are_those_of_the_table():
    table = read(n=200)
    result = report.predict_gaps(table, alpha=0.2)
    wanted = report.mask_names(table.X.isna()).loc[result["row"]]
    assert result["mask"].tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("x_gaps", "method"), [(0.0, "split"), (0.2, "exact"), (0.2, "nested")]
)
def test_it_is_the_library_s_estimator_and_nothing_else(x_gaps, method):
    table = read(n=200, x_gaps=x_gaps)
    result = report.predict_gaps(table, method=method, alpha=0.2)
    parts = report.split_rows(table)
    encoder = report.TableEncoder().fit(table.X.iloc[parts.train])
    X = [table.X.iloc[p] for p in parts]
    X = X if method == "split" else [encoder.transform(x) for x in X]
    y = table.y.to_numpy()
    model = report.build_estimator(table, method, alpha=0.2)
    model.fit(X[0], y[parts.train]).conformalize(X[1], y[parts.calibrate])
    prediction, intervals = model.predict_interval(X[2])
    np.testing.assert_array_equal(result["prediction"], prediction)
    np.testing.assert_array_equal(result[["lower", "upper"]], intervals[:, :, 0])


@pytest.mark.parametrize("method", ["weighted", "pro-cp", "pro-cp2"])
@pytest.mark.filterwarnings("ignore::notebook_lib.exceptions.InfiniteSetWarning")
def test_outcomes_missing(method):
    table = read(n=300, y_gaps=0.3)
    result = report.predict_gaps(table, method=method, alpha=0.2)
    assert result["row"].tolist() == table.X.index[~table.observed].tolist()
    assert result["covered"].isna().all()
    model = report.outcome_estimator(table, method, alpha=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_hand = cross_intervals(model, table.X, table.y, random_state=0)
    np.testing.assert_array_equal(
        result[["lower", "upper"]], by_hand[["lower", "upper"]]
    )
    assert (result["infinite"] == np.isinf(by_hand["upper"]).to_numpy()).all()
    with pytest.raises(ValueError, match="cannot be measured"):
        report.check_coverage(result)


def test_a_few_missing_outcomes_get_sets_beside_the_held_out_rows():
    frame = report_tables.make(200)
    frame.loc[[5, 9], "y"] = np.nan
    result = report.predict_gaps(report.read_table(frame, "y"), alpha=0.2)
    missing = result[result["part"] == "missing outcome"]
    assert missing["row"].tolist() == [5, 9]
    assert (result["part"] == "held out").sum() == 50
    assert missing["covered"].isna().all()


def test_new_rows_in_any_order_with_unseen_masks_and_levels(tmp_path):
    table = read(n=200)
    new = report_tables.make(12, seed=9, x_gaps=0).drop(columns="y")
    new = new[["flag", "b", "colour", "a"]].astype({"flag": object})
    new.loc[0, "a"] = np.nan
    new.loc[1, "colour"] = "mauve"
    new.loc[2, ["a", "b", "colour", "flag"]] = None
    result = report.predict_gaps(table, alpha=0.2, new=new)
    got = result[result["part"] == "new"].set_index("row")
    assert len(got) == 12
    assert got.loc[0, "mask"] == "a"
    assert "a unknown here and never in training" in got.loc[0, "reason"]
    assert got.loc[1, "mask"] == "colour"
    assert got.loc[2, "mask"] == "a + b + colour + flag"
    assert np.isfinite(got[["lower", "upper"]].to_numpy()).all()
    path = report_tables.write(tmp_path, new, "new.csv")
    again = report.predict_gaps(table, alpha=0.2, new=path)
    pd.testing.assert_frame_equal(again, result)


def test_new_rows_where_outcomes_are_missing_are_weighted():
    table = read(n=300, y_gaps=0.3)
    new = report_tables.make(10, seed=5).drop(columns="y")
    result = report.predict_gaps(table, alpha=0.2, new=new)
    assert result.groupby("part").size()["new"] == 10
    assert set(result.loc[result["part"] == "new", "method"]) == {"weighted CP"}


@pytest.mark.parametrize(
    ("kw", "part"),
    [
        ({"x_gaps": 0}, "held out"),
        ({}, "held out"),
        ({"y_gaps": 0.3}, "missing outcome"),
        ({"x_gaps": 0, "y_gaps": 0.3}, "missing outcome"),
    ],
)
def test_labels(kw, part):
    table = labelled(n=400, **kw)
    new = report_tables.make(6, seed=5).drop(columns="y")
    result = report.predict_gaps(table, alpha=0.1, new=new)
    assert set(result["part"]) == {part, "new"}
    sets = result["set"].str.split("|").map(lambda s: set(s) - {""})
    assert (sets.map(len) == result["size"]).all()
    assert set().union(*sets) <= {"low", "mid", "high"}
    known = result["covered"].notna()
    inside = [y in s for y, s in zip(result["y"][known], sets[known], strict=True)]
    assert inside == result.loc[known, "covered"].tolist()


def test_label_that_no_training_row_has_is_refused_by_name():
    frame = report_tables.make(60, x_gaps=0)
    frame["y"] = ["u", "v"] * 30
    held = report.split_rows(report.read_table(frame, "y")).calibrate[0]
    frame.loc[held, "y"] = "odd"
    with pytest.raises(ValueError, match="label 'odd' of 'y' has 1 rows"):
        report.predict_gaps(report.read_table(frame, "y"))


# ------------------------------------------------------------------- shapes


def test_thirty_rows_give_infinite_sets_with_one_warning():
    table = read(n=30)
    with pytest.warns(InfiniteSetWarning, match=r"9 needed for alpha=0\.1") as caught:
        result = report.predict_gaps(table, alpha=0.1, method="imputed")
    assert len(caught) == 1
    assert result["infinite"].all()
    assert result["reason"].str.contains("7 usable calibration rows").all()


def test_a_hundred_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 100))
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(100)])
    frame["y"] = X[:, 0] + rng.normal(size=120)
    frame = frame.mask(rng.random(frame.shape) < 0.05)
    frame["y"] = X[:, 0]
    table = report.read_table(frame, "y")
    result = report.predict_gaps(table, alpha=0.2)
    assert np.isfinite(result[["lower", "upper"]].to_numpy()).all()


def test_rows_without_any_covariate_are_legal():
    frame = report_tables.make(120).astype({"flag": object})
    frame.loc[frame.index % 4 == 0, ["a", "b", "colour", "flag"]] = None
    result = report.predict_gaps(report.read_table(frame, "y"), alpha=0.2)
    empty = result["mask"] == "a + b + colour + flag"
    assert empty.any()
    assert np.isfinite(result.loc[empty, "lower"]).all()


def test_the_order_of_columns_changes_nothing_that_matters():
    frame = report_tables.make(200)
    one = report.predict_gaps(report.read_table(frame, "y"), alpha=0.2)
    turned = report.read_table(frame[frame.columns[::-1]], "y")
    two = report.predict_gaps(turned, alpha=0.2)
    assert one["row"].tolist() == two["row"].tolist()
    np.testing.assert_allclose(one["lower"], two["lower"], atol=0.05)


def test_integer_targets_and_row_labels():
    frame = report_tables.make(120).assign(
        y=lambda f: (10 * f["y"]).round().astype(int)
    )
    frame.index = [f"case {k}" for k in range(120)]
    result = report.predict_gaps(report.read_table(frame, "y"), alpha=0.2)
    assert result["row"].str.startswith("case ").all()
    assert (result["y"] % 1 == 0).all()


def test_the_same_seed_gives_the_same_sets_and_another_does_not():
    table = read(n=150)
    one, two = (report.predict_gaps(table, alpha=0.2, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert set(report.predict_gaps(table, alpha=0.2, seed=4)["row"]) != set(one["row"])


def test_wrong_arguments():
    table = read(n=60)
    with pytest.raises(ValueError, match="alpha"):
        report.predict_gaps(table, alpha=1.5)
    with pytest.raises(ValueError, match="seed must be"):
        report.predict_gaps(table, seed=-1)
    with pytest.raises(ValueError, match="model must be"):
        report.predict_gaps(table, model="deep")
    with pytest.raises(ValueError, match="new must be"):
        report.predict_gaps(table, new=[1, 2])
    with pytest.raises(ValueError, match="the table has no rows"):
        report.predict_gaps(table, new=report_tables.make(60).iloc[:0])
    with pytest.raises(ValueError, match="nothing to weight"):
        report.overlap(table)


# ------------------------------------------------------------------- coverage


@pytest.mark.statistical
@pytest.mark.parametrize("method", ["exact", "imputed", "adaptive"])
def test_held_out_coverage_is_the_level(method):
    hits = rows = 0
    for seed in range(REPEATS):
        table = read(n=200, seed=seed)
        result = report.predict_gaps(table, method=method, alpha=0.2, seed=seed)
        finite = ~result["infinite"]
        hits += int(result.loc[finite, "covered"].sum())
        rows += int(finite.sum())
    # Each table's coverage varies with its calibration set of 50 and test set of 50.
    error = np.sqrt(0.16 * (1 / 50 + 1 / 50) / REPEATS)
    z = norm.isf(0.005 / 3)
    high = 0.8 + 1 / 51 + z * error
    # A rule that hides rows under larger masks may cover more, by the theorem not less
    # than 1 - 2 alpha and here about 1 - alpha.
    assert 0.8 - z * error < hits / rows < high + (0.05 if method == "adaptive" else 0)


def coverage_of_missing(make):
    hits = rows = 0
    for seed in range(REPEATS):
        full = report_tables.make(300, seed=seed, x_gaps=0)
        rng = np.random.default_rng(100 + seed)
        chance = 1 / (1 + np.exp(-full["a"] - 0.5))
        frame = full.assign(y=full["y"].where(rng.random(300) < chance))
        result = make(report.read_table(frame, "y"), seed)
        truth = full["y"].loc[result["row"]].to_numpy()
        inside = contains(result[["lower", "upper"]].to_numpy(), truth)
        hits, rows = hits + int(inside.sum()), rows + len(inside)
    return hits / rows


@pytest.mark.statistical
@pytest.mark.filterwarnings("ignore::notebook_lib.exceptions.InfiniteSetWarning")
def test_weights_cover_the_missing_outcomes():
    found = coverage_of_missing(
        lambda table, seed: report.predict_gaps(
            table, method="weighted", alpha=0.2, seed=seed
        )
    )
    # About 110 missing rows and two calibration sets of 95, less by weighting.
    error = np.sqrt(0.16 * (1 / 110 + 1 / 95) / REPEATS)
    assert abs(found - 0.8) < 0.04 + norm.isf(0.005) * error


def test_checked_coverage_pools_rare_masks_and_bounds():
    table = read(n=400)
    result = report.predict_gaps(table, alpha=(0.1, 0.2))
    checked = report.check_coverage(result, min_rows=20)
    assert checked["mask"].iloc[0] == "all"
    for _, part in checked.groupby("alpha"):
        assert part["n"].iloc[0] == part["n"].iloc[1:].sum() == 100
        weighted = (part["n"] * part["coverage"]).iloc[1:].sum() / 100
        assert weighted == pytest.approx(part["coverage"].iloc[0])
    assert (checked["low"] <= checked["coverage"]).all()
    assert (checked["high"] >= checked["coverage"]).all()
    assert "rare masks" in set(report.check_coverage(result, min_rows=40)["mask"])


# ------------------------------------------------------------------- figures, words


@pytest.mark.parametrize("labels", [False, True])
def test_figures_show_what_the_tables_say(labels):
    table = labelled(n=200) if labels else read(n=200)
    gaps = report.describe_gaps(table)
    result = report.predict_gaps(table, alpha=0.2)
    checked = report.check_coverage(result)
    fig = report.plot_gaps(gaps)
    bars = [bar.get_width() for bar in fig.axes[1].patches]
    assert bars == gaps.masks["rows"].tolist()
    fig = report.plot_coverage(checked, 0.2)
    drawn = [t.get_text() for t in fig.axes[0].get_yticklabels()]
    assert drawn[0] == "all (n = 50)"
    assert len(drawn) == len(checked)
    fig = report.plot_intervals(result)
    assert fig.axes[0].get_xlabel()
    with pytest.raises(ValueError, match=r"no alpha=0\.3"):
        report.plot_coverage(checked, 0.3)


def test_in_short_tells_coverage_and_infinite_sets():
    table = read(n=60)
    gaps = report.describe_gaps(table)
    choice = report.recommend(table, alpha=0.05, gaps=gaps)
    with pytest.warns(InfiniteSetWarning):
        result = report.predict_gaps(table, alpha=0.05, recommendation=choice)
    text = report.in_short(table, gaps, choice, result)
    assert f"{int(result['infinite'].sum())} of {len(result)} sets are infinite" in text
    assert "wanted 95 %" in text
