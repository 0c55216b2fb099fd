"""The live replicates of chapters 3 and 4 give the rows of the stored studies' code."""

import numpy as np
import pandas as pd
import pytest

from notebook_lib.studies import mask_conditional, mask_quick, mda_nested, mda_quick

SMALL = {"base": "linear", "phi": 0.8, "n_marginal": 30, "n_each": 6}


def rows_of(replicate, scenario):
    rows = replicate(scenario, np.random.default_rng(7))
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("replicate_sizes", SMALL | {"p": 0.2}),
        ("replicate_masks", SMALL | {"mechanism": "MCAR", "n_masks": 9}),
        ("replicate_masks", SMALL | {"mechanism": "self-masked", "setting": 1}),
        ("replicate_masks", SMALL | {"mechanism": "MAR", "setting": 2, "phi": 0.0}),
    ],
    ids=lambda value: value if isinstance(value, str) else value.get("mechanism", "-"),
)
def test_live_replicates_give_the_rows_of_the_stored_code(name, scenario):
    stored = rows_of(getattr(mda_nested, name), scenario)
    live = rows_of(getattr(mda_quick, name), scenario)
    by = ["mask" if "mask" in stored else "size", "method"]
    assert list(stored[by].itertuples(index=False)) == list(
        live[by].itertuples(index=False)
    )
    for column in ("coverage", "length", "infinite", "n"):
        np.testing.assert_allclose(live[column], stored[column], rtol=1e-7)


def test_the_additive_learner_on_one_mask_is_that_of_all_masks():
    scenario = SMALL | {"n_each": 20}
    every = rows_of(mda_nested.replicate_outcome, scenario).set_index(
        ["mask", "method"]
    )
    one = rows_of(mda_quick.replicate_additive, scenario).iloc[0]
    wanted = every.loc[("011", "CP-MDA-Nested")]
    assert one["coverage"] == wanted["coverage"]
    assert one["length"] == pytest.approx(wanted["length"], rel=1e-7)


@pytest.mark.parametrize(
    "scenario",
    [
        {"d": 3, "mechanism": "MNAR", "draw": False},
        {"d": 5, "mechanism": "MAR", "add_mask": True},
        {"d": 5, "mechanism": "MCAR"},
    ],
    ids=lambda scenario: scenario["mechanism"],
)
def test_the_tables_live_replicate_gives_the_rows_of_the_stored_code(scenario):
    scenario = {"base": "linear", "n_marginal": 40, "n_each": 6} | scenario
    stored = rows_of(mask_conditional.replicate_synthetic, scenario)
    live = rows_of(mask_quick.replicate_synthetic, scenario)
    pd.testing.assert_frame_equal(live, stored, rtol=1e-9)
