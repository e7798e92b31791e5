"""A worker that claims a delivery durably and never sends it."""

import asyncio

from outbox.cli import main
from outbox.sender import Outcome, Sender


async def hold(*_arguments: object, **_options: object) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


if __name__ == "__main__":
    Sender.attempt = hold  # type: ignore[method-assign]
    main(["run"])
