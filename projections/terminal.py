"""How the replay tool speaks to a person: positions and times, progress, events, one state a line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from campfire.domain.events import RecordedEvent
from campfire.eventlog.reader import LogReader
from campfire.iso_times import iso_from_ms, ms_from_iso
from projections.projector import Progress as Report

_HIDDEN = ("password_hash", "token_hash", "pull_key_hash", "endpoint_hash", "sealed")
"""Fields that begin so are not shown."""
_SHOWN_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""Characters that JSON leaves as they are and a terminal may obey."""


def position_of(reader: LogReader, where: str, *, earlier: bool = False) -> int:
    """The position that somebody named, by itself or by an ISO 8601 time: the last one recorded by then.

    `earlier`: the last one recorded before that time, so that reading begins with what happened then.
    """
    if where.isdecimal():
        return int(where)
    try:
        at = ms_from_iso(where)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{where!r} is neither a position nor an ISO 8601 time") from error
    return reader.position_at(at - 1 if earlier else at)


@contextmanager
def progress_bar(what: str) -> Iterator[Report]:
    """A bar on standard error, if that is a terminal; call what it gives with how far it is, and of how much."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def print_event(recorded: RecordedEvent, as_json: bool) -> None:
    """One event on one line, without hashes and sealed secrets."""
    fields = {
        name: value
        for name, value in msgspec.to_builtins(recorded.event).items()
        if not name.startswith(_HIDDEN) and name != "at"
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
        shown = msgspec.json.encode(fields).decode().translate(_SHOWN_ESCAPED)
        click.echo(f"{recorded.position:>9}  {line['recorded_at']}  {recorded.event.topic:<22} {shown}")


def print_read_models(models: list[dict[str, Any]]) -> None:
    """A table of the read models' states."""
    table = Table("read model", "version", "position", "behind", "state")
    for model in models:
        table.add_row(
            model["projection"], str(model["version"]), f"{model['position']:,}", f"{model['lag']:,}", model["state"]
        )
    Console(soft_wrap=True).print(table)
