"""Refusals: bad arguments get one sentence each, before any refit."""

import os
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_memory as check_sklearn_memory

from skbadr._sklearn import _check_sample_weight
from skbadr.estimators.inputs.features import inner_tags
from skbadr.estimators.inputs.parts import (
    is_frozen,
    last_step,
    resampling_step,
    without_sample_weight,
)
from skbadr.metrics import CombinedMetric
from skbadr.metrics.inputs.responses import has_method
from skbadr.metrics.registry import check_reachable


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
    if not hasattr(estimator, "get_params"):
        raise TypeError(
            f"estimator {_name(estimator)} has no get_params, so it cannot be cloned: derive it "
            "from sklearn.base.BaseEstimator."
        )
    tags = inner_tags(estimator)
    kind = None if tags is None else tags.estimator_type
    wanted = {"classification": "classifier", "regression": "regressor"}[task]
    if kind not in (None, wanted):
        other = {"classifier": ": use BADRClassifier", "regressor": ": use BADRRegressor"}
        raise TypeError(
            f"{owner} needs a {wanted}, got the {kind} {_name(estimator)}{other.get(kind, '')}."
        )
    final = last_step(estimator)
    if isinstance(final, str) or not has_method(final, "predict"):
        raise TypeError(
            f"the last step of the pipeline is {final!r}: it must be an estimator that predicts."
            if final is not estimator
            else f"estimator {_name(final)} has no predict method."
        )
    sampler = resampling_step(estimator)
    if sampler is not None:
        name, step = sampler
        raise TypeError(
            f"step {name!r} of the pipeline is a sampler ({_name(step)}), which changes the rows "
            "that weights belong to: samplers belong outside, so resample before fit, or drop the "
            "step."
        )
    check_trainable(final, "" if final is estimator else ", the last step of the pipeline,")


def check_trainable(final, inside):
    """Refuse what weights cannot train: frozen or fitted models, fits without weights.

    Parameters
    ----------
    final : estimator
        The last step.
    inside : str
        What to add to its name.

    Raises
    ------
    TypeError
        Saying what to pass in its place.
    """
    name = _name(final) + inside
    if is_frozen(final):
        raise TypeError(
            f"{name} is frozen, and weights cannot retrain a frozen model: pass the estimator that "
            "was frozen."
        )
    cv = final.get_params(deep=False).get("cv")
    if isinstance(cv, str) and cv == "prefit":
        raise TypeError(
            f"{name} has cv='prefit', but is cloned for each fit, which loses fitted parts: wrap "
            "these in sklearn.frozen.FrozenEstimator, and leave cv at its default."
        )
    unweighted = without_sample_weight(final)
    if isinstance(unweighted, Pipeline):
        raise TypeError(
            f"Pipeline in {name} does not take sample_weight in fit, but by routing: turn metadata "
            "routing on and have its last step request sample_weight, or put what wraps the "
            "Pipeline into it as its last step."
        )
    if unweighted is not None:
        within = "" if unweighted is final else f"{_name(unweighted)} in "
        raise TypeError(
            f"{within}{name} does not take sample_weight in fit, so groups cannot be re-weighted: "
            "choose an estimator that does."
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
    if not isinstance(params["intersectional"], (bool, np.bool_)):
        raise ValueError(
            f"intersectional must be True or False, got {params['intersectional']!r}: whether the "
            "sensitive columns are crossed."
        )
    max_iter = params["max_iter"]
    if max_iter is not None and (not _is_integer(max_iter) or max_iter < 1):
        raise ValueError(f"max_iter must be None or an integer >= 1, got {max_iter!r}.")
    if not _is_number(params["tol"]) or params["tol"] < 0:
        raise ValueError(f"tol must be a number >= 0, got {params['tol']!r}.")
    bins = params.get("n_target_bins", 2)
    if not _is_integer(bins) or bins < 2:
        raise ValueError(f"n_target_bins must be an integer >= 2, got {bins!r}.")
    tolerance = params["stage2_tolerance"]
    if tolerance is not None:
        if not _is_number(tolerance) or tolerance < 0:
            raise ValueError(f"stage2_tolerance must be None or a number >= 0, got {tolerance!r}.")
        if not bargains(params["init"]):
            raise ValueError(
                f"stage2_tolerance={tolerance} limits the stage after init='nash', but init="
                f"{params['init']!r} has no stages: set init='nash' or leave it None."
            )
    minimum = params["min_weight"]
    if not _is_number(minimum) or minimum <= 0:
        raise ValueError(
            "min_weight must be > 0 (Pareto efficiency rests on positive weights), got "
            f"{minimum!r}."
        )
    if n_cells is not None:
        check_room(minimum, n_cells)


def check_room(min_weight, n_cells):
    """Refuse a floor under the weights that so many cells leave no room for."""
    if min_weight * n_cells >= 1:
        raise ValueError(
            f"min_weight={min_weight} is too large for {n_cells} cells: it must be below "
            f"1/{n_cells}."
        )


def check_confidence(params, walks_bounds=False):
    """Refuse a confidence outside its range, without a bound, or of training rows.

    Raises
    ------
    ValueError
        Naming the argument.
    """
    confidence = params["confidence"]
    if confidence is None:
        return
    if not _is_number(confidence) or not 0.5 <= confidence < 1.0:
        raise ValueError(
            f"confidence must be None, or at least .5 and below 1, got {confidence!r}."
        )
    has_bounds = isinstance(params["metric"], (Mapping, CombinedMetric))
    if params["bound"] is None and not (walks_bounds or has_bounds):
        raise ValueError(
            f"confidence={confidence} says how sure a bound is on new rows, but bound=None: set a "
            "bound, or leave confidence=None."
        )
    if params["cv"] is None:
        raise ValueError(
            f"confidence={confidence} needs rows that models have not seen, but cv=None judges "
            "them on their training rows: leave cv='auto', or give folds."
        )


def check_bound(bound, metric, trade_off=0.0):
    """Refuse a bound beyond the metric's range, and one beside the bounds of several metrics."""
    if isinstance(metric, CombinedMetric):
        for name, given in (("bound", bound), ("trade_off", trade_off or None)):
            if given is not None:
                raise ValueError(
                    f"{name}={given} and the bounds of metric={metric.name!r} exclude each other: "
                    f"leave {name} at its default."
                )
    elif bound is not None:
        check_reachable(bound, metric)


def check_response(metric, estimator):
    """Refuse a metric of probabilities or scores where the estimator has none.

    Raises
    ------
    TypeError
        Naming both.
    """
    # Log odds stand in for a decision function.
    for needed in metric.response_methods:
        methods = {needed, "predict_proba"} if needed == "decision_function" else {needed}
        if not any(has_method(estimator, method) for method in methods):
            raise TypeError(
                f"metric {metric.name!r} needs {needed}, which {_name(estimator)} does not have: "
                "choose another metric or estimator."
            )


def check_warm_start(params):
    """Refuse a warm start that is no answer, or that a first stage would undo.

    Raises
    ------
    TypeError, ValueError
    """
    warm = params["warm_start"]
    if not isinstance(warm, (bool, np.bool_)):
        raise TypeError(f"warm_start must be True or False, got {warm!r}.")
    if warm and bargains(params["init"]):
        raise ValueError(
            "warm_start=True goes on from the last weights, but init='nash' begins with a stage of "
            "its own: choose one of them."
        )


def check_memory(memory):
    """Return a joblib.Memory, or None where nothing is kept.

    Raises
    ------
    TypeError
        If `memory` is neither None, nor a path, nor has a `cache` as joblib.Memory has.
    """
    if memory is None:
        return None
    if isinstance(memory, os.PathLike):
        memory = os.fspath(memory)
    if not isinstance(memory, str) and not hasattr(memory, "cache"):
        raise TypeError(f"memory must be None, a path or a joblib.Memory, got {memory!r}.")
    return check_sklearn_memory(memory)


def bargains(init):
    """Whether `init` asks for a first stage of bargaining."""
    return isinstance(init, str) and init == "nash"


def initial_weights(init, cells):
    """Return the starting weights that `init` asks for.

    Raises
    ------
    ValueError
        If `init` is unknown or not a positive vector of length K.
    """
    if isinstance(init, str):
        if init in ("baseline", "nash"):  # who bargains starts at the baseline model
            return cells.shares
        if init == "uniform":
            return np.full(cells.n_cells, 1.0 / cells.n_cells)
        raise ValueError(
            f"init must be 'baseline', 'uniform', 'nash' or an array of weights, got {init!r}."
        )
    weights = np.asarray(init, dtype=float)
    if weights.shape != (cells.n_cells,):
        raise ValueError(
            f"init must have one weight for each of the {cells.n_cells} cells, in the order "
            f"{cells.labels}; got shape {weights.shape}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise ValueError("init must hold non-negative finite weights, not all zero.")
    return weights / weights.sum()


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


def _name(estimator):
    return type(estimator).__name__
