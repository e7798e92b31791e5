"""What decisions need to know, in memory: people, sessions, rooms, memberships, webhooks.

Loaded from the read models at start, then kept by applying every committed event, on one thread.
"""

from collections.abc import Callable, Set
from typing import Any

import msgspec

from campfire.domain import events as happened
from campfire.domain.errors import RoomNotFound, UserNotFound
from campfire.domain.events import Event, RecordedEvent, Role, RoomKind


class AccountState(msgspec.Struct):
    name: str
    join_code: str
    created_at: int


class UserState(msgspec.Struct):
    id: str
    name: str
    role: Role
    created_at: int
    email: str | None = None
    can_sign_in: bool = True
    active: bool = True
    password_hash: str | None = None
    version: int = 1


class SessionState(msgspec.Struct):
    id: str
    user_id: str
    token_hash: str
    started_at: int
    expires_at: int
    user_agent: str = ""
    address: str = ""
    version: int = 1


class RoomState(msgspec.Struct):
    id: str
    name: str
    kind: RoomKind
    created_by: str
    created_at: int
    archived: bool = False
    version: int = 1
    members: set[str] = msgspec.field(default_factory=set)
    last_message_at: int = 0


class WebhookState(msgspec.Struct):
    id: str
    url: str
    events: tuple[str, ...]
    rooms: tuple[str, ...] | None
    sealed_secret: str
    created_by: str
    created_at: int
    previous_sealed_secret: str | None = None
    previous_valid_until: int | None = None
    version: int = 1


class ImportState(msgspec.Struct):
    """How far an import has come; see `ImportProgressed`."""

    lines: int
    digest: str
    version: int


_NOBODY: frozenset[str] = frozenset()


class Directory:
    """The state of the present. Reading is free; only `apply` and the `add_…`/`set_…` of loading change it."""

    def __init__(self) -> None:
        self.account: AccountState | None = None
        self.users: dict[str, UserState] = {}
        self.rooms: dict[str, RoomState] = {}
        self.sessions: dict[str, SessionState] = {}
        self.webhooks: dict[str, WebhookState] = {}
        self.imports: dict[str, ImportState] = {}
        self._users_by_email: dict[str, str] = {}
        self._sessions_by_token_hash: dict[str, SessionState] = {}
        self._rooms_of: dict[str, set[str]] = {}
        self._membership_versions: dict[tuple[str, str], int] = {}
        self._present: dict[str, set[str]] = {}
        self._read_positions: dict[tuple[str, str], int] = {}
        self._appliers: dict[type[Event], Callable[[Any, RecordedEvent], None]] = {
            happened.AccountCreated: self._account_created,
            happened.UserCreated: self._user_created,
            happened.EmailClaimed: self._email_claimed,
            happened.PasswordSet: self._password_set,
            happened.SessionStarted: self._session_started,
            happened.SessionEnded: self._session_ended,
            happened.RoomCreated: self._room_created,
            happened.RoomRenamed: self._room_renamed,
            happened.RoomArchived: self._room_archived,
            happened.MemberAdded: self._member_added,
            happened.MemberRemoved: self._member_removed,
            happened.MessagePosted: self._message_posted,
            happened.PresenceEntered: self._presence_entered,
            happened.PresenceLeft: self._presence_left,
            happened.PresenceReset: self._presence_reset,
            happened.ReadPositionMoved: self._read_position_moved,
            happened.WebhookCreated: self._webhook_created,
            happened.WebhookSecretRotated: self._webhook_secret_rotated,
            happened.WebhookTested: self._webhook_tested,
            happened.WebhookDeleted: self._webhook_deleted,
            happened.ImportProgressed: self._import_progressed,
        }

    def apply(self, recorded: RecordedEvent) -> None:
        """Take in what happened. Events that no decision needs change nothing."""
        applier = self._appliers.get(type(recorded.event))
        if applier is not None:
            applier(recorded.event, recorded)

    def user(self, user_id: str) -> UserState:
        """Raises `UserNotFound`."""
        user = self.users.get(user_id)
        if user is None:
            raise UserNotFound("There is no person with this id.")
        return user

    def room(self, room_id: str) -> RoomState:
        """Raises `RoomNotFound`."""
        room = self.rooms.get(room_id)
        if room is None:
            raise RoomNotFound("There is no room with this id.")
        return room

    def user_by_email(self, email: str) -> UserState | None:
        """Compared without regard to case."""
        return self.users.get(self._users_by_email.get(email.strip().casefold(), ""))

    def session_by_token_hash(self, token_hash: str) -> SessionState | None:
        return self._sessions_by_token_hash.get(token_hash)

    def sessions_of(self, user_id: str) -> list[SessionState]:
        """Newest first."""
        found = [session for session in self.sessions.values() if session.user_id == user_id]
        return sorted(found, key=lambda session: session.started_at, reverse=True)

    def rooms_of(self, user_id: str) -> Set[str]:
        """The ids of the rooms that somebody is a member of."""
        return self._rooms_of.get(user_id, _NOBODY)

    def is_member(self, room_id: str, user_id: str) -> bool:
        return room_id in self._rooms_of.get(user_id, _NOBODY)

    def membership_version(self, room_id: str, user_id: str) -> int:
        """How many comings and goings this membership has seen, 0 if none."""
        return self._membership_versions.get((room_id, user_id), 0)

    def present_in(self, room_id: str) -> Set[str]:
        return self._present.get(room_id, _NOBODY)

    def anybody_present(self) -> bool:
        return any(self._present.values())

    def read_position(self, room_id: str, user_id: str) -> int:
        return self._read_positions.get((room_id, user_id), 0)

    def add_user(self, user: UserState) -> None:
        self.users[user.id] = user
        if user.email is not None:
            self._users_by_email[user.email.strip().casefold()] = user.id

    def add_session(self, session: SessionState) -> None:
        self.sessions[session.id] = session
        self._sessions_by_token_hash[session.token_hash] = session

    def add_room(self, room: RoomState) -> None:
        self.rooms[room.id] = room
        for user_id in room.members:
            self._rooms_of.setdefault(user_id, set()).add(room.id)

    def add_webhook(self, webhook: WebhookState) -> None:
        self.webhooks[webhook.id] = webhook

    def set_membership_version(self, room_id: str, user_id: str, version: int) -> None:
        self._membership_versions[room_id, user_id] = version

    def set_read_position(self, room_id: str, user_id: str, position: int) -> None:
        self._read_positions[room_id, user_id] = position

    def set_present(self, room_id: str, user_id: str) -> None:
        self._present.setdefault(room_id, set()).add(user_id)

    def _account_created(self, event: happened.AccountCreated, _: RecordedEvent) -> None:
        self.account = AccountState(event.name, event.join_code, event.at)

    def _user_created(self, event: happened.UserCreated, recorded: RecordedEvent) -> None:
        self.add_user(
            UserState(
                id=event.user_id,
                name=event.name,
                role=event.role,
                created_at=event.at,
                email=event.email,
                can_sign_in=event.can_sign_in,
                version=recorded.version,
            )
        )

    def _email_claimed(self, event: happened.EmailClaimed, _: RecordedEvent) -> None:
        self._users_by_email[event.email.strip().casefold()] = event.user_id

    def _password_set(self, event: happened.PasswordSet, recorded: RecordedEvent) -> None:
        user = self.users[event.user_id]
        user.password_hash = event.password_hash
        user.version = recorded.version

    def _session_started(self, event: happened.SessionStarted, recorded: RecordedEvent) -> None:
        self.add_session(
            SessionState(
                id=event.session_id,
                user_id=event.user_id,
                token_hash=event.token_hash,
                started_at=event.at,
                expires_at=event.expires_at,
                user_agent=event.user_agent,
                address=event.address,
                version=recorded.version,
            )
        )

    def _session_ended(self, event: happened.SessionEnded, _: RecordedEvent) -> None:
        session = self.sessions.pop(event.session_id, None)
        if session is not None:
            del self._sessions_by_token_hash[session.token_hash]

    def _room_created(self, event: happened.RoomCreated, recorded: RecordedEvent) -> None:
        self.add_room(
            RoomState(
                id=event.room_id,
                name=event.name,
                kind=event.kind,
                created_by=event.created_by,
                created_at=event.at,
                version=recorded.version,
                members=set(event.members),
            )
        )

    def _room_renamed(self, event: happened.RoomRenamed, recorded: RecordedEvent) -> None:
        room = self.rooms[event.room_id]
        room.name = event.name
        room.version = recorded.version

    def _room_archived(self, event: happened.RoomArchived, recorded: RecordedEvent) -> None:
        room = self.rooms[event.room_id]
        room.archived = True
        room.version = recorded.version

    def _member_added(self, event: happened.MemberAdded, recorded: RecordedEvent) -> None:
        self.rooms[event.room_id].members.add(event.user_id)
        self._rooms_of.setdefault(event.user_id, set()).add(event.room_id)
        self._membership_versions[event.room_id, event.user_id] = recorded.version

    def _member_removed(self, event: happened.MemberRemoved, recorded: RecordedEvent) -> None:
        self.rooms[event.room_id].members.discard(event.user_id)
        self._rooms_of.get(event.user_id, set()).discard(event.room_id)
        self._present.get(event.room_id, set()).discard(event.user_id)
        self._membership_versions[event.room_id, event.user_id] = recorded.version

    def _message_posted(self, event: happened.MessagePosted, _: RecordedEvent) -> None:
        room = self.rooms[event.room_id]
        if event.at > room.last_message_at:
            room.last_message_at = event.at

    def _presence_entered(self, event: happened.PresenceEntered, _: RecordedEvent) -> None:
        self.set_present(event.room_id, event.user_id)

    def _presence_left(self, event: happened.PresenceLeft, _: RecordedEvent) -> None:
        self._present.get(event.room_id, set()).discard(event.user_id)

    def _presence_reset(self, _event: happened.PresenceReset, _: RecordedEvent) -> None:
        self._present.clear()

    def _read_position_moved(self, event: happened.ReadPositionMoved, _: RecordedEvent) -> None:
        # Two moves may have been decided before either was recorded; the farther one stands.
        if event.position > self.read_position(event.room_id, event.user_id):
            self._read_positions[event.room_id, event.user_id] = event.position

    def _webhook_created(self, event: happened.WebhookCreated, recorded: RecordedEvent) -> None:
        self.add_webhook(
            WebhookState(
                id=event.webhook_id,
                url=event.url,
                events=event.events,
                rooms=event.rooms,
                sealed_secret=event.sealed_secret,
                created_by=event.by,
                created_at=event.at,
                version=recorded.version,
            )
        )

    def _webhook_secret_rotated(self, event: happened.WebhookSecretRotated, recorded: RecordedEvent) -> None:
        webhook = self.webhooks[event.webhook_id]
        webhook.previous_sealed_secret = webhook.sealed_secret
        webhook.previous_valid_until = event.previous_valid_until
        webhook.sealed_secret = event.sealed_secret
        webhook.version = recorded.version

    def _webhook_tested(self, event: happened.WebhookTested, recorded: RecordedEvent) -> None:
        webhook = self.webhooks.get(event.webhook_id)
        if webhook is not None:  # it may have been deleted while the test was being asked for
            webhook.version = recorded.version

    def _webhook_deleted(self, event: happened.WebhookDeleted, _: RecordedEvent) -> None:
        self.webhooks.pop(event.webhook_id, None)

    def _import_progressed(self, event: happened.ImportProgressed, recorded: RecordedEvent) -> None:
        self.imports[event.source] = ImportState(event.lines, event.digest, recorded.version)
