"""Posting a message, for HTTP and WebSocket alike: exactly once for each client_message_id."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec

from campfire.api.message_views import attachment_view, message_view
from campfire.api.schemas import Author, Mention, Message
from campfire.domain import ids
from campfire.domain.errors import ClientMessageIdReused, MessageNotFound, RoomArchivedError, UploadNotFound
from campfire.domain.events import MessagePosted, RecordedEvent
from campfire.domain.messages import MessageState, decide_post, fit_body
from campfire.domain.sounds import sound_of
from campfire.engine import Engine
from campfire.eventlog.errors import VersionConflict
from campfire.iso_times import iso_from_ms
from campfire.markdown import plain_text
from projections.queries import attachments, messages

Overflow = Literal["refuse", "truncate"]
Said = tuple[str, int | None, str | None, tuple[str, ...]]
"""What makes two posts the same: body and original length, after cutting, what it replies to, and its files."""


async def post_message(
    engine: Engine,
    author_id: str,
    *,
    room_id: str,
    body: str,
    client_message_id: str | None,
    overflow: Overflow = "refuse",
    reply_to: str | None = None,
    uploads: Sequence[str] = (),
    calls_bots: bool = True,
    hops: int = 0,
) -> Message:
    """Post, or return the first result of the same post with `duplicate` set. See `decide_post`.

    Raises what `decide_post` and `Engine.append` raise, and `ClientMessageIdReused`.
    """
    truncate = overflow == "truncate"
    client_message_id = client_message_id or engine.new_id()
    message_id = ids.message_id(room_id, author_id, client_message_id)
    answered = None if reply_to is None else await _answered(engine, reply_to)
    files = await attachments.uploads(engine.read_models, uploads)
    try:
        if len(files) < len(uploads):
            raise UploadNotFound("There is no such upload; upload the file again.")
        events = decide_post(
            engine.directory,
            room_id=room_id,
            author_id=author_id,
            body=body,
            client_message_id=client_message_id,
            reply_to=answered,
            uploads=files,
            truncate=truncate,
            calls_bots=calls_bots,
            hops=hops,
            at=engine.clock.now_ms(),
        )
    except (RoomArchivedError, MessageNotFound, UploadNotFound):
        # It may have been posted before the room was archived, the message that it answers was deleted or
        # its files were used up, by itself, and only its acknowledgement got lost.
        if await messages.by_id(engine.read_models, message_id) is None:
            raise
        kept = fit_body(body, truncate=truncate, may_be_blank=bool(uploads))
        return await _first_result(engine, author_id, message_id, (*kept, reply_to, tuple(uploads)))
    posted = events[0].event
    assert isinstance(posted, MessagePosted)
    try:
        recorded = await engine.append(events)
    except VersionConflict as conflict:
        if conflict.stream_id != message_id:
            raise UploadNotFound("The file has just been used in another message.") from conflict
        return await _first_result(engine, author_id, message_id, _said(posted))
    return _as_posted(engine, recorded[0], duplicate=False)


async def _answered(engine: Engine, message_id: str) -> MessageState:
    state = await messages.state(engine.read_models, message_id)
    if state is None:
        raise MessageNotFound("The message to reply to does not exist.")
    return state


def _said(event: MessagePosted) -> Said:
    return event.body, event.original_length, event.reply_to, tuple(file.id for file in event.attachments)


async def _first_result(engine: Engine, author_id: str, message_id: str, again: Said) -> Message:
    """What the first post was answered with; `again` is what the repeat says."""
    first = (await asyncio.to_thread(engine.reader.read_stream, message_id))[0]
    assert isinstance(first.event, MessagePosted)
    row = await messages.by_id(engine.read_models, message_id)
    if row is None:
        raise MessageNotFound("The message was recorded, but cannot be shown yet.")
    if row.deleted_at is not None and (first.event.scrubbed or _said(first.event) == again):
        # It was posted, and has been deleted since: nobody gets the words back by saying them again.
        # Once it is scrubbed nobody can tell whether these are the same words, and either way it is gone.
        return msgspec.structs.replace(await message_view(engine.read_models, row, author_id), duplicate=True)
    if _said(first.event) != again:
        raise ClientMessageIdReused("This client_message_id was used for another text; nothing was posted.")
    return _as_posted(engine, first, duplicate=True)


def _as_posted(engine: Engine, recorded: RecordedEvent, *, duplicate: bool) -> Message:
    event, users = recorded.event, engine.directory.users
    assert isinstance(event, MessagePosted)
    mentions = [
        Mention(user_id=each.user_id, name=users[each.user_id].name, start=each.start, end=each.end)
        for each in event.mentions
    ]
    return Message(
        id=event.message_id,
        position=recorded.position,
        room_id=event.room_id,
        author=Author(id=event.author_id, name=event.author_name),
        body=event.body,
        plain_text=plain_text(event.body, mentions),
        created_at=iso_from_ms(event.at),
        client_message_id=event.client_message_id,
        duplicate=duplicate,
        truncated=event.original_length is not None,
        original_length=event.original_length,
        mentions=mentions,
        reply_to=event.reply_to,
        thread_id=event.thread_id,
        attachments=[attachment_view(each) for each in event.attachments],
        sound=sound_of(event.body),
    )
