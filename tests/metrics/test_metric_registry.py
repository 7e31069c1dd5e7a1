"""Metrics by name, from callables, and of one's own."""

import pickle
from functools import partial

import fairlearn.metrics as flm
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import accuracy_score

from skbadr import BADRClassifier
from skbadr.metrics import (
    CallableMetric,
    FairnessMetric,
    GroupMeanMetric,
    KolmogorovSmirnovMetric,
    PerGroupMetric,
    RateMetric,
    fairness_scorer,
    get_metric,
    get_metric_names,
    make_fairness_metric,
)

Y = np.array([0, 1, 1, 0, 1, 0])
PREDICTED = np.array([0, 1, 0, 1, 1, 0])
GROUPS = np.array(["f", "f", "f", "m", "m", "m"])


def test_names_of_a_task():
    both, classification, regression = map(get_metric_names, (None, "classification", "regression"))
    assert both == sorted(set(classification) | set(regression))
    assert {"demographic_parity", "equalized_odds", "worst_group_loss"} <= set(classification)
    assert {"demographic_parity", "kolmogorov_smirnov", "worst_group_loss"} <= set(regression)
    assert "kolmogorov_smirnov" not in classification
    assert "equalized_odds" not in regression
    assert "r2_score_group_min" in regression
    with pytest.raises(ValueError, match="task must be one of .* got 'clustering'"):
        get_metric_names("clustering")


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_name_makes_a_metric_that_can_be_pickled(task):
    for name in get_metric_names(task):
        metric = get_metric(name, task)
        assert task in metric.tasks
        assert name.partition("[")[0] in metric.name
        assert repr(pickle.loads(pickle.dumps(metric))) == repr(metric)


def test_names_stand_for_either_task():
    assert isinstance(get_metric("demographic_parity"), RateMetric)
    assert isinstance(get_metric("demographic_parity", "regression"), GroupMeanMetric)
    assert get_metric("worst_group_loss").name == "worst_group_loss[own]"
    assert get_metric("worst_group_loss", loss="zero_one").name == "worst_group_loss[zero_one]"
    assert get_metric("worst_group_error").name == "worst_group_error"
    assert get_metric("zero_one_loss_variance").name == "zero_one_loss_variance"
    assert isinstance(get_metric("kolmogorov_smirnov", "regression"), KolmogorovSmirnovMetric)


def test_unknown_name():
    with pytest.raises(ValueError, match="did you mean 'equalized_odds'") as caught:
        get_metric("equalised_odds")
    for name in get_metric_names("classification"):
        assert repr(name) in str(caught.value)
    with pytest.raises(ValueError, match="metric='' is not known; valid names for regression"):
        get_metric("", "regression")


@pytest.mark.parametrize(
    ("metric", "task", "message"),
    [
        ("equalized_odds", "regression", "'equalized_odds' is for classification, not for regr"),
        ("kolmogorov_smirnov", "classification", "is for regression, not for classification"),
        ("r2_score_group_min", "classification", "is for regression, not for classification"),
        (flm.equalized_odds_difference, "regression", "is for classification, not for regression"),
        (RateMetric("accuracy"), "regression", "'accuracy_difference' is for classification"),
    ],
)
def test_metric_of_the_other_task(metric, task, message):
    with pytest.raises(ValueError, match=message):
        get_metric(metric, task)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: get_metric(RateMetric), TypeError, "class RateMetric: pass an instance"),
        (lambda: get_metric(3), TypeError, "metric must be a name, .* got int"),
        (lambda: get_metric(None), TypeError, "metric must be a name, .* got NoneType"),
        (lambda: get_metric("demographic_parity", "ranking"), ValueError, "task must be one of"),
        (lambda: get_metric("demographic_parity", loss="log_loss"), TypeError, "'loss'"),
        (lambda: get_metric("f1_score_group_min", loss="x"), TypeError, "no such options.*'loss'"),
        (lambda: get_metric(flm.equalized_odds_ratio, x=1), TypeError, "equalized_odds_ratio.*'x'"),
        (lambda: get_metric(accuracy_score, agg="mean"), TypeError, "no such options.*'agg'"),
        (lambda: get_metric(RateMetric("f1"), agg="mean"), TypeError, "made already"),
        (lambda: get_metric("equalized_odds", agg="median"), ValueError, "agg must be one of"),
        (lambda: get_metric("equalized_odds", method="x"), ValueError, "method must be one of"),
        (lambda: get_metric("equalized_odds", class_agg="x"), ValueError, "class_agg must be one"),
        (lambda: get_metric("worst_group_loss", loss="hinge"), ValueError, "loss must be one of"),
        (
            lambda: get_metric("demographic_parity", "regression", transform="gap"),
            ValueError,
            "transform must be one of",
        ),
        (lambda: RateMetric("recall"), ValueError, "rates must be one of .*'true_positive_rate'"),
        (lambda: KolmogorovSmirnovMetric(method="x"), ValueError, "method must be one of"),
        (lambda: make_fairness_metric("f"), TypeError, "func must be callable, got str"),
        (
            lambda: make_fairness_metric(accuracy_score, response_method="decision_function"),
            ValueError,
            "response_method must be one of",
        ),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_metrics_are_returned_as_they_are():
    metric = RateMetric("f1", transform="ratio")
    assert get_metric(metric) is metric


def test_options_of_fairlearn_functions():
    metric = get_metric(flm.equalized_odds_difference, agg="mean", method="to_overall")
    expected = partial(flm.equalized_odds_difference, agg="mean", method="to_overall")
    value = metric(Y, PREDICTED, sensitive_features=GROUPS)
    assert value == pytest.approx(expected(Y, PREDICTED, sensitive_features=GROUPS), abs=1e-12)


def gap(y_true, y_pred, *, sensitive_features):
    """Return the gap in accuracy between groups, by scikit-learn's own function."""
    groups = np.asarray(sensitive_features)
    return np.ptp([accuracy_score(y_true[groups == g], y_pred[groups == g]) for g in set(groups)])


def weighted_gap(y_true, y_pred, *, sensitive_features, sample_weight=None):
    weight = np.ones(len(y_true)) if sample_weight is None else sample_weight
    right = (y_true == y_pred) * weight
    groups = np.asarray(sensitive_features)
    return np.ptp([right[groups == g].sum() / weight[groups == g].sum() for g in set(groups)])


@pytest.mark.parametrize("kind", [int, float, bool, str])
@pytest.mark.parametrize("func", [gap, weighted_gap])
def test_own_function_gets_labels_as_they_are(func, kind):
    metric = make_fairness_metric(func)
    assert metric.name == func.__name__
    assert not metric.greater_is_better
    y, predicted = Y.astype(kind), PREDICTED.astype(kind)
    y[0], predicted[0] = y[1], predicted[2]  # one error more
    expected = func(y, predicted, sensitive_features=GROUPS)
    assert metric(y, predicted, sensitive_features=GROUPS) == pytest.approx(expected)
    assert get_metric(func)(y, predicted, sensitive_features=GROUPS) == pytest.approx(expected)


@pytest.mark.parametrize(
    "features",
    [
        GROUPS,
        GROUPS.tolist(),
        pd.Series(GROUPS, index=[3] * 6),
        pl.Series(GROUPS),
        pd.DataFrame({"sex": GROUPS, "age": [1, 2] * 3}),
        pl.DataFrame({"sex": GROUPS, "age": [1, 2] * 3}),
        {"sex": GROUPS, "age": [1, 2] * 3},
        np.c_[GROUPS, GROUPS],
        GROUPS[:, None].tolist(),
    ],
    ids=lambda features: type(features).__name__,
)
def test_own_function_gets_the_features_as_they_are(features):
    seen = []
    metric = make_fairness_metric(
        lambda y_true, y_pred, *, sensitive_features: seen.append(sensitive_features) or 0.0
    )
    metric(Y, PREDICTED, sensitive_features=features)
    assert seen[0] is features
    # Without samples of weight zero, but in the same container.
    metric(Y, PREDICTED, sensitive_features=features, sample_weight=[0, 1, 1, 0, 1, 1])
    assert type(seen[1]) is type(features)
    first = seen[1]["sex"] if isinstance(features, dict) else seen[1]
    assert len(first) == 4


def test_own_function_gets_weights_where_it_takes_them():
    weight = np.array([1.0, 2.0, 0.0, 1.0, 1.0, 3.0])
    value = get_metric(weighted_gap)(Y, PREDICTED, sensitive_features=GROUPS, sample_weight=weight)
    expected = weighted_gap(Y, PREDICTED, sensitive_features=GROUPS, sample_weight=weight)
    assert value == pytest.approx(expected)
    rows = weight > 0
    value = get_metric(gap)(Y, PREDICTED, sensitive_features=GROUPS, sample_weight=weight)
    assert value == pytest.approx(gap(Y[rows], PREDICTED[rows], sensitive_features=GROUPS[rows]))


def test_own_function_of_probabilities():
    seen = []

    def func(y_true, y_pred, *, sensitive_features):
        seen.append(y_pred)
        return 0.25

    metric = make_fairness_metric(func, response_method="predict_proba", greater_is_better=True)
    assert metric.tasks == ("classification",)
    assert metric.greater_is_better
    assert metric(Y, PREDICTED / 2, sensitive_features=GROUPS) == 0.25
    assert seen[0].tolist() == (PREDICTED / 2).tolist()
    proba = np.full((6, 3), 1 / 3)
    metric([0, 1, 2, 0, 1, 2], proba, sensitive_features=GROUPS)
    assert seen[1].shape == (6, 3)


def test_own_function_must_return_a_number():
    def rates(y_true, y_pred, *, sensitive_features):
        return np.ones(2)

    with pytest.raises(TypeError, match="'rates' must return one number, got shape"):
        get_metric(rates)(Y, PREDICTED, sensitive_features=GROUPS)


def test_callable_objects_and_partials():
    class Gap:
        def __call__(self, y_true, y_pred, *, sensitive_features):
            return 0.5

    assert get_metric(Gap()).name == "Gap"
    assert get_metric(partial(gap))(Y, PREDICTED, sensitive_features=GROUPS) == 0.0
    assert isinstance(get_metric(partial(gap)), CallableMetric)


class MissGap(FairnessMetric):
    """The gap between the groups' shares of misses, from a value alone."""

    def __init__(self):
        super().__init__("miss_gap", tasks=("classification",))

    def value(self, evaluation_set, response):
        return np.ptp(evaluation_set.group_means((response != evaluation_set.y).astype(float)))


class MissGapFromShares(FairnessMetric):
    """The same, from statistics that a solver can model."""

    def __init__(self):
        super().__init__("miss_gap", tasks=("classification",))

    def statistics(self, evaluation_set, response):
        return evaluation_set.group_means((response != evaluation_set.y).astype(float))

    def from_statistics(self, evaluation_set, statistics):
        return float(np.ptp(statistics[evaluation_set.present]))


@pytest.mark.parametrize("kind", [MissGap, MissGapFromShares])
def test_own_class(kind):
    metric, twin = kind(), get_metric("group_loss_gap", loss="zero_one")
    rng = np.random.default_rng(0)
    y, predicted, groups = rng.integers(0, 3, (3, 200))
    for arrays in ((y, predicted), (np.array(list("abc"))[y], np.array(list("abc"))[predicted])):
        value = metric(*arrays, sensitive_features=groups)
        assert value == pytest.approx(twin(*arrays, sensitive_features=groups))
    X = np.c_[groups, rng.normal(size=(200, 2))]
    y = (X[:, 1] + (groups == 1) + rng.normal(size=200) > 0).astype(int)
    fitted = [
        BADRClassifier(metric=m, max_iter=4).fit(X, y, sensitive_features=groups)
        for m in (metric, twin)
    ]
    assert fitted[0].baseline_metric_value_ == pytest.approx(fitted[1].baseline_metric_value_)
    assert fitted[0].metric_value_ <= fitted[0].baseline_metric_value_
    score = fairness_scorer(metric, sensitive_columns=0)(fitted[0], X, y)
    assert score == pytest.approx(-metric(y, fitted[0].predict(X), sensitive_features=groups))


def test_per_group_function_of_any_sample_size():
    metric = PerGroupMetric(accuracy_score, transform="group_min", name="lowest_accuracy")
    assert metric(Y, PREDICTED, sensitive_features=np.arange(6)) == 0.0
    assert metric.greater_is_better
