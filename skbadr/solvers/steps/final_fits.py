"""The wrapped estimator's own fits, at the end of a search among exact solutions."""

import numpy as np

from skbadr.lower_level import NotSmooth


class FinalFits:
    """Fit the estimator itself: at the best weights, and the baseline where judging needs it.

    The baseline model is known from its lower level's solution. The estimator's own baseline fit,
    which differs by the tolerance of its solver, only decides where the gain is not far beyond
    that.

    Parameters
    ----------
    problem : BilevelProblem
    archive : Archive
        Receives the fits.
    settings : SmoothSettings
    """

    def __init__(self, problem, archive, settings):
        self.problem, self.archive, self.settings = problem, archive, settings
        self.baseline = None
        self._recorded = False
        # What more searches find: farther within the bound, or from the edges of the simplex.
        self.further = iter(())
        # By how much the metric of a fit is above that of its solution (ratios: below, negative).
        self.missed = 0.0
        # Whether the tolerance of the estimator's own solver moves models.
        self.is_loose = False

    @property
    def baseline_model(self):
        """The fitted baseline estimator, or None."""
        return None if self.baseline is None else self.baseline.model

    @property
    def has_baseline(self):
        """Whether the baseline estimator need not be fitted any more."""
        return self.baseline is not None or self.problem.shares.tobytes() in self.problem.known

    def fit_baseline(self):
        """Fit the baseline estimator, once."""
        if self.baseline is None:
            self.baseline = next(
                iter(self.problem.evaluate([(self.problem.shares, "baseline")], 1))
            )
            if self.baseline.failed:
                raise self.baseline.error
            self.archive.add(self.baseline)
        return self.baseline

    def check_baseline(self, evaluation):
        """Raise where the baseline solution is known not to be the estimator's."""
        if self.baseline is not None and not agree(self.baseline, evaluation, self.settings):
            raise NotSmooth("the estimator does not return the solution of its training problem")

    def choose(self, visited):
        """Fit at the best of the visited weights; return whether the fit does what they promise.

        The estimator's tolerance moves the metric: where its fit misses the bound, or ends far
        from the solution, the next best points are tried.
        """
        if not visited:
            self.fit_baseline()
            return True
        found = self._try(visited)
        while found is None and (others := next(self.further, None)) is not None:
            visited = [visited[0], *others]
            found = self._try(visited)
        return self._keeps_enough(visited) if found is None else found

    def _keeps_enough(self, visited):
        """Whether the best fit does a fair share of what the best solution promises."""
        objective, best, baseline = self.archive.objective, self.archive.best, self.fit_baseline()
        if objective.bound is not None:
            return best is not baseline or objective.is_met(baseline)
        promised = objective.gain(baseline, min(visited, key=objective.key))
        if promised <= self.settings.worth * abs(baseline.metric):
            return True
        return objective.gain(baseline, best) >= self.settings.kept * promised

    def _try(self, visited):
        """Fit at the best of the visited weights until a fit does what the solution promises.

        Returns
        -------
        found : bool or None
            Whether one does, or none is needed. False where the baseline is not what its solution
            says, None where fits fall short.
        """
        objective, tried = self.archive.objective, False
        candidates = _candidates(sorted(visited, key=objective.key), objective)
        for candidate in candidates[: self.settings.most_fits]:
            baseline = visited[0] if self.baseline is None else self.baseline
            if np.allclose(candidate.cell_weights, self.problem.shares, rtol=1e-6, atol=0.0):
                break  # better than the baseline fit by rounding alone
            if not objective.key(candidate) < objective.key(baseline):
                break
            if not self._worth_a_fit(baseline, candidate):
                continue
            final, tried = self._fit(candidate), True
            if not final.failed:
                change = final.metric - candidate.metric
                self.missed = max(self.missed, change, key=objective.cost)
            judged = baseline, candidate, final, self.settings
            if self.baseline is None and _surely_better(objective, *judged):
                return True
            baseline = self.fit_baseline()
            if not agree(baseline, visited[0], self.settings):
                return False
            if not final.failed and _as_promised(objective, baseline, candidate, final):
                return True
        return None if tried else objective.is_met(self.fit_baseline())

    def _worth_a_fit(self, baseline, candidate):
        """Whether a candidate promises more than the best fit so far has given."""
        objective, best = self.archive.objective, self.archive.best
        if best is None or best is self.baseline or objective.bound is not None:
            return True
        promised = objective.key(baseline)[0] - objective.key(candidate)[0]
        return objective.key(baseline)[0] - objective.key(best)[0] < 0.9 * promised

    def record(self, visited):
        """Put what was visited before the fits, once: the first is the baseline model."""
        if self._recorded:
            return
        self._recorded = True
        fits = [e for e in self.archive.evaluations if e is not self.baseline]
        solutions = visited.evaluations
        for evaluation in solutions:
            evaluation.n_refits = 0  # none of them is a fit of the estimator's class
        first = solutions[:1] if self.baseline is None else [self.baseline]
        self.archive.evaluations = [*first, *solutions[1:], *fits]
        self.archive.n_iter = max(self.archive.n_iter, visited.n_iter)

    def _fit(self, candidate):
        iteration = 1 + max(e.iteration for e in (candidate, *self.archive.evaluations))
        final = next(iter(self.problem.evaluate([(candidate.cell_weights, "final")], iteration)))
        self.archive.add(final)
        return final


def agree(one, other, settings):
    """Whether two evaluations at the same weights are those of nearly the same model."""
    alike = settings.alike
    metrics = abs(one.metric - other.metric) <= alike * abs(one.metric) + 2e-3
    losses = np.abs(one.cell_losses - other.cell_losses)
    return metrics and bool(np.all(losses <= alike * np.abs(one.cell_losses) + 1e-6))


def _as_promised(objective, baseline, candidate, final):
    """Whether the estimator itself does at some weights what the solution there does."""
    if objective.bound is not None:
        return objective.is_met(final)
    promised = objective.key(baseline)[0] - objective.key(candidate)[0]
    return objective.key(baseline)[0] - objective.key(final)[0] >= 0.9 * promised


def _surely_better(objective, baseline, candidate, final, settings):
    """Whether a fit is better than the baseline estimator's, whatever the tolerance of that fit.

    That tolerance is taken to move the baseline model by at most five times what it moved the final
    one, whose weights are harder on a solver, and by at most a tenth.
    """
    if final.failed:
        return False
    if objective.bound is not None:
        doubt = 5.0 * abs(final.metric - candidate.metric) + 0.1 * abs(baseline.metric)
        return objective.is_met(final) and objective.excess(baseline.metric) > doubt
    gain = objective.key(baseline)[0] - objective.key(final)[0]
    missed = abs(objective.key(final)[0] - objective.key(candidate)[0])
    least = 0.02 if agree(candidate, final, settings) else 0.1
    if not _as_promised(objective, baseline, candidate, final):
        return False  # other points may do better
    return gain > 5.0 * missed + least * abs(objective.key(baseline)[0])


def _candidates(visited, objective):
    """Order candidates: the best, then ever safer ones inside the bound, or elsewhere."""
    chosen = visited[:1]
    for candidate in visited[1:]:
        if objective.bound is not None:
            room = objective.cost(chosen[-1].metric) - objective.cost(candidate.metric)
            apart = room > 1e-3
        else:
            moves = [candidate.cell_weights - other.cell_weights for other in chosen]
            apart = min(np.abs(move).max() for move in moves) > 1e-5
        if apart:
            chosen.append(candidate)
    return chosen
