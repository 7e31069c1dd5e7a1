"""The public interface as text: every name, with its parameters and their defaults.

Usage, at the root of the repository:

    python tests/public_api.py             write tests/public_api/current.txt anew
    python tests/public_api.py --release   also make it that of the last release

The first is part of every change of the interface, the second of every release.
"""

import argparse
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

FOLDER = Path(__file__).with_suffix("")
CURRENT, RELEASED = FOLDER / "current.txt", FOLDER / "released.txt"
INDENT = "    "


def public_modules():
    """Return the names of the modules whose ``__all__`` is public."""
    package = importlib.import_module("skbadr")
    found = pkgutil.iter_modules(package.__path__)
    return ["skbadr", *(f"skbadr.{m.name}" for m in found if not m.name.startswith("_"))]


def read_interface():
    """Return the parameters of every public name, as lines of text, by full name."""
    items = {}
    for module in public_modules():
        for name in sorted(importlib.import_module(module).__all__):
            items[f"{module}.{name}"] = getattr(importlib.import_module(module), name)
    classes = {item for item in items.values() if inspect.isclass(item)}
    interface = {}
    for name, item in items.items():
        interface |= describe(name, item, classes)
    return interface | names_as_arguments() | command_options()


def describe(name, item, public_classes):
    """Return the entries of a function, or of a class with what it adds to its public bases."""
    if not inspect.isclass(item):
        return {name: parameters(item) if callable(item) else []}
    entries = {name: parameters(item)}
    members = {
        member
        for base in item.__mro__
        if base.__module__.startswith("skbadr") and (base is item or base not in public_classes)
        for member in (*vars(base), *inspect.get_annotations(base))
        if not member.startswith("_")
    }
    for member in sorted(members):
        value = inspect.getattr_static(item, member, None)
        value = getattr(value, "fn", getattr(value, "__func__", value))  # of available_if, of class
        entries[f"{name}.{member}"] = parameters(value, skip=1) if inspect.isfunction(value) else []
    return entries


def parameters(function, skip=0):
    """Return the parameters with their defaults, without their types; "*" where keywords begin."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except ValueError:  # of exceptions, say
        return []
    if skip and found and found[0].name in ("self", "cls"):
        found = found[1:]
    lines, keywords = [], False
    for parameter in found:
        if parameter.kind is parameter.VAR_POSITIONAL:
            keywords = True
        elif parameter.kind is parameter.KEYWORD_ONLY and not keywords:
            lines.append("*")
            keywords = True
        line = str(parameter.replace(annotation=parameter.empty))
        lines.append(line.partition(" at 0x")[0])
    return lines


def names_as_arguments():
    """Return what a user writes as text: metrics of this package, solvers, estimators with one."""
    from skbadr.lower_level.families import _FACTORIES
    from skbadr.metrics.registry import _METRICS
    from skbadr.solvers import SOLVERS

    own = {f"metric={name!r}, {task}" for task, names in _METRICS.items() for name in names}
    own |= {f"solver={name!r}" for name in SOLVERS}
    own |= {
        f"solver='implicit', estimator={kind.__name__}"
        for kind in _FACTORIES
        if kind.__module__.startswith("sklearn.")
    }
    return {name: [] for name in sorted(own)}


def command_options():
    """Return the options of the command, with their defaults."""
    from skbadr.cli._arguments import make_parser

    return {
        f"python -m skbadr {action.option_strings[-1]}": [f"default={action.default!r}"]
        for action in make_parser()._actions
        if action.dest != "help"
    }


def as_text(interface):
    """Return the interface as the files hold it."""
    lines = []
    for name, parameters in interface.items():
        lines += [name, *(INDENT + parameter for parameter in parameters)]
    return "\n".join(lines) + "\n"


def from_text(text):
    """Return the interface that `as_text` wrote."""
    interface, name = {}, ""
    for line in text.splitlines():
        if line.startswith(INDENT):
            interface[name].append(line.removeprefix(INDENT))
        else:
            name = line
            interface[name] = []
    return interface


def main():
    """Write what `read_interface` finds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--release", action="store_true", help="also the file of the last release")
    text = as_text(read_interface())
    for path in [CURRENT, RELEASED] if parser.parse_args().release else [CURRENT]:
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {len(from_text(text))} names")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
