"""What a report of a bug needs to say about the installation."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from skbadr._plugins import KINDS, plugin_names
from skbadr._sklearn import _get_threadpool_controller

_REQUIRED = ("skbadr", "scikit-learn", "numpy", "scipy", "fairlearn", "joblib")
_OPTIONAL = (
    "pandas",
    "polars",
    "pyarrow",
    "matplotlib",
    "charset-normalizer",
    "skops",
    "dask",
    "distributed",
    "xgboost",
    "xgboost-cpu",
    "lightgbm",
    "catboost",
)


def show_versions() -> None:
    """Print the versions of Python, skbadr and the packages it works with, for a report of a bug.

    It also prints the system, the number of processors, the libraries for linear algebra and
    threads, and the names that other packages offer. It prints no name of a user or a folder.

    Examples
    --------
    >>> import skbadr
    >>> skbadr.show_versions()  # doctest: +ELLIPSIS
    System
      python                        3...
    """
    # Not the full version of Python, which may say who built it.
    _print_section(
        "System",
        {
            "python": f"{platform.python_version()} ({sys.implementation.name})",
            "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
            "processors": os.cpu_count(),
        },
    )
    _print_section("Required packages", {name: _version(name) for name in _REQUIRED})
    _print_section("Optional packages", {name: _version(name) for name in _OPTIONAL})
    _print_section(
        "Threads",
        {
            f"{pool['prefix']} {pool['version'] or ''}".strip(): pool["num_threads"]
            for pool in _get_threadpool_controller().info()
        },
    )
    _print_section("Offered by other packages", {k: ", ".join(plugin_names(k)) for k in KINDS})


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _print_section(title, entries):
    print(title)
    for name, value in entries.items():
        print(f"  {name:<29} {'-' if value in (None, '') else value}")
