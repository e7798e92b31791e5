"""How much load, and for how long."""

import resource

import msgspec


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """One run's sizes. Times in seconds."""

    seconds: float = 8.0
    """The measured part of each load run."""
    warmup: float = 2.0
    """Load before it, not measured."""
    senders: int = 64
    members: int = 1000
    """People in the room of the fan-out rows, each with one WebSocket."""
    events: int = 100_000
    """Messages in the log of the replay and verify rows."""
    messages: int = 950_000
    """Messages in the store of the read row."""
    samples: int = 100
    """Questions of each kind in the read row; paging back asks as often as there are pages."""
    upload_mb: int = 1_000
    """Megabytes (10^6 bytes) of the file in the rows of a large file."""
    deliveries: int = 20_000
    """Webhooks that wait in the deliveries row, whatever the number of endpoints."""
    endpoints: int = 200
    """Endpoints of the isolation row."""
    devices: int = 500
    """Devices that a message is pushed to."""

    @property
    def paced_seconds(self) -> float:
        """The paced run sends only ten messages a second, so it needs longer for a 99th percentile."""
        return self.seconds * 3


QUICK = Effort(
    seconds=1.0,
    warmup=0.3,
    senders=8,
    members=20,
    events=2_000,
    messages=2_000,
    samples=4,
    upload_mb=16,
    deliveries=192,
    endpoints=6,
    devices=6,
)
"""Enough to see that everything runs; its figures mean nothing."""

_SPARE_FILES = 500


def allow_open_files(connections: int) -> None:
    """Raise this process's limit of open files, which its children inherit, so that `connections` fit.

    Raises `ValueError` if the system's hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ValueError(f"{connections} connections need {wanted} open files; the hard limit here is {hard}")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
