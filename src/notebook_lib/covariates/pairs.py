"""Predict each distinct (row, mask) pair once, however many test rows need it.

A calibration row seen under the mask of a test row is the same row for every test row
with that mask, and often for other masks too. The plan here lists the distinct pairs,
predicts the calibration pairs in one batch and the test pairs in large blocks, and
hands out the predictions by test mask.
"""

from typing import NamedTuple

import numpy as np

from ..masks import check_mask, group_masks

__all__ = ["GroupView", "PairPlan", "check_masked", "count_naive_predictions"]

_BLOCK = 100_000  # (row, mask) pairs imputed and predicted at once
_ENTRIES = 2_000_000  # (test row, calibration row) entries in one view


class GroupView(NamedTuple):
    """Everything the sets of the test rows with one mask are made of.

    Attributes
    ----------
    mask : ndarray of bool, shape (d,)
        The test mask.
    rows : ndarray of int, shape (n_g,)
        Test rows that have it.
    kept : ndarray of int, shape (N,)
        Calibration rows that the rule keeps.
    slot : ndarray of int, shape (N,)
        Which of the ``D`` augmented masks each kept row has.
    calibration : ndarray, shape (N, ...)
        Predictions of the kept rows, each under its augmented mask.
    test : ndarray, shape (n_g, D, ...)
        Predictions of the test rows under each augmented mask.
    """

    mask: np.ndarray
    rows: np.ndarray
    kept: np.ndarray
    slot: np.ndarray
    calibration: np.ndarray
    test: np.ndarray


def check_masked(X, mask, name):
    """Return rows with NaN exactly under the mask, and the mask.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Rows. Values under the mask are ignored.
    mask : array_like of bool, shape (n, d), or None
        True where an entry is missing; the NaN of `X` if None.
    name : str
        Name for the error message.

    Returns
    -------
    X : ndarray, shape (n, d)
        Rows with NaN under the mask.
    mask : ndarray of bool, shape (n, d)
        The mask.

    Raises
    ------
    ValueError
        If an entry is NaN that the mask calls observed, or infinite.
    """
    X = np.array(X, dtype=float)
    if X.ndim != 2:
        raise ValueError(
            f"{name} must have shape (n, d), got {X.shape}: use reshape(-1, 1) for one "
            "column, reshape(1, -1) for one row"
        )
    missing = np.isnan(X)
    mask = missing if mask is None else check_mask(mask, f"the mask of {name}")
    if mask.shape != X.shape:
        raise ValueError(
            f"the mask of {name} has shape {mask.shape}, not {X.shape}: give one entry "
            f"for each cell of {name}"
        )
    unsaid = int((missing & ~mask).sum())
    if unsaid:
        raise ValueError(
            f"{name} holds {unsaid} NaN that its mask calls observed: pass "
            "mask=isnan(X), or leave the mask out"
        )
    X[mask] = np.nan
    n_infinite = int(np.isinf(X).sum())
    if n_infinite:
        raise ValueError(
            f"{name} holds {n_infinite} infinite values: replace them (NaN means "
            "missing), or drop those rows"
        )
    return X, mask


def count_naive_predictions(M_cal, M_test, rule):
    """Predictions that the row-by-row method makes: ``2 sum_g n_g N_g``.

    Parameters
    ----------
    M_cal, M_test : array_like of bool, shape (n, d) and (t, d)
        Masks.
    rule : rule
        Sub-sampling rule.

    Returns
    -------
    int
        The count.
    """
    groups = group_masks(M_test)
    kept = [int(rule.keep(M_cal, m).sum()) for m in groups.patterns]
    return 2 * int(np.dot(groups.counts, kept))


def _words(mask):
    """Masks as rows of 64-bit words, so that ``|`` of words is ``max`` of masks."""
    packed = np.packbits(mask, axis=1)
    width = -packed.shape[1] % 8
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, width)))).view(np.uint64)


def _unique_words(words):
    if words.shape[1] == 1:
        _, first, inverse = np.unique(
            words[:, 0], return_index=True, return_inverse=True
        )
    else:
        _, first, inverse = np.unique(
            words, axis=0, return_index=True, return_inverse=True
        )
    return first, inverse.ravel()


class PairPlan:
    """The distinct (row, mask) pairs that a rule needs.

    Parameters
    ----------
    M_cal : array_like of bool, shape (n, d)
        Calibration masks.
    M_test : array_like of bool, shape (t, d)
        Test masks.
    rule : rule
        Sub-sampling rule, see :mod:`notebook_lib.covariates.subsample`.

    Attributes
    ----------
    groups : MaskGroups
        Test rows by mask.
    kept : list of ndarray
        Calibration rows kept for each test mask.
    n_calibration_pairs, n_test_pairs : int
        How many predictions will be made.

    Notes
    -----
    The number of predictions is ``#{(k, v)} + sum_g n_g D_g``, where ``D_g`` is the
    number of distinct augmented masks of test mask ``g``; row by row it would be
    ``2 sum_g n_g N_g``. With many columns all augmented masks differ, ``D_g`` goes to
    ``N_g``, and nothing is saved on the test rows.
    """

    def __init__(self, M_cal, M_test, rule):
        self.M_cal = check_mask(M_cal, "M_cal")
        self.M_test = check_mask(M_test, "M_test")
        if self.M_cal.shape[1] != self.M_test.shape[1]:
            raise ValueError(
                f"M_cal has {self.M_cal.shape[1]} columns and M_test "
                f"{self.M_test.shape[1]}: give both the same columns"
            )
        self.groups = group_masks(self.M_test)
        patterns = self.groups.patterns
        self.kept = [np.flatnonzero(rule.keep(self.M_cal, m)) for m in patterns]
        sizes = np.array([len(kept) for kept in self.kept], dtype=np.int64)
        self._split = np.cumsum(sizes)[:-1]
        self._list_pairs(sizes)

    def _list_pairs(self, sizes):
        words, group_words = _words(self.M_cal), _words(self.groups.patterns)
        row = np.concatenate([np.empty(0, np.int64), *self.kept]).astype(np.int64)
        group = np.repeat(np.arange(len(sizes)), sizes)
        augmented = words[row] | group_words[group]
        first, mask_id = _unique_words(augmented)
        self._masks = self.M_cal[row[first]] | self.groups.patterns[group[first]]
        n_masks = max(len(first), 1)
        _, at, pair = np.unique(
            row * n_masks + mask_id, return_index=True, return_inverse=True
        )
        self._pair_row, self._pair_mask = row[at], mask_id[at]
        self._pair_of = np.split(pair.ravel(), self._split)
        self._slots = []
        for ids in np.split(mask_id, self._split):
            distinct, slot = np.unique(ids, return_inverse=True)
            self._slots.append((distinct, slot.ravel()))
        distinct = np.array([len(ids) for ids, _ in self._slots], dtype=np.int64)
        self.n_calibration_pairs = len(at)
        self.n_test_pairs = int(np.dot(self.groups.counts, distinct))

    def views(self, model, X_cal, X_test):
        """Predict, and go through the test masks.

        Parameters
        ----------
        model : callable
            ``model(X, M)`` gives predictions (q, ...) for rows `X` (q, d) with NaN
            under the masks `M` (q, d).
        X_cal, X_test : ndarray, shape (n, d) and (t, d)
            Rows with NaN for missing entries.

        Yields
        ------
        GroupView
            One or more for each distinct test mask: a large group comes in pieces.
        """
        calibration = predict_blocks(
            model, X_cal, self._pair_row, self._masks[self._pair_mask]
        )
        batch, size = [], 0
        for g, rows in self._chunks():
            batch.append((g, rows))
            size += len(rows) * len(self._slots[g][0])
            if size >= _BLOCK:
                yield from self._views_of(batch, model, X_test, calibration)
                batch, size = [], 0
        if batch:
            yield from self._views_of(batch, model, X_test, calibration)

    def _chunks(self):
        """Test masks with their rows, a large group in several pieces."""
        for g in range(len(self.groups.counts)):
            rows = np.flatnonzero(self.groups.labels == g)
            distinct, slot = self._slots[g]
            size = max(1, _BLOCK // max(len(distinct), 1), 1)
            size = min(size, max(1, _ENTRIES // max(len(slot), 1)))
            for start in range(0, len(rows), size):
                yield g, rows[start : start + size]

    def _views_of(self, batch, model, X_test, calibration):
        pair_row = [np.repeat(r, len(self._slots[g][0])) for g, r in batch]
        pair_mask = [np.tile(self._slots[g][0], len(r)) for g, r in batch]
        test = predict_blocks(
            model,
            X_test,
            np.concatenate(pair_row),
            self._masks[np.concatenate(pair_mask)],
            shape_like=calibration,
        )
        at = 0
        for g, rows in batch:
            distinct, slot = self._slots[g]
            stop = at + len(rows) * len(distinct)
            yield GroupView(
                self.groups.patterns[g],
                rows,
                self.kept[g],
                slot,
                calibration[self._pair_of[g]],
                test[at:stop].reshape(len(rows), len(distinct), *test.shape[1:]),
            )
            at = stop


def predict_blocks(model, X, row, mask, *, shape_like=None):
    """Predictions of rows ``X[row]`` under `mask`, in blocks; finite or refused."""
    parts = []
    for start in range(0, len(row), _BLOCK):
        m = mask[start : start + _BLOCK]
        hidden = X[row[start : start + _BLOCK]]
        hidden[m] = np.nan
        prediction = np.asarray(model(hidden, m), dtype=float)
        if len(prediction) != len(m):
            raise ValueError(
                f"the model gave {len(prediction)} predictions for {len(m)} rows: "
                "return one a row from it"
            )
        if not np.isfinite(prediction).all():
            raise ValueError(
                "the model gave predictions that are not finite: repair it so that "
                "every row gets a number"
            )
        parts.append(prediction)
    if parts:
        return np.concatenate(parts)
    shape = () if shape_like is None else shape_like.shape[1:]
    return np.empty((0, *shape))
