"""The command line of `scripts/drill`."""

import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from drills.outbox import OutboxDrill, Result


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def drill() -> None:
    """Break a part of Campfire at random moments, and prove afterwards that nothing was lost."""


@drill.command()
@click.option("--kills", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="How often.")
@click.option("--seed", type=int, help="Of the random moments; the same for the same choices.  [default: a new one]")
@click.option("--endpoints", type=click.IntRange(1, 200), default=1, show_default=True, help="Webhooks delivered to.")
@click.option("--json", "json_wanted", is_flag=True, help="Print an object instead of sentences.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the data is made for the time of the run.  [default: the system's]",
)
def outbox(kills: int, seed: int | None, endpoints: int, json_wanted: bool, directory: Path | None) -> None:
    """Kill the outbox worker (kill -9) while messages are written and delivered.

    Ctrl-C ends it earlier, with a verdict about the kills so far. Exit codes: 0 it held, 1 it did not.
    """
    seed = random.randrange(1_000_000) if seed is None else seed
    with (
        tempfile.TemporaryDirectory(prefix="campfire-drill-", dir=directory) as data,
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress,
    ):
        bar = progress.add_task(f"kills (seed {seed})", total=kills)
        run = OutboxDrill(Path(data) / "data", kills=kills, seed=seed, endpoints=endpoints)
        result = asyncio.run(run.run(lambda: progress.advance(bar)))
    if json_wanted:
        click.echo(json.dumps(msgspec.to_builtins(result)))
    else:
        _tell(result)
    sys.exit(1 if result.violations else 0)


def _tell(result: Result) -> None:
    click.echo(
        f"{result.kills} kills in {result.seconds:.0f} s (seed {result.seed}): {result.deliveries} deliveries of"
        f" {result.messages} messages to {result.endpoints} endpoints, {result.repeated} of them repeated."
    )
    for violation in result.violations[:50]:
        click.echo(f"Violated: {violation}")
    if not result.violations:
        click.echo("It held: nothing was lost, nothing repeated but what was on its way, always the same bytes.")
