"""What others read first: citation, policies, templates, and the hosted jobs."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import skbadr

ROOT = Path(__file__).resolve().parents[2]
STEPS = set(re.findall(r"^step_(\w+)\(\)", (ROOT / ".ci" / "run").read_text("utf-8"), re.M))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(*parts):
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def jobs(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()


def test_citation_is_of_this_version_and_of_both_papers():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == skbadr.__version__
    assert citation["license"] == "BSD-3-Clause"
    papers = [reference["url"] for reference in citation["references"]]
    assert papers == ["https://arxiv.org/abs/2601.13448", "https://arxiv.org/abs/2406.07029"]


def test_the_address_of_the_repository_is_the_same_everywhere():
    project = tomllib.loads(read("pyproject.toml"))
    source = project["project"]["urls"]["Source"]
    rules = project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]
    assert rules[1]["replacement"].startswith(f"]({source}/blob/v$HFPR_VERSION/")
    assert source.removeprefix("https://github.com") in rules[0]["replacement"]
    assert yaml.safe_load(read("CITATION.cff"))["repository-code"] == source
    assert f"{source}/security" in read(".github", "ISSUE_TEMPLATE", "config.yml")


@pytest.mark.parametrize(
    "name", ["ISSUE_TEMPLATE/bug.yml", "ISSUE_TEMPLATE/idea.yml", "PULL_REQUEST_TEMPLATE.md"]
)
def test_templates_ask_for_versions(name):
    assert "skbadr.show_versions()" in read(".github", name)


def test_security_names_what_may_run():
    text = read("SECURITY.md")
    assert all(word in text for word in ("pickle", "skops", "memory=", "show_versions"))


def test_every_step_is_described():
    described = set(re.findall(r"^#   (\w+) ", read(".ci", "run"), re.M))
    assert described == STEPS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_hosted_jobs_run_steps_that_exist(path):
    for job in jobs(path):
        matrix = job.get("strategy", {}).get("matrix", {})
        asked = set(matrix.get("step", []))
        for step in job["steps"]:
            if found := re.search(r"\.ci/run((?: \w+)*)", step.get("run", "")):
                asked |= set(found[1].split())
        assert asked <= STEPS


def test_hosted_jobs_cover_systems_and_versions():
    matrix = next(iter(jobs(ROOT / ".github" / "workflows" / "tests.yml")))["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    steps = {
        step
        for path in WORKFLOWS
        for job in jobs(path)
        for step in job.get("strategy", {}).get("matrix", {}).get("step", [])
    }
    assert steps | {"main", "test", "types"} == STEPS  # types is part of lint
