"""What leaves the workers of a Dask cluster during a search, beside the size of X.

Starts a cluster of two processes, puts X on it, fits there and in memory, and compares the
weights. Bytes are those of the workers' own logs of outgoing transfers to anyone who is no worker;
``X moved`` are those of the blocks of X themselves, ``largest`` is the largest single result:

    python examples/benchmarks/dask_bytes.py [--rows N] [--features D] [--blocks B] \\
        [--solvers implicit gd sgd] [--output FILE]
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import dask.array as da
import distributed
import numpy as np
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


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--solvers", nargs="*", default=["implicit", "gd", "sgd"])
    parser.add_argument("--output", type=Path, default=Path("benchmarks_dask_bytes.json"))
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    X, y, group = make_data(options.rows, options.features, 3, 1.0)
    estimator = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    results = []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        size = -(-options.rows // options.blocks)
        blocks = client.persist(da.from_array(X, chunks=(size, options.features)))
        distributed.wait(blocks)
        of_x = {str(key) for row in blocks.__dask_keys__() for key in row}
        print(f"X: {X.nbytes / 1e6:.1f} MB in {options.blocks} blocks")
        print(f"{'solver':10}{'X moved':>9}{'largest':>9}{'all':>9}{'transfers':>11}{'s':>8}"
              f"{'weights':>10}")  # fmt: skip
        for solver in options.solvers:
            local = BADRClassifier(estimator, "individual", solver=solver)
            local.fit(X, y, sensitive_features=group)
            before, begin = transfers(client), time.perf_counter()
            remote = BADRClassifier(estimator, "individual", solver=solver)
            remote.fit(blocks, y, sensitive_features=group)
            seconds = time.perf_counter() - begin
            after = transfers(client)
            # Blocks that one worker hands to another stay on the workers.
            log = [
                one
                for worker, known in after.items()
                for who, one in known[len(before[worker]) :]
                if who not in after
            ]
            apart = float(np.abs(remote.group_weights_ - local.group_weights_).max())
            row = {
                "solver": solver, "x_bytes": X.nbytes, "transfers": len(log),
                "bytes": sum(sum(one.values()) for one in log),
                "bytes_of_x": sum(n for one in log for key, n in one.items() if key in of_x),
                "largest": max(n for one in log for n in one.values()),
                "seconds": seconds, "weights_apart": apart,
            }  # fmt: skip
            results.append(row)
            print(
                f"{solver:10}{row['bytes_of_x']:>7} B{row['largest'] / 1e6:>6.2f} MB"
                f"{row['bytes'] / 1e6:>6.1f} MB{row['transfers']:>11}{seconds:>8.1f}{apart:>10.1e}",
                flush=True,
            )
    options.output.write_text(json.dumps({"results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
