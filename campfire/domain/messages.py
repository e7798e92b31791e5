"""Messages: posting, editing, deleting, and how long they may be."""

from collections.abc import Sequence

import msgspec
import regex

from campfire.domain import ids
from campfire.domain.bots import calls_of
from campfire.domain.directory import Directory
from campfire.domain.errors import (
    MessageNotFound,
    MessageTooLong,
    PermissionDenied,
    RoomArchivedError,
    ValidationFailed,
)
from campfire.domain.events import DeletionReason, MessageDeleted, MessageEdited, MessagePosted, NewEvent
from campfire.domain.mentions import find_mentions
from campfire.domain.rooms import readable_room
from campfire.domain.uploads import UploadState, attached, require_usable

MAX_CHARACTERS = 10_000
"""Unicode code points in a message."""
MAX_BYTES = 65_536
"""Bytes of UTF-8 in a message."""
MAX_CLIENT_MESSAGE_ID = 200

_GRAPHEME = regex.compile(r"\X")


class MessageState(msgspec.Struct, frozen=True):
    """What a decision about an existing message needs. `version` is its stream's last.

    `thread_id` is the first message of the thread that it belongs to as a reply. `without_previews`: somebody
    removed its link previews, and wants no others.
    """

    id: str
    room_id: str
    author_id: str
    version: int
    body: str
    deleted: bool
    thread_id: str | None = None
    pinned: bool = False
    has_attachments: bool = False
    without_previews: bool = False


def fit_body(body: str, *, truncate: bool, may_be_blank: bool = False) -> tuple[str, int | None]:
    """Return the body as it may be kept, and its original length in characters if it was cut.

    Cuts between grapheme clusters (UAX #29), so that no letter or emoji is torn. A blank one is none if
    it `may_be_blank`. Raises `MessageTooLong` unless `truncate`, and `ValidationFailed` for a body that is
    blank or not text.
    """
    if may_be_blank and (not body or body.isspace()):
        return "", None
    _require_text(body)
    if "\0" in body:
        raise ValidationFailed(
            "A message cannot hold the character NUL.", errors=[{"field": "body", "message": "contains NUL"}]
        )
    if len(body) <= MAX_CHARACTERS and (len(body) * 4 <= MAX_BYTES or _utf8_length(body) <= MAX_BYTES):
        if not body.isascii():
            _utf8_length(body)
        return body, None
    if not truncate:
        raise MessageTooLong(
            f"The message has {len(body)} characters; {MAX_CHARACTERS} are allowed.",
            length=len(body),
            limit=MAX_CHARACTERS,
        )
    kept = _cut(body)
    _require_text(kept)
    return kept, len(body)


def decide_post(
    directory: Directory,
    *,
    room_id: str,
    author_id: str,
    body: str,
    client_message_id: str,
    reply_to: MessageState | None = None,
    uploads: Sequence[UploadState] = (),
    truncate: bool = False,
    calls_bots: bool = True,
    hops: int = 0,
    at: int,
) -> list[NewEvent]:
    """Post to a room that the author is a member of. The stream's first version makes a repeat a conflict.

    The message comes first, then what uses up its `uploads`; with files it needs no text. Then come the calls
    of the bots that it is meant for, unless it is itself an answer to one (`calls_bots` False): two bots would
    answer each other for ever. Raises
    `RoomNotFound`, `RoomAccessDenied`, `RoomArchivedError`, `MessageNotFound` for a reply to what is not in
    the room, and what `require_usable` and `fit_body` raise.
    """
    room = readable_room(directory, room_id, author_id)
    if not directory.user(author_id).active:
        raise PermissionDenied("You are no longer here.")
    if room.archived:
        raise RoomArchivedError("The room is archived; nothing can be posted to it.")
    if not 1 <= len(client_message_id) <= MAX_CLIENT_MESSAGE_ID:
        raise ValidationFailed(
            f"client_message_id needs 1 to {MAX_CLIENT_MESSAGE_ID} characters.",
            errors=[{"field": "client_message_id", "message": "has the wrong length"}],
        )
    if reply_to is not None and (reply_to.room_id != room_id or reply_to.deleted):
        raise MessageNotFound("The message to reply to is not in this room.")
    attachments = require_usable(uploads, user_id=author_id)
    kept, original_length = fit_body(body, truncate=truncate, may_be_blank=bool(attachments))
    message_id = ids.message_id(room_id, author_id, client_message_id)
    posted = MessagePosted(
        at=max(at, room.last_message_at),
        message_id=message_id,
        room_id=room_id,
        author_id=author_id,
        author_name=directory.users[author_id].name,
        body=kept,
        client_message_id=client_message_id,
        original_length=original_length,
        mentions=find_mentions(directory, room, kept),
        reply_to=None if reply_to is None else reply_to.id,
        thread_id=None if reply_to is None else reply_to.thread_id or reply_to.id,
        attachments=attachments,
        hops=hops,
    )
    return [
        NewEvent(message_id, 1, posted),
        *attached(attachments, message_id=message_id, room_id=room_id, at=posted.at),
        *(calls_of(directory, room, posted) if calls_bots else ()),
    ]


def decide_edit(
    directory: Directory,
    message: MessageState,
    *,
    actor_id: str,
    body: str,
    truncate: bool = False,
    hops: int = 0,
    at: int,
) -> list[NewEvent]:
    """Replace the body; its author and administrators may. The same body again changes nothing.

    Raises `MessageNotFound`, `PermissionDenied`, `RoomAccessDenied`, `RoomArchivedError`, and what `fit_body` raises.
    """
    require_changeable(directory, message, actor_id)
    kept, original_length = fit_body(body, truncate=truncate, may_be_blank=message.has_attachments)
    if kept == message.body:
        return []
    edited = MessageEdited(
        at=at,
        message_id=message.id,
        room_id=message.room_id,
        by=actor_id,
        body=kept,
        original_length=original_length,
        mentions=find_mentions(directory, directory.room(message.room_id), kept),
        hops=hops,
    )
    return [NewEvent(message.id, message.version + 1, edited)]


def decide_delete(directory: Directory, message: MessageState, *, actor_id: str, at: int) -> list[NewEvent]:
    """Delete the message; its author and administrators may. Raises as `decide_edit`."""
    require_changeable(directory, message, actor_id)
    deleted = MessageDeleted(at=at, message_id=message.id, room_id=message.room_id, by=actor_id)
    return [NewEvent(message.id, message.version + 1, deleted)]


def removed(message_id: str, room_id: str, version: int, reason: DeletionReason, *, at: int) -> NewEvent:
    """The event that deletes a message because something else went. `version` is its stream's last."""
    deleted = MessageDeleted(at=at, message_id=message_id, room_id=room_id, by="", reason=reason)
    return NewEvent(message_id, version + 1, deleted)


def require_changeable(directory: Directory, message: MessageState, actor_id: str) -> None:
    """Raises `MessageNotFound`, `PermissionDenied`, `RoomAccessDenied`, `RoomArchivedError`."""
    room = readable_room(directory, message.room_id, actor_id)
    if message.deleted:
        raise MessageNotFound("The message has been deleted.")
    if actor_id != message.author_id and directory.user(actor_id).role != "administrator":
        raise PermissionDenied("Only the author or an administrator may change a message.")
    if room.archived:
        raise RoomArchivedError("The room is archived; its messages stay as they are.")


def _require_text(body: str) -> None:
    if not body or body.isspace():
        raise ValidationFailed("A message needs some text.", errors=[{"field": "body", "message": "is blank"}])


def _utf8_length(body: str) -> int:
    try:
        return len(body.encode())
    except UnicodeEncodeError as error:
        raise ValidationFailed(
            "The message holds half of a surrogate pair, which is not text.",
            errors=[{"field": "body", "message": "is not valid Unicode"}],
        ) from error


def _cut(body: str) -> str:
    """The longest run of whole graphemes within both limits; a single giant one is cut where it must be."""
    _utf8_length(body[: MAX_CHARACTERS + 1])
    characters = size = 0
    for match in _GRAPHEME.finditer(body, 0, MAX_CHARACTERS + 1):
        grapheme = match.group()
        characters_after, size_after = characters + len(grapheme), size + _utf8_length(grapheme)
        if characters_after > MAX_CHARACTERS or size_after > MAX_BYTES:
            break
        characters, size = characters_after, size_after
    return body[:characters] if characters else body[:MAX_CHARACTERS]
