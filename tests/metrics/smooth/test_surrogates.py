"""Smooth forms of metrics: their gradients, and that they become the metrics."""

import itertools
import pickle
import warnings

import numpy as np
import pytest
from fairlearn.metrics import make_derived_metric, mean_prediction
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mean_absolute_error, mean_squared_error

from skbadr import BADRClassifier
from skbadr.metrics import (
    EvaluationSet,
    FairnessMetric,
    RateMetric,
    annealed_surrogate,
    get_metric,
    get_metric_names,
    make_fairness_metric,
)
from skbadr.metrics.losses.group_losses import SUMMARIES
from skbadr.metrics.rates.confusion_rates import RATES
from skbadr.metrics.smooth.annealing import score_spread
from skbadr.partition import Groups

TRANSFORMS = ["difference", "ratio", "group_min", "group_max"]
METHODS = ["between_groups", "to_overall"]
GRIDDED = [
    "kolmogorov_smirnov", "score_parity_ks", "auc_parity", "auc_parity_ratio", "cross_auc_parity",
]  # fmt: skip
LOSSES = {
    "classification": ["zero_one", "log_loss", "squared_hinge", "least_squares"],
    "regression": [
        "squared_error", "absolute_error", "huber", "squared_epsilon_insensitive",
        "poisson_deviance", "gamma_deviance", "tweedie_deviance",
    ],
}  # fmt: skip


def random_set(rng, n, n_groups, n_classes):
    """Groups down to one row, one of them absent, weights down to 0."""
    codes = np.r_[np.arange(n_groups), rng.integers(0, rng.integers(1, n_groups + 1), n)]
    n = len(codes)
    weight = None
    if rng.random() < 0.5:
        weight = rng.uniform(0.1, 2.0, n) * (rng.random(n) < 0.8)
        weight[:n_groups] = rng.uniform(0.1, 2.0, n_groups)
    classes = np.arange(n_classes) if n_classes else None
    y = rng.integers(0, n_classes, n) if n_classes else rng.gamma(2.0, size=n)
    groups = Groups(codes, [*"abcdefgh"[:n_groups], "absent"], ("g",))
    return EvaluationSet(y, groups, classes, weight)


def check_gradient(metric, data, scores, rng):
    """Compare the gradient with central differences along a random direction.

    Where a kink lies within the step, a subgradient lies between the slopes of its sides.
    """
    value, gradient = metric.value_and_gradient(data, scores)
    assert gradient.shape == scores.shape
    assume(abs(value) < 1e4)
    direction = rng.normal(size=scores.shape)
    slope, step = (gradient * direction).sum(), 1e-5
    up, down, nearer_up, nearer_down = (
        metric.value_and_gradient(data, scores + s * direction)[0]
        for s in (step, -step, 0.5 * step, -0.5 * step)
    )
    # Extrapolated, since ratios to small losses bend much.
    difference = (4 * (nearer_up - nearer_down) / step - (up - down) / (2 * step)) / 3
    if abs(slope - difference) <= 1e-6 * (1 + abs(value) + abs(slope)):
        return
    low, high = sorted([(value - down) / step, (up - value) / step])
    assert metric.kinked and high - low > 1e-3
    assert low - 1e-3 <= slope <= high + 1e-3


SHAPES = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(1, 30),
    "n_groups": st.integers(2, 6),
    "n_classes": st.sampled_from([2, 3, 5]),
    "rho": st.sampled_from([None, 3.0, 40.0]),
    "temperature": st.sampled_from([0.3, 1.0, 4.0]),
}
RATE_SETS = [*((rate,) for rate in RATES), ("true_positive_rate", "false_positive_rate")]


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("rates", RATE_SETS, ids="-".join)
@given(
    **SHAPES,
    method=st.sampled_from(METHODS),
    agg=st.sampled_from(["worst_case", "mean"]),
    class_agg=st.sampled_from(["worst_case", "mean"]),
    one_class=st.booleans(),
)
@settings(max_examples=12)
def test_gradients_of_rates(
    rates, transform, seed, n, n_groups, n_classes, rho, temperature, method, agg, class_agg,
    one_class,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    data = random_set(rng, n, n_groups, n_classes)
    exact = RateMetric(
        rates,
        transform=transform,
        method=method,
        agg=agg,
        class_agg=class_agg,
        pos_label=0 if one_class else None,
    )
    metric = exact.surrogate(temperature, rho=rho)
    scores = rng.normal(size=(len(data.y), 1 if n_classes == 2 else n_classes))
    check_gradient(metric, data, scores, rng)
    value = metric.value_and_gradient(data, scores)[0]
    assert metric.value(data, scores) == pytest.approx(value, nan_ok=True)


@given(**SHAPES, method=st.sampled_from(METHODS))
def test_gradients_of_kolmogorov_smirnov(seed, n, n_groups, n_classes, rho, temperature, method):
    rng = np.random.default_rng(seed)
    data = random_set(rng, n, n_groups, 0)
    metric = get_metric("kolmogorov_smirnov", "regression", method=method)
    scores = rng.normal(size=(len(data.y), 1))
    check_gradient(metric.surrogate(temperature, rho=rho), data, scores, rng)


@pytest.mark.parametrize("name", ["demographic_parity", *(
    f"{base}_{transform}" for base in ("mean_prediction", "mean_squared_error",
    "mean_absolute_error") for transform in TRANSFORMS)])  # fmt: skip
@given(**SHAPES, method=st.sampled_from(METHODS))
@settings(max_examples=15)
def test_gradients_of_group_means(name, seed, n, n_groups, n_classes, rho, temperature, method):
    rng = np.random.default_rng(seed)
    data = random_set(rng, n, n_groups, 0)
    if name == "demographic_parity":
        metric = get_metric(name, "regression", method=method)
    else:
        base, transform = next(
            (function, name[len(function.__name__) + 1 :])
            for function in (mean_prediction, mean_squared_error, mean_absolute_error)
            if name.startswith(function.__name__)
        )
        metric = get_metric(make_derived_metric(metric=base, transform=transform), "regression")
    scores = rng.gamma(2.0, size=(len(data.y), 1))
    check_gradient(metric.surrogate(rho=rho), data, scores, rng)


OPTIONS = {"worst_group_loss": [{}, {"ball": "kl"}, {"ball": "chi2", "radius": 0.5}]}


@pytest.mark.parametrize(
    "task, loss, summary",
    [
        (task, loss, summary)
        for task, losses in LOSSES.items()
        for loss, summary in itertools.product(losses, SUMMARIES)
    ],
)
@given(**SHAPES)
@settings(max_examples=8)
def test_gradients_of_group_losses(
    task, loss, summary, seed, n, n_groups, n_classes, rho, temperature
):
    rng = np.random.default_rng(seed)
    n_classes = n_classes if task == "classification" else 0
    data = random_set(rng, n, n_groups, n_classes)
    if n_classes:
        scores = rng.normal(size=(len(data.y), 1 if n_classes == 2 else n_classes))
    else:
        scores = rng.gamma(2.0, size=(len(data.y), 1)) + 0.1
    for options in OPTIONS.get(summary, [{}]):
        if summary == "nash_welfare" and seed % 2:
            options = {"disagreement": rng.uniform(5.0, 50.0, data.n_groups)}
        if summary == "group_harm":
            options = {"reference": rng.uniform(0.0, 1.0, data.n_groups)}
        metric = get_metric(summary, task, loss=loss, **options)
        check_gradient(metric.surrogate(temperature, rho=rho), data, scores, rng)


@pytest.mark.parametrize("name", ["individual", "covariance", "hsic", "disparate_mistreatment"])
@given(**SHAPES, errors=st.sampled_from(["all", "false_positive", "false_negative"]))
@settings(max_examples=30)
def test_gradients_of_dependence(name, seed, n, n_groups, n_classes, rho, temperature, errors):
    rng = np.random.default_rng(seed)
    options = {}
    if name != "disparate_mistreatment":
        n_classes = n_classes if seed % 3 else 0
    elif n_classes == 2:
        options["errors"] = errors
    data = random_set(rng, n, n_groups, n_classes)
    metric = get_metric(name, "classification" if n_classes else "regression", **options)
    scores = rng.normal(size=(len(data.y), n_classes if n_classes > 2 else 1))
    check_gradient(metric, data, scores, rng)


def exact_and_surrogates(task, n_classes):
    for name in get_metric_names(task):
        metric = get_metric(name, task, **({"reference": 0.2} if name == "group_harm" else {}))
        surrogate = metric.surrogate(1e7)
        if surrogate is not None and surrogate is not metric:
            yield metric, surrogate
    if task == "classification":
        for agg, method in itertools.product(["worst_case", "mean"], METHODS):
            metric = get_metric("equalized_odds", agg=agg, method=method, class_agg=agg)
            yield metric, metric.surrogate(1e7)


@pytest.mark.parametrize("n_classes", [0, 2, 4])
def test_surrogates_become_the_metric(n_classes):
    task = "classification" if n_classes else "regression"
    rng = np.random.default_rng(n_classes)
    data = random_set(rng, 200, 3, n_classes)
    scores = rng.normal(size=(len(data.y), n_classes if n_classes > 2 else 1))
    predicted = scores[:, 0] if not n_classes else (scores[:, 0] > 0).astype(int)
    if n_classes > 2:
        predicted = scores.argmax(axis=1)
    rows = scores if n_classes > 2 else np.column_stack([np.zeros(len(scores)), scores[:, 0]])
    responses = {
        "predict": predicted,
        "predict_proba": softmax(rows, axis=1),
        "decision_function": scores,
    }
    count = 0
    for metric, surrogate in exact_and_surrogates(task, n_classes):
        value, exact = (
            surrogate.value(data, scores),
            metric.value(data, responses[metric.response_method]),
        )
        if metric.name in GRIDDED:  # steps of a grid
            assert value == pytest.approx(exact, abs=0.05)
        else:
            assert value == pytest.approx(exact, abs=1e-6, nan_ok=True)
        softer = metric.surrogate(1e7, rho=200.0).value(data, scores)
        if not np.isnan(value) and metric.name != "nash_welfare[zero_one]":
            assert softer == pytest.approx(value, abs=0.1 * max(1.0, abs(value)))
        assert surrogate.differentiable
        assert surrogate.greater_is_better == metric.greater_is_better
        assert repr(pickle.loads(pickle.dumps(surrogate))) == repr(surrogate)
        count += 1
    assert count >= (1 if task == "regression" else 40)


def test_logsumexp_exceeds_the_maximum_by_its_bound():
    rng = np.random.default_rng(0)
    data = random_set(rng, 200, 4, 2)
    scores = rng.normal(size=(len(data.y), 1))
    metric = get_metric("demographic_parity")
    sharp = metric.surrogate(1.0).value(data, scores)
    for rho in (5.0, 50.0):
        soft = metric.surrogate(1.0, rho=rho).value(data, scores)
        assert sharp <= soft <= sharp + 2 * np.log(4) / rho


def test_smooth_forms_by_name():
    metric = get_metric("demographic_parity", smooth="logsumexp", rho=100.0)
    assert metric.differentiable and not metric.kinked
    proba = np.array([0.2, 0.4, 0.9, 0.7])
    scores = np.log(proba / (1 - proba))
    groups = ["f", "f", "m", "m"]
    value = metric([0, 1, 0, 1], scores, sensitive_features=groups)
    assert value == pytest.approx(0.5 + 2 * np.log1p(np.exp(-50.0)) / 100.0)
    sharp = get_metric("demographic_parity", smooth="maximum", temperature=2.0)
    assert sharp.kinked and sharp.temperature == 2.0
    assert get_metric("individual", smooth="logsumexp").name == "individual"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"smooth": "sigmoid"}, r"smooth must be one of \['maximum', 'logsumexp', None\]"),
        ({"rho": 5.0}, "rho is an option of smooth='logsumexp'"),
        ({"smooth": "maximum", "rho": 5.0}, "rho is an option of smooth='logsumexp'"),
        ({"temperature": 5.0}, "temperature is an option of smooth="),
        ({"smooth": "logsumexp", "rho": -1.0}, "rho must be a positive number or None"),
        ({"smooth": "maximum", "temperature": 0}, "temperature must be a positive number, got 0"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        get_metric("equalized_odds", **options)


def test_a_function_has_no_smooth_form():
    metric = make_fairness_metric(lambda y, p, *, sensitive_features: 0.0)
    assert metric.surrogate() is None
    assert annealed_surrogate(metric, np.arange(5.0)) is None
    with pytest.raises(ValueError, match="has no smooth form: leave smooth=None"):
        get_metric(metric, smooth="maximum")


def people(n_classes=2, n=600, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    X = np.column_stack([rng.normal(size=(n, 2)), group == 2])
    signal = X[:, 0] + X[:, 2] + rng.normal(size=n)
    return X, np.digitize(signal, np.quantile(signal, np.arange(1, n_classes) / n_classes)), group


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "name", ["demographic_parity", "equal_opportunity", "equalized_odds", "accuracy_parity",
             "disparate_mistreatment", "group_loss_variance", "hsic", "individual",
             "demographic_parity_ratio"],
)  # fmt: skip
def test_the_implicit_solver_descends_on_smooth_forms(name, n_classes):
    X, y, group = people(n_classes)
    metric = get_metric(name, smooth="logsumexp", rho=100.0)
    # The fairest of these models may be a constant one, of which the fit warns.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = BADRClassifier(LogisticRegression(), metric, solver="implicit")
        model.fit(X, y, sensitive_features=group)
    assert "gradient" in model.results_["origin"]
    if metric.greater_is_better:
        assert model.metric_value_ >= model.baseline_metric_value_
    else:
        assert model.metric_value_ <= model.baseline_metric_value_
    scores = model.decision_function(X)
    assert metric(y, scores, sensitive_features=group) == pytest.approx(model.metric_value_)


def test_annealing_follows_the_spread_of_the_scores():
    rng = np.random.default_rng(0)
    scores = rng.normal(scale=3.0, size=4000)
    assert score_spread(scores) == pytest.approx(3.0, rel=0.05)
    assert score_spread(scores, rng.random(4000) < 0.5) == pytest.approx(3.0, rel=0.1)
    assert score_spread(np.zeros(5)) == 1.0
    assert score_spread(np.r_[np.zeros(90), np.ones(10)]) > 0
    assert score_spread(np.column_stack([0 * scores, scores])) == pytest.approx(3.0, rel=0.05)
    metric = get_metric("equalized_odds")
    for factor in (1.0, 100.0):
        first, second = (annealed_surrogate(metric, factor * scores, step) for step in (0, 1))
        assert first.temperature == pytest.approx(4.0 / (3.0 * factor), rel=0.05)
        assert second.temperature == 2 * first.temperature
    smooth = get_metric("individual")
    assert annealed_surrogate(smooth, scores) is smooth


def test_annealing_ends_near_the_metric():
    X, y, group = people()
    scores = LogisticRegression().fit(X, y).decision_function(X)
    data = EvaluationSet(y, Groups(group, [0, 1, 2], ("g",)), np.arange(2))
    for name in ("demographic_parity", "equalized_odds", "accuracy_parity"):
        metric = get_metric(name)
        exact = metric.value(data, (scores > 0).astype(int))
        errors = [
            abs(annealed_surrogate(metric, scores, k).value(data, scores) - exact) for k in range(6)
        ]
        assert errors[-1] < 0.01 and errors[-1] < errors[0]


class MeanScoreGap(FairnessMetric):
    """A metric of one's own, with a surrogate."""

    def __init__(self):
        super().__init__("positive_rate_spread", tasks=("classification",))

    def value(self, evaluation_set, response):
        return np.std(evaluation_set.group_means(response == 1.0))

    def surrogate(self, temperature=1.0, *, rho=None):
        return get_metric("covariance")


def test_a_surrogate_of_ones_own():
    found = annealed_surrogate(MeanScoreGap(), np.arange(4.0))
    assert found.name == "covariance"
