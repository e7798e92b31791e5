"""Links that sign somebody in once: on another device, or to choose a new password."""

import msgspec

from campfire.domain.accounts import NewSession, require_administrator, session_started
from campfire.domain.directory import Directory
from campfire.domain.errors import SignInLinkInvalid
from campfire.domain.events import LinkPurpose, NewEvent, SignInLinkMade, SignInLinkUsed
from campfire.domain.people import decide_set_password
from campfire.domain.states import SignInLinkState

VALID_MS = {"transfer": 4 * 3_600_000, "password_reset": 24 * 3_600_000}


class NewLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link about to be made. `token_hash` is SHA-256 in hex."""

    link_id: str
    token_hash: str


def decide_make_transfer(directory: Directory, *, link: NewLink, user_id: str, at: int) -> list[NewEvent]:
    """Let another device sign in as oneself, once, within four hours; by the latest link only."""
    earlier = [each for each in directory.links_of(user_id) if each.purpose == "transfer"]
    return [*(_used(each, at) for each in earlier), _made(link, user_id, "transfer", user_id, at)]


def decide_make_password_reset(
    directory: Directory, *, link: NewLink, user_id: str, actor_id: str | None, at: int
) -> list[NewEvent]:
    """Let somebody choose a new password, once, within a day. `actor_id` None is whoever runs the server.

    Raises `PermissionDenied`, `UserNotFound`, `SignInLinkInvalid` for somebody who may not sign in.
    """
    if actor_id is not None:
        require_administrator(directory, actor_id)
    user = directory.user(user_id)
    if not user.active or not user.can_sign_in:
        raise SignInLinkInvalid("This person may not sign in.")
    return [_made(link, user_id, "password_reset", actor_id or user_id, at)]


def decide_transfer(directory: Directory, *, token_hash: str, session: NewSession, at: int) -> list[NewEvent]:
    """Start a session by a transfer link, and use it up. Raises `SignInLinkInvalid`."""
    link = valid_link(directory, token_hash, "transfer", at)
    return [_used(link, at), session_started(session, link.user_id, at)]


def decide_reset_password(
    directory: Directory, *, token_hash: str, password_hash: str, session: NewSession, at: int
) -> list[NewEvent]:
    """Set a password by a link, end all sessions and start one, and use the link up. Raises `SignInLinkInvalid`."""
    link = valid_link(directory, token_hash, "password_reset", at)
    changed = decide_set_password(
        directory, user_id=link.user_id, password_hash=password_hash, keep_session_id=None, link_id=link.id, at=at
    )
    return [_used(link, at), *changed, session_started(session, link.user_id, at)]


def valid_link(directory: Directory, token_hash: str, purpose: LinkPurpose, at: int) -> SignInLinkState:
    """The link of this token. Raises `SignInLinkInvalid` for one that is used, too old or another's."""
    link = directory.link_by_token_hash(token_hash)
    if link is None or link.purpose != purpose or link.expires_at <= at:
        raise SignInLinkInvalid("This link has been used already or is too old; ask for another one.")
    if not directory.user(link.user_id).active:
        raise SignInLinkInvalid("The person whose link this is may not sign in.")
    return link


def _made(link: NewLink, user_id: str, purpose: LinkPurpose, by: str, at: int) -> NewEvent:
    made = SignInLinkMade(
        at=at,
        link_id=link.link_id,
        user_id=user_id,
        purpose=purpose,
        token_hash=link.token_hash,
        expires_at=at + VALID_MS[purpose],
        by=by,
    )
    return NewEvent(link.link_id, 1, made)


def _used(link: SignInLinkState, at: int) -> NewEvent:
    return NewEvent(link.id, 2, SignInLinkUsed(at=at, link_id=link.id, user_id=link.user_id))
