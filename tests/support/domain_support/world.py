"""A server's state without a server: decisions go in, and what they decide has happened."""

from itertools import count
from typing import Any
from uuid import UUID

from campfire.domain import ids
from campfire.domain.accounts import NewPerson, NewSession, decide_join, decide_setup
from campfire.domain.applying import apply
from campfire.domain.directory import Directory
from campfire.domain.events import (
    Event,
    MessageDeleted,
    MessageEdited,
    MessagePosted,
    NewEvent,
    RecordedEvent,
    RoomKind,
)
from campfire.domain.messages import MessageState, decide_post
from campfire.domain.rooms import decide_create_room
from campfire.domain.sessions import decide_sign_in

NOW = 1_700_000_000_000
DAY = 86_400_000
JOIN_CODE = "come-in"


class World:
    """A directory, and a log in memory that takes each version of a stream once."""

    def __init__(self) -> None:
        self.directory = Directory()
        self.log: list[RecordedEvent] = []
        self._versions: dict[str, int] = {}
        self._numbers = count(1)

    def new_id(self) -> str:
        return str(UUID(int=next(self._numbers)))

    def take(self, decided: list[NewEvent]) -> list[Event]:
        """Let it have happened. Fails if a version is not the next of its stream."""
        for new in decided:
            version = self._versions.get(new.stream_id, 0) + 1
            assert new.version in (None, version), f"{new} conflicts: the next version is {version}"
            self._versions[new.stream_id] = version
            recorded = RecordedEvent(len(self.log) + 1, new.stream_id, version, NOW, new.event)
            self.log.append(recorded)
            apply(self.directory, recorded)
        return [new.event for new in decided]

    def found(self, name: str = "Ada") -> str:
        """Set the server up; return its administrator."""
        person = self.person(name)
        self.take(
            decide_setup(
                self.directory,
                account_name="Engine Room",
                person=person,
                session=self.session(),
                room_id=self.new_id(),
                join_code=JOIN_CODE,
                at=NOW,
            )
        )
        return person.user_id

    def join(self, name: str) -> str:
        """A new member with an address of their own; return their id."""
        return self.take_in(name, "")

    def take_in(self, name: str, email: str) -> str:
        """A new member with this address; return their id."""
        return self.take_in_person(self.person(name, email))

    def take_in_person(self, person: NewPerson, **session: Any) -> str:
        new_session = self.session(**session)
        self.take(decide_join(self.directory, join_code=JOIN_CODE, person=person, session=new_session, at=NOW))
        return person.user_id

    def sign_in(self, user_id: str, **session: Any) -> str:
        """Start a session; return its id."""
        new_session = self.session(**session)
        self.take(
            decide_sign_in(
                self.directory,
                user_id=user_id,
                password_hash=self.directory.users[user_id].password_hash,
                session=new_session,
                at=NOW,
            )
        )
        return new_session.session_id

    def person(self, name: str, email: str = "") -> NewPerson:
        return NewPerson(
            user_id=self.new_id(), name=name, email=email or f"{name.lower()}@example.com", password_hash="$argon2id$x"
        )

    def session(self, **fields: Any) -> NewSession:
        session_id = self.new_id()
        wanted: dict[str, Any] = {"token_hash": f"hash of {session_id}", "expires_at": NOW + DAY, **fields}
        return NewSession(session_id=session_id, **wanted)

    def room(self, kind: RoomKind, by: str, *members: str, name: str = "Room") -> str:
        """Create a room; return its id."""
        room_id = ids.direct_room_id({by, *members}) if kind == "direct" else self.new_id()
        self.take(
            decide_create_room(
                self.directory, room_id=room_id, name=name, kind=kind, members=members, actor_id=by, at=NOW
            )
        )
        return room_id

    @property
    def first_room(self) -> str:
        return next(iter(self.directory.rooms))

    def post(self, room_id: str, author_id: str, body: str = "hello") -> MessageState:
        """Post a message; return what later decisions about it need."""
        decided = decide_post(
            self.directory,
            room_id=room_id,
            author_id=author_id,
            body=body,
            client_message_id=self.new_id(),
            at=NOW,
        )
        self.take(decided)
        return self.message(decided[0].stream_id)

    def message(self, message_id: str) -> MessageState:
        """The message as the log has it now."""
        history = [recorded for recorded in self.log if recorded.stream_id == message_id]
        posted = history[0].event
        assert isinstance(posted, MessagePosted)
        bodies = [each.event.body for each in history if isinstance(each.event, MessagePosted | MessageEdited)]
        deleted = isinstance(history[-1].event, MessageDeleted)
        return MessageState(message_id, posted.room_id, posted.author_id, len(history), bodies[-1], deleted)
