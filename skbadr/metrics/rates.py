"""Metrics that are functions of each group's confusion matrix."""

import numpy as np

from skbadr.metrics.aggregate import METHODS, TRANSFORMS, aggregate_groups, check_option
from skbadr.metrics.base import FairnessMetric

# A rate takes tables of shape (..., true class, predicted class) and returns numerators and
# denominators of shape (..., C): one rate per table and class, that class being the positive one.


def _off_diagonal(table):
    return table * (1.0 - np.eye(table.shape[-1]))


def _diagonal(table):
    return np.einsum("...cc->...c", table)


def _others(per_class):
    return per_class @ (1.0 - np.eye(per_class.shape[-1]))


def _total(table):
    return table.sum(axis=(-2, -1))[..., None]


def _selection(table):
    return table.sum(axis=-2), _total(table) * np.ones(table.shape[-1])


def _true_positive(table):
    return _diagonal(table), table.sum(axis=-1)


def _false_negative(table):
    return _off_diagonal(table).sum(axis=-1), table.sum(axis=-1)


def _false_positive(table):
    return _off_diagonal(table).sum(axis=-2), _others(table.sum(axis=-1))


def _true_negative(table):
    # Among the rows of other classes, the columns of other classes.
    keep = 1.0 - np.eye(table.shape[-1])
    return np.einsum("...tp,tc,pc->...c", table, keep, keep), _others(table.sum(axis=-1))


def _precision(table):
    return _diagonal(table), table.sum(axis=-2)


def _f1(table):
    return 2 * _diagonal(table), table.sum(axis=-2) + table.sum(axis=-1)


def _accuracy(table):
    return _diagonal(table).sum(axis=-1, keepdims=True), _total(table)


def _zero_one(table):
    return _off_diagonal(table).sum(axis=(-2, -1))[..., None], _total(table)


def _balanced_accuracy(table):
    recall = divide(*_true_positive(table))
    supported = table.sum(axis=-1) > 0
    return (recall * supported).sum(axis=-1, keepdims=True), supported.sum(axis=-1, keepdims=True)


# name -> (function, whether the rate is one per class, what it is conditioned on)
RATES = {
    "selection_rate": (_selection, True, None),
    "true_positive_rate": (_true_positive, True, "positive"),
    "false_negative_rate": (_false_negative, True, "positive"),
    "false_positive_rate": (_false_positive, True, "negative"),
    "true_negative_rate": (_true_negative, True, "negative"),
    "precision": (_precision, True, None),
    "f1": (_f1, True, None),
    "accuracy": (_accuracy, False, None),
    "zero_one_loss": (_zero_one, False, None),
    "balanced_accuracy": (_balanced_accuracy, False, None),
}


def divide(numerator, denominator):
    """Return the ratio, and 0 where the denominator is 0 (the convention of fairlearn)."""
    return np.divide(
        numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0
    )


def _nan_mean(values, axis):
    """Return the mean of what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


class RateMetric(FairnessMetric):
    """Compare rates of the groups' confusion matrices.

    For two classes the rates are those of the positive class; for more, each class in turn is
    the positive one and `class_agg` says what becomes of the C values, unless `pos_label` names
    one.

    Parameters
    ----------
    rates : str or sequence of str
        One or more of "selection_rate", "true_positive_rate", "false_positive_rate",
        "true_negative_rate", "false_negative_rate", "accuracy", "zero_one_loss",
        "balanced_accuracy", "precision", "f1".
    transform : {"difference", "ratio", "group_min", "group_max"}, default="difference"
        What is made of the groups' rates.
    method : {"between_groups", "to_overall"}, default="between_groups"
        Whether differences and ratios compare groups with each other or with all samples.
    agg : {"worst_case", "mean"}, default="worst_case"
        Aggregation where there are several rates (equalized odds).
    class_agg : {"worst_case", "mean"}, default="worst_case"
        Aggregation over classes where there are more than two.
    pos_label : label or None, default=None
        Positive class, against all others. None: the greater of two, ``classes_[1]``; of more,
        each in turn.
    multiclass_rates : sequence of str or None, default=None
        Rates to use instead of `rates` where there are more than two classes.
    name : str or None, default=None

    Notes
    -----
    A rate conditioned on a class that a group does not have is 0, as in fairlearn, with an
    UndefinedMetricWarning that names the group. A ratio of two zeros is NaN and never preferred
    to a number. With ``agg="worst_case"`` fairlearn's equalized odds ratio is the first rate's
    where the second is NaN; so is this one's.

    References
    ----------
    Weerts et al. (2023), "Fairlearn: assessing and improving fairness of AI systems", JMLR 24.
    For more than two classes: Jung et al. (2023), "Re-weighting based group fairness
    regularization via classwise robust optimization", ICLR.
    """

    uses_confusion = True

    def __init__(
        self,
        rates,
        *,
        transform="difference",
        method="between_groups",
        agg="worst_case",
        class_agg="worst_case",
        pos_label=None,
        multiclass_rates=None,
        name=None,
    ):
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

    @property
    def ideal(self):  # noqa: D102
        return {"difference": 0.0, "ratio": 1.0}.get(self.transform)

    def statistics(self, evaluation_set, response):  # noqa: D102
        return evaluation_set.confusion(response).ravel()

    def from_statistics(self, evaluation_set, statistics):  # noqa: D102
        return float(self.from_many_statistics(evaluation_set, np.reshape(statistics, (1, -1)))[0])

    def from_many_statistics(self, evaluation_set, statistics):  # noqa: D102
        n_classes = evaluation_set.n_classes
        shape = (len(statistics), -1, n_classes, n_classes)
        tables = np.reshape(statistics, shape)[:, evaluation_set.present]
        values = [self._rate_value(evaluation_set, tables, r) for r in self._rates(evaluation_set)]
        if self.agg == "mean":
            return _nan_mean(np.stack(values), axis=0)
        worst = values[0]
        for value in values[1:]:
            # As min and max of Python compare: see the note on NaN in the class docstring.
            better = value < worst if self.greater_is_better else value > worst
            worst = np.where(better, value, worst)
        return worst

    def _has_many_classes(self, evaluation_set):
        return evaluation_set.n_classes > 2 and self.pos_label is None

    def _rates(self, evaluation_set):
        if self._has_many_classes(evaluation_set) and self.multiclass_rates:
            return self.multiclass_rates
        return self.rates

    def _rate_value(self, evaluation_set, tables, rate):
        function, per_class, _ = RATES[rate]
        columns = self._positive_columns(evaluation_set) if per_class else slice(None)
        by_group = divide(*(part[..., columns] for part in function(tables)))
        overall = None
        if self.method == "to_overall":
            pooled = function(tables.sum(axis=1))
            overall = divide(*(part[..., columns] for part in pooled))
        per_class_values = aggregate_groups(np.moveaxis(by_group, 1, 0), overall, self.transform)
        if self.class_agg == "mean":
            return _nan_mean(per_class_values, axis=1)
        reduce = np.fmin.reduce if self.greater_is_better else np.fmax.reduce
        return reduce(per_class_values, axis=1)

    def _positive_columns(self, evaluation_set):
        if self._has_many_classes(evaluation_set):
            return slice(None)
        return slice(*_positive_range(evaluation_set.classes, self.pos_label))

    def undefined(self, evaluation_set):  # noqa: D102
        sentences = []
        totals = evaluation_set.class_totals
        labels, classes = evaluation_set.groups.labels, evaluation_set.classes.tolist()
        columns = range(evaluation_set.n_classes)[self._positive_columns(evaluation_set)]
        for rate in self._rates(evaluation_set):
            condition = RATES[rate][2]
            if condition is None:
                continue
            for c in columns:
                mass = totals[:, c] if condition == "positive" else _others(totals)[:, c]
                for g in np.flatnonzero((mass <= 0) & evaluation_set.present):
                    kind = "class" if condition == "positive" else "any class but"
                    sentences.append(
                        f"{self.name}: group {labels[g]!r} has no sample of {kind} "
                        f"{classes[c]!r}; its {rate} is undefined and counts as 0."
                    )
        return sentences


def _positive_range(classes, pos_label):
    if pos_label is None:
        return len(classes) - 1, len(classes)
    for code, label in enumerate(classes):
        if label == pos_label:
            return code, code + 1
    raise ValueError(f"pos_label={pos_label!r} is not among the classes {classes.tolist()}.")
