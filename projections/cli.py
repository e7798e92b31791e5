"""`campfire-replay`: the past, replayed: how the read models stand, rebuilding them, proving them."""

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from campfire.clock import iso_from_ms, ms_from_iso
from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.control_client import control_client, server_is_running
from campfire.domain.events import RecordedEvent
from campfire.errors import CampfireError
from campfire.eventlog.chain import verify as verify_chain
from campfire.eventlog.data_lock import DataLock
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.follower import follow
from campfire.eventlog.reader import LogReader
from projections.digest import digest_of
from projections.rebuild import beside, rebuild_beside, swap_in

_HIDDEN = ("password_hash", "token_hash", "sealed_secret")
_DIFFERENT = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Replay the log: see how the read models stand, rebuild them, prove that they are right.

    Everything here but `rebuild` only reads, and works beside a running server.
    """


@main.command(epilog=EXIT_CODES_HELP)
@json_option
@data_option
@telling_errors
def status(as_json: bool, data: str | None) -> None:
    """How far the log and each read model have come."""
    settings = settings_from(data)
    with _reader(settings) as reader:
        tip = reader.tip()
    models = _tracking(settings)
    if as_json:
        log = {"position": tip.position, "epoch": tip.epoch, "chain": tip.chain.hex()}
        print_json({"log": log, "read_models": models})
        return
    click.echo(f"The log is at position {tip.position:,}, epoch {tip.epoch}.")
    table = Table("read model", "version", "position", "behind", "state")
    for model in models:
        stopped = model["stalled_at"] is not None
        state = f"stopped at {model['stalled_at']}: {model['stalled_error']}" if stopped else "running"
        table.add_row(
            model["projection"],
            str(model["version"]),
            f"{model['position']:,}",
            f"{tip.position - model['position']:,}",
            state,
        )
    Console().print(table)


@main.command(epilog=EXIT_CODES_HELP)
@click.option("--to", "end", metavar="WHERE", help="Only up to this position or time; needs --into.")
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Build this new file instead of the live read models.",
)
@json_option
@data_option
@telling_errors
def rebuild(end: str | None, into: Path | None, as_json: bool, data: str | None) -> None:
    """Make all read models again from the log, and put them in the place of the live ones.

    \b
    campfire-replay rebuild                                   beside the live ones, then swapped in
    campfire-replay rebuild --into past.db --to 2026-11-01    how it was then, in a file of its own

    A running server does it itself and goes on serving; nothing is sent again. An interrupted
    rebuild goes on where it was.
    """
    if end is not None and into is None:
        raise click.UsageError("--to needs --into: the live read models always follow the whole log.")
    settings = settings_from(data)
    if into is not None:
        digests = _build_file(settings, into, end)
    elif server_is_running(settings):
        digests = asyncio.run(_rebuild_in_server(settings))
    else:
        with DataLock(settings.lock_path, purpose="campfire-replay rebuild"):
            digests = _rebuild_here(settings)
    if as_json:
        print_json({"digests": digests})
        return
    click.echo(f"Rebuilt {into or 'the read models'}: {len(digests)} tables.")
    for table, digest in digests.items():
        click.echo(f"  {table:<16} {digest[:16]}")


@main.command(epilog="Exit codes: 0 equal, 1 the read models differ from the log, 3 the log is damaged.")
@click.option("--chain-only", is_flag=True, help="Only the log itself, not the read models.")
@json_option
@data_option
@telling_errors
def verify(chain_only: bool, as_json: bool, data: str | None) -> None:
    """Prove the log by its chain, then rebuild the read models aside and compare them with the live ones."""
    settings = settings_from(data)
    with _reader(settings) as reader:
        tip = reader.tip()
        try:
            with _bar("proving the chain", tip.position) as (progress, task):
                verify_chain(reader, upto=tip.position, progress=lambda done: progress.update(task, completed=done))
        except (LogDamaged, sqlite3.DatabaseError) as error:
            raise _damage(error) from error
        compared = {} if chain_only else _compare(settings, reader)
    different = [table for table, (live, rebuilt) in compared.items() if live != rebuilt]
    if as_json:
        tables = {table: {"live": live, "rebuilt": rebuilt} for table, (live, rebuilt) in compared.items()}
        print_json({"position": tip.position, "chain": tip.chain.hex(), "equal": not different, "tables": tables})
    else:
        click.echo(f"The chain holds from position 1 to {tip.position:,}.")
        if compared:
            click.echo(
                f"These read models differ from the log: {', '.join(different)}. Run: campfire-replay rebuild"
                if different
                else f"All {len(compared)} read models are what the log says."
            )
    sys.exit(_DIFFERENT if different else 0)


@main.command(epilog=EXIT_CODES_HELP)
@click.option("--from", "start", metavar="WHERE", help="After this position or time.  [default: the last 20 events]")
@click.option("--to", "end", metavar="WHERE", help="Up to this position or time.")
@click.option("--follow", "-f", "following", is_flag=True, help="Go on with what is recorded from now on.")
@json_option
@data_option
@telling_errors
def tail(start: str | None, end: str | None, following: bool, as_json: bool, data: str | None) -> None:
    """Print events of the log, one a line. Hashes and sealed secrets are left out.

    \b
    campfire-replay tail --from 2026-11-23T09:00 --to 2026-11-23T10:00
    campfire-replay tail -f --json
    """
    settings = settings_from(data)
    with _reader(settings) as reader:
        last = reader.tip().position
        position = max(0, last - 20) if start is None else _position(reader, start, before=True)
        end_position = last if end is None else _position(reader, end)
        while events := reader.read(position, 1000, end_position):
            for recorded in events:
                _print_event(recorded, as_json)
            position = events[-1].position
        if following:
            try:
                asyncio.run(_follow(reader, position, as_json))
            except KeyboardInterrupt:
                return


async def _follow(reader: LogReader, position: int, as_json: bool) -> None:
    async for events in follow(reader, position, poll_seconds=0.1):
        for recorded in events:
            _print_event(recorded, as_json)


def _print_event(recorded: RecordedEvent, as_json: bool) -> None:
    fields = {
        name: value
        for name, value in msgspec.to_builtins(recorded.event).items()
        if name not in _HIDDEN and name != "at"
    }
    line = {
        "position": recorded.position,
        "recorded_at": iso_from_ms(recorded.recorded_at),
        "event": recorded.event.topic,
        "at": iso_from_ms(recorded.event.at),
        "data": fields,
    }
    if as_json:
        click.echo(msgspec.json.encode(line))
    else:
        shown = msgspec.json.encode(fields).decode()
        click.echo(f"{recorded.position:>9}  {line['recorded_at']}  {recorded.event.topic:<22} {shown}")


def _build_file(settings: Settings, into: Path, end: str | None) -> dict[str, str]:
    with _reader(settings) as reader:
        upto = reader.tip().position if end is None else _position(reader, end)
        with _bar("rebuilding", upto) as (progress, task):
            projector = rebuild_beside(
                reader, into, upto=upto, progress=lambda done, _total: progress.update(task, completed=done)
            )
        digests = digest_of(projector.connection)
        projector.close()
    return digests


def _rebuild_here(settings: Settings) -> dict[str, str]:
    new = beside(settings.read_models_path)
    digests = _build_file(settings, new, None)
    swap_in(new, settings.read_models_path)
    return digests


async def _rebuild_in_server(settings: Settings) -> dict[str, str]:
    digests: dict[str, str] = {}
    async with control_client(settings) as client:
        with _bar("rebuilding in the server", None) as (progress, task):
            async for step in client.post_for_lines("/rebuild"):
                if "error" in step:
                    raise CampfireError("DATABASE_MIGRATION_FAILED", step["error"])
                if "digests" in step:
                    digests = step["digests"]
                else:
                    progress.update(task, completed=step["position"], total=step["total"])
    return digests


def _compare(settings: Settings, reader: LogReader) -> dict[str, tuple[str, str]]:
    """The digest of each live table, and of the same table made anew up to the same position."""
    with tempfile.TemporaryDirectory(dir=settings.data, prefix="verify-") as aside:
        copy = Path(aside) / "live.db"
        position = _copy_live(settings, copy)
        with _bar("rebuilding aside", position) as (progress, task):
            projector = rebuild_beside(
                reader,
                Path(aside) / "rebuilt.db",
                upto=position,
                progress=lambda done, _total: progress.update(task, completed=done),
            )
        rebuilt = digest_of(projector.connection)
        projector.close()
        connection = sqlite3.connect(copy)
        try:
            live = digest_of(connection)
        finally:
            connection.close()
    return {table: (live[table], rebuilt[table]) for table in rebuilt}


def _copy_live(settings: Settings, copy: Path) -> int:
    """Copy the live read models as of one moment, which a running server does not notice; return their position."""
    source = sqlite3.connect(f"{settings.read_models_path.absolute().as_uri()}?mode=ro", uri=True)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
        [(lowest, highest)] = target.execute("SELECT MIN(position), MAX(position) FROM tracking").fetchall()
    except sqlite3.DatabaseError as error:
        raise CampfireError(
            "READ_MODEL_STALLED", f"The read models cannot be read ({error}). Run: campfire-replay rebuild"
        ) from error
    finally:
        source.close()
        target.close()
    if lowest != highest:
        raise CampfireError(
            "READ_MODEL_STALLED", "The read models stand at different positions; see campfire-replay status."
        )
    return int(highest)


def _tracking(settings: Settings) -> list[dict[str, Any]]:
    if not settings.read_models_path.exists():
        return []
    connection = sqlite3.connect(f"{settings.read_models_path.absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        rows = connection.execute(
            "SELECT projection, version, position, stalled_at, stalled_error FROM tracking ORDER BY projection"
        ).fetchall()
    except sqlite3.DatabaseError as error:
        raise CampfireError(
            "READ_MODEL_STALLED", f"The read models cannot be read ({error}). Run: campfire-replay rebuild"
        ) from error
    finally:
        connection.close()
    return [dict(row) for row in rows]


@contextmanager
def _reader(settings: Settings) -> Iterator[LogReader]:
    if not settings.events_path.exists():
        raise CampfireError("NOT_FOUND", f"There is no log in {settings.data}; name the data directory with --data.")
    try:
        reader = LogReader(settings.events_path)
        reader.tip()
    except sqlite3.DatabaseError as error:
        raise _damage(error) from error
    try:
        yield reader
    finally:
        reader.close()


def _position(reader: LogReader, where: str, *, before: bool = False) -> int:
    """A position, or the last one recorded by a time (`before`: the last one earlier than it)."""
    if where.isdigit():
        return int(where)
    try:
        at = ms_from_iso(where)
    except ValueError as error:
        raise click.BadParameter(f"{where!r} is neither a position nor an ISO 8601 time") from error
    return reader.position_at(at - 1 if before else at)


def _damage(error: Exception) -> CampfireError:
    where = f"Position {error.position}: {error.reason}" if isinstance(error, LogDamaged) else f"SQLite: {error}"
    return CampfireError("LOG_DAMAGED", f"{where}.")


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress, progress.add_task(what, total=total)


if __name__ == "__main__":
    main()
