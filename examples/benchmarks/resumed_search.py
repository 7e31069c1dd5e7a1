"""Refits that a search takes from `memory`: repeated, and killed and started again.

Boosting on a real table. A process is killed while its search is under way and started again; files
count the fits that were made. Repeats are fits that had been finished, and were made once more.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _arguments import make_parser
from _counting import CountedBoosting
from _tables import load_table

from skbadr import BADRClassifier


def fit(args, memory):
    table = load_table(args.tables, args.table)
    model = BADRClassifier(
        CountedBoosting(max_iter=args.trees, random_state=0),
        partition="group_target",
        bound=0.05,
        max_iter=args.refits,
        memory=memory,
        n_jobs=args.n_jobs,
    )
    start = time.perf_counter()
    model.fit(table.X, table.y, sensitive_features=table.group)
    return model, time.perf_counter() - start


def finished(folder):
    return [path.name.partition("-")[0] for path in Path(folder).iterdir()]


def run_and_kill(args, n_jobs, fits):
    """Return the number of fits before the kill, after it, and of those that were repeated."""
    with tempfile.TemporaryDirectory() as folder:
        counts, memory = Path(folder, "counts"), Path(folder, "memory")
        counts.mkdir()
        command = [
            sys.executable, __file__, "--tables", args.tables, "--table", args.table,
            "--trees", str(args.trees), "--refits", str(args.refits), "--n-jobs", str(n_jobs),
            "--child", str(memory),
        ]  # fmt: skip
        options = {"env": os.environ | {"SKBADR_COUNT": str(counts)}, "start_new_session": True}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
        # A fit is finished a moment before it is stored: a kill in between repeats it.
        while len(list(memory.rglob("output.pkl"))) < fits + 1 and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = finished(counts)
        stored = len(list(memory.rglob("output.pkl"))) - 1  # one stands for the code
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options)
        after = finished(counts)
        return {
            "n_jobs": n_jobs,
            "fits before": len(before),
            "stored before": stored,
            "fits after": len(after) - len(before),
            "repeated": len(after) - len(set(after)),
            "refits of the search": json.loads(out.stdout)["n_refits"],
        }


def main(args):
    if args.child:
        model, seconds = fit(args, args.child)
        print(json.dumps({"n_refits": model.n_refits_, "seconds": seconds}))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        counts, memory = Path(folder, "counts"), Path(folder, "memory")
        counts.mkdir()
        os.environ["SKBADR_COUNT"] = str(counts)
        print(f"{'fit':<22}{'seconds':>9}{'fits':>6}{'metric':>9}")
        for name, where in (("without memory", None), ("first", memory), ("repeated", memory)):
            known = len(finished(counts))
            model, seconds = fit(args, where)
            made = len(finished(counts)) - known
            print(f"{name:<22}{seconds:>9.2f}{made:>6}{model.metric_value_:>9.4f}")
            rows.append({"fit": name, "seconds": seconds, "fits": made})
        size = sum(path.stat().st_size for path in memory.rglob("*") if path.is_file())
        print(f"memory holds {size / 2**20:.1f} MB")
    killed = [run_and_kill(args, n_jobs, fits) for n_jobs in (1, 2) for fits in args.kills]
    print("\n" + "  ".join(killed[0]))
    for row in killed:
        print("  ".join(f"{value:>{len(name)}}" for name, value in row.items()))
    if args.output:
        args.output.write_text(json.dumps({"fits": rows, "killed": killed, "bytes": size}))


if __name__ == "__main__":
    parser = make_parser(__doc__, tables=True)
    parser.add_argument("--table", default="adult")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--refits", type=int, default=9)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--kills", type=int, nargs="+", default=[1, 3, 5], help="fits before each")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    main(parser.parse_args())
