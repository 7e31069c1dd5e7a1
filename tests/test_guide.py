"""The score-shift guide: what it predicts for a refit, from the baseline model's probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups
from skbadr.solvers.guide import ScoreShiftGuide


def make_problem(n_classes=2, n=400, n_groups=3, seed=0, weighted=True):
    """Return evaluation set, cells, a logistic regression's probabilities and predictions."""
    rng = np.random.default_rng(seed)
    groups = make_groups(rng.integers(0, n_groups, n))
    X = rng.normal(size=(n, 3)) + 0.5 * groups.codes[:, None]
    score = X.sum(axis=1) + rng.normal(size=n)
    y = np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))
    weight = rng.integers(1, 4, n) / 2.0 if weighted else np.ones(n)
    classes = np.arange(n_classes)
    cells = make_cells("group_target", y, groups, weight, classes=classes)
    model = LogisticRegression().fit(X, y, sample_weight=weight)
    data = EvaluationSet(y, groups, classes, weight if weighted else None)
    return data, cells, model, X


def table_by_definition(data, cells, proba, weights):
    """Shift each row's log probabilities by its group's log factors, and take the greatest."""
    logs = np.log(np.clip(proba, 1e-12, 1.0))
    factor = dict(zip(zip(cells.group_of_cell, cells.target_of_cell, strict=True),
                      np.log(weights / cells.shares), strict=True))  # fmt: skip
    for (group, target), shift in factor.items():
        logs[data.groups.codes == group, target] += shift
    return data.confusion(np.argmax(logs, axis=1))


def random_weights(cells, seed, spread=1.0, n=4):
    rng = np.random.default_rng(seed)
    weights = cells.shares * np.exp(spread * rng.normal(size=(n, cells.n_cells)))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_baseline_weights_give_the_baseline_model(n_classes, weighted, seed):
    data, cells, model, X = make_problem(n_classes, seed=seed, weighted=weighted)
    guide = ScoreShiftGuide(data, cells, model.predict_proba(X))
    tables = guide.confusion(cells.shares[None])
    assert tables.shape == (1, 3, n_classes, n_classes)
    assert tables[0].tolist() == data.confusion(model.predict(X)).tolist()

    statistics, score = guide.predict(cells.shares[None])
    for name in ("demographic_parity", "equalized_odds", "accuracy_parity_ratio"):
        metric = get_metric(name)
        exact = metric.value(data, model.predict(X))
        assert metric.from_statistics(data, statistics[0]) == exact
    accuracy = np.average(model.predict(X) == data.y, weights=data.sample_weight)
    assert score[0] == pytest.approx(accuracy)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_shifted_tables_are_the_definition(n_classes, spread):
    data, cells, model, X = make_problem(n_classes)
    proba = model.predict_proba(X)
    weights = random_weights(cells, 1, spread)
    tables = ScoreShiftGuide(data, cells, proba).confusion(weights)
    for table, row in zip(tables, weights, strict=True):
        assert table.tolist() == table_by_definition(data, cells, proba, row).tolist()


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 3))
def test_more_weight_on_a_class_selects_it_more(seed, n_classes):
    """And in that group alone."""
    data, cells, model, X = make_problem(n_classes, n=150, seed=seed % 7)
    guide = ScoreShiftGuide(data, cells, model.predict_proba(X))
    rng = np.random.default_rng(seed)
    cell = rng.integers(cells.n_cells)
    group, target = cells.group_of_cell[cell], cells.target_of_cell[cell]
    weights = np.tile(random_weights(cells, seed, n=1), (6, 1))
    weights[:, cell] *= np.exp(np.linspace(-4, 4, 6))
    tables = guide.confusion(weights)
    selected = tables[:, group, :, target]
    assert (np.diff(selected, axis=0) >= 0).all()
    others = np.delete(tables, group, axis=1)
    assert (others == others[0]).all()
    np.testing.assert_allclose(tables.sum(axis=3), np.tile(data.class_totals, (6, 1, 1)))


def test_extreme_weights_select_everything():
    data, cells, model, X = make_problem()
    guide = ScoreShiftGuide(data, cells, model.predict_proba(X))
    for target in (0, 1):
        weights = np.where(cells.target_of_cell == target, 1.0, 1e-15)[None]
        tables = guide.confusion(weights / weights.sum())
        assert (tables[0, :, :, 1 - target] == 0).all()


def test_only_the_ratio_within_a_group_matters():
    data, cells, model, X = make_problem()
    guide = ScoreShiftGuide(data, cells, model.predict_proba(X))
    weights = random_weights(cells, 3)
    scaled = weights * np.array([0.2, 1.0, 5.0])[cells.group_of_cell]
    assert (guide.confusion(weights) == guide.confusion(scaled)).all()


def test_equal_scores_stay_with_the_first_class():
    """As argmax and predict do."""
    groups = make_groups([0, 0, 1, 1])
    y, classes = np.array([0, 1, 0, 1]), np.array([0, 1])
    cells = make_cells("group_target", y, groups, np.ones(4), classes=classes)
    guide = ScoreShiftGuide(EvaluationSet(y, groups, classes), cells, np.full((4, 2), 0.5))
    assert guide.confusion(cells.shares[None])[0, :, :, 1].sum() == 0


def test_class_that_a_group_lacks_is_not_shifted():
    groups = make_groups([0, 0, 0, 1, 1, 1])
    y, classes = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1])
    cells = make_cells("group_target", y, groups, np.ones(6), classes=classes)
    assert cells.n_cells == 3
    proba = np.array([0.1, 0.4, 0.8] * 2)
    guide = ScoreShiftGuide(EvaluationSet(y, groups, classes), cells, np.c_[1 - proba, proba])
    assert guide.confusion(cells.shares[None])[0, 0].tolist() == [[2.0, 1.0], [0.0, 0.0]]
    # The log odds of 0.8 are 1.39: a weight of its one class beyond e^1.39 turns it.
    for factor, selected in ((3.9, 1.0), (4.1, 0.0)):
        weights = cells.shares * np.array([factor, 1.0, 9.0])
        assert guide.confusion(weights[None])[0, 0, 0, 1] == selected


def test_guide_foresees_refits():
    """For a model that is calibrated and well specified: the table of a real refit, nearly."""
    data, cells, model, X = make_problem(n=6000, n_groups=2, weighted=False)
    Z = np.c_[X, data.groups.codes]  # a column for the group can move its rates alone
    baseline = LogisticRegression(C=100).fit(Z, data.y)
    guide = ScoreShiftGuide(data, cells, baseline.predict_proba(Z))
    weights = random_weights(cells, 0, spread=0.4)
    for row, table in zip(weights, guide.confusion(weights), strict=True):
        refit = LogisticRegression(C=100).fit(Z, data.y, sample_weight=cells.sample_weight(row))
        exact = data.confusion(refit.predict(Z))
        rates, predicted = (t[:, :, 1].sum(axis=1) / data.group_totals for t in (exact, table))
        np.testing.assert_allclose(predicted, rates, atol=0.02)


def test_many_classes_use_a_part_of_many_rows():
    data, cells, model, X = make_problem(3, n=3000, weighted=False)
    proba = model.predict_proba(X)
    weights = random_weights(cells, 5)
    whole = ScoreShiftGuide(data, cells, proba).confusion(weights)
    part = ScoreShiftGuide(data, cells, proba, max_rows=1000).confusion(weights)
    np.testing.assert_allclose(part.sum(axis=(1, 2, 3)), 3000)
    np.testing.assert_allclose(part / 3000, whole / 3000, atol=0.03)
