"""Splits of the samples into training and evaluation rows, for a held-out upper level."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, check_cv
from sklearn.utils.metadata_routing import get_routing_for_object

from skbadr._guard import Guard
from skbadr._sklearn import _num_samples
from skbadr._typing import CV, Array, ArrayLike
from skbadr._warnings import warn_user

if TYPE_CHECKING:
    from skbadr.partition import Cells


def make_folds(
    cv: CV,
    X: Any,
    y: Any,
    cells: Cells,
    targets: Array | None,
    *,
    classes: Array | None = None,
    random_state: int,
    groups: ArrayLike | None = None,
) -> list[tuple[Array, Array]]:
    """Split the samples for a held-out upper level.

    Parameters
    ----------
    cv : float, int or splitter or iterable of splits
        A float holds out that fraction once; an int makes that many folds; both are stratified
        by cell and class (or quarter of the targets), and leave out samples of weight zero. A
        splitter is used as it is.
    X, y : data as the splitter expects them
    cells : Cells
    targets : ndarray of shape (n,) or None
        Class codes, or real targets, to stratify by; None for cells alone.
    classes : ndarray of shape (C,) or None, default=None
        Class labels; None for regression.
    random_state : int
    groups : array-like of shape (n,) or None, default=None
        What a splitter keeps together.

    Returns
    -------
    folds : list of (train rows, evaluation rows)

    Raises
    ------
    ValueError
        If `cv` is out of range, names rows that do not exist, leaves a fold empty, or lacks groups.

    Warns
    -----
    UndefinedMetricWarning
        If a fold is trained without a cell or class, or a cell is evaluated in none, naming it.
    """
    rows, codes = np.flatnonzero(cells.base_weight > 0), targets
    if targets is not None and targets.dtype.kind == "f":
        codes = np.searchsorted(np.quantile(targets[rows], (0.25, 0.5, 0.75)), targets)
    if isinstance(cv, (bool, np.bool_)):
        raise ValueError(f"cv must be None, a fraction, a number of folds or a splitter, got {cv}.")
    if isinstance(cv, (float, np.floating)):
        if not 0.0 < cv < 1.0:
            raise ValueError(f"cv as a fraction must lie strictly between 0 and 1, got {cv}.")
        splitter = StratifiedShuffleSplit(1, test_size=float(cv), random_state=random_state)
        n_rows = min(cv, 1 - cv) * len(rows)
        strata = _strata(cells, codes, rows, 2, most=max(1, int(n_rows)))
    elif isinstance(cv, (int, np.integer)):
        if not 2 <= cv <= len(rows):
            raise ValueError(
                f"cv as a number of folds must lie between 2 and the {len(rows)} samples, got {cv}."
            )
        splitter = StratifiedKFold(int(cv), shuffle=True, random_state=random_state)
        strata = _strata(cells, codes, rows, int(cv))
    else:
        splitter = check_cv(cv, y, classifier=classes is not None)
        return _check_folds(_split(splitter, X, y, groups), cells, targets, classes)
    folds = [tuple(np.sort(rows[part]) for part in fold) for fold in splitter.split(strata, strata)]
    return _check_folds(folds, cells, targets, classes)


def takes_groups(cv: Any) -> bool:
    """Whether a splitter keeps groups of samples together, so that it has to be told them."""
    if hasattr(cv, "get_metadata_routing"):
        return bool(get_routing_for_object(cv).consumes("split", ["groups"]))
    split = getattr(cv, "split", None)
    return callable(split) and "groups" in inspect.signature(split).parameters


def _split(splitter, X, y, groups):
    def split(X, y, **options):
        return list(splitter.split(X, y, **options))

    options = {} if groups is None else {"groups": groups}
    if groups is not None and _num_samples(groups) != len(y):
        raise ValueError(
            f"groups has {_num_samples(groups)} rows but X has {len(y)}: give one per sample."
        )
    try:
        return Guard(splitter).call(split, X, y, **options)
    except (TypeError, ValueError) as error:
        if groups is not None or not takes_groups(splitter):
            raise
        raise ValueError(
            f"cv={splitter!r} keeps groups of samples together: pass groups to fit, one per sample "
            "(inside a Pipeline: step__groups; inside a search: with metadata routing)."
        ) from error


def _strata(cells, targets, rows, smallest, most=np.inf):
    """Cell and class of each row; strata too small or too many fall back to class, then to one."""
    fine = cells.codes[rows]
    coarse = np.zeros_like(fine)
    if targets is not None:
        coarse = targets[rows]
        fine = fine * (int(targets.max()) + 1) + coarse
    for strata in (_merge_small(fine, coarse, smallest), _merge_small(coarse, coarse, smallest)):
        if strata.max() < most:
            return strata
    return np.zeros_like(coarse)


def _merge_small(fine, coarse, smallest):
    strata = fine + coarse.max() + 2
    for fallback in (coarse + 1, np.zeros_like(coarse)):
        counts = np.bincount(strata)
        strata = np.where(counts[strata] < smallest, fallback, strata)
    counts = np.bincount(strata)
    if counts[0] and counts[0] < smallest:
        strata = np.where(strata == 0, np.argmax(counts), strata)
    return np.unique(strata, return_inverse=True)[1]


def _check_folds(folds, cells, targets, classes):
    n = len(cells.codes)
    folds = [tuple(map(_as_rows, fold)) for fold in folds]
    for rows in (rows for fold in folds for rows in fold):
        if len(rows) and not -n <= rows.min() <= rows.max() < n:
            raise ValueError(f"cv names row {rows.max()}, but there are {n} samples.")
    if not folds or any(not cells.base_weight[rows].any() for fold in folds for rows in fold):
        raise ValueError(
            "cv leaves a fold without training or evaluation samples of positive weight."
        )
    for sentence in _what_folds_lack(folds, cells, targets, classes):
        warn_user(sentence, UndefinedMetricWarning)
    return folds


def _what_folds_lack(folds, cells, targets, classes):
    """Return sentences on cells and classes that training or evaluation rows do without."""
    weight, needed = cells.base_weight, cells.totals > 0
    untrained, unseen = np.zeros(cells.n_cells, dtype=bool), needed.copy()
    missing = np.zeros(0 if classes is None else len(classes), dtype=bool)
    for train, test in folds:
        untrained |= needed & ~(np.bincount(cells.codes[train], weight[train], len(needed)) > 0)
        unseen &= ~(np.bincount(cells.codes[test], weight[test], len(needed)) > 0)
        if classes is not None:
            missing |= ~(np.bincount(targets[train], weight[train], len(classes)) > 0)
    sentences = [
        (cells.labels, untrained, "cell", "has no training sample in some fold, where its weight "
         "changes nothing"),
        (cells.labels, unseen, "cell", "is evaluated in no fold, so that the metric leaves it out"),
        ([] if classes is None else classes.tolist(), missing, "class",
         "has no training sample in some fold, where it has probability 0"),
    ]  # fmt: skip
    return [
        f"cv: {kind} {_listed(labels, where)} {what}."
        for labels, where, kind, what in sentences
        if where.any()
    ]


def _listed(labels, where):
    named = [repr(labels[k]) for k in np.flatnonzero(where)]
    return ", ".join(named[:8]) + (f" (and {len(named) - 8} more)" if len(named) > 8 else "")


def _as_rows(rows):
    rows = np.asarray(rows)
    if rows.dtype == bool:
        return np.flatnonzero(rows)
    return rows if len(rows) else rows.astype(np.intp)
