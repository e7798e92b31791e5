from base64 import b64decode
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from campfire.iso_times import ms_from_iso

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat

NO_SUCH = "00000000-0000-4000-8000-000000000000"
WANTED = {"url": "https://hooks.example.com/in", "events": ["message.posted"]}


async def a_webhook(ada: "Client", **wanted: Any) -> Any:
    reply = await ada.post("/api/v1/webhooks", {**WANTED, **wanted})
    assert reply.status == 201, reply.text
    return reply.json


async def test_a_webhook_comes_with_a_secret_that_is_shown_once(chat: "Chat", ada: "Client") -> None:
    """201 with `id` and `secret` (`whsec_` and 32 bytes); no later answer, and not the log, holds it."""
    webhook = await a_webhook(ada, rooms=[chat.first_room])
    assert webhook["secret"].startswith("whsec_") and len(b64decode(webhook["secret"][6:])) == 32
    for path in ("/api/v1/webhooks", f"/api/v1/webhooks/{webhook['id']}"):
        reply = await ada.get(path)
        assert reply.status == 200 and webhook["id"] in reply.text and "whsec_" not in reply.text
    sealed = chat.engine.directory.webhooks[webhook["id"]].sealed_secret
    assert webhook["secret"] not in sealed and chat.engine.sealer.open(sealed) == webhook["secret"]


async def test_a_rotated_secret_overlaps_with_the_old_one_for_a_day(chat: "Chat", ada: "Client") -> None:
    """The answer holds the new secret and until when the old one signs as well."""
    webhook = await a_webhook(ada)
    rotated = (await ada.post(f"/api/v1/webhooks/{webhook['id']}/rotate-secret")).json
    assert rotated["secret"].startswith("whsec_") and rotated["secret"] != webhook["secret"]
    assert ms_from_iso(rotated["previous_valid_until"]) == chat.clock.now_ms() + 86_400_000


async def test_a_test_delivery_is_put_on_record(chat: "Chat", ada: "Client") -> None:
    """202 with the position at which the worker will find it."""
    webhook = await a_webhook(ada)
    reply = await ada.post(f"/api/v1/webhooks/{webhook['id']}/test")
    assert (reply.status, reply.json) == (202, {"position": chat.engine.position})


async def test_a_deleted_webhook_is_gone(ada: "Client") -> None:
    """204, and then 404."""
    path = f"/api/v1/webhooks/{(await a_webhook(ada))['id']}"
    assert (await ada.delete(path)).status == 204
    assert (await ada.get(path)).code == "WEBHOOK_NOT_FOUND"
    assert (await ada.get("/api/v1/webhooks")).json["webhooks"] == []


async def test_only_administrators_see_or_change_webhooks(ada: "Client", bob: "Client") -> None:
    """Members get 403 at every address, whether or not the webhook exists."""
    webhook_id = (await a_webhook(ada))["id"]
    for each in (webhook_id, NO_SUCH):
        path = f"/api/v1/webhooks/{each}"
        for method, address, body in (
            ("POST", "/api/v1/webhooks", WANTED),
            ("GET", "/api/v1/webhooks", None),
            ("GET", path, None),
            ("DELETE", path, None),
            ("POST", f"{path}/rotate-secret", None),
            ("POST", f"{path}/test", None),
        ):
            reply = await bob.send(method, address, body)
            assert (reply.status, reply.code) == (403, "PERMISSION_DENIED"), address


async def test_an_unknown_webhook_is_not_found(ada: "Client") -> None:
    """At every address below it."""
    path = f"/api/v1/webhooks/{NO_SUCH}"
    replies = [await ada.get(path), await ada.delete(path)]
    replies += [await ada.post(f"{path}/{deed}") for deed in ("rotate-secret", "test")]
    assert {(reply.status, reply.code) for reply in replies} == {(404, "WEBHOOK_NOT_FOUND")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://hooks.example.com/"},
        {"url": "https://"},
        {"url": "https://user:secret@hooks.example.com/"},
        {"url": "https://[::1/"},
        {"url": "https://hooks.example.com:99999/"},
        {"url": "not an address"},
        {"events": []},
        {"events": ["user.password_set"]},
        {"rooms": []},
    ],
)
async def test_a_webhook_that_cannot_work_is_refused(ada: "Client", wrong: dict[str, Any]) -> None:
    """422, and private facts are not among what can be asked for."""
    reply = await ada.post("/api/v1/webhooks", {**WANTED, **wrong})
    assert (reply.status, reply.code) == (422, "VALIDATION_FAILED")


async def test_a_webhook_for_an_unknown_room_is_refused(ada: "Client") -> None:
    """404 that says so."""
    assert (await ada.post("/api/v1/webhooks", {**WANTED, "rooms": [NO_SUCH]})).code == "ROOM_NOT_FOUND"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[::1]:8080/",
        "https://10.0.0.1/",
        "http://0.0.0.0/",
    ],
)
async def test_an_address_inside_is_refused_at_once(ada: "Client", url: str) -> None:
    """422 says so to the administrator, rather than every delivery failing later."""
    reply = await ada.post("/api/v1/webhooks", {**WANTED, "url": url})
    assert (reply.status, reply.code) == (422, "ADDRESS_BLOCKED")


async def test_members_learn_nothing_about_addresses(bob: "Client") -> None:
    """Who may not add webhooks is told only that."""
    assert (await bob.post("/api/v1/webhooks", {**WANTED, "url": "http://127.0.0.1/"})).code == "PERMISSION_DENIED"


async def test_an_allowed_network_may_be_reached(open_chat: "OpenChat") -> None:
    """What the administrator opened is open here too; a cloud's metadata service never is."""
    allowed = (ip_network("10.0.0.0/8"), ip_network("169.254.0.0/16"))
    async with open_chat(webhook_allow=allowed) as chat:
        ada = await chat.set_up()
        await a_webhook(ada, url="http://10.1.2.3:8080/in")
        reply = await ada.post("/api/v1/webhooks", {**WANTED, "url": "http://169.254.169.254/"})
        assert reply.code == "ADDRESS_BLOCKED"
