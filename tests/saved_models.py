"""Models of which files are kept in tests/saved: of skbadr, numpy and the classes here alone.

scikit-learn promises nothing about files of other versions; these hold none of its fitted objects,
so that they tell whether files of skbadr itself still load. ``python tests/saved_models.py`` writes
those of the present version next to the earlier ones, which stay as they are.
"""

import pickle
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from skbadr import BADRClassifier, BADRRegressor, __version__

FOLDER = Path(__file__).parent / "saved"


class MeansClassifier(ClassifierMixin, BaseEstimator):
    """Log odds from the distances to the weighted means of two classes."""

    def fit(self, X, y, sample_weight=None):
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.means_ = np.array([np.average(X[codes == c], 0, weight[codes == c]) for c in (0, 1)])
        self.prior_ = np.bincount(codes, weight) / weight.sum()
        return self

    def decision_function(self, X):
        far = np.square(X[:, None] - self.means_).sum(axis=2)
        return 0.5 * (far[:, 0] - far[:, 1]) + np.log(self.prior_[1] / self.prior_[0])

    def predict_proba(self, X):
        positive = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.column_stack([1 - positive, positive])

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


class LineRegressor(RegressorMixin, BaseEstimator):
    """Weighted least squares."""

    def fit(self, X, y, sample_weight=None):
        root = np.sqrt(np.ones(len(y)) if sample_weight is None else sample_weight)
        design = np.column_stack([X, np.ones(len(X))])
        self.coef_ = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        return self

    def predict(self, X):
        return X @ self.coef_[:-1] + self.coef_[-1]


def make_data(seed=0):
    """Return X, real targets, labels and groups."""
    rng = np.random.default_rng(seed)
    group = np.where(rng.random(300) < 0.4, "a", "b")
    X = rng.normal(size=(300, 3)) + 0.7 * (group == "b")[:, None]
    y = X[:, 0] + rng.normal(size=300)
    return X, y, np.where(y > 0.4, "yes", "no"), group


def fit_models():
    """Return the models of a file by name."""
    X, y, labels, group = make_data()
    fair = {"solver": "alternating", "random_state": 0}
    classifier = BADRClassifier(MeansClassifier(), bound=0.05, **fair)
    fair["partition"] = "group_target"
    return {
        "classifier": classifier.fit(X, labels, sensitive_features=group),
        "regressor": BADRRegressor(LineRegressor(), max_iter=5, **fair).fit(
            X, y, sensitive_features=group
        ),
        "held_out": BADRClassifier(MeansClassifier(), cv=3, max_iter=4, **fair).fit(
            X, labels, sensitive_features=group
        ),
    }


def make_record():
    """Return the models, and what they predict."""
    X = make_data(seed=1)[0]
    models = fit_models()
    return {
        "models": models,
        "predicted": {name: model.predict(X) for name, model in models.items()},
        "summary": {name: model.summary() for name, model in models.items()},
    }


if __name__ == "__main__":
    # As a module of the tests, not as a script: pickle keeps the names of classes.
    from saved_models import make_record as make

    # By the oldest versions (.ci/oldest.txt): NumPy before 2 does not read arrays of later ones.
    (FOLDER / f"{__version__}.pkl").write_bytes(pickle.dumps(make(), protocol=4))
