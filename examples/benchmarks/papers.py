"""The experiments of the two papers behind skbadr, repeated on tables that are at hand.

    python examples/benchmarks/papers.py --tables DIR --output DIR [--only a b c d] [--splits N]
        [--toolbox-python ENV/bin/python --toolbox-script run_badr.py]

(a) and (b): the strategies baseline, Balanced, One-Fit, MinMax and BADR of Tanji, Vaiter and Laguel
(2026, arXiv 2601.13448), logistic regression with l2 = 1e-2 and ridge with l2 = 1e-1, beside BADR
over group x target cells under a bound, and the toolbox of the authors where it can run; (c) the
picture of (a); (d) one stage against two, in the spirit of Zeng et al. (2024, arXiv 2406.07029).
Everything is written to DIR/papers.json, the picture to DIR/papers.png.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import bargaining
import numpy as np
from _tables import load_table
from papers_figure import FIGURE_CASES, FIGURE_METRICS, draw
from papers_regression import print_bounded, run_bounded
from papers_strategies import (
    BOUNDED,
    CASES,
    REGRESSION_CASES,
    STRATEGIES,
    TOOLBOX,
    ToolboxCache,
    read_case,
    run_case,
)
from threadpoolctl import threadpool_limits

# LtR, FORML and Meta-gDRO are these goals of the second stage, of the zero-one loss.
GOALS = {"LtR": "mean_loss", "FORML": "group_loss_gap", "Meta-gDRO": "worst_group_loss"}
COLUMNS = (*STRATEGIES, BOUNDED)


def print_strategies(case, rows, score):
    """Print the means of one case: the metric on train and on test, and the test score."""
    print(f"\n{case}: the metric on train | on test | test {score}")
    print(f"{'':22}" + (3 * ("".join(f"{n.replace('BADR, group_', '')[:9]:>10}" for n in COLUMNS)
                              + "  ")))  # fmt: skip
    for row in rows:
        line = f"{row['metric']:22}"
        for part in ("train", "test", "score"):
            line += "".join(f"{row['means'][n][part]:>10.3g}" for n in COLUMNS)
            line += "  " if row["best_on"].get(part, True) else " *"
        print(line)
        if "beside_toolbox" in row:
            means = row["beside_toolbox"]
            answers = [r["toolbox_answer"] for r in row["splits"] if TOOLBOX in r["measures"]]
            seconds = np.mean([answer["seconds"] for answer in answers])
            print(f"    {row['beside_toolbox_splits']} split(s), toolbox / ours, train: "
                  f"{means[TOOLBOX]['train']:.4g} / {means['BADR']['train']:.4g}, test: "
                  f"{means[TOOLBOX]['test']:.4g} / {means['BADR']['test']:.4g}, {score}: "
                  f"{means[TOOLBOX]['score']:.4f} / {means['BADR']['score']:.4f}; "
                  f"toolbox {seconds:.0f} s")  # fmt: skip
    print("", end="", flush=True)


def run_classification(options, toolbox, cache):
    """Return table (a)."""
    results = {}
    for name, case in CASES.items():
        if options.cases and not name.startswith(tuple(options.cases)):
            continue
        asked = toolbox if not options.toolbox_cases or name.startswith(
            tuple(options.toolbox_cases)) else None  # fmt: skip
        results[name] = run_case(
            options.tables,
            case,
            splits=options.splits,
            rows=options.rows,
            figure=FIGURE_METRICS if name in FIGURE_CASES else (),
            toolbox=asked,
            cache=cache,
        )
        print_strategies(name, results[name], "accuracy")
    rows = [row for case in results.values() for row in case]
    for part in ("train", "test"):
        count = sum(row["best_on"][part] for row in rows)
        print(f"BADR is the best of the five on {part} in {count} of {len(rows)} rows")
    return results


def run_regression(options):
    """Return table (b), also in units of the target's standard deviation."""
    results = {}
    for name, case in REGRESSION_CASES.items():
        if options.cases and not name.startswith(tuple(options.cases)):
            continue
        rows = run_case(options.tables, case, splits=options.splits, rows=options.rows)
        results[name] = {
            "rows": rows,
            "unit": float(read_case(options.tables, case)[case.target].std()),
        }
        print_strategies(name, rows, "RMSE")
    summary = {}
    for strategy in COLUMNS:
        scaled = [
            [case["rows"][0]["means"][strategy][part] / case["unit"] for part in ("score", "test")]
            for case in results.values()
        ]
        rmse, gap = np.mean(scaled, axis=0)
        summary[strategy] = {"rmse": float(rmse), "gap": float(gap),
                             "log2_gap": float(np.log(2.0) + gap)}  # fmt: skip
    print("\nmeans over the data sets, in standard deviations of the target (test)")
    print(f"{'':22}{'RMSE':>10}{'gap':>10}{'log 2 + gap':>13}")
    for strategy, row in summary.items():
        print(f"{strategy:22}{row['rmse']:>10.4f}{row['gap']:>10.4f}{row['log2_gap']:>13.4f}")
    bounded = run_bounded(options.tables, options.bounded_splits)
    print_bounded(bounded)
    return {"cases": results, "summary": summary, "bounded": bounded}


def run_bargaining(options):
    """Return table (d): baseline, stage 1, one stage and two, by partition and estimator."""
    results = []
    for case, (table_name, choice) in bargaining.CASES.items():
        if options.cases and not case.startswith(tuple(options.cases)):
            continue
        table = load_table(options.tables, table_name, **choice)
        for name in options.estimators:
            for partition in ("group", "group_target"):
                runs = [
                    bargaining.run(table, bargaining.ESTIMATORS[name], seed, partition,
                                   options.cv, GOALS.values())
                    for seed in range(options.bargaining_splits)
                ]  # fmt: skip
                summary = bargaining.summarise(runs)
                print(f"\n{partition}", end="")
                bargaining.show(case, name, summary)
                results.append({"case": case, "estimator": name, "partition": partition,
                                "summary": summary, "runs": runs})  # fmt: skip
    print_stages(results)
    return results


def print_stages(results):
    """Print the change from one stage to two over all splits, by estimator and partition."""
    print("\ntwo stages against one: AUC, largest difference of AUC, worst group's AUC (error)")
    for key in dict.fromkeys((r["estimator"], r["partition"]) for r in results):
        runs = [
            run for r in results if (r["estimator"], r["partition"]) == key for run in r["runs"]
        ]
        for goal, metric in GOALS.items():
            for method in ("two stages", "two, held"):
                line = f"{key[0]:10}{key[1]:14}{goal:11}{method:12}"
                for measure in ("auc", "auc_gap", "worst_auc"):
                    change = np.array([
                        run[f"{metric}: {method}"][measure] - run[f"{metric}: one stage"][measure]
                        for run in runs
                    ])  # fmt: skip
                    error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else 0.0
                    line += f"{change.mean():>+9.4f} ({error:.4f})"
                print(line)


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of CSV files")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    parser.add_argument("--only", nargs="+", choices="abcd", default=list("abcd"))
    parser.add_argument("--cases", nargs="*", help="beginnings of names of cases")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--rows", type=int, default=4000, help="of each table, at most")
    parser.add_argument("--bounded-splits", type=int, default=20, help="of the bounds in (b)")
    parser.add_argument("--toolbox-python", help="of the toolbox's own environment")
    parser.add_argument("--toolbox-script", type=Path, help="which runs the toolbox")
    parser.add_argument("--toolbox-splits", type=int, default=1, help="it takes minutes for each")
    parser.add_argument("--toolbox-cases", nargs="*", help="beginnings of names; all")
    parser.add_argument("--estimators", nargs="*", default=["logistic", "mlp"], help="of (d)")
    parser.add_argument("--bargaining-splits", type=int, default=10)
    parser.add_argument("--cv", type=float, default=0.2, help="fraction held out in (d)")
    options = parser.parse_args(arguments)
    if (options.toolbox_python is None) != (options.toolbox_script is None):
        parser.error("--toolbox-python and --toolbox-script go together.")

    options.output.mkdir(parents=True, exist_ok=True)
    toolbox = options if options.toolbox_python else None
    cache = ToolboxCache(options.output / "papers_toolbox.json")
    path = options.output / "papers.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "c" in options.only and "a" not in results and "a" not in options.only:
        parser.error(f"--only c draws what (a) found, and {path} has none of it: add a.")
    parts = {
        "a": lambda: run_classification(options, toolbox, cache),
        "b": lambda: run_regression(options),
        "c": lambda: draw(results["a"], options.output / "papers.png"),
        "d": lambda: run_bargaining(options),
    }
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in options.only:
            begin = time.perf_counter()
            results[part] = parts[part]()
            path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            print(f"({part}) took {time.perf_counter() - begin:.0f} s", flush=True)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
