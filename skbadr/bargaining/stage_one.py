"""Bargaining by gradients of the groups' held-out losses in the weights."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import FloatArray, IntArray
from skbadr.bargaining.nash_product import MAX_ITER, STATIONARY, GroupWeights
from skbadr.bargaining.visits import ORIGIN
from skbadr.bargaining.weights import nash_direction
from skbadr.lower_level import NotSmooth
from skbadr.problem import SmoothProblem

if TYPE_CHECKING:
    from skbadr.bargaining.visits import Visits
    from skbadr.lower_level.state import LinearState
    from skbadr.problem import BilevelProblem
    from skbadr.result import Evaluation

# Of the gain that the gradients promise each player, what a step must keep.
ARMIJO = 0.1
FIRST_STEP = 0.1
# Factors of a group's weight that are tried where no small step helps everyone, and the largest
# number of players for whom they are.
FAR_FACTORS, MOST_PLAYERS = (4.0, 16.0, 64.0, 0.25, 1 / 16, 1 / 64), 10
# Weight, times K, that the units of the players' gains have at a weight of zero.
SMALL = 0.01


class GroupLosses:
    """The players' losses as functions of the weights, with derivatives.

    Parameters
    ----------
    smooth : SmoothProblem
        Its upper level on held-out rows; there, training does not make them stationary.
    players : ndarray of shape (A,)
        Codes of the sensitive groups.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448: the implicit hypergradient.
    """

    def __init__(self, smooth: SmoothProblem, players: IntArray) -> None:
        self.smooth, self.data, self.players = smooth, smooth.data, players

    def values(self, states: list[LinearState]) -> FloatArray:
        """Return the players' losses, of shape (A,)."""
        losses, _ = self.smooth.losses_and_gradients(self.smooth.scores(states))
        return self.data.group_means(losses)[self.players]

    def jacobian(self, states):
        """Return d F_a / d lam_k along the simplex, of shape (A, K); its rows sum to zero.

        Weights move the model only relative to each other, so that a row is known up to a
        constant, which the projection removes.
        """
        smooth, position, total = self.smooth, 0, 0.0
        codes, totals = self.data.groups.codes, self.data.group_totals
        _, slopes = smooth.losses_and_gradients(smooth.scores(states))
        if self.data.sample_weight is not None:
            slopes = slopes * self.data.sample_weight[:, None]
        for level, state, X in zip(smooth.levels, states, smooth.held_out, strict=True):
            rows = slice(position, position + (level.n if X is None else X.shape[0]))
            position = rows.stop
            members = (codes[rows, None] == player for player in self.players)
            pulled = np.array([level.pull_back(member * slopes[rows], X) for member in members])
            pulled /= totals[self.players, None, None]
            if level.dense:  # one factorisation for all players
                moved = level.sensitivities(state)
                total = total + np.tensordot(pulled, moved, axes=2) / state.cell_weights
            else:
                total = total + np.array([level.hypergradient(state, each) for each in pulled])
        return total - total.mean(axis=1, keepdims=True)


def bargain_by_gradients(problem: BilevelProblem, visits: Visits) -> tuple[Evaluation, str, float]:
    """Move the weights as long as every player gains.

    From the baseline model on, the direction is the Nash bargaining solution of the players'
    gradients on the simplex, with the weights at `min_weight` held there or let go; a step is
    taken only where every player gains a tenth of what its gradient promises. Where gradients
    promise nothing at the baseline model, though held-out losses are not convex in the weights, the
    players set out from far weights that make each of them better off, if there are any. The
    points are solutions of the lower level; the estimator itself is fitted at the end, and
    earlier points are tried where that makes a player worse off.

    Parameters
    ----------
    problem : BilevelProblem
        Of an estimator with a `LinearFamily`, its upper level on held-out data.
    visits : Visits

    Returns
    -------
    chosen : Evaluation
        The baseline model where nothing else makes no player worse off.
    reason : {"no_agreement", "stationary", "no_gain", "max_iter"}
    distance : float
        From Pareto stationarity, at the last point.

    Raises
    ------
    NotSmooth
        If the smooth problem is not the estimator's: its own solver stops too early to follow.

    References
    ----------
    Zeng et al. (2024), arXiv 2406.07029, stage 1.
    """
    smooth = SmoothProblem(problem)
    game = GroupLosses(smooth, visits.players)
    weights = problem.shares
    states = smooth.solve(weights)
    losses = game.values(states)
    reference = visits.losses(visits.baseline)
    agree = np.all(np.abs(losses - reference) <= 0.01 * np.abs(reference) + 1e-6)
    path: list[Any] = []
    step, reason = FIRST_STEP, "max_iter"
    for iteration in range(MAX_ITER):
        gains = -game.jacobian(states)
        distance, direction = _agreed(problem, weights, gains)
        if direction is None and not path:
            begin = time.perf_counter()
            far = _far_agreement(problem, game, states, losses)
            if far is not None:
                weights, states, losses = far
                path.append(_visit(smooth, visits, weights, states, iteration, begin))
                continue
        if direction is None:
            reason = "stationary" if path else "no_agreement"
            break
        promised = gains @ direction
        limit = _reach(weights, direction, problem.min_weight)
        length = min(step, limit)
        while length > 1e-7:
            begin = time.perf_counter()
            new_weights = problem.project(weights + length * direction)
            new_states = smooth.solve(new_weights, states)
            gained = losses - game.values(new_states)
            if (gained >= ARMIJO * length * promised).all() and (gained > 0).all():
                break
            length *= 0.5
        else:
            reason = "no_gain"
            break
        if length < limit:  # a floor in the way says nothing about the next step
            step = length * (4.0 if length == step else 2.0)
        weights, states, losses = new_weights, new_states, losses - gained
        path.append(_visit(smooth, visits, weights, states, iteration, begin))
    chosen = _confirmed(visits, path)
    if chosen is visits.baseline and not agree:
        raise NotSmooth("the estimator does not return the solution of its training problem")
    if chosen is visits.baseline and path:
        reason = "no_gain"
    return chosen, reason, distance


def _visit(smooth, visits, weights, states, iteration, begin):
    """Record a solution; return its weights."""
    evaluation = smooth.evaluate(weights, states, ORIGIN, iteration + 1, begin)
    evaluation.n_refits = 0  # not a fit of the estimator itself
    visits.add(evaluation)
    return weights


def _far_agreement(problem, game, states, losses):
    """Return weights, states and losses of a far point that is best for the one it helps least.

    One group at a time weighs far more, or less. None where no such point helps all players.
    """
    groups, best, least = GroupWeights(problem), None, 0.0
    for group in game.players if len(game.players) <= MOST_PLAYERS else ():
        moved = states
        for factor in FAR_FACTORS:
            ratios = np.ones(len(groups.group_shares))
            ratios[group] = factor
            weights = problem.project(groups.of_ratios(ratios))
            moved = game.smooth.solve(weights, moved)
            found = game.values(moved)
            gained = float(((losses - found) / np.maximum(np.abs(losses), 1e-300)).min())
            if gained > least:
                least, best = gained, (weights, moved, found)
    return best


def _confirmed(visits, path):
    """Return the last of some points at which the estimator itself makes no player worse off."""
    for back in sorted({1, (len(path) + 1) // 2, len(path)}):
        if path:
            (evaluation,) = visits.refit([path[-back]])
            if visits.helps(evaluation):
                return evaluation
    return visits.baseline


def _low(problem, weights):
    """Return the indices of the weights that cannot be lowered."""
    return np.flatnonzero(weights <= problem.min_weight * (1.0 + 1e-6))


def _agreed(problem, weights, gains):
    """Return the distance from Pareto stationarity, and the agreed change of the weights.

    What a small weight does depends on its ratio to the others: in units of the weights (and a
    bit) the players' gains are of one size, where otherwise the steps of all weights would be
    as short as the smallest allows.
    """
    units = weights + SMALL / len(weights)
    sums = units / np.linalg.norm(units)

    def along_simplex(rows):
        return rows - np.outer(rows @ sums, sums)

    floors = along_simplex(np.eye(len(weights))[_low(problem, weights)])
    floors /= np.linalg.norm(floors, axis=1, keepdims=True)
    distance, direction = nash_direction(along_simplex(gains * units), floors, tol=STATIONARY)
    if direction is None:
        return distance, None
    direction = direction * units
    return distance, direction / np.linalg.norm(direction)


def _reach(weights, direction, minimum):
    """Return the step at which the first weight arrives at its floor."""
    falling = direction < 0
    room = np.maximum(weights[falling] - minimum, 0.0) / -direction[falling]
    # A weight at its floor that the direction leaves alone but for rounding does not count.
    return float(room[room > 1e-9].min(initial=1.0))
