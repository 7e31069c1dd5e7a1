"""What all tests share: property tests without a clock, the same examples in every CI run."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Estimators of many other packages, which `.ci/run contracts` installs.
collect_ignore = ["contracts"]

# A busy machine is not a bug: time limits would make slow examples flaky.
settings.register_profile(
    "skbadr",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
# On demand, by --hypothesis-profile=long: other examples in every run, and many of them.
settings.register_profile("long", settings.get_profile("skbadr"), max_examples=2500,
                          derandomize=False)  # fmt: skip
settings.load_profile("skbadr")


@pytest.fixture
def load_table(tmp_path):
    """Return a function that writes a file and reads it as the command does."""
    from skbadr.cli._tables import load_csv

    def load(content, sensitive="sex", target="ok", name="t.csv", encoding="utf-8", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return load_csv(path, target, sensitive, **options)

    return load
