"""Accounts, people, their sessions and devices."""

from campfire.domain import events as happened
from campfire.domain.public_view.audience import Audiences, to_everyone, to_user
from campfire.domain.public_view.views import View, Views


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


def _session_view(event: happened.SessionStarted | happened.SessionEnded) -> View:
    view: View = {"id": event.session_id, "user_id": event.user_id}
    if isinstance(event, happened.SessionEnded):
        view["reason"] = event.reason
    return view


def _push_subscribed_view(event: happened.PushSubscribed) -> View:
    return {"id": event.subscription_id, "session_id": event.session_id, "service": event.service}


VIEWS: Views = {
    happened.AccountCreated: lambda event: {"name": event.name},
    happened.AccountChanged: _account_changed_view,
    happened.AccountExported: lambda event: {"by": event.by},
    happened.LogoSet: lambda event: {"has_logo": event.digest is not None},
    happened.UserCreated: lambda event: {"id": event.user_id, "name": event.name, "role": event.role},
    happened.ProfileChanged: lambda event: {"id": event.user_id, "name": event.name, "bio": event.bio},
    happened.AvatarSet: lambda event: {"id": event.user_id, "has_avatar": event.digest is not None},
    happened.RoleChanged: lambda event: {"id": event.user_id, "role": event.role, "by": event.by},
    happened.UserDeactivated: _status_view,
    happened.UserReactivated: _status_view,
    happened.UserRemoved: _status_view,
    happened.UserBanned: _status_view,
    happened.SessionStarted: _session_view,
    happened.SessionEnded: _session_view,
    happened.PushSubscribed: _push_subscribed_view,
    happened.PushUnsubscribed: lambda event: {"id": event.subscription_id, "reason": event.reason},
}

AUDIENCES: Audiences = {
    happened.AccountCreated: to_everyone,
    happened.AccountChanged: to_everyone,
    happened.AccountExported: to_everyone,
    happened.LogoSet: to_everyone,
    happened.UserCreated: to_everyone,
    happened.ProfileChanged: to_everyone,
    happened.AvatarSet: to_everyone,
    happened.RoleChanged: to_everyone,
    happened.UserDeactivated: to_everyone,
    happened.UserReactivated: to_everyone,
    happened.UserRemoved: to_everyone,
    happened.UserBanned: to_everyone,
    happened.SessionStarted: to_user,
    happened.SessionEnded: to_user,
    happened.PushSubscribed: to_user,
    happened.PushUnsubscribed: to_user,
}
