"""One number from the groups' values, as fairlearn's MetricFrame aggregates them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from skbadr._rows import ROUNDING
from skbadr._typing import Agg, Array, Float, Transform

TRANSFORMS = ("difference", "ratio", "group_min", "group_max")
METHODS = ("between_groups", "to_overall")


def aggregate_groups(by_group: Array, overall: Array | None, transform: Transform) -> Array:
    """Aggregate over the groups (axis 0).

    Parameters
    ----------
    by_group : ndarray of shape (G, m)
        A value per group and column; NaN entries are skipped.
    overall : ndarray of shape (m,) or None
        Value of all samples together; None compares groups with each other.
    transform : {"difference", "ratio", "group_min", "group_max"}
        "ratio" is always at most 1: a value above the overall one is inverted.

    Returns
    -------
    values : ndarray of shape (m,)
        NaN where no group has a value, and for a ratio of two zeros.
    """
    low = np.fmin.reduce(by_group, axis=0)
    high = np.fmax.reduce(by_group, axis=0)
    if transform == "group_min":
        return low
    if transform == "group_max":
        return high
    with np.errstate(divide="ignore", invalid="ignore"):
        if overall is None:
            return high - low if transform == "difference" else low / high
        if transform == "difference":
            return np.fmax.reduce(np.abs(by_group - overall), axis=0)
        ratio = by_group / overall
        ratio = np.where(ratio > 1, 1.0 / ratio, ratio)
        return np.fmin.reduce(ratio, axis=0)


def largest(values: Array, rho: Float | None = None) -> tuple[Array, Array]:
    """Return the largest value along axis 0, and its gradient.

    Parameters
    ----------
    values : ndarray of shape (G, ...)
        NaN entries are skipped.
    rho : float or None, default=None
        None: the maximum, with the subgradient of the first of equal values. Otherwise
        ``log(sum(exp(rho * values))) / rho``, which exceeds it by at most ``log(G) / rho``.

    Returns
    -------
    largest : ndarray of shape (...)
        NaN where all are.
    gradient : ndarray of shape (G, ...)
    """
    top = np.fmax.reduce(values, axis=0)
    if rho is None:
        filled = np.where(np.isnan(values), -np.inf, values)
        winner = np.argmax(filled, axis=0)
        gradient = np.equal.outer(np.arange(len(values)), winner)
        return top, np.where(np.isnan(top), 0.0, gradient)
    with np.errstate(invalid="ignore"):
        weight = np.exp(rho * (values - top))
    weight = np.where(np.isnan(weight), 0.0, weight)
    total = weight.sum(axis=0)
    safe = np.maximum(total, 1.0)  # the largest counts 1; 0 is the total of NaN alone
    return top + np.log(safe) / rho, weight / safe


def smallest(values: Array, rho: Float | None = None) -> tuple[Array, Array]:
    """Return the smallest value along axis 0, and its gradient; see `largest`."""
    value, gradient = largest(-values, rho)
    return -value, gradient


def aggregate_with_gradient(
    by_group: Array, overall: Array | None, transform: Transform, rho: Float | None = None
) -> tuple[Array, Array, Array]:
    """Return what `aggregate_groups` returns, exact or softened, and its gradients.

    Parameters
    ----------
    by_group : ndarray of shape (G, m)
    overall : ndarray of shape (m,) or None
    transform : {"difference", "ratio", "group_min", "group_max"}
    rho : float or None, default=None
        None: exact maxima and minima. Otherwise they are those of `largest`; a ratio is then
        ``exp(-d)`` with d the softened difference of logarithms.

    Returns
    -------
    values : ndarray of shape (m,)
    by_group_gradient : ndarray of shape (G, m)
        Derivative of each column's value in the groups' values of that column.
    overall_gradient : ndarray of shape (m,)
    """
    if transform in ("group_min", "group_max"):
        value, gradient = (smallest if transform == "group_min" else largest)(by_group, rho)
        return value, gradient, np.zeros(by_group.shape[1])
    if transform == "difference":
        return _difference(by_group, overall, rho)
    if rho is None:
        return _ratio(by_group, overall)
    positive = np.maximum(by_group, ROUNDING)
    logs = np.where(np.isnan(by_group), np.nan, np.log(positive))
    total = None if overall is None else np.maximum(overall, ROUNDING)
    distance, by_log, by_total = _difference(logs, None if total is None else np.log(total), rho)
    nothing = ~(np.fmax.reduce(by_group, axis=0) > 0)
    value = np.where(nothing, np.nan, np.exp(-distance))
    slope = np.where(nothing, 0.0, value)
    gradient = np.where(by_group > ROUNDING, -slope * by_log / positive, 0.0)
    return value, gradient, 0.0 * slope if total is None else -slope * by_total / total


def _difference(by_group, overall, rho):
    if overall is None:
        high, up = largest(by_group, rho)
        low, down = smallest(by_group, rho)
        return high - low, up - down, np.zeros(by_group.shape[1])
    deviation = by_group - overall
    value, gradient = largest(np.concatenate([deviation, -deviation]), rho)
    gradient = gradient[: len(by_group)] - gradient[len(by_group) :]
    return value, gradient, -gradient.sum(axis=0)


def _ratio(by_group, overall):
    with np.errstate(divide="ignore", invalid="ignore"):
        if overall is None:
            low, down = smallest(by_group)
            high, up = largest(by_group)
            value = low / high
            gradient = (down - value * up) / high
            by_overall = np.zeros(by_group.shape[1])
        else:
            ratio = by_group / overall
            above = ratio > 1
            ratio = np.where(above, 1.0 / ratio, ratio)
            value, which = smallest(ratio)
            slope = np.where(above, -ratio / by_group, 1.0 / overall)
            gradient = which * slope
            sign = np.where(above, 1.0, -1.0)
            by_overall = np.where(which > 0, sign * ratio, 0.0).sum(axis=0) / overall
    return value, *(np.where(np.isfinite(part), part, 0.0) for part in (gradient, by_overall))


def combine(
    values: Array, how: Agg, *, greater_is_better: bool, rho: Float | None = None
) -> tuple[Array, Array]:
    """Return the worst or the mean of several values along axis 0, and its gradient.

    Parameters
    ----------
    values : ndarray of shape (R, ...)
        NaN entries are skipped.
    how : {"worst_case", "mean"}
    greater_is_better : bool
        Whether the smallest is the worst.
    rho : float or None, default=None
        See `largest`.

    Returns
    -------
    value : ndarray of shape (...)
    gradient : ndarray of shape (R, ...)
    """
    if how == "mean":
        defined = ~np.isnan(values)
        count = defined.sum(axis=0)
        total = np.where(defined, values, 0.0).sum(axis=0)
        value = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
        return value, defined / np.maximum(count, 1)
    if len(values) == 1:
        return values[0], np.where(np.isnan(values), 0.0, 1.0)
    return (smallest if greater_is_better else largest)(values, rho)


def check_option(name: str, value: object, valid: Iterable[object]) -> None:
    """Raise a ValueError that lists what an option may be."""
    if value not in valid:
        raise ValueError(f"{name} must be one of {list(valid)}, got {value!r}.")


def check_positive(name: str, value: Any, *, optional: bool = False) -> None:
    """Raise a ValueError where an option is not a positive number."""
    if optional and value is None:
        return
    if isinstance(value, (bool, str)) or np.ndim(value) != 0 or not value > 0:
        none = " or None" if optional else ""
        raise ValueError(f"{name} must be a positive number{none}, got {value!r}.")
