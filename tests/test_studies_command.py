"""The command line of the studies: list, run what is due, verify."""

import hashlib
import json
import sys

import pytest
import studies_example as example

from notebook_lib import studies
from notebook_lib.studies import __main__ as command
from notebook_lib.studies.checkpoint import Checkpoints
from notebook_lib.studies.history import code_html, history_html, versions
from notebook_lib.studies.plan import CHANGED, PROVED, SAME, UNKNOWN, announce, cost


@pytest.fixture
def registry(monkeypatch):
    """One study, and nothing else to be discovered."""
    monkeypatch.setattr(studies, "REGISTRY", {})
    monkeypatch.setattr(studies, "discover", lambda: studies.REGISTRY)
    return studies.register(example.make(description="A toy."))


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The folder that stands for data/results; checkpoints lie beside it."""
    folder = tmp_path / "results"
    for module in ("store", "plan", "compare", "__main__"):
        monkeypatch.setattr(
            f"notebook_lib.studies.{module}.results_folder", lambda: folder
        )
    return folder


@pytest.fixture
def call(tmp_path, results):
    def run(verb, *words):
        return command.main(
            [verb, *words, "--checkpoints", str(tmp_path / "checkpoints")]
        )

    return run


def edit(results, **fields):
    path = results / "example.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(manifest | fields), encoding="utf-8")


def states():
    return [studies.state(study) for study in studies.REGISTRY.values()]


def fails(scenario, rng):
    raise OSError("no data here")


def test_find_suggests(registry):
    assert studies.find("example") is registry
    with pytest.raises(ValueError, match="did you mean example"):
        studies.find("exmple")


def test_two_studies_of_one_name(registry):
    studies.register(example.make())
    with pytest.raises(ValueError, match="two studies are named"):
        studies.register(example.make(seed=9))


def test_run_stores_and_forgets_its_checkpoints(registry, results, call, capsys):
    assert call("run", "example") == 0
    assert "failed replicates" in capsys.readouterr().out
    frame, manifest = studies.load("example")
    assert manifest["n_replicates"] == 10
    assert manifest["note"] == ""
    assert frame["replicate"].nunique() == 10
    assert not list(results.parent.rglob("done-*.json"))


def test_a_short_run_says_so_and_is_taken_up(registry, results, call, capsys):
    assert call("run", "example", "--replicates", "3") == 0
    assert studies.load("example")[1]["note"] == "3 of the planned 10 replicates"
    (now,) = states()
    assert now.due
    assert now.word.endswith(", 3 of 10")
    assert call("run", "--due") == 0
    _, manifest = studies.load("example")
    assert manifest["n_replicates"] == 10
    assert manifest["resumed_replicates"] == 12
    (now,) = states()
    assert not now.due
    capsys.readouterr()
    assert call("run", "--due") == 0
    assert "nothing to run" in capsys.readouterr().out


def test_a_trial_does_not_overwrite_a_longer_result(registry, results, call, capsys):
    call("run", "example")
    before = (results / "example.csv").read_bytes()
    assert call("run", "example", "--replicates", "2") == 2
    assert "--output FOLDER" in capsys.readouterr().err
    assert (results / "example.csv").read_bytes() == before


def test_nor_one_whose_numbers_newer_code_cannot_change(
    registry, results, call, capsys
):
    call("run", "example")
    before = (results / "example.csv").read_bytes()
    proof = {"key": registry.key, "date": "2026-01-02", "why": "a call that raised"}
    edit(results, key="0" * 16, unaffected=proof)
    assert call("run", "example", "--replicates", "2") == 2
    assert "give --output FOLDER" in capsys.readouterr().err
    assert (results / "example.csv").read_bytes() == before


def test_a_study_that_fails_throughout_is_not_stored(registry, results, call, capsys):
    call("run", "example")
    before = (results / "example.csv").read_bytes()
    studies.REGISTRY["example"] = example.make(fails)
    assert call("run", "example") == 1
    assert "no data here" in capsys.readouterr().err
    assert (results / "example.csv").read_bytes() == before
    assert not list(results.parent.rglob("done-*.json"))


def test_one_broken_study_does_not_stop_the_others(registry, results, call, capsys):
    studies.register(example.make(fails, name="broken"))
    assert call("run", "--missing") == 1
    said = capsys.readouterr()
    assert "2 studies to run" in said.out
    assert "broken: every replicate of broken failed" in said.err
    assert (results / "example.csv").is_file()
    assert not (results / "broken.csv").exists()


def test_list_says_what_is_stored(registry, results, call, capsys):
    assert command.main(["list"]) == 0
    assert "4 scenarios x 10         not run" in capsys.readouterr().out
    call("run", "example")
    date = studies.load("example")[1]["date"]
    assert states()[0].word == date
    studies.REGISTRY["example"] = example.make(version="2")
    assert states()[0].word == f"{date}, code since"


def test_code_is_compared_on_the_same_python_only(registry, results, call):
    call("run", "example")
    assert states()[0].code == SAME
    edit(results, key="0" * 16)
    assert states()[0].code == CHANGED
    assert states()[0].due
    edit(results, python="3.8.1")
    assert states()[0].code == UNKNOWN
    assert not states()[0].due


def test_command_chooses(registry, results):
    other = studies.register(example.make(name="other"))
    results.mkdir()
    for name in ("example.csv", "example.json"):
        (results / name).write_text(
            json.dumps({"key": registry.key, "n_replicates": 10, "date": ""})
        )

    def chosen(*words):
        args = command._parser().parse_args(words)
        return [now.study.name for now in command._chosen(args)]

    assert chosen("run", "other", "other") == [other.name]
    assert chosen("run", "--all") == ["example", "other"]
    assert chosen("run", "--missing") == ["other"]
    assert chosen("run", "--due") == ["other"]
    assert chosen("verify", "--all") == ["example"]
    with pytest.raises(ValueError, match="name a study"):
        chosen("run")


def test_command_says_what_is_wrong(registry, capsys):
    assert command.main(["run", "exmple"]) == 2
    assert "did you mean example" in capsys.readouterr().err


def test_dask_without_the_extra_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"notebook-lib\[cluster\]"):
        command._client(None, "dask")


# ------------------------------------------------------------------------ cost


def test_cost_goes_by_the_last_run_and_the_checkpoints(registry, results, call):
    assert cost(states()[0]) is None
    assert "never ran" in announce(states())
    call("run", "example", "--replicates", "5")
    edit(results, wall_seconds=100.0, n_jobs=2)
    # 200 seconds of work for 20 replicates; 40 are planned, and 20 are at hand.
    (now,) = states()
    assert cost(now, results) == pytest.approx(400)
    assert cost(now, results.parent / "checkpoints") == pytest.approx(200)
    assert announce([now], 2, results) == ("1 study to run, about 3:20 on 2 processes")


# ---------------------------------------------------------------------- verify


def test_verify_finds_the_same_bytes(registry, results, call, capsys):
    call("run", "example", "--replicates", "4")
    Checkpoints(registry, results.parent / "checkpoints").clear()
    assert call("verify", "--all") == 0
    assert "example: the same bytes, sha256" in capsys.readouterr().out
    assert studies.load("example")[1]["n_replicates"] == 4


def test_a_stamp_says_that_newer_code_gives_the_same_bytes(registry, results, call):
    call("run", "example")
    before = (results / "example.csv").read_bytes()
    edit(results, key="0" * 16)
    call("verify", "example")
    assert states()[0].code == CHANGED
    assert call("verify", "example", "--stamp") == 0
    (now,) = states()
    assert now.code == SAME
    assert not now.due
    assert now.manifest["key"] == "0" * 16
    assert (results / "example.csv").read_bytes() == before
    studies.REGISTRY["example"] = example.make(version="2")
    assert states()[0].code == CHANGED


def test_a_change_without_effect_is_told_and_not_due(registry, results, call):
    call("run", "example")
    key = studies.REGISTRY["example"].key
    proof = {"key": key, "date": "2026-01-02", "why": "a call that raised"}
    edit(results, key="0" * 16, unaffected=proof)
    (now,) = states()
    assert now.code == PROVED
    assert not now.due
    assert "code since" not in now.word
    shown = history_html(studies.history(studies.REGISTRY))
    assert ">changed without effect<" in shown
    studies.REGISTRY["example"] = example.make(version="2")
    assert states()[0].code == CHANGED


def test_verify_says_where_bytes_differ(registry, results, call, capsys):
    call("run", "example")
    path = results / "example.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    cells = lines[2].split(",")
    at = lines[0].split(",").index("value")
    cells[at] = f"{float(cells[at]) * 1.25:.6g}"
    lines[2] = ",".join(cells)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    edit(results, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert call("verify", "example") == 1
    said = capsys.readouterr().out
    assert f"1 of {len(lines)} lines differ, the first is line 3" in said
    assert "by up to 0.2 of their size" in said


def test_verify_says_that_lines_are_missing(registry, results, call, capsys):
    call("run", "example")
    studies.REGISTRY["example"] = example.make(seed=6)
    assert call("verify", "example") == 1
    said = capsys.readouterr().out
    assert "78 lines in place of 71" in said
    assert "manifest notes" not in said


def test_verify_tells_what_the_manifest_notes(registry, results, call, capsys):
    call("run", "example")
    edit(results, note="Needs a file that is not shipped.")
    studies.REGISTRY["example"] = example.make(seed=6)
    assert call("verify", "example") == 1
    said = capsys.readouterr().out
    assert "Its manifest notes: Needs a file that is not shipped." in said


def test_verify_needs_a_stored_result(registry, results, call, capsys):
    assert call("verify", "example") == 2
    assert "no stored result" in capsys.readouterr().err


# --------------------------------------------------------------------- history


def test_history_has_every_study(registry, results, call):
    studies.register(example.make(name="other", n_replicates=7))
    call("run", "example", "--replicates", "3")
    rows = studies.history(studies.REGISTRY).to_dict("records")
    first, second = rows
    assert (first["study"], first["replicates"], first["planned"]) == ("example", 3, 10)
    assert first["code"] == SAME
    assert first["packages"]["numpy"]
    assert (second["replicates"], second["date"], second["code"]) == (0, "", "")


def test_history_page_says_what_is_short_and_what_failed(registry, results, call):
    studies.register(example.make(name="other", n_replicates=7))
    call("run", "example", "--replicates", "3")
    edit(results, date="2026-01-02", wall_seconds=90.0, n_failed=2)
    table = studies.history(studies.REGISTRY)
    shown = history_html(table)
    assert '<span class="short">3 of 10 replicates</span>, 2 failed' in shown
    assert "1.5 minutes, 2026-01-02" in shown
    assert "not run</span>: 4 scenarios, 7 replicates planned" in shown
    assert ">1 as it ran<" in code_html(table)
    edit(results, key="0" * 16)
    assert ">changed since<" in history_html(studies.history(studies.REGISTRY))


def test_versions_are_counted(registry, results, call):
    call("run", "example")
    (row,) = versions(studies.history(studies.REGISTRY)).to_dict("records")
    assert row["studies"] == 1
    assert row["python"].startswith("3.")
    assert row["numpy"]
    assert versions(studies.history(studies.REGISTRY, results / "none")).empty
