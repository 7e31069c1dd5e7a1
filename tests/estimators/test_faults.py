"""Estimators that fail in all the ways there are, killed workers, and Ctrl-C at every phase."""

import os
import signal
import warnings

import numpy as np
import pytest
from data import classifier, make_people, make_wages, regressor, scripted
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, pareto_path
from skbadr.lower_level import RefitLowerLevel
from skbadr.metrics import get_metric
from skbadr.problem import SmoothProblem
from skbadr.solvers import SOLVERS

X, Y, GROUP = make_people()
WAGES = make_wages()


def fitted(model):
    return model.fit(X, Y, sensitive_features=GROUP)


def assert_usable(model, data=(X, Y, GROUP)):
    """The estimator is its own fit with the weights found, and no worse than the baseline."""
    X, y, group = data
    assert model.metric_value_ <= model.baseline_metric_value_
    assert len(model.predict(X)) == len(X)
    weight = model.compute_sample_weight(X, y, sensitive_features=group)
    expected = type(model.estimator_)(**model.estimator_.get_params()).fit(X, y, weight)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert "metric" in model.summary()


# Refits that return nothing of use


class NotANumber(LogisticRegression):
    """Its probabilities are NaN for one sample where the first one's weight has grown much."""

    def fit(self, X, y, sample_weight=None):
        self.broken_ = sample_weight is not None and sample_weight[0] > 1.3
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        proba[:1] = np.nan if self.broken_ else proba[:1]
        return proba


def test_refit_with_undefined_probabilities_is_skipped():
    model = classifier(NotANumber(), partition="group_target", max_iter=8)
    with pytest.warns(FitFailedWarning, match="predict_proba of NotANumber is not finite for 1 of"):
        fitted(model)
    assert 0 < model.results_["failed"].sum() < len(model.results_["failed"])
    assert not model.estimator_.broken_


class OneRowTooMany(LogisticRegression):
    """Answers with a row more than it was asked for."""

    def predict_proba(self, X):
        return np.vstack([[[0.5, 0.5]], super().predict_proba(X)])


def test_predictions_of_other_rows_than_asked_for_are_an_error():
    model = classifier(OneRowTooMany(), metric=get_metric("worst_group_loss", loss="log_loss"))
    with pytest.raises(ValueError, match="OneRowTooMany has 241 rows for 240 samples"):
        fitted(model)


class Diverging(RegressorMixin, BaseEstimator):
    def __init__(self, when="weighted", value=np.nan):
        self.when = when
        self.value = value

    def fit(self, X, y, sample_weight=None):
        self.model_ = Ridge().fit(X, y, sample_weight)
        heavy = sample_weight is not None and sample_weight[0] > 1.3
        self.broken_ = self.when == "always" or heavy
        return self

    def predict(self, X):
        return np.full(len(X), self.value) if self.broken_ else self.model_.predict(X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refit_with_undefined_predictions_is_skipped(value):
    model = regressor(Diverging(value=value), metric="worst_group_loss", max_iter=8)
    with pytest.warns(FitFailedWarning, match="is not finite for 240 of 240 samples"):
        model.fit(WAGES[0], WAGES[1], sensitive_features=WAGES[2])
    assert model.results_["failed"].any()
    assert np.isfinite(model.results_["score"][~model.results_["failed"]]).all()
    assert np.isfinite(model.predict(X)).all()


def test_baseline_model_with_undefined_predictions_is_an_error():
    model = regressor(Diverging("always"), metric="worst_group_loss")
    with pytest.raises(ValueError, match="predict of Diverging is not finite for 240 of 240"):
        model.fit(WAGES[0], WAGES[1], sensitive_features=WAGES[2])


def test_refit_out_of_memory_is_skipped():
    script = {3: MemoryError("no room for 3 GiB")}
    model = classifier(scripted(script), partition="group_target", max_iter=5)
    with pytest.warns(FitFailedWarning, match="MemoryError: no room"):
        fitted(model)
    assert model.results_["failed"].tolist() == [False, False, True, False, False]


def test_smooth_search_out_of_memory_falls_back_on_refits(monkeypatch):
    def no_room(*arguments, **options):
        raise MemoryError("no room for a Hessian")

    monkeypatch.setattr(SmoothProblem, "sensitivities", no_room)
    model = fitted(BADRClassifier(partition="group_target", solver="implicit", max_iter=4))
    assert_usable(model)
    assert "linearised" not in model.results_["origin"]
    assert model.metric_value_ < model.baseline_metric_value_


class Deaf(ClassifierMixin, BaseEstimator):
    """Takes weights and ignores them."""

    def fit(self, X, y, sample_weight=None):
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


def test_estimator_that_ignores_weights_is_told():
    model = classifier(Deaf(), partition="group_target", max_iter=6)
    with pytest.warns(UserWarning, match="the estimator ignores sample_weight") as caught:
        fitted(model)
    assert len(caught) == 1
    assert not model.weights_move_


def test_estimator_that_fits_whatever_the_weights_is_told():
    model = classifier(DecisionTreeClassifier(random_state=0), max_iter=4)
    assert "fits its training data closely does so whatever the weights are" in (
        fitted(model).summary()
    )


def test_estimator_that_never_converges_says_so_once():
    for solver in ("alternating", "implicit"):
        estimator = LogisticRegression(max_iter=1)
        with pytest.warns(ConvergenceWarning) as caught:
            fitted(BADRClassifier(estimator, solver=solver, max_iter=8, metric="equalized_odds"))
        assert [str(w.message)[:5] for w in caught] == ["lbfgs"]


# Workers that are killed


class Mortal(LogisticRegression):
    """Kills the process it is fitted in, but not that of the tests, for some weights."""

    def __init__(self, parent=None, how="exit", above=1.3, C=1.0):
        super().__init__(C=C)
        self.parent, self.how, self.above = parent, how, above

    def fit(self, X, y, sample_weight=None):
        heavy = sample_weight is not None and sample_weight[0] > self.above
        if os.getpid() != self.parent and heavy:
            os._exit(1) if self.how == "exit" else os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y, sample_weight)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["exit", "kill"])
def test_search_goes_on_where_a_worker_is_killed(how):
    mortal = Mortal(os.getpid(), how)
    model = classifier(mortal, partition="group_target", max_iter=5, n_jobs=2, cv=2)
    with parallel_config(backend="loky"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(model)
    failed = [w for w in caught if w.category is FitFailedWarning]
    assert failed and "its worker process was killed" in str(failed[0].message)
    assert {w.category for w in caught} <= {FitFailedWarning, UserWarning}
    assert len(failed) == model.results_["failed"].sum()
    assert 2 <= (~model.results_["failed"]).sum() < 5
    assert len(model.results_["failed"]) == 5
    assert_usable(model)


# Ctrl-C


class InterruptedLater:
    """Stands in for a method or function and raises KeyboardInterrupt at its n-th call."""

    def __init__(self, function, call):
        self.function, self.call, self.n_calls = function, call, 0

    def __call__(self, *arguments, **options):
        self.n_calls += 1
        if self.n_calls == self.call:
            raise KeyboardInterrupt
        return self.function(*arguments, **options)


def catch(call):
    """Return the warnings of a call as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(w.message) for w in caught]


def interrupt(monkeypatch, owner, name, call):
    later = InterruptedLater(getattr(owner, name), call)
    monkeypatch.setattr(owner, name, lambda *a, **k: later(*a, **k))
    return later


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("init", ["baseline", "nash"])
@pytest.mark.filterwarnings("ignore:on the training data no weights:UserWarning")
def test_interrupted_first_fit_is_interrupted(monkeypatch, solver, init):
    interrupt(monkeypatch, RefitLowerLevel, "fit", 1)
    model = BADRClassifier(solver=solver, init=init)
    with pytest.raises(KeyboardInterrupt):
        fitted(model)
    assert not hasattr(model, "estimator_")


PHASES = {
    "solution": (SmoothProblem, "solve"),
    "refit": (RefitLowerLevel, "fit"),
    "scores": (SmoothProblem, "scores"),
    "measurement": (SmoothProblem, "evaluate"),
}


@pytest.mark.parametrize("metric", ["group_loss_variance", "demographic_parity"])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("call", [1, 2, 3, 6])
@pytest.mark.parametrize("solver", SOLVERS)
def test_interrupted_search_keeps_the_best_so_far(monkeypatch, solver, call, phase, metric):
    if (phase, call) == ("refit", 1):
        return  # nothing is there to be kept
    later = interrupt(monkeypatch, *PHASES[phase], call)
    model = BADRClassifier(solver=solver, metric=metric, partition="group_target", max_iter=8)
    told = catch(lambda: fitted(model))
    assert sum("interrupted" in sentence for sentence in told) == (later.n_calls >= call)
    assert_usable(model)


@pytest.mark.parametrize("call", [2, 3, 4, 5])
def test_interrupted_bargaining_keeps_the_best_so_far(monkeypatch, call):
    later = interrupt(monkeypatch, RefitLowerLevel, "fit", call)
    model = classifier(metric="worst_group_loss", init="nash", max_iter=4)
    told = catch(lambda: fitted(model))
    assert later.n_calls == call and sum("was interrupted" in sentence for sentence in told) == 1
    assert len(model.results_["metric"]) == call - 1
    assert model.metric_value_ == np.nanmin(model.results_["metric"])
    assert_usable(model)


@pytest.mark.parametrize("phase", ["solution", "measurement"])
@pytest.mark.parametrize("call", [1, 3, 12])
def test_interrupted_bargaining_by_gradients(monkeypatch, phase, call):
    interrupt(monkeypatch, *PHASES[phase], call)
    model = BADRClassifier(metric="group_loss_variance", init="nash", cv=3, solver="implicit")
    told = catch(lambda: fitted(model))
    assert sum("interrupted" in sentence for sentence in told) == 1
    assert_usable(model)


def test_interrupted_last_fit_leaves_the_weights(monkeypatch):
    model = classifier(cv=2, max_iter=3, partition="group_target")
    fitted(model)
    interrupt(monkeypatch, RefitLowerLevel, "fit", model.n_refits_)
    with pytest.raises(KeyboardInterrupt) as caught:
        fitted(model)
    assert f"init={model.cell_weights_.tolist()}" in caught.value.__notes__[0]


def test_last_fit_that_fails_is_followed_by_the_next_best():
    options = {"cv": 2, "max_iter": 6, "partition": "group_target"}
    reference = fitted(classifier(scripted({}), **options))
    script = {reference.n_refits_: ValueError("not all of them")}
    model = classifier(scripted(script), **options)
    with pytest.warns(FitFailedWarning, match="on all samples, failed at .*: not all of them"):
        fitted(model)
    metric = model.results_["metric"]
    assert metric.min() < model.metric_value_ < model.baseline_metric_value_
    assert model.metric_value_ in metric
    script |= {n: ValueError("not all of them") for n in range(reference.n_refits_, 40)}
    model = classifier(scripted(script), **options)
    with pytest.raises(ValueError, match="not all of them") as caught:
        fitted(model)
    assert "init=" in caught.value.__notes__[0]


@pytest.mark.parametrize("bounds", [None, [0.05, 0.1, 0.2]])
@pytest.mark.parametrize(
    ("estimator", "phase", "call"),
    [
        (LogisticRegression(), "solution", 1),
        (LogisticRegression(), "solution", 2),
        (LogisticRegression(), "scores", 5),
        (LogisticRegression(), "measurement", 4),
        (DecisionTreeClassifier(max_depth=2), "refit", 2),
        (DecisionTreeClassifier(max_depth=2), "refit", 4),
    ],
)
def test_interrupted_path_keeps_what_it_visited(monkeypatch, estimator, phase, call, bounds):
    options = {"sensitive_features": GROUP, "bounds": bounds, "n_points": 3, "max_iter": 8}
    options["cv"] = None  # each call of `fit` is a refit of all rows
    with monkeypatch.context() as patch:
        later = interrupt(patch, *PHASES[phase], call)
        paths = []
        told = catch(lambda: paths.append(pareto_path(estimator, X, Y, **options)))
        assert later.n_calls >= call
    assert sum("the walk was interrupted" in sentence for sentence in told) == 1
    (path,) = paths
    assert np.isfinite(path.metric).all()
    catch(lambda: path.model(len(path.bounds) - 1).predict(X))


@pytest.mark.parametrize("estimator", [LogisticRegression(), DecisionTreeClassifier(max_depth=2)])
def test_interrupted_first_fit_of_a_path_is_interrupted(monkeypatch, estimator):
    interrupt(monkeypatch, RefitLowerLevel, "fit", 1)
    with pytest.raises(KeyboardInterrupt):
        pareto_path(estimator, X, Y, sensitive_features=GROUP)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_interrupted_metric_keeps_the_best_so_far(n_jobs):
    calls = []

    def gap(y_true, y_pred, *, sensitive_features):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        rates = [np.mean(y_pred[sensitive_features == g]) for g in ("a", "b")]
        return abs(rates[0] - rates[1])

    model = classifier(metric=gap, partition="group_target", max_iter=8, n_jobs=n_jobs)
    told = pytest.warns(ConvergenceWarning, match="interrupted after [1-4] of 8 refits")
    with parallel_config(backend="threading"), told:
        fitted(model)
    assert_usable(model)
