"""Webhooks, bots and imports."""

from campfire.domain import events as happened
from campfire.domain.applying.appliers import Appliers
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent
from campfire.domain.states import BotState, ImportState, WebhookState


def _webhook_created(directory: Directory, event: happened.WebhookCreated, recorded: RecordedEvent) -> None:
    directory.add_webhook(
        WebhookState(
            id=event.webhook_id,
            url=event.url,
            events=event.events,
            rooms=event.rooms,
            sealed_secret=event.sealed_secret,
            created_by=event.by,
            created_at=event.at,
            version=recorded.version,
        )
    )


def _webhook_secret_rotated(
    directory: Directory, event: happened.WebhookSecretRotated, recorded: RecordedEvent
) -> None:
    webhook = directory.webhooks[event.webhook_id]
    webhook.previous_sealed_secret = webhook.sealed_secret
    webhook.previous_valid_until = event.previous_valid_until
    webhook.sealed_secret = event.sealed_secret
    webhook.version = recorded.version


def _webhook_tested(directory: Directory, event: happened.WebhookTested, recorded: RecordedEvent) -> None:
    webhook = directory.webhooks.get(event.webhook_id)
    if webhook is not None:  # it may have been deleted while the test was being asked for
        webhook.version = recorded.version


def _webhook_deleted(directory: Directory, event: happened.WebhookDeleted, _: RecordedEvent) -> None:
    directory.webhooks.pop(event.webhook_id, None)


def _bot_key_set(directory: Directory, event: happened.BotKeySet, recorded: RecordedEvent) -> None:
    directory.set_bot_key(_bot(directory, event.bot_id, recorded), event.token_hash, event.sealed_token)


def _bot_webhook_set(directory: Directory, event: happened.BotWebhookSet, recorded: RecordedEvent) -> None:
    _bot(directory, event.bot_id, recorded).webhook_url = event.url


def _bot_commands_set(directory: Directory, event: happened.BotCommandsSet, recorded: RecordedEvent) -> None:
    _bot(directory, event.bot_id, recorded).commands = event.commands


def _bot(directory: Directory, bot_id: str, recorded: RecordedEvent) -> BotState:
    """The bot's own state, whose events are on the stream of the user that it is."""
    directory.users[bot_id].version = recorded.version
    if bot_id not in directory.bots:
        directory.add_bot(BotState(bot_id))
    return directory.bots[bot_id]


def _import_progressed(directory: Directory, event: happened.ImportProgressed, recorded: RecordedEvent) -> None:
    directory.imports[event.source] = ImportState(event.lines, event.digest, recorded.version)


APPLIERS: Appliers = {
    happened.WebhookCreated: _webhook_created,
    happened.WebhookSecretRotated: _webhook_secret_rotated,
    happened.WebhookTested: _webhook_tested,
    happened.WebhookDeleted: _webhook_deleted,
    happened.BotKeySet: _bot_key_set,
    happened.BotWebhookSet: _bot_webhook_set,
    happened.BotCommandsSet: _bot_commands_set,
    happened.ImportProgressed: _import_progressed,
}
