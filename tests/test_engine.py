import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from campfire.clock import ManualClock
from campfire.config import Settings
from campfire.domain import ids
from campfire.domain.accounts import NewPerson, NewSession, decide_join, decide_setup
from campfire.domain.directory import Directory
from campfire.domain.errors import SetupAlreadyDone
from campfire.domain.events import AccountCreated, NewEvent, RecordedEvent
from campfire.domain.memberships import decide_remove_member
from campfire.domain.messages import decide_post
from campfire.domain.presence import decide_enter
from campfire.domain.reading import decide_read
from campfire.domain.rooms import decide_change_room
from campfire.domain.webhooks import decide_create_webhook, decide_test_webhook
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.group_commit import CommittedBatch
from campfire.eventlog.reader import LogReader
from projections.digest import digest_of
from projections.rebuild import rebuild_beside

SESSION_END = 4_000_000_000_000


class Talk:
    """An engine with an administrator, Ada, and a first room."""

    def __init__(self, engine: Engine, ada: str = "", room: str = "") -> None:
        self.engine = engine
        self.ada = ada or engine.new_id()
        self.room = room or engine.new_id()

    async def set_up(self) -> tuple[RecordedEvent, ...]:
        person, session = self.newcomer("Ada", self.ada)
        return await self.engine.perform(
            lambda: decide_setup(
                self.engine.directory,
                account_name="Acme",
                person=person,
                session=session,
                room_id=self.room,
                join_code="come-in",
                at=self.engine.clock.now_ms(),
            )
        )

    async def join(self, name: str) -> str:
        person, session = self.newcomer(name, self.engine.new_id())
        await self.engine.perform(
            lambda: decide_join(self.engine.directory, join_code="come-in", person=person, session=session, at=5)
        )
        return person.user_id

    async def post(self, body: str) -> RecordedEvent:
        [recorded] = await self.engine.perform(
            lambda: decide_post(
                self.engine.directory,
                room_id=self.room,
                author_id=self.ada,
                body=body,
                client_message_id=body,
                at=self.engine.clock.now_ms(),
            )
        )
        return recorded

    async def bodies(self) -> list[str]:
        rows = await self.engine.read_models.rows("SELECT body FROM messages ORDER BY position")
        return [body for (body,) in rows]

    def newcomer(self, name: str, user_id: str) -> tuple[NewPerson, NewSession]:
        session_id = self.engine.new_id()
        return (
            NewPerson(user_id=user_id, name=name, email=f"{name}@example.com".lower(), password_hash="$hash"),
            NewSession(session_id=session_id, token_hash=f"token of {session_id}", expires_at=SESSION_END),
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    engine = await Engine.open(settings, clock=ManualClock())
    yield engine
    await engine.close()


@pytest.fixture
async def talk(engine: Engine) -> Talk:
    talk = Talk(engine)
    await talk.set_up()
    return talk


async def written(settings: Settings, work: Callable[[Talk], Any] | None = None) -> Talk:
    """A closed engine's data: set up, with three messages. The returned talk only knows the names."""
    engine = await Engine.open(settings)
    talk = Talk(engine)
    await talk.set_up()
    for body in ("one", "two", "three"):
        await talk.post(body)
    if work is not None:
        await work(talk)
    await engine.close()
    return talk


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0)


def rebuilt_digests(engine: Engine, path: Path) -> dict[str, str]:
    """What the log alone says the read models must be."""
    projector = rebuild_beside(engine.reader, path)
    try:
        return digest_of(projector.connection)
    finally:
        projector.close()


def live_digests(settings: Settings) -> dict[str, str]:
    connection = sqlite3.connect(settings.read_models_path)
    try:
        return digest_of(connection)
    finally:
        connection.close()


async def test_what_was_performed_is_on_record_and_can_be_read(talk: Talk) -> None:
    """Once `perform` has returned: by decisions, by readers and in the log."""
    recorded = await talk.post("hello")
    assert talk.engine.position == recorded.position
    assert talk.engine.reader.read(recorded.position - 1) == [recorded]
    assert await talk.bodies() == ["hello"]


async def test_a_decision_for_nothing_records_nothing(talk: Talk) -> None:
    """And still is an answer."""
    before = talk.engine.position
    assert await talk.engine.perform(list) == ()
    assert talk.engine.position == before


async def test_whoever_was_slower_decides_again(talk: Talk) -> None:
    """On what the faster one left behind; both get their way, one after the other."""
    seen: list[str] = []

    def rename(name: str) -> list[NewEvent]:
        seen.append(talk.engine.directory.room(talk.room).name)
        return decide_change_room(talk.engine.directory, room_id=talk.room, name=name, actor_id=talk.ada, at=1)

    await asyncio.gather(*(talk.engine.perform(lambda name=name: rename(name)) for name in ("Red", "Green")))
    assert seen == ["All Talk", "All Talk", "Red"]
    assert talk.engine.directory.room(talk.room).name == "Green"


async def test_whoever_is_always_too_late_is_told_to_try_again(talk: Talk) -> None:
    """After four decisions, with an error that says that a retry helps."""
    tried: list[None] = []

    def take_what_is_taken() -> list[NewEvent]:
        tried.append(None)
        return [NewEvent(ids.ACCOUNT_STREAM, 1, AccountCreated(at=1, name="x", join_code="y"))]

    with pytest.raises(CampfireError) as gave_up:
        await talk.engine.perform(take_what_is_taken)
    assert len(tried) == 4
    assert gave_up.value.code == "DATABASE_CONSTRAINT_VIOLATION"
    assert gave_up.value.kind.retryable and gave_up.value.retry_after


async def test_what_a_decision_raises_comes_through(talk: Talk) -> None:
    """A refusal is an answer, not a failure of the engine."""
    with pytest.raises(SetupAlreadyDone):
        await talk.set_up()
    assert (await talk.post("still here")).position == talk.engine.position


async def test_of_two_set_ups_at_once_one_makes_the_administrator(engine: Engine) -> None:
    """The other one hears that it was done already, and leaves nothing behind."""
    first, second = Talk(engine), Talk(engine)
    outcomes = await asyncio.gather(first.set_up(), second.set_up(), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["SetupAlreadyDone", "tuple"]
    assert [user.role for user in engine.directory.users.values()] == ["administrator"]
    assert len(engine.directory.rooms) == 1 and len(engine.directory.sessions) == 1
    topics = [recorded.event.topic for recorded in engine.reader.read(0)]
    assert topics.count("account.created") == topics.count("user.created") == 1


async def test_a_listener_that_fails_keeps_nobody_from_the_answer(talk: Talk) -> None:
    """The event is recorded; the other listeners hear of it."""
    heard: list[int] = []

    def fail(_: CommittedBatch) -> None:
        raise RuntimeError("a defect")

    talk.engine.subscribers += [fail, lambda batch: heard.append(batch.tip.position)]
    recorded = await talk.post("hello")
    assert heard == [recorded.position]


async def test_a_start_finds_everything_as_it_was_left(settings: Settings) -> None:
    """People, sessions, rooms, memberships, webhooks, and the versions that the next change needs."""

    async def live(talk: Talk) -> None:
        engine, directory = talk.engine, talk.engine.directory
        bob = await talk.join("Bob")
        webhook = engine.new_id()
        sealed = engine.sealer.seal("secret")
        for decide in (
            lambda: decide_remove_member(directory, room_id=talk.room, user_id=bob, actor_id=bob, at=9),
            lambda: decide_read(directory, room_id=talk.room, user_id=talk.ada, position=7, at=9),
            lambda: decide_change_room(directory, room_id=talk.room, name="New", actor_id=talk.ada, at=9),
            lambda: decide_create_webhook(
                directory,
                webhook_id=webhook,
                url="https://example.com",
                events=["message.posted"],
                rooms=None,
                sealed_secret=sealed,
                actor_id=talk.ada,
                at=9,
            ),
            lambda: decide_test_webhook(directory, webhook_id=webhook, actor_id=talk.ada, at=9),
        ):
            await engine.perform(decide)

    before = (await written(settings, live)).engine.directory
    engine = await Engine.open(settings)
    try:
        assert state(engine.directory) == state(before)
    finally:
        await engine.close()


def state(directory: Directory) -> dict[str, Any]:
    """Everything in a directory that a decision can ask for."""
    pairs = [(room, user) for room in directory.rooms for user in directory.users]
    return {
        "account": directory.account,
        "users": directory.users,
        "rooms": directory.rooms,
        "sessions": directory.sessions,
        "webhooks": directory.webhooks,
        "rooms_of": {user: set(directory.rooms_of(user)) for user in directory.users},
        "memberships": {pair: directory.membership_version(*pair) for pair in pairs},
        "read": {pair: directory.read_position(*pair) for pair in pairs},
        "by_email": {user.email: directory.user_by_email(user.email or "") for user in directory.users.values()},
    }


async def test_a_start_closes_presences_that_a_crash_left_open(settings: Settings) -> None:
    """With one event."""

    async def enter(talk: Talk) -> None:
        await talk.engine.perform(
            lambda: decide_enter(talk.engine.directory, room_id=talk.room, user_id=talk.ada, seen=0, at=9)
        )

    await written(settings, enter)
    for _ in range(2):
        engine = await Engine.open(settings)
        assert not engine.directory.anybody_present()
        await engine.close()
    assert [each.event.topic for each in history(settings)].count("presence.reset") == 1


async def test_a_rebuild_under_load_loses_nothing_and_nobody_notices(talk: Talk, tmp_path: Path) -> None:
    """Posting goes on, reading goes on, and every sender sees their own message at once, all the time."""
    over = asyncio.Event()
    said: list[str] = []

    async def speak(who: int) -> None:
        number = 0
        while not over.is_set():
            body = f"{who} says {number}"
            await talk.post(body)
            said.append(body)
            seen = await talk.engine.read_models.rows("SELECT 1 FROM messages WHERE body = ?", (body,))
            assert seen == [(1,)], f"{body} was acknowledged, but its sender could not read it"
            number += 1

    async def watch() -> None:
        most = 0
        while not over.is_set():
            [(count,)] = await talk.engine.read_models.rows("SELECT COUNT(*) FROM messages")
            assert count >= most, "a reader saw messages disappear"
            most = count

    people = [asyncio.create_task(speak(who)) for who in range(8)] + [asyncio.create_task(watch())]
    for _ in range(3):
        so_far = len(said)
        await until(lambda so_far=so_far: len(said) >= so_far + 200 or any(task.done() for task in people))  # type: ignore[misc]
        await talk.engine.rebuild()
    over.set()
    await asyncio.gather(*people)
    assert sorted(await talk.bodies()) == sorted(said) and len(said) >= 600
    assert live_digests(talk.engine.settings) == rebuilt_digests(talk.engine, tmp_path / "again.db")


async def test_after_a_rebuild_every_connection_reads_the_new_file(talk: Talk) -> None:
    """Also those that were idle while it was swapped in."""
    await talk.engine.rebuild()
    await talk.post("hello")
    slowly = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
    rows = talk.engine.read_models.rows
    seen = await asyncio.gather(
        *(rows(f"{slowly} SELECT (SELECT COUNT(*) FROM messages) FROM n WHERE i = 100000") for _ in range(6))
    )
    assert seen == [[(1,)]] * 6


async def test_a_query_that_runs_during_the_swap_ends_in_peace(talk: Talk) -> None:
    """On what it began with; the engine can be closed afterwards."""
    await talk.post("hello")
    slowly = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT MAX(i) FROM n"
    running = asyncio.create_task(talk.engine.read_models.rows(slowly))
    await asyncio.sleep(0)
    await talk.engine.rebuild()
    assert await talk.bodies() == ["hello"]
    assert await running == [(3_000_000,)]


async def test_two_rebuilds_at_once_are_one_too_many(talk: Talk) -> None:
    """The second is refused and disturbs nothing."""
    first = asyncio.create_task(talk.engine.rebuild())
    await asyncio.sleep(0)
    with pytest.raises(CampfireError) as refused:
        await talk.engine.rebuild()
    assert refused.value.code == "DATABASE_MIGRATION_FAILED"
    assert await first == live_digests(talk.engine.settings)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"this is no database, whatever its name says" * 200),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:9_000]),
        lambda path: path.write_bytes(path.read_bytes()[:4_096] + b"\xff" * 8_192 + path.read_bytes()[12_288:]),
    ],
    ids=["overwritten", "emptied", "deleted", "cut short", "two pages gone"],
)
async def test_damaged_read_models_are_made_again_at_start(
    settings: Settings, tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    """Without anybody's help, and equal to what the log says."""
    talk = await written(settings)
    damage(settings.read_models_path)
    engine = await Engine.open(settings)
    try:
        again = Talk(engine, talk.ada, talk.room)
        assert await again.bodies() == ["one", "two", "three"]
        await again.post("four")
        assert live_digests(settings) == rebuilt_digests(engine, tmp_path / "again.db")
    finally:
        await engine.close()


def outdate(settings: Settings, projection: str, table: str) -> None:
    """Leave the read models as an older version would have: its number, and its rows."""
    connection = sqlite3.connect(settings.read_models_path)
    with connection:
        connection.execute("UPDATE tracking SET version = 0 WHERE projection = ?", (projection,))
        connection.execute(f"DELETE FROM {table}")
    connection.close()


async def test_a_read_model_of_another_version_is_made_again_before_anybody_decides_by_it(settings: Settings) -> None:
    """If decisions need it, the start waits for it."""
    talk = await written(settings)
    outdate(settings, "messages", "messages")
    engine = await Engine.open(settings)
    try:
        assert await Talk(engine, talk.ada, talk.room).bodies() == ["one", "two", "three"]
        assert engine.read_side.outdated == []
        assert engine.directory.room(talk.room).last_message_at > 0
        assert 0 < engine.directory.room(talk.room).last_message_position <= engine.position
    finally:
        await engine.close()


async def test_a_read_model_that_no_decision_needs_is_made_again_while_people_talk(
    settings: Settings, tmp_path: Path
) -> None:
    """The start does not wait for it; nothing that is said meanwhile is missing in the end."""
    talk = await written(settings)
    outdate(settings, "search", "message_search")
    engine = await Engine.open(settings)
    try:
        again = Talk(engine, talk.ada, talk.room)
        assert engine.read_side.outdated == ["search"]
        await again.post("four")
        await until(lambda: engine.read_side.outdated == [])
        await again.post("five")
        rows = await engine.read_models.rows("SELECT COUNT(*) FROM message_search")
        assert rows == [(5,)]
        assert live_digests(settings) == rebuilt_digests(engine, tmp_path / "again.db")
    finally:
        await engine.close()


async def test_an_engine_closed_during_a_rebuild_loses_nothing(settings: Settings, tmp_path: Path) -> None:
    """The live read models stay in place; the next start goes on."""
    talk = await written(settings)
    for _ in range(3):
        outdate(settings, "search", "message_search")
        engine = await Engine.open(settings)
        await engine.close()
    engine = await Engine.open(settings)
    try:
        await until(lambda: engine.read_side.outdated == [])
        assert await Talk(engine, talk.ada, talk.room).bodies() == ["one", "two", "three"]
        assert live_digests(settings) == rebuilt_digests(engine, tmp_path / "again.db")
    finally:
        await engine.close()


async def test_a_start_that_fails_leaves_the_directory_free(settings: Settings) -> None:
    """And closes what it had opened."""
    settings.data.mkdir()
    settings.key_path.write_bytes(b"no key")
    with pytest.raises(CampfireError, match=r"server\.key"):
        await Engine.open(settings)
    settings.key_path.unlink()
    await (await Engine.open(settings)).close()


async def test_the_data_directory_is_for_its_owner_only(settings: Settings) -> None:
    """It is made at the first start, with everything in it."""
    await (await Engine.open(settings)).close()
    assert settings.data.stat().st_mode & 0o777 == 0o700


def history(settings: Settings) -> list[RecordedEvent]:
    """The whole log of a closed engine."""
    reader = LogReader(settings.events_path)
    try:
        return reader.read(0)
    finally:
        reader.close()
