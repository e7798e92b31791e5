"""Who has the outbox: what the lease's row says, and whether that still holds.

A lease is over once it was released, its process is gone, the machine was started anew, or its time
is up on the clock that all processes of a machine share and nobody sets (CLOCK_MONOTONIC).
"""

from pathlib import Path
from typing import Any

import msgspec

TENURE = "SELECT epoch, holder, pid, namespace, boot_id, started, expires FROM worker WHERE id = 1"

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_STARTED_FIELD = 19
"""Of what follows the name in /proc/PID/stat: field 22, `starttime` (proc(5))."""


class Tenure(msgspec.Struct, frozen=True):
    """One holding of the lease. `expires` in seconds of the machine's monotonic clock; `holder` None: released."""

    epoch: int
    holder: str | None
    pid: int
    namespace: str | None
    boot_id: str | None
    started: float | None
    expires: float | None

    @classmethod
    def of(cls, rows: list[Any]) -> "Tenure | None":
        """From what `TENURE` finds."""
        return cls(*rows[0]) if rows else None

    def is_over(self, now: float) -> bool:
        """Whether another may take over at `now` (seconds, monotonic)."""
        if self.holder is None or self.expires is None or self.boot_id != boot_id():
            return True
        return now >= self.expires or not self._process_lives()

    def _process_lives(self) -> bool:
        """Of a process in another container nothing can be seen: then only its time can be up."""
        if self.namespace != namespace() or self.namespace is None:
            return True
        return start_of(self.pid) == self.started


def boot_id() -> str:
    """The name of this run of the machine; empty where the system has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def namespace() -> str | None:
    """Within what process ids mean the same; None where /proc tells nothing of processes."""
    try:
        return str(_NAMESPACE.readlink())
    except OSError:
        return None


def start_of(pid: int) -> float | None:
    """When a process began, in ticks since the machine did; None if it is gone, or dead and not yet buried."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else float(fields[_STARTED_FIELD - 1])
