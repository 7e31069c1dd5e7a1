"""Warnings: recorded where models are fitted, and shown at the line of the user's call."""

import sys
import threading
import warnings
from contextlib import contextmanager

_LIBRARIES = {"skbadr", "sklearn", "joblib"}
# The records of the fit under way in this thread.
_thread = threading.local()
_n_holding = 0


def warn_user(message, category=UserWarning):
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
def hold_warnings():
    """Keep warnings back until the block ends, then issue each distinct one once.

    Within the block, `record_warnings` works in any number of threads at once. The filters are
    those of the caller: none is applied before the end. If the block raises, what was held back
    is dropped.
    """
    global _n_holding
    router = _Router()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        router.shown, warnings.showwarning = warnings.showwarning, router
        _n_holding += 1
        try:
            yield
        finally:
            _n_holding -= 1
            router.held, held = None, router.held
    seen = set()
    for message, category, filename, line in held:
        if (str(message), category) not in seen:
            seen.add((str(message), category))
            warnings.warn_explicit(message, category, filename, line)


@contextmanager
def record_warnings():
    """Record the warnings of this thread as a list of distinct (message, category)."""
    outer, found = getattr(_thread, "records", None), []
    _thread.records = found
    distinct = []
    try:
        # In a worker process, nobody holds warnings. Changing filters is not safe in threads,
        # which is why threads rely on whoever started them.
        if _n_holding:
            yield distinct
        else:
            with hold_warnings():
                yield distinct
    finally:
        _thread.records = outer
        distinct += dict.fromkeys((str(message), category) for message, category, *_ in found)


class _Router:
    """Stands in for ``warnings.showwarning``: to the thread's records, or held back."""

    def __init__(self):
        self.held = []

    def __call__(self, message, category, filename, line, *rest):
        records = getattr(_thread, "records", None)
        records = self.held if records is None else records
        if records is None:  # left behind by the context manager of another thread
            self.shown(message, category, filename, line, *rest)
        else:
            records.append((message, category, filename, line))
