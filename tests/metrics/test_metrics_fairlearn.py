"""Every metric that fairlearn also has equals fairlearn's, on random problems."""

import warnings
from functools import partial

import fairlearn.metrics as flm
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as skm
from fairlearn.metrics import make_derived_metric

from skbadr.metrics import (
    CallableMetric,
    GroupMeanMetric,
    PerGroupMetric,
    RateMetric,
    get_metric,
    get_metric_names,
)

PROBLEMS_PER_METRIC = 16
BOTH_METHODS = ("between_groups", "to_overall")
LABELS = {
    "01": np.array([0, 1]),
    "11": np.array([-1, 1]),
    "bool": np.array([False, True]),
    "text": np.array(["bad", "good"]),
}


class Problem:
    """A random problem, with the corners in which metrics are special."""

    def __init__(self, seed, *, exact_weights=False):
        self.rng = rng = np.random.default_rng(seed)
        n_groups = int(rng.choice([2, 2, 2, 3, 3, 4, 6, 8]))  # fairlearn's time grows with them
        n = int(rng.integers(2 * n_groups, 25 * n_groups))
        self.codes = np.concatenate([np.arange(n_groups), rng.integers(0, n_groups, n)])
        self.n = len(self.codes)
        self.n_groups = n_groups
        rates = rng.random((2, n_groups))
        self.y, self.predicted = (rng.random((2, self.n)) < rates[:, self.codes]).astype(int)
        self._special()
        # Of two columns, crossed, some combinations may not occur.
        names = np.array(list("hgfedcba"))[self.codes]
        two = pd.DataFrame({"first": self.codes // 2, "second": names}, index=self.codes)
        self.groups = [self.codes, names, names.tolist(), two][rng.integers(4)]
        self.weight = None
        if rng.random() < 0.5:
            self.weight = rng.integers(0, 5, self.n) / 4.0
            self.weight[:n_groups] = 1.0  # no group without weight
            if not exact_weights and rng.random() < 0.5:
                self.weight += rng.random(self.n)
        self.labels = LABELS[list(LABELS)[rng.integers(4)]]

    def _special(self):
        kind = self.rng.integers(8)
        group = self.codes == 0
        if kind == 0:
            self.y[group] = 0  # no positives
        elif kind == 1:
            self.y[group] = 1  # no negatives
        elif kind == 2:
            self.predicted[:] = self.rng.integers(2)
        elif kind == 3:
            self.predicted[group] = 0
        elif kind == 4:
            self.predicted[:] = self.y
        elif kind == 5:
            self.predicted[:] = 1 - self.y

    def options(self):
        return {
            "sensitive_features": self.groups,
            **({} if self.weight is None else {"sample_weight": self.weight}),
        }


def check(ours, theirs, seed, **special):
    """Compare on one problem; fairlearn gets text as 0 and 1, which it needs."""
    problem = Problem(seed, **special)
    labels = problem.labels
    if problem.y.min() == problem.y.max() and labels.dtype.kind == "U":
        labels = LABELS["01"]  # a single text label does not say which one is positive
    theirs_labels = LABELS["01"] if labels.dtype.kind == "U" else labels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on undefined rates, here and there
        value = ours(labels[problem.y], labels[problem.predicted], **problem.options())
        expected = theirs(
            theirs_labels[problem.y], theirs_labels[problem.predicted], **problem.options()
        )
    assert isinstance(value, float)
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12, err_msg=f"seed={seed}")


def variants(metric, *, agg=False):
    for method in BOTH_METHODS:
        if agg:
            yield from (partial(metric, method=method, agg=agg) for agg in ("worst_case", "mean"))
        else:
            yield partial(metric, method=method)


FUNCTIONS = [
    *(f for name in ("demographic_parity", "equal_opportunity") for kind in ("difference", "ratio")
      for f in variants(getattr(flm, f"{name}_{kind}"))),
    *variants(flm.equalized_odds_difference, agg=True),
    *variants(flm.equalized_odds_ratio, agg=True),
]  # fmt: skip

RATES = [flm.selection_rate, flm.true_positive_rate, flm.true_negative_rate,
         flm.false_positive_rate, flm.false_negative_rate]  # fmt: skip
GENERATED = [
    f
    for rate in [*RATES, skm.accuracy_score, skm.zero_one_loss]
    for kind in ("difference", "ratio")
    for f in variants(getattr(flm, f"{rate.__name__}_{kind}"))
] + [
    getattr(flm, name)
    for name in [
        "accuracy_score_group_min",
        "zero_one_loss_group_max",
        "balanced_accuracy_score_group_min",
        "precision_score_group_min",
        "recall_score_group_min",
        "f1_score_group_min",
    ]
]
DERIVED = [
    f
    for base in [skm.precision_score, skm.recall_score, skm.f1_score, skm.balanced_accuracy_score]
    for f in [
        *variants(make_derived_metric(metric=base, transform="difference")),
        *variants(make_derived_metric(metric=base, transform="ratio")),
        make_derived_metric(metric=base, transform="group_max"),
    ]
]


def name_of(metric):
    if isinstance(metric, partial):
        options = ",".join(f"{key}={value}" for key, value in metric.keywords.items())
        return f"{name_of(metric.func)}({options})"
    base = getattr(metric, "_metric_fn", metric)
    return getattr(metric, "__name__", f"{base.__name__}:{getattr(metric, '_transform', '')}")


CASES = list(enumerate(FUNCTIONS + GENERATED + DERIVED))


@pytest.mark.slow
@pytest.mark.parametrize(("index", "theirs"), CASES, ids=[name_of(f) for _, f in CASES])
def test_rates(index, theirs):
    ours = get_metric(theirs)
    assert isinstance(ours, RateMetric)
    for i in range(PROBLEMS_PER_METRIC):
        # zero_one_loss is 1 - accuracy there: a ratio of its rounding errors means nothing.
        check(ours, theirs, (index, i), exact_weights="zero_one" in name_of(theirs))


def test_there_are_a_thousand_problems():
    assert len(CASES) * PROBLEMS_PER_METRIC >= 1000


NAMED = {
    "demographic_parity": flm.demographic_parity_difference,
    "demographic_parity_ratio": flm.demographic_parity_ratio,
    "equal_opportunity": flm.equal_opportunity_difference,
    "equal_opportunity_ratio": flm.equal_opportunity_ratio,
    "true_positive_rate_parity": flm.true_positive_rate_difference,
    "true_positive_rate_parity_ratio": flm.true_positive_rate_ratio,
    "false_positive_rate_parity": flm.false_positive_rate_difference,
    "true_negative_rate_parity": flm.true_negative_rate_difference,
    "false_negative_rate_parity_ratio": flm.false_negative_rate_ratio,
    "accuracy_parity": flm.accuracy_score_difference,
    "accuracy_parity_ratio": flm.accuracy_score_ratio,
    "equalized_odds": flm.equalized_odds_difference,
    "equalized_odds_ratio": flm.equalized_odds_ratio,
    "worst_group_error": flm.zero_one_loss_group_max,
    "demographic_parity_difference": flm.demographic_parity_difference,
    "f1_score_group_min": flm.f1_score_group_min,
}


@pytest.mark.parametrize(("name", "theirs"), NAMED.items(), ids=NAMED)
def test_names(name, theirs):
    for i in range(4):
        check(get_metric(name), theirs, (1000, i))


@pytest.mark.parametrize("method", BOTH_METHODS)
def test_options_of_names(method):
    for i in range(6):
        ours = get_metric("equalized_odds", agg="mean", method=method)
        theirs = partial(flm.equalized_odds_difference, agg="mean", method=method)
        check(ours, theirs, (1001, i))
        check(get_metric("equalized_odds_difference", agg="mean", method=method), theirs, (1001, i))


@pytest.mark.parametrize("base", [*RATES, skm.precision_score, skm.recall_score, skm.f1_score])
def test_pos_label(base):
    theirs = partial(make_derived_metric(metric=base, transform="difference"), pos_label=0)
    ours = get_metric(theirs)
    assert isinstance(ours, RateMetric)
    for i in range(6):
        problem = Problem((1002, i))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ours(problem.y, problem.predicted, **problem.options())
            expected = theirs(problem.y, problem.predicted, **problem.options())
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_pos_label_of_text():
    theirs = partial(flm.selection_rate_ratio, pos_label="bad")
    for i in range(4):
        problem = Problem((1008, i))
        y, predicted = LABELS["text"][problem.y], LABELS["text"][problem.predicted]
        expected = theirs(y, predicted, **problem.options())
        for ours in (get_metric(theirs), get_metric("selection_rate_ratio", pos_label="bad")):
            value = ours(y, predicted, **problem.options())
            np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


def agreement(y_true, y_pred, sample_weight=None):
    return np.average(y_true == y_pred, weights=sample_weight)


def unweighted(y_true, y_pred):
    return np.mean(y_true == y_pred)


@pytest.mark.parametrize("transform", ["difference", "ratio", "group_min", "group_max"])
@pytest.mark.parametrize("base", [agreement, skm.matthews_corrcoef, skm.jaccard_score])
def test_derived_from_other_functions(base, transform):
    derived = make_derived_metric(metric=base, transform=transform)
    for i, method in enumerate(BOTH_METHODS * 3):
        both = transform in ("difference", "ratio")
        theirs = partial(derived, method=method) if both else derived
        ours = get_metric(theirs)
        assert isinstance(ours, PerGroupMetric)
        problem = Problem((1003, i))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ours(problem.y, problem.predicted, **problem.options())
            expected = theirs(problem.y, problem.predicted, **problem.options())
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


def first_agrees(y_true, y_pred):
    return np.nan if np.asarray(y_pred)[0] == 1 else np.mean(y_true == y_pred)


@pytest.mark.parametrize("transform", ["difference", "ratio", "group_min", "group_max"])
def test_groups_without_a_value_are_left_out(transform):
    theirs = make_derived_metric(metric=first_agrees, transform=transform)
    for i in range(4):
        problem = Problem((1007, i))
        problem.predicted[: problem.n_groups] = np.arange(problem.n_groups) == i
        arguments = problem.y, problem.predicted
        value = get_metric(theirs)(*arguments, sensitive_features=problem.codes)
        expected = theirs(*arguments, sensitive_features=problem.codes)
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


def test_function_without_weights_leaves_out_what_weighs_nothing():
    ours = get_metric(make_derived_metric(metric=unweighted, transform="difference"))
    theirs = make_derived_metric(metric=unweighted, transform="difference")
    for i in range(6):
        problem = Problem((1004, i))
        weight = problem.rng.integers(0, 2, problem.n)
        weight[: problem.n_groups] = 1
        rows = weight > 0
        value = ours(problem.y, problem.predicted, sensitive_features=problem.codes,
                     sample_weight=weight)  # fmt: skip
        assert value == theirs(
            problem.y[rows], problem.predicted[rows], sensitive_features=problem.codes[rows]
        )


@pytest.mark.parametrize("kind", ["difference", "ratio", "group_min", "group_max"])
@pytest.mark.parametrize("base", [skm.roc_auc_score, skm.log_loss])
def test_probabilities(base, kind):
    theirs = make_derived_metric(metric=base, transform=kind)
    ours = get_metric(theirs)
    assert ours.response_method == "predict_proba"
    for i in range(8):
        problem = Problem((1005, i))
        # Both classes in every group: fairlearn's log_loss refuses a single one.
        groups = np.arange(problem.n_groups)
        y = np.concatenate([problem.y, np.zeros_like(groups), np.ones_like(groups)])
        codes = np.concatenate([problem.codes, groups, groups])
        proba = problem.rng.uniform(0.01, 0.99, len(y)).round(2)
        weight = {} if i % 2 else {"sample_weight": problem.rng.random(len(y)) + 0.1}
        value = ours(y, proba, sensitive_features=codes, **weight)
        expected = theirs(y, proba, sensitive_features=codes, **weight)
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)
        assert ours(y, np.c_[1 - proba, proba], sensitive_features=codes, **weight) == value
        text = LABELS["text"][y]
        assert ours(text, proba, sensitive_features=codes, **weight) == value


REGRESSION = [skm.mean_absolute_error, skm.mean_squared_error, flm.mean_prediction, skm.r2_score]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("kind", ["difference", "ratio", "group_min", "group_max"])
@pytest.mark.parametrize("base", REGRESSION)
def test_regression(base, kind):
    derived = make_derived_metric(metric=base, transform=kind)
    kept = {skm.r2_score: PerGroupMetric}.get(base, GroupMeanMetric)
    for i in range(8):
        both = kind in ("difference", "ratio")
        theirs = partial(derived, method=BOTH_METHODS[i % 2]) if both else derived
        ours = get_metric(theirs, "regression")
        assert isinstance(ours, kept)
        problem = Problem((1006, i))
        y = problem.rng.normal(problem.codes, 2.0)
        predicted = y + problem.rng.normal(size=problem.n)
        options = problem.options()
        if base is skm.r2_score:  # of two samples, at least, in each group
            options = {"sensitive_features": problem.codes % 2}
        value = ours(y, predicted, **options)
        expected = theirs(y, predicted, **options)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)


def test_every_ready_made_metric_is_known():
    ready_made = [name for name in flm.__all__ if name.endswith(
        ("_difference", "_ratio", "_group_min", "_group_max"))]  # fmt: skip
    assert len(ready_made) > 25
    for name in ready_made:
        task = "classification" if name in get_metric_names("classification") else "regression"
        assert name in get_metric_names(task)
        metric = get_metric(getattr(flm, name), task)
        assert not isinstance(metric, CallableMetric)
        assert metric.name == name
        assert metric.greater_is_better == name.endswith(("_ratio", "_group_min"))


def test_other_options_are_left_to_fairlearn():
    fixed = partial(flm.demographic_parity_difference, sample_weight=np.array([1.0, 2.0, 3.0, 4.0]))
    metric = get_metric(fixed)
    assert isinstance(metric, CallableMetric)
    arguments = np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1])
    groups = [0, 0, 1, 1]
    assert metric(*arguments, sensitive_features=groups) == fixed(
        *arguments, sensitive_features=groups
    )
