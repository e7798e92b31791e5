import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from outbox_support.half_made import leave_half_made
from outbox_support.planted import plant_dead_letters

from campfire.clock import SystemClock
from outbox.lease import Lease

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

RESTING = "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de"
DISABLED = "8d0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de"


async def test_a_healthy_server_says_so_without_a_password(chat: "Chat") -> None:
    """Probes need no session: alive, ready, and each part with what was found."""
    nobody = chat.nobody()
    for path in ("/up", "/health/live", "/health/ready", "/health"):
        assert (await nobody.get(path)).status == 200
    health = (await nobody.get("/health")).json
    assert health["status"] == "ok" and health["position"] == chat.engine.position
    assert {"log", "read_models", "search", "disk", "outbox", "feed"} <= health["checks"].keys()


async def test_a_log_that_cannot_be_written_shows_and_heals(chat: "Chat", ada: "Client") -> None:
    """A full disk turns sending into 503 with a code while reading goes on; afterwards all is well by itself."""
    room = f"/api/v1/rooms/{chat.first_room}/messages"
    chat.engine.limit_log_pages(1)
    refused = await ada.post(room, {"body": "x" * 10_000})
    async with asyncio.timeout(20):
        while refused.status == 201:  # the log may have pages to spare
            refused = await ada.post(room, {"body": "x" * 10_000})
    assert (refused.status, refused.code) == (503, "DISK_FULL") and int(refused.headers["Retry-After"]) > 0
    assert (await ada.get(room)).status == 200
    health = (await ada.get("/health")).json
    assert health["checks"]["log"]["ok"] is False and "DISK_FULL" in health["checks"]["log"]["detail"]
    assert (await ada.get("/health/live")).status == 200
    chat.engine.limit_log_pages(1 << 30)
    assert (await ada.post(room, {"body": "again"})).status == 201
    assert (await ada.get("/health")).json["checks"]["log"]["ok"] is True


async def test_a_stopping_server_is_alive_but_not_ready(chat: "Chat") -> None:
    """503 sends new requests elsewhere; the process still answers."""
    await chat.hub.close()
    ready = await chat.nobody().get("/health/ready")
    assert ready.status == 503 and ready.json["checks"]["server"]["ok"] is False
    assert (await chat.nobody().get("/health/live")).status == 200


async def test_a_stopped_search_is_degraded_not_down(chat: "Chat", monkeypatch: pytest.MonkeyPatch) -> None:
    """One read model that decisions do not need leaves the server in service."""

    class Stopped:
        projection, position, error = "search", 7, "a poisoned event"

    monkeypatch.setitem(stalled(chat), "search", Stopped)
    health = await chat.nobody().get("/health")
    assert (health.status, health.json["status"]) == (200, "degraded")
    assert "position 7" in health.json["checks"]["search"]["detail"]


async def test_endpoints_that_are_not_sent_to_are_counted_without_an_alarm(chat: "Chat", ada: "Client") -> None:
    """Their receivers' trouble is told in numbers, with no address; it does not make the server unwell."""
    path = chat.engine.settings.outbox_path
    for webhook_id, state in ((RESTING, "active"), (DISABLED, "disabled")):
        await plant_dead_letters(path, webhook_id, 2)
        connection = sqlite3.connect(path)
        connection.execute("UPDATE endpoints SET state = ? WHERE id = ?", (state, webhook_id))
        connection.commit()
        connection.close()
    connection = sqlite3.connect(path)
    now = chat.clock.now_ms()
    connection.execute("INSERT INTO breakers (endpoint_id, failures, opened_at) VALUES (?, 5, ?)", (RESTING, now))
    connection.commit()
    connection.close()
    assert await Lease(chat.engine.settings, SystemClock()).acquire(asyncio.Event(), lambda _obstacle: None)
    reply = await chat.nobody().get("/health")
    check = reply.json["checks"]["outbox"]
    assert check["ok"] is True, check
    assert "4 dead letters" in check["detail"] and "hooks.example.com" not in reply.text
    assert "1 endpoints rest after failures" in check["detail"] and "1 endpoints are disabled" in check["detail"]


async def test_a_webhook_without_a_worker_is_noticed(ada: "Client") -> None:
    """Deliveries that nobody makes are not well."""
    await ada.post("/api/v1/webhooks", {"url": "https://hooks.example.com/", "events": ["message.posted"]})
    health = (await ada.get("/health")).json
    assert health["status"] == "degraded" and health["checks"]["outbox"]["ok"] is False


def stalled(chat: "Chat") -> dict[str, Any]:
    found: dict[str, Any] = chat.engine.read_side.stalled
    return found


async def test_an_outbox_that_a_kill_left_half_made_is_one_that_is_not_there_yet(chat: "Chat") -> None:
    """The next worker makes it: nothing is broken that somebody would have to mend."""
    await asyncio.to_thread(leave_half_made, chat.engine.settings.outbox_path)
    check = (await chat.nobody().get("/health")).json["checks"]["outbox"]
    assert check == {"ok": True, "detail": "the worker has not run yet"}
