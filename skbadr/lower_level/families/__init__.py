"""Smooth linear estimators, one file per family. A new one is a file, imported and named here.

Other packages offer theirs by entry points of the group ``skbadr.families``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from skbadr._plugins import load_plugins
from skbadr._typing import Array
from skbadr.lower_level.families import glm, huber, least_squares, logistic, svm
from skbadr.lower_level.families.base import LinearFamily

_FACTORIES: dict[type, Callable[[Any, Any], LinearFamily | str]] = {}
for _module in (logistic, least_squares, svm, glm, huber):
    _FACTORIES.update(_module.FAMILIES)


def register_family(
    estimator_class: type, factory: Callable[[Any, Any], LinearFamily | str]
) -> None:
    """Make an estimator class known to the implicit solver.

    Parameters
    ----------
    estimator_class : type
    factory : callable ``(estimator, classes) -> LinearFamily or str``
        Makes the family of an estimator. If the factory returns a string, the string says why these
        parameters have no smooth objective.
    """
    _FACTORIES[estimator_class] = factory


def find_family(estimator: Any, classes: Array | None) -> LinearFamily | str:
    """Return the family of an estimator, or the reason why there is none.

    Parameters
    ----------
    estimator : estimator
    classes : ndarray of shape (C,) or None

    Returns
    -------
    family : LinearFamily or str
    """
    # The class itself: a subclass may train something else.
    factory = _FACTORIES.get(type(estimator)) or _offered().get(type(estimator))
    if factory is None:
        return f"{type(estimator).__name__} is not a known smooth linear model"
    return factory(estimator, classes)


def known_estimators() -> list[str]:
    """Return the names of the estimator classes with a family."""
    return sorted({kind.__name__ for kind in (*_FACTORIES, *_offered())})


@cache
def _offered():
    """Return the factories of other packages, to be asked after those that are registered."""
    offered = {}
    for name, families in load_plugins("families").items():
        if not isinstance(families, Mapping):
            raise TypeError(
                f"entry point {name!r} of skbadr.families must be a dict of factories by estimator "
                f"class, got {families!r}."
            )
        offered |= families
    return offered


__all__ = ["LinearFamily", "find_family", "known_estimators", "register_family"]
