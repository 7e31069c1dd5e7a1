"""What all pictures share; matplotlib is imported when drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from skbadr._typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Okabe and Ito's palette, told apart by colour-blind readers.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
LEGEND = {"fontsize": "small", "framealpha": 0.85, "edgecolor": "none"}


def import_pyplot() -> Any:
    """Return pyplot.

    Raises
    ------
    ImportError
        Saying how to get it.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("drawing needs matplotlib: pip install 'skbadr[plot]'.") from None
    return plt


def new_figure(**options: Any) -> Figure:
    """Return a new figure of pyplot's."""
    return import_pyplot().figure(layout="constrained", **options)


@overload
def new_axes(ax: Any, n: Literal[1] = 1, **options: Any) -> Axes: ...
@overload
def new_axes(ax: Any, n: int, **options: Any) -> Array: ...
def new_axes(ax: Any, n: int = 1, **options: Any) -> Any:
    """Return axes to draw on: those given, or new ones below each other."""
    if ax is None:
        _, ax = import_pyplot().subplots(n, 1, layout="constrained", **options)
    if n == 1:
        return ax
    axes = np.ravel(ax)
    if len(axes) != n:
        raise ValueError(f"ax must hold {n} axes, got {len(axes)}.")
    return axes


def tidy(ax: Axes) -> None:
    """Leave what helps to read values."""
    ax.grid(color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def set_limits(setter: Callable[[float, float], Any], values: Iterable[float]) -> None:
    """Set limits that hold all finite values, and a margin."""
    values = np.asarray([value for value in values if np.isfinite(value)])
    if len(values):
        low, high = values.min(), values.max()
        margin = 0.06 * (high - low) or 0.05 * (abs(high) or 1.0)
        setter(low - margin, high + margin)


def style(number: int) -> tuple[str, str]:
    """Return colour and marker of the series of some number."""
    return PALETTE[number % len(PALETTE)], MARKERS[(number // len(PALETTE) + number) % len(MARKERS)]


def keep_clear(ax: Axes, line: Line2D) -> None:
    """Let legends keep clear of a line drawn in steps, of which they see the points only."""
    x, y = line.get_xdata(), line.get_ydata()
    ax.plot(np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1], linestyle="none", label="_steps")
