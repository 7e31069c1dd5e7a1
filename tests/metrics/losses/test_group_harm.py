"""Levelling up: no group loses by a fairer model, or the fit says so."""

import warnings

import numpy as np
import pandas as pd
import pytest
from data import make_people, make_wages
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, zero_one_loss

from skbadr import BADRClassifier, BADRRegressor, audit
from skbadr.cli import main
from skbadr.comparison import compare
from skbadr.metrics import EvaluationSet, SlicedMetric, fairness_scorer, get_metric
from skbadr.partition import make_groups

X, Y, GROUP = make_people(600)
ERROR = get_metric("group_harm", loss="zero_one")


def errors(model, loss=zero_one_loss, method="predict"):
    response = getattr(model, method)(X)
    return np.array([loss(Y[rows], response[rows]) for rows in (g == GROUP for g in "ab")])


@pytest.mark.parametrize("solver", ["implicit", "alternating", "gd"])
def test_no_group_errs_more(solver):
    estimator = LogisticRegression()
    metric = {"demographic_parity": 0.25, ERROR: 0.0}
    model = BADRClassifier(estimator, metric=metric, solver=solver, cv=None, max_iter=15)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, sensitive_features=GROUP)
    plain = LogisticRegression().fit(X, Y)
    rise = errors(model) - errors(plain)
    assert model.metric_values_["group_harm[zero_one]"] == pytest.approx(rise.max())
    missed = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    assert missed or rise.max() <= 0
    assert model.baseline_metric_values_["group_harm[zero_one]"] == 0.0


def test_on_training_rows_no_group_gains_for_nothing():
    # The baseline model minimises the mean of this very loss there.
    bounds = {"demographic_parity": 0.05, "group_harm": 0.0}
    model = BADRClassifier(LogisticRegression(C=1e6), metric=bounds, cv=None)
    with pytest.warns(ConvergenceWarning, match="group_harm"):
        model.fit(X, Y, sensitive_features=GROUP)


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), HistGradientBoostingClassifier(max_iter=10, random_state=0)]
)
def test_the_loss_that_is_trained_on(estimator):
    model = BADRClassifier(estimator, metric="group_harm", cv=None, max_iter=5)
    model.fit(X, Y, sensitive_features=GROUP)
    plain = estimator.fit(X, Y)
    rise = errors(model, log_loss, "predict_proba") - errors(plain, log_loss, "predict_proba")
    assert model.metric_value_ == pytest.approx(rise.max(), abs=1e-4)
    assert model.baseline_metric_value_ == pytest.approx(0.0, abs=1e-12)


def test_the_baseline_is_fitted_once():
    class Counted(LogisticRegression):
        count = 0

        def fit(self, X, y, sample_weight=None):
            Counted.count += 1
            return super().fit(X, y, sample_weight)

    model = BADRClassifier(Counted(), metric=ERROR, solver="alternating", max_iter=3, cv=None)
    model.fit(X, Y, sensitive_features=GROUP)
    assert Counted.count == model.n_refits_


@pytest.mark.parametrize("cv", [0.3, 3])
def test_on_rows_left_out(cv):
    model = BADRClassifier(metric={"demographic_parity": 0.3, "group_harm": 0.0}, cv=cv)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y, sensitive_features=GROUP)
    assert model.baseline_metric_values_["group_harm"] == pytest.approx(0.0, abs=1e-6)


def test_regression():
    wages = make_wages(400)
    metric = {"demographic_parity": 1.0, "group_harm": 0.2}
    model = BADRRegressor(Ridge(), metric=metric, cv=None)
    model.fit(*wages[:2], sensitive_features=wages[2])
    plain = Ridge().fit(*wages[:2])
    rise = [
        np.mean((wages[1] - m.predict(wages[0]))[wages[2] == g] ** 2)
        for m in (model, plain)
        for g in "ab"
    ]
    rise = np.array(rise[:2]) - rise[2:]
    assert model.metric_values_["group_harm"] == pytest.approx(rise.max(), abs=1e-6)


def test_a_reference_of_ones_own():
    metric = get_metric("group_harm", loss="zero_one", reference=[0.1, 0.3])
    predicted = np.where(np.arange(len(Y)) % 4 == 0, 1 - Y, Y)
    share = [np.mean((predicted != Y)[rows]) for rows in (g == GROUP for g in "ab")]
    expected = max(share[0] - 0.1, share[1] - 0.3)
    assert metric(Y, predicted, sensitive_features=GROUP) == pytest.approx(expected)


def test_within_strata():
    strata = np.arange(len(Y)) % 2
    model = BADRClassifier(LogisticRegression(), metric=ERROR, cv=None, max_iter=5)
    model.fit(X, Y, sensitive_features=GROUP, control_features=strata)
    plain = LogisticRegression().fit(X, Y)
    rises = [
        zero_one_loss(Y[rows], model.predict(X)[rows])
        - zero_one_loss(Y[rows], plain.predict(X)[rows])
        for g in "ab"
        for s in (0, 1)
        for rows in [(g == GROUP) & (s == strata)]
    ]
    assert model.metric_value_ == pytest.approx(max(rises))
    assert isinstance(SlicedMetric(ERROR), SlicedMetric)


def test_without_a_baseline_it_is_refused():
    with pytest.raises(ValueError, match="give each group's loss to compare with"):
        ERROR(Y, Y, sensitive_features=GROUP)
    model = LogisticRegression().fit(X, Y)
    with pytest.raises(ValueError, match="give each group's loss"):
        fairness_scorer(ERROR)(model, X, Y, sensitive_features=GROUP)
    with pytest.raises(ValueError, match="give each group's loss"):
        audit(model, X, Y, sensitive_features=GROUP, metric=ERROR)
    with pytest.raises(ValueError, match="reference must be a number or one per group"):
        get_metric("group_harm", loss="zero_one", reference=[0.1, 0.2, 0.3])(
            Y, Y, sensitive_features=GROUP
        )
    with pytest.raises(ValueError, match="reference is an option of 'group_harm'"):
        get_metric("worst_group_loss", reference=0.1)


NEW = make_people(500, seed=5)


def rise_of(model, baseline, X=NEW[0], y=NEW[1], groups=NEW[2], loss=zero_one_loss):
    """Return the largest rise of a group's loss on some rows."""
    method = "predict" if loss is zero_one_loss else "predict_proba"
    before, after = (getattr(m, method)(X) for m in (baseline, model))
    inside = [groups == g for g in np.unique(groups)]
    return max(loss(y[rows], after[rows]) - loss(y[rows], before[rows]) for rows in inside)


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize(("metric", "loss"), [(ERROR, zero_one_loss), ("group_harm", log_loss)])
def test_a_fitted_model_is_audited_against_its_own_baseline(metric, loss, cv):
    model = BADRClassifier(LogisticRegression(), metric=metric, cv=cv, max_iter=4)
    model.fit(X, Y, sensitive_features=GROUP)
    plain = LogisticRegression().fit(X, Y)
    np.testing.assert_array_equal(model.baseline_estimator_.coef_, plain.coef_)
    found = audit(model, *NEW[:2], sensitive_features=NEW[2], metric=metric, bound=0.0)
    expected = rise_of(model, plain, loss=loss)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.lower <= expected <= found.upper
    score = fairness_scorer(metric)(model, *NEW[:2], sensitive_features=NEW[2])
    assert score == pytest.approx(-expected, abs=1e-12)
    given = audit(
        model.estimator_, *NEW[:2], sensitive_features=NEW[2], metric=metric, baseline=plain
    )
    assert given.value == found.value
    model.set_params(metric="demographic_parity").fit(X, Y, sensitive_features=GROUP)
    assert not hasattr(model, "baseline_estimator_")


def test_a_baseline_of_text_labels_and_strata():
    names, new_names = np.array(["no", "yes"])[Y], np.array(["no", "yes"])[NEW[1]]
    strata, new_strata = np.arange(len(Y)) % 2, np.arange(len(NEW[1])) % 2
    model = BADRClassifier(LogisticRegression(), metric=ERROR, max_iter=4)
    model.fit(X, names, sensitive_features=GROUP, control_features=strata)
    found = audit(
        model, NEW[0], new_names, sensitive_features=NEW[2], control_features=new_strata,
        metric=ERROR,
    )  # fmt: skip
    plain = LogisticRegression().fit(X, names)
    crossed = np.char.add(NEW[2].astype(str), new_strata.astype(str))
    assert found.value == pytest.approx(rise_of(model, plain, y=new_names, groups=crossed))


def test_a_baseline_that_nothing_is_compared_with_is_refused():
    model = LogisticRegression().fit(X, Y)
    with pytest.raises(ValueError, match="leave it at None"):
        audit(model, X, Y, sensitive_features=GROUP, baseline=model)
    with pytest.raises(TypeError, match="baseline must be fitted"):
        audit(model, X, Y, sensitive_features=GROUP, metric=ERROR, baseline=3)
    with pytest.raises(ValueError, match="pass the fitted one as baseline="):
        audit(model, X, Y, sensitive_features=GROUP, metric="group_harm")


@pytest.mark.parametrize("metric", ["group_harm", {"demographic_parity": 0.3, ERROR: 0.0}])
def test_a_comparison_knows_its_baseline(metric):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = compare(
            LogisticRegression(), X, Y, sensitive_features=GROUP, metric=metric, max_iter=4,
            peers=["grid_search"],
        )  # fmt: skip
    test, models = result.test, result.models
    assert [row["metric_test"] for row in result.rows if row["key"] == "baseline"][0] >= 0.0
    inside = [test["groups"] == g for g in "ab"]
    for row in result.rows:
        predicted = (test["predictions"][key] for key in (row["key"], "baseline"))
        wrong = [np.array([np.mean((p != test["y"])[rows]) for rows in inside]) for p in predicted]
        audited = result.audits.get(row["key"])
        if metric != "group_harm" and audited is not None:
            harm = audited.parts[ERROR.name].value
            assert harm == pytest.approx((wrong[0] - wrong[1]).max(), abs=1e-12)
        if audited is not None:
            assert row["metric_test"] == pytest.approx(audited.value)
    if metric == "group_harm":
        assert result.rows[0]["metric_test"] == 0.0
        assert result.settings["bound"] == 0.0
    assert all(hasattr(m, "baseline_estimator_") for k, m in models.items() if "badr" in k)


def test_the_command_takes_it(tmp_path, capsys):
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    table.assign(y=Y, group=GROUP).to_csv(tmp_path / "t.csv", index=False)
    options = ["--csv", str(tmp_path / "t.csv"), "--target", "y", "--sensitive", "group"]
    options += ["--max-iter", "2", "--output", str(tmp_path), "--no-report"]
    assert main([*options, "--metric", "demographic_parity=0.3,group_harm=0.05"]) == 0
    assert "group_harm" in capsys.readouterr().out


@pytest.mark.parametrize("rho", [None, 10.0])
def test_gradient_of_soft_errors(rho):
    rng = np.random.default_rng(0)
    data = EvaluationSet(Y, make_groups(GROUP), np.arange(2), rng.uniform(0.5, 2.0, len(Y)))
    smooth = get_metric("group_harm", loss="zero_one", reference=[0.2, 0.1]).surrogate(2.0, rho=rho)
    scores, way = rng.normal(size=(2, len(Y), 1))
    _, gradient = smooth.value_and_gradient(data, scores)
    ahead, behind = (smooth.value_and_gradient(data, scores + s * 1e-6 * way)[0] for s in (1, -1))
    np.testing.assert_allclose((gradient * way).sum(), (ahead - behind) / 2e-6, rtol=1e-5)
