"""Metrics of the groups' mean losses."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from skbadr._rows import ROUNDING, rounded_sums, steps
from skbadr._typing import Array, ArrayLike, Features, Float, FloatArray, Task
from skbadr.losses import get_loss, soft_zero_one
from skbadr.metrics.aggregate import check_option, check_positive, largest, smallest
from skbadr.metrics.base import FairnessMetric, evaluate
from skbadr.metrics.losses.ambiguity import BALLS, worst_expectation

if TYPE_CHECKING:
    from skbadr.losses import Loss
    from skbadr.metrics.evaluation_set import EvaluationSet

# What stands in for loss="own" until an estimator is known.
FALLBACK = {"classification": "zero_one", "regression": "squared_error"}


# A summary takes the metric, the losses of the groups that are present, and their shares of the
# weight, and returns its value and the gradient in the losses.


def _worst(metric, losses, shares, data):
    if metric.ball is not None:
        return worst_expectation(losses, shares, metric.ball, metric.radius)
    return largest(losses, metric.rho)


def _mean(metric, losses, shares, data):
    return shares @ losses, shares


def _variance(metric, losses, shares, data):
    return np.var(losses), 2.0 * (losses - losses.mean()) / len(losses)


def _gap(metric, losses, shares, data):
    high, up = largest(losses, metric.rho)
    low, down = smallest(losses, metric.rho)
    return high - low, up - down


def _ratio(metric, losses, shares, data):
    low, high = losses.min(), losses.max()
    if not low > 0:
        return (np.nan if high == 0 else np.inf), np.zeros(len(losses))
    if metric.rho is None:
        up, down = largest(losses)[1], smallest(losses)[1]
        return high / low, up / low - down * high / low**2
    distance, gradient = _gap(metric, np.log(losses), shares, data)
    return np.exp(distance), np.exp(distance) * gradient / losses


def _room(disagreement, losses):
    """Return what groups gain over no agreement: none where sums differ by rounding alone."""
    room = disagreement - losses
    size = np.where(np.isfinite(disagreement), np.abs(disagreement), 0.0)
    return np.where(np.abs(room) <= ROUNDING * size, 0.0, room)


def _nash(metric, losses, shares, data):
    room = _room(metric.disagreement_losses(data)[data.present], losses)
    if not (room > 0).all():
        # No agreement; the way to one lowers the losses that are too high.
        return np.inf, np.where(room > 0, 0.0, 1.0)
    return -np.log(room).sum(), 1.0 / room


def _harm(metric, losses, shares, data):
    rises = 0.0 - _room(metric.reference_losses(data)[data.present], losses)
    return largest(rises, metric.rho)


SUMMARIES = {
    "mean_loss": _mean,
    "worst_group_loss": _worst,
    "group_loss_variance": _variance,
    "group_loss_gap": _gap,
    "group_loss_ratio": _ratio,
    "nash_welfare": _nash,
    "group_harm": _harm,
}
# The same of many rows of losses at once, without gradients.
MANY = {
    "worst_group_loss": lambda losses: np.fmax.reduce(losses, axis=1),
    "group_loss_variance": lambda losses: np.var(losses, axis=1),
    "group_loss_gap": lambda losses: (
        np.fmax.reduce(losses, axis=1) - np.fmin.reduce(losses, axis=1)
    ),
}
KINKED = ("worst_group_loss", "group_loss_gap", "group_loss_ratio", "group_harm")


class GroupLossMetric(FairnessMetric):
    r"""A summary of the groups' mean losses; lower is better.

    Parameters
    ----------
    summary : str
        - "mean_loss": mean over all samples, the goal of learning to reweight;
        - "worst_group_loss": the largest mean loss (minimax fairness); with `ball`, the largest
          expected loss over shares of the groups near those of the data (group DRO);
        - "group_loss_variance": variance over the groups;
        - "group_loss_gap": largest minus smallest (FORML's goal);
        - "group_loss_ratio": largest over smallest (relative fairness; 1 is ideal);
        - "nash_welfare": ``-sum_k log(d_k - F_k)``, see `disagreement`;
        - "group_harm": the largest rise of a group's loss over its loss under the baseline
          estimator, see `reference`; at most 0 if no group pays for another.
    loss : str, default="own"
        A name of `skbadr.losses.get_loss`. "own": the loss that the wrapped or scored estimator
        trains on. If this loss is not known, it is the log loss for an estimator with
        probabilities, and the zero-one loss, with a warning, for one without. A metric of "own"
        that is called by itself uses the squared error for real targets, and refuses labels.
    task : {"classification", "regression"}, default="classification"
        Task for which "own" stands; any other loss knows its task.
    rho : float or None, default=None
        Softens maxima and minima to ``log(sum(exp(rho F))) / rho``; for a ratio, those of the
        logarithms. Its unit is 1 over the unit of the loss.
    ball : {"kl", "chi2"} or None, default=None
        For "worst_group_loss": the ball is ``sum q log(q / p) <= radius``, or
        ``sum (q - p)^2 / p <= radius``, around the groups' shares p.
    radius : float, default=0.1
        Size of the ball. 0 gives the mean loss; above some radius only the largest loss counts.
    disagreement : float, array-like of shape (G,) or None, default=None
        For "nash_welfare": what each group loses without an agreement, in the order of the
        groups. None: the group's loss under the best model that knows nothing of X (class shares,
        or the mean target, of all samples). If a group is worse off than that, the metric is
        infinite.
    reference : float, array-like of shape (G,) or None, default=None
        For "group_harm": the loss of each group to compare with, in the order of the groups. None:
        the group's loss under the baseline estimator on the same rows, which a fit knows.
    name : str or None, default=None
        Name of the metric; None: `summary`. The loss is added in brackets if the name does not
        hold it.
    **loss_options
        Options of the loss: ``delta``, ``epsilon``, ``power``.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448 (group-loss variance); Diana et al. (2021),
    "Minimax group fairness", AIES (worst group); Sagawa et al. (2020), "Distributionally robust
    neural networks for group shifts", ICLR (group DRO); Zeng et al. (2024), "Fairness-aware
    meta-learning via Nash bargaining", NeurIPS (mean loss, worst group and gap as goals; Nash
    welfare).

    Examples
    --------
    >>> from skbadr.metrics import GroupLossMetric
    >>> metric = GroupLossMetric("group_loss_gap", loss="absolute_error")
    >>> metric([1.0, 2.0, 3.0], [1.5, 2.0, 4.0], sensitive_features=["a", "a", "b"])
    0.75
    """

    summary: str
    loss: str
    rho: Float | None
    ball: Literal["kl", "chi2"] | None
    radius: Float

    def __init__(
        self,
        summary: str,
        *,
        loss: str = "own",
        task: Task = "classification",
        rho: Float | None = None,
        ball: Literal["kl", "chi2"] | None = None,
        radius: Float = 0.1,
        disagreement: Float | Sequence[Float] | Array | None = None,
        reference: Float | Sequence[Float] | Array | None = None,
        name: str | None = None,
        **loss_options: Any,
    ) -> None:
        check_option("summary", summary, SUMMARIES)
        check_option("ball", ball, (*BALLS, None))
        check_positive("rho", rho, optional=True)
        if isinstance(radius, (bool, str)) or not radius >= 0:
            raise ValueError(f"radius must be a number >= 0, got {radius!r}.")
        for option, given, owner in (
            ("ball", ball, "worst_group_loss"),
            ("disagreement", disagreement, "nash_welfare"),
            ("reference", reference, "group_harm"),
        ):
            if given is not None and summary != owner:
                raise ValueError(f"{option} is an option of {owner!r}, not of {summary!r}.")
        if ball is not None and rho is not None:
            raise ValueError("ball and rho both soften the largest loss: give one of them.")
        self.summary, self.rho, self.ball, self.radius = summary, rho, ball, radius
        self.disagreement, self.reference = disagreement, reference
        self._label = summary if name is None else name
        self.own = loss == "own"
        if self.own and loss_options:
            raise TypeError(f"loss='own' takes no options, got {sorted(loss_options)}.")
        self._set_loss(get_loss(FALLBACK[task] if self.own else loss, **loss_options))

    def _set_loss(self, loss):
        self._loss, self.loss = loss, "own" if self.own else loss.name
        label = self._label
        super().__init__(
            label if label.startswith(self.loss) else f"{label}[{self.loss}]",
            response_method=loss.response_method,
            tasks=(loss.task,),
        )

    def with_loss(self, loss: Loss) -> GroupLossMetric:
        """Return the same summary of another `skbadr.losses.Loss`."""
        other = copy.copy(self)
        other.own = False
        other._set_loss(loss)
        return other

    def surrogate(
        self, temperature: Float = 1.0, *, rho: Float | None = None
    ) -> FairnessMetric | None:
        """Return the summary of the soft zero-one loss, or, of other losses, itself.

        Parameters
        ----------
        temperature : float, default=1.0
            Factor of the scores in the soft zero-one loss.
        rho : float or None, default=None
            None: as it is.
        """
        check_positive("temperature", temperature)
        check_positive("rho", rho, optional=True)
        smooth = self
        if self._loss.name == "zero_one":
            smooth = self.with_loss(soft_zero_one(temperature))
        if rho is not None and self.ball is None:
            smooth = copy.copy(smooth)
            smooth.rho = rho
        return smooth

    def disagreement_losses(self, evaluation_set: EvaluationSet) -> FloatArray:
        """Return what each group loses without an agreement, of shape (G,)."""
        if self.disagreement is not None:
            return np.broadcast_to(np.asarray(self.disagreement, float), evaluation_set.n_groups)
        known = evaluation_set.cache.setdefault("disagreement", {})
        if self._loss not in known:
            data, loss = evaluation_set, self._loss
            n_classes = None if data.classes is None else data.n_classes
            response = loss.constant(data.y, data.sample_weight, n_classes)
            response = np.broadcast_to(response, (len(data.y), *np.shape(response)))
            known[loss] = data.group_means(loss.function(data.y, response))
        return known[self._loss]

    @property
    def references(self) -> tuple[Loss, ...]:  # noqa: D102
        needed = self.summary == "group_harm" and self.reference is None
        return (self._loss,) if needed else ()

    def reference_losses(self, evaluation_set: EvaluationSet) -> FloatArray:
        """Return the loss of each group to compare with, of shape (G,)."""
        if self.reference is None:
            return evaluation_set.reference_means(self._loss)
        return np.broadcast_to(np.asarray(self.reference, float), evaluation_set.n_groups)

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        if evaluation_set.classes is None:
            self._loss.check_targets(evaluation_set.y)
        for name in ("disagreement", "reference"):
            value = getattr(self, name)
            given = np.shape(value)
            if value is not None and given not in ((), (evaluation_set.n_groups,)):
                raise ValueError(
                    f"{name} must be a number or one per group, of shape "
                    f"({evaluation_set.n_groups},), got shape {given}."
                )
        return []

    def undefined_value(self, evaluation_set: EvaluationSet, response: Array) -> list[str]:  # noqa: D102
        losses = self.statistics(evaluation_set, response)
        labels = evaluation_set.groups.labels
        if self.summary == "group_loss_ratio" and (losses == 0).any():
            named = ", ".join(repr(labels[g]) for g in np.flatnonzero(losses == 0)[:8])
            what = "infinite" if np.nanmax(losses) > 0 else "undefined (NaN)"
            return [f"{self.name}: group {named} has no loss, so that the ratio to it is {what}."]
        if self.summary == "nash_welfare":
            room = _room(self.disagreement_losses(evaluation_set), losses)
            return [
                f"{self.name}: group {labels[g]!r} is no better off than without an agreement, so "
                "that the welfare is infinitely bad."
                for g in np.flatnonzero(room <= 0)
            ]
        return []

    def __call__(  # noqa: D102
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        sensitive_features: Features,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        if self.own and "classification" in self.tasks:
            raise ValueError(
                f"{self.name} is of the loss that an estimator trains on, and predictions alone do "
                "not tell which: give loss='log_loss' for probabilities, or take worst_group_error "
                "or zero_one_loss_* for labels."
            )
        return evaluate(self, y_true, y_pred, sensitive_features, sample_weight)

    @property
    def group_means_of(self) -> Callable[..., Array] | None:  # type: ignore[override]  # noqa: D102
        is_mean = type(self).statistics is GroupLossMetric.statistics
        return self._loss.function if is_mean and self.differentiable else None

    @property
    def statistics_key(self) -> Any:  # noqa: D102
        is_mean = type(self).statistics is GroupLossMetric.statistics
        return ("group means", self._loss) if is_mean else self

    def statistics(self, evaluation_set: EvaluationSet, response: Array) -> FloatArray:  # noqa: D102
        means = evaluation_set.group_means(self._loss.function(evaluation_set.y, response))
        counted = not self.differentiable and evaluation_set.sample_weight is not None
        return rounded_sums(means, 1.0) if counted else means  # of the zero-one loss

    def from_statistics(self, evaluation_set: EvaluationSet, statistics: FloatArray) -> float:  # noqa: D102
        return float(self._summary(evaluation_set, statistics)[0])

    def from_many_statistics(  # noqa: D102
        self, evaluation_set: EvaluationSet, statistics: FloatArray
    ) -> FloatArray:
        many = MANY.get(self.summary) if self.rho is None and self.ball is None else None
        if many is None:
            return super().from_many_statistics(evaluation_set, statistics)
        return many(statistics[:, evaluation_set.present])

    def _summary(self, evaluation_set, losses):
        present = evaluation_set.present
        totals = evaluation_set.group_totals[present]
        return SUMMARIES[self.summary](self, losses[present], totals / totals.sum(), evaluation_set)

    @property
    def additive(self) -> bool:  # type: ignore[override]
        """Whether its losses add up: all do, but what a mean target costs takes all rows."""
        known = self.disagreement is not None or self._loss.task == "classification"
        return not self.references and (self.summary != "nash_welfare" or known)

    @property
    def differentiable(self) -> bool:  # type: ignore[override]  # noqa: D102
        return self._loss.gradient is not None

    @property
    def kinked(self) -> bool:  # type: ignore[override]  # noqa: D102
        sharp = self.summary in KINKED and self.rho is None and self.ball is None
        return sharp or self._loss.kinked

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        data = evaluation_set
        slopes = np.empty(np.shape(scores), np.result_type(scores, np.float32))

        def losses(rows):
            own, slopes[rows] = self._loss.gradient(data.y[rows], scores[rows])
            return own

        means, present = data.group_means(losses), data.present
        value, by_loss = self._summary(data, means)
        by_group = np.zeros(len(means), dtype=slopes.dtype)
        by_group[present] = by_loss / data.group_totals[present]
        for rows in steps(len(slopes)):
            factor = by_group[data.groups.codes[rows]]
            if data.sample_weight is not None:
                factor = factor * data.sample_weight[rows]
            slopes[rows] *= factor[:, None]
        return float(value), slopes
