from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client


@pytest.fixture
async def said(chat: "Chat", ada: "Client", bob: "Client") -> list[str]:
    """Ids of two messages of the first room that both name a wombat, oldest first."""
    room = f"/api/v1/rooms/{chat.first_room}/messages"
    return [(await ada.post(room, {"body": text})).json["id"] for text in ("A wombat digs", "The wombat sleeps")]


async def test_search_finds_the_newest_first(bob: "Client", said: list[str]) -> None:
    """200 with `messages` in the shape of any other list."""
    reply = await bob.get("/api/v1/search", params={"q": "wombat"})
    assert [message["id"] for message in reply.json["messages"]] == said[::-1]
    assert reply.json["messages"][0]["author"]["name"] == "Ada"
    limited = await bob.get("/api/v1/search", params={"q": "wombat", "limit": 1})
    assert [message["id"] for message in limited.json["messages"]] == said[1:]


async def test_search_never_leaves_ones_own_rooms(ada: "Client", bob: "Client", said: list[str]) -> None:
    """What is said where one is not a member cannot be found, nor asked for by the room's id."""
    room_id = (await ada.post("/api/v1/rooms", {"name": "Vault", "kind": "closed"})).json["id"]
    secret = (await ada.post(f"/api/v1/rooms/{room_id}/messages", {"body": "wombat gold"})).json["id"]
    for text in ("wombat", "wombat in:Vault", "wombat from:ada", "from:ada"):
        found = await bob.get("/api/v1/search", params={"q": text})
        assert secret not in [each["id"] for each in found.json["messages"]]
    assert (await bob.get("/api/v1/search", params={"q": "wombat", "room_id": room_id})).code == "ROOM_ACCESS_DENIED"
    inside = await ada.get("/api/v1/search", params={"q": "wombat", "room_id": room_id})
    assert [each["id"] for each in inside.json["messages"]] == [secret]


async def test_a_deleted_or_edited_text_is_no_longer_found(ada: "Client", said: list[str]) -> None:
    """Search shows what messages say now."""
    await ada.delete(f"/api/v1/messages/{said[0]}")
    await ada.patch(f"/api/v1/messages/{said[1]}", {"body": "The badger sleeps"})
    assert (await ada.get("/api/v1/search?q=wombat")).json["messages"] == []
    assert [each["id"] for each in (await ada.get("/api/v1/search?q=badger")).json["messages"]] == [said[1]]


async def bodies(client: "Client", text: str, **options: Any) -> list[str]:
    reply = await client.get("/api/v1/search", params={"q": text, **options})
    assert reply.status == 200, reply.text
    return [message["body"] for message in reply.json["messages"]]


async def test_people_are_named_as_one_thinks_of_them(chat: "Chat", bob: "Client", said: list[str]) -> None:
    """By name in any case, by its beginning if nobody has it whole, by `me`; several are either."""
    bobby = await chat.joined("Bobby")
    for client, body in ((bob, "Bob's wombat"), (bobby, "Bobby's wombat")):
        await client.post(f"/api/v1/rooms/{chat.first_room}/messages", {"body": body})
    adas = ["The wombat sleeps", "A wombat digs"]
    assert await bodies(bob, "from:ada") == await bodies(bob, "from:@A wombat") == adas
    assert await bodies(bob, "wombat from:me") == await bodies(bob, "from:BOB") == ["Bob's wombat"]
    assert await bodies(bob, "from:bo wombat") == ["Bobby's wombat", "Bob's wombat"]
    assert await bodies(bob, 'from:ada from:"bobby"') == ["Bobby's wombat", *adas]
    assert await bodies(bob, "from:zed") == []


async def test_rooms_are_found_by_name(ada: "Client", bob: "Client", said: list[str]) -> None:
    """Whole or begun, with a # or in quotes; a room of others is as unknown as one that is not there."""
    room_id = (await ada.post("/api/v1/rooms", {"name": "Burrow Club", "kind": "closed"})).json["id"]
    await ada.post(f"/api/v1/rooms/{room_id}/messages", {"body": "wombat gold"})
    for text in ('wombat in:"burrow club"', "in:#burrow", 'from:me in:"Burrow Club"'):
        assert await bodies(ada, text) == ["wombat gold"]
    assert await bodies(ada, "wombat in:burrow", room_id=room_id) == ["wombat gold"]
    theirs = (await bob.get("/api/v1/search?q=in:burrow")).json
    nobodys = (await bob.get("/api/v1/search?q=in:harrow")).json
    assert theirs["messages"] == nobodys["messages"] == []
    assert theirs["understood"] == {**nobodys["understood"], "words": ["in:burrow"]}


async def test_the_answer_says_how_the_text_was_understood(
    chat: "Chat", ada: "Client", bob: "Client", said: list[str]
) -> None:
    """People and rooms by id and present name, dates as times, and what meant nothing among the words."""
    typed = 'from:ada "a wombat" on:2026-11 has:link has:pizza from:zed dig in:#nowhere'
    assert (await bob.get("/api/v1/search", params={"q": typed})).json["understood"] == {
        "words": ["has:pizza", "dig", "from:zed", "in:nowhere"],
        "phrases": ["a wombat"],
        "from": [{"id": ada.user["id"], "name": "Ada"}],
        "in": [],
        "has": ["link"],
        "after": "2026-11-01T00:00:00.000Z",
        "before": "2026-12-01T00:00:00.000Z",
    }
    [room] = [room for room in (await bob.get("/api/v1/rooms")).json["rooms"] if room["id"] == chat.first_room]
    understood = (await bob.get("/api/v1/search", params={"q": f'in:"{room["name"]}"'})).json["understood"]
    assert understood["in"] == [{"id": room["id"], "name": room["name"]}]


async def test_highlights_are_places_in_the_body(bob: "Client", said: list[str]) -> None:
    """By message id, in characters from the first to before the second."""
    found = (await bob.get("/api/v1/search?q=wombat+dig")).json
    assert found["highlights"] == {said[0]: [[2, 8], [9, 13]]}


@pytest.mark.parametrize("order", ["newest", "relevance"])
async def test_pages_follow_each_other(bob: "Client", said: list[str], order: str) -> None:
    """`next` begins the next page, and is null on the last."""
    first = (await bob.get("/api/v1/search", params={"q": "wombat", "limit": 1, "order": order})).json
    again = {"q": "wombat", "limit": 1, "order": order, "before": first["next"]}
    second = (await bob.get("/api/v1/search", params=again)).json
    assert {found["messages"][0]["id"] for found in (first, second)} == set(said)
    assert first["next"] is not None and second["next"] is None


@pytest.mark.parametrize("wrong", ["order=best", "before=x", "before=1.2.3", "order=relevance&before=7"])
async def test_what_is_not_typed_but_wrong_is_refused(ada: "Client", wrong: str) -> None:
    """Only the text is free; parameters come from a program."""
    assert (await ada.get(f"/api/v1/search?q=wombat&{wrong}")).code == "VALIDATION_FAILED"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "from:",
        "from:me in:# has:",
        "after:9999-12-31 before:0000",
        'in:"',
        '"',
        '""',
        "*",
        "a* OR",
        "NEAR(",
        "wombat AND",
        "-",
        "col:x",
        "\u0000",
        "%ff",
        "(" * 500,
        "x " * 3000,
        "'; --",
    ],
)
async def test_anything_that_somebody_types_is_a_search(ada: "Client", said: list[str], typed: str) -> None:
    """200, with or without hits."""
    assert (await ada.get("/api/v1/search", params={"q": typed})).status == 200


async def test_bytes_that_are_no_text_are_a_search_too(ada: "Client", said: list[str]) -> None:
    """200 for what is not even UTF-8."""
    for raw in ("%ff%fe", "%ed%a0%80", "%c3"):
        assert (await ada.get(f"/api/v1/search?q={raw}")).status == 200, raw
