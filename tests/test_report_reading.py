"""Reading a table: kinds of columns, what is left out, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import report_tables

from notebook_lib import report


def kinds(table):
    return dict(zip(table.columns["column"], table.columns["kind"], strict=True))


def base(n=40):
    rng = np.random.default_rng(1)
    return pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n)})


# ------------------------------------------------------------------- the example


def test_the_example_is_in_the_package_and_has_the_gaps_it_says():
    table = report.read_table(None, report.EXAMPLE_TARGET)
    missing = table.columns.set_index("column")["missing"]
    assert table.X.shape == (1000, 8)
    assert missing["father_age"] == 114
    assert missing[report.EXAMPLE_TARGET] == 0
    assert table.notes == ()
    assert "notebook_lib" in str(report.example_path())


# ------------------------------------------------------------------- files


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path, separator):
    frame = report_tables.make(60)
    path = report_tables.write(tmp_path, frame, sep=separator)
    table = report.read_table(path, "y")
    pd.testing.assert_frame_equal(table.X, report.read_table(frame, "y").X)


def test_decimal_commas_marks_for_missing_and_spaces(tmp_path):
    lines = ["a; b ;y"] + [
        f"{k},5; {'?' if k % 5 == 0 else k} ;{k},25" for k in range(40)
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    table = report.read_table(path, "y", keep=["a", "b"])
    assert list(table.X.columns) == ["a", "b"]
    assert table.X["a"].iloc[3] == 3.5
    assert table.X["b"].isna().sum() == 8
    assert table.y.iloc[4] == 4.25


def test_latin_1_is_read_and_said(tmp_path):
    frame = base().assign(où=["café", "thé"] * 20)
    path = tmp_path / "t.csv"
    path.write_bytes(frame.to_csv(index=False).encode("latin-1"))
    table = report.read_table(path, "y")
    assert kinds(table)["où"] == "category"
    assert any("Latin-1" in note for note in table.notes)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "empty"), ("x,x,y\n1,2,3\n", "'x' appears twice"), ("x,y\n", "no rows")],
)
def test_files_that_are_no_tables_are_refused(tmp_path, text, told):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        report.read_table(path, "y")


def test_no_file_and_no_column():
    with pytest.raises(ValueError, match="there is no file"):
        report.read_table("nowhere.csv", "y")
    with pytest.raises(ValueError, match=r"no column 'z'; the columns are 'x', 'y'"):
        report.read_table(base(), "z")
    with pytest.raises(ValueError, match="appears twice"):
        report.read_table(pd.concat([base(), base()], axis=1), "y")
    with pytest.raises(ValueError, match="drop names 'q'"):
        report.read_table(base(), "y", drop=["q"])
    with pytest.raises(ValueError, match="keep must be a list"):
        report.read_table(base(), "y", keep="x")


# ------------------------------------------------------------------- columns


def test_kinds_of_columns():
    n = 40
    frame = base(n).assign(
        id=np.arange(100, 100 + n),
        name=[f"person {k}" for k in range(n)],
        empty=np.nan,
        constant=3,
        tick=["yes"] * 5 + [None] * (n - 5),
        when=pd.date_range("2020-01-01", periods=n).strftime("%Y-%m-%d"),
        stamp=pd.date_range("2020-01-01", periods=n),
        flag=[True, False] * (n // 2),
        maybe=pd.array([True, None] * (n // 2), dtype="boolean").fillna(False),
        whole=pd.array([1, 2, None, 4] * (n // 4), dtype="Int64"),
        text=pd.Series(["a", "b", None, "c"] * (n // 4), dtype="string"),
        digits=["1", "2", "3", None] * (n // 4),
        size=pd.Categorical(
            ["S", "M", "L", "M"] * (n // 4), ["S", "M", "L"], ordered=True
        ),
    )
    table = report.read_table(frame, "y")
    assert kinds(table) == {
        "x": "number",
        "y": "target",
        "id": "identifier",
        "name": "identifier",
        "empty": "never observed",
        "constant": "constant",
        "tick": "constant",
        "when": "date",
        "stamp": "date",
        "flag": "yes/no",
        "maybe": "yes/no",
        "whole": "number",
        "text": "category",
        "digits": "number",
        "size": "ordinal",
    }
    assert table.X["size"].tolist()[:4] == [0, 1, 2, 1]
    assert table.X["whole"].isna().sum() == n // 4
    told = " ".join(table.notes)
    for name in ("id", "name", "empty", "constant", "when"):
        assert repr(name) in told
    assert "if a blank means 'no'" in told


def test_keep_drop_and_ordinal_are_obeyed():
    frame = base().assign(
        id=range(40), name=[f"p{k}" for k in range(40)], size=["low", "high"] * 20
    )
    table = report.read_table(
        frame, "y", keep=["id"], drop=["x"], ordinal={"size": ["low", "high"]}
    )
    assert list(table.X.columns) == ["id", "size"]
    assert table.X["size"].tolist()[:2] == [0, 1]
    with pytest.raises(ValueError, match="not among the ordinal levels"):
        report.read_table(frame, "y", ordinal={"size": ["low", "mid"]})
    dated = frame.assign(d=pd.date_range("2020-01-01", periods=40))
    with pytest.raises(ValueError, match="cannot be kept"):
        report.read_table(dated, "y", keep=["d"])


def test_words_among_numbers_are_refused_with_the_fix():
    frame = base().assign(age=[str(k) for k in range(40)])
    frame.loc[3, "age"] = "forty"
    with pytest.raises(ValueError, match=r"'age' holds numbers, but also 'forty' \(1"):
        report.read_table(frame, "y")
    table = report.read_table(frame, "y", missing_values=["forty"], keep=["age"])
    assert table.X["age"].isna().sum() == 1


def test_infinite_values_are_refused_by_name():
    with pytest.raises(ValueError, match="'x' holds 1 infinite"):
        report.read_table(base().assign(x=[np.inf] + [1.0] * 39), "y")


def test_remarks_on_codes_copies_and_leaks():
    frame = base(60)
    frame.loc[:9, "x"] = -999
    frame["again"] = frame["y"] * 2 + 1
    frame = pd.concat([frame, frame.iloc[:2]], ignore_index=True)
    told = " ".join(report.read_table(frame, "y").notes)
    assert "'x' holds -999 in 12 rows" in told
    assert "2 rows are copies" in told
    assert "'again' is almost a copy" in told
    clean = report.read_table(frame, "y", missing_values=[-999])
    assert clean.X["x"].isna().sum() == 12


def test_ordinary_numbers_are_no_codes():
    values = pd.Series([99.0] * 20 + list(np.linspace(60, 140, 80)))
    assert report.suspicious_codes(values) == []


def test_the_given_table_is_not_changed():
    frame = report_tables.make(60)
    before = frame.copy()
    report.read_table(frame, "y", missing_values=["red"])
    pd.testing.assert_frame_equal(frame, before)


# ------------------------------------------------------------------- the target


@pytest.mark.parametrize(
    ("y", "told"),
    [
        ([np.nan] * 40, "no value at all"),
        ([2.0] * 40, "one value only"),
        (["only"] * 40, "one value only"),
        ([1.0, 2.0, 3.0] * 5 + [np.nan] * 25, "known in 15 rows"),
        ([f"text {k}" for k in range(40)], "40 different values"),
    ],
)
def test_targets_that_cannot_be_learnt(y, told):
    with pytest.raises(ValueError, match=told):
        report.read_table(base().assign(y=y), "y")


def test_task_is_guessed_and_can_be_said():
    frame = base()
    assert report.read_table(frame, "y").task == "regression"
    assert report.read_table(frame.assign(y=[0, 1] * 20), "y").task == "classification"
    words = report.read_table(frame.assign(y=["u", "v"] * 20), "y")
    assert words.task == "classification"
    grades = frame.assign(y=[1, 2, 3, 4] * 10)
    assert report.read_table(grades, "y").task == "regression"
    said = report.read_table(grades, "y", task="classification")
    assert sorted(said.y.unique()) == ["1", "2", "3", "4"]
    with pytest.raises(ValueError, match="holds text such as 'u'"):
        report.read_table(frame.assign(y=["u", "v"] * 20), "y", task="regression")
    with pytest.raises(ValueError, match="task must be"):
        report.read_table(frame, "y", task="ranking")


def test_columns_that_go_missing_with_the_target_are_left_out():
    frame = report_tables.make(200, y_gaps=0.3)
    frame["later"] = frame["y"] + 1.0
    assert frame["y"].isna().sum() >= 20
    table = report.read_table(frame, "y")
    assert "later" not in table.X
    assert any("'later'" in note and "cannot help" in note for note in table.notes)
    assert "later" in report.read_table(frame, "y", keep=["later"]).X
    frame["lost"] = frame["y"].isna()
    table = report.read_table(frame, "y")
    assert {"later", "lost"}.isdisjoint(table.X)
    assert any("1.0 in every row whose target is missing" in n for n in table.notes)


def test_nothing_left_to_predict_from():
    with pytest.raises(ValueError, match="no column is left"):
        report.read_table(base().assign(x=1.0), "y")


# ------------------------------------------------------------------- encoding


def test_encoder_keeps_gaps_and_hides_unseen_levels():
    train = pd.DataFrame({"n": [1.0, 2, np.nan], "c": ["u", "v", "w"], "k": [5.0] * 3})
    rows = pd.DataFrame({"c": ["w", None, "new"], "n": [np.nan, 1.0, 2.0], "extra": 1})
    encoder = report.TableEncoder().fit(train)
    out = encoder.transform(rows)
    assert out.columns.tolist() == ["n", "c=v", "c=w"]
    expected = [[np.nan, 0, 1], [1, np.nan, np.nan], [2, np.nan, np.nan]]
    np.testing.assert_array_equal(out.to_numpy(), expected)
    assert encoder.missing(rows).to_numpy().tolist() == [
        [True, False],
        [False, True],
        [False, True],
    ]
    assert encoder.columns_ == ["n", "c"]
    with pytest.raises(ValueError, match="lacks the column 'n'"):
        encoder.transform(rows[["c"]])
    with pytest.raises(ValueError, match="no column of X"):
        report.TableEncoder().fit(train[["k"]])


def test_new_rows_are_read_like_the_table():
    table = report.read_table(report_tables.make(80), "y")
    new = pd.DataFrame({"flag": [True, None], "colour": ["red", "mauve"], "b": [1, 2]})
    new["a"] = ["0.5", None]
    X = table.covariates(new)
    assert list(X.columns) == list(table.X.columns)
    assert X["a"].tolist()[0] == 0.5
    assert X["flag"].tolist()[0] == 1.0
    assert np.isnan(X.loc[1, "a"])
    with pytest.raises(ValueError, match="lack the column 'a'"):
        table.covariates(new.drop(columns="a"))
    with pytest.raises(ValueError, match="'b' holds text in the new rows"):
        table.covariates(new.assign(b=["much", "little"]))
