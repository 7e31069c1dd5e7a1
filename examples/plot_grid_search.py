"""
Tune the bound and the model together
=====================================

Data that the model has not seen should decide how strict the bound is, and how strong the
regularisation. :class:`~sklearn.model_selection.GridSearchCV` takes a fair model as any other
estimator, its bound as any other parameter, and :func:`~skbadr.metrics.fairness_scorer` as any
other scorer. The groups are a column of the table, so nothing has to be routed.
"""

# %%
# Two scores, one grid
# --------------------

import matplotlib.pyplot as plt
import numpy as np
from _data import loan_encoder
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from skbadr import BADRClassifier
from skbadr.datasets import make_applicants
from skbadr.metrics import fairness_scorer

X, y = make_applicants(3000, random_state=1)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=X["sex"], random_state=0)
fair = BADRClassifier(
    make_pipeline(loan_encoder(), LogisticRegression(solver="newton-cholesky")),
    metric="demographic_parity",
    sensitive_columns="sex",
)
grid = {
    "bound": [0.02, 0.05, 0.1, 0.15],
    "estimator__logisticregression__C": [0.001, 0.01, 0.1, 1.0],
}
parity = fairness_scorer("demographic_parity", sensitive_columns="sex")

# %%
# Greater scores are better, so the scorer returns the difference with its sign changed.
# The rule for the final choice is a function of ``cv_results_``: the most accurate of the models
# whose groups differ by at most 8 points *on the folds left out*.


def most_accurate_within(results, limit=0.08):
    """Return the index of the most accurate candidate within a limit on the difference."""
    difference = -results["mean_test_parity"]
    within = np.flatnonzero(difference <= limit)
    if len(within) == 0:
        return int(difference.argmin())
    return int(within[results["mean_test_accuracy"][within].argmax()])


search = GridSearchCV(
    fair,
    grid,
    scoring={"accuracy": "accuracy", "parity": parity},
    refit=most_accurate_within,
    cv=5,
).fit(X_train, y_train)
print("chosen:", search.best_params_)

# %%
# What the folds say
# ------------------

results = search.cv_results_
shape = (len(grid["bound"]), len(grid["estimator__logisticregression__C"]))
fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for ax, name, sign, title, cmap in (
    (axes[0], "mean_test_accuracy", 1, "accuracy on folds left out", "viridis"),
    (axes[1], "mean_test_parity", -1, "difference on folds left out", "viridis_r"),
):
    # Candidates come in the order of the sorted names: bound first.
    values = sign * results[name].reshape(shape)
    image = ax.imshow(values, cmap=cmap, aspect="auto")
    for i, j in np.ndindex(shape):
        best = np.ravel_multi_index((i, j), shape) == search.best_index_
        bright = sum(image.cmap(image.norm(values[i, j]))[:3]) > 1.5
        ax.text(
            j,
            i,
            f"{values[i, j]:.3f}" + (" *" if best else ""),
            ha="center",
            va="center",
            color="black" if bright else "white",
        )
    ax.set_xticks(range(shape[1]), grid["estimator__logisticregression__C"])
    ax.set_yticks(range(shape[0]), grid["bound"])
    ax.set_xlabel("C (small: strong regularisation)")
    ax.set_ylabel("bound on the training rows")
    ax.set_title(title, fontsize="medium")

# %%
# And on the test rows:

print(
    f"accuracy {search.best_estimator_.score(X_test, y_test):.3f}, "
    f"difference {-parity(search.best_estimator_, X_test, y_test):.3f}"
)
