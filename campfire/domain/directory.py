"""What decisions need to know, in memory: people, sessions, rooms, memberships, webhooks.

Loaded from the read models at start, then kept by applying every committed event (`applying.py`), on one thread.
"""

from collections.abc import Iterable, Set

from campfire.domain import ids
from campfire.domain.errors import RoomNotFound, UserNotFound, WebhookNotFound
from campfire.domain.events import Involvement
from campfire.domain.push_devices import PushDevices
from campfire.domain.states import (
    AccountState,
    BotState,
    ImportState,
    RoomState,
    SessionState,
    SignInLinkState,
    UserState,
    WebhookState,
)

_NOBODY: frozenset[str] = frozenset()


class Directory:
    """The state of the present. Reading is free; only `applying.py` and the loading at start change it."""

    def __init__(self) -> None:
        self.account: AccountState | None = None
        self.users: dict[str, UserState] = {}
        self.rooms: dict[str, RoomState] = {}
        self.sessions: dict[str, SessionState] = {}
        self.webhooks: dict[str, WebhookState] = {}
        self.bots: dict[str, BotState] = {}
        """By the bot's user id."""
        self.push = PushDevices()
        self.imports: dict[str, ImportState] = {}
        self.banned_addresses: dict[str, set[str]] = {}
        """IP addresses, each with the ids of the people banned from there."""
        self._links: dict[str, SignInLinkState] = {}
        self._links_by_token_hash: dict[str, SignInLinkState] = {}
        self._bots_by_token_hash: dict[str, BotState] = {}
        self._rooms_by_number: dict[int, str] = {}
        self._users_by_email: dict[str, str] = {}
        self._email_versions: dict[str, int] = {}
        self._users_by_name: dict[str, set[str]] = {}
        self._sessions_by_token_hash: dict[str, SessionState] = {}
        self._rooms_of: dict[str, set[str]] = {}
        self._membership_versions: dict[tuple[str, str], int] = {}
        self._involvements: dict[tuple[str, str], Involvement] = {}
        self._present: dict[str, set[str]] = {}
        self._read_positions: dict[tuple[str, str], int] = {}

    def user(self, user_id: str) -> UserState:
        """Raises `UserNotFound`."""
        user = self.users.get(user_id)
        if user is None:
            raise UserNotFound("There is no person with this id.")
        return user

    def room(self, room_id: str) -> RoomState:
        """Raises `RoomNotFound`."""
        room = self.rooms.get(room_id)
        if room is None or room.deleted:
            raise RoomNotFound("There is no room with this id.")
        return room

    def room_numbered(self, number: int) -> RoomState:
        """The room with this short number. Raises `RoomNotFound`."""
        return self.room(self._rooms_by_number.get(number, ""))

    def webhook(self, webhook_id: str) -> WebhookState:
        """Raises `WebhookNotFound`."""
        webhook = self.webhooks.get(webhook_id)
        if webhook is None:
            raise WebhookNotFound("There is no webhook with this id.")
        return webhook

    def user_by_email(self, email: str) -> UserState | None:
        """Compared without regard to case."""
        return self.users.get(self._users_by_email.get(email_key(email), ""))

    def email_version(self, email: str) -> int:
        """How often an address has been claimed and released, 0 if never."""
        return self._email_versions.get(email_key(email), 0)

    def link_by_token_hash(self, token_hash: str) -> SignInLinkState | None:
        """A sign-in link that has not been used."""
        return self._links_by_token_hash.get(token_hash)

    def links_of(self, user_id: str) -> list[SignInLinkState]:
        """Somebody's sign-in links that have not been used."""
        return [link for link in self._links.values() if link.user_id == user_id]

    def users_named(self, name: str) -> Set[str]:
        """The ids of everybody of that name, compared without regard to case."""
        return self._users_by_name.get(name.casefold(), _NOBODY)

    def session_by_token_hash(self, token_hash: str) -> SessionState | None:
        return self._sessions_by_token_hash.get(token_hash)

    def bot_by_token_hash(self, token_hash: str) -> BotState | None:
        """The bot whose key has this hash."""
        return self._bots_by_token_hash.get(token_hash)

    def lets_in(self, user_id: str, session_id: str) -> bool:
        """Whether a session still stands, or the key that stands for one (`BotState.key_id`)."""
        bot = self.bots.get(user_id)
        if bot is None:
            return session_id in self.sessions
        return bot.token_hash is not None and bot.key_id == session_id and self.users[user_id].active

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

    def involvement(self, room_id: str, user_id: str) -> Involvement:
        """What a member wants to hear of a room: what they chose, or what its kind begins with."""
        chosen = self._involvements.get((room_id, user_id))
        return chosen or ("everything" if self.rooms[room_id].kind == "direct" else "mentions")

    def present_in(self, room_id: str) -> Set[str]:
        return self._present.get(room_id, _NOBODY)

    def anybody_present(self) -> bool:
        return any(self._present.values())

    def presences(self) -> list[tuple[str, str]]:
        """Everybody who is present somewhere, as pairs of room and person, in a fixed order."""
        return sorted((room_id, user_id) for room_id, present in self._present.items() for user_id in present)

    def read_position(self, room_id: str, user_id: str) -> int:
        return self._read_positions.get((room_id, user_id), 0)

    def add_user(self, user: UserState) -> None:
        self.users[user.id] = user
        self._users_by_name.setdefault(user.name.casefold(), set()).add(user.id)

    def rename_user(self, user: UserState, name: str) -> None:
        namesakes = self._users_by_name[user.name.casefold()]
        namesakes.discard(user.id)
        if not namesakes:
            del self._users_by_name[user.name.casefold()]
        user.name = name
        self._users_by_name.setdefault(name.casefold(), set()).add(user.id)

    def add_link(self, link: SignInLinkState) -> None:
        self._links[link.id] = self._links_by_token_hash[link.token_hash] = link

    def remove_link(self, link_id: str) -> None:
        link = self._links.pop(link_id, None)
        if link is not None:
            del self._links_by_token_hash[link.token_hash]

    def ban_addresses(self, addresses: Iterable[str], user_id: str) -> None:
        for address in addresses:
            self.banned_addresses.setdefault(address, set()).add(user_id)

    def lift_ban(self, user_id: str) -> None:
        for address, people in list(self.banned_addresses.items()):
            people.discard(user_id)
            if not people:
                del self.banned_addresses[address]

    def add_session(self, session: SessionState) -> None:
        self.sessions[session.id] = session
        self._sessions_by_token_hash[session.token_hash] = session

    def add_room(self, room: RoomState) -> None:
        self.rooms[room.id] = room
        self._rooms_by_number[room.position] = room.id
        for user_id in room.members:
            self._rooms_of.setdefault(user_id, set()).add(room.id)

    def add_bot(self, bot: BotState) -> None:
        self.bots[bot.user_id] = bot
        if bot.token_hash is not None:
            self._bots_by_token_hash[bot.token_hash] = bot

    def set_bot_key(self, bot: BotState, token_hash: str, sealed_token: str) -> None:
        self._bots_by_token_hash.pop(bot.token_hash or "", None)
        bot.token_hash, bot.sealed_token = token_hash, sealed_token
        self._bots_by_token_hash[token_hash] = bot

    def void_bot_key(self, bot_id: str) -> None:
        """Let nobody in by the bot's key any more; nothing for who is no bot."""
        bot = self.bots.get(bot_id)
        if bot is not None:
            self._bots_by_token_hash.pop(bot.token_hash or "", None)
            bot.token_hash = bot.sealed_token = None

    def add_webhook(self, webhook: WebhookState) -> None:
        self.webhooks[webhook.id] = webhook

    def claim_email(self, email: str, user_id: str, version: int) -> None:
        self._users_by_email[email_key(email)] = user_id
        self._email_versions[email_key(email)] = version

    def release_email(self, email: str, version: int) -> None:
        self._users_by_email.pop(email_key(email), None)
        self._email_versions[email_key(email)] = version

    def end_session(self, session_id: str) -> None:
        session = self.sessions.pop(session_id, None)
        if session is not None:
            del self._sessions_by_token_hash[session.token_hash]
            self.push.remove(ids.push_subscription_id(session_id))

    def add_member(self, room_id: str, user_id: str, version: int) -> None:
        self.rooms[room_id].members.add(user_id)
        self._rooms_of.setdefault(user_id, set()).add(room_id)
        self._membership_versions[room_id, user_id] = version

    def remove_member(self, room_id: str, user_id: str, version: int) -> None:
        self.rooms[room_id].members.discard(user_id)
        self._rooms_of.get(user_id, set()).discard(room_id)
        self.unset_present(room_id, user_id)
        self._membership_versions[room_id, user_id] = version
        self._involvements.pop((room_id, user_id), None)

    def set_membership_version(self, room_id: str, user_id: str, version: int) -> None:
        self._membership_versions[room_id, user_id] = version

    def set_involvement(self, room_id: str, user_id: str, involvement: Involvement) -> None:
        self._involvements[room_id, user_id] = involvement

    def set_read_position(self, room_id: str, user_id: str, position: int) -> None:
        self._read_positions[room_id, user_id] = position

    def set_present(self, room_id: str, user_id: str) -> None:
        self._present.setdefault(room_id, set()).add(user_id)

    def unset_present(self, room_id: str, user_id: str) -> None:
        self._present.get(room_id, set()).discard(user_id)

    def clear_presences(self) -> None:
        self._present.clear()


def email_key(email: str) -> str:
    """What makes two addresses the same; as `ids.email_stream`."""
    return email.strip().casefold()
