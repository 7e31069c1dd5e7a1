"""
Quickstart: a fair model in ten lines
=====================================

A model predicts from census data who earns more than 50,000 dollars. It predicts a high income far
more often for men than for women. We wrap the same model in :class:`~skbadr.BADRClassifier` and ask
for a difference of five percentage points at most.
"""

# %%
# The data
# --------
# The UCI Adult table is part of the package.

import matplotlib.pyplot as plt
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbadr import BADRClassifier, audit
from skbadr.datasets import load_adult

X, y = load_adult(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
X_train.head()

# %%
# The baseline model
# ------------------

encoder = make_column_transformer(
    (StandardScaler(), make_column_selector(dtype_include="number")),
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
)
baseline = make_pipeline(encoder, LogisticRegression(max_iter=1000))
baseline.fit(X_train, y_train)

# %%
# The fair model
# --------------
# Any estimator whose ``fit`` takes ``sample_weight`` will do, or a pipeline that ends in one. Each
# pair of sex and outcome gets a weight of its own. The search looks for the most accurate model
# within the bound. ``sensitive_columns`` says what the groups are. Groups are needed to fit, not to
# predict.

fair = BADRClassifier(
    baseline,
    metric="demographic_parity",
    bound=0.05,
    sensitive_columns="sex",
)
fair.fit(X_train, y_train)
for cell, weight in zip(fair.cells_, fair.cell_weights_, strict=True):
    print(f"weight of {cell}: {weight:.3f}")

# %%
# ``fair.estimator_`` is an ordinary fitted pipeline, trained once with these weights. It is one
# deterministic model that can be stored, inspected and deployed as before.

print(fair.estimator_)

# %%
# On rows that neither model has seen
# -----------------------------------
# :func:`~skbadr.audit` measures the difference with its confidence limits.

models = {"baseline": baseline, "fair": fair}
audits = {}
for name, model in models.items():
    audits[name] = audit(model, X_test, y_test, sensitive_features=X_test["sex"], bound=0.05)
    print(f"{name} model, accuracy {model.score(X_test, y_test):.3f}")
    print(audits[name], "\n")

# %%
# The picture shows each sex's share of predicted high incomes, with its limits.

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for offset, (name, color) in enumerate({"baseline": "0.6", "fair": "#0072B2"}.items()):
    rates = audits[name].by_group
    share = rates["selection_rate"]
    sides = [share - rates["selection_rate_lower"], rates["selection_rate_upper"] - share]
    bars = ax.bar(
        [g + 0.36 * offset - 0.18 for g in range(2)],
        share,
        yerr=sides,
        capsize=4,
        width=0.34,
        color=color,
        label=f"{name} model, accuracy {models[name].score(X_test, y_test):.1%}",
    )
    ax.bar_label(bars, fmt="{:.0%}", padding=2)
ax.set_xticks(range(2), rates["group"])
ax.set_ylim(0, 0.4)
ax.set_ylabel("predicted to earn more")
ax.set_title("test rows", fontsize="medium")
ax.legend(frameon=False, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)

# %%
# ``fair.report(X_test, y_test, baseline=baseline).save("report.html")`` makes a page of this, to
# hand to a colleague or an auditor. :ref:`sphx_glr_auto_examples_plot_front.py` shows what lies
# between the two models, and :ref:`sphx_glr_auto_examples_plot_boosting.py` another estimator.
