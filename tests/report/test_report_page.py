"""The page to hand on: what it says, that nothing breaks out of it, and how browsers show it."""

import re
import shlex
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from browser import Browser, needs_browser
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skbadr
from skbadr import BADRClassifier, BADRRegressor, audit
from skbadr.cli import main
from skbadr.comparison import compare
from skbadr.report import report_comparison
from skbadr.report._words import without_addresses

jinja2 = pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(2)>",
    "{{ 7 * 191 }}{% raw %}",
    "</svg></style></title><h1>out",
    r"$\frac{a$ \N{x}",
    "javascript:alert(3)//\u202etxet",
    "&lt;b&gt; \x00\x07 ]]> -->",
    "http://example.org/a?b=c&d",
    "名前" * 60,
]


def make_rows(n=900, seed=0, labels=("a", "b")):
    rng = np.random.default_rng(seed)
    group = np.array(labels, dtype=object)[rng.integers(0, len(labels), n)]
    X = rng.normal(size=(n, 3)) + 0.8 * (group == labels[0])[:, None]
    y = (X.sum(axis=1) + rng.normal(size=n) > 0.8).astype(int)
    return X, y, group


@pytest.fixture(scope="module")
def compared():
    X, y, group = make_rows()
    return compare(
        make_pipeline(StandardScaler(), LogisticRegression()),
        X,
        y,
        sensitive_features=group,
        bound=0.1,
        peers=["grid_search"],
    )


class Reader(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.open, self.words = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def check_page(html):
    """Check what holds of every page, and return its reader."""
    page = Reader(html)
    assert not page.open
    assert not {"script", "img", "iframe", "object", "embed", "form"} & set(page.tags)
    assert page.tags.count("style") - page.tags.count("svg") == 1  # one of the page, one a picture
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:,"))
            assert value == "data:," or value[1:] in ids
    for target in re.findall(r"url\(([^)]*)\)", html):
        assert target.startswith("#") and target[1:] in ids
    assert "Content-Security-Policy" in html and "default-src 'none'" in html
    return page


SECTIONS = [
    "The question",
    "Data and groups",
    "What was asked for",
    "The models compared",
    "Rates of each group",
    "Who gained and who lost",
    "What cannot be told",
    "The weights",
    "To repeat it",
]


def test_the_page_of_a_comparison_has_everything(compared):
    page = check_page(report_comparison(compared, data="some rows", command="a 'b c'").html)
    for words in SECTIONS:
        assert words in page.text
    rows = {row["key"]: row for row in compared.rows}
    for key, row in rows.items():
        assert row["method"] in page.text
        found = compared.audits[key]
        assert f"{row['metric_test']:.3f}" in page.text
        assert f"{found.lower:.3f} to {found.upper:.3f}" in page.text
    assert compared.audits["badr_group_target"].verdict in page.text
    assert "the share of positive predictions" in page.text
    assert "a 'b c'" in page.text and f"skbadr {skbadr.__version__}" in page.text
    assert page.tags.count("svg") == 3
    for weight in compared.models["badr_group_target"].cell_weights_:
        assert f"{weight:.4f}" in page.text


def test_who_gained_and_who_lost_is_counted(compared):
    text = check_page(report_comparison(compared).html).text
    y, groups = compared.test["y"], compared.test["groups"]
    before, after = (compared.test["predictions"][k] for k in ("baseline", "badr_group_target"))
    for group in np.unique(groups):
        inside = groups == group
        gained = np.sum((after > before)[inside])
        lost = np.sum((after < before)[inside])
        assert (
            f"{group}: of {inside.sum()} people {gained} are newly predicted positive and {lost} "
            "no longer; the share of wrong predictions"
        ) in text
    errors = compared.rows[0]["group_errors_test"]
    assert errors["a"] == pytest.approx((y != before)[groups == "a"].mean())


def test_the_page_of_a_model_has_the_numbers_of_an_audit():
    X, y, group = make_rows(1500)
    new = make_rows(800, seed=1)
    model = BADRClassifier(LogisticRegression(), bound=0.1).fit(X, y, sensitive_features=group)
    page = model.report(new[0], new[1], sensitive_features=new[2])
    found = audit(model, new[0], new[1], sensitive_features=new[2], bound=0.1)
    text = check_page(page.html).text
    assert f"{found.value:.3f} (95 % limits {found.lower:.3f} to {found.upper:.3f})" in text
    assert found.verdict in text
    assert "Who gained" not in text  # there is no baseline to compare with
    plain = LogisticRegression().fit(X, y)
    other = LogisticRegression(C=0.001).fit(X, y)
    page = model.report(
        *new[:2], sensitive_features=new[2], baseline=plain, others={"<b>small": other}, title="T"
    )
    text = check_page(page.html).text
    assert "Who gained" in text and "<b>small" in text and page.title == "T"
    assert f"{100 * plain.score(new[0], new[1]):.1f} %" in text
    model.set_params(bound=None).fit(X, y, sensitive_features=group)
    assert "on new people" not in model.report(*new[:2], sensitive_features=new[2]).html


@pytest.mark.filterwarnings("ignore:no visited model has")
def test_a_bound_that_is_missed_is_said_first():
    X, y, group = make_rows()
    model = BADRClassifier(LogisticRegression(), bound=0.001, partition="group", max_iter=2)
    model.fit(X, y, sensitive_features=group)
    text = check_page(model.report(X, y, sensitive_features=group).html).text
    said = f"The chosen one is the nearest, with {model.metric_value_:.4g}."
    assert said in text and text.index(said) < text.index("The question")


def test_estimators_are_shown_without_addresses():
    """A page is the same in the next run."""
    columns = make_column_selector(dtype_include="number")
    text = without_addresses(make_column_transformer(("passthrough", columns)))
    assert "make_column_selector(...)" in text and "0x" not in text
    assert without_addresses(FunctionTransformer(np.abs)) == repr(FunctionTransformer(np.abs))
    assert without_addresses(FunctionTransformer(stranger)) == (
        "FunctionTransformer(func=stranger(...))"
    )


def stranger(values):
    return values


def test_a_bound_with_a_confidence_is_said():
    X, y, group = make_rows(2000)
    model = BADRClassifier(LogisticRegression(), bound=0.15, confidence=0.9)
    model.fit(X[:1000], y[:1000], sensitive_features=group[:1000])
    text = check_page(model.report(X[1000:], y[1000:], sensitive_features=group[1000:]).html).text
    assert "on people not yet seen, with a confidence of 90 %." in text
    said = "The fit promises demographic_parity <= 0.15" if model.bound_met_ else "promises nothing"
    assert said in text


STRATA = np.array(["day", "night"], dtype=object)


def part_rows(html):
    """Return the cells of each row of the table of parts."""
    table = html.partition("What the worst is taken of")[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(<th scope=\"row\">.*?)</tr>", table)
    return [re.findall(r">([^<>]+)</(?:bdi|td)>", row) for row in rows]


@pytest.mark.parametrize("by", ["features", "columns"])
def test_strata_are_shown(by):
    X, y, group = make_rows(1600)
    code = np.arange(len(y)) % 2
    X = np.column_stack([X, code])
    model, given = BADRClassifier(LogisticRegression(), bound=0.15), {}
    if by == "features":
        given = {"control_features": STRATA[code]}
    else:
        model.set_params(control_columns=[3])
    train, new = slice(800), slice(800, None)
    model.fit(
        X[train], y[train], sensitive_features=group[train],
        **{name: values[train] for name, values in given.items()},
    )  # fmt: skip
    given = {name: values[new] for name, values in given.items()}
    plain = LogisticRegression().fit(X[train], y[train])
    page = model.report(X[new], y[new], sensitive_features=group[new], baseline=plain, **given)
    text = check_page(page.html).text
    assert "within each of 2 strata" in text
    labels = STRATA if by == "features" else ["0.0", "1.0"]
    names = labels if by == "features" else ["0", "1"]
    assert all(f"{g} & {stratum}" in text for g in "ab" for stratum in names)
    rows = part_rows(page.html)
    assert [row[0] for row in rows] == [f"stratum {label}" for label in labels]
    for model_shown, column in ((plain, 1), (model, 2)):
        for row, s in zip(rows, (0, 1), strict=True):
            inside = X[new][:, 3] == s
            predicted = model_shown.predict(X[new])
            a, b = (predicted[inside & (group[new] == g)].mean() for g in "ab")
            assert row[column].startswith(f"{abs(a - b):.3f} (")
    if by == "features":
        with pytest.raises(ValueError, match="control_features is needed"):
            model.report(X[new], y[new], sensitive_features=group[new])


def test_columns_by_themselves_are_shown():
    X, y, group = make_rows(1600)
    columns = pd.DataFrame({"group": group, "half": np.arange(len(y)) % 2})
    model = BADRClassifier(LogisticRegression(), bound=0.15, intersectional=False)
    model.fit(X[:800], y[:800], sensitive_features=columns[:800])
    page = model.report(X[800:], y[800:], sensitive_features=columns[800:])
    assert "by group and by half, each by itself" in check_page(page.html).text
    rows = part_rows(page.html)
    assert [row[0] for row in rows] == ["group", "half"]
    assert all(row[2] == "at most 0.15" for row in rows)


def test_each_of_several_bounds_is_shown():
    X, y, group = make_rows(1600)
    bounds = {"demographic_parity": 0.2, "recall_score_group_min": 0.5, "group_harm": 0.5}
    model = BADRClassifier(LogisticRegression(), bounds)
    model.fit(X[:800], y[:800], sensitive_features=group[:800])
    page = model.report(X[800:], y[800:], sensitive_features=group[800:])
    text = check_page(page.html).text
    assert "demographic_parity <= 0.2 and recall_score_group_min >= 0.5" in text
    found = audit(model, X[800:], y[800:], sensitive_features=group[800:], metric=bounds)
    rows = part_rows(page.html)
    assert [row[2] for row in rows] == ["at most 0.2", "at least 0.5", "at most 0.5"]
    for row, part in zip(rows, found.parts.values(), strict=True):
        assert row[1].startswith(f"{part.value:.3f} (")
        assert row[3] == part.verdict or row[3].startswith("open")


def test_groups_in_columns_of_X_and_labels_that_are_texts():
    X, y, group = make_rows(1500)
    table = pd.DataFrame(X, columns=list("pqr")).assign(g=(group == "a") * 1.0, h=y[::-1] * 1.0)
    words = np.where(y == 1, "yes", "no")
    model = BADRClassifier(LogisticRegression(), sensitive_columns=["g", "h"], bound=0.3)
    model.fit(table[:900], words[:900])
    text = check_page(model.report(table[900:], words[900:]).html).text
    assert "0 & 1" in text and "yes" in text
    model = BADRClassifier(LogisticRegression(), bound=0.4, max_iter=3)
    model.fit(X, y, sensitive_features=group)
    with pytest.raises(ValueError, match="sensitive_features is needed"):
        model.report(X, y)
    with pytest.raises(ValueError, match="sensitive_features"):
        model.report(X, y, sensitive_features=group[:5])


def test_regression_has_errors_instead_of_accuracy():
    X, y, group = make_rows(1500)
    wage = X.sum(axis=1) + y
    model = BADRRegressor(Ridge(), bound=2.6)
    model.fit(X[:900], wage[:900], sensitive_features=group[:900])
    baseline = Ridge().fit(X[:900], wage[:900])
    page = model.report(X[900:], wage[900:], sensitive_features=group[900:], baseline=baseline)
    text = check_page(page.html).text
    assert "RMSE" in text and "accuracy" not in text.lower().replace("accuracy_", "")
    assert "the mean prediction" in text


@pytest.mark.parametrize("metric", ["worst_group_loss", "individual", "equalized_odds_ratio"])
def test_any_metric_makes_a_page(metric):
    X, y, group = make_rows(600)
    model = BADRClassifier(LogisticRegression(), metric, max_iter=3)
    model.fit(X, y, sensitive_features=group)
    check_page(model.report(X, y, sensitive_features=group).html)


def test_hostile_names_stay_text(tmp_path):
    X, y, group = make_rows(1200, labels=HOSTILE)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    result = compare(model, X, y, sensitive_features=group, bound=0.2, max_iter=2)
    page = report_comparison(
        result,
        data=HOSTILE[0],
        title=HOSTILE[3],
        target=HOSTILE[1],
        positive=1,
        notes=HOSTILE,
        command=HOSTILE[2],
    )
    reader = check_page(page.html)
    for text in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[3], HOSTILE[4]):
        assert " ".join(text.split()) in reader.text
    assert "1337" not in page.html and "\x00" not in page.html and "\x07" not in page.html
    assert HOSTILE[0] not in page.html
    assert HOSTILE[0] not in page._repr_html_()
    page.save(tmp_path / "page.html")


def test_many_groups_leave_a_picture_that_can_be_read():
    X, y, group = make_rows(3000, labels=[f"group {i}" for i in range(60)])
    model = BADRClassifier(LogisticRegression(), bound=0.9, max_iter=2)
    model.fit(X, y, sensitive_features=group)
    page = model.report(X, y, sensitive_features=group)
    assert len(re.findall(r"<text[^>]*>group \d+", page.html)) == 24
    assert check_page(page.html).text.count("group 59") >= 2


def test_the_command_writes_the_page(capsys, tmp_path):
    X, y, group = make_rows(400)
    table = pd.DataFrame(X, columns=["<b>", "q", "r"]).assign(y=y, group=group)
    table.to_csv(tmp_path / "t.csv", index=False)
    options = ["--csv", str(tmp_path / "t.csv"), "--target", "y", "--sensitive", "group"]
    options += ["--max-iter", "2", "--output", str(tmp_path)]
    assert main(options) == 0
    assert "report.html" in capsys.readouterr().out
    page = check_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert shlex.join(["python", "-m", "skbadr", *options]) in page.text
    (tmp_path / "report.html").unlink()
    assert main([*options, "--no-report"]) == 0
    assert not (tmp_path / "report.html").exists()
    assert main([*options, "--report", "--splits", "2"]) == 2
    assert "--splits" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "words"), [("jinja2", "jinja2"), ("matplotlib.figure", "plot")])
def test_without_what_it_needs_there_is_a_sentence(compared, monkeypatch, module, words):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'skbadr\[report\]'"):
        report_comparison(compared)


def test_the_command_says_what_the_page_needs(capsys, tmp_path, monkeypatch):
    X, y, group = make_rows(400)
    pd.DataFrame(X).assign(y=y, group=group).to_csv(tmp_path / "t.csv", index=False)
    options = ["--csv", str(tmp_path / "t.csv"), "--target", "y", "--sensitive", "group"]
    options += ["--max-iter", "2", "--output", str(tmp_path)]
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(options) == 0
    assert "no report: a report needs jinja2" in capsys.readouterr().out
    assert main([*options, "--report"]) == 2
    assert "pip install 'skbadr[report]'" in capsys.readouterr().err


def test_a_comparison_without_badr_is_refused():
    X, y, group = make_rows(300)
    result = compare(LogisticRegression(), X, y, sensitive_features=group, partitions=[])
    with pytest.raises(ValueError, match="no model of BADR"):
        report_comparison(result)


@needs_browser
def test_browsers_show_the_page_without_complaint_or_request(compared, tmp_path):
    X, y, group = make_rows(1200, labels=HOSTILE)
    result = compare(LogisticRegression(), X, y, sensitive_features=group, bound=0.2, max_iter=2)
    hostile = report_comparison(result, data=HOSTILE[1], title=HOSTILE[3], notes=HOSTILE)
    pages = {"plain": report_comparison(compared), "hostile": hostile}
    with Browser() as browser:
        for name, page in pages.items():
            path = page.save(tmp_path / f"{name}.html")
            for width in (1280, 390):
                for dark in (False, True):
                    browser.open(path, width, dark=dark)
                    assert browser.complaints() == []
                    assert browser.requests() == [f"file://{path}"]
                    assert browser.run("document.documentElement.scrollWidth") <= width
                    back = browser.run("getComputedStyle(document.body).backgroundColor")
                    assert (back == "rgb(255, 255, 255)") != dark
            assert browser.run("document.querySelectorAll('main > h1').length") == 1
            assert browser.run("document.scripts.length") == 0
            assert browser.run("document.title") == page.title.replace("\x00", "\ufffd")
            widths = browser.run(
                "[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width)"
            )
            assert len(widths) == len(re.findall("<svg", page.html)) and min(widths) > 250
            # Paper is white, whatever the screen.
            browser.open(path, dark=True, media="print")
            assert browser.run("getComputedStyle(document.body).backgroundColor") == (
                "rgb(255, 255, 255)"
            )
