"""What the commands share: which dead letters, and when."""

import shlex
from collections.abc import Callable
from typing import Any, get_args

import click

from campfire.domain.webhook_operations import LetterChoice
from campfire.iso_times import iso_from_ms, ms_from_iso
from outbox.sender import FailureClass

Command = Callable[..., Any]


class Moment(click.ParamType[int]):
    """An ISO 8601 time, as milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else ms_from_iso(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not an ISO 8601 time, such as 2026-11-23T08:00Z", param, ctx)


class SequenceRange(click.ParamType[tuple[int | None, int | None]]):
    """`FIRST..LAST`; either may be left out."""

    name = "range"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, int | None]:
        if isinstance(value, tuple):
            return value
        first, dots, last = value.partition("..")
        numbers = [each for each in (first, last) if each]
        if not dots or not numbers or not all(each.isascii() and each.isdigit() and len(each) < 19 for each in numbers):
            self.fail(f"{value!r} is not a range of sequences, such as 17..42 or 17..", param, ctx)
        return (int(first) if first else None, int(last) if last else None)


_CLASSES: tuple[str, ...] = get_args(FailureClass)

_CHOOSING = (
    click.option("--webhook", metavar="ID", help="Of this webhook or bot."),
    click.option(
        "--class",
        "failure_class",
        type=click.Choice(_CLASSES),
        metavar="CLASS",
        help=f"Of this failure: {', '.join(_CLASSES)}.",
    ),
    click.option("--since", type=Moment(), metavar="TIME", help="That died at this time or later (ISO 8601)."),
    click.option("--until", type=Moment(), metavar="TIME", help="That died at this time or earlier."),
    click.option(
        "--range",
        "sequences",
        type=SequenceRange(),
        metavar="FIRST..LAST",
        help="With these numbers in the stream of --webhook.",
    ),
)


def choosing(command: Command) -> Command:
    """Options that choose dead letters; `choice_from` makes a choice of what they give."""
    for option in reversed(_CHOOSING):
        command = option(command)
    return command


def choice_from(
    *,
    deliveries: tuple[str, ...] = (),
    webhook: str | None,
    failure_class: str | None,
    since: int | None,
    until: int | None,
    sequences: tuple[int | None, int | None] | None,
) -> LetterChoice:
    first, last = sequences or (None, None)
    if sequences is not None and webhook is None:
        raise click.UsageError("--range needs --webhook: each endpoint counts its own deliveries.")
    return LetterChoice(
        deliveries=deliveries,
        webhook_id=webhook,
        failure_class=failure_class,
        since=since,
        upto=until,
        first=first,
        last=last,
    )


def typed(choice: LetterChoice) -> str:
    """A choice (but for names of deliveries) as one types it; `--all` for every dead letter."""
    said = [
        f"{option} {shlex.quote(value)}"
        for option, value in (
            ("--webhook", choice.webhook_id),
            ("--class", choice.failure_class),
            ("--since", None if choice.since is None else iso_from_ms(choice.since)),
            ("--until", None if choice.upto is None else iso_from_ms(choice.upto)),
        )
        if value is not None
    ]
    if choice.first is not None or choice.last is not None:
        said.append(f"--range {choice.first or ''}..{choice.last or ''}")
    return " ".join(said) or "--all"


def typeable(line: str, data: str | None) -> str:
    """A line whose commands work as they stand, also for who named the data directory with `--data`."""
    if data is None:
        return line
    return line.replace("campfire-outbox ", f"CAMPFIRE_DATA={shlex.quote(data)} campfire-outbox ")
