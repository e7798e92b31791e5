"""`campfire-admin export` and the imports that take what it wrote."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import click
import msgspec

from campfire.blobs.store import BlobStore, is_disk_full
from campfire.clock import SystemClock
from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.control_client import ControlClient, control_client, server_is_running
from campfire.domain.directory import Directory
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.exports.account_import import import_account, pieces_of
from campfire.exports.bringing import Brought, Target, bring_person, bring_room
from campfire.exports.form import Kind, Manifest, Wanted
from campfire.exports.progress import Progress
from campfire.exports.reading import Archive, opened, unusable
from campfire.exports.steps import Done, Step
from campfire.exports.taking import take
from campfire.exports.writing import add_key, write_export
from campfire.logging import configure
from projections.log_access import log_of
from projections.terminal import progress_bar

Bring = Callable[[Archive, Target, Progress], Awaitable[Brought]]

_source = click.argument("source", type=click.Path(exists=True, path_type=Path))
_target = click.argument("directory", type=click.Path(path_type=Path))


@click.group()
def export() -> None:
    """Write everything, a room, or a person's data into a new directory. The server may run meanwhile."""


@export.command(name="account", epilog=EXIT_CODES_HELP)
@_target
@click.option("--with-key", is_flag=True, help="Put server.key in as well, which opens the webhooks' secrets.")
@json_option
@data_option
@telling_errors
def export_account(directory: Path, with_key: bool, as_json: bool, data: str | None) -> None:
    """Everything, into DIRECTORY: password hashes and sealed secrets too, so keep it as you keep the data directory."""
    _export(settings_from(data), Wanted(kind="account", secrets=True), directory, as_json, with_key=with_key)


@export.command(name="room", epilog=EXIT_CODES_HELP)
@click.argument("room")
@_target
@json_option
@data_option
@telling_errors
def export_room(room: str, directory: Path, as_json: bool, data: str | None) -> None:
    """ROOM (its id, or its name if only one has it) with its people and files, into DIRECTORY."""
    _export(settings_from(data), Wanted(kind="room"), directory, as_json, find=lambda known: _room_id(known, room))


@export.command(name="person", epilog=EXIT_CODES_HELP)
@click.argument("email")
@_target
@json_option
@data_option
@telling_errors
def export_person(email: str, directory: Path, as_json: bool, data: str | None) -> None:
    """What is the own of the person of EMAIL, and all that they wrote, into DIRECTORY."""
    _export(settings_from(data), Wanted(kind="person"), directory, as_json, find=lambda known: _user_id(known, email))


@click.command(name="account", epilog=EXIT_CODES_HELP)
@_source
@json_option
@data_option
@telling_errors
def bring_account_in(source: Path, as_json: bool, data: str | None) -> None:
    """Make an empty data directory the account that was exported to SOURCE (a directory, .tar or .tar.gz).

    The server must not run. Positions, times and sessions stay; killed at any moment, either nothing is there or
    all of it.
    """
    settings = settings_from(data)
    configure("warning")
    with _told(), progress_bar("checking") as progress, opened(source, "account", progress) as archive:
        count = asyncio.run(import_account(settings, archive, progress))
        name = archive.manifest.name
    if as_json:
        print_json({"name": name, "events": count})
    else:
        click.echo(f"{name or 'The account'} is here, with {count:,} events. Start the server.")


@click.command(name="room", epilog=EXIT_CODES_HELP)
@_source
@json_option
@data_option
@telling_errors
def bring_room_in(source: Path, as_json: bool, data: str | None) -> None:
    """Bring in the room that was exported to SOURCE (a directory, .tar or .tar.gz); again changes nothing.

    People who are not here become people who cannot sign in. What SOURCE says that people said is taken as true.
    """
    _bring(settings_from(data), source, "room", bring_room, as_json)


@click.command(name="person", epilog=EXIT_CODES_HELP)
@_source
@json_option
@data_option
@telling_errors
def bring_person_in(source: Path, as_json: bool, data: str | None) -> None:
    """Bring in the person that was exported to SOURCE (a directory, .tar or .tar.gz); again changes nothing.

    Rooms that are missing are made, closed. They sign in with a new password: campfire-admin people reset-password.
    """
    _bring(settings_from(data), source, "person", bring_person, as_json)


IMPORTS = (bring_account_in, bring_room_in, bring_person_in)


def _export(
    settings: Settings,
    wanted: Wanted,
    directory: Path,
    as_json: bool,
    *,
    find: Callable[[Directory], str] | None = None,
    with_key: bool = False,
) -> None:
    configure("warning")
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise CampfireError("VALIDATION_FAILED", f"{directory} is there already; name a new directory.")
    with _told():
        # Under another name until it is whole: what has the right one can be relied upon.
        aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.absolute().parent))
        try:
            with log_of(settings), progress_bar("exporting") as progress:
                manifest = write_export(
                    settings, wanted, aside / "export", now_ms=SystemClock().now_ms(), progress=progress, find=find
                )
            if with_key:
                add_key(settings, aside / "export")
            (aside / "export").rename(directory)
        except KeyboardInterrupt:
            click.echo("Interrupted; nothing was written.", err=True)
            sys.exit(130)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    _tell_export(manifest, directory, as_json)


def _tell_export(manifest: Manifest, directory: Path, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(manifest))
        return
    events = manifest.files["events.ndjson"].lines
    click.echo(f"{directory} holds {manifest.name!r}: {events:,} events and {manifest.blobs:,} files.")
    if manifest.kind == "account" and not (directory / "server.key").exists():
        click.echo("server.key is not in it; without that file the webhooks' secrets cannot be opened.")


def _bring(settings: Settings, source: Path, kind: Kind, bring: Bring, as_json: bool) -> None:
    configure("warning")

    async def run(archive: Archive, progress: Progress) -> Brought:
        async with _target_of(settings) as target:
            return await bring(archive, target, progress)

    with _told(), progress_bar("importing") as progress, opened(source, kind, progress) as archive:
        try:
            brought = asyncio.run(run(archive, progress))
        except KeyboardInterrupt:
            click.echo("Interrupted. What was imported stays; run the same command again to go on.", err=True)
            sys.exit(130)
    if as_json:
        print_json(msgspec.to_builtins(brought))
    elif brought.already_there:
        click.echo(f"{brought.name!r} was here already; nothing was added.")
    else:
        click.echo(f"{brought.name!r} is here, with {brought.events:,} events.")


class Offline:
    """An engine of one's own, where no server runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._blobs = BlobStore(engine.settings.blobs_path)

    async def keep(self, digest: str, file: Path) -> None:
        blob = await self._blobs.take(pieces_of(file), file.stat().st_size)
        _require_digest(blob.digest, digest)

    async def take(self, step: Step) -> Done:
        return await take(self._engine, step)


class Online:
    """The server that runs, over its socket."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    async def keep(self, digest: str, file: Path) -> None:
        kept = await self._client.post_file("/import/blob", file, size=str(file.stat().st_size))
        _require_digest(kept["digest"], digest)

    async def take(self, step: Step) -> Done:
        return msgspec.convert(await self._client.post("/import/step", msgspec.json.encode(step)), Done)


def _require_digest(found: str, wanted: str) -> None:
    if found != wanted:
        raise unusable(f"blobs/{wanted} changed while it was read.")


@asynccontextmanager
async def _target_of(settings: Settings) -> AsyncIterator[Target]:
    if server_is_running(settings):
        async with control_client(settings) as client:
            yield Online(client)
        return
    engine = await Engine.open(settings)
    try:
        yield Offline(engine)
    finally:
        await engine.close()


@contextmanager
def _told() -> Iterator[None]:
    """Tell what the system refused (a full disk, somebody else's directory) in a sentence. Raises `CampfireError`."""
    try:
        yield
    except OSError as error:
        code = "DISK_FULL" if is_disk_full(error) else "CONFIGURATION_INVALID"
        raise CampfireError(code, f"The files cannot be used: {error}.") from error


def _room_id(directory: Directory, room: str) -> str:
    """Raises `CampfireError` `ROOM_NOT_FOUND`, `VALIDATION_FAILED`."""
    alive = [each for each in directory.rooms.values() if not each.deleted]
    found = [each.id for each in alive if each.id == room] or [each.id for each in alive if each.name == room]
    if len(found) > 1:
        raise CampfireError("VALIDATION_FAILED", f"{len(found)} rooms are called {room!r}: {', '.join(found)}.")
    if not found:
        raise CampfireError("ROOM_NOT_FOUND", f"No room has the id or the name {room!r}.")
    return found[0]


def _user_id(directory: Directory, email: str) -> str:
    """Raises `CampfireError` `USER_NOT_FOUND`."""
    user = directory.user_by_email(email)
    if user is None:
        raise CampfireError("USER_NOT_FOUND", f"Nobody has the address {email}.")
    return user.id
