"""Waiting: for an event, but not for too long; and for the server, which may be down for a while, to take things."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Set

import backoff

from campfire.config import Settings
from campfire.control_client import control_client
from campfire.errors import CampfireError

_LONGEST_WAIT = 10.0


async def go_on(hand_over_all: Callable[[], Awaitable[bool]], woken: asyncio.Event) -> None:
    """Hand over for ever: all that waits, then again once `woken`.

    `hand_over_all` says False if something is to be tried again: then in a moment, which grows to ten seconds.
    """
    waits = _waits()
    while True:
        woken.clear()
        if await hand_over_all():
            waits = _waits()
            await woken.wait()
        else:
            await wait_for(woken, next(waits))


async def offer(
    settings: Settings, path: str, body: bytes | AsyncIterable[bytes], *, seconds: float, never: Set[str], **query: str
) -> CampfireError | None:
    """Hand one thing to the server; why it will not take it at any time (a code of `never`), None once it has.

    Raises `CampfireError` if it may take it later, `SERVER_BUSY` among them after so many `seconds`.
    """
    try:
        async with asyncio.timeout(seconds), control_client(settings) as client:
            await client.post(path, body, **query)
    except TimeoutError as error:
        raise CampfireError("SERVER_BUSY", f"The server took nothing for {seconds:g} s.") from error
    except CampfireError as error:
        if error.code not in never:
            raise
        return error
    return None


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not for longer than that."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _waits() -> Iterator[float]:
    waits = backoff.expo(factor=0.2, max_value=_LONGEST_WAIT)
    next(waits)  # the package's generators begin with an empty step
    return waits
