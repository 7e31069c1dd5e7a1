"""Tasks in parallel: processes, or threads that share the processor."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import nullcontext
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from sklearn import config_context, get_config

from skbadr._sklearn import _get_threadpool_controller
from skbadr._typing import Int


def run_tasks(
    function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], n_jobs: Int | None
) -> Generator[Any, None, None]:
    """Return a generator of ``function(*task)``, in the order of the tasks.

    scikit-learn's configuration goes along. Its filters of warnings, which `sklearn.utils.parallel`
    sends too, do not: in threads, they would replace one another's.

    Parameters
    ----------
    function : callable
    tasks : iterable of tuple
    n_jobs : int or None
        As joblib takes it.

    Returns
    -------
    results : generator
    """
    call = _Call(function, n_jobs)
    return Parallel(n_jobs=n_jobs, return_as="generator")(delayed(call)(*task) for task in tasks)


def one_blas_thread() -> Any:
    """Return a context in which BLAS uses one thread.

    On tables of some ten thousand rows more threads gain little. Where other programs run beside
    them, they wait for each other: eight times the processor time was seen.
    """
    return _get_threadpool_controller().limit(limits=1, user_api="blas")


class _Call:
    """A function with the state of the thread that started it."""

    def __init__(self, function, n_jobs):
        self.function, self.config = function, get_config()
        self.n_jobs = effective_n_jobs(n_jobs)
        self.started_in = os.getpid(), threading.get_ident()

    def __call__(self, *args):
        with config_context(**self.config), self._share_of_threads():
            return self.function(*args)

    def _share_of_threads(self):
        """Return a limit of OpenMP's threads, where this is one of several threads.

        Such limits hold for a thread, as joblib sets them for processes.
        """
        process, thread = self.started_in
        if process != os.getpid() or thread == threading.get_ident():
            return nullcontext()
        pools = _get_threadpool_controller().select(user_api="openmp")
        most = max((pool["num_threads"] for pool in pools.info()), default=1)
        return pools.limit(limits=max(1, most // self.n_jobs))
