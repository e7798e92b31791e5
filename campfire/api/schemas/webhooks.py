"""Webhooks."""

from typing import Annotated

from msgspec import Meta

from campfire.api.schemas.base import Answer, Id, Request, Time
from campfire.domain.web_addresses import MAX_URL
from campfire.domain.webhooks import EVENT_TYPES

# Described, not enforced, here: the domain refuses the others and names those that there are.
EventType = Annotated[str, Meta(examples=["message.posted"], extra_json_schema={"enum": sorted(EVENT_TYPES)})]


class CreateWebhook(Request, frozen=True, kw_only=True):
    url: Annotated[
        str,
        Meta(
            min_length=1, max_length=MAX_URL, description="http:// or https://", examples=["https://hooks.example.com/"]
        ),
    ]
    events: Annotated[list[EventType], Meta(min_length=1, max_length=50)]
    rooms: Annotated[list[Id], Meta(max_length=1000)] | None = None


class Webhook(Answer, frozen=True, kw_only=True):
    id: str
    url: str
    events: list[str]
    rooms: list[str] | None
    created_at: Time
    created_by: str


class WebhookWithSecret(Webhook, frozen=True, kw_only=True):
    secret: str


class NewSecret(Answer, frozen=True, kw_only=True):
    id: str
    secret: str
    previous_valid_until: Time


class Webhooks(Answer, frozen=True, kw_only=True):
    webhooks: list[Webhook]
