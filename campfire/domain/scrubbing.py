"""Scrubbing: what a deleted message had said leaves the log, and a tombstone stays."""

import msgspec

from campfire.domain.events import (
    Event,
    MessageEdited,
    MessagePosted,
    MessagePreviewed,
    MessageScrubbed,
    NewEvent,
    Tombstone,
    UploadFinished,
)


def tombstone_of(event: Event) -> Event | None:
    """What stays of an event of a deleted message; None for one that holds nothing of what was said.

    Who, where and when stay, and under which id: a repeat of the post must still find that it was made.
    """
    if isinstance(event, MessagePosted) and not event.scrubbed:
        return msgspec.structs.replace(event, body="", mentions=(), attachments=(), scrubbed=True)
    if isinstance(event, MessageEdited) and not event.scrubbed:
        return msgspec.structs.replace(event, body="", mentions=(), scrubbed=True)
    if isinstance(event, MessagePreviewed) and not event.scrubbed:
        return msgspec.structs.replace(event, previews=(), scrubbed=True)
    if isinstance(event, UploadFinished) and not event.scrubbed:
        nothing = msgspec.structs.replace(event.attachment, name="", digest="")
        return msgspec.structs.replace(event, attachment=nothing, scrubbed=True)
    return None


def decide_scrub(
    message_id: str, room_id: str, *, version: int, tombstones: tuple[Tombstone, ...], at: int
) -> list[NewEvent]:
    """Put on record which positions of a deleted message become `tombstones`. `version` is its stream's last."""
    scrubbed = MessageScrubbed(at=at, message_id=message_id, room_id=room_id, tombstones=tombstones)
    return [NewEvent(message_id, version + 1, scrubbed)]
