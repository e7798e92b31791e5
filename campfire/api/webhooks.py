"""Webhook endpoints, for administrators."""

import secrets
from base64 import b64encode

import msgspec
from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.blocked_addresses import refuse_blocked_address
from campfire.api.keys import ENGINE
from campfire.api.routes import Route, answer, body_of, no_content
from campfire.domain.errors import PermissionDenied
from campfire.domain.events import NewEvent
from campfire.domain.states import WebhookState
from campfire.domain.webhooks import (
    administered_webhook,
    decide_create_webhook,
    decide_delete_webhook,
    decide_rotate_secret,
    decide_test_webhook,
)
from campfire.iso_times import iso_from_ms

_GRACE_MS = 24 * 3_600_000
"""How long the old secret goes on signing after a rotation."""


async def create_webhook(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.CreateWebhook)
    webhook_id, secret = engine.new_id(), new_secret()
    sealed = engine.sealer.seal(secret)

    def decide() -> list[NewEvent]:
        events = decide_create_webhook(
            engine.directory,
            webhook_id=webhook_id,
            url=wanted.url,
            events=wanted.events,
            rooms=wanted.rooms,
            sealed_secret=sealed,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
        refuse_blocked_address(engine.settings, wanted.url)
        return events

    await engine.perform(decide)
    shown = _view(engine.directory.webhooks[webhook_id])
    return answer(schemas.WebhookWithSecret(**msgspec.structs.asdict(shown), secret=secret), 201)


async def list_webhooks(request: web.Request) -> web.Response:
    actor = authenticated(request)
    if not actor.is_administrator:
        raise PermissionDenied("Only administrators may manage webhooks.")
    webhooks = sorted(request.app[ENGINE].directory.webhooks.values(), key=lambda each: (each.created_at, each.id))
    return answer(schemas.Webhooks(webhooks=[_view(webhook) for webhook in webhooks]))


async def read_webhook(request: web.Request) -> web.Response:
    actor = authenticated(request)
    directory = request.app[ENGINE].directory
    return answer(_view(administered_webhook(directory, request.match_info["webhook_id"], actor.user_id)))


async def delete_webhook(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    webhook_id = request.match_info["webhook_id"]
    await engine.perform(
        lambda: decide_delete_webhook(
            engine.directory, webhook_id=webhook_id, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return no_content()


async def rotate_secret(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    webhook_id, secret, now = request.match_info["webhook_id"], new_secret(), engine.clock.now_ms()
    sealed = engine.sealer.seal(secret)
    await engine.perform(
        lambda: decide_rotate_secret(
            engine.directory,
            webhook_id=webhook_id,
            sealed_secret=sealed,
            grace_ms=_GRACE_MS,
            actor_id=actor.user_id,
            at=now,
        )
    )
    rotated = schemas.NewSecret(id=webhook_id, secret=secret, previous_valid_until=iso_from_ms(now + _GRACE_MS))
    return answer(rotated)


async def test_webhook(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    webhook_id = request.match_info["webhook_id"]
    [recorded] = await engine.perform(
        lambda: decide_test_webhook(
            engine.directory, webhook_id=webhook_id, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return answer(schemas.Recorded(position=recorded.position), 202)


def new_secret() -> str:
    """A signing secret as Standard Webhooks 1.0 writes it: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def _view(webhook: WebhookState) -> schemas.Webhook:
    return schemas.Webhook(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        rooms=None if webhook.rooms is None else list(webhook.rooms),
        created_at=iso_from_ms(webhook.created_at),
        created_by=webhook.created_by,
    )


_ERRORS = ("PERMISSION_DENIED", "WEBHOOK_NOT_FOUND")

ROUTES = (
    Route(
        "POST",
        "/api/v1/webhooks",
        create_webhook,
        "Add a webhook; its secret is shown this once",
        {201: schemas.WebhookWithSecret},
        body=schemas.CreateWebhook,
        errors=("PERMISSION_DENIED", "ROOM_NOT_FOUND", "ADDRESS_BLOCKED"),
    ),
    Route(
        "GET", "/api/v1/webhooks", list_webhooks, "All webhooks", {200: schemas.Webhooks}, errors=("PERMISSION_DENIED",)
    ),
    Route(
        "GET",
        "/api/v1/webhooks/{webhook_id}",
        read_webhook,
        "One webhook",
        {200: schemas.Webhook},
        errors=_ERRORS,
    ),
    Route("DELETE", "/api/v1/webhooks/{webhook_id}", delete_webhook, "Remove a webhook", {204: None}, errors=_ERRORS),
    Route(
        "POST",
        "/api/v1/webhooks/{webhook_id}/rotate-secret",
        rotate_secret,
        "Give a webhook a new secret; the old one goes on signing for a day",
        {200: schemas.NewSecret},
        errors=_ERRORS,
    ),
    Route(
        "POST",
        "/api/v1/webhooks/{webhook_id}/test",
        test_webhook,
        "Send a test delivery",
        {202: schemas.Recorded},
        errors=_ERRORS,
    ),
)
