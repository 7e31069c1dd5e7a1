"""What the command writes: the results as JSON and the front as PNG."""

import json
import math
import os
import shlex

import numpy as np
import sklearn

from skbadr.plotting import plot_comparison
from skbadr.report import report_comparison

from ._errors import UsageError


def save_results(result, options, table):
    """Write everything the command knows as JSON.

    Parameters
    ----------
    result : Bunch
        What `compare` returned.
    options : argparse.Namespace
        Options of the command.
    table : Table
        The data; its name and notes are written.

    Returns
    -------
    str
        Path of the file.
    """
    content = _description(result, options, table) | {
        "rows": result.rows,
        "cell_weights": {
            key: dict(zip(_labels(model, table), model.cell_weights_, strict=True))
            for key, model in result.models.items()
            if key in result.fronts
        },
        "fronts": result.fronts,
        "limits": {key: _limits(audit) for key, audit in result.audits.items()},
    }
    return _write(content, options)


def _limits(audit):
    """Return what an audit found on the test rows, by name."""
    names = ["value", "lower", "upper", "confidence", "bound", "verdict", "n_rows_needed"]
    return {name: getattr(audit, name) for name in names} | {"by_group": audit.by_group}


def save_splits(result, options, table):
    """Write means over splits, and the rows of every split, as JSON.

    Parameters
    ----------
    result : Bunch
        What `compare_splits` returned.
    options : argparse.Namespace
    table : Table

    Returns
    -------
    str
        Path of the file.
    """
    content = _description(result, options, table) | {
        "rows": result.rows,
        "hypervolumes": result.hypervolumes,
        "splits": [
            [{"bound": each.settings["bound"], "rows": each.rows} for each in split]
            for split in result.splits
        ],
    }
    return _write(content, options)


def _description(result, options, table):
    return {
        "data": table.name,
        "n_rows": len(table.y),
        "positive_class": table.positive,
        "notes": table.notes + result.notes,
        "options": vars(options),
        "settings": result.settings,
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    }


def _write(content, options):
    path = os.path.join(options.output, "skbadr_results.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(_builtin(content), file, indent=1, allow_nan=False)
        file.write("\n")
    return path


def save_front(result, folder):
    """Draw the comparison into a PNG file.

    Parameters
    ----------
    result : Bunch
        What `compare` returned.
    folder : str
        Where to write.

    Returns
    -------
    str
        One sentence: the path, or why there is no picture.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return "no picture: drawing the front needs matplotlib: pip install 'skbadr[plot]'."
    # A figure of its own rather than pyplot's: no display, no state of the caller's.
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    plot_comparison(result, figure=figure)
    path = os.path.join(folder, "skbadr_front.png")
    figure.savefig(path, dpi=150)
    return f"wrote {path}"


def save_report(result, options, table):
    """Write the page that is handed on.

    Parameters
    ----------
    result : Bunch
        What `compare` returned.
    options : argparse.Namespace
    table : Table

    Returns
    -------
    str
        One sentence: the path, or why there is no page.
    """
    chosen = [key for key in result.models if key.startswith("badr")][-1]
    try:
        page = report_comparison(
            result,
            data=table.name,
            target=options.target or "an income above 50,000 dollars",
            positive=table.positive if table.classes is None else 1,
            notes=table.notes,
            command=shlex.join(["python", "-m", "skbadr", *options.given]),
            cells=_labels(result.models[chosen], table),
        )
    except ImportError as error:
        if options.report:
            raise UsageError(str(error)) from None
        return f"no report: {error}"
    return f"wrote {page.save(os.path.join(options.output, 'report.html'))}"


def _labels(model, table):
    """Return the labels of the cells, which may be tuples of group and class, as text."""
    labels = []
    for cell in model.cells_:
        parts = cell if isinstance(cell, tuple) else (cell,)
        if table.classes is not None and len(parts) == 2:
            parts = (parts[0], table.classes[parts[1]])
        labels.append(" | ".join(map(str, parts)))
    return labels


def _builtin(value):
    """Return `value` made of what JSON knows; NaN and infinity become null."""
    if isinstance(value, dict):
        return {str(key): _builtin(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _builtin(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_builtin(item) for item in value]
    if isinstance(value, np.generic):
        return _builtin(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
