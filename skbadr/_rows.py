"""Rows in steps whose vectors stay in the processor's cache."""

# Rows of a step at most: fresh memory for all rows would cost more than most arithmetic on them.
STEP_ROWS = 1 << 14


def steps(n_rows, size=STEP_ROWS):
    """Yield slices that cover so many rows; an empty one where there are none."""
    for start in range(0, max(n_rows, 1), size):
        yield slice(start, min(start + size, n_rows))
