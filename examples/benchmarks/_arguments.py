"""The arguments that benchmarks share."""

import argparse
from pathlib import Path

HELP = {
    "rows": "of each table, at most; of a generated one, exactly",
    "repeats": "runs of what is timed",
    "splits": "number of random splits",
    "seeds": "number of seeds",
    "seed": "of the first draw",
}


def make_parser(text, output=None, *, tables=None, **numbers):
    """Return a parser to which a benchmark adds the arguments that are its own.

    Parameters
    ----------
    text : str
        The script's docstring, of which the first line is the description.
    output : str or None, default=None
        Where results go by default; None: they are printed alone.
    tables : bool or None, default=None
        Whether ``--tables`` has to be given; None: there is no such argument.
    **numbers : int or None
        Defaults of those names of HELP that the script has.
    """
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    if tables is not None:
        parser.add_argument("--tables", type=Path, required=tables, help="folder of CSV files")
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=HELP[name])
    parser.add_argument("--output", type=Path, default=output and Path(output), help="JSON file")
    return parser
