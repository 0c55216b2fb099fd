"""Nuclear-norm completion by a maintained convex solver, an optional extra.

The paper's code solves this problem with cvxpy and SCS; the book's
:class:`~notebook_lib.matrix.NuclearNorm` needs neither. This module is for those who
want the solver's word on it: ``pip install "notebook-lib[convex]"``.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..exceptions import NotConvergedWarning
from .completion import _Completion

__all__ = ["NuclearNormSolver"]


class NuclearNormSolver(_Completion):
    """Smallest nuclear norm that agrees with the observed cells, by cvxpy.

    Minimises ``||Z||_*`` subject to ``Z = M`` on the observed cells (A2.4 of Liang et
    al. 2024). Interior-point accuracy costs time: minutes at 200 x 200, where
    :class:`~notebook_lib.matrix.NuclearNorm` takes seconds.

    Parameters
    ----------
    solver : str
        A solver that cvxpy knows; ``"SCS"`` comes with it and is what the paper uses.
    options : dict, optional
        Passed to the solver, such as ``{"max_iters": 200}``.
    verbose : bool
        Whether the solver reports on standard output.

    Attributes
    ----------
    status_ : str
        What the solver says of its solution.
    norm_ : float
        Nuclear norm of the solution.

    Raises
    ------
    ImportError
        On `fit`, if cvxpy is not installed.
    """

    def __init__(self, solver="SCS", *, options=None, verbose=False):
        self.solver = solver
        self.options = options
        self.verbose = verbose

    def _complete(self, filled, observed):
        cvxpy = _import_cvxpy()
        if self.solver not in cvxpy.installed_solvers():
            raise ValueError(
                f"solver must be one of {cvxpy.installed_solvers()}, got "
                f"{self.solver!r}"
            )
        Z = cvxpy.Variable(filled.shape)
        seen = observed.astype(float)
        problem = cvxpy.Problem(
            cvxpy.Minimize(cvxpy.normNuc(Z)), [cvxpy.multiply(seen, Z) == filled]
        )
        options = dict(self.options or {})
        with warnings.catch_warnings():  # said below, in this library's words
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            problem.solve(solver=self.solver, verbose=self.verbose, **options)
        self.status_ = problem.status
        if Z.value is None:
            raise ValueError(
                f"{self.solver} ended with {self.status_!r} and no solution: give it "
                "more iterations in options"
            )
        if self.status_ != "optimal":
            warnings.warn(
                f"{self.solver} ended with {self.status_!r}: give it more iterations "
                "in options",
                NotConvergedWarning,
                stacklevel=4,
            )
        self.norm_ = float(np.linalg.norm(Z.value, "nuc"))
        return np.asarray(Z.value)


def _import_cvxpy():
    try:
        import cvxpy
    except ImportError:
        raise ImportError(
            "NuclearNormSolver needs cvxpy, an optional extra: "
            'pip install "notebook-lib[convex]"; NuclearNorm solves the same problem '
            "without it"
        ) from None
    return cvxpy
