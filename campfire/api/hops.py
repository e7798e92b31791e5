"""How far a request is from what people did, as whoever acts on a delivery gives it back (`campfire.domain.hops`)."""

from aiohttp import web

from campfire.api.auth import Actor
from campfire.domain.hops import HEADER, LARGEST, MOST_HOPS
from campfire.errors import CampfireError


def hops_of(request: web.Request) -> int:
    """0 without the header.

    Raises `VALIDATION_FAILED` for what is no number from 1 to `LARGEST`: to take it for 0 would let a loop go on that
    somebody meant to end.
    """
    texts = request.headers.getall(HEADER, [])
    if not texts:
        return 0
    text = texts[0].strip()
    if len(texts) > 1 or not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= LARGEST:
        detail = f"The header {HEADER} must be given once, as a whole number from 1 to {LARGEST}."
        raise CampfireError("VALIDATION_FAILED", detail, errors=[{"field": HEADER, "message": detail}])
    return int(text)


def hops_said_by(actor: Actor, request: web.Request) -> int:
    """As `hops_of`. A member is believed as far as webhooks are still told: nobody hides from them what they say."""
    hops = hops_of(request)
    return hops if actor.is_bot or actor.is_administrator else min(hops, MOST_HOPS)
