"""What the page says in words."""

from __future__ import annotations

import re
from typing import Any

from skbadr.comparison._words import format_reach
from skbadr.estimators.outcome.summary import JUDGED_ROWS

from ._figures import MOST_GROUPS

# What the field's names mean, of a rate or mean that is compared between groups.
_RATES = {
    "demographic_parity": "the share of positive predictions",
    "selection_rate": "the share of positive predictions",
    "equal_opportunity": "the share of actual positives that are predicted positive",
    "true_positive_rate": "the share of actual positives that are predicted positive",
    "false_negative_rate": "the share of actual positives that are predicted negative",
    "false_positive_rate": "the share of actual negatives that are predicted positive",
    "true_negative_rate": "the share of actual negatives that are predicted negative",
    "equalized_odds": "the shares of actual positives and of actual negatives that are predicted "
    "positive",
    "accuracy": "the share of right predictions",
    "zero_one_loss": "the share of wrong predictions",
}
_WHOLE = {
    "worst_group_error": "the share of wrong predictions in the group where it is largest",
    "worst_group_loss": "the mean loss of the group where it is largest",
    "group_loss_gap": "the largest difference between the groups' mean losses",
    "group_loss_ratio": "the ratio of the largest to the smallest mean loss of a group",
    "group_loss_variance": "the variance of the groups' mean losses",
    "individual": "how differently similar people of different groups are treated (Berk et al. "
    "2017)",
    "kolmogorov_smirnov": "the largest distance between the distributions of two groups' "
    "predictions",
}
# How the groups' values are made one number, by the end of the metric's name.
_ENDS = {
    "_ratio": "the smallest ratio between groups of {}",
    "_group_min": "the smallest value of any group of {}",
    "_group_max": "the largest value of any group of {}",
    "": "the largest difference between groups in {}",
}


def without_addresses(estimator: Any) -> str:
    """Return an estimator's text on one line; objects in it lose their modules and addresses."""
    text = " ".join(repr(estimator).split())
    return re.sub(r"<(?:function )?(?:[\w<>]+\.)*(<?\w+>?)(?: object)? at 0x\w+>", r"\1(...)", text)


def metric_in_words(name: str, task: str) -> str | None:
    """Return what a metric measures, or None where there are no words for it."""
    if " / " in name:
        return (
            "the largest of several metrics, each in units of its bound, so that all bounds are "
            "met at 1 and below"
        )
    name = name.partition("[")[0]
    if name in _WHOLE:
        return _WHOLE[name]
    rates = dict(_RATES)
    if task == "regression":
        rates = {"demographic_parity": "the mean prediction"}
    form = next(form for end, form in _ENDS.items() if name.endswith(end))
    rate = next((words for start, words in rates.items() if name.startswith(start)), None)
    return None if rate is None else form.format(rate)


def unknowns(result: Any, key: str) -> list[str]:
    """Return what the rows of a report cannot tell, in sentences."""
    settings, sentences = result.settings, []
    audit = result.audits.get(key)
    if audit is None:
        sentences.append(
            f"There are no confidence limits for {settings['metric']} on these rows: how much of "
            "its value is chance is not known."
        )
    elif audit.bound is not None and audit.holds is None:
        sentences.append(
            f"Whether {settings['metric']} keeps the bound {audit.bound:.4g} on people not yet "
            f"seen {audit.verdict}. {format_reach(result)}"
        )
        if audit.group_needed is not None:
            label, rows = audit.group_needed
            sentences.append(
                f"Rows of the group {label} are needed most: about {float(f'{rows:.2g}'):,.0f}."
            )
    few = [f"{group} ({size['test']})" for group, size in settings["groups"].items()
           if size["test"] < JUDGED_ROWS]  # fmt: skip
    if few:
        sentences.append(
            f"Groups of fewer than {JUDGED_ROWS} test rows, whose rates are hardly known: "
            f"{', '.join(few)}."
        )
    sentences += [
        "The limits are for people like those of the test rows. Other people, other times and "
        "wrong labels are not covered.",
        "A small difference in this metric does not show that the model is fair by another one, "
        "nor to each person, nor before the law, which may also restrict the use of sensitive "
        "attributes in training.",
    ]
    return sentences


def gains(changes: list[dict[str, Any]], task: str) -> list[str]:
    """Return for each group, in a sentence, who gained and who lost."""
    sentences = [_gain(change, task) for change in changes[:MOST_GROUPS]]
    if len(changes) > MOST_GROUPS:
        sentences.append(f"The table has all {len(changes)} groups.")
    return sentences


def _gain(change, task):
    what = "share of wrong predictions" if task == "classification" else "error (RMSE)"
    before, after = change["error_before"], change["error_after"]
    moves = "rises" if after > before else "falls" if after < before else "stays"
    values = f"at {after:.4g}" if after == before else f"from {before:.4g} to {after:.4g}"
    error = f"the {what} {moves} {values}."
    if change["gained"] is None:
        return f"{change['group']}: {error}"
    return (
        f"{change['group']}: of {change['rows']:,} people {change['gained']:,} are newly predicted "
        f"positive and {change['lost']:,} no longer; {error}"
    )


def missed(model: Any, settings: Any) -> str | None:
    """Return a sentence if the search found no model within the bound."""
    bound, value = settings["bound"], model.metric_value_
    if bound is None or not (value < bound if settings["greater_is_better"] else value > bound):
        return None
    return (
        f"No model that the search visited keeps the bound {bound:.4g} on the "
        f"{model.evaluated_on_}. The chosen one is the nearest, with {value:.4g}."
    )
