"""Individual fairness across groups, without forming pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_banded

from skbadr._rows import steps, sums_by
from skbadr._typing import Array, ResponseMethod, Task
from skbadr.metrics.base import FairnessMetric

if TYPE_CHECKING:
    from skbadr.metrics.evaluation_set import EvaluationSet

# Range of targets over which exp of their differences from the middle is a float, and its inverse.
STRETCH = float(np.log(np.finfo(float).max))


class IndividualFairness(FairnessMetric):
    r"""Mean over pairs from different groups of ``exp(-|y_i - y_j|) (f_i - f_j)^2``.

    Similar individuals of different groups should get similar scores. f is the decision function
    of a classifier (summed over its outputs where there are several) or the prediction of a
    regressor. For classes, ``|y_i - y_j|`` is 0 or 1 and the sum over pairs is a function of the
    moments of each group and class: O(n). For real targets the kernel is applied by cumulated
    sums along the sorted targets: one sort, which is kept, then O(n).

    References
    ----------
    Berk et al. (2017), "A convex framework for fair regression", FAT/ML.
    """

    differentiable = True

    def __init__(self, task: Task = "classification") -> None:
        response_method: ResponseMethod = "predict" if task == "regression" else "decision_function"
        super().__init__("individual", response_method=response_method, tasks=(task,))

    def undefined(self, evaluation_set: EvaluationSet) -> list[str]:  # noqa: D102
        present = np.flatnonzero(evaluation_set.present)
        if len(present) != 1:
            return []
        return [
            f"{self.name}: all samples are of group {evaluation_set.groups.labels[present[0]]!r}, "
            "so that there are no pairs to compare; it is NaN."
        ]

    def value(self, evaluation_set: EvaluationSet, response: Array) -> float:  # noqa: D102
        return self.value_and_gradient(evaluation_set, response)[0]

    def value_and_gradient(  # noqa: D102
        self, evaluation_set: EvaluationSet, scores: Array
    ) -> tuple[float, Array]:
        scores = np.reshape(scores, (len(evaluation_set.y), -1)).astype(float, copy=False)
        totals = evaluation_set.group_totals
        n_pairs = totals.sum() ** 2 - (totals**2).sum()
        if n_pairs <= 0:
            return np.nan, np.zeros_like(scores)
        kernel = evaluation_set.cache.get("individual")
        if kernel is None:
            kind = _ClassKernel if evaluation_set.classes is not None else _TargetKernel
            kernel = evaluation_set.cache["individual"] = kind(evaluation_set)
        # With A0_i and A1_i the kernel-weighted mass and score of all other groups, the sum over
        # ordered pairs is 2 sum_i w_i f_i (f_i A0_i - A1_i).
        gradient = np.empty_like(scores)
        for column, out in zip(scores.T, gradient.T, strict=True):
            kernel.spread(evaluation_set, column, 4.0 / n_pairs, out)
        return 0.5 * float(np.einsum("nm,nm->", scores, gradient)), gradient


class _ClassKernel:
    """Sums over other groups where the kernel is 1 within a class and exp(-1) between."""

    def __init__(self, evaluation_set):
        data = evaluation_set
        self.shape = data.class_totals.shape
        self.kernel = np.full((data.n_classes, data.n_classes), np.exp(-1.0))
        np.fill_diagonal(self.kernel, 1.0)
        self.mass = self._over_others(data.class_totals)

    def _over_others(self, sums):
        return ((sums.sum(axis=0) - sums) @ self.kernel).ravel()

    def spread(self, data, scores, factor, out):
        """Write ``factor w_i (f_i A0_i - A1_i)`` to `out`."""
        pair, weight = data.pair, data.sample_weight

        def weighted(rows):
            return scores[rows] if weight is None else weight[rows] * scores[rows]

        sums = sums_by(pair, len(self.mass), weighted)
        mass, others = factor * self.mass, factor * self._over_others(sums.reshape(self.shape))
        for rows in steps(len(pair)):
            own = pair[rows]
            values = scores[rows] * mass[own]
            values -= others[own]
            if weight is not None:
                values *= weight[rows]
            out[rows] = values


class _TargetKernel:
    """Sums over other groups where the kernel is ``exp(-|y_i - y_j|)``: one sort, kept."""

    def __init__(self, evaluation_set):
        y, codes = evaluation_set.y, evaluation_set.groups.codes
        weight = evaluation_set.sample_weight
        order = np.argsort(y, kind="stable")
        sorted_codes = codes[order]
        # All samples first, then those of each group, to be taken off again.
        self.rows = [order]
        self.rows += [order[sorted_codes == g] for g in np.flatnonzero(evaluation_set.present)]
        self.sums = [_ExponentialSums(y[rows]) for rows in self.rows]
        self.mass = self._over_others(np.ones(len(y)) if weight is None else weight)

    def _over_others(self, values):
        result = np.empty(len(values))
        for k, (rows, sums) in enumerate(zip(self.rows, self.sums, strict=True)):
            if k == 0:
                result[rows] = sums(values[rows])
            else:
                result[rows] -= sums(values[rows])
        return result

    def spread(self, data, scores, factor, out):
        """Write ``factor w_i (f_i A0_i - A1_i)`` to `out`."""
        weight = data.sample_weight
        values = scores if weight is None else weight * scores
        np.multiply(scores, self.mass, out=out)
        out -= self._over_others(values)
        out *= factor
        if weight is not None:
            out *= weight


class _ExponentialSums:
    """``sum_j exp(-|y_i - y_j|) values_j`` for sorted y, in O(n).

    Within a stretch of y, ``exp(-(y_i - y_j))`` is a product of two factors that floats can hold,
    so that cumulated sums do; where there would be many stretches, a recursion is solved instead.
    """

    def __init__(self, y):
        self.y = y
        span = y[-1] - y[0]
        self.recursive = span > STRETCH * max(1, len(y) // 500)
        if self.recursive:
            return
        edges = np.arange(STRETCH, span, STRETCH) + y[0]
        cuts = np.unique(np.r_[0, np.searchsorted(y, edges), len(y)])
        self.parts = [slice(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
        self.scale = np.empty(len(y))
        for part in self.parts:
            middle = 0.5 * (y[part][0] + y[part][-1])
            np.exp(y[part] - middle, out=self.scale[part])

    def __call__(self, values):
        """Return the sums, of shape (n,)."""
        if self.recursive:
            return _solve_recursion(self.y, values)
        result, y = np.empty(len(values)), self.y
        carry, last = 0.0, 0.0
        for part in self.parts:  # from the left, a sample itself included
            sums = np.cumsum(values[part] * self.scale[part])
            if carry:
                sums += carry * np.exp(last - y[part][0]) * self.scale[part][0]
            np.divide(sums, self.scale[part], out=result[part])
            carry, last = result[part][-1], y[part][-1]
        carry = 0.0
        for part in reversed(self.parts):  # from the right, itself excluded
            inverse = values[part] / self.scale[part]
            sums = np.cumsum(inverse[::-1])[::-1] - inverse
            if carry:
                sums += carry * np.exp(y[part][-1] - last) / self.scale[part][-1]
            sums *= self.scale[part]
            result[part] += sums
            carry, last = sums[0] + values[part][0], y[part][0]
        return result


def _solve_recursion(y, values):
    """Return the same sums by two bidiagonal systems.

    ``L_i = v_i + exp(-(y_i - y_(i-1))) L_(i-1)`` from the left, likewise from the right: entries
    are at most 1, hence stable whatever the range of y.
    """
    decay = np.exp(-np.diff(y))
    band = np.ones((2, len(y)))
    band[1, :-1] = -decay
    left = solve_banded((1, 0), band, values, check_finite=False)
    band[1, :-1] = -decay[::-1]
    right = solve_banded((1, 0), band, values[::-1], check_finite=False)[::-1]
    return left + right - values
