"""The Nash product from refits alone, for any estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skbadr._typing import FloatArray
from skbadr.bargaining.weights import nash_direction

if TYPE_CHECKING:
    from skbadr.bargaining.visits import Visits
    from skbadr.problem import BilevelProblem
    from skbadr.result import Evaluation

# Steps of the fixed point, or along gradients, and by differences after the fixed point.
MAX_ITER, MAX_STEPS = 20, 3
# Distance from Pareto stationarity at which the players stop.
STATIONARY = 1e-2
# Log ratio by which a cell's weight is raised to see what the players gain, and the steps tried.
# A second, smaller probe follows where the first finds nothing that every player gains from.
PROBES = (0.5, 0.15)
STEP_LENGTHS = (1.0, 0.5, 0.25, 0.1)


class GroupWeights:
    """Weights of the cells from one ratio for each sensitive group.

    A cell's share is multiplied by the ratio of its group, on average where a cell holds samples
    of several groups: ratios of one are the baseline estimator.

    Parameters
    ----------
    problem : BilevelProblem
    """

    def __init__(self, problem: BilevelProblem) -> None:
        cells, data = problem.cells, problem.evaluator.evaluation_set
        self.shares = cells.shares
        if cells.group_of_cell is not None:
            self._mixture = np.eye(data.n_groups)[cells.group_of_cell]
        else:
            evaluated = problem.evaluator.cells
            pair = evaluated.codes * data.n_groups + data.groups.codes
            table = np.bincount(pair, evaluated.base_weight, cells.n_cells * data.n_groups)
            table = table.reshape(cells.n_cells, -1)
            table[table.sum(axis=1) == 0] = 1.0
            self._mixture = table / table.sum(axis=1, keepdims=True)
        self.group_shares = self.shares @ self._mixture

    def of_ratios(self, ratios: FloatArray) -> FloatArray:
        """Return weights of shape (K,) on the simplex for one ratio per group."""
        if np.ptp(ratios) == 0:
            return self.shares
        weights = self.shares * (self._mixture @ ratios)
        return weights / weights.sum()


def maximise_nash_product(
    problem: BilevelProblem, visits: Visits, *, held_out: bool
) -> tuple[Evaluation, str, float]:
    r"""Return the weights whose product of the players' gains is largest, by refits.

    The disagreement point d is the worst each player can be given: its largest loss where all
    the weight goes to a single group. Maximisers of :math:`\sum_a \log(d_a - F_a(\lambda))` are
    fixed points of :math:`\lambda_a \propto 1 / (d_a - F_a(\lambda))` for a convex lower level;
    the iteration takes the geometric mean of both sides.

    On held-out data that is only a start: what is chosen must leave no player worse off than
    the baseline model does. Where no visited point does, the players bargain along directions from
    differences, each cell's weight being raised in turn.

    Parameters
    ----------
    problem : BilevelProblem
    visits : Visits
    held_out : bool
        Whether the upper level is on data that the refit has not seen.

    Returns
    -------
    chosen : Evaluation
    reason : {"no_agreement", "no_gain", "max_iter"}
    distance : float
        NaN, but where players bargained along differences.

    References
    ----------
    Zeng et al. (2024), arXiv 2406.07029; Nash (1950), "The bargaining problem", Econometrica
    18, for the product of gains.
    """
    groups = GroupWeights(problem)
    chosen, reason, visited = _fixed_point(problem, visits, groups)
    if not held_out:
        return chosen, reason, np.nan
    helping = [evaluation for evaluation in visited if visits.helps(evaluation)]
    if helping:
        return max(helping, key=lambda e: _product(visits.gains(e))), reason, np.nan
    return _bargain_by_differences(problem, visits)


def _fixed_point(problem, visits, groups):
    """Return the best point by the Nash product, why the iteration ended, and all its points."""
    players = visits.players
    corners = [np.eye(len(groups.group_shares))[player] for player in players]
    worst = [visits.losses(e) for e in visits.refit([groups.of_ratios(c) for c in corners])]
    disagreement = np.nanmax([visits.losses(visits.baseline), *worst], axis=0)
    chosen, best = visits.baseline, _product(disagreement - visits.losses(visits.baseline))
    shares, ratios, current = groups.group_shares[players], np.ones(len(players)), visits.baseline
    reason, visited, idle = "max_iter", [], 0
    for _ in range(MAX_ITER):
        room = disagreement - visits.losses(current)
        # Who already has the worst there is bargains hardest, but not without limit.
        room = np.maximum(room, 1e-3 * max(float(room.max()), 1e-300))
        wanted = 1.0 / (room * shares)
        ratios = np.sqrt(ratios * wanted / (shares @ wanted) * shares.sum())
        ratios *= shares.sum() / (shares @ ratios)
        everyone = np.ones(len(groups.group_shares))
        everyone[players] = ratios
        (current,) = visits.refit([groups.of_ratios(everyone)])
        if current.failed:
            reason = "no_gain"
            break
        visited.append(current)
        product = _product(disagreement - visits.losses(current))
        idle = 0 if product > best + problem.tol else idle + 1
        if product > best:
            chosen, best = current, product
        if idle == 2:
            reason = "no_gain"
            break
    return chosen, reason, visited


def _bargain_by_differences(problem, visits):
    """Move the cells along bargaining directions of differences, from the baseline model."""
    n_cells = problem.n_cells
    logs, current, distance = np.zeros(n_cells), visits.baseline, np.nan
    probes, step = list(PROBES), 0
    while step < MAX_STEPS:
        losses = visits.losses(current)

        def refit(points, losses=losses):
            """Return what each point gives the players, of shape (m, A), and its evaluation."""
            ratios = [problem.shares * np.exp(point) for point in points]
            found = visits.refit([weights / weights.sum() for weights in ratios])
            pairs = zip(points, found, strict=True)
            return [(losses - visits.losses(e), point, e) for point, e in pairs]

        visited = refit(list(logs + probes[0] * np.eye(n_cells)))
        # Ratios matter relative to each other only; a probe that failed says nothing.
        gains = np.nan_to_num([gain for gain, *_ in visited]).T
        gains -= gains.mean(axis=1, keepdims=True)
        distance, direction = nash_direction(gains, tol=STATIONARY)
        for length in STEP_LENGTHS if direction is not None else ():
            length *= probes[0] / PROBES[0]
            tried = refit([logs + length * direction / np.abs(direction).max()])
            visited += tried
            if (tried[0][0] > 0).all():
                break
        best = max(visited, key=lambda item: _product(item[0]))
        if not (best[0] > 0).all():
            if len(probes) > 1:
                probes.pop(0)
                continue
            if direction is not None:
                return current, "no_gain", distance
            return current, "stationary" if step else "no_agreement", distance
        _, logs, current = best
        step += 1
    return current, "max_iter", distance


def _product(gains):
    """Return the log of the product of gains, minus infinity where one is not positive."""
    return float(np.log(gains).sum()) if (gains > 0).all() else -np.inf
