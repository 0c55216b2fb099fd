"""Claims: criteria, records, displays."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notebook_lib import claims
from notebook_lib._kernels import with_starts

finite = st.floats(-1e6, 1e6)


def check(observed, **criterion):
    return claims.check("em-A1", observed, **criterion)


# ------------------------------------------------------------------- criteria


@settings(deadline=None)
@given(finite, finite, st.floats(0, 1e6))
def test_two_sided_criterion(observed, expected, tol):
    if abs(observed - expected) <= tol:
        assert check(observed, expected=expected, tol=tol).verdict == "reproduced"
    else:
        with pytest.raises(claims.ClaimFailed, match="em-A1 at quick scale"):
            check(observed, expected=expected, tol=tol)


def test_a_failure_carries_what_was_found():
    with pytest.raises(claims.ClaimFailed) as miss:
        check([1.0, 3.0], at_most=2, mc_error=0.1)
    found = miss.value.outcome
    assert (found.observed, found.mc_error, found.n_values) == (3.0, 0.1, 2)
    assert found.slack == pytest.approx(-0.7)


def test_a_stored_run_that_misses_says_by_how_much():
    from notebook_lib.studies.mask_verdicts import assess

    how = {"expected": 0.9, "mc_error": 0.003, "part": "share", "note": "50 runs"}
    record = assess("em-A1", 0.8905, scale="paper", **how)
    assert (record.verdict, record.observed) == ("differs", 0.8905)
    assert record.expected == "0.9 within 3 MC errors"
    assert "by 0.0005, which is 0.17 of its Monte-Carlo errors" in record.why
    assert assess("em-A1", 0.8915, scale="paper", **how).verdict == "reproduced"
    with pytest.raises(claims.ClaimFailed, match="share"):
        assess("em-A1", 0.8905, scale="quick", **how)


@settings(deadline=None)
@given(finite, finite, st.floats(0, 100), st.floats(0.5, 5))
def test_monte_carlo_allowance(observed, bound, error, z):
    holds = observed - bound + z * error >= 0
    try:
        check(observed, at_least=bound, mc_error=error, z=z)
    except claims.ClaimFailed:
        assert not holds
    else:
        assert holds


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=6), finite, finite)
def test_bounds_hold_for_every_element(values, low, high):
    holds = all(low <= v <= high for v in values)
    try:
        record = check(np.array(values), at_least=low, at_most=high)
    except claims.ClaimFailed:
        assert not holds
    else:
        assert holds
        assert record.n_values == len(values)


def test_exact_without_allowance():
    assert check(3, expected=3).expected == "exactly 3"
    with pytest.raises(claims.ClaimFailed, match="wanted"):
        check(3 + 1e-12, expected=3)


def test_the_tightest_element_is_recorded():
    record = check([0.93, 0.88, 0.9], at_least=0.9, mc_error=0.01)
    assert record.observed == 0.88
    assert record.n_values == 3
    assert "tightest of 3" in _printed(record)


def test_elementwise_errors_broadcast():
    check(np.array([[0.9, 0.8]]), expected=0.9, mc_error=np.array([0.001, 0.05]))
    record = check([0.9, 0.95], expected=0.9, mc_error=[0.5, 0.02], z=3)
    assert (record.observed, record.mc_error) == (0.95, 0.02)
    with pytest.raises(claims.ClaimFailed, match=r"at \[0, 1\], 1 of 2"):
        check(np.array([[0.9, 0.8]]), expected=0.9, mc_error=np.array([0.05, 0.001]))


@pytest.mark.parametrize(
    ("observed", "criterion", "holds"),
    [
        (math.inf, {"expected": math.inf}, True),
        (math.inf, {"at_least": 3}, True),
        (math.inf, {"at_least": math.inf}, True),
        (math.inf, {"at_most": 3}, False),
        (-math.inf, {"expected": math.inf, "tol": 1}, False),
        (math.nan, {"expected": math.nan}, None),
        (math.nan, {"at_least": 0}, False),
        ([1.0, math.nan], {"at_most": 2}, False),
        (3, {"at_most": math.inf}, True),
    ],
)
def test_infinities_and_nan(observed, criterion, holds):
    if holds is None:
        with pytest.raises(ValueError, match="expected is NaN"):
            check(observed, **criterion)
    elif holds:
        assert check(observed, **criterion).verdict == "reproduced"
    else:
        with pytest.raises(claims.ClaimFailed, match="wanted"):
            check(observed, **criterion)


def test_nan_error_is_refused_not_passed():
    with pytest.raises(ValueError, match="two replicates"):
        check(0.5, expected=0.9, mc_error=math.nan)


def test_flags_and_texts():
    assert check(True).observed is True
    assert check(np.array([True, True])).n_values == 2
    assert check("a", expected="a").observed == "a"
    assert (
        check(np.array(["a", "b"]), expected=["a", "b"]).expected == "the same values"
    )
    for observed, expected in [(False, None), ("a", "b"), ([True, False], True)]:
        with pytest.raises(claims.ClaimFailed, match="wanted"):
            check(observed, expected=expected)
    with pytest.raises(ValueError, match="numeric"):
        check("a", at_least=1)


def test_nothing_checked_is_refused():
    for empty in ([], np.zeros((0, 2)), np.zeros(0, bool)):
        with pytest.raises(ValueError, match="empty"):
            check(empty, expected=1 if np.asarray(empty).dtype != bool else True)


def test_a_number_needs_a_criterion():
    with pytest.raises(ValueError, match="needs a criterion"):
        check(3.0)


def test_published_value_with_combined_errors():
    combined = {"published": 0.9, "published_error": 0.003, "mc_error": 0.004}
    record = check(0.9149, **combined)
    assert (record.published, record.published_error) == (0.9, 0.003)
    assert record.mc_error == 0.004
    with pytest.raises(claims.ClaimFailed, match=r"published 0\.9"):
        check(0.9151, **combined)
    assert check(0.9004, published=0.9, tol=0.0005).verdict == "reproduced"
    with pytest.raises(claims.ClaimFailed, match="wanted"):
        check(0.9004, published=0.9)


def test_when_asserts_nothing():
    record = check(0.1, expected=0.9, when=False)
    assert record.verdict == "not attempted"
    assert "default parameters" in record.why


# ----------------------------------------------------------- calls and records


def test_unknown_ids_and_scales():
    with pytest.raises(ValueError, match=r"'em-A11' is not a claim.*did you mean"):
        claims.check("em-A11", True)
    with pytest.raises(ValueError, match="scale must be one of"):
        claims.check("em-A1", True, scale="fast")


def test_differs_needs_a_reason_and_a_difference():
    record = claims.differs("em-A1", 3, 4, why="other weights")
    assert (record.verdict, record.expected, record.why) == (
        "differs",
        "4",
        "other weights",
    )
    assert claims.differs("em-A1", 3, published=4, why="w").expected == "4"
    with pytest.raises(ValueError, match="why"):
        claims.differs("em-A1", 3, 4, why=" ")
    with pytest.raises(ValueError, match="what does the document say"):
        claims.differs("em-A1", 3, why="w")
    with pytest.raises(claims.ClaimFailed, match="agrees"):
        claims.differs("em-A1", 3, 3.001, why="w", tol=0.01)
    with pytest.raises(claims.ClaimFailed, match="agrees"):
        claims.differs("em-A1", "a", "a", why="w")
    errors = {"mc_error": 0.3, "published_error": 0.4, "why": "w"}
    assert claims.differs("em-A1", 5.51, 4, **errors).verdict == "differs"
    with pytest.raises(claims.ClaimFailed, match="agrees"):
        claims.differs("em-A1", 5.49, 4, **errors)


def test_not_attempted_needs_a_reason():
    assert claims.not_attempted("em-A1", why="no data").why == "no data"
    with pytest.raises(ValueError, match="why"):
        claims.not_attempted("em-A1", why="")


@settings(deadline=None)
@given(st.floats(allow_nan=True, allow_infinity=True))
def test_stored_numbers_survive_noise_and_json(value):
    stored = claims.quantise(value)
    if not math.isfinite(value):
        assert stored in ("nan", "inf", "-inf")
    elif abs(value) < 1e-9:
        assert stored == 0
    else:
        assert stored == pytest.approx(value, rel=1e-5)
        assert claims.quantise(stored) == stored


@settings(deadline=None)
@given(st.floats(1e-8, 1e8), st.floats(-1e-14, 1e-14))
def test_rounding_absorbs_floating_noise(value, noise):
    value = float(f"{value:.5g}")
    assert claims.quantise(value * (1 + noise)) == claims.quantise(value)


def test_noise_below_one_billionth_is_zero():
    assert check(4.4e-16, at_most=1e-12).observed == 0
    assert check(4.4e-16, at_most=1e-12).expected == "at most 1e-12"
    assert check(4.4e-16, expected=0, tol=1e-12).expected == "0 within 1e-12"
    assert check(0, expected=[3e-17, 1], tol=2).expected == "0 to 1 within 2"


def test_numpy_scalars_become_python():
    record = check(np.int64(3), expected=3, mc_error=np.float32(0.5))
    assert type(record.observed) in (int, float)
    assert type(record.mc_error) is float


def _printed(record):
    from notebook_lib.claims.display import _html, _plain

    assert record.anchor in _html(record)
    return _plain(record)


def test_plain_call_prints_one_line(capsys):
    record = check(0.90123456, expected=0.9, mc_error=0.003, published=0.9)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert printed == _printed(record) + "\n"
    assert "observed 0.9012 (0.003); expected 0.9 within 3 MC errors" in printed


def test_html_is_escaped():
    from notebook_lib.claims.display import _html

    record = claims.differs("em-A1", 1, 2, why='<b>"x" & y</b>', part="K<3 & a")
    assert "<b>" not in _html(record)
    assert record.anchor == "claim-em-A1-quick-K-3---a"


NOTEBOOK = """
from notebook_lib import claims
claims.check("em-A1", 0.9, expected=0.9, tol=1e-3)
claims.check("em-A2", [0.9, 0.91], expected=0.9, tol=2e-2, part="x y")
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A small notebook run by a real kernel."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    folder = tmp_path_factory.mktemp("executed")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    with_starts(nbclient.NotebookClient(notebook, kernel_name="python3").execute)
    nbformat.write(notebook, folder / "01_latent_class.ipynb")
    return folder


def test_a_kernel_displays_each_record_once(executed):
    found = claims.collect(executed)
    assert list(found["id"]) == ["em-A1", "em-A2"]
    assert list(found["anchor"]) == ["claim-em-A1-quick", "claim-em-A2-quick-x-y"]
    text = (executed / "01_latent_class.ipynb").read_text()
    assert text.count("execute_result") == 0
    assert text.count("display_data") == 2


def test_claims_work_without_ipython():
    """The light install has no notebook tools."""
    code = (
        "import sys; sys.modules.update(IPython=None, nbformat=None); "
        "from notebook_lib import claims; claims.check('em-A1', True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "claim em-A1, quick scale: reproduced; holds\n", done.stderr


def test_another_seed_allows_more_errors_and_the_own_seed_does_not():
    given = {"expected": 0.9, "mc_error": 0.01}
    claims.another_seed(True)
    try:
        claims.check("mdan-T4.2b", 0.95, **given)
        with pytest.raises(claims.ClaimFailed, match=r"5\.5 MC errors"):
            claims.check("mdan-T4.2b", 0.96, **given)
    finally:
        claims.another_seed(False)
    with pytest.raises(claims.ClaimFailed, match="3 MC errors"):
        claims.check("mdan-T4.2b", 0.95, **given)
