"""Surrogates sharpened from round to round, against a search on the exact metric alone.

python examples/benchmarks/annealing.py --tables DIR [--only NAME ...] [--rows N] [--output FILE]

Every round is a fit of the implicit solver to `annealed_surrogate`, from the best weights so far;
the exact metric of the training rows says which those are.
"""

import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from _tables import TABLES, load_table
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import annealed_surrogate, get_metric

METRICS = {
    "classification": (
        "demographic_parity",
        "equal_opportunity",
        "equalized_odds",
        "accuracy_parity",
    ),
    "regression": ("kolmogorov_smirnov",),
}


def anneal(estimator, wrapper, metric, partition, table, n_rounds):
    """Return the exact metric of the baseline estimator and after each round."""
    X, y, group = table.X, table.y, table.group
    respond = "predict" if table.task == "regression" else "decision_function"
    best, init = estimator.fit(X, y), "baseline"
    values = [metric(y, best.predict(X), sensitive_features=group)]
    scores = getattr(best, respond)(X)
    for step in range(n_rounds):
        surrogate = annealed_surrogate(metric, scores, step)
        model = wrapper(estimator, surrogate, partition=partition, init=init, solver="implicit")
        model.fit(X, y, sensitive_features=group)
        value = metric(y, model.predict(X), sensitive_features=group)
        if value < min(values):
            init, scores = model.cell_weights_, getattr(model, respond)(X)
        values.append(value)
    return values


def benchmark(table, name, partition, n_rounds):
    """Return the results for one table, metric and partition."""
    estimator, wrapper = LogisticRegression(max_iter=1000), BADRClassifier
    if table.task == "regression":
        estimator, wrapper = Ridge(), BADRRegressor
    metric = get_metric(name, table.task)
    begin = time.perf_counter()
    exact = wrapper(estimator, metric, partition=partition)
    exact.fit(table.X, table.y, sensitive_features=table.group)
    middle = time.perf_counter()
    values = anneal(estimator, wrapper, metric, partition, table, n_rounds)
    return {
        "table": table.name,
        "metric": name,
        "partition": partition,
        "baseline": values[0],
        "exact": float(exact.metric_value_),
        "annealed": min(values),
        "rounds": values[1:],
        "exact_s": middle - begin,
        "annealed_s": time.perf_counter() - middle,
    }


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_annealing.json", tables=True, rows=7000)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--partitions", nargs="+", default=["group"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)

    print(f"{'table':<14}{'partition':<14}{'metric':<20}{'baseline':>9}{'exact':>9}{'annealed':>10}"
          f"{'s':>7}{'s':>7}  rounds")  # fmt: skip
    rows = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in options.only:
            table = load_table(options.tables, name)
            keep = np.random.default_rng(0).permutation(len(table.y))[: options.rows]
            table = table._replace(X=table.X[keep], y=table.y[keep], group=table.group[keep])
            for partition in options.partitions:
                for metric in METRICS[table.task]:
                    row = benchmark(table, metric, partition, options.rounds)
                    rows.append(row)
                    print(
                        f"{name:<14}{partition:<14}{metric:<20}{row['baseline']:>9.4f}"
                        f"{row['exact']:>9.4f}{row['annealed']:>10.4f}{row['exact_s']:>7.1f}"
                        f"{row['annealed_s']:>7.1f}  "
                        + " ".join(f"{value:.4f}" for value in row["rounds"]),
                        flush=True,
                    )
    options.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
