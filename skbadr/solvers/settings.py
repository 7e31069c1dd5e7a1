"""What the searches among solutions of a smooth lower level are tuned by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SmoothSettings:
    """The tuning numbers of `SmoothSolver` and its steps, which share one set.

    To change one, give a solver another set, as in
    ``solver.settings = dataclasses.replace(solver.settings, margin=0.0)``. Most values
    were set on the tune split of the generated problems (``examples/benchmarks/problems.py``).
    ``ablation_linear.py`` there measures what a change does, and ``brute_force.py`` compares with
    a grid of weights. Shares lie in (0, 1); counts are at least 1; tolerances, radii and factors
    are positive.

    Attributes
    ----------
    inner_tol, loose_inner_tol, sample_inner_tol : float
        Tolerance of solutions, a root mean square change of scores in units of the family's scale:
        usual, if the estimator's own solver is loose, and on a sample of the rows.
    sample_tol : float
        Share of what was gained that a step on a sample must promise, and a correction by all
        rows.
    resolved : float
        Tolerance of solutions on all rows for each share of the baseline model's value that is
        gained.
    sample_share, largest_sample : float, int
        The second sample has this share of the rows, and at most so many.
    hessian_error, large_error : float
        Relative error of a Hessian on a sample, in units of the root of parameters over rows, and
        the one from which a Hessian on all rows costs less than the steps that it saves.
    spanned, most_growths : float, int
        Root mean square by which scores of any cell may move as a basis of columns grows, in units
        of the family's scale, and the growths that are enough if they move more.
    few_cells : int
        Cells up to which the middles of the simplex's edges are starting points, too.
    most_vertices, inside : int, float
        Number of vertices to start from, and how far inside the simplex, as a share; no cell with
        a smaller share is one of them.
    near : float
        Largest difference of weights at which two searches are in one valley.
    n_finalists, lap : int
        Searches that are run to their end, and steps of each before half of them are dropped.
    small_weight : float
        Weights below it move on a linear scale, larger ones on a logarithmic one.
    first_radius, largest_radius, smallest_radius : float
        Change of a log weight at once: first, at most, and the smallest that says what lies
        beyond it.
    damping : float
        Share of the expected curvature below which what was seen is damped (Powell's).
    max_refits : int
        Budget of solutions of an implicit search.
    most_rounds : int
        Rounds of smooth metrics in place of one with kinks; the eighth is off by 1e-5 of the
        baseline's.
    most_anchors : int
        Corrections of a sample by the hypergradient of all rows.
    softness : float
        Factor of the log-sum-exp in the first round, in units of one over the baseline's metric.
    penalty : float
        What one unit of excess over a bound costs, in units of the score.
    quadratic_excess : float
        Share of the bound, from the ideal on, within which that cost is still quadratic.
    closer : float
        Factor of the radius within which moves are looked at if none is promised, and of the
        margin at the end.
    margin : float
        Share of a bound that predictions keep inside it, until nothing more is promised.
    enough_of_gain : float
        Share of what there is to gain that is enough for one; variances of losses are small
        numbers.
    tilts : tuple of float
        Factors of the log ratio of `tilts`; the last for a model that hardly feels its weights.
    strength : float
        Factor of the weight of a group in a start without targets.
    harder : float
        Factor by which an excess weighs more if a bound is missed, and again if it still is.
    few_steps, path_steps : int
        Steps from further starts, which are also the refits of one bound of a path, and steps
        under that bound.
    budget, round_budget : int
        Iterations of single loops: in all, and of one for a sharper surrogate.
    last_rounds : int
        Rounds of a surrogate on all rows after those on a sample.
    left_by_diagonal : float
        Share of a step by the Hessian's diagonal that is left after it, until it is known.
    enough, most_steps : float, int
        Parameters and adjoint follow a move of the weights until this share of it is left, by at
        most so many steps.
    far_step : float
        Size of a first step from which it says little of what is left.
    batch, per_cell, n_batches : int
        Rows of a minibatch, at least, for each cell, and how many are drawn.
    delay, decrease : float
        Half life of the decrease of stochastic steps, in iterations, and its exponent.
    kept, worth : float
        Share of a promised gain that fits have to keep, and of the metric from which on one counts.
    most_fits : int
        Points at which the estimator is fitted one after the other, at most.
    alike : float
        By how much the tolerance of the estimator's own solver may move a metric or a loss, as a
        share.
    """

    inner_tol: float = 1e-8
    loose_inner_tol: float = 5e-3
    sample_inner_tol: float = 1e-4
    sample_tol: float = 1e-3
    resolved: float = 0.02
    sample_share: float = 0.125
    largest_sample: int = 40_000
    hessian_error: float = 3.0
    large_error: float = 0.3
    spanned: float = 0.01
    most_growths: int = 40
    few_cells: int = 5
    most_vertices: int = 8
    inside: float = 0.02
    near: float = 0.02
    n_finalists: int = 2
    lap: int = 3
    small_weight: float = 0.01
    first_radius: float = 0.5
    largest_radius: float = 3.0
    smallest_radius: float = 0.03
    damping: float = 0.2
    max_refits: int = 40
    most_rounds: int = 8
    most_anchors: int = 5
    softness: float = 10.0
    penalty: float = 5.0
    quadratic_excess: float = 0.1
    closer: float = 0.1
    margin: float = 0.03
    enough_of_gain: float = 0.01
    tilts: tuple[float, ...] = (1.0, 0.5, 1.5, 4.0, 8.0)
    strength: float = 4.0
    harder: float = 5.0
    few_steps: int = 6
    path_steps: int = 2
    budget: int = 250
    round_budget: int = 20
    last_rounds: int = 2
    left_by_diagonal: float = 0.7
    enough: float = 0.1
    most_steps: int = 12
    far_step: float = 0.3
    batch: int = 8_192
    per_cell: int = 128
    n_batches: int = 40
    delay: float = 10.0
    decrease: float = 0.6
    kept: float = 0.5
    worth: float = 0.01
    most_fits: int = 5
    alike: float = 0.03

    def tol_on_all_rows(self, is_loose: bool) -> float:
        """Return the tolerance of solutions on all rows."""
        return self.loose_inner_tol if is_loose else self.inner_tol


DEFAULTS = SmoothSettings()
