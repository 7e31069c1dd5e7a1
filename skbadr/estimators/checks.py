"""Refusals: bad arguments get one sentence each, before any refit."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skbadr._sklearn import _check_sample_weight
from skbadr.metrics.callables import accepts_sample_weight
from skbadr.partition import make_groups, select_columns


def check_inner_estimator(estimator, task, owner):
    """Refuse an estimator of the other kind, and one that weights cannot reach.

    Raises
    ------
    TypeError
        Saying which class of skbadr fits, or how to get weights through.
    """
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(
            f"estimator must be an estimator instance with a fit method, got {estimator!r}."
        )
    if task == "classification" and is_regressor(estimator):
        raise TypeError(
            f"{owner} needs a classifier, got the regressor {_name(estimator)}: use BADRRegressor."
        )
    if task == "regression" and is_classifier(estimator):
        raise TypeError(
            f"{owner} needs a regressor, got the classifier {_name(estimator)}: use BADRClassifier."
        )
    final = estimator
    while isinstance(final, Pipeline):
        final = final.steps[-1][1]
    if isinstance(final, str) or not hasattr(final, "fit"):
        raise TypeError(
            f"the last step of the pipeline is {final!r}: it must be an estimator that predicts."
        )
    if not has_fit_parameter(final, "sample_weight"):
        inside = "" if final is estimator else ", the last step of the pipeline,"
        raise TypeError(
            f"{_name(final)}{inside} does not take sample_weight in fit, so groups cannot be "
            "re-weighted: choose an estimator that does."
        )


def check_weight(sample_weight, X):
    """Return base weights as floats.

    Raises
    ------
    ValueError
        If there are negative, non-finite or only zero weights, or not one per sample.
    """
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weight < 0).any():
        raise ValueError(
            f"sample_weight has {int((weight < 0).sum())} negative values: weights must be >= 0."
        )
    if not weight.any():
        raise ValueError("sample_weight must not be zero for every sample.")
    return weight


def check_groups(X, n_samples, sensitive_features, sensitive_columns, feature_names):
    """Return the sensitive features as given and encoded.

    Returns
    -------
    sensitive_features : object
    groups : Groups

    Raises
    ------
    ValueError
        If nothing defines the groups, lengths differ, values are missing, or there is a single
        group.
    """
    argument = "sensitive_features"
    if sensitive_features is None:
        if sensitive_columns is None:
            raise ValueError(
                "nothing says what the groups are: pass sensitive_features to fit (inside a "
                "Pipeline or a search: step__sensitive_features, or metadata routing), or give "
                "sensitive_columns, the column(s) of X that define them."
            )
        sensitive_features = select_columns(X, sensitive_columns, feature_names=feature_names)
        argument = "sensitive_columns"
    groups = make_groups(sensitive_features, argument=argument)
    if len(groups) != n_samples:
        raise ValueError(
            f"{argument} has {len(groups)} rows but X has {n_samples}: give one per sample, in the "
            "order of X."
        )
    if len(groups.labels) < 2:
        samples = " (n_samples=1)" if n_samples == 1 else ""
        raise ValueError(
            f"{argument} holds the single group {groups.labels[0]!r}{samples}: at least two groups "
            "are needed, so check the column."
        )
    return sensitive_features, groups


def check_numbers(params, n_cells=None):
    """Refuse numbers outside their range, and bound together with trade_off."""
    trade_off, bound = params["trade_off"], params["bound"]
    if not _is_number(trade_off) or trade_off < 0:
        raise ValueError(f"trade_off must be a number >= 0, got {trade_off!r}.")
    if bound is not None and not _is_number(bound):
        raise ValueError(f"bound must be None or a finite number, got {bound!r}.")
    if bound is not None and trade_off:
        raise ValueError(
            f"bound={bound} and trade_off={trade_off} exclude each other: a bound maximises the "
            "score below it, a trade-off weighs the score against the metric; set one of them."
        )
    max_iter = params["max_iter"]
    if max_iter is not None and (not _is_integer(max_iter) or max_iter < 1):
        raise ValueError(f"max_iter must be None or an integer >= 1, got {max_iter!r}.")
    if not _is_number(params["tol"]) or params["tol"] < 0:
        raise ValueError(f"tol must be a number >= 0, got {params['tol']!r}.")
    bins = params.get("n_target_bins", 2)
    if not _is_integer(bins) or bins < 2:
        raise ValueError(f"n_target_bins must be an integer >= 2, got {bins!r}.")
    minimum = params["min_weight"]
    if not _is_number(minimum) or minimum <= 0:
        raise ValueError(
            "min_weight must be > 0 (Pareto efficiency rests on positive weights), got "
            f"{minimum!r}."
        )
    if n_cells is not None and minimum * n_cells >= 1:
        raise ValueError(
            f"min_weight={minimum} is too large for {n_cells} cells: it must be below 1/{n_cells}."
        )


def check_bound(bound, metric):
    """Refuse a bound that no model can meet because it lies beyond the metric's range."""
    if bound is None or metric.ideal is None:
        return
    beyond = bound > metric.ideal if metric.greater_is_better else bound < metric.ideal
    if beyond:
        raise ValueError(
            f"bound={bound} cannot be met: {metric.name} is at "
            f"{'most' if metric.greater_is_better else 'least'} {metric.ideal:g}."
        )


def initial_weights(init, cells, min_weight):
    """Return the starting weights that `init` asks for.

    Raises
    ------
    ValueError
        If `init` is unknown or not a positive vector of length K.
    """
    if isinstance(init, str):
        if init == "erm":
            return cells.shares
        if init == "uniform":
            return np.full(cells.n_cells, 1.0 / cells.n_cells)
        raise ValueError(f"init must be 'erm', 'uniform' or an array of weights, got {init!r}.")
    weights = np.asarray(init, dtype=float)
    if weights.shape != (cells.n_cells,):
        raise ValueError(
            f"init must have one weight for each of the {cells.n_cells} cells, in the order "
            f"{cells.labels}; got shape {weights.shape}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise ValueError("init must hold non-negative finite weights, not all zero.")
    return weights / weights.sum()


class FoldScorer:
    """A scikit-learn scorer with the targets and weights of all rows, applied to a fold."""

    def __init__(self, scorer, y, sample_weight):
        self.scorer, self.y, self.sample_weight = scorer, y, sample_weight
        self.weighted = sample_weight is not None and accepts_sample_weight(scorer)

    def __call__(self, estimator, X, rows):
        """Return the score of a fold and the fold's mass."""
        options = {"sample_weight": self.sample_weight[rows]} if self.weighted else {}
        y = self.y[rows]
        return float(self.scorer(estimator, X, y, **options)), float(len(y))


def check_scorer(scoring, estimator, y, sample_weight):
    """Return a FoldScorer, or None for the default score that predictions give for free.

    Raises
    ------
    ValueError
        If scikit-learn knows no such scorer.
    """
    if scoring is None or scoring in ("accuracy", "neg_mean_squared_error"):
        return None
    return FoldScorer(check_scoring(estimator, scoring=scoring), y, sample_weight)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


def _name(estimator):
    return type(estimator).__name__
