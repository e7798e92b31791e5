"""Messages by id and page by page."""

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from campfire.domain.messages import MessageState
from projections.read_models import ReadModels


class MessageRow(msgspec.Struct, frozen=True):
    """A message as it is now, with its author's present name. Times in milliseconds."""

    position: int
    id: str
    room_id: str
    author_id: str
    author_name: str
    body: str
    created_at: int
    edited_at: int | None
    deleted_at: int | None
    client_message_id: str
    original_length: int | None
    version: int
    reply_to: str | None
    thread_id: str | None
    pinned_at: int | None
    has_attachments: int
    without_previews: int


COLUMNS = """
    messages.position, messages.id, messages.room_id, messages.author_id, users.name, messages.body,
    messages.created_at, messages.edited_at, messages.deleted_at, messages.client_message_id,
    messages.original_length, messages.version, messages.reply_to, messages.thread_id, messages.pinned_at,
    messages.has_attachments, messages.without_previews
"""
_FROM = f"SELECT {COLUMNS} FROM messages JOIN users ON users.id = messages.author_id"
_BEFORE = f"""{_FROM}
WHERE messages.room_id = ? AND (messages.created_at, messages.position) < (?, ?) AND messages.deleted_at IS NULL
ORDER BY messages.created_at DESC, messages.position DESC LIMIT ?"""
_AFTER = f"""{_FROM}
WHERE messages.room_id = ? AND (messages.created_at, messages.position) > (?, ?) AND messages.deleted_at IS NULL
ORDER BY messages.created_at, messages.position LIMIT ?"""

_THREAD_BEFORE = f"""{_FROM}
WHERE messages.thread_id = ? AND (messages.created_at, messages.position) < (?, ?) AND messages.deleted_at IS NULL
ORDER BY messages.created_at DESC, messages.position DESC LIMIT ?"""
_THREAD_AFTER = f"""{_FROM}
WHERE messages.thread_id = ? AND (messages.created_at, messages.position) > (?, ?) AND messages.deleted_at IS NULL
ORDER BY messages.created_at, messages.position LIMIT ?"""
_PINNED = f"""{_FROM}
WHERE messages.room_id = ? AND messages.pinned_at IS NOT NULL
ORDER BY messages.pinned_at DESC, messages.position DESC LIMIT ?"""
_SAVED = f"""SELECT {COLUMNS} FROM saved_messages CROSS JOIN messages ON messages.id = saved_messages.message_id
JOIN users ON users.id = messages.author_id
JOIN memberships ON memberships.room_id = messages.room_id AND memberships.user_id = saved_messages.user_id
WHERE saved_messages.user_id = ? AND saved_messages.position < ?
    AND messages.deleted_at IS NULL AND memberships.ended_at IS NULL
ORDER BY saved_messages.position DESC LIMIT ?"""

_END_OF_TIME = 1 << 62


async def by_id(read_models: ReadModels, message_id: str) -> MessageRow | None:
    """One message, also if deleted (then without its text)."""
    rows = await read_models.rows(f"{_FROM} WHERE messages.id = ?", (message_id,))
    return MessageRow(*rows[0]) if rows else None


async def at_position(read_models: ReadModels, position: int) -> MessageRow | None:
    """The message that was posted at this position of the log, also if deleted."""
    rows = await read_models.rows(f"{_FROM} WHERE messages.position = ?", (position,))
    return MessageRow(*rows[0]) if rows else None


async def count(read_models: ReadModels, room_id: str) -> int:
    """How many messages a room has, without deleted ones."""
    rows = await read_models.rows("SELECT messages FROM message_counts WHERE room_id = ?", (room_id,))
    return int(rows[0][0]) if rows else 0


async def state(read_models: ReadModels, message_id: str) -> MessageState | None:
    """What a decision about the message needs."""
    row = await by_id(read_models, message_id)
    if row is None:
        return None
    return MessageState(
        id=row.id,
        room_id=row.room_id,
        author_id=row.author_id,
        version=row.version,
        body=row.body,
        deleted=row.deleted_at is not None,
        thread_id=row.thread_id,
        pinned=row.pinned_at is not None,
        has_attachments=bool(row.has_attachments),
        without_previews=bool(row.without_previews),
    )


async def latest(read_models: ReadModels, room_id: str, limit: int) -> list[MessageRow]:
    """The room's last messages, oldest first, without deleted ones; as all pages."""
    return await _before(read_models, room_id, _END_OF_TIME, _END_OF_TIME, limit)


async def since(read_models: ReadModels, room_id: str, at: int, limit: int) -> list[MessageRow]:
    """The room's messages from a time (milliseconds) on; from the first one for 0."""
    rows = await read_models.rows(_AFTER, (room_id, at - 1, _END_OF_TIME, limit))
    return [MessageRow(*row) for row in rows]


async def in_thread(
    read_models: ReadModels, thread_id: str, limit: int, *, before: MessageRow | None, after: MessageRow | None
) -> list[MessageRow]:
    """A thread's replies: just before or after one of them, or the last ones."""
    if after is not None:
        rows = await read_models.rows(_THREAD_AFTER, (thread_id, after.created_at, after.position, limit))
        return [MessageRow(*row) for row in rows]
    place = (_END_OF_TIME, _END_OF_TIME) if before is None else (before.created_at, before.position)
    rows = await read_models.rows(_THREAD_BEFORE, (thread_id, *place, limit))
    return [MessageRow(*row) for row in reversed(rows)]


async def pinned(read_models: ReadModels, room_id: str, limit: int) -> list[MessageRow]:
    """What is pinned in a room, the last pin first."""
    return [MessageRow(*row) for row in await read_models.rows(_PINNED, (room_id, limit))]


async def saved(read_models: ReadModels, user_id: str, limit: int, *, before: str | None) -> list[MessageRow]:
    """What somebody saved and can still read, the last saved first; `before` is a message's id."""
    place = _END_OF_TIME
    if before is not None:
        rows = await read_models.rows(
            "SELECT position FROM saved_messages WHERE user_id = ? AND message_id = ?", (user_id, before)
        )
        place = rows[0][0] if rows else 0
    return [MessageRow(*row) for row in await read_models.rows(_SAVED, (user_id, place, limit))]


async def before(read_models: ReadModels, message: MessageRow, limit: int) -> list[MessageRow]:
    """Up to `limit` messages of its room that come just before `message`."""
    return await _before(read_models, message.room_id, message.created_at, message.position, limit)


async def after(read_models: ReadModels, message: MessageRow, limit: int) -> list[MessageRow]:
    """Up to `limit` messages of its room that come just after `message`."""
    rows = await read_models.rows(_AFTER, (message.room_id, message.created_at, message.position, limit))
    return [MessageRow(*row) for row in rows]


async def around(read_models: ReadModels, message: MessageRow, limit: int) -> list[MessageRow]:
    """Up to `limit` messages with `message` in the middle."""
    itself = [message] if message.deleted_at is None else []
    earlier = await before(read_models, message, (limit - len(itself)) // 2)
    later = await after(read_models, message, limit - len(itself) - len(earlier))
    return [*earlier, *itself, *later]


class Changed(NamedTuple):
    """What an edited or deleted message says now."""

    body: str
    is_deleted: bool


async def changed_among(read_models: ReadModels, message_ids: Collection[str]) -> dict[str, Changed]:
    """Those of these messages that have been edited or deleted."""
    marks = ",".join("?" * len(message_ids))
    rows = await read_models.rows(
        f"SELECT id, body, deleted_at IS NOT NULL FROM messages WHERE id IN ({marks})"
        " AND (edited_at IS NOT NULL OR deleted_at IS NOT NULL)",
        tuple(message_ids),
    )
    return {message_id: Changed(body, bool(is_deleted)) for message_id, body, is_deleted in rows}


async def _before(
    read_models: ReadModels, room_id: str, created_at: int, position: int, limit: int
) -> list[MessageRow]:
    rows = await read_models.rows(_BEFORE, (room_id, created_at, position, limit))
    return [MessageRow(*row) for row in reversed(rows)]
