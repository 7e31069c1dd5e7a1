"""Summaries of groups' losses: values by their definition, gradients against differences."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logsumexp

from skbadr.metrics import EvaluationSet, GroupLossMetric
from skbadr.metrics.losses.group_losses import _harm, _nash, _ratio, _room
from skbadr.metrics.scores.predictions import KolmogorovSmirnovMetric
from skbadr.partition import make_groups

LOSSES = np.array([0.2, 0.5, 0.9])
NO_AGREEMENT = np.array([1.0, 0.8, 1.5])


def differences(function, at, step=1e-6):
    return [(function(at + step * e) - function(at - step * e)) / (2 * step) for e in np.eye(3)]


@pytest.mark.parametrize("rho", [None, 20.0])
def test_ratio(rho):
    metric = SimpleNamespace(rho=rho)

    def value(losses):
        return _ratio(metric, losses, None, None)[0]

    assert value(LOSSES) == pytest.approx(4.5, rel=1e-9 if rho is None else 0.1)
    gradient = _ratio(metric, LOSSES, None, None)[1]
    np.testing.assert_allclose(gradient, differences(value, LOSSES), rtol=1e-5, atol=1e-6)
    if rho is not None:
        near = np.array([0.5, 0.52, 0.55])
        logs = rho * np.log(near)
        expected = np.exp((logsumexp(logs) + logsumexp(-logs)) / rho)
        assert value(near) == pytest.approx(expected)
    assert np.isinf(value(np.array([0.0, 0.1, 0.2])))
    assert np.isnan(value(np.zeros(3)))


def test_nash_welfare():
    metric = SimpleNamespace(disagreement_losses=lambda data: NO_AGREEMENT)
    data = SimpleNamespace(present=np.ones(3, dtype=bool))

    def value(losses):
        return _nash(metric, losses, None, data)[0]

    assert value(LOSSES) == pytest.approx(-np.log(0.8 * 0.3 * 0.6))
    gradient = _nash(metric, LOSSES, None, data)[1]
    np.testing.assert_allclose(gradient, differences(value, LOSSES), rtol=1e-6)
    # One group gains nothing: the way to an agreement lowers its loss alone.
    worse, way = _nash(metric, np.array([0.2, 0.8, 0.9]), None, data)
    assert np.isinf(worse)
    assert way.tolist() == [0.0, 1.0, 0.0]


def test_rows_of_groups():
    groups = make_groups(["a", "b", "b", "a"])
    y = np.array([0, 1, 0, 1])
    plain = EvaluationSet(y, groups, classes=np.array([0, 1]))
    assert plain.rows_by_group.tolist() == [2, 2]
    assert plain.without_rows().group_totals.tolist() == [2.0, 2.0]
    weighted = EvaluationSet(
        y, groups, classes=np.array([0, 1]), sample_weight=np.array([0.0, 0.5, 2.0, 3.0])
    )
    assert weighted.rows_by_group.tolist() == [1, 2]
    sent = weighted.without_rows()
    assert len(sent.y) == 0
    assert sent.group_totals.tolist() == [3.0, 2.5]
    np.testing.assert_array_equal(sent.class_totals, weighted.class_totals)


def test_harm():
    reference = np.array([0.3, 0.4, 1.0])
    data = SimpleNamespace(present=np.array([True, True, False, True]))

    def harm(losses, rho=None, reference=reference):
        full = np.insert(reference, 2, 9.0)  # of a group that is absent
        return _harm(SimpleNamespace(rho=rho, reference_losses=lambda d: full), losses, None, data)

    value, gradient = harm(LOSSES)
    assert value == pytest.approx(0.1)  # the second group's
    assert gradient.tolist() == [0.0, 1.0, 0.0]
    soft, gradient = harm(LOSSES, rho=20.0)
    assert 0.1 < soft <= 0.1 + np.log(3) / 20.0
    found = differences(lambda losses: harm(losses, 20.0)[0], LOSSES)
    np.testing.assert_allclose(gradient, found, atol=1e-6)
    # What sums differ by in their last digit harms nobody.
    assert harm(LOSSES * (1 + 1e-15), reference=LOSSES)[0] == 0.0
    assert harm(LOSSES * (1 + 1e-9), reference=LOSSES)[0] > 0.0


def test_room_of_no_loss_at_all_and_of_any_loss():
    room = _room(np.array([0.0, np.inf, 2.0, 2.0]), np.array([0.0, 3.0, 2.0 + 1e-15, 1.5]))
    assert room.tolist() == [0.0, np.inf, 0.0, 0.5]


Y, PREDICTED, GROUPS = [1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 4.0, 6.0], ["a", "a", "b", "b"]


def loss_metric(summary, **options):
    return GroupLossMetric(summary, loss="absolute_error", **options)


def test_harm_of_given_losses():
    for reference, expected in ((1.0, 0.5), ([0.0, 2.0], 0.25), ([0.5, 2.0], -0.25)):
        metric = loss_metric("group_harm", reference=reference)
        assert metric.references == ()
        assert metric(Y, PREDICTED, sensitive_features=GROUPS) == pytest.approx(expected)
    assert [loss.name for loss in loss_metric("group_harm").references] == ["absolute_error"]


@pytest.mark.parametrize(
    ("summary", "options"),
    [("nash_welfare", {"disagreement": [9.0] * 3}), ("group_harm", {"reference": [[9.0, 9.0]]})],
)
def test_a_number_for_each_group(summary, options):
    (name,) = options
    with pytest.raises(ValueError, match=rf"{name} must be a number or one per group, .* \(2,\)"):
        loss_metric(summary, **options)(Y, PREDICTED, sensitive_features=GROUPS)


@pytest.mark.parametrize("radius", [-0.1, True, "0.1", np.nan])
def test_a_radius_is_a_number_that_is_not_negative(radius):
    with pytest.raises(ValueError, match="radius must be a number >= 0"):
        loss_metric("worst_group_loss", ball="kl", radius=radius)


def test_a_ball_without_a_radius_is_the_mean():
    metric = loss_metric("worst_group_loss", ball="chi2", radius=0.0)
    assert metric(Y, PREDICTED, sensitive_features=GROUPS) == pytest.approx(3.5 / 4)
    wide = loss_metric("worst_group_loss", ball="chi2", radius=100.0)
    assert wide(Y, PREDICTED, sensitive_features=GROUPS) == pytest.approx(1.5)


def test_what_is_known_of_a_metric():
    """Kinks need other steps; what does not add up over rows needs all of them at once."""
    assert loss_metric("worst_group_loss").kinked
    assert loss_metric("group_loss_variance", rho=5.0).kinked  # the absolute error itself is
    for options in ({"rho": 5.0}, {"ball": "kl"}):
        metric = GroupLossMetric("worst_group_loss", loss="squared_error", **options)
        assert metric.kinked is False
    assert GroupLossMetric("worst_group_loss", loss="squared_error").kinked
    assert not GroupLossMetric("mean_loss", loss="squared_error").kinked
    assert loss_metric("worst_group_loss").surrogate(rho=5.0).rho == 5.0
    assert loss_metric("worst_group_loss", ball="kl").surrogate(rho=5.0).rho is None  # is smooth
    assert loss_metric("group_loss_gap").differentiable
    assert not GroupLossMetric("group_loss_gap", loss="zero_one").differentiable
    assert loss_metric("worst_group_loss").additive
    assert not loss_metric("nash_welfare").additive
    assert loss_metric("nash_welfare", disagreement=9.0).additive
    assert GroupLossMetric("nash_welfare", loss="log_loss").additive
    assert not loss_metric("group_harm").additive
    assert loss_metric("group_harm", reference=1.0).additive


def test_losses_that_make_a_metric_undefined_are_named():
    data = EvaluationSet(np.array(Y), make_groups(GROUPS))
    ratio, same = loss_metric("group_loss_ratio"), np.array(Y)
    assert ratio.undefined_value(data, np.array(PREDICTED)) == []
    (sentence,) = ratio.undefined_value(data, np.array([1.0, 2.0, 3.1, 4.0]))
    assert "group 'a' has no loss, so that the ratio to it is infinite" in sentence
    (sentence,) = ratio.undefined_value(data, same)
    assert "group 'a', 'b' has no loss, so that the ratio to it is undefined (NaN)" in sentence
    assert loss_metric("group_loss_gap").undefined_value(data, same) == []
    welfare = loss_metric("nash_welfare", disagreement=[0.25, 2.0])
    (sentence,) = welfare.undefined_value(data, np.array(PREDICTED))
    assert "group 'a' is no better off than without an agreement" in sentence
    assert welfare.value(data, np.array(PREDICTED)) == np.inf


def test_metrics_of_one_loss_share_what_they_are_computed_from():
    data, predicted = EvaluationSet(np.array(Y), make_groups(GROUPS)), np.array(PREDICTED)
    gap, worst = loss_metric("group_loss_gap"), loss_metric("worst_group_loss")
    other = GroupLossMetric("worst_group_loss", loss="squared_error")
    assert gap.statistics_key == worst.statistics_key != other.statistics_key
    statistics = gap.statistics(data, predicted)
    assert worst.from_statistics(data, statistics) == worst.value(data, predicted) == 1.5


def test_weighted_shares_of_errors_are_free_of_rounding():
    """0.1 + 0.2 is 0.3, so that a bound of 0.3 is met."""
    weight = np.array([0.1, 0.2, 0.7, 1.0])
    data = EvaluationSet(np.zeros(4, int), make_groups(["a", "a", "a", "b"]), np.arange(2), weight)
    worst = GroupLossMetric("worst_group_loss", loss="zero_one")
    assert worst.value(data, np.array([1, 1, 0, 0])) == 0.3
    assert data.confusion(np.array([1, 1, 0, 0]))[0, 0, 1] == 0.3
    distance = KolmogorovSmirnovMetric()
    data = EvaluationSet(np.zeros(4), data.groups, None, weight)
    assert distance.value(data, np.array([1.0, 1.0, 0.0, 0.0])) == 0.3
