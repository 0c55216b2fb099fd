"""Bad inputs for missing outcomes: each row of the table in the specification."""

import inspect
import warnings

import numpy as np
import pytest

from notebook_lib.exceptions import InfiniteSetWarning
from notebook_lib.outcomes import (
    KernelPropensity,
    MissingOutcomeConformal,
    PositivityWarning,
    PropensityModel,
    binned_weighted_threshold,
    check_indicator,
    effect_intervals,
    kth_order_threshold,
    missing_odds,
    naive_threshold,
    odds_bins,
    pac_threshold,
    plug_in_bandwidth,
    procp2_threshold,
    procp_threshold,
    propensity,
    shift_threshold,
    weighted_threshold,
)
from notebook_lib.studies import outcome_checks

SCORES, BINS, TEST = np.arange(20.0), np.repeat([0, 1], 10), np.array([0, 1])
THRESHOLDS = [naive_threshold, procp_threshold, procp2_threshold]


@pytest.mark.parametrize("find", THRESHOLDS)
@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5, np.nan, "0.1", True])
def test_alpha_outside(find, alpha):
    with pytest.raises(ValueError, match="alpha"):
        find(SCORES, BINS, TEST, alpha)


@pytest.mark.parametrize("epsilon", [0, -1, np.inf, np.nan, True])
def test_epsilon(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        odds_bins([0.5], epsilon)


@pytest.mark.parametrize("delta", [0, 1, -2])
def test_delta(delta):
    with pytest.raises(ValueError, match="delta"):
        pac_threshold(SCORES, BINS, TEST, 0.2, delta)


@pytest.mark.parametrize("order", [0, -1, 1.5, True, "2"])
def test_order(order):
    with pytest.raises(ValueError, match="order"):
        kth_order_threshold(SCORES, BINS, TEST, 0.2, order)


@pytest.mark.parametrize("find", THRESHOLDS)
@pytest.mark.parametrize("bad", [np.nan, -np.inf, np.inf])
def test_scores(find, bad):
    scores = SCORES.copy()
    scores[3] = bad
    with pytest.raises(ValueError, match="scores holds"):
        find(scores, BINS, TEST, 0.2)
    if bad == np.inf:
        assert len(find(scores, BINS, TEST, 0.4, allow_infinite=True)) == 2


@pytest.mark.parametrize("find", THRESHOLDS)
def test_labels(find):
    with pytest.raises(ValueError, match="lengths differ"):
        find(SCORES[:-1], BINS, TEST, 0.2)
    with pytest.raises(ValueError, match="integer labels"):
        find(SCORES, BINS * 1.0, TEST, 0.2)
    with pytest.raises(ValueError, match="integer labels"):
        find(SCORES, BINS, TEST[:, None], 0.2)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 1.2])
def test_known_propensity_needs_positivity(p):
    with pytest.raises(ValueError, match="positivity"):
        odds_bins([0.5, p])
    with pytest.raises(ValueError, match="positivity"):
        missing_odds([0.5, p])
    with pytest.raises(ValueError, match="test_propensity"):
        weighted_threshold([1.0], [0.5], [p], 0.2)


def test_estimates_are_cut_with_one_warning():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 1))
    model = PropensityModel("forest", clip=0.05).fit(X, X[:, 0] > 0)
    with pytest.warns(PositivityWarning, match="of 200 estimated") as caught:
        p = model.predict(X)
    assert len(caught) == 1
    assert model.n_clipped_ > 100
    assert p.min() == 0.05
    assert p.max() == 0.95


@pytest.mark.parametrize("find", THRESHOLDS)
def test_no_test_points(find):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find(SCORES, BINS, [], 0.2).shape == (0,)
        assert pac_threshold(SCORES, BINS, [], 0.2, 0.1).shape == (0,)
        assert weighted_threshold(SCORES, np.full(20, 0.5), [], 0.2).shape == (0,)


@pytest.mark.parametrize("find", THRESHOLDS)
def test_no_calibration_points(find):
    with pytest.warns(InfiniteSetWarning, match="2 of 2"):
        q = find([], [], TEST, 0.2)
    assert np.isposinf(q).all()


def test_trivial_cells_give_one_warning_that_tells_what_to_do():
    with pytest.warns(InfiniteSetWarning, match="one_rep") as caught:
        q = procp_threshold(SCORES, BINS, np.repeat(TEST, 5), 0.2)
    assert len(caught) == 1
    assert "10 of 10" in str(caught[0].message)
    assert np.isposinf(q).all()
    with pytest.warns(InfiniteSetWarning, match="two_rep") as caught:
        procp2_threshold(SCORES, BINS, np.repeat(TEST, 5), 0.2)
    assert len(caught) == 1


def test_a_test_bin_unseen_in_calibration_sends_its_mass_to_infinity():
    q = procp_threshold(SCORES, BINS, [0, 0, 0, 0, 0, 0, 0, 0, 0, 7], 0.6)
    assert np.isfinite(q).all()
    with pytest.warns(InfiniteSetWarning):
        assert np.isinf(procp_threshold(SCORES, BINS, [7], 0.5)).all()


def test_cells():
    with pytest.raises(ValueError, match="cells has 1 entries"):
        procp_threshold(SCORES, BINS, TEST, 0.2, cells=[0])
    with pytest.raises(ValueError, match="negative"):
        procp_threshold(SCORES, BINS, TEST, 0.2, cells=[0, -1])
    gaps = procp_threshold(SCORES, BINS, TEST, 0.2, cells=[0, 900])
    np.testing.assert_array_equal(
        gaps, procp_threshold(SCORES, BINS, TEST, 0.2, cells=[0, 1])
    )


def test_weights():
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="weights"):
            shift_threshold([1.0, 2.0], [1.0, bad], [1.0], 0.2)
        with pytest.raises(ValueError, match="test_weights"):
            shift_threshold([1.0, 2.0], [1.0, 1.0], [bad], 0.2)
    assert shift_threshold([1.0, 2.0, 3.0], [0, 1, 0], [0.1], 0.2)[0] == 2
    assert shift_threshold([1.0, 2.0], [1.0, 1.0], [0.0], 0.2)[0] == 2
    with pytest.warns(InfiniteSetWarning):
        assert shift_threshold([1.0, 2.0], [0.0, 0.0], [0.0], 0.2)[0] == np.inf


def test_binned_weighted_lengths():
    with pytest.raises(ValueError, match="lengths differ"):
        binned_weighted_threshold([1.0], [0.5], [0.5], [0, 1], [0], 0.2)


@pytest.mark.parametrize("A", [[0, 2], [0.5, 1], ["a", "b"], [np.nan, 1.0]])
def test_indicator(A):
    with pytest.raises(ValueError, match="0 and 1"):
        check_indicator(A)


def test_constant_indicator_cannot_be_learnt():
    X = np.arange(30.0)[:, None]
    for A in (np.ones(30), np.zeros(30)):
        with pytest.raises(ValueError, match="constant"):
            PropensityModel("kernel").fit(X, A)
    y = np.arange(30.0)
    with pytest.raises(ValueError, match="no observed outcome"):
        MissingOutcomeConformal().fit(X, np.full(30, np.nan))
    with pytest.raises(ValueError, match="constant"):
        MissingOutcomeConformal().fit(X, y)
    known = MissingOutcomeConformal(propensity=lambda X: np.full(len(X), 0.8))
    known.fit(X, y).conformalize(X, y)  # nobody missing: fine when p is known
    assert known.predict_interval(X[:0])[1].shape == (0, 2, 1)


def test_outcomes_where_missing_are_nan_and_infinite_ones_are_refused():
    X, y = np.arange(30.0)[:, None], np.arange(30.0)
    with pytest.raises(ValueError, match="infinite"):
        MissingOutcomeConformal().fit(X, np.where(y > 20, np.inf, y))
    with pytest.raises(ValueError, match="numbers"):
        MissingOutcomeConformal().fit(X, np.array(["a"] * 30))


def test_crossing_quantiles_give_empty_sets_not_errors():
    from notebook_lib.intervals import is_empty, length
    from notebook_lib.scores import QuantileScore

    band = np.array([[2.0, 1.0], [0.0, 1.0]])
    assert QuantileScore().score([1.5, 0.5], band) == pytest.approx([0.5, -0.5])
    sets = QuantileScore().invert(band, 0.2)
    assert length(sets) == pytest.approx([0.0, 1.4])
    assert is_empty(sets).tolist() == [True, False]


def test_plug_in_bandwidth_degenerates_to_not_a_number():
    x = np.arange(50.0)
    assert not np.isfinite(plug_in_bandwidth(x, np.zeros(50)))
    with pytest.raises(ValueError, match="25 or more"):
        plug_in_bandwidth(x[:10], x[:10])


def test_a_plug_in_that_is_not_finite_falls_back_to_leave_one_out(monkeypatch):
    rng = np.random.default_rng(6)
    x = rng.uniform(0, 10, (80, 1))
    A = rng.random(80) < 0.7
    monkeypatch.setattr(propensity, "plug_in_bandwidth", lambda x, y: np.nan)
    model = KernelPropensity().fit(x, A)
    wanted = KernelPropensity("leave-one-out").fit(x, A)
    assert model.bandwidth_ == wanted.bandwidth_ > 0


def test_weighted_cp_asks_for_propensities_since_weights_have_two_directions():
    assert list(inspect.signature(weighted_threshold).parameters)[1:3] == [
        "propensity",
        "test_propensity",
    ]
    names = inspect.signature(binned_weighted_threshold).parameters
    assert "weights" not in names


def test_enumeration_refuses_what_it_could_not_finish():
    pooled = [np.arange(30.0), np.arange(30.0)]
    with pytest.raises(ValueError, match="more than a million"):
        outcome_checks.arrangements(pooled, [5, 5])


def test_outcomes_given_for_missing_rows_cannot_reach_the_threshold():
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(200, 1)), rng.normal(size=200)
    A = rng.random(200) < 0.7
    model = MissingOutcomeConformal(propensity=lambda X: np.full(len(X), 0.7))
    model.fit(X[:100], y[:100])
    model.conformalize(X[100:], np.where(A, y, np.nan)[100:])
    assert model.scores_.shape[1] == A[100:].sum()


def test_unknown_words_are_refused():
    for bad in ("paper ", None, 1):
        with pytest.raises(ValueError, match="variant"):
            procp_threshold(SCORES, BINS, TEST, 0.2, variant=bad)
    with pytest.raises(ValueError, match="allocation"):
        procp2_threshold(SCORES, BINS, TEST, 0.2, allocation="equal")
    with pytest.raises(ValueError, match="method"):
        MissingOutcomeConformal(method="magic").fit([[1.0]], [1.0])
    with pytest.raises(ValueError, match="model must be"):
        PropensityModel("magic").fit([[1.0], [2.0]], [0, 1])


def test_effect_intervals():
    sets = np.array([[1.0, 3.0], [-np.inf, np.inf]])
    np.testing.assert_array_equal(
        effect_intervals(sets, [1.0, 2.0], treated=False), [[0, 2], [-np.inf, np.inf]]
    )
    np.testing.assert_array_equal(
        effect_intervals(sets, [1.0, 2.0], treated=True), [[-2, 0], [-np.inf, np.inf]]
    )
    with pytest.raises(ValueError, match="one group"):
        effect_intervals(sets, [1.0, 2.0], treated=[True, False])
    with pytest.raises(ValueError, match="rows"):
        effect_intervals(sets, [1.0], treated=True)
    with pytest.raises(ValueError, match="shape"):
        effect_intervals(sets[0], [1.0], treated=True)
