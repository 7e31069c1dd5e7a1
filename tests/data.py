"""Data and models that tests share."""

import os
import re
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skbadr import BADRClassifier, BADRRegressor
from skbadr.result import Archive
from skbadr.solvers import UpperSolver


def make_people(n=240, seed=0, n_classes=2):
    """Return X, labels and two groups, of which one is selected more often.

    The last column all but tells the group, so that a model can take it back.
    """
    rng = np.random.default_rng(seed)
    group = np.where(rng.random(n) < 0.4, "a", "b")
    X = rng.normal(size=(n, 4))
    X[:, 3] = (group == "b") + 0.3 * X[:, 3]
    score = X[:, 0] + 0.5 * X[:, 1] + (group == "b") + 0.5 * rng.normal(size=n)
    edges = np.quantile(score, np.arange(1, n_classes) / n_classes)
    return X, np.digitize(score, edges), group


def make_wages(n=240, seed=0):
    """Return X, real targets and two groups of which one has higher targets."""
    X, _, group = make_people(n, seed)
    noise = np.random.default_rng(seed + 1).normal(size=n)
    return X, 2 * X[:, 0] + X[:, 1] ** 2 + (group == "b") + noise, group


def make_incomes(n=120, seed=0):
    """Return a small table of people, to be written in many ways."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"age": rng.integers(18, 70, n), "sex": rng.choice(["f", "m"], n)})
    people["income"] = rng.gamma(2, 900, n).round(2)
    people["ok"] = np.where(people["income"] + 900 * rng.normal(size=n) > 1800, "yes", "no")
    return people


PEOPLE = make_incomes()


def to_text(frame, sep=",", **options):
    return frame.to_csv(sep=sep, index=False, **options)


def check_people(table):
    """Check that what was read is `PEOPLE`, however it was written."""
    assert table.numbers == ["age", "income"]
    np.testing.assert_array_equal(table.X[["age", "income"]], PEOPLE[["age", "income"]])
    np.testing.assert_array_equal(table.y, PEOPLE["ok"])
    np.testing.assert_array_equal(table.groups, PEOPLE["sex"])


SETTINGS = {"solver": "alternating", "max_iter": 4, "cv": None}


def classifier(estimator=None, **params):
    """Return a classifier that is cheap to fit and refits by the estimator's own fit alone."""
    return BADRClassifier(estimator, **(SETTINGS | params))


def regressor(estimator=None, **params):
    """Return the regressor of the same kind."""
    return BADRRegressor(estimator, **(SETTINGS | params))


class Capture(UpperSolver):
    """A solver that visits the baseline model alone and keeps the problem."""

    def budget(self, problem):
        return 1

    def with_max_iter(self, max_iter):
        return self

    def solve(self, problem):
        self.problem = problem
        archive = Archive(problem.objective)
        for evaluation in problem.evaluate([(problem.shares, "baseline")], 1):
            archive.add(evaluation)
        return archive


def bilevel_problem(
    estimator, X, y, group, sample_weight=None, metric="worst_group_loss", **options
):
    """Return the problem that a fit states."""
    solver = Capture()
    kind = BADRClassifier if is_classifier(estimator) else BADRRegressor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind(estimator, metric, solver=solver, **options).fit(
            X, y, sensitive_features=group, sample_weight=sample_weight
        )
    solver.problem.monitor = None
    return solver.problem


def is_classifier(estimator):
    return estimator.__sklearn_tags__().estimator_type == "classifier"


class CountingClassifier(LogisticRegression):
    """A classifier that counts the fits of all its clones."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).n_fits += 1
        return super().fit(X, y, sample_weight)


class CountedTree(DecisionTreeClassifier):
    """Counts fits in a folder, as several processes can."""

    def __init__(self, folder=None, max_depth=None, fails=False):
        super().__init__(max_depth=max_depth, random_state=0)
        self.folder = folder
        self.fails = fails

    def fit(self, X, y, sample_weight=None):
        Path(self.folder, f"{os.getpid()}-{time.perf_counter_ns()}").touch()
        if self.fails and sample_weight is not None:
            raise ArithmeticError("no fit today")
        return super().fit(X, y, sample_weight)


class ScriptedClassifier(ClassifierMixin, BaseEstimator):
    """A logistic regression on whose n-th fit something happens: `script` maps n to it.

    An exception is raised, a string is a warning. The key "weighted" stands for every fit with
    weights. The counter is shared by all clones, which are made of the same list.
    """

    def __init__(self, script=None, counter=None):
        self.script = script
        self.counter = counter

    def __sklearn_clone__(self):
        return type(self)(self.script, self.counter)

    def fit(self, X, y, sample_weight=None):
        self.counter.append(sample_weight)
        event = self.script.get(len(self.counter))
        if event is None and sample_weight is not None:
            event = self.script.get("weighted")
        if isinstance(event, str):
            warnings.warn(event, RuntimeWarning, stacklevel=2)
        elif event is not None:
            raise event
        self.model_ = LogisticRegression().fit(X, y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


def scripted(script):
    """Return a `ScriptedClassifier` with a counter of its own."""
    return ScriptedClassifier(script, [])


def stable_id(value):
    """Name a parameter without the addresses that differ between test processes."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
