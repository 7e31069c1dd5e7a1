"""Show how far a search by refits depends on its random state, beside refits of the baseline.

Each table has one split and at most 6,000 training rows; demographic parity is bounded by .06.
BADRClassifier has ten values of random_state, which draws the folds and moves the search. The
baseline boosting is deterministic: it is refitted on bootstrap samples of the training rows. A
forest is refitted with the same ten values of its own random_state:

python examples/benchmarks/seeds.py --tables DIR [--names adult compas law_school] [--seeds 10]
    [--rows 6000] [--bound .06] [--estimators boosting forest] [--no-column] [--output FILE]
"""

import json
import warnings

import numpy as np
from _arguments import make_parser
from search import load, measure, split_rows
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier

ESTIMATORS = {
    "boosting": HistGradientBoostingClassifier(max_iter=30, max_bins=31),
    "forest": RandomForestClassifier(25, min_samples_leaf=5),
}
METRIC = "demographic_parity"
SPLIT = 930


def refit(estimator, split, seed):
    """Return the baseline estimator refitted with a seed, or on a sample of the rows."""
    X, y, _ = split["train"]
    model = clone(estimator).set_params(random_state=seed)
    if isinstance(estimator, RandomForestClassifier):
        return model.fit(X, y)
    rows = np.random.default_rng(seed).integers(len(y), size=len(y))
    return model.fit(X[rows], y[rows])


def run_table(options, name, kind):
    """Return errors and gaps on test rows, of the baseline's refits and of the search's seeds."""
    options.estimator = kind
    split = split_rows(*load(options, name, not options.no_column), SPLIT, options.rows)
    X, y, group = split["train"]
    estimator = ESTIMATORS[kind].set_params(random_state=0)
    record = {
        "table": name, "estimator": kind, "column": not options.no_column,
        "plain": measure(clone(estimator).fit(X, y), split, METRIC), "refits": [], "badr": [],
    }  # fmt: skip
    for seed in range(options.seeds):
        record["refits"].append(measure(refit(estimator, split, seed), split, METRIC))
        model = BADRClassifier(estimator, METRIC, bound=options.bound, random_state=seed)
        model.fit(X, y, sensitive_features=group)
        held_out = {"held_out": float(model.metric_value_), "fits": int(model.n_refits_)}
        weights = {"weights": np.asarray(model.cell_weights_).tolist()}
        record["badr"].append(measure(model, split, METRIC) | held_out | weights)
    return record


def line(record):
    """Return means and standard deviations over the seeds as text."""
    text = f"{record['table']:<12}{record['estimator']:<10}"
    for who in ("refits", "badr"):
        for key in ("error", "disparity"):
            values = [found[key] for found in record[who]]
            text += f"{np.mean(values):>8.4f} ({np.std(values, ddof=1):.4f})"
    return text


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, tables=True, rows=6_000, seeds=10)
    parser.add_argument("--names", nargs="+", default=["adult", "compas", "law_school"])
    parser.add_argument("--estimators", nargs="+", default=list(ESTIMATORS), choices=ESTIMATORS)
    parser.add_argument("--bound", type=float, default=0.06)
    parser.add_argument("--no-column", action="store_true", help="sensitive column is no feature")
    options = parser.parse_args(arguments)
    print(f"{'':22}{'refits: error (sd)':>17}{'gap (sd)':>17}{'BADR: error':>17}{'gap':>17}")
    records = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in options.estimators:
            for name in options.names:
                records.append(run_table(options, name, kind))
                print(line(records[-1]), flush=True)
                if options.output:
                    text = json.dumps(records, indent=1) + "\n"
                    options.output.write_text(text, encoding="utf-8")
    return records


if __name__ == "__main__":
    main()
