"""What the outbox worker asks about pushes: decided now, by who has read what and who is here."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from campfire.api.keys import ENGINE
from campfire.domain.push import MessageToTell, decide_gone, devices_to_tell, is_usable, silence_for
from campfire.domain.push_devices import PushSubscriptionState
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.group_commit import CommittedBatch
from campfire.markdown import plain_text
from campfire.push_words import (
    AUDIENCE_PATH,
    GONE_PATH,
    NOTIFICATION_PATH,
    Audience,
    AudienceAsked,
    DeviceToTell,
    Gone,
    Notification,
    NotificationAsked,
    Told,
)
from campfire.shortening import shortened
from projections.queries import attachments, messages, push
from projections.queries.details import MentionRow
from projections.queries.messages import MessageRow

MOST_CHARACTERS = 300
"""Of a message in a notification; no screen shows more."""

_CATCH_UP_SECONDS = 5


async def tell_audience(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    asked = msgspec.json.decode(await request.read(), type=AudienceAsked)
    await _reach(engine, asked.position)
    row = await messages.by_id(engine.read_models, asked.message_id)
    if row is None:
        return _json(Audience([]))
    message = await _to_tell(engine, row, await push.mentions_in(engine.read_models, row.id))
    found = devices_to_tell(engine.directory, message, now=engine.clock.now_ms())
    return _json(Audience([DeviceToTell(device.id, device.service) for device in found]))


async def tell_notification(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    asked = msgspec.json.decode(await request.read(), type=NotificationAsked)
    await _reach(engine, asked.position)
    told = await (_about_test(engine, asked) if asked.message_id is None else _about(engine, asked, asked.message_id))
    return _json(told)


async def end_gone(request: web.Request) -> web.Response:
    """The push service said 404 or 410."""
    engine = request.app[ENGINE]
    gone = msgspec.json.decode(await request.read(), type=Gone)
    ended = await engine.perform(
        lambda: decide_gone(
            engine.directory,
            subscription_id=gone.subscription_id,
            position=gone.device_position,
            at=engine.clock.now_ms(),
        )
    )
    return _json({"ended": bool(ended)})


def add_routes(control: web.Application) -> None:
    control.router.add_post(AUDIENCE_PATH, tell_audience)
    control.router.add_post(NOTIFICATION_PATH, tell_notification)
    control.router.add_post(GONE_PATH, end_gone)


async def _reach(engine: Engine, position: int) -> None:
    """Wait until we know what the worker has read in the log already; usually some thousandths of a second.

    Raises `SERVER_BUSY`, and `READ_MODEL_STALLED` when what we would answer is not true any more.
    """
    if engine.position < position:
        await _wait_for_position(engine, position)
    engine.read_side.require_for_decisions()
    if engine.read_side.is_behind:
        raise CampfireError("READ_MODEL_STALLED", retry_after=5)


async def _wait_for_position(engine: Engine, position: int) -> None:
    reached = asyncio.Event()

    def look(_batch: CommittedBatch) -> None:
        if engine.position >= position:
            reached.set()

    engine.subscribers.append(look)
    try:
        await asyncio.wait_for(reached.wait(), _CATCH_UP_SECONDS)
    except TimeoutError:
        raise CampfireError("SERVER_BUSY", f"Position {position} is not known here yet.", retry_after=1) from None
    finally:
        engine.subscribers.remove(look)


async def _to_tell(engine: Engine, row: MessageRow, mentions: list[MentionRow]) -> MessageToTell:
    return MessageToTell(
        room_id=row.room_id,
        author_id=row.author_id,
        position=row.position,
        deleted=row.deleted_at is not None,
        mentioned={mention.user_id for mention in mentions},
        members=await push.members_then_and_now(engine.read_models, row.room_id, row.position),
    )


async def _about(engine: Engine, asked: NotificationAsked, message_id: str) -> Told:
    row = await messages.by_id(engine.read_models, message_id)
    if row is None:
        return Told(silence="deleted")
    mentions = await push.mentions_in(engine.read_models, row.id)
    message = await _to_tell(engine, row, mentions)
    device = engine.directory.push.by_id.get(asked.subscription_id)
    badges = await push.unread_rooms(engine.read_models, [device.user_id]) if device is not None else {}
    files = (await attachments.of_messages(engine.read_models, (row.id,))).get(row.id, [])
    # Last, and from memory: whatever happened while we were looking is heeded.
    silence = silence_for(engine.directory, message, asked.subscription_id, now=engine.clock.now_ms())
    device = engine.directory.push.by_id.get(asked.subscription_id)
    if silence is not None or device is None:
        return Told(silence=silence or "unsubscribed")
    said = plain_text(row.body, mentions) or ", ".join(file.name for file in files)
    notification = _notification(engine, row, said, badges.get(device.user_id, 0))
    is_direct = engine.directory.rooms[row.room_id].kind == "direct"
    return _told(engine, device, notification, is_urgent=is_direct or device.user_id in message.mentioned)


async def _about_test(engine: Engine, asked: NotificationAsked) -> Told:
    device = engine.directory.push.by_id.get(asked.subscription_id)
    badges = await push.unread_rooms(engine.read_models, [device.user_id]) if device is not None else {}
    device = engine.directory.push.by_id.get(asked.subscription_id)
    if device is None or not is_usable(engine.directory, device, engine.clock.now_ms()):
        return Told(silence="unsubscribed")
    account = engine.directory.account
    name = account.name if account is not None else "Campfire"
    badge = badges.get(device.user_id, 0)
    notification = Notification(name, "Notifications work on this device.", "/", "test", badge)
    return _told(engine, device, notification, is_urgent=True)


def _notification(engine: Engine, row: MessageRow, said: str, badge: int) -> Notification:
    said = shortened(" ".join(said.split()), MOST_CHARACTERS)
    room = engine.directory.rooms[row.room_id]
    is_direct = room.kind == "direct"
    return Notification(
        title=row.author_name if is_direct else room.name,
        body=said if is_direct else f"{row.author_name}: {said}",
        path=f"/rooms/{room.position}/@{row.position}",
        tag=f"room-{room.id}",
        badge=badge,
        room_id=room.id,
        message_id=row.id,
    )


def _told(engine: Engine, device: PushSubscriptionState, notification: Notification, *, is_urgent: bool) -> Told:
    key = engine.directory.push.key
    if key is None:
        return Told(silence="unsubscribed")
    return Told(
        notification=notification,
        sealed_device=device.sealed,
        device_position=device.position,
        public_key=key.public_key,
        sealed_private_key=key.sealed_private_key,
        is_urgent=is_urgent,
    )


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
