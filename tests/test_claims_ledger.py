"""The ledger: all claims, verdicts from executed notebooks, links that lead."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from notebook_lib import claims
from notebook_lib._kernels import with_starts
from notebook_lib.claims import page
from notebook_lib.claims.display import _html, as_dict

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"


def record(id="em-A1", scale="quick", verdict="reproduced", **fields):
    fields = {"part": "", "observed": 0.9, "expected": "0.9 within 0.01", **fields}
    return claims.Record(id=id, scale=scale, verdict=verdict, **fields)


def write(folder, name, *records):
    outputs = [
        {
            "output_type": "display_data",
            "data": {
                claims.MIME: as_dict(r),
                "text/html": _html(r),
            },
        }
        for r in records
    ]
    stream = {"output_type": "stream", "text": ["hello"]}
    cells = [
        {"cell_type": "markdown", "source": ["text"]},
        {"cell_type": "code", "source": ["x"], "outputs": [stream, *outputs]},
    ]
    (folder / f"{name}.ipynb").write_text(json.dumps({"cells": cells}))


def test_what_is_not_stored_comes_back(tmp_path):
    bare = record("em-A1", observed=None)
    full = record("em-A2", observed=0, n_values=3, note="n", published=0.0, why="w")
    write(tmp_path, "01_latent_class", bare, full)
    stored = as_dict(bare)
    assert set(stored) == {"id", "part", "scale", "verdict", "expected", "anchor"}
    found = claims.collect(tmp_path).astype(object)
    found = found.where(found.notna(), None).to_dict("records")
    kept = [{name: row[name] for name in asdict(bare)} for row in found]
    assert kept == [asdict(bare), asdict(full)]


@pytest.fixture
def folder(tmp_path):
    write(
        tmp_path,
        "01_latent_class",
        record("em-A1"),
        record("em-A2", part="alpha=0.1"),
        record("em-A2", part="alpha=0.2", verdict="differs", why="ties"),
        record("em-A3", verdict="not attempted", why="slow"),
        record("em-A3", scale="paper", published=0.95, published_error=0.004),
        record("em-A4", verdict="not attempted", why="no data"),
        record("em-T1", verdict="not attempted", why="slow"),
        record("em-T1", scale="paper", verdict="differs", why="shrunk"),
    )
    return tmp_path


def test_all_claims_of_the_five_documents():
    table = claims.load_claims()
    assert len(table) == 283
    assert table["id"].is_unique
    assert table["chapter"].nunique() == table["document"].nunique() == 5
    assert (table[["id", "kind", "claim", "check"]] != "").all().all()


def test_collect_reads_records_only(folder):
    found = claims.collect(folder)
    assert len(found) == 8
    assert set(found["page"]) == {"01_latent_class"}
    assert set(found["cell"]) == {1}
    assert claims.collect(folder / "nothing").empty


def test_ledger_joins_everything(folder):
    table = claims.ledger(folder).set_index("id")
    assert len(table) == 283
    verdicts = table["verdict"]
    assert verdicts["em-A1"] == "reproduced"
    assert verdicts["em-A2"] == "differs"
    assert table.loc["em-A2", "why"] == "ties"
    assert verdicts["em-A3"] == "reproduced", "one scale is enough"
    assert table.loc["em-A3", "why"] == "slow"
    assert verdicts["em-A4"] == "not attempted"
    assert (verdicts["em-T1"], table.loc["em-T1", "why"]) == ("differs", "shrunk")
    assert table.loc["em-A5", "why"] == "no verdict in the chapter"
    assert table.loc["scmc-A1", "why"] == "chapter not written"
    assert [r["part"] for r in table.loc["em-A2", "quick"]] == [
        "alpha=0.1",
        "alpha=0.2",
    ]


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "differs"], "differs"),
        (["reproduced", "not attempted"], "not attempted"),
        (["differs", "not attempted"], "differs"),
        ([], "not attempted"),
    ],
)
def test_parts_combine(verdicts, whole):
    assert claims.combine(verdicts) == whole


def test_summary_counts_each_claim_once(folder):
    table = claims.ledger(folder)
    for by in ("chapter", "document", "kind"):
        counts = claims.summary(table, by)
        assert counts.loc["all", "claims"] == 283
        assert (counts.drop("all").sum() == counts.loc["all"]).all()
    row = claims.summary(table).loc["01_latent_class"]
    assert row["reproduced"] == 2
    assert row["differs"] == 2


def test_problems_are_found(folder):
    write(folder, "02_matrix_completion", record("em-A1"), record("no-such"))
    lines = claims.problems(folder)
    assert "em-A5: no verdict in 01_latent_class" in lines
    assert "scmc-A1: no verdict in 02_matrix_completion" in lines
    assert "no-such: verdict without a claim in 02_matrix_completion" in lines
    assert "em-A1 quick: more than one verdict" in lines
    assert not [line for line in lines if line.startswith("fcp")]


def test_page_links_values_and_reasons(folder):
    table = claims.ledger(folder)
    html = page.ledger_html(table[table["chapter"] == "01_latent_class"])
    assert 'href="01_latent_class.html#claim-em-A1-quick"' in html
    assert 'href="01_latent_class.html#claim-em-A2-quick-alpha-0.2"' in html
    assert "0.95 (0.004)" in html
    assert "ties" in html
    assert html.count("<tr ") == (table["chapter"] == "01_latent_class").sum()
    _assert_well_formed(html)
    _assert_well_formed(page.summary_html(claims.summary(table), "chapter"))
    assert ">1. A latent class<" in page.summary_html(claims.summary(table), "chapter")
    assert ">all<" in page.summary_html(claims.summary(table, "kind"), "kind")
    narrow = page.summary_html(claims.by_scale(table).T, "scale", bar=False)
    _assert_well_formed(narrow)
    assert "share" not in narrow


def _assert_well_formed(html):
    from xml.etree import ElementTree

    ElementTree.fromstring(html.replace("<br>", "<br/>"))


def test_page_shows_few_of_many_parts(tmp_path):
    parts = [record(part=f"K={k}", published=0.9 + k / 1000) for k in range(9)]
    write(tmp_path, "01_latent_class", *parts)
    html = page.ledger_html(claims.ledger(tmp_path).query("id == 'em-A1'"))
    assert html.count("and 5 more") == 2
    assert "K=3" in html
    assert "K=4" not in html


def test_a_repeated_run_is_not_a_paper_scale_result(tmp_path):
    write(
        tmp_path,
        "01_latent_class",
        record("em-A1"),
        record("em-A1", scale="paper"),
        record("em-A2"),
        record("em-A2", scale="paper", observed=0.901),
        record("em-A3"),
        record("em-A3", scale="paper", verdict="not attempted", why="slow"),
        record("em-A4", part="one"),
        record("em-A4", scale="paper", part="two"),
    )
    table = claims.ledger(tmp_path)
    assert claims.paper_scale(table) == 2
    shown = page.ledger_html(table[table["id"] == "em-A1"])
    assert '<span class="word">as quick</span>' in shown
    assert "as quick" not in page.ledger_html(table[table["id"] == "em-A2"])


def test_published_numbers_load():
    for chapter in ("02", "03_mask_conditional", "04", "05"):
        table = claims.load_published(chapter)
        assert pd.api.types.is_numeric_dtype(table["value"])
        assert {"source", "table", "setting", "row", "method", "metric"} < set(table)
    with pytest.raises(ValueError, match="choose one of 02, 03, 04, 05"):
        claims.load_published("01")


# ------------------------------------------------------------------ this book


def test_every_written_chapter_has_every_verdict():
    assert claims.problems(BOOK) == []


def test_links_of_the_ledger_lead_to_cells():
    """Each anchor that the ledger links to is an element of the executed chapter."""
    for record in claims.collect(BOOK).to_dict("records"):
        text = (BOOK / f"{record['page']}.ipynb").read_text(encoding="utf-8")
        assert f'id=\\"{record["anchor"]}\\"' in text, record["anchor"]


def test_committed_ledger_shows_the_committed_chapters():
    notebook = json.loads((BOOK / "ledger.ipynb").read_text(encoding="utf-8"))
    shown = "".join(
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
    )
    for row in claims.ledger(BOOK).to_dict("records"):
        line = re.search(rf'<tr id="ledger-{re.escape(row["id"])}">(.*?)</tr>', shown)
        assert line, row["id"]
        assert f">{row['verdict']}<" in line[1], row["id"]


def test_a_record_without_scale_fills_both_columns(tmp_path):
    write(
        tmp_path,
        "01_latent_class",
        record("em-A1", scale="any"),
        record("em-A2", scale="any", part="published"),
        record("em-A2", scale="paper", observed=0.91),
    )
    table = claims.ledger(tmp_path).set_index("id")
    assert table.loc["em-A1", "verdict"] == "reproduced"
    assert [r["as_quick"] for r in table.loc["em-A1", "paper"]] == [True]
    assert [r["as_quick"] for r in table.loc["em-A2", "paper"]] == [False, True]
    assert claims.paper_scale(table) == 1
    assert "any scale" not in page.ledger_html(claims.ledger(tmp_path))


FOLDED = """
from notebook_lib import claims
with claims.fold("Ranks & weights"):
    claims.check("em-A1", 0.9, expected=0.9)
    claims.differs("em-A2", 1.0, 2.0, why="another constant")
    claims.check("em-A3", True, scale="any")
"""


def test_folded_verdicts_reach_the_ledger_and_a_miss_stays_in_sight(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FOLDED)])
    with_starts(nbclient.NotebookClient(notebook, timeout=120).execute)
    first, second = notebook.cells[0].outputs
    assert "claim-differs" in first["data"]["text/html"]
    shown = second["data"]["text/html"]
    assert shown.startswith('<details class="claims"><summary>Ranks &amp; weights')
    assert "2 reproduced" in shown
    assert "any scale" not in shown
    assert 'id="claim-em-A1-quick"' in shown
    nbformat.write(notebook, tmp_path / "01_latent_class.ipynb")
    found = claims.collect(tmp_path).set_index("id")
    assert found["verdict"].to_dict() == {
        "em-A1": "reproduced",
        "em-A2": "differs",
        "em-A3": "reproduced",
    }
