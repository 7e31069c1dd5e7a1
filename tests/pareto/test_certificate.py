"""The certificate: residual, the best common gain, and the model that shows it."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from data import make_people, make_wages
from scipy import sparse
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbadr import BADRClassifier, pareto_certificate

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "benchmarks"


def mean_losses(model, X, y, group):
    proba = model.predict_proba(X)
    labels = model.classes_
    return np.array(
        [log_loss(y[group == g], proba[group == g], labels=labels) for g in np.unique(group)]
    )


def spoiled(model, amount=0.3):
    """Return the model with other coefficients."""
    model.coef_ = model.coef_ + amount * np.cos(
        np.arange(model.coef_.size).reshape(model.coef_.shape)
    )
    return model


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("partition", ["group", "group_target"])
def test_models_trained_by_weights_are_not_dominated(n_classes, partition):
    X, y, group = make_people(n_classes=n_classes)
    weight = np.where(group == "a", 2.0, 0.7)
    weight *= len(y) / weight.sum()  # so that C keeps its meaning
    model = LogisticRegression(tol=1e-9, max_iter=1000).fit(X, y, sample_weight=weight)
    found = pareto_certificate(model, X, y, sensitive_features=group, partition=partition)
    assert found.residual < 1e-5
    assert not found.dominated and found.dominating_model is None
    assert found.gain_limit < 1e-8
    assert found.beta.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["dense", "sparse", "pipeline"])
def test_what_dominates_is_better_for_every_group(kind):
    X, y, group = make_people()
    labels = np.array(["no", "yes"])[y]
    if kind == "sparse":
        X = sparse.csr_matrix(X)
    model = LogisticRegression().fit(X, labels)
    if kind == "pipeline":
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, labels)
    spoiled(model[-1] if kind == "pipeline" else model)
    found = pareto_certificate(model, X, labels, sensitive_features=group)
    before = mean_losses(model, X, labels, group)
    after = mean_losses(found.dominating_model, X, labels, group)
    np.testing.assert_allclose(found.losses, before, rtol=1e-6)
    np.testing.assert_allclose(found.dominating_losses, after, rtol=1e-6)
    assert found.dominated and (after < before).all()
    assert found.gain == pytest.approx((before - after).min())
    assert found.gain <= found.gain_limit + 1e-6
    assert found.residual > 1e-3
    assert type(found.dominating_model) is type(model)


def test_no_other_model_has_a_larger_smallest_gain():
    """Against a direct search over coefficients, with (next to) no regularisation."""
    X, y, group = make_people()
    model = spoiled(LogisticRegression(C=1e6).fit(X, y))
    found = pareto_certificate(model, X, y, sensitive_features=group)
    members = np.array([group == g for g in np.unique(group)])

    def losses(parameters):
        scores = X @ parameters[:-1] + parameters[-1]
        loss = np.logaddexp(0.0, scores) - y * scores
        return (members @ loss) / members.sum(axis=1)

    reference = losses(np.r_[model.coef_[0], model.intercept_])
    direct = minimize(
        lambda p: p[-1],
        np.r_[model.coef_[0], model.intercept_, 1.0],
        constraints={"type": "ineq", "fun": lambda p: p[-1] - (losses(p[:-1]) - reference)},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert found.gain == pytest.approx(-direct.x[-1], rel=1e-2)  # its own tolerance
    assert found.gain_limit == pytest.approx(-direct.x[-1], rel=1e-3)


def test_weights_of_zero_influence_nothing_and_integers_count_as_copies():
    X, y, group = make_people()
    model = spoiled(LogisticRegression().fit(X, y))
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    weighted = pareto_certificate(model, X, y, sensitive_features=group, sample_weight=weight)
    rows = np.repeat(np.arange(len(y)), weight)
    repeated = pareto_certificate(model, X[rows], y[rows], sensitive_features=group[rows])
    np.testing.assert_allclose(weighted.losses, repeated.losses)
    assert weighted.residual == pytest.approx(repeated.residual)
    assert weighted.gain_limit == pytest.approx(repeated.gain_limit, rel=1e-3)


def test_regressors_and_target_bins():
    X, y, group = make_wages()
    model = Ridge().fit(X, y)
    options = {"sensitive_features": group, "partition": "group_target", "n_target_bins": 3}
    assert not pareto_certificate(model, X, y, **options).dominated
    found = pareto_certificate(spoiled(model), X, y, **options)
    assert len(found.groups) == 6
    assert found.dominated and (found.dominating_losses < found.losses).all()


def test_models_of_other_classes_and_of_badr():
    X, y, group = make_people()

    class Own:
        def fit(self, X, y):
            fitted = spoiled(LogisticRegression().fit(X, y))
            self.coef_, self.intercept_, self.classes_ = (
                fitted.coef_,
                fitted.intercept_,
                fitted.classes_,
            )
            return self

    found = pareto_certificate(
        Own().fit(X, y), X, y, sensitive_features=group, estimator=LogisticRegression()
    )
    assert found.dominated and isinstance(found.dominating_model, LogisticRegression)

    badr = BADRClassifier(LogisticRegression(tol=1e-8), "worst_group_loss")
    badr.fit(X, y, sensitive_features=group)
    found = pareto_certificate(badr, X, y, sensitive_features=group)
    assert not found.dominated
    assert found.residual == pytest.approx(badr.pareto_residual_, abs=1e-7)


def test_penalised_model_is_dominated_on_every_group():
    """The central claim of the first reference, on real data."""
    spec = importlib.util.spec_from_file_location("dominated", EXAMPLES / "dominated.py")
    sys.path.insert(0, str(EXAMPLES))
    try:
        dominated = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(dominated)
    finally:
        sys.path.remove(str(EXAMPLES))
    X, y = load_breast_cancer(return_X_y=True)
    group = np.where(X[:, 1] > np.median(X[:, 1]), "rough", "smooth")
    X = StandardScaler().fit_transform(X[:, :8])
    model = dominated.penalised_logistic(X, y, group, strength=0.3)
    found = pareto_certificate(model, X, y, sensitive_features=group)
    before = mean_losses(model, X, y, group)
    after = mean_losses(found.dominating_model, X, y, group)
    assert (after < before - 1e-3).all()
    baseline = dominated.penalised_logistic(X, y, group, strength=0.0)
    assert not pareto_certificate(baseline, X, y, sensitive_features=group, tol=1e-4).dominated


def test_refusals():
    X, y, group = make_people()
    forest = RandomForestClassifier(n_estimators=2).fit(X, y)
    with pytest.raises(Exception, match="RandomForestClassifier"):
        pareto_certificate(forest, X, y, sensitive_features=group)
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="classes"):
        pareto_certificate(model, X, y + 1, sensitive_features=group)
    with pytest.raises(ValueError, match="parameters of shape"):
        pareto_certificate(model, X[:, :2], y, sensitive_features=group)
    with pytest.raises(ValueError, match="inconsistent"):
        pareto_certificate(model, X, y, sensitive_features=group[:-1])
