"""Compare the metric of the result with brute force over the group weights.

The lower level is solved to 1e-9 at every point of a grid (1,001 points for two groups, a
simplex grid for more) and at the weights that BADR chose, so that the wrapped estimator's own
tolerance plays no part. A case passes if the result is no higher than brute force by more than
0.1 % of what brute force gains over the baseline model:

    python examples/benchmarks/brute_force.py --tables DIR [--points N] [--output FILE]
"""

import itertools
import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from _tables import load_table
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr import BADRClassifier, BADRRegressor
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups

LOSSES = ("group_loss_variance", "worst_group_loss", "group_loss_gap")
METRICS = {
    "classification": [
        ("individual", {}),
        ("covariance", {}),
        *((name, {"loss": "log_loss"}) for name in LOSSES),
    ],
    "regression": [
        ("individual", {}),
        ("covariance", {}),
        ("demographic_parity", {}),
        *((name, {}) for name in LOSSES),
    ],
}
CASES = [
    ("student_math", {}),
    ("german", {}),
    ("compas", {}),
    ("compas", {"sensitive": "race", "largest": 3}),
    ("compas", {"sensitive": ("race", "sex"), "largest": 2}),
    ("parkinsons", {}),
    ("law_school", {"sensitive": "male"}),
    ("law_school", {"sensitive": "male", "target": "zgpa", "task": "regression"}),
    ("adult", {}),
]
SHARE = 1e-3  # of the gain of brute force, which the result may fall short by
LOWEST = 1e-6  # weight of a group, as BADR's own default
TOLERANCE = 1e-9


def grid_points(n_groups, points):
    """Return weights along a path whose neighbours are near each other."""
    if n_groups == 2:
        share = np.linspace(LOWEST, 1.0 - LOWEST, points)
        return np.column_stack([share, 1.0 - share])
    steps = {3: 60, 4: 20}[n_groups]
    counts = [
        c for c in itertools.product(range(steps + 1), repeat=n_groups - 1) if sum(c) <= steps
    ]
    grid = np.array([[*c, steps - sum(c)] for c in counts], dtype=float)
    grid = np.maximum(grid / steps, LOWEST)
    return grid / grid.sum(axis=1, keepdims=True)


class BruteForce:
    """The lower level over a grid, shared by all metrics of one table."""

    def __init__(self, table, estimator, metrics, points):
        groups = make_groups(table.group)
        classes = np.unique(table.y) if table.task == "classification" else None
        cells = make_cells("group", table.y, groups, np.ones(len(table.y)), classes=classes)
        family = find_family(estimator, classes)
        self.level = LinearLowerLevel(family, table.X, table.y, cells)
        self.data = EvaluationSet(table.y, groups, classes)
        self.metrics = metrics
        self.start = self.level.solve(cells.shares, tol=TOLERANCE)
        self.baseline = self._values(self.start)
        grid = grid_points(len(groups.labels), points)
        values, state = [], self.start
        for weights in grid:
            state = self.level.solve(weights, state, tol=TOLERANCE)
            values.append(self._values(state))
        best = np.argmin(values, axis=0)
        self.best = np.min(values, axis=0)
        self.best_weights = grid[best]

    def _values(self, state):
        scores = state.scores
        if self.data.classes is None:
            scores = self.level.family.predict(scores)[:, None]
        return [metric.value_and_gradient(self.data, scores)[0] for metric in self.metrics]

    def value_at(self, weights, index):
        """Return a metric's value where the lower level is solved at some weights."""
        return self._values(self.level.solve(weights, self.start, tol=TOLERANCE))[index]


def compare(table, points, exact=True):
    """Return one row of results per metric.

    A LogisticRegression is either exact or has the default tolerance, which moves the metric by
    so much on some tables that the choice between the baseline and the best model suffers.
    """
    is_classifier = table.task == "classification"
    estimator = Ridge()
    if is_classifier:
        estimator = LogisticRegression(max_iter=1000)
        if exact:
            estimator.set_params(solver="newton-cholesky", tol=1e-10)
    metrics = [get_metric(name, table.task, **kw) for name, kw in METRICS[table.task]]
    begin = time.perf_counter()
    brute = BruteForce(table, estimator, metrics, points)
    seconds = time.perf_counter() - begin
    rows = []
    for index, metric in enumerate(metrics):
        kind = BADRClassifier if is_classifier else BADRRegressor
        begin = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = kind(estimator, metric, cv=None, partition="group").fit(
                    table.X, table.y, sensitive_features=table.group
                )
        except Exception as error:
            case = {"table": table.name, "task": table.task, "metric": metric.name}
            rows.append({**case, "error": str(error), "passed": False})
            print(format_row(rows[-1]), flush=True)
            continue
        taken = time.perf_counter() - begin
        baseline, best = float(brute.baseline[index]), float(brute.best[index])
        result = float(brute.value_at(model.cell_weights_, index))
        gain = baseline - best
        rounding = 1e-8 * abs(baseline)
        rows.append(
            {
                "table": table.name,
                "task": table.task,
                "rows": len(table.y),
                "features": table.X.shape[1],
                "groups": len(model.cell_weights_),
                "metric": metric.name,
                "baseline": baseline,
                "brute_force": best,
                "result": result,
                "metric_value_": float(model.metric_value_),
                "shortfall_share": (result - best) / gain if gain > rounding else 0.0,
                "passed": bool(result <= best + SHARE * gain + rounding),
                "weights": model.cell_weights_.tolist(),
                "brute_force_weights": brute.best_weights[index].tolist(),
                "refits": int(model.n_refits_),
                "seconds": taken,
                "brute_force_seconds": seconds,
            }
        )
        print(format_row(rows[-1]), flush=True)
    return rows


HEADER = (
    f"{'table':13}{'task':6}{'K':>2} {'metric':20}{'baseline':>12}{'brute force':>12}{'result':>12}"
    f"{'own value':>12}{'shortfall':>11}{'refits':>7}{'seconds':>8}"
)


def format_row(row):
    """Return one result as text; a negative shortfall is better than brute force."""
    if "error" in row:
        return f"{row['table']:13}{row['task'][:5]:9}{row['metric']:20}  ERROR: {row['error']}"
    return (
        f"{row['table']:13}{row['task'][:5]:6}{row['groups']:>2} {row['metric']:20}"
        f"{row['baseline']:>12.5g}{row['brute_force']:>12.5g}{row['result']:>12.5g}"
        f"{row['metric_value_']:>12.5g}{100 * row['shortfall_share']:>10.4f}%"
        f"{row['refits']:>7}{row['seconds']:>8.2f}  {'PASS' if row['passed'] else 'MISS'}"
    )


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_brute_force.json", tables=True)
    parser.add_argument("--only", nargs="*", help="names of tables")
    parser.add_argument("--points", type=int, default=1001, help="of the grid for two groups")
    parser.add_argument(
        "--default-tolerance", action="store_true", help="of LogisticRegression, not 1e-10"
    )
    options = parser.parse_args(arguments)

    print(HEADER)
    rows = []
    for name, choice in CASES:
        if not options.only or name in options.only:
            table = load_table(options.tables, name, **choice)
            rows += compare(table, options.points, not options.default_tolerance)
            options.output.write_text(
                json.dumps({"points": options.points, "results": rows}, indent=2) + "\n",
                encoding="utf-8",
            )
    missed = [row for row in rows if not row["passed"]]
    print(f"{len(rows) - len(missed)} of {len(rows)} pass; written to {options.output}")


if __name__ == "__main__":
    main()
