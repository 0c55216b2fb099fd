"""Peak memory of the library's calls at the size that DESIGN 8 names.

Ten covariates, 1000 calibration and 10 000 test rows (for a matrix: 1000 groups and
10 000 test groups). Counted are numpy's arrays and Python's objects, by tracemalloc.
"""

import numpy as np

from benchmarks import curves
from benchmarks.rows import Row
from benchmarks.timing import peak_memory
from notebook_lib.covariates import (
    LCP,
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    ImputedSplitRegressor,
    NexCP,
)
from notebook_lib.matrix import (
    ALS,
    StructuredConformalCompletion,
    sample_test_groups,
)
from notebook_lib.outcomes import MissingOutcomeConformal

GOAL, D, N_TRAIN, N_CAL, N_TEST = 512.0, 10, 1000, 1000, 10_000


def masked_calls(cls, **options):
    """The three verbs of a method for missing covariates."""
    train, cal, test = curves.masked_rows(N_CAL, D, N_TRAIN, N_TEST)
    model = cls(alpha=curves.ALPHA, **options).fit(*train)
    return lambda: model.conformalize(*cal).predict_interval(test[0])


def outcome_calls(method):
    """The verbs of a method for missing outcomes, with a known propensity."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_TRAIN + N_CAL + N_TEST, D))
    y = X.sum(axis=1) + rng.normal(size=len(X))
    y[N_TRAIN + N_CAL :] = np.nan
    train, rest = slice(0, N_TRAIN), slice(N_TRAIN, None)

    def propensity(X):
        return 0.1 + 0.8 / (1 + np.exp(-X[:, 0]))

    model = MissingOutcomeConformal(propensity=propensity, method=method, alpha=0.2)
    model.fit(X[train], y[train])

    def run():
        model.conformalize(X[rest], y[rest])
        return model.predict_interval(X[N_TRAIN + N_CAL :])

    return run


def matrix_calls(side=1000):
    """The three verbs of SCMC on a matrix of a million cells."""
    w, observed, rng = curves.seen_matrix(side**2)
    tests = sample_test_groups(~observed, 5, N_TEST, rng, test_weights=w)
    model = StructuredConformalCompletion(
        ALS(5, max_sweeps=5, tol=0), group_size=5, n_groups=N_CAL
    )

    def run():
        model.fit(w, observed).conformalize(w, w)
        return model.predict_interval(tests)

    return run


def split_calls(make):
    """Split conformal prediction or CQR with fewer calibration than test rows."""
    return make(N_CAL, n_test=N_TEST)


CALLS = {
    "split": ("split conformal", lambda: split_calls(curves.split_conformal)),
    "cqr": ("CQR", lambda: split_calls(curves.quantile_regression)),
    "imputed": ("impute, then CQR", lambda: masked_calls(ImputedSplitRegressor)),
    "exact": ("CP-MDA-Exact", lambda: masked_calls(CPMDAExact)),
    "nested": ("CP-MDA-Nested", lambda: masked_calls(CPMDANested)),
    "nested-star": ("CP-MDA-Nested*", lambda: masked_calls(CPMDANestedStar)),
    "nexcp": ("nexCP", lambda: masked_calls(NexCP)),
    "lcp": ("LCP", lambda: masked_calls(LCP)),
    "weighted": ("weighted CP", lambda: outcome_calls("weighted")),
    "binned-weighted": ("binned weighted CP", lambda: outcome_calls("binned-weighted")),
    "procp": ("pro-CP", lambda: outcome_calls("pro-cp")),
    "procp2": ("pro-CP2", lambda: outcome_calls("pro-cp2")),
    "scmc": ("SCMC: ALS, weights, regions", matrix_calls),
}


def rows():
    """Yield the peak of each method."""
    for name, (label, make) in CALLS.items():
        peak = peak_memory(make())
        sizes = f"n_cal = {N_CAL}, n_test = {N_TEST}, d = {D}"
        if name == "scmc":
            sizes = "1000 x 1000, K = 5, n = 1000, 10000 test groups"
        yield Row(
            id=f"memory-{name}",
            group="memory",
            what=f"{label}: peak of its arrays",
            kind="absolute",
            sizes=sizes,
            value=peak,
            low=peak,
            high=peak,
            unit="MB",
            relation="<=",
            goal=GOAL,
            source="DESIGN 8",
            turns=1,
        )
