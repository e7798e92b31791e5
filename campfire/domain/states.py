"""What the directory keeps of each thing. `version` is the last one of the thing's stream."""

from typing import Literal

import msgspec

from campfire.domain.events import BotCommand, Condition, EndpointSettings, LinkPurpose, Role, RoomKind, UserStatus

WebhookStatus = Literal["active", "paused", "disabled"]


class AccountState(msgspec.Struct):
    name: str
    join_code: str
    created_at: int
    custom_styles: str = ""
    rooms_by_administrators_only: bool = False
    retention_days: int = 0
    """How long messages are kept; 0 is for ever."""
    logo: str | None = None
    """The digest of a picture."""


class UserState(msgspec.Struct):
    id: str
    name: str
    role: Role
    created_at: int
    email: str | None = None
    can_sign_in: bool = True
    password_hash: str | None = None
    bio: str = ""
    avatar: str | None = None
    """The digest of a picture; initials are shown where there is none."""
    status: UserStatus = "active"
    messages_removed: bool = False
    """Of somebody banned or removed: whether everything they said is deleted by now."""
    position: int = 0
    """Of the creation in the log: a short number for those who want one."""
    version: int = 1

    @property
    def active(self) -> bool:
        return self.status == "active"

    @property
    def must_lose_messages(self) -> bool:
        """Whether what they said has to go, and has not gone yet."""
        return self.status in ("banned", "removed") and not self.messages_removed


class BotState(msgspec.Struct):
    """What a bot has beside what every user has. `sealed_token` opens with the server's key file."""

    user_id: str
    token_hash: str | None = None
    sealed_token: str | None = None
    webhook_url: str | None = None
    commands: tuple[BotCommand, ...] = ()

    @property
    def key_id(self) -> str:
        """Stands for its present key where people have a session. Tells nothing that its holder does not know."""
        return f"bot-key-{(self.token_hash or '')[:16]}"


class SessionState(msgspec.Struct):
    id: str
    user_id: str
    token_hash: str
    started_at: int
    expires_at: int
    user_agent: str = ""
    address: str = ""
    version: int = 1


class SignInLinkState(msgspec.Struct):
    """A link that has not been used. `expires_at` in milliseconds."""

    id: str
    user_id: str
    purpose: LinkPurpose
    token_hash: str
    expires_at: int


class RoomState(msgspec.Struct):
    id: str
    name: str
    kind: RoomKind
    created_by: str
    created_at: int
    archived: bool = False
    deleted: bool = False
    emptied: bool = False
    """Of a deleted room: whether everything said there is deleted by now."""
    position: int = 0
    """Of the first creation in the log: a short number for those who want one."""
    version: int = 1
    members: set[str] = msgspec.field(default_factory=set)
    last_message_at: int = 0
    last_message_position: int = 0
    """Of the last posting in the log, 0 if there was none."""

    @property
    def is_alive(self) -> bool:
        """Whether something can still be said there."""
        return not self.archived and not self.deleted


class WebhookState(msgspec.Struct):
    """An endpoint. `detail` says why it is disabled; `failing_since` is set while the outbox reports it as failing.

    Its secrets are known to the outbox alone; here is only, of each before the present one, until when it signs.
    """

    id: str
    url: str
    events: tuple[str, ...]
    rooms: tuple[str, ...] | None
    created_by: str
    created_at: int
    filter: tuple[Condition, ...] = ()
    settings: EndpointSettings = EndpointSettings()
    state: WebhookStatus = "active"
    detail: str | None = None
    failing_since: int | None = None
    public_key: str | None = None
    pull_key_hash: str | None = None
    previous_valid_until: tuple[int, ...] = ()
    version: int = 1


class ImportState(msgspec.Struct):
    """How far an import has come; see `ImportProgressed`."""

    lines: int
    digest: str
    version: int
