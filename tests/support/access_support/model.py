"""What chat is, in dicts and sets: who is where, what was said, who has read what. Knows nothing of Campfire's code.

Each method says what should become of a command: `ok` (and the model has changed), or the code of the refusal.
"""

from dataclasses import dataclass, field

OK = "ok"
ROOM_ACCESS_DENIED = "ROOM_ACCESS_DENIED"
PERMISSION_DENIED = "PERMISSION_DENIED"


@dataclass(eq=False)
class Person:
    key: str
    id: str
    name: str
    is_administrator: bool
    status: str = "active"
    is_signed_in: bool = True
    has_left: bool = False
    """Whether they went from all rooms when they were deactivated."""
    saved: "list[Message]" = field(default_factory=list)
    heard: "list[Message]" = field(default_factory=list)
    """What an open feed has told since it was opened."""

    def __repr__(self) -> str:
        return self.key


@dataclass(eq=False)
class Room:
    key: str
    id: str
    kind: str
    creator: Person
    members: set[Person]
    since: dict[Person, int] = field(default_factory=dict)
    read: dict[Person, int] = field(default_factory=dict)
    involvement: dict[Person, str] = field(default_factory=dict)
    archived: bool = False
    deleted: bool = False

    def __repr__(self) -> str:
        return self.key


@dataclass(eq=False)
class Message:
    place: int
    """How many were posted before it, anywhere."""
    id: str
    room: Room
    author: Person
    first_text: str
    text: str
    reply_to: "Message | None"
    mentions: set[Person]
    deleted: bool = False
    pinned: bool = False
    boosts: int = 0

    def __repr__(self) -> str:
        return f"message {self.place}"


class Model:
    """All of a chat."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.rooms: list[Room] = []
        self.messages: list[Message] = []

    # Who may see what

    def rooms_of(self, person: Person) -> list[Room]:
        return [room for room in self.rooms if person in room.members and not room.deleted]

    def joinable(self, person: Person) -> list[Room]:
        free = [room for room in self.rooms if room.kind == "open" and not room.archived and not room.deleted]
        return [room for room in free if person not in room.members]

    def said_in(self, room: Room) -> list[Message]:
        return [message for message in self.messages if message.room is room and not message.deleted]

    def readable(self, person: Person) -> list[Message]:
        rooms = self.rooms_of(person)
        return [message for message in self.messages if message.room in rooms and not message.deleted]

    def told_since(self, person: Person, place: int) -> list[Message]:
        """What a feed resumed from there says was posted, deleted or not."""
        rooms = self.rooms_of(person)
        return [message for message in self.messages if message.place >= place and message.room in rooms]

    def saved(self, person: Person) -> list[Message]:
        """The last saved first."""
        return [message for message in reversed(person.saved) if message in self.readable(person)]

    def unread(self, person: Person, room: Room) -> tuple[int, int]:
        """How many messages, and how many of them mention the person."""
        first = max(room.since[person], room.read.get(person, 0))
        new = [each for each in self.said_in(room) if each.author is not person and each.place >= first]
        return len(new), sum(person in message.mentions for message in new)

    def involvement(self, person: Person, room: Room) -> str:
        return room.involvement.get(person, "everything" if room.kind == "direct" else "mentions")

    def mentioned(self, room: Room, text: str) -> set[Person]:
        words = text.casefold().split()
        return {person for person in room.members if f"@{person.name.casefold()}" in words}

    def reach(self, person: Person, room: Room) -> str:
        """Whether somebody can see a room."""
        if not person.is_signed_in:
            return "SESSION_EXPIRED"
        if room.deleted:
            return "ROOM_NOT_FOUND"
        if person in room.members:
            return OK
        return "ROOM_NOT_FOUND" if room.kind == "direct" else ROOM_ACCESS_DENIED

    # Rooms

    def create(self, room: Room) -> None:
        if room.kind == "open":
            room.members |= {person for person in self.people.values() if person.status == "active"}
        room.since = dict.fromkeys(room.members, len(self.messages))
        self.rooms.append(room)

    def direct_room(self, members: set[Person]) -> Room | None:
        return next((room for room in self.rooms if room.kind == "direct" and room.members == members), None)

    def deleted_direct_room(self, room_id: str) -> Room | None:
        return next((room for room in self.rooms if room.id == room_id and room.deleted), None)

    def revive(self, room: Room, creator: Person, members: set[Person]) -> None:
        room.deleted, room.archived, room.creator, room.members = False, False, creator, members
        room.since = dict.fromkeys(members, len(self.messages))

    def change_kind(self, person: Person, room: Room, kind: str) -> str:
        code = self._administer(person, room)
        if code != OK:
            return code
        if room.archived:
            return "ROOM_ARCHIVED"
        opens = kind == "open" and room.kind != "open"
        room.kind = kind
        if opens:
            for each in self.people.values():
                if each.status == "active":
                    self._enter(each, room)
        return OK

    def archive(self, person: Person, room: Room) -> str:
        code = self.reach(person, room) if room.archived else self._administer(person, room)
        room.archived |= code == OK
        return code

    def reopen(self, person: Person, room: Room) -> str:
        code = self.reach(person, room)
        if code == OK and not self._looks_after(person, room):
            return PERMISSION_DENIED
        room.archived &= code != OK
        return code

    def delete_room(self, person: Person, room: Room) -> str:
        code = self.reach(person, room)
        if code == OK and room.kind != "direct" and not self._looks_after(person, room):
            return PERMISSION_DENIED
        if code == OK:
            for member in list(room.members):
                self._go(member, room)
            room.deleted = True
            for message in self.said_in(room):
                message.deleted = True
        return code

    def add(self, person: Person, room: Room, other: Person) -> str:
        joins = room.kind == "open" and person is other and person.is_signed_in and not room.deleted
        code = OK if joins else self.reach(person, room)
        if code == OK:
            code = self._changing(room)
        if code == OK and other.status != "active":
            code = "USER_NOT_FOUND"
        if code == OK:
            self._enter(other, room)
        return code

    def remove(self, person: Person, room: Room, other: Person) -> str:
        code = self.reach(person, room)
        if person is other and code == ROOM_ACCESS_DENIED:
            return OK  # leaving twice is leaving once
        if code == OK:
            code = self._changing(room)
        if code == OK and person is not other and not self._looks_after(person, room):
            code = PERMISSION_DENIED
        if code == OK and other in room.members:
            self._go(other, room)
        return code

    def involve(self, person: Person, room: Room, involvement: str) -> str:
        code = self.reach(person, room)
        if code == OK:
            room.involvement[person] = involvement
        return code

    def mark_read(self, person: Person, room: Room, place: int) -> str:
        """Everything before `place`."""
        code = self.reach(person, room)
        if code == OK:
            room.read[person] = max(room.read.get(person, 0), place)
        return code

    # Messages

    def may_post(self, person: Person, room: Room, reply_to: Message | None) -> str:
        code = self.reach(person, room)
        if code == OK and room.archived:
            return "ROOM_ARCHIVED"
        if code == OK and reply_to is not None and (reply_to.room is not room or reply_to.deleted):
            return "MESSAGE_NOT_FOUND"
        return code

    def post(self, message: Message) -> None:
        self.messages.append(message)
        for person in message.room.members:
            if person.is_signed_in:
                person.heard.append(message)

    def edit(self, person: Person, message: Message, text: str) -> str:
        code = self._change(person, message)
        if code == OK:
            message.text = text
            message.mentions = self.mentioned(message.room, text)
        return code

    def delete(self, person: Person, message: Message) -> str:
        code = self._change(person, message)
        message.deleted |= code == OK
        return code

    def touch(self, person: Person, message: Message, *, in_archive: bool) -> str:
        """Whether somebody may boost, save or pin a message."""
        code = self.reach(person, message.room)
        if code == OK and message.deleted:
            return "MESSAGE_NOT_FOUND"
        return "ROOM_ARCHIVED" if code == OK and message.room.archived and not in_archive else code

    # People

    def arrive(self, person: Person) -> None:
        self.people[person.key] = person
        self._enter_open_rooms(person)

    def sign_out(self, person: Person) -> None:
        person.is_signed_in = False
        person.heard = []

    def ban(self, person: Person) -> str:
        if person.status != "banned":
            person.status = "banned"
            self.sign_out(person)
            for message in self.messages:
                message.deleted |= message.author is person
        return OK

    def deactivate(self, person: Person) -> str:
        if person.status == "deactivated":
            return "USER_NOT_FOUND"
        person.status, person.has_left = "deactivated", True
        self.sign_out(person)
        for room in self.rooms_of(person):
            if room.kind != "direct":
                self._go(person, room)
        return OK

    def reactivate(self, person: Person) -> None:
        person.status = "active"
        if person.has_left:
            self._enter_open_rooms(person)
        person.has_left = False

    def _enter_open_rooms(self, person: Person) -> None:
        for room in self.joinable(person):
            self._enter(person, room)

    def _enter(self, person: Person, room: Room) -> None:
        if person not in room.members:
            room.members.add(person)
            room.since[person] = len(self.messages)

    def _go(self, person: Person, room: Room) -> None:
        room.members.discard(person)
        room.involvement.pop(person, None)

    def _looks_after(self, person: Person, room: Room) -> bool:
        return person.is_administrator or room.creator is person

    def _changing(self, room: Room) -> str:
        if room.kind == "direct":
            return PERMISSION_DENIED
        return "ROOM_ARCHIVED" if room.archived else OK

    def _administer(self, person: Person, room: Room) -> str:
        code = self.reach(person, room)
        if code == OK and (room.kind == "direct" or not self._looks_after(person, room)):
            return PERMISSION_DENIED
        return "ROOM_ARCHIVED" if code == OK and room.archived else code

    def _change(self, person: Person, message: Message) -> str:
        code = self.reach(person, message.room)
        if code == OK and message.deleted:
            return "MESSAGE_NOT_FOUND"
        if code == OK and message.author is not person and not person.is_administrator:
            return PERMISSION_DENIED
        return "ROOM_ARCHIVED" if code == OK and message.room.archived else code
