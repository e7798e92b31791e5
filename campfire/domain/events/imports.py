"""Bringing history in."""

from typing import ClassVar

from campfire.domain.events.base import Event


class ImportProgressed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The first `lines` lines of an import are in the log. Stream: `ids.import_stream`.

    Recorded together with what they became, so that an interrupted import goes on exactly there.
    `digest` (SHA-256, hex) covers these lines: another file under the same name is noticed.
    """

    topic: ClassVar[str] = "import.progressed"

    source: str
    lines: int
    digest: str
