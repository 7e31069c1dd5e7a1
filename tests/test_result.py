"""The archive of visited points, and which of them are Pareto-optimal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skbadr.metrics import get_metric
from skbadr.problem import UpperObjective
from skbadr.result import Archive, Evaluation, hypervolume, non_dominated


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


costs = st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan, np.inf])


@given(hnp.arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=costs))
def test_non_dominated_is_the_definition(points):
    defined = ~np.isnan(points).any(axis=1)
    expected = [
        bool(defined[i]) and not any(dominates(other, point) for other in points[defined])
        for i, point in enumerate(points)
    ]
    mask = non_dominated(*points.T)
    assert mask.dtype == bool
    assert mask.tolist() == expected
    if defined.any():
        assert mask.any()


@given(
    hnp.arrays(int, st.tuples(st.integers(0, 8), st.just(2)), elements=st.integers(0, 6)),
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
def test_hypervolume_counts_the_dominated_squares(points, reference):
    """On a grid, against counting unit squares."""
    count = sum(
        any(x <= a and y <= b for x, y in points)
        for a in range(reference[0])
        for b in range(reference[1])
    )
    assert hypervolume(*points.T, reference=reference) == count


def test_hypervolume_ignores_undefined_points():
    assert hypervolume([np.nan, 1.0], [0.0, 1.0], reference=(2.0, 2.0)) == 1.0


def make_archive(metric="demographic_parity", **options):
    return Archive(UpperObjective(get_metric(metric), **options))


def evaluation(metric, score, **options):
    options = {"cell_weights": np.array([0.5, 0.5]), "cell_losses": np.zeros(2)} | options
    return Evaluation(metric=metric, score=score, model=object(), **options)


@pytest.mark.parametrize(
    ("options", "best"),
    [
        ({}, 3),  # the metric, ties by the score
        ({"trade_off": 1.0}, 1),  # metric - score
        ({"bound": 0.25}, 1),  # the best score within the bound
        ({"bound": 0.05}, 3),  # missed by all: the nearest
    ],
)
def test_best_follows_the_objective(options, best):
    archive = make_archive(**options)
    visited = [evaluation(0.5, 0.9), evaluation(0.2, 0.8), evaluation(0.1, 0.3),
               evaluation(0.1, 0.4), evaluation(np.nan, 1.0)]  # fmt: skip
    for e in visited:
        archive.add(e)
    assert archive.best is visited[best]


def test_ratios_are_maximised():
    archive = make_archive("demographic_parity_ratio")
    improved = [archive.add(evaluation(value, 0.5)) for value in (0.4, 0.9, 0.7, np.nan)]
    assert improved == [True, True, False, False]
    assert archive.best.metric == 0.9


def test_only_the_best_keeps_its_model():
    archive = make_archive()
    for value in (0.3, 0.4, 0.1, 0.2):
        archive.add(evaluation(value, 0.5))
    kept = [e.metric for e in archive.evaluations if e.model is not None]
    assert kept == [0.1]


def test_the_first_of_equals_is_kept():
    archive = make_archive()
    archive.add(evaluation(0.1, 0.5))
    assert archive.add(evaluation(0.1, 0.5)) is False
    assert archive.best is archive.evaluations[0]


@pytest.mark.parametrize("metric", [0.4, np.nan])
def test_failed_refits_are_never_the_best_of_others(metric):
    archive = make_archive()
    failed = evaluation(np.nan, np.nan, error=RuntimeError("singular"))
    archive.add(failed)
    archive.add(evaluation(metric, 0.5))
    archive.add(evaluation(np.nan, np.nan, error=RuntimeError("singular")))
    assert archive.best is archive.evaluations[1]


def test_counts():
    archive = make_archive()
    archive.add(evaluation(0.3, 0.5, n_refits=5, iteration=1))
    archive.add(evaluation(0.3, 0.5, n_refits=2, iteration=4, error=RuntimeError()))
    archive.add(evaluation(0.2, 0.5, n_refits=5, iteration=3))
    assert archive.n_refits == 12
    assert archive.n_iter == 4


def test_results_are_arrays_of_one_length():
    archive = make_archive()
    archive.add(evaluation(0.3, 0.8, origin="baseline", iteration=1, refit_time=0.25))
    archive.add(evaluation(0.4, 0.7, origin="tilt", iteration=1, constant=True))
    archive.add(
        Evaluation(
            np.array([0.1, 0.9]), cell_losses=np.full(2, np.nan), iteration=2, error=OSError()
        )
    )
    archive.add(evaluation(0.1, 0.6, iteration=2))
    results = archive.as_dict()
    assert {len(column) for column in results.values()} == {4}
    assert all(isinstance(column, np.ndarray) for column in results.values())
    assert results["cell_weights"].shape == results["cell_losses"].shape == (4, 2)
    assert results["metric"].tolist()[:2] == [0.3, 0.4]
    assert results["pareto_optimal"].tolist() == [True, False, False, True]
    assert results["failed"].tolist() == [False, False, True, False]
    assert results["constant"].tolist() == [False, True, False, False]
    assert results["origin"].tolist()[:2] == ["baseline", "tilt"]
    assert results["iteration"].tolist() == [1, 1, 2, 2]
    assert results["refit_time"][0] == 0.25


def test_pareto_optimal_knows_that_ratios_are_maximised():
    archive = make_archive("demographic_parity_ratio")
    for value, score in ((0.9, 0.5), (0.8, 0.9), (0.7, 0.8)):
        archive.add(evaluation(value, score))
    assert archive.as_dict()["pareto_optimal"].tolist() == [True, True, False]
