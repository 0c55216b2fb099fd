"""What the paper's file of JOBS II holds, for machines that do not have it."""

from __future__ import annotations

import numpy as np

from ..datasets import load_jobs
from ..outcomes import jobs_design, jobs_propensity
from .missing_outcomes import DOCUMENT
from .study import Study


def replicate_facts(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Rows, columns and duplicates of the treated, and the design's missing share.

    The share is a mean of the propensity (23): with the code's intercept and codes of
    sex (1/2), without the intercept, and with sex as 0/1.

    Raises
    ------
    ValueError
        If the machine has only the public version of the data.
    """
    frame = load_jobs()
    if len(frame) != scenario["rows"]:
        raise ValueError(
            f"load_jobs gave {len(frame)} rows, not {scenario['rows']}: put the "
            "paper's file into the folder NOTEBOOK_LIB_DATA"
        )
    treated = frame[frame["treat"] == 1]
    design = jobs_design(treated)
    from_zero = design.assign(sex=design["sex"] - 1)
    facts = {
        "rows": len(frame),
        "treated rows": len(design),
        "columns": design.shape[1],
        "duplicates": int(treated.duplicated().sum()),
        "missing": 1 - jobs_propensity(design).mean(),
        "missing, no intercept": 1 - jobs_propensity(design, intercept=0.0).mean(),
        "missing, sex as 0/1": 1 - jobs_propensity(from_zero).mean(),
    }
    return [{"fact": name, "value": float(value)} for name, value in facts.items()]


jobs_facts = Study(
    name="missing-outcomes-jobs-facts",
    scenarios=[{"rows": 1285}],
    replicate=replicate_facts,
    n_replicates=1,
    seed=66,
    description="Counts of the paper's file of JOBS II, and its share of missing",
    document=DOCUMENT,
)
