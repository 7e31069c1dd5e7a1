"""Sensitive features as one array of readable labels, and a split that keeps every group."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from skbadr._typing import Array, Features, Float, RandomState
from skbadr.partition import Groups, make_groups


def group_labels(sensitive_features: Features) -> Array:
    """Cross the columns of `sensitive_features` into one label per row.

    Parameters
    ----------
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        List, array, Series or DataFrame.

    Returns
    -------
    ndarray of str of shape (n_samples,)
        The values of a single column as text, or those of several joined by ``" & "``; as
        Python writes them where two groups would have the same text otherwise.
    """
    return labelled(make_groups(sensitive_features))[0]


def labelled(groups: Groups) -> tuple[Array, dict[str, tuple[Any, ...]]]:
    """Return one readable label per row, and the values of the columns that each stands for."""
    labels = [label if isinstance(label, tuple) else (label,) for label in groups.labels]
    texts = [" & ".join(map(_as_text, label)) for label in labels]
    if len(set(texts)) < len(texts):  # "a & b" with "c", and "a" with "b & c"
        texts = [" & ".join(map(repr, label)) for label in labels]
    return np.array(texts)[groups.codes], dict(zip(texts, labels, strict=True))


def _as_text(value):
    # A numeric column that once held a missing value comes as 1.0, 2.0.
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if is_whole else str(value)


def stratified_split(
    X: Any,
    y: Array,
    groups: Array,
    *,
    test_size: Float,
    random_state: RandomState | None,
    stratify_by_class: bool,
) -> list[Any]:
    """Split rows at random, keeping the shares of group and class where there are enough rows.

    Parameters
    ----------
    X, y, groups : array-like with the same number of rows
        What is split.
    test_size : float
        Share of the rows to test on.
    random_state : int, RandomState instance or None
        Seed of the split.
    stratify_by_class : bool
        Whether `y` holds class labels, whose shares are kept as well.

    Returns
    -------
    tuple
        X_train, X_test, y_train, y_test, groups_train, groups_test.
    """
    _, group_code = np.unique(groups, return_inverse=True)
    candidates = [group_code]
    if stratify_by_class:
        _, class_code = np.unique(y, return_inverse=True)
        candidates = [group_code * (class_code.max() + 1) + class_code, group_code, class_code]
    n_test = int(np.ceil(test_size * len(group_code)))
    for strata in candidates:
        strata = _merge_rare(strata)
        n_strata = len(np.unique(strata))
        if n_strata <= min(n_test, len(strata) - n_test) and np.bincount(strata)[strata].min() > 1:
            break
    else:
        strata = None
    return train_test_split(
        X, y, groups, test_size=test_size, random_state=random_state, stratify=strata
    )


def _merge_rare(strata, at_least=2):
    """Give the strata that are too small to be split one common code."""
    strata = np.unique(strata, return_inverse=True)[1]
    rare = np.bincount(strata)[strata] < at_least
    return np.where(rare, strata.max() + 1, strata)
