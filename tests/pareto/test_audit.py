"""Audits of any fitted model."""

import sys

import numpy as np
import pandas as pd
import pytest
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import DemographicParity, ExponentiatedGradient
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadr import AuditResult, BADRClassifier, audit

RNG = np.random.default_rng(0)
GROUP = RNG.choice(["<b>men", "women"], size=2400)
X = RNG.normal(size=(2400, 3))
X[:, 0] += 0.5 * (GROUP == "women")
Y = (X[:, 0] + RNG.normal(size=2400) > 0).astype(int)
TRAIN, TEST = slice(0, 1000), slice(1000, 2400)
MODEL = LogisticRegression().fit(X[TRAIN], Y[TRAIN])


def audit_test(model=MODEL, y=Y, **options):
    return audit(model, X[TEST], y[TEST], sensitive_features=GROUP[TEST], **options)


def test_verdicts():
    result = audit_test()
    assert isinstance(result, AuditResult)
    assert result.lower < result.value < result.upper
    assert (result.verdict, result.holds, result.n_rows_needed) == (None, None, None)
    assert result.n_rows == 1400
    holds, violated = audit_test(bound=0.5), audit_test(bound=0.05)
    assert (holds.verdict, holds.holds) == ("holds", True)
    assert (violated.verdict, violated.holds) == ("violated", False)
    open_ = audit_test(bound=result.value + 0.02)
    assert open_.holds is None
    assert open_.verdict.startswith("cannot be told with these rows (about ")
    assert open_.n_rows_needed > 1400
    label, n_rows = open_.group_needed
    assert label in GROUP
    assert n_rows < open_.n_rows_needed
    never = audit_test(bound=result.value)
    assert "nor with any number" in never.verdict


def test_direction_of_ratios_and_floors():
    assert audit_test(metric="demographic_parity_ratio", bound=0.9).holds is False
    assert audit_test(metric="demographic_parity_ratio", bound=0.3).holds is True
    assert audit_test(metric="accuracy_score_group_min", bound=0.5).holds is True
    assert "at least 0.5" in str(audit_test(metric="accuracy_score_group_min", bound=0.5))


def test_limits_widen_with_confidence():
    narrow, wide = audit_test(confidence=0.6), audit_test(confidence=0.99)
    assert wide.lower < narrow.lower < narrow.upper < wide.upper


def test_groups_have_rates_limits_and_rows():
    result = audit_test(metric="equalized_odds")
    table = result.by_group
    np.testing.assert_array_equal(table["group"], ["<b>men", "women"])
    predicted = MODEL.predict(X[TEST])
    for g, label in enumerate(table["group"]):
        own = GROUP[TEST] == label
        assert table["rows"][g] == own.sum()
        positive = own & (Y[TEST] == 1)
        assert table["true_positive_rate_rows"][g] == positive.sum()
        rate = predicted[positive].mean()
        assert table["true_positive_rate"][g] == pytest.approx(rate)
        low, high = (table[f"true_positive_rate_{end}"][g] for end in ("lower", "upper"))
        error = 1.96 * np.sqrt(rate * (1 - rate) / positive.sum())
        assert rate - low == pytest.approx(error, rel=0.1)
        assert high - rate == pytest.approx(error, rel=0.1)
    frame = result.frame()
    assert list(frame.index) == ["<b>men", "women"]
    assert "false_positive_rate_upper" in frame


def test_frame_needs_no_pandas(monkeypatch):
    result = audit_test()
    monkeypatch.setitem(sys.modules, "pandas", None)
    table = result.frame()
    assert isinstance(table, dict)
    assert set(table) >= {"group", "rows", "selection_rate"}


def test_any_model():
    groups = GROUP[TRAIN]
    gradient = ExponentiatedGradient(LogisticRegression(), DemographicParity(), max_iter=5)
    gradient.fit(X[TRAIN], Y[TRAIN], sensitive_features=groups)
    thresholds = ThresholdOptimizer(estimator=MODEL, prefit=True, predict_method="predict_proba")
    thresholds.fit(X[TRAIN], Y[TRAIN], sensitive_features=groups)
    ours = BADRClassifier(LogisticRegression(), bound=0.1, partition="group_target")
    ours.fit(X[TRAIN], Y[TRAIN], sensitive_features=groups)
    piped = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[TRAIN], Y[TRAIN])
    baseline = audit_test().value
    for model in (gradient, thresholds, ours):
        result = audit_test(model)
        assert result.value < 0.7 * baseline
        assert audit_test(model).value == result.value  # no chance in it
    assert audit_test(piped).value == pytest.approx(baseline, abs=0.02)


class Threshold:
    """A model that scikit-learn knows nothing of."""

    def predict(self, X):
        return (np.asarray(X)[:, 0] > 0).astype(int)


def test_model_of_ones_own():
    assert audit_test(Threshold()).value > 0.05
    with pytest.raises(TypeError, match="must be fitted and have predict"):
        audit_test(object())


def test_text_labels_data_frames_and_crossed_groups():
    y = np.where(Y == 1, "yes", "no")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = LogisticRegression().fit(frame[TRAIN], y[TRAIN])
    two = pd.DataFrame({"sex": GROUP, "old": X[:, 2] > 0.5})
    result = audit(model, frame[TEST], pd.Series(y)[TEST], sensitive_features=two[TEST])
    assert len(result.by_group["group"]) == 4
    assert "<b>men, True" in str(result)
    assert len(result.frame()) == 4


def test_regression_and_metrics_of_all_kinds():
    y = X[:, 0] + RNG.normal(size=2400)
    model = LinearRegression().fit(X[TRAIN], y[TRAIN])
    result = audit_test(model, y)
    means = [model.predict(X[TEST])[GROUP[TEST] == g].mean() for g in np.unique(GROUP)]
    assert result.value == pytest.approx(np.ptp(means))
    np.testing.assert_allclose(result.by_group["mean_prediction"], means)
    assert audit_test(model, y, metric="worst_group_loss", bound=2.0).holds is True
    assert audit_test(model, y, metric="kolmogorov_smirnov", bound=0.5).holds is True
    assert list(audit_test(metric="individual").by_group) == ["group", "rows"]
    assert audit_test(metric="roc_auc_score_group_min", bound=0.5).holds is True


@pytest.mark.parametrize("wrap", [lambda model: model, make_pipeline, BADRClassifier])
def test_losses_of_groups_are_of_the_loss_that_is_trained_on(wrap):
    model, options = wrap(LogisticRegression()), {}
    if isinstance(model, BADRClassifier):
        options["sensitive_features"] = GROUP[TRAIN]
    model.fit(X[TRAIN], Y[TRAIN], **options)
    proba = model.predict_proba(X[TEST])
    members = [GROUP[TEST] == g for g in np.unique(GROUP)]
    losses = [log_loss(Y[TEST][rows], proba[rows]) for rows in members]
    assert audit_test(model, metric="worst_group_loss").value == pytest.approx(max(losses))
    errors = [np.mean(proba.argmax(axis=1)[rows] != Y[TEST][rows]) for rows in members]
    assert audit_test(model, metric="worst_group_error").value == pytest.approx(max(errors))


def test_models_of_an_unknown_loss_without_probabilities_are_said_to_be():
    peer = ThresholdOptimizer(estimator=LogisticRegression(), predict_method="predict_proba")
    peer.fit(X[TRAIN], Y[TRAIN], sensitive_features=GROUP[TRAIN])
    with pytest.warns(
        UserWarning,
        match="ThresholdOptimizer trains on is not known, so .* is of the zero-one loss",
    ):
        assert audit_test(peer, metric="worst_group_loss").metric_name.endswith("[zero_one]")
    forest = BaggingClassifier(RandomForestClassifier(2), 2).fit(X[TRAIN], Y[TRAIN])
    assert audit_test(forest, metric="worst_group_loss").metric_name.endswith("[log_loss]")


def test_weights():
    plain = audit_test()
    weight = np.ones(1400)
    assert audit_test(sample_weight=weight).upper == pytest.approx(plain.upper)
    weight[::2] = 0.0
    half = audit_test(sample_weight=weight)
    assert half.n_rows == 700
    assert half.upper - half.lower > plain.upper - plain.lower
    np.testing.assert_array_equal(half.by_group["effective_rows"], half.by_group["rows"])
    uneven = audit_test(sample_weight=RNG.exponential(size=1400))
    assert (uneven.by_group["effective_rows"] < 0.7 * uneven.by_group["rows"]).all()


def test_html_is_escaped():
    html = audit_test(bound=0.1)._repr_html_()
    assert "<b>men" not in html
    assert "&lt;b&gt;men" in html
    assert "violated" in html


def test_text():
    text = str(audit_test(metric="equalized_odds", bound=0.5))
    first, second, _, header, *rows = text.splitlines()
    assert first.startswith("equalized_odds on 1,400 rows: 0.")
    assert second == "Bound, at most 0.5: holds."
    assert header.split() == ["group", "rows", "true_positive_rate", "false_positive_rate"]
    assert len(rows) == 2


def test_plot():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    ax = audit_test(metric="equalized_odds", bound=0.1).plot()
    assert len(ax.containers) == 2
    assert "violated" in ax.get_title(loc="left") or "cannot" in ax.get_title(loc="left")
    _, given = plt.subplots()
    assert audit_test().plot(ax=given) is given
    plt.close("all")


def test_plot_says_what_it_needs(monkeypatch):
    result = audit_test()
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="matplotlib"):
        result.plot()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.0}, "confidence must be at least .5"),
        ({"confidence": 0.3}, "confidence must be at least .5"),
        ({"confidence": "high"}, "confidence must be at least .5"),
        ({"bound": "low"}, "bound must be a finite number"),
        ({"bound": np.nan}, "bound must be a finite number"),
        ({"metric": "parity"}, "not known"),
        ({"sample_weight": np.ones(3)}, "sample_weight has 3 rows"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        audit_test(**options)


def test_one_group_is_refused():
    with pytest.raises(ValueError, match="single group 'a'"):
        audit(MODEL, X[TEST], Y[TEST], sensitive_features=["a"] * 1400)


def test_a_continuous_column_is_refused():
    class Untouched:
        def predict(self, X):
            raise AssertionError("predicted before the groups were checked")

    with pytest.raises(ValueError, match="makes 1400 groups of 1400 rows.*cut it into bands"):
        audit(Untouched(), X[TEST], Y[TEST], sensitive_features=X[TEST, 0])


def test_undefined_groups_are_named():
    y = np.where(GROUP == "women", 0, Y)
    with pytest.warns(UndefinedMetricWarning, match="'women' has no sample"):
        result = audit_test(y=y, metric="equal_opportunity", bound=0.3)
    assert result.holds is None


def test_each_of_several_bounds_has_limits_and_a_verdict():
    bounds = {"demographic_parity": 0.5, "true_positive_rate_group_min": 0.99}
    found = audit_test(metric=bounds)
    assert list(found.parts) == list(bounds)
    for name, bound in bounds.items():
        alone = audit_test(metric=name, bound=bound)
        part = found.parts[name]
        assert (part.value, part.lower, part.upper) == (alone.value, alone.lower, alone.upper)
        assert (part.bound, part.verdict) == (bound, alone.verdict)
        assert f"{name}: {part.value:.4f}" in repr(found)
    assert found.verdict == "violated"


def test_columns_by_themselves_and_strata_are_parts():
    stratum = np.arange(len(Y)) % 3
    found = audit_test(control_features=stratum[TEST], bound=0.2)
    assert set(found.parts) == {"stratum 0", "stratum 1", "stratum 2"}
    assert found.value == max(part.value for part in found.parts.values())
    rows = (stratum == 1) & (np.arange(len(Y)) >= 1000)
    alone = audit(MODEL, X[rows], Y[rows], sensitive_features=GROUP[rows], bound=0.2)
    part = found.parts["stratum 1"]
    assert (part.value, part.lower, part.upper) == (alone.value, alone.lower, alone.upper)
    assert part.n_rows == rows.sum()
