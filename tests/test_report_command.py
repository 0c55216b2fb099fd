"""The command, end to end: files out, the same bytes again, and errors in one line."""

import importlib
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import report_tables

from notebook_lib import report
from notebook_lib._kernels import with_starts

nbformat = pytest.importorskip("nbformat", reason="the extra 'report' is not installed")
pytest.importorskip("nbclient", reason="the extra 'report' is not installed")
pytest.importorskip("nbconvert", reason="the extra 'report' is not installed")

main = importlib.import_module("notebook_lib.report.__main__").main

# One worker makes the report that most of these tests read.
pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One report with gaps in covariates, two levels, new rows; made by the command."""
    folder = tmp_path_factory.mktemp("report")
    table = report_tables.write(folder, report_tables.make(160))
    new = report_tables.make(5, seed=3).drop(columns="y")
    new = report_tables.write(folder, new, "new.csv")
    argv = [str(table), "--target", "y", "--alpha", "0.1", "0.3"]
    argv += ["--predict", str(new), "--output", str(folder / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "notebook_lib.report", *argv],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "out", argv, done


def test_it_writes_three_files_and_names_them(made):
    folder, _, done = made
    names = ["report.ipynb", "report.html", "intervals.csv"]
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)
    assert [line.rsplit("/", 1)[-1] for line in done.stdout.split()] == names
    assert done.stderr == ""


def test_the_csv_is_the_function_s_result(made):
    folder, _, _ = made
    table = report.read_table(folder.parent / "table.csv", "y")
    wanted = report.predict_gaps(table, alpha=(0.1, 0.3), new=folder.parent / "new.csv")
    got = pd.read_csv(folder / "intervals.csv", keep_default_na=False)
    assert got.columns.tolist() == wanted.columns.tolist()
    assert got["mask"].tolist() == wanted["mask"].tolist()
    np.testing.assert_allclose(got["lower"], wanted["lower"], rtol=1e-5)


def test_the_notebook_is_ordinary_clean_and_calls_public_names_only(made):
    folder, _, _ = made
    text = (folder / "report.ipynb").read_text()
    book = nbformat.reads(text, as_version=4)
    nbformat.validate(book)
    code = "\n".join(c.source for c in book.cells if c.cell_type == "code")
    used = set(re.findall(r"\breport\.(\w+)", code))
    assert used <= set(report.__all__)
    assert "read_table" in used
    counts = [c.execution_count for c in book.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert len({c["id"] for c in book.cells}) == len(book.cells)
    assert "SOURCE = '../table.csv'" in code
    assert str(folder.parent) not in text
    assert not re.search(r"\d{4}-\d\d-\d\dT|ipykernel_\d", text)


def test_the_page_stands_alone(made):
    folder, _, _ = made
    page = (folder / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "<script" not in page
    assert "@import" not in page
    images = re.findall(r"<img ([^>]*)>", page)
    assert len(images) == 3
    assert all(len(re.search(r'alt="([^"]*)"', i)[1]) > 40 for i in images)
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    levels = [int(n) for n in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert str(folder.parent) not in page
    first = page.index('class="short"')
    assert first < page.index("<h2")


def test_the_same_input_gives_the_same_bytes(made, monkeypatch, capsys):
    folder, argv, _ = made
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert main(argv) == 0
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_missing_outcomes_and_infinite_sets_are_told(tmp_path, capsys):
    frame = report_tables.make(120, y_gaps=0.3)
    table = report_tables.write(tmp_path, frame)
    argv = [str(table), "--target", "y", "--alpha", "0.03", "--output", str(tmp_path)]
    assert main(argv) == 0
    page = (tmp_path / "report.html").read_text()
    result = pd.read_csv(tmp_path / "intervals.csv")
    assert len(result) == frame["y"].isna().sum()
    assert result["infinite"].any()
    assert "sets are infinite" in page
    assert "InfiniteSetWarning: " in page
    assert "ipykernel" not in page
    assert "Is the promise kept?" not in page


def test_labels(tmp_path):
    frame = report_tables.make(160, y_gaps=0.3)
    up = pd.Series(np.where(frame["y"] > 0, "up", "down"), dtype=object)
    path = report_tables.write(tmp_path, frame.assign(y=up.where(frame["y"].notna())))
    made = report.write_report(path, "y", output=tmp_path / "out", alpha=0.2)
    result = pd.read_csv(made["intervals"], keep_default_na=False)
    assert set(result["set"]) <= {"", "up", "down", "down|up"}


# ------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["nowhere.csv", "--target", "y"], "there is no file"),
        (["{table}"], "target must name the column"),
        (["{table}", "--target", "z"], "there is no column 'z'"),
        (["{table}", "--target", "y", "--alpha", "2"], "alpha must lie in (0, 1)"),
        (["{table}", "--target", "y", "--method", "weighted"], "does not apply"),
        (["{table}", "--target", "y", "--ordinal", "size"], "size=S,M,L"),
        (["{table}", "--target", "y", "--predict", "no.csv"], "there is no file"),
    ],
)
def test_errors_take_one_line_and_write_nothing(tmp_path, capsys, argv, told):
    table = report_tables.write(tmp_path, report_tables.make(60))
    argv = [a.format(table=table) for a in argv]
    assert main([*argv, "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_the_extra_it_says_so_before_any_work(monkeypatch, capsys, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "nbclient" else find(name, *rest),
    )
    assert main(["nowhere.csv", "--target", "y"]) == 2
    said = capsys.readouterr().err
    assert 'nbclient: pip install "notebook-lib[report]"' in said


def test_a_cell_that_fails_gives_its_message(tmp_path):
    book = nbformat.v4.new_notebook()
    book.cells.append(nbformat.v4.new_code_cell("raise ValueError('this is why')"))
    with pytest.raises(ValueError, match="this is why"):
        report.execute_notebook(book, tmp_path)


def test_the_rest_works_without_the_extra():
    code = (
        "import sys\n"
        "for name in ('nbformat', 'nbclient', 'nbconvert', 'IPython', 'jupytext'):\n"
        "    sys.modules[name] = None\n"
        "from notebook_lib import report\n"
        "table = report.read_table(None, 'weight')\n"
        "print(len(report.predict_gaps(table, method='imputed', alpha=0.2)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "250", done.stderr


def test_a_kernel_that_lost_its_port_is_started_again():
    tries = []

    def run():
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return "done"

    assert with_starts(run) == "done"
    tries.clear()
    with pytest.raises(RuntimeError, match="didn't respond"):
        with_starts(run, starts=2)

    def fail():
        tries.append(1)
        raise RuntimeError("another reason")

    tries.clear()
    with pytest.raises(RuntimeError, match="another"):
        with_starts(fail)
    assert len(tries) == 1
