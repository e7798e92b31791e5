"""What other people's servers may try, and what becomes of it."""

import asyncio
import gzip
import io
import resource
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from link_previews_support.site import Site, a_site
from PIL import Image

from campfire.blobs.store import BlobStore
from campfire.link_previews.fetching import MOST_IMAGE_BYTES, MOST_PAGE_BYTES, Fetcher, NotFetched
from outbox.address_guard import AddressGuard

LOOPBACK = [ip_network("127.0.0.0/8")]
PAGE = "<title>Tea</title></head>"


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


@pytest.fixture
async def fetcher(blobs: BlobStore) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(AddressGuard(LOOPBACK), blobs, seconds=60)
    fetcher.open()
    yield fetcher
    await fetcher.close()


async def refusal(fetcher: Fetcher, link: str) -> str:
    with pytest.raises(NotFetched) as refused:
        await fetcher.page(link)
    return str(refused.value)


def picture(form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.effect_noise((60, 40), 40).save(file, form)
    return file.getvalue()


def redirect(to: str, status: int = 302) -> web.Response:
    return web.Response(status=status, headers={"Location": to})


async def test_a_page_is_asked_for_without_telling_anything(site: Site, fetcher: Fetcher) -> None:
    """No cookie that it set, no referrer, nothing packed; and it learns who asks."""
    site.page("/", PAGE, **{"Set-Cookie": "seen=before"})
    for _ in range(2):
        assert (await fetcher.page(site.url + "/")).facts.title == "Tea"
    for request in site.asked:
        assert "Cookie" not in request.headers and "Referer" not in request.headers
        assert request.headers["Accept-Encoding"] == "identity"
        assert request.headers["User-Agent"].startswith("Campfire/")


async def test_redirects_are_followed_five_times(site: Site, fetcher: Fetcher) -> None:
    """To the page that is there in the end, and no farther."""
    site.page("/5", PAGE)
    for number in range(5):

        async def onwards(_request: web.Request, to: int = number + 1) -> web.StreamResponse:
            return redirect(f"/{to}", 302 + to % 2)

        site.serve(f"/{number}", onwards)
    page = await fetcher.page(site.url + "/0")
    assert (page.url, page.facts.title) == (site.url + "/5", "Tea")

    async def in_a_circle(_request: web.Request) -> web.StreamResponse:
        return redirect("/circle")

    assert "redirects" in await refusal(fetcher, site.serve("/circle", in_a_circle))
    assert site.paths().count("/circle") == 6


@pytest.mark.parametrize(
    "inside",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://10.0.0.1:8080/",
        "http://user:secret@127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://[",
        "",
    ],
)
async def test_no_redirect_leads_inside(site: Site, fetcher: Fetcher, inside: str) -> None:
    """Each is checked like the link itself."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return redirect(inside)

    await refusal(fetcher, site.serve("/", answer))
    assert set(site.paths()) == {"/"}


@pytest.mark.parametrize(("host", "written"), [("127.0.0.2",) * 2, ("127.0.0.1", "user:secret@127.0.0.1")])
async def test_a_redirect_is_not_followed_to_what_could_not_be_linked_to(
    site: Site, blobs: BlobStore, host: str, written: str
) -> None:
    """Though something answers there: another address of this machine, or a place that wants a password."""
    fetcher = Fetcher(AddressGuard([ip_network("127.0.0.1/32")]), blobs, seconds=60)
    fetcher.open()
    async with a_site(host) as inside:
        to = inside.page("/", PAGE).replace(host, written)

        async def answer(_request: web.Request) -> web.StreamResponse:
            return redirect(to)

        await refusal(fetcher, site.serve("/", answer))
        assert inside.asked == [] and len(site.asked) == 1
    await fetcher.close()


async def test_a_site_that_was_not_allowed_is_not_asked(site: Site, blobs: BlobStore) -> None:
    """By number or by name; the reason names the setting that could allow it."""
    guard = AddressGuard(setting="CAMPFIRE_LINK_PREVIEW_ALLOW")
    fetcher = Fetcher(guard, blobs, seconds=60)
    fetcher.open()
    site.page("/", PAGE)
    for host in ("127.0.0.1", "localhost", "0x7f000001"):
        assert "CAMPFIRE_LINK_PREVIEW_ALLOW" in await refusal(fetcher, site.url.replace("127.0.0.1", host) + "/")
    assert site.asked == []
    await fetcher.close()


async def test_a_gigabyte_is_not_read(site: Site, fetcher: Fetcher) -> None:
    """Half a megabyte of it is, and the memory of the server stays as it was."""
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "text/html", "Content-Length": str(1 << 30)})
        await response.prepare(request)
        piece = b"<p>" + b"x" * 65_533
        try:
            while sent < 1 << 30:
                await response.write(piece)
                sent += len(piece)
        except ConnectionError:
            pass  # whoever asked has read enough, as it should
        return response

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    page = await fetcher.page(site.serve("/", flood))
    assert page.facts.title == ""
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
    assert sent < 64 * MOST_PAGE_BYTES


async def test_nothing_is_read_behind_the_head(site: Site, fetcher: Fetcher) -> None:
    """A page that never ends is shown as soon as its head has come, in whatever pieces."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        for piece in (b"<title>Te", b"a</title></H", b"EAD><title>no</title>"):
            await response.write(piece)
            await asyncio.sleep(0)
        await site.released.wait()
        return response

    assert (await fetcher.page(site.serve("/", endless))).facts.title == "Tea"


@pytest.mark.parametrize("after", [b"", b"<title>"])
async def test_a_site_that_hangs_is_given_up(site: Site, blobs: BlobStore, after: bytes) -> None:
    """Before it says anything or after, in all within the deadline."""
    fetcher = Fetcher(AddressGuard(LOOPBACK), blobs, seconds=0.2)
    fetcher.open()

    async def hang(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        if after:
            await response.prepare(request)
            await response.write(after)
        await site.released.wait()
        return response

    assert "within 0.2 s" in await refusal(fetcher, site.serve("/", hang))
    await fetcher.close()


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity", "zstd"])
async def test_nothing_is_unpacked(site: Site, fetcher: Fetcher, encoding: str) -> None:
    """A bomb cannot go off, since nothing packed was asked for."""
    link = site.page("/", gzip.compress(PAGE.encode() * 100_000), **{"Content-Encoding": encoding})
    assert "compressed" in await refusal(fetcher, link)


@pytest.mark.parametrize("media_type", ["application/json", "image/png", "text/plain", "application/octet-stream"])
async def test_only_html_is_read(site: Site, fetcher: Fetcher, media_type: str) -> None:
    """Whatever else is behind a link has no title."""
    assert "HTML" in await refusal(fetcher, site.page("/", PAGE, **{"Content-Type": media_type}))


async def test_bytes_that_are_called_html_show_nothing(site: Site, fetcher: Fetcher) -> None:
    """A site that lies about its type gains an empty page."""
    page = await fetcher.page(site.page("/", bytes(range(256)) * 4_000))
    assert page.facts.title == ""


async def test_an_error_page_is_not_shown(site: Site, fetcher: Fetcher) -> None:
    """Its title would be that of the error."""
    assert "404" in await refusal(fetcher, site.url + "/nowhere?token=secret")


async def test_a_connection_that_breaks_is_told_without_the_address(site: Site, fetcher: Fetcher) -> None:
    """What stands in a link may be a secret, and reasons go to the log."""

    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    reason = await refusal(fetcher, site.serve("/", hang_up) + "?token=secret")
    assert "secret" not in reason and "127.0.0.1" not in reason


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
async def test_a_picture_is_stored_by_its_content(site: Site, fetcher: Fetcher, blobs: BlobStore, form: str) -> None:
    """Whatever its server calls it."""
    content = picture(form)
    stored = await fetcher.image(site.page("/x", content, **{"Content-Type": "text/html"}))
    assert (stored.width, stored.height) == (60, 40)
    assert blobs.path(stored.digest).read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        PAGE.encode(),
        b"%PDF-1.7",
        b"",
        b"\x89PNG\r\n\x1a\n and no more of it",
    ],
)
async def test_what_is_no_picture_is_not_shown(site: Site, fetcher: Fetcher, content: bytes) -> None:
    """Though it is called one."""
    link = site.page("/x.png", content, **{"Content-Type": "image/png"})
    with pytest.raises(NotFetched):
        await fetcher.image(link)


@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_picture_is_not_kept(site: Site, fetcher: Fetcher, blobs: BlobStore, *, declared: bool) -> None:
    """Whether its server says so before or goes on sending."""

    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if declared:
            response.content_length = MOST_IMAGE_BYTES + 1
        await response.prepare(request)
        with suppress(ConnectionError):
            await response.write(picture() + bytes(MOST_IMAGE_BYTES))
        return response

    with pytest.raises(NotFetched, match="too large"):
        await fetcher.image(site.serve("/x.png", large))
    assert list(blobs.digests()) == []
