"""Whom the server asks because somebody posted a link, and what harm that does: none."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
import structlog
from aiohttp import web
from link_previews_support.looking import (
    SECONDS,
    TEA,
    all_looked_at,
    posted,
    previewed,
    previews_of,
    shown,
)
from link_previews_support.site import Site, a_site

from campfire.api.feed import FeedHub
from campfire.domain.events import MessagePosted, NewEvent
from campfire.domain.ids import random_id
from campfire.link_previews.previewer import LinkPreviewer

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


@pytest.fixture
async def chat(open_chat: "OpenChat") -> AsyncIterator["Chat"]:
    """A server that shows link previews, also of sites on loopback."""
    async with open_chat(link_previews="on", link_preview_allow=(ip_network("127.0.0.0/8"),)) as chat:
        yield chat


async def test_a_message_deleted_or_edited_meanwhile_gets_no_preview(chat: "Chat", ada: "Client", site: Site) -> None:
    """What comes back late is not recorded."""
    asked, go_on = asyncio.Queue[str](), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        asked.put_nowait(request.path)
        await go_on.wait()
        return web.Response(text=TEA, content_type="text/html")

    deleted = await posted(ada, chat.first_room, site.serve("/deleted", slow))
    await asked.get()
    assert (await ada.delete(f"/api/v1/messages/{deleted}")).status == 204
    go_on.set()
    await all_looked_at(chat, ada, site)
    go_on.clear()
    edited = await posted(ada, chat.first_room, site.serve("/edited", slow))
    await asked.get()
    await ada.patch(f"/api/v1/messages/{edited}", {"body": "nothing to see"})
    go_on.set()
    await all_looked_at(chat, ada, site)
    assert await previews_of(ada, edited) == []
    assert not {deleted, edited} & {each.message_id for each in await previewed(chat)}


async def test_hostile_sites_harm_nobody(chat: "Chat", ada: "Client", site: Site) -> None:
    """Their links are shown without previews; posting goes on, and no secret of a link gets into the log lines."""

    async def inside(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data?key=s3cret"})

    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    image = f'<title>bomb</title><meta property="og:image" content="{site.url}/bomb.png?key=s3cret">'
    links = [
        site.serve("/inside", inside),
        site.serve("/hang-up", hang_up),
        site.page("/packed", b"\x1f\x8b" + bytes(1000), **{"Content-Encoding": "gzip"}),
        site.page("/untitled", "<p>nothing</p>"),
        "http://169.254.169.254/latest/meta-data",
        site.url + "/missing",
    ]
    site.page("/bomb.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
    with structlog.testing.capture_logs() as logs:
        harmless = [await posted(ada, chat.first_room, f"{link}?token=s3cret") for link in links]
        pictured = await posted(ada, chat.first_room, site.page("/bomb", image) + "?token=s3cret")
        await all_looked_at(chat, ada, site)
    for message_id in harmless:
        assert await previews_of(ada, message_id) == []
    [preview] = await previews_of(ada, pictured)
    assert (preview["title"], preview["image_url"]) == ("bomb", None)
    assert len([each for each in logs if each["event"] == "link_not_previewed"]) >= len(links) - 1
    assert "s3cret" not in str(logs) and all(each["log_level"] == "info" for each in logs)


async def test_a_host_is_asked_for_one_thing_at_a_time(chat: "Chat", ada: "Client", site: Site) -> None:
    """However many messages lead there; and one that hangs holds up only those that lead to it."""
    for number in range(12):
        site.page(f"/{number}", f"<title>{number}</title>")
    ids = [await posted(ada, chat.first_room, f"{site.url}/{number}") for number in range(12)]
    for number, message_id in enumerate(ids):
        await shown(ada, message_id, str(number))
    assert site.most_at_once == 1
    async with a_site() as slow:
        began = asyncio.Event()

        async def hang(_request: web.Request) -> web.StreamResponse:
            began.set()
            await slow.released.wait()
            return web.Response()

        for number in range(8):
            await posted(ada, chat.first_room, slow.serve(f"/{number}", hang))
        await began.wait()
        await all_looked_at(chat, ada, site)
        assert len(slow.asked) == 1


async def test_switched_off_nobody_is_asked(open_chat: "OpenChat", site: Site) -> None:
    """A server may keep to itself what its people link to."""
    async with open_chat(link_previews="off", link_preview_allow=(ip_network("127.0.0.0/8"),)) as chat:
        ada = await chat.set_up()
        message_id = await posted(ada, chat.first_room, site.page("/", TEA))
        owners = [type(getattr(told, "__self__", None)) for told in chat.engine.subscribers]
        assert FeedHub in owners and LinkPreviewer not in owners
        assert await previews_of(ada, message_id) == [] and site.asked == []


async def test_networks_that_webhooks_may_reach_are_closed_to_links(open_chat: "OpenChat", site: Site) -> None:
    """Anybody can post a link; what an administrator opened for webhooks is not theirs to look into."""
    allow = (ip_network("127.0.0.0/8"),)
    async with open_chat(link_previews="on", webhook_allow=allow) as chat:
        ada = await chat.set_up()
        link = site.page("/", TEA)
        with structlog.testing.capture_logs() as logs:
            await posted(ada, chat.first_room, link)
            async with asyncio.timeout(SECONDS):
                while not [each for each in logs if each["event"] == "link_not_previewed"]:
                    await asyncio.sleep(0.01)
        assert "CAMPFIRE_LINK_PREVIEW_ALLOW" in str(logs) and site.asked == []


async def test_imported_history_asks_nobody(chat: "Chat", ada: "Client", site: Site) -> None:
    """A million old links would be a flood, and most of them are dead."""
    link = site.page("/old", TEA)
    event = MessagePosted(
        at=1,
        message_id=random_id(),
        room_id=chat.first_room,
        author_id=ada.user["id"],
        author_name="Ada",
        body=link,
        client_message_id="old",
        origin="import",
    )
    await chat.engine.append([NewEvent(event.message_id, 1, event)])
    await all_looked_at(chat, ada, site)
    assert "/old" not in site.paths()


async def test_a_server_stops_though_a_site_hangs(open_chat: "OpenChat", site: Site) -> None:
    """What was being fetched is let go of."""
    began = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        began.set()
        await site.released.wait()
        return web.Response()

    async with open_chat(link_previews="on", link_preview_allow=(ip_network("127.0.0.0/8"),)) as chat:
        ada = await chat.set_up()
        await posted(ada, chat.first_room, site.serve("/", hang))
        await began.wait()
    assert not site.released.is_set()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("link previews")]
