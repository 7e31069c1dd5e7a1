"""Progress of a search: printed lines, scikit-learn's callbacks where it has them, a listener."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with the number of refits so far, and with the largest number where it is known.
Listener = Callable[[int, int | None], None]

_listener: ContextVar[Listener | None] = ContextVar("skbadr_progress", default=None)


@contextmanager
def listen(listener: Listener | None) -> Iterator[None]:
    """Let a function hear of every refit within the block, however deep it runs."""
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


class Monitor:
    """Tell the user, and callbacks, about every refit.

    Parameters
    ----------
    owner : estimator
        The BADR estimator being fitted.
    X, y : training data, for callbacks
    sample_weight : ndarray or None
        The user's, for callbacks.
    budget : int or None
        Largest number of refits, where it is known.
    verbose : int
        0: silent; 1: a line at the end of each refit that improved; 2: a line per refit.
    attributes : callable ``Archive -> dict or None``
        What it takes to predict as if the search had stopped now.
    """

    def __init__(self, owner, X, y, *, sample_weight, budget, verbose, attributes):
        self.owner, self.budget, self.verbose = owner, budget, verbose
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"estimator": owner, "X": X, "y": y, "metadata": metadata}
        self.attributes = attributes
        self.context = None
        self.archive = None

    def __enter__(self):
        start = getattr(self.owner, "_init_callback_context", None)
        if start is not None:
            self.context = start(max_subtasks=self.budget)
            self.context.call_on_fit_task_begin(**self.data)
        return self

    def __exit__(self, kind, error, traceback):
        if self.context is not None and kind is None:
            self.context.call_on_fit_task_end(
                **self.data, reconstruction_attributes=self._attributes
            )
        return False

    def __call__(self, evaluation, archive):
        """Report an evaluation; return whether a callback asks to stop."""
        self.archive = archive
        tell(len(archive.evaluations), self.budget)
        improved = archive.best is evaluation
        if self.verbose > 1 or (self.verbose and improved):
            self._print(evaluation, len(archive.evaluations), improved)
        if self.context is None:
            return False
        task = self.context.subcontext(task_name="refit")
        task.call_on_fit_task_begin(**self.data)
        stop = task.call_on_fit_task_end(**self.data, reconstruction_attributes=self._attributes)
        return bool(stop)

    def _attributes(self):
        return None if self.archive is None else self.attributes(self.archive)

    def _print(self, evaluation, number, improved):
        name = type(self.owner).__name__
        outcome = (
            f"failed: {evaluation.error}"
            if evaluation.failed
            else f"metric {evaluation.metric:.5f}  score {evaluation.score:.5f}"
        )
        of_budget = "" if self.budget is None else f"/{self.budget}"
        print(
            f"[{name}] refit {number}{of_budget} ({evaluation.origin})  {outcome}"
            f"{'  best so far' if improved else ''}"
        )
