"""Methods for a class that is never observed (chapter 1).

A Gaussian mixture imputes the class, a regression predicts the outcome from
covariates and imputed class, and split conformal prediction calibrates the
whole pipeline. Source: the simulation blueprint on EM-based imputation.
"""

from .conformal import LatentClassConformal, LatentClassRegressor
from .density import RegressionMixture, level_set_measure, outcome_e_step
from .mixture import (
    EMGaussianMixture,
    EMTrace,
    e_step,
    fit_em,
    kmeans_start,
    log_gaussian,
    m_step,
)
from .outcome_models import (
    OUTCOME_MODELS,
    ClassDummies,
    IgnoreClass,
    ResponsibilityRegression,
    SoftIntercepts,
    SoftSlopes,
    one_hot,
    solve_soft_system,
)
from .quality import (
    align_classes,
    attenuation_matrix,
    efficiency_gap,
    imputation_quality,
)
from .simulate import (
    LatentClassDGP,
    LatentClassSample,
    random_covariance,
    simplex_means,
    spread_intercepts,
)

__all__ = [
    "OUTCOME_MODELS",
    "ClassDummies",
    "EMGaussianMixture",
    "EMTrace",
    "IgnoreClass",
    "LatentClassConformal",
    "LatentClassDGP",
    "LatentClassRegressor",
    "LatentClassSample",
    "RegressionMixture",
    "ResponsibilityRegression",
    "SoftIntercepts",
    "SoftSlopes",
    "align_classes",
    "attenuation_matrix",
    "e_step",
    "efficiency_gap",
    "fit_em",
    "imputation_quality",
    "kmeans_start",
    "level_set_measure",
    "log_gaussian",
    "m_step",
    "one_hot",
    "outcome_e_step",
    "random_covariance",
    "simplex_means",
    "solve_soft_system",
    "spread_intercepts",
]
