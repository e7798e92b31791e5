"""What whoever keeps the server asks of the outbox: dead letters again or no more, endpoints stopped and moved.

Nobody's permission is asked here: the data directory's owner may, and the API asks before it comes here.
"""

import msgspec

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.errors import refused
from campfire.domain.events import (
    CatchUp,
    DeliveriesDropped,
    DeliveryReplayRequested,
    NewEvent,
    WebhookCursorMoved,
    WebhookPaused,
    WebhookResumed,
)
from campfire.domain.webhook_cursors import cursor_moved

OPERATOR = ""
"""Who did it, where it was whoever keeps the server and no user: as for roles that are given at the command line."""
MAX_REASON = 500


class LetterChoice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which dead letters; see `DeliveryReplayRequested`. All of it must fit; nothing said means every one."""

    deliveries: tuple[str, ...] = ()
    webhook_id: str | None = None
    since: int | None = None
    upto: int | None = None
    failure_class: str | None = None
    first: int | None = None
    last: int | None = None


def require_sensible(choice: LetterChoice) -> None:
    """Raises `ValidationFailed` for a range of sequences without the one endpoint that they count in."""
    if (choice.first is not None or choice.last is not None) and choice.webhook_id is None:
        raise refused("webhook_id", "must be given with a range: each endpoint counts its own deliveries")


def request_id(deed: str, choice: LetterChoice) -> str:
    """The name of a request that was given none: of the same choice up to the same moment it is the same."""
    return ids.letters_request_id(deed, msgspec.json.encode(choice).decode())


def decide_replay(choice: LetterChoice, *, replay_id: str, at: int) -> list[NewEvent]:
    """Ask for dead letters to be sent again. The same `replay_id` a second time is refused by the log itself."""
    require_sensible(choice)
    asked = DeliveryReplayRequested(at=at, replay_id=replay_id, **msgspec.structs.asdict(choice))
    return [NewEvent(ids.replay_stream(replay_id), 1, asked)]


def decide_drop(choice: LetterChoice, *, drop_id: str, reason: str, at: int) -> list[NewEvent]:
    """Put on record that nobody wants these any more. Raises `ValidationFailed` without a reason."""
    require_sensible(choice)
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise refused("reason", f"must say why, in 1 to {MAX_REASON} characters")
    dropped = DeliveriesDropped(at=at, drop_id=drop_id, reason=reason, **msgspec.structs.asdict(choice))
    return [NewEvent(ids.replay_stream(drop_id), 1, dropped)]


def decide_operator_pause(directory: Directory, *, webhook_id: str, at: int) -> list[NewEvent]:
    """Stop sending to an endpoint; nothing if it is paused already. Raises `WebhookNotFound`, `ValidationFailed`."""
    webhook = directory.webhook(webhook_id)
    if webhook.state == "paused":
        return []
    if webhook.state == "disabled":
        raise refused("webhook_id", f"is disabled already ({webhook.detail}); nothing is sent to it")
    return [NewEvent(webhook_id, webhook.version + 1, WebhookPaused(at=at, webhook_id=webhook_id, by=OPERATOR))]


def decide_operator_resume(
    directory: Directory, *, webhook_id: str, catch_up: CatchUp | None, at: int
) -> list[NewEvent]:
    """Send to an endpoint again; nothing if it is active. `catch_up` None: as it is set. Raises `WebhookNotFound`."""
    webhook = directory.webhook(webhook_id)
    if webhook.state == "active":
        return []
    resumed = WebhookResumed(at=at, webhook_id=webhook_id, catch_up=catch_up or webhook.settings.catch_up, by=OPERATOR)
    return [NewEvent(webhook_id, webhook.version + 1, resumed)]


def decide_operator_move(
    directory: Directory, *, webhook_id: str, move_id: str, after: int, until: int | None, tip: int, at: int
) -> list[NewEvent]:
    """Let an endpoint go on after position `after`, up to `until`. Raises `WebhookNotFound`, `ValidationFailed`."""
    moved = WebhookCursorMoved(at=at, webhook_id=webhook_id, move_id=move_id, after=after, until=until, by=OPERATOR)
    return cursor_moved(directory, moved, tip)
