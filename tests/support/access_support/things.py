"""What calls are about: the names that stand in braces in addresses and bodies, and how each comes to be."""

import io
from typing import Any

from outbox_support.planted import plant_dead_letters
from PIL import Image

from access_support.cell import OUTSIDE, Cell, Factory
from access_support.world import Person
from campfire.domain.boosts import decide_boost
from campfire.domain.events import LinkPreview, PreviewImage
from campfire.domain.link_previews import decide_preview
from campfire.domain.marks import decide_pin, decide_save
from campfire.domain.memberships import decide_remove_member
from campfire.domain.messages import MessageState
from campfire.domain.people import decide_deactivate
from campfire.domain.rooms import decide_archive_room
from campfire.domain.sign_in_links import decide_make_password_reset, decide_make_transfer
from campfire.domain.webhooks import decide_create_webhook
from campfire.people_tool import new_link
from projections.queries import attachments, messages


def picture() -> bytes:
    """A small PNG."""
    file = io.BytesIO()
    Image.new("RGB", (8, 6), "teal").save(file, "PNG")
    return file.getvalue()


async def state(cell: Cell, message_id: str) -> MessageState:
    found = await messages.state(cell.world.engine.read_models, message_id)
    assert found is not None
    return found


async def _closed_room(cell: Cell) -> str:
    return await cell.room()


async def _own_room(cell: Cell) -> str:
    return await cell.room(by=cell.actor)


async def _open_room(cell: Cell) -> str:
    return await cell.room("open")


async def _direct_room(cell: Cell) -> str:
    return await cell.room("direct")


async def _archived_room(cell: Cell) -> str:
    room_id = await cell.room()
    await cell.world.post(cell.owner, room_id, f"quicksilver {cell.secret}")
    if cell.kind in OUTSIDE:
        await cell.world.do(decide_remove_member, room_id=room_id, user_id=cell.actor.id, actor_id=cell.owner.id)
    await cell.world.do(decide_archive_room, room_id=room_id, actor_id=cell.owner.id)
    return room_id


async def _message(cell: Cell) -> str:
    """By the owner; the caller has saved it, as long as they could."""
    said = await cell.world.post(cell.owner, await cell.thing("room_id"), f"quicksilver {cell.secret}")
    kept = await state(cell, said.id)
    await cell.world.do(decide_save, kept, saved=True, is_saved=False, actor_id=cell.actor.id)
    await cell.world.do(decide_pin, kept, pinned=True, actor_id=cell.owner.id)
    await cell.world.post(cell.owner, said.room_id, f"quicksilver, again {cell.secret}", reply_to=said.id)
    return said.id


async def _own_message(cell: Cell) -> str:
    return (await cell.world.post(cell.actor, await cell.thing("room_id"), f"mine {cell.secret}")).id


async def _direct_message(cell: Cell) -> str:
    return (await cell.world.post(cell.owner, await cell.thing("direct_room"), f"quicksilver {cell.secret}")).id


async def _message_elsewhere(cell: Cell) -> str:
    """In a room that the caller has never been in."""
    room_id = await cell.world.room(cell.owner, name=f"Hidden {cell.secret}")
    return (await cell.world.post(cell.owner, room_id, f"quicksilver {cell.secret}")).id


async def _archived_message(cell: Cell) -> str:
    [row] = await messages.latest(cell.world.engine.read_models, await cell.thing("archived_room"), 1)
    return row.id


async def _boosted(cell: Cell, by: Person) -> str:
    message = await state(cell, await cell.thing("message_id"))
    boost_id = cell.world.engine.new_id()
    await cell.world.do(decide_boost, message, boost_id=boost_id, content="👏", actor_id=by.id)
    return boost_id


async def _boost(cell: Cell) -> str:
    return await _boosted(cell, cell.owner)


async def _own_boost(cell: Cell) -> str:
    return await _boosted(cell, cell.actor)


async def _uploaded(cell: Cell, by: Person, content: bytes, name: str) -> str:
    reply = await cell.world.send("POST", f"/api/v1/uploads?name={name}", content, token=by.token)
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


async def _upload_of_owner(cell: Cell) -> str:
    return await _uploaded(cell, cell.owner, cell.secret.encode(), "notes.txt")


async def _own_upload(cell: Cell) -> str:
    return await _uploaded(cell, cell.actor, b"my own", "notes.txt")


async def _attachment(cell: Cell) -> str:
    upload = await _uploaded(cell, cell.owner, f"quicksilver {cell.secret}".encode(), "notes.txt")
    return await _attached(cell, upload)


async def _picture(cell: Cell) -> str:
    return await _attached(cell, await _uploaded(cell, cell.owner, picture(), "picture.png"))


async def _attached(cell: Cell, upload: str) -> str:
    await cell.world.post(cell.owner, await cell.thing("room_id"), cell.secret, uploads=[upload])
    return upload


async def _preview(cell: Cell) -> str:
    """Of a link in the owner's message, with a picture."""
    upload = await _uploaded(cell, cell.owner, picture(), "picture.png")
    digest = (await attachments.by_ids(cell.world.engine.read_models, [upload]))[upload].attachment.digest
    message = await state(cell, await cell.thing("message_id"))
    link = "https://example.com/"
    shown = LinkPreview(
        id=cell.world.engine.new_id(), link=link, url=link, title=cell.secret, image=PreviewImage(digest, 8, 6)
    )
    at = cell.world.engine.clock.now_ms()
    await cell.world.engine.append(decide_preview(message, message.body, found=[shown], shown=[], at=at))
    return shown.id


async def _user(cell: Cell) -> str:
    return (await cell.somebody()).id


async def _newcomer(cell: Cell) -> str:
    return (await cell.world.person("Bob")).id


async def _gone_user(cell: Cell) -> str:
    other = await cell.world.person("Bob")
    await cell.world.do(decide_deactivate, user_id=other.id, actor_id=cell.owner.id)
    return other.id


async def _other_bot(cell: Cell) -> str:
    return (await cell.world.bot("Botticelli", cell.owner)).id


async def _own_session(cell: Cell) -> str:
    return (await cell.world.second_session(cell.actor)).session_id


async def _session(cell: Cell) -> str:
    return (await cell.world.person("Bob")).session_id


async def _transfer(cell: Cell) -> str:
    other = await cell.world.person("Bob")
    token, link = new_link(cell.world.engine)
    await cell.world.do(decide_make_transfer, link=link, user_id=other.id)
    return token


async def _own_transfer(cell: Cell) -> str:
    token, link = new_link(cell.world.engine)
    await cell.world.do(decide_make_transfer, link=link, user_id=cell.actor.id)
    return token


async def _reset(cell: Cell) -> str:
    other = await cell.world.person("Bob")
    token, link = new_link(cell.world.engine)
    await cell.world.do(decide_make_password_reset, link=link, user_id=other.id, actor_id=cell.owner.id)
    return token


async def _join_code(cell: Cell) -> str:
    return cell.world.join_code


async def _logo(cell: Cell) -> str:
    reply = await cell.world.send("PUT", "/api/v1/account/logo", picture(), token=cell.owner.token)
    assert reply.status == 204, reply.body
    return ""


async def _webhook(cell: Cell) -> str:
    engine, webhook_id = cell.world.engine, cell.world.engine.new_id()
    await cell.world.do(
        decide_create_webhook,
        webhook_id=webhook_id,
        url="https://example.com/hook",
        events=["message.posted"],
        rooms=None,
        sealed_secret=engine.sealer.seal("whsec_"),
        actor_id=cell.owner.id,
    )
    return webhook_id


async def _delivery(cell: Cell) -> str:
    """A dead letter of the cell's webhook."""
    path = cell.world.engine.settings.outbox_path
    [delivery_id] = await plant_dead_letters(path, await cell.thing("webhook_id"), 1)
    return delivery_id


async def _room_number(cell: Cell) -> str:
    return str(cell.world.engine.directory.rooms[await cell.thing("room_id")].position)


async def _message_number(cell: Cell) -> str:
    row = await messages.by_id(cell.world.engine.read_models, await cell.thing("message_id"))
    assert row is not None
    return str(row.position)


def subscription(name: str) -> dict[str, Any]:
    """A browser's push subscription (keys of RFC 8291, appendix A)."""
    keys = {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    }
    return {"endpoint": f"https://push.example.com/{name}", "keys": keys}


async def _subscribed(cell: Cell, by: Person) -> str:
    body = subscription(by.id)
    reply = await cell.world.send("PUT", "/api/v1/me/push-subscriptions", body, token=by.token)
    assert reply.status == 200, reply.body
    return str(reply.json["id"])


async def _device(cell: Cell) -> str:
    return await _subscribed(cell, cell.owner)


async def _own_device(cell: Cell) -> str:
    return await _subscribed(cell, cell.actor)


THINGS: dict[str, Factory] = {
    "room_id": _closed_room,
    "endpoint_id": _webhook,
    "own_room": _own_room,
    "open_room": _open_room,
    "direct_room": _direct_room,
    "archived_room": _archived_room,
    "message_id": _message,
    "own_message": _own_message,
    "direct_message": _direct_message,
    "archived_message": _archived_message,
    "message_elsewhere": _message_elsewhere,
    "boost_id": _boost,
    "own_boost": _own_boost,
    "upload_of_owner": _upload_of_owner,
    "own_upload": _own_upload,
    "attachment_id": _attachment,
    "picture": _picture,
    "preview_id": _preview,
    "user_id": _user,
    "newcomer": _newcomer,
    "gone_user": _gone_user,
    "bot_id": _other_bot,
    "own_session": _own_session,
    "session_id": _session,
    "transfer": _transfer,
    "own_transfer": _own_transfer,
    "reset": _reset,
    "join_code": _join_code,
    "logo": _logo,
    "webhook_id": _webhook,
    "delivery_id": _delivery,
    "room_number": _room_number,
    "message_number": _message_number,
    "subscription_id": _device,
    "own_device": _own_device,
}
