"""The generated problems have the populations they say, and the same ones every time."""

import numpy as np
import problems as family
import pytest
from _dense_search import dense_search
from problems import Problem, main, problems
from sklearn.linear_model import LogisticRegression, Ridge

# One of each way in which X tells the group, of each task and of each kind of columns.
CHOSEN = [
    next(p.index for p in problems() if (p.factors.told, p.task) == pair and p.factors.slopes)
    for pair in (
        ("none", "binary"),
        ("weak", "binary"),
        ("some", "binary"),
        ("strong", "binary"),
        ("column", "binary"),
        ("some", "multiclass"),
        ("column", "multiclass"),
        ("weak", "regression"),
    )
]
CHOSEN += [
    next(p.index for p in problems(task="binary") if p.factors.columns == "text" and keep(p))
    for keep in (lambda p: p.factors.missing, lambda p: p.factors.told == "column")
]


@pytest.fixture(autouse=True)
def small_populations(monkeypatch):
    monkeypatch.setattr(family, "POPULATION_ROWS", 30_000)


def test_splits_are_disjoint_and_fixed():
    tune, report = ({p.name for p in problems(split)} for split in ("tune", "report"))
    assert not tune & report
    assert len(tune | report) == len([*problems()]) >= 200
    for split in ("tune", "report"):
        for task in ("binary", "multiclass", "regression"):
            chosen = [*problems(split, task)]
            assert {p.task for p in chosen} == {task}
            assert {p.factors.told for p in chosen} == {
                "none", "weak", "some", "strong", "column"
            }  # fmt: skip
    rows = [p.factors.rows for p in problems()]
    assert 500 <= min(rows) < 600
    assert 45_000 < max(rows) <= 50_000
    assert {p.factors.n_groups for p in problems()} == {2, 3, 4, 5, 6}


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="split must be one of"):
        next(problems("test"))
    with pytest.raises(ValueError, match="task must be one of"):
        next(problems(task="ranking"))


@pytest.mark.parametrize("index", CHOSEN)
def test_samples_depend_on_index_and_seed_alone(index):
    first, again = Problem(index).sample(300, seed=3), Problem(index).sample(300, seed=3)
    other = Problem(index).sample(300, seed=4)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(np.asarray(one).astype(str), np.asarray(two).astype(str))
    assert not np.array_equal(first[1], other[1])
    X, y, groups = Problem(index).sample()
    assert len(X) == len(y) == len(groups) == Problem(index).factors.rows


@pytest.mark.parametrize("index", CHOSEN)
def test_posteriors_are_exact(index):
    problem = Problem(index)
    X, y, groups = problem.sample(20_000, seed=1)
    posterior = problem.posterior(X)
    numbers = np.asarray(X.select_dtypes("number") if hasattr(X, "columns") else X)
    numbers = np.tanh(np.nan_to_num(numbers, nan=-2.0))
    tests = np.column_stack([np.ones(len(y)), numbers, posterior.group])
    group = np.eye(posterior.group.shape[1])[groups]
    check_mean_zero(group[:, :, None] - posterior.group[:, :, None], tests)
    if problem.task == "regression":
        own = posterior.mean_given_group[np.arange(len(y)), groups]
        check_mean_zero((y - posterior.mean)[:, None, None], tests)
        assert (y - own).std() == pytest.approx(posterior.scale, rel=0.03)
        told = posterior.group_given_target(y)
        check_mean_zero((group - told)[:, :, None], np.column_stack([tests, np.tanh(y)]))
        return
    label = np.eye(posterior.label.shape[1])[y]
    check_mean_zero(group[:, :, None] * label[:, None, :] - posterior.joint, tests)
    own = np.take_along_axis(posterior.group_given_label, y[:, None, None], axis=2)[:, :, 0]
    check_mean_zero((group - own)[:, :, None], np.column_stack([tests, label]))
    if problem.task == "binary":
        odds = posterior.label[:, 1] / (1 - posterior.label[:, 1])
        np.testing.assert_allclose(posterior.log_odds, np.log(odds), atol=1e-9)


def check_mean_zero(residuals, tests):
    """Check that residuals are uncorrelated with functions of X, within five standard errors."""
    sums = np.einsum("nij,nt->ijt", residuals, tests)
    spread = np.sqrt(np.einsum("nij,nt->ijt", residuals**2, tests**2))
    assert np.all(np.abs(sums) <= 5 * spread + 1e-8)


@pytest.mark.parametrize("index", [CHOSEN[2], CHOSEN[4], CHOSEN[5], CHOSEN[8]])
def test_population_values_agree_with_a_simulation(index):
    problem = Problem(index)
    X, y, _ = problem.sample(2000)
    model = problem.pipeline(LogisticRegression(max_iter=1000)).fit(X, y)
    rates, error = problem.rates(model), problem.population_value(model, "error")
    gap = np.ptp(rates["selection_rate"], axis=0).max()
    assert problem.population_value(model, "demographic_parity") == pytest.approx(gap)
    fresh, y, groups = problem.sample(50_000, seed=9)
    predicted = model.predict(fresh)
    assert error == pytest.approx((predicted != y).mean(), abs=0.01)
    classes = range(1, 2) if problem.task == "binary" else range(3)
    for g in range(groups.max() + 1):
        own = groups == g
        for column, c in enumerate(classes):
            for name, rows, value in (
                ("selection_rate", own, predicted == c),
                ("true_positive_rate", own & (y == c), predicted == c),
                ("false_positive_rate", own & (y != c), predicted == c),
                ("accuracy", own, predicted == y),
            ):
                expected = np.reshape(rates[name][g], -1)
                expected = expected[column if len(expected) > 1 else 0]
                spread = np.sqrt(0.5 / rows.sum())
                assert value[rows].mean() == pytest.approx(expected, abs=5 * spread)
    # What depends on the drawn groups is counted with them.
    population = problem.population
    cheat = np.minimum(population.groups, 1)
    by_group = problem.population_value(cheat, "demographic_parity", uses_groups=True)
    assert by_group == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["demographic_parity", "equalized_odds"])
@pytest.mark.parametrize("index", [CHOSEN[2], CHOSEN[3], CHOSEN[5]])
def test_no_rule_beats_the_front(index, metric):
    problem = Problem(index)
    joint = problem.population.posterior.joint
    best = problem.best_predictions
    free = problem.population_value(best, metric)
    bounds = (free + 0.01, free / 2, free / 4)
    front = problem.front(metric, bounds)
    assert front[0].error == pytest.approx(problem.population_value(best, "error"), abs=2e-5)
    for point in front:
        assert point.value <= point.bound + 1e-9
        assert point.lower <= point.error <= point.lower + 2e-5
    assert front[0].error < front[1].error < front[2].error
    rng = np.random.default_rng(0)
    n, g, c = joint.shape
    errors = {}
    for point in front[1:]:
        # Costs near the optimal ones give rules nearby, none of them better.
        for _ in range(20):
            costs = point.costs + 0.1 * rng.normal(size=point.costs.shape)
            rule = (joint.reshape(n, -1) @ costs.reshape(g * c, c)).argmin(axis=1)
            value, error = (problem.population_value(rule, name) for name in (metric, "error"))
            errors[value] = min(error, errors.get(value, np.inf))
    for limit in problem.front(metric, list(errors)):
        assert limit.lower <= limit.error <= limit.lower + 2e-5
        assert errors[limit.bound] >= limit.lower - 1e-6


def test_front_of_regression():
    problem = next(p for p in problems("report", "regression") if p.factors.told == "strong")
    mean, group = problem.best_predictions, problem.population.posterior.group
    gap = problem.population_value(mean, "demographic_parity")
    points = problem.front(bounds=(2 * gap, gap / 3))
    assert points[0].error == pytest.approx(problem.population_value(mean, "mse"))
    moved = mean - group / group.mean(axis=0) @ points[1].costs
    value = problem.population_value(moved, "demographic_parity")
    assert value == pytest.approx(gap / 3, abs=1e-6)
    assert problem.population_value(moved, "mse") == pytest.approx(points[1].error, rel=1e-3)
    X, y, _ = problem.sample()
    model = problem.pipeline(Ridge()).fit(X, y)
    fresh, y, groups = problem.sample(30_000, seed=5)
    error = np.square(model.predict(fresh) - y).mean()
    assert problem.population_value(model, "error") == pytest.approx(error, rel=0.05)
    means = [model.predict(fresh)[groups == g].mean() for g in range(groups.max() + 1)]
    value = problem.population_value(model, "demographic_parity")
    assert value == pytest.approx(np.ptp(means), abs=0.1)


def test_dense_search_lies_between_baseline_and_front():
    problem = Problem(CHOSEN[3])
    estimator = LogisticRegression(max_iter=500)
    X, y, _ = problem.sample(3000)
    baseline = problem.pipeline(estimator).fit(X, y)
    value = problem.population_value(baseline, "demographic_parity")
    bounds = [2 * value, value / 3]
    free, fair = dense_search(
        problem, estimator, "demographic_parity", bounds, rows=3000, rounds=2, per_round=12
    )
    limits = problem.front(bounds=bounds)
    assert free.error <= problem.population_value(baseline, "error") + 1e-9
    assert fair.value <= value / 3
    assert limits[1].lower <= fair.error < limits[1].error + 0.1


def test_script_prints_a_table(tmp_path, capsys):
    main(["--split", "tune", "--task", "binary", "--first", "1", "--output", str(tmp_path / "t")])
    header, line = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["name", "split", "task"]
    assert line.split()[0] == "binary-000"
