"""What every search promises, on generated problems. See doc/trust.md."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from strategies import cases, problems

from skbadr import BADRClassifier
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.metrics.inputs.responses import get_response
from skbadr.partition import make_groups
from skbadr.problem import UpperObjective
from skbadr.problem.coding import encode_predictions

# Of two values that differ by less, neither is preferred: 1/3 as 1 - 2/3, say.
ROUNDING = 1e-12


def fitted(problem, **params):
    """Return the fitted model, or None where no refit but the baseline one came through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return problem.fit(**params)
        except (ArithmeticError, ValueError) as error:
            # A hostile estimator of which no weights give a model; a model of NaN is none.
            assert str(error) == "too heavy" or "is not finite for" in str(error)
            return None


def outputs(estimator, X):
    """Return what an estimator says of X, by all the methods it has."""
    methods = ("predict", "decision_function", "predict_proba")
    return [getattr(estimator, name)(X) for name in methods if hasattr(estimator, name)]


def own_fit(problem, sample_weight, seed):
    """Return the wrapped estimator's own fit."""
    estimator = clone(problem.estimator)
    if seed is not None:
        states = [n for n, v in estimator.get_params().items() if "random_state" in n and v is None]
        estimator.set_params(**dict.fromkeys(states, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if sample_weight is None:
            return estimator.fit(problem.X, problem.y)
        step = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
        weights = {f"{step}sample_weight": np.array(sample_weight)}
        return estimator.fit(problem.X, problem.y, **weights)


def value_of(problem, estimator):
    """Return the metric of an estimator on all rows, by the metric alone."""
    task = "classification" if problem.kind is BADRClassifier else "regression"
    metric = get_metric(problem.params["metric"], task)
    if hasattr(metric, "loss") and metric.loss == "own":
        return None  # which loss that is depends on the estimator
    classes = np.unique(problem.y) if task == "classification" else None
    codes = problem.y if classes is None else np.searchsorted(classes, problem.y)
    groups = make_groups(problem.groups)
    data = EvaluationSet(codes, groups, classes, problem.sample_weight, problem.groups)
    response = get_response(estimator, problem.X, metric.response_method, task)
    if metric.response_method == "predict":
        response = np.ravel(response)
        if classes is not None:
            response = encode_predictions(response, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metric.value(data, response)


def check_weights(model):
    """All weights that were visited are admissible, and the chosen ones among them."""
    visited, shares = model.results_["cell_weights"], model.results_["cell_weights"][0]
    np.testing.assert_allclose(visited.sum(axis=1), 1.0, rtol=1e-9)
    others = visited[(visited != shares).any(axis=1)]
    assert (others >= model.min_weight * (1.0 - 1e-9)).all()
    assert (visited == model.cell_weights_).all(axis=1).any()
    assert len(model.cells_) == len(model.cell_weights_) == visited.shape[1]


def check_no_worse(model):
    """The chosen model is no worse than the baseline one, by what was asked for."""
    metric = get_metric(model.metric, model._task)
    sign = -1.0 if metric.greater_is_better else 1.0
    cost, baseline_cost = sign * model.metric_value_, sign * model.baseline_metric_value_
    if np.isnan(baseline_cost):
        return
    assert not np.isnan(cost)
    if model.bound is not None:
        excess = np.maximum(np.array([cost, baseline_cost]) - sign * model.bound, 0.0)
        assert excess[0] <= excess[1] + ROUNDING
        if excess[0] == excess[1]:
            assert model.scoring_value_ >= model.baseline_scoring_value_ - ROUNDING
    else:
        score = model.trade_off * np.array([model.scoring_value_, model.baseline_scoring_value_])
        assert cost - score[0] <= baseline_cost - score[1] + ROUNDING


def check_results(model):
    """The table of what was visited agrees with itself and with the fitted attributes."""
    results = model.results_
    assert len({len(column) for column in results.values()}) == 1
    objective = UpperObjective(get_metric(model.metric, model._task))
    costs = objective.cost(results["metric"])
    assert (np.isfinite(results["score"]) | results["failed"]).all()
    on_front = results["pareto_optimal"]
    for cost, score in zip(costs[on_front], results["score"][on_front], strict=True):
        assert not ((costs < cost) & (results["score"] > score)).any()
    chosen = (results["cell_weights"] == model.cell_weights_).all(axis=1)
    assert (results["metric"][chosen] == model.metric_value_).any() or np.isnan(model.metric_value_)
    assert model.n_refits_ >= 1
    model.summary()


@pytest.mark.slow
@cases(400)
@given(problems())
def test_searches_keep_their_promises(problem):
    model = fitted(problem)
    if model is None:
        return
    check_weights(model)
    check_no_worse(model)
    check_results(model)
    data = {"sensitive_features": problem.groups, "sample_weight": problem.sample_weight}
    weight = model.compute_sample_weight(problem.X, problem.y, **data)
    base = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    assert ((weight > 0) == (base > 0)).all()
    np.testing.assert_allclose(weight.sum(), base.sum(), rtol=1e-9)
    seed = None
    if model.random_state is not None:
        seed = int(np.random.RandomState(model.random_state).randint(np.iinfo(np.int32).max))
    # The baseline model is the call without our weights, which are then all one.
    is_baseline = (model.cell_weights_ == model.results_["cell_weights"][0]).all()
    expected = own_fit(problem, problem.sample_weight if is_baseline else weight, seed)
    for own, other in zip(
        outputs(model.estimator_, problem.X), outputs(expected, problem.X), strict=True
    ):
        np.testing.assert_array_equal(own, other)
    for own, other in zip(outputs(model, problem.X), outputs(expected, problem.X), strict=True):
        np.testing.assert_array_equal(own, other)
    if model.cv is None:
        for value, estimator in (
            (model.metric_value_, expected),
            (model.baseline_metric_value_, own_fit(problem, problem.sample_weight, seed)),
        ):
            again = value_of(problem, estimator)
            if again is not None:
                np.testing.assert_allclose(value, again, rtol=1e-9, atol=1e-12)
