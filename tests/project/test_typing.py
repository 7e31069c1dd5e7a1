"""Annotations: of all that the documentation lists. That they are right, `.ci/run types` checks."""

import importlib
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from skbadr import BADRClassifier, BADRRegressor

ROOT = Path(__file__).resolve().parents[2]


def documented_names():
    """Return the full names that the API reference lists."""
    names, module = [], ""
    for line in (ROOT / "doc" / "api" / "index.rst").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.fullmatch(r"   ([A-Za-z_][\w.]*)", line):
            names.append(f"{module}.{found[1]}")
    return names


def documented_item(name):
    module, _, name = name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def functions_of(item):
    """Yield the functions that an item is made of: itself, or the public methods of a class."""
    if not inspect.isclass(item):
        yield item
        return
    for name in dir(item):
        if name.startswith("_") and name not in ("__init__", "__call__"):
            continue
        member = inspect.getattr_static(item, name)
        member = getattr(member, "fget", None) or getattr(member, "func", None) or member
        member = getattr(member, "fn", member)  # of available_if
        member = inspect.unwrap(getattr(member, "__func__", member))
        if inspect.isfunction(member) and member.__module__.startswith("skbadr."):
            yield member


def missing_annotations(function):
    """Return the names of parameters without a type, and "return"."""
    parameters = list(inspect.signature(function).parameters.values())
    if "." in function.__qualname__ and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    missing = [p.name for p in parameters if p.annotation is p.empty]
    returned = inspect.signature(function).return_annotation
    return missing + ["return"] * (returned is inspect.Signature.empty)


def declared_attributes(kind):
    """Return the names that the bodies of a class and of its bases declare."""
    return {name for base in kind.__mro__ for name in inspect.get_annotations(base)}


def documented_attributes(item):
    """Return the names under Attributes in the docstring of a class."""
    doc = inspect.getdoc(item) or ""
    found = re.search(r"^Attributes\n-+\n(.*?)(?=^\S[^\n]*\n---|\Z)", doc, re.M | re.S)
    lines = found[1].splitlines() if found else []
    return [n for line in lines if (m := re.match(r"([\w, ]+) : ", line)) for n in m[1].split(", ")]


def test_the_reference_is_read():
    names = documented_names()
    assert "skbadr.BADRClassifier" in names
    assert "skbadr.lower_level.LinearFamily" in names
    assert {"cell_weights_", "baseline_metric_value_", "bargaining_"} <= set(
        documented_attributes(BADRClassifier)
    )


@pytest.mark.parametrize("name", documented_names())
def test_every_parameter_has_a_type(name):
    item = documented_item(name)
    missing = {f.__qualname__: m for f in functions_of(item) if (m := missing_annotations(f))}
    assert missing == {}


@pytest.mark.parametrize("name", documented_names())
def test_every_attribute_is_declared(name):
    item = documented_item(name)
    if not inspect.isclass(item):
        return
    declared = declared_attributes(item)
    attributes = documented_attributes(item)
    assert [n for n in attributes if n not in declared and not hasattr(item, n)] == []


@pytest.mark.parametrize("kind", [BADRClassifier, BADRRegressor])
def test_types_can_be_read_as_the_program_runs(kind):
    hints = typing.get_type_hints(kind.__init__)
    assert set(hints) == set(inspect.signature(kind).parameters) | {"return"}


@pytest.mark.parametrize("kind", [BADRClassifier, BADRRegressor])
def test_declared_attributes_are_not_set_before_fit(kind):
    declared = declared_attributes(kind)
    assert "cell_weights_" in declared
    assert [n for n in declared if n.endswith("_") and hasattr(kind(), n)] == []


def test_the_script_that_is_right_runs():
    script = ROOT / "tests" / "typing" / "right.py"
    subprocess.run([sys.executable, "-W", "ignore", script], check=True, capture_output=True)
