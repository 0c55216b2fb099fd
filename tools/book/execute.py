"""Run notebooks with papermill, several at a time."""

from __future__ import annotations

import concurrent.futures as cf
import contextlib
import dataclasses
import io
import logging
import multiprocessing
import os
import pathlib
import time

from notebook_lib._kernels import with_starts
from tools.book import notebooks
from tools.book.environment import kernel_environment, warm_up
from tools.book.layout import BookError, Layout

JOBS = 2
CELL_TIMEOUT = 900


@dataclasses.dataclass(frozen=True)
class Run:
    """One notebook to execute.

    Parameters
    ----------
    source, target : pathlib.Path
        The notebook to run and the file that receives it with its outputs.
    cwd : pathlib.Path
        The kernel's working folder.
    parameters : dict, optional
        What papermill injects.
    """

    source: pathlib.Path
    target: pathlib.Path
    cwd: pathlib.Path
    parameters: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended: seconds taken, and the error in words if there was one."""

    name: str
    seconds: float
    error: str = ""


def _failure(error) -> str:
    """A papermill error as the cell, its code and the message."""
    head = "\n".join(f"    {line}" for line in error.source.splitlines()[:8])
    return f"cell [{error.exec_count}] raised {error.ename}: {error.evalue}\n{head}"


def execute_one(run: Run, scratch: pathlib.Path) -> Outcome:
    """Execute one notebook and write it normalised.

    A run that fails leaves `run.target` as it was; what ran of it lies in `scratch`
    with the ending ``.failed.ipynb``.

    Parameters
    ----------
    run : Run
        What to run.
    scratch : pathlib.Path
        A folder for unfinished notebooks, outside the book.

    Returns
    -------
    Outcome
        The time it took, and the error if a cell raised.
    """
    import papermill as pm
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.ERROR)
    scratch.mkdir(parents=True, exist_ok=True)
    running = scratch / f"{run.source.stem}.{os.getpid()}.ipynb"
    failed = scratch / f"{run.source.stem}.failed.ipynb"
    failed.unlink(missing_ok=True)
    # ipykernel 7 warns of unencrypted TCP on loopback once for each kernel.
    config = Config({"KernelManager": {"transport_encryption": "auto"}})
    start = time.perf_counter()
    error = ""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            with_starts(
                lambda: pm.execute_notebook(
                    str(run.source),
                    str(running),
                    parameters=run.parameters,
                    progress_bar=False,
                    cwd=str(run.cwd),
                    kernel_name="python3",
                    execution_timeout=CELL_TIMEOUT,
                    record_timing=False,
                    config=config,
                )
            )
    except PapermillExecutionError as exc:
        error = _failure(exc)
    except Exception as exc:  # a dead kernel, a timeout: the other chapters go on
        error = f"{type(exc).__name__}: {exc}"
    if running.exists():
        nb = notebooks.normalise(notebooks.read(running))
        notebooks.write(nb, failed if error else run.target)
        running.unlink()
        if error:
            error += f"\n    what ran of it: {failed}"
    return Outcome(run.source.stem, time.perf_counter() - start, error)


def _set_environment(env: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)


def execute(layout: Layout, runs: list[Run], *, jobs: int = JOBS, say=print) -> None:
    """Execute notebooks in a pool of processes, with one line for each.

    Parameters
    ----------
    layout : Layout
        The checkout.
    runs : list of Run
        What to run; the order is kept where `jobs` is 1.
    jobs : int
        Notebooks at a time.
    say : callable
        Takes each progress line.

    Raises
    ------
    BookError
        If a notebook failed, after all of them have ended.
    """
    if not runs:
        return
    warm_up(layout)
    env = kernel_environment(layout)
    # A fresh interpreter for each worker: a forked one would carry this process's
    # threads and the environment it had.
    context = multiprocessing.get_context("spawn")
    broken = []
    with cf.ProcessPoolExecutor(
        min(jobs, len(runs)), context, initializer=_set_environment, initargs=(env,)
    ) as pool:
        futures = [pool.submit(execute_one, run, layout.build / "runs") for run in runs]
        for done, future in enumerate(cf.as_completed(futures), start=1):
            outcome = future.result()
            state = "FAILED" if outcome.error else "ran"
            say(
                f"  [{done}/{len(runs)}] {outcome.name:<24} {state}"
                f" in {outcome.seconds:.1f} s"
            )
            if outcome.error:
                broken.append(f"{outcome.name}: {outcome.error}")
    if broken:
        raise BookError("\n".join(broken))
