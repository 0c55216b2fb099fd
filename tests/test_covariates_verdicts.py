"""Verdicts of chapter 4 on stored runs: texts for runs that grow, and misses."""

import numpy as np
import pandas as pd
import pytest

from notebook_lib import claims, studies
from notebook_lib.studies import mda_figure_verdicts as judge
from notebook_lib.studies import mda_larger_verdicts as larger
from notebook_lib.studies import mda_live as live


@pytest.fixture(name="records")
def collect_records(monkeypatch):
    records = []

    def keep(record):
        records.append(record)
        return record

    monkeypatch.setattr("notebook_lib.claims.calls.emit", keep)
    return records


def resampled(frame, count, seed):
    """A summary of `count` replicates, as the stored one says they scatter."""
    rng = np.random.default_rng(seed)
    spread = frame["mc_error"].fillna(0) * np.sqrt(frame["n"])
    values = rng.normal(
        frame["mean"].to_numpy()[:, None],
        spread.to_numpy()[:, None],
        (len(frame), count),
    )
    share = frame["metric"].isin(["coverage", "infinite"]).to_numpy()
    values[share] = values[share].clip(0, 1)
    return frame.assign(
        base="network",
        mean=values.mean(axis=1),
        mc_error=values.std(axis=1, ddof=1) / np.sqrt(count),
        n=count,
    )


@pytest.fixture(name="store")
def make_store(monkeypatch):
    """What is stored, by name: frames with their replicates."""
    shelf = {}

    def read(name):
        frame, count = shelf.get(name, (None, None))
        return frame, None if frame is None else {"n_replicates": count}

    for module in (judge, larger):
        monkeypatch.setattr(module, "stored_if_any", read)
    return shelf


@pytest.mark.parametrize("count", [8, 20, 100])
def test_networks_decide_from_eight_replicates_on(store, records, count):
    linear, _ = studies.load("mda_mechanisms_linear")
    store["mda_mechanisms_linear"] = linear, 10
    store["mda_mechanisms_network"] = resampled(linear, count, count), count
    frame, base, note = judge.first_stored("mda_mechanisms", 8)
    assert (base, note) == ("network", f"network, {count} stored replicates")
    table = live.extremes(live.stored_by_mask(frame))
    judge.mechanisms(table, "paper", note, base, ok=True)
    assert {r.id for r in records} == {"mdan-F5", "mdan-F6", "mdan-F7"}
    assert {r.scale for r in records} == {"paper"}
    parts = {r.part for r in records if r.id == "mdan-F5"}
    assert {"CQR marginal", "Nested marginal", "Nested, failing masks"} <= parts
    assert "CQR, lowest mask, every setting" in parts
    for record in records:
        assert record.verdict in ("reproduced", "differs")
        assert record.note == note
        if record.verdict == "differs":
            assert record.why


@pytest.mark.parametrize(
    ("count", "said"), [(2, "only 2 of the 8 needed"), (7, "7 of")]
)
def test_linear_models_decide_before_and_the_note_says_so(store, count, said):
    linear, _ = studies.load("mda_mechanisms_linear")
    store["mda_mechanisms_linear"] = linear, 10
    store["mda_mechanisms_network"] = resampled(linear, count, 0), count
    frame, base, note = judge.first_stored("mda_mechanisms", 8)
    assert base == "linear"
    assert said in note
    assert judge.replicates_of(note) == 10
    assert frame is linear
    del store["mda_mechanisms_network"]
    assert "no networks stored" in judge.first_stored("mda_mechanisms", 8)[2]
    store.clear()
    with pytest.raises(FileNotFoundError, match="mda_mechanisms"):
        judge.first_stored("mda_mechanisms", 8)


def test_each_claim_is_about_its_own_mechanism(records):
    kinds = ("MAR", "self-masked", "censored")
    fine = [extremes_of(0, 0.91).assign(mechanism=kind) for kind in kinds]
    fine[1] = extremes_of(3, 0.85).assign(mechanism="self-masked")
    note = "network, 8 stored replicates"
    judge.mechanisms(pd.concat(fine), "paper", note, "network", ok=True)
    assert {r.id for r in records if r.verdict == "differs"} == {"mdan-F6"}


def test_both_models_in_one_table_and_only_what_is_stored(store):
    linear, _ = studies.load("mda_mechanisms_linear")
    store["mda_mechanisms_linear"] = linear, 10
    alone = judge.both_models("mda_mechanisms")
    assert set(alone["base"]) == {"linear"}
    store["mda_mechanisms_network"] = resampled(linear, 8, 0), 8
    both = judge.both_models("mda_mechanisms")
    assert both["base"].unique().tolist() == ["network", "linear"]
    pd.testing.assert_frame_equal(
        both[both["base"] == "linear"].reset_index(drop=True), alone
    )


def extremes_of(failing, lowest):
    rows = [("CQR", 0.9, 5, 0.8), ("CP-MDA-Exact", 0.92, 0, 0.88)]
    rows.append(("CP-MDA-Nested", 0.96, failing, lowest))
    return pd.DataFrame(
        [
            {
                "method": method,
                "marginal": marginal,
                "marginal_error": 0.004,
                "lowest": low,
                "lowest_error": 0.01,
                "highest": 0.99,
                "infinite": 0.0,
                "failing": bad,
                "masks": 64,
            }
            for method, marginal, bad, low in rows
        ]
    )


def test_a_network_run_that_misses_is_told_with_what_chance_does(records):
    note = "network, 8 stored replicates"
    judge.mechanism("mdan-F5", extremes_of(3, 0.85), "paper", note, "network", ok=True)
    (missed,) = [r for r in records if r.verdict == "differs"]
    assert missed.part == "Nested, failing masks"
    assert "in 1 of 1 settings" in missed.why
    assert "8 replicates" in missed.why
    assert "0.64 of 64 masks" in missed.why
    records.clear()
    judge.mechanism("mdan-F5", extremes_of(0, 0.91), "paper", note, "network", ok=True)
    assert {r.verdict for r in records} == {"reproduced"}


@pytest.mark.parametrize(
    ("lowest", "verdict"),
    [(0.84, "reproduced"), (0.87, "reproduced"), (0.89, "differs")],
)
def test_cqr_is_held_to_the_written_level_within_its_error(records, lowest, verdict):
    """F5 to F7: lowest mask of CQR below 0.85, here with an error of 0.01."""
    table = extremes_of(0, 0.91).replace({"lowest": {0.8: lowest}})
    note = "network, 8 stored replicates"
    judge.mechanism("mdan-F7", table, "paper", note, "network", ok=True)
    (held,) = [r for r in records if r.part == "CQR, lowest mask, every setting"]
    assert held.observed == lowest
    assert held.verdict == verdict


def test_a_live_run_that_misses_stops_the_chapter():
    bad = extremes_of(0, 0.91).assign(marginal=0.5)
    with pytest.raises(claims.ClaimFailed, match="mdan-F5"):
        judge.mechanism("mdan-F5", bad, "quick", "", "linear", ok=True)


def test_a_lowest_mask_below_its_level_is_told_with_its_error(records):
    table = extremes_of(0, 0.84).replace({"lowest": {0.8: 0.6}})
    note = "network, 5 stored replicates"
    judge.under_mcar(table, "paper", note, "network", ok=True)
    (missed,) = [r for r in records if r.verdict == "differs"]
    assert missed.part == "Nested lowest"
    assert "5 replicates is biased down" in missed.why
    assert "0.010" in missed.why


# ------------------------------------------- the checks at the document's size


def test_stored_checks_at_the_documents_size_hold(records):
    larger.model33()
    larger.longer()
    larger.conditioning()
    assert {r.id for r in records} == {"mdan-M3.3", "mdan-E19", "mdan-ME1"}
    assert {r.verdict for r in records} == {"reproduced"}


def test_checks_without_their_study_say_so(store, records):
    assert not store
    larger.model33()
    larger.longer()
    larger.conditioning()
    assert [r.verdict for r in records] == ["not attempted"] * 3
    assert "mda_longer is not stored" in records[1].why


def test_stored_checks_would_see_a_difference(store, records):
    frame, _ = studies.load("mda_model33")
    store["mda_model33"] = frame.assign(seen=frame["seen"] * 1.05), len(frame)
    larger.model33()
    assert "differs" in {r.verdict for r in records}
    records.clear()
    frame, _ = studies.load("mda_conditioning")
    moved = frame["metric"] == "gap"
    even = frame.assign(mean=frame["mean"].where(~moved, frame["mean"] + 0.05))
    store["mda_conditioning"] = even, 100
    larger.conditioning()
    by_part = {r.part: r.verdict for r in records}
    assert by_part["MCAR, in errors"] == "differs"
