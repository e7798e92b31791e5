"""What the command line asks of whoever may write the log, about the outbox; and what it is answered."""

import msgspec

from campfire.domain.events import CatchUp
from campfire.domain.webhook_operations import LetterChoice

REQUESTS_PATH = "/outbox/requests"


class Replay(msgspec.Struct, frozen=True, kw_only=True, tag="replay"):
    """Dead letters again. `request_id` None: named by what is chosen."""

    choice: LetterChoice
    request_id: str | None = None


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag="drop"):
    """Dead letters no more."""

    choice: LetterChoice
    reason: str
    request_id: str | None = None


class Pause(msgspec.Struct, frozen=True, kw_only=True, tag="pause"):
    webhook_id: str


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag="resume"):
    webhook_id: str
    catch_up: CatchUp | None = None


class Move(msgspec.Struct, frozen=True, kw_only=True, tag="move"):
    """An endpoint's cursor; positions as in `WebhookCursorMoved`."""

    webhook_id: str
    move_id: str
    after: int
    until: int | None = None


OutboxRequest = Replay | Drop | Pause | Resume | Move


class Requested(msgspec.Struct, frozen=True, kw_only=True):
    """A request is on record at `position`; `duplicate`: it was before, or there was nothing to change.

    `id` is the request's own, if it has one.
    """

    position: int
    duplicate: bool
    id: str | None = None
