"""`campfire-outbox run`."""

import asyncio
import os

import click
import uvloop

from campfire.command_line import EXIT_CODES_HELP, data_option, settings_from, telling_errors
from campfire.config import Settings
from campfire.logging import configure
from outbox.daemon import Daemon


@click.command(epilog=EXIT_CODES_HELP)
@click.option("--supervised", is_flag=True, hidden=True, help="End when the parent does (its end of stdin closes).")
@data_option
@telling_errors
def run(supervised: bool, data: str | None) -> None:
    """Deliver until stopped with Ctrl-C or SIGTERM; what is being sent is finished first.

    The server does this by itself unless CAMPFIRE_OUTBOX=external. One worker delivers; others stand by. A second
    signal ends it at once.
    """
    settings = settings_from(data)
    configure(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, supervised))


async def _run(settings: Settings, supervised: bool) -> None:
    await Daemon(settings, os.environ, supervised=supervised).run()
