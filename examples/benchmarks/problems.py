"""Generated problems with known populations, to tune on and to report on.

python examples/benchmarks/problems.py [--split tune|report] [--task TASK] [--first N] [--output F]

Prints one line per problem: what sets it apart, how well X tells the group, and the error and the
disparity of the best model that knows the law, without and with a bound.

    for problem in problems(split="tune", task="binary"):
        X, y, groups = problem.sample(seed=0)
        model = problem.pipeline(LogisticRegression()).fit(X, y)
        problem.population_value(model, "error"), problem.population_value(model, "equalized_odds")
"""

import json
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from _arguments import make_parser
from _generated import Factors, Law, Posterior
from _reference_front import fair_front, fair_regression_front
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbadr.metrics import RateMetric, get_metric
from skbadr.metrics.inputs.responses import get_response

POPULATION_ROWS = 200_000
TASKS = {"binary": 144, "multiclass": 48, "regression": 48}
SPLITS = ("tune", "report")
# Of the printed columns whose values are longer than their names.
WIDTHS = {"name": 14, "split": 6, "task": 10, "rows": 5, "shares": 7, "told": 6, "slopes": 6}
# Every level of a factor occurs equally often in each split of each task.
LEVELS = {
    "n_groups": (2, 2, 3, 4, 6),
    "shares": ("equal", "unequal"),
    "told": ("none", "weak", "weak", "some", "some", "strong", "strong", "column", "column"),
    "base_rate": (0.1, 0.25, 0.4, 0.5, 0.7),
    "gap": (0.3, 0.8, 1.5),
    "signal": (0.8, 1.5, 2.5),
    "linear": (True, False),
    "slopes": (False, False, True),
    "noise": (0.0, 0.05, 0.15),
    "columns": ("numbers", "numbers", "codes", "text"),
    "missing": (False, False, True),
    "n_noise": (0, 2, 8),
}


class Population(NamedTuple):
    """A large sample; `posterior` is exact for its rows."""

    X: object
    y: np.ndarray
    groups: np.ndarray
    posterior: Posterior


@lru_cache
def _designs():
    """Return the factors of every problem, in order of its index."""
    designs = []
    for task, n_problems in TASKS.items():
        for split in SPLITS:
            rng = np.random.default_rng([20, len(designs)])
            m = n_problems // len(SPLITS)
            sizes = 500 * 100 ** ((rng.permutation(m) + rng.random(m)) / m)
            drawn = {}
            for name, levels in LEVELS.items():
                order = rng.permutation(m) % len(levels)
                drawn[name] = [levels[k] for k in order]
            for i in range(m):
                chosen = {name: values[i] for name, values in drawn.items()}
                designs.append((split, _factors(task, int(sizes[i]), chosen)))
    return designs


def _factors(task, rows, chosen):
    # A group has some 60 rows of a sample, its rarer class some eight.
    while rows * _smallest_share(chosen) < 60 and chosen["n_groups"] > 2:
        chosen["n_groups"] -= 1
    while rows * _smallest_share(chosen) * chosen["base_rate"] < 8:
        chosen["base_rate"] += 0.02
    if task == "regression":
        chosen["noise"] = {0.0: 0.3, 0.05: 0.7, 0.15: 1.5}[chosen["noise"]]
    chosen["base_rate"] = round(chosen["base_rate"], 2)
    return Factors(task=task, rows=rows, **chosen)


def _smallest_share(chosen):
    g = chosen["n_groups"]
    shares = 1.5 ** -np.arange(g) if chosen["shares"] == "unequal" else np.ones(g)
    return shares[-1] / shares.sum()


class Problem:
    """One generated problem.

    Attributes
    ----------
    index : int
        0 to 239; decides everything.
    name : str
    task : {"binary", "multiclass", "regression"}
    split : {"tune", "report"}
    factors : Factors
        What sets the problem apart, see there.
    law : Law
    population_rows : int, default=POPULATION_ROWS
        May be set before the population is first wanted.
    """

    def __init__(self, index):
        self.index, self.population_rows = index, POPULATION_ROWS
        self.split, self.factors = _designs()[index]
        self.task = self.factors.task
        self.name = f"{self.task}-{index:03d}"

    def __repr__(self):
        return f"<Problem {self.name}>"

    @cached_property
    def law(self):
        return Law(self.factors, np.random.default_rng([21, self.index]))

    def sample(self, rows=None, seed=0):
        """Return X, y and groups (codes 0 .. G - 1) of a fresh sample.

        Classes are 0 .. C - 1. X is an array, or a DataFrame where it has text.
        """
        rows = self.factors.rows if rows is None else rows
        return self._draw(rows, np.random.default_rng([22, self.index, seed]))

    def _draw(self, rows, rng):
        groups = rng.choice(len(self.law.shares), rows, p=self.law.shares)
        drawn = self.law.draw_rows(groups, rng)
        y = self.law.draw_target(drawn, groups, rng)
        return self.law.table(drawn, groups, rng), y, groups

    @cached_property
    def population(self):
        """`population_rows` rows that no sample holds, drawn when first wanted."""
        X, y, groups = self._draw(self.population_rows, np.random.default_rng([23, self.index]))
        return Population(X, y, groups, self.posterior(X))

    def posterior(self, X):
        """Return the exact `Posterior` of the rows of any table of this problem."""
        return self.law.posterior(*self.law.rows_of(X))

    def pipeline(self, estimator):
        """Return the estimator behind what this table needs: codes, imputed values, one scale."""
        X = self._draw(50, np.random.default_rng(0))[0]
        if hasattr(X, "columns"):
            text = [c for c in X.columns if c.startswith("c")]
            numbers = [c for c in X.columns if c not in text]
        else:
            n_codes = len(self.law.levels) + (self.factors.told == "column")
            numbers = list(range(X.shape[1] - n_codes))
            text = list(range(X.shape[1] - n_codes, X.shape[1]))
        encode = OneHotEncoder(handle_unknown="ignore", drop="if_binary", sparse_output=False)
        scale = make_pipeline(
            SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler()
        )
        return make_pipeline(make_column_transformer((encode, text), (scale, numbers)), estimator)

    def predictions(self, model):
        """Return a model's predictions on the population; an array is one already."""
        return model.predict(self.population.X) if hasattr(model, "predict") else np.asarray(model)

    def tables(self, predictions, *, uses_groups=False):
        """Return P(group, y, prediction) over the population, of shape (G, C, C).

        Parameters
        ----------
        predictions : ndarray of shape (n,) or (n, C)
            Classes for the population's rows, or their probabilities of a randomised model.
        uses_groups : bool, default=False
            Whether they depend on the groups beyond X. Otherwise the rows count by their posterior
            over groups and classes instead of the one that was drawn, which is more exact.
        """
        posterior, groups = self.population.posterior, self.population.groups
        weights = posterior.joint
        if uses_groups:
            own = np.eye(weights.shape[1])[groups]
            weights = own[:, :, None] * posterior.label_given_group
        n, g, c = weights.shape
        predictions = np.asarray(predictions)
        chosen = predictions if predictions.ndim == 2 else np.eye(c)[predictions.astype(int)]
        return (weights.reshape(n, g * c).T @ chosen).reshape(g, c, c) / n

    def rates(self, model, *, uses_groups=False):
        """Return the population's rates per group, by name; of several classes, one per class."""
        tables = self.tables(self.predictions(model), uses_groups=uses_groups)
        c = tables.shape[-1]
        by_class = np.einsum("gkk->gk", tables) / tables.sum(axis=2)
        selected = tables.sum(axis=1)
        others = selected.sum(axis=1, keepdims=True) - tables.sum(axis=2)
        false = (selected - np.einsum("gkk->gk", tables)) / others
        wanted = (slice(None), 1) if c == 2 else slice(None)
        totals = selected.sum(axis=1)
        return {
            "selection_rate": (selected / totals[:, None])[wanted],
            "true_positive_rate": by_class[wanted],
            "false_positive_rate": false[wanted],
            "accuracy": np.einsum("gkk->g", tables) / totals,
        }

    def population_value(self, model, metric, *, uses_groups=False):
        """Return the error, or a metric, of a model or of predictions on the population.

        Parameters
        ----------
        model : object with ``predict``, or predictions as of `tables`
        metric : str, FairnessMetric or callable
            "error" (of regression the mean squared error, also "mse"), or what
            `skbadr.metrics.get_metric` takes.
        uses_groups : bool, default=False
            As of `tables`.
        """
        predicted = self.predictions(model)
        if self.task == "regression":
            return self._regression_value(predicted, metric)
        if metric == "error":
            tables = self.tables(predicted, uses_groups=uses_groups)
            return float(1 - np.einsum("gkk->", tables))
        metric = get_metric(metric, task="classification")
        if isinstance(metric, RateMetric):
            tables = self.tables(predicted, uses_groups=uses_groups)
            group, true, shown = (axis.ravel() for axis in np.indices(tables.shape))
            return metric(true, shown, sensitive_features=group, sample_weight=tables.ravel())
        if metric.response_method != "predict" and hasattr(model, "predict"):
            X = self.population.X
            predicted = get_response(model, X, metric.response_method, "classification")
        return metric(self.population.y, predicted, sensitive_features=self.population.groups)

    def _regression_value(self, predicted, metric):
        posterior = self.population.posterior
        if metric in ("error", "mse"):
            squares = np.square(posterior.mean_given_group - predicted[:, None])
            return float((posterior.group * squares).sum(axis=1).mean() + posterior.scale**2)
        if metric == "demographic_parity":
            means = predicted @ posterior.group / posterior.group.sum(axis=0)
            return float(np.ptp(means))
        metric = get_metric(metric, task="regression")
        return metric(self.population.y, predicted, sensitive_features=self.population.groups)

    @property
    def best_predictions(self):
        """The unconstrained optimum's predictions on the population: argmax P(y | x), E[y | x]."""
        posterior = self.population.posterior
        if self.task == "regression":
            return posterior.mean
        return posterior.label.argmax(axis=1)

    def front(self, metric="demographic_parity", bounds=(0.02, 0.05, 0.1)):
        """Return the least error any model of X can have within each bound, on the population.

        Classification: any key of `_reference_front.METRICS`, by a linear program over the exact
        posteriors (mixtures of rules, the global optimum). Regression: the gap of mean
        predictions alone. See `_reference_front.FrontPoint`.
        """
        posterior = self.population.posterior
        if self.task == "regression":
            error = self.population_value(posterior.mean, "mse")
            return fair_regression_front(posterior.group, posterior.mean, error, bounds)
        return fair_front(posterior.joint, metric, bounds)


def problems(split=None, task=None):
    """Yield the problems of a split and a task, in a fixed order.

    Parameters
    ----------
    split : {"tune", "report"} or None, default=None
        None: both.
    task : {"binary", "multiclass", "regression"} or None, default=None
        None: all.

    Yields
    ------
    problem : Problem
        A new object, whose population is drawn when wanted and goes with it.
    """
    if split not in (*SPLITS, None):
        raise ValueError(f"split must be one of {SPLITS} or None, got {split!r}.")
    if task not in (*TASKS, None):
        raise ValueError(f"task must be one of {tuple(TASKS)} or None, got {task!r}.")
    for index, (own, factors) in enumerate(_designs()):
        if split in (own, None) and task in (factors.task, None):
            yield Problem(index)


def describe(problem):
    """Return one line of the table that the script prints."""
    f, posterior = problem.factors, problem.population.posterior
    best = problem.best_predictions
    metric = "demographic_parity"
    value = problem.population_value(best, metric)
    (fair,) = problem.front(metric, bounds=(value / 3,))
    told = posterior.group.max(axis=1).mean()
    return {
        "name": problem.name,
        "split": problem.split,
        **vars(f),
        "group_told": round(float(told), 3),
        "best_error": round(problem.population_value(best, "error"), 4),
        "best_disparity": round(value, 4),
        "error_at_a_third": round(fair.error, 4),
    }


def main(arguments=None):
    parser = make_parser(__doc__)
    parser.add_argument("--split", choices=SPLITS)
    parser.add_argument("--task", choices=tuple(TASKS))
    parser.add_argument("--first", type=int, help="only the first of them")
    options = parser.parse_args(arguments)
    lines = []
    for problem in list(problems(options.split, options.task))[: options.first]:
        line = describe(problem)
        if not lines:
            print(" ".join(f"{key:>{WIDTHS.get(key, len(key))}}" for key in line))
        lines.append(line)
        shown = (f"{value!s:>{WIDTHS.get(key, len(key))}}" for key, value in line.items())
        print(" ".join(shown), flush=True)
    if options.output:
        options.output.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
