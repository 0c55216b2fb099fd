"""Methods for outcomes that are missing for some rows (chapter 5).

Naive split conformal prediction by bin, simultaneous sets, pro-CP, pro-CP2, sets of
higher order and PAC sets, weighted conformal prediction, intervals for treatment
effects. Source: Lee, Dobriban and Tchetgen Tchetgen, *Conditional predictive
inference for missing outcomes* (arXiv 2403.04613, version of July 2025).
"""

from .bandwidth import leave_one_out_bandwidth, plug_in_bandwidth
from .bins import (
    BinLayout,
    bin_interval,
    bin_layout,
    feature_labels,
    odds_bins,
    sharp_slack,
)
from .crossing import cross_intervals
from .diagnostics import (
    balance_by_bin,
    bin_table,
    effective_sample_size,
    overlap_report,
    suggest_epsilon,
)
from .effects import effect_intervals
from .estimator import MissingOutcomeConformal, split_outcome
from .missed import kth_order_threshold, missed_law, pac_threshold
from .partition import (
    avoid_trivial_cells,
    block_cells,
    cell_masses,
    improve_partition,
    partition_test_points,
    quick_partition,
    round_robin,
    unavoidable_points,
    worst_mass_bound,
)
from .propensity import (
    KernelPropensity,
    PositivityWarning,
    PropensityModel,
    check_indicator,
)
from .simulate import (
    MissingOutcomes,
    draw_high_dimensional,
    draw_setting,
    expit,
    jobs_design,
    jobs_propensity,
    setting_propensity,
)
from .squared import cell_levels, procp2_threshold, squared_mass_at_infinity
from .thresholds import mass_at_infinity, naive_threshold, procp_threshold
from .weighted import (
    binned_weighted_threshold,
    missing_odds,
    shift_threshold,
    weighted_threshold,
)

__all__ = [
    "BinLayout",
    "KernelPropensity",
    "MissingOutcomeConformal",
    "MissingOutcomes",
    "PositivityWarning",
    "PropensityModel",
    "avoid_trivial_cells",
    "balance_by_bin",
    "bin_interval",
    "bin_layout",
    "bin_table",
    "binned_weighted_threshold",
    "block_cells",
    "cell_levels",
    "cell_masses",
    "check_indicator",
    "cross_intervals",
    "draw_high_dimensional",
    "draw_setting",
    "effect_intervals",
    "effective_sample_size",
    "expit",
    "feature_labels",
    "improve_partition",
    "jobs_design",
    "jobs_propensity",
    "kth_order_threshold",
    "leave_one_out_bandwidth",
    "mass_at_infinity",
    "missed_law",
    "missing_odds",
    "naive_threshold",
    "odds_bins",
    "overlap_report",
    "pac_threshold",
    "partition_test_points",
    "plug_in_bandwidth",
    "procp2_threshold",
    "procp_threshold",
    "quick_partition",
    "round_robin",
    "setting_propensity",
    "sharp_slack",
    "shift_threshold",
    "split_outcome",
    "squared_mass_at_infinity",
    "suggest_epsilon",
    "unavoidable_points",
    "weighted_threshold",
    "worst_mass_bound",
]
