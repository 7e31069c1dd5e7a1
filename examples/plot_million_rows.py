"""
A million rows
==============

A search over weights need not cost dozens of fits. For linear models the solvers read the data only
a few times. "implicit" linearises the scores around each model it trains, and "gd" trains and
re-weights in one loop. Single precision stays single, and X is never copied. X may be a
:class:`numpy.memmap`.
"""

# %%
# The table
# ---------
# The table has ten features, and three groups whose members differ a little in features, effects
# and base rate. (The environment variable ``SKBADR_EXAMPLE_ROWS`` makes it smaller.)

import os
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from skbadr import BADRClassifier

n_rows = int(os.environ.get("SKBADR_EXAMPLE_ROWS", 1_000_000))
rng = np.random.default_rng(0)
region = rng.integers(0, 3, n_rows)
X = rng.standard_normal((n_rows, 10), dtype=np.float32)
X[:, :3] += 0.3 * region[:, None]
signal = X[:, :5].sum(axis=1) / 2 + 0.5 * (region == 2) * X[:, 5] + 0.4 * region
y = (signal + rng.logistic(size=n_rows) > 0.7).astype(int)
print(f"{n_rows:,} rows, {X.nbytes / 1e6:.0f} MB")

# %%
# Fits, in units of a baseline fit
# --------------------------------


def timed(model, **fit_params):
    """Fit a model and return the seconds."""
    begin = time.perf_counter()
    model.fit(X, y, **fit_params)
    return time.perf_counter() - begin


baseline_seconds = timed(LogisticRegression())
goals = {
    "individual fairness": {"metric": "individual"},
    "covariance of\nscore and group": {"metric": "covariance"},
    "demographic parity\nwithin a bound": {
        "metric": "demographic_parity",
        "bound": 0.05,
    },
}
rows = []
for goal, options in goals.items():
    for solver in ("implicit", "gd"):
        model = BADRClassifier(LogisticRegression(), solver=solver, **options)
        seconds = timed(model, sensitive_features=region)
        rows.append((goal, solver, seconds, model.baseline_metric_value_, model.metric_value_))
        name = goal.replace("\n", " ")
        print(
            f"{name:34} {solver:9} {seconds:5.1f} s = "
            f"{seconds / baseline_seconds:4.1f} baseline fits, metric "
            f"{model.baseline_metric_value_:.3g} -> {model.metric_value_:.3g}"
        )

# %%

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for offset, (solver, color) in enumerate((("implicit", "#0072B2"), ("gd", "#D55E00"))):
    values = [seconds / baseline_seconds for _, name, seconds, _, _ in rows if name == solver]
    bars = ax.bar(
        np.arange(3) + 0.38 * offset - 0.19,
        values,
        width=0.36,
        color=color,
        label=f'solver="{solver}"',
    )
    ax.bar_label(bars, fmt="{:.1f}", padding=2)
ax.axhline(1, color="0.4", linestyle=":", linewidth=1)
ax.set_xticks(range(3), goals)
ax.set_ylabel(f"baseline fits ({baseline_seconds:.1f} s each)")
ax.set_title(
    f"{n_rows:,} rows of 10 features, one fit of the wrapped model at the end included",
    fontsize="medium",
)
ax.margins(y=0.15)
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# With its last fit, a fair model for a million rows takes two to six times as long as the baseline
# model. ``solver="auto"`` chooses "implicit".
