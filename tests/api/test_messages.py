import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from campfire.iso_times import ms_from_iso

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

NO_SUCH = "00000000-0000-4000-8000-000000000000"
FLAG = "\U0001f1e9\U0001f1ea"  # two code points, one grapheme


@pytest.fixture
def messages(chat: "Chat", ada: "Client") -> str:
    """The address of the first room's messages."""
    return f"/api/v1/rooms/{chat.first_room}/messages"


async def ids_of(client: "Client", path: str, **query: Any) -> list[str]:
    reply = await client.get(path, params=query)
    assert reply.status == 200, reply.text
    return [message["id"] for message in reply.json["messages"]]


async def test_a_message_is_answered_with_its_place_in_the_log(chat: "Chat", ada: "Client", messages: str) -> None:
    """201 with every field of the contract; the next read shows it."""
    reply = await ada.post(messages, {"body": "Hello", "client_message_id": "k1"})
    message = reply.json
    assert reply.status == 201 and message["position"] == chat.engine.position
    assert message["room_id"] == chat.first_room and message["body"] == "Hello"
    assert message["author"] == {"id": ada.user["id"], "name": "Ada"}
    assert message["duplicate"] is False and message["truncated"] is False
    assert message["created_at"].endswith("Z") and ms_from_iso(message["created_at"]) == chat.clock.now_ms()
    assert await ids_of(ada, messages) == [message["id"]]


async def test_a_repeat_is_answered_with_the_first_result(ada: "Client", messages: str) -> None:
    """200 with `duplicate`, and the room holds the message once."""
    first = await ada.post(messages, {"body": "Hello", "client_message_id": "k1"})
    again = await ada.post(messages, {"body": "Hello", "client_message_id": "k1"})
    assert again.status == 200 and again.json == {**first.json, "duplicate": True}
    assert await ids_of(ada, messages) == [first.json["id"]]


async def test_repeats_at_the_same_time_make_one_message(ada: "Client", messages: str) -> None:
    """One of them is the first, the others are told so; nothing more is in the log."""
    wanted = {"body": "Hello", "client_message_id": "k1"}
    replies = await asyncio.gather(*(ada.post(messages, wanted) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [200] * 19 + [201]
    assert len({(reply.json["id"], reply.json["position"]) for reply in replies}) == 1
    assert len(await ids_of(ada, messages)) == 1


async def test_the_same_id_with_another_body_is_refused(ada: "Client", messages: str) -> None:
    """409, and the first message stays as it was."""
    await ada.post(messages, {"body": "Hello", "client_message_id": "k1"})
    reply = await ada.post(messages, {"body": "Goodbye", "client_message_id": "k1"})
    assert (reply.status, reply.code) == (409, "CLIENT_MESSAGE_ID_REUSED")
    assert [message["body"] for message in (await ada.get(messages)).json["messages"]] == ["Hello"]


async def test_ids_of_different_people_never_meet(ada: "Client", bob: "Client", messages: str) -> None:
    """Two clients may count their messages alike."""
    assert (await ada.post(messages, {"body": "A", "client_message_id": "1"})).status == 201
    assert (await bob.post(messages, {"body": "B", "client_message_id": "1"})).status == 201


async def test_a_repeat_of_an_edited_message_is_still_a_repeat(ada: "Client", messages: str) -> None:
    """What was first said under the id decides, not what it says now."""
    wanted = {"body": "Helo", "client_message_id": "k1"}
    first = (await ada.post(messages, wanted)).json
    await ada.patch(f"/api/v1/messages/{first['id']}", {"body": "Hello"})
    again = await ada.post(messages, wanted)
    assert (again.status, again.json["id"], again.json["duplicate"]) == (200, first["id"], True)


async def test_a_repeat_of_a_deleted_message_brings_nothing_back(ada: "Client", messages: str) -> None:
    """200 with `deleted_at` and without the text."""
    wanted = {"body": "Oops", "client_message_id": "k1"}
    first = (await ada.post(messages, wanted)).json
    await ada.delete(f"/api/v1/messages/{first['id']}")
    again = await ada.post(messages, wanted)
    assert (again.status, again.json["id"], again.json["duplicate"]) == (200, first["id"], True)
    assert again.json["body"] == "" and again.json["deleted_at"]
    other = await ada.post(messages, {"body": "something else", "client_message_id": again.json["client_message_id"]})
    assert (other.status, other.code) == (409, "CLIENT_MESSAGE_ID_REUSED")
    assert await ids_of(ada, messages) == []


async def test_a_repeat_after_the_room_was_archived_is_still_answered(chat: "Chat", ada: "Client") -> None:
    """An acknowledgement that got lost can be asked for again; a new message is refused."""
    room_id = (await ada.post("/api/v1/rooms", {"name": "Attic", "kind": "closed"})).json["id"]
    path, wanted = f"/api/v1/rooms/{room_id}/messages", {"body": "Last", "client_message_id": "k1"}
    first = (await ada.post(path, wanted)).json
    await ada.post(f"/api/v1/rooms/{room_id}/archive")
    again = await ada.post(path, wanted)
    assert (again.status, again.json.get("id")) == (200, first["id"])
    assert (await ada.post(path, {"body": "New", "client_message_id": "k2"})).code == "ROOM_ARCHIVED"


async def test_a_client_may_leave_the_id_to_the_server(ada: "Client", messages: str) -> None:
    """For a person with curl; then nothing is a repeat."""
    first, second = [await ada.post(messages, {"body": "Hello"}) for _ in range(2)]
    assert (first.status, second.status) == (201, 201) and first.json["id"] != second.json["id"]


async def test_ten_thousand_characters_fit(ada: "Client", messages: str) -> None:
    """Whatever they take in bytes: as text, or as JSON escapes."""
    assert (await ada.post(messages, {"body": "\U0001f525" * 10_000})).status == 201
    escaped = b'{"body": "' + b"\\ud83d\\udd25" * 10_000 + b'"}'
    assert (await ada.post(messages, escaped)).json["body"] == "\U0001f525" * 10_000


async def test_a_longer_message_is_refused_unless_it_may_be_cut(ada: "Client", messages: str) -> None:
    """413 by default; on request cut between graphemes, marked, with the original length."""
    body = "x" * 9_999 + FLAG * 3
    refused = await ada.post(messages, {"body": body})
    assert (refused.status, refused.code) == (413, "MESSAGE_TOO_LONG")
    reply = await ada.post(messages, {"body": body, "overflow": "truncate"})
    assert reply.status == 201 and reply.json["truncated"] is True
    assert reply.json["body"] == "x" * 9_999 and reply.json["original_length"] == 10_005


async def test_a_cut_message_may_be_repeated(ada: "Client", messages: str) -> None:
    """The same text is cut the same way, so it is the same message; another text is not."""
    wanted = {"body": "y" * 20_000, "client_message_id": "k1", "overflow": "truncate"}
    assert [(await ada.post(messages, wanted)).status for _ in range(2)] == [201, 200]
    other = await ada.post(messages, {**wanted, "body": "y" * 20_001})
    assert other.code == "CLIENT_MESSAGE_ID_REUSED"


async def test_a_message_that_is_cut_to_its_limit_may_come_as_64_kib(ada: "Client", messages: str) -> None:
    """Even if every character is written as a JSON escape; far more is too large to be read at all."""
    escaped = b'{"overflow": "truncate", "body": "' + b"\\u0041" * 65_536 + b'"}'
    assert (await ada.post(messages, escaped)).json["original_length"] == 65_536
    reply = await ada.post(messages, b'{"body": "' + b"x" * 600_000 + b'"}')
    assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("body", ["", "   \n", "nul\u0000"])
async def test_a_message_needs_text(ada: "Client", messages: str, body: str) -> None:
    """422 that names the body."""
    reply = await ada.post(messages, {"body": body})
    assert (reply.status, reply.code) == (422, "VALIDATION_FAILED")
    assert reply.json["errors"][0]["field"] == "body"


async def test_pages_lead_through_the_whole_history(ada: "Client", messages: str) -> None:
    """Oldest first; before and after do not hold the message that is named, around does."""
    ids = [(await ada.post(messages, {"body": str(number)})).json["id"] for number in range(10)]
    assert await ids_of(ada, messages) == ids
    assert await ids_of(ada, messages, limit=3) == ids[7:]
    assert await ids_of(ada, messages, before=ids[7], limit=3) == ids[4:7]
    assert await ids_of(ada, messages, before=ids[0]) == []
    assert await ids_of(ada, messages, after=ids[2], limit=3) == ids[3:6]
    assert await ids_of(ada, messages, after=ids[9]) == []
    assert await ids_of(ada, messages, around=ids[5], limit=5) == ids[3:8]
    assert await ids_of(ada, messages, around=ids[5], limit=1) == [ids[5]]


async def test_a_link_leads_to_its_message(chat: "Chat", ada: "Client", bob: "Client", messages: str) -> None:
    """By the short numbers of room and message, for who may read it, as long as it stands."""
    said = (await ada.post(messages, {"body": "here"})).json
    room = (await ada.get(f"/api/v1/rooms/{said['room_id']}")).json
    link = f"/api/v1/links/{room['number']}/{said['position']}"
    assert (await ada.get(link)).json["id"] == (await bob.get(link)).json["id"] == said["id"]
    elsewhere = (await ada.post("/api/v1/rooms", {"name": "Attic", "kind": "closed"})).json
    assert (await ada.get(f"/api/v1/links/{elsewhere['number']}/{said['position']}")).code == "MESSAGE_NOT_FOUND"
    refusals = [await bob.get(f"/api/v1/links/{number}/1") for number in (elsewhere["number"], 999_999, "9" * 400)]
    assert {reply.code for reply in refusals} == {"ROOM_NOT_FOUND"}
    assert len({reply.json["detail"] for reply in refusals}) == 1
    for none in ("%C2%B2", "9" * 400, "0"):
        assert (await ada.get(f"/api/v1/links/{room['number']}/{none}")).code == "MESSAGE_NOT_FOUND"
    await ada.delete(f"/api/v1/messages/{said['id']}")
    assert (await ada.get(link)).code == "MESSAGE_NOT_FOUND"


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "201"}, {"limit": "many"}, {"limit": "9" * 400}, {"before": NO_SUCH, "after": NO_SUCH}],
)
async def test_a_page_that_makes_no_sense_is_refused(ada: "Client", messages: str, query: dict[str, str]) -> None:
    """422, rather than something else than was asked for."""
    reply = await ada.get(messages, params=query)
    assert (reply.status, reply.code) == (422, "VALIDATION_FAILED")


async def test_a_page_at_a_message_of_another_room_is_not_found(ada: "Client", messages: str) -> None:
    """An id leads nowhere outside its own room."""
    room_id = (await ada.post("/api/v1/rooms", {"name": "Attic", "kind": "closed"})).json["id"]
    other = (await ada.post(f"/api/v1/rooms/{room_id}/messages", {"body": "x"})).json["id"]
    for anchor in (other, NO_SUCH, "no-uuid"):
        reply = await ada.get(messages, params={"around": anchor})
        assert (reply.status, reply.code) == (404, "MESSAGE_NOT_FOUND")


async def test_authors_and_administrators_edit_and_delete(ada: "Client", bob: "Client", messages: str) -> None:
    """PATCH gives the message as it is then, DELETE 204; others may not."""
    by_ada = f"/api/v1/messages/{(await ada.post(messages, {'body': 'mine'})).json['id']}"
    by_bob = f"/api/v1/messages/{(await bob.post(messages, {'body': 'helo'})).json['id']}"
    assert (await bob.patch(by_ada, {"body": "taken"})).code == "PERMISSION_DENIED"
    assert (await bob.delete(by_ada)).code == "PERMISSION_DENIED"
    edited = await bob.patch(by_bob, {"body": "hello"})
    assert (edited.status, edited.json["body"]) == (200, "hello") and edited.json["edited_at"]
    assert (await ada.patch(by_bob, {"body": "hello!"})).json["author"]["name"] == "Bob"
    assert (await ada.delete(by_bob)).status == 204


async def test_a_deleted_message_is_gone(ada: "Client", messages: str) -> None:
    """From pages, from its own address, and for a second delete or edit."""
    message = f"/api/v1/messages/{(await ada.post(messages, {'body': 'secret'})).json['id']}"
    assert (await ada.delete(message)).status == 204
    assert "secret" not in (await ada.get(messages)).text
    for reply in (await ada.get(message), await ada.delete(message), await ada.patch(message, {"body": "x"})):
        assert (reply.status, reply.code) == (404, "MESSAGE_NOT_FOUND")


async def test_edits_at_the_same_time_all_take_their_turn(ada: "Client", messages: str) -> None:
    """Whoever was slower decides again from what is there then."""
    message = f"/api/v1/messages/{(await ada.post(messages, {'body': 'start'})).json['id']}"
    replies = await asyncio.gather(*(ada.patch(message, {"body": f"edit {number}"}) for number in range(4)))
    assert {reply.status for reply in replies} <= {200, 409}
    assert (await ada.get(message)).json["body"].startswith("edit ")
    assert 200 in {reply.status for reply in replies}


async def test_who_left_a_room_can_no_longer_touch_its_messages(ada: "Client", bob: "Client") -> None:
    """Not even what they wrote there themselves."""
    room_id = (await ada.post("/api/v1/rooms", {"name": "Den", "kind": "closed", "members": [bob.user["id"]]})).json[
        "id"
    ]
    message_id = (await bob.post(f"/api/v1/rooms/{room_id}/messages", {"body": "here"})).json["id"]
    await bob.delete(f"/api/v1/rooms/{room_id}/members/{bob.user['id']}")
    message = f"/api/v1/messages/{message_id}"
    for reply in (await bob.get(message), await bob.patch(message, {"body": "x"}), await bob.delete(message)):
        assert (reply.status, reply.code) == (403, "ROOM_ACCESS_DENIED")
