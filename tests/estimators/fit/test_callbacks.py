"""scikit-learn's callbacks (1.9 and later): begun and ended tasks, scores, progress, stops."""

import numpy as np
import pytest
from data import classifier, make_people
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

callback = pytest.importorskip("sklearn.callback")

X, Y, GROUP = make_people()


class Recorder:
    """Records what it is told; stops the search once `stop_after` refits have ended."""

    def __init__(self, stop_after=np.inf):
        self.stop_after = stop_after
        self.begun, self.ended, self.calls, self.models = [], [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.begun.append(context.task_name)
        self.data = (X, y, metadata)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.ended.append(context.task_name)
        self.models.append(fitted_estimator)
        return self.ended.count("refit") >= self.stop_after


def test_every_refit_is_a_task():
    recorder = Recorder()
    model = classifier(partition="group_target", max_iter=6).set_callbacks(recorder)
    model.fit(X, Y, sensitive_features=GROUP, sample_weight=np.ones(len(Y)))
    assert recorder.calls == ["setup", "teardown"]
    assert recorder.begun == ["fit"] + model.n_refits_ * ["refit"]
    assert recorder.ended == model.n_refits_ * ["refit"] + ["fit"]
    seen, y, metadata = recorder.data
    assert seen is X
    assert (y == Y).all()
    assert list(metadata) == ["sample_weight"]


def test_callbacks_get_the_best_model_so_far():
    recorder = Recorder()
    model = classifier(partition="group_target", max_iter=6).set_callbacks(recorder)
    model.fit(X, Y, sensitive_features=GROUP)
    best = np.minimum.accumulate(model.results_["metric"])
    for so_far, value in zip(recorder.models, [*best, best[-1]], strict=True):
        rates = [so_far.predict(X)[g == GROUP].mean() for g in "ab"]
        assert abs(rates[1] - rates[0]) == pytest.approx(value)
    assert recorder.models[0].score(X, Y) == LogisticRegression().fit(X, Y).score(X, Y)


def test_no_model_where_each_fold_has_its_own():
    recorder = Recorder()
    model = classifier(cv=2, max_iter=2).set_callbacks(recorder)
    model.fit(X, Y, sensitive_features=GROUP)
    assert recorder.models == [None, None, None]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("n_refits", [1, 3])
def test_callback_stops_the_search(n_refits, n_jobs):
    recorder = Recorder(stop_after=n_refits)
    model = classifier(partition="group_target", max_iter=8, n_jobs=n_jobs)
    model.set_callbacks(recorder).fit(X, Y, sensitive_features=GROUP)
    assert model.n_refits_ == n_refits
    assert recorder.calls == ["setup", "teardown"]
    assert model.metric_value_ == model.results_["metric"].min()


def test_scores_are_monitored():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = classifier(max_iter=3, partition="group_target").set_callbacks(monitor)
    model.fit(X, Y, sensitive_features=GROUP)
    rows = monitor.get_logs().data
    scores = [row["accuracy"] for row in rows if row["task_name"] == "refit"]
    assert scores[0] == model.baseline_scoring_value_
    assert scores[-1] == model.scoring_value_


def test_progress_bar(capsys):
    pytest.importorskip("rich")
    model = classifier().set_callbacks(callback.ProgressBar())
    model.fit(X, Y, sensitive_features=GROUP)
    assert "BADRClassifier" in capsys.readouterr().out


def test_callbacks_come_down_from_a_search():
    class Propagated(Recorder):
        max_propagation_depth = None

    recorder = Propagated()
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=2))
    search = GridSearchCV(pipeline, {"badrclassifier__partition": ["group"]}, cv=2)
    search.set_callbacks(recorder).fit(X, Y, badrclassifier__sensitive_features=GROUP)
    assert recorder.begun.count("refit") >= 3 * 2
    assert recorder.calls == ["setup", "teardown"]


def test_callbacks_of_the_wrapped_estimator_are_its_own():
    recorder = Recorder()
    inner = LogisticRegression().set_callbacks(recorder)
    model = classifier(inner).fit(X, Y, sensitive_features=GROUP)
    assert recorder.calls.count("setup") == model.n_refits_


def test_failed_fit_tears_down():
    recorder = Recorder()
    model = classifier(LogisticRegression(C=-1.0)).set_callbacks(recorder)
    with pytest.raises(ValueError, match="C"):
        model.fit(X, Y, sensitive_features=GROUP)
    assert recorder.calls == ["setup", "teardown"]
    with pytest.raises(ValueError, match="sensitive_features"):
        model.fit(X, Y)
    assert recorder.calls == ["setup", "teardown"]
