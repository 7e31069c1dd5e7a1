"""What another package offers by entry points: the one in tests/plugin, as if it were installed."""

import shutil
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from skbadr import BADRClassifier, BADRRegressor, _plugins
from skbadr.lower_level import families, find_family, known_estimators
from skbadr.metrics import get_metric, get_metric_names
from skbadr.solvers import get_solver, may_refit

SOURCE = Path(__file__).parent / "plugin"
RNG = np.random.default_rng(0)
GROUP = RNG.integers(0, 3, 300)
X = np.column_stack([RNG.normal(size=(300, 2)), GROUP == 2])
TARGET = X[:, 0] + X[:, 2] + RNG.normal(size=300)
Y = (TARGET > 0).astype(int)


def install(folder, entry_points, name="skbadr-toy"):
    """Write what an installer would write of a package, and forget what was read before."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for group, entries in entry_points.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    forget()


def forget():
    for cached in (_plugins._offers, _plugins.load_plugin, families._offered):
        cached.cache_clear()


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages, empty."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget()
    for name in [name for name in sys.modules if name.partition(".")[0] == "skbadr_toy"]:
        del sys.modules[name]


@pytest.fixture
def toy(site):
    """The folder with the toy package."""
    shutil.copytree(SOURCE / "skbadr_toy", site / "skbadr_toy")
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install(site, project["entry-points"])
    return site


@pytest.mark.parametrize("metric", ["rate_spread", "rate_range"])
def test_metrics_by_name(toy, metric):
    model = BADRClassifier(LogisticRegression(), metric=metric, bound=0.05)
    model.fit(X, Y, sensitive_features=GROUP)
    rates = [model.predict(X)[g == GROUP].mean() for g in range(3)]
    expected = np.std(rates) if metric == "rate_spread" else np.ptp(rates)
    assert model.metric_value_ == pytest.approx(expected)
    assert model.metric_value_ <= 0.05 < model.baseline_metric_value_


def test_metrics_are_listed_and_take_options(toy):
    assert "skbadr_toy.metrics" not in sys.modules
    assert {"rate_spread", "rate_range"} <= set(get_metric_names("classification"))
    assert "rate_range" not in get_metric_names("regression")
    once, thrice = get_metric("rate_range"), get_metric("rate_range", factor=3.0)
    assert thrice(Y, X[:, 0] > 0, sensitive_features=GROUP) == pytest.approx(
        3 * once(Y, X[:, 0] > 0, sensitive_features=GROUP)
    )
    with pytest.raises(ValueError, match="'rate_range' is for classification, not for regression"):
        get_metric("rate_range", "regression")
    with pytest.raises(TypeError, match="'rate_spread' has no such options"):
        get_metric("rate_spread", factor=2)


def test_solver_by_name(toy, monkeypatch):
    model = BADRClassifier(LogisticRegression(), solver="random", max_iter=7, random_state=0)
    model.fit(X, Y, sensitive_features=GROUP)
    assert model.n_refits_ == 7
    assert model.metric_value_ <= model.baseline_metric_value_
    assert not may_refit("random")
    monkeypatch.setattr(type(get_solver("random")), "refits", True)
    assert may_refit("random") and may_refit(get_solver("random"))
    with pytest.raises(ValueError, match="'Random' is not known.*'random'"):
        get_solver("Random")


def test_family_of_an_estimator(toy):
    assert "HalfRidge" in known_estimators()
    from skbadr_toy.families import HalfRidge, HalfSquares

    assert isinstance(find_family(HalfRidge(), None), HalfSquares)
    found = [
        BADRRegressor(estimator, bound=0.2, solver="implicit").fit(
            X, TARGET, sensitive_features=GROUP
        )
        for estimator in (HalfRidge(alpha=0.5), Ridge(alpha=1.0))
    ]
    assert found[0].metric_value_ <= 0.2 < found[0].baseline_metric_value_
    np.testing.assert_allclose(found[0].cell_weights_, found[1].cell_weights_, rtol=1e-6)
    np.testing.assert_allclose(found[0].predict(X), found[1].predict(X), rtol=1e-6)


def test_names_of_this_package_come_first(site):
    install(
        site,
        {
            "skbadr.metrics": {"demographic_parity": "no_such_module:metric"},
            "skbadr.solvers": {"implicit": "no_such_module:solver"},
        },
    )
    assert get_metric("demographic_parity").name == "demographic_parity"
    assert type(get_solver("implicit")).__name__ == "ImplicitSolver"


def test_a_name_that_two_packages_offer(toy):
    install(toy, {"skbadr.metrics": {"rate_range": "skbadr_toy.metrics:rate_spread"}}, "other-toy")
    with pytest.raises(ValueError, match="'rate_range' is offered by other-toy and skbadr-toy"):
        get_metric("rate_range")
    with pytest.warns(UserWarning, match="left out: 'rate_range' is offered by"):
        assert "rate_spread" in get_metric_names()


def test_a_package_that_is_broken(site):
    entries = {kind: {"broken": "no_such_module:thing"} for kind in ("metrics", "solvers")}
    install(site, {f"skbadr.{kind}": entry for kind, entry in entries.items()})
    message = "'broken' is offered by the package skbadr-toy, but no_such_module:thing cannot be"
    with pytest.raises(ImportError, match=message):
        get_metric("broken")
    with pytest.raises(ImportError, match=message):
        get_solver("broken")


@pytest.mark.parametrize(
    ("kind", "use"),
    [
        ("metrics", lambda: get_metric("wrong")),
        ("solvers", lambda: get_solver("wrong")),
        ("families", lambda: find_family(object(), None)),
    ],
)
def test_what_is_offered_has_the_wrong_type(site, kind, use):
    install(site, {f"skbadr.{kind}": {"wrong": "string:digits"}})
    with pytest.raises(TypeError, match=f"entry point 'wrong' of skbadr.{kind} must be"):
        use()


def test_no_package_is_imported_unasked(toy):
    model = BADRClassifier(LogisticRegression(), max_iter=3)
    model.fit(X, Y, sensitive_features=GROUP)
    assert not any(name.startswith("skbadr_toy") for name in sys.modules)
