"""Whom and which rooms a search means: the names that were typed, as the searcher sees people and rooms."""

from collections.abc import Collection, Sequence
from typing import TypeVar

import msgspec

from campfire.domain.directory import Directory
from campfire.domain.states import RoomState, UserState
from projections.queries.search_text import MOST_TERMS, SearchText, Term, Thing, searched_as_word

Named = TypeVar("Named", UserState, RoomState)

_MOST_PEOPLE = 50
"""That the beginning of a name can mean; each is a word more to look for."""


class Search(msgspec.Struct, frozen=True):
    """What to look for. `senders` None: from anybody; `rooms` None: in all of `room_ids`, which always bound it."""

    terms: tuple[Term, ...]
    room_ids: frozenset[str]
    senders: tuple[UserState, ...] | None = None
    rooms: tuple[RoomState, ...] | None = None
    after: int | None = None
    before: int | None = None
    has: frozenset[Thing] = frozenset()


def asks_for_something(search: Search) -> bool:
    """Whether anything was typed that a message could be found by."""
    bounds = (search.senders, search.rooms, search.after, search.before)
    return bool(search.terms or search.has) or any(bound is not None for bound in bounds)


def understood(text: SearchText, directory: Directory, user_id: str, room_ids: Collection[str]) -> Search:
    """Look the names up; those that mean nothing become words.

    A name means everybody who has it, and if nobody does, those in the searcher's rooms whose names begin
    with it; `me` is the searcher. Rooms the same, but only among `room_ids`, which the searcher may read:
    the answer must not tell that there is another.
    """
    senders = {name: _people(directory, user_id, name) for name in text.senders}
    rooms = {name: _rooms(directory, room_ids, name) for name in text.rooms}
    unknown = [searched_as_word("from", name) for name, found in senders.items() if not found]
    unknown += [searched_as_word("in", name) for name, found in rooms.items() if not found]
    meant = _each_once([room for found in rooms.values() for room in found])
    return Search(
        terms=(*text.terms, *unknown)[:MOST_TERMS],
        room_ids=frozenset(room.id for room in meant or ()) or frozenset(room_ids),
        senders=_each_once([person for found in senders.values() for person in found]),
        rooms=meant,
        after=text.after,
        before=text.before,
        has=text.has,
    )


def _people(directory: Directory, user_id: str, name: str) -> list[UserState]:
    if name.casefold() == "me":
        return [directory.user(user_id)]
    exact = directory.users_named(name)
    if exact:
        return _by_name([directory.users[each] for each in exact])
    met = set().union(*(directory.rooms[room_id].members for room_id in directory.rooms_of(user_id)))
    return _by_name([user for user in map(directory.users.__getitem__, met) if _begins(user.name, name)])[:_MOST_PEOPLE]


def _rooms(directory: Directory, room_ids: Collection[str], name: str) -> list[RoomState]:
    rooms = [directory.rooms[room_id] for room_id in room_ids]
    exact = [room for room in rooms if room.name.casefold() == name.casefold()]
    return exact or [room for room in rooms if _begins(room.name, name)]


def _begins(name: str, beginning: str) -> bool:
    return name.casefold().startswith(beginning.casefold())


def _by_name(people: list[UserState]) -> list[UserState]:
    return sorted(people, key=lambda user: (user.name.casefold(), user.id))


def _each_once(found: Sequence[Named]) -> tuple[Named, ...] | None:
    return tuple({each.id: each for each in found}.values()) or None
