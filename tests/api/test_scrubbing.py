"""A deleted message's text leaves every file, and everything else stays provable."""

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from campfire.errors import CampfireError
from campfire.eventlog.verification import verify
from campfire.housekeeping.scrubber import Scrubber
from projections.digest import digest_of
from projections.rebuild import rebuild_beside

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat

LONG = "Zwischenraumwort " * 500  # on pages of its own, beside the row


def files_with(directory: Path, word: str) -> list[str]:
    """The files under `directory` whose bytes hold `word`, in either case."""
    wanted = word.casefold().encode()
    return [path.name for path in directory.rglob("*") if path.is_file() and wanted in path.read_bytes().lower()]


async def posted(client: "Client", room_id: str, body: str, client_message_id: str = "once") -> str:
    wanted = {"body": body, "client_message_id": client_message_id}
    reply = await client.post(f"/api/v1/rooms/{room_id}/messages", wanted)
    assert reply.status == 201, reply.text
    return str(reply.json["id"])


async def deleted(client: "Client", message_id: str) -> None:
    assert (await client.delete(f"/api/v1/messages/{message_id}")).status == 204


@pytest.fixture
def scrubber(chat: "Chat") -> Scrubber:
    return Scrubber(chat.engine)


@pytest.mark.parametrize("body", ["the Quetzalcoatl plan", LONG + "Quetzalcoatl"])
async def test_after_a_scrub_the_text_is_in_no_file(chat: "Chat", ada: "Client", scrubber: Scrubber, body: str) -> None:
    """Neither in the log nor in the read models, the search index or a WAL; neither its first text nor an edit's."""
    data = chat.engine.settings.data
    for number in range(30):
        await posted(ada, chat.first_room, f"something else {number}", f"filler {number}")
    message_id = await posted(ada, chat.first_room, body)
    await ada.patch(f"/api/v1/messages/{message_id}", {"body": body.replace("Quetzalcoatl", "Xiuhtecuhtli")})
    assert files_with(data, "quetzalcoatl") and files_with(data, "xiuhtecuhtli")
    await deleted(ada, message_id)
    assert await scrubber.sweep(at_once=True) == 1
    assert files_with(data, "quetzalcoatl") == files_with(data, "xiuhtecuhtli") == []
    assert files_with(data, "zwischenraumwort") == []


async def test_after_a_scrub_the_chain_verifies_and_a_rebuild_equals_the_live_state(
    chat: "Chat", ada: "Client", scrubber: Scrubber, tmp_path: Path
) -> None:
    """Nothing but the words has changed."""
    for number in range(5):
        message_id = await posted(ada, chat.first_room, f"@Ada number {number}", f"{number}")
        await ada.patch(f"/api/v1/messages/{message_id}", {"body": f"edited {number}"})
        if number % 2:
            await deleted(ada, message_id)
    assert await scrubber.sweep(at_once=True) == 2
    assert verify(chat.engine.reader) == chat.engine.reader.tip()
    rebuilt = rebuild_beside(chat.engine.reader, tmp_path / "rebuilt.db")
    live = sqlite3.connect(f"file:{chat.engine.settings.read_models_path}?mode=ro", uri=True)
    assert digest_of(rebuilt.connection) == digest_of(live)
    live.close()
    rebuilt.close()


async def test_nothing_is_scrubbed_within_the_grace_period(chat: "Chat", ada: "Client", scrubber: Scrubber) -> None:
    """An administrator has a day to look at what somebody deleted in a hurry, in the log."""
    message_id = await posted(ada, chat.first_room, "too early")
    await deleted(ada, message_id)
    chat.clock.advance(24 * 3600 - 1)
    assert await scrubber.sweep() == 0
    chat.clock.advance(1)
    assert await scrubber.sweep() == 1
    assert await scrubber.sweep() == 0


async def test_a_repeat_of_a_scrubbed_post_does_not_bring_it_back(
    chat: "Chat", ada: "Client", scrubber: Scrubber
) -> None:
    """A client that never saw its acknowledgement learns that the message was made, and is gone."""
    message_id = await posted(ada, chat.first_room, "say it once")
    await deleted(ada, message_id)
    await scrubber.sweep(at_once=True)
    wanted = {"body": "say it once", "client_message_id": "once"}
    again = await ada.post(f"/api/v1/rooms/{chat.first_room}/messages", wanted)
    assert again.status == 200 and again.json["duplicate"] and again.json["deleted_at"]
    assert again.json["id"] == message_id and again.json["body"] == ""


async def test_the_history_of_a_scrubbed_message_says_when_not_what(
    chat: "Chat", ada: "Client", scrubber: Scrubber
) -> None:
    """Who wrote, edited and deleted it stays on record."""
    message_id = await posted(ada, chat.first_room, "first")
    await ada.patch(f"/api/v1/messages/{message_id}", {"body": "second"})
    await deleted(ada, message_id)
    await scrubber.sweep(at_once=True)
    history = (await ada.get(f"/api/v1/messages/{message_id}/history")).json
    assert [version["body"] for version in history["versions"]] == ["", ""]
    assert history["deleted_by"] == ada.user["id"]


async def test_the_server_scrubs_by_itself(open_chat: "OpenChat") -> None:
    """With the grace period set to nothing, as soon as it looks."""
    async with open_chat(scrub_after_hours=0) as chat:
        ada = await chat.set_up()
        message_id = await posted(ada, chat.first_room, "Quetzalcoatl")
        await deleted(ada, message_id)
        scrubbing = asyncio.create_task(Scrubber(chat.engine, sweep_seconds=0.01).run())
        while files_with(chat.engine.settings.data, "quetzalcoatl"):
            await asyncio.sleep(0.01)
        scrubbing.cancel()


async def test_many_deleted_messages_are_scrubbed_in_one_sweep(chat: "Chat", ada: "Client", scrubber: Scrubber) -> None:
    """However many; people write on meanwhile."""
    for number in range(130):
        await deleted(ada, await posted(ada, chat.first_room, f"gone {number}", f"{number}"))
    assert await scrubber.sweep(at_once=True) == 130
    assert verify(chat.engine.reader) == chat.engine.reader.tip()


async def test_no_scrub_runs_beside_a_rebuild(chat: "Chat", ada: "Client", scrubber: Scrubber) -> None:
    """Which has read the texts, and would write them again."""
    await deleted(ada, await posted(ada, chat.first_room, "wait"))
    refused: list[str] = []

    async def sweep() -> None:
        try:
            await scrubber.sweep(at_once=True)
        except CampfireError as error:
            refused.append(error.code)

    loop = asyncio.get_running_loop()
    tried: list[None] = []

    def progress(_position: int, _total: int) -> None:
        tried.append(asyncio.run_coroutine_threadsafe(sweep(), loop).result())

    await chat.engine.rebuild(progress)
    assert tried and set(refused) == {"DATABASE_MIGRATION_FAILED"}
    assert await scrubber.sweep(at_once=True) == 1
