"""The pair of a chapter: the ``.py`` that people edit, the ``.ipynb`` that runs."""

from __future__ import annotations

import pathlib

import jupytext
import nbformat

from tools.book import notebooks
from tools.book.layout import BookError, Layout

SIZE_CAP = 500_000


# The same text as in pyproject.toml (a test holds them together): written into
# each pair, because filters stored in a notebook win over the configuration.
JUPYTEXT = {
    "formats": "ipynb,py:percent",
    "notebook_metadata_filter": (
        "kernelspec,jupytext,-jupytext.text_representation.jupytext_version"
    ),
    "cell_metadata_filter": "tags,mystnb,-all",
}
KERNEL = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}


def canonical_script(nb) -> str:
    """The text of the percent script of a notebook."""
    return jupytext.writes(nb, fmt="py:percent")


def read_script(path: pathlib.Path):
    """The notebook (without outputs) that a percent script describes."""
    return jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")


def carry_outputs(new, old) -> None:
    """Give `new`'s code cells the outputs of equal cells of `old`, in order."""
    waiting = {}
    for cell in old.cells:
        if cell.cell_type == "code":
            waiting.setdefault(cell.source, []).append(cell)
    for cell in new.cells:
        if cell.cell_type == "code" and waiting.get(cell.source):
            before = waiting[cell.source].pop(0)
            cell["outputs"] = before.outputs
            cell["execution_count"] = before.execution_count


def sync(script: pathlib.Path) -> bool:
    """Write the ``.ipynb`` of a script, and the script in its canonical form.

    The script is the source whatever the file times say: they mean nothing after
    ``git clone``, which is why ``jupytext --sync`` is not used.

    Parameters
    ----------
    script : pathlib.Path
        The percent script.

    Returns
    -------
    bool
        Whether a file was changed.
    """
    target = script.with_suffix(".ipynb")
    nb = read_script(script)
    nb.metadata["kernelspec"] = dict(KERNEL)
    nb.metadata.setdefault("jupytext", {}).update(JUPYTEXT)
    # By way of the text: a stored notebook has its metadata sorted.
    text = canonical_script(nbformat.reads(notebooks.dumps(nb), as_version=4))
    changed = text != script.read_text(encoding="utf-8")
    if changed:
        script.write_text(text, encoding="utf-8")
    nb = read_script(script)
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    if before:
        old = notebooks.read(target)
        carry_outputs(nb, old)
        if "language_info" in old.metadata:
            nb.metadata["language_info"] = old.metadata["language_info"]
    notebooks.normalise(nb)
    if notebooks.dumps(nb) != before:
        notebooks.write(nb, target)
        changed = True
    return changed


def _view(cell):
    """What a pair must share of a cell."""
    return {
        "kind": cell.cell_type,
        "source": cell.source,
        "tags": notebooks.tags(cell),
        "mystnb": cell.metadata.get("mystnb"),
    }


def pair_problems(path: pathlib.Path) -> list[str]:
    """What keeps a notebook from being in step with its script, in words.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.

    Returns
    -------
    list of str
        Empty if the pair is in step.
    """
    script = path.with_suffix(".py")
    if not script.exists():
        return [f"{path.name} has no {script.name} beside it"]
    have, want = notebooks.read(path).cells, read_script(script).cells
    for number, (a, b) in enumerate(zip(have, want, strict=False), start=1):
        left, right = _view(a), _view(b)
        for key, value in left.items():
            if value != right[key]:
                return [
                    f"{path.name} cell {number}: {key} differs from {script.name}:"
                    f" {_short(value)} / {_short(right[key])}"
                ]
    if len(have) != len(want):
        return [f"{path.name} has {len(have)} cells, {script.name} has {len(want)}"]
    if canonical_script(notebooks.read(path)) != script.read_text("utf-8"):
        return [f"{script.name} is not in canonical form (header or cell markers)"]
    return []


def _short(value, width=60) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def run_problems(path: pathlib.Path) -> list[str]:
    """What shows that a notebook was not run from top to bottom without errors."""
    nb = notebooks.read(path)
    cells = notebooks.code_cells(nb)
    counts = [cell.execution_count for cell in cells]
    found = []
    if counts != list(range(1, len(cells) + 1)):
        first = next(
            i for i, c in enumerate([*counts, None]) if c != i + 1 or i == len(counts)
        )
        found.append(
            f"{path.name}: code cell {first + 1} was not run in order"
            f" (its count is {counts[first]})"
        )
    for number, cell in enumerate(cells, start=1):
        for out in cell.outputs:
            if out.output_type == "error":
                found.append(f"{path.name}: code cell {number} raised {out.ename}")
    return found


def form_problems(path: pathlib.Path) -> list[str]:
    """What shows that a notebook was not normalised, or is too large."""
    text = path.read_text(encoding="utf-8")
    found = []
    if notebooks.dumps(notebooks.normalise(notebooks.read(path))) != text:
        found.append(f"{path.name} is not normalised")
    size = len(text.encode())
    if size > SIZE_CAP:
        found.append(f"{path.name} has {size:,} bytes; the cap is {SIZE_CAP:,}")
    return found


def check(layout: Layout) -> list[str]:
    """All problems of all pairs.

    Raises
    ------
    BookError
        If there are any; the message lists them and names the cure.
    """
    found = [
        f"{script.name} has no notebook"
        for script in layout.sources()
        if not script.with_suffix(".ipynb").exists()
    ]
    for path in layout.notebooks():
        found += pair_problems(path) + run_problems(path) + form_problems(path)
    if found:
        cure = "run `make refresh` (or `make refresh CH=NN`) and look at the diff"
        raise BookError("\n".join([*found, cure]))
    return [path.name for path in layout.notebooks()]
