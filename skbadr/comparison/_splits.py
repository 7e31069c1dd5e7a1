"""The comparison on several splits, and under several bounds: means, errors and hypervolumes."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from skbadr._typing import ArrayLike, Estimator, Features, Int, Numbers, RandomState
from skbadr.result import hypervolume

from ._protocol import compare

PARTS = ("train", "test")
_MEANS = ("accuracy", "rmse", "r2", "metric", "worst_group_error")


def compare_splits(
    estimator: Estimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sensitive_features: Features,
    n_splits: Int = 5,
    bounds: Numbers | None = None,
    random_state: RandomState | None = 0,
    **options: Any,
) -> Bunch:
    """Repeat `compare` on several random splits, and for each under several bounds.

    Parameters
    ----------
    estimator, X, y, sensitive_features
        As for `compare`.
    n_splits : int, default=5
        Number of splits.
    bounds : sequence of float, default=None
        Bounds on the metric. Their points make the front of each method. None: the single bound
        that `compare` chooses.
    random_state : int, RandomState instance or None, default=0
        Seed of the splits and of BADR.
    **options : dict
        Further arguments of `compare`, except ``bound``.

    Returns
    -------
    result : Bunch
        With the items

        - ``rows``: list of dicts, one per method and bound: means over the splits of the scores,
          the seconds and the refits, and their standard errors under ``"<name>_error"``;
        - ``hypervolumes``: dict by method's key of the mean hypervolume of its front of (error,
          metric), with its standard error, on both parts: ``"train"``, ``"train_error"``,
          ``"test"``, ``"test_error"``. The reference is the error of a constant prediction and
          the baseline estimator's metric (or the loosest bound);
        - ``splits``: list of lists of the results of `compare`, by split and bound, without the
          models and the test rows, and without limits unless you ask for them;
        - ``notes``: list of str; notes that differ between splits are those of the first;
        - ``settings``: dict, of the first split.

    Raises
    ------
    ValueError
        If `n_splits` or `bounds` make no sense.

    References
    ----------
    Zitzler and Thiele (1998), "Multiobjective optimization using evolutionary algorithms: a
    comparative case study", PPSN V.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbadr.comparison import compare_splits
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> result = compare_splits(
    ...     LogisticRegression(solver="newton-cholesky"),
    ...     X,
    ...     y,
    ...     sensitive_features=X[:, 1] > 19,
    ...     partitions=["group_target"],
    ...     n_splits=2,
    ...     bounds=[0.05, 0.2],
    ... )
    >>> [(row["key"], row["bound"]) for row in result.rows]
    [('baseline', None), ('badr_group_target', 0.05), ('badr_group_target', 0.2)]
    """
    if isinstance(n_splits, bool) or not isinstance(n_splits, Integral) or n_splits < 1:
        raise ValueError(f"n_splits must be an integer >= 1, got {n_splits!r}.")
    if "bound" in options:
        raise ValueError("give bounds, a sequence, rather than bound.")
    chosen: list[Any] = [None] if bounds is None else _check_bounds(bounds)
    options = {"limits": False} | options
    splits = [
        [
            compare(
                estimator,
                X,
                y,
                sensitive_features=sensitive_features,
                bound=bound,
                random_state=seed,
                **options,
            )
            for bound in chosen
        ]
        for seed in _seeds(random_state, n_splits)
    ]
    for split in splits:
        for result in split:
            del result["models"], result["test"]
    first = splits[0][0]
    notes = list(dict.fromkeys(note for result in splits[0] for note in result.notes))
    return Bunch(
        rows=_mean_rows(splits, chosen),
        hypervolumes=_hypervolumes(splits),
        splits=splits,
        notes=notes,
        settings=first.settings | {"n_splits": int(n_splits), "bounds": chosen},
    )


def _check_bounds(bounds):
    values = [float(bound) for bound in np.atleast_1d(np.asarray(bounds, dtype=float))]
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"bounds must be a sequence of finite numbers, got {bounds!r}.")
    return values


def _seeds(random_state, n_splits):
    if isinstance(random_state, Integral):
        return [int(random_state) + i for i in range(n_splits)]
    return check_random_state(random_state).randint(2**31 - 1, size=n_splits).tolist()


def _mean_rows(splits, bounds):
    """Return means over splits, of methods that did not fail on any."""
    rows = []
    for key in _keys(splits):
        for i, bound in enumerate(bounds):
            if key == "baseline" and i > 0:
                continue
            found = [_row(split[i], key) for split in splits]
            row = {"key": key, "method": found[0]["method"]}
            row["bound"] = None if key == "baseline" else bound
            row["deterministic"] = found[0]["deterministic"]
            names = [f"{name}_{part}" for name in _MEANS for part in PARTS]
            for name in [*names, "seconds", "refits"]:
                if name in found[0]:
                    row[name], row[f"{name}_error"] = mean_and_error([r[name] for r in found])
            rows.append(row)
    return rows


def _keys(splits):
    """Return the methods that every split has, in their order."""
    everywhere = [{row["key"] for row in result.rows} for split in splits for result in split]
    common = set.intersection(*everywhere)
    return [row["key"] for row in splits[0][0].rows if row["key"] in common]


def _row(result, key):
    return next(row for row in result.rows if row["key"] == key)


def mean_and_error(values: Any) -> tuple[float, float]:
    """Return the mean and its standard error, NaN for a single value."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), math.nan
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _hypervolumes(splits):
    volumes = {}
    for key in _keys(splits):
        volumes[key] = {}
        for part in PARTS:
            found = [_volume(split, key, part) for split in splits]
            volumes[key][part], volumes[key][f"{part}_error"] = mean_and_error(found)
    return volumes


def _volume(split, key, part):
    """Return the hypervolume of a method's points, of all bounds on one split."""
    sign = -1.0 if split[0].settings["greater_is_better"] else 1.0
    baseline = _row(split[0], "baseline")
    limits = [sign * result.settings["bound"] for result in split
              if result.settings["bound"] is not None]  # fmt: skip
    reference = (
        split[0].settings["constant_error"][part],
        max([sign * baseline[f"metric_{part}"], *limits]),
    )
    rows = [_row(result, key) for result in split]
    errors = [_error(row, part) for row in rows]
    return hypervolume(errors, [sign * row[f"metric_{part}"] for row in rows], reference=reference)


def _error(row, part):
    name = f"accuracy_{part}"
    return 1.0 - row[name] if name in row else row[f"rmse_{part}"]
