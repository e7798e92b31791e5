"""The account, people, and where they are signed in."""

from campfire.domain import events as happened
from campfire.domain.applying.appliers import Appliers
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent
from campfire.domain.states import AccountState, SessionState, SignInLinkState, UserState


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
            position=recorded.position,
            version=recorded.version,
        )
    )


def _account_changed(directory: Directory, event: happened.AccountChanged, _: RecordedEvent) -> None:
    account = directory.account
    assert account is not None
    if event.name is not None:
        account.name = event.name
    if event.custom_styles is not None:
        account.custom_styles = event.custom_styles
    if event.rooms_by_administrators_only is not None:
        account.rooms_by_administrators_only = event.rooms_by_administrators_only
    if event.retention_days is not None:
        account.retention_days = event.retention_days


def _join_code_rotated(directory: Directory, event: happened.JoinCodeRotated, _: RecordedEvent) -> None:
    assert directory.account is not None
    directory.account.join_code = event.join_code


def _email_claimed(directory: Directory, event: happened.EmailClaimed, recorded: RecordedEvent) -> None:
    directory.claim_email(event.email, event.user_id, recorded.version)


def _email_released(directory: Directory, event: happened.EmailReleased, recorded: RecordedEvent) -> None:
    directory.release_email(event.email, recorded.version)


def _email_changed(directory: Directory, event: happened.EmailChanged, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.email = event.email
    user.version = recorded.version


def _profile_changed(directory: Directory, event: happened.ProfileChanged, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    directory.rename_user(user, event.name)
    user.bio = event.bio
    user.version = recorded.version


def _avatar_set(directory: Directory, event: happened.AvatarSet, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.avatar = event.digest
    user.version = recorded.version


def _logo_set(directory: Directory, event: happened.LogoSet, _: RecordedEvent) -> None:
    assert directory.account is not None
    directory.account.logo = event.digest


def _role_changed(directory: Directory, event: happened.RoleChanged, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.role = event.role
    user.version = recorded.version


def _user_deactivated(directory: Directory, event: happened.UserDeactivated, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.status = "deactivated"
    user.version = recorded.version
    directory.void_bot_key(user.id)


def _user_reactivated(directory: Directory, event: happened.UserReactivated, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.status = "active"
    user.messages_removed = False
    user.version = recorded.version
    directory.lift_ban(user.id)


def _user_removed(directory: Directory, event: happened.UserRemoved, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.status = "removed"
    user.email = user.avatar = None
    user.version = recorded.version
    directory.void_bot_key(user.id)


def _user_banned(directory: Directory, event: happened.UserBanned, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.status = "banned"
    user.messages_removed = False  # the end of an earlier removal may have come after that ban was lifted
    user.version = recorded.version
    directory.ban_addresses(event.addresses, user.id)


def _user_messages_removed(directory: Directory, event: happened.UserMessagesRemoved, recorded: RecordedEvent) -> None:
    user = directory.users[event.user_id]
    user.messages_removed = True
    user.version = recorded.version


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


def _sign_in_link_made(directory: Directory, event: happened.SignInLinkMade, _: RecordedEvent) -> None:
    directory.add_link(SignInLinkState(event.link_id, event.user_id, event.purpose, event.token_hash, event.expires_at))


def _sign_in_link_used(directory: Directory, event: happened.SignInLinkUsed, _: RecordedEvent) -> None:
    directory.remove_link(event.link_id)


APPLIERS: Appliers = {
    happened.AccountCreated: _account_created,
    happened.AccountChanged: _account_changed,
    happened.JoinCodeRotated: _join_code_rotated,
    happened.EmailReleased: _email_released,
    happened.EmailChanged: _email_changed,
    happened.ProfileChanged: _profile_changed,
    happened.AvatarSet: _avatar_set,
    happened.LogoSet: _logo_set,
    happened.RoleChanged: _role_changed,
    happened.UserDeactivated: _user_deactivated,
    happened.UserReactivated: _user_reactivated,
    happened.UserRemoved: _user_removed,
    happened.UserBanned: _user_banned,
    happened.UserMessagesRemoved: _user_messages_removed,
    happened.SignInLinkMade: _sign_in_link_made,
    happened.SignInLinkUsed: _sign_in_link_used,
    happened.UserCreated: _user_created,
    happened.EmailClaimed: _email_claimed,
    happened.PasswordSet: _password_set,
    happened.SessionStarted: _session_started,
    happened.SessionEnded: _session_ended,
}
