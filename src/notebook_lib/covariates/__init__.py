"""Missing covariates: intervals that hold on every mask.

The methods of chapter 3 (nexCP, LCP) and chapter 4 (CP-MDA-Nested*), on one
machinery: rows hidden under larger masks, test rows grouped by mask, and each
distinct (row, mask) pair predicted once.
"""

from .classification import CPMDANestedStarClassifier
from .conditional import LCP, NexCP
from .estimators import (
    CPMDAExact,
    CPMDANested,
    CPMDANestedStar,
    ImputedSplitRegressor,
    PerMaskRegressor,
)
from .gaussian import BETA, GaussianLinear, equicorrelated, equicorrelated_variance
from .imputation import GaussianImputer, default_imputer, impute
from .localized import (
    column_ranges,
    heom,
    kernel_weights,
    lcp_radius,
    median_bandwidth,
    nexcp_radius,
    rank_weights,
    slcp_bandwidth,
)
from .model import MaskedModel, as_table
from .nested import (
    closed_rank,
    covering_segments,
    covering_union,
    label_counts,
    unstarred_bounds,
)
from .network import QuantileNetwork
from .pairs import PairPlan, check_masked, count_naive_predictions
from .report import mask_report
from .subsample import (
    AdaptiveAtMost,
    AllRows,
    AtMost,
    Chosen,
    Exact,
    RandomSupermask,
    SameMask,
    Supermask,
    extra_missing,
)

__all__ = [
    "BETA",
    "LCP",
    "AdaptiveAtMost",
    "AllRows",
    "AtMost",
    "CPMDAExact",
    "CPMDANested",
    "CPMDANestedStar",
    "CPMDANestedStarClassifier",
    "Chosen",
    "Exact",
    "GaussianImputer",
    "GaussianLinear",
    "ImputedSplitRegressor",
    "MaskedModel",
    "NexCP",
    "PairPlan",
    "PerMaskRegressor",
    "QuantileNetwork",
    "RandomSupermask",
    "SameMask",
    "Supermask",
    "as_table",
    "check_masked",
    "closed_rank",
    "column_ranges",
    "count_naive_predictions",
    "covering_segments",
    "covering_union",
    "default_imputer",
    "equicorrelated",
    "equicorrelated_variance",
    "extra_missing",
    "heom",
    "impute",
    "kernel_weights",
    "label_counts",
    "lcp_radius",
    "mask_report",
    "median_bandwidth",
    "nexcp_radius",
    "rank_weights",
    "slcp_bandwidth",
    "unstarred_bounds",
]
