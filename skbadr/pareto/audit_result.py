"""What an audit found, as text, as a table, as HTML and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class AuditResult:
    """What `skbadr.audit` found.

    Attributes
    ----------
    metric_name : str
    greater_is_better : bool
        Whether a larger metric is fairer, so that the bound is its smallest value allowed.
    value : float
        The metric on the rows audited.
    lower, upper : float
        Limits that contain the population's value with probability `confidence`.
    confidence : float
    bound : float or None
    holds : bool or None
        True: the bound holds on new rows; False: it is violated; None: these rows cannot tell, or
        there is no bound.
    n_rows : int
        Rows audited, without those of weight zero.
    n_rows_needed : int or None
        If these rows cannot tell: about how many rows would, in the shares that the groups have
        now. None if a million times the rows would not.
    group_needed : tuple (label, int) or None
        If these rows cannot tell: the group whose few rows matter most, and how many of
        `n_rows_needed` belong to it.
    by_group : dict of str to ndarray
        One entry per group: "group", "rows", and each rate or mean with its "..._lower" and
        "..._upper". A rate of only some of the group's rows also has "..._rows".
    parts : dict of str to AuditResult
        Each that the metric is the worst of: several metrics, each with its own bound, or sensitive
        columns by themselves, and strata, with the bound on all.
    """

    metric_name: str
    greater_is_better: bool
    value: float
    lower: float
    upper: float
    confidence: float
    bound: float | None
    holds: bool | None
    n_rows: int
    n_rows_needed: int | None
    group_needed: tuple[Any, int] | None
    by_group: dict[str, Array]
    parts: dict[str, AuditResult] = field(default_factory=dict)

    @property
    def verdict(self) -> str | None:
        """One of "holds", "violated", "cannot be told with these rows (...)"; None without bound.

        The brackets say about how many rows would do.
        """
        if self.bound is None:
            return None
        if self.holds is not None:
            return "holds" if self.holds else "violated"
        if self.n_rows_needed is None:
            return "cannot be told with these rows (nor with any number within reach)"
        return f"cannot be told with these rows (about {_about(self.n_rows_needed)} would do)"

    def frame(self) -> Any:
        """Return the groups' rows and rates as a table.

        Returns
        -------
        frame : DataFrame or dict of str to ndarray
            `by_group` itself if pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            return dict(self.by_group)
        return pd.DataFrame(self.by_group).set_index("group")

    def __repr__(self) -> str:
        return "\n".join([*self._sentences(), "", *self._lines()])

    def _sentences(self):
        sentences = [
            f"{self.metric_name} on {self.n_rows:,} rows: {self.value:.4f}, "
            f"{100 * self.confidence:g} % limits {self.lower:.4f} to {self.upper:.4f}."
        ]
        if self.bound is not None:
            least = "at least" if self.greater_is_better else "at most"
            sentences.append(f"Bound, {least} {self.bound:g}: {self.verdict}.")
        for name, part in self.parts.items():
            sentence = f"{name}: {part.value:.4f} ({part.lower:.4f} to {part.upper:.4f})"
            if part.bound is not None:
                least = "at least" if part.greater_is_better else "at most"
                sentence += f"; bound, {least} {part.bound:g}: {part.verdict}"
            sentences.append(f"{sentence}.")
        if self.group_needed is not None:
            label, n_rows = self.group_needed
            sentences.append(f"Group {label!r} matters most: about {_about(n_rows)} of them.")
        return sentences

    @property
    def _rates(self):
        return [column[: -len("_lower")] for column in self.by_group if column.endswith("_lower")]

    def _cells(self):
        """Return a header, and the rows of the table as texts, each rate with its limits."""
        table, rates = self.by_group, self._rates
        plain = [name for name in ("group", "rows", "effective_rows") if name in table]
        rows = []
        for g in range(len(table["group"])):
            cells = [_shown(table[name][g]) for name in plain]
            for rate in rates:
                value, low, high = (
                    _shown(table[rate + end][g]) for end in ("", "_lower", "_upper")
                )
                of = f" of {_shown(table[rate + '_rows'][g])}" if rate + "_rows" in table else ""
                cells.append(f"{value} ({low} to {high}){of}")
            rows.append(cells)
        return plain + rates, rows

    def _lines(self):
        header, rows = self._cells()
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        return [
            "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True))
            for line in (header, *rows)
        ]

    def _repr_html_(self):
        header, rows = self._cells()
        colour = {True: "#009E73", False: "#D55E00", None: "#777777"}[self.holds]
        sentences = "<br>".join(escape(sentence) for sentence in self._sentences())
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        return (
            f'<div class="skbadr-audit"><p style="border-left: 4px solid {colour}; '
            f'padding-left: 0.6em">{sentences}</p>'
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the groups' rates with their limits, and say the verdict.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: new ones.

        Returns
        -------
        ax : matplotlib Axes

        Raises
        ------
        ImportError
            If matplotlib is not installed, saying how to get it.
        """
        if ax is None:
            try:
                import matplotlib.pyplot as plt
            except ImportError:
                raise ImportError("drawing needs matplotlib: pip install 'skbadr[plot]'.") from None
            _, ax = plt.subplots(layout="constrained")
        names = self._rates
        places = np.arange(len(self.by_group["group"]))
        for k, name in enumerate(names):
            rate, low, high = (self.by_group[name + end] for end in ("", "_lower", "_upper"))
            # Unknown limits are infinite.
            sides = np.abs(np.array([low, high]) - rate)
            sides = np.where(sides < 1e50, sides, 0.0)
            shift = 0.16 * (k - (len(names) - 1) / 2)
            ax.errorbar(rate, places + shift, xerr=sides, fmt="o", capsize=3,
                        label=name.replace("_", " "))  # fmt: skip
        rows = self.by_group["rows"]
        ax.set_yticks(places, [f"{label}\n{n:,} rows" for label, n in
                               zip(self.by_group["group"], rows, strict=True)])  # fmt: skip
        ax.invert_yaxis()
        ax.set_xlabel(names[0].replace("_", " ") if len(names) == 1 else "rate")
        ax.set_title("\n".join(self._sentences()[:2]), fontsize="small", loc="left")
        if len(names) > 1:
            ax.legend(fontsize="small")
        return ax


def _about(number):
    """Return a number of rows to two digits, as a text."""
    digits = max(len(str(int(number))) - 2, 0)
    return f"{round(int(number), -digits):,}"


def _shown(value):
    if isinstance(value, (float, np.floating)):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_)):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
