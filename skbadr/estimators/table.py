"""The rows of a fit: targets, groups, cells and base weights, checked and coded."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skbadr._dask import is_dask, is_dask_array
from skbadr._guard import guarded
from skbadr.estimators import checks
from skbadr.estimators.given_groups import check_groups, check_several, select_features
from skbadr.estimators.scoring import DEFAULTS
from skbadr.lower_level import PeeledEstimator, is_solved_on_blocks
from skbadr.metrics import EvaluationSet
from skbadr.partition import (
    Cells,
    check_sizes,
    cross_with_control,
    make_cells,
    read_groups,
    read_rows,
    select_columns,
)
from skbadr.problem import DaskSample, draw_sample


@dataclass
class Table:
    """Training rows, but for X.

    Attributes
    ----------
    y : ndarray or dask array of shape (n,)
        Targets as the user knows them.
    data : EvaluationSet
        Of all rows, or of a sample that stands for them.
    cells : Cells
        Of the same rows.
    weighted : bool
        Whether the user gave sample weights.
    blocks : DaskRows or None
        All rows, where they are held by the workers of a Dask cluster.
    sample : DaskSample or None
        Then, the sample.
    """

    y: Any
    data: EvaluationSet
    cells: Cells
    weighted: bool
    blocks: Any = None
    sample: DaskSample | None = None

    def sample_weight(self, cell_weights):
        """Return the sample weights of all rows for weights of the cells."""
        whole = self.cells if self.blocks is None else self.blocks
        return whole.sample_weight(cell_weights)


def read_table(owner, metric, partition, X, y, given, sample_weight):
    """Check and code the rows that are passed to a fit.

    Parameters
    ----------
    owner : BADR estimator
    metric : FairnessMetric
    partition : {"group", "group_target"} or callable
    X, y, sample_weight
        As passed to fit.
    given : tuple (sensitive_features, control_features)
        As passed to fit.

    Returns
    -------
    table : Table

    Raises
    ------
    ValueError, TypeError
        As of fit.
    """
    n_bins = getattr(owner, "n_target_bins", 2)
    if is_dask_array(X):
        checks.check_dask(vars(owner), DEFAULTS[owner._task])
    control_argument, control = _control(owner, X, given[1])
    whole = owner.intersectional and control is None
    if whole and stays_on_blocks(owner, metric, partition, X):
        return _read_blocks(owner, partition, X, y, given[0], sample_weight, n_bins)
    y, target, classes = owner._encode_target(_here(y))
    check_consistent_length(X, y)
    base_weight = checks.check_weight(_here(sample_weight), X)
    argument, features = _features(owner, X, given[0])
    features = _here(features)
    groups = check_groups(features, argument, X, owner.sensitive_columns, owner._estimator())
    if control is not None:
        groups = cross_with_control(groups, _here(control), control_argument)
    if not callable(partition):  # which may merge groups
        checks.check_room(owner.min_weight, len(groups.labels))
    check_sizes(np.bincount(groups.codes), argument)
    cells = make_cells(
        partition, target, groups, base_weight, classes=classes, n_target_bins=n_bins
    )
    weight = None if sample_weight is None else base_weight
    data = EvaluationSet(target, groups, classes, weight, features)
    return Table(y, data, cells, sample_weight is not None)


def stays_on_blocks(owner, metric, partition, X):
    """Whether targets, groups and weights are left with the blocks of X on a cluster's workers.

    They are where X is a Dask array, the estimator trains on such arrays itself, and all that is
    asked of them are sums over rows. A linear model's training problem takes vectors here, and so
    do metrics that are no sums and partitions that are functions.

    Raises
    ------
    TypeError
        If X is a Dask array that the estimator's own fit would collect.
    """
    if not is_dask_array(X):
        return False
    classes = np.arange(2) if owner._task == "classification" else None
    if is_solved_on_blocks(PeeledEstimator(owner._estimator()).final, classes):
        return False
    return metric.additive and not callable(partition)


def _here(values):
    """Return values in memory."""
    return values.compute() if is_dask(values) else values


def _read_blocks(owner, partition, X, y, sensitive_features, sample_weight, n_bins):
    argument, features = _features(owner, X, sensitive_features)
    lengths, classify = X.chunks[0], owner._task == "classification"
    groups, codes = read_groups(features, lengths, argument)
    check_several(groups, argument, X, owner.sensitive_columns, owner._estimator())
    rows = read_rows(
        y,
        groups,
        codes,
        sample_weight,
        lengths=lengths,
        partition=partition,
        n_target_bins=n_bins,
        encode_classes=(lambda values: owner._encode_target(values)[2]) if classify else None,
    )
    check_sizes(rows.totals.rows.sum(axis=1), argument)
    sample = draw_sample(X, rows)
    return Table(rows.y, sample.data, sample.cells, sample_weight is not None, rows, sample)


def _control(owner, X, control_features):
    """Return the argument that control features are given by, and these, or None."""
    if control_features is not None:
        return "control_features", control_features
    if owner.control_columns is None:
        return "control_features", None
    names = getattr(owner, "feature_names_in_", None)
    columns = guarded(owner.control_columns)
    return "control_columns", select_columns(
        X, columns, feature_names=names, argument="control_columns"
    )


def _features(owner, X, sensitive_features):
    return select_features(
        X,
        sensitive_features,
        owner.sensitive_columns,
        feature_names=getattr(owner, "feature_names_in_", None),
        estimator=owner._estimator(),
    )
