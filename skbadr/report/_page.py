"""From a content to the page, in which every text is escaped."""

from __future__ import annotations

import re
from typing import Any

from skbadr.estimators.reporting import Report

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


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
