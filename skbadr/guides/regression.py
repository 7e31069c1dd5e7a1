"""What theory says of re-weighted regressors: the density guide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from skbadr._typing import Array, FloatArray
from skbadr.guides._base import MOST_ENTRIES, Anchor, Guide
from skbadr.guides._features import take_rows
from skbadr.guides._posterior import cross_fitted
from skbadr.guides._response import Prior

# Smallest probability of a bin.
TINY_BIN = 1e-12
# No pull toward own targets is expected of regressors before refits tell of one.
PRIOR = Prior(toward=0.0)

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem


class DensityGuide(Guide):
    r"""Predict re-weighted regressors from the density of targets around their predictions.

    With the posterior :math:`p(k \mid x)` of the cell, the mean :math:`m_k(x)` of the target in it
    and the weight :math:`r_k` of the cell in units of its share, the best prediction for the
    weighted rows is

    .. math:: \frac{\sum_k r_k\, p(k \mid x)\, m_k(x)}{\sum_k r_k\, p(k \mid x)}.

    Cells are groups, or groups x target bins. The posterior of the group comes from a small
    classifier; within a group the target is normal around the baseline's prediction, which gives
    the bins' probabilities and means.

    Parameters
    ----------
    problem : BilevelProblem
        Of regression.
    prior : Prior, default=Prior(toward=0.0)
        What is believed of the response before any refit.
    """

    def __init__(self, problem: BilevelProblem, *, prior: Prior = PRIOR) -> None:
        super().__init__(problem, prior=prior)
        evaluator, rows = problem.evaluator, self._rows
        cells = self._cells = evaluator.cells
        posterior = np.empty((len(rows), problem.n_cells))
        for small, place, X in cross_fitted(evaluator, 1, problem.n_cells):
            own = (rows >= place.start) & (rows < place.stop)
            if own.any():
                encoded = small.encode(take_rows(X, rows[own] - place.start))
                posterior[own] = small.cell_given_class(encoded, int(own.sum()))[0]
        self._posterior, self._means = posterior, None
        self._edges = None
        if cells.target_of_cell is not None:
            seen = cells.base_weight > 0
            bins = cells.target_of_cell[cells.codes[seen]]
            self._edges = _edges(
                evaluator.evaluation_set.y[seen], bins, int(cells.target_of_cell.max()) + 1
            )

    def scores_of(self, responses: dict[str, Array]) -> FloatArray:  # noqa: D102
        predicted = responses["predict"][self._rows]
        if self._means is None:
            self._prepare(predicted)
        return predicted

    def _prepare(self, predicted):
        """Set the posterior and the mean target of each cell, from the baseline's predictions."""
        data, codes = self.values.data, self._cells.codes[self._rows]
        weight = np.ones(len(codes)) if data.sample_weight is None else data.sample_weight
        residual = data.y - predicted
        n_cells, groups = len(self.shares), self._cells.group_of_cell
        if self._edges is None:
            # Without bins a cell moves predictions by its own mean residual.
            total = np.bincount(codes, weight, minlength=n_cells)
            shift = np.bincount(codes, weight * residual, minlength=n_cells)
            self._means = predicted[:, None] + shift / np.maximum(total, 1e-300)
            return
        posterior, means = np.empty_like(self._posterior), np.empty_like(self._posterior)
        floor = 1e-9 * max(float(np.ptp(data.y)), 1e-300)
        for group in np.unique(groups):
            own = np.flatnonzero(groups == group)
            member = groups[codes] == group
            spread = floor
            if member.any():
                center = np.average(residual[member], weights=weight[member])
                square = np.square(residual[member] - center)
                spread = max(np.sqrt(np.average(square, weights=weight[member])), floor)
            mass, mean = _truncated(predicted, spread, self._edges)
            bins = self._cells.target_of_cell[own]
            of_group = self._posterior[:, own].sum(axis=1, keepdims=True)
            posterior[:, own], means[:, own] = of_group * mass[:, bins], mean[:, bins]
        self._posterior, self._means = posterior, means

    def moves(self, ratios: FloatArray) -> FloatArray:  # noqa: D102
        baseline, moved = self._best(np.ones((1, len(ratios)))), self._best(ratios[None])
        return (moved - baseline)[0]

    def pulls(self, ratios: FloatArray) -> FloatArray:  # noqa: D102
        return np.log(ratios)[self._codes] * (self.values.data.y - self.anchors[0].scores)

    def _best(self, ratios):
        """Return the best predictions for weighted rows, of shape (m, n)."""
        return (ratios @ (self._posterior * self._means).T) / (ratios @ self._posterior.T)

    def values_near(self, anchor: Anchor, ratios: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        size = max(1, MOST_ENTRIES // len(anchor.scores))
        found = [
            self.values.of_numbers(self._near(anchor, ratios[i : i + size]))
            for i in range(0, len(ratios), size)
        ]
        metric, score = zip(*found, strict=True)
        return np.concatenate(metric), np.concatenate(score)

    def _near(self, anchor, ratios):
        """Return predictions, of shape (m, n), at the ratios of points near an anchor."""
        response = self.response
        moved = response.along * (self._best(ratios) - self._best(anchor.ratios[None]))
        if response.toward:
            logs = np.log(ratios)[:, self._codes] - np.log(anchor.ratios)[self._codes]
            moved += response.toward * logs * (self.values.data.y - self.anchors[0].scores)
        return anchor.scores + moved


def _truncated(mean, spread, edges):
    """Return probability and mean of a normal variable in each bin, of shape (n, bins)."""
    limits = np.concatenate([[-np.inf], edges, [np.inf]])
    z = (limits - mean[:, None]) / spread
    # In the upper tail probabilities are differences of small numbers, not of ones.
    upper = z[:, :-1] > 0
    mass = np.where(
        upper, norm.sf(z[:, :-1]) - norm.sf(z[:, 1:]), norm.cdf(z[:, 1:]) - norm.cdf(z[:, :-1])
    )
    mass = np.maximum(mass, TINY_BIN)
    centre = mean[:, None] + spread * (norm.pdf(z[:, :-1]) - norm.pdf(z[:, 1:])) / mass
    inside = np.clip(centre, limits[:-1], limits[1:])
    return mass, np.where(np.isfinite(inside), inside, mean[:, None])


def _edges(y, bins, n_bins):
    """Return the edges between the bins of targets, infinite beside bins that are empty here."""
    edges = []
    for b in range(n_bins - 1):
        low, high = y[bins <= b], y[bins > b]
        if len(low) and len(high):
            edges.append((low.max() + high.min()) / 2)
        else:
            edges.append(np.inf if len(low) else -np.inf)
    return np.array(edges)
