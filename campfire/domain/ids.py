"""Identifiers that are derived rather than drawn, so that uniqueness falls to the log itself.

A stream accepts each version once. Whatever must be unique (an e-mail address, a repeated post)
therefore gets a stream id computed from what makes it so (UUIDv5, RFC 9562 section 5.5).
"""

from collections.abc import Callable, Iterable
from hashlib import sha1
from uuid import UUID, uuid4

IdMaker = Callable[[], str]
"""Draws a new identifier; tests pass their own."""

_NAMESPACE = UUID("6b9d1f0c-6c0e-5a53-9f53-3f6ac6c0ca3f")
_ID_MASK = ~(0xF000 << 64 | 0xC000 << 48)
_ID_BITS = 5 << 76 | 2 << 62
"""Version 5 and the variant of RFC 9562."""


def random_id() -> str:
    """A new UUIDv4 as text."""
    return str(uuid4())


def _derived(*parts: str) -> str:
    # The unit separator cannot occur in ids; lengths keep free text from imitating a boundary.
    # `uuid.uuid5` gives the same; every message pays for this, and without a UUID object it pays a third.
    name = "\x1f".join([f"{len(part)}:{part}" for part in parts])
    digest = sha1(_NAMESPACE.bytes + name.encode(errors="surrogatepass"), usedforsecurity=False).digest()
    text = f"{int.from_bytes(digest[:16], 'big') & _ID_MASK | _ID_BITS:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


ACCOUNT_STREAM = _derived("account")
"""The single account's stream: a second set-up loses the race for its first version."""

PRESENCE_RESET_STREAM = _derived("presence-reset")

PUSH_KEY_STREAM = _derived("push-key")
"""The server's one key towards push services: a second one loses the race for the first version."""

NOTICES_BOT = _derived("notices-bot")
"""The bot in whose name the server itself says something."""

ADMINISTRATORS_ROOM = _derived("administrators-room")
"""The one room in which it does, whatever that is called and however often it was deleted."""


def message_id(room_id: str, author_id: str, client_message_id: str) -> str:
    """The id of the message that `author_id` posts in `room_id` under the client's own id."""
    return _derived("message", room_id, author_id, client_message_id)


def email_stream(email: str) -> str:
    """The stream that whoever owns `email` (compared without case) has claimed."""
    return _derived("email", email.strip().casefold())


def direct_room_id(member_ids: Iterable[str]) -> str:
    """The one direct room of a set of people."""
    return _derived("direct", *sorted(set(member_ids)))


def membership_stream(room_id: str, user_id: str) -> str:
    """The comings and goings of one person as a member of one room."""
    return _derived("membership", room_id, user_id)


def involvement_stream(room_id: str, user_id: str) -> str:
    """What one person wants to hear of one room."""
    return _derived("involvement", room_id, user_id)


def presence_stream(room_id: str, user_id: str) -> str:
    """One person's entering and leaving of one room."""
    return _derived("presence", room_id, user_id)


def read_position_stream(room_id: str, user_id: str) -> str:
    """How far one person has read one room."""
    return _derived("read", room_id, user_id)


def thread_read_stream(thread_id: str, user_id: str) -> str:
    """How far one person has read one thread."""
    return _derived("thread-read", thread_id, user_id)


def pin_stream(message_id: str) -> str:
    """Pinning one message, and taking that back."""
    return _derived("pin", message_id)


def saved_stream(message_id: str, user_id: str) -> str:
    """One person's saving of one message."""
    return _derived("saved", message_id, user_id)


def bot_call_stream(bot_id: str, message_id: str) -> str:
    """The calling of one bot by one message; it is called once."""
    return _derived("bot-call", bot_id, message_id)


def push_subscription_id(session_id: str) -> str:
    """The one push subscription of the device that is signed in with a session."""
    return _derived("push-subscription", session_id)


def bot_answer_file_id(answer_id: str) -> str:
    """The file that a bot answered with; handed over again it is the same."""
    return _derived("bot-answer-file", answer_id)


def searches_stream(user_id: str) -> str:
    """What one person has searched for."""
    return _derived("searches", user_id)


def imported_user_id(source: str, nickname: str) -> str:
    """The user that stands for `nickname` of an imported `source`."""
    return _derived("imported-user", source, nickname)


def imported_room_id(source: str, room: str) -> str:
    """The room that stands for `room` of an imported `source`."""
    return _derived("imported-room", source, room)


def imported_line_id(source: str, line: int) -> str:
    """The id of what line number `line` (from 1) of an import became."""
    return _derived("imported-line", source, str(line))


def imported_copy_id(original: str, copy: int) -> str:
    """The id of what stands for `original`, which was deleted here, when it is brought back the `copy`-th time."""
    return _derived("imported-copy", original, str(copy))


def import_stream(source: str) -> str:
    """How far an import has come."""
    return _derived("import", source)


def replay_stream(replay_id: str) -> str:
    """A request to replay deliveries; the same request twice is one."""
    return _derived("replay", replay_id)


def letters_request_id(deed: str, choice: str) -> str:
    """The id of a request about dead letters that is named by nothing but what it chooses."""
    return _derived("letters", deed, choice)


def cursor_move_id(webhook_id: str, kind: str, name: str) -> str:
    """The id of one move of one endpoint's cursor; asked for again it is the same."""
    return _derived("cursor-move", webhook_id, kind, name)
