"""A person, exported and brought to a server that does not know them."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from exports_support.content import GONE, PASSWORD, admin_beside, all_bytes, fill, lines, must, refit, say, upload
from exports_support.dying import Died, Dying

from campfire.admin_exports import Offline
from campfire.errors import CampfireError
from campfire.exports.bringing import Brought, bring_person
from campfire.exports.reading import opened
from campfire.exports.steps import PersonEvents
from campfire.exports.taking import take

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat


@pytest.fixture
async def full(chat: "Chat", ada: "Client", bob: "Client", eve: "Client") -> "Chat":
    await fill(chat, ada, bob, eve, chat.first_room)
    members = [bob.user["id"], eve.user["id"]]
    den = (await must(ada.post("/api/v1/rooms", {"name": "Den", "kind": "closed", "members": members})))["id"]
    await say(bob, den, "in the den")
    direct = (await must(eve.post("/api/v1/rooms", {"name": "", "kind": "direct", "members": [bob.user["id"]]})))["id"]
    await say(bob, direct, "between us", uploads=[await upload(bob, b"a map", "map.txt")])
    await must(bob.patch("/api/v1/me", {"name": "Robert", "bio": "keeps the lights on"}))
    return chat


@pytest.fixture
async def elsewhere(open_chat: "OpenChat", tmp_path: Path) -> AsyncIterator["Chat"]:
    async with open_chat(data=tmp_path / "elsewhere") as chat:
        yield chat


async def exported(chat: "Chat", target: Path, email: str = "bob@example.com") -> Path:
    await admin_beside("export", "person", email, target, "--data", chat.engine.settings.data)
    return target


async def brought(chat: "Chat", export: Path) -> Brought:
    with opened(export, "person", lambda _done, _total: None) as archive:
        return await bring_person(archive, Offline(chat.engine), lambda _done, _total: None)


def content(export: Path) -> dict[str, Any]:
    """Everything but positions, and being there at the moment."""

    def timeless(data: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name != "position"}

    events = [(line["topic"], timeless(line["data"])) for line in lines(export, "events.ndjson")]
    return {
        "events": [(topic, data) for topic, data in events if not topic.startswith("presence.")],
        "said": lines(export, "messages.ndjson"),
        "rooms": lines(export, "rooms.ndjson"),
        "blobs": sorted(path.name for path in (export / "blobs").glob("*")),
    }


async def test_an_imported_person_exports_the_same(full: "Chat", elsewhere: "Chat", tmp_path: Path) -> None:
    """Where nobody knew them before: profile, searches, rooms, and all that they wrote."""
    export = await exported(full, tmp_path / "export")
    await elsewhere.set_up()
    await brought(elsewhere, export)
    again = await exported(elsewhere, tmp_path / "again")
    assert content(again) == content(export)
    assert [each["text"] for each in lines(again, "messages.ndjson")][-2:] == ["in the den", "between us"]


async def test_the_person_can_come_in_and_find_what_they_wrote(
    full: "Chat", bob: "Client", elsewhere: "Chat", tmp_path: Path
) -> None:
    """With a password chosen anew, and no other; in closed rooms with the names that they had."""
    grace = await elsewhere.set_up()
    await brought(elsewhere, await exported(full, tmp_path / "export"))
    user = elsewhere.engine.directory.user_by_email("bob@example.com")
    assert user is not None and user.id == bob.user["id"] and user.can_sign_in and user.role == "member"
    nobody, known = elsewhere.nobody(), {"email": "bob@example.com", "password": PASSWORD}
    assert (await nobody.post("/api/v1/sessions", known)).status == 401
    assert (await elsewhere.with_token(bob.token or "").get("/api/v1/me")).status == 401
    link = await must(grace.post(f"/api/v1/users/{user.id}/password-resets"))
    await must(nobody.post(f"/api/v1/password-resets/{link['token']}", {"password": "another good one"}))
    signed_in = await must(nobody.post("/api/v1/sessions", known | {"password": "another good one"}))
    rooms = [elsewhere.engine.directory.rooms[each] for each in elsewhere.engine.directory.rooms_of(user.id)]
    assert {(room.name, room.kind) for room in rooms} == {
        ("All Talk", "closed"),
        ("Den", "closed"),
        ("Direct messages", "closed"),
    }
    [den] = [room for room in rooms if room.name == "Den"]
    said = await must(elsewhere.with_token(signed_in["token"]).get(f"/api/v1/rooms/{den.id}/messages"))
    assert [message["body"] for message in said["messages"]] == ["in the den"]


async def test_the_same_person_twice_adds_nothing(full: "Chat", elsewhere: "Chat", tmp_path: Path) -> None:
    """And somebody who is there is not overwritten."""
    export = await exported(full, tmp_path / "export")
    await brought(elsewhere, export)
    position = elsewhere.engine.position
    assert (await brought(elsewhere, export)).already_there and elsewhere.engine.position == position
    with pytest.raises(CampfireError, match="here already"):
        await brought(full, export)


async def test_an_address_that_is_taken_is_not_taken_away(full: "Chat", elsewhere: "Chat", tmp_path: Path) -> None:
    """Whoever has it here keeps it; nothing is changed."""
    export = await exported(full, tmp_path / "export")
    await elsewhere.set_up()
    await elsewhere.joined("Bob")
    position = elsewhere.engine.position
    with pytest.raises(CampfireError, match="EMAIL_TAKEN"):
        await brought(elsewhere, export)
    assert elsewhere.engine.position == position


async def test_an_interrupted_import_goes_on_where_it_was(
    full: "Chat", elsewhere: "Chat", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often; in the end nothing is missing and nothing is there twice."""
    export = await exported(full, tmp_path / "export")
    monkeypatch.setattr("campfire.exports.bringing._AT_ONCE", 3)

    deaths = 0
    while True:
        try:
            with opened(export, "person", lambda _done, _total: None) as archive:
                await bring_person(archive, Dying(elsewhere.engine, steps=3), lambda _done, _total: None)
            break
        except Died:
            deaths += 1
    assert deaths > 2
    assert content(await exported(elsewhere, tmp_path / "again")) == content(export)


async def test_a_second_run_waits_for_the_first(elsewhere: "Chat") -> None:
    """Neither adds lines that the other has taken; what has to be done about it is to wait."""
    step = PersonEvents(user_id="u", source="person:another", first=301, lines=[], rooms=[])
    with pytest.raises(CampfireError, match="Another run") as refused:
        await take(elsewhere.engine, step)
    assert refused.value.code == "SERVER_BUSY"


async def test_nobody_becomes_an_administrator_by_an_import(
    chat: "Chat", ada: "Client", elsewhere: "Chat", tmp_path: Path
) -> None:
    """Whoever administered there is a member here."""
    await brought(elsewhere, await exported(chat, tmp_path / "export", "ada@example.com"))
    assert elsewhere.engine.directory.user(ada.user["id"]).role == "member"


async def test_an_export_cannot_change_what_others_have_here(full: "Chat", elsewhere: "Chat", tmp_path: Path) -> None:
    """Neither edit nor delete their messages, nor end their sessions, nor take their boosts away."""
    export = await exported(full, tmp_path / "export")
    grace = await elsewhere.set_up()
    victim = await say(grace, elsewhere.first_room, "mine")
    user_id = lines(export, "events.ndjson")[0]["data"]["user_id"]
    room = {"room_id": elsewhere.first_room}
    message = {"message_id": victim["id"], **room}
    session_id = elsewhere.engine.directory.sessions_of(grace.user["id"])[0].id
    attempts = {
        "message.edited": {**message, "by": user_id, "body": "yours"},
        "message.deleted": {**message, "by": user_id},
        "boost.removed": {"boost_id": victim["id"], **message, "by": user_id},
        "session.ended": {"session_id": session_id, "user_id": user_id, "reason": "revoked"},
        "user.role_changed": {"user_id": grace.user["id"], "by": user_id, "role": "member"},
        "member.added": {**room, "user_id": grace.user["id"], "by": user_id},
    }
    original, position = lines(export, "events.ndjson"), elsewhere.engine.position
    for topic, data in attempts.items():
        refit(export, "events.ndjson", [*original, original[0] | {"topic": topic, "data": {"at": 1, **data}}])
        with pytest.raises(CampfireError, match="EXPORT_UNUSABLE"):
            await brought(elsewhere, export)
        assert elsewhere.engine.position == position, topic


async def test_an_export_cannot_name_a_file_that_it_does_not_bring(
    full: "Chat", elsewhere: "Chat", tmp_path: Path
) -> None:
    """Whoever knows a digest must not get the file of somebody else that has it here."""
    export = await exported(full, tmp_path / "export")
    secret = sha256(b"the secret of Grace").hexdigest()
    all_lines = lines(export, "events.ndjson")
    for line in all_lines:
        if line["topic"] == "upload.finished":
            line["data"]["attachment"]["digest"] = secret
    refit(export, "events.ndjson", all_lines)
    with pytest.raises(CampfireError, match="is not in it"):
        await brought(elsewhere, export)


async def test_nothing_that_was_deleted_comes_along(full: "Chat", elsewhere: "Chat", tmp_path: Path) -> None:
    """That something was said stays on record; what it was does not."""
    await brought(elsewhere, await exported(full, tmp_path / "export"))
    assert GONE.encode() not in all_bytes(elsewhere.engine.settings.data)
