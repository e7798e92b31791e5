"""Webhooks, bots and imports."""

from campfire.domain import events as happened
from campfire.domain.applying.appliers import Appliers
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent
from campfire.domain.states import BotState, ImportState, WebhookState
from campfire.domain.webhook_rotation import still_valid


def _webhook_created(directory: Directory, event: happened.WebhookCreated, recorded: RecordedEvent) -> None:
    directory.add_webhook(
        WebhookState(
            id=event.webhook_id,
            url=event.url,
            events=event.events,
            rooms=event.rooms,
            created_by=event.by,
            created_at=event.at,
            filter=event.filter,
            settings=event.settings,
            public_key=event.public_key,
            pull_key_hash=event.pull_key_hash,
            version=recorded.version,
        )
    )


def _webhook_secret_rotated(
    directory: Directory, event: happened.WebhookSecretRotated, recorded: RecordedEvent
) -> None:
    webhook = directory.webhooks[event.webhook_id]
    webhook.previous_valid_until = still_valid(webhook.previous_valid_until, event)
    webhook.public_key = event.public_key
    webhook.pull_key_hash = event.pull_key_hash or webhook.pull_key_hash
    webhook.version = recorded.version


def _webhook_changed(directory: Directory, event: happened.WebhookChanged, recorded: RecordedEvent) -> None:
    webhook = directory.webhooks[event.webhook_id]
    webhook.url, webhook.events, webhook.rooms = event.url, event.events, event.rooms
    webhook.filter, webhook.settings = event.filter, event.settings
    webhook.version = recorded.version


def _webhook_paused(directory: Directory, event: happened.WebhookPaused, recorded: RecordedEvent) -> None:
    webhook = directory.webhooks[event.webhook_id]
    webhook.state, webhook.detail, webhook.version = "paused", None, recorded.version


def _webhook_resumed(directory: Directory, event: happened.WebhookResumed, recorded: RecordedEvent) -> None:
    webhook = directory.webhooks[event.webhook_id]
    webhook.state, webhook.detail, webhook.version = "active", None, recorded.version


def _webhook_disabled(directory: Directory, event: happened.WebhookDisabled, recorded: RecordedEvent) -> None:
    webhook = directory.webhooks.get(event.webhook_id)
    if webhook is not None:  # as with every report of the outbox: it may have been deleted while that was on its way
        webhook.state, webhook.detail, webhook.version = "disabled", event.detail, recorded.version


def _webhook_failing(directory: Directory, event: happened.WebhookFailing, recorded: RecordedEvent) -> None:
    webhook = directory.webhooks.get(event.webhook_id)
    if webhook is not None:
        webhook.failing_since, webhook.version = event.since, recorded.version


def _webhook_recovered(directory: Directory, event: happened.WebhookRecovered, recorded: RecordedEvent) -> None:
    webhook = directory.webhooks.get(event.webhook_id)
    if webhook is not None:
        webhook.failing_since, webhook.version = None, recorded.version


def _webhook_cursor_moved(directory: Directory, event: happened.WebhookCursorMoved, recorded: RecordedEvent) -> None:
    directory.webhooks[event.webhook_id].version = recorded.version


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
    happened.WebhookChanged: _webhook_changed,
    happened.WebhookPaused: _webhook_paused,
    happened.WebhookResumed: _webhook_resumed,
    happened.WebhookDisabled: _webhook_disabled,
    happened.WebhookFailing: _webhook_failing,
    happened.WebhookRecovered: _webhook_recovered,
    happened.WebhookCursorMoved: _webhook_cursor_moved,
    happened.WebhookDeleted: _webhook_deleted,
    happened.BotKeySet: _bot_key_set,
    happened.BotWebhookSet: _bot_webhook_set,
    happened.BotCommandsSet: _bot_commands_set,
    happened.ImportProgressed: _import_progressed,
}
