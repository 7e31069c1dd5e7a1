"""Record what searches among solutions of a smooth lower level visit."""

from __future__ import annotations

import time

import numpy as np


class Recorder:
    """Evaluate solutions on all rows, add them to an archive and tell the monitor.

    Parameters
    ----------
    smooth : SmoothProblem
    archive : Archive
        Receives every solution; the first is the baseline one.
    check : callable or None, default=None
        Called with the baseline's evaluation; raises to end the search.
    most : int or inf, default=inf
        Number of solutions after which the search is to stop.
    monitored : bool, default=True
        Whether the problem's monitor is told.

    Attributes
    ----------
    stopped : bool
        Whether the monitor asked to stop, or there are as many solutions as there may be.
    """

    def __init__(self, smooth, archive, *, check=None, most=np.inf, monitored=True):
        self.smooth, self.archive, self.check, self.most = smooth, archive, check, most
        self.monitor = smooth.problem.monitor if monitored else None
        self.stopped = False

    def add(self, weights, states, origin, *, begin=None, value=None, iteration=None):
        """Record solved states and return their evaluation.

        Parameters
        ----------
        weights : ndarray of shape (K,)
        states : list of LinearState
        origin : str
            What proposed the weights.
        begin : float or None, default=None
            Time at which the solution began.
        value : float or None, default=None
            The metric as a cost, if it is known.
        iteration : int or None, default=None
            None: the number of the visit.
        """
        begin = time.perf_counter() if begin is None else begin
        iteration = len(self.archive.evaluations) + 1 if iteration is None else iteration
        evaluation = self.smooth.evaluate(weights, states, origin, iteration, begin, value)
        self.archive.add(evaluation)
        if origin == "baseline" and self.check is not None:
            self.check(evaluation)
        asked = self.monitor is not None and self.monitor(evaluation, self.archive)
        self.stopped = self.stopped or asked or len(self.archive.evaluations) >= self.most
        return evaluation
