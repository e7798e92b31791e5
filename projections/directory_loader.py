"""The directory at start, from the read models: as many rows as there are people, rooms and memberships."""

import sqlite3
from typing import Any

import msgspec

from campfire.domain.directory import Directory
from campfire.domain.events import BotCommand, Condition, EndpointSettings
from campfire.domain.push_devices import PushKeyState, PushSubscriptionState
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


def load_directory(connection: sqlite3.Connection) -> Directory:
    """The directory as of the read models' position."""
    directory = Directory()
    for row in connection.execute(
        "SELECT name, join_code, created_at, custom_styles, rooms_by_administrators_only, retention_days, logo"
        " FROM account"
    ):
        name, join_code, created_at, custom_styles, restricted, retention_days, logo = row
        directory.account = AccountState(
            name, join_code, created_at, custom_styles, bool(restricted), retention_days, logo
        )
    _load_people(directory, connection)
    _load_rooms(directory, connection)
    for row in connection.execute("SELECT room_id, user_id, position FROM read_positions"):
        directory.set_read_position(*row)
    for row in connection.execute("SELECT room_id, user_id FROM presences"):
        directory.set_present(*row)
    _load_webhooks(directory, connection)
    _load_push(directory, connection)
    for user_id, token_hash, sealed_token, url, commands in connection.execute(
        "SELECT user_id, token_hash, sealed_token, webhook_url, commands FROM bots"
    ):
        known = msgspec.json.decode(commands, type=tuple[BotCommand, ...])
        directory.add_bot(BotState(user_id, token_hash, sealed_token, url, known))
    for source, lines, digest, version in connection.execute("SELECT source, lines, digest, version FROM imports"):
        directory.imports[source] = ImportState(lines, digest, version)
    return directory


def _load_people(directory: Directory, connection: sqlite3.Connection) -> None:
    for row in connection.execute(
        "SELECT id, name, role, created_at, email, can_sign_in, password_hash, bio, status, messages_removed,"
        " position, version, avatar FROM users"
    ):
        directory.add_user(
            UserState(
                id=row[0],
                name=row[1],
                role=row[2],
                created_at=row[3],
                email=row[4],
                can_sign_in=bool(row[5]),
                password_hash=row[6],
                bio=row[7],
                status=row[8],
                messages_removed=bool(row[9]),
                position=row[10],
                version=row[11],
                avatar=row[12],
            )
        )
    for email, user_id, version in connection.execute("SELECT email, user_id, version FROM email_claims"):
        if user_id is None:
            directory.release_email(email, version)
        else:
            directory.claim_email(email, user_id, version)
    for address, user_id in connection.execute("SELECT address, user_id FROM banned_addresses"):
        directory.ban_addresses([address], user_id)
    for row in connection.execute("SELECT id, user_id, purpose, token_hash, expires_at FROM sign_in_links"):
        directory.add_link(SignInLinkState(*row))
    for row in connection.execute(
        "SELECT id, user_id, token_hash, started_at, expires_at, user_agent, address, version"
        " FROM sessions INDEXED BY sessions_live WHERE ended_at IS NULL"
    ):
        directory.add_session(SessionState(*row))


def _load_rooms(directory: Directory, connection: sqlite3.Connection) -> None:
    members: dict[str, set[str]] = {}
    for room_id, user_id, ended_at, involvement, version in connection.execute(
        "SELECT room_id, user_id, ended_at, involvement, version FROM memberships"
    ):
        if version:
            directory.set_membership_version(room_id, user_id, version)
        if involvement:
            directory.set_involvement(room_id, user_id, involvement)
        if ended_at is None:
            members.setdefault(room_id, set()).add(user_id)
    for (
        room_id,
        name,
        kind,
        created_by,
        created_at,
        archived_at,
        deleted_at,
        emptied,
        position,
        version,
    ) in connection.execute(
        "SELECT id, name, kind, created_by, created_at, archived_at, deleted_at, emptied, position, version FROM rooms"
    ):
        directory.add_room(
            RoomState(
                id=room_id,
                name=name,
                kind=kind,
                created_by=created_by,
                created_at=created_at,
                archived=archived_at is not None,
                deleted=deleted_at is not None,
                emptied=bool(emptied),
                position=position,
                version=version,
                members=members.get(room_id, set()),
                last_message_at=_last_message_at(connection, room_id),
                last_message_position=_last_message_position(connection, room_id),
            )
        )


def _last_message_at(connection: sqlite3.Connection, room_id: str) -> int:
    """Served by the index `messages_in_room` alone, however long the history."""
    row: Any = connection.execute(
        "SELECT created_at FROM messages WHERE room_id = ? ORDER BY created_at DESC LIMIT 1", (room_id,)
    ).fetchone()
    return int(row[0]) if row else 0


def _last_message_position(connection: sqlite3.Connection, room_id: str) -> int:
    """Served by the index `messages_since` alone."""
    row: Any = connection.execute(
        "SELECT position FROM messages WHERE room_id = ? ORDER BY position DESC LIMIT 1", (room_id,)
    ).fetchone()
    return int(row[0]) if row else 0


def _load_push(directory: Directory, connection: sqlite3.Connection) -> None:
    for row in connection.execute("SELECT public_key, sealed_private_key FROM push_key"):
        directory.push.key = PushKeyState(*row)
    for row in connection.execute(
        "SELECT id, user_id, session_id, service, endpoint_hash, sealed, user_agent, subscribed_at, position"
        " FROM push_subscriptions"
    ):
        directory.push.add(PushSubscriptionState(*row))


def _load_webhooks(directory: Directory, connection: sqlite3.Connection) -> None:
    for row in connection.execute(
        "SELECT id, url, events, rooms, created_by, created_at, filter, settings, state, detail, failing_since,"
        " public_key, pull_key_hash, previous_valid_until, version FROM webhooks"
    ):
        rooms = None if row[3] is None else msgspec.json.decode(row[3], type=tuple[str, ...])
        directory.add_webhook(
            WebhookState(
                id=row[0],
                url=row[1],
                events=msgspec.json.decode(row[2], type=tuple[str, ...]),
                rooms=rooms,
                created_by=row[4],
                created_at=row[5],
                filter=msgspec.json.decode(row[6], type=tuple[Condition, ...]),
                settings=msgspec.json.decode(row[7], type=EndpointSettings),
                state=row[8],
                detail=row[9],
                failing_since=row[10],
                public_key=row[11],
                pull_key_hash=row[12],
                previous_valid_until=msgspec.json.decode(row[13], type=tuple[int, ...]),
                version=row[14],
            )
        )
