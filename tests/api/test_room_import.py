"""A room, exported and brought in again: elsewhere, and where it was deleted."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from exports_support.content import admin_beside, fill, lines, must, refit, refused, say, seen, signed_in
from exports_support.dying import Died, Dying

from campfire.admin_exports import Offline
from campfire.domain.events import LinkPreview, MessagePreviewed, NewEvent, PreviewImage, RecordedEvent
from campfire.errors import CampfireError
from campfire.eventlog.verification import verify
from campfire.exports.bringing import Brought, bring_room
from campfire.exports.reading import opened
from campfire.housekeeping.scrubber import Scrubber
from outbox.planning import Endpoint, plan

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat


@pytest.fixture
async def den(chat: "Chat", ada: "Client", bob: "Client", eve: "Client") -> str:
    """A closed room with something of everything."""
    members = [bob.user["id"], eve.user["id"]]
    room = str((await must(ada.post("/api/v1/rooms", {"name": "Den", "kind": "closed", "members": members})))["id"])
    await must(ada.patch(f"/api/v1/rooms/{room}", {"name": "The Den"}))
    await fill(chat, ada, bob, eve, room)
    return room


@pytest.fixture
async def elsewhere(open_chat: "OpenChat", tmp_path: Path) -> AsyncIterator["Chat"]:
    """Another server."""
    async with open_chat(data=tmp_path / "elsewhere") as chat:
        yield chat


async def brought(chat: "Chat", export: Path) -> Brought:
    """Into a server whose engine is open already."""
    with opened(export, "room", lambda _done, _total: None) as archive:
        return await bring_room(archive, Offline(chat.engine), lambda _done, _total: None)


async def emptied(chat: "Chat", room: str) -> None:
    """Wait until the server has taken away what was said in a deleted room."""
    async with asyncio.timeout(20):
        while not chat.engine.directory.rooms[room].emptied:
            await asyncio.sleep(0.01)


async def exported(chat: "Chat", room: str, target: Path) -> Path:
    await admin_beside("export", "room", room, target, "--data", chat.engine.settings.data)
    return target


async def test_an_imported_room_reads_the_same(
    chat: "Chat", ada: "Client", den: str, elsewhere: "Chat", tmp_path: Path
) -> None:
    """Who, when and what, boosts, pins, threads, mentions, and the bytes of files."""
    export = await exported(chat, "The Den", tmp_path / "export")
    await elsewhere.set_up()
    result = await brought(elsewhere, export)
    assert (result.id, result.name, result.already_there) == (den, "The Den", False)
    again = elsewhere.with_token(await signed_in(elsewhere.engine, ada.user["id"]))
    assert await seen(again, den) == await seen(ada, den) != []
    members = [
        {each["name"] for each in (await must(who.get(f"/api/v1/rooms/{den}/members")))["members"]}
        for who in (ada, again)
    ]
    assert members[0] == members[1] == {"Ada", "Bob", "Eve"}
    for found in (ada, again):
        [pin] = (await must(found.get(f"/api/v1/rooms/{den}/pins")))["messages"]
        assert pin["body"] == "as promised"
    hits = await must(again.get("/api/v1/search?q=spelling"))
    assert [hit["body"] for hit in hits["messages"]] == ["a spelling mistake, @Eve"]


async def test_the_same_import_again_adds_nothing(
    chat: "Chat", ada: "Client", den: str, elsewhere: "Chat", tmp_path: Path
) -> None:
    """Nor does one into the server that it came from."""
    export = await exported(chat, den, tmp_path / "export")
    await brought(elsewhere, export)
    position = elsewhere.engine.position
    assert (await brought(elsewhere, export)).already_there and elsewhere.engine.position == position
    here = chat.engine.position
    assert (await brought(chat, export)).already_there and chat.engine.position == here


async def test_people_who_are_not_there_cannot_sign_in(
    chat: "Chat", ada: "Client", den: str, elsewhere: "Chat", tmp_path: Path
) -> None:
    """They are there to have said something; nobody here is changed."""
    await must(ada.patch("/api/v1/me", {"bio": "counts"}))
    await brought(elsewhere, await exported(chat, den, tmp_path / "export"))
    user = elsewhere.engine.directory.user(ada.user["id"])
    assert (user.name, user.bio, user.can_sign_in, user.email, user.role) == ("Ada", "counts", False, None, "member")
    assert elsewhere.engine.directory.user_by_email("ada@example.com") is None


async def test_a_deleted_room_comes_back(chat: "Chat", ada: "Client", den: str, tmp_path: Path) -> None:
    """Under another id, as often as it is deleted; each time it reads the same, and importing twice adds nothing."""
    export = await exported(chat, den, tmp_path / "export")
    before, room = await seen(ada, den), den
    for _ in range(2):
        await must(ada.delete(f"/api/v1/rooms/{room}"))
        await emptied(chat, room)
        await Scrubber(chat.engine).sweep(at_once=True)
        result = await brought(chat, export)
        assert result.id != room and await seen(ada, result.id) == before
        room = result.id
        position = chat.engine.position
        assert (await brought(chat, export)).already_there and chat.engine.position == position
    verify(chat.engine.reader)


async def test_a_direct_room_comes_back_as_the_one_of_its_people(
    chat: "Chat", ada: "Client", bob: "Client", tmp_path: Path
) -> None:
    """There is still only one."""
    wanted = {"name": "", "kind": "direct", "members": [bob.user["id"]]}
    room = (await must(ada.post("/api/v1/rooms", wanted)))["id"]
    await say(ada, room, "between you and me")
    export = await exported(chat, room, tmp_path / "export")
    before = await seen(ada, room)
    await must(ada.delete(f"/api/v1/rooms/{room}"))
    await emptied(chat, room)
    result = await brought(chat, export)
    assert result.id == room == (await must(bob.post("/api/v1/rooms", wanted | {"members": [ada.user["id"]]})))["id"]
    assert await seen(bob, room) == before
    assert (await brought(chat, export)).already_there


async def test_an_interrupted_import_goes_on(
    chat: "Chat", ada: "Client", den: str, elsewhere: "Chat", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was interrupted, run again it makes the room whole."""
    export = await exported(chat, den, tmp_path / "export")
    monkeypatch.setattr("campfire.exports.bringing._AT_ONCE", 3)
    steps = 1
    while True:
        try:
            with opened(export, "room", lambda _done, _total: None) as archive:
                await bring_room(archive, Dying(elsewhere.engine, steps), lambda _done, _total: None)
            break
        except Died:
            steps += 1
    assert steps > 4
    again = elsewhere.with_token(await signed_in(elsewhere.engine, ada.user["id"]))
    assert await seen(again, den) == await seen(ada, den)


async def test_what_links_lead_to_comes_along(
    chat: "Chat", ada: "Client", den: str, elsewhere: "Chat", tmp_path: Path
) -> None:
    """Under ids of its own; a picture that is not stored any more is left out."""
    message = await say(ada, den, "see https://example.com/")
    picture = PreviewImage("0" * 64, 10, 10)
    preview = LinkPreview(
        id=message["id"], link="https://example.com/", url="https://example.com/", title="An example", image=picture
    )
    previewed = MessagePreviewed(at=1, message_id=message["id"], room_id=den, previews=(preview,))
    await chat.engine.append([NewEvent(message["id"], 2, previewed)])
    await must(ada.patch(f"/api/v1/messages/{message['id']}", {"body": "see https://example.com/ now"}))
    export = await exported(chat, den, tmp_path / "export")
    await brought(elsewhere, export)
    again = elsewhere.with_token(await signed_in(elsewhere.engine, ada.user["id"]))
    [shown] = (await must(again.get(f"/api/v1/rooms/{den}/messages?limit=1")))["messages"]
    assert [(each["title"], each["image_url"]) for each in shown["link_previews"]] == [("An example", None)]
    assert shown["body"] == "see https://example.com/ now"
    assert (await brought(elsewhere, export)).already_there


async def test_an_archived_room_is_archived_again(
    chat: "Chat", ada: "Client", den: str, elsewhere: "Chat", tmp_path: Path
) -> None:
    """And one that was reopened since stays open."""
    await must(ada.post(f"/api/v1/rooms/{den}/archive"))
    export = await exported(chat, den, tmp_path / "export")
    await brought(elsewhere, export)
    assert elsewhere.engine.directory.room(den).archived
    await must(ada.delete(f"/api/v1/rooms/{den}/archive"))
    await brought(chat, export)
    assert not chat.engine.directory.room(den).archived


async def test_nobody_is_told_of_imported_history(chat: "Chat", den: str, elsewhere: "Chat", tmp_path: Path) -> None:
    """No webhook fires for what happened long ago, whatever it subscribed to."""
    before = elsewhere.engine.position
    await brought(elsewhere, await exported(chat, den, tmp_path / "export"))
    history: list[RecordedEvent] = elsewhere.engine.reader.read(before, 10_000)
    everything = frozenset(each.event.topic for each in history)
    endpoint = Endpoint("e", everything, None, 0)
    told = {each.event.topic for each in history if plan(each, [endpoint], "epoch")}
    assert {"message.posted", "message.edited", "boost.added", "message.pinned"} <= everything
    assert (
        told & {topic for topic in everything if topic.startswith(("message.", "boost.", "room.", "member."))} == set()
    )


HOSTILE = {
    "another room's event": lambda line: line["data"].update(room_id="00000000-0000-4000-8000-000000000000"),
    "an event of no room": lambda line: line.update(
        topic="user.role_changed", data={"at": 1, "user_id": "u", "by": "u", "role": "administrator"}
    ),
    "a version from nowhere": lambda line: line.update(version=7) if line["topic"] == "message.edited" else None,
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_room_that_makes_no_sense_is_refused(chat: "Chat", den: str, tmp_path: Path, change: Any) -> None:
    """Even if its manifest fits."""
    export = await exported(chat, den, tmp_path / "export")
    all_lines = lines(export, "events.ndjson")
    for line in all_lines:
        change(line)
    refit(export, "events.ndjson", all_lines)
    result = await refused("import", "room", export, "--data", tmp_path / "other")
    assert result.stderr.startswith("EXPORT_UNUSABLE: ")


async def test_an_import_cannot_write_into_another_rooms_messages(
    chat: "Chat", ada: "Client", bob: "Client", den: str, tmp_path: Path
) -> None:
    """An export that claims the id of a message which is elsewhere here is refused."""
    victim = await say(ada, chat.first_room, "mine")
    export = await exported(chat, den, tmp_path / "export")
    edited = next(line for line in lines(export, "events.ndjson") if line["topic"] == "message.edited")
    text = (export / "events.ndjson").read_text().replace(edited["data"]["message_id"], victim["id"])
    refit(export, "events.ndjson", [json.loads(line) for line in text.splitlines()])
    with pytest.raises(CampfireError, match="is something else here"):
        await brought(chat, export)
    assert [each["body"] for each in await seen(ada, chat.first_room)] == ["mine"]
