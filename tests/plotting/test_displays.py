"""Displays: what is drawn, where, and what is said without matplotlib."""

import sys

import numpy as np
import pytest
from data import make_people, make_wages
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr import (
    BADRClassifier,
    BADRRegressor,
    ConvergenceDisplay,
    GroupLossesDisplay,
    ParetoFrontDisplay,
    pareto_path,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def path():
    X, y, group = make_people(400)
    return pareto_path(LogisticRegression(), X, y, sensitive_features=group, n_points=5)


@pytest.fixture(scope="module")
def fitted():
    X, y, group = make_people(400)
    model = BADRClassifier(LogisticRegression(), partition="group_target", bound=0.1)
    return model.fit(X, y, sensitive_features=group)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_front_is_drawn_onto_given_axes_with_peers(path):
    figure, ax = plt.subplots()
    display = ParetoFrontDisplay.from_path(path, ax=ax, name="ours", color="red")
    assert display.ax_ is ax and display.figure_ is figure
    optimal = path.pareto_optimal
    drawn = display.line_.get_xydata()
    expected = np.column_stack([1 - path.scores, path.metric])[optimal]
    np.testing.assert_allclose(drawn[np.argsort(drawn[:, 0])], expected[np.argsort(expected[:, 0])])
    assert display.line_.get_color() == "red"
    assert display.add_points([0.5, 0.6], [0.2, 0.3], label="peer") is display
    np.testing.assert_allclose(display.points_["peer"].get_offsets(), [[0.5, 0.2], [0.4, 0.3]])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"ours", "baseline estimator", "visited", "peer"} <= set(labels)
    # What was added is in view.
    assert ax.get_xlim()[0] <= 0.4 and ax.get_xlim()[1] >= 0.5
    figure.canvas.draw()


def test_two_fronts_on_the_same_axes_are_both_in_view(path):
    X, y, group = make_people(400)
    other = pareto_path(
        LogisticRegression(), X, y, sensitive_features=group, partition="group", n_points=3
    )
    _, ax = plt.subplots()
    for front, name in ((path, "cells"), (other, "groups")):
        ParetoFrontDisplay.from_path(front, ax=ax, name=name)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for front in (path, other):
        error = 1 - front.scores[front.pareto_optimal]
        value = front.metric[front.pareto_optimal]
        assert ((left <= error) & (error <= right)).all()
        assert ((bottom <= value) & (value <= top)).all()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == len(set(labels)) and {"cells", "groups"} <= set(labels)


def test_front_of_a_fitted_estimator_shows_the_chosen_model(fitted):
    display = ParetoFrontDisplay.from_estimator(fitted)
    chosen = display.points_["chosen"].get_offsets()[0]
    np.testing.assert_allclose(chosen, [1 - fitted.scoring_value_, fitted.metric_value_])
    assert display.ax_.get_ylabel().startswith("demographic_parity (lower")


def test_regression_is_drawn_as_rmse():
    X, y, group = make_wages()
    model = BADRRegressor(Ridge(), partition="group_target").fit(X, y, sensitive_features=group)
    display = ParetoFrontDisplay.from_estimator(model)
    assert display.ax_.get_xlabel() == "RMSE"
    baseline = display.points_["baseline estimator"].get_offsets()[0]
    assert baseline[0] == pytest.approx(np.sqrt(-model.baseline_scoring_value_))


def test_group_losses_have_a_line_for_each_cell(path, fitted):
    display = GroupLossesDisplay.from_path(path)
    assert len(display.lines_) == len(path.cells)
    order = np.argsort(path.metric[path.pareto_optimal])
    losses = path.cell_losses[path.pareto_optimal][order]
    for k, line in enumerate(display.lines_):
        np.testing.assert_allclose(line.get_ydata(), losses[:, k])
    _, ax = plt.subplots()
    assert GroupLossesDisplay.from_estimator(fitted, ax=ax).ax_ is ax


def test_convergence_ends_at_the_chosen_model(fitted):
    display = ConvergenceDisplay.from_estimator(fitted)
    metric, score = (line.get_ydata() for line in display.lines_)
    assert len(metric) == len(fitted.results_["metric"])
    assert metric[0] == fitted.baseline_metric_value_
    assert metric[-1] == pytest.approx(fitted.metric_value_, abs=1e-3)
    assert score[-1] == pytest.approx(fitted.scoring_value_, abs=5e-3)
    _, axes = plt.subplots(1, 2)
    assert (ConvergenceDisplay.from_estimator(fitted, ax=axes).axes_ == axes).all()


def test_refusals(path):
    with pytest.raises(TypeError, match="BADRClassifier"):
        ParetoFrontDisplay.from_estimator(LogisticRegression())
    with pytest.raises(NotFittedError):
        ConvergenceDisplay.from_estimator(BADRClassifier())
    unplotted = ParetoFrontDisplay(score=[1.0], metric=[0.0], metric_name="m", score_name="s")
    with pytest.raises(ValueError, match="plot"):
        unplotted.add_points(1.0, 0.0, label="x")
    with pytest.raises(ValueError, match="length"):
        ParetoFrontDisplay.from_path(path).add_points([1.0], [0.0, 0.1], label="x")
    with pytest.raises(ValueError, match="2 axes"):
        ConvergenceDisplay(
            metric=[0.0], score=[0.0], best=[0], metric_name="m", score_name="s"
        ).plot(ax=plt.subplots()[1])


def test_without_matplotlib_the_cure_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skbadr\[plot\]"):
        ParetoFrontDisplay.from_path(path)
