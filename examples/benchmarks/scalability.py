"""How the solvers grow with rows, features and cells, for dense and sparse X.

Times are multiples of one plain LogisticRegression fit at the same size; gains are shares of what
the implicit solver gains. Each fit runs in a process of its own, which is how its peak memory is
known. Writes JSON and, where matplotlib is installed, one SVG plot per series:

    python examples/benchmarks/scalability.py [--series rows features cells sparse] \\
        [--solvers implicit gd sgd] [--largest ROWS] [--repeats N] [--output FILE] [--plots DIR]
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups
from skbadr.problem.smooth import SmoothProblem
from skbadr.solvers.single_loop import Pair, Preconditioner, SingleLoop
from skbadr.solvers.upper_value import UpperValue

# series -> list of (rows, features, groups, share of X that is not zero)
SERIES = {
    "rows": [(n, 20, 3, 1.0) for n in (10_000, 100_000, 1_000_000, 10_000_000)],
    "features": [(20_000, d, 3, 1.0) for d in (10, 50, 200, 500, 1000, 2000)],
    "cells": [(100_000, 20, k, 1.0) for k in (2, 4, 8, 16, 32, 64)],
    "sparse": [(50_000, d, 3, 20 / d) for d in (100, 500, 2000, 10_000)],
}
AXIS = {"rows": 0, "features": 1, "cells": 2, "sparse": 1}


def make_data(n_rows, n_features, n_groups, density, seed=0):
    """Return made-up data whose groups differ in features, effects and base rate."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n_groups, n_rows)
    level = group / max(n_groups - 1, 1)
    coef = rng.normal(size=n_features) / np.sqrt(n_features * density)
    if density < 1.0:
        X = sparse.random(n_rows, n_features, density, format="csr", random_state=seed)
        X.data = rng.normal(size=len(X.data))
        shown = sparse.csr_matrix((level + 0.5)[:, None])
        X = sparse.hstack([X, shown], format="csr")
        signal = X[:, :-1] @ coef + X[:, :-1] @ (coef * rng.normal(size=n_features)) * level
    else:
        X = rng.normal(size=(n_rows, n_features)).astype(np.float32)
        X[:, :5] += (0.4 * level[:, None] * rng.normal(size=5)).astype(np.float32)
        signal = X @ coef + 0.8 * level * X[:, 3]
    y = (signal + 0.6 * level + rng.logistic(size=n_rows) > 0.5).astype(int)
    return X, y, group


def fit(point, solver, metric, repeats, results):
    """Fit in this process and put what was measured into a queue."""
    warnings.simplefilter("ignore")
    X, y, group = make_data(*point)
    plain = LogisticRegression(max_iter=1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plain_s, seconds = [], []
    for _ in range(repeats):
        begin = time.perf_counter()
        plain.fit(X, y)
        plain_s.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        model = BADRClassifier(plain, metric, solver=solver).fit(X, y, sensitive_features=group)
        seconds.append(time.perf_counter() - begin)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {
        "plain_s": statistics.median(plain_s), "seconds": statistics.median(seconds),
        "before": model.erm_metric_value_, "after": model.metric_value_,
        "n_iter": int(model.n_iter_), "peak_mb": (after - before) / 1024,
    }  # fmt: skip
    results.put(result)


class _Problem:
    """What a single loop asks of a problem, of made-up data."""

    def __init__(self, X, y, group, metric):
        self.classes, groups = np.arange(2), make_groups(group)
        cells = make_cells("group", y, groups, np.ones(len(y)), classes=self.classes)
        family = find_family(LogisticRegression(), self.classes)
        self.level = LinearLowerLevel(family, X, y, cells)
        self.smooth = object.__new__(SmoothProblem)
        self.smooth.levels, self.smooth.held_out = [self.level], [None]
        self.smooth.data = EvaluationSet(y, groups, self.classes)
        self.smooth.family, self.smooth.min_weight = family, 1e-6
        self.metric = metric

    def loop(self):
        """Return a loop that is one iteration under way."""
        upper = object.__new__(UpperValue)
        upper.metric, upper.score_of = self.metric, None
        shares = self.level.cells.shares
        state = self.level.solve(shares, tol=1e-3)
        pairs = [Pair(state.coef, np.zeros_like(state.coef))]
        conditions = [Preconditioner(self.level)]
        loop = SingleLoop(self.smooth, upper, shares, pairs, conditions, tol=0.0)
        return loop.run(1)


def seconds_per_iteration(point, metric, repeats=9):
    """Return the median seconds of one iteration of the loop on all rows."""
    loop, times = _Problem(*make_data(*point), metric).loop(), []
    for _ in range(repeats):
        begin = time.perf_counter()
        loop._look()
        loop.model.step(loop.weights, np.linspace(-1, 1, len(loop.weights)), 0.01)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def run(point, solver, metric, repeats):
    """Return what a fit in a process of its own measured."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=fit, args=(point, solver, metric, repeats, results))
    process.start()
    while process.is_alive() and results.empty():
        process.join(0.2)
    result = None if results.empty() else results.get()
    process.join()
    return result


def plot(rows, series, folder):
    """Write one SVG: seconds in plain fits, by solver."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3.2))
    for solver in dict.fromkeys(row["solver"] for row in rows):
        own = [row for row in rows if row["solver"] == solver]
        axes.plot([row["x"] for row in own], [row["ratio"] for row in own], "o-", label=solver)
    axes.set(xscale="log", xlabel=series, ylabel="seconds / plain fit")
    axes.set_ylim(bottom=0.0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(folder / f"scalability_{series}.svg", metadata={"Date": None})
    plt.close(figure)


def format_row(row):
    """Return one result as text."""
    return (
        f"{row['series']:10}{row['rows']:>10}{row['features']:>7}{row['groups']:>7}  "
        f"{row['solver']:10}{row['seconds']:>8.2f}{row['ratio']:>8.2f}"
        f"{row['share_of_gain'] or 0:>8.3f}{row['peak_mb']:>8.0f}"
    )


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", nargs="*", default=list(SERIES), choices=SERIES)
    parser.add_argument("--solvers", nargs="*", default=["implicit", "gd", "sgd"])
    parser.add_argument("--metric", default="individual")
    parser.add_argument("--largest", type=int, default=1_000_000, help="rows")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("benchmarks_scalability.json"))
    parser.add_argument("--plots", type=Path)
    options = parser.parse_args(arguments)
    metric, results = get_metric(options.metric), []
    print(f"{'series':10}{'rows':>10}{'d':>7}{'groups':>7}  {'solver':10}{'s':>8}{'ratio':>8}"
          f"{'gain':>8}{'MB':>8}")  # fmt: skip
    for series in options.series:
        rows = []
        for point in SERIES[series]:
            if point[0] > options.largest:
                continue
            gain = None
            for solver in options.solvers:
                row = run(point, solver, metric, options.repeats)
                if row is None:
                    continue
                own = row["before"] - row["after"]
                gain = own if gain is None else gain
                row |= {
                    "series": series, "x": point[AXIS[series]], "rows": point[0],
                    "features": point[1], "groups": point[2], "density": point[3],
                    "solver": solver, "ratio": row["seconds"] / row["plain_s"],
                    "share_of_gain": own / gain if gain else None,
                }  # fmt: skip
                rows.append(row)
                print(format_row(row), flush=True)
            if series == "cells":
                each = seconds_per_iteration(point, metric)
                rows[-1]["seconds_per_iteration"] = each
                print(f"{'':29}one iteration of gd: {1e3 * each:.2f} ms", flush=True)
        results += rows
        if options.plots is not None and rows:
            options.plots.mkdir(parents=True, exist_ok=True)
            plot(rows, series, options.plots)
    options.output.write_text(json.dumps({"results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
