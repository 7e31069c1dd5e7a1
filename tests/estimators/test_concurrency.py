"""Fits in threads and in processes, and what is left of them in the process: nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pytest
import sklearn
from data import classifier, make_people, make_wages, scripted
from joblib import cpu_count
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from skbadr import BADRClassifier, BADRRegressor
from skbadr._warnings import hold_warnings, record_warnings

X, y, group = make_people()
FAIR = {"partition": "group_target", "bound": 0.1}


class ThreadRecorder(LogisticRegression):
    """Writes down how many threads its fit may use."""

    def __init__(self, folder=None, C=1.0):
        super().__init__(C=C)
        self.folder = folder

    def fit(self, X, y, sample_weight=None):
        if self.folder is not None:
            pools = [(pool["user_api"], pool["num_threads"]) for pool in threadpool_info()]
            name = f"{os.getpid()} {threading.current_thread().name} {time.perf_counter_ns()}.json"
            Path(self.folder, name).write_text(json.dumps(pools))
        return super().fit(X, y, sample_weight)


def state():
    """Return what a process shares that a fit might change, and should not."""
    return {
        "filters": list(warnings.filters),
        "filters are": id(warnings.filters),
        "showwarning": warnings.showwarning,
        "numpy.random": [str(part) for part in np.random.get_state()],  # noqa: NPY002
        "random": random.getstate(),
        "numpy errors": np.geterr(),
        "scikit-learn": sklearn.get_config(),
        "environment": dict(os.environ),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "directory": os.getcwd(),
        "threads of BLAS": [(pool["user_api"], pool["num_threads"]) for pool in threadpool_info()],
        "backend": getattr(sys.modules.get("matplotlib"), "rcParams", {}).get("backend"),
    }


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


def all_kinds():
    """Return models of all solvers, with refits in this process and in others."""
    return {
        "implicit": BADRClassifier(**FAIR),
        "gd": BADRClassifier(solver="gd"),
        "sgd": BADRClassifier(solver="sgd"),
        "alternating": classifier(**FAIR),
        "held out": classifier(cv=2, **FAIR),
        "nash": BADRClassifier(init="nash", cv=3),
        "processes": classifier(n_jobs=2, random_state=0),
        "boosting": classifier(HistGradientBoostingClassifier(max_iter=5, random_state=0)),
        "forest": classifier(RandomForestClassifier(3, n_jobs=2), random_state=0),
    }


KINDS = all_kinds()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_a_fit_changes_nothing_around_it(kind):
    model = KINDS[kind]
    before = state()
    model.fit(X, y, sensitive_features=group)
    model.summary()
    assert changed(before, state()) == set()


@pytest.mark.parametrize("error", [ArithmeticError("odd"), KeyboardInterrupt()])
@pytest.mark.parametrize("when", [1, 3])
def test_neither_does_one_that_fails(error, when):
    model = classifier(scripted({when: error, "weighted": "a warning"}), **FAIR)
    before = state()
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        inside = state()
        try:
            model.fit(X, y, sensitive_features=group)
        except (ArithmeticError, KeyboardInterrupt):
            assert when == 1
        assert changed(inside, state()) == set()
    assert changed(before, state()) == set()


def test_neither_does_a_refusal():
    before = state()
    with pytest.raises(ValueError):
        BADRClassifier(tol=-1).fit(X, y, sensitive_features=group)
    assert changed(before, state()) == set()


def jobs():
    """Return functions that fit models on different data and return what tells them apart."""
    data = [make_people(seed=seed) for seed in range(2)]
    wages = make_wages()
    made = []
    for people in data:
        for model in (
            BADRClassifier(**FAIR),
            BADRClassifier(make_pipeline(StandardScaler(), LogisticRegression()), solver="gd"),
            classifier(HistGradientBoostingClassifier(max_iter=5, random_state=0), **FAIR),
            classifier(LogisticRegression(max_iter=2), cv=2),
        ):
            made.append((model, people))
    made += [(BADRRegressor(solver=solver), wages) for solver in ("implicit", "alternating")]
    return made


def outcome(job):
    model, (X, y, group) = job
    model.fit(X, y, sensitive_features=group)
    return model.cell_weights_, model.predict(X), model.metric_value_


@pytest.mark.filterwarnings("ignore")
def test_fits_in_threads_are_those_of_one_thread():
    serial = [outcome(job) for job in jobs()]
    before = state()
    with ThreadPool(8) as pool:
        threaded = pool.map(outcome, jobs() + jobs(), chunksize=1)
    assert changed(before, state()) == set()
    for one, other in zip(serial + serial, threaded, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore")
def test_processes_can_be_started_from_threads():
    def weights(seed):
        X, y, group = make_people(seed=seed)
        return classifier(n_jobs=2, **FAIR).fit(X, y, sensitive_features=group).cell_weights_

    serial = [weights(seed) for seed in range(2)]
    with ThreadPool(3) as pool:
        threaded = pool.map(weights, range(2))
    np.testing.assert_array_equal(threaded, serial)


def test_warnings_of_many_threads_leave_the_filters_alone():
    # As scikit-learn does: context managers of other threads end in any order.
    def work(number):
        found = []
        for turn in range(30):
            with hold_or_record[number % 2]() as recorded:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", ImportWarning)
                    time.sleep(0.0005 * random.Random(number).random())
                warnings.warn(f"{number} {turn}", UserWarning, stacklevel=1)
            found += recorded or []
        return found

    @contextmanager
    def hold():
        try:
            with hold_warnings():
                yield None
        except UserWarning:
            pass  # an error by the filters of these tests

    hold_or_record = [hold, record_warnings]
    before = state()
    with ThreadPool(8) as pool:
        found = pool.map(work, range(16), chunksize=1)
    assert changed(before, state()) == set()
    # What others put into a context of their own may arrive there, but never at a third one.
    for number, recorded in enumerate(found):
        assert {text.split()[0] for text, _ in recorded} <= {str(number)}


def test_a_fit_that_outlives_a_block_of_filters_does_not_bring_them_back():
    entered, left = threading.Event(), threading.Event()

    def work():
        with record_warnings():
            entered.set()
            left.wait(30)

    before = state()
    thread = threading.Thread(target=work)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thread.start()
        entered.wait(30)
    left.set()
    thread.join()
    assert changed(before, state()) == set()


def test_warnings_of_other_threads_are_theirs():
    with warnings.catch_warnings(record=True) as caught, record_warnings() as found:
        warnings.simplefilter("always")
        thread = threading.Thread(target=lambda: warnings.warn("theirs", stacklevel=1))
        thread.start()
        thread.join()
    assert found == []
    assert [str(w.message) for w in caught] == ["theirs"]


def grid(n_jobs, inner, folder=None):
    estimator = ThreadRecorder(folder)
    search = GridSearchCV(
        classifier(estimator, n_jobs=inner, sensitive_columns=first_sign, random_state=0),
        {"estimator__C": [0.1, 10.0]},
        cv=2,
        n_jobs=n_jobs,
    )
    return search.fit(X, y)


def first_sign(X):
    return X[:, 3] > 0.5


def test_a_search_in_processes_with_refits_in_parallel_is_the_serial_one():
    serial, parallel = grid(None, None), grid(2, 2)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(serial.cv_results_[name], parallel.cv_results_[name])
    one, other = serial.best_estimator_, parallel.best_estimator_
    np.testing.assert_array_equal(one.cell_weights_, other.cell_weights_)


THREADS = """
import sys
sys.path[:0] = {tests!r}
import os
from pathlib import Path
from joblib import parallel_config
from test_concurrency import X, ThreadRecorder, classifier, grid, group, y
if __name__ == "__main__":
    Path({folder!r}, "main").write_text(str(os.getpid()))
    if {nested}:
        grid(2, 2, {folder!r})
    else:
        with parallel_config(backend="threading"):
            model = classifier(ThreadRecorder({folder!r}), n_jobs=2, cv=2)
            model.fit(X, y, sensitive_features=group)
"""


def threads_of_fits(tmp_path, environment, nested):
    """Return, per fit of a fresh process, whether it was alone and its threads by kind."""
    tests = [str(folder) for folder in Path(__file__).parents[:2]]
    code = THREADS.format(tests=tests, folder=str(tmp_path), nested=nested)
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    names = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    subprocess.run([sys.executable, str(script)], env=inherited | environment, check=True)
    alone = f"{(tmp_path / 'main').read_text()} MainThread"
    return [
        (path.name.startswith(alone), json.loads(path.read_text()))
        for path in tmp_path.glob("*.json")
    ]


def test_threads_share_the_threads_of_openmp(tmp_path):
    fits = threads_of_fits(tmp_path, {"OMP_NUM_THREADS": "4"}, nested=False)
    assert {alone for alone, _ in fits} == {True, False}
    for alone, pools in fits:
        assert {n for api, n in pools if api == "openmp"} == {4 if alone else 2}


@pytest.mark.slow
def test_nested_jobs_share_the_processor(tmp_path):
    fits = threads_of_fits(tmp_path, {}, nested=True)
    shared = [pools for alone, pools in fits if not alone]
    assert len(shared) > 4
    for pools in shared:
        assert max(n for _, n in pools) <= max(1, cpu_count() // 2)
