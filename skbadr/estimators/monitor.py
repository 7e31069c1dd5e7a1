"""Progress of a search: printed lines, and scikit-learn's callbacks where it has them."""


class Monitor:
    """Tell the user, and callbacks, about every refit.

    Parameters
    ----------
    owner : estimator
        The BADR estimator being fitted.
    X, y : training data, for callbacks
    budget : int
        Largest number of refits.
    verbose : int
        0: silent; 1: a line at the end of each iteration that improved; 2: a line per refit.
    """

    def __init__(self, owner, X, y, budget, verbose):
        self.owner, self.X, self.y, self.budget, self.verbose = owner, X, y, budget, verbose
        self.context = None

    def __enter__(self):
        start = getattr(self.owner, "_init_callback_context", None)
        if start is not None:
            self.context = start(max_subtasks=self.budget)
            self.context.call_on_fit_task_begin(estimator=self.owner, X=self.X, y=self.y)
        return self

    def __exit__(self, kind, error, traceback):
        if self.context is not None and kind is None:
            self.context.call_on_fit_task_end(estimator=self.owner, X=self.X, y=self.y)
        return False

    def __call__(self, evaluation, archive):
        """Report an evaluation; return whether a callback asks to stop."""
        improved = archive.best is evaluation
        if self.verbose > 1 or (self.verbose and improved):
            self._print(evaluation, len(archive.evaluations), improved)
        if self.context is None:
            return False
        task = self.context.subcontext(task_name="refit")
        task.call_on_fit_task_begin(estimator=self.owner)
        return bool(task.call_on_fit_task_end(estimator=self.owner))

    def _print(self, evaluation, number, improved):
        name = type(self.owner).__name__
        outcome = (
            f"failed: {evaluation.error}"
            if evaluation.failed
            else f"metric {evaluation.metric:.5f}  score {evaluation.score:.5f}"
        )
        print(
            f"[{name}] refit {number}/{self.budget} ({evaluation.origin})  {outcome}"
            f"{'  best so far' if improved else ''}"
        )
