"""Pictures of a comparison: error against unfairness, on training and on test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skbadr.plotting._style import new_figure, set_limits, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.utils import Bunch

# Okabe and Ito's palette, told apart by colour-blind readers; a marker of its own for each as well.
_STYLES = {
    "baseline": ("#000000", "o"),
    "badr_group": ("#0072B2", "s"),
    "badr_group_target": ("#D55E00", "D"),
    "exponentiated_gradient": ("#009E73", "^"),
    "grid_search": ("#CC79A7", "v"),
    "threshold_optimizer": ("#E69F00", "P"),
}
_OTHER_STYLE = ("#56B4E9", "X")


def method_style(key: str) -> tuple[str, str]:
    """Return colour and marker of a method of the comparison, by its key."""
    return _STYLES.get(key, _OTHER_STYLE)


def plot_comparison(result: Bunch, *, figure: Figure | None = None) -> Figure:
    """Draw error against the fairness metric, on the training and on the test rows.

    Parameters
    ----------
    result : Bunch
        What :func:`skbadr.comparison.compare` returned.
    figure : matplotlib Figure, default=None
        Figure to draw in; None for a new pyplot figure.

    Returns
    -------
    matplotlib Figure
        The figure. The left panel also shows the models that BADR visited, and a line joins the
        non-dominated ones. The right panel shows the confidence limits of `result`, if it has
        any.
    """
    if figure is None:
        figure = new_figure(figsize=(11, 5.2))
    settings = result.settings
    # One scale of the metric, so that the panels can be compared.
    axes = figure.subplots(1, 2, sharey=True)
    levels = [] if settings["bound"] is None else [settings["bound"]]
    for ax, part in zip(axes, ("train", "test"), strict=True):
        points = {row["key"]: _point(row, part, settings["task"]) for row in result.rows}
        fronts = {}
        if part == "train":
            fronts = {key: _visited(front, settings) for key, front in result.fronts.items()}
        levels += _draw_panel(ax, points, fronts, settings)
        if part == "test":
            levels += _draw_limits(ax, points, result.get("audits", {}))
    set_limits(axes[0].set_ylim, levels)
    better = "higher" if settings["greater_is_better"] else "lower"
    axes[0].set_ylabel(f"{settings['metric']} ({better} is fairer)")
    where = ", as seen on held-out rows" if settings["held_out"] else ""
    axes[0].set_title(f"training rows, and all models BADR visited{where}", fontsize="medium")
    limits = ", with 95 % limits" if result.get("audits") else ""
    axes[1].set_title(f"test rows{limits}", fontsize="medium")
    _draw_legend(figure, result)
    return figure


def _point(row, part, task):
    error = 1.0 - row[f"accuracy_{part}"] if task == "classification" else row[f"rmse_{part}"]
    return error, row[f"metric_{part}"]


def _visited(front, settings):
    """Return errors, metric values and the non-dominated among the visited models."""
    score = np.asarray(front["score"], dtype=float)
    # The score of a regressor is its negative mean squared error.
    error = 1.0 - score if settings["task"] == "classification" else np.sqrt(np.maximum(-score, 0))
    return (
        error,
        np.asarray(front["metric"], dtype=float),
        np.asarray(front["pareto_optimal"], bool),
    )


def _draw_panel(ax, points, fronts, settings):
    """Draw the points and fronts; return the metric values that must be in view."""
    seen_x, seen_y = map(list, zip(*points.values(), strict=True))
    for key, (error, metric, optimal) in fronts.items():
        color, _ = method_style(key)
        ax.scatter(error, metric, s=16, color=color, alpha=0.35, linewidths=0, zorder=1)
        order = np.argsort(error[optimal], kind="stable")
        front_x, front_y = error[optimal][order], metric[optimal][order]
        ax.step(front_x, front_y, where="post", color=color, alpha=0.7, linewidth=1.2, zorder=2)
        seen_x, seen_y = [*seen_x, *front_x], [*seen_y, *front_y]
    for position, (key, (x, y)) in enumerate(points.items()):
        color, marker = method_style(key)
        # Later markers are smaller and on top: those of equal models all remain visible.
        size = 190 * 0.82**position
        ax.scatter(
            x, y, s=size, color=color, marker=marker, edgecolors="white", linewidths=0.8,
            zorder=3 + position,
        )  # fmt: skip
    if settings["bound"] is not None:
        ax.axhline(settings["bound"], color="0.5", linewidth=1, linestyle=":", zorder=0)
    # Models far off the front, such as constant ones, must not squeeze all the others together.
    set_limits(ax.set_xlim, seen_x)
    ax.locator_params(axis="x", nbins=6)
    ax.set_xlabel("error (1 - accuracy)" if settings["task"] == "classification" else "RMSE")
    tidy(ax)
    return seen_y


def _draw_limits(ax, points, audits):
    """Draw the confidence limits of the metric; return those that must be in view."""
    seen = []
    for key, audit in audits.items():
        if np.isfinite([audit.lower, audit.upper]).all():
            color, _ = method_style(key)
            error = points[key][0]
            ax.plot([error] * 2, [audit.lower, audit.upper], color=color, linewidth=1.6, zorder=2)
            seen += [audit.lower, audit.upper]
    return seen


def _draw_legend(figure, result):
    from matplotlib.lines import Line2D

    handles = []
    for row in result.rows:
        color, marker = method_style(row["key"])
        handles.append(
            Line2D([], [], color=color, marker=marker, linestyle="", markersize=8,
                   markeredgecolor="white", label=row["method"])
        )  # fmt: skip
    if result.fronts:
        handles.append(Line2D([], [], color="0.4", linewidth=1.2, label="best visited by BADR"))
    if result.settings["bound"] is not None:
        label = f"bound {result.settings['bound']:.4g}"
        handles.append(Line2D([], [], color="0.5", linewidth=1, linestyle=":", label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)),
                  frameon=False)  # fmt: skip
