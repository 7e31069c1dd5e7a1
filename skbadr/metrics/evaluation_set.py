"""The data a fairness metric is evaluated on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from skbadr._rows import rounded_sums, steps, sums_by
from skbadr._typing import Array, BoolArray, FloatArray, IntArray, Task
from skbadr.partition import Groups


@dataclass
class EvaluationSet:
    """The part of the data on which the upper level is evaluated, without its predictions.

    Everything that does not depend on a model is computed once here. One more model then costs a
    single pass over its predictions.

    Attributes
    ----------
    y : ndarray of shape (n,)
        Class codes for classification, real targets for regression.
    groups : Groups
        Sensitive group of each sample.
    classes : ndarray of shape (C,) or None
        Class labels in the order of the codes; None for regression.
    sample_weight : ndarray of shape (n,) or None
        None stands for equal weights.
    sensitive_features : object
        The sensitive features as the user gave them, for metrics that are callables.
    reference : dict of Loss to ndarray of shape (n,)
        Losses of the baseline model, for metrics that compare with that model.
    cache : dict
        Results that metrics keep about the data, none of them about a model.
    """

    y: Array
    groups: Groups
    classes: Array | None = None
    sample_weight: Array | None = None
    sensitive_features: Any = field(default=None, repr=False)
    reference: dict[Any, Array] = field(default_factory=dict, repr=False, compare=False)
    cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def take(self, rows: Array | slice) -> EvaluationSet:
        """Return the set of some of the samples, for metrics that need codes alone."""
        return EvaluationSet(
            self.y[rows],
            self.groups.take(rows),
            self.classes,
            None if self.sample_weight is None else self.sample_weight[rows],
            reference={loss: losses[rows] for loss, losses in self.reference.items()},
        )

    def without_rows(self) -> EvaluationSet:
        """Return a set of no rows that has the totals of these, to be sent elsewhere."""
        empty = self.take(slice(0))
        empty.group_totals = self.group_totals
        if self.classes is not None:
            empty.class_totals = self.class_totals
        return empty

    def merged(self, place: IntArray, labels: list[Any], names: tuple[str, ...]) -> EvaluationSet:
        """Return a set of no rows that has the totals of merged groups.

        Parameters
        ----------
        place : ndarray of shape (n_groups,)
            Merged group of each group; negative: left out.
        labels : list
            Of the merged groups.
        names : tuple of str
            Of the columns that make them.
        """
        merged = self.without_rows()
        merged.groups = Groups(merged.groups.codes, labels, names)
        kept = place >= 0

        def summed(totals):
            sums = np.zeros((len(labels), *totals.shape[1:]), dtype=totals.dtype)
            np.add.at(sums, place[kept], totals[kept])
            return sums

        merged.group_totals = summed(self.group_totals)
        merged.squared_totals = summed(self.squared_totals)
        merged.rows_by_group = summed(self.rows_by_group)
        merged.n_rows = int(merged.rows_by_group.sum())
        totals = np.maximum(merged.group_totals, 1e-300)
        for loss in self.reference:
            sums = np.nan_to_num(self.reference_means(loss)) * self.group_totals
            merged.cache.setdefault("reference", {})[loss] = summed(sums) / totals
        if self.classes is not None:
            merged.class_totals = summed(self.class_totals)
            merged.squared_class_totals = summed(self.squared_class_totals)
        return merged

    def reference_means(self, loss: Any) -> FloatArray:
        """Return the groups' mean losses under the baseline model, of shape (n_groups,).

        Raises
        ------
        ValueError
            If there is no baseline model to compare with.
        """
        known = self.cache.setdefault("reference", {})
        if loss not in known:
            if loss not in self.reference:
                raise ValueError(
                    "group_harm compares a model with the baseline one, which only compare and a "
                    "BADR model fitted with this metric know: give each group's loss to compare "
                    "with by get_metric(..., reference=...)."
                )
            known[loss] = self.group_means(self.reference[loss])
        return known[loss]

    def part(self, y: Array, codes: IntArray, sample_weight: Array | None) -> EvaluationSet:
        """Return a part of all rows that keeps the totals of all.

        Sums over groups are then those of the part, and "means" over groups add up over parts.

        Parameters
        ----------
        y, codes : ndarray of shape (m,)
            Targets as here, and group codes.
        sample_weight : ndarray of shape (m,) or None

        Returns
        -------
        part : EvaluationSet
        """
        part = self.without_rows()
        part.y, part.sample_weight = y, sample_weight
        part.groups = replace(self.groups, codes=codes)
        return part

    @property
    def task(self) -> Task:
        """Return "classification" or "regression"."""
        return "regression" if self.classes is None else "classification"

    @property
    def n_groups(self) -> int:
        """Number of groups, present in this set or not."""
        return len(self.groups.labels)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)  # type: ignore[arg-type]

    @cached_property
    def group_totals(self) -> FloatArray:
        """Total weight of each group, of shape (n_groups,)."""
        if self.classes is not None:
            return self.class_totals.sum(axis=1)
        return self.group_sums(None)

    @cached_property
    def present(self) -> BoolArray:
        """Mask of the groups with positive weight here, of shape (n_groups,)."""
        return self.group_totals > 0

    @cached_property
    def class_totals(self) -> FloatArray:
        """Weight of each group and true class, of shape (n_groups, n_classes)."""
        counts = self._by_class(self.sample_weight)
        return counts if self.sample_weight is None else rounded_sums(counts, counts)

    @cached_property
    def squared_class_totals(self) -> FloatArray:
        """Sum of the squared weights of each group and true class, like `class_totals`."""
        weight = self.sample_weight
        return self.class_totals if weight is None else self._by_class(weight**2)

    def _by_class(self, weight):
        counts = np.zeros(self.n_groups * self.n_classes)
        for rows in steps(len(self.y)):
            pair = self.groups.codes[rows] * self.n_classes + self.y[rows]
            own = None if weight is None else weight[rows]
            counts += np.bincount(pair, own, minlength=len(counts))
        return counts.reshape(self.n_groups, self.n_classes)

    @cached_property
    def squared_totals(self) -> FloatArray:
        """Sum of the squared weights of each group, of shape (n_groups,)."""
        return self.group_sums(self.sample_weight)

    @cached_property
    def n_rows(self) -> int:
        """Number of rows of positive weight that this set holds, or stands for."""
        weight = self.sample_weight
        return len(self.y) if weight is None else int(np.count_nonzero(weight))

    @cached_property
    def rows_by_group(self) -> IntArray:
        """Number of rows of positive weight of each group, of shape (n_groups,)."""
        codes = self.groups.codes
        if self.sample_weight is not None:
            codes = codes[self.sample_weight > 0]
        return np.bincount(codes, minlength=self.n_groups)

    @cached_property
    def pair(self) -> IntArray:
        """Code of the group and true class of each sample, of shape (n,)."""
        pair = self.groups.codes * self.n_classes
        pair += self.y
        return pair

    @cached_property
    def _row_offset(self):
        return self.pair * self.n_classes

    def release(self) -> None:
        """Give back the room of codes as long as the data, which are made again when wanted."""
        for name in ("pair", "_row_offset"):
            vars(self).pop(name, None)

    def confusion(self, predicted: Array) -> FloatArray:
        """Return the weighted confusion matrix of every group in one pass.

        Parameters
        ----------
        predicted : ndarray of shape (n,)
            Predicted class codes.

        Returns
        -------
        table : ndarray of shape (n_groups, n_classes, n_classes)
            Weight of the samples by group, true class and predicted class.
        """
        size = self.n_groups * self.n_classes**2
        table = self._counts(self._row_offset + predicted, size)
        return table.reshape(self.n_groups, self.n_classes, self.n_classes)

    def _counts(self, codes, size):
        """Return the weight of each code."""
        counts = np.bincount(codes, weights=self.sample_weight, minlength=size).astype(float)
        return counts if self.sample_weight is None else rounded_sums(counts, counts)

    def group_sums(self, values: Array | Callable[[slice], Array] | None) -> FloatArray:
        """Return the weighted sum of `values` over each group.

        Parameters
        ----------
        values : ndarray of shape (n,), callable ``rows -> ndarray``, or None
            The second makes those of a slice of the rows; None stands for ones.
        """
        weight, own = self.sample_weight, values
        if weight is not None:
            own = weight
            if values is not None:
                make = values if callable(values) else values.__getitem__
                own = lambda rows: make(rows) * weight[rows]  # noqa: E731
        return sums_by(self.groups.codes, self.n_groups, own)

    def group_means(self, values: Array | Callable[[slice], Array] | None) -> FloatArray:
        """Return the mean of values, as of `group_sums`, by group; NaN where a group is absent."""
        sums, totals = self.group_sums(values), self.group_totals
        return np.divide(sums, totals, out=np.full(self.n_groups, np.nan), where=totals > 0)
