"""Sensitive columns by themselves, and groups within strata: against fairlearn's definitions."""

import warnings

import fairlearn.metrics as flm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_absolute_error
from sklearn.model_selection import cross_validate

from skbadr import BADRClassifier, BADRRegressor, audit, pareto_path
from skbadr.cli import main
from skbadr.comparison import compare
from skbadr.metrics import (
    EvaluationSet,
    SlicedMetric,
    fairness_scorer,
    get_metric,
    make_fairness_metric,
)
from skbadr.metrics.composite.sliced import sliced
from skbadr.metrics.confidence.limits import worst_limit
from skbadr.partition import make_groups
from skbadr.partition.groups import cross_with_control


def make_table(n=900, seed=0):
    """Return X, y, two sensitive columns and a stratum, of which each matters."""
    rng = np.random.default_rng(seed)
    sex, race = rng.choice(["f", "m"], n), rng.choice(["x", "y", "z"], n, p=[0.2, 0.3, 0.5])
    school = rng.choice(["high", "low"], n)
    X = rng.normal(size=(n, 3))
    X = np.column_stack([X, sex == "m", race == "x", school == "high"])
    signal = X[:, 0] + 0.8 * X[:, 3] - 0.9 * X[:, 4] + 0.9 * X[:, 3] * X[:, 5] - 0.4
    y = (signal + rng.normal(size=n) > 0).astype(int)
    return X, y, pd.DataFrame({"sex": sex, "race": race}), pd.Series(school, name="school")


X, Y, GROUPS, SCHOOL = make_table()
RATES = {
    "demographic_parity": (flm.selection_rate, "difference"),
    "equal_opportunity": (flm.true_positive_rate, "difference"),
    "false_positive_rate_parity_ratio": (flm.false_positive_rate, "ratio"),
    "recall_score_group_min": (flm.true_positive_rate, "group_min"),
}


def by_fairlearn(frame, transform, method):
    values = {
        "difference": lambda: frame.difference(method=method),
        "ratio": lambda: frame.ratio(method=method),
        "group_min": frame.group_min,
        "group_max": frame.group_max,
    }[transform]()
    return values


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(RATES)), st.booleans(), st.booleans())
def test_the_worst_stratum_of_metric_frame(seed, name, to_overall, several):
    rng = np.random.default_rng(seed)
    n = 400
    y, predicted = rng.integers(0, 2, (2, n))
    group, strata = rng.choice(["a", "b", "c"], n), rng.integers(0, 2, (n, 1 + several))
    weight = rng.uniform(0.5, 2.0, n)
    function, transform = RATES[name]
    options = {"method": "to_overall"} if to_overall and transform != "group_min" else {}
    metric = SlicedMetric(get_metric(name, **options))
    frame = flm.MetricFrame(
        metrics=function, y_true=y, y_pred=predicted, sensitive_features=group,
        control_features=strata, sample_params={"sample_weight": weight},
    )  # fmt: skip
    values = by_fairlearn(frame, transform, options.get("method", "between_groups"))
    expected = values.min() if metric.greater_is_better else values.max()
    found = metric(
        y, predicted, sensitive_features=group, sample_weight=weight, control_features=strata
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["demographic_parity", "equalized_odds_ratio"]))
def test_the_worst_column(seed, name):
    rng = np.random.default_rng(seed)
    y, predicted = rng.integers(0, 2, (2, 300))
    columns = np.column_stack([rng.integers(0, 2, 300), rng.integers(0, 4, 300)])
    metric, whole = get_metric(name, intersectional=False), get_metric(name)
    each = [whole(y, predicted, sensitive_features=column) for column in columns.T]
    worst = min(each) if metric.greater_is_better else max(each)
    assert metric(y, predicted, sensitive_features=columns) == pytest.approx(worst)
    assert metric(y, predicted, sensitive_features=columns[:, 0]) == pytest.approx(each[0])


def test_columns_within_strata():
    y, predicted = np.random.default_rng(0).integers(0, 2, (2, len(Y)))
    metric = get_metric("demographic_parity", intersectional=False)
    each = [
        flm.demographic_parity_difference(
            y[rows], predicted[rows], sensitive_features=GROUPS[c][rows]
        )
        for c in GROUPS
        for rows in (SCHOOL == "high", SCHOOL == "low")
    ]
    found = metric(y, predicted, sensitive_features=GROUPS, control_features=SCHOOL)
    assert found == pytest.approx(max(each))


def test_losses_and_functions():
    rng = np.random.default_rng(0)
    proba = rng.uniform(0.1, 0.9, len(Y))
    metric = SlicedMetric(get_metric("worst_group_loss", loss="log_loss"))
    each = [
        log_loss(Y[rows], proba[rows])
        for sex in ("f", "m")
        for school in ("high", "low")
        for rows in [(GROUPS["sex"] == sex) & (school == SCHOOL)]
    ]
    options = {"sensitive_features": GROUPS["sex"], "control_features": SCHOOL}
    assert metric(Y, proba, **options) == pytest.approx(max(each))

    def spread(y_true, y_pred, *, sensitive_features):
        groups = np.asarray(sensitive_features)
        return np.ptp([y_pred[groups == g].mean() for g in np.unique(groups)])

    own = SlicedMetric(make_fairness_metric(spread), intersectional=False)
    named = get_metric("demographic_parity", intersectional=False)
    predicted = (proba > 0.5).astype(int)
    options = {"sensitive_features": GROUPS, "control_features": SCHOOL}
    assert own(Y, predicted, **options) == pytest.approx(named(Y, predicted, **options))


@pytest.mark.parametrize("rho", [None, 8.0])
@pytest.mark.parametrize("intersectional", [True, False])
@pytest.mark.parametrize("name", ["equalized_odds", "demographic_parity_ratio", "group_loss_gap"])
def test_gradients(name, rho, intersectional):
    rng = np.random.default_rng(1)
    groups = cross_with_control(make_groups(GROUPS), SCHOOL, "control_features")
    weight = rng.uniform(0.5, 2.0, len(Y))
    data = EvaluationSet(Y, groups, np.arange(2), weight)
    options = {"loss": "log_loss"} if "loss" in name else {}
    metric = sliced(get_metric(name, **options), groups, intersectional=intersectional)
    smooth = metric.surrogate(2.0, rho=rho)
    scores, step = rng.normal(size=(len(Y), 1)), 1e-6
    way = rng.normal(size=scores.shape)
    _, gradient = smooth.value_and_gradient(data, scores)
    ahead, behind = (smooth.value_and_gradient(data, scores + s * step * way)[0] for s in (1, -1))
    np.testing.assert_allclose((gradient * way).sum(), (ahead - behind) / (2 * step), rtol=1e-4)


def test_limits_are_those_of_the_worst_part():
    groups = cross_with_control(make_groups(GROUPS["sex"]), SCHOOL, "control_features")
    data = EvaluationSet(Y, groups, np.arange(2))
    predicted = (X[:, 0] + X[:, 3] * X[:, 5] > 0).astype(int)
    metric = sliced(get_metric("demographic_parity"), groups, intersectional=True)
    each = []
    for school in ("high", "low"):
        rows = np.flatnonzero(school == SCHOOL)
        part = EvaluationSet(Y[rows], make_groups(GROUPS["sex"].iloc[rows]), np.arange(2))
        plain = get_metric("demographic_parity")
        each.append(worst_limit(plain, part, plain.statistics(part, predicted[rows])))
    found = worst_limit(metric, data, metric.statistics(data, predicted))
    assert found == pytest.approx(max(each))
    assert worst_limit(metric, data, response=predicted) == pytest.approx(found)


@pytest.mark.parametrize("solver", ["implicit", "alternating", "gd"])
def test_every_solver_within_strata(solver):
    model = BADRClassifier(LogisticRegression(), solver=solver, bound=0.1, cv=None)
    model.fit(X, Y, sensitive_features=GROUPS["sex"], control_features=SCHOOL)
    frame = flm.MetricFrame(
        metrics=flm.selection_rate, y_true=Y, y_pred=model.predict(X),
        sensitive_features=GROUPS["sex"], control_features=SCHOOL,
    )  # fmt: skip
    assert model.metric_value_ == pytest.approx(frame.difference().max())
    assert model.metric_value_ <= 0.1 < model.baseline_metric_value_
    assert len(model.cells_) == 8  # two groups, two strata, two classes
    assert "within each of 2 strata" in model.summary()
    weight = model.compute_sample_weight(
        X, Y, sensitive_features=GROUPS["sex"], control_features=SCHOOL
    )
    again = LogisticRegression().fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("solver", ["implicit", "alternating"])
def test_each_column_by_itself(solver):
    apart = BADRClassifier(LogisticRegression(), bound=0.1, intersectional=False, solver=solver)
    apart.set_params(cv=None).fit(X, Y, sensitive_features=GROUPS)
    predicted = apart.predict(X)
    each = [
        flm.demographic_parity_difference(Y, predicted, sensitive_features=GROUPS[c])
        for c in GROUPS
    ]
    assert apart.metric_value_ == pytest.approx(max(each))
    assert max(each) <= 0.1
    assert "by sex and by race, each by itself" in apart.summary()
    score = fairness_scorer("demographic_parity", intersectional=False)
    assert score(apart, X, Y, sensitive_features=GROUPS) == pytest.approx(-max(each))


def test_several_bounds_within_strata():
    bounds = {"demographic_parity": 0.2, "accuracy_parity": 0.2}
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(f=X[:, 5].astype(int))
    model = BADRClassifier(LogisticRegression(), metric=bounds, control_columns="f", cv=None)
    model.fit(frame, Y, sensitive_features=GROUPS, control_features=None)
    assert model.metric_value_ <= 1.0
    scorer = fairness_scorer(bounds, control_columns="f")
    score = scorer(model, frame, Y, sensitive_features=GROUPS)
    assert score == pytest.approx(-model.metric_value_)


def test_regression_within_strata():
    wages = X[:, 0] + X[:, 3] * (1 + X[:, 5])
    model = BADRRegressor(Ridge(), metric="mean_absolute_error_group_max", cv=None)
    model.fit(X, wages, sensitive_features=GROUPS["sex"], control_features=SCHOOL)
    frame = flm.MetricFrame(
        metrics=mean_absolute_error, y_true=wages, y_pred=model.predict(X),
        sensitive_features=GROUPS["sex"], control_features=SCHOOL,
    )  # fmt: skip
    assert model.metric_value_ == pytest.approx(frame.by_group.max())


def test_front_and_audit():
    options = {"sensitive_features": GROUPS["sex"], "control_features": SCHOOL}
    path = pareto_path(LogisticRegression(), X, Y, bounds=[0.2, 0.1], **options)
    model = path.model(1)
    frame = flm.MetricFrame(
        metrics=flm.selection_rate, y_true=Y, y_pred=model.predict(X),
        sensitive_features=GROUPS["sex"], control_features=SCHOOL,
    )  # fmt: skip
    assert path.metric[1] == pytest.approx(frame.difference().max())
    result = audit(model, X, Y, bound=0.9, **options)
    assert result.value == pytest.approx(frame.difference().max())
    assert result.verdict == "holds"
    apart = audit(model, X, Y, sensitive_features=GROUPS, intersectional=False)
    crossed = audit(model, X, Y, sensitive_features=GROUPS)
    assert apart.value <= crossed.value


def test_routed_through_a_search():
    model = BADRClassifier(LogisticRegression(), bound=0.1, max_iter=4)
    params = {"sensitive_features": GROUPS["sex"], "control_features": SCHOOL}
    with config_context(enable_metadata_routing=True):
        found = cross_validate(model, X, Y, cv=2, params=params)
    assert np.isfinite(found["test_score"]).all()


def test_small_strata_are_named():
    school = SCHOOL.to_numpy().copy()
    school[:12] = "tiny"
    model = BADRClassifier(LogisticRegression(), bound=0.5, cv=None, max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        model.fit(X, Y, sensitive_features=GROUPS["sex"], control_features=school)
    assert ("f", "tiny") in model.small_groups_
    assert "('f', 'tiny')" in model.summary()


@pytest.mark.parametrize(
    ("options", "fit_options", "match"),
    [
        ({"intersectional": "no"}, {}, "intersectional must be True or False"),
        ({"control_columns": "school"}, {}, "control_columns names 'school'"),
        ({}, {"control_features": SCHOOL[:10]}, "control_features has 10 rows"),
        ({}, {"control_features": [None, *SCHOOL[1:]]}, "control_features has 1 missing value"),
    ],
)
def test_refusals(options, fit_options, match):
    with pytest.raises(ValueError, match=match):
        BADRClassifier(**options).fit(X, Y, sensitive_features=GROUPS["sex"], **fit_options)


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    frame = pd.DataFrame(X[:, :3], columns=list("abc")).assign(y=Y, **GROUPS, school=SCHOOL)
    frame.to_csv(tmp_path / "people.csv", index=False)
    table = ["--csv", str(tmp_path / "people.csv"), "--target", "y", "--sensitive", "sex,race"]
    table += ["--output", str(tmp_path / "out"), "--bound", "0.1"]
    for more in (["--no-intersectional"], ["--control", "school"], ["--compare"]):
        assert main([*table, *more]) == 0
    told = capsys.readouterr().out
    assert told.count("BADR group x target") >= 3
    assert main([*table, "--no-intersectional", "--compare"]) == 0
    assert "for groups that are all compared with each other only" in capsys.readouterr().out
    assert main([*table, "--control", "scool"]) == 2
    assert "did you mean 'school'" in capsys.readouterr().err
    assert main([*table, "--control", "sex"]) == 2
    assert main([*table, "--control", "school", "--merge-groups", "9"]) == 2
    assert main(["--no-intersectional"]) == 2
    assert main(["--control", "school"]) == 2


@pytest.mark.slow
def test_comparison_measures_what_is_compared():
    plain = LogisticRegression()
    for options in (
        {"intersectional": False},
        {"control_features": SCHOOL},
        {"intersectional": False, "control_features": SCHOOL},
    ):
        result = compare(plain, X, Y, sensitive_features=GROUPS, bound=0.1, **options)
        for row in result.rows[1:]:
            model = result.models[row["key"]]
            assert row["metric_train"] == pytest.approx(model.metric_value_)
