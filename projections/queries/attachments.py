"""Files by id, by message, and those that nobody needs."""

from collections.abc import Collection, Sequence

import msgspec

from campfire.domain.events import Attachment
from campfire.domain.uploads import UploadState
from projections.read_models import ReadModels


class AttachmentRow(msgspec.Struct, frozen=True):
    """A file, who brought it, and the message that it is in."""

    attachment: Attachment
    user_id: str
    message_id: str | None
    room_id: str | None
    deleted: bool


_COLUMNS = """
id, digest, name, media_type, kind, size, width, height, animated, user_id, message_id, room_id, deleted_at
"""


async def by_ids(read_models: ReadModels, attachment_ids: Collection[str]) -> dict[str, AttachmentRow]:
    """Those of these files that there are, by id."""
    marks = ",".join("?" * len(attachment_ids))
    rows = await read_models.rows(f"SELECT {_COLUMNS} FROM attachments WHERE id IN ({marks})", tuple(attachment_ids))
    return {row[0]: _row(row) for row in rows}


async def uploads(read_models: ReadModels, attachment_ids: Sequence[str]) -> list[UploadState]:
    """What a decision to use these files needs, in this order; one that does not exist is left out."""
    found = await by_ids(read_models, attachment_ids) if attachment_ids else {}
    rows = [found[each] for each in attachment_ids if each in found]
    return [UploadState(row.attachment, row.user_id, row.message_id is not None) for row in rows]


async def of_messages(read_models: ReadModels, message_ids: Collection[str]) -> dict[str, list[Attachment]]:
    """The files of these messages, in their order."""
    marks = ",".join("?" * len(message_ids))
    rows = await read_models.rows(
        f"SELECT {_COLUMNS} FROM attachments INDEXED BY attachments_of_message"
        f" WHERE message_id IN ({marks}) AND deleted_at IS NULL ORDER BY message_id, position",
        tuple(message_ids),
    )
    found: dict[str, list[Attachment]] = {}
    for row in map(_row, rows):
        found.setdefault(row.message_id or "", []).append(row.attachment)
    return found


async def ids_of_messages(read_models: ReadModels, message_ids: Collection[str]) -> dict[str, list[str]]:
    """The files of these messages, deleted or not."""
    marks = ",".join("?" * len(message_ids))
    found: dict[str, list[str]] = {}
    for message_id, attachment_id in await read_models.rows(
        "SELECT message_id, id FROM attachments INDEXED BY attachments_of_message"
        f" WHERE message_id IN ({marks}) ORDER BY message_id, position",
        tuple(message_ids),
    ):
        found.setdefault(message_id, []).append(attachment_id)
    return found


async def unused_since(read_models: ReadModels, before: int, limit: int) -> list[str]:
    """Files that were brought before a time (milliseconds) and are in no message."""
    rows = await read_models.rows(
        "SELECT id FROM attachments INDEXED BY attachments_unused"
        " WHERE message_id IS NULL AND uploaded_at < ? ORDER BY uploaded_at LIMIT ?",
        (before, limit),
    )
    return [row[0] for row in rows]


async def needed_among(read_models: ReadModels, digests: Collection[str]) -> set[str]:
    """Which of these contents something still refers to."""
    marks, values = ",".join("?" * len(digests)), tuple(digests)
    rows = await read_models.rows(
        f"SELECT digest FROM attachments INDEXED BY attachments_of_digest WHERE digest IN ({marks})"
        f" UNION SELECT digest FROM link_previews INDEXED BY link_previews_of_digest WHERE digest IN ({marks})"
        f" UNION SELECT avatar FROM users WHERE avatar IN ({marks})"
        f" UNION SELECT logo FROM account WHERE logo IN ({marks})",
        values * 4,
    )
    return {row[0] for row in rows}


def _row(row: Sequence[object]) -> AttachmentRow:
    file = dict(zip(("id", "digest", "name", "media_type", "kind", "size", "width", "height"), row[:8], strict=True))
    attachment = msgspec.convert({**file, "animated": bool(row[8])}, Attachment)
    return msgspec.convert(
        {
            "attachment": attachment,
            "user_id": row[9],
            "message_id": row[10],
            "room_id": row[11],
            "deleted": row[12] is not None,
        },
        AttachmentRow,
    )
