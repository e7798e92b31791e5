"""What the outbox worker tells of webhooks, and what that means for them."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from campfire.domain.directory import Directory
from campfire.domain.events import Event, NewEvent, WebhookDisabled, WebhookFailing, WebhookRecovered
from campfire.domain.events.webhooks import DisabledFor

ReportKind = Literal["failing", "disabled", "recovered"]


class Report(msgspec.Struct, frozen=True):
    """One thing that the worker has found. Times in milliseconds: `since` of the outage, `at` when it was found.

    `reason` is of disabled; `detail` is the last failure of failing, and a sentence of the others.
    """

    id: str
    webhook_id: str
    kind: ReportKind
    reason: DisabledFor | None
    since: int
    at: int
    detail: str


def decide_report(directory: Directory, report: Report, history: Sequence[Event]) -> list[NewEvent]:
    """Put a report on record, once: `history` is the webhook's own, in which a repeat is found.

    Not by its state alone: who resumed it meanwhile is not to see it disabled by the same report again.
    Raises `WebhookNotFound`: it may have been deleted while the report was on its way.
    """
    webhook = directory.webhook(report.webhook_id)
    event = _event(report)
    if event in history or (report.kind == "disabled" and webhook.state == "disabled"):
        return []
    return [NewEvent(webhook.id, webhook.version + 1, event)]


def _event(report: Report) -> Event:
    if report.kind == "failing":
        return WebhookFailing(at=report.at, webhook_id=report.webhook_id, since=report.since, detail=report.detail)
    if report.kind == "recovered":
        return WebhookRecovered(at=report.at, webhook_id=report.webhook_id, since=report.since)
    return WebhookDisabled(
        at=report.at, webhook_id=report.webhook_id, reason=report.reason or "failing", detail=report.detail
    )
