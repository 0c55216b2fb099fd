"""Tables of chapter 3: the functions that run them live and lay them out."""

import pandas as pd
import pytest

from notebook_lib.studies import mask_live, mask_quick, mask_tables

SIZES = {"n_marginal": 40, "n_each": 6}


@pytest.fixture(scope="module")
def run():
    return mask_quick.run(3, "MCAR", 3, seed=5, **SIZES)


def test_a_run_averages_the_replicates_of_its_scenario(run):
    scenario = {"d": 3, "mechanism": "MCAR", "base": "linear"} | SIZES
    rows = mask_live.live(mask_quick.replicate_synthetic, [scenario], 3, 5)
    asked = rows[(rows["method"] == "nexCP") & (rows["mask"] == "m010")]
    found = run[(run["method"] == "nexCP") & (run["mask"] == "010")].iloc[0]
    assert found["n"] == 3
    for metric in ("coverage", "length"):
        assert found[metric] == pytest.approx(asked[metric].mean())
        assert found[f"{metric}_error"] == pytest.approx(asked[metric].sem())


def test_options_of_a_run_reach_the_pipeline(run):
    """CQR has nearly one length for all masks, unless the mask is a feature."""
    other = mask_quick.run(3, "MCAR", 3, seed=5, add_mask=True, **SIZES)
    ratio = {}
    for name, frame in (("plain", run), ("mask", other)):
        lengths = frame[frame["method"] == "CQR"].set_index("mask")["length"]
        ratio[name] = lengths["110"] / lengths["000"]
    assert abs(ratio["plain"] - 1) < 0.1
    assert ratio["mask"] > 1.3


def test_with_errors_keeps_order_and_leaves_gaps_empty():
    found = {
        "star": {"rank": (0.61234, 0.0102), "mask": (0.9, 0.0049)},
        "all": {"rank": (0.75, 0.02), "order": (0.91, 0.001)},
    }
    wanted = pd.DataFrame(
        {
            "rank": ["0.612 (0.010)", "0.750 (0.020)"],
            "mask": ["0.900 (0.005)", ""],
            "order": ["", "0.910 (0.001)"],
        },
        index=["star", "all"],
    )
    pd.testing.assert_frame_equal(mask_tables.with_errors(found), wanted)
    one = mask_tables.with_errors({"a": {"b": (1.26, 0.31)}}, digits=1)
    assert one.loc["a", "b"] == "1.3 (0.3)"


def test_pipelines_stand_beside_the_published_cells(run):
    table = mask_tables.pipelines({"draws": run})
    on_110 = run[run["mask"] == "110"].set_index("method")
    assert list(table) == ["draws", "published"]
    assert list(table["draws"]) == [
        on_110.loc["nexCP", "length"],
        on_110.loc["CQR", "coverage"],
        on_110.loc["CP", "length"],
    ]
    # As printed in the paper's Table 1.
    printed = mask_live.published().loc[("Table 1", "synthetic d=3; MCAR", "110")]
    assert table.loc["CP length", "published"] == printed["length", "CP"] == 4.209
    assert table.loc["CQR coverage, 110", "published"] == printed["coverage", "CQR"]
