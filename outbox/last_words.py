"""What ends a worker, in the catalogue's words."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from campfire.errors import CampfireError
from campfire.eventlog.errors import FsyncFailed, LogDamaged, UnknownTopic

_TOLD: tuple[tuple[type[Exception], str, Callable[[Exception], str]], ...] = (
    (LogDamaged, "LOG_DAMAGED", lambda error: f"The log cannot be trusted: {error}. Nothing more is sent."),
    (UnknownTopic, "CONFIGURATION_INVALID", lambda error: f"This worker is too old for the log: {error}."),
    (FsyncFailed, "DATABASE_CONNECTION_FAILED", lambda error: f"The disk did not confirm a commit: {error}."),
    (sqlite3.DatabaseError, "DATABASE_CONNECTION_FAILED", lambda error: f"A database cannot be used: {error}."),
)


@contextmanager
def telling() -> Iterator[None]:
    """Around all that a worker does. Raises `CampfireError` for what no receiver can cause."""
    try:
        yield
    except tuple(kind for kind, _, _ in _TOLD) as error:
        code, sentence = next((code, sentence) for kind, code, sentence in _TOLD if isinstance(error, kind))
        raise CampfireError(code, sentence(error)) from error
