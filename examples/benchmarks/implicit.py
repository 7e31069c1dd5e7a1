"""Run every benchmark of the implicit solver, one after the other.

Against the baseline, against brute force, on sparse and wide data, for 2 to 64 cells and, where its
environment is given, against the toolbox of the method's authors:

    python examples/benchmarks/implicit.py --tables DIR --output DIR \\
        [--toolbox-python ENV/bin/python --toolbox-script run_badr.py]
"""

import argparse
from pathlib import Path

import brute_force
import cells
import plain_fits
import sparse_text
import toolbox


def main(arguments=None):
    """Run the benchmarks from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of CSV files")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--toolbox-python", help="of the toolbox's own environment")
    parser.add_argument("--toolbox-script", type=Path, help="which runs the toolbox")
    options = parser.parse_args(arguments)

    options.output.mkdir(parents=True, exist_ok=True)
    tables = ["--tables", str(options.tables)]
    runs = [
        ("plain_fits", plain_fits.main, tables),
        ("cells", cells.main, []),
        ("sparse_text", sparse_text.main, []),
        ("brute_force", brute_force.main, tables),
    ]
    if options.toolbox_python is not None:
        for sensitive in ("race", "sex"):
            own = ["--python", options.toolbox_python, "--script", str(options.toolbox_script)]
            own += ["--table", str(options.tables / "compas.csv"), "--sensitive", sensitive]
            runs.append((f"toolbox_{sensitive}", toolbox.main, [*own, "--min-weight", "1e-9"]))
    for name, run, arguments_of_run in runs:
        print(f"\n{name}", flush=True)
        run([*arguments_of_run, "--output", str(options.output / f"{name}.json")])


if __name__ == "__main__":
    main()
