"""Webhooks and bots."""

from campfire.domain import events as happened
from campfire.domain.public_view.audience import Audience, Audiences, to_administrators, to_everyone
from campfire.domain.public_view.views import View, Views


def _webhook_created_view(event: happened.WebhookCreated) -> View:
    return {
        "id": event.webhook_id,
        "url": event.url,
        "events": list(event.events),
        "rooms": None if event.rooms is None else list(event.rooms),
        "by": event.by,
    }


def _webhook_view(event: happened.WebhookSecretRotated | happened.WebhookDeleted | happened.WebhookTested) -> View:
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
}

AUDIENCES: Audiences = {
    happened.WebhookCreated: to_administrators,
    happened.WebhookSecretRotated: to_administrators,
    happened.WebhookDeleted: to_administrators,
    happened.WebhookTested: to_administrators,
    happened.BotKeySet: to_administrators,
    happened.BotWebhookSet: to_administrators,
    happened.BotCommandsSet: to_everyone,
    happened.BotCalled: lambda event: Audience("user", event.bot_id),
}
