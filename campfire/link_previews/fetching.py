"""Asking other people's servers for a page or a picture, and getting no harm from the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from yarl import URL

from campfire.blobs import images, sniffing
from campfire.blobs.store import BlobStore
from campfire.errors import CampfireError
from campfire.link_previews.opengraph import PageFacts, decoded, read_page
from outbox.address_guard import AddressBlocked, AddressGuard
from outbox.guarded_http import blocked_within, open_guarded_session, usable_target

MOST_REDIRECTS = 5
MOST_PAGE_BYTES = 512 * 1024
"""Of a page that are read; less if its head ends before."""
MOST_IMAGE_BYTES = 5_000_000
SECONDS = 5.0
"""For a page in all, redirects included, and again for its picture."""

_CONNECTIONS = 16
_CHUNK = 16 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_PAGES = ("text/html", "application/xhtml+xml")
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_END_OF_HEAD = b"</head"


class NotFetched(Exception):
    """There is nothing to show; the text says why, without the address that was asked for."""


class Page(msgspec.Struct, frozen=True):
    """What a page says of itself, and the address that gave it in the end."""

    url: str
    facts: PageFacts


class StoredImage(msgspec.Struct, frozen=True):
    """A picture among the blobs. `width` and `height` in pixels, as it is shown."""

    digest: str
    width: int
    height: int


class Fetcher:
    """Use `open`, then fetch, then `close`."""

    def __init__(self, guard: AddressGuard, blobs: BlobStore, *, seconds: float = SECONDS) -> None:
        self._guard = guard
        self._blobs = blobs
        self._seconds = seconds
        self._session: aiohttp.ClientSession

    def open(self) -> None:
        self._session = open_guarded_session(self._guard, connections=_CONNECTIONS)

    async def close(self) -> None:
        await self._session.close()

    async def page(self, link: str) -> Page:
        """What the page says of itself. Raises `NotFetched`."""
        async with self._asked(link, ", ".join(_PAGES)) as response:
            if response.content_type not in _PAGES:
                raise NotFetched("it is no HTML")
            content, charset = await _head_of(response), response.charset
            url = response.url
        facts = await asyncio.to_thread(lambda: read_page(decoded(content, charset), url))
        return Page(str(url.with_fragment(None)), facts)

    async def image(self, link: str) -> StoredImage:
        """Store the JPEG, PNG, GIF or WebP at `link` among the blobs, whatever its server calls it.

        Raises `NotFetched`, and `CampfireError` `DISK_FULL`.
        """
        async with self._asked(link, "image/webp, image/png, image/jpeg, image/gif") as response:
            if (response.content_length or 0) > MOST_IMAGE_BYTES:
                raise NotFetched("the picture is too large")
            head = await _read(response, sniffing.HEAD_BYTES)
            if sniffing.sniff(head, "") not in _IMAGES:
                raise NotFetched("it is no picture")
            try:
                blob = await self._blobs.take(_pieces(head, response), MOST_IMAGE_BYTES)
                size = await asyncio.to_thread(images.probe, self._blobs.path(blob.digest))
            except CampfireError as error:
                if error.code == "DISK_FULL":
                    raise
                raise NotFetched("the picture is too large") from error
        if size is None:
            raise NotFetched("the picture is damaged")
        return StoredImage(blob.digest, size.width, size.height)

    @asynccontextmanager
    async def _asked(self, link: str, accept: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer, whose body is still to be read, all within the deadline. Raises `NotFetched`."""
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._followed(link, accept)
                try:
                    yield response
                finally:
                    response.close()  # whatever has not been read is not wanted, be it a gigabyte
        except TimeoutError as error:
            raise NotFetched(f"no complete answer within {self._seconds:g} s") from error
        except AddressBlocked as error:
            raise NotFetched(str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            blocked = blocked_within(error)
            # Only its name: the texts of some hold the whole address.
            raise NotFetched(type(error).__name__ if blocked is None else str(blocked)) from error
        except ValueError as error:
            raise NotFetched("the address cannot be used") from error

    async def _followed(self, link: str, accept: str) -> aiohttp.ClientResponse:
        """The answer at the end of the redirects, each of them checked like the link itself."""
        target = usable_target(self._guard, link)
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._session.get(target, headers={"Accept": accept}, allow_redirects=False)
            if response.status not in _REDIRECTS:
                return _good(response)
            response.close()
            target = usable_target(self._guard, target.join(URL(response.headers.get("Location", ""))))
        raise NotFetched(f"more than {MOST_REDIRECTS} redirects")


def _good(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """Raises `NotFetched` for an error, or for a body that would first have to be unpacked."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if response.status == 200 and encoding in ("", "identity"):
        return response
    response.close()
    raise NotFetched(f"it answered {response.status}" if response.status != 200 else "it came compressed")


async def _read(response: aiohttp.ClientResponse, length: int) -> bytes:
    """The next `length` bytes, fewer if the body ends before."""
    content = b""
    while len(content) < length and (more := await response.content.read(length - len(content))):
        content += more
    return content


async def _head_of(response: aiohttp.ClientResponse) -> bytes:
    """The page up to the end of its head, at most `MOST_PAGE_BYTES`."""
    content = bytearray()
    while len(content) < MOST_PAGE_BYTES:
        more = await response.content.read(min(_CHUNK, MOST_PAGE_BYTES - len(content)))
        if not more:
            break
        seen = max(0, len(content) - len(_END_OF_HEAD))
        content += more
        end = content[seen:].lower().find(_END_OF_HEAD)
        if end >= 0:
            return bytes(content[: seen + end + len(_END_OF_HEAD)])
    return bytes(content)


async def _pieces(head: bytes, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    yield head
    async for piece in response.content.iter_chunked(64 * 1024):
        yield piece
