"""The comparison in a few sentences: what became of the metric on test rows, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skbadr.estimators.outcome.verdicts import promise

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def chosen_key(result: Bunch) -> str | None:
    """Return the key of the BADR model that `compare` puts forward: the last of its partitions."""
    keys = [key for key in result.fronts if key.startswith("badr_")]
    return keys[-1] if keys else None


def format_headline(result: Bunch) -> str:
    """Say in a few sentences what BADR did to the metric on test rows, and what it cost.

    Parameters
    ----------
    result : Bunch
        What `compare` returned.

    Returns
    -------
    str
        One line per sentence; empty where `compare` ran without BADR.
    """
    key = chosen_key(result)
    if key is None:
        return ""
    rows = {row["key"]: row for row in result.rows}
    chosen, baseline = rows[key], rows.pop("baseline", None)
    n_test = sum(size["test"] for size in result.settings["groups"].values())
    seen = f"On the {n_test:,} test rows, which no model was trained on, {chosen['method']}"
    metric, task = result.settings["metric"], result.settings["task"]
    if baseline is None:
        lines = [f"{seen} has {metric} {_with_limits(result, key)} and {_quality(chosen, task)}."]
    else:
        lines = [
            f"{seen} {_move(baseline, chosen)} {metric} from "
            f"{_with_limits(result, 'baseline')} to {_with_limits(result, key)}.",
            f"{_cost(baseline, chosen, task)}{_took(baseline, chosen)}",
        ]
    lines += promise(result.models[key])
    for other in rows.values():
        if not other["key"].startswith(("badr_", "baseline")):
            draws = "" if other["deterministic"] else ", and it draws predictions at random"
            lines.append(
                f"{other['method']}: {_with_limits(result, other['key'])}, "
                f"{_quality(other, task)}{_fits(other)}{draws}."
            )
    return "\n".join(lines)


def format_reach(result: Bunch) -> str:
    """Say which value would show, on these test rows, that the bound holds.

    Parameters
    ----------
    result : Bunch
        What `compare` returned.

    Returns
    -------
    str
        Empty where the verdict on the chosen model is known, or there is none.
    """
    audit = result.audits.get(chosen_key(result))
    if audit is None or audit.bound is None or audit.holds is not None:
        return ""
    # The limits move with the value, and keep about their distance from it.
    room = audit.value - audit.lower if audit.greater_is_better else audit.value - audit.upper
    enough = audit.bound + room
    words = "or more" if audit.greater_is_better else "or less"
    if enough <= 0 and not audit.greater_is_better:
        return f"With {audit.n_rows:,} test rows no value can show that the bound holds."
    return (
        f"With {audit.n_rows:,} test rows a value of about {enough:.2g} {words} would show that "
        f"the bound {audit.bound:.4g} holds."
    )


def _move(baseline, chosen):
    before, after = baseline["metric_test"], chosen["metric_test"]
    return "lowers" if after < before else "raises" if after > before else "moves"


def _with_limits(result: Any, key: str) -> str:
    value = next(row["metric_test"] for row in result.rows if row["key"] == key)
    audit = result.audits.get(key)
    if audit is None:
        return f"{value:.3f}"
    # Words once, numbers only after that.
    first = next(row["key"] for row in result.rows if row["key"] in result.audits)
    words = f"{100 * audit.confidence:g} % limits " if key == first else ""
    return f"{value:.3f} ({words}{audit.lower:.3f} to {audit.upper:.3f})"


def _cost(baseline, chosen, task):
    name = "accuracy" if task == "classification" else "rmse"
    before, after = baseline[f"{name}_test"], chosen[f"{name}_test"]
    if task == "classification":
        lost = 100 * (before - after)
        what = "costs" if lost >= 0 else "gains"
        rates = f"{100 * before:.1f} % to {100 * after:.1f} %"
        return f"This {what} {abs(lost):.1f} points of accuracy ({rates})."
    return f"The root mean squared error goes from {before:.4g} to {after:.4g}."


def _quality(row, task):
    if task == "classification":
        return f"accuracy {100 * row['accuracy_test']:.1f} %"
    return f"root mean squared error {row['rmse_test']:.4g}"


def _fits(row):
    """Return what a method took, after a comma, where that is known."""
    if row.get("seconds") is None:
        return ""
    return f", {row['refits']} fit{'s' * (row['refits'] != 1)} in {row['seconds']:.1f} s"


def _took(baseline, chosen):
    if not _fits(chosen) or not _fits(baseline):
        return ""
    return f" It took {_fits(chosen)[2:]}; the baseline estimator took {_fits(baseline)[2:]}."
