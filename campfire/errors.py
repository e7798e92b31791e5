"""The error catalogue: every code that a person or a program can meet, in one place.

The same code means the same over HTTP, WebSocket and the command line. `docs/errors.md` is made
from this module; a test fails when they differ.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One entry: what a client may do about it (`retryable`), and a sentence of advice for a person."""

    code: str
    status: int
    title: str
    retryable: bool
    advice: str


def _kinds(*kinds: ErrorKind) -> dict[str, ErrorKind]:
    return {kind.code: kind for kind in kinds}


CATALOGUE: dict[str, ErrorKind] = _kinds(
    # The twelve codes of the recovery guide.
    ErrorKind(
        "DATABASE_CONNECTION_FAILED",
        503,
        "The log cannot be written or read",
        True,
        "Nothing was lost. Try again shortly; the administrator finds the cause under /health.",
    ),
    ErrorKind(
        "DATABASE_MIGRATION_FAILED",
        503,
        "A read model is being rebuilt",
        True,
        "Try again when the rebuild has finished; campfire-replay status shows how far it is.",
    ),
    ErrorKind(
        "DATABASE_CONSTRAINT_VIOLATION",
        409,
        "Somebody else changed this at the same time",
        True,
        "Read the current state and try again.",
    ),
    ErrorKind(
        "INVALID_CREDENTIALS",
        401,
        "The e-mail address or password is wrong",
        False,
        "Check both, or ask an administrator.",
    ),
    ErrorKind("SESSION_EXPIRED", 401, "The session has ended", False, "Sign in again."),
    ErrorKind("TOKEN_GENERATION_FAILED", 503, "No session could be made", True, "Try again in a moment."),
    ErrorKind(
        "MESSAGE_TOO_LONG",
        413,
        "The message is too long",
        False,
        "Shorten it, or ask for it to be cut with overflow=truncate.",
    ),
    ErrorKind("RATE_LIMIT_EXCEEDED", 429, "Too many requests", True, "Wait as long as Retry-After says."),
    ErrorKind(
        "ROOM_ACCESS_DENIED", 403, "You are not a member of this room", False, "Ask a member of the room to add you."
    ),
    ErrorKind(
        "WEBSOCKET_CONNECTION_FAILED",
        400,
        "The WebSocket could not be opened",
        True,
        "Use the feed over Server-Sent Events or long polling meanwhile; check that a proxy passes upgrades.",
    ),
    ErrorKind(
        "PUSH_NOTIFICATION_FAILED",
        502,
        "A push notification could not be delivered",
        True,
        "Turn notifications off and on again on the device.",
    ),
    ErrorKind(
        "WEBHOOK_DELIVERY_FAILED",
        502,
        "A webhook could not be delivered",
        True,
        "See campfire-outbox dead-letters list, mend the endpoint, then replay.",
    ),
    # Our own.
    ErrorKind(
        "AUTHENTICATION_REQUIRED",
        401,
        "Sign in first",
        False,
        "Send Authorization: Bearer TOKEN or the session cookie.",
    ),
    ErrorKind("PERMISSION_DENIED", 403, "You may not do this", False, "Ask an administrator."),
    ErrorKind(
        "ORIGIN_NOT_ALLOWED", 403, "The request came from another site", False, "Open Campfire under its own address."
    ),
    ErrorKind("SETUP_REQUIRED", 409, "This server has not been set up", False, "POST /api/v1/setup first."),
    ErrorKind("SETUP_ALREADY_DONE", 409, "This server is already set up", False, "Sign in, or join by invitation."),
    ErrorKind("JOIN_CODE_INVALID", 404, "The invitation is not valid", False, "Ask for the current link."),
    ErrorKind(
        "SIGN_IN_LINK_INVALID", 404, "The link is used up or too old", False, "Ask for another one; each works once."
    ),
    ErrorKind(
        "ADDRESS_BANNED",
        429,
        "Nothing may be changed from this address",
        False,
        "Ask an administrator to lift the ban.",
    ),
    ErrorKind("EMAIL_TAKEN", 409, "The e-mail address is already in use", False, "Sign in with it instead."),
    ErrorKind("BOOST_NOT_FOUND", 404, "There is no such boost", False, "It may have been taken back."),
    ErrorKind(
        "CLIENT_MESSAGE_ID_REUSED",
        409,
        "This client_message_id was used for another text",
        False,
        "Use a new id for a new message.",
    ),
    ErrorKind("ROOM_ARCHIVED", 409, "The room is archived", False, "Choose another room."),
    ErrorKind("ROOM_BEING_DELETED", 409, "The room is being deleted", True, "Try again in a moment."),
    ErrorKind("ROOM_NOT_FOUND", 404, "There is no such room", False, "Check the id."),
    ErrorKind("MESSAGE_NOT_FOUND", 404, "There is no such message", False, "It may have been deleted."),
    ErrorKind("UPLOAD_NOT_FOUND", 404, "There is no such upload of yours", False, "Upload the file again."),
    ErrorKind("ATTACHMENT_NOT_FOUND", 404, "There is no such file", False, "Its message may have been deleted."),
    ErrorKind("USER_NOT_FOUND", 404, "There is no such person", False, "Check the id."),
    ErrorKind("SESSION_NOT_FOUND", 404, "There is no such session", False, "It may have ended already."),
    ErrorKind("WEBHOOK_NOT_FOUND", 404, "There is no such webhook", False, "It may have been deleted."),
    ErrorKind(
        "PULL_KEY_INVALID",
        401,
        "This key opens no such endpoint",
        False,
        "Check the endpoint's id and its key (whpull_...); an administrator can make another by rotating the secret.",
    ),
    ErrorKind(
        "PUSH_SUBSCRIPTION_NOT_FOUND",
        404,
        "There is no such device of yours",
        False,
        "Notifications may be off there, or it was signed out; turn them on again on the device.",
    ),
    ErrorKind(
        "DELIVERY_NOT_FOUND",
        404,
        "There is no such delivery",
        False,
        "campfire-outbox dead-letters list shows what there is.",
    ),
    ErrorKind("NOT_FOUND", 404, "There is nothing at this address", False, "See /docs/api."),
    ErrorKind("METHOD_NOT_ALLOWED", 405, "This address does not take this method", False, "See /docs/api."),
    ErrorKind("MALFORMED_REQUEST", 400, "The request could not be read", False, "Send what /openapi.json describes."),
    ErrorKind("VALIDATION_FAILED", 422, "A value is not acceptable", False, "Mend what the detail names."),
    ErrorKind("PAYLOAD_TOO_LARGE", 413, "The request is too large", False, "Send less at once."),
    ErrorKind(
        "ADDRESS_BLOCKED",
        422,
        "This address may not be reached from the server",
        False,
        "Use a public address, or have the administrator allow it in CAMPFIRE_WEBHOOK_ALLOW.",
    ),
    ErrorKind(
        "SERVER_BUSY", 503, "The server has more work than it can queue", True, "Try again when Retry-After says."
    ),
    ErrorKind("DISK_FULL", 503, "The disk is full", True, "Reading goes on. Make room; sending heals by itself."),
    ErrorKind(
        "OUTBOX_UNREADABLE",
        503,
        "The outbox's file cannot be read",
        False,
        "Chat goes on without deliveries. Bring outbox.db back from a backup; or move it aside, and every webhook"
        " receives its events again under their old ids.",
    ),
    ErrorKind(
        "READ_MODEL_STALLED",
        503,
        "A read model has stopped",
        True,
        "Nothing was lost; campfire-replay status names the event that stopped it.",
    ),
    ErrorKind(
        "SEARCH_UNAVAILABLE", 503, "Search is being rebuilt or took too long", True, "Chat goes on; try again shortly."
    ),
    ErrorKind(
        "REQUEST_TIMEOUT",
        408,
        "The request did not arrive in time",
        True,
        "Send it again; if it happens often, look at the connection.",
    ),
    ErrorKind("SHUTTING_DOWN", 503, "The server is stopping", True, "Connect again; it will be back."),
    ErrorKind(
        "SLOW_CONSUMER",
        503,
        "The connection could not keep up",
        True,
        "Connect again with the last position; nothing is lost.",
    ),
    ErrorKind(
        "INTERNAL_ERROR",
        500,
        "Something went wrong here",
        True,
        "Tell the administrator the request id; the log has the cause.",
    ),
    # The command line.
    ErrorKind(
        "EXPORT_UNUSABLE",
        422,
        "The export cannot be imported",
        False,
        "Fetch it again, and do not change its files. What an import had taken before stays.",
    ),
    ErrorKind(
        "DATA_DIRECTORY_IN_USE",
        409,
        "Another Campfire uses this data directory",
        False,
        "Stop it, or point CAMPFIRE_DATA elsewhere.",
    ),
    ErrorKind(
        "LOG_DAMAGED",
        503,
        "The log does not match what was acknowledged",
        False,
        "Do not go on with this copy: bring back the missing files or restore from a backup.",
    ),
    ErrorKind("CONFIGURATION_INVALID", 500, "A setting is wrong", False, "Mend the setting that the detail names."),
)


class CampfireError(Exception):
    """An error from the catalogue, ready to be shown over any transport.

    `retry_after` is in seconds. `extra` becomes further members of the problem document.
    """

    def __init__(self, code: str, detail: str = "", *, retry_after: float | None = None, **extra: Any) -> None:
        self.kind = CATALOGUE[code]
        self.detail = detail or self.kind.advice
        self.retry_after = retry_after
        self.extra = extra
        super().__init__(f"{code}: {self.detail}")

    @property
    def code(self) -> str:
        return self.kind.code


def catalogue_page() -> str:
    """The catalogue as the page `docs/errors.md`, which a test compares with this."""
    rows = [
        f"| `{kind.code}` | {kind.status} | {kind.title}. {kind.advice} | {'yes' if kind.retryable else 'no'} |"
        for kind in CATALOGUE.values()
    ]
    return "\n".join(
        [
            "# Errors",
            "",
            "Written by `scripts/docs` from `campfire/errors.py`. The same code means the same over HTTP, WebSocket",
            "and the command line.",
            "",
            "| Code | HTTP | What it means and what to do | Does a retry help? |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
