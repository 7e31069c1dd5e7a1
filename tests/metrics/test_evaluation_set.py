"""Totals of groups, of all rows, of parts of them and of merged groups: against loops over rows."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from skbadr._rows import STEP_ROWS
from skbadr.losses import get_loss
from skbadr.metrics import EvaluationSet
from skbadr.partition import Groups

LABELS = ["a", "b", "absent", "d"]


def draw(task, weighted, n=60, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.choice([0, 1, 3], n)
    weight = rng.integers(0, 4, n) * 0.5 if weighted else None
    classes = np.array(["x", "y", "z"]) if task == "classification" else None
    y = rng.integers(0, 3, n) if classes is not None else rng.normal(size=n)
    loss = get_loss("squared_error")
    return EvaluationSet(
        y,
        Groups(codes, LABELS, ("g",)),
        classes,
        weight,
        sensitive_features=codes,
        reference={loss: rng.random(n)},
    )


each = pytest.mark.parametrize(
    ("task", "weighted"),
    [(task, weighted) for task in ("classification", "regression") for weighted in (False, True)],
)


def check_totals(data, codes, y, weight, reference, n_groups):
    """Compare with loops over the rows that a set holds, or stands for."""
    (loss,) = data.reference
    for g in range(n_groups):
        own = weight[codes == g]
        assert data.group_totals[g] == pytest.approx(own.sum())
        assert data.squared_totals[g] == pytest.approx((own**2).sum())
        assert data.rows_by_group[g] == np.count_nonzero(own)
        if own.any():
            mean = np.average(reference[codes == g], weights=own)
            assert data.reference_means(loss)[g] == pytest.approx(mean)
        for c in range(3 if data.classes is not None else 0):
            own = weight[(codes == g) & (y == c)]
            assert data.class_totals[g, c] == pytest.approx(own.sum())
            assert data.squared_class_totals[g, c] == pytest.approx((own**2).sum())
    assert data.n_rows == np.count_nonzero(weight[codes >= 0])
    assert data.present.tolist() == [weight[codes == g].sum() > 0 for g in range(n_groups)]


def parts_of(data):
    (reference,) = data.reference.values()
    weight = np.ones(len(data.y)) if data.sample_weight is None else data.sample_weight
    return data.groups.codes, data.y, weight, reference


@each
def test_totals(task, weighted):
    data = draw(task, weighted)
    assert data.task == task
    assert np.isnan(data.group_means(data.groups.codes * 1.0)[2])  # nobody is there
    check_totals(data, *parts_of(data), 4)


@each
def test_totals_of_some_rows(task, weighted):
    data, rows = draw(task, weighted), np.arange(60) % 3 > 0
    check_totals(data.take(rows), *(part[rows] for part in parts_of(data)), 4)


@each
def test_totals_of_merged_groups(task, weighted):
    data, place = draw(task, weighted), np.array([1, -1, 0, 1])
    codes, *others = parts_of(data)
    merged = data.merged(place, ["left", "right"], ("h",))
    assert len(merged.y) == 0
    assert (merged.groups.labels, merged.groups.names) == (["left", "right"], ("h",))
    check_totals(merged, place[codes], *others, 2)


@each
def test_parts_add_up(task, weighted):
    data = draw(task, weighted)
    codes, y, weight, _ = parts_of(data)
    values = np.random.default_rng(1).normal(size=60)
    sums, means = np.zeros(4), np.zeros(4)
    for rows in (slice(0, 25), slice(25, 60)):
        own = None if data.sample_weight is None else weight[rows]
        part = data.part(y[rows], codes[rows], own)
        assert part.group_totals.tolist() == data.group_totals.tolist()
        sums += part.group_sums(values[rows])
        means += np.nan_to_num(part.group_means(values[rows]))
    np.testing.assert_allclose(sums, data.group_sums(values))
    np.testing.assert_allclose(means, np.nan_to_num(data.group_means(values)))
    made = data.group_sums(lambda rows: values[rows])
    np.testing.assert_allclose(made, data.group_sums(values))
    empty = data.without_rows()
    assert len(empty.y) == 0
    assert empty.group_totals.tolist() == data.group_totals.tolist()
    if task == "classification":
        assert empty.class_totals.tolist() == data.class_totals.tolist()


@pytest.mark.parametrize("weighted", [False, True])
def test_confusion_matrices_are_those_of_scikit_learn(weighted):
    data = draw("classification", weighted, n=2 * STEP_ROWS + 7)
    predicted = np.random.default_rng(2).integers(0, 3, len(data.y))
    codes, y, weight, _ = parts_of(data)
    for _ in range(2):  # and again, when codes were released
        found = data.confusion(predicted)
        for g in (0, 1, 3):
            own = codes == g
            expected = confusion_matrix(
                y[own], predicted[own], labels=[0, 1, 2], sample_weight=weight[own]
            )
            np.testing.assert_allclose(found[g], expected)
        assert not found[2].any()
        assert data.pair.tolist() == (3 * codes + y).tolist()
        assert data.class_totals.sum() == pytest.approx(weight.sum())
        data.release()
        assert not {"pair", "_row_offset"} & set(vars(data))


def test_losses_of_a_model_that_is_not_known_are_asked_for():
    data = draw("regression", False)
    with pytest.raises(ValueError, match="group_harm compares a model with the baseline one"):
        data.reference_means(get_loss("absolute_error"))
