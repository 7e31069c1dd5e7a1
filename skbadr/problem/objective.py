"""Upper-level objective: metric alone, traded off, or bounded."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._rows import DIGITS, ROUNDING
from skbadr._typing import Array, Float, FloatArray

if TYPE_CHECKING:
    from skbadr.metrics import FairnessMetric
    from skbadr.result import Evaluation


class UpperObjective:
    """Rank evaluated points by what the user asked for.

    - neither `bound` nor `trade_off`: by the metric, and equal values by the score;
    - `trade_off`: by the metric minus ``trade_off * score``;
    - `bound`: by the score among points that meet the bound; if none does, by the smallest excess.

    If `ceilings` are set, points that keep every group's loss below the group's ceiling come
    first.

    Parameters
    ----------
    metric : FairnessMetric
    trade_off : float, default=0.0
    bound : float or None, default=None
        Upper bound of the metric; lower bound if greater is better (ratios).

    Attributes
    ----------
    ceilings : ndarray of shape (S,) or None
        Largest loss that each sensitive group may have; NaN: any loss.
    """

    metric: FairnessMetric
    trade_off: Float
    bound: Float | None
    ceilings: FloatArray | None = None
    _sizes: list[Any] | None = None

    def __init__(
        self, metric: FairnessMetric, *, trade_off: Float = 0.0, bound: Float | None = None
    ) -> None:
        self.metric, self.trade_off, self.bound = metric, trade_off, bound
        self._sign = -1.0 if metric.greater_is_better else 1.0

    def calibrate(self, baseline: Evaluation) -> None:
        """Rank from here on with no more digits than sums have, in units of the baseline's values.

        Of models that are equal but for rounding, the better score then counts.
        """
        sizes = abs(baseline.metric), abs(baseline.score)
        self._sizes = [size if np.isfinite(size) and size > 0 else None for size in sizes]

    def shifted(self, amount: Float) -> UpperObjective:
        """Return an objective whose bound allows for the metric to rise by so much yet."""
        other = copy(self)
        other.bound = None if self.bound is None else self.bound - amount
        return other

    def _rounded(self, amount, which):
        size = None if self._sizes is None else self._sizes[which]
        return amount if size is None else size * round(float(amount) / size, DIGITS)

    def cost(self, value: Any) -> Any:
        """Return the metric's value as a cost: lower is better, NaN stays NaN."""
        return self._sign * value

    def excess(self, value: Any) -> Any:
        """Return by how much a metric value misses the bound (0: met)."""
        return np.maximum(0.0, self._sign * (value - self.bound))

    def overrun(self, evaluation: Evaluation) -> float:
        """Return the largest amount by which a group's loss is above its ceiling (0: none)."""
        if self.ceilings is None or evaluation.losses_by_group is None:
            return 0.0
        over = evaluation.losses_by_group - self.ceilings
        # What rounding adds to a sum is no loss.
        return float(np.max(np.where(over > ROUNDING * np.abs(self.ceilings), over, 0.0)))

    def key(self, evaluation: Evaluation) -> tuple[float, ...]:
        """Return a sort key: the smaller, the better; failed and undefined points come last."""
        key = self._key(evaluation)
        if self.ceilings is None:
            return key
        return (self.overrun(evaluation) if np.isfinite(key[0]) else np.inf, *key)

    def _key(self, evaluation):
        cost, score = self.cost(evaluation.metric), evaluation.score
        if np.isnan(cost) or np.isnan(score):
            return (np.inf, np.inf, np.inf)
        excess = 0.0 if self.bound is None else self.excess(evaluation.metric)
        cost, score = self._rounded(cost, 0), self._rounded(score, 1)
        if self.bound is not None:
            # A missed bound first; equal scores by the metric.
            return (self._rounded(excess, 0), -score, cost)
        if self.trade_off:
            return (cost - self.trade_off * score, cost, -score)
        return (cost, -score, 0.0)

    def merit(
        self, metric: Array, score: Array, *, score_scale: float = 1.0, margin: float = 0.0
    ) -> Array:
        """Return one number per predicted point for a search to minimise.

        Parameters
        ----------
        metric : ndarray of shape (m,) or (m, n_parts)
            As of `FairnessMetric.search_values`.
        score : ndarray of shape (m,)
        score_scale : float, default=1.0
            Score that one unit of excess over the bound is worth.
        margin : float, default=0.0
            By how much predictions must stay inside the bound.

        Returns
        -------
        merit : ndarray of shape (m,)
            NaN becomes infinity.
        """
        metric, score = np.asarray(metric, dtype=float), np.asarray(score, dtype=float)
        prices = self.metric.prices if metric.ndim > score.ndim else None
        if self.bound is not None:
            excess = self.excess(metric + self._sign * margin)
            excess = excess if prices is None else (excess * prices).max(axis=-1)
            merit = -score + score_scale * excess
        else:
            cost = self.cost(metric) if prices is None else self.cost(metric).max(axis=-1)
            merit = cost - self.trade_off * score
        return np.where(np.isnan(merit), np.inf, merit)

    @property
    def uses_score(self) -> bool:
        """Whether the score matters beyond breaking ties."""
        return self.bound is not None or bool(self.trade_off)

    def gain(self, before: Evaluation, after: Evaluation) -> float:
        """Return by how much one evaluation is better than an earlier one, 0 if it is not."""
        pairs = zip(self.key(before), self.key(after), strict=True)
        differences = [old - new for old, new in pairs if old != new]
        return max(0.0, differences[0]) if differences else 0.0

    def is_met(self, evaluation: Evaluation) -> bool:
        """Whether an evaluation meets the bound; True if there is no bound."""
        return self.bound is None or bool(self.excess(evaluation.metric) <= 0)

    def is_ideal(self, evaluation: Evaluation) -> bool:
        """Whether no other model can be better: the metric alone counts and is perfect."""
        perfect = not self.uses_score and evaluation.metric == self.ideal
        return perfect and self.overrun(evaluation) == 0

    @property
    def ideal(self) -> float | None:
        """Value of the metric that no model can improve on, or None."""
        return self.metric.ideal
