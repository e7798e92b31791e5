"""Why the rules of chat refuse a command. Each names its code in the error catalogue (`campfire.errors`)."""

from typing import Any, ClassVar


class DomainError(Exception):
    """A command that the rules refuse. `detail` says it to a person; `extra` adds facts for a program."""

    code: ClassVar[str]

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class SetupAlreadyDone(DomainError):
    code = "SETUP_ALREADY_DONE"


class SetupRequired(DomainError):
    code = "SETUP_REQUIRED"


class JoinCodeInvalid(DomainError):
    code = "JOIN_CODE_INVALID"


class EmailTaken(DomainError):
    code = "EMAIL_TAKEN"


class InvalidCredentials(DomainError):
    code = "INVALID_CREDENTIALS"


class SessionExpired(DomainError):
    code = "SESSION_EXPIRED"


class SessionNotFound(DomainError):
    code = "SESSION_NOT_FOUND"


class SignInLinkInvalid(DomainError):
    code = "SIGN_IN_LINK_INVALID"


class PermissionDenied(DomainError):
    code = "PERMISSION_DENIED"


class UserNotFound(DomainError):
    code = "USER_NOT_FOUND"


class RoomNotFound(DomainError):
    code = "ROOM_NOT_FOUND"


class RoomAccessDenied(DomainError):
    code = "ROOM_ACCESS_DENIED"


class RoomBeingDeleted(DomainError):
    code = "ROOM_BEING_DELETED"


class RoomArchivedError(DomainError):
    code = "ROOM_ARCHIVED"


class UploadNotFound(DomainError):
    code = "UPLOAD_NOT_FOUND"


class AttachmentNotFound(DomainError):
    code = "ATTACHMENT_NOT_FOUND"


class MessageNotFound(DomainError):
    code = "MESSAGE_NOT_FOUND"


class BoostNotFound(DomainError):
    code = "BOOST_NOT_FOUND"


class MessageTooLong(DomainError):
    code = "MESSAGE_TOO_LONG"


class ClientMessageIdReused(DomainError):
    code = "CLIENT_MESSAGE_ID_REUSED"


class WebhookNotFound(DomainError):
    code = "WEBHOOK_NOT_FOUND"


class PushSubscriptionNotFound(DomainError):
    code = "PUSH_SUBSCRIPTION_NOT_FOUND"


class ValidationFailed(DomainError):
    """A value that is well formed but makes no sense here; `extra["errors"]` may name the fields."""

    code = "VALIDATION_FAILED"


def refused(field: str, message: str) -> ValidationFailed:
    """The refusal of one field; `message` goes on from its name, without a full stop."""
    return ValidationFailed(f"{field} {message}.", errors=[{"field": field, "message": message}])
