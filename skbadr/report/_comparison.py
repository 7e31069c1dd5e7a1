"""From a comparison to what the page shows."""

from __future__ import annotations

import datetime
import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import fairlearn
import joblib
import numpy as np
import scipy
import sklearn

from skbadr.comparison import format_headline
from skbadr.estimators.reporting import Report

from ._figures import chosen_groups, draw, draw_rates, draw_test, draw_visited
from ._page import import_figure, import_jinja2, render
from ._words import gains, metric_in_words, missed, unknowns, without_addresses

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def report_comparison(
    result: Bunch,
    *,
    data: str = "a table",
    title: str | None = None,
    target: str = "the target",
    positive: Any = None,
    notes: Sequence[str] = (),
    command: str | None = None,
    cells: Sequence[str] | None = None,
) -> Report:
    """Return a page to hand on about a comparison.

    Parameters
    ----------
    result : Bunch
        What :func:`skbadr.comparison.compare` returned.
    data : str, default="a table"
        What the rows are, in words.
    title : str, default=None
        Title of the page; None: made from `data`.
    target : str, default="the target"
        What is predicted, in words.
    positive : object, default=None
        The label whose rates are compared; None: the greater of two.
    notes : sequence of str, default=()
        Sentences that a reader should know about the data.
    command : str, default=None
        Command that makes the same page again.
    cells : sequence of str, default=None
        Names of the cells of the chosen model; None: the model's own.

    Returns
    -------
    report : Report

    Raises
    ------
    ImportError
        If jinja2 or matplotlib is not installed, saying how to get them.
    ValueError
        If no model of BADR is among the methods compared.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbadr.comparison import compare
    >>> from skbadr.datasets import make_applicants
    >>> from skbadr.report import report_comparison
    >>> X, y = make_applicants(1000)
    >>> result = compare(
    ...     LogisticRegression(), X[["income", "debt"]], y, sensitive_features=X["sex"], bound=0.1
    ... )
    >>> report_comparison(result, data="applicants").save("report.html")  # doctest: +SKIP
    """
    import_jinja2()
    import_figure()
    keys = [key for key in result.models if key.startswith("badr")]
    if not keys:
        raise ValueError("result has no model of BADR, so there is nothing to report.")
    chosen = keys[-1]
    settings = result.settings
    methods = [_method(result, row, chosen) for row in result.rows]
    content: dict[str, Any] = {
        "title": title or f"Fairness report: {data}",
        "data": data,
        "target": target,
        "date": datetime.date.today().isoformat(),
        "settings": settings,
        "metric_words": metric_in_words(settings["metric"], settings["task"]),
        "headline": format_headline(result).splitlines(),
        "condition": settings.get("condition") if " / " in settings["metric"] else None,
        "missed": missed(result.models[chosen], settings),
        "verdict": _verdict(result, chosen),
        "groups": _groups(result, positive),
        "positive": positive,
        "methods": methods,
        "chosen": next(method for method in methods if method["key"] == chosen),
        "model": _model(result.models[chosen]),
        "parts": _parts(result, methods, chosen),
        "rates": _rates(result, methods, chosen),
        "changes": _changes(result, chosen, positive),
        "weights": _weights(result.models[chosen], cells),
        "unknowns": unknowns(result, chosen),
        "notes": [*notes, *result.notes],
        "versions": versions(),
        "command": command,
    }
    content["gains"] = gains(content["changes"], settings["task"])
    content["figures"] = _figures(result, content, methods, chosen)
    return render(content)


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    # The package as a whole lies above this part of it, and has been imported by now.
    packages = {"skbadr": sys.modules["skbadr"], "scikit-learn": sklearn, "fairlearn": fairlearn,
                "numpy": np, "scipy": scipy, "joblib": joblib}  # fmt: skip
    known = {name: package.__version__ for name, package in packages.items()}
    return known | {"Python": platform.python_version()}


def _method(result, row, chosen):
    """Return a line of the table: values on test rows."""
    audit = result.audits.get(row["key"])
    is_classification = result.settings["task"] == "classification"
    finite = audit is not None and np.isfinite([audit.lower, audit.upper]).all()
    return {
        "key": row["key"],
        "name": row["method"],
        "is_chosen": row["key"] == chosen,
        "error": 1 - row["accuracy_test"] if is_classification else row["rmse_test"],
        "quality": row["accuracy_test"] if is_classification else row["rmse_test"],
        "metric": row["metric_test"],
        "metric_train": row.get("metric_train"),
        "lower": audit.lower if finite else None,
        "upper": audit.upper if finite else None,
        "verdict": None if audit is None else audit.verdict,
        "worst": row["worst_group_error_test"],
        "refits": row.get("refits"),
        "seconds": row.get("seconds"),
        "deterministic": row["deterministic"],
    }


def _verdict(result, chosen):
    audit = result.audits.get(chosen)
    if audit is None or audit.bound is None:
        return None
    kind = {True: "holds", False: "violated", None: "open"}[audit.holds]
    return {"kind": kind, "text": audit.verdict, "bound": audit.bound,
            "confidence": audit.confidence}  # fmt: skip


def _groups(result, positive):
    y, groups = result.test["y"], result.test["groups"]
    positives = _positives(result, y, positive)
    return [
        {
            "group": group,
            "train": size.get("train"),
            "test": size["test"],
            "share": None if positives is None or not size["test"]
            else float(np.mean(positives[groups == group])),
        }
        for group, size in result.settings["groups"].items()
    ]  # fmt: skip


def _positives(result, y, positive):
    """Return which labels are positive, or None where there are not two."""
    if result.settings["task"] != "classification":
        return None
    labels = np.unique(result.test["y"])
    if len(labels) > 2:
        return None
    greater = labels[-1]
    return np.asarray(y) == (greater if positive not in labels.tolist() else positive)


def _model(model):
    return {
        "name": type(model).__name__,
        "estimator": without_addresses(model.estimator),
        "evaluated_on": model.evaluated_on_,
        "confidence": model.confidence,
        "compared": vars(model).get("_compared"),
        "partition": model.partition_ if isinstance(model.partition_, str) else "given cells",
        "summary": model.summary(),
    }


def _parts(result, methods, chosen):
    """Return what the metric is the worst of: the values of each model, and the verdict."""
    if chosen not in result.audits:
        return None
    shown = [m for m in methods if m["key"] in ("baseline", chosen) and m["key"] in result.audits]
    found = [dict(_each_part(result.audits[method["key"]])) for method in shown]
    rows = [
        {
            "name": name,
            "bound": None
            if own.bound is None
            else f"{'at least' if own.greater_is_better else 'at most'} {own.bound:.4g}",
            "cells": [(p[name].value, p[name].lower, p[name].upper) for p in found],
            "verdict": _short_verdict(own),
        }
        for name, own in _each_part(result.audits[chosen])
        if all(name in parts for parts in found)
    ]
    return {"methods": [method["name"] for method in shown], "rows": rows} if rows else None


def _short_verdict(audit):
    if audit.bound is None or audit.holds is not None:
        return audit.verdict
    rows = audit.n_rows_needed
    return "open" if rows is None else f"open (about {float(f'{rows:.2g}'):,.0f} rows would tell)"


def _each_part(audit, before=""):
    """Yield name and audit of each part, and of the parts of these."""
    for name, part in audit.parts.items():
        yield before + name, part
        yield from _each_part(part, f"{before}{name}, ")


def _rates(result, methods, chosen):
    """Return the groups' rates with limits: their names, and a list of groups for each."""
    shown = [m for m in methods if m["key"] in ("baseline", chosen) and m["key"] in result.audits]
    tables = []
    for name in _rate_names(result.audits.get(chosen)):
        audits = [(method, result.audits[method["key"]].by_group) for method in shown]
        groups = [_label(group) for group in audits[-1][1]["group"]]
        series = [
            (m["key"], m["name"], *(np.asarray(t[name + end], float)
                                    for end in ("", "_lower", "_upper")))
            for m, t in audits if name in t
        ]  # fmt: skip
        rows = [
            {"group": group, "cells": [tuple(float(part[i]) for part in parts)
                                       for _, _, *parts in series]}
            for i, group in enumerate(groups)
        ]  # fmt: skip
        tables.append({"name": name, "groups": groups, "series": series, "rows": rows,
                       "methods": [label for _, label, *_ in series]})  # fmt: skip
    return tables


def _rate_names(audit):
    if audit is None:
        return []
    return [name[: -len("_lower")] for name in audit.by_group if name.endswith("_lower")]


def _label(group):
    return " & ".join(map(str, group)) if isinstance(group, tuple) else str(group)


def _changes(result, chosen, positive):
    """Return what the chosen model changes for the people of each group."""
    predictions, rows = result.test["predictions"], {row["key"]: row for row in result.rows}
    if "baseline" not in predictions:
        return []
    before = _positives(result, predictions["baseline"], positive)
    after = _positives(result, predictions[chosen], positive)
    errors = [rows[key]["group_errors_test"] for key in ("baseline", chosen)]
    changes = []
    for group in result.settings["groups"]:
        inside = result.test["groups"] == group
        if not inside.any():
            continue
        change = {"group": group, "rows": int(inside.sum()), "gained": None, "lost": None,
                  "error_before": errors[0][group], "error_after": errors[1][group]}  # fmt: skip
        if before is not None:
            change["gained"] = int(np.sum(after[inside] & ~before[inside]))
            change["lost"] = int(np.sum(before[inside] & ~after[inside]))
        elif result.settings["task"] == "regression":
            means = [float(np.mean(predictions[key][inside])) for key in ("baseline", chosen)]
            change["mean_before"], change["mean_after"] = means
        changes.append(change)
    return changes


def _weights(model, cells):
    """Return each cell's weight, and how many times its weight in the baseline model that is."""
    names = model.cells_ if cells is None else cells
    origins = np.asarray(model.results_["origin"])
    start = np.flatnonzero(origins == "baseline")
    shares = model.results_["cell_weights"][start[0]] if len(start) else None
    return [
        {
            "cell": _label(name),
            "weight": float(weight),
            "factor": None if shares is None else float(weight / shares[i]),
        }
        for i, (name, weight) in enumerate(zip(names, model.cell_weights_, strict=True))
    ]


def _figures(result, content, methods, chosen):
    settings = result.settings
    quality = "error (1 - accuracy)" if settings["task"] == "classification" else "RMSE"
    metric = settings["metric"]
    finite = [m for m in methods if np.isfinite(m["metric"])]
    figures: dict[str, Any] = {
        "test": draw(draw_test, "test", f"{metric} against error on the test rows, with limits",
                     (4.9, 4.4), finite, quality, settings),
        "visited": None,
        "rates": [],
    }  # fmt: skip
    front = visited(result, chosen)
    if front is not None:
        trained = [
            {"key": row["key"], "name": row["method"], "metric": row["metric_train"],
             "error": 1 - row["accuracy_train"] if settings["task"] == "classification"
             else row["rmse_train"]}
            for row in result.rows if np.isfinite(row.get("metric_train", np.nan))
        ]  # fmt: skip
        figures["visited"] = draw(
            draw_visited, "visited", f"{metric} against error of all models visited", (4.9, 4.4),
            front, trained, quality, settings,
        )  # fmt: skip
    for number, table in enumerate(content["rates"]):
        places = chosen_groups(table["series"][-1][2])
        series = [(key, label, *(part[places] for part in parts))
                  for key, label, *parts in table["series"]]  # fmt: skip
        size = (4.9, 1.9 + 0.55 * len(places))
        groups = [table["groups"][place] for place in places]
        title = f"{table['name']} of each group, with limits"
        figures["rates"].append(
            draw(draw_rates, f"rates{number}", title, size, groups, series, table["name"])
        )
    return figures


def visited(result: Any, chosen: str) -> Any:
    """Return error, metric and which are best of the models that the search saw, or None."""
    front, model = result.fronts.get(chosen), result.models[chosen]
    if front is None or model.scoring is not None or len(front["metric"]) < 3:
        return None
    score = np.asarray(front["score"], dtype=float)
    is_classification = result.settings["task"] == "classification"
    error = 1 - score if is_classification else np.sqrt(np.maximum(-score, 0))
    known = np.isfinite(error) & np.isfinite(front["metric"])
    best = np.asarray(front["pareto_optimal"], dtype=bool)
    return error[known], np.asarray(front["metric"], dtype=float)[known], best[known]
