"""The front between score and fairness as a sequence of bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning

from skbadr._typing import (
    CV,
    ArrayLike,
    Columns,
    Estimator,
    Features,
    Float,
    Int,
    MemoryLike,
    MetricLike,
    Numbers,
    Partition,
    RandomState,
    Scoring,
    SolverName,
)
from skbadr._warnings import hold_warnings, warn_user
from skbadr.estimators import BADRClassifier, BADRRegressor
from skbadr.estimators.base import BaseBADR
from skbadr.lower_level import NotSmooth, smooth_border
from skbadr.pareto.points import ParetoPath
from skbadr.pareto.visited import check_bounds, in_order
from skbadr.solvers import ImplicitSolver
from skbadr.solvers.path import AlternatingPath, LinearisedPath

if TYPE_CHECKING:
    from skbadr.solvers import UpperSolver

__all__ = ["ParetoPath", "pareto_path"]


def pareto_path(
    estimator: Estimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sensitive_features: Features | None = None,
    metric: MetricLike = "demographic_parity",
    n_points: Int = 10,
    bounds: Numbers | None = None,
    confidence: Float | None = None,
    partition: Partition = "auto",
    solver: SolverName | UpperSolver = "auto",
    scoring: Scoring | None = None,
    cv: CV | None = "auto",
    sensitive_columns: Columns | None = None,
    control_features: Features | None = None,
    control_columns: Columns | None = None,
    intersectional: bool = True,
    sample_weight: ArrayLike | None = None,
    max_iter: Int | None = None,
    tol: Float = 1e-4,
    min_weight: Float = 1e-6,
    n_target_bins: Int = 2,
    memory: MemoryLike | None = None,
    n_jobs: Int | None = None,
    random_state: RandomState | None = None,
    **fit_params: Any,
) -> ParetoPath:
    r"""Return the front between score and fairness: the best score under each of some bounds.

    The walk goes from loose to tight bounds. Each bound starts at the best point known, and every
    visited point serves all bounds. For linear models with a smooth objective the whole walk costs
    a few baseline fits. Models are fitted when you ask for them.

    Parameters
    ----------
    estimator : classifier, regressor or Pipeline
        Its (last step's) fit takes ``sample_weight``.
    X : array-like, DataFrame or sparse matrix of shape (n, d)
        Passed on to the estimator as it is.
    y : array-like of shape (n,)
        Labels of any dtype, or real targets.
    sensitive_features : array-like of shape (n,) or (n, m), default=None
        Group of each sample; not needed if `sensitive_columns` is given.
    metric : str, callable, FairnessMetric or mapping, default="demographic_parity"
        What is bounded, as in `BADRClassifier`. The bounds of a mapping are scaled together: at 1
        they are those of the mapping, at 2 they are twice as wide.
    n_points : int, default=10
        Number of bounds if `bounds` is None.
    bounds : array-like of shape (n_points,), default=None
        Bounds on the metric (from below, if greater is better). None: evenly spaced, from the
        baseline estimator's value to the best value there is. If the best value is not known, as
        for a function of your own, they end at the best value that was found.
    confidence : float, default=None
        Confidence with which bounds hold on new rows, as in `BADRClassifier`. The bounds are then
        bounds on the confidence limits.
    partition : {"auto", "group", "group_target"} or callable, default="auto"
        As in `BADRClassifier` and `BADRRegressor` with a bound.
    solver, scoring, cv, sensitive_columns, tol, min_weight, n_target_bins
        As in `BADRClassifier` and `BADRRegressor`.
    control_features, control_columns, intersectional
        As in the `fit` and in the constructors of these estimators.
    memory, n_jobs, random_state
        As in `BADRClassifier` and `BADRRegressor`.
    sample_weight : array-like of shape (n,), default=None
        Base weights.
    max_iter : int, default=None
        Budget of refits of the whole walk; None: a few for each bound.
    **fit_params : dict
        Passed on to the estimator's fit.

    Returns
    -------
    path : ParetoPath
        A Bunch of equal-length arrays, one entry per bound from loose to tight, with the methods
        `model`, `fit_models`, `predictions` and `at`. The path keeps the training data. A file of
        the path does not.

    Raises
    ------
    ValueError, TypeError
        For bad arguments, before any fit, in one sentence that names the argument.

    Warns
    -----
    ConvergenceWarning
        If the walk was interrupted.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, for the problem at one bound.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbadr import pareto_path
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat(["a", "b"], 200)
    >>> X = rng.normal(size=(400, 2)) + (group == "b")[:, None]
    >>> y = (X[:, 0] + rng.normal(size=400) > 0.5).astype(int)
    >>> path = pareto_path(LogisticRegression(), X, y, sensitive_features=group, n_points=4)
    >>> bool((path.metric <= path.bounds).all())
    True
    >>> fairest = path.model(3)
    """
    badr = _make_badr(
        estimator,
        metric=metric,
        partition=partition,
        solver=solver,
        scoring=scoring,
        cv=cv,
        confidence=confidence,
        sensitive_columns=sensitive_columns,
        control_columns=control_columns,
        intersectional=intersectional,
        max_iter=max_iter,
        tol=tol,
        min_weight=min_weight,
        n_target_bins=n_target_bins,
        memory=memory,
        n_jobs=n_jobs,
        random_state=random_state,
    )
    bounds = check_bounds(bounds, n_points)
    setup = badr._set_up(
        X,
        y,
        sensitive_features,
        sample_weight,
        fit_params,
        control_features=control_features,
        walks_bounds=True,
    )
    with hold_warnings():
        visited, bounds = _walk(setup, bounds, n_points, max_iter)
    return ParetoPath._make(setup, visited, bounds)


def _make_badr(estimator, **options):
    if isinstance(estimator, BaseBADR):
        raise TypeError(
            f"estimator is itself a {type(estimator).__name__}: pass the estimator that it wraps, "
            "or take the front of its own search by ParetoPath.from_estimator."
        )
    kind = BADRRegressor if is_regressor(estimator) else BADRClassifier
    if kind is BADRClassifier:
        del options["n_target_bins"]
    return kind(estimator, **options)


def _walk(setup, bounds, n_points, max_iter):
    """Return what was visited and the bounds, from loose to tight."""
    problem, metric = setup.problem(), setup.metric
    given = bounds is not None
    if given:
        bounds = in_order(metric, bounds)
    search, fallback = None, AlternatingPath(problem, max_refits=max_iter)
    try:
        if isinstance(setup.solver, ImplicitSolver):
            tolerance = setup.solver.inner_tol
            try:
                with smooth_border():
                    search = LinearisedPath(
                        problem, max_refits=max_iter, inner_tol=tolerance,
                        settings=setup.solver.settings,
                    )  # fmt: skip
                    search.begin()
            except NotSmooth:  # its own solver stops early, say
                search = None
        if search is None:
            search = fallback
            search.begin()
        if not given:
            bounds = _spaced(metric, search.baseline, search, n_points)
        search.walk(bounds)
    except KeyboardInterrupt:
        if search is None or search.baseline is None:
            raise
        warn_user(
            "the walk was interrupted: tighter bounds have what earlier ones visited.",
            ConvergenceWarning,
        )
    visited = search.visited()
    if not given:
        bounds = _within_reach(metric, search.baseline, visited, bounds, n_points)
    return visited, bounds


def _spaced(metric, baseline, search, n_points):
    if np.isnan(baseline.metric):
        raise ValueError(
            f"{metric.name} is undefined for the baseline estimator, so that no bounds can be "
            "chosen between its value and the best: give bounds."
        )
    ideal = metric.ideal
    if ideal is not None:
        # The ideal itself is left out: a model may have to be constant for it.
        return baseline.metric + (ideal - baseline.metric) * np.arange(n_points) / n_points
    return np.linspace(baseline.metric, search.lowest().metric, n_points)


def _within_reach(metric, baseline, visited, bounds, n_points):
    """Return the bounds, or others where the tightest of them was out of reach."""
    if bounds is None:  # interrupted before there were any
        return np.array([baseline.metric])
    values = np.array([e.metric for e in visited if not np.isnan(e.metric)])
    best = values.max() if metric.greater_is_better else values.min()
    missed = best < bounds[-1] if metric.greater_is_better else best > bounds[-1]
    bounds = np.linspace(baseline.metric, best, n_points) if missed else bounds
    return in_order(metric, np.unique(bounds))
