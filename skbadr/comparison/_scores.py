"""Scores of a trained method on one part of the data."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import r2_score

from skbadr._typing import Array

if TYPE_CHECKING:
    from skbadr.comparison._problem import Fitted, Problem

# Enough for a mean with a tenth of the spread, and cheap for a metric of milliseconds.
_N_PERMUTATIONS = 30


def part_scores(
    problem: Problem, fitted: Fitted, X: Any, y: Array, groups: Array
) -> dict[str, Any]:
    """Return the scores of one part of the data by name.

    Parameters
    ----------
    problem : Problem
        Task and metric.
    fitted : Fitted
        The method.
    X, y, groups : array-like
        The part of the data.

    Returns
    -------
    dict
        Floats, and the error (share of errors, or root mean squared error) of every group under
        ``"group_errors"``.
    """
    y_pred = problem.lend(fitted.predict, X, groups)
    if problem.is_classification:
        losses = (y != y_pred).astype(float)
        scores: dict[str, Any] = {"accuracy": 1.0 - losses.mean()}
    else:
        losses = (y - y_pred) ** 2
        scores = {"rmse": math.sqrt(losses.mean()), "r2": r2_score(y, y_pred)}
    labels, code = np.unique(groups, return_inverse=True)
    by_group = np.bincount(code, weights=losses) / np.bincount(code)
    if not problem.is_classification:
        by_group = np.sqrt(by_group)
    response = _response(problem, fitted, X, y_pred, groups)
    scores["metric"] = math.nan if response is None else problem.measure(X, y, response, groups)
    scores["worst_group_error"] = by_group.max()
    scores = {name: float(value) for name, value in scores.items()}
    scores["group_errors"] = dict(zip(labels.tolist(), by_group.tolist(), strict=True))
    return scores


def _response(problem, fitted, X, y_pred, groups):
    """Return what the metric takes of the model, or None where it has no such output."""
    methods = problem.fairness.response_methods
    if methods == ("predict",):
        return y_pred
    if fitted.respond is None:
        return None
    outputs = {
        name: y_pred if name == "predict" else problem.outputs(fitted, X, groups, name)
        for name in methods
    }
    return outputs if len(methods) > 1 else outputs[methods[0]]


def chance_level(problem: Problem, fitted: Fitted) -> float:
    """Return the metric on the training rows with groups drawn at random, on average.

    Parameters
    ----------
    problem : Problem
        Training data and metric.
    fitted : Fitted
        The baseline estimator.

    Returns
    -------
    float
        What the sizes of the groups and chance alone make of the metric; NaN where undefined.
    """
    y_pred = problem.lend(fitted.predict, problem.X, problem.groups)
    response: Any = _response(problem, fitted, problem.X, y_pred, problem.groups)
    rng = np.random.RandomState(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = []
        for _ in range(_N_PERMUTATIONS):
            drawn = rng.permutation(problem.groups)
            values.append(problem.measure(problem.X, problem.y, response, drawn))
    return float(np.mean(values))
