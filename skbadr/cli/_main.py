"""The command itself: read, compare, print, save."""

import os
import sys
import textwrap
import warnings

from skbadr._parallel import one_blas_thread
from skbadr.comparison import (
    compare,
    compare_splits,
    format_group_table,
    format_headline,
    format_splits_table,
    format_table,
    format_verdicts,
)
from skbadr.comparison._words import format_reach
from skbadr.metrics import get_metric

from ._arguments import parse_arguments
from ._errors import UsageError
from ._estimators import estimator_names, make_estimator
from ._files import save_front, save_report, save_results, save_splits
from ._progress import Progress
from ._tables import load_csv, load_demo

# Without a table of the user's, and for metrics of rates: at most five points between the groups,
# on new rows.
_DEMO_BOUND = 0.05
_DEMO_CONFIDENCE = 0.9
_DEMO_METRICS = ("demographic_parity", "equal_opportunity", "equalized_odds")


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Options; None for those of the command line.

    Returns
    -------
    int
        Exit code: 0; 2 for input that cannot be used; 130 if interrupted; 141 if the reader of
        the output left.
    """
    try:
        with warnings.catch_warnings(), one_blas_thread():
            _quieten_others()
            _run(parse_arguments(argv))
    except UsageError as error:
        print(f"skbadr: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skbadr: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, `head` say, has seen enough. Python flushes once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def _run(options):
    if options.csv is None:
        table = load_demo()
        _set_demo(options)
    else:
        table = load_csv(
            options.csv,
            options.target,
            options.sensitive,
            task=options.task,
            pos_label=options.pos_label,
            encoding=options.encoding,
            missing=options.missing,
            decimal=options.decimal,
            drop_sensitive=options.drop_sensitive,
            merge_groups=options.merge_groups,
            control=options.control,
        )
    estimator = make_estimator(
        options.estimator,
        table.task,
        table.numbers,
        table.categories,
        random_state=options.random_state,
    )
    _check_metric(options.metric, table.task, estimator)
    _make_folder(options.output)

    print(f"{table.name}")
    print(
        f"{len(table.y)} rows, {len(set(table.groups))} groups, {_task_in_words(table)} "
        f"by {estimator.steps[-1][0]}"
    )
    _print_notes(table.notes)
    print(flush=True)

    if options.splits > 1 or options.bounds is not None:
        _compare_splits(options, table, estimator)
    else:
        _compare_once(options, table, estimator)


def _set_demo(options):
    """Make the demo short: one bound, BADR as it is by default, and one peer beside it."""
    options.peers = True if options.compare else ["exponentiated_gradient"]
    options.partitions = ["auto"]
    plain = isinstance(options.metric, str) and options.metric in _DEMO_METRICS
    if options.bound is None and options.bounds is None and plain:
        options.bound = _DEMO_BOUND
        if options.confidence is None and options.cv == "auto":
            options.confidence = _DEMO_CONFIDENCE


def _compare_once(options, table, estimator):
    with Progress() as progress:
        result = _call(compare, options, table, estimator, bound=options.bound, progress=progress)
    print(f"\n{_bound_sentence(result)}")
    print()
    print(format_table(result))
    print()
    error = "share of errors" if table.task == "classification" else "RMSE"
    print(f"Test error of each group ({error}):")
    print(format_group_table(result))
    print()
    for sentence in format_headline(result).splitlines():
        print(textwrap.fill(sentence, 100))
    if any(row["verdict"] for row in result.rows):
        print()
        print("Does the bound hold on new rows? What the test rows say, with 95 % limits:")
        print(format_verdicts(result))
        if reach := format_reach(result):
            print(reach)
    _print_notes(result.notes)
    print()
    print(f"wrote {save_results(result, options, table)}")
    print(save_front(result, options.output))
    if options.report is not False:
        print(save_report(result, options, table))


def _compare_splits(options, table, estimator):
    bounds = options.bounds if options.bound is None else [options.bound]
    n_runs = options.splits * (1 if bounds is None else len(bounds))
    with Progress(n_runs) as progress:
        result = _call(
            compare_splits,
            options,
            table,
            estimator,
            bounds=bounds,
            n_splits=options.splits,
            progress=progress,
        )
    print()
    first = result.splits[0][0]
    if bounds is None or len(bounds) == 1:
        print(_bound_sentence(first))
    else:
        sign = ">=" if result.settings["greater_is_better"] else "<="
        print(f"Methods with a bound keep {result.settings['metric']} {sign} bound.")
    print(f"Means over {options.splits} splits, standard errors in brackets.")
    print()
    print(format_splits_table(result))
    print(
        "Hypervolume: of error and metric, up to a constant prediction's and the baseline model's."
    )
    _print_notes(result.notes)
    print()
    print(f"wrote {save_splits(result, options, table)}")


def _call(function, options, table, estimator, **settings):
    try:
        return function(
            estimator,
            table.X,
            table.y,
            **_compared(options, table),
            metric=options.metric,
            peers=options.peers,
            partitions=options.partitions,
            test_size=options.test_size,
            cv=options.cv,
            confidence=options.confidence,
            max_iter=options.max_iter,
            n_jobs=options.n_jobs,
            random_state=options.random_state,
            verbose=int(options.verbose),
            **settings,
        )
    except ValueError as error:
        if options.verbose:
            raise
        sentence = " ".join(str(error).split())
        raise UsageError(f"{sentence} (--verbose shows where this happened)") from error


def _compared(options, table):
    """Return what says which groups are compared."""
    if options.intersectional and options.control is None:
        return {"sensitive_features": table.groups}
    return {
        "sensitive_features": table.columns,
        "control_features": table.control,
        "intersectional": options.intersectional,
    }


def _task_in_words(table):
    if table.task == "regression":
        return "regression"
    if table.positive is None:
        return f"classification into {len(set(table.y.tolist()))} classes"
    return f"classification (positive class {table.positive!r})"


def _bound_sentence(result):
    """Say in words which bound the methods were given, and why."""
    settings = result.settings
    aim = "maximises" if settings["greater_is_better"] else "minimises"
    if settings["bound"] is None:
        return f"BADR {aim} {settings['metric']}."
    condition = settings["condition"]
    where = "the training data"
    if settings["confidence"] is not None:
        where += f" (BADR: on new rows, with confidence {settings['confidence']:g})"
    elif settings["held_out"]:
        where += " (BADR: on parts of it held out)"
    if not settings["bound_is_default"]:
        return f"Methods with a bound keep {condition} on {where}."
    baseline = result.rows[0]["metric_train"]
    return (
        f"BADR over groups {aim} {settings['metric']}. The others keep {condition} on\n"
        f"{where}, 20 % of the baseline estimator's unfairness (its value is {baseline:.4g}):\n"
        "the metric alone, over cells as fine as group x target, may end in a constant\n"
        "predictor. Set a bound of your own with --bound."
    )


def _print_notes(notes):
    for note in notes:
        print(f"note: {note}")


def _check_metric(name, task, estimator):
    try:
        metric = get_metric(name, task=task)
    except ValueError as error:
        raise UsageError(" ".join(str(error).split())) from None
    method = "predict_proba"
    if method in metric.response_methods and not hasattr(estimator, method):
        others = [
            other
            for other in estimator_names(task)
            if hasattr(make_estimator(other, task, [], []), method)
        ]
        raise UsageError(
            f"--metric {metric.name} needs probabilities, which {estimator.steps[-1][0]} does not "
            f"have: choose another --estimator, {', '.join(others)}."
        )


def _make_folder(path):
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot write to the folder {path!r}: {reason}.") from None


def _quieten_others():
    """Hide what other libraries announce to developers; show our own warnings on one line."""
    for category in (FutureWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=category, module=r"(?!skbadr)")

    def show(message, category, filename, lineno, file=None, line=None):
        print(f"warning: {message}", file=sys.stderr)

    warnings.showwarning = show
