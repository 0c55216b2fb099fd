"""Checkpoints: finished replicates on disk, whole files or none."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

from notebook_lib import _checkout
from notebook_lib.studies.study import Study

Task = tuple[int, int]


class Checkpoints:
    """The finished replicates of one study, one file a batch.

    A file is written under another name and then renamed, so that a killed run
    leaves whole files only. Rows are JSON: floats come back bit for bit.

    Parameters
    ----------
    study : Study
        Its :attr:`~Study.key` names the folder.
    folder : str or Path, optional
        Parent folder; by default ``_build/checkpoints`` of the checkout, or of
        the working folder outside one.
    """

    def __init__(self, study: Study, folder: str | Path | None = None):
        if folder is None:
            base = _checkout.find_root() or Path.cwd()
            folder = base / "_build" / "checkpoints"
        self.folder = Path(folder) / study.name / study.key

    def read(self) -> tuple[dict[Task, list[dict]], float]:
        """Return the rows of every finished replicate, and the seconds they took.

        A file that cannot be read counts as not there.
        """
        done: dict[Task, list[dict]] = {}
        seconds = 0.0
        for path in sorted(self.folder.glob("done-*.json")):
            try:
                batch = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:  # damaged on disk: those replicates run again
                continue
            seconds += batch["seconds"]
            for scenario, replicate, rows in batch["results"]:
                done[scenario, replicate] = rows
        return done, seconds

    def write(self, results: list[tuple[Task, list[dict]]], seconds: float) -> None:
        """Store a batch of finished replicates, and the wall time since the last."""
        self.folder.mkdir(parents=True, exist_ok=True)
        batch = {
            "seconds": round(seconds, 3),
            "results": [[*task, rows] for task, rows in results],
        }
        first = results[0][0]
        name = f"done-{first[0]:05d}-{first[1]:07d}-{uuid.uuid4().hex[:8]}.json"
        partial = self.folder / (name + ".part")
        with partial.open("w", encoding="utf-8") as out:
            json.dump(batch, out)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(self.folder / name)

    def clear(self) -> None:
        """Remove the checkpoints of this study and version."""
        shutil.rmtree(self.folder, ignore_errors=True)


def clear_checkpoints(study: Study, folder: str | Path | None = None) -> None:
    """Remove the checkpoints of a study once its result is stored.

    Parameters
    ----------
    study : Study
        As given to :func:`run`.
    folder : str or Path, optional
        The ``checkpoint_dir`` that was given to :func:`run`.
    """
    Checkpoints(study, folder).clear()
