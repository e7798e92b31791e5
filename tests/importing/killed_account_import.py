"""`campfire-admin` that is killed at the step whose number the environment names."""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from campfire.admin import main
from campfire.eventlog.past import PastWriter
from campfire.exports import account_import

_steps = count(1)


def _dying(work: Callable[..., Any]) -> Callable[..., Any]:
    def step(*arguments: Any, **options: Any) -> Any:
        if next(_steps) == int(os.environ["DIE_AT"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*arguments, **options)

    return step


PastWriter.write = _dying(PastWriter.write)  # type: ignore[method-assign]
PastWriter.finish = _dying(PastWriter.finish)  # type: ignore[method-assign]
account_import.rebuild_beside = _dying(account_import.rebuild_beside)
account_import.pieces_of = _dying(account_import.pieces_of)
account_import.swap_in = _dying(account_import.swap_in)
sys.argv[0] = "campfire-admin"
main()
