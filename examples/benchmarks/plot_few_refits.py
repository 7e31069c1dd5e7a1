"""Draw the part of the cases hit by number of refits, from results of few_refits.py.

One panel for each estimator, guided search beside guide-free:

python examples/benchmarks/plot_few_refits.py --guided FILE ... --free FILE ... --output FILE
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

TITLES = {
    "boosting": "gradient boosting",
    "forest": "random forest",
    "network": "neural network",
    "pipeline": "pipeline: categories, missing values",
}


def read(files):
    """Return the numbers of refits to the first hit, and of theirs, by estimator and case."""
    found = {}
    for file in files:
        result = json.loads(file.read_text(encoding="utf-8"))
        for case in result["cases"]:
            key = tuple(case[name] for name in ("table", "metric", "difference_bound", "seed"))
            first = np.inf if case["first"] is None else case["first"]
            numbers = first, case["reference"]["refits"], case["found"]["refits"]
            found.setdefault(result["estimator"], {})[key] = numbers
    return found


def draw(axes, cases, budget, label, **style):
    """Draw one curve, from no refit to a budget."""
    refits = np.arange(budget + 1)
    part = [np.mean([first <= number for first, *_ in cases]) for number in refits]
    axes.step(refits, part, where="post", label=label, **style)


def main(arguments=None):
    """Draw from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--guided", type=Path, nargs="+", required=True)
    parser.add_argument("--free", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, default=Path("few_refits.png"))
    options = parser.parse_args(arguments)

    guided, free = read(options.guided), read(options.free)
    names = [name for name in TITLES if name in guided and name in free]
    figure, panels = plt.subplots(
        1, len(names), figsize=(3.1 * len(names), 2.9), sharey=True, squeeze=False
    )
    for axes, name in zip(panels[0], names, strict=True):
        both = sorted(guided[name].keys() & free[name].keys())
        one, other = ([side[name][key] for key in both] for side in (guided, free))
        budget = max(spent for *_, spent in one + other)
        draw(axes, one, budget, "guided", color="C0")
        draw(axes, other, budget, "guide-free", color="C1", linestyle="--")
        reference = np.median([guided[name][key][1] for key in both])
        axes.set_title(f"{TITLES[name]}\n{len(both)} cases", fontsize=9)
        axes.set_xlabel(f"refits (ExponentiatedGradient: {reference:.0f})", fontsize=8)
        axes.set(xlim=(0, budget), ylim=(0, 1))
        axes.grid(alpha=0.3)
        print(f"{name}: {len(both)} cases, budget {budget}, ExponentiatedGradient {reference:.0f}")
    panels[0][0].set_ylabel("cases hit", fontsize=8)
    panels[0][0].legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(options.output, dpi=80)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
