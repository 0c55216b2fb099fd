"""Write a report: a notebook, a page, and the sets as a CSV file."""

from __future__ import annotations

import os
from pathlib import Path

from .._validation import check_alpha
from .gaps import describe_gaps
from .notebook import build_notebook, check_extra, execute_notebook
from .page import render_page
from .predict import OUTCOME_METHODS
from .reading import EXAMPLE_TARGET, read_table
from .recommend import recommend

__all__ = ["write_report"]


def write_report(
    source=None,
    target=None,
    *,
    output,
    alpha=0.1,
    method="auto",
    new=None,
    model="auto",
    seed=0,
    **reading,
):
    """Write ``report.ipynb``, ``report.html`` and ``intervals.csv`` into a folder.

    Parameters
    ----------
    source : path, optional
        CSV file; the bundled example if not given.
    target : str, optional
        Column to predict; needed with `source`.
    output : path
        Folder, made if absent. The same input gives the same bytes.
    alpha : float or sequence of float
        Miscoverage level(s).
    method, model, seed
        As in :func:`predict_gaps`.
    new : path, optional
        CSV file of new rows.
    **reading
        As in :func:`read_table`: ``drop``, ``keep``, ``ordinal``,
        ``missing_values``, ``separator``, ``task``.

    Returns
    -------
    dict of str to pathlib.Path
        ``notebook``, ``page``, ``intervals``.

    Raises
    ------
    ImportError
        If the extra ``report`` is not installed; nothing is done then.
    ValueError
        If the table, the target or the method cannot be used; nothing is written
        then.
    """
    check_extra()
    if source is None and target is None:
        target = EXAMPLE_TARGET
    if target is None:
        raise ValueError(
            "target must name the column to predict: give target= (--target on the "
            "command line)"
        )
    levels = tuple(float(level) for level in check_alpha(alpha))
    reading = {key: value for key, value in reading.items() if value}
    table = read_table(source, target, **reading)
    choice = recommend(table, alpha=levels, gaps=describe_gaps(table), method=method)
    if choice.method == "matrix":
        raise ValueError(
            "the table looks like a matrix of ratings: see chapter 2 and "
            "notebook_lib.matrix.StructuredConformalCompletion, or name a method "
            "(--method imputed) to go on row by row"
        )
    if new is not None:
        table.covariates(new)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    name = "the bundled example" if source is None else Path(source).name
    title = f"Sets for {target!r} in {name}"
    options = {
        "alpha": levels[0] if len(levels) == 1 else levels,
        "method": method,
        "new": _relative(new, folder),
        "model": model,
        "seed": seed,
        "reading": reading,
    }
    book = build_notebook(
        _relative(source, folder),
        target,
        choice,
        options=options,
        held_out=choice.method not in OUTCOME_METHODS,
        labels=table.task == "classification",
        title=title,
    )
    return _write(execute_notebook(book, folder), folder, title)


def _relative(path, folder):
    """A path as seen from the folder: the notebook names no machine."""
    if path is None:
        return None
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(path).resolve().as_posix()


def _write(book, folder, title):
    import nbformat

    paths = {
        "notebook": folder / "report.ipynb",
        "page": folder / "report.html",
        "intervals": folder / "intervals.csv",
    }
    paths["notebook"].write_text(nbformat.writes(book) + "\n", encoding="utf-8")
    paths["page"].write_text(render_page(book, title), encoding="utf-8")
    return paths
