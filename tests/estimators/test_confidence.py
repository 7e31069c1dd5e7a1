"""Bounds that are to hold on new rows."""

import warnings

import numpy as np
import pytest
from data import make_people, make_wages
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, BADRRegressor, pareto_path
from skbadr.comparison import compare, format_headline, format_table, format_verdicts
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.metrics.confidence.chosen_limits import chosen_limits
from skbadr.partition import make_groups
from skbadr.solvers import GDSolver


def fitted(X, y, group, estimator=None, bound=0.15, **params):
    model = BADRClassifier(estimator, bound=bound, **({"confidence": 0.9} | params))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, sensitive_features=group)


@pytest.mark.parametrize("value", [0.4, 1.0, -1, "0.9", True, np.nan])
def test_that_a_confidence_lies_between_a_half_and_one(value):
    X, y, group = make_people()
    with pytest.raises(ValueError, match="confidence must be None, or at least .5 and below 1"):
        fitted(X, y, group, confidence=value)


def test_refusals():
    X, y, group = make_people()
    with pytest.raises(ValueError, match="confidence=0.9 says how sure a bound is.*set a bound"):
        fitted(X, y, group, bound=None)
    with pytest.raises(ValueError, match="confidence=0.9 needs rows that models have not seen"):
        fitted(X, y, group, cv=None)
    with pytest.raises(ValueError, match="set bound"):
        compare(
            LogisticRegression(), X, y, sensitive_features=group, metric="worst_group_loss",
            confidence=0.9,
        )  # fmt: skip


@pytest.mark.parametrize("metric", ["demographic_parity", "equal_opportunity_ratio"])
def test_that_a_linear_model_is_judged_by_rows_left_out(metric):
    X, y, group = make_people(n=400)
    estimator = LogisticRegression(tol=1e-8)
    bound = 0.6 if metric.endswith("ratio") else 0.15
    model = fitted(X, y, group, estimator, metric=metric, bound=bound)
    assert model.evaluated_on_ == "held-out data"
    assert model.bound_met_
    assert model.n_refits_ <= 3
    weight = model.compute_sample_weight(X, y, sensitive_features=group)
    rows, left_out = np.arange(len(y)), np.empty(len(y), dtype=int)
    for i in rows:
        other = clone(estimator).fit(X[rows != i], y[rows != i], weight[rows != i])
        left_out[i] = other.predict(X[i : i + 1])[0]
    named = get_metric(metric, "classification")
    data = EvaluationSet(y, make_groups(group), np.arange(2))
    np.testing.assert_allclose(model.metric_value_, named.value(data, left_out), atol=0.012)
    limit = chosen_limits(named, data, left_out, 0.9)
    np.testing.assert_allclose(model.metric_upper_, limit, atol=0.012)
    np.testing.assert_allclose(
        model.training_metric_value_, named.value(data, model.predict(X).astype(int))
    )
    best = (model.results_["cell_weights"] == model.cell_weights_).all(axis=1)
    assert model.metric_upper_ in model.results_["metric_upper"][best]
    assert model.metric_value_ in model.results_["metric"][best]
    assert "The fit promises " in model.summary()


def test_that_more_confidence_keeps_further_inside():
    X, y, group = make_people(n=1500)
    values = [fitted(X, y, group, confidence=c).metric_value_ for c in (0.5, 0.8, 0.95, 0.99)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] - 0.02


@pytest.mark.slow
def test_that_other_estimators_are_judged_out_of_fold():
    X, y, group = make_people(n=600)
    trees = HistGradientBoostingClassifier(max_iter=10, random_state=0)
    model, plain = fitted(X, y, group, trees, bound=0.25), fitted(
        X, y, group, trees, bound=0.25, confidence=None
    )  # fmt: skip
    assert model.evaluated_on_ == "held-out data"
    assert model.n_refits_ <= plain.n_refits_
    assert model.metric_upper_ > model.metric_value_
    assert model.bound_met_ == (model.metric_upper_ <= 0.25)
    assert not hasattr(plain, "metric_upper_")
    alternating = fitted(X, y, group, DecisionTreeClassifier(max_depth=3), solver="alternating")
    assert alternating.evaluated_on_ == "held-out data"


@pytest.mark.parametrize("solver", ["gd", "sgd", "alternating", GDSolver()])
def test_that_every_solver_takes_the_limit(solver):
    X, y, group = make_people(n=600)
    model = fitted(X, y, group, solver=solver, random_state=0)
    assert model.evaluated_on_ == "held-out data"
    assert model.metric_upper_ > model.metric_value_
    assert model.metric_upper_ < fitted(X, y, group, max_iter=1, solver="alternating").metric_upper_


@pytest.mark.parametrize(
    "encoder", [TargetEncoder(), OneHotEncoder(handle_unknown="ignore")], ids=str
)
def test_that_transformers_do_not_matter(encoder):
    X, y, group = make_people(n=600)
    codes = np.digitize(X, [-1, 0, 1]).astype(str)
    model = fitted(codes, y, group, make_pipeline(encoder, LogisticRegression()))
    assert model.evaluated_on_ == "held-out data"
    assert hasattr(model, "training_metric_value_")


def test_of_several_classes_weights_and_nash():
    X, y, group = make_people(n=600, n_classes=3)
    model = fitted(X, y, group, bound=0.3)
    assert model.metric_upper_ > model.metric_value_
    X, y, group = make_people(n=600)
    weight = np.random.default_rng(0).exponential(size=600)
    model = BADRClassifier(bound=0.2, confidence=0.8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, sensitive_features=group, sample_weight=weight)
    assert model.metric_upper_ > model.metric_value_
    assert fitted(X, y, group, init="nash", cv=3).metric_upper_ > 0


@pytest.mark.parametrize("metric", ["demographic_parity", "group_loss_gap", "worst_group_loss"])
def test_regression(metric):
    X, y, group = make_wages(n=600)
    plain = BADRRegressor(Ridge(), metric=metric).fit(X, y, sensitive_features=group)
    model = BADRRegressor(Ridge(), metric, bound=plain.baseline_metric_value_, confidence=0.8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, sensitive_features=group)
    assert model.evaluated_on_ == "held-out data"
    assert model.metric_upper_ > model.metric_value_
    assert model.bound_met_ == (model.metric_upper_ <= model.bound)


def gap(y_true, y_pred, *, sensitive_features):
    groups = np.asarray(sensitive_features).ravel()
    return np.ptp([np.mean(y_pred[groups == g]) for g in np.unique(groups)])


def test_that_a_function_is_resampled():
    X, y, group = make_people(n=300)
    model = fitted(X, y, group, metric=gap, bound=0.3, max_iter=3)
    known = fitted(X, y, group, bound=0.3, solver="alternating", max_iter=3)
    assert model.metric_upper_ > model.metric_value_
    apart = model.metric_upper_ - model.metric_value_
    assert apart == pytest.approx(known.metric_upper_ - known.metric_value_, rel=0.5)


def test_that_what_cannot_be_promised_is_said():
    X, y, group = make_people(n=120)
    with pytest.warns(ConvergenceWarning, match="no visited model promises") as caught:
        model = BADRClassifier(bound=0.03, confidence=0.9).fit(X, y, sensitive_features=group)
    (message,) = [str(w.message) for w in caught if "promises" in str(w.message)]
    assert "with confidence 0.9" in message
    assert "rows would do" in message
    assert "of group" in message
    assert not model.bound_met_
    assert model.metric_upper_ == np.nanmin(model.results_["metric_upper"])
    assert "promises nothing on new rows" in model.summary()


def test_that_a_value_beyond_the_bound_is_not_cured_by_rows():
    X, y, group = make_people(n=400)
    with pytest.warns(ConvergenceWarning, match="more rows would not help"):
        BADRClassifier(bound=0.02, confidence=0.9, max_iter=1, solver="alternating").fit(
            X, y, sensitive_features=group
        )


def test_that_bound_met_needs_no_confidence():
    X, y, group = make_people()
    assert fitted(X, y, group, confidence=None).bound_met_
    assert BADRClassifier(max_iter=1).fit(X, y, sensitive_features=group).bound_met_
    assert not fitted(X, y, group, confidence=None, max_iter=1, solver="alternating").bound_met_


def test_fronts():
    X, y, group = make_people(n=600)
    options = {"sensitive_features": group, "bounds": [0.2, 0.3], "confidence": 0.9}
    path = pareto_path(LogisticRegression(), X, y, **options)
    assert (path.metric < path.metric_upper).all()
    np.testing.assert_array_equal(path.met, path.metric_upper <= path.bounds)
    path.fit_models()
    assert path.metric_upper[0] <= 0.3
    assert path.baseline_metric < path.results["metric_upper"][0]
    plain = pareto_path(LogisticRegression(), X, y, sensitive_features=group, bounds=[0.3])
    assert plain.metric_upper is None
    model = fitted(X, y, group)
    own = path.from_estimator(model, X, y, sensitive_features=group)
    assert (own.metric_upper <= own.bounds).all()


def test_that_comparisons_say_what_holds():
    X, y, group = make_people(n=4000)
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    result = compare(
        scaled, X, y, sensitive_features=group, bound=0.05, confidence=0.9, peers=True,
        partitions=["group_target"],
    )  # fmt: skip
    verdicts = {row["key"]: row["verdict"] for row in result.rows}
    assert verdicts["baseline"] == "violated"
    assert all(isinstance(verdict, str) for verdict in verdicts.values())
    assert len(verdicts) > 2
    assert result.settings["confidence"] == 0.9
    assert result.models["badr_group_target"].metric_upper_ <= 0.05
    lines = format_verdicts(result).splitlines()
    assert len(lines) == len(result.rows)
    assert lines[0].split() == ["baseline", "estimator", "violated"]
    assert "verdict" not in format_table(result)
    assert "The fit promises demographic_parity <= 0.05" in format_headline(result)


GOALS = {
    "two bounds": {"metric": {"demographic_parity": 0.1, "equalized_odds": 0.15}},
    "columns by themselves": {"bound": 0.1, "intersectional": False},
    "harm": {"metric": {"demographic_parity": 0.1, "group_harm": 0.05}},
}


@pytest.mark.slow
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("estimator", [LogisticRegression(), DecisionTreeClassifier(max_depth=3)])
def test_several_comparisons_are_promised_at_once(estimator, goal):
    """The limit of the worst is at least that of each alone."""
    rng = np.random.default_rng(0)
    groups = np.column_stack([rng.integers(0, 2, 2000), rng.integers(0, 2, 2000)])
    X = rng.normal(size=(2000, 3)) + groups[:, :1]
    y = (X[:, 0] + rng.normal(size=2000) > 0.8).astype(int)
    model = BADRClassifier(estimator, confidence=0.8, random_state=0, **GOALS[goal])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, sensitive_features=groups)
    assert model.metric_value_ < model.metric_upper_
    bound = model.bound or 1.0
    assert model.bound_met_ == (model.metric_upper_ <= bound)
    assert ("promises nothing" in model.summary()) != model.bound_met_
    if goal == "two bounds":
        values = model.metric_values_
        assert model.metric_value_ == pytest.approx(
            max(values["demographic_parity"] / 0.1, values["equalized_odds"] / 0.15)
        )
