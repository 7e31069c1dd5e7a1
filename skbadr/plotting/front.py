"""Displays of a front: score against metric, and the groups' losses along it."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skbadr.estimators.base import BaseBADR
from skbadr.estimators.scoring import DEFAULTS
from skbadr.metrics import get_metric
from skbadr.plotting._style import LEGEND, keep_clear, new_axes, set_limits, style, tidy


class ParetoFrontDisplay:
    """The front between score and fairness.

    Made by `from_path` or `from_estimator`.

    Parameters
    ----------
    score, metric : ndarray of shape (n_points,)
        Of the points of the front.
    metric_name, score_name : str
        What the axes are called.
    pareto_optimal : ndarray of shape (n_points,), bool, default=None
        Points that no other beats in both; None: all.
    visited : tuple of two ndarrays of shape (n_visited,), default=None
        Score and metric of all models that the search saw.
    baseline : tuple (score, metric), default=None
        Of the baseline estimator.
    greater_is_better : bool, default=False
        Whether a larger metric is fairer.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The front.
    points_ : dict of str to matplotlib PathCollection
        What `add_points` drew, by label.

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

    def __init__(
        self,
        *,
        score,
        metric,
        metric_name,
        score_name,
        pareto_optimal=None,
        visited=None,
        baseline=None,
        greater_is_better=False,
    ):
        self.score, self.metric = np.asarray(score, dtype=float), np.asarray(metric, dtype=float)
        self.metric_name, self.score_name = metric_name, score_name
        if pareto_optimal is None:
            pareto_optimal = np.full(len(self.score), True)
        self.pareto_optimal = np.asarray(pareto_optimal, dtype=bool)
        self.visited, self.baseline = visited, baseline
        self.greater_is_better = greater_is_better

    @classmethod
    def from_path(cls, path, *, ax=None, name="BADR", **kwargs):
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
    def from_estimator(cls, estimator, *, ax=None, name="BADR", **kwargs):
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

    def plot(self, ax=None, *, name="BADR", show_visited=True, **kwargs):
        """Draw the front.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: new ones.
        name : str, default="BADR"
            In the legend.
        show_visited : bool, default=True
            Whether to show all models that the search saw, faintly.
        **kwargs : dict
            Of the front's line.

        Returns
        -------
        display : ParetoFrontDisplay
            This one.
        """
        ax = new_axes(ax)
        self.ax_, self.figure_, self.points_ = ax, ax.figure, {}
        # Another front on the same axes stays in sight.
        self._seen = [list(ax.get_xlim()), list(ax.get_ylim())] if ax.has_data() else [[], []]
        if show_visited and self.visited is not None:
            score, metric = (np.asarray(values, dtype=float) for values in self.visited)
            ax.scatter(self._x(score), metric, s=14, color="0.6", alpha=0.5, linewidths=0,
                       label="visited", zorder=1)  # fmt: skip
        x, y = self._x(self.score), self.metric
        order = np.argsort(x, kind="stable")
        order = order[self.pareto_optimal[order]]
        options = {"color": style(0)[0], "marker": "o", "markersize": 5, "linewidth": 1.4,
                   "drawstyle": "steps-post", "label": name, "zorder": 3} | kwargs  # fmt: skip
        (self.line_,) = ax.plot(x[order], y[order], **options)
        keep_clear(ax, self.line_)
        self._seen[0] += list(x[order])
        self._seen[1] += list(y[order])
        if self.baseline is not None:
            score, metric = self.baseline
            self.add_points(score, metric, label="baseline estimator", color="#000000", marker="s")
        ax.set_xlabel(self._x_name)
        better = "higher" if self.greater_is_better else "lower"
        ax.set_ylabel(f"{self.metric_name} ({better} is fairer)")
        tidy(ax)
        self._finish()
        return self

    def add_points(self, score, metric, *, label, **kwargs):
        """Add models of others to the picture.

        Parameters
        ----------
        score, metric : float or array-like
            In the front's own units: accuracy, say, not the error that is drawn.
        label : str
            In the legend.
        **kwargs : dict
            Of matplotlib's scatter.

        Returns
        -------
        display : ParetoFrontDisplay
            This one.
        """
        if not hasattr(self, "ax_"):
            raise ValueError("there is no picture to add points to: call plot first.")
        score, metric = np.atleast_1d(score).astype(float), np.atleast_1d(metric).astype(float)
        if score.shape != metric.shape:
            raise ValueError(
                f"score and metric must be of equal length, got {len(score)} and {len(metric)}."
            )
        color, marker = style(len(self.points_) + 1)
        options = {"color": color, "marker": marker, "s": 55, "edgecolors": "white",
                   "linewidths": 0.8, "zorder": 4} | kwargs  # fmt: skip
        self.points_[label] = self.ax_.scatter(self._x(score), metric, label=label, **options)
        self._seen[0] += list(self._x(score))
        self._seen[1] += list(metric)
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


class GroupLossesDisplay:
    """The cells' mean losses along a front: who pays for fairness.

    Made by `from_path` or `from_estimator`.

    Parameters
    ----------
    metric : ndarray of shape (n_points,)
        Of the points of the front.
    cell_losses : ndarray of shape (n_points, K)
        Mean loss of each cell at each point.
    cells : sequence of length K
        Labels of the cells.
    metric_name, loss_name : str
        What the axes are called.
    baseline : tuple (metric, losses of shape (K,)), default=None
        Of the baseline estimator.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        One for each cell.
    """

    def __init__(self, *, metric, cell_losses, cells, metric_name, loss_name, baseline=None):
        self.metric = np.asarray(metric, dtype=float)
        self.cell_losses = np.asarray(cell_losses, dtype=float)
        self.cells, self.baseline = list(cells), baseline
        self.metric_name, self.loss_name = metric_name, loss_name

    @classmethod
    def from_path(cls, path, *, ax=None, **kwargs):
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
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
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

    def plot(self, ax=None, **kwargs):
        """Draw one line for each cell, and the baseline estimator's losses as squares.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: new ones.
        **kwargs : dict
            Of the lines.

        Returns
        -------
        display : GroupLossesDisplay
            This one.
        """
        ax = new_axes(ax)
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        order = np.argsort(self.metric, kind="stable")
        for k, cell in enumerate(self.cells):
            color, marker = style(k)
            label = ", ".join(map(str, cell)) if isinstance(cell, tuple) else str(cell)
            options = {"color": color, "marker": marker, "markersize": 4, "linewidth": 1.3,
                       "label": label} | kwargs  # fmt: skip
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


def search_of(estimator):
    """Return the metric object and the `results_` of a fitted BADR estimator."""
    if not isinstance(estimator, BaseBADR):
        raise TypeError(
            f"estimator must be a fitted BADRClassifier or BADRRegressor, got "
            f"{type(estimator).__name__}: use from_path with what pareto_path returns."
        )
    check_is_fitted(estimator)
    return get_metric(estimator.metric, estimator._task), estimator.results_


def name_of_score(estimator):
    """Return the name of the score that a BADR estimator protects."""
    scoring = estimator.scoring or DEFAULTS[estimator._task]
    return getattr(scoring, "__name__", str(scoring))
