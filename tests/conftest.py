"""What all tests share: property tests without a clock, the same examples in every CI run."""

import os

from hypothesis import HealthCheck, settings

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
