"""What belongs to messages besides words: mentions, replies, boosts, pins, saved messages, what was said before."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client


@pytest.fixture
def room(chat: "Chat", bob: "Client") -> str:
    """The address of the first room, where Ada and Bob are."""
    return f"/api/v1/rooms/{chat.first_room}"


async def say(who: "Client", room: str, body: str, **more: Any) -> dict[str, Any]:
    reply = await who.post(f"{room}/messages", {"body": body, **more})
    assert reply.status == 201, reply.text
    return dict(reply.json)


async def seen_by(who: "Client", message: dict[str, Any]) -> dict[str, Any]:
    reply = await who.get(f"/api/v1/messages/{message['id']}")
    assert reply.status == 200, reply.text
    return dict(reply.json)


async def events_of(who: "Client") -> list[tuple[str, Any]]:
    return [(event["event"], event["data"]) for event in (await who.get("/feed?since=0")).json["events"]]


async def test_a_mention_names_who_is_meant_and_where(ada: "Client", bob: "Client", room: str) -> None:
    """In the answer, in the room's page and in the feed; it counts as an unread mention until it is read."""
    message = await say(ada, room, "ask @bob about it")
    expected = [{"user_id": bob.user["id"], "name": "Bob", "start": 4, "end": 8}]
    assert message["mentions"] == expected == (await seen_by(bob, message))["mentions"]
    assert message["body"] == "ask @bob about it"
    [view] = [data for event, data in await events_of(bob) if event == "message.posted"]
    assert view["mentions"] == [{"user_id": bob.user["id"], "start": 4, "end": 8}]
    await say(ada, room, "never mind")
    shown = (await bob.get(room)).json
    assert (shown["unread"], shown["unread_mentions"]) == (2, 1)
    await bob.post(f"{room}/read", {"message_id": message["id"]})
    shown = (await bob.get(room)).json
    assert (shown["unread"], shown["unread_mentions"]) == (1, 0)


async def test_an_edit_mentions_whom_the_new_words_name(ada: "Client", bob: "Client", room: str) -> None:
    """Who is no longer named is no longer mentioned, unread or not."""
    message = await say(ada, room, "@Bob look")
    edited = (await ada.patch(f"/api/v1/messages/{message['id']}", {"body": "look"})).json
    assert edited["mentions"] == [] and (await bob.get(room)).json["unread_mentions"] == 0
    edited = (await ada.patch(f"/api/v1/messages/{message['id']}", {"body": "look, @Bob"})).json
    assert [each["start"] for each in edited["mentions"]] == [6]
    assert (await bob.get(room)).json["unread_mentions"] == 1


async def test_replies_make_a_thread_that_can_be_read_alone(ada: "Client", bob: "Client", room: str) -> None:
    """A page of it in either direction; its own unread count, which is everybody's own."""
    first = await say(ada, room, "Shall we?")
    await say(ada, room, "something else")
    replies = [await say(bob, room, f"reply {number}", reply_to=first["id"]) for number in range(3)]
    deeper = await say(ada, room, "deeper", reply_to=replies[2]["id"])
    assert (deeper["reply_to"], deeper["thread_id"]) == (replies[2]["id"], first["id"])

    async def thread(query: str = "", of: str = first["id"]) -> dict[str, Any]:
        return dict((await ada.get(f"/api/v1/messages/{of}/thread{query}")).json)

    whole = await thread()
    assert whole["first"]["id"] == first["id"]
    assert [each["body"] for each in whole["messages"]] == ["reply 0", "reply 1", "reply 2", "deeper"]
    assert await thread(of=deeper["id"]) == whole
    assert [each["body"] for each in (await thread("?limit=2"))["messages"]] == ["reply 2", "deeper"]
    before = await thread(f"?limit=2&before={replies[2]['id']}")
    after = await thread(f"?limit=2&after={replies[0]['id']}")
    assert [each["body"] for each in before["messages"]] == ["reply 0", "reply 1"]
    assert [each["body"] for each in after["messages"]] == ["reply 1", "reply 2"]
    assert whole["first"]["thread"]["replies"] == 4 and whole["first"]["thread"]["unread"] == 3
    read = f"/api/v1/messages/{first['id']}/thread/read"
    assert (await ada.post(read, {"position": replies[1]["position"]})).status == 204
    assert (await ada.post(read, {"position": 1})).status == 204
    assert (await seen_by(ada, first))["thread"]["unread"] == 1
    assert (await seen_by(bob, first))["thread"]["unread"] == 1
    await bob.delete(f"/api/v1/messages/{replies[0]['id']}")
    assert (await seen_by(ada, first))["thread"]["replies"] == 3


async def test_a_thread_outlives_the_message_that_began_it(ada: "Client", bob: "Client", room: str) -> None:
    """What others said is still theirs; the first message shows no words."""
    first = await say(ada, room, "secret")
    await say(bob, room, "a reply", reply_to=first["id"])
    await ada.delete(f"/api/v1/messages/{first['id']}")
    thread = (await bob.get(f"/api/v1/messages/{first['id']}/thread")).json
    assert thread["first"]["body"] == "" and [each["body"] for each in thread["messages"]] == ["a reply"]
    late = await bob.post(f"{room}/messages", {"body": "too late", "reply_to": first["id"]})
    assert late.code == "MESSAGE_NOT_FOUND"


async def test_a_repeated_reply_is_the_first_one(ada: "Client", bob: "Client", room: str) -> None:
    """Also when what it answers is gone by then; to answer something else under the same id is refused."""
    first, other = await say(ada, room, "one"), await say(ada, room, "two")
    wanted = {"body": "yes", "client_message_id": "r", "reply_to": first["id"]}
    posted = await bob.post(f"{room}/messages", wanted)
    assert (await bob.post(f"{room}/messages", {**wanted, "reply_to": other["id"]})).code == "CLIENT_MESSAGE_ID_REUSED"
    await ada.delete(f"/api/v1/messages/{first['id']}")
    again = await bob.post(f"{room}/messages", wanted)
    assert (again.status, again.json["id"], again.json["duplicate"]) == (200, posted.json["id"], True)


async def test_boosts_are_shown_with_who_gave_them(ada: "Client", bob: "Client", room: str) -> None:
    """Any number, oldest first; one's own can be taken back, and they go with the message."""
    message = await say(ada, room, "We did it")
    boosts = f"/api/v1/messages/{message['id']}/boosts"
    given = [(await who.post(boosts, {"content": content})).json for who, content in ((bob, "👏"), (ada, "thanks all"))]
    assert [each["booster"]["name"] for each in given] == ["Bob", "Ada"]
    assert (await seen_by(ada, message))["boosts"] == given
    assert (await ada.delete(f"{boosts}/{given[0]['id']}")).code == "PERMISSION_DENIED"
    assert (await bob.delete(f"{boosts}/{given[0]['id']}")).status == 204
    assert (await bob.delete(f"{boosts}/{given[0]['id']}")).code == "BOOST_NOT_FOUND"
    assert (await seen_by(ada, message))["boosts"] == given[1:]
    assert (await bob.post(boosts, {"content": "x" * 17})).code == "VALIDATION_FAILED"
    names = [event for event, _ in await events_of(bob)]
    assert names.count("boost.added") == 2 and names.count("boost.removed") == 1


async def test_pins_are_the_rooms_and_saved_messages_ones_own(ada: "Client", bob: "Client", room: str) -> None:
    """Both the last first; what is deleted is in neither."""
    one, two = await say(ada, room, "one"), await say(ada, room, "two")
    for message in (one, two):
        assert (await bob.send("PUT", f"/api/v1/messages/{message['id']}/pin")).status == 204
        assert (await bob.send("PUT", f"/api/v1/messages/{message['id']}/save")).status == 204

    async def bodies(who: "Client", path: str) -> list[str]:
        return [message["body"] for message in (await who.get(path)).json["messages"]]

    assert await bodies(ada, f"{room}/pins") == ["two", "one"] == await bodies(bob, "/api/v1/saved")
    assert await bodies(bob, f"/api/v1/saved?before={two['id']}&limit=1") == ["one"]
    assert await bodies(ada, "/api/v1/saved") == []
    assert (await seen_by(bob, one))["saved"] is True and (await seen_by(ada, one))["saved"] is False
    assert "message.saved" not in [event for event, _ in await events_of(ada)]
    await bob.delete(f"/api/v1/messages/{one['id']}/pin")
    await bob.delete(f"/api/v1/messages/{one['id']}/save")
    assert await bodies(ada, f"{room}/pins") == ["two"] == await bodies(bob, "/api/v1/saved")
    await ada.delete(f"/api/v1/messages/{two['id']}")
    assert await bodies(ada, f"{room}/pins") == [] == await bodies(bob, "/api/v1/saved")


async def test_saved_messages_of_a_room_one_left_are_not_shown(
    chat: "Chat", ada: "Client", bob: "Client", room: str
) -> None:
    """To save is not to keep access."""
    message = await say(ada, room, "for members")
    await bob.send("PUT", f"/api/v1/messages/{message['id']}/save")
    await bob.delete(f"{room}/members/{bob.user['id']}")
    assert (await bob.get("/api/v1/saved")).json["messages"] == []


async def test_what_was_said_before_is_for_its_author_and_administrators(
    ada: "Client", bob: "Client", eve: "Client", room: str
) -> None:
    """Every version, until the message is deleted: then only that there were any."""
    message = await say(bob, room, "frist")
    address = f"/api/v1/messages/{message['id']}"
    await bob.patch(address, {"body": "first"})
    await ada.patch(address, {"body": "First."})
    for who in (ada, bob):
        versions = (await who.get(f"{address}/history")).json["versions"]
        assert [each["body"] for each in versions] == ["frist", "first", "First."]
        assert [each["by"] for each in versions] == [bob.user["id"], bob.user["id"], ada.user["id"]]
    assert (await eve.get(f"{address}/history")).code == "PERMISSION_DENIED"
    await bob.delete(address)
    history = (await ada.get(f"{address}/history")).json
    assert [each["body"] for each in history["versions"]] == [""] * 3 and history["deleted_by"] == bob.user["id"]


async def test_a_room_is_read_from_its_beginning_or_from_a_time(chat: "Chat", ada: "Client", room: str) -> None:
    """And on from there by `after`."""
    messages = []
    for number in range(4):
        messages.append(await say(ada, room, f"m{number}"))
        chat.clock.advance(60)

    async def bodies(query: str) -> list[str]:
        return [message["body"] for message in (await ada.get(f"{room}/messages?{query}")).json["messages"]]

    assert await bodies("from=first&limit=2") == ["m0", "m1"]
    assert await bodies(f"from={messages[1]['created_at']}&limit=2") == ["m1", "m2"]
    assert await bodies("from=2999-01-01") == []
    for query in ("from=yesterday", "from=first&before=x"):
        assert (await ada.get(f"{room}/messages?{query}")).code == "VALIDATION_FAILED"


async def test_a_sound_is_named_for_the_client_to_play(ada: "Client", room: str) -> None:
    """As one of those that are listed."""
    sounds = (await ada.get("/api/v1/sounds")).json["sounds"]
    message = await say(ada, room, f"/play {sounds[0]}")
    assert message["sound"] == sounds[0] == (await seen_by(ada, message))["sound"]
    assert (await say(ada, room, "/play it again"))["sound"] is None


async def test_none_of_it_is_for_who_is_not_in_the_room(ada: "Client", bob: "Client", eve: "Client") -> None:
    """Every address of a message in somebody else's room."""
    wanted = {"name": "Den", "kind": "closed", "members": [bob.user["id"]]}
    room = f"/api/v1/rooms/{(await ada.post('/api/v1/rooms', wanted)).json['id']}"
    message = await say(ada, room, "secret")
    boost = (await bob.post(f"/api/v1/messages/{message['id']}/boosts", {"content": "!"})).json
    address = f"/api/v1/messages/{message['id']}"
    for method, path, body in (
        ("GET", f"{address}/thread", None),
        ("POST", f"{address}/thread/read", {"position": 1}),
        ("GET", f"{address}/history", None),
        ("POST", f"{address}/boosts", {"content": "!"}),
        ("DELETE", f"{address}/boosts/{boost['id']}", None),
        ("PUT", f"{address}/pin", None),
        ("DELETE", f"{address}/pin", None),
        ("PUT", f"{address}/save", None),
        ("DELETE", f"{address}/save", None),
        ("GET", f"{room}/pins", None),
        ("PUT", f"{room}/involvement", {"involvement": "everything"}),
    ):
        reply = await eve.send(method, path, body)
        assert (reply.status, reply.code) == (403, "ROOM_ACCESS_DENIED"), (method, path)
