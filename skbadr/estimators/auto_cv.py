"""Where the upper level is evaluated with ``cv="auto"``."""

# Rows for each column from which on a smooth linear model tells the same of its training rows as of
# new ones.
ROWS_PER_COLUMN = 20
FOLDS = 5
# Rows from which one held-out part tells as much as folds need to.
HELD_OUT_ROWS, HELD_OUT = 100_000, 0.25


def choose_cv(cv, *, n_rows, n_columns, smooth, may_refit, splits, confident=False):
    """Return the `cv` that is meant.

    Parameters
    ----------
    cv : "auto", None, float, int, splitter or iterable
    n_rows, n_columns : int
        Of the training data.
    smooth : bool
        Whether the estimator is a linear model with exact derivatives on its training rows.
    may_refit : bool
        Whether the solver refits the estimator at every step, or may choose to.
    splits : bool
        Whether folds are of use: not where rows are elsewhere, for instance.
    confident : bool, default=False
        Whether models must be judged on rows that they have not seen. Smooth linear models are,
        without folds: each row by the model of all others.

    Returns
    -------
    cv : None, float, int, splitter or iterable

    Raises
    ------
    ValueError
        If `cv` is another text.
    """
    if not isinstance(cv, str):
        return cv
    if cv != "auto":
        raise ValueError(
            f"cv must be 'auto', None, a fraction, a number of folds or a splitter, got {cv!r}."
        )
    if smooth and n_rows >= ROWS_PER_COLUMN * n_columns:
        return None
    if not confident and (not (splits and may_refit) or n_rows < 2 * FOLDS):
        return None
    return HELD_OUT if n_rows >= HELD_OUT_ROWS else FOLDS
