"""Bots as endpoints: what the planner learns of them from the log, in `outbox.db`'s own transaction."""

import sqlite3

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import RecordedEvent
from campfire.domain.ids import NOTICES_BOT
from outbox.queueing import cancel_all, end

CONCURRENCY = 4
"""Calls of one bot on their way at once: some think for seconds, and whoever asked next should not wait for that."""


def is_callable(connection: sqlite3.Connection, bot_id: str) -> bool:
    """Whether the bot is here and has an address to be called at."""
    row = connection.execute(
        "SELECT 1 FROM endpoints WHERE id = ? AND kind = 'bot' AND state = 'active' AND url <> ''", (bot_id,)
    ).fetchone()
    return row is not None


def take(connection: sqlite3.Connection, recorded: RecordedEvent, now: int) -> None:
    """Learn what an event says of bots; most say nothing."""
    event = recorded.event
    if isinstance(event, happened.UserCreated) and event.role == "bot" and event.user_id != NOTICES_BOT:
        connection.execute(
            "INSERT OR IGNORE INTO endpoints"
            # Without an ordering: what is said to a bot while it thinks is asked at once.
            " (id, kind, name, url, events, concurrency, ordering, created_position)"
            " VALUES (?, 'bot', ?, '', '[]', ?, 'none', ?)",
            (event.user_id, event.name, CONCURRENCY, recorded.position),
        )
    elif isinstance(event, happened.BotKeySet):
        _set(connection, event.bot_id, "secrets", msgspec.json.encode([(event.sealed_token, None)]).decode())
    elif isinstance(event, happened.BotWebhookSet):
        _set(connection, event.bot_id, "url", event.url or "")
        if event.url is None:
            cancel_all(connection, event.bot_id, "the bot is called nowhere any more", now)
    elif isinstance(event, happened.ProfileChanged):
        _set(connection, event.user_id, "name", event.name)
    elif isinstance(event, happened.UserReactivated):
        _set(connection, event.user_id, "state", "active")
    elif isinstance(event, happened.UserDeactivated | happened.UserRemoved):
        if _set(connection, event.user_id, "state", "deleted"):
            cancel_all(connection, event.user_id, "the bot is no longer here", now)
    elif isinstance(event, happened.MemberRemoved):
        _leave_room(connection, event, now)


def _set(connection: sqlite3.Connection, bot_id: str, column: str, value: str) -> bool:
    """Change a bot; False if this is no bot."""
    changed = connection.execute(f"UPDATE endpoints SET {column} = ? WHERE id = ? AND kind = 'bot'", (value, bot_id))
    return changed.rowcount > 0


def _leave_room(connection: sqlite3.Connection, event: happened.MemberRemoved, now: int) -> None:
    """What was said in a room that the bot is no longer in is not for it any more."""
    end(
        connection,
        "UPDATE deliveries SET state = 'cancelled', failure = 'the bot left the room',"
        " finished_at = ? WHERE endpoint_id = (SELECT id FROM endpoints WHERE id = ? AND kind = 'bot')"
        " AND state IN ('queued', 'pending', 'dead') AND room_id = ?",
        (now, event.user_id, event.room_id),
    )
