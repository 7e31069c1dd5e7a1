"""Warnings: recorded where models are fitted, and shown at the line of the user's call.

Python keeps one list of filters and one ``showwarning`` for all threads, so that
``warnings.catch_warnings`` in two threads at once may leave the filters of one behind. Here a
single filter goes to the front of that list, which only matches in threads that are collecting, and
it is taken out when the last of them ends.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LIBRARIES = {"skbadr", "sklearn", "joblib"}
# ``records``: where the warnings of this thread go; None or missing: to whoever shows them.
_thread = threading.local()
_lock = threading.Lock()
_n_collecting = 0
# What was in place before the first thread began: ``showwarning``, and lists of filters.
_shown = warnings.showwarning
_lists: list[list[Any]] = []


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line outside skbadr, scikit-learn and joblib.

    A fixed stack level cannot: fits run below decorators, pipelines and searches.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _package(frame) in _LIBRARIES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level + 1)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]


@contextmanager
def hold_warnings() -> Iterator[None]:
    """Keep this thread's warnings back until the block ends, then issue each distinct one once.

    The filters are those of the caller: none is applied before the end. If the block raises, what
    was held back is dropped. Any number of threads may hold theirs at once.
    """
    with _collecting() as held:
        yield
    seen = set()
    for message, category, filename, line in held:
        if (str(message), category) not in seen:
            seen.add((str(message), category))
            warnings.warn_explicit(message, category, filename, line)


@contextmanager
def record_warnings() -> Iterator[list[tuple[str, type[Warning]]]]:
    """Record the warnings of this thread as a list of distinct (message, category)."""
    found: list[Any] = []
    distinct: list[tuple[str, type[Warning]]] = []
    try:
        with _collecting() as found:
            yield distinct
    finally:
        distinct += dict.fromkeys((str(message), category) for message, category, *_ in found)


@contextmanager
def _collecting():
    """Collect the warnings of this thread as (message, category, filename, line)."""
    outer, found = getattr(_thread, "records", None), []
    _begin()
    try:
        _thread.records = found
        yield found
    finally:
        _thread.records = outer
        _end()


def _begin():
    global _n_collecting, _shown
    with _lock:
        _n_collecting += 1
        if warnings.showwarning is not _route:
            _shown, warnings.showwarning = warnings.showwarning, _route
        filters = warnings.filters
        if not filters or filters[0] != _FILTER:
            if not _has_copy(filters):
                _lists.append(filters)
            filters.insert(0, _FILTER)
            _forget_shown()


def _end():
    global _n_collecting
    with _lock:
        _n_collecting -= 1
        if _n_collecting:
            return
        if warnings.showwarning is _route:
            warnings.showwarning = _shown
        if _has_copy(warnings.filters) and not any(warnings.filters is known for known in _lists):
            # A copy, left behind where context managers of several threads did not nest.
            warnings.filters = _lists[0]
        for filters in _lists:
            filters[:] = [entry for entry in filters if entry != _FILTER]
        _lists.clear()
        _forget_shown()


def _route(message, category, filename, line, *rest, **options):
    """Stand in for ``warnings.showwarning``: to the thread's records, or to whoever shows them."""
    records = getattr(_thread, "records", None)
    if records is None:
        _shown(message, category, filename, line, *rest, **options)
    else:
        records.append((message, category, filename, line))


class _WhereCollecting:
    """The message of a filter, which asks it for a match: in threads that are collecting."""

    # scikit-learn's workers make filters anew from their patterns: there it matches nothing.
    pattern = r"(?!skbadr is collecting)(?=skbadr is collecting)"

    def match(self, text):
        return getattr(_thread, "records", None) is not None

    def __reduce__(self):
        return "_WHERE_COLLECTING"


_WHERE_COLLECTING = _WhereCollecting()
_FILTER = ("always", _WHERE_COLLECTING, Warning, None, 0)


def _has_copy(filters):
    """Whether filters are those that were put in place here, or a copy of them."""
    pattern = _WhereCollecting.pattern
    return any(getattr(entry[1], "pattern", None) == pattern for entry in filters)


def _forget_shown():
    """Make modules forget which warnings they have shown, as any change of filters does."""
    getattr(warnings, "_filters_mutated", lambda: None)()
