"""Who waits for a search hears of every refit, however deep it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with the number of refits so far, and with the largest number where it is known.
Listener = Callable[[int, int | None], None]

_listener: ContextVar[Listener | None] = ContextVar("skbadr_progress", default=None)


@contextmanager
def listen(listener: Listener | None) -> Iterator[None]:
    """Let a function hear of the refits within the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(n_refits: int, budget: int | None) -> None:
    """Tell the listener, if there is one, of one more refit."""
    listener = _listener.get()
    if listener is not None:
        listener(n_refits, budget)
