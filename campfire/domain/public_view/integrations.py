"""Webhooks and bots."""

import msgspec

from campfire.domain import events as happened
from campfire.domain.public_view.audience import Audience, Audiences, to_administrators, to_everyone
from campfire.domain.public_view.views import View, Views
from campfire.iso_times import iso_from_ms


def _webhook_wanted_view(event: happened.WebhookCreated | happened.WebhookChanged) -> View:
    return {
        "id": event.webhook_id,
        "url": event.url,
        "events": list(event.events),
        "rooms": None if event.rooms is None else list(event.rooms),
        "filter": msgspec.to_builtins(event.filter),
        "settings": {
            "timeout": event.settings.timeout,
            "rate": event.settings.rate,
            "concurrency": event.settings.concurrency,
            "ordering": event.settings.ordering,
            "catch_up": event.settings.catch_up,
        },
        "by": event.by,
    }


_ByAnAdministrator = (
    happened.WebhookSecretRotated
    | happened.WebhookDeleted
    | happened.WebhookTested
    | happened.WebhookPaused
    | happened.WebhookResumed
)


def _webhook_view(event: _ByAnAdministrator) -> View:
    return {"id": event.webhook_id, "by": event.by}


def _bot_called_view(event: happened.BotCalled) -> View:
    return {
        "bot_id": event.bot_id,
        "message_id": event.message_id,
        "room_id": event.room_id,
        "user": {"id": event.user_id, "name": event.user_name},
        "command": event.command,
    }


VIEWS: Views = {
    happened.WebhookCreated: _webhook_wanted_view,
    happened.WebhookChanged: _webhook_wanted_view,
    happened.WebhookPaused: _webhook_view,
    happened.WebhookResumed: _webhook_view,
    happened.WebhookDisabled: lambda event: {
        "id": event.webhook_id,
        "reason": event.reason,
        "detail": event.detail,
    },
    happened.WebhookFailing: lambda event: {
        "id": event.webhook_id,
        "since": iso_from_ms(event.since),
        "detail": event.detail,
    },
    happened.WebhookRecovered: lambda event: {"id": event.webhook_id, "since": iso_from_ms(event.since)},
    happened.WebhookCursorMoved: lambda event: {
        "id": event.webhook_id,
        "after": event.after,
        "until": event.until,
        "by": event.by,
    },
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
}

AUDIENCES: Audiences = {
    happened.WebhookCreated: to_administrators,
    happened.WebhookSecretRotated: to_administrators,
    happened.WebhookDeleted: to_administrators,
    happened.WebhookTested: to_administrators,
    happened.WebhookChanged: to_administrators,
    happened.WebhookPaused: to_administrators,
    happened.WebhookResumed: to_administrators,
    happened.WebhookDisabled: to_administrators,
    happened.WebhookFailing: to_administrators,
    happened.WebhookRecovered: to_administrators,
    happened.WebhookCursorMoved: to_administrators,
    happened.BotKeySet: to_administrators,
    happened.BotWebhookSet: to_administrators,
    happened.BotCommandsSet: to_everyone,
    happened.BotCalled: lambda event: Audience("user", event.bot_id),
}
