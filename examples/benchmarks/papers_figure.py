"""The bilevel paper's picture: accuracy against unfairness of each strategy, on test rows."""

import numpy as np
from papers_strategies import BOUNDED, STRATEGIES

FIGURE_CASES = ("adult, sex", "compas, race (3)")
FIGURE_METRICS = ("demographic_parity", "individual")
NAMES = {"demographic_parity": "demographic parity difference",
         "individual": "individual unfairness"}  # fmt: skip
# Okabe and Ito's palette, told apart by colour-blind readers, and a marker for each.
STYLES = {
    "baseline": ("#000000", "o"),
    "Balanced": ("#56B4E9", "P"),
    "One-Fit": ("#E69F00", "v"),
    "MinMax": ("#CC79A7", "^"),
    "BADR": ("#0072B2", "s"),
}


def draw(results, path):
    """Draw one panel per case and metric; return the points."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    cases = [case for case in FIGURE_CASES if case in results]
    figure, axes = plt.subplots(
        len(cases), len(FIGURE_METRICS), figsize=(9.5, 3.6 * len(cases)), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    drawn = {}
    for line, case in zip(axes, cases, strict=True):
        for ax, metric in zip(line, FIGURE_METRICS, strict=True):
            row = next(r for r in results[case] if r["metric"] == metric)
            drawn[f"{case}: {metric}"] = draw_panel(ax, row)
            ax.set_title(case, fontsize="medium")
            ax.set_xlabel(f"{NAMES[metric]} (test)")
        line[0].set_ylabel("accuracy (test)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return drawn


def draw_panel(ax, row):
    """Draw the means over splits with standard errors."""
    points = {}
    for name in STRATEGIES:
        values = [[r["measures"][name][part] for part in ("test", "score")] for r in row["splits"]]
        points[name], error = summary(values)
        color, marker = STYLES[name]
        ax.errorbar(*points[name], xerr=error[0], yerr=error[1], color=color, marker=marker,
                    markersize=7, linestyle="", elinewidth=0.9, label=name)  # fmt: skip
    front = [[[m["test"], m["score"]] for m in r["front"]] for r in row["splits"]]
    means, _ = summary(front)
    points["front"] = means
    joined = np.vstack([points["baseline"], means])
    ax.plot(
        *joined.T,
        color="#D55E00",
        marker="D",
        markersize=4.5,
        linewidth=1.3,
        markevery=slice(1, None),
        label=f"{BOUNDED}, bounds",
        zorder=1,
    )
    ax.grid(color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return {name: np.asarray(value).tolist() for name, value in points.items()}


def summary(values):
    """Return means over splits, and their standard errors."""
    values = np.asarray(values, dtype=float)
    error = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])
    return values.mean(axis=0), error / np.sqrt(len(values))
