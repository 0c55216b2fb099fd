"""One trial of chapter 1's pipelines: draw, impute, fit, calibrate, measure.

A trial draws its features once, fits each mixture once, and shares them over
all outcomes (``beta``, ``sigma``), because the observables ``S`` do not depend
on the outcome. The linear models then fit all outcomes in one solve.
"""

from __future__ import annotations

import warnings
from itertools import pairwise, product

import numpy as np

from ..exceptions import NotConvergedWarning
from ..latent import (
    OUTCOME_MODELS,
    EMGaussianMixture,
    RegressionMixture,
    align_classes,
    attenuation_matrix,
    imputation_quality,
    level_set_measure,
)
from ..quantiles import conformal_quantile

#: Pipelines by their names in the library and in the figures.
METHODS = {
    "oracle": "oracle",
    "hard": "EM-hard",
    "soft": "EM-soft (blueprint)",
    "soft-slopes": "EM-soft (class slopes)",
    "soft-regression": "EM-soft (regression)",
    "density": "mixture density",
    "ignore": "ignore",
}
EM_METHODS = ("hard", "soft", "soft-slopes", "soft-regression", "density")
ALPHAS = (0.1, 0.2)
MEASURE_ROWS = 2000  # test rows on which the density set is measured

#: Upper ends of the bins of the largest responsibility (figure F6).
CONFIDENCE_BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.0)


class Trial:
    """One draw of the three splits, with one noise for all outcomes.

    Parameters
    ----------
    dgp : LatentClassDGP
    rng : numpy.random.Generator
    n_train, n_cal, n_test : int

    Attributes
    ----------
    samples : list of LatentClassSample
        Train, calibration and test.
    """

    def __init__(self, dgp, rng, n_train, n_cal, n_test):
        self.dgp = dgp
        sizes = (n_train, n_cal, n_test)
        self.samples = [dgp.sample(n, rng) for n in sizes]
        self._noise = [rng.standard_normal(n) for n in sizes]
        self._seed = int(rng.integers(2**31))

    def outcomes(self, beta, sigma) -> list[np.ndarray]:
        """The outcomes of the three splits for one ``beta`` and ``sigma``."""
        dgp = self.dgp.with_(beta=beta, sigma=sigma)
        pairs = zip(self.samples, self._noise, strict=True)
        return [dgp.outcome(s.x, s.z, noise) for s, noise in pairs]

    def impute(self, em="R", **mixture):
        """Fit the mixture on the training split and apply it to all three.

        Parameters
        ----------
        em : {"R", "RX"}
        **mixture
            Passed to :class:`~notebook_lib.latent.EMGaussianMixture`.

        Returns
        -------
        tau : list of ndarray of shape (n, K)
            Responsibilities, columns aligned to the true classes on the
            training split when the numbers of classes agree.
        quality : dict
            Imputation quality on the test split, and ``n_iter``.
        """
        mixture = {"n_classes": self.dgp.n_classes, **mixture}
        seen = [s.observables(em) for s in self.samples]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotConvergedWarning)
            model = EMGaussianMixture(random_state=self._seed, **mixture).fit(seen[0])
        tau = [model.predict_proba(s) for s in seen]
        quality = {"n_iter": model.n_iter_}
        if mixture["n_classes"] == self.dgp.n_classes:
            order = align_classes(tau[0], self.samples[0].z)
            tau = [t[:, order] for t in tau]
            quality |= imputation_quality(tau[2], self.samples[2].z)
        return tau, quality

    def true_classes(self) -> list[np.ndarray]:
        """One-hot true classes of the three splits."""
        return [np.eye(self.dgp.n_classes)[s.z] for s in self.samples]

    def scores(self, method, tau, ys):
        """Fit one pipeline; its calibration and test scores.

        Parameters
        ----------
        method : str
            A key of :data:`METHODS`.
        tau : list of ndarray of shape (n, K)
        ys : list of ndarray of shape (n,) or (n, m)
            Several outcomes at once for every pipeline but "density".

        Returns
        -------
        model : object
        calibration, test : ndarray
            Scores, of the shape of the outcomes.
        """
        xs = [s.x for s in self.samples]
        if method != "density":
            model = OUTCOME_MODELS[method]().fit(xs[0], tau[0], ys[0])
            rest = [np.abs(ys[i] - model.predict(xs[i], tau[i])) for i in (1, 2)]
            return model, *rest
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotConvergedWarning)
            model = RegressionMixture().fit(xs[0], tau[0], ys[0])
        return model, *[model.residual_score(xs[i], tau[i], ys[i]) for i in (1, 2)]

    def evaluate(self, method, tau, ys, alphas=ALPHAS):
        """Coverage and mean length on the test split.

        Returns
        -------
        coverage, length : ndarray of shape (n_alphas,) or (m, n_alphas)
        model : object
        """
        model, calibration, test = self.scores(method, tau, ys)
        q = conformal_quantile(calibration, alphas, axis=0)
        coverage = (test[..., None] <= q).mean(axis=0)
        if method != "density":
            return coverage, 2 * q, model
        rows = tau[2][:MEASURE_ROWS]
        length = [level_set_measure(rows, model.beta_, model.sigma_, t) for t in q]
        return coverage, np.array([value.mean() for value in length]), model


def compare_pipelines(
    trial, cells, *, ems=("R",), alphas=ALPHAS, methods=METHODS, **em
):
    """Tidy rows of all pipelines for several outcomes of one trial.

    Parameters
    ----------
    trial : Trial
    cells : sequence of (beta, sigma)
    ems : sequence of {"R", "RX"}
    alphas : sequence of float
    methods : iterable of str
        Keys of :data:`METHODS`.
    **em
        Passed to :meth:`Trial.impute`.

    Returns
    -------
    list of dict
        One row for each EM variant, cell, method and level: coverage, length,
        gap to the oracle, the largest error of the fitted intercepts against
        their limit (``W beta`` for the blueprint's EM-soft, ``beta`` for the
        others that estimate it), and the imputation quality.
    """
    columns = [trial.outcomes(*cell) for cell in cells]
    ys = [np.column_stack(split) for split in zip(*columns, strict=True)]
    truth = trial.true_classes()
    oracle = trial.evaluate("oracle", truth, ys, alphas)
    rows = []
    for method in [m for m in ("oracle", "ignore") if m in methods]:
        coverage, length, _ = trial.evaluate(method, truth, ys, alphas)
        rows += _tidy(method, "-", cells, alphas, coverage, length, oracle[1], {}, None)
    for em_variant in ems:
        tau, quality = trial.impute(em_variant, **em)
        for method in [m for m in EM_METHODS if m in methods]:
            found = _evaluate_cells(trial, method, tau, ys, alphas)
            errors = _intercept_errors(trial, method, found[2], cells, em_variant)
            rows += _tidy(
                method,
                em_variant,
                cells,
                alphas,
                *found[:2],
                oracle[1],
                quality,
                errors,
            )
    return rows


def _evaluate_cells(trial, method, tau, ys, alphas):
    """Coverage (m, L), length (m, L) and intercepts (K, m) of all outcomes."""
    if method != "density":
        coverage, length, model = trial.evaluate(method, tau, ys, alphas)
        return coverage, length, model.beta_
    parts = [
        trial.evaluate(method, tau, [y[:, j] for y in ys], alphas)
        for j in range(ys[0].shape[1])
    ]
    coverage, length, models = zip(*parts, strict=True)
    beta = np.column_stack([model.beta_ for model in models])
    return np.array(coverage), np.array(length), beta


def _intercept_errors(trial, method, fitted, cells, em):
    known = method in ("soft", "soft-regression", "density")
    if not known or fitted.shape[0] != trial.dgp.n_classes:
        return None
    truth = np.column_stack([trial.dgp.with_(beta=b).intercepts for b, _ in cells])
    if method == "soft":
        truth = attenuation_matrix(trial.dgp.posterior(trial.samples[2], em)) @ truth
    return np.abs(fitted - truth).max(axis=0)


def _tidy(method, em, cells, alphas, coverage, length, oracle, quality, errors):
    rows = []
    for (j, (beta, sigma)), (i, alpha) in product(enumerate(cells), enumerate(alphas)):
        row = {
            "em": em,
            "beta": beta,
            "sigma": sigma,
            "method": METHODS[method],
            "alpha": alpha,
            "coverage": float(coverage[j, i]),
            "length": float(length[j, i]),
            "gap": float(length[j, i] - oracle[j, i]),
        }
        if errors is not None:
            row["beta_error"] = float(errors[j])
        rows.append(row | quality)
    return rows


def bin_rows(trial, tau, ys, alphas=ALPHAS) -> list[dict]:
    """Coverage and length of test rows by confidence and by right or wrong label.

    Parameters
    ----------
    trial : Trial
    tau : list of ndarray of shape (n, K)
    ys : list of ndarray of shape (n,)
    alphas : sequence of float

    Returns
    -------
    list of dict
        ``bin`` is the upper end of the bin of ``max_k tau_k``, or "right" or
        "wrong" for the hard label. Empty groups are left out.
    """
    top = tau[2].max(axis=1)
    right = tau[2].argmax(axis=1) == trial.samples[2].z
    edges = np.concatenate([[0.0], CONFIDENCE_BINS])
    groups = {
        f"{high:g}": (top > low) & (top <= high) for low, high in pairwise(edges)
    } | {"right": right, "wrong": ~right}
    rows = []
    for method in ("hard", "soft", "soft-regression", "density", "ignore"):
        model, calibration, test = trial.scores(method, tau, ys)
        for alpha in alphas:
            q = float(conformal_quantile(calibration, alpha))
            length = np.full(len(test), 2 * q)
            if method == "density":
                length = level_set_measure(tau[2], model.beta_, model.sigma_, q)
            for group, member in groups.items():
                if member.any():
                    row = {"method": METHODS[method], "alpha": alpha, "bin": group}
                    row["coverage"] = float((test[member] <= q).mean())
                    row["length"] = float(length[member].mean())
                    row["share"] = float(member.mean())
                    rows.append(row)
    return rows
