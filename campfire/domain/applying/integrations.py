"""Webhooks and imports."""

from campfire.domain import events as happened
from campfire.domain.applying.appliers import Appliers
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent
from campfire.domain.states import ImportState, WebhookState


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


def _import_progressed(directory: Directory, event: happened.ImportProgressed, recorded: RecordedEvent) -> None:
    directory.imports[event.source] = ImportState(event.lines, event.digest, recorded.version)


APPLIERS: Appliers = {
    happened.WebhookCreated: _webhook_created,
    happened.WebhookSecretRotated: _webhook_secret_rotated,
    happened.WebhookTested: _webhook_tested,
    happened.WebhookDeleted: _webhook_deleted,
    happened.ImportProgressed: _import_progressed,
}
