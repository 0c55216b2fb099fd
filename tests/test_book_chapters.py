"""Each chapter: in step, run, in the shape that the book promises, and usable."""

import statistics

import nbclient
import nbformat
import pytest
import yaml

from notebook_lib._kernels import with_starts
from notebook_lib.params import describe
from tools.book import chapter, notebooks, pairs, parameters
from tools.book.layout import Layout

LAYOUT = Layout()
NOTEBOOKS = LAYOUT.notebooks()
CHAPTERS = LAYOUT.chapters()

CELLS = (12, 25)
MEDIAN_LINES = 8
LONGEST = 25
WIDEST = 88  # what a code cell shows without scrolling, as in pyproject.toml
N_SETTINGS = 3
HIDDEN = {"remove-cell", "remove-input", "hide-cell", "hide-input"}

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)


def lines_of(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def body_cells(nb):
    """The code cells outside the folded solutions of exercises."""
    found, inside = [], False
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            if "{solution-start}" in cell.source:
                inside = True
            if "{solution-end}" in cell.source:
                inside = False
        elif cell.source.strip() and not inside:
            found.append(cell)
    return found


def shown(output):
    """Whether a rich output appears on the page; glued values do not."""
    return not all(m.startswith("application/papermill") for m in output.data)


def tagged(path, tag):
    cells = notebooks.code_cells(notebooks.read(path))
    return [c for c in cells if tag in notebooks.tags(c)]


# -------------------------------------------------------------------- pairs


def test_every_script_has_its_notebook():
    assert [p.with_suffix(".ipynb") for p in LAYOUT.sources()] == NOTEBOOKS


@each_notebook
def test_pair_is_in_step(path):
    assert pairs.pair_problems(path) == []


@each_notebook
def test_run_from_top_to_bottom_without_errors(path):
    assert pairs.run_problems(path) == []


@each_notebook
def test_normal_form_and_size(path):
    assert pairs.form_problems(path) == []


# -------------------------------------------------------------------- shape


@each_chapter
def test_number_and_length_of_code_cells(path):
    nb = notebooks.read(path)
    cells = notebooks.code_cells(nb)
    shown = [c for c in body_cells(nb) if not HIDDEN & set(notebooks.tags(c))]
    lengths = [len(lines_of(c)) for c in shown]
    assert CELLS[0] <= len(shown) <= CELLS[1]
    assert statistics.median(lengths) <= MEDIAN_LINES
    longest = max(len(lines_of(c)) for c in cells)
    assert longest <= LONGEST


@each_notebook
def test_no_line_of_code_scrolls(path):
    """Strings too, which `ruff format` does not split."""
    cells = notebooks.code_cells(notebooks.read(path))
    lines = [line for cell in cells for line in cell.source.splitlines()]
    assert [line for line in lines if len(line) > WIDEST] == []


@each_notebook
def test_figures_have_a_name_a_caption_and_words(path):
    lacking = []
    for cell in notebooks.code_cells(notebooks.read(path)):
        pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        myst = cell.metadata.get("mystnb", {})
        figure, image = myst.get("figure", {}), myst.get("image", {})
        whole = figure.get("name") and figure.get("caption") and image.get("alt")
        # myst-nb makes a figure of every rich output of such a cell: a verdict in it
        # would get the figure's name a second time.
        rich = [o for o in cell.outputs if o.output_type != "stream" and shown(o)]
        if (pictures or figure) and not (whole and len(rich) == 1):
            lacking.append((cell.execution_count, len(rich)))
    assert lacking == []


@each_notebook
def test_nothing_that_runs_differently_elsewhere(path):
    """A trailing semicolon hides an output in IPython and shows it in nbval."""
    found = []
    for cell in notebooks.code_cells(notebooks.read(path)):
        if cell.source.rstrip().endswith(";"):
            found.append(f"[{cell.execution_count}] ends with a semicolon")
        if any(o.get("name") == "stderr" for o in cell.outputs):
            found.append(f"[{cell.execution_count}] writes to stderr")
    assert found == []


@each_chapter
def test_one_typed_and_commented_parameters_cell(path):
    (cell,) = tagged(path, "parameters")
    known = describe(cell.source)
    assert known
    assert [p.name for p in known if not (p.annotation and p.help)] == []


@each_chapter
def test_papermill_documents_the_same_parameters(path):
    """`papermill --help-notebook` shows what the chapter offers."""
    import papermill

    shown = papermill.inspect_notebook(str(path))
    known = {p.name: p for p in describe(path)}
    assert set(shown) == set(known)
    for name, entry in shown.items():
        assert entry["inferred_type_name"].replace(" ", "") == (
            known[name].annotation.replace(" ", "")
        )
        assert entry["help"] == known[name].help


# ------------------------------------------------------------ other settings


def settings():
    """The sets of other parameters: ``book/params/<chapter>.<name>.yml``."""
    return [
        pytest.param(path, given, id=given.name.removesuffix(".yml"))
        for path in CHAPTERS
        for given in sorted((LAYOUT.book / "params").glob(f"{path.stem}.*.yml"))
    ]


def read_settings(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@each_chapter
def test_three_sets_of_other_parameters(path):
    """Not the defaults, and not one another: another level and seed each."""
    default = {p.name: p.value for p in describe(path)}
    sets = [read_settings(p.values[1]) for p in settings() if p.values[0] == path]
    assert len(sets) >= N_SETTINGS
    for name in ("alpha", "seed"):
        values = [default[name], *(given[name] for given in sets)]
        assert len(set(values)) == len(values), f"{name}: {values}"
    for given in sets:
        parameters.check(given, describe(path))
        same = [name for name, value in given.items() if value == default[name]]
        assert same == [], "values of the defaults say nothing"


@pytest.mark.parametrize(("path", "file"), settings())
def test_chapter_runs_with_other_parameters(path, file, tmp_path):
    given = read_settings(file)
    target = chapter.run_chapter(
        LAYOUT, path.stem, given, output=tmp_path, page=False, say=print
    )
    cells = notebooks.code_cells(notebooks.read(target))
    assert all(c.execution_count for c in cells)
    (injected,) = tagged(target, "injected-parameters")
    assert all(f"{name} = " in injected.source for name in given)


# ------------------------------------------------------------------ copy this


def copy_cells():
    found = []
    for path in CHAPTERS:
        for number, cell in enumerate(tagged(path, "copy-me"), start=1):
            found.append(pytest.param(cell.source, id=f"{path.stem}-{number}"))
    return found


@each_chapter
def test_there_is_a_cell_to_copy(path):
    cells = tagged(path, "copy-me")
    assert cells
    assert max(len(c.source.splitlines()) for c in cells) <= LONGEST


@pytest.mark.parametrize("source", copy_cells())
def test_cell_to_copy_runs_alone(source, tmp_path, monkeypatch):
    """In a fresh kernel, in an empty folder, knowing nothing of the checkout."""
    monkeypatch.delenv("NOTEBOOK_LIB_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = nbclient.NotebookClient(
        nb,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    with_starts(client.execute)
    assert nb.cells[0].outputs, "the cell shows nothing: print what it found"
    assert list(tmp_path.iterdir()) == []
