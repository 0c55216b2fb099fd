"""Read, write and normalise notebooks, so that a rerun leaves no diff."""

from __future__ import annotations

import base64
import io
import os
import pathlib
import tempfile

import nbformat

# What papermill and nbclient write about a run: times and paths, never content.
_COLOURS = 128
_CELL_NOISE = ("papermill", "execution", "ExecuteTime", "collapsed")


def normalise(nb):
    """Drop what differs between two runs of the same cells.

    Execution counts stay: nbval refuses outputs without them, and they are the
    proof that no cell was left out.

    Parameters
    ----------
    nb : nbformat.NotebookNode
        Changed in place.

    Returns
    -------
    nbformat.NotebookNode
        The same notebook.
    """
    nb.metadata.pop("papermill", None)
    nb.metadata.pop("widgets", None)
    nb.metadata.get("language_info", {}).pop("version", None)
    nb.nbformat, nb.nbformat_minor = 4, max(5, nb.nbformat_minor)
    for number, cell in enumerate(nb.cells):
        cell["id"] = f"cell-{number:03d}"
        for key in _CELL_NOISE:
            cell.metadata.pop(key, None)
        if cell.metadata.get("tags") == []:
            del cell.metadata["tags"]
        if cell.cell_type == "code":
            cell["outputs"] = merge_streams(cell.outputs)
            for out in cell["outputs"]:
                png = out.get("data", {}).get("image/png")
                if png:
                    out["data"]["image/png"] = shrink_png(png)
    return nb


def shrink_png(text: str) -> str:
    """A chart with a palette of its own: a quarter of the bytes, the same to the eye.

    Ten figures as matplotlib writes them make a notebook of more than a megabyte,
    and git keeps every version. A picture that has a palette is left as it is, so
    the form is stable.

    Parameters
    ----------
    text : str
        A PNG file in base64.

    Returns
    -------
    str
        A PNG file in base64.
    """
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(text)))
    if image.mode == "P":
        return text
    small = image.convert("RGB").quantize(
        _COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii") + "\n"


def merge_streams(outputs):
    """Join neighbouring pieces of one stream: where they part is a matter of time."""
    merged = []
    for out in outputs:
        last = merged[-1] if merged else None
        if (
            last is not None
            and out.output_type == "stream"
            and last.output_type == "stream"
            and last.name == out.name
        ):
            last["text"] = last["text"] + out["text"]
        else:
            merged.append(out)
    return merged


def read(path: pathlib.Path):
    """Read a notebook as format version 4."""
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def dumps(nb) -> str:
    """The one text of a notebook: sorted keys, one newline at the end."""
    return nbformat.writes(nb).rstrip("\n") + "\n"


def write(nb, path: pathlib.Path) -> None:
    """Write a notebook in one step, so that a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(dumps(nb))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


def code_cells(nb) -> list:
    """The code cells that hold something."""
    return [c for c in nb.cells if c.cell_type == "code" and c.source.strip()]


def tags(cell) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))
