"""Files of models: every format, earlier versions, and no training rows inside."""

import copy
import itertools
import pickle
import time
import warnings
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import saved_models
from data import classifier, make_people, make_wages, regressor
from fairlearn.metrics import demographic_parity_difference
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadr import BADRClassifier, BADRRegressor, ParetoPath, pareto_path
from skbadr.metrics import get_metric
from skbadr.solvers import SOLVERS

try:
    import cloudpickle
except ImportError:  # joblib before 1.6 has its own
    from joblib.externals import cloudpickle

PEOPLE, WAGES = make_people(), make_wages()
BOOSTING = HistGradientBoostingClassifier(max_iter=15, random_state=0)
FAIR = {"partition": "group_target", "bound": 0.1}


def by_sign(X):
    """Say which group a row is of; more than two, whose labels are tuples."""
    return np.column_stack([np.asarray(X)[:, 3] > 0.5, np.asarray(X)[:, 0] > 0])


def models():
    """Return unfitted models by what is special about them."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    found = {
        "boosting": classifier(BOOSTING, partition="group_target", trade_off=1.0),
        "pipeline": BADRClassifier(pipeline, **FAIR),
        "crossed groups": BADRClassifier(sensitive_columns=by_sign, **FAIR),
        "bargained": BADRClassifier(init="nash", cv=3, random_state=0),
        "held out": classifier(GaussianNB(), cv=2),
        "metric object": BADRClassifier(metric=get_metric("equalized_odds", "classification")),
        "verbose": classifier(GaussianNB(), verbose=1),
        "regressor": regressor(HistGradientBoostingRegressor(max_iter=5)),
        "individual": regressor(Ridge(), metric="individual"),
        "covariance": regressor(Ridge(), metric="covariance"),
    }
    for solver in SOLVERS:
        found[solver] = BADRClassifier(solver=solver, **FAIR)
        found[f"{solver} regressor"] = BADRRegressor(solver=solver)
    return found


MODELS = models()


def fitted(name):
    """Return a fitted model and its data; X has row labels, and groups are told from others."""
    model = clone(MODELS[name])
    X, y, group = WAGES if isinstance(model, BADRRegressor) else PEOPLE
    X = pd.DataFrame(X, columns=list("abcd"), index=[f"person-{i:04d}" for i in range(len(X))])
    given = {} if model.sensitive_columns is not None else {"sensitive_features": group}
    return model.fit(X, y, **given), X, y


def through_joblib(model):
    stream = BytesIO()
    joblib.dump(model, stream)
    stream.seek(0)
    return joblib.load(stream)


FORMATS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "joblib": through_joblib,
    "cloudpickle": lambda model: pickle.loads(cloudpickle.dumps(model)),
}


def check_same(model, loaded, X):
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.summary() == model.summary()
    assert repr(loaded) == repr(model)
    assert loaded.small_groups_ == model.small_groups_
    assert loaded.cells_.tolist() == model.cells_.tolist()
    assert repr(clone(loaded)) == repr(clone(model))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["boosting", "pipeline", "crossed groups", "regressor"])
def test_formats(name, form):
    model, X, _ = fitted(name)
    check_same(model, FORMATS[form](model), X)


SKOPS_NAMES = [name for name in MODELS if name != "crossed groups"]


@pytest.mark.parametrize("name", SKOPS_NAMES)
def test_skops_trusts_no_other_type(name):
    skops = pytest.importorskip("skops.io", reason="skops is not installed: see the extra skops")
    model, X, _ = fitted(name)
    stored = skops.dumps(model)
    untrusted = skops.get_untrusted_types(data=stored)
    assert {kind.partition(".")[0] for kind in untrusted} <= {"skbadr", "sklearn"}
    check_same(model, skops.loads(stored, trusted=untrusted), X)


def test_skops_keeps_labels_that_are_tuples():
    skops = pytest.importorskip("skops.io", reason="skops is not installed: see the extra skops")
    X, y, group = PEOPLE
    both = np.column_stack([group, np.roll(group, 5)])
    model = BADRClassifier(**FAIR).fit(X, y, sensitive_features=both)
    model.small_groups_ = {label[:-1]: 3 for label in model.cells_[:2]}
    stored = skops.dumps(model)
    check_same(model, skops.loads(stored, skops.get_untrusted_types(data=stored)), X)


@pytest.fixture(autouse=True)
def whole_seconds(monkeypatch):
    """Measure whole seconds: four bytes of a real time are a value's by chance now and then."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))


def windows(stored, size):
    """Return the numbers at all positions of some bytes."""
    stored = np.frombuffer(stored + bytes(size), dtype=np.uint8)
    every = np.lib.stride_tricks.sliding_window_view(stored, size)
    return np.ascontiguousarray(every).view(f"<u{size}").ravel()


def rows_in(stored, values, known=b""):
    """Return how many distinctive values some bytes hold, as floats of either precision.

    `known` are the bytes of what may hold them.
    """
    values = np.unique(np.asarray(values, dtype=float))
    values = values[np.round(values, 3) != values]
    found = 0
    # Arrays are in the machine's order, the floats of a pickle the other way round.
    for kind in ("<f4", "<f8", ">f8"):
        size = int(kind[-1])
        patterns = values.astype(kind).view(f"<u{size}")
        inside = np.isin(patterns, windows(stored, size))
        count = (inside & ~np.isin(patterns, windows(known, size))).sum()
        # Four bytes of another number are one of a thousand values by chance in one of ten files.
        found += 0 if size == 4 and count == 1 else count
    return found


def test_the_search_finds_rows():
    X, y, _ = WAGES
    for precision in (np.float32, np.float64):
        assert rows_in(pickle.dumps(X.astype(precision)), X) == X.size
        assert rows_in(pickle.dumps([float(value) for value in y[:9]]), y) == 9
    kept = pickle.dumps(X[:1])
    assert rows_in(kept, X, kept) == 0 < rows_in(kept, X)


@pytest.mark.parametrize("name", MODELS)
def test_no_training_rows_inside(name):
    model, X, y = fitted(name)
    stored = pickle.dumps(model)
    # A tree's thresholds, say, may be values of X: its own fit keeps these as well.
    known = pickle.dumps(model.estimator_)
    assert rows_in(stored, X, known) == rows_in(stored, y, known) == 0
    assert b"person-" not in stored
    assert len(stored) <= 1.1 * (len(known) + len(pickle.dumps(model.results_))) + 2000


def test_strings_of_sensitive_features_are_group_labels():
    X, y, group = PEOPLE
    names = np.array([f"name-{i}" for i in range(len(y))])
    features = pd.DataFrame({"sex": group, "city": np.where(X[:, 1] > 0, "here", "there")})
    features.index = names
    model = BADRClassifier(**FAIR).fit(X, y, sensitive_features=features)
    stored = pickle.dumps(model)
    assert b"name-" not in stored
    assert b"here" in stored  # a label


def test_a_fairlearn_metric_keeps_no_rows():
    X, y, group = PEOPLE
    model = classifier(metric=demographic_parity_difference, scoring="balanced_accuracy")
    model.fit(X, y, sensitive_features=group)
    assert rows_in(pickle.dumps(model), X) == 0


class Watcher:
    """A callback that keeps nothing."""

    def setup(self, estimator, context):
        pass

    teardown = setup

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        pass

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        pass


def test_callbacks_leave_no_rows():
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    X, y, group = PEOPLE
    model = classifier().set_callbacks(Watcher()).fit(X, y, sensitive_features=group)
    assert rows_in(pickle.dumps(model), X) == 0


@pytest.mark.parametrize("metric", ["demographic_parity", "hsic", "individual", "mean_loss"])
def test_paths_keep_models_and_no_rows(metric):
    X, y, group = WAGES if metric == "individual" else PEOPLE
    estimator = LinearRegression() if metric == "individual" else BOOSTING
    path = pareto_path(
        estimator, X, y, sensitive_features=group, metric=metric, n_points=3, max_iter=5
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = path.model(0)
    stored = pickle.dumps(path)
    known = pickle.dumps(model)
    assert rows_in(stored, X, known) == rows_in(stored, y, known) == 0
    loaded = pickle.loads(stored)
    np.testing.assert_array_equal(loaded.model(0).predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.cell_weights, path.cell_weights)
    np.testing.assert_array_equal(loaded.at(path.bounds).metric, path.at(path.bounds).metric)
    if not np.array_equal(path.cell_weights[0], path.cell_weights[-1]):
        with pytest.raises(ValueError, match="keeps no training data"):
            loaded.model(-1)


def test_copies_of_a_path_in_memory_can_fit_models():
    X, y, group = PEOPLE
    path = pareto_path(LogisticRegression(), X, y, sensitive_features=group, n_points=3)
    for other in (copy.copy(path), copy.deepcopy(path)):
        np.testing.assert_array_equal(other.model(-1).predict(X), path.model(-1).predict(X))
        np.testing.assert_array_equal(other.metric, path.metric)


def test_the_path_of_a_model_keeps_no_rows():
    X, y, group = PEOPLE
    model = BADRClassifier(**FAIR).fit(X, y, sensitive_features=group)
    path = ParetoPath.from_estimator(model, X, y, sensitive_features=group)
    assert rows_in(pickle.dumps(path), X) == 0


# Whether the second search meets its bound, on 75 rows held out, is no matter of files.
@pytest.mark.filterwarnings("ignore:no visited model has")
@pytest.mark.parametrize("file", sorted(saved_models.FOLDER.glob("*.pkl")), ids=lambda f: f.stem)
def test_files_of_earlier_versions_load(file):
    assert file.stat().st_size < 100_000
    record = pickle.loads(Path(file).read_bytes())
    X = saved_models.make_data(seed=1)[0]
    train, y, labels, group = saved_models.make_data()
    for name, model in record["models"].items():
        np.testing.assert_array_equal(model.predict(X), record["predicted"][name])
        assert model.summary()
        assert repr(clone(model)) and set(clone(model).get_params()) >= {"memory", "warm_start"}
        targets = y if name == "regressor" else labels
        weight = model.compute_sample_weight(train, targets, sensitive_features=group)
        baseline = clone(model.estimator).fit(train, targets, sample_weight=weight)
        if name == "regressor":  # sums round differently on the processor of another fit
            found = baseline.predict(X)
            np.testing.assert_allclose(found, model.predict(X), rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_array_equal(baseline.predict(X), model.predict(X))
        path = ParetoPath.from_estimator(model, train, targets, sensitive_features=group)
        assert len(path.bounds)
        again = model.set_params(warm_start=True).fit(train, targets, sensitive_features=group)
        assert again.metric_value_ >= 0


def test_the_present_version_has_a_file():
    assert (saved_models.FOLDER / f"{saved_models.__version__}.pkl").exists()
