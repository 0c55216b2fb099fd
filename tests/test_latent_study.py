"""The trials behind chapter 1's studies, against the user's estimator."""

import dataclasses

import numpy as np
import pytest

from notebook_lib import studies
from notebook_lib.latent import LatentClassConformal, LatentClassDGP
from notebook_lib.studies import latent_class, latent_trial


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
