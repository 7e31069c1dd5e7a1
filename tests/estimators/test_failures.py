"""Refits that fail, warn, are interrupted, or end in a model that predicts one value."""

import threading
import time
import warnings

import numpy as np
import pytest
from data import classifier, make_people, scripted
from joblib import parallel_config
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

X, Y, GROUP = make_people()


def fitted(model):
    return model.fit(X, Y, sensitive_features=GROUP)


def baseline_proba():
    return LogisticRegression().fit(X, Y).predict_proba(X)


def test_failed_refit_is_skipped():
    model = classifier(scripted({2: ValueError("no luck")}), partition="group_target")
    with pytest.warns(FitFailedWarning, match="is skipped: ValueError: no luck") as caught:
        fitted(model)
    assert [w.category for w in caught] == [FitFailedWarning]
    assert caught[0].filename == __file__
    assert model.results_["failed"].tolist() == [False, True, False, False]
    assert np.isnan(model.results_["metric"][1])
    assert not model.results_["pareto_optimal"][1]
    assert model.n_refits_ == 4
    assert model.metric_value_ < model.baseline_metric_value_


def test_every_refit_but_the_baseline_one_failing_is_an_error():
    with pytest.raises(ZeroDivisionError, match="no weights, please"):
        fitted(classifier(scripted({"weighted": ZeroDivisionError("no weights, please")})))


def test_baseline_fit_that_fails_is_its_own_error():
    model = classifier(scripted({1: MemoryError("too large")}))
    with pytest.raises(MemoryError, match="too large"):
        fitted(model)
    assert not hasattr(model, "estimator_")
    assert len(model.estimator.counter) == 1


class BadError(Exception):
    """Cannot be read back: pickle calls it with one argument."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class Failing(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        if sample_weight is not None and sample_weight[0] > 1.3:
            raise BadError("bad", "worse")
        return super().fit(X, y, sample_weight)


def test_error_that_cannot_be_pickled_does_not_break_the_workers():
    with pytest.warns(FitFailedWarning, match="BadError: bad and worse"):
        model = fitted(classifier(Failing(), n_jobs=2))
    assert model.results_["failed"].any()


def test_failing_metric_is_an_error():
    def broken(y_true, y_pred, *, sensitive_features):
        raise KeyError("race")

    with pytest.raises(KeyError, match="race"):
        fitted(classifier(metric=broken))


def test_interrupted_search_keeps_the_best_so_far():
    model = classifier(scripted({4: KeyboardInterrupt()}), partition="group_target", max_iter=12)
    with pytest.warns(ConvergenceWarning, match="interrupted after 3 of 12 refits") as caught:
        fitted(model)
    assert caught[0].filename == __file__
    assert len(model.results_["metric"]) == 3
    assert model.metric_value_ == model.results_["metric"].min() < model.baseline_metric_value_
    weight = model.compute_sample_weight(X, Y, sensitive_features=GROUP)
    expected = LogisticRegression().fit(X, Y, weight)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_interrupted_held_out_search_fits_the_best_so_far():
    model = classifier(scripted({6: KeyboardInterrupt()}), cv=2, max_iter=12)
    with pytest.warns(ConvergenceWarning, match="interrupted after 2 of 12"):
        fitted(model)
    assert model.n_refits_ == 5  # two folds, twice, and all rows


def test_interrupted_baseline_fit_is_interrupted():
    model = classifier(scripted({1: KeyboardInterrupt()}))
    with pytest.raises(KeyboardInterrupt):
        fitted(model)
    assert not hasattr(model, "estimator_")


def test_warnings_of_the_wrapped_estimator_surface_once():
    for cv in (None, 3):
        model = classifier(LogisticRegression(max_iter=1), cv=cv, max_iter=6)
        with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge") as caught:
            fitted(model)
        assert len(caught) == 1


def test_warnings_are_those_of_the_chosen_model():
    model = classifier(scripted({3: "third"}), partition="group_target", max_iter=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(model)
    chosen = int(np.argmin(model.results_["metric"]))
    assert [str(w.message) for w in caught] == (["third"] if chosen == 2 else [])


def test_warnings_of_transformers_surface_once():
    def complain(X):
        warnings.warn("odd data", RuntimeWarning, stacklevel=2)
        return X

    model = classifier(make_pipeline(FunctionTransformer(complain), LogisticRegression()), cv=4)
    with pytest.warns(RuntimeWarning, match="odd data") as caught:
        fitted(model)
    assert len(caught) == 1


def test_warning_filters_decide_at_the_end():
    warn_on_all = {n: "hmm" for n in range(1, 9)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quiet = fitted(classifier(scripted(warn_on_all)))
    assert not quiet.results_["failed"].any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classifier(scripted(warn_on_all))
        with pytest.raises(RuntimeWarning, match="hmm"):
            fitted(model)
    assert len(model.estimator.counter) == len(quiet.estimator.counter)  # no refit was lost to it
    np.testing.assert_array_equal(model.cell_weights_, quiet.cell_weights_)


class Complaining(LogisticRegression):
    """Warns from whatever thread it is fitted in."""

    def fit(self, X, y, sample_weight=None):
        name = threading.current_thread().name
        warnings.warn(f"fitted in {name}", RuntimeWarning, stacklevel=2)
        time.sleep(0.01)
        return super().fit(X, y, sample_weight)


def test_warnings_in_threads_are_kept_apart_and_filters_restored():
    before, shown = list(warnings.filters), warnings.showwarning
    model = classifier(Complaining(), n_jobs=3, max_iter=6)
    with parallel_config(backend="threading"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(model)
    assert [str(w.message)[:9] for w in caught] == ["fitted in"]
    assert warnings.filters == before
    assert warnings.showwarning is shown


def test_search_over_models_in_threads_loses_no_later_warning():
    search = GridSearchCV(
        classifier(LogisticRegression(max_iter=1)), {"metric": ["equalized_odds"]}, n_jobs=2
    )
    # Filters are global, so that threads disturb each other's before Python 3.14.
    with warnings.catch_warnings(record=True), parallel_config(backend="threading"):
        warnings.simplefilter("ignore")
        search.fit(X, Y, sensitive_features=GROUP)
    with pytest.warns(UserWarning, match="after all"):
        warnings.warn("after all", UserWarning, stacklevel=1)


def test_constant_model():
    model = classifier(partition="group_target", max_iter=2, init=[1, 999, 1, 999])
    with pytest.warns(UserWarning, match="predicts a single value for every sample") as caught:
        fitted(model)
    assert len(caught) == 1
    assert model.metric_value_ == 0
    assert model.results_["constant"].tolist() == [False, True]


def test_nothing_to_say_where_the_baseline_model_is_constant():
    rare = np.zeros(len(Y), dtype=int)
    rare[:4] = 1
    model = classifier(max_iter=2).fit(X, rare, sensitive_features=GROUP)
    assert model.results_["constant"][0]


def test_metric_without_meaning_names_the_group():
    y = np.where(GROUP == "a", 0, Y)
    model = classifier(metric="equal_opportunity", max_iter=1)
    with pytest.warns(UndefinedMetricWarning, match="group 'a' has no sample of class 1") as caught:
        model.fit(X, y, sensitive_features=GROUP)
    assert caught[0].filename == __file__


def test_baseline_fit_that_fails_in_a_worker_is_its_own_error():
    with pytest.raises(ZeroDivisionError, match="always"):
        fitted(classifier(scripted({1: ZeroDivisionError("always")}), n_jobs=2))
