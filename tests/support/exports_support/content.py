"""A server with something of everything in it, and what of a room can be seen."""

import asyncio
import hashlib
import io
import json
import tarfile
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from click.testing import CliRunner, Result

from campfire.admin import main
from campfire.domain.events import NewEvent, SessionStarted
from campfire.engine import Engine
from campfire.tokens import new_token, token_hash

PASSWORD = "correct horse battery"
GONE = "Quetzalcoatl"
"""Said, and deleted again."""
_numbers = count()


def admin(*words: str | Path) -> Result:
    """`campfire-admin` in this process."""
    return CliRunner().invoke(main, [str(word) for word in words])


async def admin_beside(*words: str | Path) -> Any:
    """As `admin` with --json, beside the running loop; it must succeed."""
    result = await asyncio.to_thread(admin, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def refused(*words: str | Path) -> Result:
    """As `admin`, beside the running loop; it must fail, in words of the catalogue."""
    result = await asyncio.to_thread(admin, *words)
    assert isinstance(result.exception, SystemExit) and result.exit_code, result.output
    return result


async def must(reply: Any) -> Any:
    """The answer to a request that must succeed."""
    answer = await reply
    assert answer.status < 300, answer.text
    return answer.json if answer.status != 204 else None


async def fetched(client: Any, path: str) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    async with aiohttp.ClientSession() as http, http.get(client.url + path, headers=headers) as response:
        return response.status, await response.read()


async def unpacked(client: Any, path: str, target: Path) -> Path:
    """An export over the API as a directory."""
    status, content = await fetched(client, path)
    assert status == 200, content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        tar.extractall(target, filter="data")
    return target


def lines(directory: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / name).read_bytes().splitlines()]


def refit(directory: Path, name: str, new_lines: list[dict[str, Any]]) -> None:
    """Other lines, and a manifest that fits: the work of somebody who knows how."""
    content = b"".join(json.dumps(each).encode() + b"\n" for each in new_lines)
    (directory / name).write_bytes(content)
    manifest = json.loads((directory / "manifest.json").read_bytes())
    facts = {"lines": len(new_lines), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["files"][name] = facts
    (directory / "manifest.json").write_text(json.dumps(manifest))


def all_bytes(directory: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


async def signed_in(engine: Engine, user_id: str) -> str:
    """A token of somebody's, whether they have a password or not."""
    token, session_id, now = new_token(), engine.new_id(), engine.clock.now_ms()
    started = SessionStarted(
        at=now, session_id=session_id, user_id=user_id, token_hash=token_hash(token), expires_at=now + 86_400_000
    )
    await engine.append([NewEvent(session_id, 1, started)])
    return token


async def say(client: Any, room: str, body: str, **more: Any) -> dict[str, Any]:
    wanted = {"body": body, "client_message_id": f"m{next(_numbers)}", **more}
    return dict(await must(client.post(f"/api/v1/rooms/{room}/messages", wanted)))


async def upload(client: Any, content: bytes, name: str) -> str:
    return str((await must(client.post(f"/api/v1/uploads?name={name}", content)))["id"])


async def fill(chat: Any, ada: Any, bob: Any, eve: Any, room: str) -> None:
    """Everything that can be in a room, by three of its members, and what they keep for themselves."""
    first = await say(ada, room, "hello @Bob")
    answer = await say(bob, room, "hello yourself", reply_to=first["id"])
    await say(eve, room, "me too", reply_to=answer["id"])
    file = await upload(bob, b"the minutes of May", "minutes.txt")
    with_file = await say(bob, room, "as promised", uploads=[file])
    edited = await say(ada, room, "a speling mistake")
    await must(ada.patch(f"/api/v1/messages/{edited['id']}", {"body": "a spelling mistake, @Eve"}))
    gone = await say(bob, room, f"the {GONE} plan")
    await must(bob.post(f"/api/v1/messages/{gone['id']}/boosts", {"content": "oops"}))
    await must(bob.delete(f"/api/v1/messages/{gone['id']}"))
    boost = await must(eve.post(f"/api/v1/messages/{first['id']}/boosts", {"content": "👋"}))
    taken = await must(bob.post(f"/api/v1/messages/{first['id']}/boosts", {"content": "no"}))
    await must(bob.delete(f"/api/v1/messages/{first['id']}/boosts/{taken['id']}"))
    assert boost["content"] == "👋"
    await must(ada.put(f"/api/v1/messages/{with_file['id']}/pin"))
    await must(bob.put(f"/api/v1/messages/{edited['id']}/pin"))
    await must(bob.delete(f"/api/v1/messages/{edited['id']}/pin"))
    await must(bob.put(f"/api/v1/messages/{first['id']}/save"))
    await must(bob.post(f"/api/v1/messages/{first['id']}/thread/read", {"position": first["position"]}))
    await must(bob.post("/api/v1/searches", {"text": "where is my hat"}))
    await must(bob.put(f"/api/v1/rooms/{room}/involvement", {"involvement": "everything"}))
    await must(bob.post(f"/api/v1/rooms/{room}/read", {"message_id": edited["id"]}))


async def seen(client: Any, room: str) -> list[dict[str, Any]]:
    """The room as somebody reads it, page by page, without what a copy may have otherwise: ids and positions."""
    shown: list[dict[str, Any]] = []
    query = "?limit=100"
    while page := (await must(client.get(f"/api/v1/rooms/{room}/messages{query}")))["messages"]:
        shown = page + shown
        query = f"?limit=100&before={page[0]['id']}"
    places = {message["id"]: place for place, message in enumerate(shown)}
    return [await _without_ids(client, message, places) for message in shown]


async def _without_ids(client: Any, message: dict[str, Any], places: dict[str, int]) -> dict[str, Any]:
    kept = {name: message.get(name) for name in ("author", "body", "created_at", "edited_at", "mentions", "pinned")}
    kept["reply_to"] = places.get(message.get("reply_to") or "")
    kept["thread_id"] = places.get(message.get("thread_id") or "")
    kept["replies"] = (message.get("thread") or {}).get("replies")
    kept["boosts"] = [(each["booster"], each["content"], each["created_at"]) for each in message["boosts"]]
    kept["files"] = [(each["name"], await fetched(client, each["url"])) for each in message["attachments"]]
    return kept
