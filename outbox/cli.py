"""`campfire-outbox`: the worker daemon, and what it could not deliver."""

import click

from outbox.commands.dead_letters import dead_letters
from outbox.commands.endpoints import endpoints
from outbox.commands.explain import explain
from outbox.commands.run import run
from outbox.commands.status import status


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Deliver webhooks from the log, and look after what could not be delivered.

    \b
    campfire-outbox status                       what is wrong, and what to type about it
    campfire-outbox explain DELIVERY             the story of one delivery, in sentences
    campfire-outbox dead-letters replay --all    send again what was given up
    """


for command in (run, status, explain, dead_letters, endpoints):
    main.add_command(command)

if __name__ == "__main__":
    main()
