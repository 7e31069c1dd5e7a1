"""The bilevel problem where the lower level is smooth: solutions, sensitivities, gradients."""

import copy
import time

import numpy as np

from skbadr.losses import LOSSES, get_loss
from skbadr.lower_level import make_design
from skbadr.lower_level.leave_one_out import left_out_scores, leverages
from skbadr.problem.smooth.folds import read_folds
from skbadr.problem.smooth.moved_scores import MovedScores
from skbadr.result import Evaluation


class SmoothProblem:
    """Lower-level solutions of all folds, and the upper level as a function of their scores.

    Parameters
    ----------
    problem : BilevelProblem
        Whose wrapped estimator has a `LinearFamily`.
    single : bool, default=False
        Whether passes over a dense X may be in single precision, which halves them, wherever the
        problem is `large`; otherwise they are where it is `rough`. Never where columns have
        offsets or scales that it would not resolve.

    Attributes
    ----------
    spaces : list of ColumnSpace or None
        Where columns are combinations of those of X: the coordinates of each fold's rows.
    large : bool
        Whether there are many rows, or more columns than rows.
    rough : bool
        Whether moreover the estimator's own solver is too loose for accuracy to matter.

    Raises
    ------
    NotSmooth
        If it has none, saying why.
    """

    def __init__(self, problem, *, single=False):
        self.problem = problem
        self.evaluator = problem.evaluator
        folds = read_folds(self.evaluator, single)
        self.data = self.evaluator.evaluation_set
        self.levels, self.held_out = [f.level for f in folds], [f.held_out for f in folds]
        self.spaces = None
        self.large, self.rough = folds[-1].large, folds[-1].rough
        # Whether each row is judged by the model of all others, and what that takes.
        self.leaves_out, self._leverage = problem.evaluator.leaves_out, None
        self.family = self.levels[0].family
        self.min_weight = problem.min_weight
        # Weights from which on the estimator's own solver is sure to see every cell.
        resolved = min(self.family.resolution, 0.5 * float(problem.shares.min()))
        self.resolved_weight = max(problem.min_weight, resolved)
        self._model_rows = None

    def sample(self, rows, evaluated=None):
        """Return the problem on samples of rows that stand for all of them.

        Parameters
        ----------
        rows : list of ndarray
            Training rows of each fold; every cell must be there.
        evaluated : list of ndarray or None, default=None
            Rows of each fold's held-out data; None where evaluation is on the training rows.
        """
        smaller = copy.copy(self)
        # A row that stands for many has no model without it.
        smaller._model_rows, smaller.leaves_out = None, False
        smaller.levels = [level.sample(r) for level, r in zip(self.levels, rows, strict=True)]
        positions = rows[0]
        if evaluated is not None:
            counts = np.cumsum([0] + [X.shape[0] for X in self.held_out])
            positions = np.concatenate([n + r for n, r in zip(counts, evaluated, strict=False)])
            designs = [make_design(X) for X in self.held_out]
            smaller.held_out = [X.take(r) for X, r in zip(designs, evaluated, strict=True)]
        data = self.data.take(positions)
        if evaluated is None and len(rows) == 1:
            # Trained on and evaluated alike, with the weights that stand for all rows.
            cells = smaller.levels[0].cells
            data.sample_weight = cells.base_weight
        else:
            whole = self.evaluator.cells
            cells = whole.take(positions)
            present, ratio = cells.totals > 0, np.zeros(cells.n_cells)
            np.divide(whole.totals, cells.totals, out=ratio, where=present)
            weight = ratio[cells.codes]
            known = data.sample_weight
            data.sample_weight = weight if known is None else weight * known
        smaller.data, smaller.evaluator = data, copy.copy(self.evaluator)
        smaller.evaluator.evaluation_set, smaller.evaluator.cells = data, cells
        return smaller

    def in_spaces(self, spaces):
        """Return the problem in a `ColumnSpace` of each fold."""
        narrow = copy.copy(self)
        narrow._model_rows, narrow.spaces = None, spaces
        narrow.levels = [space.level for space in spaces]
        narrow.held_out = [
            None if X is None else space.transform(X)
            for space, X in zip(spaces, self.held_out, strict=True)
        ]
        if self.leaves_out and self._leverage is None:
            # Which few combinations of the columns would understate.
            (level,), (space,), shares = self.levels, spaces, self.problem.shares
            coef = space.lifted(space.level.solve(shares, tol=1e-3).coef)
            self._leverage = leverages(level, level.state_at(shares, coef))
        narrow._leverage = self._leverage
        return narrow

    @property
    def n_seen(self):
        """Number of training rows of positive weight, over all folds."""
        return sum(level.cells.n_seen for level in self.levels)

    def state_of(self, model, fold=0):
        """Return a fitted model of the user's class as a state at the baseline weights."""
        level = self.levels[fold]
        coef = level.family.parameters(model)
        if self.spaces is not None:
            coef = self.spaces[fold].coordinates(coef)
        shares = level.cells.shares
        return level.state_at(shares, coef)

    def solve(self, cell_weights, starts=None, *, tol=1e-10, max_iter=50):
        """Return the states of all folds at some weights."""
        starts = [None] * len(self.levels) if starts is None else starts
        return [
            level.solve(cell_weights, start, tol=tol, max_iter=max_iter)
            for level, start in zip(self.levels, starts, strict=True)
        ]

    def scores(self, states):
        """Return the scores of the evaluated rows, of shape (n, m)."""
        if self.leaves_out:
            return self._left_out_scores(*states)
        parts = [
            state.scores if X is None else level.forward(state.coef, X)
            for level, state, X in zip(self.levels, states, self.held_out, strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _left_out_scores(self, state):
        if state.left_out is None:
            if self._leverage is None:  # weights move it little, and it moves scores little
                self._leverage = leverages(self.levels[0], state)
            state.left_out = left_out_scores(self.levels[0], state, self._leverage)
        return state.left_out

    def sensitivities(self, states, directions=None):
        """Return how scores move with log weights: one tensor of shape (n, m, K).

        With ``lam = shares * exp(t)`` normalised, ``d coef / d t_k = -H^-1 lam_k (J_k - sum_j
        lam_j J_j)``, J_k the gradient of cell k's mean loss.

        Also returned are the derivatives of the parameters, one list entry per fold, of shape
        (p, m, K). With `directions` of shape (K, D), both are along these, of shape (..., D).
        """
        scores, parameters = [], []
        for level, state, X in zip(self.levels, states, self.held_out, strict=True):
            moved = level.sensitivities(state, exact=False)
            moved = moved if directions is None else moved @ directions
            shape = moved.shape
            flat = level.forward(moved.reshape(shape[0], -1), X)
            scores.append(flat.reshape(len(flat), *shape[1:]))
            parameters.append(moved)
        return (scores[0] if len(scores) == 1 else np.concatenate(scores)), parameters

    def pull_back(self, score_gradient):
        """Return the gradient in the parameters of a function of the scores, for each fold.

        Parameters
        ----------
        score_gradient : ndarray of shape (n, m)
            Derivative of the function in the scores of the evaluated rows.

        Returns
        -------
        gradients : list of ndarray of shape (p, m)
        """
        gradients, position = [], 0
        for level, X in zip(self.levels, self.held_out, strict=True):
            n = level.n if X is None else X.shape[0]
            gradients.append(level.pull_back(score_gradient[position : position + n], X))
            position += n
        return gradients

    def parameter_moves(self, states, *, exact=False):
        """Return how the parameters of each fold move with the log weights, of shape (p, m, K).

        Where `exact` is False the Hessian of each solution's last step will do, as one at the
        solution itself costs as much as the solution.
        """
        pairs = zip(self.levels, states, strict=True)
        return [level.sensitivities(state, exact=exact) for level, state in pairs]

    def gradient_along(self, parameters, score_gradient):
        """Return the gradient, of shape (K,), of a function of the scores along moves.

        Parameters
        ----------
        parameters : list of ndarray of shape (p, m, K)
            Per fold, the derivatives of the parameters.
        score_gradient : ndarray of shape (n, m)
            Derivative of the function in the scores of the evaluated rows.
        """
        parts = zip(self.pull_back(score_gradient), parameters, strict=True)
        return sum(np.tensordot(pulled, moved, axes=2) for pulled, moved in parts)

    def linearised(self, scores, parameters, most, *, many=False):
        """Return what a model of linearly moved scores needs, on some of the evaluated rows.

        Parameters
        ----------
        scores : ndarray of shape (n, m)
        parameters : list of ndarray of shape (p, m, K)
        most : int
            Rows wanted, at least; every group keeps a few.
        many : bool, default=False
            Whether there are too many cells for a number for each row and cell.

        Returns
        -------
        data : EvaluationSet
            Weighted so as to stand for all rows.
        scores : ndarray of shape (rows, m)
        moved : ndarray of shape (rows, m, K), or MovedScores with ``many=True``
            Their derivatives in the log weights.
        rows : ndarray or None
            None where these are all rows.
        """
        rows = None
        n_seen = self.evaluator.cells.n_seen
        if n_seen >= 2 * most and len(self.levels) == 1 and self.held_out[0] is None:
            data, rows = self.model_rows(most)
            scores = scores[rows]
        else:
            data = self.data
        held_out = self.held_out if rows is None else [self.levels[0].X.take(rows)]
        if many:
            parts = list(zip(self.levels, held_out, parameters, strict=True))
            return data, scores, MovedScores(parts), rows
        moved = []
        for level, own, X in zip(self.levels, parameters, held_out, strict=True):
            shape = own.shape
            flat = level.forward(own.reshape(shape[0], -1), X)
            moved.append(flat.reshape(len(flat), *shape[1:]))
        return data, scores, moved[0] if len(moved) == 1 else np.concatenate(moved), rows

    def model_rows(self, most):
        """Return some rows, stratified by group, and the evaluation set that they stand for."""
        if self._model_rows is None:
            rows = self.levels[0].cells.by_cell
            codes = self.data.groups.codes[rows]
            counts = np.bincount(codes, minlength=self.data.n_groups)
            steps = np.maximum(np.minimum(len(codes) // most, counts // 50), 1)
            members = np.split(rows[np.argsort(codes, kind="stable")], np.cumsum(counts)[:-1])
            rows = np.concatenate([own[::step] for own, step in zip(members, steps, strict=True)])
            data = self.data.take(rows)
            kept = np.bincount(data.groups.codes, minlength=self.data.n_groups)
            factor = (counts / np.maximum(kept, 1))[data.groups.codes]
            weight = data.sample_weight
            data.sample_weight = factor if weight is None else factor * weight
            self._model_rows = data, rows
        return self._model_rows

    def responses(self, scores, methods):
        """Return what models are measured by: predictions from scores, by response method."""
        responses = {"predict": self.family.predict(scores)}
        if "decision_function" in methods:
            responses["decision_function"] = self.metric_scores(scores)
        if "predict_proba" in methods:
            responses["predict_proba"] = self.family.predict_proba(scores)
        return responses

    def metric_gradient(self, scores, data=None, metric=None):
        """Return a differentiable metric as a cost, and its gradient in the scores.

        `data` is the evaluation set of the scores, where these are not of all rows; `metric` is
        the problem's own where it is None.
        """
        data = self.data if data is None else data
        metric = self.evaluator.metric if metric is None else metric
        value, slope = metric.value_and_gradient(data, self.metric_scores(scores))
        if metric.greater_is_better:
            value, slope = -value, -slope
        if self.data.classes is not None:
            return value, slope
        gradient = np.zeros_like(scores)
        gradient[:, 0] = slope[:, 0] * self.family.predict_gradient(scores)
        return value, gradient

    def mean_and_gradient(self, loss, scores):
        """Return the mean of a loss over the evaluated rows, and its gradient in the scores.

        `loss` returns each row's loss and its gradient in decision functions, or predictions.
        """
        losses, slopes = loss(self.metric_scores(scores))
        weight = self.data.sample_weight
        weight = (
            np.full(len(losses), 1.0 / len(losses)) if weight is None else weight / weight.sum()
        )
        slopes = slopes * weight[:, None]
        if self.data.classes is None:
            gradient = np.zeros_like(scores)
            gradient[:, 0] = slopes[:, 0] * self.family.predict_gradient(scores)
            slopes = gradient
        return float(weight @ losses), slopes

    def losses_and_gradients(self, scores):
        """Return the evaluator's loss of each evaluated row, and its gradients in the scores.

        That loss must have a gradient.

        Parameters
        ----------
        scores : ndarray of shape (n, m)

        Returns
        -------
        losses : ndarray of shape (n,)
        gradients : ndarray of shape (n, m)
        """
        losses, slopes = get_loss(self.evaluator.loss).gradient(
            self.data.y, self.metric_scores(scores)
        )
        if self.data.classes is None:
            slopes = slopes * self.family.predict_gradient(scores)[:, None]
        return losses, slopes

    def metric_scores(self, scores):
        """Return what metrics are functions of: decision functions, or predictions."""
        return scores if self.data.classes is not None else self.family.predict(scores)[:, None]

    def evaluate(self, cell_weights, states, origin, iteration, start_time, value=None):
        """Return the `Evaluation` of solved states; `value` is the cost where it is known."""
        evaluation = Evaluation(cell_weights, origin=origin, iteration=iteration)
        evaluation.n_refits = len(states)
        evaluation.refit_time = time.perf_counter() - start_time
        scores, losses = self.scores(states), None
        loss, method, _ = LOSSES[self.evaluator.loss]
        metric, needed = self.evaluator.metric, {"predict"}
        alone = len(self.held_out) == 1 and self.held_out[0] is None
        if self.evaluator.loss == "log_loss" and alone:
            # The training loss of every family that has probabilities.
            losses = self.levels[0].losses(scores)
        else:
            needed.add(method)
        if value is None and metric.group_means_of is not loss:
            needed |= set(metric.response_methods)
        if value is not None and self.evaluator.metric.greater_is_better:
            value = -value
        self.evaluator.measure(evaluation, self.responses(scores, needed), value, losses)
        evaluation.responses = None  # for guides of refits, and as long as y
        return evaluation
