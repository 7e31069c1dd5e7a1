"""Compare what the groups agree on with brute force over the simplex, on the held-out rows.

Linear models, 1,500 rows of each table, 30 % of them held out: the smallest relative gain of a
group over the baseline, the best of it over a grid (201 points for two groups, 496 for three),
and what stage 1 gained for every group; with --estimator, the same by refits alone, for tables with
two groups and two classes (41 points):

    python examples/benchmarks/bargaining_brute_force.py --tables DIR [--estimator boosting|mlp]
"""

import itertools
import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from _tables import load_table
from bargaining import ESTIMATORS
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr import BADRClassifier, BADRRegressor
from skbadr.bargaining import bargain_first
from skbadr.bargaining.stage_one import GroupLosses
from skbadr.problem import SmoothProblem
from skbadr.result import Archive
from skbadr.solvers import UpperSolver

CASES = [
    ("german", {}),
    ("german", {"sensitive": "foreign_worker"}),
    ("compas", {}),
    ("compas", {"sensitive": "race", "largest": 3}),
    ("law_school", {"sensitive": "male"}),
    ("law_school", {"sensitive": "race"}),
    ("adult", {}),
    ("parkinsons", {}),
    ("student_math", {}),
]
ROWS, LOWEST = 1500, 1e-6
# Relative gains that count; refits of boosting and networks are noisier.
WORTH = {"linear": 1e-6, "boosting": 1e-3, "mlp": 1e-3}


class ProblemOnly(UpperSolver):
    """Fit the baseline model and keep the problem."""

    def budget(self, problem):
        """One fit."""
        return 1

    def solve(self, problem):
        """Keep the problem."""
        self.problem = problem
        archive = Archive(problem.objective)
        archive.add(next(iter(problem.evaluate([(problem.shares, "baseline")], 1))))
        return archive


def grid_points(n_groups, steps):
    """Return weights along a path whose neighbours are near each other."""
    counts = [
        c for c in itertools.product(range(steps + 1), repeat=n_groups - 1) if sum(c) <= steps
    ]
    grid = np.maximum(np.array([[*c, steps - sum(c)] for c in counts]) / steps, LOWEST)
    return grid / grid.sum(axis=1, keepdims=True)


def smooth_gains(problem, players):
    """Return the relative gains at the points of a grid, for a linear model."""
    smooth = SmoothProblem(problem)
    game = GroupLosses(smooth, players)
    states = smooth.solve(problem.shares, tol=1e-9)
    baseline = game.values(states)
    for weights in grid_points(problem.n_cells, {2: 200, 3: 30}[problem.n_cells]):
        states = smooth.solve(weights, states, tol=1e-8)
        yield (baseline - game.values(states)) / baseline


def refit_gains(problem, losses):
    """Return the relative gains at the points of a coarse grid, by refits."""
    for weights in grid_points(problem.n_cells, 40):
        yield (losses - problem.evaluator(weights).losses_by_group) / losses


def compare(table, seed, name):
    """Return the relative gains of stage 1, and the best smallest one on the grid."""
    rows = np.random.default_rng(seed).permutation(len(table.y))[:ROWS]
    kind, estimator = BADRRegressor, Ridge()
    if table.task == "classification":
        kind, estimator = BADRClassifier, LogisticRegression(max_iter=5000, tol=1e-8)
    if name != "linear":
        estimator = clone(ESTIMATORS[name])
    solver = ProblemOnly()
    model = kind(estimator, "worst_group_loss", solver=solver, cv=0.3, random_state=seed)
    model.fit(table.X[rows], table.y[rows], sensitive_features=table.group[rows])
    problem = solver.problem
    problem.monitor = None
    begin = time.perf_counter()
    bargain = bargain_first(problem, smooth=name == "linear", held_out=True)
    seconds = time.perf_counter() - begin
    losses = bargain.visits.losses(bargain.visits.baseline)
    reached = bargain.visits.gains(bargain.chosen) / losses

    if name == "linear":
        grid = smooth_gains(problem, bargain.visits.players)
    else:
        grid = refit_gains(problem, losses)
    best = max(float(gains.min()) for gains in grid)
    return {
        "table": table.name,
        "seed": seed,
        "groups": problem.n_cells,
        "method": bargain.method,
        "reason": bargain.reason,
        "brute_force": best,
        "gains": reached.tolist(),
        "refits": bargain.visits.archive.n_refits,
        "seconds": seconds,
    }


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_bargaining_grid.json", tables=True, seeds=5)
    parser.add_argument("--estimator", choices=WORTH, default="linear")
    options = parser.parse_args(arguments)

    warnings.simplefilter("ignore")
    results = []
    for name, choice in CASES:
        table = load_table(options.tables, name, **choice)
        two = table.task == "classification" and len(np.unique(table.group)) == 2
        if options.estimator != "linear" and not two:
            continue
        for seed in range(options.seeds):
            row = compare(table, seed, options.estimator)
            results.append(row)
            print(
                f"{row['table']:13}{seed:>3}{row['groups']:>3} {row['method']:13}"
                f"{row['reason']:13} grid {row['brute_force']:>9.1e}  gains "
                f"{' '.join(f'{gain:.1e}' for gain in row['gains'])}  {row['seconds']:.2f} s",
                flush=True,
            )
    options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    possible = [row for row in results if row["brute_force"] > WORTH[options.estimator]]
    improved = sum(min(row["gains"]) > 0 for row in possible)
    moved = sum(min(row["gains"]) > 0 for row in results)
    worse = sum(min(row["gains"]) < 0 for row in results)
    print(f"possible in {len(possible)} of {len(results)}, improved in {improved} of these "
          f"and {moved} in all, a group worse off in {worse}")  # fmt: skip


if __name__ == "__main__":
    main()
