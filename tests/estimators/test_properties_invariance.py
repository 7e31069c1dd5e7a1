"""What must not change a point of a search, nor how good its result is: the order of rows, names of
groups, copies, rows of weight zero. The number of processes changes nothing. See doc/trust.md.
"""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from strategies import METRICS, Hostile, cases, largest_gap_of_means, problems

from skbadr.metrics import get_metric

# Estimators to which order and copies of rows make no difference, beyond rounding; GaussianNB
# smooths by a variance over rows, whatever they weigh.
CLASSIFIERS = (
    LogisticRegression(solver="newton-cholesky", tol=1e-10),
    LogisticRegression(solver="newton-cholesky", tol=1e-10, C=0.1, fit_intercept=False),
    RidgeClassifier(),
    GaussianNB(),
)
REGRESSORS = (Ridge(tol=1e-12), LinearRegression())
SEEDS = st.integers(0, 2**32 - 1)
# Folds are of other rows where these come in another order, or groups have other names.
ON_TRAINING_ROWS = (None,)
HELD_OUT = (None, None, None, 0.4, 2)
# Single loops that end after two to five iterations have not arrived; see test_order_of_rows.py.
STEADY = ("auto", "alternating", "implicit")


def exact_problems(*, counted=False, cv=ON_TRAINING_ROWS, **options):
    """Return problems whose estimator, or metric too, knows rows by what they weigh alone."""
    if counted:
        metrics = options.pop("metrics", METRICS)
        options["metrics"] = tuple(m for m in metrics if m is not largest_gap_of_means)
    classifiers = CLASSIFIERS[:-1] if counted else CLASSIFIERS
    containers = ("array", "frame", "sparse")
    drawn = problems(
        classifiers=classifiers, regressors=REGRESSORS, cv=cv, containers=containers, **options
    )
    return drawn.filter(is_solved_exactly)


def is_solved_exactly(problem):
    """Whether the estimator's own fit is more than an iteration that ends early."""
    return not (sparse.issparse(problem.X) and isinstance(problem.estimator, LinearRegression))


def quietly(function, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


def fitted(problem, **params):
    return quietly(lambda: problem.fit(**params))


def visit(problem, seed):
    """Return the evaluation of the baseline estimator and of some random weights of its cells."""
    bilevel = quietly(lambda: problem.setup().problem())
    draws = np.random.default_rng(seed).dirichlet(np.ones(bilevel.n_cells), 2)
    weights = [bilevel.shares, *map(bilevel.project, draws)]
    evaluations = quietly(lambda: [bilevel.evaluator(w) for w in weights])
    assume(all(map(is_decided, evaluations)))
    return bilevel.cells, weights, evaluations


def is_decided(evaluation):
    """Whether scores are more than rounding: else their signs, and the labels, are chance."""
    shown = evaluation.responses or {}
    scores = shown.get("decision_function", 1.0)
    if "predict_proba" in shown:
        scores = shown["predict_proba"] - 1.0 / shown["predict_proba"].shape[1]
    return bool(np.abs(scores).max() > 1e-12)


def revisit(problem, cells, weights):
    """Return the evaluations of the same weights on other data with these cells."""
    bilevel = quietly(lambda: problem.setup().problem())
    order = [bilevel.cells.labels.index(cell) for cell in cells]
    evaluations = []
    for own in weights:
        ordered = np.empty(len(own))
        ordered[order] = own
        evaluations.append(quietly(bilevel.evaluator, ordered))
    return order, evaluations


def assert_same_points(evaluations, others, order):
    for one, other in zip(evaluations, others, strict=True):
        assert one.failed == other.failed
        close = {"rtol": 1e-5, "atol": 1e-7}
        np.testing.assert_allclose(one.metric, other.metric, **close)
        np.testing.assert_allclose(one.score, other.score, **close)
        np.testing.assert_allclose(one.cell_losses, other.cell_losses[order], **close)


def reached(model):
    """Return what a search was for: excess and score with a bound, else metric and trade-off."""
    value, score = model.metric_value_, model.scoring_value_
    worse = -1.0 if get_metric(model.metric, model._task).greater_is_better else 1.0
    if model.bound is None:
        return [worse * value - model.trade_off * score]
    excess = max(0.0, worse * (value - model.bound))
    return [excess] if excess > 0 else [excess, score]


def assert_as_good(one, other):
    """Two fitted models reach the same within a thousandth, by whichever weights."""
    assert one.cells_.tolist() == other.cells_.tolist()
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(one.baseline_metric_value_, other.baseline_metric_value_, **close)
    np.testing.assert_allclose(reached(one), reached(other), rtol=1e-3, atol=1e-5)


def take(data, rows):
    if data is None:
        return None
    return data.iloc[rows] if hasattr(data, "iloc") else data[rows]


def rows_of(problem, rows, sample_weight=None):
    """Return the problem on some rows, in their order."""
    return replace(
        problem,
        X=take(problem.X, rows),
        y=problem.y[rows],
        groups=take(problem.groups, rows),
        sample_weight=take(problem.sample_weight, rows) if sample_weight is None else sample_weight,
    )


def permuted(problem, seed):
    return rows_of(problem, np.random.default_rng(seed).permutation(len(problem.y)))


def weighted_and_copied(problem, seed):
    """Return a problem with integer weights, and the same with copies of its rows."""
    counts = np.random.default_rng(seed).integers(1, 4, len(problem.y))
    rows = np.repeat(np.arange(len(problem.y)), counts)
    copied = rows_of(replace(problem, sample_weight=None), rows)
    return replace(problem, sample_weight=counts.astype(float)), copied


def padded(problem, seed):
    """Return a weighted problem, and the same with rows of weight zero between its own."""
    rng = np.random.default_rng(seed)
    n = len(problem.y)
    base = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    extra = rng.choice(np.flatnonzero(base > 0), rng.integers(1, n))
    rows = np.append(np.arange(n), extra)
    # Anywhere between the others, which keep their order.
    where = np.argsort(np.append(np.arange(n), rng.uniform(0, n, len(extra))))
    wide = rows_of(problem, rows, np.append(base, np.zeros(len(extra))))
    # What such a row holds does not matter, as long as its cell is there.
    if sparse.issparse(wide.X):
        wide.X = sparse.vstack([wide.X[:n], 1e3 * wide.X[n:]]).tocsr()
    elif hasattr(wide.X, "iloc"):
        wide.X = pd.concat([wide.X.iloc[:n], 1e3 * wide.X.iloc[n:]])
    else:
        wide.X[n:] = 1e3 * wide.X[n:]
    return replace(problem, sample_weight=base), rows_of(wide, where)


def flat(groups):
    """Return one label per sample."""
    labels = np.asarray(groups)
    return labels if labels.ndim == 1 else np.array(["/".join(map(str, row)) for row in labels])


@pytest.mark.slow
@cases(360)
@given(exact_problems(), SEEDS)
def test_order_of_rows_changes_no_point(problem, seed):
    cells, weights, evaluations = visit(problem, seed)
    order, others = revisit(permuted(problem, seed), cells.labels, weights)
    assert_same_points(evaluations, others, order)


@pytest.mark.slow
@cases(360)
@given(exact_problems(), SEEDS)
def test_names_and_order_of_groups_change_no_point(problem, seed):
    unique, codes = np.unique(flat(problem.groups), return_inverse=True)
    names = np.array(["x", "y", "w", "z", "v"])[: len(unique)]
    names = np.random.default_rng(seed).permutation(names)
    cells, weights, evaluations = visit(replace(problem, groups=unique[codes]), seed)
    renamed = dict(zip(unique.tolist(), names.tolist(), strict=True))
    labels = [
        (renamed[cell[0]], *cell[1:]) if isinstance(cell, tuple) else renamed[cell]
        for cell in cells.labels
    ]
    order, others = revisit(replace(problem, groups=names[codes]), labels, weights)
    assert_same_points(evaluations, others, order)


@pytest.mark.slow
@cases(360)
@given(exact_problems(counted=True), SEEDS)
def test_copies_of_rows_are_integer_weights_at_every_point(problem, seed):
    weighted, copied = weighted_and_copied(problem, seed)
    cells, weights, evaluations = visit(weighted, seed)
    order, others = revisit(copied, cells.labels, weights)
    assert_same_points(evaluations, others, order)


@pytest.mark.slow
@cases(360)
@given(exact_problems(counted=True, cv=HELD_OUT), SEEDS)
def test_rows_of_weight_zero_change_no_point(problem, seed):
    narrow, wide = padded(problem, seed)
    cells, weights, evaluations = visit(narrow, seed)
    order, others = revisit(wide, cells.labels, weights)
    assert_same_points(evaluations, others, order)


@pytest.mark.slow
@cases(45)
@given(exact_problems(solvers=STEADY), SEEDS)
def test_searches_are_as_good_in_any_order_of_rows(problem, seed):
    assert_as_good(fitted(problem), fitted(permuted(problem, seed)))


@pytest.mark.slow
@cases(45)
@given(exact_problems(counted=True, solvers=("implicit", "gd")), SEEDS)
def test_searches_are_as_good_with_copies_of_rows(problem, seed):
    weighted, copied = weighted_and_copied(problem, seed)
    assert_as_good(fitted(weighted), fitted(copied))


@pytest.mark.slow
@cases(45)
@given(exact_problems(counted=True, cv=HELD_OUT, solvers=STEADY), SEEDS)
def test_searches_are_as_good_with_rows_of_weight_zero(problem, seed):
    narrow, wide = padded(problem, seed)
    assert_as_good(fitted(narrow), fitted(wide))


@cases(40)
@given(problems(), st.sampled_from([2, 3]))
def test_threads_change_nothing(problem, n_jobs):
    check_backend(problem, "threading", n_jobs)


@cases(12)
@given(problems(solvers=("auto", "alternating")))
def test_processes_change_nothing(problem):
    check_backend(problem, "loky", 2)


def check_backend(problem, backend, n_jobs):
    """The same seed gives the same results one by one and several at a time."""
    model, error = outcome(problem, random_state=0)
    with parallel_config(backend=backend):
        other, other_error = outcome(problem, random_state=0, n_jobs=n_jobs)
    assert type(error) is type(other_error)
    if model is not None:
        assert_equal_results(model, other)
        np.testing.assert_array_equal(model.predict(problem.X), other.predict(problem.X))


def assert_equal_results(one, other):
    assert one.results_.keys() == other.results_.keys()
    for name, column in one.results_.items():
        if name != "refit_time":
            np.testing.assert_array_equal(column, other.results_[name])
    np.testing.assert_array_equal(one.cell_weights_, other.cell_weights_)


def outcome(problem, **params):
    try:
        return fitted(problem, **params), None
    except (ArithmeticError, ValueError) as error:  # of a hostile estimator that takes no weights
        assert isinstance(problem.estimator, Hostile)
        return None, error
