"""The comparison as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def format_table(result: Bunch) -> str:
    """Format the results of `compare` as aligned text.

    Parameters
    ----------
    result : Bunch
        What `compare` returned.

    Returns
    -------
    str
        One line per method. "test limits" are the limits of the metric on the test rows.
    """
    settings = result.settings
    if settings["task"] == "classification":
        quality, worst = [("accuracy", "accuracy")], "error"
    else:
        quality, worst = [("RMSE", "rmse"), ("R2", "r2")], "RMSE"
    columns: list[Any] = [
        (title, subset, lambda row, key=key, subset=subset: _number(row[f"{key}_{subset}"]))
        for title, key in [*quality, (settings["metric"], "metric")]
        for subset in ("train", "test")
    ]
    audits = result.get("audits", {})
    if audits:
        columns.append(("", "test limits", lambda row: _limits(audits.get(row["key"]))))
    columns += [
        (f"worst group {worst}", "test", lambda row: _number(row["worst_group_error_test"])),
        ("", "seconds", lambda row: f"{row['seconds']:.1f}"),
        ("", "refits", lambda row: str(row["refits"])),
        ("", "deterministic", lambda row: "yes" if row["deterministic"] else "no"),
    ]
    titles = ["", *(title for title, _, _ in columns)]
    subtitles = ["method", *(subtitle for _, subtitle, _ in columns)]
    body = [[row["method"], *(cell(row) for _, _, cell in columns)] for row in result.rows]
    return _align(body, subtitles, titles)


def format_verdicts(result: Bunch) -> str:
    """Format the verdict of `skbadr.audit` on the bound, from the test rows.

    Parameters
    ----------
    result : Bunch
        What `compare` returned, with a bound.

    Returns
    -------
    str
        One line per method.
    """
    body = [[row["method"], row["verdict"] or "-"] for row in result.rows]
    widths = [max(map(len, column)) for column in zip(*body, strict=True)]
    return "\n".join(f"{name.ljust(widths[0])}  {verdict}" for name, verdict in body)


def format_splits_table(result: Bunch) -> str:
    """Format the results of `compare_splits` as aligned text.

    Parameters
    ----------
    result : Bunch
        What `compare_splits` returned.

    Returns
    -------
    str
        One line per method and bound: means with standard errors, and below each method's last
        line the hypervolume of its front.
    """
    settings = result.settings
    quality = ("accuracy", "accuracy") if settings["task"] == "classification" else ("RMSE", "rmse")
    measured = [quality, (settings["metric"], "metric")]
    several = len(settings["bounds"]) > 1
    columns: list[Any] = [
        (title, subset, lambda row, name=f"{key}_{subset}": _with_error(row, name))
        for title, key in measured
        for subset in ("train", "test")
    ]
    columns += [
        ("worst group", "test", lambda row: _with_error(row, "worst_group_error_test")),
        ("", "seconds", lambda row: f"{row['seconds']:.1f}"),
        ("", "refits", lambda row: f"{row['refits']:.0f}"),
        ("", "deterministic", lambda row: "yes" if row["deterministic"] else "no"),
    ]
    if several:
        columns.insert(0, ("", "bound", lambda row: _number(row["bound"])))
    last = {row["key"]: i for i, row in enumerate(result.rows)}
    for part in ("train", "test"):
        columns.append(
            (
                "hypervolume",
                part,
                lambda row, part=part: (
                    _with_error(result.hypervolumes[row["key"]], part, "{:.5f}")
                    if row is result.rows[last[row["key"]]]
                    else ""
                ),
            )
        )
    titles = ["", *(title for title, _, _ in columns)]
    subtitles = ["method", *(subtitle for _, subtitle, _ in columns)]
    body = [[row["method"], *(cell(row) for _, _, cell in columns)] for row in result.rows]
    return _align(body, subtitles, titles)


def _with_error(row, name, form="{:.4f}"):
    value, error = row[name], row[f"{name}_error"]
    text = form.format(value) if abs(value) < 100 else f"{value:.4g}"
    return text if error != error else f"{text} ({form.format(error)})"


def format_group_table(result: Bunch) -> str:
    """Format the test errors of every group as aligned text.

    Parameters
    ----------
    result : Bunch
        What `compare` returned.

    Returns
    -------
    str
        One line per group, one column per method.
    """
    subtitles = ["group", "test rows", *(row["method"] for row in result.rows)]
    body = [
        [group, str(sizes["test"])]
        + [_number(row["group_errors_test"].get(group)) for row in result.rows]
        for group, sizes in result.settings["groups"].items()
    ]
    return _align(body, subtitles)


def _limits(audit):
    return "-" if audit is None else f"{_number(audit.lower)}-{_number(audit.upper)}"


def _number(value):
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.4g}"


def _align(body, subtitles, titles=None):
    """Right-align all columns but the first; write a title once above neighbours sharing it."""
    widths = [max(map(len, column)) for column in zip(subtitles, *body, strict=True)]
    lines = [_join(row, widths) for row in [subtitles, *body]]
    if titles is not None:
        # Titles that stand for one or more columns need them to be as wide together.
        spans = _spans(titles)
        for start, stop in spans:
            missing = len(titles[start]) - (sum(widths[start:stop]) + 2 * (stop - start - 1))
            widths[stop - 1] += max(0, missing)
        cells = [
            titles[start].rjust(sum(widths[start:stop]) + 2 * (stop - start - 1))
            for start, stop in spans
        ]
        lines = ["  ".join(cells).rstrip()] + [_join(row, widths) for row in [subtitles, *body]]
    lines.insert(len(lines) - len(body), "-" * max(map(len, lines)))
    return "\n".join(lines)


def _join(row, widths):
    first, *others = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])


def _spans(titles):
    """Return (start, stop) of the runs of equal, non-empty titles."""
    spans = []
    for position, title in enumerate(titles):
        if spans and title and titles[spans[-1][0]] == title:
            spans[-1] = (spans[-1][0], position + 1)
        else:
            spans.append((position, position + 1))
    return spans
