"""
How the solvers converge
========================

The weights of the groups live on a simplex, and the fairness metric is a function on it. Four
solvers look for its minimum. "implicit" takes exact derivatives through the trained model. "gd" and
"sgd" train and re-weight at once, in a single loop. "alternating" only refits the estimator, so it
takes any estimator. With three groups the function can be drawn.
"""

# %%
# Three groups that want different models
# ---------------------------------------
# Each of three clinics has a measurement of its own that matters most there. A single logistic
# regression has to settle between them, and serves the largest clinic best.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier
from skbadr.metrics import get_metric

rng = np.random.default_rng(0)
clinics = np.array(["A", "B", "C"])
clinic = rng.choice(clinics, 6000, p=(0.6, 0.25, 0.15))
X = rng.normal(size=(6000, 3))
own = np.select([clinic == c for c in clinics], X.T)  # the measurement that matters there
y = (0.5 * X.sum(axis=1) + 1.5 * own + 0.8 * rng.normal(size=6000) > 0).astype(int)
shares = np.array([(clinic == c).mean() for c in clinics])
metric = get_metric("group_loss_variance", loss="log_loss")

# %%
# The variance of the clinics' mean losses is zero if the model serves all clinics equally well.
# Each point of the triangle below is one choice of weights, and one trained model.


def value(weights):
    """Return the metric of the model that is trained with some weights of the clinics."""
    weight = np.select([clinic == c for c in clinics], weights / shares)
    model = LogisticRegression().fit(X, y, sample_weight=weight)
    return metric(y, model.predict_proba(X)[:, 1], sensitive_features=clinic)


def corner(weights):
    """Return where weights lie in the drawn triangle."""
    weights = np.atleast_2d(weights)
    return weights[:, 1] + weights[:, 2] / 2, weights[:, 2] * np.sqrt(3) / 2


steps = np.linspace(0.0, 1.0, 23)
lattice = np.array([(1 - a - b, a, b) for a in steps for b in steps if a + b < 1 + 1e-9])
values = np.array([value(np.clip(weights, 1e-3, None)) for weights in lattice])

# %%
# Four ways down
# --------------
# All start at the baseline estimator, whose weights are the clinics' shares.

solvers = {"implicit": {}, "gd": {}, "sgd": {"random_state": 0}, "alternating": {"max_iter": 30}}
fitted = {}
for solver, options in solvers.items():
    begin = time.perf_counter()
    model = BADRClassifier(LogisticRegression(), metric, solver=solver, **options)
    fitted[solver] = model.fit(X, y, sensitive_features=clinic)
    print(
        f"{solver:12} {model.baseline_metric_value_:.2e} -> {model.metric_value_:.2e}, weights "
        f"{model.cell_weights_.round(3)}, {model.n_refits_:2d} fits of the estimator, "
        f"{time.perf_counter() - begin:.2f} s"
    )

# %%
# The paths, and what they reach
# ------------------------------

fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
floor = 1e-5
levels = np.geomspace(floor, values.max(), 12)
filled = left.tricontourf(
    *corner(lattice), np.maximum(values, floor), levels=levels, norm="log", cmap="Blues_r"
)
fig.colorbar(
    filled,
    ax=left,
    label="variance of the clinics' losses",
    shrink=0.8,
    ticks=[1e-5, 1e-4, 1e-3, 1e-2],
)
styles = {
    "implicit": ("#D55E00", "o"),
    "gd": ("#009E73", "s"),
    "sgd": ("#CC79A7", "D"),
    "alternating": ("#E69F00", "^"),
}
for solver, model in fitted.items():
    color, marker = styles[solver]
    results = model.results_
    left.scatter(
        *corner(results["cell_weights"]),
        s=26,
        color=color,
        marker=marker,
        edgecolors="white",
        linewidths=0.5,
        label=solver,
    )
    best = np.minimum.accumulate(results["metric"])
    right.plot(
        np.arange(1, len(best) + 1),
        best,
        color=color,
        marker=marker,
        markersize=4,
        drawstyle="steps-post",
        label=solver,
    )
left.scatter(
    *corner(shares), s=150, marker="*", color="black", label="baseline estimator", zorder=3
)
for name, (x, height), where in zip(
    clinics, zip(*corner(np.eye(3)), strict=True), ("right", "left", "center"), strict=True
):
    left.annotate(f"all weight\non {name}", (x, height), ha=where, va="bottom" if height else "top")
left.legend(
    *(part[-1:] for part in left.get_legend_handles_labels()),
    frameon=False,
    loc="upper left",
    bbox_to_anchor=(-0.12, 1.0),
)
left.set_aspect("equal")
left.axis("off")
left.margins(0.14)
right.set_yscale("log")
right.set_xlabel("visited models")
right.set_ylabel("best variance so far")
right.legend(frameon=False)
right.grid(color="0.92")

# %%
# Exact derivatives and the single loops find the weights under which all three clinics are served
# alike. "implicit" looks around from several starts, in case there is more than one valley. "sgd"
# ends a little beside the minimum, because each of its steps sees only part of the rows.
# "alternating" ends further off. It stops when refits gain less than ``tol=1e-4``, and needs no
# derivative at all.
