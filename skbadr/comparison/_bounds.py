"""The bound that a comparison asks of every method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from skbadr._typing import Float

if TYPE_CHECKING:
    from skbadr.metrics import FairnessMetric

# Share of the baseline estimator's unfairness that the default bound leaves.
DEFAULT_SHARE = 0.2
# Metrics that are losses themselves, of which a share means nothing.
_LEVELS = {"mean_loss", "ltr", "worst_group_loss", "meta_gdro", "worst_group_error", "nash_welfare"}


def default_bound(metric: FairnessMetric, name: str, baseline_value: float) -> float | None:
    """Return the bound that leaves 20 % of the baseline estimator's unfairness.

    Parameters
    ----------
    metric : metric object
        The metric.
    name : str
        Its name.
    baseline_value : float
        Its value for the baseline estimator on the training data.

    Returns
    -------
    float or None
        None where a share of the value means nothing: a group's own loss or score, or NaN.
    """
    name = name.partition("[")[0]  # without the loss it is of
    is_a_level = name in _LEVELS or name.endswith(("_group_min", "_group_max"))
    if is_a_level or not math.isfinite(baseline_value):
        return None
    # Ratios are fair at one, differences at zero.
    fair_value = 1.0 if metric.greater_is_better or name.endswith("_ratio") else 0.0
    return fair_value + DEFAULT_SHARE * (baseline_value - fair_value)


def bound_in_words(fairness, name: str, bound: Float | None) -> str | None:
    """Return the bound in words, or None."""
    if bound is None or fairness.own_bound is not None:
        return None if bound is None else fairness.bound_text(bound)
    return f"{name} {'>=' if fairness.greater_is_better else '<='} {bound:.4g}"
