"""Notifications on one's devices: the server's key, and which devices want them."""

from urllib.parse import urlsplit

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated_person
from campfire.api.keys import ENGINE
from campfire.api.routes import Route, answer, body_of, no_content
from campfire.domain import ids
from campfire.domain.errors import ValidationFailed
from campfire.domain.push import Place, decide_make_key, decide_subscribe, decide_test_push, decide_unsubscribe
from campfire.domain.push_devices import PushSubscriptionState
from campfire.domain.web_addresses import require_usable_url
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.iso_times import iso_from_ms
from campfire.push_keys import Device, device_key, device_secret, new_key_pair
from outbox.address_guard import AddressBlocked, AddressGuard, is_numeric


async def read_key(request: web.Request) -> web.Response:
    authenticated_person(request)
    return answer(schemas.PushKey(key=await public_key(request.app[ENGINE])))


async def subscribe(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    engine = request.app[ENGINE]
    device = _usable(engine, await body_of(request, schemas.Subscribe))
    await public_key(engine)
    text = device.to_text()
    subscription_id = ids.push_subscription_id(actor.session_id)
    known = engine.directory.push.by_id.get(subscription_id)
    is_known = known is not None and _opened(engine, known) == text
    host = urlsplit(device.endpoint).hostname or ""
    place = Place(host, device.endpoint_hash, engine.sealer.seal(text))
    await engine.perform(
        lambda: decide_subscribe(
            engine.directory, session_id=actor.session_id, place=place, is_known=is_known, at=engine.clock.now_ms()
        )
    )
    subscribed = engine.directory.push.by_id.get(subscription_id)
    if subscribed is None:  # signed out at the same moment
        raise CampfireError("SESSION_EXPIRED")
    return answer(_view(subscribed, actor.session_id), 200)


async def list_devices(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    devices = request.app[ENGINE].directory.push.of(actor.user_id)
    return answer(schemas.PushDevices(push_subscriptions=[_view(device, actor.session_id) for device in devices]))


async def unsubscribe(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    engine = request.app[ENGINE]
    subscription_id = request.match_info["subscription_id"]
    await engine.perform(
        lambda: decide_unsubscribe(
            engine.directory, subscription_id=subscription_id, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return no_content()


async def test_device(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    engine = request.app[ENGINE]
    subscription_id = request.match_info["subscription_id"]
    [recorded] = await engine.perform(
        lambda: decide_test_push(
            engine.directory, subscription_id=subscription_id, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return answer(schemas.Recorded(position=recorded.position), 202)


async def public_key(engine: Engine) -> str:
    """The server's public key towards push services, made at first need."""
    if engine.directory.push.key is None:
        public, private = new_key_pair()
        sealed = engine.sealer.seal(private)
        await engine.perform(
            lambda: decide_make_key(
                engine.directory, public_key=public, sealed_private_key=sealed, at=engine.clock.now_ms()
            )
        )
    key = engine.directory.push.key
    assert key is not None
    return key.public_key


def _opened(engine: Engine, device: PushSubscriptionState) -> str | None:
    """What is sealed of a device; None if it cannot be opened here, and must be replaced."""
    try:
        return engine.sealer.open(device.sealed)
    except CampfireError:
        return None


def _usable(engine: Engine, wanted: schemas.Subscribe) -> Device:
    """Raises `ValidationFailed`, and `ADDRESS_BLOCKED` for an address in numbers that is not to be reached."""
    require_usable_url(wanted.endpoint, "endpoint")
    _require_secure_or_allowed(engine, wanted.endpoint)
    try:
        return Device(wanted.endpoint, device_key(wanted.keys.p256dh), device_secret(wanted.keys.auth))
    except ValueError as error:
        raise _refused("keys", f"cannot be used: {error}") from error


def _require_secure_or_allowed(engine: Engine, endpoint: str) -> None:
    """Push services speak TLS (RFC 8030, section 8); without it only where an administrator opened it."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    guard = AddressGuard(engine.settings.webhook_allow, engine.settings.own_ports)
    if not is_numeric(host):
        if parts.scheme != "https" and not guard.is_allowed_name(host):
            raise _refused("endpoint", "must begin with https://")
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        guard.check(host, port)
    except AddressBlocked as error:
        raise CampfireError("ADDRESS_BLOCKED", f"{error}.") from error
    if parts.scheme != "https" and not guard.is_allowed_inside(host):
        raise _refused("endpoint", "must begin with https://")


def _refused(field: str, message: str) -> ValidationFailed:
    return ValidationFailed(f"{field} {message}.", errors=[{"field": field, "message": message}])


def _view(device: PushSubscriptionState, session_id: str) -> schemas.PushDevice:
    return schemas.PushDevice(
        id=device.id,
        service=device.service,
        created_at=iso_from_ms(device.subscribed_at),
        user_agent=device.user_agent,
        current=device.session_id == session_id,
    )


_DEVICES = "/api/v1/me/push-subscriptions"
_DEVICE = f"{_DEVICES}/{{subscription_id}}"
_ERRORS = ("PUSH_SUBSCRIPTION_NOT_FOUND", "PERMISSION_DENIED")

ROUTES = (
    Route(
        "GET", "/api/v1/push/key", read_key, "The key that browsers subscribe to pushes with", {200: schemas.PushKey}
    ),
    Route(
        "PUT",
        _DEVICES,
        subscribe,
        "Notify me on this device, until its session ends",
        {200: schemas.PushDevice},
        body=schemas.Subscribe,
        errors=("ADDRESS_BLOCKED", "PERMISSION_DENIED"),
    ),
    Route("GET", _DEVICES, list_devices, "My devices that are notified", {200: schemas.PushDevices}),
    Route("DELETE", _DEVICE, unsubscribe, "Notify me there no more", {204: None}, errors=_ERRORS),
    Route(
        "POST",
        f"{_DEVICE}/test",
        test_device,
        "Send a test notification to a device of mine",
        {202: schemas.Recorded},
        errors=_ERRORS,
    ),
)
