"""The least error that any model of X can have within a bound, from exact posteriors.

Zeng, Jiang, Cheng and Dobriban (arXiv 2402.02817) show that the best fair classifier thresholds the
posteriors: each row takes the class of least cost, with one cost per (group, class) cell. Here the
costs are the multipliers of a linear program over mixtures of such rules (column generation), so
that its value is the global optimum on the population, with a lower bound beside it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog, minimize

from skbadr.metrics.rates.confusion_rates import RATES

# name -> (rates of two classes, rates of more, whether it is a ratio)
METRICS = {
    "demographic_parity": (("selection_rate",), ("selection_rate",), False),
    "demographic_parity_ratio": (("selection_rate",), ("selection_rate",), True),
    "equal_opportunity": (("true_positive_rate",), ("true_positive_rate",), False),
    "equalized_odds": (
        ("true_positive_rate", "false_positive_rate"),
        ("true_positive_rate",),
        False,
    ),
    "equalized_odds_ratio": (
        ("true_positive_rate", "false_positive_rate"),
        ("true_positive_rate",),
        True,
    ),
    "accuracy_parity": (("accuracy",), ("accuracy",), False),
}


@dataclass
class FrontPoint:
    """One point of the reference front.

    Attributes
    ----------
    bound : float
    error : float
        Least error (mean squared error) within the bound, on the population.
    lower : float
        No model has a smaller error: equal to `error` up to the tolerance.
    value : float
        The metric there.
    costs : ndarray of shape (G, C, C)
        Of regression of shape (G,). Cost of predicting class k for a row of (group, class), so
        that the rule is ``argmin_k sum_ay P(a, y | x) costs[a, y, k]``; the mean is shifted by
        ``- sum_a costs[a] P(a | x) / P(a)``.
    """

    bound: float
    error: float
    lower: float
    value: float
    costs: np.ndarray


def rate_functionals(totals, rates):
    """Return the groups' rates as linear functions of the tables.

    Parameters
    ----------
    totals : ndarray of shape (G, C)
        P(group, y).
    rates : sequence of str

    Returns
    -------
    functionals : ndarray of shape (m, G, C, C)
        The rate of a group is the sum of its table times its own slice.
    """
    n_classes = totals.shape[1]
    basis = np.eye(n_classes**2).reshape(-1, n_classes, n_classes)
    # Denominators are those of any predictions, here of always the first class.
    anyone = np.zeros((*totals.shape, n_classes))
    anyone[..., 0] = totals
    found = []
    for rate in rates:
        function, per_class, _ = RATES[rate]
        columns = slice(1, 2) if per_class and n_classes == 2 else slice(None)
        up, down = function(basis)[0][:, columns], function(anyone)[1][:, columns]
        slopes = up.T[:, None, :] / down.T[:, :, None]
        found.append(slopes.reshape(-1, len(totals), n_classes, n_classes))
    return np.concatenate(found)


def fair_front(joint, metric, bounds, *, tolerance=1e-5, max_columns=400):
    """Return the front of classification.

    Parameters
    ----------
    joint : ndarray of shape (n, G, C)
        P(group, y | x) of the rows of a population.
    metric : str
        A key of `METRICS`.
    bounds : sequence of float

    Returns
    -------
    points : list of FrontPoint
    """
    two, more, ratio = METRICS[metric]
    n, g, c = joint.shape
    flat = np.ascontiguousarray(joint.reshape(n, g * c))
    slopes = rate_functionals(joint.mean(axis=0), two if c == 2 else more)
    wrong = np.broadcast_to(1.0 - np.eye(c), (g, c, c))
    tables = [_table(flat, np.full(n, k), g, c) for k in range(c)]
    tables.append(_best_rule(flat, wrong, g, c)[0])
    points = []
    for bound in sorted(bounds, reverse=not ratio):
        costs, lower = wrong, -np.inf
        while True:
            master, multipliers, offset = _master(tables, wrong, slopes, bound, ratio)
            costs = wrong + np.einsum("mg,mgyk->gyk", multipliers, slopes)
            table, cost = _best_rule(flat, costs, g, c)
            lower = max(lower, cost + offset)  # by duality
            if master.fun - lower < tolerance or len(tables) >= max_columns:
                break
            tables.append(table)
        mixture = np.einsum("t,tgyk->gyk", master.x[: len(tables)], np.array(tables))
        by_group = np.einsum("gyk,mgyk->mg", mixture, slopes)
        low, high = by_group.min(axis=1), by_group.max(axis=1)
        value = (low / high).min() if ratio else (high - low).max()
        error = float(master.fun)
        points.append(FrontPoint(bound, error, min(lower, error), float(value), costs))
    return points


def _table(flat, predicted, g, c):
    chosen = np.eye(c)[predicted]
    return (flat.T @ chosen).reshape(g, c, c) / len(flat)


def _best_rule(flat, costs, g, c):
    """Return the table of the rule of least cost, and that cost."""
    by_class = flat @ costs.reshape(g * c, c)
    table = _table(flat, by_class.argmin(axis=1), g, c)
    return table, float(by_class.min(axis=1).mean())


def _master(tables, wrong, slopes, bound, ratio):
    """Return the best mixture of rules, and the multipliers of the groups' rates."""
    tables = np.array(tables)
    m, g = slopes.shape[:2]
    rates = np.einsum("tgyk,mgyk->tmg", tables, slopes).reshape(len(tables), m * g).T
    level = np.repeat(np.eye(m), g, axis=0)
    # One free level per rate: level <= rate <= level + bound, or bound * level <= rate <= level.
    above = np.hstack([rates, -level])
    below = np.hstack([-rates, bound * level if ratio else level])
    limits = np.r_[np.full(m * g, 0.0 if ratio else bound), np.zeros(m * g)]
    n_rules = len(tables)
    master = linprog(
        np.r_[np.einsum("tgyk,gyk->t", tables, wrong), np.zeros(m)],
        A_ub=np.vstack([above, below]),
        b_ub=limits,
        A_eq=np.r_[np.ones(n_rules), np.zeros(m)][None],
        b_eq=[1.0],
        bounds=[(0, None)] * n_rules + [(None, None)] * m,
    )
    duals = -master.ineqlin.marginals
    multipliers = (duals[: m * g] - duals[m * g :]).reshape(m, g)
    return master, multipliers, -float(duals @ limits)


def fair_regression_front(group, mean, residual, bounds):
    """Return the front of (mean squared error, gap of mean predictions).

    The best prediction is E[y | x] moved along P(a | x) / P(a): a quadratic program of one
    variable per group.

    Parameters
    ----------
    group : ndarray of shape (n, G)
        P(group | x).
    mean : ndarray of shape (n,)
        E[y | x].
    residual : float
        Mean of Var[y | x].
    bounds : sequence of float

    Returns
    -------
    points : list of FrontPoint
    """
    weights = group / group.mean(axis=0)
    start, gram = weights.T @ mean / len(mean), weights.T @ weights / len(mean)
    g = len(start)
    pairs = np.array([(a, b) for a in range(g) for b in range(g) if a != b])
    apart = np.eye(g)[pairs[:, 0]] - np.eye(g)[pairs[:, 1]]
    points = []
    for bound in bounds:
        solution = minimize(
            lambda t: t @ gram @ t,
            np.zeros(g),
            jac=lambda t: 2 * gram @ t,
            method="SLSQP",
            constraints={
                "type": "ineq",
                "fun": lambda t, bound=bound: bound - apart @ (start - gram @ t),
                "jac": lambda t: apart @ gram,
            },
            options={"maxiter": 500, "ftol": 1e-12},
        )
        by_group = start - gram @ solution.x
        error = residual + float(solution.fun)
        points.append(FrontPoint(bound, error, error, float(np.ptp(by_group)), solution.x))
    return points
