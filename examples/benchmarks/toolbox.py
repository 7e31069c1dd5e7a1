"""Compare with the toolbox of the method's authors, run as a separate process.

That toolbox has another licence and pins other versions: it lives in an environment of its own,
is started through a script that prints one JSON line ({"seconds": ..., "value": ...,
"weights": [...]}), and is never imported here. Both sides get the same rows and encoding:

    python examples/benchmarks/toolbox.py --python ENV/bin/python --script run_badr.py \\
        --table compas.csv [--target NAME] [--sensitive NAME] [--rows N] \\
        [--algorithm sgd --solver sgd] [--limit SECONDS] [--output FILE]

The objectives at both solutions are evaluated by functions written here from their definitions,
the lower level solved to 1e-10 at either side's weights.
"""

import json
import os
import statistics
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _arguments import make_parser
from _tables import encode
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skbadr import BADRClassifier
from skbadr.lower_level import LinearLowerLevel, find_family
from skbadr.metrics import get_metric
from skbadr.partition import make_cells, make_groups

FASTER = 100.0  # times, which ours has to be at least
TOLERANCE = 1e-6  # relative, for equal objectives


def individual(y, group, score):
    """Return the sum over pairs of different groups of exp(-|y_i - y_j|) (f_i - f_j)^2."""
    total = 0.0
    for i in range(len(y)):
        others = group != group[i]
        gap = (score[i] - score[others]) ** 2
        total += float(np.exp(-np.abs(y[i] - y[others])) @ gap)
    return total / 2.0 / len(y) ** 2


def covariance(y, group, score):
    """Return the sum over groups of the squared covariance of membership and score."""
    centred = score - score.mean()
    return sum(float(np.mean((group == g) * centred)) ** 2 for g in np.unique(group))


def hsic(y, group, score):
    """Return tr(K H L H) / (n - 1)^2 for linear kernels of scores and memberships."""
    n = len(y)
    K = np.outer(score, score)
    L = (group[:, None] == group[None, :]).astype(float)
    for kernel in (K, L):
        kernel -= kernel.mean(axis=0)
        kernel -= kernel.mean(axis=1, keepdims=True)
    return float((K * L).sum()) / (n - 1) ** 2


# the toolbox's name, ours, its options, the objective where it is the same up to a factor
PAIRS = [
    ("GroupVariance", "group_loss_variance", {"loss": "log_loss"}, None),
    ("DisparateMistreatment", "covariance", {}, covariance),
    ("HSIC", "hsic", {}, hsic),
    ("DemographicParity", "demographic_parity", {}, None),
    ("IndividualFairness", "individual", {}, individual),
]


def training_rows(frame, target, sensitive, n_rows):
    """Return the rows that the toolbox's script trains on."""
    y = frame[target].to_numpy(int)
    group = np.unique(frame[sensitive].to_numpy(), return_inverse=True)[1]
    X = encode(frame, target, drop_first=True, ddof=1)
    split = train_test_split(X, y, group, test_size=0.3, random_state=0, stratify=group)
    X, y, group = split[0], split[2], split[4]
    return X[:n_rows], y[:n_rows], group[:n_rows]


def run_toolbox(options, metric):
    """Return what the toolbox's script prints, or the end of its error output."""
    command = [options.python, options.script, options.table, options.target, options.sensitive]
    command += [metric, "--rows", options.rows, "--l2", options.l2]
    command += ["--algorithm", options.algorithm]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, env=environment,
            timeout=options.limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"no result within {options.limit:.0f} s"}
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1:]}
    return json.loads(done.stdout.strip().splitlines()[-1])


class Objective:
    """An objective as a function of group weights, the lower level solved accurately."""

    def __init__(self, function, estimator, X, y, group):
        self.function, self.y, self.group = function, y, group
        groups, classes = make_groups(group), np.unique(y)
        cells = make_cells("group", y, groups, np.ones(len(y)), classes=classes)
        self.level = LinearLowerLevel(find_family(estimator, classes), X, y, cells)

    def __call__(self, weights):
        """Return its value."""
        weights = np.maximum(np.asarray(weights, dtype=float), 1e-12)
        state = self.level.solve(weights / weights.sum(), tol=1e-10)
        return self.function(self.y, self.group, state.scores[:, 0])


def benchmark(options):
    """Return one row of results per metric."""
    frame = pd.read_csv(options.table)
    X, y, group = training_rows(frame, options.target, options.sensitive, options.rows)
    estimator = LogisticRegression(C=1.0 / (options.l2 * len(y)), max_iter=1000)
    rows = []
    for theirs, ours, kwargs, function in PAIRS:
        if options.only and theirs not in options.only:
            continue
        try:
            metric = get_metric(ours, **kwargs)
        except ValueError:
            print(f"{theirs}: skipped, there is no metric {ours!r}")
            continue
        times = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(options.repeats):
                begin = time.perf_counter()
                model = BADRClassifier(
                    estimator,
                    metric,
                    solver=options.solver,
                    partition="group",
                    min_weight=options.min_weight,
                )
                model.fit(X, y, sensitive_features=group)
                times.append(time.perf_counter() - begin)
        other = run_toolbox(options, theirs)
        row = {"toolbox": theirs, "skbadr": ours, "rows": len(y), "features": X.shape[1]}
        row["skbadr_s"] = statistics.median(times)
        row["skbadr_weights"] = model.cell_weights_.tolist()
        if "error" in other:
            row["error"] = other["error"]
        else:
            row["toolbox_s"] = other["seconds"]
            row["ratio"] = other["seconds"] / row["skbadr_s"]
            row["toolbox_weights"], row["toolbox_value"] = other["weights"], other["value"]
            row["fast"] = bool(row["ratio"] >= FASTER)
            if function is not None:
                objective = Objective(function, estimator, X, y, group)
                row["baseline_objective"] = objective(np.bincount(group) / len(group))
                row["skbadr_objective"] = objective(row["skbadr_weights"])
                row["toolbox_objective"] = objective(row["toolbox_weights"])
                limit = row["toolbox_objective"] * (1.0 + TOLERANCE)
                row["no_higher"] = bool(row["skbadr_objective"] <= limit)
        rows.append(row)
        print(format_row(row), flush=True)
    return rows


HEADER = (
    f"{'metric':22}{'toolbox':>10}{'skbadr':>10}{'ratio':>8}"
    f"{'baseline obj.':>13}{'toolbox obj.':>13}{'skbadr obj.':>13}"
)


def format_row(row):
    """Return one result as text."""
    if "error" in row:
        return f"{row['toolbox']:22}ERROR {row['error']}"
    line = (
        f"{row['toolbox']:22}{row['toolbox_s']:>8.1f} s{row['skbadr_s']:>8.3f} s"
        f"{row['ratio']:>7.0f}x"
    )
    passed = row["fast"] and row.get("no_higher", True)
    for side in ("baseline", "toolbox", "skbadr"):
        value = row.get(f"{side}_objective")
        line += f"{'-':>13}" if value is None else f"{value:>13.6g}"
    return line + ("  PASS" if passed else "  MISS")


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_toolbox.json", rows=4000, repeats=5)
    parser.add_argument("--python", required=True, help="of the toolbox's own environment")
    parser.add_argument("--script", type=Path, required=True, help="which runs the toolbox")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--target", default="two_year_recid")
    parser.add_argument("--sensitive", default="sex")
    parser.add_argument("--l2", type=float, default=1e-2)
    parser.add_argument(
        "--min-weight", type=float, default=1e-6, help="of ours; the toolbox goes down to 0"
    )
    parser.add_argument("--only", nargs="*", help="the toolbox's names of metrics")
    parser.add_argument("--algorithm", default="slsqp", help="the toolbox's: slsqp or sgd")
    parser.add_argument("--solver", default="auto", help="ours")
    parser.add_argument("--limit", type=float, help="seconds that the toolbox may take per metric")
    options = parser.parse_args(arguments)

    print(HEADER)
    rows = benchmark(options)
    options.output.write_text(json.dumps({"results": rows}, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
