"""Time a whole fit on very wide data as a multiple of one baseline fit.

Two made-up problems where a dense Hessian would not fit or not pay: sparse text-like data with
more columns than rows, column frequencies following Zipf's law, and wide dense data:

    python examples/benchmarks/sparse_text.py [--rows N] [--features D] [--cv auto] [--output FILE]

By default models are evaluated on their training rows; there are fewer rows than columns, so that
``cv="auto"`` would take four folds, with five fits of the estimator at least.
"""

import json
import statistics
import tracemalloc
import warnings

import numpy as np
from _arguments import make_parser
from _timing import interleaved
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

LIMIT = 10.0  # largest multiple of a baseline fit

PROBLEMS = [
    ("demographic_parity", {}, {"partition": "group_target", "bound": 0.04}),
    ("equalized_odds", {}, {"partition": "group_target", "bound": 0.04}),
    ("demographic_parity", {}, {"partition": "group"}),
    ("individual", {}, {"partition": "group"}),
    ("covariance", {}, {"partition": "group"}),
    ("group_loss_variance", {"loss": "log_loss"}, {"partition": "group"}),
]


def make_text(n_rows=20_000, n_features=200_000, n_words=60, seed=0):
    """Return a CSR matrix of word weights, labels and groups."""
    rng = np.random.default_rng(seed)
    frequency = 1.0 / np.arange(1, n_features + 1)
    group = rng.integers(0, 2, n_rows)
    lengths = np.maximum(rng.poisson(n_words * 1.6, n_rows), 5)  # words repeat
    rows = np.repeat(np.arange(n_rows), lengths)
    words = rng.choice(n_features, size=lengths.sum(), p=frequency / frequency.sum())
    # The other group prefers other words of similar frequency.
    swap = (group[rows] == 1) & (rng.random(len(rows)) < 0.5)
    words = np.where(swap & (words < n_features - 1), words ^ 1, words)
    X = sparse.csr_matrix((np.ones(len(rows)), (rows, words)), shape=(n_rows, n_features))
    X.sum_duplicates()
    X.data = 1.0 + np.log(X.data)
    norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1))).ravel()
    X = sparse.csr_matrix(sparse.diags(1.0 / norms) @ X)
    coef = np.zeros(n_features)
    coef[10:3000] = rng.normal(scale=4.0, size=2990)
    signal = X @ coef + 0.8 * (group - 0.5)
    return X, (signal + rng.logistic(scale=0.5, size=n_rows) > 0).astype(int), group


def make_wide(n_rows=300, n_features=2000, seed=0):
    """Return a dense matrix with more columns than rows, labels and groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 2, n_rows)
    X = rng.normal(size=(n_rows, n_features))
    X[:, :20] += 0.5 * group[:, None]
    signal = X[:, :40].sum(axis=1) / 4.0 + rng.logistic(size=n_rows)
    return X, (signal > 0).astype(int), group


def benchmark(name, X, y, group, repeats, cv):
    """Return one row of results per metric."""
    baseline = LogisticRegression(max_iter=1000)
    rows = []
    for metric, kind, settings in PROBLEMS:
        chosen = get_metric(metric, **kind)
        model = BADRClassifier(baseline, chosen, cv=cv, **settings)
        baseline_times, times = interleaved(baseline, model, X, y, group, repeats)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tracemalloc.start()
            model.fit(X, y, sensitive_features=group)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        baseline_s, own_s = statistics.median(baseline_times), statistics.median(times)
        rows.append(
            {
                "data": name,
                "rows": X.shape[0],
                "features": X.shape[1],
                "metric": metric,
                "partition": settings["partition"],
                "baseline_s": baseline_s,
                "badr_s": own_s,
                "ratio": own_s / baseline_s,
                "refits": int(model.n_refits_),
                "before": float(model.baseline_metric_value_),
                "after": float(model.metric_value_),
                "peak_mb": peak / 1e6,
                "hessian_mb": 8e-6 * X.shape[1] ** 2,
                "passed": bool(own_s <= LIMIT * baseline_s),
            }
        )
        print(format_row(rows[-1]), flush=True)
    return rows


HEADER = (
    f"{'data':8}{'metric':20}{'partition':14}{'baseline':>9}{'BADR':>9}{'ratio':>7}{'refits':>7}"
    f"{'before':>11}{'after':>11}{'peak MB':>9}{'dense H':>11}"
)


def format_row(row):
    """Return one result as text."""
    return (
        f"{row['data']:8}{row['metric']:20}{row['partition']:14}{row['baseline_s']:>7.3f} s"
        f"{row['badr_s']:>7.2f} s{row['ratio']:>7.1f}{row['refits']:>7}{row['before']:>11.4g}"
        f"{row['after']:>11.4g}{row['peak_mb']:>9.0f}{row['hessian_mb']:>8.0f} MB"
        f"  {'PASS' if row['passed'] else 'MISS'}"
    )


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_sparse_text.json", rows=20_000, repeats=3)
    parser.add_argument("--features", type=int, default=200_000)
    parser.add_argument("--cv", choices=["auto"])
    options = parser.parse_args(arguments)

    print(HEADER)
    rows = benchmark("wide", *make_wide(), options.repeats, options.cv)
    text = make_text(options.rows, options.features)
    rows += benchmark("text", *text, options.repeats, options.cv)
    passed = sum(row["passed"] for row in rows)
    print(f"{passed} of {len(rows)} within {LIMIT:.0f} baseline fits; {options.output}")
    options.output.write_text(json.dumps({"results": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
