"""The points of a front, and the models behind them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch

from skbadr._guard import Guard
from skbadr._parallel import run_tasks
from skbadr._typing import (
    Array,
    ArrayLike,
    BoolArray,
    Features,
    Float,
    FloatArray,
    Int,
    Numbers,
    Partition,
)
from skbadr._warnings import hold_warnings, warn_user
from skbadr.estimators.inputs.scoring import DEFAULTS
from skbadr.estimators.outcome.store import label_array
from skbadr.pareto.fits import fit_nearest
from skbadr.pareto.visited import visited_by
from skbadr.problem import UpperObjective
from skbadr.result import Archive, non_dominated

if TYPE_CHECKING:
    from skbadr.estimators.base import BaseBADR

# How often a bound that the estimator's own fit misses is tried again, further inside it.
ATTEMPTS = 4


class ParetoPath(Bunch):
    """The best visited model under each of some bounds, from loose to tight.

    Values are those of the search until a point's model is fitted, and then those of the fitted
    model. A file of the path, as pickle writes one, keeps the fitted models and no training data,
    so no other models can be fitted from the file.

    Attributes
    ----------
    bounds : ndarray of shape (n_points,)
    cell_weights : ndarray of shape (n_points, K)
        Weights of the cells, on the simplex.
    scores, metric : ndarray of shape (n_points,)
        Values on the training data, or on held-out data if `cv` was given.
    metric_upper : ndarray of shape (n_points,) or None
        Confidence limits of the metric, if a confidence was given. The bounds then apply to these
        limits.
    cell_losses : ndarray of shape (n_points, K)
        Mean loss of each cell.
    met : ndarray of shape (n_points,), bool
        Whether the metric meets the bound.
    pareto_optimal : ndarray of shape (n_points,), bool
        Whether no other point of the front is better in metric and score.
    partition : {"group", "group_target"} or callable
        What carries the weights.
    cells : ndarray of shape (K,)
        Labels of the cells.
    metric_name, loss_name, score_name : str
    greater_is_better : bool
        Whether a larger metric is fairer.
    baseline_metric, baseline_score : float
        Values of the baseline estimator.
    results : dict of ndarrays
        All visited points, like `results_` of `BADRClassifier`.
    n_refits : int
        Fits of the estimator itself during the search.
    """

    bounds: FloatArray
    cell_weights: FloatArray
    scores: FloatArray
    metric: FloatArray
    metric_upper: FloatArray | None
    cell_losses: FloatArray
    met: BoolArray
    pareto_optimal: BoolArray
    cells: Array
    partition: Partition
    metric_name: str
    loss_name: str
    score_name: str
    greater_is_better: bool
    baseline_metric: float
    baseline_score: float
    results: dict[str, Array]
    n_refits: int

    @classmethod
    def from_estimator(
        cls,
        model: BaseBADR,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sensitive_features: Features | None = None,
        sample_weight: ArrayLike | None = None,
        bounds: Numbers | None = None,
        **fit_params: Any,
    ) -> Self:
        """Return the front of what a fitted BADR estimator visited, without a new search.

        Parameters
        ----------
        model : BADRClassifier or BADRRegressor
            Fitted.
        X, y, sensitive_features, sample_weight, **fit_params
            As passed to the fit of `model`. The models of the path are fitted on these data.
        bounds : array-like, default=None
            None: the metric of each non-dominated point.

        Returns
        -------
        path : ParetoPath

        Raises
        ------
        TypeError
            If `model` is another estimator.
        ValueError
            If the data do not have the cells that the model was fitted on.
        """
        given = {"sensitive_features": sensitive_features, "sample_weight": sample_weight}
        return cls._make(*visited_by(model, X, y, bounds=bounds, **given, **fit_params))

    @classmethod
    def _make(cls, setup, visited, bounds):
        """Return the path of some evaluations, the first being the baseline estimator's."""
        metric, bounds = setup.metric, np.asarray(bounds, dtype=float)
        archive = Archive(UpperObjective(metric))
        archive.evaluations = visited
        scoring = setup.owner.scoring or DEFAULTS[setup.owner._task]
        path = cls(
            bounds=bounds,
            partition=setup.partition,
            cells=label_array(setup.cells.labels),
            metric_name=metric.name,
            loss_name=setup.loss,
            score_name=getattr(scoring, "__name__", str(scoring)),
            greater_is_better=bool(metric.greater_is_better),
            baseline_metric=archive.as_dict()["metric"][0],
            baseline_score=visited[0].score,
            results=archive.as_dict(),
            n_refits=archive.n_refits,
        )
        return path._begin(setup, metric, visited)

    def _begin(self, setup, metric, visited):
        # Not items: what models are fitted from, and those that are.
        vars(self).update(_setup=setup, _metric=metric, _visited=visited, _fitted={})
        self._choose([self._candidates(bound)[0] for bound in self.bounds])
        return self

    def _choose(self, chosen):
        vars(self)["_chosen"] = chosen
        self.cell_weights = np.array([e.cell_weights for e in chosen])
        self.scores = np.array([e.score for e in chosen])
        bounded = self.metric = np.array([e.metric for e in chosen])
        values, self.metric_upper = np.array([e.value for e in chosen]), None
        if not np.isnan(values).all():
            self.metric, self.metric_upper = values, bounded
        self.cell_losses = np.array([e.cell_losses for e in chosen])
        objective = UpperObjective(self._metric)
        self.pareto_optimal = non_dominated(objective.cost(bounded), -self.scores)
        pairs = zip(chosen, self.bounds, strict=True)
        self.met = np.array([self._objective(bound).is_met(e) for e, bound in pairs])

    def _objective(self, bound):
        return UpperObjective(self._metric, bound=float(bound))

    def _candidates(self, bound):
        """Return what was visited, best first, then only what is ever further inside the bound."""
        objective = self._objective(bound)
        usable = [e for e in self._visited if not e.failed]
        # Of equal ones, a fit of the estimator itself.
        ranked = sorted(usable, key=lambda e: (objective.key(e), e.origin != "final"))
        chosen = ranked[:1]
        for evaluation in ranked[1:]:
            if objective.cost(evaluation.metric) < objective.cost(chosen[-1].metric) - 1e-3:
                chosen.append(evaluation)
        return chosen

    def at(self, bounds: Float | Numbers) -> Self:
        """Return the path of other bounds, from the points that are known: without a search.

        Parameters
        ----------
        bounds : float or array-like
            On the metric.

        Returns
        -------
        path : ParetoPath
        """
        values = np.unique(np.atleast_1d(np.asarray(bounds, dtype=float)))
        if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
            raise ValueError(f"bounds must be finite numbers, got {bounds!r}.")
        values = values if self.greater_is_better else values[::-1]
        other = type(self)(**{**self, "bounds": values})
        return other._begin(self._setup, self._metric, self._visited)

    def model(self, index: Int) -> Any:
        """Return the model of one point, fitted when first asked for.

        ``clone(estimator).fit(X, y, sample_weight)`` at the point's weights. Where that fit
        misses the bound by the tolerance of its own solver, points further inside are tried.

        Parameters
        ----------
        index : int
            Into the arrays; negative ones count from the tightest bound.

        Returns
        -------
        model : fitted estimator

        Warns
        -----
        ConvergenceWarning
            If the fitted model misses the bound.
        """
        return self.fit_models(indices=[index])[0]

    def fit_models(
        self, *, indices: Iterable[Int] | None = None, n_jobs: Int | None = None
    ) -> list[Any]:
        """Return the models of points, fitted in parallel unless they are already.

        Parameters
        ----------
        indices : sequence of int, default=None
            None: all points.
        n_jobs : int, default=None
            Fits at a time, through joblib.

        Returns
        -------
        models : list of fitted estimators
            Points of equal weights share a model.

        Raises
        ------
        ValueError
            If a model is not fitted and the path comes from a file, which holds no training data.

        Warns
        -----
        ConvergenceWarning
            If a fitted model misses its bound.
        """
        indices = self._indices(indices)
        # One task per set of weights, under the tightest of their bounds.
        missing = [i for i in indices if i not in self._fitted]
        if missing and self._setup is None:
            raise ValueError(
                f"this path was saved before the models of the points {missing} were fitted, and a "
                "file keeps no training data: call fit_models() before saving, or train the "
                "estimator with the point's weights."
            )
        todo = sorted({self._chosen[i].cell_weights.tobytes(): i for i in missing}.values())
        n_jobs = n_jobs if len(todo) > 1 else 1
        tasks = [(self._setup, self._objective(self.bounds[i]), self._tries(i)) for i in todo]
        with hold_warnings():
            found = list(run_tasks(fit_nearest, tasks, n_jobs))
            chosen = list(self._chosen)
            for i, (model, evaluation) in zip(todo, found, strict=True):
                same = chosen[i].cell_weights
                for j in indices:
                    if np.array_equal(self._chosen[j].cell_weights, same):
                        self._fitted[j], chosen[j] = model, evaluation
                self._report(i, evaluation)
            self._choose(chosen)
        return [self._fitted[i] for i in indices]

    def _tries(self, index):
        """Return weights to fit at: the point's, and further inside where it meets the bound."""
        inside = self._candidates(self.bounds[index])[1:ATTEMPTS] if self.met[index] else []
        return [self._chosen[index], *inside]

    def _report(self, index, evaluation):
        for message, category in evaluation.warnings:
            warn_user(message, category)
        if not self._objective(self.bounds[index]).is_met(evaluation):
            sign = ">=" if self.greater_is_better else "<="
            warn_user(
                f"the model of point {index} has {self.metric_name} {evaluation.metric:.4g}, not "
                f"{sign} {self.bounds[index]:.4g}: no visited weights give less.",
                ConvergenceWarning,
            )

    def _indices(self, indices):
        n_points = len(self.bounds)
        checked = []
        for index in range(n_points) if indices is None else indices:
            if isinstance(index, bool) or not isinstance(index, Integral):
                raise TypeError(f"a point of the path is chosen by its index, got {index!r}.")
            if not -n_points <= index < n_points:
                raise IndexError(f"the path has {n_points} points, there is no point {index}.")
            checked.append(int(index) % n_points)
        return checked

    def predictions(self, X: ArrayLike, *, n_jobs: Int | None = None) -> dict[str, Array]:
        """Return what the models of all points predict.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Any rows.
        n_jobs : int, default=None
            For the models that are not fitted yet.

        Returns
        -------
        y_preds : dict of str to ndarray of shape (n,)
            By bound, what ``fairlearn.metrics.plot_model_comparison(y_preds=...)`` takes.
        """
        models = self.fit_models(n_jobs=n_jobs)
        # None of them sees what another one has made of X.
        return {
            self.label(i): Guard(model).call(model.predict, X) for i, model in enumerate(models)
        }

    def label(self, index: Int) -> str:
        """Return the name of a point: the metric and its bound.

        Parameters
        ----------
        index : int
            Into the arrays.

        Returns
        -------
        name : str
        """
        sign = ">=" if self.greater_is_better else "<="
        texts = [f"{bound:.4g}" for bound in self.bounds]
        text = texts[index] if len(set(texts)) == len(texts) else repr(float(self.bounds[index]))
        return f"{self.metric_name} {sign} {text}"

    def __getstate__(self):
        # What was visited, without what was predicted of the training rows.
        slim = {id(e): _slim(e) for e in (*self._visited, *self._chosen)}
        return vars(self) | {
            "_setup": None,
            "_visited": [slim[id(e)] for e in self._visited],
            "_chosen": [slim[id(e)] for e in self._chosen],
        }

    def __deepcopy__(self, memo):
        # Copies in memory share the training data, which files leave out.
        other = type(self)(**{name: deepcopy(value, memo) for name, value in self.items()})
        vars(other).update(vars(self) | {"_fitted": deepcopy(self._fitted, memo)})
        return other

    def __copy__(self):
        other = type(self)(**self)
        vars(other).update(vars(self))
        return other

    def __setstate__(self, state):
        vars(self).update(state)


def _slim(evaluation):
    """Return an evaluation without its rows, its model and what an exception may quote."""
    error = RuntimeError("the refit failed during the search.") if evaluation.failed else None
    empty = {"statistics": None, "responses": None, "model": None, "warnings": []}
    return replace(evaluation, error=error, **empty)
