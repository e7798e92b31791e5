"""What a process uses of the machine, from Linux's /proc."""

import os
import time
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Processor time that `pid` and its threads have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def cpu_nanoseconds(pid: int) -> int:
    """Processor time of the threads that `pid` has now: finer than `cpu_seconds`, which counts in hundredths."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def resident_bytes(pid: int) -> int:
    """Memory that `pid` holds now (RSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


class CoreMeter:
    """Cores in use (1.0 is one full core) between two moments, of one process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cpu = cpu_seconds(pid)
        self._began = time.monotonic()

    def cores(self) -> float:
        """Mean since the meter was made."""
        elapsed = time.monotonic() - self._began
        return (cpu_seconds(self._pid) - self._cpu) / elapsed if elapsed > 0 else 0.0
