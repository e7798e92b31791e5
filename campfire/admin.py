"""`campfire-admin`: for whoever keeps the server alive."""

import asyncio
import gzip
import sys
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from campfire import admin_exports
from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.control_client import control_client, server_is_running
from campfire.engine import Engine
from campfire.housekeeping.scrubber import Scrubber
from campfire.importer import ImportCounts, NdjsonImporter
from campfire.logging import configure
from campfire.people_tool import RESET_PATH, give_role, make_reset_token

_CHUNK = 1_000
_MOST_SHOWN = 20

Take = Callable[[list[bytes], int], Awaitable[ImportCounts]]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look after a Campfire: works beside the running server, or without one."""


@main.group(name="import")
def import_() -> None:
    """Bring history in from elsewhere."""


@import_.command(epilog=EXIT_CODES_HELP)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", help="The import's name in the log.  [default: from the file's first line]")
@click.option(
    "--on-error",
    type=click.Choice(["skip", "stop"]),
    default="skip",
    show_default=True,
    help="What to do at a line that cannot be read.",
)
@json_option
@data_option
@telling_errors
def ndjson(file: Path, source: str | None, on_error: str, as_json: bool, data: str | None) -> None:
    """Import messages, joins, leaves and renames from FILE (.gz or not), one JSON object a line.

    \b
    {"at": "2004-11-15T12:18:00.050+00:00", "room": "ubuntu", "kind": "message", "user": "ann", "body": "hello"}
    kind is message, joined, left, or renamed (with "to", the new name).

    People become users that cannot sign in; original times are kept. Running it again changes
    nothing; an interrupted run goes on where it was.
    """
    settings = settings_from(data)
    configure("warning")
    try:
        counts = asyncio.run(_import(settings, file, source or _source_of(file), on_error == "stop"))
    except KeyboardInterrupt:
        click.echo("Interrupted. What was imported stays; run the same command again to go on.", err=True)
        sys.exit(130)
    if as_json:
        print_json(msgspec.to_builtins(counts))
    else:
        _tell(counts)
    sys.exit(1 if counts.stopped else 0)


main.add_command(admin_exports.export)
for _command in admin_exports.IMPORTS:
    import_.add_command(_command)


@main.command(epilog=EXIT_CODES_HELP)
@click.option("--now", is_flag=True, help="Do not wait for the grace period (CAMPFIRE_SCRUB_AFTER_HOURS).")
@json_option
@data_option
@telling_errors
def scrub(now: bool, as_json: bool, data: str | None) -> None:
    """Take what deleted messages said out of the log, so that it is in no file any more.

    The server does so by itself when the grace period is over. Backups and copies made before keep it
    until they are thrown away.
    """
    configure("warning")
    count = asyncio.run(_scrub(settings_from(data), now))
    if as_json:
        print_json({"scrubbed": count})
    else:
        said = f"Scrubbed {count:,} deleted message{'' if count == 1 else 's'}."
        click.echo(said if count else "There was nothing to scrub.")


@main.group()
def people() -> None:
    """Help people who cannot help themselves: forgotten passwords, no administrator left."""


@people.command(name="reset-password", epilog=EXIT_CODES_HELP)
@click.argument("email")
@json_option
@data_option
@telling_errors
def reset_password(email: str, as_json: bool, data: str | None) -> None:
    """Make a link with which the person of EMAIL chooses a new password: once, within a day."""
    configure("warning")
    token = asyncio.run(_reset_password(settings_from(data), email))
    path = RESET_PATH + token
    if as_json:
        print_json({"token": token, "path": path})
    else:
        click.echo(f"Let them open this path at your server's address, once, within a day:\n{path}")


@people.command(name="set-role", epilog=EXIT_CODES_HELP)
@click.argument("email")
@click.argument("role", type=click.Choice(["administrator", "member"]))
@data_option
@telling_errors
def set_role(email: str, role: str, data: str | None) -> None:
    """Let the person of EMAIL administer, or make them a member again."""
    configure("warning")
    asyncio.run(_set_role(settings_from(data), email, role))
    click.echo(f"{email} is {'an administrator' if role == 'administrator' else 'a member'} now.")


async def _reset_password(settings: Settings, email: str) -> str:
    if server_is_running(settings):
        async with control_client(settings) as client:
            return str((await client.post("/people/password-reset", email=email))["token"])
    engine = await Engine.open(settings)
    try:
        return await make_reset_token(engine, email)
    finally:
        await engine.close()


async def _set_role(settings: Settings, email: str, role: str) -> None:
    if server_is_running(settings):
        async with control_client(settings) as client:
            await client.post("/people/role", email=email, role=role)
            return
    engine = await Engine.open(settings)
    try:
        await give_role(engine, email, role)
    finally:
        await engine.close()


async def _scrub(settings: Settings, now: bool) -> int:
    if server_is_running(settings):
        async with control_client(settings) as client:
            answer = await client.post("/scrub", now=str(now).lower())
            return int(answer["scrubbed"])
    engine = await Engine.open(settings)
    try:
        return await Scrubber(engine).sweep(at_once=now)
    finally:
        await engine.close()


async def _import(settings: Settings, file: Path, source: str, stop_on_error: bool) -> ImportCounts:
    if server_is_running(settings):
        async with control_client(settings) as client:

            async def take_online(lines: list[bytes], first: int) -> ImportCounts:
                on_error = "stop" if stop_on_error else "skip"
                answer = await client.post(
                    "/import", b"\n".join(lines), source=source, first=str(first), on_error=on_error
                )
                return msgspec.convert(answer, ImportCounts)

            return await _run(file, take_online)
    engine = await Engine.open(settings)
    importer = NdjsonImporter(engine, source)

    async def take_offline(lines: list[bytes], first: int) -> ImportCounts:
        return await importer.take(lines, first, stop_on_error=stop_on_error)

    try:
        return await _run(file, take_offline)
    finally:
        await engine.close()


async def _run(file: Path, take: Take) -> ImportCounts:
    total = ImportCounts()
    with _progress() as progress, _opened(file) as lines:
        bar = progress.add_task("importing", total=_line_count(file))
        first = 1
        while chunk := _chunk(lines):
            counts = await take(chunk, first)
            total.add(counts)
            first += len(chunk)
            progress.update(bar, completed=first - 1)
            if counts.stopped:
                break
    return total


def _chunk(lines: Iterator[bytes]) -> list[bytes]:
    return [line.rstrip(b"\r\n") for line in islice(lines, _CHUNK)]


def _opened(file: Path) -> IO[bytes]:
    with file.open("rb") as opened:
        zipped = opened.read(2) == b"\x1f\x8b"
    return gzip.open(file, "rb") if zipped else file.open("rb")  # type: ignore[return-value]


def _line_count(file: Path) -> int:
    with _opened(file) as lines:
        return sum(1 for _ in lines)


def _source_of(file: Path) -> str:
    """A name that the same history has under any file name, zipped or not."""
    with _opened(file) as lines:
        return "ndjson-" + sha256(lines.readline().rstrip(b"\r\n")).hexdigest()[:16]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("lines"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _tell(counts: ImportCounts) -> None:
    click.echo(
        f"{counts.lines:,} lines: {counts.messages:,} messages, {counts.joined:,} joins, {counts.left:,} leaves,"
        f" {counts.renamed:,} renames, {counts.unchanged:,} that changed nothing;"
        f" {counts.people:,} new people; {counts.already_imported:,} lines were imported before."
    )
    for malformed in counts.malformed[:_MOST_SHOWN]:
        click.echo(f"line {malformed.line}: {malformed.reason}", err=True)
    if len(counts.malformed) > _MOST_SHOWN:
        click.echo(f"... and {len(counts.malformed) - _MOST_SHOWN} more lines that cannot be read", err=True)
    if counts.stopped:
        click.echo("Stopped at the first line that cannot be read; everything before it is imported.", err=True)


if __name__ == "__main__":
    main()
