"""What theory says of re-weighted classifiers: the posterior guide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from skbadr._typing import Array, FloatArray
from skbadr.guides._base import MOST_ENTRIES, Anchor, Guide
from skbadr.guides._features import take_rows
from skbadr.guides._posterior import cross_fitted
from skbadr.guides._response import Prior

# Smallest mean weight that counts as more than none, and smallest probability: no weights that are
# tried turn a decision that is surer.
TINY, SURE = 1e-9, 1e-3
# Estimators other than smooth linear models went eight tenths of the way.
PRIOR = Prior(along=0.8)

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem


class PosteriorGuide(Guide):
    r"""Predict re-weighted classifiers from the posterior of the cell within each class.

    With the baseline's class probabilities :math:`p_c(x)`, the posterior :math:`q_c(k \mid x)` of
    cell k within class c, and the weight :math:`r_k` of the cell in units of its share, the best
    classifier for the weighted rows has class probabilities proportional to

    .. math:: p_c(x) \sum_k r_k\, q_c(k \mid x).

    Parameters
    ----------
    problem : BilevelProblem
        Of classification.
    prior : Prior, default=Prior(along=0.8)
        What is believed of the response before any refit.

    References
    ----------
    Elkan (2001), "The foundations of cost-sensitive learning", IJCAI, theorem 2; Zeng, Jiang,
    Cheng and Dobriban (2024), arXiv 2402.02817, theorem 4.2 (the Bayes-optimal fair classifier has
    this form).
    """

    def __init__(self, problem: BilevelProblem, *, prior: Prior = PRIOR) -> None:
        super().__init__(problem, prior=prior)
        evaluator, rows = problem.evaluator, self._rows
        n_classes, n_cells = evaluator.evaluation_set.n_classes, problem.n_cells
        self._posterior = np.empty((n_classes, len(rows), n_cells), dtype=np.float32)
        self._classes = None
        parts = []
        for small, place, X in cross_fitted(evaluator, n_classes, n_cells):
            own = (rows >= place.start) & (rows < place.stop)
            if not own.any():
                continue
            encoded = small.encode(take_rows(X, rows[own] - place.start))
            self._posterior[:, own] = small.cell_given_class(encoded, int(own.sum()))
            parts.append((small, encoded, own))
        if evaluator.guide_method is None:
            classes = np.empty((len(rows), n_classes))
            for small, encoded, own in parts:
                classes[own] = small.classes(encoded, int(own.sum()))
            self._classes = np.log(np.maximum(classes, SURE))
        self._temperature = None
        self._targets = _contrasts(np.eye(n_classes, dtype=np.float32)[self.values.data.y])

    def scores_of(self, responses: dict[str, Array]) -> FloatArray:
        """Return log odds of two classes, or centred log probabilities of more."""
        if "predict_proba" in responses:
            logs = np.log(np.maximum(responses["predict_proba"][self._rows], SURE))
        elif "decision_function" in responses:
            logs = self._calibrated(responses["decision_function"][self._rows])
        else:
            logs = self._classes
        return _contrasts(logs)

    def _calibrated(self, decision):
        """Return decision values in units of log odds, by one factor for all points."""
        if decision.ndim == 1:
            decision = np.column_stack([-0.5 * decision, 0.5 * decision])
        if self._temperature is None:
            data, rows = self.values.data, np.arange(len(decision))
            scale = max(float(np.abs(decision).mean()), 1e-12)

            def log_loss(log_factor):
                logs = np.exp(log_factor) / scale * decision
                top = logs.max(axis=1)
                norm = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
                return np.average(norm - logs[rows, data.y], weights=data.sample_weight)

            best = minimize_scalar(log_loss, bounds=(-4.0, 4.0), method="bounded")
            self._temperature = float(np.exp(best.x)) / scale
        return self._temperature * decision

    def _log_masses(self, ratios):
        """Return the log of each class's re-weighted mass, of shape (C, m, n)."""
        ratios = np.asarray(ratios, dtype=np.float32)
        masses = np.matmul(ratios, self._posterior.transpose(0, 2, 1))
        return np.log(np.maximum(masses, TINY), out=masses)

    def importance(self, scores: FloatArray) -> FloatArray:
        """Return the variance of each row's class: decisions change where it is large."""
        chances = _two_classes(scores) if scores.ndim == 1 else softmax(scores, axis=1)
        return super().importance(scores) * (1.0 - np.square(chances).sum(axis=1))

    def moves(self, ratios: FloatArray) -> FloatArray:  # noqa: D102
        return _contrasts(self._log_masses(ratios[None])[:, 0].T)

    def pulls(self, ratios: FloatArray) -> FloatArray:  # noqa: D102
        return (np.log(ratios)[self._codes] * self._targets.T).T

    def values_near(self, anchor: Anchor, ratios: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        size = max(1, MOST_ENTRIES // self._posterior[:, :, 0].size)
        found = [
            self._values_near(anchor, ratios[start : start + size])
            for start in range(0, len(ratios), size)
        ]
        metric, score = zip(*found, strict=True)
        return np.concatenate(metric), np.concatenate(score)

    def _values_near(self, anchor, ratios):
        along = np.asarray(self.response.along, dtype=np.float32)
        start = _contrasts(self._log_masses(anchor.ratios[None])[:, 0].T)
        fixed = (anchor.scores - (along * start.T).T).astype(np.float32)
        masses = self._log_masses(ratios)
        moved = masses[1] - masses[0] if len(masses) == 2 else masses - masses.mean(axis=0)
        moved *= along
        if self.response.toward:
            logs = (np.log(ratios) - np.log(anchor.ratios)).astype(np.float32)[:, self._codes]
            targets = self._targets if len(masses) == 2 else self._targets.T[:, None]
            moved += self.response.toward * logs * targets
        if len(masses) == 2:
            odds = fixed + moved
            predicted = (odds > 0).astype(np.int8)
            return self.values.of_classes(predicted, lambda i: _two_classes(odds[i]))
        logs = fixed.T[:, None] + moved
        return self.values.of_classes(
            logs.argmax(axis=0), lambda i: softmax(logs[:, i].T.astype(float), axis=1)
        )


def _contrasts(logs):
    """Return log odds (n,) of two classes, or centred logs (n, C) of more."""
    if logs.shape[1] == 2:
        return logs[:, 1] - logs[:, 0]
    return logs - logs.mean(axis=1, keepdims=True)


def _two_classes(odds):
    positive = expit(odds.astype(float))
    return np.column_stack([1.0 - positive, positive])
