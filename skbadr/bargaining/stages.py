"""The first stage, and what it hands to the second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch

from skbadr._warnings import warn_user
from skbadr.bargaining.nash_product import maximise_nash_product
from skbadr.bargaining.stage_one import bargain_by_gradients
from skbadr.bargaining.visits import Stopped, Visits
from skbadr.lower_level import NotSmooth, smooth_border
from skbadr.result import Archive, Evaluation

if TYPE_CHECKING:
    from skbadr.problem import BilevelProblem


@dataclass
class Bargain:
    """Where the first stage left the groups.

    Attributes
    ----------
    visits : Visits
    chosen : Evaluation
    method : {"gradients", "nash_product"}
    reason : str
        Why the groups stopped: "stationary" (no direction helps every group any more),
        "no_agreement" (no direction helped every group from the start), "no_gain" (a direction
        helps, but no step along it does), "max_iter" (the budget is spent), or "stopped" and
        "interrupted" (by a callback, by the user; there is no second stage).
    distance : float
        Distance from Pareto stationarity, see `skbadr.bargaining.agreement`; NaN if not known.
    held_out : bool
    """

    visits: Visits
    chosen: Evaluation
    method: str
    reason: str
    distance: float
    held_out: bool

    @property
    def is_final(self) -> bool:
        """Whether whoever asked for both stages wants no second one."""
        return self.reason in ("stopped", "interrupted")

    def hand_over(self, problem: BilevelProblem, tolerance: float | None = None) -> None:
        """Make the second stage start here.

        Parameters
        ----------
        problem : BilevelProblem
            Gets the initial weights, and the evaluations that need not be repeated.
        tolerance : float or None
            By how much a group's loss may exceed its loss after this stage; None: by any amount.
        """
        baseline, chosen = self.visits.baseline, self.chosen
        problem.initial = chosen.cell_weights
        problem.known = {e.cell_weights.tobytes(): e for e in (baseline, chosen)}
        if tolerance is not None:
            problem.objective.ceilings = np.asarray(chosen.losses_by_group) + tolerance

    def archive(self) -> Archive:
        """Return an archive of this stage alone, in place of a second one."""
        archive = Archive(self.visits.archive.objective)
        archive.add(self.visits.baseline)
        archive.interrupted = self.reason == "interrupted"
        return archive

    def merge(self, archive: Archive) -> None:
        """Add what this stage visited to the archive of the second."""
        evaluations = self.visits.archive.evaluations
        archive.absorb(
            evaluations,
            [
                e
                for e in evaluations
                if e.n_refits and not e.failed and (self.held_out or e.model is not None)
            ],
        )

    def summary(self) -> Bunch:
        """Return what users see of it."""
        visits = self.visits
        return Bunch(
            method=self.method,
            reason=self.reason,
            cell_weights=np.array(self.chosen.cell_weights),
            losses=np.array(self.chosen.losses_by_group),
            baseline_losses=np.array(visits.baseline.losses_by_group),
            pareto_distance=float(self.distance),
            n_refits=visits.archive.n_refits,
        )


def bargain_first(problem: BilevelProblem, *, smooth: bool, held_out: bool) -> Bargain:
    """Let the sensitive groups bargain from the baseline model.

    Parameters
    ----------
    problem : BilevelProblem
        Problem whose sensitive groups bargain for its weights.
    smooth : bool
        Whether the lower level and the evaluated loss have derivatives.
    held_out : bool
        Whether the upper level is on data that the refit has not seen. On the training data all
        weights give Pareto-stationary models, so there is nothing to agree on. The Nash product, a
        compromise, then replaces the agreement.

    Returns
    -------
    bargain : Bargain

    References
    ----------
    Zeng et al. (2024), "Fairness-aware meta-learning via Nash bargaining", NeurIPS,
    arXiv 2406.07029.
    """
    visits = Visits(problem)
    method = "gradients" if smooth and held_out else "nash_product"
    try:
        visits.begin()
        if method == "gradients":
            try:
                with smooth_border():
                    outcome = bargain_by_gradients(problem, visits)
            except NotSmooth:
                method = "nash_product"
        if method == "nash_product":
            outcome = maximise_nash_product(problem, visits, held_out=held_out)
    except Stopped:
        outcome = visits.baseline, "stopped", np.nan
    except KeyboardInterrupt:
        if visits.baseline is None:
            raise
        warn_user(
            "the first stage was interrupted; the best model so far is kept.", ConvergenceWarning
        )
        outcome = visits.best_fit(), "interrupted", np.nan
    chosen, reason, distance = outcome
    visits.drop_models(chosen)
    return Bargain(visits, chosen, method, reason, distance, held_out)
