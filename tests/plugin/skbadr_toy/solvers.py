"""A solver that draws weights at random."""

import numpy as np

from skbadr.result import Archive
from skbadr.solvers import UpperSolver


class RandomWeights(UpperSolver):
    """Evaluate the baseline weights, then weights drawn evenly from the simplex."""

    def budget(self, problem):
        return self.max_iter or 20

    def solve(self, problem):
        archive = Archive(problem.objective)
        draws = np.random.default_rng(problem.seed).dirichlet(
            np.ones(problem.n_cells), self.budget(problem) - 1
        )
        candidates = [(problem.shares, "baseline")]
        candidates += [(problem.project(draw), "random") for draw in draws]
        for evaluation in problem.evaluate(candidates, 1):
            archive.add(evaluation)
        return archive
