"""Mutation spot checks: break the metrics and the weights in one place, and run their tests.

Usage, at the root of the repository, with the extra test installed, on Linux or macOS:
python .ci/mutate.py [--mutants 200] [--seed 0] [--minimum 0.9] [--only PATH]

A mutant changes one comparison, operator, number, condition or returned value of a file of TESTS,
and only the tests named there are run on it. A mutant that fails one of them, or takes longer than
the limit, is killed. The others are listed, to be looked at: each is either a test that is missing
or a change that makes no difference.
"""

import argparse
import ast
import importlib.util
import os
import random
import resource
import sys
from pathlib import Path

_METRICS = ["metric_registry", "metrics", "undefined", "metric_inputs", "metrics_fairlearn"]
# The files that are broken, and the tests that should tell (tests/test_*.py).
TESTS = {
    "skbadr/_simplex.py": ["simplex"],
    "skbadr/partition/cells.py": ["cells"],
    "skbadr/partition/groups.py": ["groups", "columns"],
    "skbadr/metrics/aggregate.py": ["aggregate", *_METRICS, "surrogates"],
    "skbadr/metrics/confusion_rates.py": [*_METRICS, "surrogates"],
    "skbadr/metrics/contrasts.py": ["contrasts", "limits", "chosen_limits"],
    "skbadr/metrics/dependence.py": ["mistreatment", *_METRICS, "surrogates"],
    "skbadr/metrics/encoding.py": ["mistreatment", *_METRICS],
    "skbadr/metrics/evaluation_set.py": ["group_loss_gradients", *_METRICS],
    "skbadr/metrics/group_losses.py": ["group_loss_gradients", "group_losses", "metrics"],
    "skbadr/metrics/individual.py": [*_METRICS, "surrogates"],
    "skbadr/metrics/intervals.py": ["intervals", "limits"],
    "skbadr/metrics/predictions.py": [*_METRICS, "surrogates"],
    "skbadr/metrics/rates.py": [*_METRICS, "surrogates"],
    "skbadr/metrics/standard_error.py": ["report"],
    "skbadr/metrics/surrogates.py": ["surrogates"],
}
# Those of many samples take too long to run two hundred times.
FAST = (
    "not (metrics_fairlearn and test_rates) and not population and not implicit_solver_descends "
    "and not asked_for"
)
# Of the processor, for the tests of one mutant.
SECONDS = 60
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
        yield lambda n: setattr(n, "value", ast.Constant(None))


def places(tree):
    """Yield the nodes within functions that the program runs, by their path from the root."""

    def visit(node, path, inside):
        if isinstance(node, ast.Raise):  # what messages say is no matter of numbers
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
    """Return the line, what is there before and after, and the source of a mutant."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    node = tree
    for field, i in place:
        node = getattr(node, field) if i is None else getattr(node, field)[i]
    before = ast.unparse(node).splitlines()[0]
    list(changes(node))[number](node)
    ast.fix_missing_locations(tree)
    return node.lineno, before, ast.unparse(node).splitlines()[0], ast.unparse(tree)


class Broken:
    """Imports one module from a source of its own."""

    def __init__(self, path, source):
        self.name = path.removesuffix(".py").replace("/", ".")
        self.path, self.source = path, source

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            return importlib.util.spec_from_loader(name, self, origin=self.path)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, self.path, "exec"), module.__dict__)


def run_tests(path, source=None):
    """Run the tests of a file in a process of their own; return whether they pass, and seconds."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1), os.dup2(null, 2)
        if source is not None:
            sys.meta_path.insert(0, Broken(path, source))
        import pytest

        files = [f"tests/test_{name}.py" for name in TESTS[path]]
        options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", FAST]
        os._exit(pytest.main([*options, *files]))
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status) == 0, used.ru_utime + used.ru_stime


def main():
    """Check as many mutants as asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minimum", type=float, default=0.9, help="share to be killed")
    parser.add_argument("--only", help="one file of TESTS")
    options = parser.parse_args()
    os.environ["CI"] = "1"  # the same examples of hypothesis for every mutant
    sys.path[:0] = [os.getcwd(), "tests"]
    # What tests import, but the package: each process starts with it, which saves seconds.
    import fairlearn.metrics  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pandas  # noqa: F401
    import pytest  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import sklearn.model_selection  # noqa: F401

    paths = [options.only] if options.only else list(TESTS)
    for path in paths:
        passed, seconds = run_tests(path)
        if not passed:
            sys.exit(f"{path}: its tests do not pass as it is, or not within {SECONDS} s")
        print(f"{path}: {seconds:.0f} s", flush=True)
    everything = [(path, *mutant) for path in paths for mutant in mutants(path)]
    random.seed(options.seed)
    chosen = random.sample(range(len(everything)), min(options.mutants, len(everything)))
    alive, total = [], 0.0
    for path, place, number in (everything[i] for i in sorted(chosen)):
        line, before, after, source = break_at(path, place, number)
        passed, seconds = run_tests(path, source)
        total += seconds
        if passed:
            alive.append(f"{path}:{line}: {before}  ->  {after}")
            print(f"survived: {alive[-1]}", flush=True)
    killed = len(chosen) - len(alive)
    print(f"{killed} of {len(chosen)} mutants killed, of {len(everything)}; {total:.0f} s")
    sys.exit(0 if killed >= options.minimum * len(chosen) else 1)


if __name__ == "__main__":
    main()
