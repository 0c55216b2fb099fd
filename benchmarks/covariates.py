"""Missing covariates: distinct pairs predicted once, against one row at a time.

The versions to beat loop over test rows (and, for Nested, impute and predict each
calibration row anew for each of them); they run on the first test rows only, and their
time is scaled up. Equal outputs are asserted first.
"""

import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401

from benchmarks.rows import measured, ratio_row
from benchmarks.timing import seconds, turns
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


def compare(model, by_rows, cal, test, n_slow, repeats):
    """Turns of the library on all test rows, and by rows on the first `n_slow`."""
    return turns(
        lambda: model.predict_interval(test)[1][:, :, 0],
        lambda: by_rows(model, cal, test, n_slow),
        repeats=repeats,
        rtol=1e-7,
        atol=1e-7,
        part=n_slow / len(test),
    )


def mda_rows():
    """Yield CP-MDA-Nested and CP-MDA-Exact against the row-by-row versions."""
    cases = (
        ("nested-rows", CPMDANested, "iterative imputer", nested_by_rows, 50, 2),
        ("nested-rows-linear", CPMDANested, "Gaussian imputer", nested_by_rows, 10, 5),
        ("exact-rows", CPMDAExact, "iterative imputer", exact_by_rows, 5, 10),
    )
    for name, cls, imputer, by_rows, goal, n_slow in cases:
        made = default_imputer() if "iter" in imputer else GaussianImputer()
        model, cal, test = trained(cls, made)
        yield ratio_row(
            compare(model, by_rows, cal, test, n_slow, 3),
            id=name,
            group="covariates",
            what=f"CP-MDA-{cls.__name__.removeprefix('CPMDA')}, {imputer}",
            against="one row at a time",
            sizes=f"n_cal = {N_CAL}, n_test = {N_TEST}, d = {D}",
            goal=goal,
            source="DESIGN 8" if goal == 50 else "issue 3",
        )


def conditional_rows():
    """Yield nexCP and LCP at the sizes of Table 1: eight masks for 2000 test rows."""
    for cls in (NexCP, LCP):
        model, cal, test = trained(cls, default_imputer(), (250, 2000, 3))
        model._prepare()
        yield ratio_row(
            compare(model, conditional_by_rows, cal, test, 50, 3),
            id=f"{cls.__name__.lower()}-rows",
            group="covariates",
            what="nexCP" if cls is NexCP else "LCP",
            against="one test row at a time",
            sizes="n_cal = 250, n_test = 2000, d = 3",
            goal=10,
            source="DESIGN 8",
        )


def rows():
    """Yield the ratios, and the time of the largest size that issue 3 names."""
    yield from mda_rows()
    yield from conditional_rows()
    train, cal, test = data(1000, 10_000, 10)
    model = CPMDANestedStar(alpha=ALPHA).fit(*train).conformalize(*cal)
    yield measured(
        [seconds(lambda: model.predict_interval(test[0])) for _ in range(3)],
        id="nested-star-large",
        group="covariates",
        what="CP-MDA-Nested*, all intervals",
        sizes="n_cal = 1000, n_test = 10000, d = 10",
        unit="s",
        goal=10,
        source="issue 3",
    )
