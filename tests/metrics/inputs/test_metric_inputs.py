"""What users pass to a metric: labels of every kind, and mistakes that must not pass silently."""

import functools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fairlearn.metrics import make_derived_metric

from skbadr.metrics import (
    EvaluationSet,
    FairnessMetric,
    RateMetric,
    get_metric,
    make_fairness_metric,
)
from skbadr.metrics.inputs.encoding import encode

Y = [0, 1, 1, 0, 1, 0]
PREDICTED = [0, 1, 0, 1, 1, 0]
GROUPS = ["f", "f", "f", "m", "m", "m"]
parity = get_metric("demographic_parity")
PARITY = 1 / 3


def label(values, names):
    return [names[value] for value in values]


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "column": lambda values: np.array(values)[:, None],
    "floats": lambda values: np.array(values, dtype=float),
    "int8": lambda values: np.array(values, dtype=np.int8),
    "uint8": lambda values: np.array(values, dtype=np.uint8),
    "bool": lambda values: np.array(values, dtype=bool),
    "objects": lambda values: np.array(values, dtype=object),
    "minus one": lambda values: 2 * np.array(values) - 1,
    "text": lambda values: np.array(label(values, ["bad", "good"])),
    "text objects": lambda values: np.array(label(values, ["bad", "good"]), dtype=object),
    "text list": lambda values: label(values, ["bad", "good"]),
    "bytes": lambda values: np.array(label(values, [b"bad", b"good"])),
    "Series": lambda values: pd.Series(values, index=[5, 5, 3, 2, 1, 0]),
    "Series of Int64": lambda values: pd.Series(values, dtype="Int64"),
    "Series of booleans": lambda values: pd.Series(values).astype(bool).astype("boolean"),
    "Series of text": lambda values: pd.Series(label(values, ["bad", "good"])),
    "Series of strings": lambda values: pd.Series(label(values, ["a", "b"]), dtype="string"),
    "Series of categories": lambda values: pd.Series(label(values, "ab"), dtype="category"),
    "DataFrame": lambda values: pd.DataFrame({"y": values}),
    "Polars Series": lambda values: pl.Series(values),
    "Polars text": lambda values: pl.Series(label(values, ["bad", "good"])),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_labels_of_any_kind(container):
    y, predicted = container(Y), container(PREDICTED)
    assert parity(y, predicted, sensitive_features=GROUPS) == pytest.approx(PARITY)
    odds = get_metric("equalized_odds")(y, predicted, sensitive_features=GROUPS)
    assert odds == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("y", "predicted"),
    [
        ("int8", "floats"),
        ("floats", "list"),
        ("bool", "array"),
        ("array", "bool"),
        ("objects", "array"),
        ("Series of Int64", "array"),
        ("text", "Series of text"),
        ("text objects", "text"),
        ("Series of categories", "Series of strings"),
    ],
)
def test_labels_of_two_kinds(y, predicted):
    y, predicted = CONTAINERS[y](Y), CONTAINERS[predicted](PREDICTED)
    assert parity(y, predicted, sensitive_features=GROUPS) == pytest.approx(PARITY)


def test_the_greater_of_two_labels_is_positive():
    predicted = label([0, 1, 0, 1, 1, 1], ["yes", "no"])
    y = label(Y, ["yes", "no"])

    def ratio(**options):
        metric = get_metric("demographic_parity_ratio", **options)
        return metric(y, predicted, sensitive_features=GROUPS)

    # In order: no, yes; as in scikit-learn's classes_.
    assert ratio() == ratio(pos_label="yes") == 0.0
    assert ratio(pos_label="no") == pytest.approx(1 / 3)


PROBABILITIES = [0.1, 0.9, 0.4, 0.7, 0.8, 0.2]


@pytest.mark.parametrize("name", ["demographic_parity", "equalized_odds", "worst_group_error"])
@pytest.mark.parametrize("kind", ["list", "floats", "bool", "objects", "minus one"])
def test_probabilities_are_not_labels(name, kind):
    with pytest.raises(ValueError, match="takes predicted labels, but y_pred holds fractions"):
        get_metric(name)(CONTAINERS[kind](Y), PROBABILITIES, sensitive_features=GROUPS)


def test_tables_of_probabilities_are_not_labels():
    with pytest.raises(ValueError, match=r"labels of shape \(n,\), got shape \(6, 2\)"):
        parity(Y, np.eye(2)[PREDICTED], sensitive_features=GROUPS)


@pytest.mark.parametrize("predicted", [PREDICTED, PROBABILITIES])
def test_text_and_numbers_do_not_mix(predicted):
    message = "fractions" if predicted is PROBABILITIES else "labels of different types"
    with pytest.raises(ValueError, match=message):
        parity(label(Y, "ab"), predicted, sensitive_features=GROUPS)


def test_labels_are_not_probabilities():
    metric = get_metric("roc_auc_score_group_min")
    with pytest.raises(ValueError, match="pass the output of predict_proba"):
        metric(label(Y, "ab"), label(PREDICTED, "ab"), sensitive_features=GROUPS)


@pytest.mark.parametrize("y", [[0, 2, 0, 2, 0, 2], [0, 1, 2, 3, 0, 1]])
def test_columns_of_probabilities_are_those_of_the_classes(y):
    """A class that these samples lack must not shift the columns of the others."""
    metric = get_metric("worst_group_loss", loss="log_loss")
    proba = np.full((6, 3), 1 / 3)
    with pytest.raises(ValueError, match="scores of 3 classes, but y_true holds"):
        metric(y, proba, sensitive_features=GROUPS)


def test_scores_have_one_or_two_dimensions():
    with pytest.raises(ValueError, match=r"or \(n, C\), got float64 of shape \(6, 2, 2\)"):
        get_metric("roc_auc_score_group_min")(Y, np.ones((6, 2, 2)), sensitive_features=GROUPS)


def test_one_column_of_probabilities_is_for_two_classes():
    with pytest.raises(ValueError, match="of 2 classes, but y_true holds 3"):
        get_metric("worst_group_loss", loss="log_loss")(
            [0, 1, 2, 0, 1, 2], PROBABILITIES, sensitive_features=GROUPS
        )


def test_single_text_label_needs_a_positive_one():
    same = ["good"] * 6
    with pytest.raises(ValueError, match="single label 'good': give pos_label"):
        parity(same, same, sensitive_features=GROUPS)
    for pos_label, rate in (("good", 1.0), ("bad", 0.0)):
        lowest = RateMetric("selection_rate", transform="group_min", pos_label=pos_label)
        assert lowest(same, same, sensitive_features=GROUPS) == rate


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize(("only", "rate"), [(0, 0.0), (1, 1.0), (-1, 0.0), (True, 1.0), (0.0, 0.0)])
def test_usual_single_labels_speak_for_themselves(only, rate):
    same = np.array([only] * 6)
    assert parity(same, same, sensitive_features=GROUPS) == 0.0
    ratio = get_metric("demographic_parity_ratio")(same, same, sensitive_features=GROUPS)
    np.testing.assert_equal(ratio, 1.0 if rate else np.nan)


def test_unknown_pos_label():
    with pytest.raises(ValueError, match=r"pos_label=2 is not among the classes \[0, 1\]"):
        get_metric("demographic_parity", pos_label=2)(Y, PREDICTED, sensitive_features=GROUPS)


MISSING = [np.array([0, 1, np.nan]), [0, None, 1], ["a", float("nan"), "b"],
           pd.Series(["a", None, "b"]), pl.Series([0, None, 1])]  # fmt: skip


@pytest.mark.parametrize("values", MISSING, ids=lambda values: type(values).__name__)
def test_missing_labels(values):
    complete = ["a", "b", "a"] if "a" in list(values) else [0, 1, 0]
    for y, predicted, name in ((values, complete, "y_true"), (complete, values, "y_pred")):
        with pytest.raises(ValueError, match=f"{name} has missing values"):
            parity(y, predicted, sensitive_features=["f", "m", "m"])


def test_missing_real_values():
    metric = get_metric("demographic_parity", "regression")
    for y, predicted in (([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, np.nan])):
        with pytest.raises(ValueError, match="has missing values"):
            metric(y, predicted, sensitive_features=["f", "m"])


def test_missing_groups():
    with pytest.raises(ValueError, match="sensitive_features has 1 missing value"):
        parity(Y, PREDICTED, sensitive_features=[None, *GROUPS[1:]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y_pred": PREDICTED[:-1]}, "y_pred has 5 rows but y_true has 6"),
        ({"sensitive_features": GROUPS[:-1]}, "sensitive_features has 5 rows but y_true has 6"),
        ({"sample_weight": [1.0]}, "sample_weight has 1 rows but y_true has 6"),
        ({"sample_weight": np.ones((6, 1))}, "sample_weight must be 1-dimensional"),
        ({"sample_weight": [1, 1, 1, 1, 1, -1]}, "sample_weight has negative or missing"),
        ({"sample_weight": [1, 1, 1, 1, 1, np.nan]}, "sample_weight has negative or missing"),
        ({"sample_weight": [0] * 6}, "zero for every sample"),
        ({"y_true": np.ones((6, 2))}, r"y_true must be 1-dimensional, got shape \(6, 2\)"),
        ({"y_true": 3}, "y_true must hold one value per sample, got 3"),
        ({"y_true": [{}] * 6}, "y_true: labels must be hashable"),
        ({"y_true": [], "y_pred": [], "sensitive_features": []}, "y_true is empty"),
    ],
)
def test_refusals(arguments, message):
    arguments = {"y_true": Y, "y_pred": PREDICTED, "sensitive_features": GROUPS} | arguments
    with pytest.raises(ValueError, match=message):
        parity(arguments.pop("y_true"), arguments.pop("y_pred"), **arguments)


def test_real_predictions_of_two_columns():
    with pytest.raises(ValueError, match="y_pred must be 1-dimensional"):
        get_metric("demographic_parity", "regression")(
            Y, np.ones((6, 2)), sensitive_features=GROUPS
        )


class Seen(FairnessMetric):
    """Keep what the metric is given."""

    def __init__(self, **options):
        super().__init__("seen", **options)

    def value(self, evaluation_set, response):
        self.data, self.response = evaluation_set, response
        return 0.0


def test_what_a_metric_of_classes_gets():
    metric = Seen(tasks=("classification",))
    weight = [1, 2, 3, 4, 5, 6]
    metric(label(Y, "nb"), label(PREDICTED, "nb"), sensitive_features=GROUPS, sample_weight=weight)
    assert metric.data.classes.tolist() == ["b", "n"]
    assert metric.data.y.tolist() == [1 - value for value in Y]
    assert metric.response.tolist() == [1 - value for value in PREDICTED]
    assert metric.data.groups.labels == ["f", "m"]
    assert metric.data.sample_weight.tolist() == weight
    assert metric.data.sensitive_features is GROUPS
    assert metric.data.task == "classification"


def test_decision_functions_are_taken_as_they_are():
    metric = Seen(tasks=("classification",), response_method="decision_function")
    scores = np.array([-2.0, 3.0, -0.5, 1.0, 2.0, -1.0])
    for given in (scores, scores[:, None], pd.Series(scores)):
        metric(Y, given, sensitive_features=GROUPS)
        assert metric.response.tolist() == scores.tolist()
    metric([0, 1, 2, 0, 1, 2], np.eye(3)[Y], sensitive_features=GROUPS)
    assert metric.response.tolist() == np.eye(3)[Y].tolist()
    for y, wrong in ((Y, np.eye(3)[Y]), ([0, 1, 2, 0, 1, 2], scores)):
        with pytest.raises(ValueError, match="y_pred has scores of"):
            metric(y, wrong, sensitive_features=GROUPS)


@pytest.mark.parametrize(
    ("y", "predicted", "task"),
    [
        ([0.5, 1.0, 2.0], [1.0, 2.0, 3.0], "regression"),
        ([0, 1, 1], [0.2, 0.7, 0.9], "regression"),
        ([0, 1, 1], [1, 1, 0], "classification"),
        ([0.0, 1.0, 1.0], [1.0, 1.0, 0.0], "classification"),
        (["a", "b", "a"], ["a", "b", "b"], "classification"),
    ],
)
def test_task_of_a_metric_of_both(y, predicted, task):
    metric = Seen()
    metric(y, predicted, sensitive_features=["f", "m", "m"])
    assert metric.data.task == task
    given = []
    func = make_fairness_metric(
        lambda y_true, y_pred, *, sensitive_features: given.append((y_true, y_pred)) or 0.0
    )
    func(y, predicted, sensitive_features=["f", "m", "m"])
    assert [list(values) for values in given[0]] == [y, predicted]


def test_classes_known_beforehand():
    """A part of the data may lack classes: two of three are no binary problem."""
    classes = np.array(["a", "b", "c"])
    data, response = encode(parity, ["a", "c"], ["c", "c"], ["f", "m"], classes=classes)
    assert data.y.tolist() == [0, 2]
    assert response.tolist() == [2, 2]
    assert data.classes.tolist() == ["a", "b", "c"]
    data, response = encode(parity, ["a", "d"], ["c", "c"], ["f", "m"], classes=classes)
    assert data.classes.tolist() == ["a", "b", "c", "d"]


def test_sums_over_groups():
    groups = encode(parity, Y, PREDICTED, GROUPS)[0].groups
    data = EvaluationSet(np.array(Y), groups, np.array([0, 1]), np.arange(1.0, 7.0))
    table = data.confusion(np.array(PREDICTED))
    assert table[0].tolist() == [[1.0, 0.0], [3.0, 2.0]]
    assert table[1].tolist() == [[6.0, 4.0], [0.0, 5.0]]
    assert data.class_totals.tolist() == [[1.0, 5.0], [10.0, 5.0]]
    assert data.group_totals.tolist() == [6.0, 15.0]
    assert data.group_means(np.array(Y)).tolist() == [5 / 6, 1 / 3]


def test_functions_of_other_arguments_are_refused_with_a_cure():
    def by_groups(y_true, y_pred, groups):
        return 0.0

    with pytest.raises(TypeError, match=r"'by_groups' must take .* it takes \(y_true, y_pred, g"):
        get_metric(by_groups)
    with pytest.raises(TypeError, match="make_derived_metric"):
        make_fairness_metric(lambda y_true, y_pred, sample_weight=None: 0.0)
    assert get_metric(lambda a, b, **rest: 0.5)(Y, PREDICTED, sensitive_features=GROUPS) == 0.5


def test_an_error_in_a_function_tells_what_it_was_given():
    def distance(y_true, y_pred, *, sensitive_features):
        return float(np.abs(y_true - y_pred).mean())

    words = label(Y, ["no", "yes"]), label(PREDICTED, ["no", "yes"])
    with pytest.raises(TypeError) as caught:
        get_metric(distance)(*words, sensitive_features=GROUPS)
    (note,) = caught.value.__notes__
    assert "'distance'" in note and "shape (6,), the first" in note and "'no'" in note
    by_group = make_derived_metric(metric=lambda t, p: (t - p).mean(), transform="difference")
    with pytest.raises(TypeError) as caught:
        get_metric(by_group)(*words, sensitive_features=GROUPS)
    assert "the rows of one group" in caught.value.__notes__[0]


def test_a_partial_function_has_the_name_of_its_function():
    def share(y_true, y_pred, *, sensitive_features, of):
        return np.mean(np.asarray(y_pred) == of)

    assert get_metric(functools.partial(share, of=1)).name == "share"
    with pytest.raises(TypeError, match="'share' must take"):
        get_metric(share)


def test_outputs_of_several_methods_are_given_by_name():
    """As each of the metrics that are combined takes its own."""
    losses = get_metric("worst_group_loss", loss="log_loss")
    both = get_metric({"demographic_parity": 0.2, losses: 0.5})
    proba = np.array(PROBABILITIES)
    data, response = encode(both, Y, {"predict": PREDICTED, "predict_proba": proba}, GROUPS)
    assert data.y.tolist() == Y
    assert response.outputs["predict"].tolist() == PREDICTED
    two_columns = np.column_stack([1 - proba, proba])
    assert response.outputs["predict_proba"].tolist() == two_columns.tolist()
    for given in (PREDICTED, {"predict": PREDICTED}):
        with pytest.raises(ValueError, match="pass y_pred as a dict of these"):
            encode(both, Y, given, GROUPS)
