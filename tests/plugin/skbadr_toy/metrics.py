"""Two fairness metrics: a function, and a class with an option."""

import numpy as np

from skbadr.metrics import FairnessMetric


def rate_spread(y_true, y_pred, *, sensitive_features):
    """Standard deviation of the groups' rates of the positive class."""
    groups = np.asarray(sensitive_features)
    return np.std([y_pred[groups == group].mean() for group in np.unique(groups)])


class RateRange(FairnessMetric):
    """Largest difference of the groups' rates of the positive class, times a factor."""

    def __init__(self, factor=1.0):
        super().__init__("rate_range", tasks=("classification",))
        self.factor = factor

    def statistics(self, evaluation_set, response):
        return evaluation_set.group_means((response == 1).astype(float))

    def from_statistics(self, evaluation_set, statistics):
        return self.factor * float(np.ptp(statistics[evaluation_set.present]))
