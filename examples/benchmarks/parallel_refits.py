"""Time the same search with one and with two processes.

The models of the folds are fitted side by side; the result does not depend on `n_jobs`:

python examples/benchmarks/parallel_refits.py [--rows N] [--repeats 3] [--output FILE]
"""

import json
import statistics
import time
import warnings

import numpy as np
from _arguments import make_parser
from plain_fits import make_table
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.solvers import AlternatingSolver


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_parallel_refits.json", rows=50_000, repeats=3)
    options = parser.parse_args(arguments)

    table = make_table(options.rows, 20)
    estimator = HistGradientBoostingClassifier(early_stopping=False, random_state=0)
    seconds, weights = {1: [], 2: []}, {}
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for repeat in range(options.repeats + 1):  # the first starts the processes
            for n_jobs, times in seconds.items():
                model = BADRClassifier(
                    estimator, solver=AlternatingSolver(3, min_gain=0), bound=0.04,
                    cv=4, n_jobs=n_jobs,
                )  # fmt: skip
                begin = time.perf_counter()
                model.fit(table.X, table.y, sensitive_features=table.group)
                if repeat:
                    times.append(time.perf_counter() - begin)
                    print(f"n_jobs={n_jobs}  {times[-1]:.1f} s", flush=True)
                weights[n_jobs] = model.results_["cell_weights"]
    same = bool(np.array_equal(weights[1], weights[2]))
    one, two = (statistics.median(times) for times in seconds.values())
    print(
        f"{options.rows} rows: {one:.1f} s and {two:.1f} s, {one / two:.2f}x; same result: {same}"
    )
    result = {"rows": options.rows, "seconds": seconds, "speedup": one / two, "same": same}
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
