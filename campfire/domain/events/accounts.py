"""The account: the one server, its name and how it is run."""

from typing import ClassVar

from campfire.domain.events.base import Event


class AccountCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The server was set up. Stream: `ids.ACCOUNT_STREAM`."""

    topic: ClassVar[str] = "account.created"

    name: str
    join_code: str


class AccountChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What is None stays as it is. Stream: `ids.ACCOUNT_STREAM`.

    `custom_styles` is CSS, empty for none; `retention_days` is how long messages are kept, 0 for ever.
    """

    topic: ClassVar[str] = "account.changed"

    by: str
    name: str | None = None
    custom_styles: str | None = None
    rooms_by_administrators_only: bool | None = None
    retention_days: int | None = None


class LogoSet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The account's picture: the content's digest (SHA-256, hex), None for none. Stream: `ids.ACCOUNT_STREAM`."""

    topic: ClassVar[str] = "account.logo_set"

    by: str
    digest: str | None = None


class AccountExported(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody took a copy of everything, rooms that they are not in included. Stream: `ids.ACCOUNT_STREAM`."""

    topic: ClassVar[str] = "account.exported"

    by: str


class JoinCodeRotated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The invitation is another one; the old one is worth nothing. Stream: `ids.ACCOUNT_STREAM`."""

    topic: ClassVar[str] = "account.join_code_rotated"

    by: str
    join_code: str
