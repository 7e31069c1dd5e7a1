"""
Let the groups bargain first
============================

On data that a model has not seen, the baseline estimator often is not efficient: other weights are
better for *every* group. ``init="nash"`` finds such weights first (Zeng et al. 2024). The groups
bargain over their held-out losses, and a step is taken only if all of them gain. The search for the
fairness metric then starts from their agreement.
"""

# %%
# The largest hospital has the worst instrument
# ---------------------------------------------
# Three hospitals measure the same thing with different precision. The least precise hospital has
# most of the patients. A baseline fit counts all patients alike, and so learns much of its noise.
# Less weight on its patients serves all three hospitals.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge

from skbadr import BADRRegressor

names = np.array(["A", "B", "C"])
shares, noise = np.array([0.2, 0.2, 0.6]), np.array([1.0, 1.0, 4.0])
effects = np.random.default_rng(1).normal(size=(3, 15)) * 0.1 + np.linspace(1, 0, 15)


def draw(n_rows, seed):
    """Return patients, true and measured values, and hospitals."""
    rng = np.random.default_rng(seed)
    code = rng.choice(3, n_rows, p=shares)
    X = rng.normal(size=(n_rows, 15))
    truth = (X * effects[code]).sum(axis=1)
    return X, truth, truth + noise[code] * rng.normal(size=n_rows), names[code]


X, _, y, hospital = draw(300, 0)

# %%
# Bargaining, and then a goal
# ---------------------------
# The search makes the hospitals' losses alike. One search starts from the baseline model ("one
# stage"). The other starts after bargaining, and keeps what was agreed on: ``stage2_tolerance``
# says by how much a loss may rise again. Losses are those of five folds left out.

options = {"metric": "group_loss_gap", "cv": 5, "random_state": 0}
models = {
    "baseline": Ridge(),
    "one stage": BADRRegressor(Ridge(), **options),
    "two stages": BADRRegressor(Ridge(), init="nash", stage2_tolerance=0.05, **options),
}
models["baseline"].fit(X, y)
for name in ("one stage", "two stages"):
    models[name].fit(X, y, sensitive_features=hospital)

bargain = models["two stages"].bargaining_
print(f"the bargaining ended: {bargain.reason}, after {bargain.n_refits} fits")
for label, values in (
    ("shares of the patients", shares),
    ("weights agreed on", bargain.cell_weights),
    ("held-out losses, baseline", bargain.baseline_losses),
    ("held-out losses, agreed", bargain.losses),
):
    print(f"{label:24}", np.round(values, 3))

# %%
# On new patients
# ---------------
# The true values of new patients are known, so the noise of measurement does not hide the errors of
# the models.

X_new, truth, _, new_hospital = draw(20_000, 1)
fig, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
colors = {"baseline": "0.6", "one stage": "#56B4E9", "two stages": "#0072B2"}
for offset, (name, model) in enumerate(models.items()):
    squared = (model.predict(X_new) - truth) ** 2
    error = [np.sqrt(squared[new_hospital == n].mean()) for n in names]
    bars = ax.bar(
        np.arange(3) + 0.26 * offset - 0.26, error, width=0.24, color=colors[name], label=name
    )
    ax.bar_label(bars, fmt="{:.2f}", padding=2, fontsize=9)
    print(f"{name:11} error {np.round(error, 3)}")
ax.set_xticks(
    range(3),
    [
        f"hospital {n}: {s:.0%} of patients\nnoise {e:g}"
        for n, s, e in zip(names, shares, noise, strict=True)
    ],
)
ax.set_ylabel("RMSE to the true values")
ax.margins(y=0.25)
ax.legend(frameon=False, ncols=3, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)

# %%
# In one stage the search makes the hospitals' losses more alike by serving all of them badly, since
# good losses can always be made worse. After bargaining every hospital's error is 12 to 21 % below
# the baseline's, and the promise keeps it there. An agreement over few held-out rows may not carry
# over to new rows: bargain over folds.
