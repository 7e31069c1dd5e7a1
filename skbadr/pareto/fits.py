"""Fits of the estimator itself at the points of a front."""


def fit_nearest(setup, objective, tries):
    """Return the first model that meets the bound, else the nearest, with its evaluation."""
    if setup.folds is not None:
        # Measured on held-out rows, which the final model has seen.
        lower = setup.lower_level()
        return lower.assemble(lower.fit(tries[0].cell_weights)), tries[0]
    problem = setup.problem()
    best = None
    for candidate in tries:
        evaluation = problem.evaluator(candidate.cell_weights, "final", candidate.iteration)
        if evaluation.failed:
            if best is None and candidate is tries[-1]:
                raise evaluation.error
            continue
        if best is None or objective.key(evaluation) < objective.key(best):
            best = evaluation
        if objective.is_met(best):
            break
    if best is None:
        raise evaluation.error
    lower = problem.evaluator.folds[0].lower_level
    model, best.model = lower.assemble(best.model), None
    return model, best
