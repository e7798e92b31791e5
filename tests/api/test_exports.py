"""Exports over the API: who may have what, and what never leaves."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from exports_support.content import GONE, all_bytes, fetched, fill, lines, must, say, unpacked, upload

from campfire.domain.events import ALL_EVENTS
from campfire.exports.form import Manifest
from campfire.exports.privacy import NOBODYS, OF_A_ROOM, ON_OWN, OWNERS, SECRETS

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

ME, ACCOUNT = "/api/v1/me/export", "/api/v1/account/export"


def of_room(room_id: str) -> str:
    return f"/api/v1/rooms/{room_id}/export"


def manifest_of(directory: Path) -> Manifest:
    return msgspec.json.decode((directory / "manifest.json").read_bytes(), type=Manifest)


async def secrets_of(chat: "Chat", ada: "Client") -> list[str]:
    """Every secret that the server keeps, after some more were made."""
    await must(ada.post("/api/v1/webhooks", {"url": "https://example.com/hook", "events": ["message.posted"]}))
    await must(ada.post("/api/v1/me/transfers"))
    events = chat.engine.reader.read(0, 10_000)
    kept = [str(getattr(each.event, name)) for each in events for name in SECRETS.get(type(each.event), ())]
    assert len(kept) > 5
    return kept


async def test_who_may_have_which_export(chat: "Chat", ada: "Client", bob: "Client", eve: "Client") -> None:
    """Oneself everybody; a room who looks after it; everything administrators only."""
    open_room = (await must(bob.post("/api/v1/rooms", {"name": "Bob's", "kind": "open"})))["id"]
    den = (await must(ada.post("/api/v1/rooms", {"name": "Den", "kind": "closed", "members": [bob.user["id"]]})))["id"]
    secret = (await must(bob.post("/api/v1/rooms", {"name": "Secret", "kind": "closed"})))["id"]
    wanted = {"name": "", "kind": "direct", "members": [eve.user["id"]]}
    direct = (await must(bob.post("/api/v1/rooms", wanted)))["id"]
    paths = (ME, of_room(open_room), of_room(den), of_room(secret), of_room(direct), ACCOUNT)
    allowed = {
        "ada": (200, 200, 200, 403, 404, 200),
        "bob": (200, 200, 403, 200, 200, 403),
        "eve": (200, 403, 403, 403, 200, 403),
        "nobody": (401,) * 6,
    }
    for name, client in (("ada", ada), ("bob", bob), ("eve", eve), ("nobody", chat.nobody())):
        assert tuple([(await fetched(client, path))[0] for path in paths]) == allowed[name], name
    assert (await ada.get(of_room(secret))).code == "ROOM_ACCESS_DENIED"
    assert (await bob.get(of_room(den))).code == "PERMISSION_DENIED"
    assert (await ada.get(of_room("00000000-0000-4000-8000-000000000000"))).code == "ROOM_NOT_FOUND"


async def test_everybody_is_told_that_everything_was_exported(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """It holds rooms that the administrator is not in; refused ones are nobody's business."""
    assert (await bob.get(ACCOUNT)).code == "PERMISSION_DENIED"
    before = chat.engine.position
    assert (await fetched(ada, ACCOUNT))[0] == 200
    [event] = (await bob.get(f"/feed?since={before}")).json["events"]
    assert (event["event"], event["data"]) == ("account.exported", {"by": ada.user["id"]})


async def test_an_export_is_whole(chat: "Chat", ada: "Client", bob: "Client", eve: "Client", tmp_path: Path) -> None:
    """Its manifest says how long each file is and what its digest is; every blob is called by its digest."""
    await fill(chat, ada, bob, eve, chat.first_room)
    for number, path in enumerate((ME, of_room(chat.first_room), ACCOUNT)):
        directory = await unpacked(ada, path, tmp_path / str(number))
        manifest = manifest_of(directory)
        for name, facts in manifest.files.items():
            content = (directory / name).read_bytes()
            assert (facts.bytes, facts.sha256) == (len(content), hashlib.sha256(content).hexdigest())
            assert facts.lines == len(content.splitlines())
        blobs = list((directory / "blobs").glob("*"))
        assert all(hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name for blob in blobs)
        assert (len(blobs), manifest.log.position) == (manifest.blobs, chat.engine.position)
    assert not any(chat.engine.settings.exports_path.iterdir())


async def test_no_secret_is_in_any_export(
    chat: "Chat", ada: "Client", bob: "Client", eve: "Client", tmp_path: Path
) -> None:
    """Neither password hashes nor those of tokens nor sealed secrets, whoever asks."""
    await fill(chat, ada, bob, eve, chat.first_room)
    secrets = await secrets_of(chat, ada)
    for number, path in enumerate((ME, of_room(chat.first_room), ACCOUNT)):
        content = all_bytes(await unpacked(ada, path, tmp_path / str(number)))
        assert [secret for secret in secrets if secret.encode() in content] == []
        assert b"hello @Bob" in content


async def test_what_was_deleted_is_in_no_export(
    chat: "Chat", ada: "Client", bob: "Client", eve: "Client", tmp_path: Path
) -> None:
    """From the moment of the deletion on: neither its text nor the name or the content of its file."""
    await fill(chat, ada, bob, eve, chat.first_room)
    file = await upload(bob, b"Xiuhtecuhtli", "Tezcatlipoca.txt")
    message = await say(bob, chat.first_room, "take this", uploads=[file])
    await must(bob.delete(f"/api/v1/messages/{message['id']}"))
    for number, (client, path) in enumerate(((bob, ME), (ada, of_room(chat.first_room)), (ada, ACCOUNT))):
        content = all_bytes(await unpacked(client, path, tmp_path / str(number)))
        assert [word for word in (GONE, "Xiuhtecuhtli", "Tezcatlipoca", "take this") if word.encode() in content] == []
        assert b"as promised" in content


async def test_ones_own_export_has_everything_of_oneself_and_nothing_of_others(
    chat: "Chat", ada: "Client", bob: "Client", eve: "Client", tmp_path: Path
) -> None:
    """Profile, address, sessions, searches, what one saved and boosted, and what one wrote, but no answer to it."""
    await fill(chat, ada, bob, eve, chat.first_room)
    await must(bob.patch("/api/v1/me", {"bio": "keeps the lights on"}))
    directory = await unpacked(bob, ME, tmp_path / "bob")
    topics = {line["topic"] for line in lines(directory, "events.ndjson")}
    assert topics >= {
        *("user.created", "email.claimed", "user.password_set", "user.profile_changed", "session.started"),
        *("message.posted", "message.deleted", "message.saved", "boost.added", "boost.removed", "upload.finished"),
        *("room.read", "room.involvement_set", "search.remembered", "thread.read"),
    }
    content = all_bytes(directory)
    for words in (
        b"bob@example.com",
        b"keeps the lights on",
        b"where is my hat",
        b"as promised",
        b"the minutes of May",
    ):
        assert words in content
    for words in (b"hello @Bob", b"me too", b"spelling", b"ada@example.com", b"eve@example.com", b"Eve"):
        assert words not in content
    said = lines(directory, "messages.ndjson")
    assert [(each["room"], each["author"], each["text"], each["files"]) for each in said] == [
        ("All Talk", "Bob", "hello yourself", []),
        ("All Talk", "Bob", "as promised", ["minutes.txt"]),
    ]


async def test_a_rooms_export_tells_of_its_people_no_more_than_the_room_does(
    chat: "Chat", ada: "Client", bob: "Client", eve: "Client", tmp_path: Path
) -> None:
    """Name, bio and picture; no address, no session, and nothing that anybody did for themselves."""
    await fill(chat, ada, bob, eve, chat.first_room)
    den = (await must(ada.post("/api/v1/rooms", {"name": "Den", "kind": "closed"})))["id"]
    await say(ada, den, "in the den")
    directory = await unpacked(ada, of_room(chat.first_room), tmp_path / "room")
    assert {person["name"] for person in lines(directory, "people.ndjson")} == {"Ada", "Bob", "Eve"}
    content = all_bytes(directory)
    for words in (b"@example.com", b"where is my hat", b"in the den", b"message.saved", b"room.read", b"session."):
        assert words not in content
    texts = [each["text"] for each in lines(directory, "messages.ndjson")]
    assert texts == ["hello @Bob", "hello yourself", "me too", "as promised", "a spelling mistake, @Eve"]


async def test_what_an_edited_message_said_before_is_for_administrators(
    chat: "Chat", ada: "Client", bob: "Client", tmp_path: Path
) -> None:
    """Whoever made the room gets what its members see now."""
    room = (await must(bob.post("/api/v1/rooms", {"name": "Bob's", "kind": "open"})))["id"]
    message = await say(ada, room, "first words")
    for body in ("second words", "third words"):
        await must(ada.patch(f"/api/v1/messages/{message['id']}", {"body": body}))
    bobs = all_bytes(await unpacked(bob, of_room(room), tmp_path / "bob"))
    assert b"third words" in bobs and b"first words" not in bobs and b"second words" not in bobs
    adas = all_bytes(await unpacked(ada, of_room(room), tmp_path / "ada"))
    assert b"first words" in adas and b"second words" in adas


def test_it_is_decided_for_every_event_whose_it_is() -> None:
    """An event that nobody has thought about is in no export of a person or a room."""
    decided = [*OWNERS, *ON_OWN, *NOBODYS]
    assert len(decided) == len(set(decided)) and set(decided) == set(ALL_EVENTS)
    assert set(ALL_EVENTS) > OF_A_ROOM


@pytest.mark.parametrize("event", ALL_EVENTS, ids=lambda event: event.topic)
def test_every_field_that_looks_like_a_secret_is_withheld(event: type) -> None:
    """If this fails for a new event: name its secret in `campfire/exports/privacy.py`."""
    looks = [name for name in event.__struct_fields__ if re.search("hash|secret|token|key|seal", name)]  # type: ignore[attr-defined]
    assert looks == list(SECRETS.get(event, ()))
