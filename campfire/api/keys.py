"""What handlers find in the application."""

from typing import TYPE_CHECKING

from aiohttp import web

from campfire.blobs.images import Thumbnails
from campfire.blobs.store import BlobStore
from campfire.engine import Engine
from campfire.housekeeping.remover import Remover
from campfire.housekeeping.scrubber import Scrubber

if TYPE_CHECKING:
    from campfire.api.endpoints import Pulls
    from campfire.api.exports import Exports
    from campfire.api.feed.activity import Activity
    from campfire.api.feed.hub import FeedHub
    from campfire.api.passwords import Passwords
    from campfire.api.rate_limit import RateLimiter
    from campfire.link_previews.previewer import LinkPreviewer

ENGINE = web.AppKey("engine", Engine)
ACTIVITY: "web.AppKey[Activity]" = web.AppKey("activity")
HUB: "web.AppKey[FeedHub]" = web.AppKey("hub")
PASSWORDS: "web.AppKey[Passwords]" = web.AppKey("passwords")
RATE_LIMITER: "web.AppKey[RateLimiter]" = web.AppKey("rate_limiter")
SIGN_IN_LIMITER: "web.AppKey[RateLimiter]" = web.AppKey("sign_in_limiter")
BLOBS = web.AppKey("blobs", BlobStore)
THUMBNAILS = web.AppKey("thumbnails", Thumbnails)
EXPORTS: "web.AppKey[Exports]" = web.AppKey("exports")
REMOVER = web.AppKey("remover", Remover)
LINK_PREVIEWER: "web.AppKey[LinkPreviewer]" = web.AppKey("link_previewer")
SCRUBBER = web.AppKey("scrubber", Scrubber)
PULLS: "web.AppKey[Pulls]" = web.AppKey("pulls")
BODY_SECONDS = web.AppKey("body_seconds", float)

REQUEST_ID = web.RequestKey("request_id", str)
