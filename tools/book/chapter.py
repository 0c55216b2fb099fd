"""Run one chapter with other parameters, and make an HTML page of it alone."""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
import shutil

import yaml

from notebook_lib import params
from tools.book import execute, parameters
from tools.book.layout import BookError, Layout
from tools.book.render import jupyter_book

_NAME_CAP = 60


def variant_name(chapter: str, values: dict) -> str:
    """A folder name that tells two runs apart and can be read.

    Parameters
    ----------
    chapter : str
        The chapter's name.
    values : dict
        The parameters that were set.
    """
    if not values:
        return f"{chapter}--defaults"
    text = "--".join(f"{k}={json.dumps(v)}" for k, v in sorted(values.items()))
    text = re.sub(r"[^\w.=-]+", "_", text).strip("_")
    if len(text) > _NAME_CAP:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        text = f"{text[:_NAME_CAP]}-{digest}"
    return f"{chapter}--{text}"


def read_parameters(
    pairs: list[list[str]], yaml_texts: list[str], files: list[str]
) -> tuple[dict, set[str]]:
    """Collect ``-f``, ``-y`` and ``-p``; the later kind wins, as with papermill.

    Returns
    -------
    given : dict
        Names and values.
    raw : set of str
        The names given by ``-p``, whose values are still text.
    """
    given: dict = {}
    texts = [pathlib.Path(f).read_text(encoding="utf-8") for f in files] + yaml_texts
    for text in texts:
        try:
            values = yaml.safe_load(text) or {}
        except yaml.YAMLError as exc:
            raise BookError(f"not YAML: {text!r} ({exc})") from exc
        if not isinstance(values, dict):
            raise BookError(f"parameters must be a mapping, got {text!r}")
        given.update(values)
    given.update({name: value for name, value in pairs})
    return given, {name for name, _ in pairs}


def _single_page_tree(layout: Layout, folder: pathlib.Path, notebook: pathlib.Path):
    """A tree whose only page is the notebook, with the book's configuration."""
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    (source / "book").mkdir(parents=True)
    shutil.copy(notebook, source / "book" / notebook.name)
    for name in ("references.bib", "_static"):
        path = layout.book / name
        if path.is_dir():
            shutil.copytree(path, source / "book" / name)
        elif path.exists():
            shutil.copy(path, source / "book" / name)
    script = layout.book / f"{notebook.stem}.py"
    if script.exists():
        shutil.copy(script, source / "book" / script.name)
    shutil.copy(layout.root / "_config.yml", source / "_config.yml")
    toc = {"format": "jb-book", "root": f"book/{notebook.stem}"}
    (source / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    return source


def page_of(layout: Layout, folder: pathlib.Path, notebook: pathlib.Path):
    """Render one notebook as a page; return the page.

    The book's own configuration makes it, so theorems, citations and figures look
    as in the book and MathJax is local; links to other chapters are plain words.
    """
    source = _single_page_tree(layout, folder, notebook)
    work, output = folder / "work", folder / "html"
    shutil.rmtree(output, ignore_errors=True)
    jupyter_book(layout, source, work)
    (work / "_build" / "html").rename(output)
    shutil.rmtree(work)
    shutil.rmtree(source)
    return output / "book" / f"{notebook.stem}.html"


def run_chapter(
    layout: Layout,
    name: str,
    given: dict,
    *,
    raw=(),
    output: pathlib.Path | None = None,
    page: bool = True,
    say=print,
) -> pathlib.Path:
    """Run one chapter with other parameters into ``_build/variants``.

    Parameters
    ----------
    layout : Layout
        The checkout.
    name : str
        A unique prefix of the chapter's name.
    given : dict
        Parameters; checked before anything runs.
    raw : collection of str
        Names in `given` whose values are text from a command line.
    output : pathlib.Path, optional
        Another folder for the result.
    page : bool
        Whether to make the HTML page.
    say : callable
        Takes the progress lines.

    Returns
    -------
    pathlib.Path
        The executed notebook.

    Raises
    ------
    BookError
        If a parameter does not fit, or a cell fails; then the notebook up to that
        cell lies in ``_build/runs``.
    """
    source = layout.find(name)
    if not source.exists():
        raise BookError(f"{source.name} does not exist: run `make refresh`")
    values = parameters.check(given, params.describe(source), raw=raw)
    folder = output or layout.variants / variant_name(source.stem, values)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.name
    target.unlink(missing_ok=True)
    run = execute.Run(source, target, layout.book, values)
    execute.execute(layout, [run], say=say)
    say(f"  notebook: {target}")
    if page:
        say(f"  page:     {page_of(layout, folder, target)}")
    return target
