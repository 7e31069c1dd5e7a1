"""Certificates for linear models of any origin, that no model is better for every group."""

from __future__ import annotations

import copy

import numpy as np
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, check_array, check_consistent_length

from skbadr._guard import Guard
from skbadr._typing import ArrayLike, Estimator, Features, FittedModel, Float, Int, Partition
from skbadr._warnings import record_warnings, warn_user
from skbadr.estimators import BADRClassifier, BADRRegressor
from skbadr.estimators.base import BaseBADR
from skbadr.estimators.inputs.checks import check_weight
from skbadr.estimators.outcome.store import label_array
from skbadr.lower_level import LinearLowerLevel, find_family, known_estimators
from skbadr.partition import make_cells, make_groups

# Smallest weight of a cell in the search.
MIN_WEIGHT = 1e-6


def pareto_certificate(
    model: FittedModel,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sensitive_features: Features,
    sample_weight: ArrayLike | None = None,
    partition: Partition = "group",
    n_target_bins: Int = 2,
    estimator: Estimator | None = None,
    tol: Float = 1e-5,
) -> Bunch:
    r"""Tell whether some model is better than a given one for every group.

    The losses F_k are the training losses of the model's class, averaged over each cell. If the
    model w is Pareto-efficient, some convex combination of their gradients (plus the gradient of
    the regularisation R) vanishes. Otherwise the function looks for the model whose smallest gain
    of a cell is largest. For convex losses this is a convex problem in the weights,

    .. math:: \min_{\lambda \in \Delta} \; \sum_k \lambda_k F_k(w) + R(w)
              - \min_v \left( \sum_k \lambda_k F_k(v) + R(v) \right),

    The gradient of this problem is the cells' gains. BADR trains the inner minimum.

    Parameters
    ----------
    model : fitted linear model, Pipeline ending in one, or BADR estimator
        The model may have been trained in any way, for example with a penalty for unfairness. Only
        its ``coef_`` and ``intercept_`` are used.
    X, y : data of shape (n, d) and (n,)
        The training data.
    sensitive_features : array-like of shape (n,) or (n, m)
        Group of each sample.
    sample_weight : array-like of shape (n,), default=None
        Base weights.
    partition : {"group", "group_target"} or callable, default="group"
        The cells whose losses count.
    n_target_bins : int, default=2
        Quantile bins of y for ``partition="group_target"`` in regression.
    estimator : estimator, default=None
        Estimator whose loss and regularisation count, for example a `LogisticRegression`, if the
        model's own class is not known. None: the model's own.
    tol : float, default=1e-5
        A cell gains if its loss falls by more than this share of the loss.

    Returns
    -------
    certificate : Bunch
        With the items

        - ``residual``: norm of the smallest convex combination of gradients, like
          ``pareto_residual_`` of `BADRClassifier`;
        - ``beta``: ndarray (K,), that combination; ``groups``: labels of the cells, in order;
        - ``losses``: ndarray (K,), the cells' mean losses under the model;
        - ``dominated``: whether a model was found under which every cell gains;
        - ``gain``: the smallest gain of a cell under that model, or the largest smallest gain that
          was found;
        - ``gain_limit``: the smallest gain that no model of the same or less regularisation
          exceeds;
        - ``dominating_model``: the fitted estimator, or None;
        - ``dominating_losses``, ``dominating_weights``: ndarrays (K,) of the dominating model's
          losses and cell weights, or None.

    Raises
    ------
    ValueError
        If the model's class has no known smooth objective, or does not fit the data.

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448, for models that are efficient by their
    weights; Desideri (2012), "Multiple-gradient descent algorithm (MGDA) for multiobjective
    optimization", Comptes Rendus Mathematique 350, for the residual.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbadr import pareto_certificate
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat(["a", "b"], 200)
    >>> X = rng.normal(size=(400, 3))
    >>> y = (X[:, 0] + rng.normal(size=400) > 0).astype(int)
    >>> model = LogisticRegression().fit(X, y)
    >>> pareto_certificate(model, X, y, sensitive_features=group).dominated
    False
    >>> model.coef_ = model.coef_ + 0.5
    >>> pareto_certificate(model, X, y, sensitive_features=group).dominated
    True
    """
    game = _Game(
        model, X, y, sensitive_features, sample_weight, partition, n_target_bins, estimator
    )
    residual, beta = game.level.pareto_residual(game.coef)
    weights, limit = game.best_weights(beta)
    found, losses = game.fit(weights)
    gains = game.losses - losses
    dominated = bool((gains > tol * np.abs(game.losses)).all())
    return Bunch(
        residual=residual,
        beta=beta,
        groups=label_array(game.level.cells.labels),
        losses=game.losses,
        dominated=dominated,
        gain=float(gains.min()),
        gain_limit=limit,
        dominating_model=found if dominated else None,
        dominating_losses=losses if dominated else None,
        dominating_weights=weights if dominated else None,
    )


class _Game:
    """The cells' losses as functions of a linear model, and a given model among them."""

    def __init__(
        self, model, X, y, sensitive_features, sample_weight, partition, n_target_bins, estimator
    ):
        model = model.estimator_ if isinstance(model, BaseBADR) else model
        self.model = model
        final, X = _peel(model, X)
        if not (hasattr(final, "coef_") and hasattr(final, "intercept_")):
            raise ValueError(
                f"{type(final).__name__} has no coef_ and intercept_: a certificate needs a fitted "
                "linear model."
            )
        self.template = final if estimator is None else estimator
        if isinstance(self.template, Pipeline):
            self.template = self.template.steps[-1][1]
        check_consistent_length(X, y)
        weight = check_weight(sample_weight, X)
        owner = BADRClassifier() if hasattr(final, "classes_") else BADRRegressor()
        self.y, target, classes = owner._encode_target(y)
        self._check_classes(final, classes)
        family = find_family(self.template, classes)
        if isinstance(family, str):
            raise ValueError(
                f"no certificate: {family} (known are {', '.join(known_estimators())}); give as "
                "estimator the one whose loss and regularisation count."
            )
        groups = make_groups(sensitive_features)
        check_consistent_length(X, groups.codes)
        cells = make_cells(
            partition, target, groups, weight, classes=classes, n_target_bins=n_target_bins
        )
        self.X = check_array(X, accept_sparse="csr", dtype="numeric")
        self.level = LinearLowerLevel(family, self.X, target, cells)
        self.coef = self._parameters(final)
        self.losses = self.cell_losses(self.level.forward(self.coef))
        self.weighted = sample_weight is not None

    @staticmethod
    def _check_classes(final, classes):
        if classes is not None and not np.array_equal(final.classes_, classes):
            raise ValueError(
                f"y holds the classes {classes.tolist()}, but the model was fitted on "
                f"{np.asarray(final.classes_).tolist()}."
            )

    def _parameters(self, final):
        coef = self.level.family.parameters(final)
        expected = (self.level.p, self.level.m)
        if coef.shape != expected:
            raise ValueError(
                f"the model has parameters of shape {coef.shape}, where X and y ask for {expected}."
            )
        return coef

    @property
    def unit(self):
        """Factor of the weighted mean losses in the estimator's objective."""
        return self.level.scale * self.level.cells.totals.sum()

    def cell_losses(self, scores):
        """Return the mean losses of the cells, of shape (K,)."""
        level = self.level
        losses = level.losses(scores).astype(float)
        if level.loss_weight is not None:
            losses = losses * level.loss_weight
        return level.cells.means(losses)

    def penalty(self, coef):
        """Return the regularisation in units of the mean losses."""
        return 0.5 * float((self.level.penalty * coef**2).sum()) / self.unit

    def best_weights(self, start):
        """Return the weights under which the cell that gains least gains most, and a limit."""
        n_cells, level = self.level.cells.n_cells, self.level
        penalty = self.penalty(self.coef)
        shares = level.cells.shares
        state = level.state_at(shares, self.coef)
        best = [np.inf, shares, -np.inf, shares]

        def value_and_gains(weights):
            nonlocal state
            weights = np.maximum(weights, MIN_WEIGHT)
            weights = weights / weights.sum()
            state = level.solve(weights, state)
            gains = self.losses - self.cell_losses(state.scores)
            value = float(weights @ gains) + penalty - self.penalty(state.coef)
            best[0] = min(best[0], value)
            if gains.min() > best[2]:
                best[2:] = gains.min(), weights
            return value / self._size, gains / self._size

        self._size = max(float(np.abs(self.losses).max()), 1e-300)
        # Inside the simplex, where solutions move smoothly with the weights.
        start = 0.9 * np.maximum(start, MIN_WEIGHT) + 0.1 * shares
        # What rounding takes over the bounds, of which some versions warn, is undone above.
        with record_warnings() as found:
            minimize(
                value_and_gains,
                start / start.sum(),
                jac=True,
                method="SLSQP",
                bounds=[(MIN_WEIGHT, 1.0)] * n_cells,
                constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0,
                             "jac": lambda w: np.ones_like(w)},
                options={"ftol": 1e-12, "maxiter": 100},
            )  # fmt: skip
        for message, category in found:
            if not issubclass(category, RuntimeWarning):
                warn_user(message, category)
        return best[3], max(0.0, best[0])

    def fit(self, weights):
        """Return the estimator fitted at some weights, and the cells' losses under it."""
        final, level = clone(self.template), self.level
        fits, tight = [], {}
        for name, value in (("tol", 1e-10), ("max_iter", 10_000)):
            if isinstance(getattr(final, name, None), (int, float)):
                tight[name] = value
        y = self.y
        weight = level.cells.sample_weight(weights)
        # Its own tolerance, and where that undoes the gain a tight one.
        for options in ({}, tight):
            fitted = clone(final).set_params(**options)
            with record_warnings():
                Guard(fitted).call(fitted.fit, self.X, y, sample_weight=weight)
            losses = self.cell_losses(level.forward(level.family.parameters(fitted)))
            fits.append((fitted, losses))
            if (losses < self.losses).all():
                break
        fitted, losses = max(fits, key=lambda fit: (self.losses - fit[1]).min())
        return _reassemble(self.model, fitted), losses


def _peel(model, X):
    """Return the last step of (nested) fitted pipelines and what it sees of X."""
    while isinstance(model, Pipeline):
        X = model[:-1].transform(X) if len(model) > 1 else X
        model = model.steps[-1][1]
    return model, X


def _reassemble(model, fitted):
    """Return (nested) fitted pipelines with another last step."""
    if not isinstance(model, Pipeline):
        return fitted
    other = copy.copy(model)
    name, last = model.steps[-1]
    other.steps = [*model.steps[:-1], (name, _reassemble(last, fitted))]
    return other
