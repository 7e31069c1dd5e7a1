"""Standard errors of metrics, and what the summary says of a fit that deserves doubt."""

import re

import numpy as np
import pytest
from data import classifier, make_people, make_wages, regressor
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import EvaluationSet, get_metric, get_metric_names, make_fairness_metric
from skbadr.metrics.confidence.standard_error import standard_error
from skbadr.partition import Groups, make_groups

X, Y, GROUP = make_people()
LARGE = make_people(4000)


def data_of(groups, y, weight=None):
    classes = np.unique(y) if y.dtype.kind == "i" else None
    return EvaluationSet(y, make_groups(groups), classes, weight, groups)


def error_of(name, data, predicted):
    metric = get_metric(name, "classification")
    return standard_error(metric, data, statistics=metric.statistics(data, predicted))


def binary(counts):
    """Return groups and predictions of (group, positives, rows)."""
    groups = np.repeat([g for g, _, _ in counts], [n for _, _, n in counts])
    return groups, np.concatenate([np.arange(n) < k for _, k, n in counts]).astype(int)


def var(k, n):
    return k / n * (1 - k / n) / n


@pytest.mark.parametrize(
    "counts", [[("a", 50, 200), ("b", 100, 300)], [("a", 9, 30), ("b", 90, 300)]]
)
def test_the_error_of_a_gap_is_the_binomial_one(counts):
    groups, predicted = binary(counts)
    data = data_of(groups, np.arange(len(groups)) % 2)
    exact = np.sqrt(sum(var(k, n) for _, k, n in counts))
    assert error_of("demographic_parity", data, predicted) == pytest.approx(exact, rel=1e-3)


def test_rates_of_a_class_count_its_rows():
    groups, predicted = binary([("a", 40, 100), ("b", 90, 300)])
    y = np.ones(len(groups), dtype=int)
    groups, predicted = np.r_[groups, groups], np.r_[predicted, predicted]
    data = data_of(groups, np.r_[y, 0 * y])
    exact = np.sqrt(var(40, 100) + var(90, 300))
    assert error_of("equal_opportunity", data, predicted) == pytest.approx(exact, rel=1e-3)
    worst = error_of("true_positive_rate_parity", data, predicted)
    assert worst == pytest.approx(exact, rel=1e-3)


def test_the_two_extreme_groups_tell_the_gap():
    counts = [("a", 20, 200), ("b", 50, 200), ("c", 160, 200)]
    groups, predicted = binary(counts)
    data = data_of(groups, np.arange(600) % 2)
    exact = np.sqrt(var(20, 200) + var(160, 200))
    assert error_of("demographic_parity", data, predicted) == pytest.approx(exact, rel=1e-3)


def test_weights_count_by_their_effective_number():
    groups, predicted = binary([("a", 50, 200), ("b", 100, 300)])
    y = np.arange(500) % 2
    once = error_of("demographic_parity", data_of(groups, y), predicted)
    equal = error_of("demographic_parity", data_of(groups, y, np.full(500, 7.0)), predicted)
    assert equal == pytest.approx(once)
    half = np.r_[np.ones(500), np.zeros(500)]
    twice = data_of(np.r_[groups, groups], np.r_[y, y], half)
    assert error_of("demographic_parity", twice, np.r_[predicted, predicted]) == pytest.approx(once)


def test_rows_all_alike_do_not_make_a_rate_certain():
    groups, predicted = binary([("a", 0, 5), ("b", 100, 400)])
    y = np.arange(405) % 2
    few = error_of("demographic_parity", data_of(groups, y), predicted)
    assert few > 2 * np.sqrt(var(100, 400))
    groups, predicted = binary([("a", 0, 500), ("b", 0, 400)])
    assert 0 < error_of("demographic_parity", data_of(groups, np.arange(900) % 2), predicted) < 0.01


RATES = [
    name
    for name in get_metric_names("classification")
    if get_metric(name, "classification").uses_confusion
]


@pytest.mark.parametrize("name", ["equalized_odds", "accuracy_parity", "hsic", "worst_group_loss"])
def test_the_error_is_that_of_other_samples(name):
    metric = get_metric(name, "classification")
    if getattr(metric, "own", False):
        metric = get_metric(name, "classification", loss="zero_one")
    values, errors = [], []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        groups = rng.integers(0, 2, 700)
        y = (rng.random(700) < 0.3 + 0.2 * groups).astype(int)
        predicted = (rng.random(700) < 0.2 + 0.2 * groups + 0.4 * y).astype(int)
        data = data_of(groups, y)
        response = predicted if metric.response_method == "predict" else 2.0 * predicted - 1
        values.append(metric.value(data, response))
        statistics = metric.statistics(data, response) if metric.uses_confusion else None
        errors.append(standard_error(metric, data, statistics=statistics, response=response))
    assert np.median(errors) == pytest.approx(np.std(values), rel=0.35)


@pytest.mark.parametrize("name", RATES)
def test_every_rate_has_a_finite_error(name):
    model = classifier(metric=name, max_iter=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skbadr.estimators.base.warn_about", lambda *args, **kwargs: None)
        model.fit(X, Y, sensitive_features=GROUP)
    assert 0 <= model.metric_standard_error_ < 1
    assert 0 <= model.baseline_metric_standard_error_ < 1


def half_of_rows_fail(y_true, y_pred, *, sensitive_features):
    if len(y_true) < len(X):
        raise ValueError("all rows or none")
    return 0.25


def test_a_function_that_takes_no_fewer_rows_has_no_error():
    model = classifier(metric=make_fairness_metric(half_of_rows_fail), max_iter=2)
    model.fit(X, Y, sensitive_features=GROUP)
    assert np.isnan(model.metric_standard_error_)
    assert "standard error" not in model.summary()


def test_values_come_with_their_errors():
    model = BADRClassifier(bound=0.1, partition="group_target").fit(X, Y, sensitive_features=GROUP)
    report = model.summary()
    for value, error in (
        (model.metric_value_, model.metric_standard_error_),
        (model.baseline_metric_value_, model.baseline_metric_standard_error_),
    ):
        assert f"metric {value:.4f} (standard error {error:.4f})" in report


def test_a_good_fit_has_no_sentence_to_its_disfavour():
    X, Y, GROUP = LARGE
    model = BADRClassifier(bound=0.05, partition="group_target").fit(X, Y, sensitive_features=GROUP)
    said = model.summary()
    for word in ("Nothing", "chance", "single value", "too small", "held-out", "missed", "tell"):
        assert word not in said


def test_nothing_gained_on_rows_that_are_fitted_exactly():
    model = classifier(DecisionTreeClassifier(random_state=0)).fit(X, Y, sensitive_features=GROUP)
    report = model.summary()
    assert "Nothing was gained" in report
    assert "cv, because an estimator that fits its training data closely" in report


def test_nothing_gained_over_groups_suggests_cells():
    model = classifier(GaussianNB(), metric="accuracy_parity", max_iter=1)
    report = model.fit(X, Y, sensitive_features=GROUP).summary()
    assert "Nothing was gained" in report
    assert re.search("partition='group_target'.*; cv.*; or a larger max_iter", report)
    held_out = model.set_params(cv=2, partition="group_target")
    report = held_out.fit(X, Y, sensitive_features=GROUP).summary()
    assert "asked for. Try a larger max_iter." in report


def test_a_bound_that_the_baseline_model_meets():
    model = classifier(bound=0.9, max_iter=1).fit(X, Y, sensitive_features=GROUP)
    assert "meets the bound, and no visited model" in model.summary()


def test_a_bound_that_is_missed():
    model = classifier(bound=0.001, max_iter=2)
    with pytest.warns(match="no visited model has"):
        model.fit(X, Y, sensitive_features=GROUP)
    assert "The bound 0.001 is missed, by " in model.summary()


def test_a_gain_within_the_noise():
    model = BADRClassifier(metric="accuracy_parity").fit(X, Y, sensitive_features=GROUP)
    gain = model.baseline_metric_value_ - model.metric_value_
    assert 0 < gain < model.metric_standard_error_
    assert f"The gain of {gain:.4f} is less than" in model.summary()
    assert "set cv" in model.summary()


def test_a_metric_that_the_rows_cannot_tell_from_fair():
    labels = np.random.default_rng(0).permutation(GROUP)
    model = classifier(max_iter=1).fit(X, Y, sensitive_features=labels)
    assert "cannot tell it from a fair one" in model.summary()


def test_constant_models():
    X, Y, GROUP = make_people(600)
    model = BADRClassifier(LogisticRegression(), solver="implicit", partition="group_target")
    with pytest.warns(match="single value"):
        model.fit(X, Y, sensitive_features=GROUP)
    assert "set bound or trade_off" in model.summary()


@pytest.mark.slow
def test_a_model_worse_than_a_single_prediction_is_said():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 900)
    X = rng.normal(size=(900, 2)) + 0.8 * np.column_stack([group, group])
    y = np.where(X[:, 0] + X[:, 1] + 2 * rng.logistic(size=900) > 1.9, "yes", "no")
    model = BADRClassifier(partition="group_target", bound=0.02, scoring="accuracy")
    report = model.fit(X, y, sensitive_features=group).summary()
    share = max((y == "yes").mean(), (y == "no").mean())
    assert model.constant_scoring_value_ == pytest.approx(share)
    assert ("of predicting the same for everybody" in report) == (model.scoring_value_ < share)
    model.scoring_value_ = share - 0.01
    assert f"below the {share:.4f} of predicting the same" in model.summary()
    assert "or set a larger bound." in model.summary()
    other = BADRClassifier(bound=0.3, scoring="roc_auc", max_iter=2)
    assert np.isnan(other.fit(X, y, sensitive_features=group).constant_scoring_value_)
    other = BADRClassifier(bound=0.3, scoring="balanced_accuracy", max_iter=2)
    assert other.fit(X, y, sensitive_features=group).constant_scoring_value_ == 0.5
    wages, amount, groups = make_wages()
    fair = regressor(max_iter=1).fit(wages, amount, sensitive_features=groups)
    assert fair.constant_scoring_value_ == pytest.approx(-np.var(amount))


def test_a_single_prediction_that_misses_the_bound_is_no_alternative():
    """A floor under the groups' true positive rates, which nobody meets who says no to all."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 900)
    X = rng.normal(size=(900, 2)) + 0.8 * group[:, None]
    y = (X[:, 0] + 2 * rng.logistic(size=900) > 3.5).astype(int)
    model = BADRClassifier(metric="true_positive_rate_group_min", bound=0.7, cv=None)
    report = model.fit(X, y, sensitive_features=group).summary()
    assert model.scoring_value_ < 1 - y.mean()
    assert np.isnan(model.constant_scoring_value_)
    assert "predicting the same" not in report


class Majority(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[1])


@pytest.mark.filterwarnings("ignore:no weights that were tried changed anything")
def test_an_estimator_that_is_constant_by_itself():
    model = classifier(Majority()).fit(X, Y, sensitive_features=GROUP)
    assert "as the baseline estimator does" in model.summary()


class Memorizer(GaussianNB):
    """Remembers the rows it was fitted on, of which it predicts the same for all."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = {row.tobytes() for row in X}
        return super().fit(X, y, sample_weight)

    def predict(self, X):
        known = np.array([row.tobytes() in self.seen_ for row in X])
        return np.where(known, 1, super().predict(X))


def test_held_out_rows_that_contradict_the_training_rows():
    X, Y, GROUP = make_people(900)
    model = classifier(Memorizer(), cv=3, max_iter=1).fit(X, Y, sensitive_features=GROUP)
    assert model.training_metric_value_ == 0 < model.metric_value_
    report = model.summary()
    assert "On its training data the model has demographic_parity 0.0000" in report
    assert "trust the held-out value" in report
    model = classifier(GaussianNB(), cv=3).fit(X, Y, sensitive_features=GROUP)
    assert model.training_metric_value_ == pytest.approx(model.metric_value_, abs=0.1)
    assert "On its training data" not in model.summary()
    model.set_params(cv=None).fit(X, Y, sensitive_features=GROUP)
    assert not hasattr(model, "training_metric_value_")


@pytest.mark.parametrize("metric", ["worst_group_loss", "kolmogorov_smirnov", "demographic_parity"])
@pytest.mark.parametrize("cv", [None, 0.3, 2])
def test_regressors_have_errors_too(metric, cv):
    X, y, group = make_wages()
    model = regressor(metric=metric, cv=cv).fit(X, y, sensitive_features=group)
    assert 0 < model.metric_standard_error_ < 2
    assert np.isfinite(model.metric_standard_error_)
    assert hasattr(model, "training_metric_value_") == (cv is not None)
    assert "standard error" in model.summary()


def test_crossed_features_reach_functions():
    def gap(y_true, y_pred, *, sensitive_features):
        women = np.asarray(sensitive_features)[:, 0] == "a"
        return abs(y_pred[women].mean() - y_pred[~women].mean())

    features = np.column_stack([GROUP, np.roll(GROUP, 7)])
    model = BADRRegressor(metric=make_fairness_metric(gap), max_iter=3)
    model.fit(X, Y.astype(float), sensitive_features=features)
    assert model.metric_standard_error_ > 0


def test_few_rows_all_alike_count_as_one_more_of_any_kind():
    """Of 0 in 5, with one row more that is half of each kind: (0 + 1/2) / (5 + 1)."""
    groups, predicted = binary([("a", 0, 5), ("b", 100, 400)])
    share = 0.5 / 6
    exact = np.sqrt(share * (1 - share) / 5 + var(100, 400))
    error = error_of("demographic_parity", data_of(groups, np.arange(405) % 2), predicted)
    assert error == pytest.approx(exact, rel=1e-3)


def test_errors_know_no_unit_of_weights_nor_groups_that_are_absent():
    groups, predicted = binary([("a", 50, 200), ("b", 100, 300)])
    y = np.arange(500) % 2
    once = error_of("demographic_parity", data_of(groups, y), predicted)
    small = data_of(groups, y, np.full(500, 1e-4))
    assert error_of("demographic_parity", small, predicted) == pytest.approx(once)
    absent = EvaluationSet(y, Groups(small.groups.codes, [*"abc"], ("g",)), np.arange(2))
    assert error_of("demographic_parity", absent, predicted) == pytest.approx(once)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_few_rows_each_is_left_out_once(weighted):
    rng = np.random.default_rng(0)
    n = 16
    groups, y, scores = np.arange(n) % 2, rng.integers(0, 2, n), rng.normal(size=n)
    weight = rng.integers(0, 3, n).astype(float) if weighted else None
    data = EvaluationSet(y, make_groups(groups), np.arange(2), weight)
    metric = get_metric("covariance")

    def value(kept):
        own = None if weight is None else weight[kept]
        return metric(y[kept], scores[kept], sensitive_features=groups[kept], sample_weight=own)

    used = np.arange(n) if weight is None else np.flatnonzero(weight)
    values = [value(np.isin(np.arange(n), np.delete(used, i))) for i in range(len(used))]
    expected = np.sqrt((len(used) - 1) * np.var(values))
    assert standard_error(metric, data, response=scores) == pytest.approx(expected)
    function = lambda rows: scores[rows]  # noqa: E731
    assert standard_error(metric, data, response=function) == pytest.approx(expected)
    assert np.isnan(standard_error(metric, data))
    assert np.isnan(standard_error(metric, data.take(used[:1]), response=scores[used[:1]]))


def test_the_error_of_many_rows_is_that_of_means():
    """Also where some of the rows stand for all: of 20,000 rows 5,000 are looked at."""
    rng = np.random.default_rng(0)
    metric = get_metric("demographic_parity", "regression")
    for n in (2000, 20_000):
        groups, predicted = rng.integers(0, 2, n), rng.normal(size=n)
        predicted += groups
        data = EvaluationSet(predicted, make_groups(groups))
        exact = np.sqrt(sum(predicted[groups == g].var() / (groups == g).sum() for g in (0, 1)))
        assert standard_error(metric, data, response=predicted) == pytest.approx(exact, rel=0.4)


def test_functions_are_asked_ten_times_with_the_features_of_the_rows():
    seen = []

    def gap(y_true, y_pred, *, sensitive_features):
        assert len(y_true) == len(y_pred) == len(sensitive_features)
        seen.append(np.bincount(sensitive_features))
        means = [y_pred[sensitive_features == g].mean() for g in (0, 1)]
        return abs(means[0] - means[1])

    groups, predicted = np.repeat([0, 1], [300, 100]), np.tile([0.0, 1.0, 1.0, 1.0], 100)
    data = data_of(groups, predicted.astype(int))
    metric = get_metric(make_fairness_metric(gap), "classification")
    error = standard_error(metric, data, response=predicted.astype(int))
    assert [counts.tolist() for counts in seen] == [[270, 90]] * 10  # every group is spread
    assert error == pytest.approx(np.sqrt(0.1875 / 300 + 0.1875 / 100), rel=0.6)
