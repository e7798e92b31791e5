"""Settings: the one place that reads the environment."""

import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal

import msgspec

from campfire.errors import CampfireError

Network = IPv4Network | IPv6Network
OutboxMode = Literal["embedded", "external"]
Switch = Literal["on", "off"]
LogLevel = Literal["debug", "info", "warning", "error"]

STANDARD_RETRY_SCHEDULE: tuple[float, ...] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Seconds between attempts: the example schedule of Standard Webhooks 1.0, 75 h 35 min in all."""

_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set, each by the environment variable `CAMPFIRE_` plus the field's name in capitals."""

    data: Path = Path("data")
    """Directory of everything that must survive; made if missing."""
    host: str = "0.0.0.0"  # noqa: S104 - a chat server is there to be reached
    port: int = 3000
    rate_limit_rpm: int = 0
    """Requests a minute for each person, or for each address before sign-in; 0 means no limit."""
    outbox: OutboxMode = "embedded"
    """`embedded`: the server runs the outbox worker as a child; `external`: somebody else runs it."""
    outbox_lease: float = 30.0
    """Seconds that a worker which does not move keeps the outbox; renewed all the time."""
    outbox_stop_seconds: float = 15.0
    """Seconds that a worker which is told to stop has for what is on its way."""
    outbox_metrics: str = ""
    """HOST:PORT at which the worker serves its metrics and health; empty for nowhere, port 0 for any free one."""
    webhook_allow: tuple[Network | str, ...] = ()
    """Networks, and hosts by name, that webhooks may reach although they are not public."""
    webhook_retry_schedule: tuple[float, ...] = STANDARD_RETRY_SCHEDULE
    """Seconds to wait after each failed attempt; after the last one a delivery is a dead letter."""
    webhook_timeout: float = 15.0
    """Seconds for a whole delivery attempt, the response included."""
    webhook_breaker_seconds: float = 60.0
    """Seconds for which an endpoint that failed five times in a row is left alone."""
    webhook_disable_after_days: float = 5.0
    """Days of nothing but failures after which an endpoint is disabled; 0 means never."""
    push_subject: str = "mailto:push@example.com"
    """Whom push services may turn to about our pushes: mailto: or https:."""
    push_ttl: float = 86_400.0
    """Seconds after which a notification is not worth delivering any more."""
    bot_timeout: float = 7.0
    """Seconds that a bot has for its whole answer when it is called."""
    session_days: int = 30
    """Days until a session ends by itself."""
    scrub_after_hours: float = 24.0
    """Hours after its deletion until what a message said is taken out of the log too."""
    upload_limit_mb: int = 100
    """The largest file that may be uploaded, in megabytes (10^6 bytes)."""
    link_previews: Switch = "on"
    """Whether the server asks for the pages that people link to, to show what they are."""
    link_preview_allow: tuple[Network | str, ...] = ()
    """Networks, and hosts by name, that link previews may reach although they are not public."""
    log_level: LogLevel = "info"

    @property
    def own_ports(self) -> frozenset[int]:
        """Where this server and its worker listen, but for what the system chose (port 0)."""
        metrics = int(self.outbox_metrics.rpartition(":")[2] or 0)
        return frozenset({self.port, metrics} - {0})

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **overrides: str | None) -> "Settings":
        """Read `CAMPFIRE_*`; `overrides` (by field name, None ignored) come from a command line and win.

        Raises `CampfireError` `CONFIGURATION_INVALID` for an unknown name or a value that makes no sense.
        """
        environ = os.environ if environ is None else environ
        texts = {name: value for name, value in environ.items() if name.startswith("CAMPFIRE_")}
        texts |= {_variable(field): value for field, value in overrides.items() if value is not None}
        _refuse_unknown(texts)
        values = {field: _parsed(field, texts[_variable(field)]) for field in _READERS if _variable(field) in texts}
        return cls(**values)

    def environment(self) -> dict[str, str]:
        """The variables that give a child process the same settings."""
        return {_variable(field): _text(getattr(self, field)) for field in _READERS}

    @property
    def events_path(self) -> Path:
        return self.data / "events.db"

    @property
    def read_models_path(self) -> Path:
        return self.data / "campfire.db"

    @property
    def outbox_path(self) -> Path:
        return self.data / "outbox.db"

    @property
    def key_path(self) -> Path:
        return self.data / "server.key"

    @property
    def blobs_path(self) -> Path:
        return self.data / "blobs"

    @property
    def thumbnails_path(self) -> Path:
        """Small pictures made from blobs; may be thrown away at any time."""
        return self.data / "thumbnails"

    def thumbnail_path(self, digest: str, side: int | None = None) -> Path:
        """The small picture of a blob; with `side` a smaller one, of so many pixels."""
        name = digest if side is None else f"{digest}-{side}"
        return self.thumbnails_path / digest[:2] / f"{name}.webp"

    @property
    def exports_path(self) -> Path:
        """Exports that are being sent; whatever is there at a start may be thrown away."""
        return self.data / "exports"

    @property
    def import_path(self) -> Path:
        """An account that is being imported, until it is whole; may be thrown away."""
        return self.data / "import"

    @property
    def lock_path(self) -> Path:
        return self.data / "server.lock"

    @property
    def outbox_lock_path(self) -> Path:
        """At which those workers queue that stand by."""
        return self.data / "outbox.lock"

    @property
    def tip_path(self) -> Path:
        return self.data / "events.tip"

    @property
    def socket_path(self) -> Path:
        return self.data / "campfire.sock"


def _variable(field: str) -> str:
    return f"CAMPFIRE_{field.upper()}"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value.absolute() if isinstance(value, Path) else value)


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(f"it must be between {low} and {high}")
        return number

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"it must be one of {', '.join(choices)}")
        return text

    return read


def _networks_and_names(text: str) -> tuple[Network | str, ...]:
    return tuple(_network_or_name(part.strip()) for part in text.split(",") if part.strip())


def _network_or_name(text: str) -> Network | str:
    name = text.lower().removesuffix(".")
    # A name whose last part begins with a digit is read as an address in numbers by somebody.
    if len(name) <= 253 and re.fullmatch(rf"({_LABEL}\.)*(?![0-9]){_LABEL}", name):
        return name
    return ip_network(text)


def _positive_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 30 * 86400:
        raise ValueError("it must be more than 0 seconds and at most 30 days")
    return seconds


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 <= hours <= 24 * 3650:
        raise ValueError("it must be between 0 hours and 10 years")
    return hours


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days <= 3650:
        raise ValueError("it must be between 0 days, which is never, and 10 years")
    return days


def _contact(text: str) -> str:
    if not re.fullmatch(r"mailto:[^@\s]+@[^@\s]+|https://\S+", text):
        raise ValueError("it must be mailto: with an address, or https://")
    return text


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if text and not (host and port.isdecimal() and int(port) <= 65535):
        raise ValueError("it must be HOST:PORT, [::1]:PORT for IPv6, or empty")
    return text


def _schedule(text: str) -> tuple[float, ...]:
    return tuple(_positive_seconds(part) for part in text.split(",") if part.strip())


_READERS: dict[str, Callable[[str], Any]] = {
    "data": Path,
    "host": str,
    "port": _number(0, 65535),
    "rate_limit_rpm": _number(0, 1_000_000),
    "outbox": _one_of("embedded", "external"),
    "outbox_lease": _positive_seconds,
    "outbox_stop_seconds": _positive_seconds,
    "outbox_metrics": _address,
    "webhook_allow": _networks_and_names,
    "webhook_retry_schedule": _schedule,
    "webhook_timeout": _positive_seconds,
    "webhook_breaker_seconds": _positive_seconds,
    "webhook_disable_after_days": _days,
    "push_subject": _contact,
    "push_ttl": _positive_seconds,
    "bot_timeout": _positive_seconds,
    "session_days": _number(1, 3650),
    "scrub_after_hours": _hours,
    "upload_limit_mb": _number(1, 1_000_000),
    "link_previews": _one_of("on", "off"),
    "link_preview_allow": _networks_and_names,
    "log_level": _one_of("debug", "info", "warning", "error"),
}


def _parsed(field: str, text: str) -> Any:
    try:
        return _READERS[field](text)
    except ValueError as error:
        raise _invalid(f"{_variable(field)}={text!r} is not acceptable: {error}.") from error


def _refuse_unknown(texts: Mapping[str, str]) -> None:
    known = [_variable(field) for field in _READERS]
    for name in texts:
        if name not in known:
            # Without the prefix, which alone would make everything look alike.
            near = get_close_matches(name.removeprefix("CAMPFIRE_").lower(), _READERS, n=1)
            hint = f" Did you mean {_variable(near[0])}?" if near else f" Known are {', '.join(known)}."
            raise _invalid(f"There is no setting {name}.{hint}")


def _invalid(detail: str) -> CampfireError:
    return CampfireError("CONFIGURATION_INVALID", detail)
