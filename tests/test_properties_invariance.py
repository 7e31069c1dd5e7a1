"""What must not change a search: the order of rows, names of groups, copies, rows of weight zero,
the number of processes. See doc/trust.md.
"""

import warnings
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from strategies import METRICS, Hostile, cases, largest_gap_of_means, problems

# Estimators to which neither order nor copies of rows make a difference, beyond rounding.
EXACT = {
    "classifiers": (
        LogisticRegression(solver="newton-cholesky", tol=1e-10),
        LogisticRegression(solver="newton-cholesky", tol=1e-10, C=0.1, fit_intercept=False),
        RidgeClassifier(),
        GaussianNB(),
    ),
    "regressors": (Ridge(), LinearRegression()),
}


def exact_problems(weighted=True, **options):
    """Return problems of estimators to which rows are what they count; a user's metric is not."""
    kept = {"metrics": tuple(m for m in METRICS if m is not largest_gap_of_means)}
    exact = dict(EXACT)
    if not weighted:  # GaussianNB smooths by a variance over rows, whatever they weigh
        options |= kept
        exact["classifiers"] = EXACT["classifiers"][:-1]
    return problems(**exact, cv=(None,), containers=("array", "frame", "sparse"), **options)


def fitted(problem, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return problem.fit(**params)


def take(data, rows):
    if data is None:
        return None
    return data.iloc[rows] if hasattr(data, "iloc") else data[rows]


def rows_of(problem, rows, sample_weight=None):
    """Return the problem on some rows, in their order."""
    weight = take(problem.sample_weight, rows) if sample_weight is None else sample_weight
    return replace(
        problem,
        X=take(problem.X, rows),
        y=problem.y[rows],
        groups=take(problem.groups, rows),
        sample_weight=weight,
    )


def assert_same(one, other, order=None):
    """Two fitted models are the same, up to rounding and the order of their cells."""
    order = slice(None) if order is None else order
    assert len(one.results_["metric"]) == len(other.results_["metric"])
    close = {"rtol": 1e-5, "atol": 1e-7}
    np.testing.assert_allclose(one.group_weights_, other.group_weights_[order], **close)
    np.testing.assert_allclose(one.metric_value_, other.metric_value_, **close)
    np.testing.assert_allclose(one.erm_metric_value_, other.erm_metric_value_, **close)
    np.testing.assert_allclose(one.scoring_value_, other.scoring_value_, **close)
    np.testing.assert_allclose(one.group_losses_, other.group_losses_[order], **close)


@cases(200)
@given(exact_problems(), st.integers(0, 2**32 - 1))
def test_order_of_rows(problem, seed):
    rows = np.random.default_rng(seed).permutation(len(problem.y))
    assert_same(fitted(problem), fitted(rows_of(problem, rows)))


@cases(150)
@given(exact_problems(), st.integers(0, 2**32 - 1))
def test_names_and_order_of_groups(problem, seed):
    labels = np.asarray(problem.groups)
    labels = labels if labels.ndim == 1 else np.array(["/".join(map(str, row)) for row in labels])
    unique, codes = np.unique(labels, return_inverse=True)
    names = np.array(["x", "y", "w", "z", "v"])[: len(unique)]
    renamed = np.random.default_rng(seed).permutation(names)
    one = fitted(replace(problem, groups=unique[codes]))
    other = fitted(replace(problem, groups=renamed[codes]))
    new_name = dict(zip(unique.tolist(), renamed.tolist(), strict=True))
    cells = [_renamed(cell, new_name) for cell in one.groups_.tolist()]
    assert_same(one, other, [other.groups_.tolist().index(cell) for cell in cells])


def _renamed(cell, new_name):
    return (new_name[cell[0]], *cell[1:]) if isinstance(cell, tuple) else new_name[cell]


@cases(150)
@given(exact_problems(weighted=False), st.integers(0, 2**32 - 1))
def test_copies_of_rows_are_integer_weights(problem, seed):
    counts = np.random.default_rng(seed).integers(1, 4, len(problem.y))
    rows = np.repeat(np.arange(len(problem.y)), counts)
    weighted = replace(problem, sample_weight=counts.astype(float))
    copied = rows_of(replace(problem, sample_weight=None), rows)
    assert_same(fitted(weighted), fitted(copied))


@cases(150)
@given(exact_problems(weighted=False), st.integers(0, 2**32 - 1))
def test_rows_of_weight_zero(problem, seed):
    rng = np.random.default_rng(seed)
    n = len(problem.y)
    base = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    extra = rng.choice(np.flatnonzero(base > 0), rng.integers(1, n))
    rows, where = np.append(np.arange(n), extra), rng.permutation(n + len(extra))
    padded = rows_of(problem, rows, np.append(base, np.zeros(len(extra))))
    # What such a row holds does not matter, as long as its cell is there.
    if sparse.issparse(padded.X):
        padded.X = sparse.vstack([padded.X[:n], 1e3 * padded.X[n:]]).tocsr()
    elif hasattr(padded.X, "iloc"):
        padded.X.iloc[n:] = 1e3 * padded.X.iloc[n:]
    else:
        padded.X[n:] = 1e3 * padded.X[n:]
    one = fitted(replace(problem, sample_weight=base))
    assert_same(one, fitted(rows_of(padded, where)))


@cases(60)
@given(problems(), st.sampled_from([2, 3]))
def test_threads_change_nothing(problem, n_jobs):
    check_backend(problem, "threading", n_jobs)


@cases(20)
@given(problems(solvers=("auto", "alternating")))
def test_processes_change_nothing(problem):
    check_backend(problem, "loky", 2)


def check_backend(problem, backend, n_jobs):
    """The same seed gives the same results one by one and several at a time."""
    model, error = outcome(problem, random_state=0)
    with parallel_config(backend=backend):
        other, other_error = outcome(problem, random_state=0, n_jobs=n_jobs)
    assert type(error) is type(other_error)
    if model is None:
        return
    assert model.results_.keys() == other.results_.keys()
    for name, column in model.results_.items():
        if name != "refit_time":
            np.testing.assert_array_equal(column, other.results_[name])
    np.testing.assert_array_equal(model.group_weights_, other.group_weights_)
    np.testing.assert_array_equal(model.predict(problem.X), other.predict(problem.X))


def outcome(problem, **params):
    try:
        return fitted(problem, **params), None
    except (ArithmeticError, ValueError) as error:  # a hostile estimator that took no weights
        assert isinstance(problem.estimator, Hostile)
        return None, error
