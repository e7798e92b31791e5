"""Who is told what: each transport of the feed, live and resumed, for every kind of person, and how it ends."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from access_support.cell import KINDS, Cell, Kind
from access_support.following import TRANSPORTS, Follower, Transport, following
from access_support.things import THINGS, state
from access_support.world import PASSWORD, Person, World

from campfire.domain.boosts import decide_boost
from campfire.domain.marks import decide_pin, decide_save
from campfire.domain.memberships import decide_add_member, decide_remove_member, decide_set_involvement
from campfire.domain.messages import decide_delete, decide_edit
from campfire.domain.people import decide_ban, decide_change_profile, decide_deactivate, decide_remove
from campfire.domain.reading import decide_read
from campfire.domain.rooms import decide_archive_room, decide_change_room, decide_delete_room
from campfire.domain.searches import decide_remember
from campfire.domain.sessions import decide_end_session

_SIGNED_IN = [kind for kind in KINDS if kind not in ("signed_out", "banned", "deactivated")]
_INSIDE: tuple[Kind, ...] = ("member", "administrator", "bot")

Story = dict[str, list[int]]


async def _story(cell: Cell, room: str) -> Story:
    """Something of everything happens; the positions of it, by whom it is for."""
    world, ada, told = cell.world, cell.owner, {"room": [], "direct": [], "mine": [], "everyone": []}
    told |= {"hers": [], "administrators": [], "nobody": []}

    async def happens(whose: str, decide: Callable[..., object], *arguments: object, **named: object) -> None:
        told[whose] += [recorded.position for recorded in await world.do(decide, *arguments, **named)]

    for whose, room_id in (
        ("room", room),
        ("direct", await cell.world.room(ada, await cell.somebody(), kind="direct")),
    ):
        said = await world.post(ada, room_id, "quicksilver")
        told[whose].append(said.position)
        message = await state(cell, said.id)
        await happens(whose, decide_boost, message, boost_id=world.engine.new_id(), content="👏", actor_id=ada.id)
        await happens(whose, decide_pin, message, pinned=True, actor_id=ada.id)
        await happens(whose, decide_edit, message, body="mercury", actor_id=ada.id)
        await happens(whose, decide_delete, await state(cell, said.id), actor_id=ada.id)
        await happens("hers", decide_read, room_id=room_id, user_id=ada.id, position=said.position)
    kept = await world.post(ada, room, "cinnabar")
    told["room"].append(kept.position)
    await happens("hers", decide_save, await state(cell, kept.id), saved=True, is_saved=False, actor_id=ada.id)
    await happens("hers", decide_set_involvement, room_id=room, user_id=ada.id, involvement="nothing")
    second = await world.second_session(ada)
    told["hers"].append(world.engine.position)
    await happens("hers", decide_end_session, session_id=second.session_id, actor_id=ada.id, reason="signed_out")
    await happens("nobody", lambda _, at: decide_remember(ada.id, "cinnabar", at=at))
    await cell.thing("webhook_id")
    told["administrators"].append(world.engine.position)
    await happens("room", decide_change_room, room_id=room, name="Other", actor_id=ada.id)
    newcomer = await world.person("Bob")
    await happens("room", decide_add_member, room_id=room, user_id=newcomer.id, actor_id=ada.id)
    await happens("room", decide_archive_room, room_id=room, actor_id=ada.id)
    direct = await world.room(ada, cell.actor, kind="direct")
    told["mine"].append(world.engine.position)
    said = await world.post(ada, direct, "psst")
    told["mine"].append(said.position)
    await happens("mine", decide_read, room_id=direct, user_id=cell.actor.id, position=said.position)
    await happens("everyone", decide_change_profile, user_id=ada.id, bio=f"{said.position}", actor_id=ada.id)
    return told


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", _SIGNED_IN)
async def test_each_is_told_what_they_may_see(world: World, ada: Person, kind: Kind, transport: Transport) -> None:
    """Live and resumed alike: one's rooms and one's own, and of anything else nothing."""
    cell = await Cell.of(world, kind, ada, THINGS)
    room = await cell.thing("room_id")
    await cell.leave()
    began = world.engine.position
    async with following(world, cell.actor.token, transport, began) as live:
        told = await _story(cell, room)
        theirs = [*told["mine"], *told["everyone"]]
        theirs += told["room"] if kind in _INSIDE else []
        theirs += told["administrators"] if "administrator" in kind else []
        everything = {position for positions in told.values() for position in positions}
        last = told["everyone"][-1]
        seen = [event["position"] for event in await live.until(last)]
    async with following(world, cell.actor.token, transport, began) as resumed:
        again = [event["position"] for event in await resumed.until(last)]
    assert [position for position in seen if position in everything] == sorted(theirs)
    assert again == seen
    assert told["hers"] and told["nobody"], "nothing private has happened"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", ["signed_out", "banned", "deactivated"])
async def test_who_is_not_signed_in_is_told_nothing(
    world: World, ada: Person, kind: Kind, transport: Transport
) -> None:
    """There is no feed without a session."""
    cell = await Cell.of(world, kind, ada, THINGS)
    await cell.thing("message_id")
    await cell.leave()
    token = "" if kind == "signed_out" else cell.actor.token
    async with following(world, token, transport, 0) as follower:
        assert await follower.end() == "401"
        assert follower.events == []


class Ending:
    """The ways in which a session ends."""

    def __init__(self, world: World, ada: Person, person: Person) -> None:
        self.world = world
        self.ada = ada
        self.person = person

    async def revoked(self) -> None:
        other = await self.world.second_session(self.person)
        await self._call("DELETE", f"/api/v1/sessions/{self.person.session_id}", token=other.token)

    async def all_others_revoked(self) -> None:
        other = await self.world.second_session(self.person)
        await self._call("DELETE", "/api/v1/sessions", token=other.token)

    async def revoked_by_an_administrator(self) -> None:
        await self._call("DELETE", f"/api/v1/users/{self.person.id}/sessions", token=self.ada.token)

    async def signed_out(self) -> None:
        await self._call("DELETE", "/api/v1/sessions/current", token=self.person.token)

    async def password_changed(self) -> None:
        other = await self.world.second_session(self.person)
        passwords = {"current": PASSWORD, "new": PASSWORD + "!"}
        await self._call("PUT", "/api/v1/me/password", passwords, token=other.token)

    async def banned(self) -> None:
        await self.world.do(decide_ban, user_id=self.person.id, actor_id=self.ada.id)

    async def deactivated(self) -> None:
        await self.world.do(decide_deactivate, user_id=self.person.id, actor_id=self.ada.id)

    async def removed(self) -> None:
        await self.world.do(decide_remove, user_id=self.person.id, actor_id=self.ada.id)

    async def _call(self, method: str, path: str, body: object = None, *, token: str) -> None:
        reply = await self.world.send(method, path, body, token=token)
        assert reply.status == 204, reply.body


_ENDINGS = [name for name in vars(Ending) if not name.startswith("_")]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("cause", _ENDINGS)
async def test_the_end_of_a_session_ends_its_feed(world: World, ada: Person, cause: str, transport: Transport) -> None:
    """Whatever ends it: nothing that is said after is told any more, and there is no coming back."""
    eve = await world.person("Eve")
    room = await world.room(ada, eve)
    async with following(world, eve.token, transport, world.engine.position) as follower:
        before = await world.post(ada, room, "before")
        await follower.until(before.position)
        await getattr(Ending(world, ada, eve), cause)()
        await world.post(ada, room, "after")
        ended = await follower.end()
        assert ended == {"websocket": "4401", "event_source": "eof", "long_poll": "401"}[transport]
        assert _bodies(follower) == ["before"]
    async with following(world, eve.token, transport, 0) as again:
        assert await again.end() == "401"
        assert again.events == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("cause", ["key", "deactivated"])
async def test_another_key_ends_what_a_bot_follows(world: World, ada: Person, cause: str, transport: Transport) -> None:
    """A key that lets nobody in any more also tells nobody anything any more."""
    bot = await world.bot("Robin", ada)
    room = await world.room(ada, bot)
    async with following(world, bot.token, transport, world.engine.position) as follower:
        before = await world.post(ada, room, "before")
        await follower.until(before.position)
        if cause == "key":
            assert (await world.send("POST", f"/api/v1/bots/{bot.id}/key", token=ada.token)).status == 200
        else:
            await world.do(decide_deactivate, user_id=bot.id, actor_id=ada.id)
        await world.post(ada, room, "after")
        await follower.end()
        assert _bodies(follower) == ["before"]


async def _removed(world: World, ada: Person, eve: Person, room: str) -> None:
    await world.do(decide_remove_member, room_id=room, user_id=eve.id, actor_id=ada.id)


async def _left(world: World, _ada: Person, eve: Person, room: str) -> None:
    await world.do(decide_remove_member, room_id=room, user_id=eve.id, actor_id=eve.id)


async def _room_deleted(world: World, ada: Person, _eve: Person, room: str) -> None:
    await world.do(decide_delete_room, room_id=room, actor_id=ada.id)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("go", [_removed, _left, _room_deleted])
async def test_the_end_of_a_membership_ends_what_is_told_of_the_room(
    world: World, ada: Person, go: Callable[..., Awaitable[None]], transport: Transport
) -> None:
    """One's going is the last that is told of the room, and a resumed feed tells nothing else of it."""
    eve = await world.person("Eve")
    began = world.engine.position
    room = await world.room(ada, eve)
    async with AsyncExitStack() as stack:
        follower = await stack.enter_async_context(following(world, eve.token, transport, world.engine.position))
        await world.post(ada, room, "before")
        await go(world, ada, eve, room)
        if not world.engine.directory.rooms[room].deleted:
            await world.post(ada, room, "after")
        [marker] = await world.do(decide_change_profile, user_id=ada.id, bio=room, actor_id=ada.id)
        await follower.until(marker.position)
        resumed = await stack.enter_async_context(following(world, eve.token, transport, began))
        await resumed.until(marker.position)
        assert _told_of(follower, room) == ["message.posted", "member.removed"]
        assert _told_of(resumed, room) == ["member.removed"]
        assert _bodies(resumed) == []


def _bodies(follower: Follower) -> list[str]:
    return [event["data"]["body"] for event in follower.events if event["event"] == "message.posted"]


def _told_of(follower: Follower, room: str) -> list[str]:
    return [
        event["event"] for event in follower.events if room in (event["data"].get("room_id"), event["data"].get("id"))
    ]
