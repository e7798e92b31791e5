"""Files: brought, and shown so that nothing in them can run as a page of ours."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import BLOBS, ENGINE, THUMBNAILS
from campfire.api.message_views import attachment_view
from campfire.api.routes import Query, Route, answer, flag
from campfire.api.uploads import receive
from campfire.blobs.file_names import content_disposition
from campfire.blobs.sniffing import is_inline
from campfire.domain.errors import AttachmentNotFound
from campfire.domain.events import Attachment
from campfire.domain.rooms import readable_room
from campfire.domain.uploads import upload_finished
from projections.queries import attachments

FOR_A_YEAR = "private, max-age=31536000, immutable"
"""For what never changes under its address."""
FILE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'"


async def upload(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    attachment = await receive(request)
    await engine.append([upload_finished(attachment, user_id=actor.user_id, at=engine.clock.now_ms())])
    return answer(attachment_view(attachment), 201)


async def read_attachment(request: web.Request) -> web.StreamResponse:
    attachment = await _readable(request)
    inline = is_inline(attachment.media_type) and not flag(request, "download")
    charset = "; charset=utf-8" if attachment.media_type == "text/plain" else ""
    return blob_response(
        request,
        attachment.digest,
        {
            "Content-Type": attachment.media_type + charset,
            "Content-Disposition": content_disposition(attachment.name, inline=inline),
        },
    )


async def read_thumbnail(request: web.Request) -> web.StreamResponse:
    attachment = await _readable(request)
    if attachment.kind != "image":
        raise AttachmentNotFound("Only pictures have thumbnails.")
    return await thumbnail_response(request, attachment.digest)


async def thumbnail_response(request: web.Request, digest: str) -> web.StreamResponse:
    """A small picture of a blob as an answer, made when it is first asked for. Raises `AttachmentNotFound`."""
    target = request.app[ENGINE].settings.thumbnail_path(digest)
    if not target.exists():
        source = request.app[BLOBS].path(digest)
        if not await request.app[THUMBNAILS].make_thumbnail(source, target):
            raise AttachmentNotFound("No thumbnail can be made of this picture.")
    return web.FileResponse(target, headers={**file_headers(), "Content-Type": "image/webp"})


def blob_response(request: web.Request, digest: str, headers: dict[str, str]) -> web.StreamResponse:
    """A blob as an answer: whole or in ranges, never as something that could run."""
    path = request.app[BLOBS].path(digest)
    if not path.is_file():
        raise AttachmentNotFound("The file is not there any more.")
    return web.FileResponse(path, chunk_size=256 * 1024, headers={**file_headers(), **headers})


def file_headers() -> dict[str, str]:
    """What makes a browser keep a file, and run nothing of it."""
    return {
        "Content-Security-Policy": FILE_POLICY,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": FOR_A_YEAR,
    }


async def _readable(request: web.Request) -> Attachment:
    """The file, if it is in a message that one may read, or one's own upload. Raises `AttachmentNotFound`."""
    actor = authenticated(request)
    engine = request.app[ENGINE]
    attachment_id = request.match_info["attachment_id"]
    row = (await attachments.by_ids(engine.read_models, [attachment_id])).get(attachment_id)
    if row is None or row.deleted:
        raise AttachmentNotFound("There is no such file; its message may have been deleted.")
    if row.room_id is None:
        if row.user_id != actor.user_id:
            raise AttachmentNotFound("There is no such file.")
    else:
        readable_room(engine.directory, row.room_id, actor.user_id)
    return row.attachment


_FILE = "/api/v1/attachments/{attachment_id}"
_ERRORS = ("ATTACHMENT_NOT_FOUND", "ROOM_ACCESS_DENIED", "ROOM_NOT_FOUND")

ROUTES = (
    Route(
        "POST",
        "/api/v1/uploads",
        upload,
        "Upload a file, as the body or in a form, to post it in a message within a day",
        {201: schemas.Attachment},
        queries=(Query("name", {"type": "string"}, "what the file is called; of a form, the part says it"),),
        errors=("PAYLOAD_TOO_LARGE", "REQUEST_TIMEOUT", "DISK_FULL", "MALFORMED_REQUEST"),
        takes_file=True,
    ),
    Route(
        "GET",
        f"{_FILE}/thumbnail",
        read_thumbnail,
        "A small picture of a picture: at most 1200 by 800 pixels",
        {200: None},
        errors=_ERRORS,
        gives=("image/webp",),
    ),
    Route(
        "GET",
        f"{_FILE}/{{name}}",
        read_attachment,
        "A file, whole or in ranges",
        {200: None, 206: None, 416: None},
        queries=(Query("download", {"type": "boolean"}, "true to save it rather than to show it"),),
        errors=_ERRORS,
        gives=("*/*",),
    ),
)
