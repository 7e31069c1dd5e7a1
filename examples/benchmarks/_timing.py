"""Time a fit against the baseline fit of the estimator, one after the other."""

import time
import warnings


def interleaved(baseline, model, X, y, group, repeats):
    """Return the seconds of each baseline fit and of each fit of the model.

    Interleaved, so that both see the same load of the machine; warnings are for users.
    """
    baseline_seconds, seconds = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeats):
            begin = time.perf_counter()
            baseline.fit(X, y)
            middle = time.perf_counter()
            model.fit(X, y, sensitive_features=group)
            baseline_seconds.append(middle - begin)
            seconds.append(time.perf_counter() - middle)
    return baseline_seconds, seconds
