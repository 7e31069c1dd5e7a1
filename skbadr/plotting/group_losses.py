"""Display of the cells' losses along a front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skbadr._typing import Array, ArrayLike, Float, FloatArray
from skbadr.estimators.base import BaseBADR
from skbadr.plotting._style import new_axes, style, tidy
from skbadr.plotting.front import search_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from skbadr.pareto import ParetoPath


class GroupLossesDisplay:
    """The cells' mean losses along a front: who pays for fairness.

    Made by `from_path` or `from_estimator`.

    Parameters
    ----------
    metric : ndarray of shape (n_points,)
        Values of the points of the front.
    cell_losses : ndarray of shape (n_points, K)
        Mean loss of each cell at each point.
    cells : sequence of length K
        Labels of the cells.
    metric_name, loss_name : str
        Titles of the axes.
    baseline : tuple (metric, losses of shape (K,)), default=None
        Values of the baseline estimator.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        One for each cell.
    """

    metric: FloatArray
    cell_losses: FloatArray
    cells: list[Any]
    metric_name: str
    loss_name: str
    baseline: tuple[Float, Sequence[Float] | Array] | None
    ax_: Axes
    figure_: Figure
    lines_: list[Line2D]

    def __init__(
        self,
        *,
        metric: ArrayLike,
        cell_losses: ArrayLike,
        cells: Sequence[Any] | Array,
        metric_name: str,
        loss_name: str,
        baseline: tuple[Float, Sequence[Float] | Array] | None = None,
    ) -> None:
        self.metric = np.asarray(metric, dtype=float)
        self.cell_losses = np.asarray(cell_losses, dtype=float)
        self.cells, self.baseline = list(cells), baseline
        self.metric_name, self.loss_name = metric_name, loss_name

    @classmethod
    def from_path(cls, path: ParetoPath, *, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the losses along a `ParetoPath`.

        Parameters
        ----------
        path : ParetoPath
            What `pareto_path` returned.
        ax, **kwargs
            See `plot`.

        Returns
        -------
        display : GroupLossesDisplay
        """
        results, kept = path.results, path.pareto_optimal
        display = cls(
            metric=path.metric[kept],
            cell_losses=path.cell_losses[kept],
            cells=path.cells,
            metric_name=path.metric_name,
            loss_name=path.loss_name,
            baseline=(path.baseline_metric, results["cell_losses"][0]),
        )
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator: BaseBADR, *, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the losses of the non-dominated models of a BADR estimator's search.

        Parameters
        ----------
        estimator : BADRClassifier or BADRRegressor
            Fitted.
        ax, **kwargs
            See `plot`.

        Returns
        -------
        display : GroupLossesDisplay
        """
        metric, results = search_of(estimator)
        kept = results["pareto_optimal"]
        display = cls(
            metric=results["metric"][kept],
            cell_losses=results["cell_losses"][kept],
            cells=estimator.cells_,
            metric_name=metric.name,
            loss_name=estimator.loss_name_,
            baseline=(estimator.baseline_metric_value_, results["cell_losses"][0]),
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw one line for each cell, and the baseline estimator's losses as squares.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: new ones.
        **kwargs : dict
            Options of the lines.

        Returns
        -------
        display : GroupLossesDisplay
            This one.
        """
        ax = new_axes(ax)
        self.ax_, self.lines_ = ax, []
        self.figure_ = ax.figure  # type: ignore[assignment]
        order = np.argsort(self.metric, kind="stable")
        for k, cell in enumerate(self.cells):
            color, marker = style(k)
            label = ", ".join(map(str, cell)) if isinstance(cell, tuple) else str(cell)
            options: dict[str, Any] = {
                "color": color, "marker": marker, "markersize": 4, "linewidth": 1.3, "label": label,
            } | kwargs  # fmt: skip
            self.lines_ += ax.plot(self.metric[order], self.cell_losses[order, k], **options)
            if self.baseline is not None:
                ax.plot(self.baseline[0], self.baseline[1][k], marker="s", markersize=8,
                        color=color, fillstyle="none", linestyle="")  # fmt: skip
        if self.baseline is not None:
            ax.plot([], [], marker="s", markersize=8, color="0.3", fillstyle="none", linestyle="",
                    label="baseline estimator")  # fmt: skip
        ax.set_xlabel(self.metric_name)
        ax.set_ylabel(f"mean {self.loss_name.replace('_', ' ')}")
        tidy(ax)
        # Beside the axes: lines of many cells leave no room within.
        ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
        return self
