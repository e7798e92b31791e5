"""What the directory keeps of each thing. `version` is the last one of the thing's stream."""

import msgspec

from campfire.domain.events import Role, RoomKind


class AccountState(msgspec.Struct):
    name: str
    join_code: str
    created_at: int


class UserState(msgspec.Struct):
    id: str
    name: str
    role: Role
    created_at: int
    email: str | None = None
    can_sign_in: bool = True
    active: bool = True
    password_hash: str | None = None
    version: int = 1


class SessionState(msgspec.Struct):
    id: str
    user_id: str
    token_hash: str
    started_at: int
    expires_at: int
    user_agent: str = ""
    address: str = ""
    version: int = 1


class RoomState(msgspec.Struct):
    id: str
    name: str
    kind: RoomKind
    created_by: str
    created_at: int
    archived: bool = False
    version: int = 1
    members: set[str] = msgspec.field(default_factory=set)
    last_message_at: int = 0


class WebhookState(msgspec.Struct):
    id: str
    url: str
    events: tuple[str, ...]
    rooms: tuple[str, ...] | None
    sealed_secret: str
    created_by: str
    created_at: int
    previous_sealed_secret: str | None = None
    previous_valid_until: int | None = None
    version: int = 1


class ImportState(msgspec.Struct):
    """How far an import has come; see `ImportProgressed`."""

    lines: int
    digest: str
    version: int
