"""What a fairness metric is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skbadr._typing import Array, ArrayLike, Features, Float, FloatArray, ResponseMethod, Task
from skbadr.metrics.inputs.baseline_losses import add_baseline_losses
from skbadr.metrics.inputs.encoding import encode

if TYPE_CHECKING:
    from skbadr.losses import Loss
    from skbadr.metrics.evaluation_set import EvaluationSet

TASKS: tuple[Task, ...] = ("classification", "regression")


class FairnessMetric:
    """Base class of every fairness metric.

    A subclass implements `value`. If the metric is a function of a few sums over the data (group
    rates, group losses), it implements `statistics` and `from_statistics` instead. Solvers then
    model these smooth quantities instead of the metric's kinks, and sum them over blocks of data.

    Parameters
    ----------
    name : str
        Name shown to users.
    greater_is_better : bool, default=False
        Whether a larger value is fairer; True for ratios.
    response_method : {"predict", "predict_proba", "decision_function"}, default="predict"
        Estimator method whose output the metric takes: class codes or real predictions,
        probabilities of shape (n, C), or scores of shape (n,) for two classes and (n, C) for more.
    tasks : tuple of {"classification", "regression"}
        Tasks for which the metric is defined.

    Examples
    --------
    A metric of your own, here the gap between the groups' rates of the first class:

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

    name: str
    greater_is_better: bool
    response_method: ResponseMethod
    tasks: tuple[Task, ...]
    # Label of the positive class, if it is an option; None: the greater of two classes.
    pos_label: Any = None
    # Whether `statistics` are sums over rows or means over groups, so that those of blocks of
    # rows add up (`EvaluationSet.part`).
    additive: bool = False
    # Whether `statistics` are the groups' confusion matrices, which a search can predict.
    uses_confusion: bool = False
    # The function of `skbadr.losses` whose means over groups are `statistics`, or None.
    group_means_of: Callable[..., Array] | None = None
    # Whether it is a function of unknown cost, to be called once per refit at most.
    slow: bool = False
    # Whether `value_and_gradient` exists, so that exact hypergradients can be used.
    differentiable: bool = False
    # Whether that gradient jumps, as a largest gap's does where two groups tie.
    kinked: bool = False

    @property
    def ideal(self) -> float | None:
        """Value that no model can improve on, or None where there is none."""
        return None

    @property
    def points(self) -> float | None:
        """Points of a rate, of which one is worth a point of accuracy, in one unit; None: other."""
        return 1.0 if self.uses_confusion else None

    @property
    def response_methods(self) -> tuple[ResponseMethod, ...]:
        """All response methods whose output it takes: more than one for a combination."""
        return (self.response_method,)

    @property
    def statistics_key(self) -> Any:
        """What metrics of equal statistics share, so that a combination takes these once."""
        return "confusion" if self.uses_confusion else self

    @property
    def references(self) -> tuple[Loss, ...]:
        """Losses of the baseline model that it compares with; none for most metrics."""
        return ()

    @property
    def own_bound(self) -> float | None:
        """Bound that the metric brings along, as a combination of several bounds does, or None."""
        return None

    def pieces(
        self,
        evaluation_set: EvaluationSet,
        statistics: FloatArray | None = None,
        response: Any = None,
    ) -> list[Piece] | None:
        """Return the metrics of which this one is the worst, or None where it is a single one.

        Parameters
        ----------
        evaluation_set : EvaluationSet
        statistics : ndarray of shape (T, n_statistics) or None, default=None
            Of T models.
        response : ndarray or None, default=None
            What the metric takes of one model.

        Returns
        -------
        pieces : list of Piece or None
            Their values make that of the whole by `worst_of`.
        """
        return None

    def worst_of(self, values: Array) -> Array:
        """Return the metric's value of those of its `pieces`, of shape (..., n_pieces)."""
        return values[..., 0]

    def bound_text(self, bound: Float) -> str:
        """Return a bound on the metric in words, for messages."""
        return f"{self.name} {'>=' if self.greater_is_better else '<='} {bound:g}"

    def value_text(
        self,
        value: Float,
        evaluation_set: EvaluationSet | None = None,
        statistics: FloatArray | None = None,
    ) -> str:
        """Return a value of the metric in words, for messages; its statistics may tell more."""
        return f"{value:.4g}"

    def __init__(
        self,
        name: str,
        *,
        greater_is_better: bool = False,
        response_method: ResponseMethod = "predict",
        tasks: Sequence[Task] = TASKS,
    ) -> None:
        self.name = name
        self.greater_is_better = greater_is_better
        self.response_method = response_method
        self.tasks = tuple(tasks)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:
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

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:
        """Return the metric as a function of its statistics."""
        return float(statistics[0])

    def from_many_statistics(
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> FloatArray:
        """Return the metric of each row of `statistics`, of shape (T, n_statistics)."""
        return np.array([self.from_statistics(evaluation_set, row) for row in statistics])

    @property
    def prices(self) -> FloatArray | None:
        """What a unit of each part's excess is worth, in that of the dearest; None: no parts."""
        return None

    def search_values(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> FloatArray:
        """Return what a search weighs of each row of `statistics`: the metric, of shape (T,).

        Or, of a metric with `prices`, each of its parts, of shape (T, n_parts).
        """
        return self.from_many_statistics(evaluation_set, statistics)

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:
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

    def value_and_gradient(
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        """Return the value and its gradient in the scores, where `differentiable` is True.

        Parameters
        ----------
        evaluation_set : EvaluationSet
        scores : ndarray of shape (n, m)
            Decision function of a classifier (m = 1 for two classes, else one per class), or
            predictions of a regressor.

        Returns
        -------
        value : float
        gradient : ndarray of shape (n, m)
        """
        raise NotImplementedError(f"{self.name} has no gradient.")

    def surrogate(
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        """Return a smooth stand-in with a gradient in the scores.

        Parameters
        ----------
        temperature : float, default=1.0
            How sharply predictions follow scores. As it grows, the surrogate becomes the metric.
        rho : float or None, default=None
            Softens maxima and minima by log-sum-exp with this factor; None leaves them.

        Returns
        -------
        surrogate : FairnessMetric or None
            A differentiable metric: this metric itself if it is differentiable, None if there is
            no surrogate.
        """
        return self if self.differentiable else None

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:
        """Return one sentence per group for which the metric has no meaning on this data.

        Raises
        ------
        ValueError
            If the metric can have no value at all, for example a deviance of negative targets.
        """
        return []

    def undefined_value(self, evaluation_set: EvaluationSet, response: Array) -> list[str]:
        """Return one sentence per group that leaves the metric undefined for these predictions."""
        return []

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        sensitive_features: Features,
        sample_weight: ArrayLike | None = None,
    ) -> float:
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
            If lengths differ, values are missing, weights are negative or all zero, or `y_pred`
            holds probabilities where labels are needed.

        Warns
        -----
        UndefinedMetricWarning
            If a group leaves the metric undefined, naming it.
        """
        return evaluate(self, y_true, y_pred, sensitive_features, sample_weight)


class Piece(NamedTuple):
    """One of the metrics that a metric is the worst of, and what it is evaluated on.

    Attributes
    ----------
    metric : FairnessMetric
    data : EvaluationSet
    statistics : ndarray of shape (T, n_own) or None
        Of T models, where statistics of the whole were given.
    response : ndarray, JointResponse or None
        Where that of the whole was given.
    """

    metric: FairnessMetric
    data: EvaluationSet
    statistics: FloatArray | None
    response: Any


def evaluate(
    metric: FairnessMetric,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sensitive_features: Features,
    sample_weight: ArrayLike | None = None,
    baseline: Callable[[ResponseMethod], Any] | None = None,
    **known: Any,
) -> float:
    """Return a metric's value for predictions; see `FairnessMetric.__call__`.

    Parameters
    ----------
    metric : FairnessMetric
    y_true, y_pred, sensitive_features, sample_weight
        As passed to the metric.
    baseline : callable ``(response_method) -> output`` or None, default=None
        Outputs of a model that the metric may compare with.
    **known
        What else is known: ``control_features``, ``task`` and ``classes`` of `encode`.

    Returns
    -------
    value : float
    """
    evaluation_set, response = encode(
        metric, y_true, y_pred, sensitive_features, sample_weight, **known
    )
    if baseline is not None:
        add_baseline_losses(metric, evaluation_set, baseline, y_true, sensitive_features)
    sentences = metric.undefined(evaluation_set)
    sentences = sentences + metric.undefined_value(evaluation_set, response)
    for sentence in sentences:
        warnings.warn(sentence, UndefinedMetricWarning, stacklevel=3)
    return float(metric.value(evaluation_set, response))
