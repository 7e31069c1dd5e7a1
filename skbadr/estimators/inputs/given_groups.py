"""The sensitive features as they are given to fit, and refusals of what makes no groups."""

from skbadr._guard import guarded
from skbadr._sklearn import _num_samples
from skbadr.estimators.inputs.features import check_readable
from skbadr.partition import make_groups, select_columns


def select_features(X, sensitive_features, sensitive_columns, *, feature_names, estimator):
    """Return the sensitive features, and the argument that they are given by.

    Parameters
    ----------
    X : array-like of shape (n, d)
    sensitive_features, sensitive_columns : see `BADRClassifier`
    feature_names : ndarray of str or None
        Names of the columns of X, where X itself has lost them.
    estimator : estimator
        Says what an X is at fault for, where a callable finds no groups in it.

    Returns
    -------
    argument : str
    sensitive_features : object

    Raises
    ------
    ValueError
        If nothing defines the groups.
    """
    if sensitive_features is not None:
        return "sensitive_features", sensitive_features
    if sensitive_columns is None:
        raise ValueError(
            "nothing says what the groups are: pass sensitive_features to fit (inside a "
            "Pipeline or a search: step__sensitive_features, or metadata routing), or give "
            "sensitive_columns, the column(s) of X that define them."
        )
    return "sensitive_columns", _select(X, sensitive_columns, feature_names, estimator)


def check_groups(sensitive_features, argument, X, sensitive_columns, estimator):
    """Return the sensitive features encoded.

    Parameters
    ----------
    sensitive_features, argument
        See `select_features`.
    X, sensitive_columns, estimator
        As there, for messages.

    Returns
    -------
    groups : Groups

    Raises
    ------
    ValueError
        If lengths differ, values are missing, there is a single group, or there are many tiny ones.
    """
    groups = make_groups(sensitive_features, argument=argument)
    n_samples = _num_samples(X)
    if len(groups) != n_samples:
        raise ValueError(
            f"{argument} has {len(groups)} rows but X has {n_samples}: give one per sample, in the "
            "order of X."
        )
    check_several(groups, argument, X, sensitive_columns, estimator)
    return groups


def check_several(groups, argument, X, sensitive_columns, estimator):
    """Refuse a single group.

    Raises
    ------
    ValueError
        Naming it.
    """
    if len(groups.labels) < 2:
        if argument == "sensitive_columns" and callable(sensitive_columns):
            check_readable(X, estimator)
        samples = " (n_samples=1)" if _num_samples(X) == 1 else ""
        raise ValueError(
            f"{argument} holds the single group {groups.labels[0]!r}{samples}: at least two groups "
            "are needed, so check the column."
        )


def _select(X, columns, feature_names, estimator):
    try:
        return select_columns(X, guarded(columns), feature_names=feature_names)
    except Exception as error:
        if not callable(columns):
            raise
        try:
            check_readable(X, estimator)
        except (TypeError, ValueError) as fault:
            raise fault from error
        raise ValueError(
            f"the callable sensitive_columns failed on X, of type {type(X).__name__}: "
            f"{type(error).__name__}: {error}"
        ) from error
