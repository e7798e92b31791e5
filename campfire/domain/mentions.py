"""Whom a message mentions: `@` and the name of a member, as it was when the message was written."""

import re
from itertools import islice

from campfire.domain.directory import Directory
from campfire.domain.events import Mention
from campfire.domain.names import MAX_NAME
from campfire.domain.states import RoomState

MOST_MENTIONS = 100
"""In one message; whoever would be named beyond is not."""

_MOST_SIGNS = 500
"""Of one message that are looked at: each costs some twenty names to look up, and two thousand a tenth of a second."""

_AT = re.compile(r"(?<![\w@])@(?=\w)")
_OUTSIDE_WORDS = re.compile(r"(?<!\w)|(?!\w)")


def find_mentions(directory: Directory, room: RoomState, body: str) -> tuple[Mention, ...]:
    """The members of `room` whom `body` names, with where: the longest name wins, case does not matter.

    A name that several members share mentions each of them.
    """
    if "@" not in body:
        return ()
    found: list[Mention] = []
    for at in islice(_AT.finditer(body), _MOST_SIGNS):
        start = at.start()
        name = body[at.end() : at.end() + MAX_NAME]
        for end in reversed([place.start() for place in _OUTSIDE_WORDS.finditer(name)]):
            named = directory.users_named(name[:end]) & room.members
            if named:
                found += [Mention(user_id, start, at.end() + end) for user_id in sorted(named)]
                break
        if len(found) >= MOST_MENTIONS:
            break
    return tuple(found[:MOST_MENTIONS])
