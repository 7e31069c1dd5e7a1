"""Values of fairness metrics against their definitions."""

import contextlib
import itertools
import warnings

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import log_loss

from skbadr.metrics import EvaluationSet, RateMetric, get_metric, get_metric_names
from skbadr.metrics.rates.confusion_rates import RATES
from skbadr.metrics.scores.individual import _ExponentialSums
from skbadr.partition import Groups


def random_labels(seed, n_classes=3, n=120, n_groups=3):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, n)
    y = rng.integers(0, n_classes, n)
    predicted = np.where(rng.random(n) < 0.5, y, rng.integers(0, n_classes, n))
    weight = rng.integers(1, 5, n) / 2.0
    return y, predicted, groups, weight


def rate_by_loop(rate, y, predicted, weight, c):
    """Return a rate with class c as the positive one, from its definition."""
    actual, chosen = y == c, predicted == c
    tp, fp = weight[actual & chosen].sum(), weight[~actual & chosen].sum()
    fn, tn = weight[actual & ~chosen].sum(), weight[~actual & ~chosen].sum()
    right, total = weight[y == predicted].sum(), weight.sum()
    recalls = [
        weight[(y == k) & (predicted == k)].sum() / weight[y == k].sum() for k in np.unique(y)
    ]
    numerator, denominator = {
        "selection_rate": (tp + fp, total),
        "true_positive_rate": (tp, tp + fn),
        "false_negative_rate": (fn, tp + fn),
        "false_positive_rate": (fp, fp + tn),
        "true_negative_rate": (tn, fp + tn),
        "precision": (tp, tp + fp),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "accuracy": (right, total),
        "zero_one_loss": (total - right, total),
        "balanced_accuracy": (sum(recalls), len(recalls)),
    }[rate]
    return numerator / denominator if denominator else 0.0


def compare_by_loop(rates, overall, transform, method):
    if transform == "group_min":
        return min(rates)
    if transform == "group_max":
        return max(rates)
    pairs = itertools.permutations(rates, 2) if method == "between_groups" else (
        (rate, overall) for rate in rates
    )  # fmt: skip
    if transform == "difference":
        return max(abs(a - b) for a, b in pairs)
    ratios = [min(a, b) / max(a, b) for a, b in pairs if max(a, b) > 0]
    return min(ratios) if ratios else np.nan


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("transform", ["difference", "ratio", "group_min", "group_max"])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_rates_are_their_definition(rate, transform, n_classes):
    for seed, (method, class_agg) in enumerate(
        itertools.product(["between_groups", "to_overall"], ["worst_case", "mean"])
    ):
        y, predicted, groups, weight = random_labels(seed, n_classes)
        metric = RateMetric(rate, transform=transform, method=method, class_agg=class_agg)
        values = []
        # Of two classes only the greater is the positive one.
        for c in range(n_classes) if n_classes > 2 else [1]:
            by_group = [
                rate_by_loop(rate, y[rows], predicted[rows], weight[rows], c)
                for rows in (groups == g for g in np.unique(groups))
            ]
            overall = rate_by_loop(rate, y, predicted, weight, c)
            values.append(compare_by_loop(by_group, overall, transform, method))
        lowest = transform in ("ratio", "group_min")
        expected = np.mean(values) if class_agg == "mean" else (min if lowest else max)(values)
        labels = np.array(["d", "a", "c", "b", "e"])[:n_classes]
        labels.sort()
        value = metric(
            labels[y], labels[predicted], sensitive_features=groups, sample_weight=weight
        )
        assert value == pytest.approx(expected, abs=1e-12)
        assert metric.greater_is_better is lowest


def test_equalized_odds_of_many_classes_is_equal_opportunity():
    y, predicted, groups, _ = random_labels(3)
    for kind in ("", "_ratio"):
        values = [
            get_metric(name + kind)(y, predicted, sensitive_features=groups)
            for name in ("equalized_odds", "equal_opportunity")
        ]
        assert values[0] == values[1]


@pytest.mark.parametrize(
    "name", ["equalized_odds", "demographic_parity_ratio", "f1_score_group_min"]
)
def test_pos_label_of_many_classes_is_that_class_against_the_rest(name):
    y, predicted, groups, _ = random_labels(4)
    value = get_metric(name, pos_label="b")(
        np.array(list("abc"))[y], np.array(list("abc"))[predicted], sensitive_features=groups
    )
    assert value == get_metric(name)(y == 1, predicted == 1, sensitive_features=groups)


def test_classes_with_an_undefined_ratio_are_left_out():
    y, groups = [0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1]
    predicted = [0, 1, 0, 1, 1, 1]  # never class 2
    for class_agg, expected in (("worst_case", 0.0), ("mean", 1 / 6)):
        metric = get_metric("demographic_parity_ratio", class_agg=class_agg)
        with pytest.warns(UndefinedMetricWarning, match="of class 2 above 0"):
            value = metric(y, predicted, sensitive_features=groups)
        assert value == pytest.approx(expected)


def test_ratio_of_zeros_is_nan():
    metric = get_metric("demographic_parity_ratio")
    with pytest.warns(UndefinedMetricWarning, match=r"no group \('f', 'm'\) has a selection_rate"):
        value = metric([0, 1, 0, 1], [0, 0, 0, 0], sensitive_features=["f", "f", "m", "m"])
    assert np.isnan(value)


NO_POSITIVES = ([0, 0, 0, 1, 1, 0], [0, 1, 0, 1, 0, 1], ["f", "f", "f", "m", "m", "m"])


@pytest.mark.parametrize(
    ("name", "y_flipped", "message", "value"),
    [
        ("equal_opportunity", False, "'f' has no sample of class 1; its true_positive_rate", 0.5),
        ("equalized_odds", False, "'f' has no sample of class 1", 1 - 1 / 3),
        ("equal_opportunity", True, None, None),
        ("false_positive_rate_parity", True, "'f' has no sample of any class but 1", 0.5),
        ("demographic_parity", False, None, None),
        ("accuracy_parity", True, None, None),
    ],
)
def test_group_without_positives_is_named(name, y_flipped, message, value):
    y, predicted, groups = NO_POSITIVES
    metric = get_metric(name)
    y = [1 - label for label in y] if y_flipped else y
    if message is None:
        metric(y, predicted, sensitive_features=groups)
        return
    with pytest.warns(UndefinedMetricWarning, match=f"{name}: group {message}") as caught:
        found = metric(y, predicted, sensitive_features=groups)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert found == pytest.approx(value)


def real_problem(seed, n_groups=3, n=90):
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(n_groups), rng.integers(0, n_groups, n)])
    y = rng.normal(groups, 1.0).round(1)
    return y, (y + rng.normal(size=len(y))).round(1), groups, rng.integers(1, 4, len(y))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("seed", range(5))
def test_gap_of_mean_predictions(seed):
    y, predicted, groups, weight = real_problem(seed)
    options = {"sensitive_features": groups, "sample_weight": weight}
    means = [np.average(predicted[groups == g], weights=weight[groups == g]) for g in range(3)]
    overall = np.average(predicted, weights=weight)
    for name, expected in [
        ("demographic_parity", np.ptp(means)),
        ("demographic_parity_ratio", min(means) / max(means)),
    ]:
        assert get_metric(name, "regression")(y, predicted, **options) == pytest.approx(expected)
    to_overall = get_metric("demographic_parity", "regression", method="to_overall")
    assert to_overall(y, predicted, **options) == pytest.approx(np.abs(means - overall).max())


@pytest.mark.parametrize("seed", range(5))
def test_kolmogorov_smirnov(seed):
    y, predicted, groups, weight = real_problem(seed, n_groups=2 + seed)
    parts = [predicted[groups == g] for g in np.unique(groups)]
    pairs = itertools.combinations(parts, 2)
    between = get_metric("kolmogorov_smirnov", "regression")
    value = between(y, predicted, sensitive_features=groups)
    assert value == pytest.approx(max(ks_2samp(a, b).statistic for a, b in pairs))
    overall = get_metric("kolmogorov_smirnov", "regression", method="to_overall")
    value = overall(y, predicted, sensitive_features=groups)
    assert value == pytest.approx(max(ks_2samp(part, predicted).statistic for part in parts))


def test_group_losses():
    y, predicted, groups, weight = real_problem(0)
    wrong = np.abs(y - predicted)
    for loss, per_sample in [("squared_error", wrong**2), ("absolute_error", wrong)]:
        losses = [
            np.average(per_sample[groups == g], weights=weight[groups == g]) for g in range(3)
        ]
        for name, expected in [
            ("worst_group_loss", max(losses)),
            ("group_loss_variance", np.var(losses)),
            ("group_loss_gap", max(losses) - min(losses)),
            ("group_loss_ratio", max(losses) / min(losses)),
        ]:
            metric = get_metric(name, "regression", loss=loss)
            value = metric(y, predicted, sensitive_features=groups, sample_weight=weight)
            assert value == pytest.approx(expected)


def test_group_losses_of_classifiers():
    y, predicted, groups, weight = random_labels(0)
    zero_one = [np.average(y[rows] != predicted[rows]) for rows in (groups == g for g in range(3))]
    value = get_metric("zero_one_loss_variance")(y, predicted, sensitive_features=groups)
    assert value == pytest.approx(np.var(zero_one))
    proba = np.random.default_rng(0).dirichlet(np.ones(3), len(y))
    proba[:2] = np.eye(3)[:2]  # certainty, rightly or wrongly, is clipped
    losses = [
        log_loss(y[rows], proba[rows], sample_weight=weight[rows], labels=[0, 1, 2])
        for rows in (groups == g for g in range(3))
    ]
    metric = get_metric("worst_group_loss", loss="log_loss")
    value = metric(y, proba, sensitive_features=groups, sample_weight=weight)
    assert value == pytest.approx(max(losses))


@pytest.mark.parametrize(
    ("losses", "expected"), [((0.0, 0.0), np.nan), ((0.0, 1.0), np.inf), ((0.5, 1.0), 2.0)]
)
def test_ratio_of_losses_near_zero(losses, expected):
    metric = get_metric("group_loss_ratio", "regression", loss="absolute_error")
    expected_warning = contextlib.nullcontext()
    if not np.isfinite(expected):
        expected_warning = pytest.warns(UndefinedMetricWarning, match="group 'f'.* no loss")
    with expected_warning:
        value = metric([0.0, 0.0], losses, sensitive_features=["f", "m"])
    np.testing.assert_equal(value, expected)


NAMES = [
    (name, task)
    for task in ("classification", "regression")
    for name in get_metric_names(task)
    if get_metric(name, task).response_method == "predict" and name != "r2_score_group_min"
]


def of_predictions(name, task):
    """Return a metric; of the zero-one loss where it would be of an estimator's."""
    options = {"reference": 0.2} if name == "group_harm" else {}  # else the baseline's of a fit
    metric = get_metric(name, task, **options)
    unknown = task == "classification" and getattr(metric, "own", False)
    return get_metric(name, task, loss="zero_one", **options) if unknown else metric


@given(st.sampled_from(NAMES), st.integers(0, 10**6))
# A group that loses exactly what it would without an agreement.
@example(named=("nash_welfare", "classification"), seed=141)
def test_invariances(named, seed):
    """Order, names of groups, scale of weights do not matter; weight 2 is twice, 0 is not there."""
    metric = of_predictions(*named)
    rng = np.random.default_rng(seed)
    if named[1] == "classification":
        y, predicted, groups, _ = random_labels(seed, n_classes=2, n=30)
    else:
        y, predicted, groups, _ = real_problem(seed, n=30)
    weight = rng.integers(0, 3, len(y))
    weight[0] = 1
    if metric.name.startswith("r2_score"):
        # It is undefined for one row, but not for two rows that are the same.
        assume(np.bincount(groups[weight > 0], minlength=3).min() > 1)

    def value(rows, weight=None, names="abc"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            return metric(
                y[rows], predicted[rows], sensitive_features=np.array(list(names))[groups][rows],
                sample_weight=weight,
            )  # fmt: skip

    everything = np.arange(len(y))
    reference = value(everything, weight)
    shuffled = rng.permutation(len(y))
    for other in (
        value(shuffled, weight[shuffled]),
        value(everything, 8 * weight),
        value(everything, weight, names="zxy"),
        value(np.repeat(everything, weight)),
        value(np.flatnonzero(weight), weight[weight > 0]),
    ):
        np.testing.assert_allclose(other, reference, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize(("name", "task"), NAMES)
def test_statistics_determine_the_metric(name, task):
    """Also one row of statistics at a time or many, and of groups absent from the data."""
    metric = of_predictions(name, task)
    y, predicted, groups, weight = (
        real_problem(1) if task == "regression" else random_labels(1, n_classes=2)
    )
    classes = None if task == "regression" else np.array([0, 1])
    data = EvaluationSet(y, Groups(groups, ["a", "b", "c", "absent"], ("g",)), classes, weight)
    others = np.random.default_rng(0).permuted(np.tile(predicted, (4, 1)), axis=1)
    rows = np.array([np.ravel(metric.statistics(data, other)) for other in others])
    values = [metric.value(data, other) for other in others]
    assert [metric.from_statistics(data, row) for row in rows] == pytest.approx(values, nan_ok=True)
    assert metric.from_many_statistics(data, rows) == pytest.approx(values, nan_ok=True)
    assert metric.undefined(data) == []  # nothing is asked of groups that are absent
    baseline = metric(y, others[0], sensitive_features=groups, sample_weight=weight)
    assert values[0] == pytest.approx(baseline, nan_ok=True)
    if metric.uses_confusion:
        assert rows.shape == (4, 4 * 2 * 2)


@pytest.mark.parametrize(("name", "task"), NAMES)
def test_ideal_value(name, task):
    metric = get_metric(name, task)
    if metric.ideal is None:
        return
    same = np.tile([1.0, 2.0], 3) if task == "regression" else np.tile([0, 1], 3)
    predicted = np.tile(same[[0, 1, 1, 0]], 3)
    y, groups = np.tile(same[[0, 1, 0, 1]], 3), np.repeat([0, 1, 2], 4)
    assert metric(y, predicted, sensitive_features=groups) == metric.ideal


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_nothing_depends_on_the_order_of_groups(task):
    rng = np.random.default_rng(0)
    n_classes = 3 if task == "classification" else 0
    y = rng.integers(0, 3, 60) if n_classes else rng.normal(size=60)
    groups, weight = rng.integers(0, 4, 60), rng.uniform(0.1, 1.0, 60)
    scores = rng.normal(size=(60, 3)) if n_classes else rng.normal(size=60)
    for name in ("individual", "covariance", "hsic", "disparate_mistreatment"):
        if name == "disparate_mistreatment" and not n_classes:
            continue
        metric = get_metric(name, task)
        values = [
            metric(y, scores, sensitive_features=names[groups], sample_weight=weight)
            for names in map(np.array, itertools.permutations("abcd"))
        ]
        assert values == pytest.approx([values[0]] * 24)


def test_exponential_sums_hold_on_any_range_of_targets():
    rng = np.random.default_rng(0)
    values = rng.normal(size=3000)
    for scale in (1e-3, 1.0, 50.0, 250.0, 1e5):  # one stretch, several, a recursion
        y = np.sort(np.r_[rng.normal(scale=scale, size=2990), np.full(10, 0.5 * scale)])
        expected = np.exp(-np.abs(y[:, None] - y)) @ values
        sums = _ExponentialSums(y)
        assert np.abs(sums(values) - expected).max() < 1e-11 * np.abs(expected).max()
        assert sums.recursive == (scale == 1e5)
