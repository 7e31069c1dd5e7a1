"""What a reader of the table should know: warnings of the methods, and doubts about the results."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skbadr.estimators.outcome.summary import JUDGED_ROWS

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from skbadr.metrics import FairnessMetric

# What a note lists at most; the rest is counted.
MOST_LISTED = 5


def sentences(
    caught: Iterable[warnings.WarningMessage], leave_out: tuple[type[Warning], ...] = ()
) -> list[str]:
    """Return what warnings tell a reader of the table, each once."""
    about_code: tuple[type[Warning], ...]
    about_code = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, *leave_out)
    told = [first_line(w.message) for w in caught if not issubclass(w.category, about_code)]
    told = list(dict.fromkeys(told))
    if len(told) > MOST_LISTED:
        rest = len(told) - MOST_LISTED
        told = [*told[:MOST_LISTED], f"({rest} more such sentences)"]
    return told


def first_line(message: Any) -> str:
    """Return the first line of a warning or an error."""
    return str(message).strip().partition("\n")[0]


def cautions(result: Bunch, fairness: FairnessMetric) -> list[str]:
    """Return sentences on what the rows are too few to tell, and on methods that do badly."""
    settings = result.settings
    notes: list[str] = []
    name, task = settings["metric"], settings["task"]
    bound, chance = settings["bound"], settings["chance_level"]
    if bound is not None and (bound > chance if fairness.greater_is_better else bound < chance):
        notes.append(
            f"with groups drawn at random the baseline estimator's {name} on the "
            f"training rows would be {chance:.4g} on average: the bound {bound:.4g} asks for more "
            "than this many rows can tell."
        )
    constant = settings["constant_error"]["train"]
    worse = [row["method"] for row in result.rows[1:] if _training_error(task, row) > constant]
    if worse and _training_error(task, result.rows[0]) < constant:
        notes.append(
            f"{', '.join(worse)}: a larger error on the training rows than a single prediction for "
            f"everybody ({constant:.4g}): allow more (bound), search longer (max_iter) or from "
            "another random_state, or keep columns that tell the groups apart."
        )
    if not all(row["deterministic"] for row in result.rows):
        notes.append("methods that are not deterministic are scored on one random draw.")
    small = [g for g, n in settings["groups"].items() if n["test"] < JUDGED_ROWS]
    if small:
        notes.append(
            f"fewer than {JUDGED_ROWS} test rows, so the losses (and the metric, a difference "
            f"between groups) are uncertain for: {', '.join(small)}."
        )
    return notes


def _training_error(task, row):
    return row["rmse_train"] if task == "regression" else 1.0 - row["accuracy_train"]
