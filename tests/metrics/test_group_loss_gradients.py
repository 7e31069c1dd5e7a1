"""Summaries of groups' losses: values by their definition, gradients against differences."""

from types import SimpleNamespace

import numpy as np
import pytest

from skbadr.metrics import EvaluationSet
from skbadr.metrics.group_losses import _nash, _ratio
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
