"""Taking a file in, piece by piece, from a raw body or from a form."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection
from typing import TypeVar

import msgspec
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from campfire.api.keys import BLOBS, BODY_SECONDS, ENGINE
from campfire.blobs import images, sniffing
from campfire.blobs.file_names import clean_file_name
from campfire.blobs.store import Blob, BlobStore
from campfire.domain.errors import ValidationFailed
from campfire.domain.events import Attachment
from campfire.errors import CampfireError

Read = TypeVar("Read")

_CHUNK = 256 * 1024
_MEGABYTE = 1_000_000
_LARGEST_TEXT = 512 * 1024
"""Bytes of a text that comes beside a file."""


class Form(msgspec.Struct, frozen=True):
    """A file, and the text beside it."""

    attachment: Attachment | None
    text: str


async def receive(request: web.Request) -> Attachment:
    """Store the file that a request brings, and say what it is.

    A raw body is the file, called as the query's `name` says; of a form (multipart/form-data) the first
    part with a file name is. Raises `CampfireError`: `PAYLOAD_TOO_LARGE`, `VALIDATION_FAILED`,
    `REQUEST_TIMEOUT` if nothing comes for too long, `DISK_FULL`.
    """
    limit = _limit(request)
    if request.content_type == "multipart/form-data":
        return await _received(request, await _file_part(request))
    if request.content_length is not None and request.content_length > limit:
        raise CampfireError("PAYLOAD_TOO_LARGE", f"The file is larger than {limit} bytes.")
    blob = await request.app[BLOBS].take(of_body(request), limit)
    name = request.query.get("name", "")
    return await described(request.app[BLOBS], blob, attachment_id=request.app[ENGINE].new_id(), name=name)


async def receive_form(request: web.Request, file_part: str, text_parts: Collection[str]) -> Form:
    """As `receive`, for a form in which the file is the part of one name, with a text in one of others beside it.

    Neither need be there; what else there is, is passed over. Raises also `ValidationFailed` for a text that is none.
    """
    attachment, text = None, ""
    try:
        form = await request.multipart()
        while (part := await _in_time(request, form.next())) is not None:
            if not isinstance(part, BodyPartReader):
                continue
            if part.name == file_part and part.filename is not None and attachment is None:
                attachment = await _received(request, part)
            elif part.name in text_parts:
                text = await _text_of(request, part)
    except (ValueError, HttpProcessingError) as error:
        raise CampfireError("MALFORMED_REQUEST", f"The form cannot be read: {error}.") from error
    return Form(attachment, text)


async def described(store: BlobStore, blob: Blob, *, attachment_id: str, name: str) -> Attachment:
    """What a stored file is, by its content. Raises `CampfireError` `VALIDATION_FAILED` for an image bomb."""
    name = clean_file_name(name)
    head = await asyncio.to_thread(store.head, blob.digest, sniffing.HEAD_BYTES)
    media_type = sniffing.sniff(head, name)
    kind = sniffing.kind_of(media_type)
    size = await asyncio.to_thread(images.probe, store.path(blob.digest)) if kind == "image" else None
    return Attachment(
        id=attachment_id,
        digest=blob.digest,
        name=name,
        media_type=media_type,
        kind=kind,
        size=blob.size,
        width=None if size is None else size.width,
        height=None if size is None else size.height,
        animated=size is not None and size.animated,
    )


async def of_body(request: web.Request) -> AsyncIterator[bytes]:
    """The body's pieces as they come. Raises `CampfireError` `REQUEST_TIMEOUT`."""
    while chunk := await _in_time(request, request.content.readany()):
        yield chunk


async def _received(request: web.Request, part: BodyPartReader) -> Attachment:
    blobs = request.app[BLOBS]
    blob = await blobs.take(_of_part(request, part), _limit(request))
    return await described(blobs, blob, attachment_id=request.app[ENGINE].new_id(), name=part.filename or "")


def _limit(request: web.Request) -> int:
    return request.app[ENGINE].settings.upload_limit_mb * _MEGABYTE


async def _text_of(request: web.Request, part: BodyPartReader) -> str:
    content = bytearray()
    async for chunk in _of_part(request, part):
        content += chunk
        if len(content) > _LARGEST_TEXT:
            raise CampfireError("PAYLOAD_TOO_LARGE", f"The text is larger than {_LARGEST_TEXT} bytes.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        detail = f"{part.name} must be text in UTF-8."
        raise ValidationFailed(detail, errors=[{"field": str(part.name), "message": "is not UTF-8"}]) from error


async def _of_part(request: web.Request, part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await _in_time(request, part.read_chunk(_CHUNK)):
        yield chunk


async def _file_part(request: web.Request) -> BodyPartReader:
    try:
        form = await request.multipart()
        while (part := await _in_time(request, form.next())) is not None:
            if isinstance(part, BodyPartReader) and part.filename is not None:
                return part
    except (ValueError, HttpProcessingError) as error:
        raise CampfireError("MALFORMED_REQUEST", f"The form cannot be read: {error}.") from error
    detail = "The form holds no file."
    raise CampfireError("VALIDATION_FAILED", detail, errors=[{"field": "file", "message": detail}])


async def _in_time(request: web.Request, reading: Awaitable[Read]) -> Read:
    seconds = request.app[BODY_SECONDS]
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        raise CampfireError("REQUEST_TIMEOUT", f"Nothing more of the file came for {seconds:g} s.") from None
