"""Every fairness objective on real tables: BADR and four ways to do without it.

python examples/benchmarks/objectives.py --tables DIR [--only NAME ...] [--splits N] [--rows N]

For each metric, on train and test, means over random splits: the baseline; One-Fit (trained
on one group alone, the sum of weights kept, the best of them on train); equal weights of all cells;
min-max (BADR for the worst group's loss); BADR for the metric itself. All metrics are better the
lower they are.
"""

import json
import time
import warnings

import numpy as np
from _arguments import make_parser
from _tables import TABLES, load_table
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier, BADRRegressor
from skbadr.metrics import get_metric
from skbadr.metrics.base import evaluate
from skbadr.metrics.inputs.responses import get_response
from skbadr.partition import make_cells, make_groups

PARTITIONS = ("group", "group_target")
GROUP_LOSSES = (
    "worst_group_loss",
    "group_loss_variance",
    "group_loss_gap",
    "group_loss_ratio",
    "nash_welfare",
)
METRICS = {
    "classification": (
        "demographic_parity",
        "equal_opportunity",
        "equalized_odds",
        "false_positive_rate_parity",
        "accuracy_parity",
        *GROUP_LOSSES,
        "individual",
        "covariance",
        "hsic",
        "disparate_mistreatment",
    ),
    "regression": (
        "demographic_parity",
        "kolmogorov_smirnov",
        *GROUP_LOSSES,
        "individual",
        "covariance",
        "hsic",
    ),
}
OWN_LOSS = {"classification": "log_loss", "regression": "squared_error"}
METHODS = ("baseline", "One-Fit", "equal", "min-max", "BADR")


def make_metric(name, task):
    """Return a metric by name, the losses those that the estimators train on."""
    options = {"loss": OWN_LOSS[task]} if name in GROUP_LOSSES else {}
    return get_metric(name, task, **options)


class Split:
    """One random split of a table, and what is trained on it."""

    def __init__(self, table, seed, n_rows):
        self.task = table.task
        strata = table.y if table.task == "classification" else None
        rows = np.arange(len(table.y))
        if n_rows < len(rows):
            rows, _ = train_test_split(rows, train_size=n_rows, stratify=strata, random_state=seed)
        strata = None if strata is None else strata[rows]
        self.train, self.test = train_test_split(
            rows, test_size=0.3, stratify=strata, random_state=seed
        )
        self.X, self.y, self.group = table.X, table.y, table.group
        # Trained to the solution: near the corners of the simplex lbfgs at its default tolerance
        # returns models that no weights stand for.
        self.estimator = Ridge()
        if table.task == "classification":
            self.estimator = LogisticRegression(solver="newton-cholesky", tol=1e-8, max_iter=1000)
        self.wrapper = BADRClassifier if table.task == "classification" else BADRRegressor

    def cells(self, partition):
        """Return the cells of the training rows."""
        y = self.y[self.train]
        classes = np.unique(y) if self.task == "classification" else None
        codes = np.searchsorted(classes, y) if classes is not None else y
        groups = make_groups(self.group[self.train])
        return make_cells(partition, codes, groups, np.ones(len(y)), classes=classes)

    def weighted(self, weight):
        """Return the estimator fitted with sample weights."""
        model = type(self.estimator)(**self.estimator.get_params())
        return model.fit(self.X[self.train], self.y[self.train], sample_weight=weight)

    def searched(self, metric, partition, **options):
        """Return the model of a search for the fairest weights, unless options give a bound."""
        # One-Fit gives other groups no weight at all: let ours come near to that.
        options = {"partition": partition, "min_weight": 1e-9} | options
        model = self.wrapper(self.estimator, metric, **options)
        model.fit(self.X[self.train], self.y[self.train], sensitive_features=self.group[self.train])
        return model.estimator_

    def value(self, metric, model, rows):
        """Return the metric of a model on some rows."""
        response = get_response(model, self.X[rows], metric.response_method, self.task)
        known = {"task": self.task, "classes": getattr(model, "classes_", None)}
        return evaluate(metric, self.y[rows], response, self.group[rows], **known)


def one_fits(split):
    """Return a model per group that is trained on this group alone, where it can be."""
    groups = make_groups(split.group[split.train])
    models = []
    for code in range(len(groups.labels)):
        own = (groups.codes == code).astype(float)
        if split.task == "regression" or len(np.unique(split.y[split.train][own > 0])) > 1:
            # The weights' sum is kept, and with it the meaning of the regularisation.
            models.append(split.weighted(own * len(own) / own.sum()))
    return models


def run_split(split, partitions, names):
    """Yield a record per partition and metric."""
    baseline, alone = split.weighted(np.ones(len(split.train))), one_fits(split)
    for partition in partitions:
        cells = split.cells(partition)
        equal = split.weighted(cells.sample_weight(np.full(cells.n_cells, 1 / cells.n_cells)))
        min_max = split.searched(make_metric("worst_group_loss", split.task), partition)
        for name in names or METRICS[split.task]:
            if name not in METRICS[split.task]:
                continue
            metric = make_metric(name, split.task)
            begin = time.perf_counter()
            badr = split.searched(metric, partition)
            seconds = time.perf_counter() - begin
            best = min(alone, key=lambda model: split.value(metric, model, split.train))  # noqa: B023
            models = dict(zip(METHODS, (baseline, best, equal, min_max, badr), strict=True))
            yield {
                "partition": partition,
                "metric": name,
                "seconds": seconds,
                "train": {k: split.value(metric, m, split.train) for k, m in models.items()},
                "test": {k: split.value(metric, m, split.test) for k, m in models.items()},
                "score": {k: m.score(split.X[split.test], split.y[split.test])
                          for k, m in models.items()},
            }  # fmt: skip


def summarise(name, records):
    """Return one row per partition and metric: means over the splits."""
    rows = []
    for key in dict.fromkeys((r["partition"], r["metric"]) for r in records):
        chosen = [r for r in records if (r["partition"], r["metric"]) == key]
        row = {"table": name, "partition": key[0], "metric": key[1], "splits": len(chosen)}
        row["seconds"] = float(np.mean([r["seconds"] for r in chosen]))
        for part in ("train", "test", "score"):
            row[part] = {m: float(np.mean([r[part][m] for r in chosen])) for m in METHODS}
        for part in ("train", "test"):
            best = min(row[part].values())
            slack = 1e-9 + 1e-3 * (abs(best) + max(row[part]["baseline"] - best, 0.0))
            row[f"best_on_{part}"] = row[part]["BADR"] <= best + slack
        rows.append(row)
    return rows


def format_row(row):
    """Return one row as text; what BADR does not win is marked."""
    line = f"{row['table']:<13}{row['partition']:<13}{row['metric']:<27}"
    for part in ("train", "test"):
        line += "".join(f"{row[part][m]:>10.3g}" for m in METHODS)
        line += "  " if row[f"best_on_{part}"] else " *"
    return (
        line + f"{row['score']['baseline']:>8.3f}{row['score']['BADR']:>8.3f}{row['seconds']:>7.2f}"
    )


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_objectives.json", tables=True, rows=3000, splits=10)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--metrics", nargs="+", default=None)
    parser.add_argument("--partitions", nargs="+", choices=PARTITIONS, default=PARTITIONS)
    options = parser.parse_args(arguments)

    print(" " * 53 + f"{'train':<52}{'test':<52}test score")
    print(f"{'table':<13}{'partition':<13}{'metric':<27}"
          + 2 * ("".join(f"{m:>10}" for m in METHODS) + "  ")
          + f"{'baseline':>9}{'BADR':>7}{'s':>7}")  # fmt: skip
    rows = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are for users: constant models, undefined rates
        np.seterr(all="ignore")
        for name in options.only:
            table, records = load_table(options.tables, name), []
            for seed in range(options.splits):
                split = Split(table, seed, options.rows)
                records += run_split(split, options.partitions, options.metrics)
            for row in summarise(name, records):
                rows.append(row)
                print(format_row(row), flush=True)
    lost = sum(not row["best_on_train"] for row in rows)
    print(f"* BADR is not the best: {lost} of {len(rows)} rows on train, "
          f"{sum(not row['best_on_test'] for row in rows)} on test")  # fmt: skip
    options.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
