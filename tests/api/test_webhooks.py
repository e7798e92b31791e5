from base64 import b64decode
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from campfire.domain.events import NewEvent, WebhookCreated, WebhookDisabled, WebhookFailing, WebhookResumed
from campfire.iso_times import ms_from_iso
from outbox import signing

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
    [created] = chat.engine.reader.read_stream(webhook["id"])
    assert isinstance(created.event, WebhookCreated)
    sealed = created.event.sealed_secret
    assert webhook["secret"] not in sealed and chat.engine.sealer.open(sealed) == webhook["secret"]


async def test_a_pull_key_is_shown_once_and_kept_as_a_hash(chat: "Chat", ada: "Client") -> None:
    """Whoever reads the log or a later answer cannot pull with it."""
    webhook = await a_webhook(ada)
    assert webhook["pull_key"].startswith("whpull_") and len(webhook["pull_key"]) > 40
    shown = await ada.get(f"/api/v1/webhooks/{webhook['id']}")
    assert shown.json["has_pull_key"] and "whpull_" not in shown.text
    [created] = chat.engine.reader.read_stream(webhook["id"])
    assert webhook["pull_key"].encode() not in msgspec.json.encode(created.event)


async def test_a_webhook_may_be_signed_with_a_key_of_its_own(chat: "Chat", ada: "Client") -> None:
    """`v1a`: the public half is shown for good; the private half signs, is sealed and never leaves."""
    reply = await ada.post("/api/v1/webhooks", {**WANTED, "signature": "v1a"})
    webhook = reply.json
    assert (webhook["secret"], webhook["signature"]) == (None, "v1a") and "whsk_" not in reply.text
    shown = (await ada.get(f"/api/v1/webhooks/{webhook['id']}")).json
    assert shown["public_key"] == webhook["public_key"]
    [created] = chat.engine.reader.read_stream(webhook["id"])
    assert isinstance(created.event, WebhookCreated)
    private = chat.engine.sealer.open(created.event.sealed_secret)
    signature = signing.headers("m", 1, b"{}", [private])["webhook-signature"].removeprefix("v1a,")
    public = b64decode(webhook["public_key"].removeprefix("whpk_"))
    Ed25519PublicKey.from_public_bytes(public).verify(b64decode(signature), b"m.1.{}")


async def test_a_webhook_says_what_it_wants_and_how_it_stands(ada: "Client", chat: "Chat") -> None:
    """What is not asked for is as usual; what is null is the server's timeout and no limit."""
    plain = await a_webhook(ada)
    usual = {"timeout": None, "rate": None, "concurrency": 1, "ordering": "room", "catch_up": "everything"}
    assert (plain["filter"], plain["settings"], plain["state"], plain["detail"]) == ([], usual, "active", None)
    assert plain["failing_since"] is None and plain["public_key"] is None and plain["signature"] == "v1"
    condition = {"field": "room_id", "is": "not_equals", "value": chat.first_room}
    wanted = {"filter": [condition], "settings": {"timeout": 5, "ordering": "none"}}
    special = await a_webhook(ada, **wanted)
    shown = (await ada.get(f"/api/v1/webhooks/{special['id']}")).json
    assert shown["filter"] == [condition]
    assert shown["settings"] == {**usual, "timeout": 5, "ordering": "none"}


async def test_a_change_says_only_what_changes(ada: "Client", chat: "Chat") -> None:
    """Of the settings too; null takes a limit away, and every room is said by null."""
    path = (
        f"/api/v1/webhooks/{(await a_webhook(ada, rooms=[chat.first_room], settings={'rate': 5, 'timeout': 9}))['id']}"
    )
    before = (await ada.get(path)).json
    reply = await ada.patch(path, {"url": "https://other.example.com/", "settings": {"rate": None, "concurrency": 4}})
    after = reply.json
    assert reply.status == 200 and after == (await ada.get(path)).json
    settings = {**before["settings"], "rate": None, "concurrency": 4}
    assert after == {**before, "url": "https://other.example.com/", "settings": settings}
    position = chat.engine.position
    assert (await ada.patch(path, {"settings": {"concurrency": 4}})).json == after
    assert chat.engine.position == position
    assert (await ada.patch(path, {"rooms": None})).json["rooms"] is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"settings": {"timeout": 31}}, "settings.timeout"),
        ({"settings": {"rate": 0}}, "settings.rate"),
        ({"settings": {"concurrency": 0}}, "settings.concurrency"),
        ({"settings": {"ordering": "backwards"}}, "settings.ordering"),
        ({"settings": {"speed": 1}}, "settings"),
        ({"filter": [{"field": "body", "is": "resembles", "value": "x"}]}, "filter[0].is"),
        ({"filter": [{"field": "body", "is": "contains", "value": 5}]}, "filter[0].value"),
        ({"filter": [{"field": "BODY", "is": "equals", "value": 5}]}, "filter[0].field"),
        ({"filter": [{"field": "body", "is": "equals", "value": 1.5}]}, "filter[0].value"),
    ],
)
async def test_a_change_that_cannot_be_names_the_field(ada: "Client", wrong: dict[str, Any], field: str) -> None:
    """422, and nothing is changed; nor is a webhook made that way."""
    webhook = await a_webhook(ada)
    path = f"/api/v1/webhooks/{webhook['id']}"
    before = (await ada.get(path)).json
    for reply in (await ada.patch(path, wrong), await ada.post("/api/v1/webhooks", {**WANTED, **wrong})):
        assert (reply.status, reply.code) == (422, "VALIDATION_FAILED")
        assert reply.json["errors"][0]["field"] == field
    assert (await ada.get(path)).json == before


async def test_an_address_inside_is_no_change_either(ada: "Client") -> None:
    """422, as when it is made with one."""
    path = f"/api/v1/webhooks/{(await a_webhook(ada))['id']}"
    assert (await ada.patch(path, {"url": "http://10.0.0.1/"})).code == "ADDRESS_BLOCKED"


async def test_a_webhook_is_paused_and_resumed(ada: "Client", chat: "Chat") -> None:
    """Its state says so at once; what becomes of what waits is the request's to say, or its settings'."""
    webhook = await a_webhook(ada, settings={"catch_up": "latest"})
    path = f"/api/v1/webhooks/{webhook['id']}"
    assert (await ada.post(f"{path}/pause")).json["state"] == "paused"
    assert (await ada.post(f"{path}/resume")).json["state"] == "active"
    assert (await ada.post(f"{path}/pause")).json["state"] == "paused"
    assert (await ada.post(f"{path}/resume", {"catch_up": "skip"})).json["state"] == "active"
    history = [each.event for each in chat.engine.reader.read_stream(webhook["id"])]
    assert [each.catch_up for each in history if isinstance(each, WebhookResumed)] == ["latest", "skip"]


async def test_a_disabled_webhook_says_why_and_is_resumed(ada: "Client", chat: "Chat") -> None:
    """And since when nothing but failures is reported of it."""
    webhook = await a_webhook(ada)
    path = f"/api/v1/webhooks/{webhook['id']}"
    failing = WebhookFailing(at=1, webhook_id=webhook["id"], since=5_000, detail="HTTP 500")
    disabled = WebhookDisabled(at=2, webhook_id=webhook["id"], reason="failing", detail="Nothing but failures.")
    await chat.engine.append([NewEvent(webhook["id"], 2, failing), NewEvent(webhook["id"], 3, disabled)])
    shown = (await ada.get(path)).json
    assert (shown["state"], shown["detail"]) == ("disabled", "Nothing but failures.")
    assert ms_from_iso(shown["failing_since"]) == 5_000
    shown = (await ada.post(f"{path}/resume")).json
    assert (shown["state"], shown["detail"]) == ("active", None)


async def test_a_rotated_secret_overlaps_with_the_old_one_for_a_day(chat: "Chat", ada: "Client") -> None:
    """The answer holds the new secret and until when the old one signs as well."""
    webhook = await a_webhook(ada)
    rotated = (await ada.post(f"/api/v1/webhooks/{webhook['id']}/rotate-secret")).json
    assert rotated["secret"].startswith("whsec_") and rotated["secret"] != webhook["secret"]
    assert ms_from_iso(rotated["previous_valid_until"]) == chat.clock.now_ms() + 86_400_000
    assert (rotated["pull_key"], rotated["public_key"]) == (None, None)


async def test_a_rotation_says_how_long_and_what_else(chat: "Chat", ada: "Client") -> None:
    """The grace, the kind of signature, and a new pull key, each only where it is asked for."""
    webhook = await a_webhook(ada)
    path = f"/api/v1/webhooks/{webhook['id']}"
    wanted = {"grace_seconds": 0, "signature": "v1a", "pull_key": True}
    rotated = (await ada.post(f"{path}/rotate-secret", wanted)).json
    assert ms_from_iso(rotated["previous_valid_until"]) == chat.clock.now_ms()
    assert rotated["secret"] is None and rotated["public_key"].startswith("whpk_")
    assert rotated["pull_key"].startswith("whpull_") and rotated["pull_key"] != webhook["pull_key"]
    assert (await ada.get(path)).json["public_key"] == rotated["public_key"]
    again = (await ada.post(f"{path}/rotate-secret")).json
    assert again["public_key"].startswith("whpk_") and again["public_key"] != rotated["public_key"]
    back = (await ada.post(f"{path}/rotate-secret", {"signature": "v1"})).json
    assert back["secret"].startswith("whsec_")
    assert (await ada.get(path)).json["signature"] == "v1"


@pytest.mark.parametrize("seconds", [-1, 30 * 86_400 + 1])
async def test_a_grace_is_thirty_days_at_most(ada: "Client", seconds: int) -> None:
    """422 that names the field."""
    path = f"/api/v1/webhooks/{(await a_webhook(ada))['id']}"
    reply = await ada.post(f"{path}/rotate-secret", {"grace_seconds": seconds})
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "grace_seconds")


async def test_ten_secrets_are_enough(ada: "Client") -> None:
    """The eleventh is refused with a sentence that says until when, and that there is another way."""
    path = f"/api/v1/webhooks/{(await a_webhook(ada))['id']}/rotate-secret"
    for _ in range(9):
        assert (await ada.post(path)).status == 200
    reply = await ada.post(path)
    assert reply.status == 422 and "grace_seconds must be 0 for now: 10 secrets" in reply.json["detail"]
    assert (await ada.post(path, {"grace_seconds": 0})).status == 200


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
            ("PATCH", path, {}),
            ("POST", f"{path}/pause", None),
            ("POST", f"{path}/resume", None),
            ("POST", f"{path}/cursor", {"after": 0}),
            ("GET", f"/api/v1/endpoints/{each}/events", None),
            ("POST", f"/api/v1/endpoints/{each}/cursor", {"after": 0}),
        ):
            reply = await bob.send(method, address, body)
            assert (reply.status, reply.code) == (403, "PERMISSION_DENIED"), address


async def test_an_unknown_webhook_is_not_found(ada: "Client") -> None:
    """At every address below it."""
    path = f"/api/v1/webhooks/{NO_SUCH}"
    replies = [await ada.get(path), await ada.delete(path)]
    replies += [await ada.post(f"{path}/{deed}") for deed in ("rotate-secret", "test", "pause", "resume")]
    replies += [await ada.patch(path, {}), await ada.post(f"{path}/cursor", {"after": 0})]
    replies += [await ada.get(f"/api/v1/endpoints/{NO_SUCH}/events")]
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
