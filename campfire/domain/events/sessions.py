"""Where people are signed in, and links that sign them in."""

from typing import ClassVar

from campfire.domain.events.base import Event, LinkPurpose, SessionEnd


class SessionStarted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody signed in. Only the token's hash is kept (SHA-256, hex). Stream: the session's id."""

    topic: ClassVar[str] = "session.started"

    session_id: str
    user_id: str
    token_hash: str
    expires_at: int
    user_agent: str = ""
    address: str = ""


class SessionEnded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A session can no longer be used. Stream: the session's id."""

    topic: ClassVar[str] = "session.ended"

    session_id: str
    user_id: str
    reason: SessionEnd


class SignInLinkMade(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A link that signs `user_id` in once, on another device or to choose a new password.

    Only its token's hash is kept (SHA-256, hex). Stream: the link's id.
    """

    topic: ClassVar[str] = "sign_in_link.made"

    link_id: str
    user_id: str
    purpose: LinkPurpose
    token_hash: str
    expires_at: int
    by: str


class SignInLinkUsed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The link is worth nothing any more. Stream: the link's id."""

    topic: ClassVar[str] = "sign_in_link.used"

    link_id: str
    user_id: str
