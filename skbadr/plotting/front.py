"""Display of a front: score against metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skbadr._typing import Array, ArrayLike, BoolArray, Float, FloatArray
from skbadr.estimators.base import BaseBADR
from skbadr.estimators.inputs.scoring import DEFAULTS
from skbadr.metrics import get_metric
from skbadr.plotting._style import LEGEND, keep_clear, new_axes, set_limits, style, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from skbadr.metrics import FairnessMetric
    from skbadr.pareto import ParetoPath


class ParetoFrontDisplay:
    """The front between score and fairness.

    Made by `from_path` or `from_estimator`.

    Parameters
    ----------
    score, metric : ndarray of shape (n_points,)
        Values of the points of the front.
    metric_name, score_name : str
        Titles of the axes.
    pareto_optimal : ndarray of shape (n_points,), bool, default=None
        Points that no other point beats in both score and metric; None: all points.
    visited : tuple of two ndarrays of shape (n_visited,), default=None
        Score and metric of all models that the search saw.
    baseline : tuple (score, metric), default=None
        Values of the baseline estimator.
    greater_is_better : bool, default=False
        Whether a larger metric is fairer.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The front.
    points_ : dict of str to matplotlib PathCollection
        Points that `add_points` drew, by label.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbadr import ParetoFrontDisplay, pareto_path
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> estimator = LogisticRegression(solver="newton-cholesky")
    >>> path = pareto_path(estimator, X, y, sensitive_features=X[:, 1] > 19, n_points=4)
    >>> display = ParetoFrontDisplay.from_path(path)  # doctest: +SKIP
    >>> display.add_points(0.9, 0.05, label="another model")  # doctest: +SKIP
    """

    score: FloatArray
    metric: FloatArray
    metric_name: str
    score_name: str
    pareto_optimal: BoolArray
    visited: tuple[ArrayLike, ArrayLike] | None
    baseline: tuple[Float, Float] | None
    greater_is_better: bool
    ax_: Axes
    figure_: Figure
    line_: Line2D
    points_: dict[str, PathCollection]

    def __init__(
        self,
        *,
        score: ArrayLike,
        metric: ArrayLike,
        metric_name: str,
        score_name: str,
        pareto_optimal: ArrayLike | None = None,
        visited: tuple[ArrayLike, ArrayLike] | None = None,
        baseline: tuple[Float, Float] | None = None,
        greater_is_better: bool = False,
    ) -> None:
        self.score, self.metric = np.asarray(score, dtype=float), np.asarray(metric, dtype=float)
        self.metric_name, self.score_name = metric_name, score_name
        if pareto_optimal is None:
            pareto_optimal = np.full(len(self.score), True)
        self.pareto_optimal = np.asarray(pareto_optimal, dtype=bool)
        self.visited, self.baseline = visited, baseline
        self.greater_is_better = greater_is_better

    @classmethod
    def from_path(
        cls, path: ParetoPath, *, ax: Axes | None = None, name: str = "BADR", **kwargs: Any
    ) -> Self:
        """Draw a front.

        Parameters
        ----------
        path : ParetoPath
            What `pareto_path` returned.
        ax, name, **kwargs
            See `plot`.

        Returns
        -------
        display : ParetoFrontDisplay
        """
        results = path.results
        display = cls(
            score=path.scores,
            metric=path.metric,
            metric_name=path.metric_name,
            score_name=path.score_name,
            pareto_optimal=path.pareto_optimal,
            visited=(results["score"], results["metric"]),
            baseline=(path.baseline_score, path.baseline_metric),
            greater_is_better=path.greater_is_better,
        )
        return display.plot(ax=ax, name=name, **kwargs)

    @classmethod
    def from_estimator(
        cls, estimator: BaseBADR, *, ax: Axes | None = None, name: str = "BADR", **kwargs: Any
    ) -> Self:
        """Draw the non-dominated models that the search of a BADR estimator saw.

        Parameters
        ----------
        estimator : BADRClassifier or BADRRegressor
            Fitted.
        ax, name, **kwargs
            See `plot`.

        Returns
        -------
        display : ParetoFrontDisplay
        """
        metric, results = search_of(estimator)
        optimal = results["pareto_optimal"]
        display = cls(
            score=results["score"][optimal],
            metric=results["metric"][optimal],
            metric_name=metric.name,
            score_name=name_of_score(estimator),
            visited=(results["score"], results["metric"]),
            baseline=(estimator.baseline_scoring_value_, estimator.baseline_metric_value_),
            greater_is_better=metric.greater_is_better,
        )
        display.plot(ax=ax, name=name, **kwargs)
        chosen = estimator.scoring_value_, estimator.metric_value_
        return display.add_points(*chosen, label="chosen", marker="*", s=150, color="#D55E00")

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str = "BADR",
        show_visited: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Draw the front.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: new ones.
        name : str, default="BADR"
            Name of the front in the legend.
        show_visited : bool, default=True
            Whether to show all models that the search saw, faintly.
        **kwargs : dict
            Options of the front's line.

        Returns
        -------
        display : ParetoFrontDisplay
            This one.
        """
        ax = new_axes(ax)
        self.ax_, self.points_ = ax, {}
        self.figure_ = ax.figure  # type: ignore[assignment]
        # Another front on the same axes stays in sight.
        self._seen = [list(ax.get_xlim()), list(ax.get_ylim())] if ax.has_data() else [[], []]
        if show_visited and self.visited is not None:
            score, metric = (np.asarray(values, dtype=float) for values in self.visited)
            ax.scatter(self._x(score), metric, s=14, color="0.6", alpha=0.5, linewidths=0,
                       label="visited", zorder=1)  # fmt: skip
        x, y = self._x(self.score), self.metric
        order = np.argsort(x, kind="stable")
        order = order[self.pareto_optimal[order]]
        options: dict[str, Any] = {
            "color": style(0)[0], "marker": "o", "markersize": 5, "linewidth": 1.4,
            "drawstyle": "steps-post", "label": name, "zorder": 3,
        } | kwargs  # fmt: skip
        (self.line_,) = ax.plot(x[order], y[order], **options)
        keep_clear(ax, self.line_)
        self._seen[0] += list(x[order])
        self._seen[1] += list(y[order])
        if self.baseline is not None:
            self.add_points(*self.baseline, label="baseline estimator", color="#000000", marker="s")
        ax.set_xlabel(self._x_name)
        better = "higher" if self.greater_is_better else "lower"
        ax.set_ylabel(f"{self.metric_name} ({better} is fairer)")
        tidy(ax)
        self._finish()
        return self

    def add_points(
        self, score: Float | ArrayLike, metric: Float | ArrayLike, *, label: str, **kwargs: Any
    ) -> Self:
        """Add other models to the picture.

        Parameters
        ----------
        score, metric : float or array-like
            Values in the front's own units, for example accuracy, although the picture shows the
            error.
        label : str
            In the legend.
        **kwargs : dict
            Options of matplotlib's scatter.

        Returns
        -------
        display : ParetoFrontDisplay
            This one.
        """
        if not hasattr(self, "ax_"):
            raise ValueError("there is no picture to add points to: call plot first.")
        scores: Array = np.atleast_1d(np.asarray(score, dtype=float))
        values: Array = np.atleast_1d(np.asarray(metric, dtype=float))
        if scores.shape != values.shape:
            raise ValueError(
                f"score and metric must be of equal length, got {len(scores)} and {len(values)}."
            )
        color, marker = style(len(self.points_) + 1)
        options: dict[str, Any] = {
            "color": color, "marker": marker, "s": 55, "edgecolors": "white", "linewidths": 0.8,
            "zorder": 4,
        } | kwargs  # fmt: skip
        self.points_[label] = self.ax_.scatter(self._x(scores), values, label=label, **options)
        self._seen[0] += list(self._x(scores))
        self._seen[1] += list(values)
        self._finish()
        return self

    def _finish(self):
        # Models far off the front, which the search also saw, must not squeeze the others.
        set_limits(self.ax_.set_xlim, self._seen[0])
        set_limits(self.ax_.set_ylim, self._seen[1])
        # With several fronts on the axes each label is named once.
        named = {
            label: handle
            for handle, label in zip(*self.ax_.get_legend_handles_labels(), strict=True)
        }
        self.ax_.legend(named.values(), named.keys(), **LEGEND)

    def _x(self, score):
        if self.score_name == "accuracy":
            return 1.0 - score
        if self.score_name == "neg_mean_squared_error":
            return np.sqrt(np.maximum(-score, 0.0))
        return -score

    @property
    def _x_name(self):
        names = {"accuracy": "error (1 - accuracy)", "neg_mean_squared_error": "RMSE"}
        name = self.score_name
        return names.get(name, name[4:] if name.startswith("neg_") else f"-{name}")


def search_of(estimator: BaseBADR) -> tuple[FairnessMetric, dict[str, Array]]:
    """Return the metric object and the `results_` of a fitted BADR estimator."""
    if not isinstance(estimator, BaseBADR):
        raise TypeError(
            f"estimator must be a fitted BADRClassifier or BADRRegressor, got "
            f"{type(estimator).__name__}: use from_path with what pareto_path returns."
        )
    check_is_fitted(estimator)
    return get_metric(estimator.metric, estimator._task), estimator.results_


def name_of_score(estimator: BaseBADR) -> str:
    """Return the name of the score that a BADR estimator protects."""
    scoring = estimator.scoring or DEFAULTS[estimator._task]
    return getattr(scoring, "__name__", str(scoring))
