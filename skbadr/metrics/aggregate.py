"""One number from the groups' values, as fairlearn's MetricFrame aggregates them."""

import numpy as np

TRANSFORMS = ("difference", "ratio", "group_min", "group_max")
METHODS = ("between_groups", "to_overall")


def aggregate_groups(by_group, overall, transform):
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


def check_option(name, value, valid):
    """Raise a ValueError that lists what an option may be."""
    if value not in valid:
        raise ValueError(f"{name} must be one of {list(valid)}, got {value!r}.")
