"""Files in messages: brought, shown, kept from harming anybody, and taken away when nobody needs them."""

import asyncio
import io
import os
import struct
import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from PIL import Image

from campfire.blobs.store import BlobStore
from campfire.housekeeping.blob_collector import BlobCollector
from campfire.housekeeping.scrubber import Scrubber

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat, Reply

DAY = 86_400
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.domain)</script></svg>'
PAGE = b"<!doctype html><script>alert(document.domain)</script>"


def picture(width: int = 60, height: int = 40, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 40).save(file, form)
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes whose header promises 2.5 thousand million pixels."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


async def uploaded(client: "Client", content: bytes, name: str = "notes.txt") -> dict[str, Any]:
    reply = await client.post(f"/api/v1/uploads?name={name}", content)
    assert reply.status == 201, reply.text
    return dict(reply.json)


async def posted(client: "Client", room_id: str, *uploads: str, body: str = "", **more: Any) -> "Reply":
    return await client.post(f"/api/v1/rooms/{room_id}/messages", {"body": body, "uploads": uploads, **more})


async def fetched(client: "Client", url: str, **headers: str) -> tuple[int, Any, bytes]:
    """Status, headers and bytes."""
    authorization = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    async with aiohttp.ClientSession() as http, http.get(client.url + url, headers=authorization | headers) as response:
        return response.status, response.headers, await response.read()


def blobs_of(chat: "Chat") -> set[str]:
    return {digest for digest, _ in BlobStore(chat.engine.settings.blobs_path).digests()}


async def test_a_file_is_posted_and_read_by_the_room(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """With a text or without one; the bytes come back as they were brought."""
    file = await uploaded(ada, b"the minutes", "minutes%20of%20May.txt")
    assert (file["name"], file["media_type"], file["kind"], file["size"]) == (
        "minutes of May.txt",
        "text/plain",
        "file",
        11,
    )
    reply = await posted(ada, chat.first_room, file["id"])
    assert reply.status == 201 and reply.json["attachments"] == [file]
    [message] = (await bob.get(f"/api/v1/rooms/{chat.first_room}/messages")).json["messages"]
    assert message["attachments"] == [file] and message["body"] == ""
    status, headers, content = await fetched(bob, file["url"])
    assert (status, content) == (200, b"the minutes")
    assert headers["Content-Disposition"].startswith("attachment")


async def test_a_form_brings_a_file_too(chat: "Chat", ada: "Client") -> None:
    """As browsers and curl -F send it; other parts are passed over."""
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("note", "ignored")
    form.add_field("file", picture(), filename="../../sun.png", content_type="text/html")
    headers = {"Authorization": f"Bearer {ada.token}"}
    async with chat.http.post(f"{chat.url}/api/v1/uploads", data=form, headers=headers) as response:
        file = await response.json()
    assert (file["name"], file["media_type"], file["kind"]) == ("sun.png", "image/png", "image")
    assert (file["width"], file["height"]) == (60, 40)


async def test_a_picture_has_a_thumbnail(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Small enough for any telephone, and never larger than the picture."""
    file = await uploaded(ada, picture(3000, 1500, "JPEG"), "view.jpg")
    await posted(ada, chat.first_room, file["id"])
    status, headers, content = await fetched(bob, file["thumbnail_url"])
    assert (status, headers["Content-Type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(content)).size == (1200, 600)
    shown = await fetched(bob, file["url"])
    assert shown[1]["Content-Disposition"].startswith("inline")
    saved = await fetched(bob, file["url"] + "?download=true")
    assert saved[1]["Content-Disposition"].startswith("attachment")


async def test_a_part_of_a_file_can_be_asked_for(chat: "Chat", ada: "Client") -> None:
    """So that a film can be watched from the middle (RFC 9110 section 14)."""
    file = await uploaded(ada, bytes(range(256)) * 100, "film.bin")
    status, headers, content = await fetched(ada, file["url"], Range="bytes=1000-1009")
    assert (status, headers["Content-Range"]) == (206, "bytes 1000-1009/25600")
    assert content == (bytes(range(256)) * 5)[1000:1010]
    assert (await fetched(ada, file["url"], Range="bytes=99999-"))[0] == 416


@pytest.mark.parametrize(("content", "name"), [(SVG, "logo.svg"), (PAGE, "page.html"), (PAGE, "x.png"), (SVG, "x.jpg")])
async def test_nothing_in_a_file_runs_as_a_page_of_ours(chat: "Chat", ada: "Client", content: bytes, name: str) -> None:
    """Whatever it is called: it is text, to be saved, without a browser's guessing, in a sandbox."""
    file = await uploaded(ada, content, name)
    _, headers, _ = await fetched(ada, file["url"])
    assert headers["Content-Type"] in ("text/plain; charset=utf-8", "application/octet-stream")
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert file["kind"] == "file" and file["thumbnail_url"] is None


async def test_an_image_bomb_is_refused(chat: "Chat", ada: "Client") -> None:
    """By its header, before anybody's memory pays for it."""
    refused = await ada.post("/api/v1/uploads?name=bomb.png", bomb())
    assert (refused.status, refused.code) == (422, "VALIDATION_FAILED")
    assert (await ada.put("/api/v1/me/avatar", bomb())).status == 422


async def test_a_hostile_name_injects_nothing(chat: "Chat", ada: "Client") -> None:
    """Neither a header nor a path."""
    file = await uploaded(ada, b"x", "%22%0D%0ASet-Cookie:%20x=1%0D%0A..%2F..%2Fetc%2Fpasswd")
    status, headers, _ = await fetched(ada, file["url"])
    assert status == 200 and "Set-Cookie" not in headers
    assert "/" not in file["name"] and "\r" not in file["name"] and "\n" not in headers["Content-Disposition"]


async def test_a_file_is_for_the_room_only(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Before it is posted for who brought it; without signing in for nobody."""
    den = (await ada.post("/api/v1/rooms", {"name": "Den", "kind": "closed"})).json["id"]
    file = await uploaded(ada, picture(), "secret.png")
    for url in (file["url"], file["thumbnail_url"]):
        assert (await bob.get(url)).code == "ATTACHMENT_NOT_FOUND"
        assert (await chat.nobody().get(url)).code == "AUTHENTICATION_REQUIRED"
    await posted(ada, den, file["id"])
    for url in (file["url"], file["thumbnail_url"]):
        assert (await bob.get(url)).code == "ROOM_ACCESS_DENIED"
        assert (await fetched(ada, url))[0] == 200


async def test_an_upload_is_ones_own_and_used_once(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Whoever learns its id gets nothing; two messages cannot share it."""
    file = await uploaded(ada, b"mine")
    refused = await posted(bob, chat.first_room, file["id"])
    assert (refused.status, refused.code) == (404, "UPLOAD_NOT_FOUND")
    replies = await asyncio.gather(*(posted(ada, chat.first_room, file["id"]) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [201, 404, 404, 404]
    assert (await posted(ada, chat.first_room, "no-such")).code == "UPLOAD_NOT_FOUND"
    twice = await uploaded(ada, b"mine")
    assert (await posted(ada, chat.first_room, twice["id"], twice["id"])).code == "VALIDATION_FAILED"


async def test_a_repeated_post_with_a_file_is_one_message(chat: "Chat", ada: "Client") -> None:
    """A client that never saw its acknowledgement sends the same again, after the file has been used up by it."""
    file = await uploaded(ada, b"once")
    first = await posted(ada, chat.first_room, file["id"], client_message_id="c1")
    again = await posted(ada, chat.first_room, file["id"], client_message_id="c1")
    assert (first.status, again.status) == (201, 200)
    assert again.json["id"] == first.json["id"] and again.json["duplicate"]
    other = await posted(ada, chat.first_room, body="another", client_message_id="c1")
    assert other.code == "CLIENT_MESSAGE_ID_REUSED"


async def test_too_large_a_file_leaves_nothing(open_chat: "OpenChat") -> None:
    """Whether its size is told before or not."""
    async with open_chat(upload_limit_mb=1) as chat:
        ada = await chat.set_up()
        told = await ada.post("/api/v1/uploads?name=x", b"x" * 1_000_001)

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 100_000

        headers = {"Authorization": f"Bearer {ada.token}"}
        async with chat.http.post(f"{chat.url}/api/v1/uploads", data=pieces(), headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert (told.status, told.code) == (413, "PAYLOAD_TOO_LARGE")
        assert blobs_of(chat) == set()
        assert (await ada.post("/api/v1/uploads?name=x", b"")).code == "VALIDATION_FAILED"
        assert (await ada.post("/api/v1/uploads?name=x", b"x" * 1_000_000)).status == 201


async def test_a_file_that_stops_coming_is_given_up(open_chat: "OpenChat") -> None:
    """And nothing of it stays."""
    async with open_chat(body_seconds=0.2) as chat:
        ada = await chat.set_up()
        enough = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            yield b"x" * 1000
            await enough.wait()

        headers = {"Authorization": f"Bearer {ada.token}"}
        async with chat.http.post(f"{chat.url}/api/v1/uploads", data=pieces(), headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (408, "REQUEST_TIMEOUT")
            enough.set()
        assert not list((chat.engine.settings.blobs_path / "incoming").iterdir())


async def test_the_same_content_is_kept_once(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Under the digest of itself."""
    for client in (ada, bob):
        file = await uploaded(client, b"the same")
        await posted(client, chat.first_room, file["id"])
    assert len(blobs_of(chat)) == 1


async def test_messages_are_found_by_what_they_hold(chat: "Chat", ada: "Client") -> None:
    """has:file and has:image, also after an edit of the text."""
    for content, name, body in ((picture(), "a.png", "sunset"), (b"text", "b.txt", "report"), (b"", "", "talk")):
        uploads = [(await uploaded(ada, content, name))["id"]] if content else []
        message = (await posted(ada, chat.first_room, *uploads, body=body)).json
        await ada.patch(f"/api/v1/messages/{message['id']}", {"body": f"{body} again"})

    async def found(text: str) -> list[str]:
        return [each["body"] for each in (await ada.get(f"/api/v1/search?q={text}")).json["messages"]]

    assert await found("has:file") == ["report again", "sunset again"]
    assert await found("has:image") == ["sunset again"]


async def test_a_message_with_a_file_may_lose_its_text(chat: "Chat", ada: "Client") -> None:
    """One without may not."""
    file = await uploaded(ada, b"x")
    message = (await posted(ada, chat.first_room, file["id"], body="look")).json
    assert (await ada.patch(f"/api/v1/messages/{message['id']}", {"body": ""})).json["body"] == ""
    plain = (await posted(ada, chat.first_room, body="look")).json
    assert (await ada.patch(f"/api/v1/messages/{plain['id']}", {"body": ""})).code == "VALIDATION_FAILED"


@pytest.fixture
def collector(chat: "Chat") -> BlobCollector:
    return BlobCollector(chat.engine, BlobStore(chat.engine.settings.blobs_path))


def age(chat: "Chat") -> None:
    """Let every blob have been brought when the clock began; the clock of the tests is not the disk's."""
    store = BlobStore(chat.engine.settings.blobs_path)
    for digest, _ in store.digests():
        os.utime(store.path(digest), (0, 0))


async def test_a_file_that_nobody_posts_goes(chat: "Chat", ada: "Client", collector: BlobCollector) -> None:
    """After a day; one that is in a message stays, and so does one that came back meanwhile."""
    kept, lost, shared = [await uploaded(ada, content) for content in (b"kept", b"lost", b"kept")]
    await posted(ada, chat.first_room, kept["id"])
    age(chat)
    assert await collector.collect() == 0
    chat.clock.advance(DAY + 1)
    assert await collector.collect() == 1
    assert len(blobs_of(chat)) == 1
    assert (await fetched(ada, kept["url"]))[2] == b"kept"
    assert (await posted(ada, chat.first_room, lost["id"])).code == "UPLOAD_NOT_FOUND"
    assert (await posted(ada, chat.first_room, shared["id"])).code == "UPLOAD_NOT_FOUND"


async def test_a_file_without_an_event_goes_later(chat: "Chat", ada: "Client", collector: BlobCollector) -> None:
    """As a crash between the two leaves it; never at once, since its event may be on its way."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"orphan"

    store = BlobStore(chat.engine.settings.blobs_path)
    blob = await store.take(pieces(), 100)
    modified = dict(store.digests())[blob.digest]
    assert await collector.collect() == 0
    chat.clock.advance(modified + DAY + 10 - chat.clock.now_ms() / 1000)
    assert await collector.collect() == 1


async def test_nothing_is_collected_while_a_read_model_has_stopped(
    chat: "Chat", ada: "Client", collector: BlobCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would not know of every file that somebody needs."""
    await uploaded(ada, b"needed")
    age(chat)
    chat.clock.advance(2 * DAY)
    monkeypatch.setattr(type(chat.engine.read_side), "stalled", {"attachments": "poison"})
    assert await collector.collect() == 0
    assert len(blobs_of(chat)) == 1


async def test_a_deleted_messages_file_is_gone_for_readers_at_once_and_from_the_disk_with_its_scrub(
    chat: "Chat", ada: "Client", collector: BlobCollector
) -> None:
    """Its name is out of the log too."""
    file = await uploaded(ada, picture(), "Quetzalcoatl.png")
    message = (await posted(ada, chat.first_room, file["id"])).json
    await fetched(ada, file["thumbnail_url"])
    await ada.delete(f"/api/v1/messages/{message['id']}")
    assert (await ada.get(file["url"])).code == "ATTACHMENT_NOT_FOUND"
    await Scrubber(chat.engine).sweep(at_once=True)
    age(chat)
    chat.clock.advance(DAY + 1)
    assert await collector.collect() == 1
    data = chat.engine.settings.data
    left = [path for path in data.rglob("*") if path.is_file() and b"Quetzalcoatl" in path.read_bytes()]
    assert left == [] and not list(chat.engine.settings.thumbnails_path.rglob("*.webp"))


async def test_people_show_themselves_by_a_picture_or_by_initials(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Small and square, whatever was brought; another address for another picture."""
    initials = (await bob.get("/api/v1/me")).json["avatar_url"]
    status, headers, content = await fetched(ada, initials)
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8") and b">B<" in content
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert (await bob.put("/api/v1/me/avatar", picture(900, 300))).status == 204
    url = (await ada.get(f"/api/v1/users/{bob.user['id']}")).json["avatar_url"]
    assert url != initials
    _, headers, content = await fetched(ada, url)
    assert headers["Content-Type"] == "image/webp" and Image.open(io.BytesIO(content)).size == (512, 512)
    assert (await bob.put("/api/v1/me/avatar", b"no picture")).code == "VALIDATION_FAILED"
    assert (await ada.put(f"/api/v1/users/{bob.user['id']}/avatar", picture())).code == "PERMISSION_DENIED"
    assert (await bob.delete("/api/v1/me/avatar")).status == 204
    assert (await bob.get("/api/v1/me")).json["avatar_url"] == initials


async def test_the_account_has_a_logo(chat: "Chat", ada: "Client", bob: "Client", collector: BlobCollector) -> None:
    """Seen before one signs in; administrators set it; it is never collected while it is in use."""
    assert (await bob.put("/api/v1/account/logo", picture())).code == "PERMISSION_DENIED"
    assert (await chat.nobody().get("/api/v1/account/logo")).code == "ATTACHMENT_NOT_FOUND"
    assert (await ada.put("/api/v1/account/logo", picture(1000, 500))).status == 204
    url = (await chat.nobody().get("/api/v1/welcome")).json["logo_url"]
    age(chat)
    chat.clock.advance(DAY + 1)
    assert await collector.collect() == 1  # the picture as it was brought
    _, headers, content = await fetched(chat.nobody(), url)
    assert headers["Content-Type"] == "image/webp" and Image.open(io.BytesIO(content)).size == (512, 256)
    _, _, small = await fetched(chat.nobody(), f"{url}&size=192")
    assert Image.open(io.BytesIO(small)).size == (192, 96)
    assert (await ada.delete("/api/v1/account/logo")).status == 204
    assert (await chat.nobody().get("/api/v1/welcome")).json["logo_url"] is None


async def test_a_form_that_cannot_be_read_is_the_senders_fault(chat: "Chat", ada: "Client") -> None:
    """400, also for a part whose head never ends."""
    head = b'Content-Disposition: form-data; name="file"; filename="x"\r\nX: ' + b"a" * 100_000
    headers = {"Authorization": f"Bearer {ada.token}", "Content-Type": "multipart/form-data; boundary=XX"}
    body = b"--XX\r\n" + head + b"\r\n\r\nhi\r\n--XX--\r\n"
    async with chat.http.post(f"{chat.url}/api/v1/uploads", data=body, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["code"] == "MALFORMED_REQUEST"
