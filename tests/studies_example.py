"""A tiny study for the tests of the runner, and a script that runs it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from notebook_lib import studies

SCENARIOS = studies.grid(shift=[0.0, 1.0], fails=[0, 1])


def replicate(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Two methods; in the scenarios that fail, one replicate in four does."""
    draws = rng.normal(scenario["shift"], size=4)
    if scenario["fails"] and rng.random() < 0.25:
        raise RuntimeError("no luck")
    return [
        {"method": "mean", "value": draws.mean(), "size": np.int64(draws.size)},
        {"method": "max", "value": draws.max(), "size": 4},
    ]


def slow(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Slow enough to be killed in the middle."""
    time.sleep(0.01)
    return replicate(scenario, rng)


def pid(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Tell which process did it."""
    return [{"pid": os.getpid()}]


def make(function=replicate, **changes) -> studies.Study:
    """Return the study, with some fields changed."""
    fields = {"name": "example", "scenarios": SCENARIOS, "n_replicates": 10, "seed": 5}
    return studies.Study(replicate=function, **{**fields, **changes})


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    study = make(slow, n_replicates=40)
    frame = studies.run(study, n_jobs=int(sys.argv[2]), batch=2, checkpoint_dir=folder)
    studies.save(study, frame, folder=folder)
