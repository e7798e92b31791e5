"""What bots answered when they were called: the outbox worker hands it over, and the bot says it in the room."""

import asyncio
import contextlib

import msgspec
from aiohttp import web

from campfire.api.keys import BLOBS, ENGINE
from campfire.api.posting import post_message
from campfire.api.uploads import described, of_body
from campfire.domain import ids
from campfire.domain.errors import MessageNotFound
from campfire.domain.events import MessagePosted
from campfire.domain.hops import LARGEST
from campfire.domain.uploads import upload_finished
from campfire.engine import Engine
from campfire.eventlog.errors import VersionConflict
from projections.queries import messages

LARGEST_FILE = 10_000_000
"""Bytes."""


async def take_answer(request: web.Request) -> web.Response:
    """Post the body, a text or with `file` a file of that name, as `bot_id` where `message_id` called it.

    `id` names the answer: handed over again, it is posted once. It calls no bots. Raises what `post_message`
    raises, and `MessageNotFound` if the message that called the bot is gone.
    """
    engine, query = request.app[ENGINE], request.query
    engine.read_side.require_for_decisions()
    called = await messages.state(engine.read_models, query["message_id"])
    if called is None or called.deleted:
        raise MessageNotFound("The message that called the bot has been deleted.")
    answer_id, bot_id = query["id"], query["bot_id"]
    file_name = query.get("file")
    message = await post_message(
        engine,
        bot_id,
        room_id=called.room_id,
        body="" if file_name is not None else (await request.read()).decode(),
        client_message_id=f"bot-answer/{answer_id}",
        overflow="truncate",
        uploads=() if file_name is None else [await _file(request, engine, answer_id, bot_id, file_name)],
        calls_bots=False,
        hops=await _hops(engine, called.id),
    )
    return web.Response(
        body=msgspec.json.encode({"message_id": message.id, "duplicate": message.duplicate}),
        content_type="application/json",
    )


async def _hops(engine: Engine, message_id: str) -> int:
    """An answer is one further away than what it answers."""
    stream = await asyncio.to_thread(engine.reader.read_stream, message_id)
    asked = stream[0].event
    assert isinstance(asked, MessagePosted)
    return min(asked.hops + 1, LARGEST)


async def _file(request: web.Request, engine: Engine, answer_id: str, bot_id: str, name: str) -> str:
    """Store the file and return its id, which is the same every time that the answer is handed over."""
    store = request.app[BLOBS]
    blob = await store.take(of_body(request), LARGEST_FILE)
    file_id = ids.bot_answer_file_id(answer_id)
    attachment = await described(store, blob, attachment_id=file_id, name=name)
    # A conflict: it came as far as this before, and no further, or its acknowledgement was lost.
    with contextlib.suppress(VersionConflict):
        await engine.append([upload_finished(attachment, user_id=bot_id, at=engine.clock.now_ms())])
    return file_id
