"""The upper level as a differentiable function of scores: what single loops descend on."""

from functools import partial

import numpy as np

from skbadr.losses import get_loss, soft_zero_one, standard_deviation
from skbadr.metrics.inputs.responses import pick
from skbadr.metrics.smooth.annealing import GROWTH, SHARPNESS, annealed_surrogate, score_spread
from skbadr.metrics.smooth.soft_tables import SoftPredictions
from skbadr.solvers.settings import DEFAULTS


class UpperValue:
    """Cost of scores in one round of a search, and its gradient.

    A metric that is piecewise constant is replaced by its surrogate, and a largest gap by its
    log-sum-exp, both sharper from round to round. A bound becomes a penalty on the excess, its
    place corrected by how far the surrogate was off at the scores where the round starts.

    Parameters
    ----------
    smooth : SmoothProblem
    scores : ndarray of shape (n, m)
        Of the evaluated rows of `smooth`, where the round starts.
    round_ : int
        From 0.
    size : float
        Of the metric at the baseline model.
    settings : SmoothSettings, default=DEFAULTS

    Raises
    ------
    ValueError
        If the metric has no smooth stand-in.
    """

    def __init__(self, smooth, scores, round_, size, settings=DEFAULTS):
        evaluator = smooth.evaluator
        self.round_ = round_
        self.objective, exact = smooth.problem.objective, evaluator.metric
        self.is_exact = exact.differentiable and not exact.kinked
        self.metric = exact
        response = smooth.responses(scores, {*exact.response_methods, "predict"})
        shown = smooth.metric_scores(scores)
        weight = smooth.data.sample_weight
        if not self.is_exact:
            rho = settings.softness * (2.0 * GROWTH) ** round_ / max(abs(size), 1e-300)
            self.metric = annealed_surrogate(exact, shown, round_, rho=rho, sample_weight=weight)
            if self.metric is None:
                raise ValueError(f"metric {exact.name!r} has no smooth stand-in")
        self.score_of = self.counted = None
        if not self.objective.uses_score:
            return
        if smooth.data.classes is None:
            self.score_of = get_loss("squared_error").gradient
            self.unit = standard_deviation(smooth.data.y, weight) ** 2 or 1.0
        else:
            # The accuracy is sharper than the metric, as it is in the next round.
            temperature = SHARPNESS * GROWTH ** (round_ + 1) / score_spread(shown, weight)
            self.score_of, self.unit = soft_zero_one(temperature).gradient, evaluator.score_unit
            if evaluator.score is not None:
                self.counted = partial(_soft_score, evaluator.score, temperature)
        if self.objective.bound is not None:
            known = exact.value(smooth.data, pick(exact, response))
            ideal = self.objective.ideal
            room = abs(self.objective.bound - (0.0 if ideal is None else ideal))
            self.width = settings.quadratic_excess * max(room, 1e-3 * max(abs(size), 1e-300))
            # The excess is that of the exact metric, as far as it is known.
            here, _ = smooth.metric_gradient(scores, metric=self.metric)
            self.target = self.objective.cost(self.objective.bound)
            self.target += here - self.objective.cost(known)
            worth = 1.0 / max(size, room) if exact.points is None else exact.points
            self.slope = settings.penalty * self.unit * worth

    def __call__(self, part, scores):
        """Return the cost and its gradient in the scores.

        Parameters
        ----------
        part : SmoothProblem
            Of the rows of the scores.
        scores : ndarray of shape (n, m)

        Returns
        -------
        value : float
        gradient : ndarray of shape (n, m)
        """
        value, gradient = part.metric_gradient(scores, metric=self.metric)
        if self.score_of is None:
            return value, gradient
        if self.objective.bound is not None:
            excess = max(value - self.target, 0.0)
            near = min(excess, self.width)
            value = self.slope * near / self.width * (excess - 0.5 * near)
            gradient = self.slope * near / self.width * gradient
            factor = 1.0
        else:
            factor = self.objective.trade_off
        if self.counted is not None:
            loss, slope = self.counted(part.data, scores)
        else:
            loss, slope = part.mean_and_gradient(partial(self.score_of, part.data.y), scores)
        return value + factor * loss, gradient + factor * slope


def _soft_score(score, temperature, data, scores):
    """Return a counted score's negative, and its gradient, where predictions are memberships."""
    soft = SoftPredictions(scores, temperature)
    tables = soft.tables(data)
    value, slope = score.value_and_gradient(tables.sum(axis=0))
    gradient = soft.gradient(data, np.broadcast_to(slope, tables.shape))
    return -value, -gradient.reshape(scores.shape)
