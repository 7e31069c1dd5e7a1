"""
A metric of your own
====================

Which metric is right depends on where the model is used. In this example a wrong refusal costs an
applicant something, and a wrong acceptance costs the bank. The *cost of errors per applicant*
should be alike between groups. No library has such a metric by name. Any function
``f(y_true, y_pred, *, sensitive_features)`` will do.
"""

# %%
# The metric
# ----------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from skbadr import BADRClassifier
from skbadr.datasets import make_applicants
from skbadr.metrics import fairness_scorer, make_fairness_metric

REFUSED, DEFAULTED = 3.0, 1.0  # what a wrong refusal and a wrong acceptance cost


def costs(y_true, y_pred, sensitive_features):
    """Return the mean cost of errors of each group, by name."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    cost = REFUSED * (y_true > y_pred) + DEFAULTED * (y_pred > y_true)
    groups = np.asarray(sensitive_features).ravel()
    return {group: cost[groups == group].mean() for group in np.unique(groups)}


def cost_gap(y_true, y_pred, *, sensitive_features):
    """Return the largest difference between the groups' mean costs."""
    values = list(costs(y_true, y_pred, sensitive_features).values())
    return max(values) - min(values)


# %%
# Pass it as it is
# ----------------
# ``metric=cost_gap`` is enough, with any estimator. ``make_fairness_metric`` works like
# scikit-learn's ``make_scorer``: it says that greater is better, or that the function wants
# probabilities.

X, y = make_applicants(8000, random_state=2)
X = X.astype({"sex": "category", "age_band": "category"})
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
boosting = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, random_state=0)
fair = BADRClassifier(
    boosting,
    metric=make_fairness_metric(cost_gap),  # or metric=cost_gap
    bound=0.1,
    sensitive_columns="age_band",
    max_iter=15,
    random_state=0,
)
fair.fit(X_train, y_train)
print(
    f"training rows: {fair.baseline_metric_value_:.3f} -> {fair.metric_value_:.3f} "
    f"after {fair.n_refits_} fits"
)

# %%
# What the groups pay
# -------------------
# The same function also makes a scorer: ``fairness_scorer(cost_gap,
# sensitive_columns="age_band")``.

baseline = boosting.fit(X_train, y_train)
scorer = fairness_scorer(cost_gap, sensitive_columns="age_band")
bands = ["under 30", "30 to 49", "50 and over"]
fig, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for offset, (name, model, color) in enumerate(
    (("baseline", baseline, "0.6"), ("fair", fair, "#0072B2"))
):
    found = costs(y_test, model.predict(X_test), X_test["age_band"])
    gap = -scorer(model, X_test, y_test)
    label = f"{name} (accuracy {model.score(X_test, y_test):.1%}, gap {gap:.2f})"
    bars = ax.bar(
        np.arange(3) + 0.38 * offset - 0.19,
        [found[b] for b in bands],
        width=0.36,
        color=color,
        label=label,
    )
    ax.bar_label(bars, fmt="{:.2f}", padding=2)
ax.set_xticks(range(3), bands)
ax.set_ylabel("mean cost of errors per applicant")
ax.set_title("test rows", fontsize="medium")
ax.margins(y=0.25)
ax.legend(frameon=False, loc="upper right")
ax.spines[["top", "right"]].set_visible(False)

# %%
# The gap between the age bands is less than half of what it was, and accuracy hardly moved. The gap
# fell mostly because applicants of fifty and over now bear more of the cost, and the young a little
# less.
