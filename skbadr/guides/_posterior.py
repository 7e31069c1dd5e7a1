"""Which cell a row belongs to, told from its features and its class."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from skbadr._rows import weight_unit
from skbadr._warnings import record_warnings
from skbadr.guides._features import row_encoder, take_rows

# Training rows of a fold that small classifiers see, at most.
MOST_SEEN = 20_000


class FoldPosteriors:
    """Small classifiers of one fold: of the cell within each class, and of the class itself.

    They are trained on the fold's training rows, so that what they say of its evaluation rows
    holds for new rows as well.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, d), or sequence of n texts
        What the last step of the estimator is trained on.
    classes, cells : ndarray of shape (n,)
        Codes.
    weight : ndarray of shape (n,)
    n_classes, n_cells : int

    References
    ----------
    Zeng, Jiang, Cheng and Dobriban (2024), "Bayes-optimal fair classification with linear
    disparity constraints via pre-, in-, and post-processing", arXiv 2402.02817.
    """

    def __init__(self, X, classes, cells, weight, *, n_classes, n_cells):
        # What weighs as much as so many copies is as many rows.
        weight = weight / weight_unit(weight)
        rows = _spread(np.flatnonzero(weight > 0), classes, MOST_SEEN)
        X = take_rows(X, rows) if len(rows) < len(weight) else X
        self._encode = row_encoder(X, weight[rows])
        self._encoded = None if self._encode is None else self._encode(X)
        self._classes, self._cells, self._weight = classes[rows], cells[rows], weight[rows]
        self.n_classes, self.n_cells = n_classes, n_cells

    def encode(self, X):
        """Return evaluation rows as the classifiers take them."""
        return None if self._encode is None else self._encode(X)

    def cell_given_class(self, encoded, n_rows):
        """Return q(cell | x, class) of rows, of shape (n_classes, n_rows, n_cells)."""
        found = np.zeros((self.n_classes, n_rows, self.n_cells))
        for c in range(self.n_classes):
            self._fill(found[c], encoded, self._cells, np.flatnonzero(self._classes == c))
        return found

    def classes(self, encoded, n_rows):
        """Return P(class | x) of rows, of shape (n_rows, n_classes)."""
        found = np.zeros((n_rows, self.n_classes))
        self._fill(found, encoded, self._classes, np.arange(len(self._classes)))
        return found

    def _fill(self, found, encoded, codes, rows):
        """Write the posterior of codes, learnt from some rows, into the columns of those codes."""
        if not len(rows):
            return
        weight = self._weight[rows]
        totals = np.bincount(codes[rows], weight, minlength=found.shape[1])
        known = np.flatnonzero(totals)
        if encoded is None or len(known) == 1:
            found[:] = totals / totals.sum()
            return
        with record_warnings():
            model = LogisticRegression(max_iter=100, tol=1e-3)
            model.fit(self._encoded[rows], codes[rows], sample_weight=weight)
        found[:, known] = model.predict_proba(encoded)


def _spread(rows, codes, most):
    """Return at most so many of the rows, evenly spaced within each code."""
    if len(rows) <= most:
        return rows
    rows = rows[np.argsort(codes[rows], kind="stable")]
    return np.sort(rows[np.linspace(0, len(rows) - 1, most).round().astype(np.intp)])


def cross_fitted(evaluator, n_classes, n_cells):
    """Yield, for each fold, its `FoldPosteriors` and its evaluation rows.

    Parameters
    ----------
    evaluator : Evaluator
    n_classes, n_cells : int

    Yields
    ------
    posteriors : FoldPosteriors
    rows : slice
        Which of the evaluator's rows are those of the fold.
    X : evaluation rows of the fold
    """
    data, start = evaluator.evaluation_set, 0
    for fold in evaluator.folds:
        lower = fold.lower_level
        if fold.rows is None:  # all of them, or a sample that stands for them
            n_rows = len(evaluator.cells.codes)
            X, y, cells = fold.X_final, data.y, evaluator.cells
        else:
            n_rows = len(fold.rows)
            X, y, cells = lower.X, lower.y, lower.cells
            y = np.zeros(len(y), dtype=np.intp) if data.classes is None else _coded(y, data)
        classes = y if data.classes is not None else np.zeros(len(y), dtype=np.intp)
        posteriors = FoldPosteriors(
            X, classes, cells.codes, cells.base_weight, n_classes=n_classes, n_cells=n_cells
        )
        yield posteriors, slice(start, start + n_rows), fold.X_final
        start += n_rows


def _coded(y, data):
    return np.searchsorted(data.classes, y)
