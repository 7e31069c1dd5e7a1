"""Fronts along bounds: values, models, and what they cost."""

import warnings

import fairlearn.metrics as flm
import numpy as np
import pytest
from data import CountingClassifier, make_people, make_wages
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadr import BADRClassifier, ParetoPath, pareto_path
from skbadr.solvers.steps.linearised import LinearisedSearch

BAYES = GaussianNB()


def front(estimator=None, n=400, **options):
    X, y, group = make_people(n)
    estimator = LogisticRegression() if estimator is None else estimator
    options = {"n_points": 5, "max_iter": 16 if estimator is BAYES else None} | options
    return pareto_path(estimator, X, y, sensitive_features=group, **options), X, y, group


@pytest.mark.parametrize("estimator", [LogisticRegression(), BAYES], ids=["linear", "bayes"])
def test_points_are_the_best_visited_under_their_bounds(estimator):
    path, *_ = front(estimator)
    results = path.results
    assert (np.diff(path.bounds) < 0).all() and path.bounds[0] == path.baseline_metric
    assert path.met.all()
    for bound, metric, score in zip(path.bounds, path.metric, path.scores, strict=True):
        within = (results["metric"] <= bound) & ~results["failed"]
        assert metric <= bound
        assert score == results["score"][within].max()
    assert path.metric[-1] < 0.5 * path.baseline_metric
    np.testing.assert_allclose(path.cell_weights.sum(axis=1), 1.0)
    for i in np.flatnonzero(~path.pareto_optimal):
        better = (path.metric <= path.metric[i]) & (path.scores >= path.scores[i])
        assert (better & ((path.metric < path.metric[i]) | (path.scores > path.scores[i]))).any()


def test_ends_where_little_disparity_is_left():
    rng = np.random.default_rng(3)
    group, X = rng.integers(0, 2, 3000), rng.normal(size=(3000, 4))
    X[:, 0] += 0.8 * group
    signal = X @ [1.0, 0.5, -0.5, 0.2] + 0.6 * group - 0.4 + rng.logistic(size=3000)
    path = pareto_path(
        LogisticRegression(), X, (signal > 0).astype(int), sensitive_features=group,
        metric="demographic_parity", partition="group_target",
    )  # fmt: skip
    assert path.metric[-1] < 0.12 * path.baseline_metric
    assert (path.scores[:5] > 0.68).all()


@pytest.mark.parametrize("metric", ["demographic_parity", "equalized_odds"])
def test_models_are_the_estimators_own_and_keep_their_bounds(metric):
    path, X, y, group = front(metric=metric)
    function = getattr(flm, f"{metric}_difference")
    for i, bound in enumerate(path.bounds):
        model = path.model(i)
        # The values are now those of this very model.
        predicted = model.predict(X)
        assert path.scores[i] == pytest.approx(np.mean(predicted == y))
        assert path.metric[i] == pytest.approx(function(y, predicted, sensitive_features=group))
        assert path.metric[i] <= bound
    badr = BADRClassifier(LogisticRegression(), partition="group_target", max_iter=2)
    badr.fit(X, y, sensitive_features=group)
    badr.cell_weights_ = path.cell_weights[2]
    weight = badr.compute_sample_weight(X, y, sensitive_features=group)
    again = LogisticRegression().fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(again.coef_, path.model(2).coef_)


def test_other_points_cost_no_search():
    CountingClassifier.n_fits = 0
    path, *_ = front(CountingClassifier(), solver="alternating", max_iter=12, cv=None)
    fits = CountingClassifier.n_fits
    assert fits == path.n_refits == len(path.results["metric"])
    other = path.at([0.3, 0.1])
    assert other.bounds.tolist() == [0.3, 0.1] and CountingClassifier.n_fits == fits
    other.model(-1)
    other.model(1)
    assert CountingClassifier.n_fits <= fits + 4 and other._fitted.keys() == {1}


def test_fits_of_the_estimator_are_few_where_the_lower_level_is_smooth():
    path, *_ = front()
    assert path.n_refits == 1


def test_fronts_of_fitted_estimators():
    X, y, group = make_people(400)
    model = BADRClassifier(LogisticRegression(), partition="group_target", bound=0.1)
    model.fit(X, y, sensitive_features=group)
    path = ParetoPath.from_estimator(model, X, y, sensitive_features=group)
    assert len(path.bounds) == len(np.unique(path.metric)) and path.met.all()
    assert path.pareto_optimal.all()
    at = path.at(0.1)
    assert at.metric[0] == model.metric_value_
    np.testing.assert_array_equal(at.model(0).coef_, model.estimator_.coef_)
    with pytest.raises(TypeError, match="BADRClassifier"):
        ParetoPath.from_estimator(LogisticRegression(), X, y, sensitive_features=group)
    with pytest.raises(ValueError, match="cells"):
        ParetoPath.from_estimator(model, X, y, sensitive_features=group == "a")


def test_predictions_are_what_fairlearn_draws():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from sklearn.metrics import accuracy_score

    path, X, y, group = front()
    predictions = path.predictions(X)
    assert list(predictions) == [path.label(i) for i in range(5)]
    for i, predicted in enumerate(predictions.values()):
        np.testing.assert_array_equal(predicted, path.model(i).predict(X))
    axes = flm.plot_model_comparison(
        x_axis_metric=accuracy_score,
        y_axis_metric=flm.demographic_parity_difference,
        y_true=y,
        y_preds=predictions,
        sensitive_features=group,
    )
    points = axes.collections[0].get_offsets() if axes.collections else axes.lines
    assert len(points) > 0
    plt.close("all")


def test_parallel_fits_are_the_same():
    path, X, *_ = front(BAYES)
    other = path.at(path.bounds)
    for one, two in zip(path.fit_models(), other.fit_models(n_jobs=2), strict=True):
        np.testing.assert_array_equal(one.predict(X), two.predict(X))
    np.testing.assert_array_equal(path.metric, other.metric)


def test_ratios_go_up():
    path, *_ = front(metric="demographic_parity_ratio", n_points=4)
    assert (np.diff(path.bounds) > 0).all()
    assert (path.metric >= path.bounds).all() and path.met.all()
    assert path.label(1).startswith("demographic_parity_ratio >= ")


def test_regression_and_losses_without_an_ideal():
    X, y, group = make_wages(400)
    path = pareto_path(Ridge(), X, y, sensitive_features=group, n_points=4)
    assert path.met.all() and path.metric[-1] <= 0.3 * path.baseline_metric
    assert path.score_name == "neg_mean_squared_error"
    losses = pareto_path(
        Ridge(),
        X,
        y,
        sensitive_features=group,
        metric="worst_group_loss",
        n_points=4,
        partition="group",
    )
    assert losses.met.all() and losses.metric[-1] < losses.baseline_metric


def test_bounds_out_of_reach_are_not_promised():
    path, *_ = front(partition="group", bounds=[1e-5, 0.3])
    assert path.bounds.tolist() == [0.3, 1e-5]
    assert path.met.tolist() == (path.metric <= path.bounds).tolist()
    assert not path.met[1]
    with pytest.warns(ConvergenceWarning, match="no visited weights give less"):
        path.model(1)


def test_held_out_front_of_a_pipeline_with_weights():
    X, y, group = make_people(400)
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    path = pareto_path(
        pipeline, X, y, sensitive_features=group, sample_weight=weight, cv=3, n_points=3
    )
    assert path.met.all()
    model = path.model(2)
    assert list(model.named_steps) == list(pipeline.named_steps)
    assert clone(model).get_params().keys() == model.get_params().keys()


def test_estimators_that_stop_early_are_refitted():
    X, y, group = make_people(400)
    early = LogisticRegression(max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = pareto_path(early, X, y, sensitive_features=group, n_points=3, max_iter=10)
    assert path.n_refits > 3


def test_refusals():
    X, y, group = make_people()
    with pytest.raises(ValueError, match="n_points"):
        front(n_points=0)
    with pytest.raises(ValueError, match="bounds"):
        front(bounds=[np.nan])
    with pytest.raises(TypeError, match="BADRClassifier"):
        pareto_path(BADRClassifier(), X, y, sensitive_features=group)
    with pytest.raises(ValueError, match="sensitive_features"):
        pareto_path(LogisticRegression(), X, y)
    path, *_ = front(n_points=2)
    with pytest.raises(IndexError, match="2 points"):
        path.model(2)
    with pytest.raises(TypeError, match="index"):
        path.model(0.05)


def test_interrupted_walks_keep_what_they_visited(monkeypatch):
    steps = []
    run = LinearisedSearch.run

    def interrupted(self, *arguments, **options):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return run(self, *arguments, **options)

    monkeypatch.setattr(LinearisedSearch, "run", interrupted)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        path, *_ = front(bounds=[0.2, 0.15, 0.1, 0.05])
    assert len(path.bounds) == 4 and path.met[0]
    assert path.met.tolist() == (path.metric <= path.bounds).tolist()


def test_models_of_a_path_that_write_into_X():
    scaled = make_pipeline(StandardScaler(copy=False), LogisticRegression())
    path, X, _, _ = front(scaled, n_points=3)
    data = 3.0 * X + 1.0
    predicted = path.predictions(data)
    np.testing.assert_array_equal(data, 3.0 * X + 1.0)
    expected = [model.predict(data.copy()) for model in path.fit_models()]
    np.testing.assert_array_equal(list(predicted.values()), expected)
