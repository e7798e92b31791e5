"""What the outbox worker tells of webhooks: put on record, and said to the administrators."""

import asyncio
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from campfire import notices
from campfire.api.keys import ENGINE
from campfire.config import Settings
from campfire.domain.web_addresses import address_shown
from campfire.domain.webhook_reports import Report, decide_report


async def take_report(request: web.Request) -> web.Response:
    """Take one report. Handed over again, it is recorded once and said once.

    Raises `WebhookNotFound` if the webhook has been deleted meanwhile; then there is nothing to say.
    """
    engine = request.app[ENGINE]
    engine.read_side.require_for_decisions()
    report = msgspec.json.decode(await request.read(), type=Report)
    address = address_shown(engine.directory.webhook(report.webhook_id).url)
    stream = await asyncio.to_thread(engine.reader.read_stream, report.webhook_id)
    history = [recorded.event for recorded in stream]
    recorded = await engine.perform(lambda: decide_report(engine.directory, report, history))
    await notices.post(engine, notice_of(report, address, engine.settings), f"webhook-report/{report.id}")
    return web.Response(
        body=msgspec.json.encode({"position": engine.position, "duplicate": not recorded}),
        content_type="application/json",
    )


def notice_of(report: Report, address: str, settings: Settings) -> str:
    """What administrators are told, and what they can do. The address is written as code: nobody is to go there."""
    webhook, since = f"The webhook `{_as_code(address)}`", _moment(report.since)
    resume = f"`campfire-outbox endpoints resume {report.webhook_id}`"
    if report.kind == "failing":
        days = settings.webhook_disable_after_days
        end = f" After {days:g} days of nothing but failures it is disabled." if days else ""
        return (
            f"{webhook} has been failing since {since}. The last answer: {report.detail}."
            f" Deliveries wait and are tried again.{end} `campfire-outbox status` says more."
        )
    if report.kind == "disabled":
        failing = f" It has been failing since {since}." if report.since < report.at else ""
        return (
            f"{webhook} is disabled. {report.detail}{failing}"
            f" Nothing more is sent to it, and what waits is kept. When it can take deliveries again: {resume}"
        )
    return f"{webhook} takes deliveries again; it had been failing since {since}."


def _as_code(address: str) -> str:
    return address.replace("`", "%60")


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
