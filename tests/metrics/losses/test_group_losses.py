"""Losses, their summaries over groups, and balls around the groups' shares."""

import pickle

import numpy as np
import pytest
import sklearn.metrics as skm
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.base import clone
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

from skbadr import BADRClassifier, BADRRegressor
from skbadr._rows import STEP_ROWS
from skbadr.losses import LOSSES, get_loss, soft_zero_one
from skbadr.metrics import EvaluationSet, GroupLossMetric, get_metric
from skbadr.metrics.losses.ambiguity import worst_expectation
from skbadr.metrics.losses.group_losses import SUMMARIES
from skbadr.metrics.losses.own_loss import own_loss
from skbadr.partition import make_groups


def positive(seed=0, n=200):
    rng = np.random.default_rng(seed)
    return rng.gamma(2.0, size=n), rng.gamma(2.0, size=n), rng.uniform(0.1, 2.0, n)


@pytest.mark.parametrize(
    "name, options, reference",
    [
        ("squared_error", {}, skm.mean_squared_error),
        ("absolute_error", {}, skm.mean_absolute_error),
        ("poisson_deviance", {}, skm.mean_poisson_deviance),
        ("gamma_deviance", {}, skm.mean_gamma_deviance),
        *(
            ("tweedie_deviance", {"power": p}, lambda y, z, sample_weight, p=p:
             skm.mean_tweedie_deviance(y, z, power=p, sample_weight=sample_weight))
            for p in (0, 1, 1.3, 2, 3)
        ),
    ],
)  # fmt: skip
def test_losses_of_predictions_are_those_of_scikit_learn(name, options, reference):
    y, predicted, weight = positive()
    loss = get_loss(name, **options)
    value = np.average(loss.function(y, predicted), weights=weight)
    assert value == pytest.approx(reference(y, predicted, sample_weight=weight))


def test_losses_of_scores_are_those_that_are_trained_on():
    rng = np.random.default_rng(0)
    y, scores = rng.integers(0, 2, 50), rng.normal(size=50)
    sign = 2 * y - 1
    for name, expected in [
        ("squared_hinge", np.maximum(0, 1 - sign * scores) ** 2),
        ("least_squares", (scores - sign) ** 2),
    ]:
        np.testing.assert_allclose(get_loss(name).function(y, scores), expected)
    many, three = rng.integers(0, 3, 50), rng.normal(size=(50, 3))
    sign = 2 * np.eye(3)[many] - 1
    expected = (np.maximum(0, 1 - sign * three) ** 2).sum(axis=1)
    np.testing.assert_allclose(get_loss("squared_hinge").function(many, three), expected)
    soft = soft_zero_one(2.0).function(many, three)
    np.testing.assert_allclose(soft, 1 - softmax(2 * three, axis=1)[np.arange(50), many])


def test_huber_and_epsilon_insensitive():
    y, r = np.zeros(4), np.array([0.5, -1.0, 3.0, -4.0])
    expected = [0.125, 0.5, 2 * 3.0 - 2, 2 * 4.0 - 2]
    np.testing.assert_allclose(get_loss("huber", delta=2.0).function(y, r), expected)
    loss = get_loss("squared_epsilon_insensitive", epsilon=1.0)
    np.testing.assert_allclose(loss.function(y, r), [0, 0, 4, 9])


@pytest.mark.parametrize(
    "name, options, error, message",
    [
        ("hinge", {}, ValueError, "loss must be one of .*'squared_hinge'.* got 'hinge'"),
        ("huber", {"delta": 0}, ValueError, "delta must be a positive number"),
        ("tweedie_deviance", {"power": 0.5}, ValueError, "power must be 0 or at least 1"),
        ("squared_epsilon_insensitive", {"epsilon": -1}, ValueError, "epsilon must be a number"),
        ("log_loss", {"delta": 1}, TypeError, r"no such options: \['delta'\]"),
    ],
)
def test_losses_that_are_refused(name, options, error, message):
    with pytest.raises(error, match=message):
        get_loss(name, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"summary": "worst", "loss": "log_loss"}, "summary must be one of"),
        ({"summary": "group_loss_gap", "ball": "kl"}, "ball is an option of 'worst_group_loss'"),
        ({"summary": "worst_group_loss", "ball": "l2"}, "ball must be one of"),
        ({"summary": "worst_group_loss", "ball": "kl", "rho": 2.0}, "ball and rho both soften"),
        ({"summary": "worst_group_loss", "ball": "kl", "radius": -1}, "radius must be a number"),
        ({"summary": "mean_loss", "disagreement": 1.0}, "disagreement is an option of 'nash_"),
    ],
)
def test_group_losses_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GroupLossMetric(**options)


def test_a_deviance_of_targets_outside_its_domain_is_refused_before_any_fit():
    X = np.arange(8.0)[:, None]
    y, group = np.array([0.0, 1, 2, 3, 0, 1, 2, -1]), [0, 0, 0, 0, 1, 1, 1, 1]
    for loss, sign in (("poisson_deviance", ">= 0, but y has -1"), ("gamma_deviance", "> 0")):
        model = BADRRegressor(metric=get_metric("worst_group_loss", "regression", loss=loss))
        with pytest.raises(ValueError, match=f"loss='{loss}' needs targets {sign}"):
            model.fit(X, y, sensitive_features=group)


def test_a_prediction_outside_the_domain_is_infinitely_bad():
    metric = get_metric("worst_group_loss", "regression", loss="poisson_deviance")
    assert metric([1.0, 2.0], [1.0, -1.0], sensitive_features=["f", "m"]) == np.inf


def losses_and_shares(seed, n_groups):
    rng = np.random.default_rng(seed)
    losses = rng.normal(size=n_groups) * 10.0 ** rng.integers(-3, 4)
    if seed % 3 == 0:
        losses = losses.round(1)  # ties
    shares = rng.dirichlet(np.full(n_groups, 0.5)) + 1e-4
    return losses, shares / shares.sum()


def divergence(q, p, ball):
    if ball == "chi2":
        return ((q - p) ** 2 / p).sum()
    return (q * np.log(np.where(q > 0, q, 1.0) / p)).sum()


@pytest.mark.parametrize("ball", ["kl", "chi2"])
@given(st.integers(0, 10**6), st.integers(1, 7), st.floats(-4.0, 1.5))
def test_worst_expectation_is_the_maximum_over_the_ball(ball, seed, n_groups, log_radius):
    losses, shares = losses_and_shares(seed, n_groups)
    radius = 10.0**log_radius
    value, q = worst_expectation(losses, shares, ball, radius)
    scale = np.abs(losses).max()
    assert value == pytest.approx(q @ losses)
    assert q.min() >= 0 and q.sum() == pytest.approx(1.0)
    assert divergence(q, shares, ball) <= radius * (1 + 1e-8) + 1e-10
    rng = np.random.default_rng(seed)
    for other in rng.dirichlet(np.full(n_groups, 0.3), 20):
        inside = next(
            shares + t * (other - shares)
            for t in (1.0, 0.5, 0.2, 0.1, 0.01, 0.0)
            if divergence(shares + t * (other - shares), shares, ball) <= radius
        )
        assert inside @ losses <= value + 1e-9 * scale
    for r in (0.0, 1e9):
        expected = shares @ losses if r == 0 else losses.max()
        assert worst_expectation(losses, shares, ball, r)[0] == pytest.approx(expected)


# SLSQP of older SciPy steps out of its bounds, and says so.
@pytest.mark.filterwarnings("ignore:Values in x were outside bounds:RuntimeWarning")
@pytest.mark.parametrize("ball", ["kl", "chi2"])
@pytest.mark.parametrize("seed", range(6))
def test_worst_expectation_equals_a_general_solver(ball, seed):
    losses, shares = np.random.default_rng(seed).normal(size=4), np.array([0.4, 0.3, 0.2, 0.1])
    value, _ = worst_expectation(losses, shares, ball, 0.1)
    found = minimize(
        lambda q: -(q @ losses), shares, method="SLSQP", bounds=[(1e-12, 1)] * 4,
        constraints=[
            {"type": "eq", "fun": lambda q: q.sum() - 1},
            {"type": "ineq", "fun": lambda q: 0.1 - divergence(q, shares, ball)},
        ],
        options={"ftol": 1e-12},
    )  # fmt: skip
    assert value == pytest.approx(-found.fun, abs=1e-5)


def test_chi_square_ball_is_mean_plus_deviation():
    losses, shares = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.3, 0.2])
    mean = shares @ losses
    deviation = np.sqrt(shares @ (losses - mean) ** 2)
    value, _ = worst_expectation(losses, shares, "chi2", 0.04)
    assert value == pytest.approx(mean + 0.2 * deviation)


def test_nash_welfare():
    y = np.array([0.0, 2.0, 0.0, 4.0])
    options = {"sensitive_features": ["f", "f", "m", "m"]}
    metric = get_metric("nash_welfare", "regression", disagreement=[4.0, 16.0])
    # F = (1, 4), the example of the bargaining problem with value log 36.
    value = metric(y, y + [1.0, 1.0, 2.0, 2.0], **options)
    assert value == pytest.approx(-np.log(36.0))
    # Without a disagreement point: losses 1.25 and 4.25 of the mean target 1.5.
    value = get_metric("nash_welfare", "regression")(y, y + 0.5, **options)
    assert value == pytest.approx(-np.log(1.25 - 0.25) - np.log(4.25 - 0.25))
    with pytest.warns(UndefinedMetricWarning, match="group 'f' is no better off than without"):
        assert (
            get_metric("nash_welfare", "regression")(y, y + [1.2, 1.2, 0, 0], **options) == np.inf
        )
    with pytest.raises(ValueError, match=r"one per group, of shape \(2,\), got shape \(3,\)"):
        get_metric("nash_welfare", "regression", disagreement=[1.0, 2.0, 3.0])(y, y, **options)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_disagreement_point(name):
    loss = get_loss(name)
    rng = np.random.default_rng(0)
    classes = np.arange(3) if loss.task == "classification" else None
    y = rng.integers(0, 3, 60) if loss.task == "classification" else rng.gamma(2.0, size=60)
    data = EvaluationSet(y, make_groups(rng.integers(0, 2, 60)), classes)
    metric = get_metric("nash_welfare", loss.task, loss=name)
    losses = metric.disagreement_losses(data)
    assert losses.shape == (2,) and (losses > 0).all() and np.isfinite(losses).all()
    assert metric.disagreement_losses(data) is losses
    assert repr(pickle.loads(pickle.dumps(metric))) == repr(metric)


def test_mean_loss_weighs_groups_by_their_shares():
    y, predicted, weight = positive()
    group = np.arange(len(y)) % 3 == 0
    value = get_metric("mean_loss", "regression")(
        y, predicted, sensitive_features=group, sample_weight=weight
    )
    assert value == pytest.approx(np.average((y - predicted) ** 2, weights=weight))


OWN = [
    (LogisticRegression(), "log_loss"),
    (make_pipeline(StandardScaler(), LogisticRegression()), "log_loss"),
    (LinearSVC(), "squared_hinge"),
    (RidgeClassifier(), "least_squares"),
    (SGDClassifier("log_loss"), "log_loss"),
    (SGDClassifier("squared_hinge"), "squared_hinge"),
    (SGDClassifier("hinge"), "zero_one"),
    (Perceptron(), "zero_one"),
    (GaussianNB(), "log_loss"),
    (RandomForestClassifier(), "log_loss"),
    (HistGradientBoostingClassifier(), "log_loss"),
    (Ridge(), "squared_error"),
    (LinearRegression(), "squared_error"),
    (LinearSVR(loss="squared_epsilon_insensitive"), "squared_epsilon_insensitive"),
    (HuberRegressor(), "huber"),
    (PoissonRegressor(), "poisson_deviance"),
    (GammaRegressor(), "gamma_deviance"),
    (TweedieRegressor(power=1.5), "tweedie_deviance"),
    (GradientBoostingRegressor(loss="absolute_error"), "absolute_error"),
    (HistGradientBoostingRegressor(loss="poisson"), "poisson_deviance"),
    (RandomForestRegressor(criterion="absolute_error"), "absolute_error"),
]


@pytest.mark.parametrize("estimator, expected", OWN, ids=lambda value: str(value)[:40])
def test_own_loss(estimator, expected):
    task = LOSSES[expected][2]
    y = np.array([0, 1, 0, 1]) if task == "classification" else np.array([1.0, 2.0, 3.0, 5.0])
    assert own_loss(estimator, y, task).name == expected


def test_a_loss_that_is_not_known_is_not_silently_the_zero_one_loss():
    X, group = np.random.default_rng(0).normal(size=(120, 2)), np.arange(120) % 2
    y = (X[:, 0] > 0.3 * group).astype(int)
    model = BADRClassifier(Perceptron(random_state=0), "worst_group_loss", max_iter=3)
    with pytest.warns(UserWarning, match="Perceptron trains on is not known.* zero-one loss"):
        model.fit(X, y, sensitive_features=group)
    assert model.metric_name_ == "worst_group_loss[zero_one]"
    known = clone(model).set_params(metric="worst_group_error").fit(X, y, sensitive_features=group)
    assert known.baseline_metric_value_ == model.baseline_metric_value_


def test_own_loss_is_filled_in_by_the_fit():
    X = np.random.default_rng(0).normal(size=(120, 2))
    group = np.arange(120) % 3
    y = np.exp(0.5 * X[:, 0]) + 0.1 * group
    model = BADRRegressor(PoissonRegressor(), "forml").fit(X, y, sensitive_features=group)
    by_group = [
        skm.mean_poisson_deviance(y[group == g], model.predict(X)[group == g]) for g in range(3)
    ]
    assert model.metric_value_ == pytest.approx(np.ptp(by_group))
    assert "gradient" in model.results_["origin"]
    assert model.metric_value_ < model.baseline_metric_value_
    labels = (y > np.median(y)).astype(int)
    model = BADRClassifier(LinearSVC(), "meta_gdro", solver="alternating", max_iter=4)
    model.fit(X, labels, sensitive_features=group)
    slack = np.maximum(0, 1 - (2 * labels - 1) * model.decision_function(X)) ** 2
    worst = max(slack[group == g].mean() for g in range(3))
    assert model.metric_value_ == pytest.approx(worst)


@pytest.mark.parametrize("name", [*SUMMARIES, "ltr", "forml", "meta_gdro"])
def test_without_an_estimator_no_loss_stands_in_for_that_of_a_classifier(name):
    y, group = np.array([0, 1, 0, 1]), ["a", "a", "b", "b"]
    metric = get_metric(name)
    assert metric.name == f"{name}[own]" and metric.loss == "own"
    for predicted in (y, [0.2, 0.9, 0.4, 0.6]):
        with pytest.raises(
            ValueError, match=r"give loss='log_loss' .* worst_group_error or zero_o"
        ):
            metric(y, predicted, sensitive_features=group)


def test_without_an_estimator_the_loss_of_real_targets_is_the_squared_error():
    y, predicted, group = [1.0, 2.5, 3.0, 5.0], [1.5, 2.5, 3.5, 4.0], ["a", "a", "b", "b"]
    value = get_metric("forml", "regression")(y, predicted, sensitive_features=group)
    assert value == (0.25 + 1.0) / 2 - 0.25 / 2


def test_the_own_loss_has_no_options_and_is_the_default():
    assert get_metric("group_loss_gap", loss="own").own
    with pytest.raises(TypeError, match="loss='own' takes no options"):
        get_metric("group_loss_gap", loss="own", delta=1.0)


@pytest.mark.parametrize("metric", ["ltr", "forml", "meta_gdro", "nash_welfare"])
def test_goals_of_meta_learning_are_met(metric):
    rng = np.random.default_rng(1)
    group = rng.integers(0, 3, 400)
    X = np.column_stack([rng.normal(size=(400, 2)), group == 2])
    y = (X[:, 0] * (1 - group) + X[:, 2] + rng.normal(size=400) > 0).astype(int)
    model = BADRClassifier(metric=get_metric(metric, loss="own"), cv=0.3, random_state=3)
    model.fit(X, y, sensitive_features=group)
    assert model.metric_value_ <= model.baseline_metric_value_
    assert model.evaluated_on_ == "held-out data"


@pytest.mark.parametrize("rho", [None, 10.0])
@pytest.mark.parametrize("summary", ["worst_group_loss", "group_loss_variance", "group_loss_gap"])
def test_many_statistics_at_once_are_one_after_the_other(summary, rho):
    rng = np.random.default_rng(0)
    groups = make_groups(np.arange(60) % 3)
    weight = np.where(np.arange(60) % 3 == 1, 0.0, 1.0)  # a group that counts for nothing
    data = EvaluationSet(rng.normal(size=60), groups, None, weight)
    metric = GroupLossMetric(summary, task="regression", rho=rho)
    statistics = rng.gamma(2.0, size=(20, 3))
    expected = [metric.from_statistics(data, row) for row in statistics]
    np.testing.assert_allclose(metric.from_many_statistics(data, statistics), expected, rtol=1e-14)


WELFARE = get_metric("nash_welfare", loss="zero_one")


def test_a_group_without_weight_bargains_for_nothing():
    rng = np.random.default_rng(0)
    y, predicted, group = rng.integers(0, 2, 60), np.zeros(60, int), np.repeat(["a", "b", "c"], 20)
    y[:40], predicted[:40] = np.tile([0, 1], 20), np.tile([0, 1], 20)
    weight = np.where(group == "c", 0.0, 1.0)
    # Warnings are errors: none of the groups that count is without an agreement.
    value = WELFARE(y, predicted, sensitive_features=group, sample_weight=weight)
    seen = weight > 0
    expected = WELFARE(y[seen], predicted[seen], sensitive_features=group[seen])
    assert value == pytest.approx(expected)
    endless = get_metric("nash_welfare", loss="zero_one", disagreement=np.inf)
    assert endless(y, predicted, sensitive_features=group) == -np.inf


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "metric",
    [get_metric("individual"), get_metric("group_loss_variance", loss="log_loss")],
    ids=str,
)
def test_gradients_of_more_rows_than_a_step(metric, weighted):
    rng = np.random.default_rng(0)
    n = 2 * STEP_ROWS + 5
    weight = rng.integers(0, 3, n).astype(float) if weighted else None
    y, scores = rng.integers(0, 2, n), rng.normal(size=(n, 1))
    data = EvaluationSet(y, make_groups(rng.integers(0, 3, n)), np.arange(2), weight)
    _, gradient = metric.value_and_gradient(data, scores)
    for rows in (slice(0, STEP_ROWS), slice(STEP_ROWS, 2 * STEP_ROWS), slice(2 * STEP_ROWS, n)):
        direction = np.zeros((n, 1))
        direction[rows] = 1e-4 * (1 + y[rows, None])
        up, down = (
            metric.value_and_gradient(data, scores + sign * direction)[0] for sign in (1.0, -1.0)
        )
        slope = float((gradient * direction).sum())
        assert slope == pytest.approx((up - down) / 2, rel=1e-4, abs=1e-10)
