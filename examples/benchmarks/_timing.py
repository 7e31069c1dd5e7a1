"""Time a fit against the baseline fit of the estimator, one after the other."""

import time
import warnings


def interleaved(baseline, model, X, y, group, repeats, clock=time.process_time):
    """Return the seconds of each baseline fit and of each fit of the model, of the processor.

    Interleaved, so that both see the same load of the machine; warnings are for users.
    """
    baseline_seconds, seconds = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeats):
            begin = clock()
            baseline.fit(X, y)
            middle = clock()
            model.fit(X, y, sensitive_features=group)
            baseline_seconds.append(middle - begin)
            seconds.append(clock() - middle)
    return baseline_seconds, seconds
