"""
Does fairness waste accuracy? A certificate
===========================================

A penalty for unfairness may make a model fair at everybody's expense: another model of the same
class serves *every* group better. :func:`~skbadr.pareto_certificate` takes a fitted linear model of
any origin. It either finds such a better model, or shows that there is none.
"""

# %%
# A penalised model
# -----------------
# Logistic regression with a penalty on the squared difference of the groups' mean scores, as many
# in-processing methods have it.

import matplotlib.pyplot as plt
import numpy as np
from _data import loan_encoder
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier, pareto_certificate
from skbadr.datasets import make_applicants

X, y = make_applicants(6000)
sex = X["sex"].to_numpy()
X, y = loan_encoder().fit_transform(X), y.to_numpy()
baseline = LogisticRegression().fit(X, y)


def penalised(strength):
    """Return a LogisticRegression trained with a penalty for unfairness."""
    model, n = LogisticRegression().fit(X, y), len(y)
    gap = X[sex == "male"].mean(axis=0) - X[sex == "female"].mean(axis=0)

    def objective(w):
        coef, scores = w[:-1], X @ w[:-1] + w[-1]
        loss = np.mean(np.logaddexp(0.0, scores) - y * scores) + coef @ coef / (2 * n)
        slope = (expit(scores) - y) / n
        gradient = X.T @ slope + coef / n + 2 * strength * (gap @ coef) * gap
        return loss + strength * (gap @ coef) ** 2, np.r_[gradient, slope.sum()]

    start = np.r_[model.coef_[0], model.intercept_]
    found = minimize(objective, start, jac=True, method="L-BFGS-B").x
    model.coef_, model.intercept_ = found[None, :-1], found[-1:]
    return model


# %%
# Four models, and their certificates
# -----------------------------------
# BADR weighs the groups, or groups and targets. Models over groups are efficient between groups.
# Models over groups and targets are efficient between the cells that carry weights.

groups = BADRClassifier(LogisticRegression(), metric="covariance", partition="group")
cells = BADRClassifier(
    LogisticRegression(), metric="covariance", partition="group_target", bound=0.07
)
models = {
    "baseline": baseline,
    "penalty": penalised(0.1),
    "BADR, groups": groups.fit(X, y, sensitive_features=sex),
    "BADR, groups x targets": cells.fit(X, y, sensitive_features=sex),
}
found = {}
for name, model in models.items():
    found[name] = pareto_certificate(model, X, y, sensitive_features=sex)
    finer = pareto_certificate(model, X, y, sensitive_features=sex, partition="group_target")
    rates = [model.predict(X[sex == g]).mean() for g in ("female", "male")]
    print(
        f"{name}: difference of rates {rates[1] - rates[0]:.3f}, accuracy {model.score(X, y):.3f}"
    )
    print(f"    dominated for groups: {found[name].dominated}, for cells: {finer.dominated}")

# %%
# The plane of the groups' losses
# -------------------------------
# All models that BADR can train over group weights lie on one curve, the Pareto front: no model of
# this class is below and to the left of it.

curve = []
for share in np.linspace(0.001, 0.999, 41):
    weight = np.where(
        sex == "female", share / np.mean(sex == "female"), (1 - share) / np.mean(sex == "male")
    )
    model = LogisticRegression().fit(X, y, sample_weight=weight)
    scores = model.decision_function(X)
    loss = np.logaddexp(0.0, scores) - y * scores
    curve.append([loss[sex == g].mean() for g in ("female", "male")])

fig, ax = plt.subplots(figsize=(6.5, 4.4), layout="constrained")
ax.plot(*np.transpose(curve), color="0.6", label="all weights of the groups", zorder=1)
styles = {
    "baseline": ("#000000", "s"),
    "penalty": ("#CC79A7", "v"),
    "BADR, groups": ("#0072B2", "o"),
    "BADR, groups x targets": ("#D55E00", "D"),
}
for name, (color, marker) in styles.items():
    ax.scatter(*found[name].losses, color=color, marker=marker, s=60, label=name, zorder=2)
better = found["penalty"].dominating_losses
ax.annotate(
    "", better, found["penalty"].losses, arrowprops={"arrowstyle": "->", "color": "#CC79A7"}
)
ax.scatter(
    *better,
    facecolors="none",
    edgecolors="#CC79A7",
    marker="o",
    s=60,
    label="better for every group",
)
ax.set_xlabel("mean log loss, women")
ax.set_ylabel("mean log loss, men")
ax.legend(frameon=False)
ax.grid(color="0.92")

# %%
# The penalty lowered the difference of rates, and both groups pay for it: another model, trained
# with weights of the groups alone, is better for women and men at once. BADR over groups stays on
# the curve. It hardly changes the rates, because nearly the same model is best for both groups.
# BADR over groups x targets also leaves that curve, for a smaller difference at the baseline
# model's accuracy. It wastes nothing between its four cells: women and men who repay, and women
# and men who do not.
