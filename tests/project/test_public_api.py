"""The public interface: nothing of it changes unnoticed, and every change is told to users."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from public_api import CURRENT, RELEASED, as_text, from_text, read_interface

import skbadr

ROOT = Path(__file__).resolve().parents[2]

REFRESH = "if this is meant, run `python tests/public_api.py` and commit what it writes"


def changed_words(before, after):
    """Return the last parts of the names, and the parameters, that differ."""
    words = set()
    for name in before.keys() | after.keys():
        if name not in before or name not in after:
            words.add(last_part(name))
            continue
        old, new = set(before[name]), set(after[name])
        words |= {parameter_name(parameter) for parameter in old ^ new} - {"*"}
        if old == new and before[name] != after[name]:
            words.add(last_part(name))
    return words


def last_part(name):
    """Return what a changelog calls a name: cell_weights_, --bound, 'gd'."""
    if found := re.search(r"'([^']+)'", name):
        return found[1]
    return re.split(r"[. =]", name)[-1]


def parameter_name(parameter):
    return parameter.partition("=")[0].lstrip("*") or "*"


def unreleased():
    """Return the section of the changelog on what is not released."""
    text = (ROOT / "doc" / "changelog.md").read_text(encoding="utf-8")
    found = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, "doc/changelog.md has no section Unreleased"
    return found[1]


def mentions(text, word):
    """Whether a word is in code, such as `fit(X, y)` or `cv=None`."""
    code = " ".join(re.findall(r"`([^`]+)`", text))
    return re.search(rf"(?<![\w]){re.escape(word)}(?![\w])", code) is not None


@pytest.fixture(scope="module")
def interface():
    return read_interface()


def test_nothing_changes_unnoticed(interface):
    recorded = from_text(CURRENT.read_text(encoding="utf-8"))
    gone = sorted(recorded.keys() - interface.keys())
    come = sorted(interface.keys() - recorded.keys())
    other = sorted(n for n in recorded.keys() & interface.keys() if recorded[n] != interface[n])
    assert (gone, come, other) == ([], [], []), REFRESH
    assert CURRENT.read_text(encoding="utf-8") == as_text(interface), REFRESH


def test_changes_are_in_the_changelog(interface):
    released = from_text(RELEASED.read_text(encoding="utf-8"))
    text = unreleased()
    missing = sorted(w for w in changed_words(released, interface) if not mentions(text, w))
    assert missing == [], "say in the section Unreleased of doc/changelog.md what changed of these"


def test_new_names_say_since_when(interface):
    # All that the first release has is of that release.
    if re.search(r"^## \d", (ROOT / "doc" / "changelog.md").read_text("utf-8"), re.M) is None:
        return
    released = from_text(RELEASED.read_text(encoding="utf-8"))
    new = [name for name in interface.keys() - released.keys() if name.startswith("skbadr.")]
    assert [name for name in sorted(new) if not is_marked(name)] == []


def is_marked(name):
    """Whether the docstring of a name, or of the class it belongs to, has a mark of its version."""
    owner, _, last = name.rpartition(".")
    try:
        item, text = getattr(importlib.import_module(owner), last), r"\.\. versionadded::"
    except ImportError:
        module, _, kind = owner.rpartition(".")
        item = getattr(importlib.import_module(module), kind)
        member = getattr(item, last, None)
        if callable(member):
            item, text = member, r"\.\. versionadded::"
        else:  # an attribute, in its paragraph of the class
            text = rf"^{last} : .*\n(?: +.*\n|\n)*? +\.\. versionadded::"
    return re.search(text, inspect.getdoc(item) or "", re.M) is not None


def test_text_is_read_as_it_was_written(interface):
    assert from_text(as_text(interface)) == interface
    assert interface["skbadr.audit"][:4] == ["model", "X", "y", "*"]
    assert "bound=None" in interface["skbadr.BADRClassifier"]
    assert "skbadr.BADRClassifier.cell_weights_" in interface
    assert "metric='equalized_odds', classification" in interface
    assert interface["python -m skbadr --test-size"] == ["default=0.3"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {"skbadr.audit": []}, {"audit"}),
        ({"skbadr.B.fit": ["X"]}, {"skbadr.B.fit": ["X", "*", "w=1"]}, {"w"}),
        ({"skbadr.B": ["cv=None"]}, {"skbadr.B": ["cv='auto'"]}, {"cv"}),
        ({"skbadr.B": ["a", "b"]}, {"skbadr.B": ["b", "a"]}, {"B"}),
        ({"metric='hsic', regression": []}, {}, {"hsic"}),
        ({"solver='gd'": []}, {}, {"gd"}),
        ({}, {"python -m skbadr --control": ["default=None"]}, {"--control"}),
        ({"skbadr.B": ["a=1"]}, {"skbadr.B": ["a=1"]}, set()),
    ],
)
def test_changes_are_seen(before, after, words):
    assert changed_words(before, after) == words


def test_words_are_sought_in_code():
    text = "- `fit(X, control_features=...)` and `--bounds`; not cv"
    assert mentions(text, "control_features")
    assert mentions(text, "--bounds")
    assert not mentions(text, "cv")
    assert not mentions(text, "features")


def test_marks_of_versions_are_found(monkeypatch):
    def function():
        """Return nothing.

        .. versionadded:: 0.2
        """

    class Kind:
        """A class.

        Attributes
        ----------
        old_ : int
            Known.
        new_ : int
            Number.

            .. versionadded:: 0.2
        """

    monkeypatch.setattr(skbadr, "function", function, raising=False)
    monkeypatch.setattr(skbadr, "Kind", Kind, raising=False)
    assert is_marked("skbadr.function")
    assert is_marked("skbadr.Kind.new_")
    assert not is_marked("skbadr.Kind.old_")
    assert not is_marked("skbadr.audit")
