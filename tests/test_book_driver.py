"""The driver on toy notebooks: sync, run, normalise, compare, confirm."""

import io
import json
import shutil

import nbformat
import pytest

from tools.book import (
    chapter,
    compare,
    confirm,
    execute,
    notebooks,
    pages,
    pairs,
    staging,
    verify,
)
from tools.book.layout import REPOSITORY, BookError, Layout

SCRIPT = """\
# %% [markdown]
# # A toy

# %% tags=["parameters"]
n: int = 3  # how many
scale: float = 1.0  # factor

# %%
import os

print("n is", n)
print(f"mean {sum(range(n)) / n * scale:.4f}")

# %%
n * 2
"""


def make_toy(root):
    """A checkout with one chapter, not yet run."""
    layout = Layout(root)
    layout.book.mkdir(parents=True)
    (root / "data").mkdir()
    shutil.copy(REPOSITORY / "data" / "claims.csv", root / "data")
    shutil.copy(REPOSITORY / "nbval_sanitize.cfg", root)
    (layout.book / "01_toy.py").write_text(SCRIPT)
    pairs.sync(layout.book / "01_toy.py")
    return layout


@pytest.fixture
def toy(tmp_path):
    """A checkout with one chapter, not yet run."""
    return make_toy(tmp_path / "toy")


@pytest.fixture(scope="module")
def once_run(tmp_path_factory):
    """A checkout with one chapter, run, staged and confirmed; never changed."""
    layout = make_toy(tmp_path_factory.mktemp("once") / "toy")
    staging.refresh(layout, [], say=lambda line: None)
    staging.stage(layout, say=lambda line: None)
    confirm.confirm(layout, say=lambda line: None)
    return layout


@pytest.fixture
def run_toy(once_run, tmp_path):
    """A copy of it to spoil."""
    shutil.copytree(once_run.root, tmp_path / "toy", symlinks=True)
    return Layout(tmp_path / "toy")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def code_notebook(*outputs_of_cells):
    """A notebook whose cells print these texts."""
    nb = nbformat.v4.new_notebook()
    for number, text in enumerate(outputs_of_cells, start=1):
        out = nbformat.v4.new_output("stream", name="stdout", text=text)
        cell = nbformat.v4.new_code_cell(f"cell {number}", outputs=[out])
        cell.execution_count = number
        nb.cells.append(cell)
    return nb


# ---------------------------------------------------------------- normal form


def test_normalise_drops_traces_of_a_run_and_keeps_counts():
    nb = code_notebook("a\n")
    nb.metadata["papermill"] = {"duration": 1.0}
    nb.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    nb.cells[0].metadata.update(papermill={"x": 1}, execution={"t": 2}, tags=[])
    notebooks.normalise(nb)
    assert nb.metadata == {"language_info": {"name": "python"}}
    assert nb.cells[0].metadata == {}
    assert nb.cells[0].id == "cell-000"
    assert nb.cells[0].execution_count == 1


def test_normalise_joins_pieces_of_one_stream_only():
    piece = nbformat.v4.new_output
    outputs = [
        piece("stream", name="stdout", text="a"),
        piece("stream", name="stdout", text="b\n"),
        piece("stream", name="stderr", text="c\n"),
        piece("stream", name="stdout", text="d\n"),
    ]
    merged = notebooks.merge_streams(outputs)
    assert [(o.name, o.text) for o in merged] == [
        ("stdout", "ab\n"),
        ("stderr", "c\n"),
        ("stdout", "d\n"),
    ]


def test_charts_get_a_palette_once():
    import base64

    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4))
    ax = figure.subplots()
    with matplotlib.rc_context({"axes.prop_cycle": matplotlib.cycler(color="rgbcmyk")}):
        for k in range(30):
            ax.plot([0, 1], [k, k * k], label=f"line {k}", alpha=0.6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    before = base64.b64encode(buffer.getvalue()).decode()
    after = notebooks.shrink_png(before)
    assert len(after) < len(before) / 2
    assert notebooks.shrink_png(after) == after
    pixels = [base64.b64decode(x) for x in (before, after)]
    assert compare.picture_problem(*pixels) == ""


def test_normal_form_is_a_fixed_point(run_toy):
    path = run_toy.chapters()[0]
    text = path.read_text()
    assert notebooks.dumps(notebooks.normalise(notebooks.read(path))) == text


# ---------------------------------------------------------------------- pairs


def test_sync_writes_the_pair_once(toy):
    script = toy.book / "01_toy.py"
    assert not pairs.sync(script)
    assert pairs.pair_problems(toy.book / "01_toy.ipynb") == []
    assert script.read_text().startswith("# ---\n# jupyter:")


def test_sync_puts_metadata_in_the_order_of_the_notebook(toy):
    script = toy.book / "01_toy.py"
    edit(script, "# %%\nn * 2", '# %% tags=["b"] mystnb={"z": 1, "a": 2}\nn * 2')
    assert pairs.sync(script)
    assert pairs.pair_problems(toy.book / "01_toy.ipynb") == []


def test_sync_keeps_outputs_of_unchanged_cells(run_toy):
    script, path = run_toy.book / "01_toy.py", run_toy.book / "01_toy.ipynb"
    edit(script, "n * 2", "n * 5")
    assert pairs.sync(script)
    cells = notebooks.code_cells(notebooks.read(path))
    assert cells[1].outputs[0].text.startswith("n is 3")
    assert cells[2].outputs == []
    assert "not run in order" in pairs.run_problems(path)[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("n * 2", "n * 3", "cell 4: source differs"),
        ('tags=["parameters"]', "", "cell 2: tags differs"),
        ("# %%\nn * 2", "", "has 4 cells"),
        ("#     formats: ipynb,py:percent\n", "", "canonical form"),
    ],
)
def test_pair_out_of_step_is_named(run_toy, old, new, said):
    edit(run_toy.book / "01_toy.py", old, new)
    assert said in pairs.pair_problems(run_toy.book / "01_toy.ipynb")[0]


def test_check_refuses_what_is_not_run_or_not_normal(run_toy):
    path = run_toy.book / "01_toy.ipynb"
    assert pairs.check(run_toy) == ["01_toy.ipynb"]
    good = path.read_text()
    edit(path, '"execution_count": 3', '"execution_count": 7')
    with pytest.raises(BookError, match=r"code cell 3 was not run in order"):
        pairs.check(run_toy)
    path.write_text(good + "\n")
    with pytest.raises(BookError, match="not normalised"):
        pairs.check(run_toy)
    path.unlink()
    with pytest.raises(BookError, match=r"01_toy\.py has no notebook"):
        pairs.check(run_toy)


def test_check_refuses_errors_in_cells(tmp_path):
    nb = code_notebook("a\n")
    nb.cells[0].outputs = [
        nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])
    ]
    path = tmp_path / "01_x.ipynb"
    notebooks.write(nb, path)
    assert pairs.run_problems(path) == ["01_x.ipynb: code cell 1 raised ValueError"]


def test_find_takes_unique_prefixes_only(toy):
    (toy.book / "02_one.py").write_text("")
    (toy.book / "02_two.py").write_text("")
    assert toy.find("01").name == "01_toy.ipynb"
    assert toy.find("book/01_toy.py").name == "01_toy.ipynb"
    with pytest.raises(BookError, match="more than one chapter fits '02'"):
        toy.find("02")
    with pytest.raises(BookError, match="no chapter fits '09'; the chapters are: 01_"):
        toy.find("09")
    with pytest.raises(BookError, match="no chapter fits ''"):
        toy.find("")


# ------------------------------------------------------------------ execution


def test_two_runs_are_byte_identical(run_toy):
    path = run_toy.chapters()[0]
    first = path.read_bytes()
    staging.refresh(run_toy, ["01"], say=lambda line: None)
    assert path.read_bytes() == first


def test_failed_cell_is_named_and_leaves_the_target_alone(run_toy):
    path = run_toy.chapters()[0]
    before = path.read_bytes()
    broken = run_toy.root / "broken.ipynb"
    nb = notebooks.read(path)
    nb.cells[-1].source = "1 / 0"
    notebooks.write(nb, broken)
    run = execute.Run(broken, path, run_toy.book)
    with pytest.raises(BookError, match=r"cell \[3\] raised ZeroDivisionError"):
        execute.execute(run_toy, [run], say=lambda line: None)
    assert path.read_bytes() == before
    assert run_toy.chapters() == [path]
    failed = notebooks.read(run_toy.build / "runs" / "broken.failed.ipynb")
    assert any("ZeroDivisionError" in str(c.get("outputs")) for c in failed.cells)


def test_stage_runs_only_what_changed_and_the_ledger_last(run_toy):
    ledger = run_toy.book / "ledger.py"
    ledger.write_text(
        "# %% [markdown]\n# # Ledger\n\n# %%\nimport pathlib\n\n"
        "print(sorted(p.name for p in pathlib.Path().glob('[0-9]*.ipynb')))\n"
    )
    staging.refresh(run_toy, ["ledger"], say=lambda line: None)
    said = []
    shutil.rmtree(run_toy.stage)
    staging.stage(run_toy, say=said.append)
    assert [line.split()[1] for line in said[:-1]] == ["01_toy", "ledger"]
    staged = notebooks.read(run_toy.stage_book / "ledger.ipynb")
    assert "01_toy.ipynb" in staged.cells[-1].outputs[0].text
    compare.compare(run_toy, say=said.append)

    said.clear()
    staging.stage(run_toy, say=said.append)
    assert said == ["staged: 2 notebooks"]
    (run_toy.root / "data" / "more.csv").write_text("a\n1\n")
    staging.stage(run_toy, say=said.append)
    assert len(said) == 4

    said.clear()
    (run_toy.stage_book / "01_toy.ipynb").write_text("{}")
    staging.stage(run_toy, say=said.append)
    assert said[0].split()[1] == "01_toy"


def test_confirm_records_hashes_and_catches_what_is_not_reproduced(run_toy):
    silent = {"say": lambda line: None}
    record = json.loads(run_toy.manifest.read_text())
    staged = run_toy.stage_book / "01_toy.ipynb"
    assert record["01_toy.ipynb"]["sha256"] == staging.sha256(staged.read_bytes())
    assert confirm.unconfirmed(run_toy) == []

    edit(run_toy.book / "01_toy.py", "n * 2", "id(object()) + os.getpid()")
    staging.refresh(run_toy, ["01"], **silent)
    staging.stage(run_toy, **silent)
    with pytest.raises(BookError, match="could not reproduce"):
        confirm.confirm(run_toy, **silent)
    assert json.loads(run_toy.manifest.read_text()) == record


# ----------------------------------------------------------------- comparison


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("mean 1.0494", "mean 1.0494", "equal"),
        ("mean 1.0494", "mean 1.0495", "last digit"),
        ("mean 1.0494", "mean 1.0496", "different"),
        ("mean 1.999", "mean 2.000", "last digit"),
        ("share 0.901", "share 0.902", "different"),
        ("share 0.9012", "share 0.9013", "last digit"),
        ("n 1234", "n 1235", "different"),
        ("1.2345e-03", "1.2346e-03", "last digit"),
        ("1.2345e-03", "1.2345e-04", "different"),
        ("-1.234 x", "-1.235 y", "different"),
        ("-0.0001", "0.0001", "different"),
    ],
)
def test_line_relation(a, b, relation):
    assert compare.line_relation(a, b) == relation
    assert compare.line_relation(b, a) == relation


def test_comparison_names_the_cell_and_shows_both(run_toy):
    edit(run_toy.book / "01_toy.ipynb", "mean 1.0000", "mean 1.0300")
    with pytest.raises(BookError) as caught:
        compare.compare(run_toy, say=lambda line: None)
    message = str(caught.value)
    assert "01_toy.ipynb cell [2]" in message
    assert "-mean 1.0300" in message
    assert "+mean 1.0000" in message


def test_sanitised_differences_are_none():
    before, after = code_notebook("at 0x7f00aa11bb\n"), code_notebook("at 0x7f0099\n")
    patterns = compare.sanitizers(Layout())
    assert compare.compare_notebooks(before, after, patterns, "x") == ([], 0)
    assert compare.compare_notebooks(before, after, [], "x")[0]


def picture(change=0, size=(40, 30)):
    from PIL import Image

    image = Image.new("RGB", size, "white")
    for x in range(10 + change):
        for y in range(20):
            image.putpixel((x, y), (0, 0, 0))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures_are_compared_by_what_is_seen():
    from PIL import Image

    assert compare.picture_problem(picture(), picture()) == ""
    assert "differs in" in compare.picture_problem(picture(), picture(change=8))
    assert "another size" in compare.picture_problem(picture(), picture(size=(41, 30)))
    blank = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(blank, "PNG")
    assert compare.picture_problem(picture(), blank.getvalue()) == "is blank"


# --------------------------------------------------------------------- pages


def test_page_reads_article_headings_images_and_links():
    page = pages.Page(
        "<html><body><nav><h2>Not this</h2><a href='a.html'>x</a></nav>"
        "<article><h1 id='t'>1. Title<a class='headerlink' href='#t'>¶</a></h1>"
        "<p>Some <b>words</b>\n here</p><script>var x</script>"
        "<img src='i.png' alt='seen'></article><footer>end</footer></body></html>"
    )
    assert page.headings == [(1, "1. Title")]
    assert page.text == "1. Title Some words here"
    assert page.images == [{"src": "i.png", "alt": "seen"}]
    assert page.links == ["a.html", "#t", "i.png"]
    assert page.ids == {"t"}


def test_markdown_headings_skip_code_and_mathematics():
    text = "# One *two*\n\n```bash\n# no heading\n```\n\n## With $x$\n\n### `f` of x\n"
    assert pages.markdown_headings(text) == ["One two", "f of x"]


def test_known_texts_of_a_notebook_skip_hidden_cells(tmp_path):
    nb = code_notebook("first line\nsecond\n", "hidden\n")
    nb.cells[1].metadata["tags"] = ["remove-cell"]
    nb.cells.insert(0, nbformat.v4.new_markdown_cell("# Title"))
    notebooks.write(nb, tmp_path / "n.ipynb")
    assert verify.known_texts(tmp_path / "n.ipynb") == ["Title", "first line"]


@pytest.fixture
def built_toy(run_toy):
    """The toy with a page that Sphinx could have written."""
    (run_toy.root / "_toc.yml").write_text("format: jb-book\nroot: book/01_toy\n")
    sources = run_toy.html / "_sources" / "book"
    sources.mkdir(parents=True)
    shutil.copy(run_toy.stage_book / "01_toy.ipynb", sources)
    (run_toy.html / "book").mkdir()
    page = "<article><h1>1. A toy</h1><pre>n is 3\nmean 1.0000</pre></article>"
    (run_toy.html / "book" / "01_toy.html").write_text(page)
    (run_toy.html / "index.html").write_text("")
    return run_toy


def test_verify_accepts_the_confirmed_file(built_toy):
    said = []
    verify.verify(built_toy, say=said.append)
    assert "1 pages hold 2 known texts" in said[0]


def test_verify_refuses_another_source(built_toy):
    edit(built_toy.html / "_sources/book/01_toy.ipynb", "mean 1.0", "mean 1.1")
    with pytest.raises(BookError, match="not the confirmed notebook"):
        verify.verify(built_toy)


def test_verify_refuses_an_old_page(built_toy):
    edit(built_toy.html / "book" / "01_toy.html", "n is 3", "n is 4")
    with pytest.raises(BookError, match="the page lacks 'n is 3'"):
        verify.verify(built_toy)


def test_verify_refuses_a_chapter_that_nobody_can_find(built_toy):
    shutil.copy(built_toy.book / "01_toy.ipynb", built_toy.book / "02_toy.ipynb")
    with pytest.raises(BookError, match=r"02_toy\.ipynb is not in _toc\.yml"):
        verify.verify(built_toy)


def test_verify_refuses_a_missing_page(built_toy):
    (built_toy.html / "book" / "01_toy.html").unlink()
    with pytest.raises(BookError, match="no page was built"):
        verify.verify(built_toy)


# ------------------------------------------------------------------- variants


def test_variant_runs_with_its_parameters(run_toy):
    given, raw = chapter.read_parameters([["n", "5"]], ["{scale: 2}"], [])
    target = chapter.run_chapter(
        run_toy, "01", given, raw=raw, page=False, say=lambda line: None
    )
    cells = notebooks.read(target).cells
    assert "n is 5\nmean 4.0000" in str(cells[3].outputs[0].text)
    assert target.parent.name == "01_toy--n=5--scale=2.0"
    assert target.is_relative_to(run_toy.variants)


def test_variant_refuses_before_anything_runs(run_toy):
    said = []
    with pytest.raises(BookError, match="unknown parameter: m") as caught:
        chapter.run_chapter(run_toy, "01", {"m": 1, "n": "x"}, say=said.append)
    message = str(caught.value)
    assert "n must be int, got 'x'" in message
    assert "n: int = 3  # how many" in message
    assert said == []
    assert not run_toy.variants.exists()


def test_long_variant_names_stay_short_and_apart():
    a, b = ({"x": list(range(100)), "y": y} for y in (1, 2))
    names = {chapter.variant_name("01", values) for values in (a, b)}
    assert len(names) == 2
    assert max(map(len, names)) < 90
