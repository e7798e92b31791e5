"""Looks at the links of what people post, beside the path that messages take; nobody waits for it.

What it finds is an event of the message's stream at the version that it decided from, so that nothing is
shown on a message that was deleted or edited meanwhile. What was waiting when the server stops is forgotten.
"""

import asyncio
import sqlite3

import structlog
from yarl import URL

from campfire.blobs.images import Thumbnails
from campfire.blobs.store import BlobStore
from campfire.domain.events import LinkPreview, MessageEdited, MessagePosted, PreviewImage, RecordedEvent
from campfire.domain.link_previews import decide_preview
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.errors import VersionConflict
from campfire.eventlog.group_commit import CommittedBatch
from campfire.link_previews.fetching import SECONDS, Fetcher, NotFetched
from campfire.link_previews.links import find_links, hosts_named
from campfire.link_previews.waiting import Waiting
from outbox.address_guard import AddressGuard
from projections.queries import link_previews, messages

_WORKERS = 4
_MOST_WAITING = 500
_TRIES = 4

log = structlog.get_logger()


class LinkPreviewer:
    """One for the server. Use `start`, then `close`."""

    def __init__(self, engine: Engine, blobs: BlobStore, thumbnails: Thumbnails, *, seconds: float = SECONDS) -> None:
        settings = engine.settings
        guard = AddressGuard(settings.link_preview_allow, settings.own_ports, setting="CAMPFIRE_LINK_PREVIEW_ALLOW")
        self._engine = engine
        self._blobs = blobs
        self._thumbnails = thumbnails
        self._fetcher = Fetcher(guard, blobs, seconds=seconds)
        self._waiting = Waiting(_MOST_WAITING)
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Look at what is posted from now on."""
        self._fetcher.open()
        self._workers = [asyncio.create_task(self._work(), name=f"link previews {n}") for n in range(_WORKERS)]
        self._engine.subscribers.append(self._take)

    async def close(self) -> None:
        """Stop, whatever is being fetched."""
        self._engine.subscribers.remove(self._take)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._fetcher.close()

    def _take(self, batch: CommittedBatch) -> None:
        for recorded in batch.events:
            hosts = _hosts_in(recorded)
            if hosts:
                self._waiting.put(recorded.stream_id, hosts)

    async def _work(self) -> None:
        while True:
            async with self._waiting.next() as message_id:
                try:
                    await self._preview(message_id)
                except (CampfireError, sqlite3.Error, OSError) as error:
                    log.warning("links_not_previewed", message_id=message_id, error=str(error))
                except Exception:
                    # One message that nobody thought of must not leave all others without previews.
                    log.exception("link_preview_failed", message_id=message_id)

    async def _preview(self, message_id: str) -> None:
        """Fetch anew what the message's links lead to; a link that cannot be fetched now keeps what it had."""
        read_models = self._engine.read_models
        message = await messages.state(read_models, message_id)
        if message is None or message.deleted or message.without_previews:
            return
        body = message.body
        had = {preview.link: preview for preview in await self._shown(message_id)}
        found: list[LinkPreview] = []
        for link in await asyncio.to_thread(find_links, body):
            preview = await self._fetched(link) or had.get(link)
            if preview is not None:
                found.append(preview)
        await self._record(message_id, body, found)

    async def _record(self, message_id: str, body: str, found: list[LinkPreview]) -> None:
        for _ in range(_TRIES):
            message = await messages.state(self._engine.read_models, message_id)
            if message is None:
                return
            shown = await self._shown(message_id)
            events = decide_preview(message, body, found=found, shown=shown, at=self._engine.clock.now_ms())
            if not events:
                return
            try:
                await self._engine.append(events)
                return
            except VersionConflict:
                continue
        log.warning("links_not_previewed", message_id=message_id, error="somebody else changed it every time")

    async def _shown(self, message_id: str) -> list[LinkPreview]:
        return (await link_previews.of_messages(self._engine.read_models, [message_id])).get(message_id, [])

    async def _fetched(self, link: str) -> LinkPreview | None:
        """What there is to show of the link; None, and a line in the log, if there is nothing."""
        try:
            page = await self._fetcher.page(link)
            if not page.facts.title:
                raise NotFetched("it has no title")
        except NotFetched as error:
            log.info("link_not_previewed", host=URL(link).host, why=str(error))
            return None
        return LinkPreview(
            id=self._engine.new_id(),
            link=link,
            url=page.facts.url or page.url,
            title=page.facts.title,
            description=page.facts.description,
            site_name=page.facts.site_name,
            image=await self._image(page.facts.image) if page.facts.image else None,
        )

    async def _image(self, address: str) -> PreviewImage | None:
        """The picture, stored, if a small one can be made of it; its event follows long before a collector comes."""
        try:
            stored = await self._fetcher.image(address)
            source, target = self._blobs.path(stored.digest), self._engine.settings.thumbnail_path(stored.digest)
            if not target.exists() and not await self._thumbnails.make_thumbnail(source, target):
                raise NotFetched("no small picture can be made of it")
        except NotFetched as error:
            log.info("link_preview_without_picture", host=URL(address).host, why=str(error))
            return None
        return PreviewImage(stored.digest, stored.width, stored.height)


def _hosts_in(recorded: RecordedEvent) -> frozenset[str]:
    """The hosts that something said just now may lead to; none for imported history."""
    event = recorded.event
    if isinstance(event, (MessagePosted, MessageEdited)) and event.origin == "live":
        return hosts_named(event.body)
    return frozenset()
