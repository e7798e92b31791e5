"""Bots in a chat, and the server's control socket over the chat's own engine."""

import asyncio
import os

from aiohttp import web

from campfire.api.app import build_app
from campfire.api.control import build_control_app
from campfire.api.feed import FeedHub
from campfire.domain import ids
from campfire.domain.bots import decide_create_bot, decide_rotate_bot_key, decide_set_bot_commands
from campfire.domain.events import BotCalled, BotCommand, MessagePosted
from campfire.domain.messages import MessageState, decide_delete, decide_post
from campfire.domain.rooms import decide_create_room
from campfire.engine import Engine
from campfire.eventlog.group_commit import CommittedBatch
from campfire.tokens import token_hash
from outbox_support.chat import Chat

TOKEN = "AbC123xyz456"


class BotChat:
    """Ann, her room and her bots; `said` is what bots said so far."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.engine = chat.engine
        self.said: list[MessagePosted] = []
        self.calls: list[BotCalled] = []
        self._changed = asyncio.Event()
        self._control: web.AppRunner | None = None
        self.engine.subscribers.append(self._listen)

    async def add_bot(self, name: str, url: str | None, *commands: str, token: str = TOKEN) -> str:
        """A bot of this key, in Ann's room; return its id."""
        engine, bot_id = self.engine, self.engine.new_id()
        sealed = engine.sealer.seal(token)
        await engine.perform(
            lambda: decide_create_bot(
                engine.directory,
                bot_id=bot_id,
                name=name,
                token_hash=token_hash(token),
                sealed_token=sealed,
                webhook_url=url,
                actor_id=self.chat.user_id,
                at=engine.clock.now_ms(),
            )
        )
        if commands:
            await engine.perform(
                lambda: decide_set_bot_commands(
                    engine.directory,
                    bot_id=bot_id,
                    commands=[BotCommand(command) for command in commands],
                    actor_id=bot_id,
                    at=engine.clock.now_ms(),
                )
            )
        return bot_id

    async def rotate_key(self, bot_id: str, token: str) -> None:
        engine, sealed = self.engine, self.engine.sealer.seal(token)
        await engine.perform(
            lambda: decide_rotate_bot_key(
                engine.directory,
                bot_id=bot_id,
                token_hash=token_hash(token),
                sealed_token=sealed,
                actor_id=self.chat.user_id,
                at=engine.clock.now_ms(),
            )
        )

    async def direct_room(self, *others: str) -> str:
        """Ann's direct room with these; return its id."""
        engine = self.engine
        room_id = ids.direct_room_id({self.chat.user_id, *others})
        await engine.perform(
            lambda: decide_create_room(
                engine.directory,
                room_id=room_id,
                name="",
                kind="direct",
                members=others,
                actor_id=self.chat.user_id,
                at=engine.clock.now_ms(),
            )
        )
        return room_id

    async def post(self, body: str, room_id: str = "", author_id: str = "") -> tuple[MessagePosted, int]:
        """Say something, as Ann in her room; return it and its position."""
        engine = self.engine
        recorded = await engine.append(
            decide_post(
                engine.directory,
                room_id=room_id or self.chat.room_id,
                author_id=author_id or self.chat.user_id,
                body=body,
                client_message_id=engine.new_id(),
                at=engine.clock.now_ms(),
            )
        )
        posted = recorded[0].event
        assert isinstance(posted, MessagePosted)
        return posted, recorded[0].position

    async def delete(self, posted: MessagePosted) -> None:
        message = MessageState(posted.message_id, posted.room_id, posted.author_id, 1, posted.body, deleted=False)
        engine, by = self.engine, self.chat.user_id
        await engine.perform(lambda: decide_delete(engine.directory, message, actor_id=by, at=1))

    async def until_said(self, count: int) -> list[MessagePosted]:
        """Wait until bots have said so much; return it."""
        async with asyncio.timeout(60):
            while len(self.said) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.said

    async def open_control(self) -> None:
        """Be the server to the worker, at its socket in the data directory."""
        self._control = web.AppRunner(build_control_app(_app(self.engine)), access_log=None)
        await self._control.setup()
        path = self.engine.settings.socket_path
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            await web.UnixSite(self._control, str(path)).start()
        finally:
            os.umask(mask)

    async def close_control(self) -> None:
        if self._control is not None:
            await self._control.cleanup()
            self._control = None

    def _listen(self, batch: CommittedBatch) -> None:
        for recorded in batch.events:
            event = recorded.event
            if isinstance(event, BotCalled):
                self.calls.append(event)
            elif isinstance(event, MessagePosted) and event.client_message_id.startswith("bot-answer/"):
                self.said.append(event)
                self._changed.set()


def _app(engine: Engine) -> web.Application:
    return build_app(engine, FeedHub(engine))
