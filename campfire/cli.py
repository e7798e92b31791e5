"""`campfire`: the server."""

import asyncio

import click
import uvloop

from campfire import __version__
from campfire.command_line import EXIT_CODES_HELP, data_option, settings_from, telling_errors
from campfire.logging import configure


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="campfire")
def main() -> None:
    """Campfire: team chat on your own server that cannot forget."""


@main.command(epilog=EXIT_CODES_HELP)
@data_option
@click.option("--host", help="The address to listen on.  [default: CAMPFIRE_HOST, else 0.0.0.0]")
@click.option("--port", help="The port; 0 takes a free one.  [default: CAMPFIRE_PORT, else 3000]")
@click.option(
    "--outbox",
    type=click.Choice(["embedded", "external"]),
    help="Run the outbox worker as a child, or leave it to `campfire-outbox run`.  [default: embedded]",
)
@telling_errors
def serve(data: str | None, host: str | None, port: str | None, outbox: str | None) -> None:
    """Serve the chat until stopped with Ctrl-C or SIGTERM.

    \b
    campfire serve                      on port 3000, with data under ./data
    campfire serve --data /srv/chat --port 8080
    """
    # Here rather than above: the other command lines must start quickly.
    from campfire.api.server import serve as serve_until_stopped

    settings = settings_from(data, host=host, port=port, outbox=outbox)
    configure(settings.log_level)

    async def run() -> None:
        await serve_until_stopped(settings, ready=lambda url: click.echo(f"Campfire is ready at {url}"))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


if __name__ == "__main__":
    main()
