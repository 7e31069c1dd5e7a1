"""What every guide does: predict refits from the baseline's responses, and learn from refits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skbadr._typing import Array, FloatArray
from skbadr.guides._response import Prior, Response
from skbadr.guides._values import Values
from skbadr.problem.sampling import StratifiedSampler

# Evaluation rows that a guide looks at, at most: of metrics that are sums, and of any other.
GUIDE_ROWS, GUIDE_ROWS_OF_CALLS = 20_000, 4_000
# Entries of a table of points by rows, or by rows by cells, that are computed at a time.
MOST_ENTRIES = 4_000_000


if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem
    from skbadr.result import Evaluation


class Anchor(NamedTuple):
    """A visited point from which refits at other weights are predicted.

    Attributes
    ----------
    ratios : ndarray of shape (K,)
        Weights of the cells in units of their shares.
    scores : ndarray of shape (n, ...)
        What the estimator responded to the guide's rows.
    metric, score : float
        What was measured there.
    """

    ratios: np.ndarray
    scores: np.ndarray
    metric: float
    score: float


class Guide(ABC):
    """Predict metric and score of a refit at any weights, without a refit.

    Theory says how weights move the best response to each row. The estimator goes a part of that
    way; the guide learns this part from refits, by least squares. On training rows a model that
    memorises also goes toward the targets: it fits a row of more weight more closely. Each
    prediction starts from the nearest visited point, where the guide is exact.

    Parameters
    ----------
    problem : BilevelProblem
    prior : Prior
        What is believed of the response before any refit.

    Attributes
    ----------
    response : Response
    first : tuple (metric, score)
        What was measured of the baseline.
    """

    response: Response
    first: tuple[float, float]

    def __init__(self, problem: BilevelProblem, *, prior: Prior) -> None:
        evaluator = problem.evaluator
        self.shares = problem.shares
        rows, factor = _choose_rows(problem)
        self.values, self._rows = Values(evaluator, rows, factor), rows
        self.response = Response(prior, memorises=evaluator.folds[0].rows is None)
        self.first = np.nan, np.nan
        self.anchors: list[Anchor] = []
        self._codes = evaluator.cells.codes[rows]

    @abstractmethod
    def scores_of(self, responses: dict[str, Array]) -> FloatArray:
        """Return what the guide models of the responses to all evaluation rows, for its own."""

    def importance(self, scores: FloatArray) -> FloatArray:
        """Return how much each row's response matters, from the baseline's scores."""
        weight = self.values.data.sample_weight
        return np.ones(len(scores)) if weight is None else weight

    @abstractmethod
    def moves(self, ratios: FloatArray) -> FloatArray:
        """Return how far theory moves the scores from the baseline's, at one point's ratios."""

    @abstractmethod
    def pulls(self, ratios: FloatArray) -> FloatArray:
        """Return how far rows' own targets pull the scores, at one point's ratios."""

    @abstractmethod
    def values_near(self, anchor: Anchor, ratios: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return metric and score, each of shape (m,), at the ratios of points near an anchor."""

    def learn(self, evaluation: Evaluation) -> None:
        """Take in a visited point: a further anchor, and evidence of the response.

        Parameters
        ----------
        evaluation : Evaluation
            One that failed, or whose responses were not kept, teaches nothing.
        """
        if evaluation.failed or not evaluation.responses:
            return
        ratios = evaluation.cell_weights / self.shares
        scores = self.scores_of(evaluation.responses)
        if not self.anchors:
            self.first = evaluation.metric, evaluation.score
            self.response.weight = self.importance(scores)
        else:
            change = scores - self.anchors[0].scores
            self.response.learn(self.moves(ratios), self.pulls(ratios), change)
        self.anchors.append(Anchor(ratios, scores, evaluation.metric, evaluation.score))

    def predict(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Predict refits.

        Parameters
        ----------
        weights : ndarray of shape (m, K)

        Returns
        -------
        metric, score : ndarray of shape (m,)
            NaN where the metric is undefined.
        """
        ratios = np.asarray(weights) / self.shares
        anchors = np.array([anchor.ratios for anchor in self.anchors])
        steps = _logs(ratios)[:, None] - _logs(anchors)
        nearest = np.square(steps).sum(axis=2).argmin(axis=1)
        metric, score = np.empty(len(ratios)), np.empty(len(ratios))
        for place in np.unique(nearest):
            own, anchor = nearest == place, self.anchors[place]
            # What the guide makes of a visited point tells by how much it is wrong nearby.
            found = self.values_near(anchor, np.vstack([anchor.ratios, ratios[own]]))
            for values, measured, made in zip((metric, score), anchor[2:], found, strict=True):
                known = np.isfinite(measured) and np.isfinite(made[0])
                values[own] = made[1:] + (measured - made[0] if known else 0.0)
        return metric, score

    @property
    def calls(self) -> bool:
        """Whether each prediction costs a call of a user's function."""
        return not self.values.counted


def _logs(ratios):
    return np.log(np.maximum(ratios, 1e-300))


def _choose_rows(problem):
    """Return the evaluation rows to look at, and for how many each one stands (None: one)."""
    evaluator = problem.evaluator
    cells, metric = evaluator.cells, evaluator.metric
    rows = np.flatnonzero(cells.base_weight > 0)
    if evaluator.scoring is not None and not evaluator.scoring.counted:
        return rows, None
    if not metric.uses_confusion:
        # Functions of single rows take no weights that users did not give.
        places = np.linspace(0, len(rows) - 1, min(len(rows), GUIDE_ROWS_OF_CALLS))
        return rows[places.round().astype(np.intp)], None
    if len(rows) <= GUIDE_ROWS:
        return rows, None
    groups = evaluator.evaluation_set.groups.codes
    sampler = StratifiedSampler(cells, groups)
    rows = np.sort(sampler.draw(GUIDE_ROWS, np.random.default_rng(problem.seed)))
    strata = cells.codes if cells.group_of_cell is not None else None
    if strata is None:
        strata = cells.codes * (int(groups.max()) + 1) + groups
    kept = np.bincount(strata[rows])
    seen = np.bincount(strata[cells.by_cell], minlength=len(kept))
    return rows, (seen[: len(kept)] / np.maximum(kept, 1))[strata[rows]]
