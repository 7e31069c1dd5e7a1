"""Peak memory and time of a fit on a memory map of ten million rows.

Writes X (float32) block by block to a file that is removed at the end, fits in this process with
X mapped read-only, and compares the memory in use at its peak with that before the data:

    python examples/benchmarks/memory_map.py [--rows N] [--solver gd] [--folder DIR] [--output FILE]

Pages of the map that the system keeps cached count as resident, but it can drop them at any time:
both figures are shown, with these pages and without.
"""

import hashlib
import json
import os
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from _arguments import make_parser
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

FEATURES, BLOCK = 20, 250_000


def write_table(path, n_rows, seed=0):
    """Write X to a file; return labels and groups, as small integers."""
    rng = np.random.default_rng(seed)
    coef, shift = rng.normal(size=FEATURES) / np.sqrt(FEATURES), 0.4 * rng.normal(size=5)
    y, group = np.empty(n_rows, dtype=np.int8), np.empty(n_rows, dtype=np.int8)
    with path.open("wb") as file:
        for start in range(0, n_rows, BLOCK):
            rows = slice(start, min(start + BLOCK, n_rows))
            size = rows.stop - rows.start
            own = rng.integers(0, 3, size)
            X = rng.normal(size=(size, FEATURES)).astype(np.float32)
            X[:, :5] += (0.5 * own[:, None] * shift).astype(np.float32)
            signal = X @ coef + 0.4 * own * X[:, 3] + 0.3 * own + rng.logistic(size=size)
            y[rows], group[rows] = signal > 0.5, own
            X.tofile(file)
    return y, group


def resident():
    """Return the resident memory of this process in bytes, anonymous and mapped from files."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(1024 * int(fields[name].split()[0]) for name in ("RssAnon", "RssFile"))


class Peak(threading.Thread):
    """Watch the memory of this process."""

    def __init__(self):
        super().__init__(daemon=True)
        self.before = resident()
        self.anonymous = self.total = 0
        self.done = threading.Event()

    def run(self):
        """Sample until told to stop."""
        while not self.done.wait(0.01):
            anonymous, mapped = resident()
            self.anonymous = max(self.anonymous, anonymous - self.before[0])
            self.total = max(self.total, anonymous + mapped - sum(self.before))


def digest(path):
    """Return a checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_memory_map.json", rows=10_000_000)
    parser.add_argument("--solver", default="gd")
    parser.add_argument("--metric", default="individual")
    parser.add_argument("--folder", type=Path, default=Path("."))
    options = parser.parse_args(arguments)

    path = options.folder / f"memory_map_{os.getpid()}.dat"
    estimator = LogisticRegression(max_iter=1000)
    warm = np.random.default_rng(0)
    X, y, group = warm.normal(size=(300, 2)), warm.integers(0, 2, 300), warm.integers(0, 2, 300)
    BADRClassifier(estimator, options.metric).fit(X, y, sensitive_features=group)  # imports
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peak = Peak()
            y, group = write_table(path, options.rows)
            before = digest(path)
            X = np.memmap(path, dtype=np.float32, mode="r", shape=(options.rows, FEATURES))
            begin = time.perf_counter()
            estimator.fit(X, y)
            baseline = time.perf_counter() - begin
            peak.start()
            begin = time.perf_counter()
            loss = {"loss": "log_loss"} if options.metric.startswith("group_loss") else {}
            metric = get_metric(options.metric, **loss)
            model = BADRClassifier(estimator, metric, solver=options.solver)
            model.fit(X, y, sensitive_features=group)
            seconds = time.perf_counter() - begin
            peak.done.set()
            peak.join()
            untouched = digest(path) == before
    finally:
        path.unlink(missing_ok=True)
    result = {
        "rows": options.rows, "features": FEATURES, "solver": options.solver,
        "metric": options.metric, "baseline_s": baseline, "seconds": seconds,
        "ratio": seconds / baseline, "before": model.baseline_metric_value_,
        "after": model.metric_value_, "weights": model.cell_weights_.tolist(),
        "peak_without_cached_pages_gb": peak.anonymous / 1e9, "peak_gb": peak.total / 1e9,
        "x_gb": 4e-9 * FEATURES * options.rows, "untouched": untouched,
    }  # fmt: skip
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
