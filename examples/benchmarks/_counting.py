"""An estimator that counts its fits on disk, in a module where worker processes find it."""

import os
from pathlib import Path
from uuid import uuid4

import joblib
from sklearn.ensemble import HistGradientBoostingClassifier


class CountedBoosting(HistGradientBoostingClassifier):
    """Writes a file for each fit that was finished, named after its weights."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        name = f"{joblib.hash(sample_weight)}-{uuid4().hex}"
        (Path(os.environ["SKBADR_COUNT"]) / name).touch()
        return self
