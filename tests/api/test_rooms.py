import asyncio
from typing import TYPE_CHECKING

import pytest

from campfire.domain import ids

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

NO_SUCH = "00000000-0000-4000-8000-000000000000"


async def a_closed_room(owner: "Client", *members: "Client") -> str:
    wanted = {"name": "Back Room", "kind": "closed", "members": [member.user["id"] for member in members]}
    reply = await owner.post("/api/v1/rooms", wanted)
    assert reply.status == 201, reply.text
    return str(reply.json["id"])


async def test_an_open_room_holds_everybody(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """201 with the room; it stands in each member's list."""
    reply = await ada.post("/api/v1/rooms", {"name": "Kitchen", "kind": "open"})
    assert reply.status == 201 and reply.json["name"] == "Kitchen" and reply.json["kind"] == "open"
    assert set(reply.json["members"]) == {ada.user["id"], bob.user["id"]}
    assert reply.json["id"] in [room["id"] for room in (await bob.get("/api/v1/rooms")).json["rooms"]]


async def test_a_closed_room_holds_its_maker_and_whom_they_name(ada: "Client", bob: "Client", eve: "Client") -> None:
    """Others neither see it in their list nor read it."""
    room_id = await a_closed_room(ada, bob)
    assert set((await bob.get(f"/api/v1/rooms/{room_id}")).json["members"]) == {ada.user["id"], bob.user["id"]}
    assert room_id not in [room["id"] for room in (await eve.get("/api/v1/rooms")).json["rooms"]]
    for path in (f"/api/v1/rooms/{room_id}", f"/api/v1/rooms/{room_id}/members", f"/api/v1/rooms/{room_id}/messages"):
        reply = await eve.get(path)
        assert (reply.status, reply.code) == (403, "ROOM_ACCESS_DENIED")


async def test_a_direct_room_begins_anew_after_it_was_deleted(ada: "Client", bob: "Client") -> None:
    """Had again at once: nothing of before is in it, and nothing that is said now goes with the rest."""
    wanted = {"kind": "direct", "members": [bob.user["id"]]}
    room = f"/api/v1/rooms/{(await ada.post('/api/v1/rooms', wanted)).json['id']}"
    for number in range(250):
        await ada.post(f"{room}/messages", {"body": f"before {number}"})
    assert (await bob.delete(room)).status == 204
    async with asyncio.timeout(30):
        while (reply := await ada.post("/api/v1/rooms", wanted)).status != 201:
            assert reply.code == "ROOM_BEING_DELETED" and reply.json["retryable"]
    assert (await ada.post(f"{room}/messages", {"body": "after"})).status == 201
    assert [message["body"] for message in (await bob.get(f"{room}/messages")).json["messages"]] == ["after"]


async def test_the_same_people_have_one_direct_room(ada: "Client", bob: "Client") -> None:
    """201 when it is new, 200 with the same room after that, whoever of them asks."""
    first = await ada.post("/api/v1/rooms", {"kind": "direct", "members": [bob.user["id"]]})
    again = await bob.post("/api/v1/rooms", {"kind": "direct", "members": [ada.user["id"]]})
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == again.json["id"]
    [listed] = [room for room in (await bob.get("/api/v1/rooms")).json["rooms"] if room["kind"] == "direct"]
    assert set(listed["members"]) == {ada.user["id"], bob.user["id"]}


async def test_a_room_of_people_who_do_not_exist_is_refused(ada: "Client") -> None:
    """404 for an unknown person, and a direct room needs somebody else."""
    assert (await ada.post("/api/v1/rooms", {"name": "X", "kind": "closed", "members": [NO_SUCH]})).code == (
        "USER_NOT_FOUND"
    )
    assert (await ada.post("/api/v1/rooms", {"kind": "direct", "members": []})).code == "VALIDATION_FAILED"


async def test_a_room_is_renamed_and_archived_by_its_maker_or_an_administrator(
    ada: "Client", bob: "Client", eve: "Client"
) -> None:
    """Other members may not; an archived room can be read, and nothing can be posted to it."""
    room_id = await a_closed_room(bob, ada, eve)
    assert (await eve.patch(f"/api/v1/rooms/{room_id}", {"name": "Mine"})).code == "PERMISSION_DENIED"
    assert (await bob.patch(f"/api/v1/rooms/{room_id}", {"name": "Den"})).json["name"] == "Den"
    assert (await ada.patch(f"/api/v1/rooms/{room_id}", {"name": "Lair"})).json["name"] == "Lair"
    assert (await eve.post(f"/api/v1/rooms/{room_id}/archive")).code == "PERMISSION_DENIED"
    assert (await bob.post(f"/api/v1/rooms/{room_id}/archive")).json["archived"] is True
    refused = await bob.post(f"/api/v1/rooms/{room_id}/messages", {"body": "hello?"})
    assert (refused.status, refused.code) == (409, "ROOM_ARCHIVED")
    assert (await bob.get(f"/api/v1/rooms/{room_id}/messages")).status == 200


async def test_members_come_and_go(ada: "Client", bob: "Client", eve: "Client") -> None:
    """A member adds others; anybody leaves; only who may administer the room removes somebody else."""
    room_id = await a_closed_room(ada, bob)
    members = f"/api/v1/rooms/{room_id}/members"
    assert (await bob.post(members, {"user_id": eve.user["id"]})).status == 200
    assert [user["name"] for user in (await eve.get(members)).json["members"]] == ["Ada", "Bob", "Eve"]
    assert (await eve.delete(f"{members}/{bob.user['id']}")).code == "PERMISSION_DENIED"
    assert (await ada.delete(f"{members}/{bob.user['id']}")).status == 204
    assert (await bob.get(members)).code == "ROOM_ACCESS_DENIED"
    assert (await eve.delete(f"{members}/{eve.user['id']}")).status == 204
    assert [user["name"] for user in (await ada.get(members)).json["members"]] == ["Ada"]


async def test_anybody_may_come_back_to_an_open_room_but_not_to_a_closed_one(
    chat: "Chat", ada: "Client", bob: "Client"
) -> None:
    """Joining a closed room takes somebody who is in it."""
    me = {"user_id": bob.user["id"]}
    assert (await bob.delete(f"/api/v1/rooms/{chat.first_room}/members/{bob.user['id']}")).status == 204
    assert (await bob.post(f"/api/v1/rooms/{chat.first_room}/members", me)).status == 200
    assert (await bob.post(f"/api/v1/rooms/{await a_closed_room(ada)}/members", me)).code == "ROOM_ACCESS_DENIED"


async def test_unread_messages_are_counted_until_they_are_read(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """One's own messages never count; reading moves forwards only."""
    room_id = await a_closed_room(ada, bob)

    async def unread(client: "Client") -> int:
        rooms = (await client.get("/api/v1/rooms")).json["rooms"]
        return int(next(room["unread"] for room in rooms if room["id"] == room_id))

    first, second = [
        (await ada.post(f"/api/v1/rooms/{room_id}/messages", {"body": text})).json for text in ("one", "two")
    ]
    assert (await unread(ada), await unread(bob)) == (0, 2)
    read = f"/api/v1/rooms/{room_id}/read"
    assert (await bob.post(read, {"position": first["position"]})).status == 204
    assert await unread(bob) == 1
    rename = {"name": "Den, renamed"}
    assert (await ada.patch(f"/api/v1/rooms/{room_id}", rename)).json["unread"] == 0
    assert (await bob.post(f"/api/v1/rooms/{room_id}/messages", {"body": "three"})).status == 201
    assert (await ada.patch(f"/api/v1/rooms/{room_id}", rename)).json["unread"] == 1
    assert (await bob.post(read, {"message_id": second["id"]})).status == 204
    assert await unread(bob) == 0
    assert (await bob.post(read, {"position": 1})).status == 204
    assert await unread(bob) == 0
    seen = (await bob.get(f"/api/v1/rooms/{room_id}")).json
    assert (seen["unread"], seen["read_position"]) == (0, second["position"])


async def test_a_room_is_opened_closed_and_brought_back(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Over the API as in the domain; the feed tells everybody in it."""
    room = f"/api/v1/rooms/{await a_closed_room(ada)}"
    assert (await bob.get(room)).status == 403
    opened = await ada.patch(room, {"kind": "open"})
    assert opened.status == 200 and opened.json["kind"] == "open" and opened.json["member_count"] == 2
    assert (await bob.get(room)).json["name"] == "Back Room"
    assert (await bob.patch(room, {"kind": "closed"})).code == "PERMISSION_DENIED"
    assert (await ada.patch(room, {"kind": "direct"})).code == "VALIDATION_FAILED"
    assert (await ada.post(f"{room}/archive")).json["archived"] is True
    assert (await bob.post(f"{room}/messages", {"body": "x"})).code == "ROOM_ARCHIVED"
    assert (await bob.delete(f"{room}/archive")).code == "PERMISSION_DENIED"
    assert (await ada.delete(f"{room}/archive")).json["archived"] is False
    assert (await bob.post(f"{room}/messages", {"body": "x"})).status == 201
    seen = [event["event"] for event in (await bob.get("/feed?since=0")).json["events"]]
    assert {"room.kind_changed", "member.added", "room.archived", "room.reopened"} <= set(seen)


async def test_everybody_chooses_what_to_hear_of_a_room(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """One's own choice, which only oneself sees."""
    room = f"/api/v1/rooms/{chat.first_room}"
    assert (await bob.get(room)).json["involvement"] == "mentions"
    for involvement in ("everything", "nothing", "invisible", "mentions"):
        reply = await bob.send("PUT", f"{room}/involvement", {"involvement": involvement})
        assert reply.json["involvement"] == involvement == (await bob.get(room)).json["involvement"]
    assert (await bob.send("PUT", f"{room}/involvement", {"involvement": "loud"})).code == "VALIDATION_FAILED"
    assert "room.involvement_set" in [event["event"] for event in (await bob.get("/feed?since=0")).json["events"]]
    assert "room.involvement_set" not in [event["event"] for event in (await ada.get("/feed?since=0")).json["events"]]


async def test_nobody_can_have_read_what_has_not_happened(ada: "Client", bob: "Client") -> None:
    """A position beyond the log does not hide what comes later."""
    room_id = await a_closed_room(ada, bob)
    assert (await bob.post(f"/api/v1/rooms/{room_id}/read", {"position": 1 << 53})).status == 204
    await ada.post(f"/api/v1/rooms/{room_id}/messages", {"body": "later"})
    assert (await bob.get(f"/api/v1/rooms/{room_id}")).json["unread"] == 1


@pytest.mark.parametrize("wanted", [{}, {"position": 1, "message_id": NO_SUCH}, {"position": -1}])
async def test_reading_takes_one_place(chat: "Chat", ada: "Client", wanted: dict[str, object]) -> None:
    """Either a position or a message, never both or neither."""
    assert (await ada.post(f"/api/v1/rooms/{chat.first_room}/read", wanted)).code == "VALIDATION_FAILED"


async def test_an_unknown_room_is_not_found(ada: "Client") -> None:
    """On every address below it."""
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "X"}),
        ("POST", "/archive", None),
        ("GET", "/members", None),
        ("POST", "/members", {"user_id": ada.user["id"]}),
        ("GET", "/messages", None),
        ("POST", "/messages", {"body": "x"}),
        ("POST", "/read", {"position": 1}),
    ):
        reply = await ada.send(method, f"/api/v1/rooms/{NO_SUCH}{path}", body)
        assert (reply.status, reply.code) == (404, "ROOM_NOT_FOUND"), path


async def test_open_rooms_that_somebody_left_can_be_found_and_joined_again(
    chat: "Chat", ada: "Client", bob: "Client"
) -> None:
    """Only those: no closed room, none that was archived, none that one is in."""
    await a_closed_room(ada)
    archived = (await ada.post("/api/v1/rooms", {"name": "Old", "kind": "open"})).json["id"]
    assert (await ada.post(f"/api/v1/rooms/{archived}/archive")).status == 200

    async def joinable() -> list[str]:
        return [room["id"] for room in (await bob.get("/api/v1/rooms?joinable=true")).json["rooms"]]

    assert await joinable() == []
    members = f"/api/v1/rooms/{chat.first_room}/members"
    assert (await bob.delete(f"{members}/{bob.user['id']}")).status == 204
    assert await joinable() == [chat.first_room]
    assert (await bob.post(members, {"user_id": bob.user["id"]})).status == 200
    assert await joinable() == []
    assert (await bob.get("/api/v1/rooms?joinable=perhaps")).code == "VALIDATION_FAILED"


async def test_nobody_learns_who_talks_to_whom(ada: "Client", bob: "Client", eve: "Client") -> None:
    """A direct room's id can be computed; to others it looks like one that is not there."""
    theirs = ids.direct_room_id([ada.user["id"], bob.user["id"]])
    path, me = f"/api/v1/rooms/{theirs}", eve.user["id"]

    async def answers() -> list[str]:
        replies = [
            await eve.get(path),
            await eve.get(f"{path}/messages"),
            await eve.put(f"{path}/typing"),
            await eve.post(f"{path}/members", {"user_id": me}),
            await eve.delete(f"{path}/members/{me}"),
            await eve.delete(f"{path}/members/{ada.user['id']}"),
            await eve.post(f"{path}/archive"),
            await eve.delete(path),
        ]
        return [reply.code for reply in replies]

    before = await answers()
    assert (await ada.post("/api/v1/rooms", {"kind": "direct", "members": [bob.user["id"]]})).json["id"] == theirs
    assert set(before) == {"ROOM_NOT_FOUND"} and await answers() == before
