"""Guides: what they predict of refits, against definitions, real refits and exact posteriors."""

import numpy as np
import pandas as pd
import pytest
from data import make_people, make_wages
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score, get_scorer, roc_auc_score

from skbadr._guard import Guard
from skbadr.estimators.inputs.scoring import FoldScorer
from skbadr.guides import DensityGuide, PosteriorGuide, make_guide
from skbadr.guides._features import row_encoder
from skbadr.guides._response import Prior, Response
from skbadr.guides.regression import _truncated
from skbadr.lower_level import RefitLowerLevel
from skbadr.metrics import EvaluationSet, get_metric
from skbadr.partition import make_cells, make_groups
from skbadr.problem import BilevelProblem, Evaluator, UpperObjective
from skbadr.problem.evaluator import Fold


def fold_scorer(scorer, y):
    return FoldScorer(scorer, y, None, Guard(scorer))


def make_problem(
    X, y, group, estimator, metric="demographic_parity", *, weight=None, partition="group_target",
    folds=None, scoring=None,
):  # fmt: skip
    """Return the bilevel problem of an estimator, without a BADR estimator around it."""
    y, groups = np.asarray(y), make_groups(group)
    base = np.ones(len(y)) if weight is None else weight
    classes = None if y.dtype.kind == "f" else np.unique(y)
    codes = y if classes is None else np.searchsorted(classes, y)
    cells = make_cells(partition, codes, groups, base, classes=classes, n_target_bins=2)
    data = EvaluationSet(codes, groups, classes, weight, group)
    metric = get_metric(metric, data.task)
    options = {"weighted": weight is not None, "fit_params": {}}
    if folds is None:
        parts = [Fold(RefitLowerLevel(estimator, X, y, cells, **options), X)]
    else:
        parts = [
            Fold(RefitLowerLevel(estimator, X, y, cells, rows=train, **options), X, test)
            for train, test in folds
        ]
        rows = np.concatenate([test for _, test in folds])
        data, cells = data.take(rows), cells.take(rows)
    loss = "squared_error" if classes is None else "log_loss"
    if scoring is not None:
        scoring = fold_scorer(get_scorer(scoring) if isinstance(scoring, str) else scoring, y)
    evaluator = Evaluator(parts, data, cells, metric=metric, loss=loss, scoring=scoring)
    return BilevelProblem(
        evaluator, UpperObjective(metric), cells,
        initial=cells.shares, min_weight=1e-6, tol=1e-4, n_jobs=None, seed=0,
    )  # fmt: skip


# Refits go all the way that theory says, and rows no way toward their own targets.
THEORY = Prior(along=1.0, toward=0.0)


def learnt(problem, **options):
    """Return the problem's guide after the baseline, and the baseline's evaluation."""
    guide = make_guide(problem) if not options else PosteriorGuide(problem, **options)
    baseline = problem.evaluator(problem.shares, "baseline")
    guide.learn(baseline)
    return guide, baseline


def random_weights(problem, seed, spread=1.0, n=4):
    rng = np.random.default_rng(seed)
    weights = problem.shares * np.exp(spread * rng.normal(size=(n, problem.n_cells)))
    return weights / weights.sum(axis=1, keepdims=True)


def people(n=600, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b", "c"], n)
    X = rng.normal(size=(n, 3)) + 0.5 * (group == "b")[:, None]
    score = X.sum(axis=1) + rng.normal(size=n)
    y = np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))
    return X, y, group


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("metric", ["demographic_parity", "equalized_odds", "individual"])
def test_guides_are_exact_at_visited_points(n_classes, weighted, metric):
    X, y, group = people(n_classes=n_classes)
    weight = np.random.default_rng(1).integers(1, 4, len(y)) / 2.0 if weighted else None
    problem = make_problem(X, y, group, LogisticRegression(), metric, weight=weight)
    guide, baseline = learnt(problem)
    visited = [baseline]
    for weights in random_weights(problem, 0, n=2):
        visited.append(problem.evaluator(weights))
        guide.learn(visited[-1])
    found = guide.predict(np.array([e.cell_weights for e in visited]))
    expected = np.array([(e.metric, e.score) for e in visited]).T
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("partition", ["group_target", "group"])
def test_predictions_are_the_definition(n_classes, partition):
    X, y, group = people(n_classes=n_classes)
    problem = make_problem(X, y, group, LogisticRegression(), partition=partition)
    guide, baseline = learnt(problem, prior=THEORY)
    codes, posterior = problem.cells.codes, np.zeros((len(y), n_classes, problem.n_cells))
    for c in range(n_classes):
        model = LogisticRegression(max_iter=100, tol=1e-3)
        encoded = row_encoder(X)(X)
        own = np.unique(codes[y == c])
        posterior[:, c, own] = model.fit(encoded[y == c], codes[y == c]).predict_proba(encoded)
    metric, data = problem.evaluator.metric, problem.evaluator.evaluation_set
    proba = baseline.responses["predict_proba"]
    for weights in random_weights(problem, 1):
        mass = proba * (posterior @ (weights / problem.shares))
        decided = np.sort(mass, axis=1)
        assert np.median(decided[:, -1] / decided[:, -2]) > 1.01
        predicted = mass.argmax(axis=1)
        found, score = guide.predict(weights[None])
        assert found[0] == pytest.approx(metric.value(data, predicted), abs=0.005)
        assert score[0] == pytest.approx(np.mean(predicted == y), abs=0.005)


@pytest.mark.parametrize("told", [True, False])
def test_guide_foresees_refits_on_new_rows(told):
    """A calibrated, well specified model; the group among the features or not."""
    rng = np.random.default_rng(0)
    n = 8000
    group = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 3)) + 0.7 * group[:, None]
    y = (X.sum(axis=1) - 1 + rng.logistic(size=n) > 0).astype(int)
    X = np.c_[X, group] if told else X
    rows = np.arange(n)
    folds = [(rows[rows % 2 == 0], rows[rows % 2 == 1]), (rows[rows % 2 == 1], rows[rows % 2 == 0])]
    problem = make_problem(X, y, group, LogisticRegression(C=100), "equalized_odds", folds=folds)
    guide, _ = learnt(problem, prior=THEORY)
    weights = random_weights(problem, 0, spread=0.5)
    metric, score = guide.predict(weights)
    for i, own in enumerate(weights):
        refit = problem.evaluator(own)
        assert metric[i] == pytest.approx(refit.metric, abs=0.03)
        assert score[i] == pytest.approx(refit.score, abs=0.01)


class Timid(LogisticRegression):
    """Takes the square roots of its weights, and so goes half of the way."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, None if sample_weight is None else np.sqrt(sample_weight))


def test_response_is_learnt_from_refits():
    X, y, group = people(2000)
    problem = make_problem(X, y, group, Timid())
    guide, _ = learnt(problem)
    assert guide.response.along == 0.8
    assert np.isnan(guide.response.measured)
    (weights,) = random_weights(problem, 3, n=1)
    guide.learn(problem.evaluator(weights))
    assert guide.response.along.mean() < 0.6
    assert guide.response.measured < 0.6
    (other,) = random_weights(problem, 4, n=1)
    refit = problem.evaluator(other)
    assert guide.predict(other[None])[0][0] == pytest.approx(refit.metric, abs=0.03)


def test_responses_are_least_squares_of_what_happened():
    rng = np.random.default_rng(0)
    moves, pulls = rng.normal(size=(2, 5, 400))
    truth = rng.uniform(0.2, 0.8, 400)
    changes = truth * moves + 0.4 * pulls
    seen, blind = (Response(Prior(rows=0.1), memorises=memorises) for memorises in (True, False))
    for each in zip(moves, pulls, changes, strict=True):
        seen.learn(*each)
        blind.learn(*each)
    assert seen.toward == pytest.approx(0.4, abs=0.03)
    assert np.abs(seen.along - truth).mean() < 0.06
    assert blind.toward == 0.0
    assert np.abs(blind.along - truth).mean() > np.abs(seen.along - truth).mean()
    # Where weights move nothing, nothing is learnt.
    idle = Response(Prior(), memorises=True)
    idle.learn(np.zeros(3), np.ones(3), np.ones(3))
    assert idle.along == 1.0
    assert np.isnan(idle.measured)


def test_models_that_memorise_are_foreseen_on_their_training_rows():
    """A fully grown forest goes toward the targets of rows that weigh more."""
    X, y, group = people(1500)
    forest = RandomForestClassifier(20, max_depth=8, random_state=0)
    problem = make_problem(X, y, group, forest, "accuracy_parity")
    guide, _ = learnt(problem)
    first, *others = random_weights(problem, 5, spread=0.7, n=6)
    guide.learn(problem.evaluator(first))
    assert guide.response.toward > 0.05
    metric, score = guide.predict(np.array(others))
    refits = [problem.evaluator(weights) for weights in others]
    assert np.abs(metric - [refit.metric for refit in refits]).mean() < 0.05
    assert np.abs(score - [refit.score for refit in refits]).mean() < 0.04


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "f1", "roc_auc"])
def test_any_score_is_predicted(scoring):
    X, y, group = people(1500)
    problem = make_problem(X, y, group, LogisticRegression(), scoring=scoring)
    guide, baseline = learnt(problem, prior=THEORY)
    assert guide.calls == (scoring == "roc_auc")
    assert guide.predict(problem.shares[None])[1][0] == pytest.approx(baseline.score)
    for weights in random_weights(problem, 2, spread=0.5):
        refit = problem.evaluator(weights)
        assert guide.predict(weights[None])[1][0] == pytest.approx(refit.score, abs=0.02)


def test_a_cost_that_looks_at_columns_is_predicted():
    X, y, group = people(1500)
    X = pd.DataFrame(X, columns=["a", "b", "amount"])

    def saved(estimator, X, y):
        right = estimator.predict(X) == y
        return float(np.mean(np.abs(X["amount"]) * right))

    rows = np.arange(1500)
    folds = [(rows[:700], rows[700:]), (rows[700:], rows[:700])]
    problem = make_problem(X, y, group, LogisticRegression(), scoring=saved, folds=folds)
    guide, baseline = learnt(problem)
    (weights,) = random_weights(problem, 2, spread=0.5, n=1)
    refit = problem.evaluator(weights)
    assert guide.predict(problem.shares[None])[1][0] == pytest.approx(baseline.score)
    assert guide.predict(weights[None])[1][0] == pytest.approx(refit.score, abs=0.02)


def test_a_callable_metric_is_predicted():
    X, y, group = people(1500)

    def lowest_rate(y_true, y_pred, *, sensitive_features):
        groups = np.asarray(sensitive_features)
        return 1.0 - min(y_pred[groups == g].mean() for g in np.unique(groups))

    named = make_problem(X, y, group, LogisticRegression(), lowest_rate)
    guide, _ = learnt(named, prior=THEORY)
    assert guide.calls
    for weights in random_weights(named, 2, spread=0.5):
        refit = named.evaluator(weights)
        assert guide.predict(weights[None])[0][0] == pytest.approx(refit.metric, abs=0.05)


@pytest.mark.parametrize("n_groups", [2, 40])
def test_sampled_rows_stand_for_all(n_groups, monkeypatch):
    rng = np.random.default_rng(0)
    n = 4000
    group = np.where(rng.random(n) < 0.02, 0, rng.integers(0, n_groups, n))
    X = rng.normal(size=(n, 2)) + 0.02 * group[:, None]
    y = (X[:, 0] + rng.normal(size=n) > 0.5).astype(int)
    problem = make_problem(X, y, group, LogisticRegression())
    guide, _ = learnt(problem)
    weights = random_weights(problem, 1, spread=0.5)
    whole = guide.predict(weights)
    monkeypatch.setattr("skbadr.guides._base.GUIDE_ROWS", 2000)
    part = learnt(problem)[0].predict(weights)
    # Gaps of half of 4,000 rows have standard errors of .02 and, between 40 groups, .07.
    np.testing.assert_allclose(part[0], whole[0], atol=0.04 if n_groups == 2 else 0.15)
    assert np.abs(part[0] - whole[0]).mean() < (0.02 if n_groups == 2 else 0.07)
    np.testing.assert_allclose(part[1], whole[1], atol=0.02)


def test_rows_of_weight_zero_teach_nothing():
    X, y, group = people(900)
    kept = np.random.default_rng(0).random(900) < 0.7
    found = []
    for rows, weight in ((slice(None), kept.astype(float)), (kept, np.ones(kept.sum()))):
        problem = make_problem(X[rows], y[rows], group[rows], LogisticRegression(), weight=weight)
        found.append(learnt(problem)[0].predict(random_weights(problem, 5)))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


@given(seed=st.integers(0, 10**6), n_classes=st.integers(2, 4), n_groups=st.integers(2, 5))
@settings(max_examples=15, deadline=None)
def test_more_weight_on_a_class_selects_it_more(seed, n_classes, n_groups):
    rng = np.random.default_rng(seed)
    n = 400
    group = np.r_[np.arange(n_groups), rng.integers(0, n_groups, n - n_groups)]
    X = rng.normal(size=(n, 2)) + 0.3 * group[:, None]
    y = np.r_[np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)]
    problem = make_problem(X, y, group, LogisticRegression(), "accuracy_parity")
    guide, _ = learnt(problem)
    target = problem.cells.target_of_cell
    selected = []
    for factor in (0.2, 1.0, 5.0):
        ratios = np.where(target == n_classes - 1, factor, 1.0)
        mass = guide._log_masses(ratios[None])[:, 0] + np.log(1 / n_classes)
        selected.append((mass[-1] - mass[0]).mean())
    assert selected == sorted(selected)


def test_posteriors_are_those_of_the_law():
    """Normal features: the log odds of the group within a class are linear, and known."""
    rng = np.random.default_rng(0)
    n = 20_000
    y, group = rng.integers(0, 2, n), rng.integers(0, 2, n)
    X = rng.normal(size=(n, 2)) + np.c_[group * (1 + y), y]
    problem = make_problem(X, y, group, LogisticRegression())
    guide = make_guide(problem)
    codes = problem.cells.group_of_cell, problem.cells.target_of_cell
    for c in (0, 1):
        exact = 1 / (1 + np.exp(-(1 + c) * (X[:, 0] - (1 + c) / 2)))
        (column,) = np.flatnonzero((codes[0] == 1) & (codes[1] == c))
        found = guide._posterior[c][:, column]
        assert np.abs(found - exact[guide._rows]).mean() < 0.02


@pytest.mark.parametrize("told", [True, False])
def test_regressors_are_foreseen(told):
    rng = np.random.default_rng(0)
    n = 6000
    group = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 2)) + 0.8 * group[:, None]
    y = X.sum(axis=1) + rng.normal(size=n)
    X = np.c_[X, group] if told else X
    problem = make_problem(X, y, group, LinearRegression())
    guide = make_guide(problem)
    assert isinstance(guide, DensityGuide)
    baseline = problem.evaluator(problem.shares, "baseline")
    guide.learn(baseline)
    weights = random_weights(problem, 1, spread=0.5)
    metric, score = guide.predict(weights)
    for i, own in enumerate(weights):
        refit = problem.evaluator(own)
        assert metric[i] == pytest.approx(refit.metric, abs=0.12)
        assert score[i] == pytest.approx(refit.score, abs=0.12)
        assert abs(metric[i] - refit.metric) < 0.6 * abs(baseline.metric - refit.metric) + 0.03


def test_truncated_normals_by_integration():
    mean, spread, edges = np.array([1.0, 2.5, -4.0]), 1.3, np.array([0.5, 2.0])
    mass, centre = _truncated(mean, spread, edges)
    np.testing.assert_allclose(mass.sum(axis=1), 1.0, rtol=1e-9)
    grid = np.linspace(-30, 30, 400_001)
    bins = np.searchsorted(edges, grid)
    for row in range(3):
        density = np.exp(-0.5 * ((grid - mean[row]) / spread) ** 2)
        for b in range(3):
            own = density * (bins == b)
            assert mass[row, b] == pytest.approx(own.sum() / density.sum(), abs=1e-4)
            assert centre[row, b] == pytest.approx((grid * own).sum() / own.sum(), abs=1e-2)


def test_one_cell_of_wages_is_raised_and_no_other_group():
    X, y, group = make_wages(800)
    X = np.c_[X, group == np.unique(group)[0]]
    problem = make_problem(X, y, group, LinearRegression())
    guide = make_guide(problem)
    guide.learn(problem.evaluator(problem.shares, "baseline"))
    cells = problem.cells
    raised = np.where((cells.group_of_cell == 0) & (cells.target_of_cell == 1), 4.0, 1.0)
    moved, codes = guide.moves(raised), problem.evaluator.evaluation_set.groups.codes
    assert moved[codes == 0].mean() > 5 * abs(moved[codes == 1].mean())


TEXTS = ["good work", "bad work", "good day", "day off"] * 20
TABLES = {
    "numbers": np.arange(240.0).reshape(80, 3),
    "codes": np.repeat(np.arange(4), 20)[:, None],
    "missing": np.where(np.arange(160).reshape(80, 2) % 7 == 0, np.nan, 1.5),
    "sparse": sparse.random(80, 30, 0.2, format="csr", random_state=0),
    "frame": pd.DataFrame({"job": list("abcd") * 20, "age": np.arange(80.0)}),
    "category": pd.DataFrame({"job": pd.Categorical(list("abcd") * 20)}),
    "texts": TEXTS,
    "image": np.zeros((80, 2, 3)),
}


@pytest.mark.parametrize("name", TABLES)
def test_rows_of_any_kind_become_numbers(name):
    table = TABLES[name]
    encoded = row_encoder(table)(table)
    assert encoded.shape[0] == 80
    values = encoded.data if sparse.issparse(encoded) else encoded
    assert np.isfinite(values).all()


def test_new_categories_and_texts_that_nobody_saw():
    frame = TABLES["frame"]
    encode = row_encoder(frame)
    other = pd.DataFrame({"job": ["a", "never"], "age": [np.nan, 1e9]})
    encoded = encode(other).toarray()
    assert np.isfinite(encoded).all()
    assert encoded[1, 1:5].sum() == 0  # no category
    assert row_encoder([{"a": 1}, {"b": 2}]) is None
    assert row_encoder([[1], [2, 3]]) is None


def test_codes_that_no_line_separates_are_told_apart():
    """A group among the integer codes of a column: 1 of 0, 1, 2."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 900)
    group = (code == 1).astype(int)
    encoded = row_encoder(code[:, None])(code[:, None])
    model = LogisticRegression().fit(encoded, group)
    assert model.score(encoded, group) == 1.0


def test_scores_of_tables_are_scores_of_rows():
    rng = np.random.default_rng(0)
    classes = np.array(["no", "yes"])
    y, predicted = rng.integers(0, 2, (2, 200))
    table = np.zeros((2, 2))
    np.add.at(table, (y, predicted), 1.0)
    scorer = fold_scorer(get_scorer("balanced_accuracy"), classes[y])
    assert scorer.counted
    assert scorer.of_table(table, classes) == pytest.approx(balanced_accuracy_score(y, predicted))
    assert not fold_scorer(get_scorer("roc_auc"), y).counted
    assert not fold_scorer(lambda model, X, y: roc_auc_score(y, y), y).counted


def test_hard_labels_alone_are_guided_by_a_small_classifier():
    X, y, group = make_people(1500)
    problem = make_problem(X, y, group, LogisticRegression())
    evaluator = problem.evaluator
    evaluator.loss, evaluator.methods, evaluator.guide_method = "zero_one", {"predict"}, None
    guide, baseline = learnt(problem)
    assert set(baseline.responses) == {"predict"}
    (weights,) = random_weights(problem, 2, spread=0.5, n=1)
    refit = problem.evaluator(weights)
    metric, score = guide.predict(weights[None])
    assert metric[0] == pytest.approx(refit.metric, abs=0.1)
    assert score[0] == pytest.approx(refit.score, abs=0.05)
