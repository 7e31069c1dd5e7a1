"""Time a fit against the plain fit of the estimator, one after the other."""

import time
import warnings


def interleaved(plain, model, X, y, group, repeats):
    """Return the seconds of each plain fit and of each fit of the model.

    Interleaved, so that both see the same load of the machine; warnings are for users.
    """
    plain_seconds, seconds = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeats):
            begin = time.perf_counter()
            plain.fit(X, y)
            middle = time.perf_counter()
            model.fit(X, y, sensitive_features=group)
            plain_seconds.append(middle - begin)
            seconds.append(time.perf_counter() - middle)
    return plain_seconds, seconds
