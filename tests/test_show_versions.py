"""What a report of a bug says about the installation."""

import getpass
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy
import pytest

import skbadr
from skbadr import _show_versions


@pytest.fixture
def printed(capsys):
    skbadr.show_versions()
    return capsys.readouterr().out


def test_versions_of_this_installation(printed):
    lines = dict(line.split(maxsplit=1) for line in printed.splitlines() if line.startswith("  "))
    assert lines["skbadr"] == skbadr.__version__
    assert lines["numpy"] == numpy.__version__
    assert set(_show_versions._REQUIRED) <= set(lines)


def test_nothing_private_is_printed(printed):
    assert str(Path.home()) not in printed
    assert str(Path.cwd()) not in printed
    if getpass.getuser() != "root":
        assert getpass.getuser() not in printed


def test_a_package_that_is_missing(monkeypatch, capsys):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_show_versions, "version", version)
    skbadr.show_versions()
    assert "  lightgbm                      -\n" in capsys.readouterr().out
