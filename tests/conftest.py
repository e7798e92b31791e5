from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does; the limit for a whole test is pytest's.
settings.register_profile("campfire", deadline=None)
settings.load_profile("campfire")
# To look for more than there is time for each day: --hypothesis-profile=long --timeout=0
settings.register_profile(
    "long",
    deadline=None,
    max_examples=500,
    stateful_step_count=80,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _logs_of_this_test_alone() -> Iterator[None]:
    """A command that ran in this process has set up logging for it; the next test captures its own."""
    yield
    structlog.reset_defaults()
