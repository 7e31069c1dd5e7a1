"""A dense search over cell weights under several bounds at once, for any way to judge weights."""

from typing import NamedTuple

import numpy as np

# Error that a unit of a metric above its bound costs during the search.
PENALTY = 3.0


class Visit(NamedTuple):
    """Weights, and what the model of these weights does; of the values less is better."""

    log_weights: np.ndarray
    error: float
    values: np.ndarray


def dense_weights(judge, n_cells, targets, *, starts=(), seed=0, rounds=8, per_round=40):
    """Return the model of least error that a dense search finds within each set of bounds.

    Cross-entropy rounds for each set. Every model visited serves all of them.

    Parameters
    ----------
    judge : callable ``(log_weights) -> (error, values)``
        Fits and evaluates a model. Of each value less is better.
    n_cells : int
    targets : sequence of ndarray
        Each the bounds on all values; infinite where there is none.
    starts : sequence of ndarray
        Log weights that are visited too.
    rounds, per_round : int
        Visits are ``per_round * (1 + rounds * len(targets)) + len(starts)``.

    Returns
    -------
    best : list of Visit or None
        One per set of bounds; None where no model visited is within it.
    visited : list of Visit
    """
    rng, visited = np.random.default_rng(seed), []

    def visit(log_weights):
        log_weights = log_weights - log_weights.mean()
        visited.append(Visit(log_weights, *judge(log_weights)))

    visit(np.zeros(n_cells))
    for start in starts:
        visit(np.asarray(start, dtype=float))
    for _ in range(per_round - 1):
        visit(rng.normal(size=n_cells))
    for target in targets:
        for round_ in range(rounds):
            merits = [v.error + PENALTY * np.maximum(v.values - target, 0.0).sum() for v in visited]
            best = np.argsort(merits)[: max(5, per_round // 4)]
            elite = np.array([visited[k].log_weights for k in best])
            spread = elite.std(axis=0) + 0.5 * 0.6**round_
            # Widely about the mean of the best, and more and more closely about the very best.
            for k in range(per_round):
                middle = elite[0] if k % 3 else elite.mean(axis=0)
                visit(middle + 0.4 ** (k % 3) * spread * rng.normal(size=n_cells))
    best = []
    for target in targets:
        within = [v for v in visited if (v.values <= target).all()]
        best.append(min(within, key=lambda v: v.error, default=None))
    return best, visited
