"""Searches for counts on a sample of the rows, corrected by those of all rows."""

import copy
import time

import numpy as np

from skbadr.result import Archive
from skbadr.solvers.correction import CLOSE, EXACT_RADIUS, EXACT_TOL
from skbadr.solvers.linearised import LinearisedSearch
from skbadr.solvers.variance_reduction import LITTLE, solve_pairs

# Steps of each search on the sample.
STEPS = 1
# Tolerance of solutions on the sample.
INNER_TOL = 1e-4


class CorrectedCounts:
    """A metric of confusion matrices on a sample, which have counts added that it lacks.

    Parameters
    ----------
    exact : FairnessMetric
    missing : ndarray of shape (n_statistics,)
    """

    def __init__(self, exact, missing):
        self.exact, self.missing = exact, missing

    def __getattr__(self, name):
        return getattr(self.exact, name)

    def from_statistics(self, evaluation_set, statistics):
        """Return the metric of corrected confusion matrices."""
        return self.exact.from_statistics(evaluation_set, self._corrected(statistics))

    def from_many_statistics(self, evaluation_set, statistics):
        """Return the metric of each row of `statistics`."""
        return self.exact.from_many_statistics(evaluation_set, self._corrected(statistics))

    def value(self, evaluation_set, response):
        """Return the metric of predictions."""
        return self.from_statistics(evaluation_set, self.exact.statistics(evaluation_set, response))

    def _corrected(self, statistics):
        return np.maximum(statistics + self.missing, 0.0)


def follow_counts(sample, loop, plain, recorder, *, rounds):
    """Search on a sample whose counts are corrected at anchors, solved on all rows.

    At an anchor they are those of all rows; the end of the search is the next anchor. What is left
    of the noise is that of the rows which change sign between anchors.

    Parameters
    ----------
    sample : Sample
    loop : SingleLoop
        On the sample; its best point is the first anchor.
    plain : list of LinearState
        The plain solution on all rows.
    recorder : Recorder
        Receives every anchor.
    rounds : int
        Largest number of searches.

    Returns
    -------
    weights : ndarray of shape (K,)
    states : list of LinearState
        Solutions on all rows.
    converged : bool
    """
    smooth, tol, begin = sample.whole, recorder.rate_tol, time.perf_counter()
    objective, erm = smooth.problem.objective, recorder.visited.evaluations[0]
    own = solve_pairs(sample.smooth, loop.best[1], loop.best[3], INNER_TOL)
    states = smooth.solve(loop.best[1], sample.lifted(own, plain, sample.plain), tol=tol)
    found = recorder.add(loop.best[1], states, "single_loop", begin, 1 + loop.n_iter)
    for round_ in range(rounds):
        if not objective.uses_score and abs(found.metric) <= CLOSE * abs(erm.metric):
            return found.cell_weights, states, True
        if recorder.stopped:
            break
        begin = time.perf_counter()
        here, promised, moved = _search(sample, found, own, erm)
        if not objective.gain(here, promised) > LITTLE * objective.gain(erm, found):
            break
        weights = promised.cell_weights
        reached = smooth.solve(weights, sample.lifted(moved, states, own), tol=tol)
        new = recorder.add(weights, reached, "linearised", begin, 2 + loop.n_iter + round_)
        if not objective.key(new) < objective.key(found):
            break
        found, states, own = new, reached, moved
    return found.cell_weights, states, False


def _search(sample, found, own, erm):
    """Return the anchor and the best point near it as the corrected sample has them, and states."""
    smooth, objective = copy.copy(sample.smooth), sample.whole.problem.objective
    exact = smooth.evaluator.metric
    scores = smooth.scores(own)
    counts = exact.statistics(smooth.data, smooth.responses(scores, {"predict"})["predict"])
    smooth.problem, smooth.evaluator = copy.copy(smooth.problem), copy.copy(smooth.evaluator)
    smooth.problem.monitor = None  # nobody is told of points of a sample
    smooth.evaluator.metric = CorrectedCounts(exact, found.statistics - np.ravel(counts))
    search = LinearisedSearch(
        smooth,
        Archive(objective),
        max_refits=float("inf"),
        tol=min(smooth.problem.tol, EXACT_TOL * abs(erm.metric)),
        inner_tol=INNER_TOL,
    )
    states, here = search.refit(found.cell_weights, own, "single_loop")
    states, best = search.run(states, here, radius=EXACT_RADIUS, max_steps=STEPS)
    return here, best, states
