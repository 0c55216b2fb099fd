"""Missing entries of a matrix: structured conformal inference (SCMC).

Source: Liang, Xie, Tong and Sesia (2024), "Structured conformal inference for matrix
completion with applications to group recommender systems". Arrays are users x
products, ``observed`` is True where an entry is seen, and a group of ``K`` entries of
one column is an integer array (K, 2) of ``(row, column)`` pairs.
"""

from ._checks import SmallSampleWarning
from .baselines import bonferroni, individual_thresholds, unadjusted
from .completion import ALS, SVT, ColumnMean, NuclearNorm, SoftImpute, completed
from .conditional import (
    WorstSlab,
    genre_test_weights,
    worst_slab,
    worst_slab_test_weights,
)
from .convex import NuclearNormSolver
from .estimator import StructuredConformalCompletion
from .observation import (
    AdditiveSamplingWeights,
    SamplingWeights,
    consistent_weights,
    project_nuclear,
)
from .rules import HyperCube, HyperRectangle, HyperSphere, clip_to_range
from .sampling import (
    StructuredSplit,
    default_calibration_size,
    max_calibration_groups,
    sample_test_groups,
    sample_without_replacement,
    structured_split,
)
from .scmc import (
    Calibration,
    GroupRegions,
    calibrate,
    scmc,
)
from .simulate import (
    Ratings,
    column_effect_matrix,
    low_rank_matrix,
    sparse_column_weights,
    synthetic_ratings,
    theorem_matrix,
)
from .wallenius import (
    exact_log_ratios,
    laplace_log_odds,
    laplace_scale,
    log_probability,
)
from .weights import ConformalizationWeights, effective_sample_size

__all__ = [
    "ALS",
    "SVT",
    "AdditiveSamplingWeights",
    "Calibration",
    "ColumnMean",
    "ConformalizationWeights",
    "GroupRegions",
    "HyperCube",
    "HyperRectangle",
    "HyperSphere",
    "NuclearNorm",
    "NuclearNormSolver",
    "Ratings",
    "SamplingWeights",
    "SmallSampleWarning",
    "SoftImpute",
    "StructuredConformalCompletion",
    "StructuredSplit",
    "WorstSlab",
    "bonferroni",
    "calibrate",
    "clip_to_range",
    "column_effect_matrix",
    "completed",
    "consistent_weights",
    "default_calibration_size",
    "effective_sample_size",
    "exact_log_ratios",
    "genre_test_weights",
    "individual_thresholds",
    "laplace_log_odds",
    "laplace_scale",
    "log_probability",
    "low_rank_matrix",
    "max_calibration_groups",
    "project_nuclear",
    "sample_test_groups",
    "sample_without_replacement",
    "scmc",
    "sparse_column_weights",
    "structured_split",
    "synthetic_ratings",
    "theorem_matrix",
    "unadjusted",
    "worst_slab",
    "worst_slab_test_weights",
]
