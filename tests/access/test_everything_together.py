"""Several people, in any order, over real sockets: who may see what, on every transport, and what is unread.

In CI the same steps every time. To look for more, as long as there is time:

    pytest tests/access/test_everything_together.py --hypothesis-profile=long --timeout=0
"""

import pytest
from access_support.machine import ChatMachine
from hypothesis import HealthCheck, settings

TestEverythingTogether = pytest.mark.timeout(900)(ChatMachine.TestCase)  # a failure takes long to be made small
if settings.get_current_profile_name() != "long":
    TestEverythingTogether.settings = settings(
        max_examples=15,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
