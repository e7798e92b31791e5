"""The directory against a model that is too simple to be wrong."""

from collections.abc import Callable

from domain_support.world import JOIN_CODE, NOW, World
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from campfire.domain.accounts import decide_join
from campfire.domain.applying import apply
from campfire.domain.directory import Directory
from campfire.domain.errors import DomainError
from campfire.domain.events import NewEvent, RoomKind
from campfire.domain.memberships import decide_add_member, decide_remove_member
from campfire.domain.messages import decide_post
from campfire.domain.presence import decide_enter, decide_leave, decide_presence_reset
from campfire.domain.reading import decide_read
from campfire.domain.rooms import (
    decide_archive_room,
    decide_change_room,
    decide_create_room,
)
from campfire.domain.sessions import decide_end_session, decide_sign_in


class DirectoryAgainstModel(RuleBasedStateMachine):
    """Everything that people can do, in any order. The model keeps sets and dictionaries of its own,
    and takes a change only where the decision allowed it."""

    users = Bundle("users")
    rooms = Bundle("rooms")
    sessions = Bundle("sessions")

    @initialize(target=users)
    def found(self) -> str:
        self.world = World()
        ada = self.world.found()
        first = self.world.first_room
        self.emails = {"ada@example.com": ada}
        self.members: dict[str, set[str]] = {first: {ada}}
        self.names = {first: "All Talk"}
        self.kinds: dict[str, RoomKind] = {first: "open"}
        self.archived: set[str] = set()
        self.present: set[tuple[str, str]] = set()
        self.read: dict[tuple[str, str], int] = {}
        self.last: dict[str, int] = {}
        self.posted: dict[str, int] = {}
        self.live = {next(iter(self.world.directory.sessions)): ada}
        return ada

    @rule(target=users, number=st.integers(0, 20), shout=st.booleans())
    def join(self, number: int, shout: bool) -> object:
        email = f"p{number}@example.com"
        person = self.world.person(f"P{number}", email.upper() if shout else email)
        session = self.world.session()
        decided = self.try_to(
            lambda: decide_join(self.directory, join_code=JOIN_CODE, person=person, session=session, at=NOW)
        )
        assert bool(decided) == (email not in self.emails)
        if not decided:
            return multiple()
        self.emails[email] = person.user_id
        self.live[session.session_id] = person.user_id
        for room, kind in self.kinds.items():
            if kind == "open" and room not in self.archived:
                self.members[room].add(person.user_id)
        return person.user_id

    @rule(target=sessions, user=users)
    def sign_in(self, user: str) -> str:
        session = self.world.session()
        self.world.take(
            decide_sign_in(
                self.directory,
                user_id=user,
                password_hash=self.directory.users[user].password_hash,
                session=session,
                at=NOW,
            )
        )
        self.live[session.session_id] = user
        return session.session_id

    @rule(session=sessions, actor=users)
    def end_session(self, session: str, actor: str) -> None:
        if self.try_to(
            lambda: decide_end_session(self.directory, session_id=session, actor_id=actor, reason="revoked", at=NOW)
        ):
            del self.live[session]

    @rule(target=rooms, kind=st.sampled_from(["open", "closed", "direct"]), actor=users, other=users)
    def create_room(self, kind: RoomKind, actor: str, other: str) -> object:
        decided = self.try_to(
            lambda: decide_create_room(
                self.directory,
                room_id=self.world.new_id(),
                name="Room",
                kind=kind,
                members=[other],
                actor_id=actor,
                at=NOW,
            )
        )
        if not decided:
            return multiple()
        room = decided[0].stream_id
        self.members[room] = set(self.emails.values()) if kind == "open" else {actor, other}
        self.names[room], self.kinds[room] = "Room", kind
        return room

    @rule(room=rooms, actor=users, name=st.sampled_from(["Red", "Green"]))
    def rename(self, room: str, actor: str, name: str) -> None:
        if self.try_to(lambda: decide_change_room(self.directory, room_id=room, name=name, actor_id=actor, at=NOW)):
            self.names[room] = name

    @rule(room=rooms, actor=users)
    def archive(self, room: str, actor: str) -> None:
        if self.try_to(lambda: decide_archive_room(self.directory, room_id=room, actor_id=actor, at=NOW)):
            self.archived.add(room)

    @rule(room=rooms, actor=users, user=users)
    def add(self, room: str, actor: str, user: str) -> None:
        if self.try_to(lambda: decide_add_member(self.directory, room_id=room, user_id=user, actor_id=actor, at=NOW)):
            assert room not in self.archived and self.kinds[room] != "direct"
            self.members[room].add(user)

    @rule(room=rooms, actor=users, user=users)
    def remove(self, room: str, actor: str, user: str) -> None:
        if self.try_to(
            lambda: decide_remove_member(self.directory, room_id=room, user_id=user, actor_id=actor, at=NOW)
        ):
            assert room not in self.archived and self.kinds[room] != "direct"
            self.members[room].discard(user)
            self.present.discard((room, user))

    @rule(room=rooms, user=users, at=st.integers(NOW - 1_000, NOW + 1_000))
    def post(self, room: str, user: str, at: int) -> None:
        decided = self.try_to(
            lambda: decide_post(
                self.directory,
                room_id=room,
                author_id=user,
                body="hello",
                client_message_id=self.world.new_id(),
                at=at,
            )
        )
        assert bool(decided) == (user in self.members[room] and room not in self.archived)
        if decided:
            self.last[room] = max(at, self.last.get(room, 0))
            self.posted[room] = len(self.world.log)
            assert decided[0].event.at == self.last[room]

    @rule(room=rooms, user=users)
    def enter(self, room: str, user: str) -> None:
        seen = len(self.world.log)
        if self.try_to(lambda: decide_enter(self.directory, room_id=room, user_id=user, seen=seen, at=NOW)):
            self.present.add((room, user))
            self.see(room, user, seen)

    @rule(room=rooms, user=users)
    def leave(self, room: str, user: str) -> None:
        seen = len(self.world.log)
        if self.try_to(lambda: decide_leave(self.directory, room_id=room, user_id=user, seen=seen, at=NOW)):
            self.present.remove((room, user))
            self.see(room, user, seen)

    @rule()
    def restart(self) -> None:
        seen = len(self.world.log)
        self.try_to(lambda: decide_presence_reset(self.directory, seen=seen, at=NOW))
        for room, user in self.present:
            self.see(room, user, seen)
        self.present.clear()

    def see(self, room: str, user: str, seen: int) -> None:
        """Being present reads what was posted, if there is anything new."""
        if self.posted.get(room, 0) > self.read.get((room, user), 0):
            self.read[room, user] = seen

    @rule(room=rooms, user=users, position=st.integers(0, 50))
    def read_up_to(self, room: str, user: str, position: int) -> None:
        self.try_to(lambda: decide_read(self.directory, room_id=room, user_id=user, position=position, at=NOW))
        if user in self.members[room]:
            self.read[room, user] = max(position, self.read.get((room, user), 0))

    @invariant()
    def rooms_and_members_agree(self) -> None:
        assert {room.id: room.members for room in self.directory.rooms.values()} == self.members
        for user in self.emails.values():
            theirs = {room for room, members in self.members.items() if user in members}
            assert self.directory.rooms_of(user) == theirs
            assert {room for room in self.members if self.directory.is_member(room, user)} == theirs

    @invariant()
    def names_and_archive_agree(self) -> None:
        assert {room.id: room.name for room in self.directory.rooms.values()} == self.names
        assert {room.id for room in self.directory.rooms.values() if room.archived} == self.archived

    @invariant()
    def people_and_sessions_agree(self) -> None:
        assert set(self.directory.users) == set(self.emails.values())
        assert {email: self.owner_of(email) for email in self.emails} == self.emails
        assert {session.id: session.user_id for session in self.directory.sessions.values()} == self.live
        for session_id, user in self.live.items():
            found = self.directory.session_by_token_hash(f"hash of {session_id}")
            assert found is not None and found.user_id == user

    @invariant()
    def presence_and_reading_agree(self) -> None:
        here = {(room, user) for room in self.members for user in self.directory.present_in(room)}
        assert here == self.present and self.directory.anybody_present() == bool(here)
        for room, user in self.read:
            assert self.directory.read_position(room, user) == self.read[room, user]

    @invariant()
    def the_log_alone_gives_the_same_directory(self) -> None:
        again = Directory()
        for recorded in self.world.log:
            apply(again, recorded)
        assert again.rooms == self.directory.rooms and again.users == self.directory.users
        assert again.sessions == self.directory.sessions

    @property
    def directory(self) -> Directory:
        return self.world.directory

    def owner_of(self, email: str) -> str | None:
        user = self.directory.user_by_email(email.upper())
        return user.id if user else None

    def try_to(self, decide: Callable[[], list[NewEvent]]) -> list[NewEvent]:
        """What was decided and has happened; nothing if the rules refused it."""
        try:
            decided = decide()
        except DomainError:
            return []
        self.world.take(decided)
        return decided


TestDirectory = DirectoryAgainstModel.TestCase
TestDirectory.settings = settings(max_examples=60, stateful_step_count=30)
