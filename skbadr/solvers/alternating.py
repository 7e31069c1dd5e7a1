"""Alternating refits: any estimator, one weighted fit per upper-level evaluation."""

from contextlib import closing
from numbers import Integral

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skbadr._warnings import warn_user
from skbadr.result import Archive
from skbadr.solvers.base import UpperSolver
from skbadr.solvers.guide import make_guide
from skbadr.solvers.starts import group_moves, tilts
from skbadr.solvers.surrogate import Surrogate, from_log_coordinates, log_coordinates

# By which part of a bound the candidates of a batch stay inside it: predictions err.
MARGINS = (0.1, 0.0, 0.3, 0.1)
# Largest log ratio of a weight to the plain estimator's that is tried.
LIMIT = 6.0


class AlternatingSolver(UpperSolver):
    """Alternate weighted refits with projected upper-level steps.

    The plain estimator and a few structured starts are refitted first. Then, batch by batch, a
    Gaussian process on the visited points' group statistics and scores predicts the objective
    around the best points; the most promising steps are projected on the simplex and refitted
    in parallel. The best visited point by the exact metric is the result.

    Parameters
    ----------
    max_iter : int or None, default=None
        Budget of refits, the plain one included; with folds, each counts once for every fold.
        None: 12 for two cells and 4 more for each further one, at most 40.
    batch_size : int, default=4
        Refits between two updates of the Gaussian process. It does not depend on `n_jobs`, so
        that neither does the result.
    patience : int, default=3
        Batches without an improvement above the estimator's `tol` after which the search ends,
        once the bound, if any, is met.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, for the bilevel problem; Jones, Schonlau
    and Welch (1998), "Efficient global optimization of expensive black-box functions", Journal
    of Global Optimization 13, for surrogate-guided search.
    """

    def __init__(self, max_iter=None, *, batch_size=4, patience=3):
        super().__init__(max_iter)
        self.batch_size = batch_size
        self.patience = patience
        for name, value in vars(self).items():
            allowed = isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
            if not allowed and (name != "max_iter" or value is not None):
                raise ValueError(f"{name} must be an integer >= 1, got {value!r}.")

    def budget(self, problem):  # noqa: D102
        if self.max_iter is not None:
            return self.max_iter
        return min(12 + 4 * (problem.n_cells - 2), 40)

    def solve(self, problem):  # noqa: D102
        archive = Archive(problem.objective)
        budget = self.budget(problem)
        search = _Search(problem, archive)
        try:
            self._run(problem, archive, search, budget)
        except KeyboardInterrupt:
            if not archive.evaluations:
                raise
            archive.interrupted = True
            warn_user(
                f"the search was interrupted after {len(archive.evaluations)} of {budget} refits; "
                "the best model so far is kept.",
                ConvergenceWarning,
            )
        return archive

    def _run(self, problem, archive, search, budget):
        # Alone, so that an estimator that cannot be fitted fails before anything else starts.
        if self._visit(problem, archive, [(problem.shares, "erm")], 1):
            return
        plain = archive.best
        if plain.failed:
            raise plain.error
        starts = search.starts()[: budget - 1]
        if starts and self._visit(problem, archive, starts, 1):
            return
        iteration, idle = 1, 0
        while len(archive.evaluations) < budget and idle < self.patience:
            if problem.objective.is_ideal(archive.best):
                break
            iteration += 1
            size = min(self.batch_size, budget - len(archive.evaluations))
            batch = search.propose(size, iteration)
            if not batch:
                break
            before = archive.best
            if self._visit(problem, archive, batch, iteration):
                return
            gained = problem.objective.gain(before, archive.best)
            search.update_radius(before is not archive.best)
            settled = problem.objective.is_met(archive.best)
            idle = idle + 1 if settled and gained <= problem.tol else 0
        archive.converged = True

    def _visit(self, problem, archive, candidates, iteration):
        """Evaluate candidates; return whether a monitor asked to stop."""
        with closing(problem.evaluate(candidates, iteration)) as evaluations:
            for evaluation in evaluations:
                archive.add(evaluation)
                if problem.monitor is not None and problem.monitor(evaluation, archive):
                    return True
        return False


class _Search:
    """Where to refit next."""

    def __init__(self, problem, archive):
        self.problem, self.archive = problem, archive
        self._guide_made = False
        self.radius = 1.0

    def update_radius(self, improved):
        """Trust predictions farther from the best point after a success, nearer after none."""
        self.radius = float(np.clip(self.radius * (1.5 if improved else 0.5), 0.05, LIMIT))

    def starts(self):
        cells = self.problem.cells
        points = [(self.problem.initial, "init")]
        points += [(weights, "tilt") for weights in tilts(cells, (0.5, 1.0, 1.5))]
        strength = 3.0 if cells.target_of_cell is None else 1.5
        moves = group_moves(cells, strength)[: 4 if cells.target_of_cell is None else 2]
        points += [(weights, "group") for weights in moves]
        return self._distinct([(self.problem.project(w), origin) for w, origin in points], 0.05)

    def propose(self, size, iteration):
        """Return up to `size` candidates that the surrogate expects most of."""
        problem = self.problem
        surrogate = Surrogate(
            problem.objective, problem.evaluator.evaluation_set, problem.shares, self._guide()
        ).fit(self.archive.evaluations)
        pool = self._pool(iteration)
        if not surrogate.ready:
            return self._distinct([(w, "spread") for w in pool], 0.05)[:size]
        weights, metric, score = self._refine(surrogate, pool, iteration)
        batch = []
        # Points of one batch keep apart; the closer the search has come, the less.
        for apart in (0.3 / iteration + 0.02, 0.01, 0.001):
            for slot in range(len(batch), size):
                merit = self._merit(metric, score, MARGINS[slot % len(MARGINS)])
                if slot % 4 != 3:  # every fourth candidate may lie anywhere
                    merit = np.where(self._trusted(weights), merit, np.inf)
                order = np.argsort(merit, kind="stable")[:200]
                ranked = batch + [(weights[i], "surrogate") for i in order]
                batch = self._distinct(ranked, apart)[: slot + 1]
            if len(batch) == size:
                break
        return batch

    def _trusted(self, weights):
        """Mask of the weights within the trust region around the best visited point."""
        shares = self.problem.shares
        step = log_coordinates(weights, shares)
        step = step - log_coordinates(self.archive.best.cell_weights, shares)
        return np.abs(step).max(axis=1) <= self.radius

    def _guide(self):
        if not self._guide_made:
            self._made_guide = make_guide(self.problem, self.archive.evaluations[0])
            self._guide_made = True
        return self._made_guide

    def _refine(self, surrogate, weights, iteration):
        """Shrink random steps around the best predictions, which costs no refit."""
        shares = self.problem.shares
        metric, score = surrogate.predict(weights)
        for round_, spread in enumerate((0.4, 0.2, 0.1, 0.05, 0.02)):
            merit = self._merit(metric, score, MARGINS[0])
            near_first = np.where(self._trusted(weights), merit, np.inf)
            order = np.r_[np.argsort(near_first)[:5], np.argsort(merit)[:3]]
            best = log_coordinates(weights[order], shares)
            steps = self._normal(16 * len(best), 1000 * (round_ + 1) + iteration)
            near = np.clip(np.repeat(best, 16, axis=0) + spread * steps, -LIMIT, LIMIT)
            near = self._project(from_log_coordinates(near, shares))
            predicted = surrogate.predict(near)
            weights = np.vstack([weights, near])
            metric, score = np.r_[metric, predicted[0]], np.r_[score, predicted[1]]
        return weights, metric, score

    def _merit(self, metric, score, margin):
        objective = self.problem.objective
        room = 0.0 if objective.bound is None else abs(objective.bound - (objective.ideal or 0.0))
        return objective.merit(metric, score, score_scale=self._score_scale(), margin=margin * room)

    def _score_scale(self):
        """Worth of one unit of excess over a bound, in units of the score.

        One point of accuracy per point of a rate: a model that pays more is degenerate. Scores
        on other scales, as squared errors are, count by how they vary against the metric.
        """
        if self.problem.objective.metric.uses_confusion:
            return 1.0
        usable = [e for e in self.archive.evaluations if np.isfinite([e.metric, e.score]).all()]
        if not usable:
            return 1.0
        scores, metrics = np.ptp([e.score for e in usable]), np.ptp([e.metric for e in usable])
        return 2.0 * scores / metrics if metrics > 0 and scores > 0 else 1.0

    def _pool(self, iteration):
        """Return candidate weights: steps of every length from the best points, and at large."""
        problem, shares = self.problem, self.problem.shares
        visited = [e for e in self.archive.evaluations if not e.failed]
        visited = sorted(visited, key=problem.objective.key)[:3]
        centers = log_coordinates(np.array([e.cell_weights for e in visited]), shares)
        steps = self._normal(256, iteration)
        lengths = np.tile([0.1, 0.3, 0.8, 1.6], 64)[:, None]
        around = centers[np.arange(256) % len(centers)] + lengths * steps
        between = [
            centers[0] * (1 - a) + centers[j] * a
            for j in range(1, len(centers))
            for a in (0.25, 0.5, 0.75, 1.5)
        ]
        points = np.vstack([around, self._structured(centers[0], iteration), *between])
        points = np.clip(points, -LIMIT, LIMIT)
        return self._project(from_log_coordinates(points, shares))

    def _structured(self, center, iteration):
        """Steps that move whole groups or whole targets: few directions where cells are many."""
        cells = self.problem.cells
        if cells.group_of_cell is None or cells.n_cells <= 2:
            return np.empty((0, cells.n_cells))
        n_groups = int(cells.group_of_cell.max()) + 1
        draws = self._normal(64, 500 + iteration, n_groups)
        if cells.target_of_cell is None:
            return center + draws[:, cells.group_of_cell]
        target = cells.target_of_cell - cells.target_of_cell.mean()
        return center + 0.5 * draws[:, cells.group_of_cell] * target

    def _normal(self, n, stream, dimension=None):
        """Standard normal steps, the same in every run with the same seed."""
        dimension = self.problem.n_cells if dimension is None else dimension
        rng = np.random.default_rng([self.problem.seed, stream])
        return rng.standard_normal((n, dimension))

    def _project(self, weights):
        return np.array([self.problem.project(row) for row in weights])

    def _distinct(self, candidates, apart):
        """Drop candidates closer than `apart`, in log weights, to a visited or earlier one."""
        shares = self.problem.shares
        seen = [log_coordinates(e.cell_weights, shares) for e in self.archive.evaluations]
        kept = []
        for weights, origin in candidates:
            point = log_coordinates(weights, shares)
            if not seen or np.abs(np.array(seen) - point).max(axis=1).min() > apart:
                kept.append((weights, origin))
                seen.append(point)
        return kept
