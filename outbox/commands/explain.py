"""`campfire-outbox explain`."""

from typing import Any

import click

from campfire.clock import SystemClock
from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.errors import CampfireError
from outbox import facts
from outbox.commands.options import typeable
from outbox.explain import story, why_not
from outbox.letters import is_known
from outbox.push.queries import push_story
from outbox.push.story import sentences as push_sentences
from outbox.wording import for_programs


@click.command(epilog=EXIT_CODES_HELP)
@click.argument("what", metavar="DELIVERY|ENDPOINT")
@click.option("--position", type=click.IntRange(1), help="Why was ENDPOINT not sent the event at this position?")
@click.option("--message", metavar="ID", help="Why was ENDPOINT not sent this message?")
@json_option
@data_option
@telling_errors
def explain(what: str, position: int | None, message: str | None, as_json: bool, data: str | None) -> None:
    """Tell the story of a delivery in sentences: why it was planned, each attempt, and what it waits for.

    \b
    campfire-outbox explain msg_0123abcd              a delivery, by its webhook-id
    campfire-outbox explain push_17_0123abcd          a notification to one device
    campfire-outbox explain ENDPOINT --position 1204  why this webhook or bot was not sent an event
    campfire-outbox explain ENDPOINT --message ID     the same, of a message

    It only looks: nothing is changed, and no worker or server is needed.
    """
    if position is not None and message is not None:
        raise click.UsageError("Give --position or --message, not both.")
    settings = settings_from(data)
    now = SystemClock().now_ms()
    if position is not None or message is not None:
        found, sentences = _of_endpoint(settings, what, position, message, now)
    elif what.startswith("push_"):
        push = push_story(settings.outbox_path, what)
        if push is None:
            raise CampfireError("DELIVERY_NOT_FOUND", f"There is no push {what}. They are kept for 30 days.")
        found, sentences = push, push_sentences(push, now)
    elif is_known(settings.outbox_path, what):
        raise click.UsageError(
            f"{what} is an endpoint: say of which event, with --position or --message."
            " How it is: campfire-outbox status"
        )
    else:
        delivery = facts.delivery_facts(settings, what, now)
        found, sentences = delivery, story(delivery)
    if as_json:
        print_json(for_programs(found) | {"explanation": sentences})
        return
    for sentence in sentences:
        click.echo(typeable(sentence, data))


def _of_endpoint(
    settings: Settings, endpoint_id: str, position: int | None, message: str | None, now: int
) -> tuple[Any, list[str]]:
    """If there is a delivery after all, its story."""
    at = facts.position_of_message(settings, message) if message is not None else position
    assert at is not None
    delivery_id = facts.delivery_at(settings, endpoint_id, at)
    if delivery_id is not None:
        delivery = facts.delivery_facts(settings, delivery_id, now)
        return delivery, story(delivery)
    missing = facts.missing_facts(settings, endpoint_id, at)
    return missing, why_not(missing)
