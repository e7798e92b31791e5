"""What a server shows to everybody, compared with what the model says."""

from collections.abc import Iterable
from typing import Any

from access_support.following import TRANSPORTS, Follower, Frame, following
from access_support.model import OK, Message, Model, Person, Room
from access_support.recount import unread_by_log
from access_support.world import Person as Caller
from access_support.world import World
from campfire.domain.people import decide_change_profile


class Checks:
    """One look at a server."""

    def __init__(self, world: World, model: Model, callers: dict[str, Caller], live: dict[str, Follower]) -> None:
        self.world = world
        self.model = model
        self.callers = callers
        self.live = live

    async def lists(self) -> None:
        """The rooms, with unread counts, and the search for what everybody says."""
        await self.world.settled()
        for person in self.model.people.values():
            if not person.is_signed_in:
                assert (await self._get(person, "/api/v1/rooms"))["code"] == "SESSION_EXPIRED"
                continue
            await self._rooms(person)
            found = [message["id"] for message in await self._found(person, "common")]
            assert found == _ids(reversed(self.model.readable(person))), f"{person} finds what they should not"

    async def everything(self) -> None:
        """And each room's messages, what is saved, each message by its own word, and the feed by every transport."""
        await self.lists()
        for person in self.model.people.values():
            for room in self.model.rooms:
                await self._messages(person, room)
            if person.is_signed_in:
                await self._search_each(person)
                saved = await self._get(person, "/api/v1/saved?limit=200")
                assert [each["id"] for each in saved["messages"]] == _ids(self.model.saved(person))
        await self._feeds()
        await self._recount()

    async def _rooms(self, person: Person) -> None:
        shown: dict[str, tuple[Any, ...]] = {}
        for room in (await self._get(person, "/api/v1/rooms"))["rooms"]:
            names = ("kind", "archived", "member_count", "involvement", "unread", "unread_mentions")
            shown[room["id"]] = tuple(room[name] for name in names)
        expected: dict[str, tuple[Any, ...]] = {}
        for room in self.model.rooms_of(person):
            involvement = self.model.involvement(person, room)
            facts = (room.kind, room.archived, len(room.members), involvement, *self.model.unread(person, room))
            expected[room.id] = facts
        assert shown == expected, f"{person}'s rooms"
        joinable = (await self._get(person, "/api/v1/rooms?joinable=true"))["rooms"]
        assert {room["id"] for room in joinable} == {room.id for room in self.model.joinable(person)}

    async def _messages(self, person: Person, room: Room) -> None:
        answer = await self._get(person, f"/api/v1/rooms/{room.id}/messages?limit=200")
        code = self.model.reach(person, room)
        assert answer.get("code", OK) == code
        if code == OK:
            assert [_shown(each) for each in answer["messages"]] == [
                _expected(each, person) for each in self.model.said_in(room)
            ]

    async def _search_each(self, person: Person) -> None:
        """By the word that only it says now, and by the one that it said at first."""
        readable = self.model.readable(person)
        for message in self.model.messages[-12:]:
            for text in {message.text, message.first_text}:
                is_said = message in readable and text == message.text
                found = [each["id"] for each in await self._found(person, text.split()[1])]
                assert found == ([message.id] if is_said else [])

    async def _found(self, person: Person, words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before = ""
        while True:
            page = await self._get(person, f"/api/v1/search?q={words}&limit=100{before}")
            found += page["messages"]
            if page["next"] is None:
                return found
            before = f"&before={page['next']}"

    async def _feeds(self) -> None:
        """From the beginning and from the middle; and what was told to who was there all the time."""
        ada = self.model.people["ada"]
        middle = len(self.model.messages) // 2
        since = await self._position_before(middle)
        [marker] = await self.world.do(
            decide_change_profile, user_id=ada.id, bio=f"{self.world.engine.position}", actor_id=ada.id
        )
        for key, person in self.model.people.items():
            if not person.is_signed_in:
                continue
            heard = _posted(await self.live[key].until(marker.position))
            assert [each["id"] for each in heard] == _ids(person.heard), f"{person} heard something else"
            for transport in TRANSPORTS:
                for place, position in ((0, 0), (middle, since)):
                    async with following(self.world, self.callers[key].token, transport, position) as follower:
                        events = await follower.until(marker.position)
                    _require_order(events)
                    told = [(each["id"], each["body"]) for each in _posted(events)]
                    expected = [
                        (each.id, "" if each.deleted or each.text != each.first_text else each.text)
                        for each in self.model.told_since(person, place)
                    ]
                    assert told == expected, f"{person} is told something else from {place} on by {transport}"

    async def _position_before(self, place: int) -> int:
        """The log's position just before a message was posted; 0 if there is none."""
        if place >= len(self.model.messages):
            return 0
        [first, *_] = self.world.engine.reader.read_stream(self.model.messages[place].id)
        return first.position - 1

    async def _recount(self) -> None:
        log = list(self.world.engine.reader.read(0, 1_000_000, self.world.engine.position))
        for person in self.model.people.values():
            counts = {room.id: self.model.unread(person, room) for room in self.model.rooms_of(person)}
            assert unread_by_log(log, person.id) == counts, f"{person}'s unread counts"

    async def _get(self, person: Person, path: str) -> dict[str, Any]:
        reply = await self.world.send("GET", path, token=self.callers[person.key].token)
        return dict(reply.json)


def _ids(messages: Iterable[Message]) -> list[str]:
    return [message.id for message in messages]


def _shown(message: dict[str, Any]) -> tuple[Any, ...]:
    mentions = {each["user_id"] for each in message["mentions"]}
    marks = (message["reply_to"], len(message["boosts"]), message["pinned"], message["saved"])
    return (message["id"], message["author"]["name"], message["body"], mentions, *marks)


def _expected(message: Message, reader: Person) -> tuple[Any, ...]:
    mentions = {each.id for each in message.mentions}
    reply_to = None if message.reply_to is None else message.reply_to.id
    marks = (reply_to, message.boosts, message.pinned, message in reader.saved)
    return (message.id, message.author.name, message.text, mentions, *marks)


def _posted(events: list[Frame]) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["event"] == "message.posted"]


def _require_order(events: list[Frame]) -> None:
    positions = [event["position"] for event in events]
    assert positions == sorted(set(positions)), "out of order, or more than once"
