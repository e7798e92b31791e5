"""Bringing a whole account back, into a data directory that holds nothing yet.

All of it is written and proved aside, and put in its place at the end: killed at any moment, the data directory
holds either nothing still, or all of it.
"""

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from campfire.blobs.private_directories import make_private
from campfire.blobs.store import BlobStore
from campfire.config import Settings
from campfire.domain import events as happened
from campfire.domain.events import Event
from campfire.errors import CampfireError
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.data_lock import DataLock
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.past import PastEvent, PastWriter
from campfire.eventlog.reader import LogReader
from campfire.eventlog.verification import verify
from campfire.eventlog.witness import tip_file_witness
from campfire.exports.form import Line
from campfire.exports.privacy import SECRETS, WITHHELD
from campfire.exports.progress import Progress
from campfire.exports.reading import Archive, unusable
from campfire.push_keys import new_key_pair
from campfire.sealing import Sealer
from campfire.webhook_secrets import new_secret, new_signing_keys
from projections.rebuild import rebuild_beside, swap_in

_AT_ONCE = 1_000
_CHUNK = 1 << 20


async def import_account(settings: Settings, archive: Archive, progress: Progress) -> int:
    """Make the data directory the account of `archive`; return how many events that is. No server may run.

    Raises `CampfireError`: `DATA_DIRECTORY_IN_USE`, `EXPORT_UNUSABLE`; `VALIDATION_FAILED` unless the directory is
    empty. Nothing is changed then.
    """
    make_private(settings.data)
    with DataLock(settings.lock_path, purpose="campfire-admin import"):
        _require_empty(settings)
        shutil.rmtree(settings.import_path, ignore_errors=True)
        try:
            return await _import(settings, archive, progress)
        finally:
            shutil.rmtree(settings.import_path, ignore_errors=True)


async def _import(settings: Settings, archive: Archive, progress: Progress) -> int:
    aside = settings.import_path
    make_private(aside)
    events, read_models = aside / settings.events_path.name, aside / settings.read_models_path.name
    key = _key(settings, archive, aside)
    count = _write_log(events, archive, Sealer.from_key_file(key, create=True), progress)
    _prove(events, read_models)
    blobs = BlobStore(settings.blobs_path)
    for digest, path in archive.blobs():
        kept = await blobs.take(pieces_of(path), path.stat().st_size)
        if kept.digest != digest:
            raise unusable(f"blobs/{digest} changed while it was read.")
    key.replace(settings.key_path)
    swap_in(events, settings.events_path)  # from here on it is there
    swap_in(read_models, settings.read_models_path)
    return count


def _require_empty(settings: Settings) -> None:
    """Raises `CampfireError` `VALIDATION_FAILED`."""
    witness = tip_file_witness(settings.tip_path)
    position = witness.position if witness is not None else 0
    if settings.events_path.exists():
        reader = LogReader(settings.events_path)
        try:
            position = max(position, reader.tip().position)
        finally:
            reader.close()
    if position:
        raise CampfireError(
            "VALIDATION_FAILED",
            f"{settings.data} holds an account already ({position} events); name an empty directory with --data.",
        )


def _key(settings: Settings, archive: Archive, aside: Path) -> Path:
    """The key that the account will have: the one brought along, else the one that is here, else a new one."""
    path = aside / settings.key_path.name
    content = archive.key()
    if content is None and settings.key_path.exists():
        content = settings.key_path.read_bytes()
    if content is not None:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return path


def _write_log(path: Path, archive: Archive, sealer: Sealer, progress: Progress) -> int:
    total = archive.manifest.files["events.ndjson"].lines
    past = _past(archive, sealer)
    writer = PastWriter(path)
    done = 0
    try:
        while page := list(islice(past, _AT_ONCE)):
            writer.write(page)
            done += len(page)
            progress(done, total)
        writer.finish()
    except sqlite3.IntegrityError as error:
        raise unusable(f"An event is in it twice: {error}.") from error
    finally:
        writer.close()
    return done


def _past(archive: Archive, sealer: Sealer) -> Iterator[PastEvent]:
    codec, last = EventCodec(), 0
    for number, (line, event) in enumerate(archive.events(), 1):
        if line.position != number or line.recorded_at < last:
            raise unusable(f"events.ndjson line {number}: it should be position {number}, in the order of time.")
        last = line.recorded_at
        yield _past_event(line, _resealed(event, sealer), codec)


def _past_event(line: Line, changed: Event | None, codec: EventCodec) -> PastEvent:
    try:
        scrubbed = None if line.scrubbed is None else bytes.fromhex(line.scrubbed)
    except ValueError as error:
        raise unusable(f"Position {line.position}: scrubbed is no digest.") from error
    topic = f"{line.topic}:{line.schema}" if changed is None else codec.topic_of(changed)
    state = bytes(line.data) if changed is None else codec.encode(changed)
    return PastEvent(line.stream_id, line.version, topic, state, line.recorded_at, scrubbed)


def _resealed(event: Event, sealer: Sealer) -> Event | None:
    """The event with a new secret where a sealed one was withheld; None if none was.

    One that cannot be opened would stop the deliveries to everybody.
    """
    fields = [name for name in SECRETS.get(type(event), ()) if name.startswith("sealed_")]
    lost = [name for name in fields if getattr(event, name).startswith(WITHHELD)]
    if not lost:
        return None
    if isinstance(event, happened.PushKeyMade):  # browsers subscribe for the new one by themselves
        public, private = new_key_pair()
        return msgspec.structs.replace(event, public_key=public, sealed_private_key=sealer.seal(private))
    if isinstance(event, happened.WebhookCreated | happened.WebhookSecretRotated):  # and nobody has a key to pull with
        keys = new_signing_keys("v1" if event.public_key is None else "v1a")
        sealed = sealer.seal(keys.signs)
        return msgspec.structs.replace(event, sealed_secret=sealed, public_key=keys.public_key, pull_key_hash=None)
    # In the form of a webhook's signing secret, which does for a token as well: it is random.
    return msgspec.structs.replace(event, **{name: sealer.seal(new_secret()) for name in lost})


def _prove(events: Path, read_models: Path) -> None:
    """Prove the chain, and that all of it can be shown. Raises `CampfireError` `EXPORT_UNUSABLE`."""
    reader = LogReader(events)
    try:
        verify(reader)
        projector = rebuild_beside(reader, read_models)
        try:
            for stalled in projector.stalled.values():
                raise unusable(f"Position {stalled.position} makes no sense: {stalled.error}.")
            if projector.connection.execute("SELECT COUNT(*) FROM account").fetchone() == (0,):
                raise unusable("It never began: no account was created in it.")
        finally:
            projector.close()
    except LogDamaged as error:
        raise unusable(f"Position {error.position}: {error.reason}.") from error
    finally:
        reader.close()


async def pieces_of(path: Path) -> AsyncIterator[bytes]:
    """What a file holds, 1 MiB at a time."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
