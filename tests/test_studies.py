"""The study runner: seeds, batches, failures, checkpoints, stored results."""

import importlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import studies_example as example
from hypothesis import given, settings
from hypothesis import strategies as st

from notebook_lib import studies
from notebook_lib.studies.checkpoint import Checkpoints
from notebook_lib.studies.runner import clock
from notebook_lib.studies.store import to_csv
from notebook_lib.studies.study import code_only, plain, source_of

HERE = Path(__file__).parent


def run(study, tmp_path, **options):
    options = {"progress": False, "checkpoint_dir": tmp_path, **options}
    return studies.run(study, **options)


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return run(example.make(), tmp_path_factory.mktemp("plain"))


# ------------------------------------------------------------------- running


def test_rows_equal_a_plain_loop(frame):
    rows = []
    for s, scenario in enumerate(example.SCENARIOS):
        for r in range(10):
            seed = np.random.SeedSequence(5, spawn_key=(s, r))
            head = {"scenario": s, **scenario, "replicate": r}
            try:
                found = example.replicate(scenario, np.random.default_rng(seed))
                rows += [{**head, **row, "error": ""} for row in found]
            except RuntimeError as error:
                rows.append({**head, "error": f"RuntimeError: {error}"})
    wanted = pd.DataFrame(rows)[list(frame.columns)]
    pd.testing.assert_frame_equal(frame, wanted)


def test_failures_are_rows_with_a_reason(frame):
    failed = frame[frame["error"] != ""]
    assert set(failed["error"]) == {"RuntimeError: no luck"}
    assert set(failed["fails"]) == {1}
    assert frame.attrs["run"]["n_failed"] == len(failed) > 0
    counted = frame.groupby("scenario")["replicate"].nunique()
    assert (counted == 10).all()


@settings(max_examples=15, deadline=None)
@given(batch=st.integers(1, 50))
def test_batches_change_nothing(frame, tmp_path_factory, batch):
    again = run(example.make(), tmp_path_factory.mktemp("batch"), batch=batch)
    pd.testing.assert_frame_equal(again, frame)


def test_workers_change_nothing(frame, tmp_path):
    again = run(example.make(), tmp_path, n_jobs=2, batch=3)
    pd.testing.assert_frame_equal(again, frame)


def test_a_longer_study_extends_a_shorter_one(frame, tmp_path):
    short = run(example.make(), tmp_path, n_replicates=4, keep=True)
    head = frame[frame["replicate"] < 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(short, head)
    longer = run(example.make(), tmp_path)
    pd.testing.assert_frame_equal(longer, frame)
    assert longer.attrs["run"]["resumed_replicates"] == 16


def test_wall_time_adds_up_over_interruptions(tmp_path):
    study = example.make()
    run(study, tmp_path, n_replicates=4, keep=True)
    (path, *_) = (tmp_path / study.name / study.key).glob("done-*.json")
    batch = json.loads(path.read_text())
    path.write_text(json.dumps(batch | {"seconds": 1000.0}))
    # Rounded to a tenth: what this run adds can vanish, what came before cannot.
    assert run(study, tmp_path).attrs["run"]["wall_seconds"] >= 1000


def test_finished_replicates_are_not_run_again(tmp_path):
    run(example.make(), tmp_path, keep=True)
    refuses = example.make(n_replicates=10)
    object.__setattr__(refuses, "replicate", None)
    refuses.__dict__["key"] = example.make().key
    again = run(refuses, tmp_path)
    assert (again["error"].str.contains("RuntimeError") | (again["error"] == "")).all()


def test_checkpoints_are_removed_after_a_complete_run(tmp_path):
    run(example.make(), tmp_path)
    assert not list(tmp_path.rglob("*.json"))
    run(example.make(), tmp_path, keep=True, batch=7)
    assert len(list(tmp_path.rglob("done-*.json"))) == math.ceil(40 / 7)


def test_restart_forgets_checkpoints(tmp_path):
    run(example.make(), tmp_path, keep=True)
    again = run(example.make(), tmp_path, resume=False)
    assert again.attrs["run"]["resumed_replicates"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"version": "2"},
        {"name": "other"},
        {"scenarios": example.SCENARIOS[:2]},
        {"function": partial(example.replicate, seed=1)},
        {"function": example.slow},
        {"function": lambda scenario, rng: []},
    ],
)
def test_a_changed_study_does_not_resume(change):
    assert example.make(**change).key != example.make().key


def test_number_of_replicates_does_not_change_the_key():
    assert example.make(n_replicates=3).key == example.make().key


def test_key_follows_the_modules_that_the_replicate_uses():
    def uses_metrics(scenario, rng):
        return []

    importlib.import_module("notebook_lib.metrics")
    uses_metrics.__module__ = "notebook_lib.metrics"
    sources = "".join(source_of(uses_metrics))
    assert "def coverage_estimate" in sources
    assert "class Study" not in sources


def test_key_ignores_comments_layout_and_docstrings():
    plain = "def f(x):\n    return x + 1\n"
    told = (
        '"""Module."""\ndef f(x):\n    """Add."""\n    # one\n    return (x\n  + 1)\n'
    )
    assert code_only(plain) == code_only(told)
    assert code_only(plain) != code_only(plain.replace("1", "2"))
    refuses = 'def f(x):\n    raise ValueError(f"{x} is odd")'
    assert code_only(refuses) == code_only(refuses.replace("odd", "odd: add one"))
    assert code_only(refuses) != code_only(refuses.replace("Value", "Type"))
    assert code_only('class A:\n    """Only a text."""') == "class A:\n    pass"


def _kill_in_the_middle(folder, n_jobs):
    script = str(HERE / "studies_example.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, script, str(folder), str(n_jobs)],
        env=environment,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while len(list(folder.rglob("done-*.json"))) < 10:
        assert child.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < deadline, "no checkpoints in five minutes"
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_killed_run_resumes_to_the_same_bytes(tmp_path, n_jobs):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    plain = example.make(n_replicates=40)
    studies.save(plain, run(plain, whole), folder=whole)
    study = example.make(example.slow, n_replicates=40)
    killed.mkdir()
    _kill_in_the_middle(killed, n_jobs)
    assert not (killed / "example.csv").exists()
    frame = run(study, killed)
    assert 20 <= frame.attrs["run"]["resumed_replicates"] < 160
    studies.save(study, frame, folder=killed)
    assert (killed / "example.csv").read_bytes() == (whole / "example.csv").read_bytes()


def test_a_half_written_batch_is_not_read(tmp_path):
    study = example.make()
    store = Checkpoints(study, tmp_path)
    store.write([((0, 0), [{"value": 1.0}])], 2.0)
    (store.folder / "done-00000-0000001-x.json.part").write_text('[{"scen')
    assert store.read() == ({(0, 0): [{"value": 1.0}]}, 2.0)


def test_a_batch_damaged_on_disk_runs_again(tmp_path):
    study = example.make()
    whole = run(study, tmp_path, keep=True)
    damaged = sorted(Checkpoints(study, tmp_path).folder.glob("done-*"))[0]
    damaged.write_bytes(damaged.read_bytes()[:30])
    again = run(study, tmp_path)
    assert 0 < again.attrs["run"]["resumed_replicates"] < len(whole)
    pd.testing.assert_frame_equal(again, whole)


@given(st.floats(allow_nan=False) | st.integers(-(2**60), 2**60) | st.text(max_size=5))
@settings(max_examples=30, deadline=None)
def test_checkpoints_keep_every_bit(tmp_path_factory, value):
    store = Checkpoints(example.make(), tmp_path_factory.mktemp("bits"))
    store.write([((1, 2), [{"value": value}])], 0.0)
    (rows,) = store.read()[0].values()
    assert rows == [{"value": value}]
    assert type(rows[0]["value"]) is type(value)


def test_progress_lines(tmp_path, capsys):
    run(example.make(), tmp_path, progress=True)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("example: 40/40 replicates, ")
    assert "failed" in last
    assert last.endswith("0:00 left")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (61.6, "1:02"), (3661, "1:01:01")]
)
def test_clock(seconds, shown):
    assert clock(seconds) == shown


# ------------------------------------------------------------------ bad input


def _empty(scenario, rng):
    return []


def _reserved(scenario, rng):
    return [{"error": "x"}]


def _dict(scenario, rng):
    return {"value": np.float32(0.5)}


def test_a_replicate_without_rows_is_a_failure(tmp_path):
    for function, reason in [(_empty, "no rows"), (_reserved, "named 'error'")]:
        frame = run(example.make(function), tmp_path)
        assert frame["error"].str.contains(reason).all()
        assert len(frame) == 40


def test_one_row_may_be_a_dict(tmp_path):
    frame = run(example.make(_dict), tmp_path)
    assert (frame["value"] == 0.5).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a/b"}, "name must be"),
        ({"name": ""}, "name must be"),
        ({"n_replicates": 0}, "n_replicates must be"),
        ({"seed": -1}, "seed must be"),
        ({"scenarios": []}, "scenarios is empty"),
        ({"scenarios": [{"replicate": 1}]}, "column named 'replicate'"),
    ],
)
def test_bad_studies_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        example.make(**change)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"n_replicates": 0}, "n_replicates"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"batch": 0}, "batch"),
        ({"backend": "threads"}, "backend"),
    ],
)
def test_bad_runs_are_refused(tmp_path, option, message):
    with pytest.raises(ValueError, match=message):
        run(example.make(), tmp_path, **option)


def test_dask_without_a_client_is_said(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed, "get_client", _no_client)
    with pytest.raises(ValueError, match=r"no Dask client.*--scheduler"):
        run(example.make(), tmp_path, backend="dask")


def _no_client():
    raise ValueError("No global client found")


def test_dask_without_the_extra_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"notebook-lib\[cluster\]"):
        run(example.make(), tmp_path, backend="dask")


def test_scenarios_from_a_frame():
    frame = pd.DataFrame({"n": np.array([1, 2]), "p": [0.5, np.float64(1)]})
    assert example.make(scenarios=frame).scenarios == (
        {"n": 1, "p": 0.5},
        {"n": 2, "p": 1.0},
    )


def test_plain_values():
    assert plain(np.array([[1, 2]])) == [[1, 2]]
    assert type(plain(np.float64(1))) is float
    assert plain((np.int8(1), "a")) == [1, "a"]


# ------------------------------------------------------------------- aggregate


def test_aggregate_equals_pandas(frame):
    table = studies.aggregate(frame, ["shift", "fails", "method"], "value")
    good = frame[frame["error"] == ""]
    for row in table.to_dict("records"):
        part = good[
            (good["shift"] == row["shift"])
            & (good["fails"] == row["fails"])
            & (good["method"] == row["method"])
        ]["value"]
        assert row["mean"] == pytest.approx(part.mean())
        assert row["mc_error"] == pytest.approx(part.std() / len(part) ** 0.5)
        assert row["n"] == len(part)
        assert row["n"] + row["n_failed"] == 10


def test_aggregate_takes_the_error_over_replicates():
    rows = [
        {"replicate": r, "scenario": 0, "value": float(r), "error": ""}
        for r in range(4)
        for _ in range(100)
    ]
    (row,) = studies.aggregate(pd.DataFrame(rows), ["scenario"], "value").to_dict(
        "records"
    )
    assert row["n"] == 4
    assert row["mc_error"] == pytest.approx(np.std(range(4), ddof=1) / 2)


def test_aggregate_keeps_infinities_and_counts_missing():
    frame = pd.DataFrame(
        {
            "replicate": [0, 1, 2],
            "length": [1.0, math.inf, 2.0],
            "other": [1.0, math.nan, 3.0],
            "g": 1,
        }
    )
    table = studies.aggregate(frame, "g", ["length", "other"]).set_index("metric")
    assert table.loc["length", "mean"] == math.inf
    assert math.isnan(table.loc["length", "mc_error"])
    assert list(table["n"]) == [3, 2]
    assert table.loc["other", "mean"] == 2


def test_aggregate_names_a_missing_column(frame):
    with pytest.raises(ValueError, match="no column 'metod'"):
        studies.aggregate(frame, ["metod"], "value")


# -------------------------------------------------------------- stored results


def test_save_and_load(frame, tmp_path):
    study = example.make(description="A toy.", document="none")
    path = studies.save(study, frame, folder=tmp_path, note="for the test")
    back, manifest = studies.load("example", folder=tmp_path)
    pd.testing.assert_frame_equal(back, frame, rtol=1e-5, check_dtype=False)
    assert manifest["scenarios"] == example.SCENARIOS
    assert manifest["n_replicates"] == 10
    assert manifest["n_failed"] == (frame["error"] != "").sum()
    assert manifest["packages"]["numpy"] == np.__version__
    assert manifest["note"] == "for the test"
    studies.save(study, back, folder=tmp_path)
    assert path.read_text() == to_csv(frame)


def test_stored_lists_what_ran(frame, tmp_path):
    assert studies.stored(folder=tmp_path).empty
    studies.save(example.make(description="A toy."), frame, folder=tmp_path)
    (row,) = studies.stored(folder=tmp_path).to_dict("records")
    assert row["study"] == "example"
    assert row["scenarios"] == 4
    assert row["replicates"] == 10
    assert row["rows"] == len(frame)
    assert row["failed"] == (frame["error"] != "").sum()


def test_stored_numbers_have_six_digits():
    text = to_csv(
        pd.DataFrame({"x": [1 / 3, 1e-20, math.inf, 123456789.0], "n": 1234567})
    )
    assert text.splitlines()[1:] == [
        "0.333333,1234567",
        "1e-20,1234567",
        "inf,1234567",
        "1.23457e+08,1234567",
    ]


def test_manifest_says_nothing_about_the_machine(frame, tmp_path):
    path = studies.save(example.make(), frame, folder=tmp_path)
    content = path.with_suffix(".json").read_text()
    for secret in (os.uname().nodename, str(Path.home()), str(tmp_path), "/tmp"):
        assert secret not in content
    assert json.loads(content)["date"].count("-") == 2


def test_a_changed_result_is_refused(frame, tmp_path):
    path = studies.save(example.make(), frame, folder=tmp_path)
    path.write_text(path.read_text().replace("mean", "maen", 1))
    with pytest.raises(ValueError, match="changed after it was stored"):
        studies.load("example", folder=tmp_path)


def test_windows_line_ends_are_the_same_result(frame, tmp_path):
    path = studies.save(example.make(), frame, folder=tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(studies.load("example", folder=tmp_path)[0]) == len(frame)


def test_a_result_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="run it with"):
        studies.load("nothing", folder=tmp_path)


def test_a_large_result_is_refused(tmp_path):
    frame = pd.DataFrame({"x": np.arange(1_000_000)})
    with pytest.raises(ValueError, match=r"6\.9 MB.*aggregate"):
        studies.save(example.make(), frame, folder=tmp_path)


def test_stored_results_are_whole_and_belong_to_studies():
    """Every result under data/results loads, and its study still exists."""
    known = studies.discover()
    for path in (HERE.parent / "data" / "results").glob("*.csv"):
        frame, manifest = studies.load(path.stem)
        assert path.stem in known, path.stem
        assert list(frame.columns) == manifest["columns"]
        assert path.stat().st_size < 5_000_000
