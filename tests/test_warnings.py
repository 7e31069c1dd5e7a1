"""Warnings held back until a search ends, and recorded by thread."""

import threading
import warnings
from contextlib import nullcontext

import pytest

from skbadr._warnings import hold_warnings, record_warnings, warn_user


@pytest.fixture
def caught():
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        yield records


def test_held_warnings_come_once_at_the_end(caught):
    with hold_warnings():
        for text in ("odd", "odd", "even"):
            warnings.warn(text, RuntimeWarning, stacklevel=1)
        warnings.warn("odd", UserWarning, stacklevel=1)
        assert not caught
    assert [(str(w.message), w.category) for w in caught] == [
        ("odd", RuntimeWarning), ("even", RuntimeWarning), ("odd", UserWarning)
    ]  # fmt: skip
    assert caught[0].filename == __file__


def test_an_error_drops_what_was_held(caught):
    before = list(warnings.filters)
    with pytest.raises(KeyError), hold_warnings():
        warnings.warn("odd", RuntimeWarning, stacklevel=1)
        raise KeyError
    assert not caught
    assert warnings.filters == before


@pytest.mark.parametrize("held", [True, False])
def test_records_are_distinct_and_leave_nothing(held, caught):
    with hold_warnings() if held else nullcontext(), record_warnings() as found:
        for _ in range(2):
            warnings.warn("odd", RuntimeWarning, stacklevel=1)
    assert found == [("odd", RuntimeWarning)]
    assert not caught


def test_records_nest():
    with hold_warnings(), record_warnings() as outer:
        warn_user("before")
        with record_warnings() as inner:
            warn_user("within")
        warn_user("after")
    assert [text for text, _ in outer] == ["before", "after"]
    assert [text for text, _ in inner] == ["within"]


def test_records_are_kept_apart_by_thread():
    found, barrier = {}, threading.Barrier(4, timeout=30)

    def work(name):
        with record_warnings() as records:
            barrier.wait()
            for i in range(20):
                warnings.warn(f"{name} {i}", RuntimeWarning, stacklevel=1)
            barrier.wait()
        found[name] = [text for text, _ in records]

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    with hold_warnings():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {name: [f"{name} {i}" for i in range(20)] for name in "abcd"}


def test_what_a_search_leaves_behind_swallows_nothing(caught):
    # Another thread's context manager can restore what was in place during a search.
    with hold_warnings():
        left_behind = warnings.showwarning
    warnings.showwarning = left_behind
    warnings.warn("after all", RuntimeWarning, stacklevel=1)
    assert [str(w.message) for w in caught] == ["after all"]
