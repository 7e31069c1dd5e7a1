"""Refits in several processes or threads: the same result, whatever the number."""

import numpy as np
import pytest
from data import classifier, make_people, make_wages, regressor
from joblib import parallel_config
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

X, Y, GROUP = make_people()
XR, YR, GROUP_R = make_wages()
MODELS = {
    "logistic": classifier(LogisticRegression(), partition="group_target", max_iter=9),
    "folds": classifier(
        DecisionTreeClassifier(max_depth=3), cv=2, max_iter=6, random_state=0,
        scoring="balanced_accuracy", bound=0.5,
    ),
    "regression": regressor(HistGradientBoostingRegressor(max_iter=3), partition="group_target"),
}  # fmt: skip


def fitted(name, n_jobs):
    data, y, group = (XR, YR, GROUP_R) if name == "regression" else (X, Y, GROUP)
    return MODELS[name].set_params(n_jobs=n_jobs).fit(data, y, sensitive_features=group)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("name", MODELS)
def test_results_do_not_depend_on_n_jobs(name, backend):
    expected = fitted(name, 1)
    results, attributes = expected.results_, vars(expected).copy()
    predicted = expected.predict(XR if name == "regression" else X)
    for n_jobs in (2, -1):
        with parallel_config(backend=backend):
            model = fitted(name, n_jobs)
        for column in results.keys() - {"refit_time"}:
            np.testing.assert_array_equal(model.results_[column], results[column])
        for attribute in ("cell_weights_", "cell_losses_", "metric_value_", "scoring_value_",
                          "baseline_metric_value_", "n_iter_", "n_refits_"):  # fmt: skip
            np.testing.assert_array_equal(getattr(model, attribute), attributes[attribute])
        found = model.predict(XR if name == "regression" else X)
        np.testing.assert_array_equal(found, predicted)


def test_no_processes_at_all_is_refused():
    with pytest.raises(ValueError, match="n_jobs == 0"):
        fitted("logistic", 0)
