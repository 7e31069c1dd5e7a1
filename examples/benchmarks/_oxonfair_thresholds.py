"""Decisions of OxonFair's thresholds, in an environment that has it (numpy and oxonfair).

    ENV/bin/python _oxonfair_thresholds.py TASKS.npz DECISIONS.npz

Task ``k`` is the arrays ``k.proba``, ``k.target``, ``k.groups`` of the rows that thresholds are
chosen on, ``k.new_proba`` and ``k.new_groups`` of those to decide, ``k.metric`` and ``k.bound``.
``k.score`` is what they maximise; without it, accuracy.
"""

import logging
import sys

import numpy as np
from oxonfair import FairPredictor
from oxonfair import group_metrics as gm

# The largest gap between groups, and of both rates, as fairlearn and skbadr define them.
METRICS = {
    "demographic_parity": gm.pos_pred_rate.max_diff,
    "equalized_odds": gm.equalized_odds_max,
}
# Costs are those of true positives, false positives, false negatives and true negatives.
SCORES = {
    "accuracy": gm.accuracy,
    "balanced_accuracy": gm.balanced_accuracy,
    "f1": gm.f1,
    "recall": gm.recall,
    "cost": gm.Utility([0, 1, 3, 0], "cost"),
}


def decide(tasks, key):
    """Return the decisions of one task."""
    proba, target, groups = (tasks[f"{key}.{part}"] for part in ("proba", "target", "groups"))
    fair = FairPredictor(None, {"data": proba, "target": target, "groups": groups})
    score = SCORES[str(tasks[f"{key}.score"]) if f"{key}.score" in tasks else "accuracy"]
    fair.fit(score, METRICS[str(tasks[f"{key}.metric"])], float(tasks[f"{key}.bound"]))
    new = tasks[f"{key}.new_proba"]
    unknown = np.zeros(len(new), dtype=int)  # a target has to be there, and is not looked at
    return fair.predict({"data": new, "target": unknown, "groups": tasks[f"{key}.new_groups"]})


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # of bounds that no thresholds keep: they are counted
    tasks = np.load(sys.argv[1])
    keys = dict.fromkeys(name.partition(".")[0] for name in tasks.files)
    np.savez(sys.argv[2], **{key: decide(tasks, key) for key in keys})
