"""Run a study: spread replicates, show progress, survive a kill."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import pandas as pd

from notebook_lib.studies.checkpoint import Checkpoints, Task
from notebook_lib.studies.study import RESERVED, Study, plain

_SECONDS_BETWEEN_LINES = 5.0


def run(
    study: Study,
    *,
    n_replicates: int | None = None,
    n_jobs: int = 1,
    batch: int | None = None,
    backend: str = "loky",
    checkpoint_dir: str | Path | None = None,
    resume: bool = True,
    keep: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Run a study and return its tidy rows.

    Parameters
    ----------
    study : Study
        What to run.
    n_replicates : int, optional
        Replicates per scenario; the study's own number by default.
    n_jobs : int
        Worker processes; 1 runs in this one, -1 uses every core. With ``dask``
        the cluster decides.
    batch : int, optional
        Replicates handed to a worker at a time, and written to a checkpoint
        together. By default about 50 batches, at most 50 replicates each.
    backend : {"loky", "dask"}
        ``loky`` on one machine; ``dask`` on the cluster of the active
        ``dask.distributed.Client`` (extra ``cluster``).
    checkpoint_dir : str or Path, optional
        Where finished batches go; ``_build/checkpoints`` by default.
    resume : bool
        Take up finished replicates of an earlier run that was killed.
    keep : bool
        Keep the checkpoints after a complete run.
    progress : bool
        Lines on standard error with the time left.

    Returns
    -------
    DataFrame
        Columns: ``scenario`` (index into the grid), the scenario's columns,
        ``replicate``, what the replicate returned, ``error``. A replicate that
        raised is one row with its reason in ``error``; elsewhere it is "". Rows
        are in the order of the grid whatever the workers did. ``attrs["run"]``
        holds wall time and counts for the manifest.

    Notes
    -----
    The rows do not depend on ``n_jobs``, ``batch``, ``backend`` or on how often
    the run was interrupted: each replicate has its own child seed, see
    :class:`Study`.
    """
    n_replicates = study.n_replicates if n_replicates is None else n_replicates
    _check_run(n_replicates, n_jobs, batch, backend)
    store = Checkpoints(study, checkpoint_dir)
    if not resume:
        store.clear()
    done, seconds = store.read()
    tasks = list(itertools.product(range(len(study.scenarios)), range(n_replicates)))
    todo = [task for task in tasks if task not in done]
    lines = _Progress(study.name, len(tasks), len(tasks) - len(todo), progress)
    last = time.perf_counter()
    for results in _batches(study, todo, n_jobs, batch, backend):
        now = time.perf_counter()
        store.write(results, now - last)
        seconds, last = seconds + now - last, now
        done.update(results)
        lines.step(results)
    frame = to_frame(study, [(task, done[task]) for task in tasks])
    frame.attrs["run"] = {
        "n_replicates": n_replicates,
        "n_failed": int((frame["error"] != "").sum()),
        "wall_seconds": round(seconds, 1),
        "resumed_replicates": len(tasks) - len(todo),
        "n_jobs": n_jobs,
        "backend": backend,
    }
    if not keep:
        store.clear()
    return frame


def _check_run(n_replicates, n_jobs, batch, backend):
    if n_replicates < 1:
        raise ValueError(f"n_replicates must be at least 1, not {n_replicates}")
    if n_jobs == 0:
        raise ValueError(
            "n_jobs must not be 0: give 1 for this process alone, -1 for every core"
        )
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch}")
    if backend not in ("loky", "dask"):
        raise ValueError(f"backend must be 'loky' or 'dask', not {backend!r}")


# --------------------------------------------------------------------- batches


def _batches(study, todo, n_jobs, batch, backend) -> Iterator[list]:
    """Yield the results of each batch, in order, as soon as they are there."""
    if not todo:
        return
    size = batch or max(1, min(50, len(todo) // 50))
    chunks = [todo[i : i + size] for i in range(0, len(todo), size)]
    if n_jobs == 1 and backend == "loky":
        for chunk in chunks:
            yield run_chunk(study, chunk)
        return
    with _parallel_context(backend):
        workers = -1 if backend == "dask" else n_jobs
        pool = joblib.Parallel(n_jobs=workers, return_as="generator")
        yield from pool(joblib.delayed(run_chunk)(study, chunk) for chunk in chunks)


def _parallel_context(backend: str):
    if backend == "loky":
        return joblib.parallel_config(backend="loky", inner_max_num_threads=1)
    try:
        import distributed
    except ImportError:
        raise ImportError(
            'the dask backend needs the extra: pip install "notebook-lib[cluster]"'
        ) from None
    try:
        distributed.get_client()
    except ValueError:
        raise ValueError(
            "backend='dask' found no Dask client: create distributed.Client(address) "
            "before the run, or give --scheduler ADDRESS on the command line"
        ) from None
    return joblib.parallel_config(backend="dask")


def run_chunk(study: Study, chunk: list[Task]) -> list[tuple[Task, list[dict]]]:
    """Run some replicates; a failure is a row, never an exception."""
    return [(task, run_one(study, *task)) for task in chunk]


def run_one(study: Study, scenario: int, replicate: int) -> list[dict]:
    """Run one replicate of one scenario and return its rows."""
    try:
        rows = study.replicate(
            dict(study.scenarios[scenario]), study.rng(scenario, replicate)
        )
        return _tidy(rows)
    except Exception as reason:  # a failed replicate is a result
        return [{"error": f"{type(reason).__name__}: {reason}"[:500]}]


def _tidy(rows) -> list[dict]:
    if isinstance(rows, dict):
        rows = [rows]
    rows = [{name: plain(value) for name, value in row.items()} for row in rows]
    if not rows:
        raise ValueError(
            "the replicate returned no rows: return at least one dict from it"
        )
    for row in rows:
        for name in RESERVED:
            if name in row:
                raise ValueError(
                    f"a row may not have a column named {name!r}: rename it"
                )
    return rows


# ----------------------------------------------------------------------- frame


def to_frame(study: Study, results: list[tuple[Task, list[dict]]]) -> pd.DataFrame:
    """Lay out the rows of all replicates in the order of the tasks."""
    rows = []
    for (scenario, replicate), found in results:
        head = {"scenario": scenario, **_cells(study.scenarios[scenario])}
        for row in found:
            rows.append({**head, "replicate": replicate, **row})
    frame = pd.DataFrame(rows)
    if "error" not in frame:
        frame["error"] = ""
    frame["error"] = frame["error"].fillna("")
    names = [name for name in frame.columns if name != "error"]
    return frame[[*names, "error"]]


def _cells(scenario: dict) -> dict:
    """Scenario values as table cells: lists become text."""
    return {
        k: str(v) if isinstance(v, (list, dict)) else v for k, v in scenario.items()
    }


# -------------------------------------------------------------------- progress


class _Progress:
    """Lines on standard error: done, failed, time left."""

    def __init__(self, name: str, total: int, done: int, shown: bool):
        self.name, self.total, self.done, self.shown = name, total, done, shown
        self.failed = self.fresh = 0
        self.start = self.last = time.perf_counter()
        if shown and done:
            self._print(f"{done} of {total} replicates found in checkpoints")

    def step(self, results: list) -> None:
        self.done += len(results)
        self.fresh += len(results)
        self.failed += sum("error" in rows[0] for _, rows in results)
        now = time.perf_counter()
        finished = self.done == self.total
        if self.shown and (finished or now - self.last >= _SECONDS_BETWEEN_LINES):
            self.last = now
            self._line(now - self.start)

    def _line(self, elapsed: float) -> None:
        left = elapsed / self.fresh * (self.total - self.done)
        failed = f", {self.failed} failed" if self.failed else ""
        self._print(
            f"{self.done}/{self.total} replicates{failed}, "
            f"{clock(elapsed)} elapsed, {clock(left)} left"
        )

    def _print(self, text: str) -> None:
        print(f"{self.name}: {text}", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Show seconds as m:ss or h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{seconds:02d}"
