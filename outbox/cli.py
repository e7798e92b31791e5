"""`campfire-outbox`: the worker daemon, and what it could not deliver."""

import asyncio
import os
import signal
import threading
from uuid import uuid4

import click
import msgspec
import structlog
import uvloop
from rich.console import Console
from rich.table import Table

from campfire.clock import SystemClock
from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.control_client import control_client, server_is_running
from campfire.errors import CampfireError
from campfire.eventlog.data_lock import DataLock
from campfire.iso_times import iso_from_ms, ms_from_iso
from campfire.logging import configure
from outbox.push.queries import PushStatus, push_status
from outbox.queries import DeadLetter, dead_letters, outbox_status
from outbox.worker import Worker

_LOOK_SECONDS = 0.2

log = structlog.get_logger()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Deliver webhooks from the log, and look after what could not be delivered."""


@main.command(epilog=EXIT_CODES_HELP)
@click.option("--supervised", is_flag=True, hidden=True, help="End when the parent does (its end of stdin closes).")
@data_option
@telling_errors
def run(supervised: bool, data: str | None) -> None:
    """Deliver until stopped with Ctrl-C or SIGTERM; what is being sent is finished first.

    The server does this by itself unless CAMPFIRE_OUTBOX=external. One worker a data directory.
    """
    settings = settings_from(data)
    configure(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, supervised))


async def _run(settings: Settings, supervised: bool) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if supervised:
        threading.Thread(target=_watch_parent, args=(loop, stopping), daemon=True).start()
    await _wait_for_log(settings, stopping)
    if stopping.is_set():
        return
    with DataLock(settings.data / "outbox.lock", purpose="outbox worker"):
        worker = Worker(settings, SystemClock())
        stop = asyncio.create_task(_stop_when(stopping, worker))
        try:
            await worker.run()
        finally:
            stop.cancel()


def _watch_parent(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    # The descriptor itself: a buffered read would hold a lock that the interpreter needs to end.
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stopping.set)


async def _wait_for_log(settings: Settings, stopping: asyncio.Event) -> None:
    """A worker that starts before its server waits for it to make the log."""
    said = False
    while not (settings.events_path.exists() and settings.key_path.exists()) and not stopping.is_set():
        if not said:
            log.info("waiting_for_log", path=str(settings.events_path))
            said = True
        try:
            await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
        except TimeoutError:
            continue


async def _stop_when(stopping: asyncio.Event, worker: Worker) -> None:
    await stopping.wait()
    worker.stop()


@main.command(epilog=EXIT_CODES_HELP)
@json_option
@data_option
@telling_errors
def status(as_json: bool, data: str | None) -> None:
    """How far the outbox is, what waits, and which endpoints are failing."""
    settings = settings_from(data)
    found = outbox_status(settings.outbox_path, SystemClock().now_ms())
    if found is None:
        raise CampfireError("NOT_FOUND", f"No worker has run on {settings.data} yet.")
    push = push_status(settings.outbox_path)
    if as_json:
        print_json(msgspec.to_builtins(found) | {"push": msgspec.to_builtins(push)})
        return
    worker = f"running with pid {found.worker_pid}" if found.worker_alive else "not running"
    click.echo(f"Worker {worker}; the log is followed up to position {found.position}.")
    click.echo(
        f"{found.pending} waiting, {found.sending} being sent, {found.delivered} delivered,"
        f" {found.dead} dead letters, {found.cancelled} cancelled."
    )
    click.echo(_push_sentence(push))
    for alarm in push.alarms:
        click.echo(f"Alarm: {alarm}.")
    if found.answers.waiting:
        click.echo(f"{found.answers.waiting} answers of bots wait for the server to post them.")
    if found.answers.dropped:
        click.echo(f"{found.answers.dropped} answers of bots were not posted; of the last: {found.answers.last_reason}")
    if found.endpoints:
        table = Table("webhook or bot", "address", "state", "waiting", "dead", "breaker", "failures in a row")
        for each in found.endpoints:
            table.add_row(
                each.name or each.id,
                each.url,
                each.state,
                str(each.pending),
                str(each.dead),
                each.breaker,
                str(each.failures),
            )
        Console().print(table)


@main.group(name="dead-letters")
def dead_letters_group() -> None:
    """Deliveries that were given up."""


@dead_letters_group.command(name="list", epilog=EXIT_CODES_HELP)
@click.option("--webhook", metavar="ID", help="Only of this webhook or bot.")
@click.option("--since", metavar="TIME", help="Only what died at or after this time (ISO 8601).")
@json_option
@data_option
@telling_errors
def list_dead_letters(webhook: str | None, since: str | None, as_json: bool, data: str | None) -> None:
    """List dead letters, oldest first, with why they died."""
    settings = settings_from(data)
    found = dead_letters(settings.outbox_path, endpoint_id=webhook, since_ms=_moment(since) or 0)
    if as_json:
        print_json([msgspec.to_builtins(letter) | {"died_at": iso_from_ms(letter.died_at)} for letter in found])
        return
    if not found:
        click.echo("There are no dead letters.")
        return
    for letter in found:
        click.echo(_sentence(letter))
    click.echo("Mend the endpoint, then: campfire-outbox dead-letters replay --all")


@dead_letters_group.command(epilog=EXIT_CODES_HELP)
@click.argument("deliveries", nargs=-1)
@click.option("--webhook", metavar="ID", help="All of this webhook or bot.")
@click.option("--since", metavar="TIME", help="All that died at or after this time (ISO 8601).")
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@json_option
@data_option
@telling_errors
def replay(
    deliveries: tuple[str, ...],
    webhook: str | None,
    since: str | None,
    everything: bool,
    dry_run: bool,
    as_json: bool,
    data: str | None,
) -> None:
    """Send dead letters again, under their old webhook-id. The request goes on record in the log.

    \b
    campfire-outbox dead-letters replay msg_0123abcd
    campfire-outbox dead-letters replay --webhook ID --since 2026-11-23T08:00Z --dry-run
    """
    if not (deliveries or webhook or since or everything):
        raise click.UsageError("Name deliveries, or use --webhook, --since or --all.")
    settings = settings_from(data)
    configure("warning")
    since_ms = _moment(since)
    chosen = dead_letters(settings.outbox_path, endpoint_id=webhook, since_ms=since_ms or 0)
    if deliveries:
        missing = set(deliveries) - {letter.id for letter in chosen}
        if missing:
            raise CampfireError("DELIVERY_NOT_FOUND", f"Not among the dead letters: {', '.join(sorted(missing))}.")
        chosen = [letter for letter in chosen if letter.id in deliveries]
    if chosen and not dry_run:
        asyncio.run(_request_replay(settings, tuple(letter.id for letter in chosen)))
    if as_json:
        print_json({"dry_run": dry_run, "deliveries": [letter.id for letter in chosen]})
    else:
        click.echo(f"{len(chosen)} dead letters {'would be' if dry_run else 'will be'} sent again.")


async def _request_replay(settings: Settings, deliveries: tuple[str, ...]) -> None:
    """Put the request on record: through the server if one runs, else ourselves."""
    request = {"replay_id": str(uuid4()), "deliveries": deliveries}
    if server_is_running(settings):
        async with control_client(settings) as client:
            await client.post("/outbox/replay", msgspec.json.encode(request))
        return
    # Only here: the worker itself must not know the engine.
    from campfire.domain.events import DeliveryReplayRequested, NewEvent
    from campfire.domain.ids import replay_stream
    from campfire.engine import Engine

    engine = await Engine.open(settings)
    try:
        asked = DeliveryReplayRequested(
            at=engine.clock.now_ms(), replay_id=str(request["replay_id"]), deliveries=deliveries
        )
        await engine.append([NewEvent(replay_stream(asked.replay_id), 1, asked)])
    finally:
        await engine.close()


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return ms_from_iso(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time") from error


def _push_sentence(push: PushStatus) -> str:
    dropped = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in push.dropped.items())
    return (
        f"Notifications: {push.waiting + push.pending} waiting, {push.sending} being sent,"
        f" {push.delivered} delivered, {sum(push.dropped.values())} dropped{f' ({dropped})' if dropped else ''}."
    )


def _sentence(letter: DeadLetter) -> str:
    whom = f"the bot {letter.name} at {letter.url}" if letter.kind == "bot" else letter.url
    return (
        f"{letter.id}  {letter.event_type} at position {letter.position} to {whom}: given up"
        f" {iso_from_ms(letter.died_at)} after {letter.attempts} attempts, {letter.failure_class} ({letter.failure})"
    )


if __name__ == "__main__":
    main()
