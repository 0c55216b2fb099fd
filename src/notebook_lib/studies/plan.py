"""What is stored, what is due, and what it will cost."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from notebook_lib.studies.checkpoint import Checkpoints
from notebook_lib.studies.runner import clock
from notebook_lib.studies.store import results_folder
from notebook_lib.studies.study import Study

SAME, PROVED, CHANGED, UNKNOWN = "same", "no effect", "changed", "other Python"


@dataclass(frozen=True)
class State:
    """A study beside its stored result.

    Parameters
    ----------
    study : Study
        As the code has it now.
    manifest : dict or None
        Of the stored result; None if there is none.
    """

    study: Study
    manifest: dict | None

    @property
    def stored(self) -> int:
        """Stored replicates of each scenario."""
        return int((self.manifest or {}).get("n_replicates") or 0)

    @property
    def complete(self) -> bool:
        """Whether the result holds the study's own number of replicates."""
        return self.stored >= self.study.n_replicates

    @property
    def code(self) -> str:
        """Whether the code is the one that ran, or gave the same bytes since.

        ``same``; ``no effect`` where the manifest tells why a later change of the
        code cannot change the numbers; ``changed``; or ``other Python`` where that
        cannot be told: the key is taken from source as Python itself writes it,
        which differs between its versions.
        """
        if self.manifest is None:
            return ""
        verified = self.manifest.get("verified", {}).get("key")
        if self.study.key in (self.manifest["key"], verified):
            return SAME
        if self.study.key == self.manifest.get("unaffected", {}).get("key"):
            return PROVED
        there = self.manifest.get("python", platform.python_version())
        return CHANGED if _minor(there) == _minor() else UNKNOWN

    @property
    def due(self) -> bool:
        """Whether it is missing, incomplete or older than the code."""
        return self.manifest is None or not self.complete or self.code == CHANGED

    @property
    def word(self) -> str:
        """One short text for a list."""
        if self.manifest is None:
            return "not run"
        parts = [self.manifest["date"]]
        if not self.complete:
            parts.append(f"{self.stored} of {self.study.n_replicates}")
        if self.code not in (SAME, PROVED):
            parts.append("code since" if self.code == CHANGED else self.code)
        return ", ".join(parts)


def _minor(version: str | None = None) -> tuple[str, ...]:
    return tuple((version or platform.python_version()).split(".")[:2])


def state(study: Study, folder: str | Path | None = None) -> State:
    """Compare a study with its stored result.

    Parameters
    ----------
    study : Study
        Any study.
    folder : str or Path, optional
        ``data/results`` of the checkout by default.
    """
    folder = results_folder() if folder is None else Path(folder)
    path = folder / f"{study.name}.json"
    if not (path.is_file() and path.with_suffix(".csv").is_file()):
        return State(study, None)
    return State(study, json.loads(path.read_text(encoding="utf-8")))


def seconds(manifest: dict) -> float:
    """Seconds of all workers together; -1 workers count as one."""
    return manifest.get("wall_seconds", 0.0) * max(1, manifest.get("n_jobs", 1))


def cost(now: State, checkpoints: str | Path | None = None) -> float | None:
    """Estimate the seconds that the rest of a study takes in one process.

    Parameters
    ----------
    now : State
        Its stored result tells the seconds a replicate took.
    checkpoints : str or Path, optional
        Replicates found there are done.

    Returns
    -------
    float or None
        None if the study was never stored: there is nothing to go by.
    """
    if now.manifest is None:
        return None
    ran = now.stored * len(now.manifest["scenarios"])
    planned = now.study.n_replicates * len(now.study.scenarios)
    done, _ = Checkpoints(now.study, checkpoints).read()
    left = max(0, planned - len(done))
    return seconds(now.manifest) / max(1, ran) * left


def announce(
    chosen: list[State], jobs: int = 1, checkpoints: str | Path | None = None
) -> str:
    """Say in one line what running some studies will cost.

    Parameters
    ----------
    chosen : list of State
        The studies that will run.
    jobs : int
        Worker processes; -1 is every core.
    checkpoints : str or Path, optional
        As in :func:`cost`.
    """
    costs = [cost(now, checkpoints) for now in chosen]
    known = [c for c in costs if c is not None]
    workers = (os.cpu_count() or 1) if jobs < 0 else jobs
    many = "study" if len(chosen) == 1 else "studies"
    crew = "one process" if workers == 1 else f"{workers} processes"
    line = f"{len(chosen)} {many} to run, about {clock(sum(known) / workers)} on {crew}"
    if len(known) < len(costs):
        line += f"; {len(costs) - len(known)} of them never ran, their cost is unknown"
    return line
