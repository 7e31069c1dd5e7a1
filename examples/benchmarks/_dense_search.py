"""The best cell weights a few hundred refits find, judged on the population itself.

No user could run it: it looks at the population of a generated problem. What a solver finds from
the training rows alone is compared with it, estimator by estimator.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

# Error that a unit of the metric above its bound costs during the search.
PENALTY = 3.0


@dataclass
class DensePoint:
    """The best model visited within a bound; `log_weights` are those of its cells."""

    bound: float
    error: float
    value: float
    log_weights: np.ndarray


def dense_search(problem, estimator, metric, bounds, *, seed=0, rows=None, rounds=8, per_round=30):
    """Return the best population error within each bound, over weights of group x target cells.

    Cross-entropy rounds of refits for each bound; every model visited serves all of them. Of
    regression the cells are those of groups and halves of the target.

    Parameters
    ----------
    problem : problems.Problem
    estimator : estimator
        Takes sample_weight; `Problem.pipeline` goes before it.
    metric : str
        As of `Problem.population_value`.
    bounds : sequence of float
        On a metric of which less is better.
    seed, rows
        The training sample, as of `Problem.sample`.
    rounds, per_round : int
        Refits are ``per_round * (1 + rounds * len(bounds))``.

    Returns
    -------
    points : list of DensePoint
        One per bound; NaN where no model visited is within it.
    """
    X, y, groups = problem.sample(rows, seed)
    target = y if problem.task != "regression" else (y > np.median(y)).astype(int)
    cells = np.unique(groups * (target.max() + 1) + target, return_inverse=True)[1]
    transform = problem.pipeline("passthrough").fit(X)
    X, fresh = transform.transform(X), transform.transform(problem.population.X)
    rng, visited = np.random.default_rng(seed), []

    def visit(log_weights):
        weight = np.exp(log_weights)[cells]
        model = clone(estimator).fit(X, y, sample_weight=weight / weight.mean())
        predicted = model.predict(fresh)
        error = problem.population_value(predicted, "error")
        visited.append((error, problem.population_value(predicted, metric), log_weights))

    n_cells = cells.max() + 1
    visit(np.zeros(n_cells))
    for _ in range(per_round - 1):
        visit(rng.normal(size=n_cells))
    for bound in sorted(bounds, reverse=True):
        for round_ in range(rounds):
            merits = [e + PENALTY * max(v - bound, 0.0) for e, v, _ in visited]
            best = np.argsort(merits)[: max(5, per_round // 4)]
            elite = np.array([visited[k][2] for k in best])
            spread = elite.std(axis=0) + 0.5 * 0.6**round_
            # Widely about the mean of the best, and more and more closely about the very best.
            for k in range(per_round):
                middle = elite[0] if k % 3 else elite.mean(axis=0)
                visit(middle + 0.4 ** (k % 3) * spread * rng.normal(size=n_cells))
    points = []
    for bound in bounds:
        within = [point for point in visited if point[1] <= bound]
        error, value, log_weights = min(
            within, key=lambda point: point[0], default=(np.nan, np.nan, None)
        )
        points.append(DensePoint(bound, error, value, log_weights))
    return points
