"""Webhook endpoints, for administrators."""

from typing import Any

import msgspec
from aiohttp import web
from msgspec import UNSET

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.blocked_addresses import refuse_blocked_address
from campfire.api.keys import ENGINE
from campfire.api.routes import Route, answer, body_of, no_content, optional_body_of
from campfire.domain.errors import PermissionDenied
from campfire.domain.events import Condition, EndpointSettings, NewEvent
from campfire.domain.states import WebhookState
from campfire.domain.webhooks import (
    administered_webhook,
    decide_change_webhook,
    decide_create_webhook,
    decide_delete_webhook,
    decide_pause_webhook,
    decide_resume_webhook,
    decide_rotate_secret,
    decide_test_webhook,
)
from campfire.iso_times import iso_from_ms
from campfire.tokens import token_hash
from campfire.webhook_secrets import Signature, new_pull_key, new_signing_keys


async def create_webhook(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.CreateWebhook)
    webhook_id, pull_key = engine.new_id(), new_pull_key()
    keys = new_signing_keys(wanted.signature)
    sealed = engine.sealer.seal(keys.signs)

    def decide() -> list[NewEvent]:
        events = decide_create_webhook(
            engine.directory,
            webhook_id=webhook_id,
            url=wanted.url,
            events=wanted.events,
            rooms=wanted.rooms,
            filter_=_conditions(wanted.filter),
            settings=_merged(EndpointSettings(), wanted.settings),
            sealed_secret=sealed,
            public_key=keys.public_key,
            pull_key_hash=token_hash(pull_key),
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
        refuse_blocked_address(engine.settings, wanted.url)
        return events

    await engine.perform(decide)
    shown = msgspec.structs.asdict(_view(engine.directory.webhooks[webhook_id]))
    return answer(schemas.WebhookWithSecret(**shown, secret=keys.secret, pull_key=pull_key), 201)


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


async def change_webhook(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ChangeWebhook)
    webhook_id = request.match_info["webhook_id"]
    changes: dict[str, Any] = {
        "url": wanted.url,
        "events": wanted.events,
        "rooms": wanted.rooms,
        "filter_": wanted.filter if wanted.filter is UNSET else _conditions(wanted.filter),
    }

    def decide() -> list[NewEvent]:
        webhook = administered_webhook(engine.directory, webhook_id, actor.user_id)
        events = decide_change_webhook(
            engine.directory,
            webhook_id=webhook_id,
            settings=_merged(webhook.settings, wanted.settings),
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
            **{name: value for name, value in changes.items() if value is not UNSET},
        )
        if wanted.url is not UNSET:
            refuse_blocked_address(engine.settings, wanted.url)
        return events

    await engine.perform(decide)
    return await read_webhook(request)


async def pause_webhook(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    webhook_id = request.match_info["webhook_id"]
    await engine.perform(
        lambda: decide_pause_webhook(
            engine.directory, webhook_id=webhook_id, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return await read_webhook(request)


async def resume_webhook(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await optional_body_of(request, schemas.ResumeWebhook)
    webhook_id = request.match_info["webhook_id"]
    await engine.perform(
        lambda: decide_resume_webhook(
            engine.directory,
            webhook_id=webhook_id,
            catch_up=wanted.catch_up,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    return await read_webhook(request)


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
    wanted = await optional_body_of(request, schemas.RotateSecret)
    webhook_id, now = request.match_info["webhook_id"], engine.clock.now_ms()
    webhook = administered_webhook(engine.directory, webhook_id, actor.user_id)
    keys = new_signing_keys(wanted.signature or _signature_of(webhook))
    sealed = engine.sealer.seal(keys.signs)
    pull_key = new_pull_key() if wanted.pull_key else None
    grace_ms = wanted.grace_seconds * 1000
    await engine.perform(
        lambda: decide_rotate_secret(
            engine.directory,
            webhook_id=webhook_id,
            sealed_secret=sealed,
            public_key=keys.public_key,
            pull_key_hash=None if pull_key is None else token_hash(pull_key),
            grace_ms=grace_ms,
            actor_id=actor.user_id,
            at=now,
        )
    )
    rotated = schemas.NewSecret(
        id=webhook_id,
        secret=keys.secret,
        public_key=keys.public_key,
        pull_key=pull_key,
        previous_valid_until=iso_from_ms(now + grace_ms),
    )
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


def _conditions(wanted: list[schemas.FilterCondition]) -> list[Condition]:
    return [Condition(each.field, each.is_, each.value) for each in wanted]


def _merged(settings: EndpointSettings, wanted: schemas.ChangeSettings) -> EndpointSettings:
    said = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
    return msgspec.structs.replace(settings, **said)


def _signature_of(webhook: WebhookState) -> Signature:
    return "v1" if webhook.public_key is None else "v1a"


def _view(webhook: WebhookState) -> schemas.Webhook:
    return schemas.Webhook(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        rooms=None if webhook.rooms is None else list(webhook.rooms),
        filter=[schemas.FilterCondition(field=each.field, is_=each.is_, value=each.value) for each in webhook.filter],
        settings=schemas.WebhookSettings(**msgspec.structs.asdict(webhook.settings)),
        state=webhook.state,
        detail=webhook.detail,
        failing_since=None if webhook.failing_since is None else iso_from_ms(webhook.failing_since),
        signature=_signature_of(webhook),
        public_key=webhook.public_key,
        has_pull_key=webhook.pull_key_hash is not None,
        created_at=iso_from_ms(webhook.created_at),
        created_by=webhook.created_by,
    )


_WEBHOOK = "/api/v1/webhooks/{webhook_id}"
_ERRORS = ("PERMISSION_DENIED", "WEBHOOK_NOT_FOUND")

ROUTES = (
    Route(
        "POST",
        "/api/v1/webhooks",
        create_webhook,
        "Add a webhook; its secret and its pull key are shown this once",
        {201: schemas.WebhookWithSecret},
        body=schemas.CreateWebhook,
        errors=("PERMISSION_DENIED", "ROOM_NOT_FOUND", "ADDRESS_BLOCKED"),
    ),
    Route(
        "GET", "/api/v1/webhooks", list_webhooks, "All webhooks", {200: schemas.Webhooks}, errors=("PERMISSION_DENIED",)
    ),
    Route("GET", _WEBHOOK, read_webhook, "One webhook", {200: schemas.Webhook}, errors=_ERRORS),
    Route(
        "PATCH",
        _WEBHOOK,
        change_webhook,
        "Change what a webhook wants and how it is served, from here on",
        {200: schemas.Webhook},
        body=schemas.ChangeWebhook,
        errors=(*_ERRORS, "ROOM_NOT_FOUND", "ADDRESS_BLOCKED"),
    ),
    Route("DELETE", _WEBHOOK, delete_webhook, "Remove a webhook", {204: None}, errors=_ERRORS),
    Route(
        "POST",
        f"{_WEBHOOK}/pause",
        pause_webhook,
        "Send nothing to a webhook for now; what happens meanwhile waits",
        {200: schemas.Webhook},
        errors=_ERRORS,
    ),
    Route(
        "POST",
        f"{_WEBHOOK}/resume",
        resume_webhook,
        "Serve a paused or disabled webhook again",
        {200: schemas.Webhook},
        body=schemas.ResumeWebhook,
        body_optional=True,
        errors=_ERRORS,
    ),
    Route(
        "POST",
        f"{_WEBHOOK}/rotate-secret",
        rotate_secret,
        "Give a webhook a new secret, shown this once; the old one goes on signing for a day, or as long as you say",
        {200: schemas.NewSecret},
        body=schemas.RotateSecret,
        body_optional=True,
        errors=_ERRORS,
    ),
    Route(
        "POST",
        f"{_WEBHOOK}/test",
        test_webhook,
        "Send a test delivery",
        {202: schemas.Recorded},
        errors=_ERRORS,
    ),
)
