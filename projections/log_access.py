"""The log and the read models as a command line opens them: what is wrong is told in the catalogue's words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from campfire.config import Settings
from campfire.errors import CampfireError
from campfire.eventlog.errors import LogDamaged, UnknownTopic
from campfire.eventlog.reader import LogReader
from projections.damage import is_damage
from projections.projector import ReadModelsUnavailable
from projections.tracking import Tracked
from projections.verification import what_is_tracked


@contextmanager
def log_of(settings: Settings) -> Iterator[LogReader]:
    """The log of a data directory, for reading and for what is built from it.

    Raises `CampfireError`: `NOT_FOUND`, `LOG_DAMAGED`, `READ_MODEL_STALLED`, `DATABASE_CONNECTION_FAILED`.
    """
    if not settings.events_path.exists():
        raise CampfireError("NOT_FOUND", f"There is no log in {settings.data}; name the data directory with --data.")
    try:
        reader = LogReader(settings.events_path)
        try:
            yield reader
        finally:
            reader.close()
    except LogDamaged as error:
        raise CampfireError("LOG_DAMAGED", f"Position {error.position}: {error.reason}.") from error
    except UnknownTopic as error:
        raise CampfireError("READ_MODEL_STALLED", f"{error}. Use the version of Campfire that wrote it.") from error
    except ReadModelsUnavailable as error:
        raise CampfireError("DATABASE_CONNECTION_FAILED", f"The read models cannot be written: {error}.") from error
    except sqlite3.Error as error:
        code = "LOG_DAMAGED" if is_damage(error) else "DATABASE_CONNECTION_FAILED"
        raise CampfireError(code, f"SQLite cannot go on: {error}.") from error


def tracked_in(settings: Settings) -> list[Tracked]:
    """What the live read models say about each projection; nothing if there are none yet."""
    if not settings.read_models_path.exists():
        return []
    with read_models_told(settings):
        return what_is_tracked(settings.read_models_path)


@contextmanager
def read_models_told(settings: Settings) -> Iterator[None]:
    """Tell a person that the live read models cannot be read. Raises `CampfireError` `READ_MODEL_STALLED`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise CampfireError(
            "READ_MODEL_STALLED", f"{settings.read_models_path} cannot be read ({error}). Run: campfire-replay rebuild"
        ) from error
