"""Mutation spot checks: break the metrics and the weights in one place, and run their tests.

Usage, at the root of the repository, with the extra test installed, on Linux or macOS:
python .ci/mutate.py [--mutants 200] [--seed 0 ...] [--minimum 0.9] [--only PATH ...]

A mutant changes one comparison, operator, number, condition or returned value of a file of TESTS.
Of the tests named there those are run on it that come by its line, the quickest first. A mutant
that fails one of them, or takes longer than the limit, is killed. The others are listed, to be
looked at: each is either a test that is missing or a change that makes no difference.

All tests are imported once. Each mutant is a copy (a fork) of that process whose functions have the
changed code, so that what is made while tests are imported, such as a metric that is the parameter
of a test, is made by the code as it is.
"""

import argparse
import ast
import gc
import os
import random
import resource
import signal
import sys
import time
import types
from pathlib import Path

import pytest

_METRICS = ["metric_registry", "metrics", "undefined", "metric_inputs", "metrics_fairlearn"]
# The files that are broken, and the tests that should tell (test_*.py anywhere in tests).
TESTS = {
    "skbadr/_simplex.py": ["simplex"],
    "skbadr/partition/cells.py": ["cells"],
    "skbadr/partition/groups.py": ["groups", "columns"],
    "skbadr/metrics/aggregate.py": ["aggregate", *_METRICS, "surrogates"],
    "skbadr/metrics/rates/confusion_rates.py": [*_METRICS, "surrogates"],
    "skbadr/metrics/confidence/contrasts.py": ["contrasts", "limits", "chosen_limits"],
    "skbadr/metrics/scores/dependence.py": ["mistreatment", *_METRICS, "surrogates"],
    "skbadr/metrics/inputs/encoding.py": ["mistreatment", *_METRICS],
    "skbadr/metrics/evaluation_set.py": ["evaluation_set", "group_loss_gradients", *_METRICS],
    "skbadr/metrics/losses/group_losses.py": [
        "group_loss_gradients", "group_losses", "metrics", "surrogates",
    ],
    "skbadr/metrics/scores/individual.py": ["mistreatment", *_METRICS, "surrogates"],
    "skbadr/metrics/confidence/intervals.py": ["intervals", "limits"],
    "skbadr/metrics/scores/predictions.py": [
        *_METRICS, "group_loss_gradients", "smooth_tables", "surrogates",
    ],
    "skbadr/metrics/scores/distribution_surrogate.py": ["smooth_tables", "surrogates"],
    "skbadr/metrics/rates/rate_metric.py": [*_METRICS, "surrogates"],
    "skbadr/metrics/rates/rate_surrogate.py": ["surrogates"],
    "skbadr/metrics/confidence/standard_error.py": ["report"],
    "skbadr/metrics/smooth/soft_tables.py": ["smooth_tables", "surrogates"],
}  # fmt: skip
# Those of many samples or long fits take too long to run two hundred times; some others are of
# files that are not broken, and rows of a Polars table are never got in a copy of a process.
SLOW = """(metrics_fairlearn and (test_rates or probabilities)) or (limits and population)
or features_as_they_are or asked_for or are_resampled or worse_than_a_single or every_rate_has
or held_out_rows or meta_learning or implicit_solver_descends or annealing
or (group_losses and (own_loss or fit))"""
# Limit of the processor's time for the tests of a mutant: these seconds, and times their own.
SECONDS, TIMES = 10, 2
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Pow: ast.Mult,
}
NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}
NAMES |= {"any": "all", "all": "any", "argmin": "argmax", "argmax": "argmin"}


def changes(node):
    """Yield functions that each break a node in one way, and say how."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield lambda n: n.ops.__setitem__(0, COMPARISONS[type(n.ops[0])]())
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in OPERATORS:
        yield lambda n: setattr(n, "op", OPERATORS[type(n.op)]())
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield lambda n: setattr(n, "value", n.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield lambda n: setattr(n, "op", ast.UAdd())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        yield lambda n: setattr(n, "operand", ast.UnaryOp(n.op, n.operand))
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield lambda n: setattr(n, "id", NAMES[n.id])
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield lambda n: setattr(n, "attr", NAMES[n.attr])
    elif isinstance(node, ast.Return) and node.value is not None:
        # What is not evaluated is kept, as functions keep what they know of their surroundings.
        nothing = ast.Constant(None)
        yield lambda n: setattr(n, "value", ast.BoolOp(ast.And(), [nothing, n.value]))


def without_effect(tree):
    """Return the nodes that can be changed without any effect on what is computed."""
    nodes = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", None))
        if name == "default_rng":  # one seed is as good as another
            nodes.update(call.args)
        if name == "reshape":  # any negative number stands for the length that is left
            within = (node for argument in call.args for node in ast.walk(argument))
            nodes.update(node.operand for node in within if isinstance(node, ast.UnaryOp))
        for keyword in call.keywords:
            # An error in place of a mistake elsewhere; a copy where none is needed.
            copied = keyword.arg == "copy" and getattr(keyword.value, "value", None) is False
            if keyword.arg == "strict" or copied:
                nodes.add(keyword)
    return nodes


def places(tree):
    """Yield the nodes within functions that the program runs, by their path from the root."""
    skipped = without_effect(tree)

    def visit(node, path, inside):
        # What messages say is no matter of numbers.
        if isinstance(node, ast.Raise) or node in skipped:
            return
        if inside:
            yield path, node
        inside = inside or isinstance(node, ast.FunctionDef)
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list"):
                continue
            if isinstance(node, ast.FunctionDef) and field == "args":
                continue
            for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.AST):
                    yield from visit(child, (*path, (field, i)), inside)

    return visit(tree, (), False)


def mutants(path):
    """Return (place, number of the change there) of every mutant of a file."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    return [(place, i) for place, node in places(tree) for i, _ in enumerate(changes(node))]


def break_at(path, place, number):
    """Return the lines of the statement, what is there before and after, and the mutant's source.

    Of a statement that holds others the lines are those of its head.
    """
    node = tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    for field, i in place:
        node = getattr(node, field) if i is None else getattr(node, field)[i]
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            lines = range(node.lineno, body[0].lineno if body else node.end_lineno + 1)
    before = ast.unparse(node).splitlines()[0]
    list(changes(node))[number](node)
    return lines, before, ast.unparse(node).splitlines()[0], ast.fix_missing_locations(tree)


def code_objects(code):
    """Yield a code object and all that are within it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from code_objects(part)


def change_functions(functions, path, tree):
    """Give those of some functions that are of a file the code of a changed one."""
    full = os.path.abspath(path)
    old = ast.parse(Path(path).read_text(encoding="utf-8"))
    pairs = zip(*(code_objects(compile(t, full, "exec")) for t in (old, tree)), strict=True)
    changed = {(full, a.co_qualname, a.co_firstlineno): b for a, b in pairs if a != b}
    for function in functions:
        code = function.__code__
        place = code.co_filename, code.co_qualname, code.co_firstlineno
        if place in changed:
            function.__code__ = changed[place]


class Mutants:
    """Runs tests on mutants, in the place of a run of the tests.

    Parameters
    ----------
    paths : list of str
    options : namespace
        Of `main`.
    out : file
        Where to tell what is found.
    """

    def __init__(self, paths, options, out):
        self.paths, self.options, self.out = paths, options, out
        self.lines, self.seconds = {}, {}  # of each test
        self.functions = []
        self.failed, self.is_enough = False, False

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self):
        """Let property tests fail at the first example: none is to be looked at."""
        from hypothesis import Phase, settings

        settings.register_profile("once", phases=(Phase.explicit, Phase.generate))
        settings.load_profile("once")

    def pytest_runtest_logreport(self, report):
        self.failed = self.failed or report.failed

    def passes(self, items):
        """Whether all of some tests pass, or are skipped."""
        for item in items:
            self.failed = False
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            if self.failed:
                return False
        return True

    def survives(self, items, path=None, tree=None):
        """Whether tests pass, the quickest first, on the changed code of a file if there is one."""
        items = sorted(items, key=self.seconds.get)
        child = os.fork()
        if child == 0:
            limit = SECONDS + TIMES * int(sum(map(self.seconds.get, items)))
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            signal.alarm(60 * limit)  # of what waits for ever
            if path is not None:
                change_functions(self.functions, path, tree)
            os._exit(not self.passes(items))
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) == 0

    def tests_of(self, path, lines):
        """Return the tests of a file that come by some of its lines."""
        names, places = {f"test_{n}.py" for n in TESTS[path]}, {(path, line) for line in lines}
        return [i for i, seen in self.lines.items() if i.path.name in names and seen & places]

    def pytest_runtestloop(self, session):
        """Run each test once to see what lines it comes by, then on the mutants."""
        full = {os.path.abspath(path): path for path in self.paths}
        for item in session.items:
            lines = self.lines[item] = set()

            def trace(frame, event, arg, lines=lines):
                path = full.get(frame.f_code.co_filename)
                if path is not None:
                    lines.add((path, frame.f_lineno))
                    return trace

            start = time.process_time()
            sys.settrace(trace)
            passed = self.passes([item])
            sys.settrace(None)
            self.seconds[item] = time.process_time() - start
            if not passed:
                print(f"{item.nodeid} does not pass as it is", file=self.out)
                return True
        self.functions = [
            thing
            for thing in gc.get_objects()
            if isinstance(thing, types.FunctionType) and thing.__code__.co_filename in full
        ]
        gc.freeze()  # so that copies share what they do not change
        if not self.survives(session.items):
            print("the tests do not pass as they are, the quickest first", file=self.out)
            return True
        everything = [(path, *mutant) for path in self.paths for mutant in mutants(path)]
        print(f"{len(everything)} mutants, {len(session.items)} tests", file=self.out)
        self.is_enough = all([self.draw(everything, seed) for seed in self.options.seed])
        return True

    def draw(self, everything, seed):
        """Return whether enough of some of the mutants are killed."""
        random.seed(seed)
        size = min(self.options.mutants, len(everything))
        n_alive, start = 0, time.monotonic()
        for k in sorted(random.sample(range(len(everything)), size)):
            path, place, number = everything[k]
            lines, before, after, tree = break_at(path, place, number)
            if self.survives(self.tests_of(path, lines), path, tree):
                n_alive += 1
                print(f"survived: {path}:{lines[0]}: {before}  ->  {after}", file=self.out)
        seconds = time.monotonic() - start
        print(f"seed {seed}: {size - n_alive} of {size} killed; {seconds:.0f} s", file=self.out)
        return size - n_alive >= self.options.minimum * size


def main():
    """Check as many mutants as asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--minimum", type=float, default=0.9, help="share to be killed")
    parser.add_argument("--only", nargs="+", help="some files of TESTS")
    options = parser.parse_args()
    os.environ["CI"] = "1"  # the same examples of hypothesis for every mutant
    sys.path[:0] = [os.getcwd(), "tests"]
    paths = options.only or list(TESTS)
    # What pytest and the tests print goes nowhere.
    out = os.fdopen(os.dup(1), "w", buffering=1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    mutation = Mutants(paths, options, out)
    names = {f"test_{name}.py" for path in paths for name in TESTS[path]}
    files = sorted(str(path) for path in Path("tests").rglob("test_*.py") if path.name in names)
    slow = f"not ({' '.join(SLOW.split())})"
    arguments = ["-q", "-n", "0", "-p", "no:cacheprovider", "-k", slow, *files]
    pytest.main(arguments, plugins=[mutation])
    out.close()
    sys.exit(0 if mutation.is_enough else 1)


if __name__ == "__main__":
    main()
