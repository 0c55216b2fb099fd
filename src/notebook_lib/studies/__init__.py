"""Monte-Carlo studies: run them at scale once, store the result, show it.

A study is a grid of scenarios and a function of one replicate
(:class:`Study`). :func:`run` spreads replicates over processes or a Dask
cluster, resumes after a kill, and keeps failures as rows. :func:`save` and
:func:`load` keep tidy CSV files with manifests under ``data/results``.

Every module of this package may define studies: each module-level
:class:`Study` is found by :func:`find`, and on the command line::

    python -m notebook_lib.studies list
    python -m notebook_lib.studies run --due --jobs 2
    python -m notebook_lib.studies verify NAME
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from notebook_lib.studies.checkpoint import clear_checkpoints
from notebook_lib.studies.compare import verify
from notebook_lib.studies.history import history
from notebook_lib.studies.plan import State, state
from notebook_lib.studies.runner import run
from notebook_lib.studies.store import aggregate, load, save, stored
from notebook_lib.studies.study import Study, grid

__all__ = [
    "REGISTRY",
    "State",
    "Study",
    "aggregate",
    "clear_checkpoints",
    "discover",
    "find",
    "grid",
    "history",
    "load",
    "register",
    "run",
    "save",
    "state",
    "stored",
    "verify",
]

#: The known studies by name; filled by :func:`register` and :func:`discover`.
REGISTRY: dict[str, Study] = {}


def register(study: Study) -> Study:
    """Add a study to the registry and return it.

    Raises
    ------
    ValueError
        If another study has the same name.
    """
    if study.name in REGISTRY and REGISTRY[study.name].key != study.key:
        raise ValueError(f"two studies are named {study.name!r}: rename one of them")
    REGISTRY[study.name] = study
    return study


def discover() -> dict[str, Study]:
    """Import every module of this package and register its studies."""
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        found = vars(importlib.import_module(f"{__name__}.{module.name}"))
        for value in found.values():
            if isinstance(value, Study):
                register(value)
    return REGISTRY


def find(name: str) -> Study:
    """Return a study by name.

    Raises
    ------
    ValueError
        If there is none, with the nearest names.
    """
    studies = discover()
    if name not in studies:
        near = difflib.get_close_matches(name, studies, 3)
        known = "did you mean " + " or ".join(near) if near else "there are "
        known += "" if near else ", ".join(sorted(studies)) or "none"
        raise ValueError(
            f"no study named {name!r}: choose one that python -m notebook_lib.studies "
            f"list shows; {known}"
        )
    return studies[name]
