"""Webhooks."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from campfire.api.schemas.base import Answer, Id, Position, Request, Time
from campfire.domain.events import CatchUp, Comparison, Ordering
from campfire.domain.states import WebhookStatus
from campfire.domain.web_addresses import MAX_URL
from campfire.domain.webhook_cursors import MOVE_ID
from campfire.domain.webhook_filters import FIELD, MAX_FIELD, MAX_NUMBER, MAX_TEXT, MOST_CONDITIONS
from campfire.domain.webhook_rotation import DEFAULT_GRACE_MS, LONGEST_GRACE_MS
from campfire.domain.webhook_settings import CONCURRENCY, RATE, TIMEOUT
from campfire.domain.webhooks import EVENT_TYPES
from campfire.webhook_secrets import Signature

# Described, not enforced, here: the domain refuses the others and names those that there are.
EventType = Annotated[str, Meta(examples=["message.posted"], extra_json_schema={"enum": sorted(EVENT_TYPES)})]
Url = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_URL, description="http:// or https://", examples=["https://hooks.example.com/"]),
]
Events = Annotated[list[EventType], Meta(min_length=1, max_length=50)]
RoomIds = Annotated[list[Id], Meta(max_length=1000)]
PullKey = Annotated[str, Meta(description="whpull_…; shown this once: it reads the endpoint's stream")]
Seconds = Annotated[float, Meta(ge=TIMEOUT[0], le=TIMEOUT[1], description="for a whole attempt")]
Rate = Annotated[float, Meta(ge=RATE[0], le=RATE[1], description="deliveries a second")]
Concurrency = Annotated[int, Meta(ge=CONCURRENCY[0], le=CONCURRENCY[1], description="deliveries on their way at once")]


class FilterCondition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On an event's `data`: `field` is a dotted path into it, `attachments.0.kind`; what is missing is null."""

    field: Annotated[str, Meta(min_length=1, max_length=MAX_FIELD, pattern=f"^{FIELD}$", examples=["author_id"])]
    is_: Comparison = msgspec.field(name="is")
    value: Annotated[str, Meta(max_length=MAX_TEXT)] | Annotated[int, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)] | bool | None


Filter = Annotated[list[FilterCondition], Meta(max_length=MOST_CONDITIONS, description="all of them must hold")]


class ChangeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays, or is as usual for a new webhook. `timeout` null: the server's; `rate` null: no limit."""

    timeout: Seconds | UnsetType | None = UNSET
    rate: Rate | UnsetType | None = UNSET
    concurrency: Concurrency | UnsetType = UNSET
    ordering: Ordering | UnsetType = UNSET
    catch_up: CatchUp | UnsetType = UNSET


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint is served. `timeout` in seconds, null: the server's; `rate` null: no limit."""

    timeout: float | None
    rate: float | None
    concurrency: int
    ordering: Ordering
    catch_up: CatchUp


class CreateWebhook(Request, frozen=True, kw_only=True):
    """`signature` v1a: an ed25519 key, of which you get the public half, instead of a shared secret."""

    url: Url
    events: Events
    rooms: RoomIds | None = None
    filter: Filter = []
    settings: ChangeSettings = ChangeSettings()
    signature: Signature = "v1"


class ChangeWebhook(Request, frozen=True, kw_only=True):
    """What is left out stays. `rooms` null: every room."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    rooms: RoomIds | UnsetType | None = UNSET
    filter: Filter | UnsetType = UNSET
    settings: ChangeSettings = ChangeSettings()


class ResumeWebhook(Request, frozen=True, kw_only=True):
    """`catch_up`: what is sent of what waits; null: as the webhook's settings say."""

    catch_up: CatchUp | None = None


class RotateSecret(Request, frozen=True, kw_only=True):
    """`grace_seconds`: how long the present secret goes on signing beside the new one. `signature` null: as now."""

    grace_seconds: Annotated[int, Meta(ge=0, le=LONGEST_GRACE_MS // 1000)] = DEFAULT_GRACE_MS // 1000
    signature: Signature | None = None
    pull_key: Annotated[bool, Meta(description="give a new pull key too; the old one opens nothing any more")] = False


class MoveCursor(Request, frozen=True, kw_only=True):
    """Either `after`, a position, or `since`, a time from which on; to `until`, a position or a time, or to now.

    The same move is made once: under the same `move_id`, else between the same places, unless it says `again`.
    """

    after: Position | None = None
    since: Annotated[str, Meta(max_length=40, description="ISO 8601")] | None = None
    until: Position | Annotated[str, Meta(max_length=40, description="ISO 8601")] | None = None
    move_id: Annotated[str, Meta(max_length=100, pattern=f"^{MOVE_ID}$")] | None = None
    again: bool = False


class CursorMoved(Answer, frozen=True, kw_only=True):
    """What happened after `after` up to `until` is sent, `events` of all kinds; then what is new.

    `position` is where the move was recorded. `duplicate`: it had been before, and nothing is sent again.
    """

    move_id: str
    after: Position
    until: Position
    events: int
    position: Position
    duplicate: bool


class Webhook(Answer, frozen=True, kw_only=True):
    """`detail` says why it is disabled. `failing_since` is set while nothing but failures is reported.

    `public_key` (`whpk_…`, of ed25519) verifies its `v1a` signatures; without one they are `v1`.
    """

    id: str
    url: str
    events: list[str]
    rooms: list[str] | None
    filter: list[FilterCondition]
    settings: WebhookSettings
    state: WebhookStatus
    detail: str | None
    failing_since: Time | None
    signature: Signature
    public_key: str | None
    has_pull_key: bool
    created_at: Time
    created_by: str


class WebhookWithSecret(Webhook, frozen=True, kw_only=True):
    """`secret` is null for a signature that needs none at the receiver."""

    secret: str | None
    pull_key: PullKey


class NewSecret(Answer, frozen=True, kw_only=True):
    """`secret` or `public_key`, by the kind of signature; `pull_key` if a new one was asked for."""

    id: str
    secret: str | None
    public_key: str | None
    pull_key: PullKey | None
    previous_valid_until: Time


class Webhooks(Answer, frozen=True, kw_only=True):
    webhooks: list[Webhook]


class StreamEvent(Answer, frozen=True, kw_only=True):
    """A delivery: its `webhook-id`, and the JSON object that is signed when it is pushed."""

    id: str
    body: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class StreamPage(Answer, frozen=True, kw_only=True):
    """A piece of an endpoint's stream. Ask for what comes `after` `next`.

    `sequence` is the last number given so far. What was recorded up to position `planned_upto` is in the stream.
    """

    events: list[StreamEvent]
    next: int
    has_more: bool
    sequence: int
    planned_upto: Position
