"""Calling a bot as ONCE Campfire does: what it is told, and what its response means."""

import asyncio
import mimetypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiohttp
import msgspec

from campfire.domain.events import BotCalled, Mention, MessagePosted
from campfire.domain.messages import MAX_BYTES
from campfire.html_to_markdown import markdown_of
from campfire.markdown import html_of, plain_text
from campfire.sealing import Sealer
from outbox.deliveries import Claimed
from outbox.loops import header_of
from outbox.reading import Body, read_at_most
from outbox.sender import Answer, Outcome, Sender

MOST_TEXT = 2 * MAX_BYTES
"""Bytes of a text that are read; a message holds less, but its HTML may be longer than what it says."""
MOST_FILE = 10_000_000
"""Bytes of a file that a bot may answer with."""

_TEXTS = ("text/plain", "text/html")
_CHARSETS = frozenset({"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"})
_NOBODY = "\0"
"""Stands for the bot where it is mentioned; no body can hold it."""


class _Named(NamedTuple):
    """A mention by the name that was written; at this moment it is the present one."""

    user_id: str
    name: str
    start: int
    end: int


def payload_of(called: BotCalled, posted: MessagePosted, number: int) -> bytes:
    """What the bot is told, but for where to answer, which holds its key (`addressed`).

    `number` is the message's position. The members of ONCE Campfire's contract, and two of our own: the slash
    command, if one called it, and our ids.
    """
    told: dict[str, Any] = {
        "user": {"id": called.user_number, "name": called.user_name},
        "room": {"id": called.room_number, "name": called.room_name},
        "message": {
            "id": number,
            "body": {"html": _html(posted), "plain": _plain(posted, called.bot_id)},
            "path": f"/rooms/{called.room_number}/@{number}",
        },
    }
    if called.command is not None:
        text = posted.body[len(called.command) + 1 :].strip()
        told["command"] = {"name": called.command, "text": text}
    told["campfire"] = {"message_id": called.message_id, "room_id": called.room_id, "user_id": called.user_id}
    return msgspec.json.encode(told)


def addressed(payload: bytes, key: str) -> bytes:
    """The payload with where to answer, under the key that is the bot's at this moment."""
    told = msgspec.json.decode(payload)
    told["room"]["path"] = f"/rooms/{told['room']['id']}/{key}/messages"
    return msgspec.json.encode(told)


def too_late(seconds: float) -> str:
    """What a bot says that had no answer in time: ONCE Campfire's sentence."""
    return f"Failed to respond within {seconds:g} seconds"


class BotCaller:
    """Calls bots with the sender that webhooks have too. `seconds` for the whole answer."""

    def __init__(self, sender: Sender, sealer: Sealer, *, seconds: float) -> None:
        self._sender = sender
        self._sealer = sealer
        self._seconds = seconds

    async def attempt(self, claimed: Claimed, told: bytes) -> Outcome:
        """Call once with what it is `told`. A bot that takes too long answers, as in ONCE Campfire, by saying so.

        Nothing is signed: the address to answer at holds the key, which nobody else knows.
        """
        place = claimed.destination
        key = f"{place.number}-{self._sealer.open(place.secrets[0][0])}"
        payload = addressed(told, key)
        headers = self._sender.headers_for(claimed.id, payload, (), header_of(claimed.hops))
        outcome = await self._sender.post(place.url, payload, headers, judge=self._judged, seconds=self._seconds)
        if outcome.failure_class == "timeout":
            return msgspec.structs.replace(outcome, answer=Answer(too_late(self._seconds).encode()))
        return outcome

    async def _judged(self, response: aiohttp.ClientResponse) -> Outcome:
        """Any 2xx is a delivery; what is posted comes with 200 only. An answer is never kept as an excerpt."""
        if not 200 <= response.status < 300:
            outcome = await self._sender.judged(response)
            # To a bot, 410 is an answer as any other: nothing of ONCE Campfire's ends its calls for ever.
            return msgspec.structs.replace(outcome, may_end_deliveries=False)
        return await self._answered(response)

    async def _answered(self, response: aiohttp.ClientResponse) -> Outcome:
        declared = response.headers.get("Content-Type")
        if response.status != 200 or declared is None:
            return _not_posted(response, "only a 200 that says its content type is an answer")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            return _not_posted(response, "the answer is compressed, which nobody asked for")
        if response.content_type in _TEXTS:
            body = await read_at_most(response, MOST_TEXT)
            if body.broken:
                return _cut_off(body, response)
            # In a thread: to read HTML may take longer than others should wait.
            text = await asyncio.to_thread(_text, body.content, response.charset, response.content_type)
            return _posted(Answer(text.encode()) if text else None)
        extension = mimetypes.guess_extension(response.content_type, strict=False)
        if extension is None:
            return _not_posted(response, "what it declares is no known content type")
        body = await read_at_most(response, MOST_FILE + 1)
        if body.broken:
            return _cut_off(body, response)
        if len(body.content) > MOST_FILE:
            return _not_posted(response, f"the file is larger than {MOST_FILE} bytes")
        return _posted(Answer(body.content, f"attachment{extension}") if body.content else None)


def _posted(answer: Answer | None) -> Outcome:
    return Outcome(None, "answered" if answer else "answered with nothing", 200, answer=answer)


def _cut_off(body: Body, response: aiohttp.ClientResponse) -> Outcome:
    """What is left of a text or a file says something else than the bot did."""
    return Outcome("network", f"the answer was cut off: {body.broken}", response.status)


def _not_posted(response: aiohttp.ClientResponse, why: str) -> Outcome:
    response.close()
    return Outcome(None, f"delivered; nothing is posted: {why}", response.status)


def _text(body: bytes, declared: str | None, content_type: str) -> str:
    """What the bot says, as a message may hold it; empty for nothing."""
    charset = (declared or "utf-8").lower()
    text = body.decode(charset if charset in _CHARSETS else "utf-8", errors="replace").replace("\0", "")
    return (markdown_of(text) if content_type == "text/html" else text).strip()


def _html(posted: MessagePosted) -> str:
    return html_of(posted.body, [_named(posted, each) for each in posted.mentions])


def _plain(posted: MessagePosted, bot_id: str) -> str:
    """Without the mention of this bot, and trimmed; a file's name where nothing else is said."""
    if not posted.body and posted.attachments:
        return posted.attachments[0].name
    return plain_text(posted.body, _others_named(posted, bot_id)).replace(f"@{_NOBODY}", "").strip()


def _others_named(posted: MessagePosted, bot_id: str) -> Sequence[_Named]:
    """Everybody mentioned; where this bot is, whoever shares its name is not, and nobody is named."""
    mine = {(each.start, each.end) for each in posted.mentions if each.user_id == bot_id}
    others = [_named(posted, each) for each in posted.mentions if (each.start, each.end) not in mine]
    return [*others, *(_Named(bot_id, _NOBODY, start, end) for start, end in sorted(mine))]


def _named(posted: MessagePosted, mention: Mention) -> _Named:
    return _Named(mention.user_id, posted.body[mention.start + 1 : mention.end], mention.start, mention.end)
