"""The pictures of people and of the account."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from campfire.api.attachments import FOR_A_YEAR, blob_response, file_headers
from campfire.api.auth import Actor, authenticated
from campfire.api.keys import BLOBS, ENGINE, THUMBNAILS
from campfire.api.routes import Query, Route, no_content
from campfire.api.uploads import of_body
from campfire.api.views import avatar_url
from campfire.blobs.initials import initials_svg
from campfire.domain.accounts import decide_set_logo, require_administrator
from campfire.domain.errors import AttachmentNotFound, ValidationFailed
from campfire.domain.people import decide_set_avatar
from campfire.domain.states import UserState
from campfire.sealing import Sealer

LOGO_SIDE = 512
SMALL_LOGO_SIDE = 192
"""Pixels; what a browser wants of an app that is installed."""
MOST_BYTES = 20_000_000
"""Of the picture that somebody brings; what is kept of it is small."""
_SIGNED = "avatar"


async def read_avatar(request: web.Request) -> web.StreamResponse:
    engine, user_id = request.app[ENGINE], request.match_info["user_id"]
    signature = request.query.get("signature")
    if signature is None or not engine.sealer.is_signed(_SIGNED, user_id, signature):
        authenticated(request)
    user = engine.directory.user(user_id)
    if user.avatar is not None:
        return blob_response(request, user.avatar, {"Content-Type": "image/webp"})
    headers = {"Cache-Control": FOR_A_YEAR, "Content-Security-Policy": "sandbox; default-src 'none'"}
    return web.Response(text=initials_svg(user.name, user.id), content_type="image/svg+xml", headers=headers)


def signed_avatar_url(sealer: Sealer, user: UserState) -> str:
    """Where somebody's picture is for who has this address and need not say who they are."""
    return f"{avatar_url(user)}&signature={sealer.sign(_SIGNED, user.id)}"


async def set_my_avatar(request: web.Request) -> web.Response:
    actor = authenticated(request)
    return await _set_avatar(request, actor, actor.user_id, await _picture(request, square=True))


async def remove_my_avatar(request: web.Request) -> web.Response:
    actor = authenticated(request)
    return await _set_avatar(request, actor, actor.user_id, None)


async def set_avatar(request: web.Request) -> web.Response:
    actor = authenticated(request)
    require_administrator(request.app[ENGINE].directory, actor.user_id)
    return await _set_avatar(request, actor, request.match_info["user_id"], await _picture(request, square=True))


async def read_logo(request: web.Request) -> web.StreamResponse:
    account = request.app[ENGINE].directory.account
    if account is None or account.logo is None:
        raise AttachmentNotFound("The account has no logo.")
    if request.query.get("size") != str(SMALL_LOGO_SIDE):
        return blob_response(request, account.logo, {"Content-Type": "image/webp"})
    small = request.app[ENGINE].settings.thumbnail_path(account.logo, SMALL_LOGO_SIDE)
    if not small.exists():
        source = request.app[BLOBS].path(account.logo)
        if not await request.app[THUMBNAILS].make_thumbnail(source, small, SMALL_LOGO_SIDE, SMALL_LOGO_SIDE):
            raise AttachmentNotFound("The logo is not there any more.")
    return web.FileResponse(small, headers={**file_headers(), "Content-Type": "image/webp"})


async def set_logo(request: web.Request) -> web.Response:
    actor = authenticated(request)
    require_administrator(request.app[ENGINE].directory, actor.user_id)
    return await _set_logo(request, actor, await _picture(request, square=False))


async def remove_logo(request: web.Request) -> web.Response:
    return await _set_logo(request, authenticated(request), None)


async def _set_avatar(request: web.Request, actor: Actor, user_id: str, digest: str | None) -> web.Response:
    engine = request.app[ENGINE]
    await engine.perform(
        lambda: decide_set_avatar(
            engine.directory, user_id=user_id, digest=digest, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return no_content()


async def _set_logo(request: web.Request, actor: Actor, digest: str | None) -> web.Response:
    engine = request.app[ENGINE]
    await engine.perform(
        lambda: decide_set_logo(engine.directory, digest=digest, actor_id=actor.user_id, at=engine.clock.now_ms())
    )
    return no_content()


async def _picture(request: web.Request, *, square: bool) -> str:
    """Keep a small WebP of the picture in the body; return its digest. Raises `ValidationFailed` for no picture."""
    blobs, thumbnails = request.app[BLOBS], request.app[THUMBNAILS]
    brought = await blobs.take(of_body(request), MOST_BYTES)
    with tempfile.TemporaryDirectory(dir=request.app[ENGINE].settings.data, prefix=".picture-") as directory:
        small, source = Path(directory) / "small.webp", blobs.path(brought.digest)
        made = (
            thumbnails.make_avatar(source, small)
            if square
            else thumbnails.make_thumbnail(source, small, LOGO_SIDE, LOGO_SIDE)
        )
        if not await made:
            raise ValidationFailed(
                "This is not a picture that can be read; send PNG, JPEG, GIF, WebP or AVIF.",
                errors=[{"field": "body", "message": "is not a picture"}],
            )
        content = small.read_bytes()  # some ten kilobytes
    return (await blobs.take(_pieces(content), MOST_BYTES)).digest


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


_MINE = "/api/v1/me/avatar"
_THEIRS = "/api/v1/users/{user_id}/avatar"
_LOGO = "/api/v1/account/logo"
_TAKES = ("PAYLOAD_TOO_LARGE", "REQUEST_TIMEOUT", "VALIDATION_FAILED", "DISK_FULL")

ROUTES = (
    Route(
        "GET",
        _THEIRS,
        read_avatar,
        "Somebody's picture; their initials if they have none",
        {200: None},
        queries=(Query("signature", {"type": "string"}, "from a bot's message: lets in whoever is not signed in"),),
        errors=("USER_NOT_FOUND", "ATTACHMENT_NOT_FOUND"),
        gives=("image/webp", "image/svg+xml"),
    ),
    Route("PUT", _MINE, set_my_avatar, "Show myself by a picture", {204: None}, errors=_TAKES, takes_file=True),
    Route("DELETE", _MINE, remove_my_avatar, "Show myself by initials", {204: None}),
    Route(
        "PUT",
        _THEIRS,
        set_avatar,
        "Give a bot a picture; administrators may",
        {204: None},
        errors=(*_TAKES, "USER_NOT_FOUND", "PERMISSION_DENIED"),
        takes_file=True,
    ),
    Route(
        "GET",
        _LOGO,
        read_logo,
        "The account's picture, at most 512 pixels wide and high",
        {200: None},
        queries=(Query("size", {"type": "integer", "enum": [LOGO_SIDE, SMALL_LOGO_SIDE]}, "pixels"),),
        signed_in=False,
        errors=("ATTACHMENT_NOT_FOUND",),
        gives=("image/webp",),
    ),
    Route(
        "PUT",
        _LOGO,
        set_logo,
        "Give the account a picture; administrators may",
        {204: None},
        errors=(*_TAKES, "PERMISSION_DENIED"),
        takes_file=True,
    ),
    Route("DELETE", _LOGO, remove_logo, "Take the account's picture away", {204: None}, errors=("PERMISSION_DENIED",)),
)
