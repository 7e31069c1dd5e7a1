"""What leaves the workers of a Dask cluster during a search, beside the size of X.

Starts a cluster of two processes, puts X and y on it, fits there and in memory, and compares the
weights. Bytes are those of the workers' own logs of outgoing transfers to anyone who is no worker;
``X moved`` and ``y moved`` are those of blocks of X, and of blocks of y and the groups, themselves,
``largest`` is the largest single result:

    python examples/benchmarks/dask_bytes.py [--rows N] [--features D] [--blocks B] \\
        [--solvers implicit gd sgd] [--boosting] [--output FILE]

``--boosting`` adds gradient boosting by XGBoost, which trains on Dask arrays itself.
"""

import json
import time
import warnings

import dask.array as da
import distributed
import numpy as np
from _arguments import make_parser
from dask.core import flatten
from scalability import make_data
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier


def read_log(dask_worker):
    """Return who asked for each transfer from a worker, and its bytes by the key of the task."""
    return [
        (entry["who"], {str(key): size for key, size in entry["keys"].items()})
        for entry in dask_worker.transfer_outgoing_log
    ]


def transfers(client):
    """Return all transfers so far, worker by worker."""
    return client.run(read_log)


class Cluster:
    """A cluster with data on it, and its logs.

    Parameters
    ----------
    client : distributed.Client
    X, y, group : ndarrays
    n_blocks : int
    """

    def __init__(self, client, X, y, group, n_blocks):
        self.client = client
        size = -(-len(X) // n_blocks)
        arrays = [da.from_array(a, chunks=(size, *a.shape[1:])) for a in (X, y, group)]
        self.X, self.y, self.group = client.persist(arrays)
        distributed.wait([self.X, self.y, self.group])

    def fit(self, model, **options):
        """Fit a model, and return what left the workers."""
        before, begin = transfers(self.client), time.perf_counter()
        model.fit(self.X, **options)
        seconds = time.perf_counter() - begin
        after = transfers(self.client)
        # Blocks that one worker hands to another stay on the workers.
        log = [
            one
            for worker, known in after.items()
            for who, one in known[len(before[worker]) :]
            if who not in after
        ]

        def bytes_of(*arrays):
            keys = {str(key) for a in arrays for key in flatten(a.__dask_keys__())}
            return sum(n for one in log for key, n in one.items() if key in keys)

        return {
            "x_bytes": self.X.nbytes, "transfers": len(log), "seconds": seconds,
            "bytes": sum(sum(one.values()) for one in log),
            "bytes_of_x": bytes_of(self.X), "bytes_of_y": bytes_of(self.y, self.group),
            "largest": max(n for one in log for n in one.values()),
        }  # fmt: skip


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_dask_bytes.json", rows=200_000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--solvers", nargs="*", default=["implicit", "gd", "sgd"])
    parser.add_argument("--boosting", action="store_true")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    X, y, group = make_data(options.rows, options.features, 3, 1.0)
    estimator = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    results = []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as own,
        distributed.Client(own) as client,
    ):
        cluster = Cluster(client, X, y, group, options.blocks)
        print(f"X: {X.nbytes / 1e6:.1f} MB in {options.blocks} blocks")
        print(f"{'search':10}{'X moved':>9}{'y moved':>9}{'largest':>10}{'all':>10}"
              f"{'transfers':>11}{'s':>8}{'weights':>10}")  # fmt: skip

        def show(name, row, apart):
            results.append({"search": name, "weights_apart": apart, **row})
            print(
                f"{name:10}{row['bytes_of_x']:>7} B{row['bytes_of_y']:>7} B"
                f"{row['largest'] / 1e6:>7.2f} MB{row['bytes'] / 1e6:>7.1f} MB"
                f"{row['transfers']:>11}{row['seconds']:>8.1f}{apart:>10.1e}",
                flush=True,
            )

        for solver in options.solvers:
            local = BADRClassifier(estimator, "individual", solver=solver)
            local.fit(X, y, sensitive_features=group)
            remote = BADRClassifier(estimator, "individual", solver=solver)
            row = cluster.fit(remote, y=y, sensitive_features=group)
            show(solver, row, float(np.abs(remote.cell_weights_ - local.cell_weights_).max()))
        if options.boosting:
            from xgboost.dask import DaskXGBClassifier

            model = BADRClassifier(
                DaskXGBClassifier(n_estimators=50, max_depth=4),
                partition="group_target",
                bound=0.05,
            )
            row = cluster.fit(model, y=cluster.y, sensitive_features=cluster.group)
            show("boosting", row, np.nan)
            print(f"gap {model.baseline_metric_value_:.4f} -> {model.metric_value_:.4f}, accuracy "
                  f"{model.baseline_scoring_value_:.4f} -> {model.scoring_value_:.4f}, "
                  f"{model.n_refits_} fits")  # fmt: skip
    options.output.write_text(json.dumps({"results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
