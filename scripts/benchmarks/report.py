"""Showing figures: a table for a person, JSON for a program."""

import os
import platform
import sqlite3
import sys
from collections.abc import Sequence

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.load_read import Reading
from benchmarks.rows import ROWS

_NEARLY_A_CORE = 0.9
_VERDICTS = {"aim": "[green]aim[/]", "floor": "[yellow]floor[/]", "below": "[red]neither[/]"}


def as_json(figures: Sequence[Figure]) -> str:
    """A list of objects, one a row."""
    return msgspec.json.format(msgspec.json.encode(figures), indent=2).decode()


def print_table(figures: Sequence[Figure], console: Console) -> None:
    """The figures with their ceilings and promises, then what was seen on the way."""
    table = Table(title=_machine(), box=SIMPLE, pad_edge=False)
    table.add_column("row", no_wrap=True)
    for name in ("figure", "floor", "aim", "ceiling", "ratio", "meets"):
        table.add_column(name, justify="right", no_wrap=True)
    for figure in figures:
        row, _ = ROWS[figure.name]
        table.add_row(
            row.name,
            f"[bold]{_number(figure.figure)}[/]",
            _number(figure.floor),
            _number(figure.aim),
            _number(figure.ceiling),
            f"{figure.ratio:.2f}",
            _VERDICTS[row.verdict(figure.figure)],
        )
    console.print(table)
    for figure in figures:
        row, _ = ROWS[figure.name]
        readings = figure.details.get("readings")
        said = ", ".join(
            f"{name.replace('_', ' ')} {_detail(value)}"
            for name, value in figure.details.items()
            if value is not readings
        )
        console.print(f"{figure.name}: {row.title} ({row.unit})\n  [dim]{said}[/]", highlight=False)
        if figure.details.get("generator_cores", 0.0) > _NEARLY_A_CORE:
            console.print(f"[yellow]{figure.name}: the load generator used a whole core; the server may do more.[/]")
        if readings:
            _print_readings(readings, row.floor, console)


def _print_readings(readings: Sequence[Reading], floor: float, console: Console) -> None:
    """Each kind of question by itself, and whether its median meets the floor."""
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("milliseconds", no_wrap=True)
    for name in ("p50", "p95", "max", "cpu", "times", f"<{floor:.0f}"):
        table.add_column(name, justify="right", no_wrap=True)
    for reading in readings:
        met = "[green]yes[/]" if reading.p50_ms < floor else "[red]no[/]"
        times = (reading.p50_ms, reading.p95_ms, reading.max_ms, reading.cpu_ms)
        table.add_row(reading.name, *(f"{each:.1f}" for each in times), f"{reading.count:,}", met)
    console.print(table)


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()},"
        f" Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _detail(value: object) -> str:
    return _number(value) if isinstance(value, float) else str(value)
