"""Data directories to measure on, made offline along the server's own path."""

import asyncio
import secrets
from hashlib import sha256
from pathlib import Path

import msgspec

from campfire.config import Settings
from campfire.domain.accounts import NewPerson, NewSession, decide_join, decide_setup
from campfire.domain.events import MessagePosted, NewEvent
from campfire.domain.ids import message_id
from campfire.engine import Engine

_JOIN_CODE = "bench-join-code"
_PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$YmVuY2htYXJr$unusable"
_SESSION_MS = 10 * 365 * 86_400_000
"""A kept store is measured long after it was made."""
_EVENTS_AT_ONCE = 500


class Chat(msgspec.Struct, frozen=True):
    """A server's data with people in one open room, each with a session."""

    data: Path
    room_id: str
    user_ids: list[str]
    tokens: list[str]


def person_name(index: int) -> str:
    """What the chat's person number `index` is called."""
    return f"Person {index}"


def make_chat(data: Path, people: int) -> Chat:
    """Set `data` up with an account and `people` members of its first room.

    Sessions are started directly: a thousand sign-ins would spend a minute on password hashing.
    """
    return asyncio.run(_make_chat(data, people))


def append_messages(chat: Chat, texts: list[str], count: int) -> None:
    """Put `count` messages into the room, by everybody in turn, through the log and into the read models."""
    asyncio.run(_append_messages(chat, texts, count))


async def _make_chat(data: Path, people: int) -> Chat:
    engine = await Engine.open(Settings(data=data))
    try:
        room_id = engine.new_id()
        persons = [_person(engine.new_id(), index) for index in range(people)]
        tokens = [secrets.token_urlsafe(32) for _ in persons]
        at = engine.clock.now_ms()
        sessions = [
            NewSession(
                session_id=engine.new_id(),
                token_hash=sha256(token.encode()).hexdigest(),
                expires_at=at + _SESSION_MS,
            )
            for token in tokens
        ]
        await engine.perform(
            lambda: decide_setup(
                engine.directory,
                account_name="Benchmark",
                person=persons[0],
                session=sessions[0],
                room_id=room_id,
                join_code=_JOIN_CODE,
                at=at,
            )
        )
        await asyncio.gather(
            *(_join(engine, person, session) for person, session in zip(persons[1:], sessions[1:], strict=True))
        )
    finally:
        await engine.close()
    return Chat(data, room_id, [person.user_id for person in persons], tokens)


def _person(user_id: str, index: int) -> NewPerson:
    return NewPerson(
        user_id=user_id, name=person_name(index), email=f"person{index}@example.com", password_hash=_PASSWORD_HASH
    )


async def _join(engine: Engine, person: NewPerson, session: NewSession) -> None:
    await engine.perform(
        lambda: decide_join(
            engine.directory, join_code=_JOIN_CODE, person=person, session=session, at=engine.clock.now_ms()
        )
    )


async def _append_messages(chat: Chat, texts: list[str], count: int) -> None:
    engine = await Engine.open(Settings(data=chat.data))
    try:
        for first in range(0, count, _EVENTS_AT_ONCE):
            numbers = range(first, min(first + _EVENTS_AT_ONCE, count))
            at = engine.clock.now_ms()
            await engine.append([_message(chat, texts[number % len(texts)], number, at) for number in numbers])
    finally:
        await engine.close()


def _message(chat: Chat, text: str, number: int, at: int) -> NewEvent:
    index = number % len(chat.user_ids)
    client_message_id = f"bench-{number}"
    posted = MessagePosted(
        at=at,
        message_id=message_id(chat.room_id, chat.user_ids[index], client_message_id),
        room_id=chat.room_id,
        author_id=chat.user_ids[index],
        author_name=person_name(index),
        body=text,
        client_message_id=client_message_id,
    )
    return NewEvent(posted.message_id, 1, posted)
