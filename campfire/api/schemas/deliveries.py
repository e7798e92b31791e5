"""What was sent to webhooks and bots, and what was given up."""

from typing import Annotated, Literal

from msgspec import Meta

from campfire.api.schemas.base import Answer, Id, Position, Request, Time
from campfire.domain.webhook_operations import MAX_REASON

DeliveryState = Literal["queued", "pending", "sending", "delivered", "dead", "cancelled"]
Sequence = Annotated[int, Meta(ge=1, le=1 << 62, description="a place in the stream of one endpoint")]


class PastDelivery(Answer, frozen=True, kw_only=True):
    """`status` is what the last attempt was answered; `attempt_count` counts all that were made."""

    id: str
    event_type: str
    position: Position
    sequence: int
    room_id: str | None
    cause: str
    state: DeliveryState
    attempt_count: int
    status: int | None
    planned_at: Time
    next_attempt_at: Time | None
    finished_at: Time | None
    failure_class: str | None
    failure: str | None


class PastDeliveries(Answer, frozen=True, kw_only=True):
    """The last first; the next page is `before` the last one's sequence."""

    deliveries: list[PastDelivery]


class Attempt(Answer, frozen=True, kw_only=True):
    """Durations in milliseconds; those of phases are null where there was none. `excerpt`: what was answered."""

    number: int
    started_at: Time
    duration_ms: int
    failure_class: str | None
    status: int | None
    detail: str
    excerpt: str | None
    tries: int
    peer: str | None
    resolve_ms: float | None
    connect_ms: float | None
    first_byte_ms: float | None
    body_ms: float | None
    bytes_read: int | None


class Delivery(Answer, frozen=True, kw_only=True):
    """One delivery with all its attempts, and its story in sentences."""

    id: str
    webhook_id: str
    event_type: str
    position: Position
    sequence: int
    previous_id: str | None
    cause: str
    state: DeliveryState
    planned_at: Time
    next_attempt_at: Time | None
    finished_at: Time | None
    failure_class: str | None
    failure: str | None
    attempts: list[Attempt]
    explanation: list[str]


class DeadLetter(Answer, frozen=True, kw_only=True):
    """A delivery to a webhook or a bot (`kind`) that was given up."""

    id: str
    webhook_id: str
    kind: str
    name: str | None
    url: str
    event_type: str
    position: Position
    sequence: int
    attempt_count: int
    failure_class: str
    failure: str
    died_at: Time


class DeadLetterCount(Answer, frozen=True, kw_only=True):
    """So many of one webhook or bot died of the same, from `oldest` to `newest`."""

    webhook_id: str
    kind: str
    name: str | None
    url: str
    failure_class: str
    count: int
    oldest: Time
    newest: Time


class DeadLetters(Answer, frozen=True, kw_only=True):
    """The first of those chosen, in the order they died, and how many there are of all."""

    dead_letters: list[DeadLetter]
    counts: list[DeadLetterCount]


class ChooseDeadLetters(Request, frozen=True, kw_only=True):
    """Which dead letters: all of what is said must fit. `all` is needed to mean every one there is.

    `first` and `last` are sequences, and need `webhook_id`. `dry_run` only counts.
    """

    deliveries: Annotated[list[Id], Meta(max_length=1000)] | None = None
    webhook_id: Id | None = None
    failure_class: Id | None = None
    since: Time | None = None
    until: Time | None = None
    first: Sequence | None = None
    last: Sequence | None = None
    all: bool = False
    dry_run: bool = False


class ReplayDeadLetters(ChooseDeadLetters, frozen=True, kw_only=True):
    """`replay_id` names the request: under the same name nothing is sent twice. Without one, what is chosen does."""

    replay_id: Id | None = None


class DropDeadLetters(ChooseDeadLetters, frozen=True, kw_only=True):
    reason: Annotated[str, Meta(min_length=1, max_length=MAX_REASON)]


class ChosenDeadLetters(Answer, frozen=True, kw_only=True):
    """What was chosen. `id` and `position` of the request on record; `duplicate`: it was there before."""

    dry_run: bool
    count: int
    counts: list[DeadLetterCount]
    id: str | None
    position: Position | None
    duplicate: bool
