"""The layers of the package: imports point downwards, and private names stay in one place."""

import ast
import graphlib
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "skbadr"

# From bottom to top. A name stands for the module and, if it is a package, for all within.
LAYERS = [
    ["skbadr._typing", "skbadr._plugins"],
    ["skbadr._sklearn", "skbadr._warnings", "skbadr._rows"],
    ["skbadr.datasets"],
    ["skbadr._parallel", "skbadr._guard", "skbadr._deprecation", "skbadr._show_versions"],
    ["skbadr.losses", "skbadr._simplex", "skbadr.partition"],
    ["skbadr.metrics"],
    ["skbadr.result"],
    ["skbadr.lower_level"],
    ["skbadr.problem"],
    ["skbadr.distributed"],
    ["skbadr.bargaining"],
    ["skbadr.guides"],
    ["skbadr.solvers"],
    ["skbadr.estimators"],
    ["skbadr.pareto"],
    ["skbadr.comparison"],
    ["skbadr.plotting"],
    ["skbadr.report"],
    ["skbadr"],  # what skbadr/__init__.py exports: its own imports are exempt
    ["skbadr.cli"],
    ["skbadr.__main__"],
]
LAYER = {name: height for height, names in enumerate(LAYERS) for name in names}

RUNTIME = {"sklearn", "numpy", "scipy", "fairlearn", "joblib"}
OPTIONAL = {"matplotlib", "pandas", "polars", "dask", "distributed", "charset_normalizer"}
OPTIONAL |= {"jinja2", "tqdm"}
# The one place where data in memory and those of Dask part.
CHOICE = "skbadr.estimators.inputs.table"
PRIVATE_HOMES = {
    "sklearn": "skbadr._sklearn",
    "fairlearn": "skbadr.metrics.fairlearn_metrics",
}
MAX_LINES = 400
MAX_FUNCTION_LINES = 60  # of code
MAX_FILES = 15  # of Python, directly in a folder
# Numbers at the top of modules, and fields of frozen dataclasses, each of which somebody has to
# tune.
BUDGETS = {"skbadr.solvers": 83, "skbadr": 179}


class Import(NamedTuple):
    """`import module` (no name) or `from module import name`, made absolute."""

    module: str
    name: str | None
    line: int
    deferred: bool  # within a function, or for type checkers only
    typing: bool  # the latter

    @property
    def package(self):
        return self.module.partition(".")[0]

    @property
    def parts(self):
        return self.module.split(".") + ([self.name] if self.name else [])


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def is_type_checking(test):
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def read_imports(source, module, *, is_package):
    """Return every import of a module, at any depth."""
    found = []

    def visit(node, deferred, typing=False):
        how = deferred, typing
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, None, node.lineno, *how) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join(parts + ([base] if base else []))
            found.extend(Import(base, alias.name, node.lineno, *how) for alias in node.names)
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            for child in node.body:
                visit(child, True, True)
            for child in node.orelse:
                visit(child, *how)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                visit(child, deferred or inside, typing)

    visit(ast.parse(source), False)
    return found


IMPORTS = {
    module: read_imports(
        path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py"
    )
    for module, path in FILES.items()
}


def layer_name(module):
    """Return the entry of LAYERS for a module: skbadr.metrics for skbadr.metrics.rates."""
    return ".".join(module.split(".")[:2])


def imported_module(imported, modules):
    """Return the module an import loads: `from skbadr import metrics` is one of skbadr.metrics."""
    full = ".".join(imported.parts)
    return full if full in modules else imported.module


def find_upward_imports(module, imports, modules):
    """Return a message for every import of a module within the package that the layers forbid."""
    here = layer_name(module)
    messages = []
    for imported in imports:
        if imported.package != "skbadr":
            continue
        target = imported_module(imported, modules)
        there = layer_name(target)
        if there == here or there not in LAYER:  # the latter: test_every_module_has_a_layer
            continue
        if LAYER[there] >= LAYER[here]:
            relation = "above" if LAYER[there] > LAYER[here] else "beside"
            messages.append(f"line {imported.line}: {target} lies {relation} {here}")
    return messages


def find_circle(imports, modules, depth=None):
    """Return modules that import each other in turn, or None.

    With a depth of 3, the folders within a package each count as one module.

    What a function imports counts, what only type checkers read does not: an annotation may name a
    class whose module calls this one. Nor does a package's own `__init__`, which runs before any of
    its modules, unless a module imports it.
    """
    graph = {}
    for module, own in imports.items():
        here = shorten(module, depth)
        ours = [i for i in own if i.package == "skbadr" and not i.typing]
        there = {shorten(imported_module(i, modules), depth) for i in ours}
        graph.setdefault(here, set()).update(there if depth is None else there - {here})
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return None


def shorten(module, depth):
    return ".".join(module.split(".")[:depth])


def find_private_imports(imports, package):
    """Return the imports of underscored modules or names of a third-party package."""
    return [
        imported
        for imported in imports
        if imported.package == package
        and any(re.match("_(?!_)", part) for part in imported.parts[1:])
    ]


def find_foreign_imports(imports):
    """Return the imports of packages that a user need not have installed."""
    always = sys.stdlib_module_names | RUNTIME | {"skbadr"}
    return [
        imported
        for imported in imports
        if imported.package not in always
        and not (imported.deferred and imported.package in OPTIONAL)
    ]


def check_no(imports, what):
    assert not imports, f"{what}: " + ", ".join(
        f"{'.'.join(imported.parts)} (line {imported.line})" for imported in imports
    )


def test_package_is_found():
    assert "skbadr" in FILES


@pytest.mark.parametrize("module", FILES)
def test_every_module_has_a_layer(module):
    assert layer_name(module) in LAYER, (
        f"{layer_name(module)} has no layer: give it its place in LAYERS of {Path(__file__).name}"
    )


@pytest.mark.parametrize("module", [module for module in FILES if module != "skbadr"])
def test_imports_point_down(module):
    if layer_name(module) not in LAYER:
        pytest.fail(f"{layer_name(module)} has no layer")
    messages = find_upward_imports(module, IMPORTS[module], FILES)
    assert not messages, "; ".join(messages)


def test_no_module_imports_itself_by_way_of_others():
    assert find_circle(IMPORTS, FILES) is None


def test_no_folder_of_a_package_imports_itself_by_way_of_others():
    assert find_circle(IMPORTS, FILES, depth=3) is None


@pytest.mark.parametrize("module", FILES)
def test_private_names_are_imported_in_one_place(module):
    for package, home in PRIVATE_HOMES.items():
        if module != home:
            check_no(
                find_private_imports(IMPORTS[module], package),
                f"private names of {package} are imported by {home} alone",
            )


@pytest.mark.parametrize("module", FILES)
def test_only_dependencies_are_imported(module):
    # badr is the reference implementation, under the GPL: it is compared with, never imported.
    check_no([i for i in IMPORTS[module] if i.package == "badr"], "badr may not be imported")
    check_no(
        find_foreign_imports(IMPORTS[module]),
        f"only {sorted(RUNTIME)} may be imported, and within functions {sorted(OPTIONAL)}",
    )


@pytest.mark.parametrize("module", FILES)
def test_dask_is_known_in_one_package(module):
    if layer_name(module) == "skbadr.distributed":
        return
    dask = [i for i in IMPORTS[module] if i.package in ("dask", "distributed")]
    check_no(dask, "Dask is imported by skbadr.distributed alone")
    if module != CHOICE:
        ours = [i for i in IMPORTS[module] if "distributed" in i.parts[:2]]
        check_no(ours, f"skbadr.distributed is imported by {CHOICE} alone")


@pytest.mark.parametrize("module", FILES)
def test_file_length(module):
    lines = len(FILES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines, {MAX_LINES} allowed: does it hold two ideas?"


def code_lines(source):
    """Return the numbers of the lines that hold more than space and comments."""
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines


def function_lengths(source):
    """Yield the name of every function, and the lines of code of its body without docstring."""
    code = code_lines(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body if ast.get_docstring(node) is None else node.body[1:]
            first = body[0].lineno if body else node.end_lineno + 1
            yield node.name, len(code.intersection(range(first, node.end_lineno + 1)))


@pytest.mark.parametrize("module", FILES)
def test_function_length(module):
    lengths = function_lengths(FILES[module].read_text(encoding="utf-8"))
    long = [f"{name} ({lines})" for name, lines in lengths if lines > MAX_FUNCTION_LINES]
    assert not long, f"more than {MAX_FUNCTION_LINES} lines of code: {', '.join(long)}"


def test_files_of_a_folder():
    folders = Counter(path.parent.relative_to(ROOT).as_posix() for path in FILES.values())
    full = {folder: n for folder, n in folders.items() if n > MAX_FILES}
    assert not full, f"more than {MAX_FILES} files: {full}"


def tuning_constants(source):
    """Return the names of the numbers, and of the tuples of numbers, of a module.

    The fields of frozen dataclasses count, and what an object of a module is made with.
    """
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and any(map(is_frozen, node.decorator_list)):
            fields = [f for f in node.body if isinstance(f, ast.AnnAssign) and f.value]
            names += [f"{node.name}.{f.target.id}" for f in fields if is_number(f.value)]
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                if name.id.isupper() and is_number(value):
                    names.append(name.id)
                elif name.id.isupper() and isinstance(value, ast.Call):
                    made = [k.arg for k in value.keywords if k.arg and is_number(k.value)]
                    names += [f"{name.id}.{arg}" for arg in made]
    return names


def is_frozen(decorator):
    """Whether a decorator is ``dataclass(frozen=True)``."""
    return isinstance(decorator, ast.Call) and "frozen=True" in ast.unparse(decorator)


def is_number(node):
    """Whether an expression is made of numbers alone."""
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Tuple, ast.operator, ast.unaryop, ast.Load)
    nodes = list(ast.walk(node))
    numbers = all(type(n.value) in (int, float) for n in nodes if isinstance(n, ast.Constant))
    return numbers and all(isinstance(n, kinds) for n in nodes)


@pytest.mark.parametrize(("package", "budget"), BUDGETS.items())
def test_tuning_constants_stay_within_their_budget(package, budget):
    names = []
    for module, path in FILES.items():
        if module == package or module.startswith(package + "."):
            names += tuning_constants(path.read_text(encoding="utf-8"))
    assert len(names) <= budget, "what does the new one bring? See the ablations in benchmarks"
    assert sorted(names) == sorted(set(names)), "one name stands for two values"


CONSTANTS = """
FEW, MANY = 2, 3.0
NAMES = ("a", "b")
MOVES = Moves(draws=4, name="a")
@dataclass(frozen=True)
class Settings:
    rows: int = 5
    tilts: tuple = (0.5, -1.0)
    name: str = "a"
@dataclass
class State:
    value: float = 0.0
"""


def test_constants_are_seen_wherever_they_stand():
    found = ["FEW", "MANY", "MOVES.draws", "Settings.rows", "Settings.tilts"]
    assert tuning_constants(CONSTANTS) == found


def test_bounds_are_the_oldest_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = dict(d.split(">=") for d in project["dependencies"])
    assert {name.replace("scikit-learn", "sklearn") for name in bounds} == RUNTIME
    optional = extras["plot"] + extras["report"] + extras["cli"] + extras["test"] + extras["dask"]
    bounds |= dict(d.partition(";")[0].split(">=") for d in optional)
    bounds = {name.partition("[")[0]: bound for name, bound in bounds.items()}

    oldest = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", oldest, re.MULTILINE))
    # A pin without a bound is of a dependency's dependency.
    assert {name: pins.get(name) for name in bounds} == bounds


SAMPLE = """
import sklearn.utils._param_validation
from . import rates
from .. import losses, __version__
from ..estimators import BADRClassifier
from sklearn import __version__ as version
from typing import TYPE_CHECKING
import pandas
if TYPE_CHECKING:
    import polars
class A:
    def method(self):
        from sklearn.base import _fit_context
        import matplotlib.pyplot, torch
"""
SAMPLE_MODULES = {"skbadr", "skbadr.losses", "skbadr.metrics", "skbadr.metrics.rates"}


def test_checks_see_every_import():
    imports = read_imports(SAMPLE, "skbadr.metrics.base", is_package=False)
    assert find_upward_imports("skbadr.metrics.base", imports, SAMPLE_MODULES) == [
        "line 4: skbadr lies above skbadr.metrics",
        "line 5: skbadr.estimators lies above skbadr.metrics",
    ]
    assert [i.line for i in find_private_imports(imports, "sklearn")] == [2, 13]
    assert [i.parts for i in find_foreign_imports(imports)] == [["pandas"], ["torch"]]


def test_relative_imports_of_a_package_start_at_itself():
    (imported,) = read_imports("from .rates import x", "skbadr.metrics", is_package=True)
    assert imported.module == "skbadr.metrics.rates"


def test_modules_of_one_layer_are_independent():
    imports = read_imports("import skbadr._simplex", "skbadr.losses", is_package=False)
    assert find_upward_imports("skbadr.losses", imports, {"skbadr._simplex"}) == [
        "line 1: skbadr._simplex lies beside skbadr.losses"
    ]


def test_circles_within_a_package_are_seen():
    sources = {
        "skbadr.a": "",
        "skbadr.a.b": "from .c import x",
        "skbadr.a.c": "def f():\n    from skbadr.a import b",
        "skbadr.a.d": "if TYPE_CHECKING:\n    from skbadr.a import e",
        "skbadr.a.e": "import skbadr.a.d",
    }
    imports = {
        name: read_imports(source, name, is_package=name == "skbadr.a")
        for name, source in sources.items()
    }
    assert set(find_circle(imports, sources)) == {"skbadr.a.b", "skbadr.a.c"}
    del imports["skbadr.a.c"]
    assert find_circle(imports, sources) is None


def test_circles_between_folders_are_seen():
    sources = {
        "skbadr.a.b.one": "from skbadr.a.c.two import x",
        "skbadr.a.b.three": "from skbadr.a.b.one import y",
        "skbadr.a.c.two": "",
        "skbadr.a.c.four": "from skbadr.a.b import three",
    }
    imports = {name: read_imports(s, name, is_package=False) for name, s in sources.items()}
    assert find_circle(imports, sources) is None
    assert set(find_circle(imports, sources, depth=3)) == {"skbadr.a.b", "skbadr.a.c"}


FUNCTIONS = """
def first(x):
    '''Say what it does.

    At length.
    '''
    # A comment.

    def second():
        return 1  # another

    return [
        x,
        second(),
    ]
def third(): ...
def fourth():
    "Nothing else."
"""


def test_lines_of_functions_are_counted():
    found = dict(function_lengths(FUNCTIONS))
    assert found == {"first": 6, "second": 1, "third": 1, "fourth": 0}


def test_importing_takes_little_more_than_what_it_is_made_of():
    """What takes as long as half of the package, and few need, is imported where it is used."""
    code = "import sys, skbadr; print({'sklearn.ensemble', 'scipy.signal'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert shown.stdout.strip() == "set()", shown.stderr
