"""Run a stored study again and compare the bytes."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from notebook_lib.studies.checkpoint import clear_checkpoints
from notebook_lib.studies.runner import run
from notebook_lib.studies.store import (
    load,
    results_folder,
    to_csv,
    write_manifest,
)
from notebook_lib.studies.study import Study


def stored_frame(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what is stored of the rows of :func:`notebook_lib.studies.run`.

    Parameters
    ----------
    study : Study
        Its ``summarise`` is applied, if it has one.
    frame : DataFrame
        Rows of a run.

    Raises
    ------
    RuntimeError
        If every replicate failed: there is nothing to store, and an earlier
        result must not be lost.
    """
    if (frame["error"] != "").all():
        raise RuntimeError(
            f"every replicate of {study.name} failed, nothing is stored: "
            f"{frame['error'].iloc[0]}"
        )
    kept = frame if study.summarise is None else study.summarise(frame)
    kept.attrs = dict(frame.attrs)
    return kept


def verify(
    study: Study, *, folder: str | Path | None = None, stamp: bool = False, **options
) -> tuple[bool, str]:
    """Run a study as often as its stored result did, and compare the bytes.

    No result is stored. A run that was killed resumes, as :func:`run` does.

    Parameters
    ----------
    study : Study
        One with a stored result.
    folder : str or Path, optional
        ``data/results`` of the checkout by default.
    stamp : bool
        Note in the manifest that the code as it is now gave the same bytes, and
        when: then the result no longer counts as older than the code.
    **options
        Passed on to :func:`run`: ``n_jobs``, ``backend``, ``checkpoint_dir``.

    Returns
    -------
    same : bool
        Whether the CSV comes out with the stored sha256.
    words : str
        Says so, or where the first difference is, how large the largest, and what
        the manifest notes (say, data that are not shipped).

    Raises
    ------
    FileNotFoundError
        If the study was never stored.
    """
    _, manifest = load(study.name, folder=folder)
    count = manifest.get("n_replicates")
    frame = run(study, n_replicates=count, keep=True, **options)
    text = to_csv(stored_frame(study, frame))
    clear_checkpoints(study, options.get("checkpoint_dir"))
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    folder = results_folder() if folder is None else Path(folder)
    if digest == manifest["sha256"]:
        if stamp:
            today = datetime.date.today().isoformat()
            manifest["verified"] = {"key": study.key, "date": today}
            write_manifest(folder / f"{study.name}.json", manifest)
        return True, f"{study.name}: the same bytes, sha256 {digest[:16]}"
    before = (folder / f"{study.name}.csv").read_text(encoding="utf-8")
    words = f"{study.name}: {_difference(before, text)}"
    note = manifest.get("note")
    return False, f"{words}. Its manifest notes: {note}" if note else words


def _difference(before: str, after: str) -> str:
    """Name the first line that differs and the largest relative difference."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) != len(new):
        return f"{len(new)} lines in place of {len(old)}"
    pairs = list(zip(old, new, strict=True))
    found = [k for k, (a, b) in enumerate(pairs) if a != b]
    largest = max((_relative(*pairs[k]) for k in found), default=0.0)
    first = f", the first is line {found[0] + 1}" if found else ""
    return (
        f"{len(found)} of {len(old)} lines differ{first}; "
        f"numbers differ by up to {largest:.2g} of their size"
    )


def _relative(a: str, b: str) -> float:
    """The largest relative difference of the numbers in two lines."""
    largest = 0.0
    for x, y in zip(a.split(","), b.split(","), strict=False):
        try:
            x, y = float(x), float(y)
        except ValueError:
            continue
        if x != y:
            size = max(abs(x), abs(y))
            largest = max(largest, abs(x - y) / size if np.isfinite(size) else np.inf)
    return largest
