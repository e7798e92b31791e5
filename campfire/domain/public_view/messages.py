"""Messages, and what becomes of them."""

from campfire.domain import events as happened
from campfire.domain.public_view.audience import Audiences, to_room, to_user
from campfire.domain.public_view.views import View, Views
from campfire.iso_times import iso_from_ms


def _posted_view(event: happened.MessagePosted) -> View:
    """A message as it was posted."""
    view: View = {
        "id": event.message_id,
        "room_id": event.room_id,
        "author": {"id": event.author_id, "name": event.author_name},
        "body": event.body,
        "created_at": iso_from_ms(event.at),
        "client_message_id": event.client_message_id,
        "truncated": event.original_length is not None,
    }
    if event.original_length is not None:
        view["original_length"] = event.original_length
    if event.mentions:
        view["mentions"] = _mentions(event.mentions)
    if event.reply_to is not None:
        view |= {"reply_to": event.reply_to, "thread_id": event.thread_id}
    if event.attachments:
        view["attachments"] = [_attachment(each) for each in event.attachments]
    return view


def _attachment(attachment: happened.Attachment) -> View:
    view: View = {
        "id": attachment.id,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "kind": attachment.kind,
        "size": attachment.size,
    }
    if attachment.width is not None:
        view |= {"width": attachment.width, "height": attachment.height, "animated": attachment.animated}
    return view


def _edited_view(event: happened.MessageEdited) -> View:
    return {
        "id": event.message_id,
        "room_id": event.room_id,
        "by": event.by,
        "body": event.body,
        "edited_at": iso_from_ms(event.at),
        "truncated": event.original_length is not None,
        "mentions": _mentions(event.mentions),
    }


def _mentions(mentions: tuple[happened.Mention, ...]) -> list[View]:
    return [{"user_id": each.user_id, "start": each.start, "end": each.end} for each in mentions]


def _deleted_view(event: happened.MessageDeleted) -> View:
    return {
        "id": event.message_id,
        "room_id": event.room_id,
        "by": event.by,
        "reason": event.reason,
        "deleted_at": iso_from_ms(event.at),
    }


def _previewed_view(event: happened.MessagePreviewed) -> View:
    return {
        "id": event.message_id,
        "room_id": event.room_id,
        "link_previews": [_link_preview(each) for each in event.previews],
    }


def _link_preview(preview: happened.LinkPreview) -> View:
    view: View = {
        "id": preview.id,
        "link": preview.link,
        "url": preview.url,
        "title": preview.title,
        "description": preview.description,
        "site_name": preview.site_name,
        "has_image": preview.image is not None,
    }
    if preview.image is not None:
        view |= {"image_width": preview.image.width, "image_height": preview.image.height}
    return view


def _by_whom_view(
    event: happened.MessagePinned | happened.MessageUnpinned | happened.MessagePreviewsRemoved,
) -> View:
    return {"id": event.message_id, "room_id": event.room_id, "by": event.by}


def _saved_view(event: happened.MessageSaved | happened.MessageUnsaved) -> View:
    return {"id": event.message_id, "room_id": event.room_id}


def _boost_added_view(event: happened.BoostAdded) -> View:
    return {
        "id": event.boost_id,
        "message_id": event.message_id,
        "room_id": event.room_id,
        "booster": {"id": event.by, "name": event.by_name},
        "content": event.content,
        "created_at": iso_from_ms(event.at),
    }


def _boost_removed_view(event: happened.BoostRemoved) -> View:
    return {"id": event.boost_id, "message_id": event.message_id, "room_id": event.room_id, "by": event.by}


def _thread_read_view(event: happened.ThreadRead) -> View:
    return {"thread_id": event.thread_id, "room_id": event.room_id, "position": event.position}


VIEWS: Views = {
    happened.MessagePosted: _posted_view,
    happened.MessageEdited: _edited_view,
    happened.MessageDeleted: _deleted_view,
    happened.MessagePreviewed: _previewed_view,
    happened.MessagePreviewsRemoved: _by_whom_view,
    happened.MessagePinned: _by_whom_view,
    happened.MessageUnpinned: _by_whom_view,
    happened.MessageSaved: _saved_view,
    happened.MessageUnsaved: _saved_view,
    happened.BoostAdded: _boost_added_view,
    happened.BoostRemoved: _boost_removed_view,
    happened.ThreadRead: _thread_read_view,
}

AUDIENCES: Audiences = {
    happened.MessagePosted: to_room,
    happened.MessageEdited: to_room,
    happened.MessageDeleted: to_room,
    happened.MessagePreviewed: to_room,
    happened.MessagePreviewsRemoved: to_room,
    happened.MessagePinned: to_room,
    happened.MessageUnpinned: to_room,
    happened.MessageSaved: to_user,
    happened.MessageUnsaved: to_user,
    happened.BoostAdded: to_room,
    happened.BoostRemoved: to_room,
    happened.ThreadRead: to_user,
}
