"""The points that the first stage visits, and what a player gained there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from skbadr._typing import FloatArray
from skbadr.result import Archive

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem
    from skbadr.result import Evaluation

ORIGIN = "nash"


class Stopped(Exception):
    """A monitor asked to stop."""


class Visits:
    """Evaluate points of the first stage, and tell the monitor.

    Parameters
    ----------
    problem : BilevelProblem

    Attributes
    ----------
    archive : Archive
        What the monitor is told of.
    baseline : Evaluation
        The baseline model, from which everyone bargains.
    players : ndarray of shape (A,)
        Codes of the sensitive groups of which samples are evaluated.
    """

    def __init__(self, problem: BilevelProblem) -> None:
        self.problem = problem
        self.archive = Archive(problem.objective)
        self.players = np.flatnonzero(problem.evaluator.evaluation_set.present)
        self.n_rounds = 0
        self._models: dict[int, Any] = {}
        self.baseline: Evaluation = None  # type: ignore[assignment]

    def begin(self) -> None:
        """Fit the baseline model.

        Raises
        ------
        Exception
            Of the estimator, where it cannot be fitted.
        """
        (baseline,) = self.problem.evaluate([(self.problem.shares, "baseline")], 1)
        if baseline.failed:
            raise baseline.error  # type: ignore[misc]
        self.baseline = baseline
        self.add(baseline)

    def refit(self, weights: Iterable[FloatArray]) -> list[Evaluation]:
        """Fit the estimator at several weights and return the evaluations in order."""
        self.n_rounds += 1
        points = [(self.problem.project(w), ORIGIN) for w in weights]
        visited = []
        with closing(self.problem.evaluate(points, self.n_rounds)) as evaluations:
            for evaluation in evaluations:
                self.add(evaluation)
                visited.append(evaluation)
        return visited

    def add(self, evaluation: Evaluation) -> None:
        """Record an evaluation.

        Raises
        ------
        Stopped
            If the monitor wants no more.
        """
        self._models[id(evaluation)] = evaluation.model
        self.archive.add(evaluation)
        monitor = self.problem.monitor
        if monitor is not None and monitor(evaluation, self.archive):
            raise Stopped

    def losses(self, evaluation: Evaluation) -> FloatArray:
        """Return the players' losses, of shape (A,); NaN where the refit failed."""
        if evaluation.failed:
            return np.full(len(self.players), np.nan)
        return evaluation.losses_by_group[self.players]  # type: ignore[index]

    def gains(self, evaluation: Evaluation) -> FloatArray:
        """Return by how much each player is better off than under the baseline model."""
        return self.losses(self.baseline) - self.losses(evaluation)

    def helps(self, evaluation: Evaluation) -> bool:
        """Whether no player is worse off than under the baseline model, and some player better."""
        gains = self.gains(evaluation)
        return bool((gains >= 0).all() and gains.any())

    def best_fit(self) -> Evaluation:
        """Return the best of the estimator's own fits by what the search is for."""
        fits = [e for e in self.archive.evaluations if e.n_refits and not e.failed]
        return min(fits, key=self.problem.objective.key)

    def drop_models(self, kept: Evaluation) -> None:
        """Keep the models of the baseline and one other evaluation alone."""
        for evaluation in self.archive.evaluations:
            keep = evaluation is self.baseline or evaluation is kept
            evaluation.model = self._models.get(id(evaluation)) if keep else None
        self._models.clear()
