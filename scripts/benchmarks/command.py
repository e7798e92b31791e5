"""The command line of `scripts/bench`."""

import tempfile
from pathlib import Path

import click
import msgspec
from rich.console import Console

from benchmarks.effort import QUICK, Effort, allow_open_files
from benchmarks.report import as_json, print_table
from benchmarks.rows import GROUPS, ROWS
from benchmarks.runs import Runs
from benchmarks.server_process import BenchmarkFailed


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*ROWS, *GROUPS]), metavar="[NAME]...")
@click.option("--json", "json_wanted", is_flag=True, help="Print a list of objects instead of a table.")
@click.option("--quick", is_flag=True, help="Short and small: shows that it runs, its figures mean nothing.")
@click.option("--seconds", type=click.FloatRange(min=0.2), help="Measured seconds of each load run.")
@click.option("--senders", type=click.IntRange(1, 1000), help="Senders over HTTP.  [default: 64]")
@click.option("--members", type=click.IntRange(4, 10_000), help="Members with a WebSocket.  [default: 1000]")
@click.option("--events", type=click.IntRange(100), help="Messages in the replayed log.  [default: 100000]")
@click.option("--messages", type=click.IntRange(1_000), help="Messages in the store that is read.  [default: 950000]")
@click.option("--upload-mb", type=click.IntRange(1, 100_000), help="Megabytes of the large file.  [default: 1000]")
@click.option("--deliveries", type=click.IntRange(64), help="Webhooks that wait for the worker.  [default: 20000]")
@click.option("--endpoints", type=click.IntRange(4, 1_000), help="Endpoints side by side.  [default: 200]")
@click.option("--devices", type=click.IntRange(2, 2_000), help="Devices that are pushed to.  [default: 500]")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the store that is read there, and take it from there the next time.  [default: make it anew]",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the data is made for the time of the run; the disk measured.  [default: the system's]",
)
def bench(
    names: tuple[str, ...],
    json_wanted: bool,
    quick: bool,
    seconds: float | None,
    senders: int | None,
    members: int | None,
    events: int | None,
    messages: int | None,
    upload_mb: int | None,
    deliveries: int | None,
    endpoints: int | None,
    devices: int | None,
    keep: Path | None,
    directory: Path | None,
) -> None:
    """Measure the rows NAME, or all of them, on a server started for it. `outbox` names all rows of the outbox.

    Slowness is a figure, not a failure: the exit code is not zero only if something could not be measured.
    """
    given = {"seconds": seconds, "senders": senders, "members": members, "events": events}
    given |= {"messages": messages, "upload_mb": upload_mb}
    given |= {"deliveries": deliveries, "endpoints": endpoints, "devices": devices}
    effort = _effort(quick, {name: value for name, value in given.items() if value is not None})
    progress = Console(stderr=True)
    try:
        allow_open_files(effort.members + effort.senders)
        if keep is not None:
            keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="campfire-bench-", dir=directory) as temporary:
            runs = Runs(effort, Path(temporary), lambda what: progress.print(f"[dim]{what}[/]", highlight=False), keep)
            figures = [ROWS[name][1](runs) for name in _rows(names)]
    except (BenchmarkFailed, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if json_wanted:
        click.echo(as_json(figures))
    else:
        print_table(figures, Console())


def _rows(names: tuple[str, ...]) -> list[str]:
    """The rows that are meant, each once."""
    return list(dict.fromkeys(row for name in names or ROWS for row in GROUPS.get(name, (name,))))


def _effort(quick: bool, given: dict[str, float | int]) -> Effort:
    return msgspec.structs.replace(QUICK if quick else Effort(), **given)
