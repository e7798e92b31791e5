"""Where in the log an endpoint goes on: in its receiver's hand."""

import re

from campfire.domain import ids
from campfire.domain.accounts import require_administrator
from campfire.domain.directory import Directory
from campfire.domain.errors import refused
from campfire.domain.events import NewEvent, WebhookCursorMoved

MOVE_ID = r"[A-Za-z0-9_.:-]{1,100}"
_MOVE_ID = re.compile(MOVE_ID)


def decide_move_cursor(
    directory: Directory,
    *,
    webhook_id: str,
    move_id: str,
    after: int,
    until: int | None,
    tip: int,
    actor_id: str | None,
    at: int,
) -> list[NewEvent]:
    """Let the endpoint go on after position `after`, up to `until` (None: up to now), and then with what is new.

    `tip` is the log's last position. Administrators may; `actor_id` None is whoever holds the endpoint's pull key.
    Raises `WebhookNotFound`, `PermissionDenied`, `ValidationFailed` for places that there are not.
    """
    if actor_id is not None:
        require_administrator(directory, actor_id)
    moved = WebhookCursorMoved(at=at, webhook_id=webhook_id, move_id=move_id, after=after, until=until, by=actor_id)
    return cursor_moved(directory, moved, tip)


def cursor_moved(directory: Directory, moved: WebhookCursorMoved, tip: int) -> list[NewEvent]:
    """Put a move on record, whoever makes it. Raises `WebhookNotFound`, `ValidationFailed` as `decide_move_cursor`."""
    webhook = directory.webhook(moved.webhook_id)
    require_places(moved.after, moved.until, tip)
    return [NewEvent(webhook.id, webhook.version + 1, moved)]


def require_places(after: int, until: int | None, tip: int) -> None:
    """Raises `ValidationFailed` for places that a log which ends at `tip` does not have."""
    if not 0 <= after <= tip:
        raise refused("after", f"must be a position of the log, from 0 to {tip}")
    if until is not None and not after <= until <= tip:
        raise refused("until", f"must be a position from {after}, where it begins, to {tip}")


def move_id_of(webhook_id: str, asked: str | None, after: int, until: int | None) -> str:
    """The move's id: by the name that it was `asked` for under, else by where from and where to.

    So the same request twice is one move, and endpoints do not share names. Raises `ValidationFailed`.
    """
    if asked is None:
        return ids.cursor_move_id(webhook_id, "places", f"{after}-{'now' if until is None else until}")
    if not _MOVE_ID.fullmatch(asked):
        raise refused("move_id", "must be 1 to 100 letters, digits, _, ., : and -")
    return ids.cursor_move_id(webhook_id, "name", asked)
