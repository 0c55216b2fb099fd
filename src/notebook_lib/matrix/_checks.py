"""Checks shared by the matrix methods: masks, weights, and groups of cells."""

import numbers

import numpy as np

#: Largest ratio of two weights of which a sum still holds the smaller one.
_WIDEST = 1e15


class SmallSampleWarning(UserWarning):
    """Few calibration groups, or few that carry weight: regions will be unstable."""


def check_mask(mask, name, shape=None):
    """Return a boolean matrix; refuse other types and another shape."""
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.ndim != 2:
        raise ValueError(
            f"{name} must be a two-dimensional boolean array, got dtype {mask.dtype} "
            f"and shape {mask.shape}: convert 0 and 1 with astype(bool)"
        )
    if shape is not None and mask.shape != tuple(shape):
        raise ValueError(
            f"{name} has shape {mask.shape}, expected {tuple(shape)}: give one entry "
            "for each cell of the matrix"
        )
    return mask


def check_observed(observed, universe=None):
    """Return ``(observed, universe)``; neither all nor none may be observed."""
    observed = check_mask(observed, "observed")
    if universe is None:
        universe = np.ones_like(observed)
    else:
        universe = check_mask(universe, "universe", observed.shape)
        if (observed & ~universe).any():
            raise ValueError(
                "observed must lie inside universe, but "
                f"{int((observed & ~universe).sum())} observed cells do not: set "
                "universe to True there"
            )
    if not observed.any():
        raise ValueError(
            "no cell is observed: there is nothing to learn from; set observed to "
            "True where M is known"
        )
    if not (universe & ~observed).any():
        raise ValueError(
            "every cell is observed: there is nothing to predict; write NaN (not 0 or "
            "-999) where nothing is known, or set observed to False there"
        )
    return observed, universe


def check_weights(weights, name, shape):
    """Return a matrix of finite weights >= 0; None gives ones."""
    if weights is None:
        return np.ones(shape)
    weights = np.asarray(weights, dtype=float)
    if weights.shape != tuple(shape):
        raise ValueError(
            f"{name} has shape {weights.shape}, expected {tuple(shape)}: give one "
            "weight for each cell of the matrix"
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            f"{name} must be finite and >= 0, but "
            f"{int((~np.isfinite(weights) | (weights < 0)).sum())} entries are not: "
            "replace them (0 means never drawn)"
        )
    return weights


def check_spread(weights, name):
    """Refuse positive weights that floats cannot add up: the least would be lost."""
    positive = weights[weights > 0]
    if positive.size and positive.max() > _WIDEST * positive.min():
        raise ValueError(
            f"{name} must lie within a factor of {_WIDEST:g} of each other (or be 0), "
            f"got {positive.min():g} to {positive.max():g}: raise the smallest"
        )


def check_size(size, name, largest=None):
    """Return a whole number >= 1, at most `largest`."""
    if isinstance(size, bool) or not isinstance(size, numbers.Integral) or size < 1:
        raise ValueError(
            f"{name} must be a whole number >= 1, got {size!r}: give one such as "
            f"{name}=2"
        )
    if largest is not None and size > largest:
        raise ValueError(
            f"{name}={size} is larger than the possible {largest}: lower it"
        )
    return int(size)


def check_groups(groups, name, shape):
    """Return integer groups (m, K, 2) of distinct cells of one column each."""
    groups = np.asarray(groups)
    if groups.ndim != 3 or groups.shape[2] != 2 or groups.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be an integer array of shape (m, K, 2) holding (row, column) "
            f"pairs, got dtype {groups.dtype} and shape {groups.shape}: put a single "
            "group into a list, convert floats with astype(int)"
        )
    if groups.size and (
        (groups < 0).any() or (groups >= np.array(shape).reshape(1, 1, 2)).any()
    ):
        raise ValueError(
            f"{name} holds cells outside the matrix of shape {shape}: count rows and "
            "columns from 0"
        )
    if (groups[:, :, 1] != groups[:, :1, 1]).any():
        raise ValueError(
            f"{name}: all cells of a group must lie in one column; put cells of other "
            "columns into groups of their own"
        )
    rows = np.sort(groups[:, :, 0], axis=1)
    if (rows[:, 1:] == rows[:, :-1]).any():
        raise ValueError(
            f"{name}: a group repeats a cell; give {groups.shape[1]} different cells "
            "in each"
        )
    return groups


def check_test_groups(tests, missing, test_weights):
    """Refuse test groups that the test model could not have drawn."""
    tests = check_groups(tests, "tests", missing.shape)
    rows, columns = tests[..., 0], tests[..., 1]
    if not missing[rows, columns].all():
        raise ValueError(
            "tests must hold missing cells only: some are observed (their entries are "
            "known) or outside universe; leave those groups out"
        )
    if (test_weights[rows, columns] == 0).any():
        raise ValueError(
            "test_weights is 0 on a test cell, which is never drawn: give it a "
            "positive weight, or leave its group out"
        )
    return tests


def check_matrix(M, observed):
    """Return a float matrix whose observed cells are finite."""
    M = np.asarray(M, dtype=float)
    if M.shape != observed.shape:
        raise ValueError(
            f"M has shape {M.shape} and observed {observed.shape}: give both the same "
            "shape"
        )
    bad = observed & ~np.isfinite(M)
    if bad.any():
        raise ValueError(
            f"M is NaN or infinite on {int(bad.sum())} cells that observed calls seen: "
            "set observed to False there, or replace the values"
        )
    return M
