"""Refits that are kept on disk, and searches that go on from the last weights."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from data import CountedTree, classifier, make_people, make_wages
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, BADRRegressor, pareto_path
from skbadr.lower_level import memory as memory_module

X, y, group = make_people()


@pytest.fixture
def counts(tmp_path):
    folder = tmp_path / "counts"
    folder.mkdir()
    return folder


def n_fits(folder):
    return len(list(folder.iterdir()))


def search(counts, memory, **params):
    options = {"partition": "group_target", "max_iter": 6, "memory": memory} | params
    return classifier(CountedTree(str(counts), max_depth=3), **options)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("cv", [None, 2])
def test_a_repeated_fit_makes_no_fit(counts, tmp_path, n_jobs, cv):
    memory = str(tmp_path / "memory")
    first = search(counts, memory, n_jobs=n_jobs, cv=cv).fit(X, y, sensitive_features=group)
    made = n_fits(counts)
    assert made == first.n_refits_ > 3
    second = search(counts, memory, cv=cv).fit(X, y, sensitive_features=group)
    assert n_fits(counts) == made
    assert second.n_refits_ == first.n_refits_
    np.testing.assert_array_equal(first.cell_weights_, second.cell_weights_)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    baseline = search(counts, None, cv=cv).fit(X, y, sensitive_features=group)
    np.testing.assert_array_equal(baseline.results_["metric"], first.results_["metric"])


def test_every_place_is_complete_before_processes_share_it(counts, tmp_path):
    # joblib remembers in a process that it wrote the code of a function, wherever that was;
    # without the code, processes that start together empty what the others keep.
    for place in ("first", "second"):
        model = search(counts, tmp_path / place, max_iter=1).fit(X, y, sensitive_features=group)
        (code,) = (tmp_path / place).rglob("func_code.py")
        assert "fit_anew" in code.read_text(encoding="utf-8")
    assert model.n_refits_ == n_fits(counts) // 2 == 1


def test_other_searches_share_what_they_have_in_common(counts, tmp_path):
    search(counts, tmp_path).fit(X, y, sensitive_features=group)
    made = n_fits(counts)
    search(counts, tmp_path, max_iter=4, trade_off=1.0).fit(X, y, sensitive_features=group)
    assert n_fits(counts) < made + 4  # the baseline one at least was known


@pytest.mark.parametrize(
    "change",
    ["data", "target", "weight", "groups", "parameter", "version"],
)
def test_what_determines_a_fit_is_in_the_key(counts, tmp_path, monkeypatch, change):
    def fit(X=X, y=y, group=group, depth=3, **params):
        model = search(counts, tmp_path, max_iter=1).set_params(estimator__max_depth=depth)
        before = n_fits(counts)
        model.fit(X, y, sensitive_features=group, **params)
        return n_fits(counts) - before

    assert (fit(), fit()) == (1, 0)
    if change == "data":
        moved = X.copy()
        moved[7, 1] += 1e-9
        assert fit(X=moved) == 1
    elif change == "target":
        assert fit(y=np.where(np.arange(len(y)) == 3, 1 - y, y)) == 1
    elif change == "weight":
        assert fit(sample_weight=np.ones(len(y))) == 1
    elif change == "groups":
        assert fit(group=np.roll(group, 1)) == 1
    elif change == "parameter":
        assert fit(depth=2) == 1
    else:
        monkeypatch.setattr("sklearn.__version__", "0.0")
        assert fit() == 1
    assert fit() in (0, 1) if change == "version" else fit() == 0


class TakesParameter(DecisionTreeClassifier):
    n_fits = 0

    def fit(self, X, y, sample_weight=None, flag=None):
        type(self).n_fits += 1
        return super().fit(X, y, sample_weight)


def test_fit_parameters_are_in_the_key(tmp_path):
    model = classifier(TakesParameter(random_state=0), max_iter=1, memory=tmp_path)
    made = []
    for flag in (1, 1, np.arange(3), np.arange(3), np.arange(4)):
        TakesParameter.n_fits = 0
        model.fit(X, y, sensitive_features=group, flag=flag)
        made.append(TakesParameter.n_fits)
    assert made == [1, 0, 1, 0, 1]


def test_data_are_hashed_once_for_all_refits(tmp_path, monkeypatch, counts):
    digests = []
    digest = memory_module.RememberedLowerLevel._digest
    monkeypatch.setattr(
        memory_module.RememberedLowerLevel,
        "_digest",
        lambda self: digests.append(digest(self)) or digests[-1],
    )
    search(counts, tmp_path, n_jobs=2).fit(X, y, sensitive_features=group)
    assert len(digests) == 1


def containers():
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["e"] = pd.Categorical(group)
    table = sparse.csr_array(np.where(np.abs(X) < 0.5, 0, X))
    unsorted = table.copy()
    unsorted.has_sorted_indices  # noqa: B018  scipy keeps the answer on the matrix
    return {
        "frame": (frame, frame.copy()),
        "frame in blocks": (frame, pd.concat([frame[["a", "b"]], frame[["c", "d", "e"]]], axis=1)),
        "sparse": (table, unsorted),
    }


@pytest.mark.parametrize("name", containers())
def test_equal_values_are_recognised_in_equal_containers(name):
    one, other = containers()[name]
    assert joblib.hash(memory_module._values(one)) == joblib.hash(memory_module._values(other))
    if name == "frame":
        reordered = one.assign(e=one["e"].cat.reorder_categories(["b", "a"]))
        assert joblib.hash(memory_module._values(reordered)) != joblib.hash(
            memory_module._values(one)
        )


@pytest.mark.parametrize("content", [b"", b"not a pickle", None])
def test_a_damaged_entry_is_fitted_anew(counts, tmp_path, content):
    memory = tmp_path / "memory"
    first = search(counts, memory).fit(X, y, sensitive_features=group)
    made = n_fits(counts)
    entries = [path for path in memory.rglob("output.pkl") if path.stat().st_size > 200]
    assert len(entries) == made
    for path in entries[:2]:
        path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    second = search(counts, memory).fit(X, y, sensitive_features=group)
    assert n_fits(counts) == made + 2
    np.testing.assert_array_equal(first.cell_weights_, second.cell_weights_)
    search(counts, memory).fit(X, y, sensitive_features=group)
    assert n_fits(counts) == made + 2


def test_warnings_of_a_fit_are_kept_with_it(tmp_path):
    model = classifier(LogisticRegression(max_iter=2), memory=tmp_path)
    for _ in range(2):
        with pytest.warns(match="failed to converge"):
            model.fit(X, y, sensitive_features=group)


def test_failed_fits_are_made_again(counts, tmp_path):
    made = []
    for _ in range(2):
        with pytest.raises(ArithmeticError):
            tree = CountedTree(str(counts), max_depth=3, fails=True)
            classifier(tree, memory=tmp_path).fit(X, y, sensitive_features=group)
        made.append(n_fits(counts))
    assert made[0] > 2  # the baseline, which is kept, and those that failed
    assert made[1] == 2 * made[0] - 1


def test_transformers_need_no_pickle(tmp_path):
    pipeline = make_pipeline(FunctionTransformer(lambda X: X + 1), StandardScaler(), Ridge())
    data, targets, groups = make_wages()
    for _ in range(2):
        BADRRegressor(pipeline, memory=tmp_path).fit(data, targets, sensitive_features=groups)


def test_any_joblib_memory_will_do_and_clones_with_the_model(tmp_path, counts):
    memory = joblib.Memory(tmp_path, verbose=0, mmap_mode="r")
    model = search(counts, memory)
    model.fit(X, y, sensitive_features=group)
    again = pickle.loads(pickle.dumps(model)).fit(X, y, sensitive_features=group)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert n_fits(counts) == model.n_refits_


def test_a_path_keeps_its_refits(tmp_path, counts):
    made = []
    for _ in range(2):
        path = pareto_path(
            CountedTree(str(counts), max_depth=3), X, y, sensitive_features=group, n_points=3,
            max_iter=5, memory=tmp_path,
        )  # fmt: skip
        path.fit_models()
        made.append(n_fits(counts))
    assert made[0] == made[1] > 1


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"memory": 3}, TypeError, "None, a path or a joblib.Memory"),
        ({"warm_start": 1}, TypeError, "True or False"),
        ({"warm_start": True, "init": "nash", "cv": 3}, ValueError, "choose one"),
    ],
)
def test_refusals(params, error, words):
    with pytest.raises(error, match=words):
        BADRClassifier(**params).fit(X, y, sensitive_features=group)


def test_what_cannot_be_pickled_is_refused(tmp_path):
    class Local(LogisticRegression):
        pass

    with pytest.raises(TypeError, match="Leave memory=None"):
        BADRClassifier(Local(), memory=tmp_path).fit(X, y, sensitive_features=group)


UNKNOWN = """
import sys
sys.path.insert(0, {tests!r})
from data import classifier, make_people
from sklearn.naive_bayes import GaussianNB
class Mine(GaussianNB):
    pass
X, y, group = make_people()
if __name__ == "__main__":
    for n_jobs in (2, 1, 2):
        model = classifier(Mine(), memory={memory!r}, n_jobs=n_jobs, cv=2)
        model.fit(X, y, sensitive_features=group)
        print(model.metric_value_)
"""


def test_classes_of_a_script_are_fitted_all_the_same(tmp_path):
    code = UNKNOWN.format(tests=str(Path(__file__).parents[1]), memory=str(tmp_path / "memory"))
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert len(set(done.stdout.split())) == 1
    assert "memory does not keep the fits of Mine" in done.stderr
    assert "Traceback" not in done.stderr


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from data import CountedTree, classifier, make_people
X, y, group = make_people()
model = classifier(
    CountedTree({counts!r}, max_depth=3), partition="group_target", max_iter=8, n_jobs={n_jobs},
    memory={memory!r},
)
model.fit(X, y, sensitive_features=group)
"""


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_killed_search_repeats_no_finished_refit(counts, tmp_path, n_jobs):
    memory, tests = tmp_path / "memory", str(Path(__file__).parents[1])
    code = textwrap.dedent(KILLED).format(
        tests=tests, counts=str(counts), memory=str(memory), n_jobs=n_jobs
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list(memory.rglob("output.pkl"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    stored = len(list(memory.rglob("output.pkl"))) - 1  # one stands for the code
    assert stored >= 3
    before = n_fits(counts)
    model = search(counts, memory, max_iter=8).fit(X, y, sensitive_features=group)
    assert n_fits(counts) - before == model.n_refits_ - stored


@pytest.mark.parametrize("goal", [{}, {"bound": 0.03}, {"trade_off": 1.0}])
@pytest.mark.parametrize("solver", ["implicit", "gd", "sgd", "alternating"])
def test_warm_start_goes_on_from_the_last_weights(solver, goal):
    partition = "group_target" if goal else "group"
    # A seed by which a few refits meet the bound, as one in three does on so few rows.
    model = BADRClassifier(
        partition=partition, solver=solver, warm_start=True, random_state=6, **goal
    )
    model.fit(X, y, sensitive_features=group)
    weights = model.cell_weights_

    def cost():
        if goal.get("bound"):
            return -model.scoring_value_
        return model.metric_value_ - goal.get("trade_off", 0.0) * model.scoring_value_

    first = cost()
    model.fit(X, y, sensitive_features=group)
    visited = model.results_["cell_weights"]
    assert np.isclose(visited, weights, atol=1e-4).all(axis=1).any()
    assert cost() <= first + 1e-12


def test_warm_start_replaces_init():
    model = classifier(warm_start=True, partition="group_target", bound=0.05)
    model.fit(X, y, sensitive_features=group)
    weights = model.cell_weights_
    model.set_params(init="uniform").fit(X[:200], y[:200], sensitive_features=group[:200])
    np.testing.assert_array_equal(model.results_["cell_weights"][1], weights)
    assert model.results_["origin"][1] == "init"


def test_warm_start_says_where_cells_are_others():
    model = classifier(warm_start=True).fit(X, y, sensitive_features=group)
    with pytest.warns(UserWarning, match="the last fit"):
        model.fit(X, y, sensitive_features=np.char.upper(group))
    cold = classifier().fit(X, y, sensitive_features=np.char.upper(group))
    np.testing.assert_array_equal(model.cell_weights_, cold.cell_weights_)
