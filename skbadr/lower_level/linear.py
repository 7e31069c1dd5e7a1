"""Smooth lower levels that are linear in their parameters, with exact derivatives."""

import copy
from dataclasses import replace

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from skbadr._rows import steps, sums_by
from skbadr.lower_level.certificate import distance_to_hull
from skbadr.lower_level.design import make_design
from skbadr.lower_level.hessian import factorise, solve
from skbadr.lower_level.newton import newton
from skbadr.lower_level.state import LinearState

# Largest number of parameters for which a dense Hessian is formed and factorised.
DENSE_LIMIT = 1500
# Log ratio of weights up to which a factorised Hessian is tried again.
SAME_HESSIAN = 1.2


class LinearLowerLevel:
    r"""Weighted training of a `LinearFamily`, and what the hypergradient needs of it.

    The objective is the estimator's own, ``scale * sum_i v_i(lam) l(y_i, z_i) + R(coef)`` with
    scores ``z = X coef`` and sample weights ``v(lam)``. Gradients, Hessian products and sums by
    cell each cost one pass over X, whatever the number of cells.

    Parameters
    ----------
    family : LinearFamily
    X : ndarray or sparse matrix of shape (n, d)
    y : ndarray of shape (n,)
        Class codes or real targets.
    cells : Cells

    References
    ----------
    Tanji, Vaiter and Laguel (2026), arXiv 2601.13448: the implicit hypergradient.
    """

    def __init__(self, family, X, y, cells):
        self.family, self.cells = family, cells
        self.m = family.n_outputs
        self._set_design(make_design(X))
        self.target = family.encode(y).astype(self.X.dtype, copy=False)
        self.scale = family.scale(self.n, cells.totals.sum())
        # Where adding one vector to all outputs changes no loss, their sum is held at 0, which
        # the penalty does by itself and which makes the Hessian regular without one.
        self.gauge = self.scale * cells.totals.sum() / self.m if family.shift_invariant else 0.0
        self.loss_weight = family.loss_weight(y)
        self._set_base()
        self.score_scale = family.score_scale(self.target, cells.base_weight)
        self.n_passes = 0

    def _set_design(self, X):
        """Keep the design matrix, and what is known of each parameter."""
        self.X, (self.n, self.d) = X, X.shape
        self.p = self.d + bool(self.family.fit_intercept)
        self.free = self.family.free(self.p)
        self.penalty = np.where(self.free, self.family.penalty(self.p)[:, None], 0.0)
        self.dense = not X.is_sparse and self.free.sum() <= DENSE_LIMIT

    def _set_base(self):
        """Keep what weights of cells are multiplied by: None stands for ones."""
        base = self.cells.base_weight
        if self.loss_weight is not None:
            base = base * self.loss_weight
        self._base = None if (base == 1.0).all() else base.astype(self.X.dtype)

    # Products with the design matrix, and the intercept's part of them.

    def forward(self, coef, X=None):
        """Return the scores ``X coef`` of shape (n, m), on the training rows or on others."""
        X = self.X if X is None else make_design(X)
        self.n_passes += 1
        scores = X.forward(coef[: self.d])
        if self.family.fit_intercept:
            scores += (self.family.intercept_scaling * coef[self.d]).astype(scores.dtype)
        return scores

    def backward(self, residual, X=None):
        """Return ``X' residual`` of shape (p, m)."""
        X = self.X if X is None else make_design(X)
        self.n_passes += 1
        product = X.backward(residual)
        if self.family.fit_intercept:
            total = self.family.intercept_scaling * residual.sum(axis=0, keepdims=True)
            product = np.vstack([product, total])
        return product

    # The lower-level problem.

    def sample_weight(self, cell_weights):
        """Return the weights of the loss terms, the family's class weights included."""
        weight = self.cells.factors(cell_weights).astype(self.X.dtype)[self.cells.codes]
        return weight if self._base is None else weight * self._base

    def state_at(self, cell_weights, coef):
        """Return parameters as a state at some weights, of which they need not be the solution."""
        weight = self.sample_weight(cell_weights)
        return LinearState(cell_weights, coef, self.forward(coef), weight)

    def objective(self, coef, scores, weight):
        """Return the estimator's training objective."""
        loss = float(weight @ self.losses(scores))
        penalty = 0.5 * float((self.penalty * coef**2).sum())
        if self.gauge:
            penalty += 0.5 * self.gauge * float((coef.sum(axis=1) ** 2).sum())
        return self.scale * loss + penalty

    def losses(self, scores):
        """Return the loss of each training row, of shape (n,)."""
        losses = np.empty(self.n, dtype=scores.dtype)
        for rows in steps(self.n):
            losses[rows] = self.family.loss(self.target[rows], scores[rows])
        return losses

    def gradient(self, coef, scores, weight):
        """Return the gradient of the objective, of shape (p, m)."""
        residual = self.slopes(scores, weight)
        return self._with_penalty(self.scale * self.backward(residual), coef)

    def slopes(self, scores, weight):
        """Return the slopes of the losses, times weights (None: ones)."""
        slopes = np.empty_like(scores)
        for rows in steps(self.n):
            own = self.family.gradient(self.target[rows], scores[rows])
            slopes[rows] = own if weight is None else weight[rows, None] * own
        return slopes

    def _with_penalty(self, product, coef):
        """Add the derivative of the penalty, in place of 0 for what is not trained."""
        product = product + self.penalty * coef
        if self.gauge:
            product = product + self.gauge * coef.sum(axis=1, keepdims=True)
        return np.where(self.free, product, 0.0)

    def solve(self, cell_weights, start=None, *, tol=1e-10, max_iter=100):
        """Train by Newton's method with a line search, warm-started.

        Parameters
        ----------
        cell_weights : ndarray of shape (K,)
        start : LinearState or None, default=None
            Its factorised Hessian, if any, serves for as long as steps shrink well.
        tol : float, default=1e-10
            Root mean square by which scores of any cell may still be off, in units of the
            family's scale of scores (1 for classifiers, else the targets' spread).
        max_iter : int, default=100

        Returns
        -------
        state : LinearState
        """
        same = start is not None and np.array_equal(start.cell_weights, cell_weights)
        weight = start.weight if same else self.sample_weight(cell_weights)
        coef = self.family.start(self.target, weight, self.p) if start is None else start.coef
        scores = self.forward(coef) if start is None else start.scores
        state = LinearState(cell_weights, coef, scores, weight)
        if start is not None and _near(start.cell_weights, cell_weights):
            state.factor, state.left = start.factor, start.left
        newton(self, state, tol=tol, max_iter=max_iter)
        return state

    def score_size(self, scores):
        """Return the largest root mean square of some scores over any cell."""

        def squared(rows):
            squares = np.einsum("nm,nm->n", scores[rows], scores[rows])
            return squares if self._base is None else squares * self.cells.base_weight[rows]

        sums = sums_by(self.cells.codes, self.cells.n_cells, squared)
        present = self.cells.totals > 0
        return float(np.sqrt((sums[present] / self.cells.totals[present]).max()))

    def sample(self, rows):
        """Return the same problem on a sample of rows that stands for all of them.

        Each cell keeps its total weight: the rows of it are weighted up. No cell may be missing.
        """
        cells = self.cells.take(rows)
        factor = self.cells.totals / cells.totals
        weight = cells.base_weight * factor[cells.codes]
        return self._on(rows, replace(cells, base_weight=weight, totals=self.cells.totals))

    def _on(self, rows, cells):
        smaller = copy.copy(self)
        smaller.X, smaller.n = self.X.take(rows), len(rows)
        smaller.cells, smaller.target = cells, self.target[rows]
        if self.loss_weight is not None:
            smaller.loss_weight = self.loss_weight[rows]
        smaller._set_base()
        return smaller

    def on_columns(self, X):
        """Return the same problem on other columns, of the same rows."""
        other = copy.copy(self)
        other._set_design(make_design(X))
        return other

    # The Hessian.

    def curvature_at(self, state):
        """Return the losses' curvature at a state, as a function of directions of the scores."""
        return self.family.curvature_operator(self.target, state.scores)

    def hessian_product(self, state, direction, curve=None):
        """Return the Hessian times a direction, of shape (p, m): two passes over X.

        `curve` is the `curvature_at` the state, where it is known.
        """
        moved = self.forward(direction)
        curved = (curve or self.curvature_at(state))(moved)
        product = self.scale * self.backward(state.weight[:, None] * curved)
        return self._with_penalty(product, direction)

    def hessian_solve(self, state, rhs, *, tol=1e-10):
        """Return ``H^-1 rhs``: by factorisation where H is small and X dense, else by CG.

        Where H is singular (no penalty and dependent columns) the solution of a slightly
        stabilised system is returned; along such directions the scores do not move.
        """
        if self.dense:
            if state.factor is None:
                state.factor, state.left = factorise(self, state), None
            solution = np.zeros_like(rhs)
            solution[self.free] = solve(state.factor, rhs[self.free])
            return solution
        return self._conjugate_gradients(state, rhs, tol)

    def _conjugate_gradients(self, state, rhs, tol):
        size, curve = self.p * self.m, self.curvature_at(state)
        preconditioner = self.hessian_diagonal(state).ravel()

        def product(vector):
            return self.hessian_product(state, vector.reshape(self.p, self.m), curve).ravel()

        operator = LinearOperator((size, size), matvec=product, dtype=float)
        inverse = LinearOperator((size, size), matvec=lambda v: v.ravel() / preconditioner)
        flat, _ = cg(operator, rhs.ravel(), rtol=tol, atol=0.0, maxiter=10 * size, M=inverse)
        return np.where(self.free, flat.reshape(self.p, self.m), 0.0)

    def hessian_diagonal(self, state):
        """Return the diagonal of the Hessian, of shape (p, m), with 1 in place of 0."""
        curvature = self.family.curvature_diagonal(self.target, state.scores)
        diagonal = np.empty((self.p, self.m))
        weighted = state.weight[:, None] * curvature
        diagonal[: self.d] = self.X.squared_backward(weighted)
        if self.family.fit_intercept:
            diagonal[self.d] = self.family.intercept_scaling**2 * weighted.sum(axis=0)
        diagonal = self.scale * diagonal + self.penalty + self.gauge
        return np.where(diagonal > 0, diagonal, 1.0)

    # The upper level's derivatives.

    def cell_gradients(self, state):
        """Return the gradients J_k of all cells' mean losses, of shape (K, p, m), in one pass."""
        n_cells, codes = self.cells.n_cells, self.cells.codes
        residual = self.slopes(state.scores, self._base)
        self.n_passes += 1
        gradients = self.X.by_cell(residual, codes, n_cells)
        if self.family.fit_intercept:
            totals = np.stack([sums_by(codes, n_cells, column) for column in residual.T], axis=1)
            totals *= self.family.intercept_scaling
            gradients = np.concatenate([gradients, totals[:, None]], axis=1)
        gradients /= self.cells.totals[:, None, None]
        return np.where(self.free, gradients, 0.0)

    def pareto_residual(self, coef):
        r"""Return how far parameters are from Pareto stationarity for the cells' losses.

        ``min || sum_k beta_k grad F_k + grad R ||`` over beta in the simplex, R being the
        regularisation per unit of sample weight: 0 where some weights make the parameters
        optimal, so that for a convex loss no cell can gain without another losing.

        Parameters
        ----------
        coef : ndarray of shape (p, m)

        Returns
        -------
        residual : float
        beta : ndarray of shape (K,)
            The weights of the cells that attain it.
        """
        state = self.state_at(self.cells.shares, coef)
        gradients = self.cell_gradients(state)[:, self.free]
        unit = self.scale * self.cells.totals.sum()
        penalty = ((self.penalty * coef) / unit)[self.free]
        return distance_to_hull(gradients, penalty)

    def sensitivities(self, state, *, exact=True):
        """Return d coef / d t for log weights t, of shape (p, m, K).

        ``lam = shares * exp(t)``, normalised; K right-hand sides for one factorised Hessian,
        which is left in `state` for refits nearby. Where `exact` is False the factor that the
        state was solved with will do, if there is one.
        """
        gradients = self.cell_gradients(state)
        lam = state.cell_weights
        centered = lam[:, None, None] * (gradients - np.tensordot(lam, gradients, axes=1))
        unit = self.scale * self.cells.totals.sum()
        if exact:
            state.factor = None
        if self.dense:
            return self.hessian_solve(state, np.moveaxis(-unit * centered, 0, -1))
        columns = [self.hessian_solve(state, -unit * column, tol=1e-3) for column in centered]
        return np.stack(columns, axis=-1)

    def pull_back(self, score_gradient, X=None):
        """Return the gradient in the parameters of a function of scores on (other) rows."""
        return np.where(self.free, self.backward(score_gradient, X), 0.0)

    def hypergradient(self, state, parameter_gradient, *, tol=1e-10):
        r"""Return d Phi / d lam of a function of the parameters: one adjoint solve.

        With ``H u = grad Phi``, the derivative is ``-scale * W * <grad F_k, u>``; the products
        are sums of one vector of length n by cell.

        Parameters
        ----------
        state : LinearState
            Converged.
        parameter_gradient : ndarray of shape (p, m)
        tol : float, default=1e-10
            Of the conjugate gradients, where they are used.

        Returns
        -------
        gradient : ndarray of shape (K,)
        """
        adjoint = self.adjoint(state, parameter_gradient, tol=tol)
        return self.hypergradient_along(state, self.forward(adjoint))

    def adjoint(self, state, parameter_gradient, *, tol=1e-10):
        """Return u of ``H u = grad Phi``, of shape (p, m), as of `hypergradient`."""
        state.factor = None  # it needs the Hessian at the solution itself
        return self.hessian_solve(state, parameter_gradient, tol=tol)

    def hypergradient_along(self, state, along):
        """Return d Phi / d lam, of shape (K,), from the adjoint's image ``X u``, of shape (n, m).

        No pass over X, whatever the number of cells.
        """

        def per_sample(rows):
            slopes = self.family.gradient(self.target[rows], state.scores[rows])
            products = np.einsum("nm,nm->n", slopes, along[rows])
            return products if self._base is None else products * self._base[rows]

        sums = sums_by(self.cells.codes, self.cells.n_cells, per_sample)
        return -self.scale * self.cells.totals.sum() * sums / self.cells.totals

    def adjoint_gradient(self, state, adjoint, along, score_gradient=None, curve=None):
        """Return ``H u - X' score_gradient``, of shape (p, m), in one pass.

        Parameters
        ----------
        state : LinearState
        adjoint : ndarray of shape (p, m)
        along : ndarray of shape (n, m)
            ``X u``.
        score_gradient : ndarray of shape (n, m) or None, default=None
        curve : callable or None, default=None
            The `curvature_at` the state, where it is known.
        """
        curved = (curve or self.curvature_at(state))(along)
        residual = self.scale * state.weight[:, None] * curved
        if score_gradient is not None:
            residual -= score_gradient
        return self._with_penalty(self.backward(residual), adjoint)

    def second_derivative(self, state, directions, images, curve=None):
        """Return the second derivative of the objective along directions, of shape (q, q).

        Parameters
        ----------
        state : LinearState
        directions : list of ndarray of shape (p, m)
        images : list of ndarray of shape (n, m)
            ``X d`` of each: no pass over X is needed.
        curve : callable or None, default=None
            The `curvature_at` the state, where it is known.
        """
        curve = curve or self.curvature_at(state)
        result = np.empty((len(directions), len(directions)))
        for j, (direction, image) in enumerate(zip(directions, images, strict=True)):
            curved = state.weight[:, None] * curve(image)
            stiff = self._with_penalty(np.zeros_like(direction), direction)
            for i in range(j + 1):
                along = self.scale * float(np.vdot(images[i], curved))
                result[i, j] = result[j, i] = along + float(np.vdot(directions[i], stiff))
        return result


def _near(one, other):
    """Whether no cell's weight differs so much that the Hessian there is another."""
    ratio = np.maximum(one, 1e-300) / np.maximum(other, 1e-300)
    return bool(np.abs(np.log(ratio)).max() <= SAME_HESSIAN)
