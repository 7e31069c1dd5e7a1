"""Draw doc/images/pareto_efficiency.png: python doc/images/pareto_efficiency.py

Two groups, logistic regression. The curve is every model trained with some weights of the groups;
the crosses are models trained with a growing penalty on the covariance of score and group instead.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier, pareto_certificate

rng = np.random.default_rng(0)
group = rng.choice(["a", "b"], size=4000, p=[0.7, 0.3])
X = rng.normal(size=(4000, 4))
X[:, 0] += 0.8 * (group == "a")
X[:, 3] += 2.0 * (group == "a")  # a column that tells the groups apart
slope = np.where(group == "a", 1.2, 0.6)
y = (rng.random(4000) < expit(slope * X[:, 0] + X[:, 1] + 0.6 * (group == "a") - 0.6)).astype(int)


def losses(model):
    """Return the mean log loss of each group."""
    scores = model.decision_function(X)
    loss = np.logaddexp(0, scores) - y * scores
    return np.array([loss[group == g].mean() for g in "ab"])


def weighted(share):
    """Return the model trained with `share` of all weight on group b."""
    weight = np.where(group == "b", share / np.mean(group == "b"), 0.0)
    weight += np.where(group == "a", (1 - share) / np.mean(group == "a"), 0.0)
    return LogisticRegression(tol=1e-8).fit(X, y, sample_weight=weight)


def penalised(strength):
    """Return the model trained with a penalty on the squared covariance of score and group."""
    model = LogisticRegression(tol=1e-8).fit(X, y)
    centered = ((group == "b") - np.mean(group == "b")) @ X / len(y)

    def objective(w):
        scores = X @ w[:-1] + w[-1]
        gap = (expit(scores) - y) / len(y)
        value = np.mean(np.logaddexp(0, scores) - y * scores) + w[:-1] @ w[:-1] / (2 * len(y))
        gradient = X.T @ gap + w[:-1] / len(y) + 2 * strength * (centered @ w[:-1]) * centered
        return value + strength * (centered @ w[:-1]) ** 2, np.r_[gradient, gap.sum()]

    found = minimize(objective, np.r_[model.coef_[0], model.intercept_], jac=True, tol=1e-10)
    model.coef_, model.intercept_ = found.x[None, :-1], found.x[-1:]
    return model


front = np.array([losses(weighted(share)) for share in expit(np.linspace(-7, 7, 81))])
baseline = losses(LogisticRegression().fit(X, y))
strengths = (0.05, 0.15, 0.4, 1.0, 3.0)
crosses = np.array([losses(penalised(strength)) for strength in strengths])
chosen = BADRClassifier(LogisticRegression(), "covariance").fit(X, y, sensitive_features=group)
found = pareto_certificate(penalised(strengths[3]), X, y, sensitive_features=group)
print("baseline", baseline, "chosen", losses(chosen.estimator_), chosen.cell_weights_)
print("crosses", crosses, "dominated", found.dominated, found.dominating_losses)

figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
ax.plot(*front.T, color="C0", lw=2, label="trained with weights of the groups", zorder=2)
ax.plot(
    *crosses.T, "x--", color="C3", ms=8, mew=2, lw=1, label="trained with a penalty for unfairness"
)
ax.plot(*baseline, "s", color="black", ms=8, label="baseline estimator", zorder=4)
ax.plot(*losses(chosen.estimator_), "o", color="C0", ms=10, label="fairest of the curve", zorder=4)
wasteful = crosses[3]
left, low = front.min(axis=0) - 0.01
ax.fill_between([left, wasteful[0]], low, wasteful[1], color="C2", alpha=0.15, lw=0)
ax.annotate("", found.dominating_losses, wasteful,
            arrowprops={"arrowstyle": "->", "color": "C2", "lw": 2})  # fmt: skip
ax.text(left + 0.001, low + 0.002, "better for\nboth groups", color="darkgreen", va="bottom")
ax.set(xlabel="log loss of group a", ylabel="log loss of group b", xlim=(left, None),
       ylim=(low, None))  # fmt: skip
ax.legend(frameon=False, loc="upper right", fontsize=9)
ax.spines[["top", "right"]].set_visible(False)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)
