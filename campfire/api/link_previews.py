"""Link previews: their pictures, and taking them away."""

from aiohttp import web

from campfire.api.attachments import thumbnail_response
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.messages import CHANGE_ERRORS, change_message
from campfire.api.routes import Route, no_content
from campfire.domain.errors import AttachmentNotFound
from campfire.domain.link_previews import decide_remove_previews
from campfire.domain.rooms import readable_room
from projections.queries import link_previews


async def read_preview_image(request: web.Request) -> web.StreamResponse:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    row = await link_previews.by_id(engine.read_models, request.match_info["preview_id"])
    if row is None:
        raise AttachmentNotFound("There is no such preview; its message may have been changed or deleted.")
    readable_room(engine.directory, row.room_id, actor.user_id)
    if row.preview.image is None:
        raise AttachmentNotFound("The preview has no picture.")
    return await thumbnail_response(request, row.preview.image.digest)


async def remove_previews(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    await change_message(
        engine,
        request.match_info["message_id"],
        lambda message: decide_remove_previews(
            engine.directory, message, actor_id=actor.user_id, at=engine.clock.now_ms()
        ),
    )
    return no_content()


ROUTES = (
    Route(
        "GET",
        "/api/v1/link-previews/{preview_id}/image",
        read_preview_image,
        "A small picture of the picture that a linked page shows itself with",
        {200: None},
        errors=("ATTACHMENT_NOT_FOUND", "ROOM_ACCESS_DENIED", "ROOM_NOT_FOUND"),
        gives=("image/webp",),
    ),
    Route(
        "DELETE",
        "/api/v1/messages/{message_id}/link-previews",
        remove_previews,
        "Show no previews of the links in a message, now and after any edit",
        {204: None},
        errors=CHANGE_ERRORS,
    ),
)
