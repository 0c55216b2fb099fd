"""The trials behind chapter 1's studies, against the user's estimator."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from notebook_lib import studies
from notebook_lib.latent import LatentClassConformal, LatentClassDGP
from notebook_lib.metrics import coverage_law
from notebook_lib.studies import (
    latent_breaks,
    latent_class,
    latent_live,
    latent_trial,
)


@pytest.fixture(scope="module")
def trial():
    dgp = LatentClassDGP(separation=3.0)
    return latent_trial.Trial(dgp, np.random.default_rng(0), 400, 300, 800)


@pytest.mark.parametrize("method", latent_trial.EM_METHODS)
@pytest.mark.parametrize("em", ["R", "RX"])
def test_a_trial_gives_the_numbers_of_the_estimator(trial, method, em):
    tau, _ = trial.impute(em)
    ys = trial.outcomes(1.0, 0.5)
    coverage, length, _ = trial.evaluate(method, tau, ys)
    X = [s.observables("RX") for s in trial.samples]
    model = LatentClassConformal(
        3,
        pipeline=method,
        alpha=latent_trial.ALPHAS,
        class_columns=[0, 1] if em == "R" else None,
        outcome_columns=[2, 3],
        random_state=trial._seed,
    )
    model.fit(X[0], ys[0]).conformalize(X[1], ys[1])
    _, sets = model.predict_set(X[2])
    expected = [union.contains(ys[2]).mean() for union in sets]
    np.testing.assert_allclose(coverage, expected, atol=1e-12)
    lengths = [union.length().mean() for union in sets]
    np.testing.assert_allclose(
        length, lengths, rtol=1e-9 if method != "density" else 2e-3
    )


def test_rows_hold_one_cell_each_and_the_oracle_has_no_gap(trial):
    cells = [(0.5, 0.5), (2.0, 1.0)]
    rows = latent_trial.compare_pipelines(trial, cells, ems=("R", "RX"))
    keys = {(r["em"], r["beta"], r["sigma"], r["method"], r["alpha"]) for r in rows}
    assert len(keys) == len(rows) == 2 * 2 * (2 + 2 * 5)
    assert all(r["gap"] == 0 for r in rows if r["method"] == "oracle")
    ignored = {r["em"] for r in rows if r["method"] == "ignore"}
    assert ignored == {"-"}


def test_outcomes_of_one_trial_share_their_noise(trial):
    one, two = trial.outcomes(0.0, 0.5)[0], trial.outcomes(0.0, 1.0)[0]
    x = trial.samples[0].x @ trial.dgp.theta
    np.testing.assert_allclose(two - x, 2 * (one - x))


def test_bins_cover_the_test_rows_once(trial):
    tau, _ = trial.impute("R")
    rows = latent_trial.bin_rows(trial, tau, trial.outcomes(1.0, 0.5))
    hard = [r for r in rows if r["method"] == "EM-hard" and r["alpha"] == 0.1]
    by_bin = [r for r in hard if r["bin"] not in ("right", "wrong")]
    by_label = [r for r in hard if r["bin"] in ("right", "wrong")]
    for group in (by_bin, by_label):
        assert sum(r["share"] for r in group) == pytest.approx(1)
    lengths = [r["length"] for r in hard]
    assert max(lengths) - min(lengths) < 1e-9, "one quantile, one length"
    means = [sum(r["share"] * r["coverage"] for r in g) for g in (by_bin, by_label)]
    assert means[0] == pytest.approx(means[1])


def test_classes_of_another_number_have_no_quality(trial):
    tau, quality = trial.impute("R", n_classes=2)
    assert tau[0].shape[1] == 2
    assert set(quality) == {"n_iter"}


@pytest.mark.parametrize("name", [n for n in studies.discover() if "latent" in n])
def test_one_small_replicate_of_every_study(name):
    study = studies.find(name)
    sizes = {"n_train": 200, "n_cal": 100, "n_test": 200}
    scenario = dict(study.scenarios[0])
    scenario |= {k: v for k, v in sizes.items() if k in scenario}
    if "n" in scenario:
        scenario["n"] = 100
    small = dataclasses.replace(study, scenarios=[scenario])
    frame = studies.run(small, n_replicates=2, progress=False, keep=False)
    assert (frame["error"] == "").all()
    if study.summarise:
        table = study.summarise(frame)
        assert table["mean"].notna().all()
        assert (table["n"] <= 2).all()


def test_the_same_seed_gives_the_same_rows():
    scenario = {"n_classes": 2, "separation": 1.0}
    scenario |= {"n_train": 100, "n_cal": 50, "n_test": 50}
    one, two = (
        latent_class.replicate_grid(scenario, np.random.default_rng(3)) for _ in "ab"
    )
    assert one == two


# ------------------------------------------------------ live, beside the stored


@pytest.fixture(scope="module")
def grid_summary():
    scenario = {"separation": 2.0, "sigma": 0.5}
    scenario |= {"n_train": 200, "n_cal": 100, "n_test": 100}
    scenarios = [scenario | {"n_classes": k} for k in (2, 3)]
    return latent_live.live(latent_class.GRID, scenarios, 3, seed=5)


def test_a_live_run_has_the_columns_of_the_stored_one(grid_summary):
    stored, manifest = studies.load("latent_class_grid")
    assert list(grid_summary.columns) == list(stored.columns)
    assert manifest["n_failed"] == 0
    assert set(grid_summary["n"]) == {3}


def test_a_live_run_repeats_itself(grid_summary):
    scenario = {"separation": 2.0, "sigma": 0.5, "n_classes": 2}
    scenario |= {"n_train": 200, "n_cal": 100, "n_test": 100}
    again = latent_live.live(latent_class.GRID, [scenario], 3, seed=5)
    first = grid_summary[grid_summary["n_classes"] == 2]
    np.testing.assert_array_equal(again["mean"], first["mean"])


def test_a_failure_in_a_live_run_is_not_swallowed():
    scenario = {"separation": 2.0, "n_classes": 1}
    scenario |= {"n_train": 50, "n_cal": 50, "n_test": 50}
    with pytest.raises(RuntimeError, match="n_classes must be at least 2"):
        latent_live.live(latent_class.GRID, [scenario], 2, seed=1)


def test_wide_puts_the_oracle_beside_every_em_variant(grid_summary):
    mean, error = latent_live.wide(grid_summary, "length", alpha=0.1)
    assert mean.shape == (2 * 2 * 4, 7)
    assert mean.notna().all(axis=None)
    assert error.shape == mean.shape
    row = latent_live.select(
        grid_summary, "length", method="oracle", alpha=0.1, n_classes=3, beta=1.0
    )
    both = mean["oracle"].xs((3, 1.0), level=("n_classes", "beta"))
    np.testing.assert_array_equal(both, [row["mean"].item()] * 2)


def test_wide_drops_an_em_variant_that_stands_alone(grid_summary):
    mean, _ = latent_live.wide(grid_summary, "length", alpha=0.1, em=["R", "-"])
    assert "em" not in mean.index.names
    assert len(mean) == 2 * 4


def test_the_gap_share_is_0_for_the_oracle_and_1_for_the_blind(grid_summary):
    mean, _ = latent_live.wide(grid_summary, "length", alpha=0.1)
    share = latent_live.gap_share(mean)
    without_effect = share.index.get_level_values("beta") == 0
    assert (share["oracle"][~without_effect] == 0).all()
    assert (share["ignore"][~without_effect] == 1).all()


def test_the_coverage_error_is_that_of_the_beta_binomial_law():
    law = stats.betabinom(10_000, *coverage_law(99, 0.1).args)
    expected = law.std() / 10_000 / np.sqrt(7)
    found = latent_live.coverage_error(99, 10_000, 7, 0.1)
    assert found == pytest.approx(expected, rel=0.01)


def test_the_criterion_catches_a_coverage_that_is_off():
    rows = pd.DataFrame({"mean": [0.9, 0.88], "alpha": 0.1, "n": 200})
    criterion = latent_live.coverage_criterion(rows, 2000, 10_000)
    slack = criterion["tol"] + criterion["z"] * criterion["mc_error"]
    off = np.abs(criterion["observed"] - criterion["expected"])
    assert list(off <= slack) == [True, False]
    assert criterion["expected"][0] - criterion["tol"] == pytest.approx(0.9)
    assert criterion["expected"][0] + criterion["tol"] == pytest.approx(0.9 + 1 / 2001)


def test_pipelines_break_where_exchangeability_does():
    rng = np.random.default_rng(2)
    tries = pd.concat([latent_breaks.broken_coverage(r) for r in rng.spawn(8)])
    mean = tries.groupby(level=0, sort=False).mean().mean(axis=1)
    assert abs(mean["as it should be"] - 0.9) < 0.02
    assert mean["fitted on the calibration rows"] < 0.89
    assert mean["shifted class mix"] < 0.89
