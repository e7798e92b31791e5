"""An endpoint's stream as its receiver sees it, and moving its cursor."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from campfire.domain.events import MessagePosted, NewEvent, WebhookCursorMoved
from campfire.domain.messages import MessageState, decide_delete, decide_edit
from outbox.queries import rows_of
from outbox_support.chat import Chat
from outbox_support.sink import Received


async def until_true(reached: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not reached():
            await asyncio.sleep(0.01)


async def move(chat: Chat, webhook_id: str, after: int, until: int | None = None, move_id: str = "move") -> int:
    """Move an endpoint's cursor; return the position of the event that asks for it."""
    moved = WebhookCursorMoved(at=1, webhook_id=webhook_id, move_id=move_id, after=after, until=until)
    [recorded] = await chat.engine.append([NewEvent(webhook_id, None, moved)])
    return recorded.position


async def delete(chat: Chat, posted: MessagePosted) -> None:
    """Delete a message, as whoever wrote it."""
    engine, by = chat.engine, chat.user_id
    versions = engine.reader.versions([posted.message_id])
    message = MessageState(posted.message_id, posted.room_id, by, versions[posted.message_id], "", deleted=False)
    await engine.perform(lambda: decide_delete(engine.directory, message, actor_id=by, at=1))


async def edit(chat: Chat, posted: MessagePosted, body: str) -> None:
    """Say it otherwise, as whoever wrote it."""
    engine, by = chat.engine, chat.user_id
    message = MessageState(posted.message_id, posted.room_id, by, 1, posted.body, deleted=False)
    await engine.perform(lambda: decide_edit(engine.directory, message, actor_id=by, body=body, at=1))


def said(received: Received) -> dict[str, Any]:
    """What a delivery says."""
    told: dict[str, Any] = json.loads(received.body)
    return told


def bodies(received: Sequence[Received]) -> list[str]:
    """The words of the messages in deliveries."""
    return [said(each)["data"]["body"] for each in received]


def deliveries(chat: Chat, columns: str) -> list[tuple[Any, ...]]:
    """These columns of all deliveries, in the order of their streams."""
    return rows_of(chat.engine.settings.outbox_path, f"SELECT {columns} FROM deliveries ORDER BY endpoint_id, sequence")


def has_caught_up(chat: Chat) -> bool:
    """Whether the outbox has come to the end of the log, and every endpoint with it."""
    path = chat.engine.settings.outbox_path
    behind = rows_of(path, "SELECT 1 FROM endpoints WHERE cursor IS NOT NULL")
    return not behind and rows_of(path, "SELECT position FROM cursor") == [(chat.engine.reader.tip().position,)]


def is_complete(received: Sequence[Received]) -> bool:
    """What a receiver can prove by itself: each delivery names the one before it, from the first to the last."""
    stream = {said(each)["sequence"]: each for each in received}
    ids = {sequence: each.webhook_id for sequence, each in stream.items()}
    return sorted(stream) == list(range(1, len(stream) + 1)) and all(
        said(each)["previous_id"] == ids.get(sequence - 1) for sequence, each in stream.items()
    )
