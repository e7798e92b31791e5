"""People who post links to a site and look at what becomes of it. For servers as `tests/api` opens them."""

import asyncio
import io
from typing import TYPE_CHECKING, Any

import aiohttp
from PIL import Image

from campfire.domain.events import MessagePreviewed
from link_previews_support.site import Site

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

SECONDS = 60
TEA = """<head><title>Plain</title><meta property="og:title" content="Quetzalcoatl tea">
<meta property="og:description" content="All about tea"><meta property="og:site_name" content="Teapot">
<meta property="og:image" content="/tea.png"></head>"""


def picture() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((600, 300), 40).save(file, "PNG")
    return file.getvalue()


def a_page_with_a_picture(site: Site) -> str:
    site.page("/tea.png", picture())
    return site.page("/tea", TEA)


async def posted(client: "Client", room_id: str, body: str) -> str:
    reply = await client.post(f"/api/v1/rooms/{room_id}/messages", {"body": body})
    assert reply.status == 201, reply.text
    return str(reply.json["id"])


async def previews_of(client: "Client", message_id: str) -> list[dict[str, Any]]:
    reply = await client.get(f"/api/v1/messages/{message_id}")
    assert reply.status == 200, reply.text
    return list(reply.json["link_previews"])


async def shown(client: "Client", message_id: str, *titles: str) -> list[dict[str, Any]]:
    """The message's previews, once these are their titles."""
    async with asyncio.timeout(SECONDS):
        while True:
            previews = await previews_of(client, message_id)
            if [each["title"] for each in previews] == list(titles):
                return previews
            await asyncio.sleep(0.01)


async def all_looked_at(chat: "Chat", client: "Client", site: Site) -> None:
    """Wait until everything posted before, with links to `site`, is done: a host is asked in order, one at a time."""
    link = site.page("/done", "<title>done</title>")
    await shown(client, await posted(client, chat.first_room, link), "done")


async def got(client: "Client", path: str) -> tuple[int, Any, bytes]:
    headers = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    async with aiohttp.ClientSession() as http, http.get(client.url + path, headers=headers) as response:
        return response.status, response.headers, await response.read()


async def of_feed(client: "Client", since: int, *topics: str) -> list[dict[str, Any]]:
    events = (await client.get(f"/feed?since={since}")).json["events"]
    return [event for event in events if event["event"] in topics]


async def previewed(chat: "Chat") -> list[MessagePreviewed]:
    """All such events of the log."""
    events = await asyncio.to_thread(chat.engine.reader.read, 0, 10_000, chat.engine.position)
    return [each.event for each in events if isinstance(each.event, MessagePreviewed)]
