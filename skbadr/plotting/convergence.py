"""Display of a search: what each visited model gained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skbadr._typing import Array, ArrayLike, Float, FloatArray, IntArray
from skbadr.plotting._style import LEGEND, keep_clear, new_axes, style, tidy
from skbadr.plotting.front import name_of_score, search_of
from skbadr.problem import UpperObjective
from skbadr.result import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from skbadr.estimators.base import BaseBADR


class ConvergenceDisplay:
    """Metric and score of every model that a search visited, and of the best so far.

    Made by `from_estimator`.

    Parameters
    ----------
    metric, score : ndarray of shape (n_visited,)
        Values in the order of the search; the baseline estimator is the first.
    best : ndarray of shape (n_visited,), int
        Index of the best model after each visit.
    metric_name, score_name : str
        Titles of the axes.
    bound : float, default=None
        Bound on the metric, drawn as a line.

    Attributes
    ----------
    axes_ : ndarray of two matplotlib Axes
        Axes of the metric and of the score.
    figure_ : matplotlib Figure
    lines_ : list of two matplotlib Line2D
    """

    metric: FloatArray
    score: FloatArray
    best: IntArray
    metric_name: str
    score_name: str
    bound: Float | None
    axes_: Array
    figure_: Figure
    lines_: list[Line2D]

    def __init__(
        self,
        *,
        metric: ArrayLike,
        score: ArrayLike,
        best: ArrayLike,
        metric_name: str,
        score_name: str,
        bound: Float | None = None,
    ) -> None:
        self.metric, self.score = np.asarray(metric, dtype=float), np.asarray(score, dtype=float)
        self.best, self.bound = np.asarray(best), bound
        self.metric_name, self.score_name = metric_name, score_name

    @classmethod
    def from_estimator(
        cls, estimator: BaseBADR, *, ax: Sequence[Axes] | Array | None = None, **kwargs: Any
    ) -> Self:
        """Draw the search of a fitted BADR estimator.

        Parameters
        ----------
        estimator : BADRClassifier or BADRRegressor
            Fitted.
        ax, **kwargs
            See `plot`.

        Returns
        -------
        display : ConvergenceDisplay
        """
        metric, results = search_of(estimator)
        bound = estimator.bound if metric.own_bound is None else metric.own_bound
        objective = UpperObjective(metric, trade_off=estimator.trade_off, bound=bound)
        visited = [
            Evaluation(weights, metric=value, score=score)
            for weights, value, score in zip(
                results["cell_weights"], results["metric"], results["score"], strict=True
            )
        ]
        best, leaders = 0, []
        for i, evaluation in enumerate(visited):
            if objective.key(evaluation) < objective.key(visited[best]):
                best = i
            leaders.append(best)
        display = cls(
            metric=results["metric"],
            score=results["score"],
            best=leaders,
            metric_name=metric.name,
            score_name=name_of_score(estimator),
            bound=bound,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Sequence[Axes] | Array | None = None, **kwargs: Any) -> Self:
        """Draw the search.

        Parameters
        ----------
        ax : two matplotlib Axes, default=None
            For the metric and for the score; None: new ones, one below the other.
        **kwargs : dict
            Options of the lines of the best so far.

        Returns
        -------
        display : ConvergenceDisplay
            This one.
        """
        axes = new_axes(ax, 2, sharex=True)
        self.axes_, self.figure_, self.lines_ = axes, axes[0].figure, []
        number = np.arange(1, len(self.metric) + 1)
        color = style(0)[0]
        for axis, values, name in zip(
            axes, (self.metric, self.score), (self.metric_name, self.score_name), strict=True
        ):
            axis.scatter(number, values, s=16, color="0.6", linewidths=0, label="visited", zorder=3)
            options: dict[str, Any] = {
                "color": color, "linewidth": 1.6, "drawstyle": "steps-post", "label": "best so far",
            } | kwargs  # fmt: skip
            self.lines_ += axis.plot(number, values[self.best], **options)
            keep_clear(axis, self.lines_[-1])
            axis.set_ylabel(name)
            tidy(axis)
        if self.bound is not None:
            axes[0].axhline(self.bound, color="0.4", linewidth=1, linestyle=":",
                            label=f"bound {self.bound:.4g}")  # fmt: skip
        axes[0].legend(**LEGEND)
        axes[1].set_xlabel("visited models")
        axes[1].xaxis.get_major_locator().set_params(integer=True)
        return self
