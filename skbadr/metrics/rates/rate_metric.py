"""Metrics that are functions of each group's confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import Agg, Array, Float, FloatArray, Method, Transform
from skbadr.metrics.aggregate import (
    METHODS,
    TRANSFORMS,
    aggregate_groups,
    check_option,
    combine,
)
from skbadr.metrics.base import FairnessMetric
from skbadr.metrics.rates.confusion_rates import RATES, divide, others
from skbadr.metrics.rates.rate_surrogate import RateSurrogate

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet


class RateMetric(FairnessMetric):
    """Compare rates of the groups' confusion matrices.

    For two classes the rates are those of the positive class. For more classes, each class in turn
    is the positive one, and `class_agg` says how the C values become one. `pos_label` picks a
    single class instead.

    Parameters
    ----------
    rates : str or sequence of str
        One or more of "selection_rate", "true_positive_rate", "false_positive_rate",
        "true_negative_rate", "false_negative_rate", "accuracy", "zero_one_loss",
        "balanced_accuracy", "precision", "f1".
    transform : {"difference", "ratio", "group_min", "group_max"}, default="difference"
        How the groups' rates become one number.
    method : {"between_groups", "to_overall"}, default="between_groups"
        Whether differences and ratios compare groups with each other or with all samples.
    agg : {"worst_case", "mean"}, default="worst_case"
        How several rates (equalized odds) become one value.
    class_agg : {"worst_case", "mean"}, default="worst_case"
        How the values of more than two classes become one.
    pos_label : label or None, default=None
        Positive class, against all others. None: the greater of two classes, ``classes_[1]``, or
        each of more classes in turn.
    multiclass_rates : sequence of str or None, default=None
        Rates to use instead of `rates` if there are more than two classes.
    name : str or None, default=None
        Name shown to users; None: made from the rates.

    Notes
    -----
    If a group lacks the class that a rate is conditioned on, the rate is 0, as in fairlearn, and an
    UndefinedMetricWarning names the group. A ratio of two zeros is NaN, which is never preferred to
    a number. With ``agg="worst_case"`` the equalized odds ratio is the first rate's ratio if the
    second rate's is NaN, as in fairlearn.

    References
    ----------
    Weerts et al. (2023), "Fairlearn: assessing and improving fairness of AI systems", JMLR 24.
    For more than two classes: Jung et al. (2023), "Re-weighting based group fairness
    regularization via classwise robust optimization", ICLR.
    """

    uses_confusion = True
    additive = True
    rates: tuple[str, ...]
    transform: Transform
    method: Method
    agg: Agg
    class_agg: Agg
    multiclass_rates: Sequence[str] | None

    def __init__(
        self,
        rates: str | Sequence[str],
        *,
        transform: Transform = "difference",
        method: Method = "between_groups",
        agg: Agg = "worst_case",
        class_agg: Agg = "worst_case",
        pos_label: Any = None,
        multiclass_rates: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        self.rates = (rates,) if isinstance(rates, str) else tuple(rates)
        for rate in self.rates:
            check_option("rates", rate, RATES)
        check_option("transform", transform, TRANSFORMS)
        check_option("method", method, METHODS)
        check_option("agg", agg, ("worst_case", "mean"))
        check_option("class_agg", class_agg, ("worst_case", "mean"))
        self.transform, self.method, self.agg, self.class_agg = transform, method, agg, class_agg
        self.pos_label = pos_label
        self.multiclass_rates = multiclass_rates
        super().__init__(
            name or f"{'_and_'.join(self.rates)}_{transform}",
            greater_is_better=transform in ("ratio", "group_min"),
            tasks=("classification",),
        )

    def surrogate(  # noqa: D102
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        return RateSurrogate(self, temperature, rho)

    @property
    def ideal(self) -> float | None:  # noqa: D102
        return {"difference": 0.0, "ratio": 1.0}.get(self.transform)

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        return evaluation_set.confusion(response).ravel()

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        return float(self.from_many_statistics(evaluation_set, np.reshape(statistics, (1, -1)))[0])

    def from_many_statistics(  # noqa: D102
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> FloatArray:
        n_classes = evaluation_set.n_classes
        shape = (len(statistics), -1, n_classes, n_classes)
        tables = np.reshape(statistics, shape)[:, evaluation_set.present]
        values = [
            self._rate_value(evaluation_set, tables, r) for r in self.rates_for(evaluation_set)
        ]
        if self.agg == "mean":
            return combine(np.stack(values), "mean", greater_is_better=self.greater_is_better)[0]
        worst = values[0]
        for value in values[1:]:
            # As min and max of Python compare: see the note on NaN in the class docstring.
            better = value < worst if self.greater_is_better else value > worst
            worst = np.where(better, value, worst)
        return worst

    def _has_many_classes(self, evaluation_set):
        return evaluation_set.n_classes > 2 and self.pos_label is None

    def rates_for(self, evaluation_set: EvaluationSet) -> Sequence[str]:
        """Return the names of the rates that are compared on these classes."""
        if self._has_many_classes(evaluation_set) and self.multiclass_rates:
            return self.multiclass_rates
        return self.rates

    def _rate_value(self, evaluation_set, tables, rate):
        function, per_class, _ = RATES[rate]
        columns = self.positive_columns(evaluation_set) if per_class else slice(None)
        by_group = divide(*(part[..., columns] for part in function(tables)))
        overall = None
        if self.method == "to_overall":
            pooled = function(tables.sum(axis=1))
            overall = divide(*(part[..., columns] for part in pooled))
        per_class_values = aggregate_groups(np.moveaxis(by_group, 1, 0), overall, self.transform)
        return combine(
            per_class_values.T, self.class_agg, greater_is_better=self.greater_is_better
        )[0]

    def positive_columns(self, evaluation_set: EvaluationSet) -> slice:
        """Return the slice of the classes of which each is taken for the positive one."""
        if self._has_many_classes(evaluation_set):
            return slice(None)
        return slice(*positive_range(evaluation_set.classes, self.pos_label))

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        sentences = []
        totals = evaluation_set.class_totals
        labels, classes = evaluation_set.groups.labels, evaluation_set.classes.tolist()  # type: ignore[union-attr]
        columns = range(evaluation_set.n_classes)[self.positive_columns(evaluation_set)]
        for rate in self.rates_for(evaluation_set):
            condition = RATES[rate][2]
            if condition is None:
                continue
            for c in columns:
                mass = totals[:, c] if condition == "positive" else others(totals)[:, c]
                for g in np.flatnonzero((mass <= 0) & evaluation_set.present):
                    kind = "class" if condition == "positive" else "any class but"
                    sentences.append(
                        f"{self.name}: group {labels[g]!r} has no sample of {kind} "
                        f"{classes[c]!r}; its {rate} is undefined and counts as 0."
                    )
        return sentences

    def undefined_value(self, evaluation_set: EvaluationSet, response: Array) -> list[str]:  # noqa: D102
        sentences = []
        tables = evaluation_set.confusion(response)
        present = np.flatnonzero(evaluation_set.present)
        labels, classes = evaluation_set.groups.labels, evaluation_set.classes.tolist()  # type: ignore[union-attr]
        for rate in self.rates_for(evaluation_set):
            function, per_class, condition = RATES[rate]
            columns = self.positive_columns(evaluation_set) if per_class else slice(None)
            numerator, denominator = (part[present][:, columns] for part in function(tables))
            positives = classes[columns] if per_class else [None]
            for c, positive in enumerate(positives):
                of_class = "" if positive is None else f" of class {positive!r}"
                if condition is None:
                    sentences += [
                        f"{self.name}: group {labels[g]!r} has no prediction{of_class}; its "
                        f"{rate} is undefined and counts as 0."
                        for g in present[denominator[:, c] <= 0]
                    ]
                if self.transform == "ratio" and not numerator[:, c].any():
                    named = ", ".join(repr(labels[g]) for g in present[:8])
                    sentences.append(
                        f"{self.name}: no group ({named}) has a {rate}{of_class} above 0; its "
                        "ratio is undefined (NaN)."
                    )
        return sentences


def positive_range(classes: Array | None, pos_label: Any) -> tuple[int, int]:
    """Return first and last (excluded) code of the positive class of two, or of the named one.

    Raises
    ------
    ValueError
        If it is not among the classes.
    """
    classes = np.zeros(0) if classes is None else classes
    if pos_label is None:
        return len(classes) - 1, len(classes)
    for code, label in enumerate(classes):
        if label == pos_label:
            return code, code + 1
    raise ValueError(f"pos_label={pos_label!r} is not among the classes {classes.tolist()}.")
