"""What a fairness metric is, and the data it is evaluated on."""

import warnings
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skbadr.partition import Groups, encode_labels, make_groups

TASKS = ("classification", "regression")


@dataclass
class EvaluationSet:
    """The part of the data on which the upper level is evaluated, without its predictions.

    Everything that does not depend on a model is computed once here, so that evaluating one
    more model costs a single pass over its predictions.

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
        What the user gave, for metrics that are plain callables.
    """

    y: np.ndarray
    groups: Groups
    classes: np.ndarray | None = None
    sample_weight: np.ndarray | None = None
    sensitive_features: object = field(default=None, repr=False)

    @property
    def task(self):
        """Return "classification" or "regression"."""
        return "regression" if self.classes is None else "classification"

    @property
    def n_groups(self):
        """Number of groups, present in this set or not."""
        return len(self.groups.labels)

    @property
    def n_classes(self):
        """Number of classes."""
        return len(self.classes)

    @cached_property
    def group_totals(self):
        """Total weight of each group, of shape (n_groups,)."""
        return self.group_sums(None)

    @cached_property
    def present(self):
        """Mask of the groups with positive weight here, of shape (n_groups,)."""
        return self.group_totals > 0

    @cached_property
    def class_totals(self):
        """Weight of each group and true class, of shape (n_groups, n_classes)."""
        pair = self.groups.codes * self.n_classes + self.y
        size = self.n_groups * self.n_classes
        counts = np.bincount(pair, weights=self.sample_weight, minlength=size)
        return counts.reshape(self.n_groups, self.n_classes).astype(float)

    @cached_property
    def _row_offset(self):
        return (self.groups.codes * self.n_classes + self.y) * self.n_classes

    def confusion(self, predicted):
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
        table = np.bincount(
            self._row_offset + predicted, weights=self.sample_weight, minlength=size
        )
        return table.reshape(self.n_groups, self.n_classes, self.n_classes).astype(float)

    def group_sums(self, values):
        """Return the weighted sum of `values` (None: of ones) over each group."""
        weights = self.sample_weight
        if values is not None:
            weights = values if weights is None else values * weights
        sums = np.bincount(self.groups.codes, weights=weights, minlength=self.n_groups)
        return sums.astype(float)

    def group_means(self, values):
        """Return the weighted mean of `values` over each group; NaN where a group is absent."""
        sums, totals = self.group_sums(values), self.group_totals
        return np.divide(sums, totals, out=np.full(self.n_groups, np.nan), where=totals > 0)


class FairnessMetric:
    """Base class of every fairness metric.

    A subclass implements `value`, or, where the metric is a function of a few sums over the
    data (group rates, group losses), `statistics` and `from_statistics`: solvers then model
    these smooth quantities instead of the metric's kinks, and sum them over blocks of data.

    Parameters
    ----------
    name : str
        Name shown to users.
    greater_is_better : bool, default=False
        Direction; True for ratios.
    response_method : {"predict", "predict_proba"}, default="predict"
        Estimator method whose output the metric takes.
    tasks : tuple of {"classification", "regression"}
        Tasks for which it is defined.

    Examples
    --------
    A metric of one's own, here the gap between the groups' rates of the first class:

    >>> import numpy as np
    >>> from skbadr.metrics import FairnessMetric
    >>> class FirstClassGap(FairnessMetric):
    ...     def __init__(self):
    ...         super().__init__("first_class_gap", tasks=("classification",))
    ...
    ...     def value(self, evaluation_set, response):
    ...         return np.ptp(evaluation_set.group_means((response == 0).astype(float)))
    >>> metric = FirstClassGap()
    >>> metric([0, 1, 0, 1], [0, 0, 1, 1], sensitive_features=["a", "a", "b", "b"])
    1.0
    """

    pos_label = None
    # Whether `statistics` are the groups' confusion matrices, which a search can predict.
    uses_confusion = False

    @property
    def ideal(self):
        """Value that no model can improve on, or None where there is none."""
        return None

    def __init__(self, name, *, greater_is_better=False, response_method="predict", tasks=TASKS):
        self.name = name
        self.greater_is_better = greater_is_better
        self.response_method = response_method
        self.tasks = tuple(tasks)

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}>"

    def statistics(self, evaluation_set, response):
        """Return the quantities, smooth in the weights, that the metric is a function of.

        Parameters
        ----------
        evaluation_set : EvaluationSet
        response : ndarray
            Predicted class codes, real predictions, or probabilities of shape (n, C).

        Returns
        -------
        statistics : ndarray of shape (n_statistics,)
        """
        return np.array([self.value(evaluation_set, response)], dtype=float)

    def from_statistics(self, evaluation_set, statistics):
        """Return the metric as a function of its statistics."""
        return float(statistics[0])

    def value(self, evaluation_set, response):
        """Return the exact value users know.

        Parameters
        ----------
        evaluation_set : EvaluationSet
        response : ndarray
            As in `statistics`.

        Returns
        -------
        value : float
            NaN where the metric is undefined.
        """
        return self.from_statistics(evaluation_set, self.statistics(evaluation_set, response))

    def undefined(self, evaluation_set):
        """Return one sentence per group for which the metric has no meaning on this data."""
        return []

    def __call__(self, y_true, y_pred, *, sensitive_features, sample_weight=None):
        """Return the metric's value for predictions.

        Parameters
        ----------
        y_true : array-like of shape (n,)
        y_pred : array-like of shape (n,) or (n, C)
            Output of `response_method`.
        sensitive_features : array-like of shape (n,) or (n, m)
            Any form that `BADRClassifier.fit` takes.
        sample_weight : array-like of shape (n,) or None, default=None

        Returns
        -------
        value : float

        Raises
        ------
        ValueError
            If lengths differ, sensitive values are missing, or `y_pred` holds probabilities
            where labels are needed.

        Warns
        -----
        UndefinedMetricWarning
            If a group leaves the metric undefined, naming it.
        """
        evaluation_set, response = evaluation_set_from_labels(
            self, y_true, y_pred, sensitive_features, sample_weight
        )
        for sentence in self.undefined(evaluation_set):
            warnings.warn(sentence, UndefinedMetricWarning, stacklevel=2)
        return float(self.value(evaluation_set, response))


def evaluation_set_from_labels(metric, y_true, y_pred, sensitive_features, sample_weight):
    """Encode what a user passes to a metric; see `FairnessMetric.__call__`."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim == 2 and y_true.shape[1] == 1:
        y_true = y_true.ravel()
    if y_pred.ndim == 2 and y_pred.shape[1] == 1:
        y_pred = y_pred.ravel()
    if y_true.ndim != 1:
        raise ValueError(f"y_true must be 1-dimensional, got shape {y_true.shape}.")
    groups = make_groups(sensitive_features)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
    for name, values in (("y_pred", y_pred), ("sensitive_features", groups),
                         ("sample_weight", weight)):  # fmt: skip
        if values is not None and len(values) != len(y_true):
            raise ValueError(
                f"{name} has {len(values)} rows but y_true has {len(y_true)}: give one per sample."
            )
    if len(y_true) == 0:
        raise ValueError("y_true is empty: give at least one sample.")
    if "classification" not in metric.tasks:
        y, response, classes = y_true.astype(float), y_pred.astype(float), None
    elif metric.response_method == "predict":
        y, response, classes = _encode_predictions(y_true, y_pred, metric)
    else:
        codes, labels = encode_labels(y_true)
        y, classes = codes, np.asarray(_binary_labels(labels, metric.pos_label))
        if len(classes) > len(labels):
            y = np.searchsorted(classes, np.asarray(labels))[codes]
        response = np.column_stack([1 - y_pred, y_pred]) if y_pred.ndim == 1 else y_pred
    return EvaluationSet(y, groups, classes, weight, sensitive_features), response


def _encode_predictions(y_true, y_pred, metric):
    if y_pred.ndim != 1:
        raise ValueError(
            f"{metric.name} takes predicted labels of shape (n,), got shape {y_pred.shape}: pass "
            "the output of predict."
        )
    if y_pred.dtype.kind == "f" and y_true.dtype.kind in "biu":
        if not np.array_equal(y_pred, np.rint(y_pred)):
            raise ValueError(
                f"{metric.name} takes predicted labels, but y_pred holds fractions, probably "
                "probabilities or scores: pass the output of predict."
            )
        y_pred = y_pred.astype(np.intp)
    kinds = {y_true.dtype.kind, y_pred.dtype.kind}
    if kinds & set("OUS") and not kinds <= set("OUS"):
        raise ValueError(
            f"y_true ({y_true.dtype}) and y_pred ({y_pred.dtype}) hold labels of different types: "
            "pass predictions in the labels of y_true."
        )
    codes, labels = encode_labels(np.concatenate([y_true, y_pred]))
    known = _binary_labels(labels, metric.pos_label)
    if len(known) > len(labels):
        codes = np.full(len(codes), known.index(labels[0]))
    classes = np.empty(len(known), dtype=object)
    classes[:] = known
    return codes[: len(y_true)], codes[len(y_true) :], classes


def _binary_labels(labels, pos_label):
    """Add the class that did not occur where a single one of two did."""
    if len(labels) != 1:
        return labels
    for usual in ([0, 1], [-1, 1]):
        if labels[0] in usual:
            return usual
    if pos_label is None:
        raise ValueError(
            f"y_true and y_pred hold the single label {labels[0]!r}: give pos_label to say "
            "whether it is the positive class."
        )
    return [None, pos_label] if labels[0] == pos_label else [labels[0], pos_label]
