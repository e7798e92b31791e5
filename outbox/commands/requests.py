"""Asking for something that has to go on record: of the server if one runs, else by opening the log ourselves."""

import asyncio

import msgspec

from campfire.config import Settings
from campfire.control_client import control_client, server_is_running
from campfire.logging import configure
from campfire.outbox_words import REQUESTS_PATH, OutboxRequest, Requested


def request(settings: Settings, asked: OutboxRequest) -> Requested:
    """Raises what the server refuses it with."""
    configure("warning")
    return asyncio.run(_request(settings, asked))


async def _request(settings: Settings, asked: OutboxRequest) -> Requested:
    if server_is_running(settings):
        async with control_client(settings) as client:
            return msgspec.convert(await client.post(REQUESTS_PATH, msgspec.json.encode(asked)), Requested)
    # Only here: the worker itself must not know the engine.
    from campfire.engine import Engine
    from campfire.outbox_requests import put_on_record

    engine = await Engine.open(settings)
    try:
        return await put_on_record(engine, asked)
    finally:
        await engine.close()
