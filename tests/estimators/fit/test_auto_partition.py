"""What partition="auto" chooses, and how it is said."""

import numpy as np
import pytest
from data import classifier, make_people, make_wages, regressor, stable_id
from fairlearn.metrics import (
    demographic_parity_difference,
    make_derived_metric,
    selection_rate_difference,
)
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error

from skbadr import BADRClassifier, BADRRegressor, ParetoPath, pareto_path
from skbadr.comparison import compare
from skbadr.metrics import get_metric, make_fairness_metric

X, Y, GROUP = make_people(300)
WAGES = make_wages(300)


def gap(y_true, y_pred, *, sensitive_features):
    return np.ptp([np.mean(y_pred[sensitive_features == g]) for g in np.unique(GROUP)])


OF_DECISIONS = [
    "demographic_parity",
    "equalized_odds_ratio",
    "accuracy_parity",
    "worst_group_error",
    "zero_one_loss_variance",
    "zero_one_loss_difference",
    "f1_score_group_min",
    get_metric("worst_group_loss", loss="zero_one"),
    get_metric("equalized_odds", smooth="logsumexp"),
    demographic_parity_difference,
    selection_rate_difference,
    gap,
]
OF_SCORES = [
    "worst_group_loss",
    "group_loss_variance",
    "meta_gdro",
    "individual",
    "covariance",
    "hsic",
    "roc_auc_score_group_min",
    get_metric("group_loss_gap", loss="log_loss"),
    make_fairness_metric(gap, response_method="predict_proba"),
]
OF_MEANS = [
    "demographic_parity",
    "demographic_parity_ratio",
    "kolmogorov_smirnov",
    get_metric("demographic_parity", "regression", smooth="logsumexp"),
    get_metric("kolmogorov_smirnov", "regression", smooth="maximum"),
]
OF_ERRORS = [
    "worst_group_loss",
    "mean_absolute_error_group_max",
    "r2_score_group_min",
    "individual",
    make_derived_metric(metric=mean_absolute_error, transform="difference"),
    gap,  # nobody knows what a function is of
]


def chosen(model, data=(X, Y, GROUP)):
    X, y, group = data
    return clone(model).set_params(max_iter=1).fit(X, y, sensitive_features=group).partition_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:weights|the chosen model")
@pytest.mark.parametrize("goal", [{"bound": 0.9}, {"trade_off": 1.0}], ids=["bound", "trade-off"])
@pytest.mark.parametrize("metric", [*OF_DECISIONS, *OF_SCORES], ids=stable_id)
def test_with_a_goal_metrics_of_decisions_get_cells_of_groups_and_classes(metric, goal):
    expected = "group_target" if metric in OF_DECISIONS else "group"
    assert chosen(classifier(metric=metric, **goal)) == expected
    assert chosen(classifier(metric=metric)) == "group"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("metric", [*OF_MEANS, *OF_ERRORS], ids=stable_id)
def test_with_a_goal_metrics_of_mean_predictions_get_cells_of_groups_and_bins(metric):
    expected = "group_target" if metric in OF_MEANS else "group"
    assert chosen(regressor(metric=metric, trade_off=1.0), WAGES) == expected
    assert chosen(regressor(metric=metric), WAGES) == "group"


def test_what_is_asked_for_is_taken():
    for partition in ("group", "group_target", lambda y, groups: groups):
        model = classifier(partition=partition, trade_off=1.0)
        assert chosen(model) is partition


def test_the_default_is_that_of_the_partition_named():
    """Of the model, not only of the cells: without a goal the paper's groups, with one more."""
    for options, partition in (({}, "group"), ({"bound": 0.1}, "group_target")):
        own = BADRClassifier(**options).fit(X, Y, sensitive_features=GROUP)
        named = BADRClassifier(partition=partition, **options).fit(X, Y, sensitive_features=GROUP)
        np.testing.assert_array_equal(own.cell_weights_, named.cell_weights_)
        np.testing.assert_array_equal(own.estimator_.coef_, named.estimator_.coef_)


def test_a_bound_that_groups_miss_is_met_by_default():
    model = BADRClassifier(bound=0.05).fit(X, Y, sensitive_features=GROUP)
    assert model.metric_value_ <= 0.05 < 0.25 < model.baseline_metric_value_


def test_sample_weights_are_of_the_cells_that_were_fitted():
    model = BADRClassifier(bound=0.1).fit(X, Y, sensitive_features=GROUP)
    weight = model.compute_sample_weight(X, Y, sensitive_features=GROUP)
    assert len(np.unique(weight)) == len(model.cells_) == 4
    again = model.set_params(bound=None).compute_sample_weight(X, Y, sensitive_features=GROUP)
    np.testing.assert_array_equal(weight, again)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"bound": 0.1}, "group x target cells. partition='auto' chose them: weights of groups "
         "alone hardly move a metric of decisions, and you gave a bound."),
        ({"trade_off": 9.0}, "group x target cells. partition='auto' chose them: weights of groups "
         "alone hardly move a metric of decisions, and you gave a trade_off."),
        ({}, "groups. partition='auto' chose them: you gave neither bound nor trade_off."),
        ({"metric": "worst_group_loss", "bound": 9.0}, "groups. partition='auto' chose them: "
         "worst_group_loss[own] is not known as a metric of decisions."),
        ({"partition": "group"}, "groups: you asked for partition='group'."),
        ({"partition": lambda y, groups: groups}, "the cells that partition=<lambda> returns."),
    ],
)  # fmt: skip
def test_the_summary_says_which_and_why(options, sentence):
    model = classifier(**options).fit(X, Y, sensitive_features=GROUP)
    assert f"\nWeights belong to {sentence}\n" in model.summary()


def test_the_summary_of_a_regressor_says_which_and_why():
    X, y, group = WAGES
    model = regressor(trade_off=0.1).fit(X, y, sensitive_features=group)
    assert "hardly move a metric of mean predictions, and you gave a trade_off." in model.summary()
    model = BADRRegressor(metric="worst_group_loss").fit(X, y, sensitive_features=group)
    assert "you gave neither bound nor trade_off" in model.summary()


def test_fronts_are_bounds():
    front = {"sensitive_features": GROUP, "n_points": 2}
    assert pareto_path(LogisticRegression(), X, Y, **front).partition == "group_target"
    losses = pareto_path(LogisticRegression(), X, Y, metric="worst_group_loss", **front)
    assert losses.partition == "group" and losses.cells.tolist() == ["a", "b"]
    model = BADRClassifier(bound=0.1).fit(X, Y, sensitive_features=GROUP)
    # Of the cells that were visited, whatever the parameters have become.
    model.set_params(bound=None)
    assert ParetoPath.from_estimator(model, X, Y, sensitive_features=GROUP).cells.shape == (4,)


@pytest.mark.parametrize(
    "metric, bound, expected",
    [
        ("demographic_parity", None, ["group", "group_target"]),
        ("demographic_parity", 0.1, ["group", "group_target"]),
        ("worst_group_loss", None, ["group"]),
        ("worst_group_error", None, ["group"]),
        ("worst_group_error", 0.5, ["group", "group_target"]),
        ("group_loss_gap", None, ["group"]),
    ],
)
def test_a_comparison_has_what_a_fit_would_choose(metric, bound, expected):
    options = {"metric": metric, "bound": bound, "max_iter": 2}
    result = compare(LogisticRegression(), X, Y, sensitive_features=GROUP, **options)
    assert result.settings["partitions"] == expected
    assert [row["key"] for row in result.rows[1:]] == [f"badr_{name}" for name in expected]


def test_a_comparison_of_regressors_has_what_a_fit_would_choose():
    X, y, group = WAGES
    result = compare(Ridge(), X, y, sensitive_features=group, partitions=["auto"], max_iter=2)
    assert result.settings["partitions"] == ["group_target"]
