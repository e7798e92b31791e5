"""Telling systemd how it goes: the protocol of sd_notify(3), datagrams to a socket that it names.

Without such a socket every call does nothing.
"""

import asyncio
import os
import socket
from collections.abc import Mapping

import structlog

log = structlog.get_logger()


class Notifier:
    """Says `ready`, `status` and `stopping`; `watch` says for ever that the loop turns. Raises nothing."""

    def __init__(self, address: str | None, watchdog_seconds: float | None = None) -> None:
        # A name that begins with @ is in the abstract namespace, which has no files.
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._watchdog_seconds = watchdog_seconds

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Notifier":
        """Whom `NOTIFY_SOCKET` names, as often as half of `WATCHDOG_USEC` if that is meant for this process."""
        microseconds = environ.get("WATCHDOG_USEC", "")
        is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = microseconds.isdecimal() and int(microseconds) > 0 and is_ours
        return cls(environ.get("NOTIFY_SOCKET") or None, int(microseconds) / 1_000_000 if watched else None)

    def ready(self, status: str) -> None:
        """It works now; again and again is allowed."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, text: str) -> None:
        """What it is doing, for `systemctl status`."""
        self._send(f"STATUS={_line(text)}")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=finishing what is on its way")

    async def watch(self) -> None:
        """Twice in the watchdog's time; a loop that hangs says nothing, and systemd starts the worker anew."""
        while self._address is not None and self._watchdog_seconds is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_seconds / 2)

    def _send(self, state: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
                sending.setblocking(False)
                sending.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("systemd_not_told", error=str(error))  # it will act as it must; deliveries go on


def _line(text: str) -> str:
    return " ".join(text.split())
