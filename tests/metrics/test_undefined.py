"""What metrics do where they are not defined: the table of doc/user_guide/metrics.md."""

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import RateMetric, get_metric

GROUPS = ["f", "f", "m", "m"]


def named(match):
    return pytest.warns(UndefinedMetricWarning, match=match)


@pytest.mark.parametrize("rate", ["precision", "f1"])
def test_a_rate_among_no_predictions_counts_as_zero(rate):
    metric = RateMetric(rate)
    y = [0, 0, 0, 1]
    with named(f"group 'f' has no prediction of class 1; its {rate} is undefined and counts as 0"):
        assert metric(y, [0, 0, 0, 1], sensitive_features=GROUPS) == 1.0


def test_a_ratio_of_rates_that_are_zero():
    with named(r"no group \('f', 'm'\) has a selection_rate of class 1 above 0; .* \(NaN\)"):
        value = get_metric("demographic_parity_ratio")(
            [0, 1, 0, 1], [0, 0, 0, 0], sensitive_features=GROUPS
        )
    assert np.isnan(value)
    with named("no group .* has a zero_one_loss above 0"):
        RateMetric("zero_one_loss", transform="ratio")(
            [0, 1, 0, 1], [0, 1, 0, 1], sensitive_features=GROUPS
        )


def test_a_ratio_of_means_that_are_not_positive():
    metric = get_metric("demographic_parity_ratio", "regression")
    with named("group 'f' has the mean -1; ratios of means that are not positive mean nothing"):
        value = metric([0.0, 1.0, 2.0, 3.0], [-1.5, -0.5, 1.0, 3.0], sensitive_features=GROUPS)
    assert value == -0.5
    soft = metric.surrogate(rho=5.0)
    with named("group 'f' has the mean -1"):
        value = soft([0.0, 1.0, 2.0, 3.0], [-1.5, -0.5, 1.0, 3.0], sensitive_features=GROUPS)
    assert np.isnan(value)


def test_one_group_alone():
    y, scores, groups = [0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], ["f"] * 4
    with named("individual: all samples are of group 'f', so that there are no pairs"):
        assert np.isnan(get_metric("individual")(y, scores, sensitive_features=groups))
    predicted = [0, 1, 1, 1]
    for name, value in (("demographic_parity", 0.0), ("demographic_parity_ratio", 1.0)):
        assert get_metric(name)(y, predicted, sensitive_features=groups) == value


def test_smooth_forms_follow_the_metric():
    # A group without positives, in difference, ratio and gradient.
    y, scores = [0, 0, 0, 1], [-1.0, 2.0, 0.5, 1.5]
    for smooth in ("maximum", "logsumexp"):
        with named("equal_opportunity: group 'f' has no sample of class 1; .* counts as 0"):
            value = get_metric("equal_opportunity", smooth=smooth, rho=None)(
                y, scores, sensitive_features=GROUPS
            )
        assert value == pytest.approx(1 / (1 + np.exp(-1.5)), abs=0.03)
        with named("counts as 0"):
            ratio = get_metric("equal_opportunity_ratio", smooth=smooth)(
                y, scores, sensitive_features=GROUPS
            )
        assert ratio == pytest.approx(0.0, abs=1e-9)


def people(n=120):
    rng = np.random.default_rng(0)
    group = np.where(np.arange(n) % 3 == 0, "f", "m")
    X = np.column_stack([rng.normal(size=(n, 2)), group == "m"])
    return X, (X[:, 0] + X[:, 2] + rng.normal(size=n) > 0.5).astype(int), group


@pytest.mark.parametrize("smooth", [None, "logsumexp"])
def test_a_fit_names_a_group_without_positives_once(smooth):
    X, y, group = people()
    y[group == "f"] = 0
    metric = get_metric("equal_opportunity", smooth=smooth)
    with pytest.warns(UndefinedMetricWarning) as caught:
        BADRClassifier(LogisticRegression(), metric, bound=0.5, max_iter=5).fit(
            X, y, sensitive_features=group
        )
    undefined = [w for w in caught if w.category is UndefinedMetricWarning]
    assert len(undefined) == 1
    assert "group 'f' has no sample of class 1" in str(undefined[0].message)


def test_a_constant_model_is_named_at_the_end():
    X, y, group = people()
    metric = get_metric("demographic_parity", smooth="logsumexp", rho=100.0)
    model = BADRClassifier(metric=metric, partition="group_target")
    with pytest.warns(UserWarning, match="predicts a single value for every sample"):
        model.fit(X, y, sensitive_features=group)
    assert len(set(model.predict(X))) == 1


def test_a_deviance_of_a_prediction_that_is_not_positive():
    rng = np.random.default_rng(0)
    X, group = rng.normal(size=(60, 1)), np.arange(60) % 2
    y = np.maximum(0.0, X[:, 0] + 0.1 * rng.normal(size=60))
    metric = get_metric("worst_group_loss", "regression", loss="poisson_deviance")
    model = BADRRegressor(metric=metric, max_iter=4).fit(X, y, sensitive_features=group)
    assert model.metric_value_ == np.inf == model.baseline_metric_value_
