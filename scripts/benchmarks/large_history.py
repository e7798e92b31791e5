"""Years of talk in many rooms of very different size, made up the same way every time."""

import random
from collections.abc import Iterator

import msgspec

from benchmarks.chat_data import Chat, person_name
from campfire.domain import ids
from campfire.domain.events import (
    Attachment,
    BoostAdded,
    Event,
    Mention,
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    MessagePosted,
    MessageSaved,
    ReadPositionMoved,
    RoomCreated,
    RoomKind,
    UploadAttached,
    UploadFinished,
)

YEARS_MS = 3 * 365 * 86_400_000
MARKER = "quetzalcoatl"
"""Said in one message of twenty thousand: a word that is rare whatever the others are."""

_ROOMS = 150
_LARGEST = 0.42
"""The share of everything that is said in the first room."""
_CLOSED_MEMBERS = 25
_ROOTS = 20
_MARKED_EVERY = 20_000

Fact = tuple[str, int, Event]
"""Stream, version, event."""


class Room(msgspec.Struct, frozen=True):
    """A room with who is in it."""

    id: str
    name: str
    members: list[str]


class LargeHistory:
    """What `facts` yields continues the log of `chat`, whose first room becomes the largest.

    The first of the chat's people reads everything that is measured: a member of most rooms, with much unread.
    """

    def __init__(self, chat: Chat, texts: list[str], messages: int, end: int) -> None:
        self._chance = random.Random(messages)
        self._people = chat.user_ids
        self._names = {user_id: person_name(index) for index, user_id in enumerate(chat.user_ids)}
        self._texts = texts
        self._messages = messages
        self._start = end - YEARS_MS
        self._step = YEARS_MS / messages
        self.rooms = [Room(chat.room_id, "the first", chat.user_ids), *map(self._room, range(1, _ROOMS))]
        self._roots: dict[str, list[str]] = {}
        self.long_thread = ""
        """A message of the largest room with about one in a hundred of its messages as replies."""
        self.standing = 0
        """Messages of the largest room that have not been deleted."""
        self.first = ""
        """The first of them."""

    def facts(self, position: int) -> Iterator[Fact]:
        """Everything that happens after `position`."""
        begun = position
        for room in self.rooms[1:]:
            position += 1
            yield room.id, 1, self._created(room)
        shares = [_LARGEST, *(1 / number**1.1 for number in range(1, _ROOMS))]
        rest = (1 - _LARGEST) / sum(shares[1:])
        weights = [_LARGEST, *(share * rest for share in shares[1:])]
        for number, room in enumerate(self._chance.choices(self.rooms, weights, k=self._messages)):
            for fact in self._said(room, number):
                position += 1
                yield fact
        yield from self._read(begun, position)

    def _room(self, number: int) -> Room:
        reader, kind = self._people[0], _kind(number)
        if kind == "open":
            return Room(self._id(), f"Room {number}", self._people)
        others = self._chance.sample(self._people[1:], min(_CLOSED_MEMBERS, len(self._people) - 1))
        if kind == "closed":
            return Room(self._id(), f"Room {number}", [reader, *others] if number % 2 else others)
        members = [reader, *others[:2]]
        return Room(ids.direct_room_id(members), "", members)

    def _created(self, room: Room) -> RoomCreated:
        number = self.rooms.index(room)
        return RoomCreated(
            at=self._start,
            room_id=room.id,
            name=room.name,
            kind=_kind(number),
            created_by=room.members[0],
            members=tuple(room.members),
        )

    def _said(self, room: Room, number: int) -> Iterator[Fact]:
        chance, at = self._chance, self._start + int(number * self._step)
        author = room.members[int(len(room.members) * chance.random() ** 2)]
        client_id = f"large-{number}"
        message_id = ids.message_id(room.id, author, client_id)
        body, mentions = self._body(room, number)
        root = self._root(room, message_id)
        files = (self._file(number),) if chance.random() < 0.01 else ()
        for file in files:
            yield file.id, 1, UploadFinished(at=at, user_id=author, attachment=file)
        posted = MessagePosted(
            at=at,
            message_id=message_id,
            room_id=room.id,
            author_id=author,
            author_name=self._names[author],
            body=body,
            client_message_id=client_id,
            mentions=mentions,
            reply_to=root,
            thread_id=root,
            attachments=files,
        )
        yield message_id, 1, posted
        for file in files:
            yield file.id, 2, UploadAttached(at=at, attachment_id=file.id, message_id=message_id, room_id=room.id)
        yield from self._done_to(room, posted)

    def _body(self, room: Room, number: int) -> tuple[str, tuple[Mention, ...]]:
        text = self._texts[number % len(self._texts)]
        if number % _MARKED_EVERY == _MARKED_EVERY // 2:
            text = f"{text} {MARKER}"
        if self._chance.random() > 0.05:
            return text, ()
        mentioned = room.members[0] if self._chance.random() < 0.2 else self._chance.choice(room.members)
        name = f"@{self._names[mentioned]}"
        return f"{name} {text}", (Mention(mentioned, 0, len(name)),)

    def _root(self, room: Room, message_id: str) -> str | None:
        """The thread that a message is a reply in, if it is one; others may begin one."""
        roots, draw = self._roots.setdefault(room.id, []), self._chance.random()
        if room is self.rooms[0] and not self.long_thread:
            self.long_thread = message_id
        elif room is self.rooms[0] and draw < 0.01:
            return self.long_thread
        elif roots and draw < 0.04:
            return self._chance.choice(roots)
        elif draw > 0.99:
            roots.append(message_id)
            del roots[:-_ROOTS]
        return None

    def _file(self, number: int) -> Attachment:
        is_image = number % 2 == 0
        return Attachment(
            id=self._id(),
            digest=f"{number:064x}",
            name=f"file {number}.{'png' if is_image else 'txt'}",
            media_type="image/png" if is_image else "text/plain",
            kind="image" if is_image else "file",
            size=1_000 + number,
        )

    def _done_to(self, room: Room, posted: MessagePosted) -> Iterator[Fact]:
        """What becomes of a message."""
        chance, at, by = self._chance, posted.at + 1, self._chance.choice(room.members)
        message_id, largest = posted.message_id, room is self.rooms[0]
        draw, deleted = chance.random(), False
        if draw < 0.03:
            boost_id, name = self._id(), self._names[by]
            yield (
                boost_id,
                1,
                BoostAdded(
                    at=at, boost_id=boost_id, message_id=message_id, room_id=room.id, by=by, by_name=name, content="👍"
                ),
            )
        elif draw < 0.04:
            yield (
                message_id,
                2,
                MessageEdited(
                    at=at, message_id=message_id, room_id=room.id, by=posted.author_id, body=f"{posted.body} (edited)"
                ),
            )
        elif draw < 0.045 and message_id != self.long_thread:
            deleted = True
            yield message_id, 2, MessageDeleted(at=at, message_id=message_id, room_id=room.id, by=posted.author_id)
        elif draw < 0.0451:
            yield ids.pin_stream(message_id), 1, MessagePinned(at=at, message_id=message_id, room_id=room.id, by=by)
        elif draw < 0.0465 and self._people[0] in room.members:
            saved = MessageSaved(at=at, message_id=message_id, room_id=room.id, user_id=self._people[0])
            yield ids.saved_stream(message_id, self._people[0]), 1, saved
        if largest and not deleted:
            self.standing += 1
            self.first = self.first or message_id

    def _read(self, begun: int, end: int) -> Iterator[Fact]:
        """How far everybody has read: the measured reader in two rooms of three next to nothing."""
        for number, room in enumerate(self.rooms):
            for user_id in room.members:
                far = 1.0 if user_id == self._people[0] and number % 3 == 0 else self._chance.random()
                far = 0.01 if user_id == self._people[0] and number % 3 else far
                position = begun + int((end - begun) * far)
                yield (
                    ids.read_position_stream(room.id, user_id),
                    1,
                    ReadPositionMoved(at=self._start + YEARS_MS, room_id=room.id, user_id=user_id, position=position),
                )

    def _id(self) -> str:
        text = f"{self._chance.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _kind(number: int) -> RoomKind:
    """Every other room is open, one in four closed, one in four direct."""
    kinds: tuple[RoomKind, ...] = ("open", "closed", "open", "direct")
    return kinds[number % len(kinds)]
