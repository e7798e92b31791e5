"""The server itself, and its feed."""

from typing import Any, Literal

from campfire.api.schemas.base import Answer, Position


class Recorded(Answer, frozen=True, kw_only=True):
    """Something was recorded at `position`."""

    position: Position


class FeedPage(Answer, frozen=True, kw_only=True):
    events: list[dict[str, Any]]
    position: Position
    epoch: str
    resync: bool


class Check(Answer, frozen=True, kw_only=True):
    ok: bool
    detail: str


class Health(Answer, frozen=True, kw_only=True):
    status: Literal["ok", "degraded", "unavailable"]
    position: Position
    checks: dict[str, Check]


class Alive(Answer, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"
