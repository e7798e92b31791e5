"""One cell of the matrix: one call by one kind of person, with things of its own that no other cell has."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, get_args

from access_support.world import Person, World
from campfire.domain.ids import random_id
from campfire.domain.memberships import decide_add_member, decide_remove_member
from campfire.domain.people import decide_ban, decide_deactivate

Kind = Literal[
    "signed_out",
    "outsider",
    "member",
    "administrator",
    "outside_administrator",
    "banned",
    "deactivated",
    "bot",
    "outside_bot",
]
"""Outsiders have been in the cell's rooms, could do there what members can, and were removed from them."""

KINDS: tuple[Kind, ...] = get_args(Kind)
OUTSIDE: tuple[Kind, ...] = ("signed_out", "outsider", "outside_administrator", "banned", "deactivated", "outside_bot")

Factory = Callable[["Cell"], Awaitable[str]]
_PLACEHOLDER = re.compile(r"{(\w+)}")


class Cell:
    """Makes what a call needs when it is first asked for; `leave` then puts the caller where their kind is."""

    def __init__(self, world: World, kind: Kind, owner: Person, actor: Person, things: Mapping[str, Factory]) -> None:
        self.world = world
        self.kind = kind
        self.owner = owner
        self.actor = actor
        self.secret = "zq" + random_id().replace("-", "")
        """A word that only who is in the cell's rooms may read."""
        self.rooms: list[str] = []
        self._things = things
        self._made: dict[str, str] = {"me": actor.id, "my_email": actor.email, "secret": self.secret}

    @classmethod
    async def of(cls, world: World, kind: Kind, owner: Person, things: Mapping[str, Factory]) -> "Cell":
        if kind in ("bot", "outside_bot"):
            actor = await world.bot("Robin", owner)
        else:
            actor = await world.person("Robin", administrator="administrator" in kind)
        return cls(world, kind, owner, actor, things)

    async def thing(self, name: str) -> str:
        """The id (or whatever else stands for it) of the cell's thing of that name."""
        if name not in self._made:
            self._made[name] = await self._things[name](self)
        return self._made[name]

    async def filled(self, template: Any) -> Any:
        """The template with a thing for each name in braces; the values of a dict and the members of a list too."""
        if isinstance(template, dict):
            return {name: await self.filled(value) for name, value in template.items()}
        if isinstance(template, list):
            return [await self.filled(value) for value in template]
        if not isinstance(template, str):
            return template
        for name in _PLACEHOLDER.findall(template):
            template = template.replace(f"{{{name}}}", await self.thing(name))
        return template

    async def room(self, kind: str = "closed", by: Person | None = None) -> str:
        """A room of the owner and the caller."""
        by = by or self.owner
        if kind == "direct":
            inside = [] if self.kind in OUTSIDE else [self.actor]
            bob = await self.world.person("Bob")
            return await self.world.room(self.owner, bob, *inside, kind="direct")
        others = [each for each in (self.owner, self.actor) if each is not by]
        name = "For everybody" if kind == "open" else f"Room {self.secret}"
        room_id = await self.world.room(by, *others, kind=kind, name=name)
        self.rooms.append(room_id)
        await self.world.do(decide_add_member, room_id=room_id, user_id=self.actor.id, actor_id=self.owner.id)
        return room_id

    async def somebody(self) -> Person:
        """Another person, in the cell's rooms."""
        other = await self.world.person("Bob")
        for room_id in self._changing_rooms():
            await self.world.do(decide_add_member, room_id=room_id, user_id=other.id, actor_id=self.owner.id)
        return other

    async def leave(self) -> None:
        """Put the caller where people of their kind are, now that everything is there."""
        world, them = self.world, {"user_id": self.actor.id, "actor_id": self.owner.id}
        if self.kind == "banned":
            await world.do(decide_ban, **them)
        elif self.kind == "deactivated":
            await world.do(decide_deactivate, **them)
        elif self.kind in ("outsider", "outside_administrator", "outside_bot"):
            for room_id in self._changing_rooms():
                await world.do(decide_remove_member, room_id=room_id, **them)
        await world.settled()

    def _changing_rooms(self) -> list[str]:
        """Those that are not archived, whose members stay as they are."""
        return [room_id for room_id in self.rooms if not self.world.engine.directory.rooms[room_id].archived]
