"""The registers of errata and additions, the printed numbers, the front page."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from test_claims_ledger import record, write

from notebook_lib import claims
from notebook_lib.claims import page, registers
from notebook_lib.claims import published as published_numbers

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
CHAPTERS = ["1", "2", "3", "4", "5"]

# How many numbered errata each document's reading found; parts are a, b.
FOUND = {"1": 7, "2": 22, "3": 22, "4": 20, "5": 16}


def numbers(table, chapter):
    ids = table["id"][table["id"].str.startswith(f"{chapter}.")]
    return sorted({int(re.search(r"\.[EA](\d+)", id)[1]) for id in ids})


# ------------------------------------------------------------------- this book


def test_every_link_of_the_registers_leads_somewhere():
    assert claims.register_problems(BOOK) == []


def test_every_erratum_that_was_found_is_in_the_register():
    table = claims.load_errata()
    for chapter, count in FOUND.items():
        assert numbers(table, chapter) == list(range(1, count + 1))


def test_a_statement_is_called_wrong_only_where_a_cell_shows_it():
    table = claims.load_errata()
    strong = table[table["kind"].isin(["statement", "proof", "experiment"])]
    assert (strong["shown"] != "").all()
    told = table[["kind", "where", "printed", "holds", "stands"]]
    assert (told != "").all().all()
    assert ((table["shown"] == "") == (table["not_shown"] != "")).all()


def test_every_addition_says_what_it_gains_and_where_it_is_checked():
    table = claims.load_additions()
    assert (table != "").all().all()
    for chapter in CHAPTERS:
        found = numbers(table, chapter)
        assert found == list(range(1, len(found) + 1))


def test_errata_named_in_a_chapter_are_entries_of_that_chapter():
    known, named = set(claims.load_errata()["id"]), 0
    for path in sorted(BOOK.glob("0[1-5]_*.py")):
        found = set(re.findall(r"\b\d\.E\d+[a-z]?\b", path.read_text("utf-8")))
        assert found <= known, path.name
        assert {id[0] for id in found} <= {path.name[1]}, path.name
        named += len(found)
    assert named > 20


@pytest.mark.parametrize("name", ["errata", "additions"])
def test_committed_page_shows_the_register(name):
    text = (BOOK / f"{name}.ipynb").read_text(encoding="utf-8")
    singular = {"errata": "erratum", "additions": "addition"}[name]
    table = getattr(claims, f"load_{name}")()
    for id in table["id"]:
        assert f'id=\\"{singular}-{id}\\"' in text, id


def glued(name):
    """The values that a committed notebook glues, by key."""
    found = {}
    cells = json.loads((BOOK / name).read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        for output in cell.get("outputs", []):
            key = output.get("metadata", {}).get("scrapbook", {}).get("name")
            for mime, value in output.get("data", {}).items():
                if key and mime.endswith("text/plain"):
                    found[key] = "".join(value)
    return found


def test_numbers_of_the_front_page_are_those_of_the_ledger():
    intro = (BOOK / "intro.md").read_text(encoding="utf-8")
    keys = re.findall(r"\{glue:text\}`(\w+\.ipynb)::(\w+):d`", intro)
    shown = {(name, key): int(glued(name)[key]) for name, key in keys}
    table = claims.ledger(BOOK)
    counts = claims.summary(table).loc["all"]
    assert shown.pop(("what_ran.ipynb", "n_studies")) > 0
    assert shown == {
        ("ledger.ipynb", "n_claims"): len(table),
        ("ledger.ipynb", "n_reproduced"): counts["reproduced"],
        ("ledger.ipynb", "n_differs"): counts["differs"],
        ("ledger.ipynb", "n_open"): counts["not attempted"],
        ("ledger.ipynb", "n_paper"): claims.paper_scale(table),
        ("errata.ipynb", "n_errata"): len(claims.load_errata()),
        ("additions.ipynb", "n_additions"): len(claims.load_additions()),
    }


def test_nothing_in_the_ledger_is_blank():
    table = claims.ledger(BOOK)
    assert (table[["verdict", "at_quick", "at_paper"]] != "").all().all()
    shown = page.ledger_html(table)
    assert not re.findall(r"<t[dh][^>]*>\s*</t[dh]>", shown)
    assert "chapter not written" not in shown
    assert "no verdict" not in shown


def test_what_a_document_prints_stands_beside_ours():
    table = claims.ledger(BOOK).set_index("id")
    assert "SCMC, coverage: 0.8664 to 0.9086" in table.loc["scmc-F5", "printed"]
    assert "nexCP on 110: 7.783" in table.loc["fcp-V9", "printed"]
    row = page.ledger_html(table.reset_index().query("id == 'scmc-F5'"))
    assert "SCMC, coverage: 0.8664 to 0.9086" in row


# --------------------------------------------------------------------- at large


@pytest.fixture
def folder(tmp_path):
    write(
        tmp_path,
        "01_latent_class",
        record("em-A1"),
        record("em-A2"),
        record("em-A2", scale="paper", observed=0.91),
        record("em-A3"),
    )
    path = tmp_path / "01_latent_class.ipynb"
    notebook = json.loads(path.read_text())
    text = "## What is *it*?\n\n```{prf:theorem}\n:label: thm-x\n```\n\n(sec-y)=\n"
    notebook["cells"].append({"cell_type": "markdown", "source": [text]})
    path.write_text(json.dumps(notebook))
    return tmp_path


def entry(shown, **fields):
    names = ("kind", "where", "title", "what", "gain", "printed", "holds", "stands")
    plain = {"id": "1.E1", **dict.fromkeys(names, "a < b"), "not_shown": "", **fields}
    return {**plain, "shown": shown}


def test_places_are_found(folder):
    links, lost = registers.Places(folder).find(
        entry("em-A2 #what-is-it thm-x sec-y em-A9 #nowhere")
    )
    assert links == [
        ("em-A2", "01_latent_class.html#claim-em-A2-quick"),
        ("section", "01_latent_class.html#what-is-it"),
        ("theorem", "01_latent_class.html#thm-x"),
        ("section", "01_latent_class.html#sec-y"),
    ]
    assert lost == ["em-A9", "#nowhere"]


def test_problems_of_a_register_are_told(folder, monkeypatch):
    errata = pd.DataFrame([entry("em-A1"), entry(""), entry("gone", id="1.E2")])
    monkeypatch.setattr(registers, "load_errata", lambda: errata)
    monkeypatch.setattr(registers, "load_additions", lambda: errata.head(1))
    assert claims.register_problems(folder) == [
        "errata 1.E1: more than one entry",
        "errata 1.E1: neither a link nor a reason",
        "errata 1.E2: gone is not in the chapters",
    ]


def test_entries_are_escaped_and_linked(folder):
    table = pd.DataFrame([entry("em-A1"), entry("", id="1.E2", not_shown="a & b")])
    shown = registers.errata_html(table, folder)
    assert 'href="01_latent_class.html#claim-em-A1-quick">em-A1</a>' in shown
    assert "no cell: a &amp; b" in shown
    assert "a &lt; b" in shown
    assert "a < b" not in shown
    assert "a &lt; b" in registers.additions_html(table, folder)


def test_a_register_is_one_of_two(folder):
    errata = registers.Register("errata", folder)
    assert errata.count() == len(claims.load_errata())
    assert 0 < errata.count("proof", "statement") < errata.count()
    assert 'id="erratum-1.E1"' in errata.chapter_html(1)
    assert 'id="erratum-2.E1"' not in errata.chapter_html(1)
    with pytest.raises(ValueError, match="errata"):
        registers.Register("claims", folder)


def test_registers_are_counted():
    table = pd.DataFrame(
        {"id": ["1.E1", "1.E2", "2.E1"], "kind": ["proof", "misprint", "proof"]}
    )
    counts = claims.register_summary(table)
    assert counts.loc["proof"].to_dict() == {"1": 1, "2": 1, "all": 2}
    assert counts.loc["all", "all"] == 3


def test_each_scale_is_counted(folder):
    counts = claims.by_scale(claims.ledger(folder))
    assert (counts.drop(columns="claims").sum(axis=1) == counts["claims"]).all()
    assert counts.loc["quick", "reproduced"] == 3
    assert counts.loc["paper scale", "reproduced"] == 1
    table = claims.ledger(folder).set_index("id")
    assert table.loc["em-A2", "at_paper"] == "reproduced"
    assert table.loc["scmc-A1", "at_paper"] == "chapter not written"


def test_a_scale_of_which_nothing_is_said_is_a_problem(folder):
    lines = claims.problems(folder)
    assert [line for line in lines if "nothing is said" in line] == [
        "em-A3: nothing is said at paper scale"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "no-such"}, "'no-such' is no claim"),
        ({"query": "value > 1e9"}, "finds no number"),
    ],
)
def test_a_printed_number_that_is_not_there_is_said(tmp_path, change, message):
    entry = {"id": "scmc-F5", "label": "x", "query": "value > 0"} | change
    data = tmp_path / "published"
    data.mkdir()
    pd.DataFrame([entry]).to_csv(data / "claims.csv", index=False)
    tables = pd.DataFrame({"value": [1.0]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published_numbers._checkout, "data_folder", lambda: tmp_path)
        patch.setattr(published_numbers, "load_published", lambda chapter: tables)
        with pytest.raises(ValueError, match=message):
            claims.printed({"scmc-F5": "02_matrix_completion"})
