"""The examples of the docstrings."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import skbadr

MODULES = [
    module.name
    for module in pkgutil.walk_packages(skbadr.__path__, "skbadr.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_no_line_of_a_docstring_lies_left_of_its_sections(name):
    # Such a line keeps the others from being unindented, and the sections from being found.
    module = importlib.import_module(name)
    own = [
        item
        for _, item in inspect.getmembers(module, callable)
        if getattr(item, "__module__", None) == name
    ]
    indented = [
        item.__qualname__
        for item in own
        if any(
            line.startswith(" ") and line.strip() == "Parameters"
            for line in (inspect.getdoc(item) or "").splitlines()
        )
    ]
    assert indented == []
