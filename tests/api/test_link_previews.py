"""What the links in a message lead to is shown, to those who may read it and as long as it stands."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from link_previews_support.looking import (
    TEA,
    a_page_with_a_picture,
    all_looked_at,
    got,
    of_feed,
    posted,
    previewed,
    previews_of,
    shown,
)
from link_previews_support.site import Site, a_site
from PIL import Image
from projections_support.digests import digests

from campfire.blobs.store import BlobStore
from campfire.eventlog.verification import verify
from campfire.housekeeping.blob_collector import BlobCollector
from campfire.housekeeping.scrubber import Scrubber
from projections.digest import digest_of
from projections.rebuild import rebuild_beside

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat

DAY = 86_400


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


@pytest.fixture
async def chat(open_chat: "OpenChat") -> AsyncIterator["Chat"]:
    """A server that shows link previews, also of sites on loopback."""
    async with open_chat(link_previews="on", link_preview_allow=(ip_network("127.0.0.0/8"),)) as chat:
        yield chat


async def test_a_link_is_shown_with_title_description_and_picture(
    chat: "Chat", ada: "Client", bob: "Client", site: Site
) -> None:
    """To everybody in the room, in lists of messages too; the picture small, and never as its site made it."""
    link = a_page_with_a_picture(site)
    message_id = await posted(ada, chat.first_room, f"look: {link}#top, and `{site.url}/code`")
    [preview] = await shown(bob, message_id, "Quetzalcoatl tea")
    assert preview == {
        "id": preview["id"],
        "link": f"{link}#top",
        "url": link,
        "title": "Quetzalcoatl tea",
        "description": "All about tea",
        "site_name": "Teapot",
        "image_url": f"/api/v1/link-previews/{preview['id']}/image",
        "image_width": 600,
        "image_height": 300,
    }
    [message] = (await bob.get(f"/api/v1/rooms/{chat.first_room}/messages")).json["messages"]
    assert message["link_previews"] == [preview]
    status, headers, content = await got(bob, preview["image_url"])
    assert (status, headers["Content-Type"], headers["X-Content-Type-Options"]) == (200, "image/webp", "nosniff")
    assert "sandbox" in headers["Content-Security-Policy"]
    assert Image.open(io.BytesIO(content)).format == "WEBP"
    assert site.paths() == ["/tea", "/tea.png"]


async def test_the_feed_tells_of_previews(chat: "Chat", ada: "Client", bob: "Client", site: Site) -> None:
    """As soon as they are there, and to whoever comes back later."""
    link, began = a_page_with_a_picture(site), chat.engine.position
    message_id = await posted(ada, chat.first_room, link)
    [preview] = await shown(ada, message_id, "Quetzalcoatl tea")
    [event] = await of_feed(bob, began, "message.previewed")
    assert event["data"]["id"] == message_id and event["data"]["room_id"] == chat.first_room
    [fed] = event["data"]["link_previews"]
    assert fed["has_image"] and {name: fed[name] for name in fed.keys() & preview.keys()} == {
        name: preview[name] for name in fed.keys() & preview.keys()
    }


async def test_previews_are_for_members_only(
    chat: "Chat", ada: "Client", bob: "Client", eve: "Client", site: Site
) -> None:
    """Neither the message, the picture nor the feed shows them to anybody else, nor may others remove them."""
    room = (await ada.post("/api/v1/rooms", {"name": "Closed", "kind": "closed", "members": [bob.user["id"]]})).json
    began = chat.engine.position
    message_id = await posted(ada, room["id"], a_page_with_a_picture(site))
    [preview] = await shown(bob, message_id, "Quetzalcoatl tea")
    assert (await got(bob, preview["image_url"]))[0] == 200
    assert (await got(eve, preview["image_url"]))[0] == 403
    assert (await got(chat.nobody(), preview["image_url"]))[0] == 401
    assert (await eve.get(f"/api/v1/messages/{message_id}")).status == 403
    assert await of_feed(eve, began, "message.previewed") == []
    assert (await eve.delete(f"/api/v1/messages/{message_id}/link-previews")).code == "ROOM_ACCESS_DENIED"
    assert (await bob.delete(f"/api/v1/messages/{message_id}/link-previews")).code == "PERMISSION_DENIED"
    assert (await got(bob, "/api/v1/link-previews/none/image"))[0] == 404


async def test_an_edit_looks_anew(chat: "Chat", ada: "Client", site: Site) -> None:
    """A link that is gone loses its preview at once, a new one gains it, one that stays shows its page as it is now."""
    one, two = site.page("/1", "<title>one</title>"), site.page("/2", "<title>two</title>")
    message_id = await posted(ada, chat.first_room, f"{one} {two}")
    await shown(ada, message_id, "one", "two")
    reply = await ada.patch(f"/api/v1/messages/{message_id}", {"body": f"only {two}"})
    assert [each["title"] for each in reply.json["link_previews"]] == ["two"]
    site.page("/2", "<title>two again</title>")
    await ada.patch(f"/api/v1/messages/{message_id}", {"body": f"{two} {one}"})
    await shown(ada, message_id, "two again", "one")
    site.pages.clear()
    await ada.patch(f"/api/v1/messages/{message_id}", {"body": f"{two} `{one}`"})
    await shown(ada, message_id, "two again")  # it cannot be fetched now; what was known of it stays


async def test_the_same_again_is_no_event(chat: "Chat", ada: "Client", site: Site) -> None:
    """An edit around a link that leads to the same page leaves the log as it is."""
    message_id = await posted(ada, chat.first_room, link := a_page_with_a_picture(site))
    before = await shown(ada, message_id, "Quetzalcoatl tea")
    await ada.patch(f"/api/v1/messages/{message_id}", {"body": f"better: {link}"})
    await all_looked_at(chat, ada, site)
    assert site.paths().count("/tea") == 2
    assert await shown(ada, message_id, "Quetzalcoatl tea") == before
    assert [each.message_id for each in await previewed(chat)].count(message_id) == 1


async def test_removed_previews_stay_away(chat: "Chat", ada: "Client", bob: "Client", site: Site) -> None:
    """Whatever the message is edited to; its author and administrators may, twice if they like."""
    link = a_page_with_a_picture(site)
    message_id = await posted(bob, chat.first_room, link)
    [preview] = await shown(bob, message_id, "Quetzalcoatl tea")
    began = chat.engine.position
    assert (await ada.delete(f"/api/v1/messages/{message_id}/link-previews")).status == 204
    assert (await bob.delete(f"/api/v1/messages/{message_id}/link-previews")).status == 204
    assert await previews_of(bob, message_id) == []
    assert (await got(bob, preview["image_url"]))[0] == 404
    [event] = await of_feed(bob, began, "message.previews_removed")
    assert event["data"] == {"id": message_id, "room_id": chat.first_room, "by": ada.user["id"]}
    await bob.patch(f"/api/v1/messages/{message_id}", {"body": f"again {link} and {site.page('/2', TEA)}"})
    await all_looked_at(chat, bob, site)
    assert await previews_of(bob, message_id) == [] and "/2" not in site.paths()


async def test_a_deleted_message_has_no_previews_any_more(
    chat: "Chat", ada: "Client", bob: "Client", site: Site
) -> None:
    """At once: not in the feed that somebody comes back to, not by the picture's address."""
    began = chat.engine.position
    message_id = await posted(ada, chat.first_room, a_page_with_a_picture(site))
    [preview] = await shown(ada, message_id, "Quetzalcoatl tea")
    assert (await ada.delete(f"/api/v1/messages/{message_id}")).status == 204
    assert (await got(bob, preview["image_url"]))[0] == 404
    feed = await bob.get(f"/feed?since={began}")
    assert "Quetzalcoatl" not in feed.text and preview["id"] not in feed.text
    [event] = [each for each in feed.json["events"] if each["event"] == "message.previewed"]
    assert event["data"]["link_previews"] == [] and event["data"]["deleted"]


async def test_after_a_scrub_no_file_holds_a_title(chat: "Chat", ada: "Client", site: Site, tmp_path: Path) -> None:
    """Of a deleted message, whether the preview was its last or an earlier one; the rest proves itself as before."""
    first, later = a_page_with_a_picture(site), site.page("/later", "<title>Xiuhtecuhtli</title>")
    message_id = await posted(ada, chat.first_room, first)
    await shown(ada, message_id, "Quetzalcoatl tea")
    await ada.patch(f"/api/v1/messages/{message_id}", {"body": later})
    await shown(ada, message_id, "Xiuhtecuhtli")
    await all_looked_at(chat, ada, site)
    data = chat.engine.settings.data
    assert files_with(data, "quetzalcoatl") and files_with(data, "xiuhtecuhtli")
    await ada.delete(f"/api/v1/messages/{message_id}")
    assert await Scrubber(chat.engine).sweep(at_once=True) == 1
    assert files_with(data, "quetzalcoatl") == files_with(data, "xiuhtecuhtli") == []
    assert verify(chat.engine.reader) == chat.engine.reader.tip()
    assert await rebuilt_digests(chat, tmp_path) == digests(chat.engine.settings.data)


def files_with(directory: Path, word: str) -> list[str]:
    wanted = word.encode()
    return [path.name for path in directory.rglob("*") if path.is_file() and wanted in path.read_bytes().lower()]


async def rebuilt_digests(chat: "Chat", aside: Path) -> dict[str, str]:
    rebuilt = await asyncio.to_thread(rebuild_beside, chat.engine.reader, aside / "rebuilt.db")
    found = digest_of(rebuilt.connection)
    rebuilt.close()
    return found


async def test_a_rebuild_shows_the_same_previews(chat: "Chat", ada: "Client", site: Site) -> None:
    """And asks nobody for anything."""
    link = a_page_with_a_picture(site)
    message_id = await posted(ada, chat.first_room, f"{link} {site.page('/2', '<title>two</title>')}")
    before = await shown(ada, message_id, "Quetzalcoatl tea", "two")
    await ada.patch(f"/api/v1/messages/{message_id}", {"body": f"without the second: {link}"})
    await shown(ada, message_id, "Quetzalcoatl tea")
    await all_looked_at(chat, ada, site)
    asked = len(site.asked)
    live = digests(chat.engine.settings.data)
    assert await chat.engine.rebuild() == live
    assert await previews_of(ada, message_id) == before[:1] and len(site.asked) == asked


async def test_a_picture_stays_as_long_as_its_preview(chat: "Chat", ada: "Client", site: Site) -> None:
    """The collector leaves it alone, and takes it when nothing shows it any more."""
    message_id = await posted(ada, chat.first_room, a_page_with_a_picture(site))
    [preview] = await shown(ada, message_id, "Quetzalcoatl tea")
    blobs = BlobStore(chat.engine.settings.blobs_path)
    collector = BlobCollector(chat.engine, blobs)
    [(digest, _)] = blobs.digests()
    long_ago = chat.clock.now_ms() / 1000 - 2 * DAY
    os.utime(blobs.path(digest), (long_ago, long_ago))
    assert await collector.collect() == 0
    assert (await got(ada, preview["image_url"]))[0] == 200
    assert (await ada.delete(f"/api/v1/messages/{message_id}/link-previews")).status == 204
    assert await collector.collect() == 1
    assert not blobs.exists(digest) and not chat.engine.settings.thumbnail_path(digest).exists()
