"""What other packages offer by name, through entry points.

A package that offers something says so in its ``pyproject.toml``; nothing of it is imported before
its name is asked for, or all names of its kind are.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args

Kind = Literal["metrics", "solvers", "families"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@cache
def _offers(kind: Kind) -> dict[str, list[EntryPoint]]:
    """Return the entry points of a kind by name; reading them takes milliseconds."""
    offers: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=f"skbadr.{kind}"):
        offers.setdefault(entry.name, []).append(entry)
    return offers


def plugin_names(kind: Kind) -> list[str]:
    """Return the names that other packages offer, sorted; none of these is imported."""
    return sorted(_offers(kind))


@cache
def load_plugin(kind: Kind, name: str) -> Any:
    """Return what a package offers under a name, None where none does.

    Raises
    ------
    ValueError
        If two packages offer the name.
    ImportError
        If what the package names cannot be imported.
    """
    offers = _offers(kind).get(name, [])
    if len(offers) > 1:
        packages = " and ".join(sorted(map(_package, offers)))
        raise ValueError(f"{name!r} is offered by {packages} alike: uninstall one of them.")
    if not offers:
        return None
    try:
        return offers[0].load()
    except Exception as error:
        raise ImportError(
            f"{name!r} is offered by the package {_package(offers[0])}, but {offers[0].value} "
            f"cannot be imported ({error!r}): repair or uninstall that package."
        ) from error


def load_plugins(kind: Kind) -> dict[str, Any]:
    """Return all that other packages offer; what fails is left out, with a warning."""
    loaded = {}
    for name in plugin_names(kind):
        try:
            loaded[name] = load_plugin(kind, name)
        except (ImportError, ValueError) as error:
            warnings.warn(f"Entry point of skbadr.{kind} left out: {error}", stacklevel=2)
    return loaded


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
