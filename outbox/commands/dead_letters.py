"""`campfire-outbox dead-letters`: list, show, replay, drop."""

from typing import Any

import click

from campfire.clock import SystemClock
from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.domain.webhook_operations import LetterChoice
from campfire.outbox_words import Drop, Replay, Requested
from outbox import letters
from outbox.commands.options import choice_from, choosing, typeable, typed
from outbox.commands.requests import request
from outbox.explain import story
from outbox.facts import delivery_facts
from outbox.letters import DeadLetter, LetterCount
from outbox.wording import addressee, for_programs, many, moment, shown


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Deliveries that were given up.

    They stay until somebody decides: `replay` sends them again under their old webhook-id, `drop` lets them go on the
    record.
    """


@dead_letters.command(name="list", epilog=EXIT_CODES_HELP)
@choosing
@click.option("--limit", type=click.IntRange(1), default=letters.LISTED, show_default=True, help="How many at most.")
@json_option
@data_option
@telling_errors
def list_(limit: int, as_json: bool, data: str | None, **chosen: Any) -> None:
    """List dead letters in the order they died, with why they did.

    \b
    campfire-outbox dead-letters list --webhook ID --class timeout
    """
    settings = settings_from(data)
    choice = choice_from(**chosen)
    found = letters.dead_letters(settings.outbox_path, choice, limit=limit)
    if as_json:
        print_json(for_programs(found))
        return
    if not found:
        click.echo("There are no dead letters." if choice == letters.EVERYTHING else "There are no such dead letters.")
        if choice.webhook_id is not None and not letters.is_known(settings.outbox_path, choice.webhook_id):
            click.echo(f"The outbox knows no webhook or bot {choice.webhook_id}.")
        return
    for letter in found:
        click.echo(_sentence(letter))
    total = sum(each.count for each in letters.counted(settings.outbox_path, choice))
    if total > len(found):
        click.echo(f"... and {total - len(found):,} more; --limit shows them.")
    click.echo(typeable("Why, in full: campfire-outbox dead-letters show ID", data))
    click.echo(typeable(f"Mend the endpoint, then: campfire-outbox dead-letters replay {typed(choice)}", data))


@dead_letters.command(epilog=EXIT_CODES_HELP)
@click.argument("delivery")
@json_option
@data_option
@telling_errors
def show(delivery: str, as_json: bool, data: str | None) -> None:
    """Tell the story of a dead letter: each attempt, and what the receiver said.

    The same as campfire-outbox explain, for what was given up only.
    """
    settings = settings_from(data)
    letters.require_dead(settings.outbox_path, [delivery])
    facts = delivery_facts(settings, delivery, SystemClock().now_ms())
    sentences = story(facts)
    if as_json:
        print_json(for_programs(facts) | {"explanation": sentences})
        return
    for sentence in sentences:
        click.echo(typeable(sentence, data))


@dead_letters.command(epilog=EXIT_CODES_HELP)
@click.argument("deliveries", nargs=-1)
@choosing
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--replay-id", metavar="NAME", help="The request's name; under the same one nothing is sent twice.")
@click.option("--dry-run", is_flag=True, help="Only count what would be sent, by endpoint and class.")
@json_option
@data_option
@telling_errors
def replay(
    deliveries: tuple[str, ...],
    everything: bool,
    replay_id: str | None,
    dry_run: bool,
    as_json: bool,
    data: str | None,
    **chosen: Any,
) -> None:
    """Send dead letters again, under their old webhook-id. The request goes on record in the log.

    \b
    campfire-outbox dead-letters replay msg_0123abcd
    campfire-outbox dead-letters replay --webhook ID --since 2026-11-23T08:00Z --dry-run
    campfire-outbox dead-letters replay --webhook ID --range 17..42
    campfire-outbox dead-letters replay --all --class timeout

    What is chosen is what has died until now. To run the same command twice sends nothing twice: what the first one
    sent is no dead letter any more, and a request that is on record already is not recorded again.
    """
    settings = settings_from(data)
    choice = _named(deliveries, everything, chosen)
    counts = _counted(settings, choice)
    done = None
    if counts and not dry_run:
        done = request(settings, Replay(choice=letters.settled(choice, counts), request_id=replay_id))
    _tell(counts, "sent again", done, dry_run=dry_run, as_json=as_json)


@dead_letters.command(epilog=EXIT_CODES_HELP)
@click.argument("deliveries", nargs=-1)
@choosing
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--reason", required=True, help="Why nobody wants them; it goes on record.")
@click.option("--dry-run", is_flag=True, help="Only count what would be dropped, by endpoint and class.")
@json_option
@data_option
@telling_errors
def drop(
    deliveries: tuple[str, ...],
    everything: bool,
    reason: str,
    dry_run: bool,
    as_json: bool,
    data: str | None,
    **chosen: Any,
) -> None:
    """Let dead letters go: they are cancelled for the reason given, which goes on record in the log.

    \b
    campfire-outbox dead-letters drop --webhook ID --until 2026-11-01 --reason "the receiver was rebuilt from a backup"
    """
    settings = settings_from(data)
    choice = _named(deliveries, everything, chosen)
    counts = _counted(settings, choice)
    done = None
    if counts and not dry_run:
        done = request(settings, Drop(choice=letters.settled(choice, counts), reason=reason))
    _tell(counts, "dropped", done, dry_run=dry_run, as_json=as_json)


def _named(deliveries: tuple[str, ...], everything: bool, chosen: dict[str, Any]) -> LetterChoice:
    choice = choice_from(deliveries=deliveries, **chosen)
    if choice == letters.EVERYTHING and not everything:
        raise click.UsageError("Name deliveries, or choose with --webhook, --class, --since, --until, or --all.")
    return choice


def _counted(settings: Settings, choice: LetterChoice) -> list[LetterCount]:
    letters.require_dead(settings.outbox_path, choice.deliveries)
    return letters.counted(settings.outbox_path, choice)


def _tell(counts: list[LetterCount], done_to: str, done: Requested | None, *, dry_run: bool, as_json: bool) -> None:
    total = sum(each.count for each in counts)
    duplicate = done is not None and done.duplicate
    if as_json:
        request_id = done.id if done is not None else None
        print_json(
            {
                "dry_run": dry_run,
                "count": total,
                "counts": for_programs(counts),
                "id": request_id,
                "duplicate": duplicate,
            }
        )
        return
    for each in counts:
        click.echo(
            f"{each.count:>9,}  {each.failure_class or 'unknown'}  {addressee(each.kind, each.name, each.url)}"
            f"  [{each.endpoint_id}]  died {moment(each.oldest)} to {moment(each.newest)}"
        )
    if duplicate and done is not None:
        click.echo(f"This was asked for before, and is on record as {done.id}: nothing is {done_to} twice.")
    elif not counts:
        click.echo(f"No dead letter fits: nothing is {done_to}.")
    else:
        click.echo(f"{many(total, 'dead letter')} {'would' if dry_run else 'will'} be {done_to}.")


def _sentence(letter: DeadLetter) -> str:
    return (
        f"{letter.id}  {letter.event_type} at position {letter.position} to"
        f" {addressee(letter.kind, letter.name, letter.url)}: given up {moment(letter.died_at)} after"
        f" {letter.attempts} attempts, {letter.failure_class} ({shown(letter.failure)})"
    )
