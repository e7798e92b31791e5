"""How each event changes the directory."""

from collections.abc import Callable
from typing import Any

from campfire.domain import events as happened
from campfire.domain.directory import Directory
from campfire.domain.events import Event, RecordedEvent
from campfire.domain.states import AccountState, ImportState, RoomState, SessionState, UserState, WebhookState


def apply(directory: Directory, recorded: RecordedEvent) -> None:
    """Take in what happened. Events that no decision needs change nothing."""
    applier = _APPLIERS.get(type(recorded.event))
    if applier is not None:
        applier(directory, recorded.event, recorded)


def _account_created(directory: Directory, event: happened.AccountCreated, _: RecordedEvent) -> None:
    directory.account = AccountState(event.name, event.join_code, event.at)


def _user_created(directory: Directory, event: happened.UserCreated, recorded: RecordedEvent) -> None:
    directory.add_user(
        UserState(
            id=event.user_id,
            name=event.name,
            role=event.role,
            created_at=event.at,
            email=event.email,
            can_sign_in=event.can_sign_in,
            version=recorded.version,
        )
    )


def _email_claimed(directory: Directory, event: happened.EmailClaimed, _: RecordedEvent) -> None:
    directory.claim_email(event.email, event.user_id)


def _password_set(directory: Directory, event: happened.PasswordSet, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.password_hash = event.password_hash
    user.version = recorded.version


def _session_started(directory: Directory, event: happened.SessionStarted, recorded: RecordedEvent) -> None:
    directory.add_session(
        SessionState(
            id=event.session_id,
            user_id=event.user_id,
            token_hash=event.token_hash,
            started_at=event.at,
            expires_at=event.expires_at,
            user_agent=event.user_agent,
            address=event.address,
            version=recorded.version,
        )
    )


def _session_ended(directory: Directory, event: happened.SessionEnded, _: RecordedEvent) -> None:
    directory.end_session(event.session_id)


def _room_created(directory: Directory, event: happened.RoomCreated, recorded: RecordedEvent) -> None:
    directory.add_room(
        RoomState(
            id=event.room_id,
            name=event.name,
            kind=event.kind,
            created_by=event.created_by,
            created_at=event.at,
            version=recorded.version,
            members=set(event.members),
        )
    )


def _room_renamed(directory: Directory, event: happened.RoomRenamed, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.name = event.name
    room.version = recorded.version


def _room_archived(directory: Directory, event: happened.RoomArchived, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.archived = True
    room.version = recorded.version


def _room_reopened(directory: Directory, event: happened.RoomReopened, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.archived = False
    room.version = recorded.version


def _room_kind_changed(directory: Directory, event: happened.RoomKindChanged, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.kind = event.kind
    room.version = recorded.version


def _member_added(directory: Directory, event: happened.MemberAdded, recorded: RecordedEvent) -> None:
    directory.add_member(event.room_id, event.user_id, recorded.version)


def _member_removed(directory: Directory, event: happened.MemberRemoved, recorded: RecordedEvent) -> None:
    directory.remove_member(event.room_id, event.user_id, recorded.version)


def _involvement_set(directory: Directory, event: happened.InvolvementSet, _: RecordedEvent) -> None:
    directory.set_involvement(event.room_id, event.user_id, event.involvement)


def _message_posted(directory: Directory, event: happened.MessagePosted, _: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    if event.at > room.last_message_at:
        room.last_message_at = event.at


def _presence_entered(directory: Directory, event: happened.PresenceEntered, _: RecordedEvent) -> None:
    directory.set_present(event.room_id, event.user_id)


def _presence_left(directory: Directory, event: happened.PresenceLeft, _: RecordedEvent) -> None:
    directory.unset_present(event.room_id, event.user_id)


def _presence_reset(directory: Directory, _event: happened.PresenceReset, _: RecordedEvent) -> None:
    directory.clear_presences()


def _read_position_moved(directory: Directory, event: happened.ReadPositionMoved, _: RecordedEvent) -> None:
    # Two moves may have been decided before either was recorded; the farther one stands.
    if event.position > directory.read_position(event.room_id, event.user_id):
        directory.set_read_position(event.room_id, event.user_id, event.position)


def _webhook_created(directory: Directory, event: happened.WebhookCreated, recorded: RecordedEvent) -> None:
    directory.add_webhook(
        WebhookState(
            id=event.webhook_id,
            url=event.url,
            events=event.events,
            rooms=event.rooms,
            sealed_secret=event.sealed_secret,
            created_by=event.by,
            created_at=event.at,
            version=recorded.version,
        )
    )


def _webhook_secret_rotated(
    directory: Directory, event: happened.WebhookSecretRotated, recorded: RecordedEvent
) -> None:
    webhook = directory.webhooks[event.webhook_id]
    webhook.previous_sealed_secret = webhook.sealed_secret
    webhook.previous_valid_until = event.previous_valid_until
    webhook.sealed_secret = event.sealed_secret
    webhook.version = recorded.version


def _webhook_tested(directory: Directory, event: happened.WebhookTested, recorded: RecordedEvent) -> None:
    webhook = directory.webhooks.get(event.webhook_id)
    if webhook is not None:  # it may have been deleted while the test was being asked for
        webhook.version = recorded.version


def _webhook_deleted(directory: Directory, event: happened.WebhookDeleted, _: RecordedEvent) -> None:
    directory.webhooks.pop(event.webhook_id, None)


def _import_progressed(directory: Directory, event: happened.ImportProgressed, recorded: RecordedEvent) -> None:
    directory.imports[event.source] = ImportState(event.lines, event.digest, recorded.version)


_APPLIERS: dict[type[Event], Callable[[Directory, Any, RecordedEvent], None]] = {
    happened.AccountCreated: _account_created,
    happened.UserCreated: _user_created,
    happened.EmailClaimed: _email_claimed,
    happened.PasswordSet: _password_set,
    happened.SessionStarted: _session_started,
    happened.SessionEnded: _session_ended,
    happened.RoomCreated: _room_created,
    happened.RoomRenamed: _room_renamed,
    happened.RoomArchived: _room_archived,
    happened.RoomReopened: _room_reopened,
    happened.RoomKindChanged: _room_kind_changed,
    happened.MemberAdded: _member_added,
    happened.MemberRemoved: _member_removed,
    happened.InvolvementSet: _involvement_set,
    happened.MessagePosted: _message_posted,
    happened.PresenceEntered: _presence_entered,
    happened.PresenceLeft: _presence_left,
    happened.PresenceReset: _presence_reset,
    happened.ReadPositionMoved: _read_position_moved,
    happened.WebhookCreated: _webhook_created,
    happened.WebhookSecretRotated: _webhook_secret_rotated,
    happened.WebhookTested: _webhook_tested,
    happened.WebhookDeleted: _webhook_deleted,
    happened.ImportProgressed: _import_progressed,
}
