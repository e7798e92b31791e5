"""Health: each check looks at the real thing, and can be red."""

import asyncio
import shutil

from aiohttp import web

from campfire.api import schemas
from campfire.api.keys import ENGINE, HUB
from campfire.api.routes import Route, answer
from campfire.engine import Engine
from campfire.errors import CampfireError
from outbox.push.queries import push_alarms
from outbox.status import EndpointStatus, outbox_status

_DISK_FLOOR_BYTES = 64 * 1024 * 1024
_OUTBOX_LAG = 1_000
"""Events behind at which the outbox counts as degraded."""

NEEDED_TO_SERVE = ("log", "read_models", "disk")


async def alive(_request: web.Request) -> web.Response:
    return answer(schemas.Alive())


async def up(request: web.Request) -> web.Response:
    return await alive(request)


async def ready(request: web.Request) -> web.Response:
    health = await _health(request)
    return answer(health, 503 if health.status == "unavailable" else 200)


async def health(request: web.Request) -> web.Response:
    found = await _health(request)
    return answer(found, 503 if found.status == "unavailable" else 200)


async def _health(request: web.Request) -> schemas.Health:
    engine, hub = request.app[ENGINE], request.app[HUB]
    checks = {
        "log": _log(engine),
        "read_models": _read_models(engine),
        "search": _search(engine),
        "disk": await asyncio.to_thread(_disk, engine),
        "outbox": await asyncio.to_thread(_outbox, engine),
        "feed": schemas.Check(ok=not hub.is_alarmed, detail=_feed_detail(hub.connections, hub.alarms)),
        "server": schemas.Check(ok=not hub.closing, detail="stopping" if hub.closing else "running"),
    }
    broken = [name for name, check in checks.items() if not check.ok]
    cannot_serve = hub.closing or any(name in NEEDED_TO_SERVE for name in broken)
    return schemas.Health(
        status="unavailable" if cannot_serve else "degraded" if broken else "ok",
        position=engine.position,
        checks=checks,
    )


def _log(engine: Engine) -> schemas.Check:
    state = engine.health()
    if state.write_error is not None:
        return schemas.Check(ok=False, detail=f"the last write failed: {state.write_error}; reading goes on")
    if state.waiting >= state.capacity:
        return schemas.Check(ok=False, detail=f"the queue is full with {state.waiting} events")
    return schemas.Check(ok=True, detail=f"{state.waiting} of {state.capacity} events waiting")


def _read_models(engine: Engine) -> schemas.Check:
    read_side = engine.read_side
    if read_side.is_behind:
        return schemas.Check(ok=False, detail="campfire.db cannot be written; see the server's log")
    stalled = [
        f"{each.projection} stopped at position {each.position}: {each.error}"
        for each in read_side.stalled.values()
        if each.projection != "search"
    ]
    if stalled:
        return schemas.Check(ok=False, detail="; ".join(stalled))
    outdated = [name for name in read_side.outdated if name != "search"]
    if outdated:
        return schemas.Check(ok=False, detail=f"being rebuilt: {', '.join(outdated)}")
    return schemas.Check(ok=True, detail="current")


def _search(engine: Engine) -> schemas.Check:
    stalled = engine.read_side.stalled.get("search")
    if stalled is not None:
        return schemas.Check(ok=False, detail=f"stopped at position {stalled.position}: {stalled.error}")
    if "search" in engine.read_side.outdated:
        return schemas.Check(ok=False, detail="being rebuilt")
    return schemas.Check(ok=True, detail="current")


def _disk(engine: Engine) -> schemas.Check:
    free = shutil.disk_usage(engine.settings.data).free
    return schemas.Check(ok=free > _DISK_FLOOR_BYTES, detail=f"{free // 1_048_576} MiB free")


def _outbox(engine: Engine) -> schemas.Check:
    try:
        status = outbox_status(
            engine.settings.outbox_path,
            engine.clock.now_ms(),
            breaker_ms=round(engine.settings.webhook_breaker_seconds * 1000),
            totals=False,
        )
        alarms = push_alarms(engine.settings.outbox_path)
    except CampfireError as error:
        return schemas.Check(ok=False, detail=f"{error.detail} {error.kind.advice}")
    if status is None:
        needed = bool(engine.directory.webhooks or engine.directory.push.by_id)
        return schemas.Check(ok=not needed, detail="the worker has not run yet")
    lag = engine.position - status.position
    waiting = status.pending + status.queued
    detail = f"{lag} events behind, {waiting} deliveries waiting, {status.dead} dead letters"
    detail = "; ".join([detail, *_troubled(status.endpoints)])
    if not status.worker_alive:
        return schemas.Check(ok=False, detail=f"the worker is not running; {detail}")
    return schemas.Check(ok=lag < _OUTBOX_LAG and not alarms, detail="; ".join([*alarms, detail]))


def _troubled(endpoints: list[EndpointStatus]) -> list[str]:
    """How many endpoints are not sent to, and why. Their receivers' trouble, not the server's: it stays well.

    No addresses: anybody may ask for health.
    """
    resting = sum(1 for each in endpoints if each.breaker != "closed" and each.state == "active")
    disabled = sum(1 for each in endpoints if each.state == "disabled")
    return [
        f"{count} endpoints {what}"
        for count, what in ((resting, "rest after failures"), (disabled, "are disabled"))
        if count
    ]


def _feed_detail(connections: int, alarms: int) -> str:
    if alarms:
        return f"{connections} connections; {alarms} clients held a position ahead of the log: history was lost"
    return f"{connections} connections"


ROUTES = (
    Route(
        "GET",
        "/up",
        up,
        "The same as /health/live, under ONCE Campfire's address",
        {200: schemas.Alive},
        signed_in=False,
    ),
    Route("GET", "/health/live", alive, "Whether the process answers", {200: schemas.Alive}, signed_in=False),
    Route(
        "GET",
        "/health/ready",
        ready,
        "Whether requests should be sent here",
        {200: schemas.Health, 503: schemas.Health},
        signed_in=False,
    ),
    Route(
        "GET",
        "/health",
        health,
        "How each part is",
        {200: schemas.Health, 503: schemas.Health},
        signed_in=False,
    ),
)
