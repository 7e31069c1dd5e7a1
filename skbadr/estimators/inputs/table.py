"""The rows of a fit: targets, groups, cells and base weights, checked and coded."""

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skbadr._guard import guarded
from skbadr.distributed.collections import collect, is_dask, is_dask_array
from skbadr.distributed.table import (
    CollectedTable,
    check_parameters,
    read_blocks,
    stays_on_blocks,
)
from skbadr.estimators.inputs import checks
from skbadr.estimators.inputs.given_groups import check_groups, check_several, select_features
from skbadr.estimators.inputs.scoring import DEFAULTS
from skbadr.metrics import EvaluationSet
from skbadr.partition import (
    check_sizes,
    cross_with_control,
    make_cells,
    select_columns,
)
from skbadr.problem import Table


def reader_of(X):
    """Return what reads the rows that are passed to a fit with X: `read_table`, or one like it.

    Raises
    ------
    TypeError
        If X is a data frame of Dask's.
    """
    if not is_dask(X):
        return read_table
    if not is_dask_array(X):
        raise TypeError("X is a Dask collection but no array: pass X.to_dask_array(lengths=True).")
    return _read_dask_table


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
    control_argument, control = _control(owner, X, given[1])
    y, target, classes = owner._encode_target(collect(y))
    check_consistent_length(X, y)
    base_weight = checks.check_weight(collect(sample_weight), X)
    argument, features = _features(owner, X, given[0])
    features = collect(features)
    groups = check_groups(features, argument, X, owner.sensitive_columns, owner._estimator())
    if control is not None:
        groups = cross_with_control(groups, collect(control), control_argument)
    if not callable(partition):  # which may merge groups
        checks.check_room(owner.min_weight, len(groups.labels))
    check_sizes(np.bincount(groups.codes), argument)
    n_bins = getattr(owner, "n_target_bins", 2)
    cells = make_cells(
        partition, target, groups, base_weight, classes=classes, n_target_bins=n_bins
    )
    weight = None if sample_weight is None else base_weight
    data = EvaluationSet(target, groups, classes, weight, features)
    return Table(y, data, cells, sample_weight is not None)


def _read_dask_table(owner, metric, partition, X, y, given, sample_weight):
    """Do the same where X is a Dask array."""
    check_parameters(vars(owner), DEFAULTS[owner._task])
    plain = owner.intersectional and given[1] is None and owner.control_columns is None
    if not plain or not stays_on_blocks(owner._estimator(), owner._task, metric, partition):
        table = read_table(owner, metric, partition, X, y, given, sample_weight)
        return CollectedTable(**vars(table))
    argument, features = _features(owner, X, given[0])

    def check(groups):
        check_several(groups, argument, X, owner.sensitive_columns, owner._estimator())

    classify = owner._task == "classification"
    return read_blocks(
        X,
        y,
        features,
        argument,
        sample_weight,
        check_groups=check,
        partition=partition,
        n_target_bins=getattr(owner, "n_target_bins", 2),
        encode_classes=(lambda values: owner._encode_target(values)[2]) if classify else None,
    )


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
