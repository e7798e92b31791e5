"""The directory's state in the shapes of the API."""

from hashlib import sha256

from campfire.api import schemas
from campfire.domain.directory import Directory
from campfire.domain.states import AccountState, RoomState, UserState
from campfire.iso_times import iso_from_ms
from projections.queries.unread import Unread


def user_view(user: UserState) -> schemas.User:
    return schemas.User(
        id=user.id,
        number=user.position,
        name=user.name,
        role=user.role,
        bio=user.bio,
        status=user.status,
        avatar_url=avatar_url(user),
        created_at=iso_from_ms(user.created_at),
        can_sign_in=user.can_sign_in and user.active,
    )


def avatar_url(user: UserState) -> str:
    """Where somebody's picture is: another address for another picture, so that browsers may keep each."""
    return f"/api/v1/users/{user.id}/avatar?v={(user.avatar or sha256(user.name.encode()).hexdigest())[:12]}"


def me_view(user: UserState, session_id: str) -> schemas.Me:
    return schemas.Me(
        id=user.id,
        number=user.position,
        name=user.name,
        role=user.role,
        bio=user.bio,
        avatar_url=avatar_url(user),
        created_at=iso_from_ms(user.created_at),
        email=user.email,
        session_id=session_id,
    )


def logo_url(account: AccountState) -> str | None:
    """Where the account's picture is, if it has one."""
    return None if account.logo is None else f"/api/v1/account/logo?v={account.logo[:12]}"


def account_view(account: AccountState, *, with_join_code: bool) -> schemas.Account:
    return schemas.Account(
        name=account.name,
        join_code=account.join_code if with_join_code else None,
        created_at=iso_from_ms(account.created_at),
        custom_styles=account.custom_styles,
        rooms_by_administrators_only=account.rooms_by_administrators_only,
        retention_days=account.retention_days,
        logo_url=logo_url(account),
    )


def room_view(
    directory: Directory, room: RoomState, user_id: str, *, unread: Unread, with_members: bool = False
) -> schemas.Room:
    """A room as `user_id` sees it."""
    return schemas.Room(
        id=room.id,
        number=room.position,
        name=room.name,
        kind=room.kind,
        created_by=room.created_by,
        created_at=iso_from_ms(room.created_at),
        archived=room.archived,
        member_count=len(room.members),
        members=sorted(room.members) if with_members or room.kind == "direct" else None,
        involvement=directory.involvement(room.id, user_id) if user_id in room.members else None,
        read_position=directory.read_position(room.id, user_id),
        unread=unread.messages,
        unread_mentions=unread.mentions,
        last_message_at=iso_from_ms(room.last_message_at) if room.last_message_at else None,
    )
