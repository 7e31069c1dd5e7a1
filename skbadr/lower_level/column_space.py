"""Many columns: the same problem in the few combinations of them that weights of cells turn on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg

from skbadr.lower_level.design import make_design
from skbadr.lower_level.not_smooth import NotSmooth

if TYPE_CHECKING:
    from skbadr._typing import Array, FloatArray
    from skbadr.lower_level.linear import LinearLowerLevel
    from skbadr.lower_level.state import LinearState

# Columns from which on a few passes over X cost less than a Hessian.
MANY_COLUMNS = 150
# Cells that take turns in a growth of a basis.
MOST_CELLS = 12


class ColumnSpace:
    """An orthonormal basis of parameters, grown by what the training problem's gradients point to.

    A growth adds the gradient at a solution within the span, and at those that its derivative
    predicts where one cell weighs e times as much, all by the inverse of the Hessian's diagonal.
    Grown so, the span becomes a block Krylov space: it holds the solution, and how that moves with
    the weights, up to an error that shrinks as that of conjugate gradients. Each growth costs two
    passes over X, all else is of the size of the basis.

    Parameters
    ----------
    whole : LinearLowerLevel
        Which penalises all features alike; see `suits_column_space`.

    Attributes
    ----------
    basis : ndarray of shape (d, r)
        Orthonormal columns.
    level : LinearLowerLevel
        The problem in the coordinates of the basis.

    References
    ----------
    O'Leary (1980), "The block conjugate gradient algorithm and related methods", Linear Algebra and
    its Applications 29. Zibulevsky and Elad (2010), "L1-L2 optimization in signal and image
    processing", IEEE Signal Processing Magazine 27: minimising over the span of all past gradients.
    """

    def __init__(self, whole: LinearLowerLevel) -> None:
        self.whole, shares = whole, whole.cells.shares
        self.basis = np.empty((whole.d, 0))
        self._images = np.empty((whole.n, 0), dtype=whole.X.dtype)
        # Cells take turns if there are many.
        self._turns = np.argsort(-shares, kind="stable")
        coef = whole.family.start(whole.target, whole.sample_weight(shares), whole.p)
        state = whole.state_at(shares, coef)
        # Columns of different scale weigh alike.
        self._diagonal = whole.hessian_diagonal(state)[: whole.d].mean(axis=1)
        self._add(self._gradients(state, None))

    def grow(self, state: LinearState) -> LinearState:
        """Extend the basis at a solution in it; return the solution's parameters in the new one."""
        features, rest = np.split(state.coef, [self.basis.shape[1]])
        self._add(self._gradients(state, self.level.sensitivities(state)))
        added = np.zeros((self.basis.shape[1] - len(features), self.whole.m))
        # A Hessian of fewer directions serves no more.
        coef = np.vstack([features, added, rest])
        return replace(state, coef=coef, factor=None, left=None)

    def _gradients(self, state, moved):
        """Return gradients at a state, and where a cell weighs more, as columns."""
        whole, weights = self.whole, state.cell_weights
        turn, self._turns = self._turns[:MOST_CELLS], np.roll(self._turns, -MOST_CELLS)
        slopes, penalties = [], []
        for k in (None, *turn):
            coef, scores, weight = state.coef, state.scores, state.weight
            if k is not None:
                tilted = np.where(np.arange(len(weights)) == k, np.e * weights, weights)
                weight = whole.sample_weight(tilted / tilted.sum())
                if moved is not None and whole.family.admissible(coef + moved[:, :, k]):
                    coef = coef + moved[:, :, k]
                    scores = scores + self.level.forward(moved[:, :, k])
            slopes.append(whole.slopes(scores, weight))
            penalties.append(self.basis @ coef[: self.basis.shape[1]])
        penalty = np.tile(whole.penalty[: whole.d], len(slopes)) * np.hstack(penalties)
        gradients = whole.scale * whole.X.backward(np.hstack(slopes)) + penalty
        free = np.tile(whole.free[: whole.d], len(slopes))
        return np.where(free, gradients, 0.0) / self._diagonal[:, None]

    def lifted(self, coef: FloatArray) -> FloatArray:
        """Return parameters in the basis as those of the features of X, of shape (p, m)."""
        features, rest = np.split(coef, [self.basis.shape[1]])
        return np.vstack([self.basis @ features, rest])

    def coordinates(self, coef: FloatArray) -> FloatArray:
        """Return parameters, of shape (p, m), in the basis, as far as it holds them."""
        features, rest = np.split(coef, [self.whole.d])
        return np.vstack([self.basis.T @ features, rest])

    def transform(self, X: Any) -> Array:
        """Return the coordinates of other rows."""
        return make_design(X).forward(self.basis)

    def _add(self, directions):
        """Extend the basis by the span of some directions."""
        if not np.isfinite(directions).all():
            raise NotSmooth("the lower level's derivatives are not finite.")
        size = np.linalg.norm(directions, axis=0)
        directions = directions[:, size > 0] / size[size > 0]
        directions = directions - self.basis @ (self.basis.T @ directions)
        new, corner, _ = linalg.qr(directions, mode="economic", pivoting=True)
        new = new[:, np.abs(np.diag(corner)) > np.sqrt(np.finfo(self.whole.X.dtype).eps)]
        # Once more, as what was almost within the span is new up to rounding alone.
        new, _ = np.linalg.qr(new - self.basis @ (self.basis.T @ new))
        self._images = np.hstack([self._images, self.whole.X.forward(new)])
        self.basis = np.hstack([self.basis, new])
        self.level = self.whole.on_columns(self._images)


def suits_column_space(level: LinearLowerLevel) -> bool:
    """Whether there are so many columns that Hessians are dear, in memory and penalised alike."""
    penalty = level.family.penalty(level.p)[: level.d]
    many = level.d >= MANY_COLUMNS and level.X.in_memory
    return many and bool((penalty == penalty[0]).all())
