"""The pictures of the page, as SVG that takes its colours from the page, light or dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np

from skbadr.plotting.comparison import method_style

from ._page import clean, import_figure

# Drawn in these colours, which the page replaces by its own.
_INK, _GRID = "#010203", "#030201"
_FONT = {"font.size": 12, "axes.titlesize": 12, "axes.labelsize": 12, "legend.fontsize": 11}
_LONGEST_LABEL = 26
# More groups than this make a picture, or a list, that nobody reads; the tables have all.
MOST_GROUPS = 24


def draw(function: Callable[..., None], name: str, title: str, size: Any, *data: Any) -> str:
    """Return a picture as SVG; `name` keeps its ids apart from those of other pictures."""
    figure_class = import_figure()
    import matplotlib

    style: Any = _FONT | {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "text.parse_math": False,
        "font.family": "sans-serif",
    }
    style |= dict.fromkeys(
        ["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"], _INK
    )
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the drawing font lacks; the browser has them
        figure = figure_class(figsize=size, layout="constrained")
        axes = figure.subplots()
        function(axes, *data)
        axes.grid(color=_GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        file = io.StringIO()
        nothing = dict.fromkeys(["Creator", "Date", "Format", "Type"])
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    return _adapt(file.getvalue(), name, title)


def _adapt(svg, name, title):
    """Cut the SVG down to what belongs into a page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, _, body = svg.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)[0]
    body = body.replace(_INK, "currentColor").replace(_GRID, "var(--line)")
    body = re.sub(r'(\bid=")', rf"\g<1>{name}-", body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    body = body.replace("xlink:href", "href")
    return f'<svg {box} role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">{body}'


def short(label: Any) -> str:
    """Return a label as one line that leaves room for the picture."""
    text = clean(" ".join(str(label).split()))
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def colour(key: str) -> tuple[str, str]:
    """Return colour and marker of a method; what is black takes the page's ink."""
    face, marker = method_style(key)
    return (_INK if face == "#000000" else face), marker


def draw_test(axes: Any, methods: Any, quality: str, settings: Any) -> None:
    """Draw the metric with its limits against the error, on test rows."""
    for method in methods:
        face, marker = colour(method["key"])
        x, y = method["error"], method["metric"]
        if method["lower"] is not None:
            axes.plot([x, x], [method["lower"], method["upper"]], color=face, linewidth=1.6)
        axes.plot(x, y, marker, color=face, markersize=9, label=short(method["name"]))
    _draw_bound(axes, settings)
    _label(axes, quality, settings)
    axes.margins(0.12)
    axes.figure.legend(loc="outside lower center", ncols=2, frameon=False)


def draw_visited(axes: Any, front: Any, methods: Any, quality: str, settings: Any) -> None:
    """Draw all models that the search visited, and the best of them joined."""
    error, metric, best = front
    axes.plot(error, metric, "o", color="#56B4E9", markersize=4, alpha=0.7, label="visited")
    order = np.argsort(error[best], kind="stable")
    axes.step(error[best][order], metric[best][order], where="post", color="#0072B2",
              label="best of them")  # fmt: skip
    for method in methods:
        face, marker = colour(method["key"])
        axes.plot(method["error"], method["metric"], marker, color=face, markersize=9,
                  label=method["name"])  # fmt: skip
    _draw_bound(axes, settings)
    _label(axes, quality, settings)
    axes.figure.legend(loc="outside lower center", ncols=2, frameon=False)


def draw_rates(axes: Any, groups: Any, series: Any, name: str) -> None:
    """Draw a rate of each group with its limits, one colour per model."""
    places = np.arange(len(groups))
    for k, (key, label, rate, lower, upper) in enumerate(series):
        face, marker = colour(key)
        y = places + 0.22 * (k - (len(series) - 1) / 2)
        known = np.isfinite(lower) & np.isfinite(upper) & (np.abs(lower) + np.abs(upper) < 1e50)
        axes.hlines(y[known], lower[known], upper[known], color=face, linewidth=1.8)
        axes.plot(rate, y, marker, color=face, markersize=7, label=short(label))
    axes.set_yticks(places, [short(group) for group in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlabel(name.replace("_", " "))
    axes.figure.legend(loc="outside lower center", ncols=2, frameon=False)


def chosen_groups(rates: Any) -> Any:
    """Return the places of the groups to draw: all, or those with the lowest and highest rates."""
    order = np.argsort(rates, kind="stable")
    if len(order) <= MOST_GROUPS:
        return np.arange(len(order))
    half = MOST_GROUPS // 2
    return np.concatenate([order[:half], order[-half:]])


def _draw_bound(axes, settings):
    if settings["bound"] is not None:
        axes.axhline(settings["bound"], color=_INK, linewidth=1, linestyle=":",
                     label=f"bound {settings['bound']:.4g}")  # fmt: skip


def _label(axes, quality, settings):
    axes.set_xlabel(quality)
    better = "higher" if settings["greater_is_better"] else "lower"
    axes.set_ylabel(f"{short(settings['metric'].replace('_', ' '))}\n({better} is fairer)")
    axes.locator_params(axis="x", nbins=5)
