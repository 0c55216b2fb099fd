"""The same work by MAPIE, crepes and puncc, from the same fitted models.

None of them is a dependency of the book: `make bench` installs them in an
environment of their own. Where one is absent, its row says so.
"""

import importlib.metadata

import numpy as np

from benchmarks import core
from benchmarks.rows import absent, ratio_row
from benchmarks.timing import turns
from notebook_lib.outcomes import naive_threshold
from notebook_lib.quantiles import weighted_conformal_quantile

ALPHA = core.ALPHA
N_BINS = 8


class Fitted:
    """A model that `puncc` may hold: its ``fit`` must not train it again."""

    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        """Leave the model as it is."""
        return self

    def predict(self, X):
        """Predict with the model."""
        return self.model.predict(X)


def mapie_split(model, cal, X):
    """Split conformal intervals by MAPIE."""
    from mapie.regression import SplitConformalRegressor

    def run():
        peer = SplitConformalRegressor(model, confidence_level=1 - ALPHA, prefit=True)
        return peer.conformalize(*cal).predict_interval(X)[1][:, :, 0]

    return run


def mapie_cqr(models, cal, X):
    """CQR intervals by MAPIE, with one correction for both ends."""
    from mapie.regression import ConformalizedQuantileRegressor

    def run():
        peer = ConformalizedQuantileRegressor(
            list(models), confidence_level=1 - ALPHA, prefit=True
        ).conformalize(*cal)
        found = peer.predict_interval(X, symmetric_correction=True)
        return found[1][:, :, 0]

    return run


def crepes_split(model, cal, X):
    """Split conformal intervals by crepes."""
    from crepes import WrapRegressor

    def run():
        peer = WrapRegressor(model).calibrate(*cal)
        return peer.predict_int(X, confidence=1 - ALPHA)

    return run


def puncc_split(model, cal, X):
    """Split conformal intervals by puncc."""
    from deel.puncc.api.prediction import BasePredictor
    from deel.puncc.regression import SplitCP

    def run():
        peer = SplitCP(BasePredictor(Fitted(model), is_trained=True), train=False)
        peer.fit(X_calib=cal[0], y_calib=cal[1])
        return np.stack(peer.predict(X, alpha=ALPHA)[1:], axis=1)

    return run


def puncc_cqr(models, cal, X):
    """CQR intervals by puncc."""
    from deel.puncc.api.prediction import DualPredictor
    from deel.puncc.regression import CQR

    def run():
        pair = [Fitted(model) for model in models[:2]]
        peer = CQR(DualPredictor(pair, is_trained=[True, True]), train=False)
        peer.fit(X_calib=cal[0], y_calib=cal[1])
        return np.stack(peer.predict(X, alpha=ALPHA)[1:], axis=1)

    return run


def crepes_mondrian(residuals, bins, centres, test_bins):
    """Intervals of one threshold for each bin (Mondrian) by crepes."""
    from crepes import ConformalRegressor

    def run():
        peer = ConformalRegressor().fit(residuals, bins=bins)
        return peer.predict_int(centres, bins=test_bins, confidence=1 - ALPHA)

    return run


def puncc_weighted(scores, weights, test_weights):
    """Weighted thresholds by puncc's quantile, one call for each test point."""
    from deel.puncc.api.utils import quantile

    def run():
        values, out = np.append(scores, np.inf), np.empty(len(test_weights))
        for j, last in enumerate(test_weights):
            masses = np.append(weights, last)
            out[j] = quantile(values, 1 - ALPHA, w=masses / masses.sum())
        return out

    return run


def ours_split(model, cal, X):
    """Split conformal intervals by the library."""
    ours = core.SplitConformalRegressor(model, alpha=ALPHA, prefit=True)
    return lambda: ours.conformalize(*cal).predict_interval(X)[1][:, :, 0]


def ours_cqr(models, cal, X):
    """CQR intervals by the library."""
    ours = core.ConformalizedQuantileRegressor(models, alpha=ALPHA, prefit=True)
    return lambda: ours.conformalize(*cal).predict_interval(X)[1][:, :, 0]


def ours_mondrian(residuals, bins, centres, test_bins):
    """Intervals of one threshold for each bin by the library."""

    def run():
        q = naive_threshold(residuals, bins, test_bins, ALPHA)
        return np.stack([centres - q, centres + q], axis=1)

    return run


def ours_weighted(scores, weights, test_weights):
    """Weighted thresholds by the library."""
    return lambda: weighted_conformal_quantile(scores, weights, test_weights, ALPHA)


def binned_data():
    """Residuals and predictions of the core data, with bins from a covariate."""
    train, cal, test = core.data()
    model = core.LinearRegression().fit(*train)
    bin_of = np.linspace(-1.5, 1.5, N_BINS - 1)
    bins, test_bins = (np.digitize(X[:, 0], bin_of) for X in (cal[0], test[0]))
    residuals = np.abs(cal[1] - model.predict(cal[0]))
    return residuals, bins, model.predict(test[0]), test_bins


def weighted_data(n_test=500):
    """Scores and weights of the core case, with fewer test points."""
    rng = np.random.default_rng(1)
    scores, weights = rng.normal(size=core.N_CAL), rng.gamma(2.0, size=core.N_CAL)
    return scores, weights, rng.gamma(2.0, size=n_test)


def models():
    """Data of the core benchmark, a mean model and three quantile models."""
    train, cal, test = core.data()
    mean = core.LinearRegression().fit(*train)
    trio = [
        core.QuantileRegressor(quantile=level, alpha=0, solver="highs").fit(*train)
        for level in (ALPHA / 2, 1 - ALPHA / 2, 0.5)
    ]
    return mean, tuple(trio), cal, test[0]


def cases():
    """Each comparison: id, what, distribution, ours, the peer's, data, turns."""
    mean, trio, cal, X = models()
    split, cqr = (mean, cal, X), (trio, cal, X)
    sizes = f"n_cal = {core.N_CAL}, n_test = {core.N_TEST}"
    told = {"what": "split conformal: calibration and prediction", "sizes": sizes}
    yield "split-mapie", "mapie", ours_split, mapie_split, split, told
    yield "split-crepes", "crepes", ours_split, crepes_split, split, told
    yield "split-puncc", "puncc", ours_split, puncc_split, split, told
    told = {"what": "CQR: calibration and prediction", "sizes": sizes}
    yield "cqr-mapie", "mapie", ours_cqr, mapie_cqr, cqr, told
    yield "cqr-puncc", "puncc", ours_cqr, puncc_cqr, cqr, told
    told = {"what": "one threshold for each bin (Mondrian)"}
    told["sizes"] = f"{sizes}, {N_BINS} bins"
    binned = binned_data()
    yield "mondrian-crepes", "crepes", ours_mondrian, crepes_mondrian, binned, told
    told = {"what": "weighted conformal quantile of all test points"}
    told["sizes"] = f"n_cal = {core.N_CAL}, n_test = 500"
    told["note"] = (
        "puncc has no verb for it: its weighted quantile, a call a test point"
    )
    weighted = weighted_data()
    yield "weighted-puncc", "puncc", ours_weighted, puncc_weighted, weighted, told


def rows():
    """Yield a row for each peer and method; "not measured" where it is absent."""
    for name, peer, ours, theirs, data, told in cases():
        shown = {"mapie": "MAPIE"}.get(peer, peer)
        told = {"id": name, "group": "peers", "source": "issue 6", **told}
        try:
            run, version = theirs(*data), importlib.metadata.version(peer)
        except ImportError:
            yield absent(shown, **{k: v for k, v in told.items() if k != "note"})
            continue
        repeats = 5 if name.startswith("weighted") else 40
        timed = turns(ours(*data), run, repeats=repeats)
        yield ratio_row(timed, kind="peer", against=f"{shown} {version}", **told)
