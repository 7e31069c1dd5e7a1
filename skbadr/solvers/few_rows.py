"""The same problem on some of the rows: cheap starting points where there are many."""

from dataclasses import replace

from skbadr.metrics.standard_error import standard_error
from skbadr.problem.smooth_folds import MANY_ROWS

# Standard errors from which on a metric is far from ideal.
FAR = 3.0


class FewRows:
    """A smooth problem on every so many rows, and what its solutions say about all.

    Parameters
    ----------
    smooth : SmoothProblem
        On all rows.
    rows : int
        Number wanted.

    Attributes
    ----------
    smooth : SmoothProblem or None
        None where there are not many rows, they come in folds, or a cell would be empty.
    states : list of LinearState or None
        Its baseline solution.
    """

    def __init__(self, smooth, rows, *, tol, stabilised=False):
        self.all_rows = smooth.levels[0].cells.n_seen
        self._whole = smooth
        self.smooth = self.states = None
        if self.all_rows >= MANY_ROWS:
            self.smooth = smooth.subset(max(1, self.all_rows // rows))
        if self.smooth is not None and stabilised:
            # A penalty that is not scaled down keeps what few rows leave undetermined near zero.
            self.smooth.levels[0].scale = smooth.levels[0].scale
        if self.smooth is not None:
            self.states = self.smooth.solve(smooth.problem.shares, tol=tol)

    def baseline_starts(self, model):
        """Return where to start the baseline solution on all rows.

        Parameters
        ----------
        model : fitted estimator or None
            The baseline one.

        Returns
        -------
        starts : list of LinearState or None
        """
        if model is not None:
            return [self._whole.state_of(model, i) for i in range(len(self._whole.levels))]
        if self.smooth is None:
            return None
        return [self.states[0].moved_to(self._whole.levels[0])]

    def can_tell(self, value):
        """Whether a metric of the baseline model is far beyond what chance makes it on these rows.

        `value` is that on all rows; True where chance is not known.
        """
        metric = self._whole.evaluator.metric
        if self.smooth is None or not metric.uses_confusion or metric.ideal is None:
            return True
        data = self.smooth.data
        predicted = self.smooth.responses(self.smooth.scores(self.states), {"predict"})["predict"]
        statistics = metric.statistics(data, predicted)
        error = standard_error(metric, data, statistics=statistics)
        return not abs(value - metric.ideal) <= FAR * error

    def moved(self, states, baseline):
        """Return where to start on all rows at the weights of some states on these rows.

        What moving the weights does here is added to the baseline solution on all rows.
        """
        coef = baseline[0].coef + states[0].coef - self.states[0].coef
        return [replace(states[0], coef=coef).moved_to(self._whole.levels[0])]
