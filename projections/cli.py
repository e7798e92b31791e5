"""`campfire-replay`: the past, replayed: how the read models stand, rebuilding them, proving them."""

import asyncio
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import msgspec

import projections
from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.control_client import control_client, server_is_running
from campfire.errors import CampfireError
from campfire.eventlog.data_lock import DataLock
from campfire.eventlog.follower import follow
from campfire.eventlog.reader import LogReader
from campfire.eventlog.verification import verify as verify_chain
from campfire.logging import configure
from projections.digest import digest_of
from projections.log_access import log_of, read_models_told, tracked_in
from projections.rebuild import beside, discard, finish, rebuild_beside, swap_in
from projections.terminal import position_of, print_event, print_read_models, progress_bar
from projections.tracking import Tracked
from projections.verification import Comparison, compare_with_log, what_is_tracked

_UNWELL = 1
_DIFFERENT = 1
_INTERRUPTED = 130
_TAIL = 20

_VERSIONS = {each.name: each.version for each in projections.ALL}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Replay the log: see how the read models stand, rebuild them, prove that they are right.

    Everything here but `rebuild` only reads, and works beside a running server.
    """
    configure("warning")


@main.command(epilog="Exit codes: 0 all is well, 1 a read model is stopped, missing or damaged, 3 log damaged.")
@json_option
@data_option
@telling_errors
def status(as_json: bool, data: str | None) -> None:
    """How far the log and each read model have come.

    \b
    campfire-replay status
    campfire-replay status --json | jq '.read_models[] | select(.state != "running")'
    """
    settings = settings_from(data)
    with log_of(settings) as reader:
        tip = reader.tip()
    tracked = {each.projection: each for each in tracked_in(settings)}
    models = [_model(name, tracked.get(name), tip.position) for name in _VERSIONS]
    well = all(model["state"] == "running" for model in models)
    if as_json:
        log = {"position": tip.position, "epoch": tip.epoch, "chain": tip.chain.hex()}
        print_json({"log": log, "read_models": models, "well": well})
    else:
        click.echo(f"The log is at position {tip.position:,}, epoch {tip.epoch}.")
        print_read_models(models)
        if not well:
            click.echo("What was stopped by an event, is missing or has another version: campfire-replay rebuild")
    sys.exit(0 if well else _UNWELL)


@main.command(epilog=f"{EXIT_CODES_HELP[:-1]}, 130 interrupted.")
@click.option("--from", "start", metavar="WHERE", help="Take over an earlier run only up to here; 0 begins anew.")
@click.option("--to", "end", metavar="WHERE", help="Only up to this position or time; needs --into.")
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Build this file instead of the live read models.",
)
@json_option
@data_option
@telling_errors
def rebuild(start: str | None, end: str | None, into: Path | None, as_json: bool, data: str | None) -> None:
    """Make all read models again from the log, and put them in the place of the live ones.

    \b
    campfire-replay rebuild                                   beside the live ones, then swapped in
    campfire-replay rebuild --into past.db --to 2026-11-01    how it was then, in a file of its own
    campfire-replay rebuild --into past.db --to 5000          ... and here up to a position

    A running server does it itself and goes on serving; nothing is sent again. Ctrl-C is safe: the
    same command goes on where the interrupted one was. WHERE is a position or an ISO 8601 time.
    """
    settings = settings_from(data)
    try:
        digests = _rebuilt(settings, start, end, into)
    except KeyboardInterrupt:
        click.echo("Interrupted. The live read models are as they were; the same command goes on from here.", err=True)
        sys.exit(_INTERRUPTED)
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
    """Prove the log by its chain, then rebuild the read models aside and compare them with the live ones.

    \b
    campfire-replay verify                the log and every table
    campfire-replay verify --chain-only   the log alone, which is quick
    """
    settings = settings_from(data)
    with log_of(settings) as reader:
        tip = reader.tip()
        with progress_bar("proving the chain") as report:
            verify_chain(reader, upto=tip.position, progress=lambda done: report(done, tip.position))
        if not as_json:
            click.echo(f"The chain holds from position 1 to {tip.position:,}.")
        outcome: dict[str, Any] = {"position": tip.position, "chain": tip.chain.hex(), "equal": True, "tables": {}}
        if not chain_only:
            compared = _compared(settings, reader)
            outcome |= {"compared_at": compared.position, "equal": not compared.different}
            outcome |= {"different": compared.different, "tables": msgspec.to_builtins(compared.tables)}
    if as_json:
        print_json(outcome)
    elif not outcome["equal"]:
        click.echo(f"These read models differ from the log: {', '.join(outcome['different'])}.")
        click.echo("Run: campfire-replay rebuild")
    elif not chain_only:
        click.echo(f"All {len(outcome['tables'])} read models are what the log says.")
    sys.exit(0 if outcome["equal"] else _DIFFERENT)


@main.command(epilog=EXIT_CODES_HELP)
@click.option("--from", "start", metavar="WHERE", help="After this position, or from this time.  [default: the end]")
@click.option("--to", "end", metavar="WHERE", help="Up to this position or time.")
@click.option("--follow", "-f", "following", is_flag=True, help="Go on with what is recorded from now on.")
@json_option
@data_option
@telling_errors
def tail(start: str | None, end: str | None, following: bool, as_json: bool, data: str | None) -> None:
    """Print events of the log, one a line. Hashes and sealed secrets are left out.

    \b
    campfire-replay tail                                      the last 20
    campfire-replay tail --from 2026-11-23T09:00 --to 2026-11-23T10:00
    campfire-replay tail -f --json                            until Ctrl-C
    """
    if following and end is not None:
        raise click.UsageError("--follow has no end; leave out --to.")
    settings = settings_from(data)
    with log_of(settings) as reader:
        last = reader.tip().position
        position = max(0, last - _TAIL) if start is None else position_of(reader, start, earlier=True)
        end_position = last if end is None else position_of(reader, end)
        while events := reader.read(position, 1000, end_position):
            for recorded in events:
                print_event(recorded, as_json)
            position = events[-1].position
        if following:
            try:
                asyncio.run(_follow(reader, position, as_json))
            except KeyboardInterrupt:
                return  # the way to end it


async def _follow(reader: LogReader, position: int, as_json: bool) -> None:
    async for events in follow(reader, position, poll_seconds=0.1):
        for recorded in events:
            print_event(recorded, as_json)


def _compared(settings: Settings, reader: LogReader) -> Comparison:
    with (
        tempfile.TemporaryDirectory(prefix="campfire-verify-") as aside,
        progress_bar("rebuilding aside") as report,
        read_models_told(settings),
    ):
        return compare_with_log(settings.read_models_path, reader, Path(aside) / "rebuilt.db", report)


def _rebuilt(settings: Settings, start: str | None, end: str | None, into: Path | None) -> dict[str, str]:
    if into is not None:
        _refuse_foreign(into, settings)
        digests = _build_file(settings, into, start, end)
        finish(into)
        return digests
    if end is not None:
        raise click.UsageError("--to needs --into: the live read models always follow the whole log.")
    if server_is_running(settings):
        if start is not None:
            raise click.UsageError("--from needs --into while a server runs, which goes on by itself where it was.")
        return asyncio.run(_rebuild_in_server(settings))
    with log_of(settings), DataLock(settings.lock_path, purpose="campfire-replay rebuild"):
        new = beside(settings.read_models_path)
        digests = _build_file(settings, new, start, None)
        swap_in(new, settings.read_models_path)
    return digests


def _build_file(settings: Settings, path: Path, start: str | None, end: str | None) -> dict[str, str]:
    with log_of(settings) as reader:
        upto = reader.tip().position if end is None else min(position_of(reader, end), reader.tip().position)
        if start is not None and _reached(path) > position_of(reader, start, earlier=True):
            discard(path)
        with progress_bar("rebuilding") as report:
            projector = rebuild_beside(reader, path, upto=upto, progress=report)
        try:
            return digest_of(projector.connection)
        finally:
            projector.close()


def _refuse_foreign(path: Path, settings: Settings) -> None:
    """A file that is not an earlier rebuild is somebody's, and is not to be overwritten."""
    live = (settings.events_path, settings.read_models_path, settings.outbox_path)
    if path.resolve() in [each.resolve() for each in live]:
        raise click.UsageError(f"{path} belongs to the data directory; name a new file.")
    if path.exists() and path.stat().st_size and not _reached(path):
        raise click.UsageError(f"{path} exists and is not an earlier rebuild; name a new file.")


def _reached(path: Path) -> int:
    """How far the rebuild in this file has come; 0 if it is none."""
    try:
        return max((each.reached.position for each in what_is_tracked(path)), default=0)
    except sqlite3.DatabaseError:
        return 0


async def _rebuild_in_server(settings: Settings) -> dict[str, str]:
    async with control_client(settings) as client:
        with progress_bar("rebuilding in the server") as report:
            async for step in client.post_for_lines("/rebuild"):
                if "error" in step:
                    raise CampfireError("DATABASE_MIGRATION_FAILED", step["error"])
                if "digests" in step:
                    return dict(step["digests"])
                report(step["position"], step["total"])
    raise CampfireError("DATABASE_MIGRATION_FAILED", "The server ended before the rebuild did.")


def _model(name: str, tracked: Tracked | None, tip: int) -> dict[str, Any]:
    if tracked is None:
        version, position, stalled, state = _VERSIONS[name], 0, None, "missing"
    else:
        version, position, stalled = tracked.version, tracked.reached.position, tracked.stalled
        state = "running" if version == _VERSIONS[name] else f"needs version {_VERSIONS[name]}"
        state = state if stalled is None else f"stopped at {stalled.position}: {stalled.error}"
    return {
        "projection": name,
        "version": version,
        "position": position,
        "lag": tip - position,
        "state": state,
        "stalled_at": stalled.position if stalled else None,
        "stalled_error": stalled.error if stalled else None,
    }


if __name__ == "__main__":
    main()
