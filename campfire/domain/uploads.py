"""Files on their way into a message."""

from collections.abc import Sequence

import msgspec

from campfire.domain.errors import UploadNotFound, ValidationFailed
from campfire.domain.events import Attachment, NewEvent, UploadAttached, UploadDiscarded, UploadFinished

MOST_IN_A_MESSAGE = 10


class UploadState(msgspec.Struct, frozen=True):
    """What a decision about an uploaded file needs."""

    attachment: Attachment
    user_id: str
    is_used: bool


def upload_finished(attachment: Attachment, *, user_id: str, at: int) -> NewEvent:
    """The event by which a stored file can be put into a message."""
    return NewEvent(attachment.id, 1, UploadFinished(at=at, user_id=user_id, attachment=attachment))


def require_usable(uploads: Sequence[UploadState], *, user_id: str) -> tuple[Attachment, ...]:
    """The files, if they are this person's own and in no message yet. Raises `UploadNotFound`, `ValidationFailed`."""
    if len(uploads) > MOST_IN_A_MESSAGE:
        message = f"has more than {MOST_IN_A_MESSAGE} files"
        raise ValidationFailed(f"A message {message}.", errors=[{"field": "uploads", "message": message}])
    if len({upload.attachment.id for upload in uploads}) < len(uploads):
        raise ValidationFailed("A file is named twice.", errors=[{"field": "uploads", "message": "repeats a file"}])
    for upload in uploads:
        if upload.user_id != user_id or upload.is_used:
            raise UploadNotFound("There is no such upload of yours; each can be used in one message.")
    return tuple(upload.attachment for upload in uploads)


def attached(attachments: Sequence[Attachment], *, message_id: str, room_id: str, at: int) -> list[NewEvent]:
    """The events, beside the message's, that use the files up. The log lets each happen once."""
    return [
        NewEvent(each.id, 2, UploadAttached(at=at, attachment_id=each.id, message_id=message_id, room_id=room_id))
        for each in attachments
    ]


def decide_discard(attachment_id: str, *, at: int) -> list[NewEvent]:
    """Give up a file that nobody used; one that is being used right now stays, since only one of the two can happen."""
    return [NewEvent(attachment_id, 2, UploadDiscarded(at=at, attachment_id=attachment_id))]
