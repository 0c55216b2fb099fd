"""The studies of chapters 3 and 4, their theory checks, and the network."""

import sys

import numpy as np
import pytest
from test_covariates_nested import quiet_infinite

from notebook_lib.covariates import (
    AllRows,
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    Exact,
    GaussianLinear,
    QuantileNetwork,
    equicorrelated,
)
from notebook_lib.covariates.network import _dropout, _Parameters
from notebook_lib.studies import (
    mask_conditional,
    mask_live,
    mask_theory,
    mda_live,
    mda_nested,
    mda_theory,
)


@pytest.fixture(name="trial", scope="module")
def make_trial():
    truth = GaussianLinear([1.0, 2.0, -1.0], 1.0, equicorrelated(3, 0.5))
    mechanism = mda_nested.MCAR(0.25).fit(truth.cov)
    rng = np.random.default_rng(0)
    trial = mda_nested.Trial(truth, mechanism, rng, "linear", n_train=120, n_cal=60)
    X, y = truth.sample(80, rng)
    mask = rng.random(X.shape) < 0.3
    return trial, np.where(mask, np.nan, X), mask, y


@pytest.mark.parametrize(
    ("name", "estimator"),
    [
        ("CP-MDA-Exact", CPMDAExact()),
        ("CP-MDA-Nested* (<=2)", CPMDANestedStar(subsample=2)),
        ("CP-MDA-Nested*", CPMDANestedStar()),
        ("CP-MDA-Nested", CPMDANested()),
    ],
)
def test_one_pass_over_the_pairs_equals_the_estimators(trial, name, estimator):
    trial, X, mask, y = trial
    frame = trial.evaluate(X, mask, y)
    frame = frame[frame["method"] == name]
    estimator.models_ = [trial.model]
    estimator.complete_columns_ = np.zeros(3, dtype=bool)
    estimator.n_features_in_ = 3
    estimator._train_ref = None
    estimator.conformalize(trial.cal[0].copy(), trial.cal[1])
    with quiet_infinite():
        if name in ("CP-MDA-Nested*", "CP-MDA-Nested* (<=2)"):
            (union,) = estimator.predict_union(X.copy())[1]
            covered, length = union.contains(y), union.length()
        else:
            low, high = estimator.predict_interval(X.copy())[1][:, :, 0].T
            covered, length = (low <= y) & (y <= high), np.maximum(high - low, 0)
    np.testing.assert_array_equal(frame["covered"], covered)
    np.testing.assert_allclose(frame["length"], length, rtol=1e-9)


def test_family_without_rules_is_empty(trial):
    trial, X, mask, y = trial
    cal = trial.cal[0], trial.M_cal, trial.cal[1]
    assert mda_nested.family(trial.model, cal, X, mask, y, 0.1, {}) == {}
    only = mda_nested.family(trial.model, cal, X, mask, y, 0.1, {"exact": Exact()})
    every = mda_nested.family(
        trial.model, cal, X, mask, y, 0.1, {"exact": Exact(), "all": AllRows()}
    )
    np.testing.assert_array_equal(only["exact"][0], every["exact"][0])
    np.testing.assert_allclose(only["exact"][1], every["exact"][1])


@pytest.mark.parametrize(
    ("replicate", "scenario"),
    [
        (
            mda_nested.replicate_sizes,
            {"base": "linear", "phi": 0.8, "p": 0.2, "n_marginal": 30, "n_each": 5},
        ),
        (
            mda_nested.replicate_masks,
            {
                "base": "linear",
                "phi": 0.0,
                "mechanism": "self-masked",
                "setting": 1,
                "n_marginal": 30,
                "n_each": 3,
            },
        ),
        (
            mda_nested.replicate_outcome,
            {"base": "linear", "phi": 0.8, "n_marginal": 30, "n_each": 5},
        ),
        (
            mask_conditional.replicate_synthetic,
            {
                "base": "linear",
                "d": 3,
                "mechanism": "MNAR",
                "n_marginal": 30,
                "n_each": 5,
            },
        ),
        (mask_conditional.replicate_concrete, {"base": "linear", "mechanism": "MCAR"}),
        (mask_live.replicate_standin, {}),
        (mda_theory.replicate_oracle, {"n_cal": 30, "n_each": 4}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_replicates_repeat_and_hold_shares(replicate, scenario):
    with quiet_infinite():
        first = replicate(scenario, np.random.default_rng(1))
        again = replicate(scenario, np.random.default_rng(1))
    assert repr(first) == repr(again)
    for row in first:
        if "coverage" in row:
            assert 0 <= row["coverage"] <= 1


def test_statements_about_the_algorithm_hold():
    assert all(mda_live.method_checks(3).values())
    found = mda_theory.brute_force(300, np.random.default_rng(2))
    assert found["mismatches"] == found["outside"] == found["unequal"] == 0
    assert mda_theory.float_rank_errors() == (49, 577)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_largest_losing_set_has_the_formula(n):
    observed, formula = mda_theory.largest_losing_set(n)
    np.testing.assert_array_equal(observed, formula)


def test_false_lemma_and_its_correction():
    one = mda_theory.total_variation([0.9, 0.1, 0], [0.9, 0, 0.1], 2)
    assert one == pytest.approx(0.19)
    printed, corrected = mda_theory.lemma_a3(500, np.random.default_rng(3))
    assert printed > 50
    assert corrected == 0
    assert mda_theory.per_mask_infinite(0.01, 1000, 0.1) == pytest.approx(
        0.3317, abs=5e-5
    )


def test_adversaries_stay_in_their_classes():
    rng = np.random.default_rng(4)
    assert mda_theory.adversary_26(rng)[0] < 1e-12
    dependence, apart, rho = mda_theory.adversary_28(rng)
    assert dependence < 1e-12
    assert apart <= 2 * rho + 1e-12


def test_mask_conditional_closed_forms():
    assert mask_theory.enumerated_coverage([1, 1, 1, 1, 0.05], 0.1) == 0.8
    np.testing.assert_allclose(
        mask_theory.draw_slope(3), [0.882, 1.6, -0.553], atol=1e-3
    )
    np.testing.assert_allclose(
        mask_theory.oracle_given_hidden(), [0.983, 0.909, 0.611, 0.221], atol=1e-3
    )
    assert mask_theory.half_normal_swap(1.0, 2.0) == pytest.approx(0.4097, abs=1e-3)
    assert mask_theory.two_forms_of_assumption_2() == (0.5, 0.5, 0.5, 1.0)


def test_published_tables_give_the_counts():
    found = mask_live.published_verdicts()
    assert (found["lcp_shorter"], found["nexcp_shorter"], found["rows"]) == (81, 66, 90)


# ------------------------------------------------------------------ the network


def test_network_has_the_architecture_of_the_paper():
    network = QuantileNetwork(epochs=1).fit(np.eye(4), np.arange(4.0))
    assert [w.shape for w in network.weights_] == [(4, 64), (64, 64), (64, 2)]
    constants = QuantileNetwork().get_params()
    assert (constants["dropout"], constants["learning_rate"]) == (0.1, 5e-4)
    assert constants["epochs"] == 2000
    fresh = QuantileNetwork(epochs=0).fit(np.eye(4), np.arange(4.0))
    product = fresh.weights_[1].T @ fresh.weights_[1]
    np.testing.assert_allclose(product, np.eye(64), atol=1e-5)


@pytest.mark.parametrize("quantiles", [(0.1, 0.9), None])
def test_network_gradient_equals_finite_differences(quantiles):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    network = QuantileNetwork(quantiles, hidden=5, dropout=0.0, epochs=0).fit(X, y)
    network.weights_ = [w.astype(float) for w in network.weights_]
    network.biases_ = [b.astype(float) + 0.1 for b in network.biases_]
    Z, target = (X - network.center_) / network.scale_, y[:, None]
    sizes = [3, 5, 5, 1 if quantiles is None else 2]
    gates, gradient = np.ones((2, 30, 5)), _Parameters(sizes)
    network._step(Z, target, gates.copy(), gradient)
    slopes = [*gradient.weights, *gradient.biases]
    parameters = [*network.weights_, *network.biases_]
    for parameter, slope in zip(parameters, slopes, strict=True):
        index = np.unravel_index(rng.integers(parameter.size), parameter.shape)
        values = []
        for shift in (1e-5, -1e-5):
            parameter[index] += shift
            values.append(network._step(Z, target, gates.copy(), _Parameters(sizes)))
            parameter[index] -= shift
        wanted = (values[0] - values[1]) / 2e-5
        assert slope[index] == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_network_learns_orders_quantiles_and_repeats():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(200, 3))
    y = X[:, 0] + rng.normal(size=200)
    network = QuantileNetwork(epochs=80).fit(X, y)
    assert network.loss_[-10:].mean() < network.loss_[:10].mean()
    low, high = network.predict(X).T
    assert (low <= high).all()
    again = QuantileNetwork(epochs=80).fit(X, y)
    np.testing.assert_array_equal(network.predict(X), again.predict(X))


def test_dropout_keeps_the_stated_share_and_the_mean():
    gates = _dropout((2, 1000, 64), 0.1, np.random.default_rng(7))
    kept = (gates > 0).mean()
    # 128 000 draws: four standard errors.
    assert abs(kept - 0.9) < 4 * np.sqrt(0.09 / gates.size)
    assert list(np.unique(gates)) == pytest.approx([0, 1 / 0.9], rel=1e-4)
    assert (_dropout((2, 3, 5), 0, np.random.default_rng(0)) == 1).all()


def test_network_sorts_crossed_quantiles_in_training():
    network = QuantileNetwork((0.1, 0.5, 0.9))
    raw = np.array([[2.0, 1.0, 3.0], [0.0, 1.0, 2.0]], np.float32)
    target = np.array([[1.5], [0.5]], np.float32)
    loss, back = network._loss(raw, target)
    error = target - np.sort(raw, axis=1)
    tau = np.array([0.1, 0.5, 0.9])
    assert loss == pytest.approx(np.maximum(tau * error, (tau - 1) * error).mean())
    np.testing.assert_allclose(back[0] * 6, [0.5, -0.1, 0.1], atol=1e-6)


@pytest.mark.parametrize("quantiles", [(0.1, 0.9), None])
def test_torch_makes_the_same_steps(quantiles):
    pytest.importorskip("torch", reason="the extra `paper` is not installed")
    rng = np.random.default_rng(8)
    X = rng.normal(size=(60, 3))
    y = X[:, 0] + rng.normal(size=60)
    ours, theirs = (
        QuantileNetwork(quantiles, epochs=100, backend=backend).fit(X, y)
        for backend in ("numpy", "torch")
    )
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-4)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-2, atol=1e-3)


def test_network_names_the_backends_it_knows():
    with pytest.raises(ValueError, match="backend must be 'numpy' or 'torch'"):
        QuantileNetwork(backend="jax").fit(np.eye(4), np.arange(4.0))


def test_network_without_torch_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"notebook-lib\[paper\]"):
        QuantileNetwork(backend="torch").fit(np.eye(4), np.arange(4.0))
