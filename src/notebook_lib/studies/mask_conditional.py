"""The studies of chapter 3: CP, CQR, CP-MDA, nexCP and LCP by mask.

Tables 1 to 5 of Kong, Liu and Yang (2025). One imputer and one model of each kind are
fitted a replicate and shared by all methods.
"""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, QuantileRegressor

from ..covariates import (
    BETA,
    LCP,
    CPMDAExact,
    CPMDANested,
    GaussianImputer,
    GaussianLinear,
    ImputedSplitRegressor,
    NexCP,
    equicorrelated,
)
from ..covariates.network import QuantileNetwork
from ..intervals import contains, is_infinite, length
from ..masks import all_masks
from ..mechanisms import MAR, MCAR, SelfMasked
from .mda_nested import masks_of_size, rows_given_mask
from .store import aggregate
from .study import Study, grid

ALPHA = 0.1
#: Columns that may go missing under MAR, by number of covariates.
LAST = {3: (1, 2), 5: (3, 4), 8: (5, 6, 7)}
_SHARED = (
    "models_",
    "X_train_",
    "y_train_",
    "ranges_",
    "complete_columns_",
    "n_features_in_",
    "_train_ref",
)
POINT = {
    "CP": ImputedSplitRegressor(score="absolute", add_mask=False),
    "equal weights": NexCP(weights="equal"),
    "nexCP": NexCP(),
    "nexCP (mask weights)": NexCP(weights="mask"),
    "LCP": LCP(h="median_all"),
}
BAND = {
    "CQR": ImputedSplitRegressor(add_mask=False),
    "CP-MDA-Exact": CPMDAExact(add_mask=False),
    "CP-MDA-Nested": CPMDANested(add_mask=False),
    "CP-MDA-Nested (half tails)": CPMDANested(add_mask=False, tails="half"),
}


def fitted_methods(train, cal, *, base, draw, seed, add_mask=False, bands=True):
    """All methods around one fitted point model and one fitted pair of quantiles.

    Parameters
    ----------
    train, cal : tuple of ndarray
        Rows (with NaN) and outcomes.
    base : {"linear", "network"}
        Model of the outcome.
    draw : bool
        Whether missing entries are drawn, as the tables need, or set to conditional
        means.
    seed : int
        Seed of draws and weights.
    add_mask : bool
        Whether the mask is a feature; the tables come out only without it.
    bands : bool
        Whether to fit the quantile models too.

    Returns
    -------
    dict of str to estimator
        Calibrated.
    """
    imputer = GaussianImputer(draw=draw, random_state=seed)
    kinds = [(POINT, LinearRegression(), QuantileNetwork(None, random_state=seed))]
    if bands:
        linear = QuantileRegressor(alpha=0.0, solver="highs")
        kinds.append((BAND, linear, QuantileNetwork(random_state=seed)))
    out = {}
    for family, linear, network in kinds:
        model = network if base == "network" else linear
        # NexCP is the one that also learns the ranges; its fit serves all.
        first = NexCP(model, imputer=imputer, add_mask=add_mask)
        if family is BAND:
            first = ImputedSplitRegressor(model, imputer=imputer, add_mask=add_mask)
        first.fit(*train)
        for name, method in family.items():
            estimator = type(method)(**method.get_params())
            for attribute in _SHARED:
                if hasattr(first, attribute):
                    setattr(estimator, attribute, getattr(first, attribute))
            out[name] = estimator.conformalize(*cal)
    return out


def evaluate(methods, X, y) -> pd.DataFrame:
    """Covered or not, and length, of each method on each row."""
    parts = []
    for name, method in methods.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            sets = method.predict_interval(X.copy())[1][:, :, 0]
        parts.append(
            pd.DataFrame(
                {
                    "method": name,
                    "row": np.arange(len(y)),
                    "coverage": contains(sets, y).astype(float),
                    "length": length(sets),
                    "infinite": is_infinite(sets).astype(float),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def mechanism_of(kind, d, X):
    """The mechanism of the tables at 20 % a column, fitted on a pool of rows."""
    if kind == "MCAR":
        return MCAR(0.2).fit(X)
    if kind == "MAR":
        observed = tuple(j for j in range(d) if j not in LAST[d])
        return MAR(0.2, observed, LAST[d]).fit(X)
    return SelfMasked(0.2).fit(X)


def replicate_synthetic(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Tables 1 to 3: one replicate of one number of covariates and mechanism."""
    d, kind = int(scenario["d"]), scenario["mechanism"]
    truth = GaussianLinear(BETA[:d], 1.0, equicorrelated(d, 0.8))
    pool, _ = truth.sample(30_000, np.random.default_rng(3))
    mechanism = mechanism_of(kind, d, pool)
    X, y = truth.sample(750, rng)
    X = np.where(mechanism.sample(X, rng), np.nan, X)
    methods = fitted_methods(
        (X[:500], y[:500]),
        (X[500:], y[500:]),
        base=scenario["base"],
        draw=bool(scenario.get("draw", True)),
        add_mask=bool(scenario.get("add_mask", False)),
        seed=int(rng.integers(2**31)),
    )
    X, y = truth.sample(int(scenario["n_marginal"]), rng)
    hidden = np.where(mechanism.sample(X, rng), np.nan, X)
    rows = _summary(evaluate(methods, hidden, y), np.full(len(y), "marginal"))
    X, y, label = _rows_of_each(truth, mechanism, kind, pool, scenario, rng)
    return rows + _summary(evaluate(methods, X, y), label)


def _rows_of_each(truth, mechanism, kind, pool, scenario, rng):
    """Test rows of each mask, or each size, from the law of X given the mask."""
    d, n = len(truth.beta), int(scenario["n_each"])
    masks = np.zeros((2 ** len(mechanism.columns_), d), dtype=bool)
    masks[:, mechanism.columns_] = all_masks(len(mechanism.columns_))
    by_size = d > 3 and kind != "MAR"
    if by_size:
        sizes = np.repeat(np.arange(d), n)
        masks = np.concatenate([masks_of_size(d, s, n, rng) for s in range(d)])
        label, repeat = sizes.astype(str), 1
    else:
        label = np.repeat(["".join(map(str, m.astype(int))) for m in masks], n)
        repeat = n
    if isinstance(mechanism, MCAR):
        mask = np.repeat(masks, repeat, axis=0)
        X, y = truth.sample(len(mask), rng)
        return np.where(mask, np.nan, X), y, label
    p = mechanism.probability(pool)
    blocks = []
    for m in masks:
        weights = np.where(m, p, 1 - p).prod(axis=1)
        blocks.append(rows_given_mask(pool, weights, repeat, rng))
    X, mask = np.concatenate(blocks), np.repeat(masks, repeat, axis=0)
    y = X @ truth.beta + truth.noise_sd * rng.standard_normal(len(X))
    return np.where(mask, np.nan, X), y, label


def _summary(frame, label):
    """Means by method and row label; lengths over finite sets, infinite ones apart."""
    frame["mask"] = label[frame["row"].to_numpy()]
    frame["length"] = frame["length"].where(np.isfinite(frame["length"]))
    columns = ["coverage", "length", "infinite"]
    return (
        frame.groupby(["method", "mask"], sort=False)[columns]
        .mean()
        .reset_index()
        .assign(mask=lambda f: "m" + f["mask"])  # a label, never a number
        .to_dict("records")
    )


def replicate_concrete(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Table 4: the concrete mixtures with gaps made by one of three mechanisms."""
    from ..datasets import load_concrete

    table = load_concrete()
    columns = [c for c in table if c != "compressive_strength"]
    X, y = table[columns].to_numpy(float), table["compressive_strength"].to_numpy(float)
    mechanism = mechanism_of(scenario["mechanism"], 8, X)
    mask, order = mechanism.sample(X, rng), rng.permutation(len(y))
    train, cal, test, rest = np.split(order, [330, 430, 630])
    hidden = np.where(mask, np.nan, X)
    methods = fitted_methods(
        (hidden[train], y[train]),
        (hidden[cal], y[cal]),
        base=scenario["base"],
        draw=True,
        seed=int(rng.integers(2**31)),
    )
    marginal = np.full(len(test), "marginal")
    rows = _summary(evaluate(methods, hidden[test], y[test]), marginal)
    if scenario["mechanism"] == "MAR":
        label = np.array(["".join(map(str, m[5:].astype(int))) for m in mask[rest]])
        return rows + _summary(evaluate(methods, hidden[rest], y[rest]), label)
    size = mask[rest].sum(axis=1)
    few = rest[size <= 4]
    label = size[size <= 4].astype(str)
    return rows + _summary(evaluate(methods, hidden[few], y[few]), label)


def replicate_card(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """In place of Table 5: log wages with real gaps, five folds once each."""
    from ..datasets import load_card

    table = load_card()
    columns = list(scenario["columns"])
    X, y = table[columns].to_numpy(float), table["lwage"].to_numpy(float)
    label = np.array(["".join("1" if v else "0" for v in m) for m in np.isnan(X)])
    folds = np.array_split(rng.permutation(len(y)), 5)
    parts = []
    for fold in folds:
        rest = rng.permutation(np.setdiff1d(np.arange(len(y)), fold))
        cal, train = np.split(rest, [len(rest) // 3])
        methods = fitted_methods(
            (X[train], y[train]),
            (X[cal], y[cal]),
            base=scenario["base"],
            draw=True,
            seed=int(rng.integers(2**31)),
        )
        frame = evaluate(methods, X[fold], y[fold])
        frame["row"] = fold[frame["row"].to_numpy()]
        parts.append(frame)
    frame = pd.concat(parts, ignore_index=True)
    marginal = np.full(len(y), "marginal")
    return _summary(frame.copy(), marginal) + _summary(frame, label)


def summarise(frame: pd.DataFrame, by) -> pd.DataFrame:
    """Mean, Monte-Carlo error and count over replicates."""
    table = aggregate(frame, list(by), ["coverage", "length", "infinite"])
    return table.dropna(subset="mean").reset_index(drop=True)


def _study(name, scenarios, replicate, description, by, n):
    return Study(
        name=name,
        scenarios=scenarios,
        replicate=replicate,
        n_replicates=n,
        seed=3,
        description=description,
        document="Kong, Liu and Yang (2025)",
        summarise=partial(summarise, by=by),
    )


_CELL = {"n_marginal": [2000], "n_each": [100]}
_MECHANISMS = ["MCAR", "MAR", "MNAR"]
_BY = ("base", "d", "mechanism", "method", "mask")

SYNTHETIC_LINEAR = _study(
    "masks_synthetic_linear",
    grid(base=["linear"], d=[3, 5, 8], mechanism=_MECHANISMS, **_CELL),
    replicate_synthetic,
    "Tables 1 to 3, linear models",
    _BY,
    50,
)
SYNTHETIC_NETWORK = _study(
    "masks_synthetic_network",
    grid(base=["network"], d=[3, 5, 8], mechanism=_MECHANISMS, **_CELL),
    replicate_synthetic,
    "Tables 1 to 3, networks",
    _BY,
    50,
)
CONCRETE_LINEAR = _study(
    "masks_concrete_linear",
    grid(base=["linear"], mechanism=_MECHANISMS),
    replicate_concrete,
    "Table 4, linear models",
    ("base", "mechanism", "method", "mask"),
    100,
)
CONCRETE_NETWORK = _study(
    "masks_concrete_network",
    grid(base=["network"], mechanism=_MECHANISMS),
    replicate_concrete,
    "Table 4, networks",
    ("base", "mechanism", "method", "mask"),
    100,
)
CARD_LINEAR = _study(
    "masks_card_linear",
    [{"base": "linear", "columns": ["educ", "exper", "IQ", "fatheduc", "motheduc"]}],
    replicate_card,
    "In place of Table 5: Card's log wages with their own gaps, linear models",
    ("base", "method", "mask"),
    100,
)
