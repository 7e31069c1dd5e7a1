"""The page itself: rendered, saved, and shown in notebooks."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from html import escape
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, repr=False)
class Report:
    """A page of HTML to hand on. It needs no network and runs no script.

    Attributes
    ----------
    html : str
        The page.
    title : str
    """

    html: str
    title: str

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the page to a file.

        Parameters
        ----------
        path : str or path
            Of the file; one that is there is replaced.

        Returns
        -------
        path : str
        """
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(self.html)
        return os.fspath(path)

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {len(self.html) / 1000:,.0f} kB): .save('report.html')"

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="{escape(self.title)}" sandbox="" srcdoc="{escape(self.html)}" '
            'style="width: 100%; height: 80vh; border: 1px solid #8888"></iframe>'
        )


def import_jinja2() -> Any:
    """Return jinja2.

    Raises
    ------
    ImportError
        Saying how to get it.
    """
    try:
        import jinja2
    except ImportError:
        raise ImportError("a report needs jinja2: pip install 'skbadr[report]'.") from None
    return jinja2


def render(content: dict[str, Any]) -> Report:
    """Return the page of a content; every text in it is escaped."""
    jinja2 = import_jinja2()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skbadr.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=clean,
    )
    template = environment.get_template("report.html.jinja")
    return Report(template.render(content), clean(content["title"]))


def clean(value: Any) -> Any:
    """Return a text without the control characters that break a page; all else as it is."""
    if type(value) is str:
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def import_figure() -> Any:
    """Return matplotlib's Figure.

    Raises
    ------
    ImportError
        Saying how to get it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("a report needs matplotlib: pip install 'skbadr[report]'.") from None
    return Figure
