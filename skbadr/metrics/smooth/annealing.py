"""How sharp a surrogate is to be: temperatures in units of the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skbadr._typing import Array, ArrayLike, Float
from skbadr.losses import standard_deviation

if TYPE_CHECKING:
    from skbadr.metrics.base import FairnessMetric

# Temperature of the first round, times the spread of the scores, and by how much it grows.
SHARPNESS = 4.0
GROWTH = 2.0
# Rounds after which a surrogate is as good as its metric on most tables.
ROUNDS = 5


def score_spread(scores: ArrayLike, sample_weight: Array | None = None) -> float:
    """Return how far scores spread, by their middle half.

    Parameters
    ----------
    scores : ndarray of shape (n,) or (n, m)
        Decision functions, or predictions of a regressor. Of several outputs, what counts is the
        margin between the two largest, with a sign by which of them is first.
    sample_weight : ndarray of shape (n,) or None, default=None

    Returns
    -------
    spread : float
        In units of the scores, equal to the standard deviation of a normal distribution;
        positive.
    """
    scores = np.asarray(scores, dtype=float)
    scores = scores.reshape(len(scores), -1)
    if scores.shape[1] > 1:
        low, high = np.partition(scores, -2, axis=1)[:, -2:].T
        scores = np.concatenate([high - low, low - high])[:, None]
        sample_weight = None if sample_weight is None else np.tile(sample_weight, 2)
    values = scores[:, 0]
    if sample_weight is not None:
        values = values[sample_weight > 0]
        sample_weight = sample_weight[sample_weight > 0]
    order = np.argsort(values)
    share = np.arange(1, len(values) + 1.0)
    if sample_weight is not None:
        share = np.cumsum(sample_weight[order])
    # A level that a sum reaches but for rounding is reached.
    levels = np.array([0.25, 0.75]) * share[-1] * (1.0 - 1e-12)
    quarter, rest = np.searchsorted(share, levels)
    spread = (values[order[rest]] - values[order[quarter]]) / 1.349
    if spread <= 0:  # more than half of the scores are equal
        spread = standard_deviation(values, sample_weight)
    return float(spread) if spread > 0 else 1.0


def annealed_surrogate(
    metric: FairnessMetric,
    scores: ArrayLike,
    step: int = 0,
    *,
    rho: Float | None = None,
    sample_weight: Array | None = None,
) -> FairnessMetric | None:
    """Return the surrogate for one round of a search that sharpens it from round to round.

    In the first round the surrogate is so smooth that all scores count. In later rounds it comes
    nearer to the metric: the temperature is 4 over the spread of the scores, and doubles with every
    step. A search minimises the surrogate of a round from the best model of the rounds before. The
    exact metric judges the visited models. The search stops after about five rounds, or after a
    round without a gain.

    Parameters
    ----------
    metric : FairnessMetric
        The exact metric.
    scores : ndarray of shape (n,) or (n, m)
        Scores of the model from which the round starts.
    step : int, default=0
        Number of the round.
    rho : float or None, default=None
        As in `FairnessMetric.surrogate`.
    sample_weight : ndarray of shape (n,) or None, default=None
        Weights of the samples in the spread of the scores.

    Returns
    -------
    surrogate : FairnessMetric or None
        The metric itself if it is smooth; None if it has no surrogate.

    Examples
    --------
    >>> import numpy as np
    >>> from skbadr.metrics import annealed_surrogate, get_metric
    >>> scores = np.random.default_rng(0).normal(scale=5.0, size=1000)
    >>> rounds = [annealed_surrogate(get_metric("equalized_odds"), scores, k) for k in range(3)]
    >>> [round(surrogate.temperature, 1) for surrogate in rounds]
    [0.8, 1.7, 3.3]
    """
    if metric.differentiable:
        return metric if rho is None else metric.surrogate(rho=rho)
    temperature = SHARPNESS * GROWTH**step / score_spread(scores, sample_weight)
    return metric.surrogate(temperature, rho=rho)
