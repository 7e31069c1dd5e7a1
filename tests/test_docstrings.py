"""The examples of the docstrings."""

import doctest
import importlib
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
