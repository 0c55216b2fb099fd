"""Missing covariates: distinct pairs predicted once, against one row at a time.

Run from the checkout: ``python -m benchmarks.covariates``. The versions to beat loop
over test rows (and, for Nested, impute and predict each calibration row anew for each
of them); equal outputs are asserted first. The last lines time the largest size that
the issue names, with its peak memory.
"""

import time
import tracemalloc
import warnings

import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401

from notebook_lib.covariates import (
    LCP,
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    GaussianImputer,
    GaussianLinear,
    NexCP,
    closed_rank,
    default_imputer,
    equicorrelated,
    lcp_radius,
    nexcp_radius,
)
from notebook_lib.covariates.localized import heom, kernel_weights, rank_weights
from notebook_lib.masks import is_submask
from notebook_lib.quantiles import conformal_quantile

ALPHA, D, N_TRAIN, N_CAL, N_TEST = 0.1, 8, 300, 250, 300


def data(n_cal=N_CAL, n_test=N_TEST, d=D, rate=0.2):
    rng = np.random.default_rng(0)
    beta = np.resize([1.0, 2.0, -1.0, 3.0, -0.5], d)
    model = GaussianLinear(beta, 1.0, equicorrelated(d, 0.8))
    X, y = model.sample(N_TRAIN + n_cal + n_test, rng)
    X[rng.random(X.shape) < rate] = np.nan
    cut = [N_TRAIN, N_TRAIN + n_cal]
    parts = [part.copy() for part in np.split(X, cut)]
    return list(zip(parts, np.split(y, cut), strict=True))


def trained(cls, imputer, sizes=(), **options):
    train, cal, test = data(*sizes)
    model = cls(imputer=imputer, alpha=ALPHA, **options).fit(*train)
    return model.conformalize(*cal), cal, test[0]


def band_of(model, row, mask):
    """One row through scikit-learn: hide, impute, append the mask, predict."""
    inner = model.models_[0]
    hidden = np.where(mask, np.nan, row)[None]
    filled = inner.means_[None] if mask.all() else inner.imputer_.transform(hidden)
    features = np.hstack([filled, mask[None]]) if inner.add_mask else filled
    return np.array([p.predict(features)[0] for p in inner.predictors_])


def nested_by_rows(model, cal, test, n_rows):
    (X, y), M = cal, np.isnan(cal[0])
    r = closed_rank(len(y), ALPHA)
    out = []
    for x in test[:n_rows]:
        m, low, high = np.isnan(x), [], []
        for k in range(len(y)):
            both = M[k] | m
            own, new = band_of(model, X[k], both), band_of(model, x, both)
            s = max(own.min() - y[k], y[k] - own.max())
            low.append(new.min() - s)
            high.append(new.max() + s)
        out.append((np.sort(low)[r - 1], np.sort(high)[-r]))
    return np.array(out)


def exact_by_rows(model, cal, test, n_rows):
    (X, y), M = cal, np.isnan(cal[0])
    out = []
    for x in test[:n_rows]:
        m, scores = np.isnan(x), []
        for k in np.flatnonzero(is_submask(M, m)):
            own = band_of(model, X[k], m)
            scores.append(max(own.min() - y[k], y[k] - own.max()))
        new, q = band_of(model, x, m), conformal_quantile(scores, ALPHA)
        out.append((new.min() - q, new.max() + q))
    return np.array(out)


def conditional_by_rows(model, cal, test, n_rows):
    """nexCP or LCP with the available cases found and predicted for each test row."""
    (X, y), M = cal, np.isnan(cal[0])
    inner, M_train = model.models_[0], np.isnan(model.X_train_)
    out = []
    for x in test[:n_rows]:
        m = np.isnan(x)
        kept = np.flatnonzero(is_submask(M, m))
        hidden = np.where(m, np.nan, X[kept])
        scores = np.abs(y[kept] - inner(hidden, np.isnan(hidden)))
        squared = heom(x[None], hidden, model.ranges_, squared=True)
        if isinstance(model, NexCP):
            same = (M[kept] == m).all(axis=1)
            weights = rank_weights(squared - m.sum(), same, model.rho)
            radius = nexcp_radius(scores, weights, ALPHA)[0]
        else:
            refs = np.flatnonzero(is_submask(M_train, m))
            seen = np.where(m, np.nan, model.X_train_[refs])
            fitted = inner(seen, np.isnan(seen))
            ref_scores = np.abs(model.y_train_[refs] - fitted)
            around = [
                kernel_weights(heom(rows, seen, model.ranges_, squared=True), model.h_)
                for rows in (hidden, x[None])
            ]
            radius = lcp_radius(ref_scores, scores, *around, ALPHA)[0]
        centre = inner(x[None].copy(), m[None])[0]
        out.append((centre - radius, centre + radius))
    return np.array(out)


def compare(name, model, by_rows, cal, test, goal, n_slow):
    """Ratio for all test rows; the slow version runs on `n_slow` and is scaled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fast = model.predict_interval(test)[1][:, :, 0]
        slow = by_rows(model, cal, test, n_slow)
        np.testing.assert_allclose(fast[:n_slow], slow, rtol=1e-7, atol=1e-7)

        def fast_run():
            return model.predict_interval(test)

        def slow_run():
            return by_rows(model, cal, test, n_slow)

        seconds = min(_seconds(fast_run) for _ in range(3))
        slow_seconds = _seconds(slow_run) * len(test) / n_slow
    told = f"{slow_seconds / seconds:8.0f} x   (goal {goal} x)"
    print(f"{name:44} {told}")


def _seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def largest():
    """d = 10, 1000 calibration and 10 000 test rows: seconds and peak memory."""
    train, cal, test = data(1000, 10_000, 10)
    model = CPMDANestedStar(alpha=ALPHA).fit(*train).conformalize(*cal)
    seconds = _seconds(lambda: model.predict_interval(test[0]))
    tracemalloc.start()
    model.predict_interval(test[0])
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    print(
        f"{'Nested*, d=10, n_cal=1000, n_test=10000':44} {seconds:8.1f} s   (goal 10)"
    )
    print(f"{'  peak of the arrays it makes':44} {peak:8.0f} MB  (goal 512)")


def main():
    warnings.simplefilter("ignore")
    cases = [
        ("CP-MDA-Nested, iterative imputer", CPMDANested, default_imputer(), 50, 4),
        ("CP-MDA-Nested, Gaussian imputer", CPMDANested, GaussianImputer(), 10, 10),
    ]
    for name, cls, imputer, goal, n_slow in cases:
        model, cal, test = trained(cls, imputer)
        compare(name, model, nested_by_rows, cal, test, goal, n_slow)
    model, cal, test = trained(CPMDAExact, default_imputer())
    compare("CP-MDA-Exact, iterative imputer", model, exact_by_rows, cal, test, 5, 30)
    for cls in (NexCP, LCP):
        # The sizes of Table 1: three covariates, so eight masks for 2000 test rows.
        model, cal, test = trained(cls, default_imputer(), (250, 2000, 3))
        model._prepare()
        compare(cls.__name__, model, conditional_by_rows, cal, test, 10, 100)
    largest()


if __name__ == "__main__":
    main()
