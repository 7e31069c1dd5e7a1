"""How the solvers grow with rows, features and cells, for dense and sparse X.

Times are processor seconds, as multiples of one baseline LogisticRegression fit at the same size;
gains are shares of what the implicit solver gains, and passes count rows of X read by all products
with it, the final fit's excluded. Each fit runs in a process of its own, which is how its peak
memory beyond that before it is known; ten million rows are a memory map. Writes JSON and, where
matplotlib is installed, one SVG plot per series (``--plots DIR --draw FILE`` draws JSON again):

    python examples/benchmarks/scalability.py [--series rows features cells sparse] \\
        [--solvers implicit gd sgd] [--largest ROWS] [--repeats N] [--output FILE] [--plots DIR]
"""

import json
import multiprocessing
import resource
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from _arguments import make_parser
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.lower_level.design import DenseDesign, Design, SparseDesign
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups
from skbadr.problem import SmoothProblem
from skbadr.solvers.steps.single_loop import Pair, SingleLoop
from skbadr.solvers.steps.upper_value import UpperValue

# series -> list of (rows, features, groups, share of X that is not zero)
SERIES = {
    "rows": [(n, 20, 3, 1.0) for n in (10_000, 100_000, 1_000_000, 10_000_000)],
    "features": [(20_000, d, 3, 1.0) for d in (10, 50, 200, 500, 1000, 2000)],
    "cells": [(100_000, 20, k, 1.0) for k in (2, 4, 8, 16, 32, 64)],
    "sparse": [(20_000, d, 3, 20 / d) for d in (100, 500, 2000)],
}
# Rows of a block of made-up data, and from which number on X is a memory map.
BLOCK, MAPPED = 100_000, 5_000_000
AXIS = {"rows": 0, "features": 1, "cells": 2, "sparse": 1}


def make_data(n_rows, n_features, n_groups, density, seed=0, path=None):
    """Return made-up data whose groups differ in features, effects and base rate.

    Dense X is made block by block, so that nothing else of its size is ever in memory, in a file
    where `path` is given.
    """
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n_groups, n_rows)
    coef = rng.normal(size=n_features) / np.sqrt(n_features * density)
    if density < 1.0:
        level = group / max(n_groups - 1, 1)
        X = sparse.random(n_rows, n_features, density, format="csr", random_state=seed)
        X.data = rng.normal(size=len(X.data))
        shown = sparse.csr_matrix((level + 0.5)[:, None])
        X = sparse.hstack([X, shown], format="csr")
        signal = X[:, :-1] @ coef + X[:, :-1] @ (coef * rng.normal(size=n_features)) * level
        y = signal + 0.6 * level + rng.logistic(size=n_rows) > 0.5
        return X, y.astype(int), group
    shift, shape = 0.4 * rng.normal(size=5), (n_rows, n_features)
    y, file = np.empty(n_rows, dtype=np.int8), None
    if path is None:
        X = np.empty(shape, dtype=np.float32)
    else:
        file = path.open("wb")
    for start in range(0, n_rows, BLOCK):
        rows = slice(start, min(start + BLOCK, n_rows))
        level = group[rows] / max(n_groups - 1, 1)
        block = rng.standard_normal((len(level), n_features), dtype=np.float32)
        block[:, :5] += (level[:, None] * shift).astype(np.float32)
        signal = block @ coef + 0.8 * level * block[:, 3] + 0.6 * level
        y[rows] = signal + rng.logistic(size=len(level)) > 0.5
        if file is None:
            X[rows] = block
        else:
            block.tofile(file)
    if file is not None:
        file.close()
        X = np.memmap(path, dtype=np.float32, mode="r", shape=shape)
    return X, y, group


class Passes:
    """Count the rows of X that products read, in units of all rows."""

    def __init__(self, n_rows):
        self.n_rows, self.count = n_rows, 0.0
        for kind, names in (
            (Design, ("backward", "squared_backward", "gram", "by_cell")),
            (DenseDesign, ("forward",)),
            (SparseDesign, ("forward", "backward")),
        ):
            for name in names:
                setattr(kind, name, self._counted(getattr(kind, name)))

    def _counted(self, product):
        def counted(design, *args, **kwargs):
            self.count += design.shape[0] / self.n_rows
            return product(design, *args, **kwargs)

        return counted


def fit(point, solver, metric, repeats, results, path):
    """Fit in this process and put what was measured into a queue."""
    warnings.simplefilter("ignore")
    X, y, group = make_data(*point, path=path)
    baseline, passes = LogisticRegression(max_iter=1000), Passes(len(y))
    baseline_s, seconds = [], []
    for _ in range(repeats):
        begin = time.process_time()
        baseline.fit(X, y)
        baseline_s.append(time.process_time() - begin)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        passes.count, begin = 0.0, time.process_time()
        model = BADRClassifier(baseline, metric, solver=solver).fit(X, y, sensitive_features=group)
        seconds.append(time.process_time() - begin)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if len(seconds) == 1:
            peak_mb = (peak - before) / 1024
    result = {
        "baseline_s": statistics.median(baseline_s), "seconds": statistics.median(seconds),
        "before": model.baseline_metric_value_, "after": model.metric_value_,
        "n_iter": int(model.n_iter_), "passes": passes.count, "peak_mb": peak_mb,
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
        loop = SingleLoop(self.smooth, upper, shares, pairs, tol=0.0, reference=0.0, most=1)
        return loop.run()


def seconds_per_iteration(point, metric, repeats=9):
    """Return the median processor seconds of one iteration of the loop on all rows."""
    loop, times = _Problem(*make_data(*point), metric).loop(), []
    for _ in range(repeats):
        begin = time.process_time()
        loop._look(loop.weights)
        loop._model.step(loop.weights, np.linspace(-1, 1, len(loop.weights)), 0.01)
        times.append(time.process_time() - begin)
    return statistics.median(times)


def run(point, solver, metric, repeats, folder):
    """Return what a fit in a process of its own measured."""
    context = multiprocessing.get_context("spawn")
    results, path = context.Queue(), None
    if point[0] >= MAPPED:
        path, repeats = folder / f"scalability_{point[0]}.dat", 1
    arguments = (point, solver, metric, repeats, results, path)
    process = context.Process(target=fit, args=arguments)
    process.start()
    while process.is_alive() and results.empty():
        process.join(0.2)
    result = None if results.empty() else results.get()
    process.join()
    if path is not None:
        path.unlink(missing_ok=True)
    return result


# series -> label of its axis
LABELS = {
    "rows": "rows (20 columns, 3 groups)", "features": "columns (20,000 rows, 3 groups)",
    "cells": "groups (100,000 rows, 20 columns)",
    "sparse": "columns (20,000 sparse rows, 3 groups)",
}  # fmt: skip


def plot(rows, series, folder):
    """Write one SVG: seconds in baseline fits, passes, gains and peak memory, by solver."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    panels = [
        ("ratio", "time / one baseline fit"), ("share_of_gain", "gain / implicit solver's"),
        ("passes", "passes over X"), ("peak_mb", "peak memory beyond the data (MB)"),
    ]  # fmt: skip
    colours = {"implicit": "#3b4cc0", "gd": "#d1495b", "sgd": "#2e8b57"}
    with plt.rc_context({"svg.hashsalt": "skbadr", "svg.fonttype": "none", "font.size": 8}):
        figure, grid = plt.subplots(2, 2, figsize=(6.4, 4.6), sharex=True)
        for axes, (key, label) in zip(grid.ravel(), panels, strict=True):
            for solver in dict.fromkeys(row["solver"] for row in rows):
                own = [row for row in rows if row["solver"] == solver]
                axes.plot(
                    [row["x"] for row in own], [row[key] for row in own], "o-", ms=3, lw=1.2,
                    label=solver, color=colours.get(solver),
                )  # fmt: skip
            axes.set(xscale="log", title=label)
            if key == "peak_mb":
                axes.set_yscale("symlog", linthresh=10.0)
            smallest = 12.0 if key == "peak_mb" else 0.0  # less would leave the axis no label
            axes.set_ylim(0.0, 1.06 * max(smallest, *(row[key] for row in rows)))
            axes.spines[["top", "right"]].set_visible(False)
        if series == "cells":
            ticks = sorted({row["x"] for row in rows})
            grid[1, 0].set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
            grid[1, 0].minorticks_off()
        grid[0, 0].legend(frameon=False)
        figure.supxlabel(LABELS[series], fontsize=8)
        figure.tight_layout()
        figure.savefig(folder / f"scalability_{series}.svg", metadata={"Date": None})
        plt.close(figure)


def draw(results, folder):
    """Write the plots of all series."""
    folder.mkdir(parents=True, exist_ok=True)
    for series in dict.fromkeys(row["series"] for row in results):
        plot([row for row in results if row["series"] == series], series, folder)


def format_row(row):
    """Return one result as text."""
    return (
        f"{row['series']:10}{row['rows']:>10}{row['features']:>7}{row['groups']:>7}  "
        f"{row['solver']:10}{row['seconds']:>8.2f}{row['ratio']:>8.2f}"
        f"{row['share_of_gain'] or 0:>8.3f}{row['passes']:>8.1f}{row['peak_mb']:>8.0f}"
    )


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_scalability.json", repeats=3)
    parser.add_argument("--series", nargs="*", default=list(SERIES), choices=SERIES)
    parser.add_argument("--solvers", nargs="*", default=["implicit", "gd", "sgd"])
    parser.add_argument("--metric", default="individual")
    parser.add_argument("--largest", type=int, default=10_000_000, help="rows")
    parser.add_argument("--plots", type=Path)
    parser.add_argument("--draw", type=Path, help="JSON of an earlier run")
    parser.add_argument("--folder", type=Path, default=Path("."), help="for the memory map")
    options = parser.parse_args(arguments)
    if options.draw is not None:
        draw(json.loads(options.draw.read_text(encoding="utf-8"))["results"], options.plots)
        return
    metric, results = get_metric(options.metric), []
    print(f"{'series':10}{'rows':>10}{'d':>7}{'groups':>7}  {'solver':10}{'s':>8}{'ratio':>8}"
          f"{'gain':>8}{'passes':>8}{'MB':>8}")  # fmt: skip
    for series in options.series:
        rows = []
        for point in SERIES[series]:
            if point[0] > options.largest:
                continue
            gain = None
            for solver in options.solvers:
                row = run(point, solver, metric, options.repeats, options.folder)
                if row is None:
                    continue
                own = row["before"] - row["after"]
                gain = own if gain is None else gain
                row |= {
                    "series": series, "x": point[AXIS[series]], "rows": point[0],
                    "features": point[1], "groups": point[2], "density": point[3],
                    "solver": solver, "ratio": row["seconds"] / row["baseline_s"],
                    "share_of_gain": own / gain if gain else None,
                }  # fmt: skip
                rows.append(row)
                print(format_row(row), flush=True)
            if series == "cells":
                each = seconds_per_iteration(point, metric)
                rows[-1]["seconds_per_iteration"] = each
                print(f"{'':29}one iteration of gd: {1e3 * each:.2f} ms", flush=True)
        results += rows
    if options.plots is not None:
        draw(results, options.plots)
    options.output.write_text(json.dumps({"results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
