"""Estimators made of others, or that answer in their own way: taken, or refused in a sentence."""

import numpy as np
import pandas as pd
import pytest
from data import CountingClassifier, classifier, make_people, make_wages, regressor
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KernelCenterer, QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

X, Y, GROUP = make_people()
WAGES = make_wages()[1]
TWO = [("lr", LogisticRegression()), ("nb", GaussianNB())]
REAL = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
FITTED = LogisticRegression().fit(X, Y)


class Answering(ClassifierMixin, BaseEstimator):
    """A logistic regression whose predictions come out as `form` makes them."""

    def __init__(self, form=None, weighted_only=False):
        self.form = form
        self.weighted_only = weighted_only

    def fit(self, X, y, sample_weight=None):
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.model_ = LogisticRegression().fit(X, codes, sample_weight)
        self.plain_ = self.weighted_only and sample_weight is None
        return self

    def predict(self, X):
        codes = self.model_.predict(X)
        labels = self.classes_[codes]
        return labels if self.plain_ else self.form(codes, labels, self.model_.predict_proba(X))


NAMED = np.where(Y, "yes", "no")
STRANGE = {
    "probabilities": (lambda c, v, p: p[:, 1], Y),
    "a column of them": (lambda c, v, p: p[:, 1:], Y),
    "decision values": (lambda c, v, p: p[:, 1] - 0.5, NAMED),
    "digits as text": (lambda c, v, p: c.astype(str), Y),
    "words": (lambda c, v, p: (c == 1).astype(str), Y == 1),
    "from one": (lambda c, v, p: c + 1, Y),
    "signs": (lambda c, v, p: 2 * c - 1, Y),
    "a third": (lambda c, v, p: np.where(p[:, 1] > 0.9, 2, c), Y),
    "codes": (lambda c, v, p: c, NAMED),
    "capitals": (lambda c, v, p: np.char.upper(v), NAMED),
    "bytes": (lambda c, v, p: v.astype("S"), NAMED),
    "with a space": (lambda c, v, p: np.char.add(v, " "), NAMED),
    "with None": (lambda c, v, p: np.where(p[:, 1] > 0.9, None, v.astype(object)), NAMED),
    "one-hot rows": (lambda c, v, p: np.eye(2)[c], Y),
    "rows of probabilities": (lambda c, v, p: p, NAMED),
}


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("form", STRANGE)
def test_predictions_that_are_no_labels(form, cv):
    make, y = STRANGE[form]
    model = classifier(Answering(make), bound=0.1, cv=cv)
    words = "the labels of y are (0, 1|'no', 'yes'|False, True)|one label or number per sample"
    with pytest.raises(ValueError, match=f"predict of Answering.*({words})"):
        model.fit(X, y, sensitive_features=GROUP)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda c, v, p: None, "returns NoneType: it must return an array of one label"),
        (lambda c, v, p: 1, "returns int: it must return an array"),
        (lambda c, v, p: sparse.csr_matrix(c[:, None]), "returns csr_matrix: it must return an ar"),
    ],
)
def test_predictions_that_are_no_array(form, message):
    with pytest.raises(ValueError, match=message):
        classifier(Answering(form)).fit(X, Y, sensitive_features=GROUP)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda p: np.where(p > p.mean(), None, p), "is not finite for"),
        (lambda p: np.where(p > p.mean(), "high", "low"), "which is no number"),
    ],
)
def test_real_predictions_that_are_no_numbers(form, message):
    class Other(Ridge):
        def predict(self, X):
            return form(super().predict(X))

    with pytest.raises(ValueError, match=message):
        regressor(Other()).fit(X, X[:, 0], sensitive_features=GROUP)


def test_both_sets_of_labels_are_named():
    model = classifier(Answering(lambda c, v, p: c + 1))
    words = "predict of Answering returns 1, 2, but the labels of y are 0, 1: it must return"
    with pytest.raises(ValueError, match=words):
        model.fit(X, Y, sensitive_features=GROUP)


def test_three_classes_predicted_by_codes():
    _, y, group = make_people(n_classes=3)
    model = classifier(Answering(lambda c, v, p: c + 0.5))
    with pytest.raises(ValueError, match="returns 0.5, 1.5, 2.5, but the labels of y are 0, 1, 2"):
        model.fit(X, y, sensitive_features=group)


FINE = {
    "a column": lambda c, v, p: v[:, None],
    "a frame": lambda c, v, p: pd.DataFrame({"y": v}),
    "a series": lambda c, v, p: pd.Series(v, index=np.arange(len(v))[::-1]),
    "categories": lambda c, v, p: pd.Categorical(v),
    "a list": lambda c, v, p: v.tolist(),
    "objects": lambda c, v, p: v.astype(object),
}


@pytest.mark.parametrize("form", FINE)
@pytest.mark.parametrize(
    "y", [Y, Y == 1, NAMED, Y.astype(float)], ids=["int", "bool", "str", "float"]
)
def test_labels_in_any_container(form, y):
    expected = classifier(Answering(lambda c, v, p: v), partition="group_target", max_iter=3)
    model = clone(expected).set_params(estimator=Answering(FINE[form]))
    expected.fit(X, y, sensitive_features=GROUP)
    assert model.fit(X, y, sensitive_features=GROUP).metric_value_ == expected.metric_value_


@pytest.mark.parametrize("form", [lambda c, v, p: c == 1, lambda c, v, p: c.astype(float)])
def test_labels_that_equal_those_of_y(form):
    model = classifier(Answering(form), max_iter=2).fit(X, Y, sensitive_features=GROUP)
    assert model.baseline_scoring_value_ == FITTED.score(X, Y)


def test_labels_that_go_wrong_with_weights():
    model = classifier(Answering(lambda c, v, p: c, weighted_only=True), max_iter=3)
    with pytest.raises(ValueError, match="returns 0, 1, but the labels of y are 'no', 'yes'"):
        model.fit(X, NAMED, sensitive_features=GROUP)


class TwoColumns(RegressorMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None):
        return self

    def predict(self, X):
        return np.zeros((len(X), 2))


def test_a_regressor_of_two_columns():
    with pytest.raises(ValueError, match=r"predict of TwoColumns has the shape \(240, 2\)"):
        regressor(TwoColumns()).fit(X, WAGES, sensitive_features=GROUP)


ENSEMBLES = {
    "hard votes": VotingClassifier(TWO),
    "soft votes": VotingClassifier(TWO, voting="soft"),
    "a part dropped": VotingClassifier([*TWO, ("none", "drop")]),
    "votes of votes": VotingClassifier([("votes", VotingClassifier(TWO)), ("tree", TREE)]),
    "stack": StackingClassifier(TWO, cv=2),
    "stack on a tree": StackingClassifier(TWO, final_estimator=TREE, cv=2, passthrough=True),
    "stack of frozen": StackingClassifier([("lr", FrozenEstimator(FITTED))], cv=2),
    "half frozen": VotingClassifier([("lr", FrozenEstimator(FITTED)), ("tree", TREE)]),
    "search of stacks": GridSearchCV(StackingClassifier(TWO, cv=2), {"passthrough": [True]}, cv=2),
    "search of votes": GridSearchCV(VotingClassifier(TWO), {"voting": ["soft"]}, cv=2),
    "calibrated frozen": CalibratedClassifierCV(FrozenEstimator(TREE.fit(X, Y))),
}


@pytest.mark.filterwarnings("ignore:Since FrozenEstimator does not appear")
@pytest.mark.filterwarnings("ignore:the chosen model predicts a single value")
@pytest.mark.parametrize("random_state", [None, 0])
@pytest.mark.parametrize("name", ENSEMBLES)
def test_ensembles_of_classifiers(name, random_state):
    estimator = ENSEMBLES[name]
    model = classifier(clone(estimator), partition="group_target", max_iter=3)
    model.set_params(random_state=random_state).fit(X, Y, sensitive_features=GROUP)
    weight = model.compute_sample_weight(X, Y, sensitive_features=GROUP)
    plain = clone(estimator).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


@pytest.mark.parametrize(
    "estimator",
    [
        VotingRegressor(REAL),
        StackingRegressor(REAL, cv=2),
        TransformedTargetRegressor(),
        TransformedTargetRegressor(transformer=QuantileTransformer(n_quantiles=50)),
        TransformedTargetRegressor(VotingRegressor(REAL), func=np.arcsinh, inverse_func=np.sinh),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_ensembles_of_regressors(estimator):
    model = regressor(clone(estimator), partition="group_target", max_iter=3)
    model.fit(X, WAGES, sensitive_features=GROUP)
    weight = model.compute_sample_weight(X, WAGES, sensitive_features=GROUP)
    plain = clone(estimator).fit(X, WAGES, sample_weight=weight)
    np.testing.assert_allclose(model.predict(X), plain.predict(X))


def test_a_stack_has_probabilities_before_it_is_fitted():
    stack = make_pipeline(StandardScaler(), StackingClassifier(TWO, cv=2))
    model = classifier(stack, metric="covariance", max_iter=2)
    assert hasattr(model, "predict_proba") and hasattr(model, "decision_function")
    model.fit(X, Y, sensitive_features=GROUP)
    assert model.loss_name_ == "log_loss"
    assert model.predict_proba(X).shape == (240, 2)
    neighbours = StackingClassifier(TWO, final_estimator=KNeighborsClassifier())
    assert not hasattr(classifier(neighbours), "decision_function")


def test_pipelines_in_ensembles_by_metadata_routing():
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        asking = [LogisticRegression().set_fit_request(sample_weight=True) for _ in range(2)]
    votes = VotingClassifier([("one", make_pipeline(scaler, asking[0])), ("two", asking[1])])
    with pytest.raises(TypeError, match="Pipeline in VotingClassifier does not take sample_weight"):
        classifier(votes).fit(X, Y, sensitive_features=GROUP)
    with config_context(enable_metadata_routing=True):
        model = classifier(votes, max_iter=3).fit(X, Y, sensitive_features=GROUP)
        assert model.weights_move_


class Sampler(BaseEstimator):
    """What imbalanced-learn calls a sampler."""

    def fit_resample(self, X, y):
        return np.vstack([X, X]), np.concatenate([y, y])


class Stateless(TransformerMixin, BaseEstimator):
    """A transformer that no fit leaves a trace in."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * np.asarray(X)


def test_transformers_without_fitted_state():
    model = classifier(make_pipeline(Stateless(), TREE), max_iter=2)
    expected = classifier(TREE, max_iter=2).fit(X, Y, sensitive_features=GROUP)
    model.fit(X, Y, sensitive_features=GROUP)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


def with_sampler(*before):
    steps = [*before, ("sampler", Sampler()), ("model", CountingClassifier())]
    return Pipeline(steps)


SCALER = ("scaler", StandardScaler())


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (with_sampler(), "step 'sampler' of the pipeline is a sampler .*belong outside"),
        (with_sampler(SCALER), r"is a sampler \(Sampler\), which changes the rows"),
        (make_pipeline(StandardScaler(), with_sampler(SCALER)), "is a sampler"),
        (GridSearchCV(with_sampler(), {}), "is a sampler"),
        (VotingClassifier([("one", with_sampler())]), "is a sampler"),
        (FrozenEstimator(FITTED), "FrozenEstimator is frozen, and weights cannot retrain"),
        (make_pipeline(StandardScaler(), FrozenEstimator(FITTED)), "the last step of the pipeline"),
        (GridSearchCV(FrozenEstimator(FITTED), {}), "GridSearchCV is frozen"),
        (VotingClassifier([("one", FrozenEstimator(FITTED))]), "VotingClassifier is frozen"),
        (StackingClassifier([("lr", FITTED)], cv="prefit"), "cv='prefit', .*FrozenEstimator"),
        (VotingClassifier([*TWO, ("k", KNeighborsClassifier())]), "KNeighbors.* in VotingClass"),
        (
            StackingClassifier(TWO, final_estimator=KNeighborsClassifier()),
            "KNeighborsClassifier in StackingClassifier does not take sample_weight",
        ),
    ],
)
@pytest.mark.parametrize("random_state", [None, 0])
def test_what_weights_cannot_train(estimator, message, random_state):
    CountingClassifier.n_fits = 0
    with pytest.raises(TypeError, match=message):
        classifier(estimator, random_state=random_state).fit(X, Y, sensitive_features=GROUP)
    assert CountingClassifier.n_fits == 0


def test_a_frozen_transformer_is_no_obstacle():
    scaler = FrozenEstimator(StandardScaler().fit(X))
    model = classifier(make_pipeline(scaler, LogisticRegression()), random_state=0)
    assert model.fit(X, Y, sensitive_features=GROUP).weights_move_


KERNEL = rbf_kernel(X, gamma=0.2)


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, np.ndarray.tolist, np.float32])
@pytest.mark.parametrize("cv", [KFold(3), [(np.arange(0, 240, 2), np.arange(1, 240, 2))]])
def test_precomputed_kernels_are_split_by_both_axes(form, cv):
    params = {"cv": cv, "partition": "group_target", "max_iter": 2, "init": [0.1, 0.3, 0.2, 0.4]}
    model = classifier(SVC(kernel="precomputed"), **params)
    model.fit(form(KERNEL), Y, sensitive_features=GROUP)
    expected = classifier(SVC(gamma=0.2), **params).fit(X, Y, sensitive_features=GROUP)
    # Single precision moves a few rows of these.
    within = 0.02 if form is np.float32 else 1e-9
    for name in ("metric", "score"):
        np.testing.assert_allclose(model.results_[name], expected.results_[name], atol=within)
    if form is np.asarray:
        np.testing.assert_array_equal(model.predict(KERNEL), expected.predict(X))


@pytest.mark.parametrize("cv", [3, 0.25])
@pytest.mark.parametrize(
    "estimator",
    [
        SVC(kernel="precomputed"),
        GridSearchCV(SVC(kernel="precomputed"), {"C": [0.5, 1.0]}, cv=2),
        make_pipeline(KernelCenterer(), SVC(kernel="precomputed")),
    ],
    ids=["alone", "search", "pipeline"],
)
def test_precomputed_kernels(estimator, cv):
    model = classifier(estimator, cv=cv, scoring="balanced_accuracy", trade_off=1.0)
    weight = np.where(np.arange(240) % 5 == 0, 0.0, 1.0)
    model.fit(KERNEL, Y, sensitive_features=GROUP, sample_weight=weight)
    assert model.predict(KERNEL).shape == Y.shape
    scores = cross_val_score(
        clone(model), KERNEL, Y, cv=2, params={"sensitive_features": GROUP}, error_score="raise"
    )
    assert scores.min() > 0.6


def test_kernel_ridge_on_held_out_rows():
    model = regressor(KernelRidge(kernel="precomputed"), cv=KFold(3), max_iter=2)
    model.fit(KERNEL, WAGES, sensitive_features=GROUP)
    expected = clone(model).set_params(estimator=KernelRidge(kernel="rbf", gamma=0.2))
    expected.fit(X, WAGES, sensitive_features=GROUP)
    assert model.baseline_metric_value_ == pytest.approx(expected.baseline_metric_value_)


def test_a_kernel_of_other_rows():
    model = classifier(SVC(kernel="precomputed"), cv=3)
    with pytest.raises(ValueError, match=r"shape \(240, 200\).* pass a square one"):
        model.fit(KERNEL[:, :200], Y, sensitive_features=GROUP)
