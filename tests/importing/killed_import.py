"""`campfire-admin` that is killed right after its third batch is on disk, before the read models have it."""

import os
import signal
from itertools import count

from campfire.admin import main
from campfire.engine import Engine
from campfire.eventlog.group_commit import CommittedBatch

_project = Engine._project
_batches = count(1)


def _project_or_die(self: Engine, batch: CommittedBatch) -> None:
    if next(_batches) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    _project(self, batch)


Engine._project = _project_or_die  # type: ignore[method-assign]
main()
