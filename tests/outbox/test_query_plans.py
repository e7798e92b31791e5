"""No statement over `outbox.db` gets slower because more has been delivered: every plan is explained."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from outbox_support.bots import BotChat
from outbox_support.chat import Chat
from outbox_support.lines import Lines
from outbox_support.push import LateClock
from outbox_support.sink import Sink, ok
from outbox_support.stream import has_caught_up, move
from query_plans_support.plans import Excused, all_objections
from query_plans_support.recording import ROOT, Recording

from campfire.config import Settings
from campfire.domain.events import (
    DeliveriesDropped,
    DeliveryReplayRequested,
    EndpointSettings,
    NewEvent,
    WebhookChanged,
    WebhookCreated,
    WebhookCursorMoved,
    WebhookDeleted,
    WebhookDisabled,
    WebhookPaused,
    WebhookResumed,
    WebhookSecretRotated,
)
from campfire.domain.events.webhooks import CatchUp
from campfire.domain.hops import MOST_HOPS
from campfire.domain.ids import replay_stream
from campfire.domain.memberships import decide_remove_member
from campfire.domain.messages import MessageState, decide_delete
from campfire.domain.people import decide_deactivate
from campfire.domain.webhook_operations import LetterChoice
from campfire.domain.webhooks import decide_delete_webhook, decide_rotate_secret
from outbox import deliveries, facts, letters, queueing, reports, stream, withdrawing
from outbox.gauges import Gauges
from outbox.history import deliveries_of
from outbox.lease import Lease
from outbox.ledger import Ledger
from outbox.letters import dead_letters
from outbox.lines import due_before, first_in_line
from outbox.previews import count_in_range
from outbox.push.queries import push_alarms, push_ids_of, push_status, push_story
from outbox.push.schema import SCHEMA as PUSH_SCHEMA
from outbox.queries import rows_of, witness_of
from outbox.schema import MIGRATIONS, SCHEMA
from outbox.status import OutboxStatus, outbox_status
from outbox.worker import Worker

EXCUSED = (
    Excused("FROM cursor", "one row"),
    Excused("FROM endpoints", "a row for each webhook; health and a start look at all of them"),
    Excused("SELECT state, COUNT(*) FROM deliveries", "how many there are of each state, for health"),
    Excused("SELECT DISTINCT endpoint_id FROM deliveries", "a start looks through what is pending, by its own index"),
    Excused("WHERE state = 'sending' AND is_last", "all that was being sent, by its own index"),
    Excused("ROW_NUMBER() OVER (PARTITION BY room_id", "all that waits for an endpoint that came back, sorted once"),
    Excused("'interrupted by a restart' WHERE state = 'sending'", "all that was being sent, by its own index"),
    Excused("next_attempt_at = ? WHERE state = 'sending'", "all that was being sent, by its own index"),
    Excused(
        "FROM answers WHERE state = 'dropped'", "how many wait and were dropped, each by its own index, for status"
    ),
    Excused("GROUP BY endpoint_id, failure_class", "all that is dead, by its own index, and without its rows"),
    Excused("FROM replays WHERE at >= ?", "a row for each time that somebody asked for a replay"),
    Excused("SELECT COUNT(*) FROM answers WHERE state = 'waiting'", "how many there are, by their own index"),
    Excused("SET next_attempt_at = next_attempt_at + ?", "all that is pending, when the clock is set back"),
    Excused("FROM push_services", "a row for each push service"),
    Excused("LEFT JOIN push_devices ON push_devices.id", "the first one that waits, by their own index"),
    Excused("SELECT 1 FROM push_devices LIMIT 1", "whether there is any"),
    Excused("SELECT COUNT(*) FROM pushes WHERE state = 'waiting'", "how many there are, by their own index"),
    Excused("SELECT state, COUNT(*) FROM push_deliveries", "all pushes of 30 days, for whoever types status"),
    Excused("SELECT reason, COUNT(*) FROM (SELECT reason", "all pushes of 30 days, for whoever types status"),
    Excused("FROM push_refusals LEFT JOIN push_services", "a row for each device that is refused, for health"),
)
UNWATCHED = {"ledger.py", "migrating.py"}
"""What hands on the statements of others, and what makes the tables."""
WATCHED = [
    file for file in sorted((ROOT / "outbox").rglob("*.py")) if file.name not in UNWATCHED and "push" not in file.parts
]
WATCHED += [ROOT / "outbox" / "push" / "queries.py"]


async def refuse(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


async def gone(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=410)


class Outbox:
    """A worker in this process, and what it has done so far."""

    def __init__(self, chat: Chat, sink: Sink) -> None:
        self.chat = chat
        self.sink = sink
        self.path = chat.engine.settings.outbox_path
        settings = Settings(
            data=chat.engine.settings.data,
            webhook_allow=(ip_network("127.0.0.0/8"),),
            webhook_retry_schedule=(0.01,),
            webhook_breaker_seconds=0.01,
        )
        self.clock = LateClock()
        self.worker = Worker(settings, self.clock)

    async def until(self, reached: Callable[[OutboxStatus], bool]) -> None:
        async with asyncio.timeout(60):
            while (status := outbox_status(self.path, 0)) is None or not reached(status):
                await asyncio.sleep(0.01)

    async def live_through_everything(self) -> str:
        """Delivered, refused, replayed, signed anew, deleted, sent again, gone, removed; return the webhook's id."""
        chat, engine = self.chat, self.chat.engine
        bots = BotChat(chat)
        await bots.open_control()
        webhook_id = await chat.add_webhook(self.sink.url)
        posted = await chat.post("arrives")
        await self.until(lambda status: status.delivered == 1)
        self.sink.answer = refuse
        await chat.post("is refused")
        await self.until(lambda status: status.dead == 1)
        [letter] = dead_letters(self.path, LetterChoice(webhook_id=webhook_id))
        self.sink.answer = ok
        self._look(webhook_id, letter.id)
        replay = DeliveryReplayRequested(at=letter.died_at, replay_id="r1", deliveries=(letter.id,))
        await engine.append([NewEvent(replay_stream("r1"), 1, replay)])
        await self.until(lambda status: status.delivered == 2)
        self.sink.answer = refuse
        await chat.post("is given up")
        await self.until(lambda status: status.dead == 1)
        await self._drop(webhook_id)
        self.sink.answer = ok
        await self._recover_from_a_long_outage()
        sealed = engine.sealer.seal("whsec_" + "A" * 43 + "=")
        await engine.perform(
            lambda: decide_rotate_secret(
                engine.directory, webhook_id=webhook_id, sealed_secret=sealed, grace_ms=1, actor_id=chat.user_id, at=1
            )
        )
        message = MessageState(posted.message_id, chat.room_id, chat.user_id, 1, "arrives", deleted=False)
        await engine.perform(lambda: decide_delete(engine.directory, message, actor_id=chat.user_id, at=1))
        await move(chat, webhook_id, 0)
        await self.until(lambda _status: has_caught_up(chat))
        await self.until(lambda status: status.delivered == 6)
        self.sink.answer = gone
        await chat.post("nobody there")
        await self.until(lambda status: status.endpoints[0].state == "disabled")
        await engine.perform(
            lambda: decide_delete_webhook(engine.directory, webhook_id=webhook_id, actor_id=chat.user_id, at=1)
        )
        await self.until(lambda status: status.endpoints == [])
        await self._call_a_bot(bots)
        self.clock.late_by_ms = -3_600_000
        return webhook_id

    def _look(self, webhook_id: str, letter_id: str) -> None:
        """Everything that somebody may ask of the outbox while it has a dead letter."""
        settings = self.chat.engine.settings
        letters.require_dead(self.path, [letter_id])
        assert letters.is_known(self.path, webhook_id)
        for choice in (LetterChoice(), LetterChoice(webhook_id=webhook_id), LetterChoice(failure_class="status")):
            assert letters.counted(self.path, choice)[0].count == 1
        assert [each.id for each in deliveries_of(self.path, webhook_id, state="dead")] == [letter_id]
        position = facts.delivery_facts(settings, letter_id, 0).position
        assert facts.delivery_at(settings, webhook_id, position) == letter_id
        assert facts.missing_facts(settings, webhook_id, 1).event is not None
        assert due_before(self.path, webhook_id, 0, position) == 0
        assert first_in_line(self.path, webhook_id, 9, None, of_all=True) is None
        assert count_in_range(settings, webhook_id, 0, None) == 2
        assert outbox_status(self.path, 0, totals=False) is not None

    async def _drop(self, webhook_id: str) -> None:
        """A dead letter that nobody wants."""
        dropped = DeliveriesDropped(at=1, drop_id="d1", reason="old", webhook_id=webhook_id)
        await self.chat.engine.append([NewEvent(replay_stream("d1"), 1, dropped)])
        await self.until(lambda status: status.dead == 0)

    async def _recover_from_a_long_outage(self) -> None:
        """Told of after half a day, and again when it is over."""
        self.sink.answer = refuse
        await self.chat.post("fails")
        await self.until(lambda status: status.dead == 1)
        self.clock.late_by_ms = 12 * 3_600_000
        await self.chat.post("fails half a day later")
        await self.until(lambda status: status.dead == 2)
        self.sink.answer = ok
        await self.chat.post("arrives again")
        await self.until(lambda status: status.delivered == 3)

    async def _call_a_bot(self, bots: BotChat) -> None:
        """It answers, leaves the room, and is gone."""
        chat, engine = self.chat, self.chat.engine
        self.sink.answer = ok
        bot_id = await bots.add_bot("Deployer", self.sink.url)
        await bots.post("@Deployer go")
        await bots.until_said(1)
        await self.until(lambda status: status.answers.waiting == 0)
        await self.until(lambda _: not rows_of(self.path, reports.NEXT_WAITING, (-1, "")))
        await bots.close_control()
        await engine.perform(
            lambda: decide_remove_member(
                engine.directory, room_id=chat.room_id, user_id=bot_id, actor_id=chat.user_id, at=1
            )
        )
        await engine.perform(lambda: decide_deactivate(engine.directory, user_id=bot_id, actor_id=chat.user_id, at=1))
        await self.until(lambda status: status.endpoints == [])


def stand_in_line(lines: Lines) -> None:
    """Everything that may become of an endpoint's lines, in every ordering."""
    wanted: dict[str, Any] = {
        "at": 1,
        "webhook_id": "e",
        "url": "u",
        "events": ("message.posted",),
        "rooms": None,
        "by": "Ann",
    }
    lines.take(WebhookCreated(sealed_secret="s", **wanted))
    lines.take(WebhookSecretRotated(at=1, webhook_id="e", sealed_secret="t", previous_valid_until=9**15, by="Ann"))
    for ordering in ("endpoint", "none", "room"):
        ids = lines.plan("e", "r", "r", "r", "s", "s", None)
        lines.take(WebhookChanged(settings=EndpointSettings(ordering=ordering), **wanted))
        claimed = lines.claim("e")
        assert claimed is not None
        lines.end(claimed, ok=False)
        queueing.again(lines.connection, "e", [claimed.id], lines.now)
        queueing.cancel(lines.connection, ids[:2], "unwanted", lines.now)
    failing = lines.claim("e")
    assert failing is not None
    lines.now += 3_600_000
    lines.end(failing, ok=False, wait=60)
    policies: tuple[CatchUp, ...] = ("everything", "latest", "skip")
    for policy in policies:
        for ended in (WebhookPaused(at=1, webhook_id="e", by="Ann"), None):
            lines.take(ended or WebhookDisabled(at=1, webhook_id="e", reason="gone", detail="gone"))
            lines.take(WebhookResumed(at=1, webhook_id="e", catch_up=policy, by="Ann"))
            deliveries.next_due(lines.connection, "e", lines.now)
    lines.connection.execute("UPDATE endpoints SET latest_upto = 1000, cursor = NULL WHERE id = 'e'")
    lines.plan("e", "r", "r")
    for policy in policies:
        lines.connection.execute("UPDATE endpoints SET catch_up = ?, failing_since = 0 WHERE id = 'e'", (policy,))
        lines.plan("e", "r")
        claimed = lines.claim("e")
        assert claimed is not None
        lines.end(claimed)
    for hops in (MOST_HOPS, MOST_HOPS + 1):
        lines.plan("e", "r", hops=hops)
    withdrawing.close_room(lines.connection, "r", lines.now)
    lines.take(WebhookCursorMoved(at=1, webhook_id="e", move_id="m", after=0))
    lines.take(WebhookDeleted(at=1, webhook_id="e", by="Ann"))


def look_at_pushes(path: Path) -> None:
    """Everything that somebody may ask of one that was sent."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO push_deliveries (id, position, subscription_id, service, room_id, largest, next_attempt_at,"
            " expires_at, planned_at) VALUES ('push_1_d', 1, 'd', 's', 'r', 1, 1, 1, 1)"
        )
    assert push_status(path).pending == 1
    assert push_alarms(path) == []
    assert push_ids_of(path, 1) == ["push_1_d"]
    assert push_story(path, "push_1_d") is not None


async def test_every_statement_of_the_outbox_has_an_index(
    chat: Chat, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of planning, sending and looking into it; and one that is added has to be run here too."""
    recording = Recording()
    with monkeypatch.context() as patched:
        recording.begin(patched, Ledger)
        outbox = Outbox(chat, sink)
        running = asyncio.create_task(outbox.worker.run())
        try:
            webhook_id = await outbox.live_through_everything()
            async with asyncio.timeout(60):
                while not any("SET next_attempt_at = next" in each for each in recording.statements["outbox.db"]):
                    await asyncio.sleep(0.02)
        finally:
            outbox.worker.stop()
            await running
        assert await Lease(chat.engine.settings, outbox.clock).acquire(asyncio.Event(), lambda _obstacle: None)
        assert witness_of(outbox.path) is not None
        pulled = stream.page(
            outbox.path, chat.engine.reader, webhook_id, after=1, limit=10, may_see=lambda _type, _room_id: True
        )
        assert pulled.pulled
        (tmp_path / "lines").mkdir()
        stand_in_line(Lines(tmp_path / "lines" / "outbox.db"))
        look_at_pushes(tmp_path / "lines" / "outbox.db")
        assert list(Gauges(chat.engine.settings, outbox.clock).collect())
    schema = sqlite3.connect(tmp_path / "schema.db")
    schema.executescript(SCHEMA + "".join(MIGRATIONS))
    schema.executescript(PUSH_SCHEMA)
    found, needless = all_objections(schema, recording.statements["outbox.db"], EXCUSED)
    schema.close()
    assert found == [], "\n".join(found)
    assert needless == []
    assert recording.never_asked(WATCHED) == []
