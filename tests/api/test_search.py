from typing import TYPE_CHECKING

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
    assert [each["id"] for each in (await bob.get("/api/v1/search?q=wombat")).json["messages"]] == said[::-1]
    assert (await bob.get("/api/v1/search", params={"q": "wombat", "room_id": room_id})).code == "ROOM_ACCESS_DENIED"
    inside = await ada.get("/api/v1/search", params={"q": "wombat", "room_id": room_id})
    assert [each["id"] for each in inside.json["messages"]] == [secret]


async def test_a_deleted_or_edited_text_is_no_longer_found(ada: "Client", said: list[str]) -> None:
    """Search shows what messages say now."""
    await ada.delete(f"/api/v1/messages/{said[0]}")
    await ada.patch(f"/api/v1/messages/{said[1]}", {"body": "The badger sleeps"})
    assert (await ada.get("/api/v1/search?q=wombat")).json["messages"] == []
    assert [each["id"] for each in (await ada.get("/api/v1/search?q=badger")).json["messages"]] == [said[1]]


@pytest.mark.parametrize(
    "typed",
    [
        "",
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
