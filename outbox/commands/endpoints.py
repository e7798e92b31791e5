"""`campfire-outbox endpoints`: list, pause, resume, move."""

from typing import cast
from uuid import uuid4

import click

from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.domain.events import CatchUp
from campfire.iso_times import ms_from_iso
from campfire.outbox_words import Move, Pause, Requested, Resume
from outbox.commands.requests import request
from outbox.commands.status import endpoint_lines, look
from outbox.previews import count_in_range, position_before
from outbox.wording import for_programs, many


@click.group()
def endpoints() -> None:
    """Webhooks and bots: stop them, let them go on, move them through the log.

    What is changed goes on record in the log, by the server if one runs.
    """


@endpoints.command(name="list", epilog=EXIT_CODES_HELP)
@json_option
@data_option
@telling_errors
def list_(as_json: bool, data: str | None) -> None:
    """All webhooks and bots, with what waits for them; as in campfire-outbox status."""
    found = look(settings_from(data)).endpoints
    if as_json:
        print_json(for_programs(found))
        return
    if not found:
        click.echo("There are no webhooks and no bots.")
    for each in found:
        for line in endpoint_lines(each):
            click.echo(line)


@endpoints.command(epilog=EXIT_CODES_HELP)
@click.argument("webhook")
@json_option
@data_option
@telling_errors
def pause(webhook: str, as_json: bool, data: str | None) -> None:
    """Send nothing to WEBHOOK until it is resumed; what happens meanwhile waits for it."""
    done = request(settings_from(data), Pause(webhook_id=webhook))
    _tell(done, "It is paused already." if done.duplicate else "Paused; what happens waits for it.", as_json)


@endpoints.command(epilog=EXIT_CODES_HELP)
@click.argument("webhook")
@click.option(
    "--catch-up",
    type=click.Choice(["everything", "latest", "skip"]),
    help="What it is sent of what waited: all, the last of each room, or nothing.  [default: as it is set]",
)
@json_option
@data_option
@telling_errors
def resume(webhook: str, catch_up: str | None, as_json: bool, data: str | None) -> None:
    """Send to WEBHOOK again after it was paused or disabled."""
    done = request(settings_from(data), Resume(webhook_id=webhook, catch_up=cast(CatchUp | None, catch_up)))
    _tell(done, "It is active already." if done.duplicate else "Resumed.", as_json)


@endpoints.command(epilog=EXIT_CODES_HELP)
@click.argument("webhook")
@click.option("--to", "start", required=True, metavar="POSITION|TIME", help="Go on after this position, or at a time.")
@click.option("--until", metavar="POSITION|TIME", help="The last that is sent again.  [default: up to now]")
@click.option("--dry-run", is_flag=True, help="Only count what would be sent.")
@json_option
@data_option
@telling_errors
def move(webhook: str, start: str, until: str | None, dry_run: bool, as_json: bool, data: str | None) -> None:
    """Move WEBHOOK to any place in the log: what came after is sent, again if it was before, then what comes new.

    \b
    campfire-outbox endpoints move ID --to 0                          everything since the beginning
    campfire-outbox endpoints move ID --to 1203 --until 1204          one event
    campfire-outbox endpoints move ID --to 2026-10-01 --until 2026-10-31T23:59:59Z --dry-run

    Whatever waits for it and is not in that range is cancelled. Deliveries that were made before come again under
    their old webhook-id.
    """
    settings = settings_from(data)
    after = _position(settings, start, "--to", at_end=False)
    last = None if until is None else _position(settings, until, "--until", at_end=True)
    if dry_run:
        count = count_in_range(settings, webhook, after, last)
        upto = "" if last is None else f" up to {last}"
        if as_json:
            print_json({"dry_run": True, "after": after, "until": last, "count": count})
        else:
            click.echo(f"{many(count, 'event')} after position {after}{upto} would be sent.")
        return
    done = request(settings, Move(webhook_id=webhook, move_id=str(uuid4()), after=after, until=last))
    _tell(done, f"Moved: it goes on after position {after}.", as_json)


def _position(settings: Settings, text: str, option: str, *, at_end: bool) -> int:
    """A position as it is; of a time the last position before it, or the last until then."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        at = ms_from_iso(text)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is neither a position nor an ISO 8601 time", param_hint=option) from error
    return position_before(settings, at + 1 if at_end else at)


def _tell(done: Requested, sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(for_programs(done))
    else:
        click.echo(sentence)
