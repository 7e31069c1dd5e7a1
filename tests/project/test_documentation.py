"""The Python code shown in README.md and doc/ runs, links lead somewhere, the API is complete."""

import importlib
import importlib.util
import pkgutil
import re
import sys
import textwrap
import types
from pathlib import Path

import pytest
from sklearn import config_context

import skbadr

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"(?P<skip>^[ \t]*<!-- no-test -->\s*?\n\s*?)?"
    r"^(?P<indent>[ \t]*)```python\b[^\n]*\n"
    r"(?P<code>.*?)"
    r"^(?P=indent)```[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


def python_blocks(text):
    """Return (number of lines before it, code) of every block that is to run."""
    return [
        (text.count("\n", 0, block.start("code")), textwrap.dedent(block["code"]))
        for block in BLOCK.finditer(text)
        if block["skip"] is None
    ]


def pages():
    """README.md and the pages of doc/ that are written by hand."""
    built = ROOT / "doc" / "_build"
    found = [page for page in (ROOT / "doc").rglob("*.md") if built not in page.parents]
    return [ROOT / "README.md", *sorted(found)]


def documents():
    """README.md, which must show code, and the pages that do."""
    readme, *others = pages()
    return [readme] + [page for page in others if python_blocks(page.read_text("utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_blocks_run(path, monkeypatch, tmp_path):
    blocks = python_blocks(path.read_text(encoding="utf-8"))
    assert blocks, f"{path.name} has no ```python block to run"

    # The code sees itself as a script, so that what it defines can be pickled.
    script = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", script)
    monkeypatch.chdir(tmp_path)
    plt = None
    if importlib.util.find_spec("matplotlib"):
        import matplotlib.pyplot as plt

        plt.switch_backend("Agg")
    try:
        with config_context():  # restores what the code sets globally
            for line, code in blocks:
                # Blank lines first: an error is reported at its line of the page.
                exec(compile("\n" * line + code, str(path), "exec"), script.__dict__)
    finally:
        if plt is not None:
            plt.close("all")


def test_blocks_are_found():
    text = textwrap.dedent(
        """
        ```python
        a = 1
        ```

        <!-- no-test -->

        ```python
        b = 1
        ```

        - in a list:

          ```python
          if a:
              c = 1
          ```

        ```bash
        d
        ```
        """
    )
    assert python_blocks(text) == [(2, "a = 1\n"), (14, "if a:\n    c = 1\n")]


LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(path):
    # Sphinx checks the site; README.md is read elsewhere, as are the pages on a forge.
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    made = "auto_examples"  # by the build
    missing = [
        link["target"]
        for link in LINK.finditer(text)
        if not re.match(r"https?:|#", link["target"])
        and made not in link["target"]
        and not (path.parent / link["target"].partition("#")[0]).exists()
    ]
    assert not missing


def listed_names():
    """Return the full names that the API reference lists, by module."""
    reference = (ROOT / "doc" / "api" / "index.rst").read_text(encoding="utf-8")
    listed, current = {}, None
    for line in reference.splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            current = match[1]
        elif match := re.match(r"   ([A-Za-z_.]+)$", line):
            module, _, name = f"{current}.{match[1]}".rpartition(".")
            listed.setdefault(module, set()).add(name)
    return listed


LISTED = listed_names()
PUBLIC = [
    "skbadr",
    *(
        f"skbadr.{module.name}"
        for module in pkgutil.iter_modules(skbadr.__path__)
        if not module.name.startswith("_")
    ),
]


@pytest.mark.parametrize("module", PUBLIC)
def test_what_is_public_is_what_the_reference_lists(module):
    public = importlib.import_module(module).__all__
    assert len(set(public)) == len(public)
    # Estimators, fronts and displays are listed where users import them from.
    top = LISTED["skbadr"] if module != "skbadr" else set()
    assert set(public) - top == LISTED.get(module, set())
    own = {name for name in set(public) & top if hasattr(skbadr, name)}
    assert all(getattr(skbadr, n) is getattr(importlib.import_module(module), n) for n in own)


def test_the_reference_lists_public_modules_alone():
    assert set(LISTED) <= set(PUBLIC)
