"""Metrics of scores, against independent definitions by all pairs, scipy and scikit-learn."""

import itertools

import fairlearn.metrics as flm
import numpy as np
import pytest
from data import make_people, make_wages
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import precision_score, roc_auc_score

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.metrics.scores.score_surrogates import log_odds_of
from skbadr.partition import make_groups

SEEDS = st.integers(0, 10_000)


def draw(seed, n=90, n_classes=2):
    """Return labels, probabilities with ties, groups and weights, some of them 0."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.tile(np.arange(n_classes), 3), rng.integers(0, n_classes, n - 3 * n_classes)]
    group = np.r_[np.repeat(list("abc"), n_classes), rng.choice(list("abc"), n - 3 * n_classes)]
    proba = softmax(np.round(rng.normal(size=(n, n_classes)), 1), axis=1)
    weight = rng.uniform(0.5, 2.0, n)
    weight[3 * n_classes :] *= rng.random(n - 3 * n_classes) < 0.8
    return y, proba, group, weight


def expected_calibration_error(y, p, weight, n_bins):
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    error = 0.0
    for b in np.unique(bins):
        rows = bins == b
        if weight[rows].sum() > 0:
            gap = np.average(y[rows], weights=weight[rows])
            gap -= np.average(p[rows], weights=weight[rows])
            error += weight[rows].sum() / weight.sum() * abs(gap)
    return error


def area(scores, negatives, weight, other):
    """P(score > negative) + P(=) / 2 over all pairs."""
    right = (scores[:, None] > negatives) + 0.5 * (scores[:, None] == negatives)
    return (weight[:, None] * other * right).sum() / (weight.sum() * other.sum())


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 12))
def test_calibration(seed, n_bins):
    y, proba, group, weight = draw(seed)
    each = [
        expected_calibration_error(y[rows], proba[rows, 1], weight[rows], n_bins)
        for rows in (group == g for g in "abc")
    ]
    options = {"sensitive_features": group, "sample_weight": weight}
    worst, gap = (get_metric(f"calibration{s}", n_bins=n_bins) for s in ("", "_difference"))
    assert worst(y, proba, **options) == pytest.approx(max(each))
    assert gap(y, proba, **options) == pytest.approx(max(each) - min(each))


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_areas(seed):
    y, proba, group, weight = draw(seed)
    p = np.round(proba[:, 1], 4)
    rows = {(g, c): (group == g) & (y == c) for g in "abc" for c in (0, 1)}
    areas = {
        (a, b): area(p[i], p[j], weight[i], weight[j])
        for a, b in itertools.product("abc", repeat=2)
        for i, j in [(rows[a, 1], rows[b, 0])]
    }
    own = [roc_auc_score(y[r], p[r], sample_weight=weight[r]) for r in (group == g for g in "abc")]
    np.testing.assert_allclose([areas[g, g] for g in "abc"], own)
    options = {"sensitive_features": group, "sample_weight": weight}
    odds = np.log(p) - np.log(1 - p)
    assert get_metric("auc_parity")(y, odds, **options) == pytest.approx(max(own) - min(own))
    assert get_metric("auc_parity_ratio")(y, odds, **options) == pytest.approx(min(own) / max(own))
    across = max(abs(areas[a, b] - areas[b, a]) for a, b in areas)
    assert get_metric("cross_auc_parity")(y, odds, **options) == pytest.approx(across)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_distances(seed):
    y, proba, group, weight = draw(seed)
    p, positive = proba[:, 1], weight > 0
    pairs = list(itertools.combinations([group == g for g in "abc"], 2))
    moved = max(wasserstein_distance(p[i], p[j], weight[i], weight[j]) for i, j in pairs)
    options = {"sensitive_features": group, "sample_weight": weight}
    assert get_metric("score_parity")(y, proba, **options) == pytest.approx(moved)
    moved = get_metric("score_parity", "regression")(p, p, **options)
    assert moved == pytest.approx(get_metric("score_parity")(y, proba, **options))
    equal = {"sensitive_features": group[positive]}
    farthest = max(ks_2samp(p[i & positive], p[j & positive]).statistic for i, j in pairs)
    found = get_metric("score_parity_ks")(y[positive], proba[positive], **equal)
    assert found == pytest.approx(farthest)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_predictive_parity(seed):
    y, proba, group, weight = draw(seed)
    predicted = proba.argmax(axis=1)
    each = [
        precision_score(y[r], predicted[r], sample_weight=weight[r], zero_division=0)
        for r in (group == g for g in "abc")
    ]
    options = {"sensitive_features": group, "sample_weight": weight}
    found = get_metric("predictive_parity")(y, predicted, **options)
    assert found == pytest.approx(max(each) - min(each))


def test_each_class_in_turn_is_the_positive_one():
    y, proba, group, weight = draw(0, n_classes=3)
    options = {"sensitive_features": group, "sample_weight": weight}
    for name in ("calibration", "score_parity", "score_parity_ks", "auc_parity"):
        each = [get_metric(name, pos_label=c)(y, proba, **options) for c in range(3)]
        assert get_metric(name)(y, proba, **options) == pytest.approx(max(each))


def test_of_two_classes_either_may_be_the_positive_one():
    y, proba, group, _ = draw(1)
    odds = np.log(proba[:, 1] / proba[:, 0])
    for name, response in (("auc_parity", odds), ("score_parity", proba), ("calibration", proba)):
        first, second = (
            get_metric(name, pos_label=c)(y, response, sensitive_features=group) for c in (0, 1)
        )
        if name == "calibration":  # bins are closed on one side
            assert first == pytest.approx(second, abs=0.1)
        else:
            assert first == pytest.approx(second)


NAMES = [
    "calibration", "calibration_difference", "auc_parity", "auc_parity_ratio", "cross_auc_parity",
    "score_parity", "score_parity_ks",
]  # fmt: skip


@pytest.mark.parametrize("rho", [None, 20.0])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_gradients(name, n_classes, rho):
    y, proba, group, weight = draw(2, n=200, n_classes=n_classes)
    data = EvaluationSet(y, make_groups(group), np.arange(n_classes), weight)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(len(y), 1 if n_classes == 2 else n_classes))
    smooth = get_metric(name).surrogate(3.0, rho=rho)
    value, gradient = smooth.value_and_gradient(data, scores)
    way, step = rng.normal(size=scores.shape), 1e-7
    ahead, behind = (smooth.value_and_gradient(data, scores + s * step * way)[0] for s in (1, -1))
    slope = (ahead - behind) / (2 * step)
    assert np.isfinite(value)
    # Histograms share rows out linearly: their slopes jump at nodes.
    np.testing.assert_allclose((gradient * way).sum(), slope, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_surrogates_become_the_metric(name):
    y, _, group, weight = draw(3, n=300)
    data = EvaluationSet(y, make_groups(group), np.arange(2), weight)
    scores = np.random.default_rng(0).normal(size=(len(y), 1))
    metric = get_metric(name)
    response = scores[:, 0]
    if metric.response_method == "predict_proba":
        response = np.column_stack([expit(-response), expit(response)])
    smooth = metric.surrogate(1e4).value_and_gradient(data, scores)[0]
    assert smooth == pytest.approx(metric.value(data, response), abs=2e-3)


def test_smooth_areas_are_means_over_pairs():
    y, _, group, weight = draw(4, n=200)
    data = EvaluationSet(y, make_groups(group), np.arange(2), weight)
    scores, temperature = np.random.default_rng(1).normal(size=len(y)), 2.0
    rows = {(g, c): (group == g) & (y == c) for g in "abc" for c in (0, 1)}

    def smooth_area(a, b):
        i, j = rows[a, 1], rows[b, 0]
        right = expit(temperature * (scores[i][:, None] - scores[j]))
        return np.average(np.average(right, axis=1, weights=weight[j]), weights=weight[i])

    across = max(smooth_area(a, b) - smooth_area(b, a) for a, b in itertools.permutations("abc", 2))
    found = get_metric("cross_auc_parity").surrogate(temperature)
    assert found.value(data, scores) == pytest.approx(across, abs=1e-3)


@pytest.mark.parametrize("column", [0, 2])
def test_log_odds_of_one_class(column):
    scores = np.random.default_rng(0).normal(size=(20, 3))
    odds, _ = log_odds_of(scores, column)
    np.testing.assert_allclose(expit(odds), softmax(scores, axis=1)[:, column])


X, Y, GROUP = make_people(500)


@pytest.mark.parametrize("name", ["calibration", "auc_parity", "cross_auc_parity", "score_parity"])
@pytest.mark.parametrize("solver", ["implicit", "alternating", "gd"])
def test_fits_lower_them(name, solver):
    model = BADRClassifier(LogisticRegression(), metric=name, solver=solver, cv=None, max_iter=15)
    model.fit(X, Y, sensitive_features=GROUP)
    assert model.metric_value_ <= model.baseline_metric_value_
    metric = get_metric(name)
    response = getattr(model, metric.response_method)(X)
    assert model.metric_value_ == pytest.approx(metric(Y, response, sensitive_features=GROUP))


def test_within_a_bound_with_boosting():
    estimator = HistGradientBoostingClassifier(max_iter=15, random_state=0)
    bounds = {"score_parity": 0.12, "demographic_parity": 0.12}
    model = BADRClassifier(estimator, metric=bounds, cv=3).fit(X, Y, sensitive_features=GROUP)
    assert model.metric_value_ <= 1.0 < model.baseline_metric_value_


def test_regressors_scores():
    wages = make_wages(300)
    model = BADRRegressor(Ridge(), metric="score_parity", bound=0.7, cv=None)
    model.fit(*wages[:2], sensitive_features=wages[2])
    predicted = model.predict(wages[0])
    by_group = [predicted[wages[2] == g] for g in "ab"]
    assert model.metric_value_ == pytest.approx(wasserstein_distance(*by_group))
    assert model.metric_value_ <= 0.7 < model.baseline_metric_value_


def test_all_that_fairlearn_can_derive():
    y, proba, group, weight = draw(5)
    predicted = proba.argmax(axis=1)
    bases = {
        "selection_rate": flm.selection_rate,
        "true_positive_rate": flm.true_positive_rate,
        "false_positive_rate": flm.false_positive_rate,
        "precision_score": precision_score,
    }
    for (name, base), transform in itertools.product(
        bases.items(), ["difference", "ratio", "group_min", "group_max"]
    ):
        derived = flm.make_derived_metric(metric=base, transform=transform)
        options = {"sensitive_features": group, "sample_weight": weight}
        expected = derived(y, predicted, **options)
        found = get_metric(f"{name}_{transform}")(y, predicted, **options)
        assert found == pytest.approx(expected)


def test_refusals():
    with pytest.raises(ValueError, match="n_bins must be an integer >= 1"):
        get_metric("calibration", n_bins=0)
    with pytest.raises(ValueError, match="distance must be one of"):
        get_metric("score_parity", distance="x")
    with pytest.raises(ValueError, match="pos_label=7 is not among the classes"):
        get_metric("auc_parity", pos_label=7)([0, 1], [0.1, 0.2], sensitive_features=["a", "b"])
    with pytest.warns(match="group 'a' has samples of one class only"):
        get_metric("auc_parity")([0, 1, 0], [0.1, 0.2, 0.3], sensitive_features=["a", "b", "b"])
