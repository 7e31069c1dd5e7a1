"""Generalised linear models with a log or identity link: Poisson, Gamma, Tweedie."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from skbadr._typing import Array, FloatArray
from skbadr.lower_level.families.base import LinearFamily


class _MeanDeviance(LinearFamily):
    """Half deviance averaged over the sample weights, plus ``alpha ||w||^2 / 2``."""

    averages = True

    def __init__(self, estimator, classes=None):
        super().__init__(estimator, classes)
        self.l2 = estimator.alpha

    def scale(self, n, total_weight):  # noqa: D102
        return 1.0 / total_weight


class LogLinkTweedie(_MeanDeviance):
    """Half Tweedie deviance of ``exp(z)``, up to terms of y alone.

    ``exp((2 - p) z) / (2 - p) - y exp((1 - p) z) / (1 - p)``, with its limits at p = 1 (Poisson)
    and p = 2 (Gamma).
    """

    def __init__(self, estimator: Any, power: float) -> None:
        super().__init__(estimator)
        self.power = power

    def _terms(self, target, z, order):
        """Return the derivative of the given order."""
        p = self.power
        if p == 2:
            first = z if order == 0 else np.full_like(z, 1.0 if order == 1 else 0.0)
        else:
            first = (2.0 - p) ** (order - 1) * np.exp((2.0 - p) * z)
        if p == 1:
            second = z if order == 0 else np.full_like(z, 1.0 if order == 1 else 0.0)
        else:
            second = (1.0 - p) ** (order - 1) * np.exp((1.0 - p) * z)
        return first - target * second

    def loss(self, target: Array, z: Array) -> Array:  # noqa: D102
        return self._terms(target, z, 0)[:, 0]

    def gradient(self, target: Array, z: Array) -> Array:  # noqa: D102
        return self._terms(target, z, 1)

    def curvature(self, target: Array, z: Array) -> Array:  # noqa: D102
        return self._terms(target, z, 2)

    def score_scale(self, target: Array, weight: Array | None) -> float:  # noqa: D102
        return 1.0

    def start(self, target: Array, weight: Array | None, p: int) -> FloatArray:  # noqa: D102
        coef = super().start(target, weight, p)
        if self.fit_intercept:
            coef[-1] = np.log(max(np.average(target[:, 0], weights=weight), 1e-8))
        return coef

    def predict(self, z: Array) -> Array:  # noqa: D102
        return np.exp(z[:, 0])

    def predict_gradient(self, z: Array) -> Array:  # noqa: D102
        return np.exp(z[:, 0])


class HalfSquares(_MeanDeviance):
    """``(z - y)^2 / 2``: a Tweedie model of power 0 with the identity link."""

    def loss(self, target: Array, z: Array) -> Array:  # noqa: D102
        return 0.5 * np.square(z - target)[:, 0]

    def gradient(self, target: Array, z: Array) -> Array:  # noqa: D102
        return z - target

    def curvature(self, target: Array, z: Array) -> Array:  # noqa: D102
        return np.ones_like(z)


def tweedie(estimator: Any, classes: Array | None) -> LinearFamily | str:
    """Return the family of a TweedieRegressor, or the reason why there is none."""
    link = estimator.link
    if link == "auto":
        link = "identity" if estimator.power <= 0 else "log"
    if link == "log":
        return LogLinkTweedie(estimator, estimator.power)
    if estimator.power == 0:
        return HalfSquares(estimator)
    return f"power={estimator.power} with the identity link is not supported"


FAMILIES = {
    PoissonRegressor: lambda estimator, classes: LogLinkTweedie(estimator, 1),
    GammaRegressor: lambda estimator, classes: LogLinkTweedie(estimator, 2),
    TweedieRegressor: tweedie,
}
