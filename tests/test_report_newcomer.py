"""Tables as people bring them: pandas' own dtypes, codes, odd names, many rows."""

import warnings

import numpy as np
import pandas as pd
import pytest

from notebook_lib import report
from notebook_lib.covariates import Exact
from notebook_lib.report import many_rows
from notebook_lib.report.columns import level_text


def make(n=120, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    frame["y"] = frame["a"] + frame["b"] + rng.normal(size=n)
    frame.loc[rng.random(n) < 0.2, "a"] = np.nan
    return frame, rng


def kinds(table):
    return dict(zip(table.columns["column"], table.columns["kind"], strict=True))


# ------------------------------------------------------------- pandas' own dtypes


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (lambda r, n: pd.array(r.integers(0, 50, n), dtype="Int64"), "number"),
        (lambda r, n: pd.array(r.normal(size=n), dtype="Float32"), "number"),
        (lambda r, n: pd.array(r.random(n) < 0.5, dtype="boolean"), "yes/no"),
        (lambda r, n: pd.array(r.choice(["u", "v"], n), dtype="string"), "category"),
        (lambda r, n: pd.Categorical(r.choice(["u", "v"], n)), "category"),
        (lambda r, n: pd.Categorical(r.choice([3, 5, 7], n)), "category"),
        (lambda r, n: pd.Categorical(r.integers(0, 3, n), ordered=True), "ordinal"),
        (lambda r, n: pd.date_range("2020", periods=n, tz="Europe/Paris"), "date"),
        (lambda r, n: pd.to_timedelta(r.integers(0, 90, n), unit="h"), "number"),
    ],
)
def test_a_column_of_any_dtype_keeps_its_gaps(values, kind):
    frame, rng = make()
    frame["x"] = values(rng, len(frame))
    frame.loc[::7, "x"] = pd.NA if "date" not in kind else pd.NaT
    table = report.read_table(frame, "y")
    assert kinds(table)["x"] == kind
    row = table.columns.set_index("column").loc["x"]
    assert row["missing"] == len(frame.iloc[::7])
    if kind != "date":
        assert (table.X["x"].isna() == frame["x"].isna()).all()


def test_categories_of_numbers_are_levels_and_no_amounts():
    frame, rng = make()
    frame["x"] = pd.Categorical(rng.choice([3, 5, 700], len(frame)))
    table = report.read_table(frame, "y")
    assert set(table.X["x"]) == {"3", "5", "700"}
    # The same levels as a column of floats, as it is once a new row has a gap.
    new = frame.assign(x=frame["x"].astype(float)).iloc[:6]
    new.loc[0, "x"] = np.nan
    found = table.covariates(new)["x"]
    assert found.iloc[1:].tolist() == table.X["x"].iloc[1:6].tolist()
    assert pd.isna(found.iloc[0])


def test_level_text_joins_what_is_the_same_and_nothing_else():
    values = pd.Series([3, 3.0, np.int8(3), "3 ", True, 1000001, 1000002, None, "?"])
    found = level_text(values)
    assert found.iloc[:4].tolist() == ["3"] * 4
    assert found.iloc[4:7].tolist() == ["True", "1000001", "1000002"]
    assert found.iloc[7:].isna().all()


@pytest.mark.parametrize("levels", [["1", "2", "3"], [1, 2, 3], [1.0, 2.0, 3.0]])
def test_ordinal_levels_are_matched_by_value(levels):
    frame, rng = make()
    frame["size"] = rng.integers(1, 4, len(frame))
    table = report.read_table(frame, "y", ordinal={"size": levels})
    assert (table.X["size"] == frame["size"] - 1).all()


def test_an_ordinal_level_named_twice_is_refused():
    frame, rng = make()
    frame["size"] = rng.integers(1, 4, len(frame))
    with pytest.raises(ValueError, match="'size' name a level twice"):
        report.read_table(frame, "y", ordinal={"size": [1, 2, 2, 3]})


# ------------------------------------------------------------------- targets


def test_ordered_categories_are_labels_not_ranks():
    frame, _ = make()
    frame["y"] = pd.cut(frame["y"], 3, labels=["low", "middle", "high"])
    table = report.read_table(frame, "y")
    assert table.task == "classification"
    assert set(table.y) == {"low", "middle", "high"}
    with pytest.raises(ValueError, match="holds text such as"):
        report.read_table(frame, "y", task="regression")


def test_categories_of_numbers_are_labels_unless_told_otherwise():
    frame, _ = make()
    frame["y"] = pd.Categorical(frame["y"].round().astype(int))
    assert report.read_table(frame, "y").task == "classification"
    told = report.read_table(frame, "y", task="regression")
    assert (told.y == frame["y"].astype(float)).all()


def test_long_codes_stay_different_labels():
    frame, _ = make()
    codes = 1000001 + pd.cut(frame["y"], 3, labels=False)
    table = report.read_table(frame.assign(y=codes), "y", task="classification")
    assert table.y.tolist() == codes.astype(str).tolist()


def test_a_label_with_the_sign_that_joins_labels_is_refused():
    frame, _ = make()
    frame["y"] = pd.cut(frame["y"], 3, labels=["a|b", "a", "b"]).astype(str)
    with pytest.raises(ValueError, match=r"the label 'a\|b'"):
        report.read_table(frame, "y")


# ------------------------------------------------------------------- odd tables


def test_names_that_are_no_text():
    frame, _ = make()
    by_number = report.read_table(frame.set_axis([0, 1, 2], axis=1), 2, drop=[1])
    assert (by_number.target, list(by_number.X.columns)) == ("2", ["0"])
    labels = pd.MultiIndex.from_tuples([("m", "a"), ("m", "b"), ("n", "y")])
    by_tuple = report.read_table(frame.set_axis(labels, axis=1), ("n", "y"))
    assert (by_tuple.target, list(by_tuple.X.columns)) == ("n y", ["m a", "m b"])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([[1, 2], [3]] * 60, "'x' holds more than one value in a cell"),
        (1j * np.arange(120), "'x' holds complex numbers"),
    ],
)
def test_cells_that_are_no_single_number_or_text(values, told):
    frame, _ = make()
    frame["x"] = values
    with pytest.raises(ValueError, match=told):
        report.read_table(frame, "y")
    assert list(report.read_table(frame, "y", drop=["x"]).X.columns) == ["a", "b"]


@pytest.mark.parametrize("argument", ["drop", "keep", "missing_values"])
def test_a_text_where_a_list_is_meant(argument):
    frame, _ = make()
    with pytest.raises(ValueError, match=f"{argument} must be a list"):
        report.read_table(frame, "y", **{argument: "a"})


def test_a_wide_table_is_read_without_a_warning():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 120))).add_prefix("x")
    frame = frame.mask(rng.random(frame.shape) < 0.1).assign(y=rng.normal(size=60))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.describe_gaps(report.read_table(frame, "y"))


def test_copies_of_the_target_are_told():
    frame, rng = make()
    frame["size"] = np.exp(frame["y"] / 3).mask(rng.random(len(frame)) < 0.1)
    frame["rough"] = frame["y"] + rng.normal(size=len(frame))
    told = [n for n in report.read_table(frame, "y").notes if "almost a copy" in n]
    assert [note.split("'")[1] for note in told] == ["size"]
    frame["y"] = pd.cut(frame["y"], 3, labels=["low", "middle", "high"])
    frame["code"] = frame["y"].cat.codes.map({0: "c", 1: "a", 2: "b"})
    frame["other"] = rng.choice(["c", "a", "b"], len(frame))
    told = [n for n in report.read_table(frame, "y").notes if "almost a copy" in n]
    assert [note.split("'")[1] for note in told] == ["code"]


def test_gaps_that_were_not_tested_are_not_called_random():
    frame, _ = make(24)
    gaps = report.describe_gaps(report.read_table(frame, "y"))
    assert gaps.related["z"].isna().all()
    assert any("too few gaps" in note for note in gaps.notes)
    assert not any("no sign" in note for note in gaps.notes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what the report's cell shows
        shown = gaps.related.round(3).astype(object).fillna("")
    assert set(shown["z"]) == {""}
    frame, _ = make(300)
    notes = report.describe_gaps(report.read_table(frame, "y")).notes
    assert any("no sign" in note for note in notes)


def test_labels_are_not_said_to_come_from_quantile_regression():
    frame, _ = make()
    frame["y"] = np.where(frame["y"] > 0, "up", "down")
    told = report.recommend(report.read_table(frame, "y"), method="imputed")
    names = [told.name, *told.alternatives["method"]]
    assert told.name == "impute, then split CP"
    assert not any("CQR" in name for name in names)
    whole = report.recommend(report.read_table(frame[["b", "y"]], "y"))
    assert whole.name == "split CP"


def test_the_picture_of_no_gaps_has_no_negative_shares():
    frame, _ = make()
    figure = report.plot_gaps(
        report.describe_gaps(report.read_table(frame[["b", "y"]], "y"))
    )
    assert figure.axes[0].get_xlim()[0] == 0


# ------------------------------------------------------------------- new rows


def test_what_means_missing_in_the_table_means_it_in_new_rows(tmp_path):
    frame, _ = make()
    coded = frame.fillna(-999.0)
    table = report.read_table(coded, "y", missing_values=[-999])
    assert (table.X["a"].isna() == frame["a"].isna()).all()
    new = coded.drop(columns="y").iloc[:8].assign(a=-999.0)
    assert table.covariates(new)["a"].isna().all()
    path = tmp_path / "new.csv"
    new.to_csv(path, index=False)
    assert table.covariates(path)["a"].isna().all()
    assert (table.covariates(new, missing_values=[])["a"] == -999).all()
    result = report.predict_gaps(table, new=new, alpha=0.2)
    assert result.loc[result["part"] == "new", "mask"].str.contains("a").all()


@pytest.mark.parametrize("dtype", [object, "category", "string", float, "Float64"])
def test_a_code_is_found_in_a_column_of_any_dtype(dtype):
    frame, _ = make()
    truth = frame["a"].isna()
    text = {"string": str}.get(dtype, float)
    values = frame["a"].round(1).fillna(-999.0).map(text)
    if dtype == "string":
        values = values.str.replace("-999.0", " -999 ")
    frame["a"] = values.astype(dtype)
    table = report.read_table(frame, "y", missing_values=[-999], keep=["a"])
    assert (table.X["a"].isna() == truth).all()


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_rows_with_labels_that_have_no_name(tmp_path, separator):
    frame, _ = make()
    frame.index = [f"case {k}" for k in range(len(frame))]
    lines = frame.to_csv(sep=separator).splitlines()
    lines[0] = lines[0].removeprefix(separator)  # as R's write.table does
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    table = report.read_table(path, "y")
    assert list(table.X.columns) == ["a", "b"]
    np.testing.assert_allclose(table.X, frame[["a", "b"]])
    np.testing.assert_allclose(table.y, frame["y"])
    assert table.X.index.tolist() == frame.index.tolist()
    assert any("no name" in note for note in table.notes)


def test_a_separator_at_the_end_of_rows_is_no_label(tmp_path):
    frame, _ = make()
    lines = [f"{line}," for line in frame.to_csv(index=False).splitlines()]
    lines[0] = "a,b,y"
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    np.testing.assert_allclose(report.read_table(path, "y").X, frame[["a", "b"]])


def test_rows_with_more_fields_than_names_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    frame, _ = make()
    path.write_text("# measured in May\n" + frame.to_csv(index=False))
    with pytest.raises(ValueError, match="names 1 columns in its first line"):
        report.read_table(path, "y")


@pytest.mark.parametrize(
    "write",
    [
        lambda v: f"{1000 * abs(v) + 1000:,.1f}",
        lambda v: f"{2000 * abs(v):,.0f}",  # below a thousand without a comma
        lambda v: f"{100 * abs(v):.1f}%",
        lambda v: f"${abs(v):.2f}",
    ],
)
def test_numbers_with_signs_in_them_are_refused_by_example(write):
    frame, _ = make()
    frame["x"] = frame["b"].map(write)
    with pytest.raises(ValueError, match="'x' holds numbers written as"):
        report.read_table(frame, "y")


def test_a_few_doses_in_percent_are_levels():
    frame, rng = make()
    frame["x"] = rng.choice(["5%", "10%", "20%"], len(frame))
    assert kinds(report.read_table(frame, "y"))["x"] == "category"


def test_a_decimal_comma_with_three_digits_is_read():
    frame, _ = make()
    written = frame["b"].map("{:.3f}".format)
    frame["x"] = written.str.replace(".", ",", regex=False)
    table = report.read_table(frame, "y")
    np.testing.assert_allclose(table.X["x"], written.astype(float))


def test_a_file_that_is_no_text_is_refused_in_words(tmp_path):
    for name, content in {
        "t.xlsx": b"PK\x03\x04" + bytes(100),
        "t.parquet": b"PAR1abc",
        "t.bin": b"a,b\n1,\x00\n",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="is no text file: save the table as CSV"):
            report.read_table(tmp_path / name, "y")


def test_ratings_one_a_row_are_told_of_the_matrix():
    rng = np.random.default_rng(0)
    columns = {"user_id": (0, 40), "film": (0, 30), "rating": (1, 6)}
    frame = pd.DataFrame({k: rng.integers(*r, 300) for k, r in columns.items()})
    notes = report.read_table(frame, "rating").notes
    assert any("pivot(index='user_id', columns='film'" in note for note in notes)
    words = frame.assign(user_id=[f"u{k}" for k in range(300)]).drop(columns="film")
    with pytest.raises(ValueError, match="pivot"):
        report.read_table(words, "rating")
    assert not any("pivot" in note for note in report.read_table(make()[0], "y").notes)


# ------------------------------------------------------------------- many rows


def test_some_of_the_usable_rows_are_drawn_by_the_mask_alone():
    rng = np.random.default_rng(0)
    M = rng.random((400, 3)) < 0.4
    rule = many_rows.SomeOf(Exact(), 20)
    m, other = np.array([True, True, False]), np.array([True, True, True])
    kept = rule.keep(M, m)
    assert kept.sum() == 20
    assert not (M[kept] & ~m).any()
    assert (rule.keep(M, m) == kept).all()
    assert (rule.keep(M, other) != kept).any()
    few = M[:4]
    assert (rule.keep(few, m) == Exact().keep(few, m)).all()


def test_calibration_limits():
    frame, _ = make()
    table = report.read_table(frame, "y")
    assert many_rows.calibration_limits(table, "imputed", (0.1,)) == (None, None)
    assert many_rows.calibration_limits(table, "nested", (0.1,)) == (2000, None)
    in_all, each = many_rows.calibration_limits(table, "exact", (0.1,))
    assert in_all > 1e6
    assert each > 1e5  # two masks: no table that fits in memory is cut


def test_a_limit_never_makes_a_set_infinite(monkeypatch):
    monkeypatch.setattr(many_rows, "_PREDICTIONS", 1)
    frame, _ = make()
    table = report.read_table(frame, "y")
    _, each = many_rows.calibration_limits(table, "exact", (0.1, 0.001))
    assert each >= 999


def test_exact_on_some_is_exact_where_nothing_is_cut():
    frame, _ = make(240)
    table = report.read_table(frame, "y")
    parts = report.split_rows(table)
    sets = []
    for n_max in (None, 1000, 12):
        model = report.build_estimator(table, "exact", n_max=n_max)
        X = report.TableEncoder().fit(table.X).transform(table.X)
        model.fit(X.iloc[parts.train], table.y.iloc[parts.train])
        model.conformalize(X.iloc[parts.calibrate], table.y.iloc[parts.calibrate])
        sets.append(model.predict_interval(X.iloc[parts.held_out])[1])
    np.testing.assert_array_equal(sets[0], sets[1])
    assert np.isfinite(sets[2]).all()
    assert (sets[2] != sets[0]).any()


def test_usable_rows_of_wide_and_narrow_tables_agree():
    from notebook_lib.report.recommend import _usable_rows

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 70))).add_prefix("x")
    frame.iloc[:, :4] = frame.iloc[:, :4].mask(rng.random((300, 4)) < 0.3)
    frame["y"] = rng.normal(size=300)
    wide = report.read_table(frame, "y")
    narrow = report.read_table(frame[["x0", "x1", "x2", "x3", "y"]], "y")
    np.testing.assert_array_equal(_usable_rows(wide), _usable_rows(narrow))


def test_in_short_names_a_few_masks_only():
    frame, rng = make(4000)
    for name in "cdefg":
        frame[name] = np.where(rng.random(4000) < 0.5, np.nan, rng.normal(size=4000))
    table = report.read_table(frame, "y")
    gaps = report.describe_gaps(table)
    choice = report.recommend(table, gaps=gaps, method="imputed")
    result = report.predict_gaps(table, recommendation=choice)
    result["covered"] = pd.array(rng.random(len(result)) < 0.3, dtype="boolean")
    told = report.in_short(table, gaps, choice, result)
    assert told.count("are covered less") == 3
    assert "more masks" in told
    result["covered"] = pd.array(rng.random(len(result)) < 0.9, dtype="boolean")
    assert "are covered less" not in report.in_short(table, gaps, choice, result)
