"""Options of ``python -m skbadr``."""

import argparse
import math
import sys

from ._errors import UsageError
from ._estimators import estimator_names

_DESCRIPTION = """\
Compare a baseline model with BADR, which re-weights the sensitive groups to find a fair and
Pareto-efficient model. Without options it runs on the UCI Adult table, which is part of the
package, with fairlearn's ExponentiatedGradient beside BADR. The gap between the sexes then must be
at most 0.05 on new rows, with 90 % confidence (--bound 0.05 --confidence 0.9).
"""

_EPILOG = f"""\
examples:
  python -m skbadr
  python -m skbadr --csv people.csv --target hired --sensitive sex
  python -m skbadr --csv people.csv.gz --target hired --sensitive sex,race --compare \\
      --metric equalized_odds --estimator hist_gradient_boosting --bound 0.05
  python -m skbadr --csv people.csv --target hired --sensitive sex \\
      --metric demographic_parity=0.05,equalized_odds=0.1
  python -m skbadr --csv people.csv --target hired --sensitive sex --compare --splits 5 \\
      --bounds 0.02,0.04,0.08
  python -m skbadr --csv loans.csv --target decision --pos-label approved --sensitive religion \\
      --encoding cp1252

The table shows the baseline estimator, BADR over groups, and BADR over the cells that
partition="auto" chooses (group x target for metrics of decisions). With --compare it also shows
fairlearn's ExponentiatedGradient, GridSearch and ThresholdOptimizer. The output folder gets
report.html (a page to hand on), skbadr_results.json and skbadr_front.png.

metrics:
  demographic_parity, equal_opportunity, equalized_odds, false_positive_rate_parity and
  accuracy_parity (each also with _ratio), worst_group_error, worst_group_loss, group_loss_gap
  and others; for regression demographic_parity is the gap between the groups' mean predictions

estimators:
  classification: {", ".join(estimator_names("classification"))}
  regression: {", ".join(estimator_names("regression"))}
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(message)


def _number(kind, check, expected):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not check(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    return parse


def _count(text):
    return _number(int, lambda value: value >= 1, "a whole number of 1 or more")(text)


def _metric(text):
    """Return a name, or a dict of several names and their bounds: ``name=bound,name=bound``."""
    if "=" not in text:
        return text
    parse, bounds = _number(float, math.isfinite, "numbers as bounds, name=bound,..."), {}
    for part in text.split(","):
        name, sign, bound = (piece.strip() for piece in part.partition("="))
        if not (name and sign):
            raise argparse.ArgumentTypeError(
                f"expected name=bound for each of several metrics, got {part!r}"
            )
        bounds[name] = parse(bound)
    return bounds


def _bounds(text):
    bound = _number(float, lambda value: value >= 0, "numbers of 0 or more, separated by commas")
    return [bound(part) for part in text.split(",")]


def _cv(text):
    if text in ("auto", "none"):
        return None if text == "none" else text
    # As for the estimators: a whole number is a number of folds, a fraction a held-out share.
    if "." in text:
        return _number(float, lambda value: 0 < value < 1, "a share between 0 and 1")(text)
    return _number(int, lambda value: value >= 2, "2 or more folds, or a share below 1")(text)


def make_parser():
    """Return the parser of the command's options."""
    parser = _Parser(
        prog="python -m skbadr",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    table = parser.add_argument_group("the table")
    _add_columns(table)
    _add_rows(table)
    _add_models(parser.add_argument_group("the models"))
    _add_run(parser.add_argument_group("the run"))
    return parser


def _add_columns(table):
    """Add the options that say which file it is, and what its columns mean."""
    table.add_argument(
        "--csv",
        metavar="FILE",
        help="a text file with a header line (any separator; also .gz, .bz2, .xz or .zip), or "
        "a .parquet file",
    )
    table.add_argument("--target", metavar="COL", help="the column to predict")
    table.add_argument(
        "--sensitive", metavar="COL[,COL]", help="column(s) that define the groups; crossed if many"
    )
    table.add_argument(
        "--no-intersectional",
        dest="intersectional",
        action="store_false",
        help="compare each sensitive column by itself; the worst column counts (default: columns "
        "are crossed)",
    )
    table.add_argument(
        "--control",
        metavar="COL[,COL]",
        help="compare groups only within the values of these columns; the worst value counts",
    )
    table.add_argument(
        "--pos-label",
        metavar="LABEL",
        help="the class whose rates are compared (default: the greater of two classes)",
    )


def _add_rows(table):
    """Add the options that say how cells are read and what becomes of the rows."""
    table.add_argument(
        "--encoding",
        metavar="NAME",
        help="encoding of the file, such as cp1252 (default: recognised)",
    )
    table.add_argument(
        "--missing",
        metavar="WORD[,WORD]",
        type=lambda text: text.split(","),
        help="words that mean a missing value, besides an empty cell (default: ?, and among "
        "numbers NA, None, - and the like)",
    )
    table.add_argument(
        "--decimal",
        metavar="MARK",
        choices=[".", ","],
        help="the decimal mark, . or , (default: recognised from the numbers)",
    )
    table.add_argument(
        "--drop-sensitive",
        action="store_true",
        help="do not use the sensitive columns as features of the model",
    )
    table.add_argument(
        "--merge-groups",
        metavar="ROWS",
        type=_count,
        help="make one group of all groups with fewer rows than this",
    )
    table.add_argument(
        "--task",
        choices=["auto", "classification", "regression"],
        default="auto",
        help="auto: regression if the target is a number with more than 20 distinct values",
    )
    table.add_argument(
        "--test-size",
        metavar="SHARE",
        type=_number(float, lambda value: 0 < value < 1, "a share between 0 and 1"),
        default=0.3,
        help="share of the rows to test on (default: 0.3)",
    )


def _add_models(model):
    """Add the options that say what is fitted."""
    model.add_argument(
        "--metric",
        metavar="NAME[=B,...]",
        type=_metric,
        default="demographic_parity",
        help="name of the fairness metric (default: demographic_parity; an unknown name lists the "
        "valid ones), or several with their bounds: demographic_parity=0.05,equalized_odds=0.1",
    )
    model.add_argument(
        "--estimator",
        metavar="NAME",
        help="the model that is made fair (default: logistic_regression, or ridge for regression)",
    )
    model.add_argument(
        "--bound",
        metavar="B",
        type=_number(float, lambda value: value >= 0, "a number of 0 or more"),
        help="largest metric allowed on the training data (smallest, for a ratio); default: BADR "
        "over groups minimises the metric, and the other methods keep 20%% of the baseline "
        "model's unfairness",
    )
    model.add_argument(
        "--confidence",
        metavar="C",
        type=_number(float, lambda value: 0.5 <= value < 1, "at least 0.5 and below 1"),
        help="confidence, such as 0.9, with which BADR keeps the bound on new rows (default: BADR "
        "keeps the bound on the rows at hand)",
    )
    model.add_argument("--compare", action="store_true", help="also run fairlearn's algorithms")
    model.add_argument(
        "--splits",
        metavar="N",
        type=_count,
        default=1,
        help="repeat on N random splits and print means and standard errors (default: 1)",
    )
    model.add_argument(
        "--bounds",
        metavar="B,B,...",
        type=_bounds,
        help="several bounds; they make a front of each method, with its hypervolume",
    )
    model.add_argument(
        "--max-iter", metavar="N", type=_count, help="iterations, or refits, of BADR's search"
    )
    model.add_argument(
        "--cv",
        metavar="K",
        type=_cv,
        default="auto",
        help="evaluate the metric on K folds, on a held-out share, or on the training data (none); "
        "default (auto): on folds if the model may memorise its rows",
    )


def _add_run(run):
    """Add the options that say how the command runs and what it writes."""
    run.add_argument(
        "--output",
        metavar="DIR",
        default="skbadr_output",
        help="folder of the results (default: skbadr_output)",
    )
    run.add_argument(
        "--report",
        action=argparse.BooleanOptionalAction,
        help="write report.html, a page to hand on (default: if jinja2 and matplotlib are "
        "installed, and there is one split and one bound)",
    )
    run.add_argument("--random-state", metavar="SEED", type=int, default=0, help="default: 0")
    run.add_argument("--n-jobs", metavar="N", type=int, help="parallel jobs of BADR")
    run.add_argument(
        "--verbose", action="store_true", help="print a line for each refit of BADR that improved"
    )


def parse_arguments(argv):
    """Parse the options and check what argparse cannot.

    Parameters
    ----------
    argv : list of str or None
        Options; None for those of the command line.

    Returns
    -------
    argparse.Namespace
        The options.
    """
    options = make_parser().parse_args(argv)
    options.given = list(sys.argv[1:] if argv is None else argv)
    options.peers, options.partitions = options.compare, ["group", "auto"]
    if options.report and (options.splits > 1 or options.bounds is not None):
        raise UsageError("--report shows one split and one bound: leave out --splits and --bounds.")
    if options.bound is not None and options.bounds is not None:
        raise UsageError("give --bound, or several as --bounds, not both.")
    if isinstance(options.metric, dict) and (options.bound is not None or options.bounds):
        raise UsageError("--metric gives the bounds itself: leave --bound and --bounds out.")
    apart = options.control is not None or not options.intersectional
    if apart and options.merge_groups is not None:
        raise UsageError(
            "--merge-groups merges crossed groups: leave it out, or what compares others."
        )
    if options.csv is None and not options.intersectional:
        raise UsageError("--no-intersectional needs a table, give it with --csv FILE.")
    if options.csv is None:
        for name in (
            "target",
            "sensitive",
            "control",
            "pos_label",
            "encoding",
            "missing",
            "decimal",
        ):
            if getattr(options, name) is not None:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} needs a table, give it with --csv FILE.")
    else:
        for name in ("target", "sensitive"):
            if getattr(options, name) is None:
                raise UsageError(f"--csv needs --{name}, the name of a column of the table.")
    return options
