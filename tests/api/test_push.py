"""Notifications on one's devices, as browsers ask for them."""

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from outbox_support.push import Browser, unpadded

from campfire.domain import events as happened

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat

DEVICES = "/api/v1/me/push-subscriptions"
ENDPOINT = "https://push.example.com/send/very-secret"


async def subscribed(client: "Client", endpoint: str = ENDPOINT) -> Any:
    reply = await client.put(DEVICES, Browser(endpoint).subscription)
    assert reply.status == 200, reply.text
    return reply.json


async def devices(client: "Client") -> list[Any]:
    found: list[Any] = (await client.get(DEVICES)).json["push_subscriptions"]
    return found


async def signed_in(chat: "Chat", name: str) -> "Client":
    reply = await chat.nobody().post(
        "/api/v1/sessions", {"email": f"{name}@example.com", "password": "correct horse battery"}
    )
    return chat.with_token(reply.json["token"])


async def test_the_key_is_made_once_and_kept(open_chat: "OpenChat") -> None:
    """An uncompressed point of P-256, the same after a restart and after a rebuild; its secret half is sealed."""
    async with open_chat() as chat:
        ada = await chat.set_up()
        key = (await ada.get("/api/v1/push/key")).json["key"]
        assert len(unpadded(key)) == 65 and unpadded(key)[0] == 4
        assert (await chat.nobody().get("/api/v1/push/key")).code == "AUTHENTICATION_REQUIRED"
        await subscribed(ada)
        await chat.engine.rebuild()
        token = ada.token
    async with open_chat() as chat:
        again = chat.with_token(token or "")
        assert (await again.get("/api/v1/push/key")).json["key"] == key
        assert [device["current"] for device in await devices(again)] == [True]
        kept = chat.engine.directory.push.key
        assert kept is not None and len(unpadded(chat.engine.sealer.open(kept.sealed_private_key))) == 32


async def test_a_device_is_its_owners_alone_and_shows_no_secret(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Neither an answer, the feed nor the log holds its address or its keys."""
    device = await subscribed(bob)
    assert device["service"] == "push.example.com" and device["current"] is True
    assert await devices(bob) == [device] and await devices(ada) == []
    shown = (await bob.get(DEVICES)).text + (await bob.get("/feed?since=0")).text
    assert "push.subscribed" in shown and "very-secret" not in shown and "auth" not in shown.replace("author", "")
    assert "push.subscribed" not in (await ada.get("/feed?since=0")).text
    sealed = chat.engine.directory.push.by_id[device["id"]].sealed
    assert "very-secret" not in sealed and "very-secret" in chat.engine.sealer.open(sealed)
    for path in chat.engine.settings.data.glob("*.db*"):
        assert b"very-secret" not in path.read_bytes()


async def test_a_device_says_so_at_every_start(chat: "Chat", bob: "Client") -> None:
    """The same subscription again is answered the same and leaves nothing on record; another one replaces it."""
    browser = Browser(ENDPOINT)
    first = (await bob.put(DEVICES, browser.subscription)).json
    position = chat.engine.position
    assert (await bob.put(DEVICES, browser.subscription)).json == first
    assert chat.engine.position == position
    moved = await subscribed(bob, "https://other.example.net/1")
    assert moved["id"] == first["id"] and [each["service"] for each in await devices(bob)] == ["other.example.net"]


async def test_devices_can_be_ended_and_tested_by_their_owner_only(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Somebody else's is not found, whoever asks."""
    path = f"{DEVICES}/{(await subscribed(bob))['id']}"
    for client in (ada, await chat.joined("Eve")):
        assert (await client.delete(path)).code == "PUSH_SUBSCRIPTION_NOT_FOUND"
        assert (await client.post(f"{path}/test")).code == "PUSH_SUBSCRIPTION_NOT_FOUND"
    tested = await bob.post(f"{path}/test")
    assert (tested.status, tested.json) == (202, {"position": chat.engine.position})
    assert (await bob.delete(path)).status == 204 and await devices(bob) == []
    assert (await bob.delete(path)).code == "PUSH_SUBSCRIPTION_NOT_FOUND"


async def test_a_bot_has_no_devices(chat: "Chat", ada: "Client") -> None:
    """It is called at its own address."""
    key = (await ada.post("/api/v1/bots", {"name": "Robo"})).json["key"]
    reply = await chat.with_token(key).put(DEVICES, Browser(ENDPOINT).subscription)
    assert (reply.status, reply.code) == (403, "PERMISSION_DENIED")


async def test_every_end_of_a_session_ends_its_notifications(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Signing out, being signed out, expiry, deactivation and a ban; other devices go on."""
    phone, laptop = await signed_in(chat, "bob"), await signed_in(chat, "bob")
    for number, client in enumerate((bob, phone, laptop)):
        await subscribed(client, f"https://push.example.com/{number}")
    await bob.delete("/api/v1/sessions/current")
    assert len(await devices(phone)) == 2
    await laptop.delete("/api/v1/sessions")
    assert [device["current"] for device in await devices(laptop)] == [True]
    for name, end in (("eve", "DELETE"), ("mallory", "PUT")):
        client = await chat.joined(name.capitalize())
        await subscribed(client, f"https://push.example.com/{name}")
        address = f"/api/v1/users/{client.user['id']}"
        assert (await ada.send(end, address if end == "DELETE" else f"{address}/ban")).status == 204
    known = chat.engine.directory.push
    assert [device.user_id for device in known.by_id.values()] == [bob.user["id"]]
    chat.clock.advance(31 * 86_400)
    await chat.engine.perform(lambda: expiry(chat))
    assert known.by_id == {}


def expiry(chat: "Chat") -> list[happened.NewEvent]:
    from campfire.domain.sessions import decide_expiry

    return decide_expiry(chat.engine.directory, at=chat.clock.now_ms())


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"endpoint": "http://push.example.com/"}, "VALIDATION_FAILED"),
        ({"endpoint": "http://8.8.8.8/"}, "VALIDATION_FAILED"),
        ({"endpoint": "ftp://push.example.com/"}, "VALIDATION_FAILED"),
        ({"endpoint": "https://user:secret@push.example.com/"}, "VALIDATION_FAILED"),
        ({"endpoint": "https://127.0.0.1/"}, "ADDRESS_BLOCKED"),
        ({"endpoint": "https://169.254.169.254/"}, "ADDRESS_BLOCKED"),
        ({"endpoint": "https://[::1]/"}, "ADDRESS_BLOCKED"),
        ({"keys": {"p256dh": "BCVx", "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}, "VALIDATION_FAILED"),
        ({"keys": {"p256dh": "B" * 87, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}, "VALIDATION_FAILED"),
        ({"keys": {"auth": "BTBZMqHH6r4Tts7J_aSIgg"}}, "VALIDATION_FAILED"),
        ({"keys": {**Browser("").subscription["keys"], "auth": "short"}}, "VALIDATION_FAILED"),
    ],
)
async def test_a_subscription_that_cannot_work_is_refused(
    chat: "Chat", bob: "Client", wrong: dict[str, Any], code: str
) -> None:
    """A clear error, and nothing is on record."""
    position = chat.engine.position
    reply = await bob.put(DEVICES, {**Browser(ENDPOINT).subscription, **wrong})
    assert (reply.status, reply.code) == (422, code) and chat.engine.position == position


async def test_a_push_service_of_ones_own_needs_no_tls(open_chat: "OpenChat") -> None:
    """Within a network that the administrator opened, or at a host that is opened by its name."""
    async with open_chat(webhook_allow=(ip_network("10.0.0.0/8"), "push.lan")) as chat:
        ada = await chat.set_up()
        assert (await subscribed(ada, "http://10.1.2.3:8080/push"))["service"] == "10.1.2.3"
        assert (await subscribed(ada, "http://push.lan:8080/push"))["service"] == "push.lan"
        reply = await ada.put(DEVICES, Browser("http://push.example.com/").subscription)
        assert reply.code == "VALIDATION_FAILED"
