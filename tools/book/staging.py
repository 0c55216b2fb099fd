"""Execute the committed notebooks into the tree that is confirmed and rendered."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
import sys

from tools.book import execute, pairs
from tools.book.layout import Layout

_IGNORED = shutil.ignore_patterns(
    "*.ipynb", ".ipynb_checkpoints", "__pycache__", ".*", "*.checkpoint"
)


def sha256(data: bytes) -> str:
    """The hash by which files are compared."""
    return hashlib.sha256(data).hexdigest()


def _files(folder: pathlib.Path, *endings: str) -> list[pathlib.Path]:
    """The files below a folder that end so, hidden ones and folders left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in endings
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def library_digest(layout: Layout) -> str:
    """One hash of all that a chapter's outputs can depend on besides its cells.

    The library, the stored data, the lock, Python's version and the two modules of
    the driver that run a notebook. By content, not by file time: a fresh clone or
    a touched file runs nothing again.
    """
    h = hashlib.sha256(sys.version.encode())
    files = _files(layout.root / "src", ".py")
    files += _files(layout.root / "data", ".csv", ".json", ".md", ".txt", ".parquet")
    files += [layout.root / "requirements.lock"]
    here = pathlib.Path(__file__).parent
    files += [here / "execute.py", here / "notebooks.py", here / "environment.py"]
    for path in files:
        if path.exists():
            h.update(f"{path.name} {path.stat().st_size} ".encode())
            h.update(path.read_bytes())
    return h.hexdigest()


def load_record(path: pathlib.Path) -> dict:
    """A JSON record of the driver, or an empty one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def save_record(path: pathlib.Path, record: dict) -> None:
    """Write a JSON record of the driver."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8")


def _stale(layout: Layout, sources: list, made_from: dict, record: dict) -> list:
    """The sources whose staged notebook is missing, edited, or from other inputs."""
    stale = []
    for path in sources:
        staged = layout.stage_book / path.name
        entry = record.get(path.name, {})
        fresh = (
            staged.exists()
            and entry.get("inputs") == made_from[path.name]
            and entry.get("sha256") == sha256(staged.read_bytes())
        )
        if not fresh:
            stale.append(path)
    return stale


def _run_stale(layout: Layout, sources: list, made_from: dict, say) -> dict:
    """Execute what is stale among `sources`; return the record of all of them."""
    record = load_record(layout.staged_record)
    stale = _stale(layout, sources, made_from, record)
    runs = [
        execute.Run(p, layout.stage_book / p.name, layout.stage_book) for p in stale
    ]
    for run in runs:  # a run that fails must not leave older outputs in its place
        run.target.unlink(missing_ok=True)
    try:
        execute.execute(layout, runs, say=say)
    finally:
        for path in stale:
            staged = layout.stage_book / path.name
            if staged.exists():
                record[path.name] = {
                    "inputs": made_from[path.name],
                    "sha256": sha256(staged.read_bytes()),
                }
        save_record(layout.staged_record, record)
    return record


def stage(layout: Layout, *, say=print) -> None:
    """Execute every notebook whose inputs changed; the ledger after the chapters.

    Parameters
    ----------
    layout : Layout
        The checkout.
    say : callable
        Takes the progress lines.

    Raises
    ------
    BookError
        If a pair is out of step, or a notebook fails.
    """
    pairs.check(layout)
    layout.stage_book.mkdir(parents=True, exist_ok=True)
    wanted = {p.name for p in layout.notebooks()}
    for path in layout.stage_book.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    library = library_digest(layout)
    made_from = {
        p.name: sha256(library.encode() + p.read_bytes()) for p in layout.chapters()
    }
    record = _run_stale(layout, layout.chapters(), made_from, say)
    chapters = "".join(record[p.name]["sha256"] for p in layout.chapters())
    for path in layout.ledger():
        made_from[path.name] = sha256((library + chapters).encode() + path.read_bytes())
    record = _run_stale(layout, layout.ledger(), made_from, say)
    say(f"staged: {len(wanted)} notebooks")


def copy_pages(layout: Layout) -> None:
    """Bring everything but the notebooks into the staged tree.

    Executed notebooks that lie there stay; the committed ones are never copied.
    """
    fresh = layout.stage.with_name("stage.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(layout.book, fresh / "book", ignore=_IGNORED)
    if (layout.root / "data").exists():
        shutil.copytree(layout.root / "data", fresh / "data", ignore=_IGNORED)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(layout.root / name, fresh / name)
    for path in layout.stage_book.glob("*.ipynb"):
        shutil.copy(path, fresh / "book" / path.name)
    shutil.rmtree(layout.stage, ignore_errors=True)
    fresh.rename(layout.stage)


def refresh(layout: Layout, names: list[str], *, say=print) -> None:
    """Make the committed notebooks anew: sync, execute, normalise, in place.

    Parameters
    ----------
    layout : Layout
        The checkout.
    names : list of str
        Prefixes of chapters; all of them if empty. The ledger is run after them,
        because it reads what they record.
    say : callable
        Takes the progress lines.
    """
    chosen = list(dict.fromkeys(layout.find(name) for name in names))
    if not names:
        chosen = [script.with_suffix(".ipynb") for script in layout.sources()]
    for path in dict.fromkeys([*chosen, *layout.ledger()]):
        pairs.sync(path.with_suffix(".py"))
    ledger = layout.ledger()
    for group in ([p for p in chosen if p not in ledger], ledger):
        runs = [execute.Run(path, path, layout.book) for path in group]
        execute.execute(layout, runs, say=say)
