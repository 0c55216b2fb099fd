"""Core ratios: our estimators against plain numpy, and one sort against a loop.

Times are taken in turns within one process, and equal outputs are asserted first.
"""

import numpy as np
from sklearn.linear_model import LinearRegression, QuantileRegressor

from benchmarks.rows import ratio_row
from benchmarks.timing import turns
from notebook_lib.quantiles import weighted_conformal_quantile
from notebook_lib.split import ConformalizedQuantileRegressor, SplitConformalRegressor

N_CAL, N_TEST, D, ALPHA = 2000, 10_000, 10, 0.1
RANK = 1801  # ceil(0.9 * 2001)


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500 + N_CAL + N_TEST, D))
    y = X @ rng.normal(size=D) + rng.normal(size=len(X))
    cut = [500, 500 + N_CAL]
    return tuple(zip(np.split(X, cut), np.split(y, cut), strict=True))


def split_case():
    train, cal, test = data()
    model = LinearRegression().fit(*train)
    ours = SplitConformalRegressor(model, alpha=ALPHA, prefit=True)

    def with_numpy():
        residuals = np.abs(cal[1] - model.predict(cal[0]))
        q = np.partition(residuals, RANK - 1)[RANK - 1]
        y_pred = model.predict(test[0])
        return np.stack([y_pred - q, y_pred + q], axis=1)

    def with_ours():
        return ours.conformalize(*cal).predict_interval(test[0])[1][:, :, 0]

    return with_ours, with_numpy


def cqr_case():
    train, cal, test = data()
    pair = [
        QuantileRegressor(quantile=level, alpha=0, solver="highs").fit(*train)
        for level in (ALPHA / 2, 1 - ALPHA / 2)
    ]
    middle = LinearRegression().fit(*train)
    ours = ConformalizedQuantileRegressor((*pair, middle), alpha=ALPHA, prefit=True)

    def with_numpy():
        low, high = (model.predict(cal[0]) for model in pair)
        scores = np.maximum(low - cal[1], cal[1] - high)
        q = np.partition(scores, RANK - 1)[RANK - 1]
        low, high = (model.predict(test[0]) for model in pair)
        middle.predict(test[0])
        return np.stack([low - q, high + q], axis=1)

    def with_ours():
        return ours.conformalize(*cal).predict_interval(test[0])[1][:, :, 0]

    return with_ours, with_numpy


def weighted_case():
    rng = np.random.default_rng(1)
    scores, weights = rng.normal(size=N_CAL), rng.gamma(2.0, size=N_CAL)
    test_weights = rng.gamma(2.0, size=N_TEST)

    def with_loop():
        out = np.empty(N_TEST)
        for j, w in enumerate(test_weights):
            values = np.append(scores, np.inf)
            masses = np.append(weights, w) / (weights.sum() + w)
            order = np.argsort(values)
            mass = np.cumsum(masses[order])
            out[j] = values[order][np.argmax(mass >= 1 - ALPHA - 1e-12)]
        return out

    def with_ours():
        return weighted_conformal_quantile(scores, weights, test_weights, ALPHA)

    return with_ours, with_loop


def rows():
    """Yield the three ratios."""
    sizes = f"n_cal = {N_CAL}, n_test = {N_TEST}"
    for name, what, case in (
        ("split", "split conformal", split_case),
        ("cqr", "CQR", cqr_case),
    ):
        yield ratio_row(
            turns(*case(), repeats=60),
            id=f"{name}-numpy",
            group="core",
            what=f"{what}: calibration and prediction, prefit models",
            against="the same in plain numpy",
            sizes=f"{sizes}, d = {D}",
            unit="times the time",
            relation="<=",
            goal=1.1,
            source="DESIGN 8",
        )
    yield ratio_row(
        turns(*weighted_case(), repeats=5),
        id="weighted-loop",
        group="core",
        what="weighted conformal quantile of all test points",
        against="one sort for each test point",
        sizes=sizes,
        goal=1000,
        source="DESIGN 8",
    )
