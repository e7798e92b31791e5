"""Messages in the shape of the API, as one reader sees them now."""

import asyncio
from collections.abc import Sequence
from urllib.parse import quote

from campfire.api import schemas
from campfire.domain.events import Attachment, LinkPreview
from campfire.domain.sounds import sound_of
from campfire.iso_times import iso_from_ms
from campfire.markdown import plain_text
from projections.queries.details import BoostRow, Details, MentionRow, ThreadRow, details_of
from projections.queries.messages import MessageRow
from projections.read_models import ReadModels

_BETWEEN_PAUSES = 20
"""Messages in a row; taking markup out of one can take a millisecond, and others are answered meanwhile."""


async def message_views(read_models: ReadModels, rows: Sequence[MessageRow], user_id: str) -> list[schemas.Message]:
    """These messages with all that belongs to them."""
    details = await details_of(read_models, [row.id for row in rows], user_id)
    views = []
    for number, row in enumerate(rows, 1):
        views.append(_view(row, details))
        if number % _BETWEEN_PAUSES == 0:
            await asyncio.sleep(0)
    return views


async def message_view(read_models: ReadModels, row: MessageRow, user_id: str) -> schemas.Message:
    """One message with all that belongs to it."""
    [view] = await message_views(read_models, [row], user_id)
    return view


def attachment_view(attachment: Attachment) -> schemas.Attachment:
    url = f"/api/v1/attachments/{attachment.id}"
    return schemas.Attachment(
        id=attachment.id,
        name=attachment.name,
        media_type=attachment.media_type,
        kind=attachment.kind,
        size=attachment.size,
        width=attachment.width,
        height=attachment.height,
        animated=attachment.animated,
        url=f"{url}/{quote(attachment.name, safe='')}",
        thumbnail_url=f"{url}/thumbnail" if attachment.kind == "image" else None,
    )


def link_preview_view(preview: LinkPreview) -> schemas.LinkPreview:
    image = preview.image
    return schemas.LinkPreview(
        id=preview.id,
        link=preview.link,
        url=preview.url,
        title=preview.title,
        description=preview.description,
        site_name=preview.site_name,
        image_url=None if image is None else f"/api/v1/link-previews/{preview.id}/image",
        image_width=None if image is None else image.width,
        image_height=None if image is None else image.height,
    )


def boost_view(boost: BoostRow) -> schemas.Boost:
    return schemas.Boost(
        id=boost.id,
        content=boost.content,
        booster=schemas.Author(id=boost.by, name=boost.by_name),
        created_at=iso_from_ms(boost.created_at),
    )


def _view(row: MessageRow, details: Details) -> schemas.Message:
    return schemas.Message(
        id=row.id,
        position=row.position,
        room_id=row.room_id,
        author=schemas.Author(id=row.author_id, name=row.author_name),
        body=row.body,
        plain_text=plain_text(row.body, details.mentions.get(row.id, ())),
        created_at=iso_from_ms(row.created_at),
        client_message_id=row.client_message_id,
        truncated=row.original_length is not None,
        original_length=row.original_length,
        edited_at=None if row.edited_at is None else iso_from_ms(row.edited_at),
        deleted_at=None if row.deleted_at is None else iso_from_ms(row.deleted_at),
        mentions=[_mention(each) for each in details.mentions.get(row.id, ())],
        reply_to=row.reply_to,
        thread_id=row.thread_id,
        thread=_thread(details.threads.get(row.id)),
        boosts=[boost_view(each) for each in details.boosts.get(row.id, ())],
        attachments=[attachment_view(each) for each in details.attachments.get(row.id, ())],
        link_previews=[link_preview_view(each) for each in details.link_previews.get(row.id, ())],
        pinned=row.pinned_at is not None,
        saved=row.id in details.saved,
        sound=sound_of(row.body),
    )


def _mention(mention: MentionRow) -> schemas.Mention:
    return schemas.Mention(user_id=mention.user_id, name=mention.name, start=mention.start, end=mention.end)


def _thread(thread: ThreadRow | None) -> schemas.ThreadSummary | None:
    if thread is None:
        return None
    return schemas.ThreadSummary(
        replies=thread.replies, unread=thread.unread, last_reply_at=iso_from_ms(thread.last_reply_at)
    )
