"""What of an event may be seen, and by whom. The feed and webhooks show the same view.

Written out event by event: a field that is not named here never leaves the server.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Event
from campfire.iso_times import iso_from_ms

View = dict[str, Any]
AudienceKind = Literal["room", "everyone", "administrators", "user", "nobody"]


class Audience(msgspec.Struct, frozen=True):
    """Who may see an event. `id` is the room's or the user's; `also_user` sees it also from outside the room."""

    kind: AudienceKind
    id: str | None = None
    also_user: str | None = None


NOBODY = Audience("nobody")
EVERYONE = Audience("everyone")
ADMINISTRATORS = Audience("administrators")


def public_view(event: Event) -> View | None:
    """The part of an event that clients and webhook receivers see; None for private facts."""
    view = _VIEWS.get(type(event))
    return None if view is None else view(event)


def audience_of(event: Event) -> Audience:
    """Who may see `public_view(event)`."""
    audience = _AUDIENCES.get(type(event))
    return NOBODY if audience is None else audience(event)


def posted_view(event: happened.MessagePosted) -> View:
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


def _pin_view(
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


def _room_created_view(event: happened.RoomCreated) -> View:
    return {
        "id": event.room_id,
        "name": event.name,
        "kind": event.kind,
        "created_by": event.created_by,
        "created_at": iso_from_ms(event.at),
        "members": list(event.members),
    }


def _member_view(event: happened.MemberAdded | happened.MemberRemoved) -> View:
    return {"room_id": event.room_id, "user_id": event.user_id, "by": event.by}


def _webhook_created_view(event: happened.WebhookCreated) -> View:
    return {
        "id": event.webhook_id,
        "url": event.url,
        "events": list(event.events),
        "rooms": None if event.rooms is None else list(event.rooms),
        "by": event.by,
    }


def _session_view(event: happened.SessionStarted | happened.SessionEnded) -> View:
    view: View = {"id": event.session_id, "user_id": event.user_id}
    if isinstance(event, happened.SessionEnded):
        view["reason"] = event.reason
    return view


def _webhook_view(event: happened.WebhookSecretRotated | happened.WebhookDeleted | happened.WebhookTested) -> View:
    return {"id": event.webhook_id, "by": event.by}


def _push_subscribed_view(event: happened.PushSubscribed) -> View:
    return {"id": event.subscription_id, "session_id": event.session_id, "service": event.service}


def _account_changed_view(event: happened.AccountChanged) -> View:
    changes = {
        "name": event.name,
        "custom_styles": event.custom_styles,
        "rooms_by_administrators_only": event.rooms_by_administrators_only,
        "retention_days": event.retention_days,
    }
    return {name: value for name, value in changes.items() if value is not None}


def _status_view(
    event: happened.UserDeactivated | happened.UserReactivated | happened.UserRemoved | happened.UserBanned,
) -> View:
    return {"id": event.user_id, "by": event.by}


def _bot_called_view(event: happened.BotCalled) -> View:
    return {
        "bot_id": event.bot_id,
        "message_id": event.message_id,
        "room_id": event.room_id,
        "user": {"id": event.user_id, "name": event.user_name},
        "command": event.command,
    }


_VIEWS: dict[type[Event], Callable[[Any], View]] = {
    happened.AccountCreated: lambda event: {"name": event.name},
    happened.UserCreated: lambda event: {"id": event.user_id, "name": event.name, "role": event.role},
    happened.AccountChanged: _account_changed_view,
    happened.AccountExported: lambda event: {"by": event.by},
    happened.ProfileChanged: lambda event: {"id": event.user_id, "name": event.name, "bio": event.bio},
    happened.AvatarSet: lambda event: {"id": event.user_id, "has_avatar": event.digest is not None},
    happened.LogoSet: lambda event: {"has_logo": event.digest is not None},
    happened.RoleChanged: lambda event: {"id": event.user_id, "role": event.role, "by": event.by},
    happened.UserDeactivated: _status_view,
    happened.UserReactivated: _status_view,
    happened.UserRemoved: _status_view,
    happened.UserBanned: _status_view,
    happened.NicknameChanged: lambda event: {
        "room_id": event.room_id,
        "user_id": event.user_id,
        "new_user_id": event.new_user_id,
    },
    happened.SessionStarted: _session_view,
    happened.SessionEnded: _session_view,
    happened.RoomCreated: _room_created_view,
    happened.RoomRenamed: lambda event: {"id": event.room_id, "name": event.name, "by": event.by},
    happened.RoomArchived: lambda event: {"id": event.room_id, "by": event.by},
    happened.RoomReopened: lambda event: {"id": event.room_id, "by": event.by},
    happened.RoomKindChanged: lambda event: {"id": event.room_id, "kind": event.kind, "by": event.by},
    happened.MemberAdded: _member_view,
    happened.MemberRemoved: _member_view,
    happened.InvolvementSet: lambda event: {"room_id": event.room_id, "involvement": event.involvement},
    happened.MessagePosted: posted_view,
    happened.MessageEdited: _edited_view,
    happened.MessageDeleted: _deleted_view,
    happened.MessagePreviewed: _previewed_view,
    happened.MessagePreviewsRemoved: _pin_view,
    happened.MessagePinned: _pin_view,
    happened.MessageUnpinned: _pin_view,
    happened.MessageSaved: _saved_view,
    happened.MessageUnsaved: _saved_view,
    happened.BoostAdded: _boost_added_view,
    happened.BoostRemoved: _boost_removed_view,
    happened.ThreadRead: _thread_read_view,
    happened.ReadPositionMoved: lambda event: {
        "room_id": event.room_id,
        "user_id": event.user_id,
        "position": event.position,
    },
    happened.WebhookCreated: _webhook_created_view,
    happened.WebhookSecretRotated: _webhook_view,
    happened.WebhookDeleted: _webhook_view,
    happened.WebhookTested: _webhook_view,
    happened.BotKeySet: lambda event: {"id": event.bot_id, "by": event.by},
    happened.BotWebhookSet: lambda event: {"id": event.bot_id, "by": event.by, "url": event.url},
    happened.BotCommandsSet: lambda event: {
        "id": event.bot_id,
        "by": event.by,
        "commands": [{"name": each.name, "description": each.description} for each in event.commands],
    },
    happened.BotCalled: _bot_called_view,
    happened.PushSubscribed: _push_subscribed_view,
    happened.PushUnsubscribed: lambda event: {"id": event.subscription_id, "reason": event.reason},
}


def _of_room(event: Any) -> Audience:
    return Audience("room", event.room_id)


def _of_members(event: Any) -> Audience:
    return Audience("room", event.room_id, also_user=event.user_id)


def _of_user(event: Any) -> Audience:
    return Audience("user", event.user_id)


_AUDIENCES: dict[type[Event], Callable[[Any], Audience]] = {
    happened.AccountCreated: lambda _: EVERYONE,
    happened.AccountChanged: lambda _: EVERYONE,
    happened.AccountExported: lambda _: EVERYONE,
    happened.UserCreated: lambda _: EVERYONE,
    happened.ProfileChanged: lambda _: EVERYONE,
    happened.AvatarSet: lambda _: EVERYONE,
    happened.LogoSet: lambda _: EVERYONE,
    happened.RoleChanged: lambda _: EVERYONE,
    happened.UserDeactivated: lambda _: EVERYONE,
    happened.UserReactivated: lambda _: EVERYONE,
    happened.UserRemoved: lambda _: EVERYONE,
    happened.UserBanned: lambda _: EVERYONE,
    happened.NicknameChanged: _of_room,
    happened.SessionStarted: _of_user,
    happened.SessionEnded: _of_user,
    happened.RoomCreated: _of_room,
    happened.RoomRenamed: _of_room,
    happened.RoomArchived: _of_room,
    happened.RoomReopened: _of_room,
    happened.RoomKindChanged: _of_room,
    happened.MemberAdded: _of_members,
    happened.MemberRemoved: _of_members,
    happened.InvolvementSet: _of_user,
    happened.MessagePosted: _of_room,
    happened.MessageEdited: _of_room,
    happened.MessageDeleted: _of_room,
    happened.MessagePreviewed: _of_room,
    happened.MessagePreviewsRemoved: _of_room,
    happened.MessagePinned: _of_room,
    happened.MessageUnpinned: _of_room,
    happened.MessageSaved: _of_user,
    happened.MessageUnsaved: _of_user,
    happened.BoostAdded: _of_room,
    happened.BoostRemoved: _of_room,
    happened.ThreadRead: _of_user,
    happened.ReadPositionMoved: _of_user,
    happened.WebhookCreated: lambda _: ADMINISTRATORS,
    happened.WebhookSecretRotated: lambda _: ADMINISTRATORS,
    happened.WebhookDeleted: lambda _: ADMINISTRATORS,
    happened.WebhookTested: lambda _: ADMINISTRATORS,
    happened.BotKeySet: lambda _: ADMINISTRATORS,
    happened.BotWebhookSet: lambda _: ADMINISTRATORS,
    happened.BotCommandsSet: lambda _: EVERYONE,
    happened.BotCalled: lambda event: Audience("user", event.bot_id),
    happened.PushSubscribed: _of_user,
    happened.PushUnsubscribed: _of_user,
}
