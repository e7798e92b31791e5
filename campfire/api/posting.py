"""Posting a message, for HTTP and WebSocket alike: exactly once for each client_message_id."""

import asyncio
from typing import Literal

import msgspec

from campfire.api.schemas import Author, Message
from campfire.domain import ids
from campfire.domain.errors import ClientMessageIdReused, MessageNotFound, RoomArchivedError
from campfire.domain.events import MessagePosted, RecordedEvent
from campfire.domain.messages import decide_post, fit_body
from campfire.engine import Engine
from campfire.eventlog.errors import VersionConflict
from campfire.iso_times import iso_from_ms
from projections.queries import messages
from projections.queries.messages import MessageRow

Overflow = Literal["refuse", "truncate"]


async def post_message(
    engine: Engine, author_id: str, *, room_id: str, body: str, client_message_id: str | None, overflow: Overflow
) -> Message:
    """Post, or return the first result of the same post with `duplicate` set.

    Raises what `decide_post` and `Engine.append` raise, and `ClientMessageIdReused`.
    """
    truncate = overflow == "truncate"
    try:
        [new] = decide_post(
            engine.directory,
            room_id=room_id,
            author_id=author_id,
            body=body,
            client_message_id=client_message_id or engine.new_id(),
            truncate=truncate,
            at=engine.clock.now_ms(),
        )
    except RoomArchivedError:
        # It may have been posted before the room was archived, and only its acknowledgement got lost.
        message_id = ids.message_id(room_id, author_id, client_message_id or "")
        if await messages.by_id(engine.read_models, message_id) is None:
            raise
        return await _first_result(engine, message_id, fit_body(body, truncate=truncate))
    try:
        [recorded] = await engine.append([new])
    except VersionConflict:
        assert isinstance(new.event, MessagePosted)
        return await _first_result(engine, new.stream_id, (new.event.body, new.event.original_length))
    return _as_posted(recorded, duplicate=False)


def message_from(row: MessageRow) -> Message:
    """A message as it is now."""
    return Message(
        id=row.id,
        position=row.position,
        room_id=row.room_id,
        author=Author(id=row.author_id, name=row.author_name),
        body=row.body,
        created_at=iso_from_ms(row.created_at),
        client_message_id=row.client_message_id,
        truncated=row.original_length is not None,
        original_length=row.original_length,
        edited_at=None if row.edited_at is None else iso_from_ms(row.edited_at),
        deleted_at=None if row.deleted_at is None else iso_from_ms(row.deleted_at),
    )


async def _first_result(engine: Engine, message_id: str, again: tuple[str, int | None]) -> Message:
    """What the first post was answered with; `again` is the repeat's body and original length, after cutting."""
    first = (await asyncio.to_thread(engine.reader.read_stream, message_id))[0]
    assert isinstance(first.event, MessagePosted)
    row = await messages.by_id(engine.read_models, message_id)
    if row is None:
        raise MessageNotFound("The message was recorded, but cannot be shown yet.")
    if row.deleted_at is not None:
        # What was said is gone, so nobody can tell whether this is the same text, and nobody gets it back.
        return msgspec.structs.replace(message_from(row), duplicate=True)
    if (first.event.body, first.event.original_length) != again:
        raise ClientMessageIdReused("This client_message_id was used for another text; nothing was posted.")
    return _as_posted(first, duplicate=True)


def _as_posted(recorded: RecordedEvent, *, duplicate: bool) -> Message:
    event = recorded.event
    assert isinstance(event, MessagePosted)
    return Message(
        id=event.message_id,
        position=recorded.position,
        room_id=event.room_id,
        author=Author(id=event.author_id, name=event.author_name),
        body=event.body,
        created_at=iso_from_ms(event.at),
        client_message_id=event.client_message_id,
        duplicate=duplicate,
        truncated=event.original_length is not None,
        original_length=event.original_length,
    )
