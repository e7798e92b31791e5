"""From events to deliveries: who wants what, decided without I/O."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID, uuid5

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Event, RecordedEvent
from campfire.domain.public_view import audience_of, public_view
from campfire.eventlog.reader import LogReader, Tip
from campfire.iso_times import iso_from_ms
from outbox import answers, bots
from outbox.bot_calls import payload_of as call_payload_of
from outbox.deliveries import cancel_all
from outbox.ledger import Ledger
from outbox.push import planning as push_planning

_NAMESPACE = UUID("0f3a1a52-6d3f-5c0e-9b63-0a5a0cf0c6de")
_PAGE = 500

encode = msgspec.json.Encoder().encode


class Endpoint(msgspec.Struct):
    """Where deliveries go, as the planner needs it."""

    id: str
    url: str
    events: frozenset[str]
    rooms: frozenset[str] | None
    created_position: int
    active: bool = True

    def wants(self, event: Event) -> bool:
        """Whether the endpoint subscribed to this kind of event in this room."""
        if not self.active or event.topic not in self.events:
            return False
        if self.rooms is None:
            return True
        audience = audience_of(event)
        return audience.kind == "room" and audience.id in self.rooms


class Planned(msgspec.Struct, frozen=True):
    """A delivery to be made."""

    id: str
    endpoint_id: str
    position: int
    event_type: str
    message_id: str | None
    payload: bytes


def delivery_id(epoch: str, endpoint_id: str, position: int) -> str:
    """The webhook-id: the same whenever the same event is planned for the same endpoint, in one history."""
    return "msg_" + uuid5(_NAMESPACE, f"{epoch}/{endpoint_id}/{position}").hex


def payload_of(event: Event) -> bytes:
    """The body, in the shape of Standard Webhooks 1.0, "Payload structure"; the data is the feed's."""
    return encode({"type": event.topic, "timestamp": iso_from_ms(event.at), "data": public_view(event)})


def plan(recorded: RecordedEvent, endpoints: Iterable[Endpoint], epoch: str) -> list[Planned]:
    """The deliveries that an event asks for. Imported history asks for none, nor does what was scrubbed."""
    event = recorded.event
    if isinstance(event, happened.WebhookTested):
        wanting = [each for each in endpoints if each.id == event.webhook_id and each.active]
    elif getattr(event, "origin", "live") == "import" or getattr(event, "scrubbed", False):
        return []
    else:
        # By position, not by when the planner learnt of it: a page that could not be written is planned again.
        wanting = [each for each in endpoints if recorded.position > each.created_position and each.wants(event)]
    if not wanting:
        return []
    payload = payload_of(event)
    message_id = event.message_id if isinstance(event, (happened.MessagePosted, happened.MessageEdited)) else None
    return [
        Planned(
            delivery_id(epoch, each.id, recorded.position), each.id, recorded.position, event.topic, message_id, payload
        )
        for each in wanting
    ]


def calls_planned(events: Sequence[RecordedEvent], reader: LogReader, epoch: str) -> dict[int, Planned]:
    """The calls of bots among `events`, by position. What was scrubbed calls nobody.

    A message is recorded just before the calls that it makes, so it is seldom looked for in the log.
    """
    posted: dict[str, RecordedEvent] = {}
    found: dict[int, Planned] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, happened.MessagePosted):
            posted[event.message_id] = recorded
        elif isinstance(event, happened.BotCalled):
            message = posted.get(event.message_id) or reader.read_stream(event.message_id)[0]
            assert isinstance(message.event, happened.MessagePosted)
            if not message.event.scrubbed:
                found[recorded.position] = Planned(
                    delivery_id(epoch, event.bot_id, recorded.position),
                    event.bot_id,
                    recorded.position,
                    event.topic,
                    event.message_id,
                    call_payload_of(event, message.event, message.position),
                )
    return found


class Planner:
    """Follows the log and writes deliveries, endpoint changes and the cursor in one transaction a page."""

    def __init__(self, ledger: Ledger, reader: LogReader, now_ms: Callable[[], int], push_ttl: float = 86_400) -> None:
        self._ledger = ledger
        self._reader = reader
        self._now_ms = now_ms
        self._push_ttl_ms = round(push_ttl * 1000)
        self._endpoints: dict[str, Endpoint] = {}
        self._imported_upto = reader.imported_upto()

    async def load(self) -> None:
        """Learn the endpoints that are known already."""
        for row in await self._ledger.rows(
            "SELECT id, url, events, rooms, created_position, state FROM endpoints"
            " WHERE state <> 'deleted' AND kind = 'webhook'"
        ):
            self._endpoints[row[0]] = Endpoint(
                row[0],
                row[1],
                frozenset(msgspec.json.decode(row[2])),
                None if row[3] is None else frozenset(msgspec.json.decode(row[3])),
                row[4],
                row[5] == "active",
            )

    def disable(self, endpoint_id: str) -> None:
        """Plan nothing more for an endpoint that said it is gone."""
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is not None:
            endpoint.active = False

    async def take(self, events: list[RecordedEvent]) -> set[str]:
        """Turn a page of the log into deliveries, durably; return the endpoints that have something to do."""
        tip: Tip = await asyncio.to_thread(self._reader.tip_at, events[-1].position)
        calls: dict[int, Planned] = {}
        if any(isinstance(recorded.event, happened.BotCalled) for recorded in events):
            calls = await asyncio.to_thread(calls_planned, events, self._reader, tip.epoch)
        woken: set[str] = set()

        def step(connection: sqlite3.Connection) -> None:
            for recorded in events:
                woken.update(self._take_one(connection, recorded, tip.epoch))
                is_past = recorded.position <= self._imported_upto
                ttl_ms = 0 if is_past else self._push_ttl_ms  # nothing that was brought in is news
                push_planning.take(connection, recorded, now=self._now_ms(), ttl_ms=ttl_ms)
                call = None if is_past else calls.get(recorded.position)
                if call is not None and bots.is_callable(connection, call.endpoint_id):
                    self._insert(connection, [call])
                    woken.add(call.endpoint_id)
            connection.execute(
                "INSERT OR REPLACE INTO cursor (id, position, chain, epoch) VALUES (1, ?, ?, ?)",
                (tip.position, tip.chain, tip.epoch),
            )

        if any(isinstance(recorded.event, happened.MessageScrubbed) for recorded in events):
            self._ledger.empty_wal_soon()
        await self._ledger.write(step)
        return woken

    def _take_one(self, connection: sqlite3.Connection, recorded: RecordedEvent, epoch: str) -> set[str]:
        event = recorded.event
        if isinstance(event, happened.WebhookCreated):
            self._add(connection, event, recorded.position)
        elif isinstance(event, happened.WebhookSecretRotated):
            connection.execute(
                "UPDATE endpoints SET previous_sealed_secret = sealed_secret, previous_valid_until = ?,"
                " sealed_secret = ? WHERE id = ?",
                (event.previous_valid_until, event.sealed_secret, event.webhook_id),
            )
        elif isinstance(event, happened.WebhookDeleted):
            self._remove(connection, event)
        elif isinstance(event, happened.MessageDeleted):
            self._forget_text(connection, event.message_id)
        elif isinstance(event, happened.DeliveryReplayRequested):
            return self._replay(connection, event)
        else:
            bots.take(connection, recorded, self._now_ms())
        planned = plan(recorded, self._endpoints.values(), epoch) if recorded.position > self._imported_upto else []
        if planned:
            self._insert(connection, planned)
        return {each.endpoint_id for each in planned}

    def _insert(self, connection: sqlite3.Connection, planned: list[Planned]) -> None:
        now = self._now_ms()
        for each in planned:
            inserted = connection.execute(
                "INSERT OR IGNORE INTO deliveries (id, endpoint_id, position, event_type, message_id, payload,"
                " next_attempt_at, planned_at, sequence)"
                " SELECT ?, id, ?, ?, ?, ?, ?, ?, sequence + 1 FROM endpoints WHERE id = ?",
                (
                    each.id,
                    each.position,
                    each.event_type,
                    each.message_id,
                    each.payload,
                    now,
                    now,
                    each.endpoint_id,
                ),
            )
            if inserted.rowcount:
                connection.execute("UPDATE endpoints SET sequence = sequence + 1 WHERE id = ?", (each.endpoint_id,))

    def _add(self, connection: sqlite3.Connection, event: happened.WebhookCreated, position: int) -> None:
        rooms = None if event.rooms is None else encode(event.rooms).decode()
        connection.execute(
            "INSERT OR IGNORE INTO endpoints (id, url, events, rooms, sealed_secret, created_position)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (event.webhook_id, event.url, encode(event.events).decode(), rooms, event.sealed_secret, position),
        )
        self._endpoints[event.webhook_id] = Endpoint(
            event.webhook_id,
            event.url,
            frozenset(event.events),
            None if event.rooms is None else frozenset(event.rooms),
            position,
        )

    def _remove(self, connection: sqlite3.Connection, event: happened.WebhookDeleted) -> None:
        self._endpoints.pop(event.webhook_id, None)
        connection.execute("UPDATE endpoints SET state = 'deleted' WHERE id = ?", (event.webhook_id,))
        cancel_all(connection, event.webhook_id, "the webhook was deleted", self._now_ms())

    def _forget_text(self, connection: sqlite3.Connection, message_id: str) -> None:
        """What was deleted must not leave late, neither by a retry nor by a replay."""
        connection.execute(
            "UPDATE deliveries SET state = 'cancelled', payload = NULL, failure = 'the message was deleted',"
            " finished_at = ? WHERE message_id = ? AND state IN ('pending', 'dead')",
            (self._now_ms(), message_id),
        )
        connection.execute(
            "UPDATE deliveries SET withdrawn = 1 WHERE message_id = ? AND state = 'sending'", (message_id,)
        )
        connection.execute(  # a receiver may have said back what it was sent
            "UPDATE attempts SET excerpt = NULL WHERE delivery_id IN (SELECT id FROM deliveries WHERE message_id = ?)",
            (message_id,),
        )
        answers.forget_those_to(connection, message_id, self._now_ms())

    def _replay(self, connection: sqlite3.Connection, event: happened.DeliveryReplayRequested) -> set[str]:
        """Give dead letters a fresh schedule; a request that was seen before does nothing."""
        if connection.execute("SELECT 1 FROM replays WHERE id = ?", (event.replay_id,)).fetchone():
            return set()
        rows = connection.execute(
            "UPDATE deliveries SET state = 'pending', round = 0, next_attempt_at = ?, finished_at = NULL"
            " WHERE state = 'dead' AND payload IS NOT NULL"
            " AND (? = '[]' OR id IN (SELECT value FROM json_each(?)))"
            " AND (? IS NULL OR endpoint_id = ?) AND finished_at >= ? RETURNING endpoint_id",
            (
                self._now_ms(),
                encode(event.deliveries).decode(),
                encode(event.deliveries).decode(),
                event.webhook_id,
                event.webhook_id,
                event.since or 0,
            ),
        ).fetchall()
        connection.execute(
            "INSERT INTO replays (id, at, replayed) VALUES (?, ?, ?)", (event.replay_id, event.at, len(rows))
        )
        return {row[0] for row in rows}
