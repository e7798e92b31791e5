"""Bots as they are called and as they answer: a real worker, a real bot, the server's real socket."""

import asyncio
import io
import json
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner
from outbox_support.bots import TOKEN, BotChat
from outbox_support.chat import Chat
from outbox_support.sink import Answer, Sink
from outbox_support.worker_process import WorkerProcess
from PIL import Image

from campfire.blobs.store import BlobStore
from campfire.config import Settings
from campfire.control_client import control_client
from campfire.domain.events import BotCalled, DeliveryReplayRequested, NewEvent
from campfire.domain.ids import replay_stream
from campfire.domain.memberships import decide_remove_member
from campfire.domain.people import decide_deactivate
from campfire.housekeeping.scrubber import Scrubber
from outbox.bot_calls import MOST_FILE, too_late
from outbox.cli import main
from outbox.letters import dead_letters
from outbox.planning import calls_planned
from outbox.status import OutboxStatus, outbox_status


@pytest.fixture
async def bots(chat: Chat) -> AsyncIterator[BotChat]:
    """A chat whose bots can answer."""
    bots = BotChat(chat)
    await bots.open_control()
    yield bots
    await bots.close_control()


@pytest.fixture
def impatient(tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    """A worker that gives bots next to no time."""
    process = WorkerProcess(tmp_path / "data", CAMPFIRE_BOT_TIMEOUT="0.3")
    yield process
    process.end()


def says(text: str, content_type: str = "text/plain", status: int = 200) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=text.encode(), content_type=content_type, status=status)

    return answer


async def until(chat: Chat, holds: Callable[[OutboxStatus], bool]) -> OutboxStatus:
    """Wait until the outbox's state is such."""
    async with asyncio.timeout(60):
        while True:
            status = outbox_status(chat.engine.settings.outbox_path, chat.engine.clock.now_ms())
            if status is not None and holds(status):
                return status
            await asyncio.sleep(0.02)


async def test_a_mentioned_bot_is_told_exactly_what_once_campfire_tells_it(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """User, room and message with short numbers, html and plain; beside them our ids. Nothing is signed."""
    bot_id = await bots.add_bot("Deploy Bot", sink.url)
    posted, position = await bots.post("Hey @Deploy Bot, **ship** it to @Ann ")
    worker.start()
    await sink.until(1)
    [received] = sink.received
    directory = bots.engine.directory
    user, room, bot = directory.users[chat.user_id], directory.rooms[chat.room_id], directory.users[bot_id]
    told = json.loads(received.body)
    html = told["message"]["body"].pop("html")
    assert told == {
        "user": {"id": user.position, "name": "Ann"},
        "room": {
            "id": room.position,
            "name": room.name,
            "path": f"/rooms/{room.position}/{bot.position}-{TOKEN}/messages",
        },
        "message": {
            "id": position,
            "body": {"plain": "Hey , ship it to @Ann"},
            "path": f"/rooms/{room.position}/@{position}",
        },
        "campfire": {"message_id": posted.message_id, "room_id": chat.room_id, "user_id": chat.user_id},
    }
    assert "<strong>ship</strong>" in html and "@Deploy Bot" in html
    assert received.headers["content-type"] == "application/json"
    assert "webhook-signature" not in received.headers


async def test_what_a_bot_answers_is_said_in_the_room_and_kept_nowhere_else(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess, tmp_path: Path
) -> None:
    """A plain message of the bot's. Neither what it said nor its key stays in the outbox."""
    sink.answer = says("Quetzalcoatl is deployed")
    bot_id = await bots.add_bot("Deployer", sink.url)
    worker.start()
    await bots.post("@Deployer go")
    [said] = await bots.until_said(1)
    assert (said.author_id, said.room_id, said.body) == (bot_id, chat.room_id, "Quetzalcoatl is deployed")
    assert said.reply_to is None
    await until(chat, lambda status: status.answers.waiting == 0)
    async with asyncio.timeout(60):
        while any(b"Quetzalcoatl" in path.read_bytes() for path in (tmp_path / "data").glob("outbox.db*")):
            await asyncio.sleep(0.02)
    assert not any(TOKEN.encode() in path.read_bytes() for path in (tmp_path / "data").glob("*.db*"))


async def test_a_bot_in_a_direct_room_answers_with_a_picture(bots: BotChat, sink: Sink, worker: WorkerProcess) -> None:
    """Every message there is for it; anything but text is posted as a file named for its type."""
    picture = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(picture, "PNG")

    async def draw(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=picture.getvalue(), content_type="image/png")

    sink.answer = draw
    bot_id = await bots.add_bot("Painter", sink.url)
    room_id = await bots.direct_room(bot_id)
    worker.start()
    await bots.post("draw me something red", room_id)
    [said] = await bots.until_said(1)
    [file] = said.attachments
    assert (said.body, said.room_id, said.author_id) == ("", room_id, bot_id)
    assert (file.name, file.media_type, file.width, file.height) == ("attachment.png", "image/png", 3, 2)
    assert BlobStore(bots.engine.settings.blobs_path).path(file.digest).read_bytes() == picture.getvalue()


async def test_html_is_said_in_our_markup(bots: BotChat, sink: Sink, worker: WorkerProcess) -> None:
    """Bots of ONCE Campfire answer in it; links and emphasis stay."""
    sink.answer = says('<p>See <a href="https://example.com">the <b>log</b></a></p>', "text/html")
    await bots.add_bot("Deployer", sink.url)
    worker.start()
    await bots.post("@Deployer status")
    [said] = await bots.until_said(1)
    assert said.body == "See [the **log**](https://example.com)"


async def test_a_long_answer_is_cut_as_any_message_is(bots: BotChat, sink: Sink, worker: WorkerProcess) -> None:
    """Rather than lost."""
    sink.answer = says("y" * 20_000)
    await bots.add_bot("Deployer", sink.url)
    worker.start()
    await bots.post("@Deployer tell me all")
    [said] = await bots.until_said(1)
    assert said.body == "y" * 10_000 and said.original_length == 20_000


async def test_a_slash_command_calls_its_bot_and_shows_the_answer(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """The message is posted as any other; an unknown command is just a message."""
    sink.answer = says("staging it is")
    await bots.add_bot("Deployer", sink.url, "deploy")
    worker.start()
    await bots.post("/nothing here")
    posted, _ = await bots.post("/deploy  staging now ")
    [said] = await bots.until_said(1)
    assert said.body == "staging it is"
    [received] = sink.received
    told = json.loads(received.body)
    assert told["command"] == {"name": "deploy", "text": "staging now"}
    assert told["message"]["body"]["plain"].startswith("/deploy")
    assert told["campfire"]["message_id"] == posted.message_id


async def test_a_bot_that_takes_too_long_says_so_and_can_be_called_again(
    bots: BotChat, chat: Chat, sink: Sink, impatient: WorkerProcess
) -> None:
    """ONCE Campfire's sentence in the room, a dead letter for the administrator; a replay's answer is posted too."""
    released = asyncio.Event()

    async def think(_request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    sink.answer = think
    await bots.add_bot("Thinker", sink.url)
    impatient.start()
    await bots.post("@Thinker why?")
    [said] = await bots.until_said(1)
    released.set()
    assert said.body == "Failed to respond within 0.3 seconds"
    assert too_late(Settings().bot_timeout) == "Failed to respond within 7 seconds"
    await until(chat, lambda status: status.dead == 1)
    [letter] = dead_letters(chat.engine.settings.outbox_path)
    assert (letter.failure_class, letter.attempts, letter.name) == ("timeout", 1, "Thinker")
    sink.answer = says("because")
    replay = DeliveryReplayRequested(at=1, replay_id="r1", deliveries=(letter.id,))
    await chat.engine.append([NewEvent(replay_stream("r1"), 1, replay)])
    assert [each.body for each in await bots.until_said(2)][1] == "because"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (says("", "text/plain"), "answered with nothing"),
        (says(" \n", "text/html"), "answered with nothing"),
        (says("fine", "text/plain", 201), "only a 200"),
        (says("?", "application/x-nobody-knows"), "no known content type"),
    ],
)
async def test_what_is_no_answer_is_delivered_and_not_posted(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess, answer: Answer, detail: str
) -> None:
    """Nothing is said, and the record says why."""
    sink.answer = answer
    await bots.add_bot("Deployer", sink.url)
    worker.start()
    await bots.post("@Deployer go")
    await until(chat, lambda status: status.delivered == 1)
    assert detail in attempt_details(chat)[0] and bots.said == []


async def test_a_file_that_is_too_large_is_not_posted(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """No more than its limit is read."""
    sink.answer = says("z" * (MOST_FILE + 1), "application/pdf")
    await bots.add_bot("Deployer", sink.url)
    worker.start()
    await bots.post("@Deployer go")
    await until(chat, lambda status: status.delivered == 1)
    assert "larger than 10000000 bytes" in attempt_details(chat)[0] and bots.said == []


async def test_a_call_that_fails_is_explained_and_not_made_again_by_itself(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """Nobody waits an hour for an answer; 410 does not end a bot's calls."""
    sink.answer = says("not today", "text/plain", 410)
    await bots.add_bot("Deployer", sink.url)
    worker.start()
    await bots.post("@Deployer go")
    await until(chat, lambda status: status.dead == 1)
    [letter] = dead_letters(chat.engine.settings.outbox_path)
    assert (letter.failure_class, letter.failure, letter.attempts) == ("status", "answered 410", 1)
    sink.answer = says("today")
    await bots.post("@Deployer go")
    assert [each.body for each in await bots.until_said(1)] == ["today"]


async def test_an_address_that_may_not_be_reached_is_explained(bots: BotChat, chat: Chat, sink: Sink) -> None:
    """By the bot's name, with the setting that allows it."""
    data = chat.engine.settings.data
    guarded = WorkerProcess(data, CAMPFIRE_WEBHOOK_ALLOW="")
    await bots.add_bot("Deployer", sink.url)
    guarded.start()
    try:
        await bots.post("@Deployer go")
        await until(chat, lambda status: status.dead == 1)
    finally:
        guarded.end()
    assert sink.received == []
    told = CliRunner().invoke(main, ["dead-letters", "list", "--data", str(data)]).stdout
    assert "the bot Deployer at" in told and "blocked" in told and "CAMPFIRE_WEBHOOK_ALLOW" in told
    assert "Deployer" in CliRunner().invoke(main, ["status", "--data", str(data)]).stdout


async def test_an_answer_survives_the_worker_and_the_server_and_is_said_once(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """The server was down when the bot answered, and the worker was killed before it came back."""
    await bots.close_control()
    sink.answer = says("done")
    await bots.add_bot("Deployer", sink.url)
    worker.start()
    await bots.post("@Deployer go")
    await until(chat, lambda status: status.answers.waiting == 1)
    await asyncio.to_thread(worker.signal, signal.SIGKILL)
    await bots.open_control()
    worker.start()
    await until(chat, lambda status: status.answers.waiting == 0)
    await bots.post("@Deployer again")
    await bots.until_said(2)
    assert len(sink.received) == 2 and len(bots.said) == 2


async def test_an_answer_handed_over_again_is_said_once(bots: BotChat, chat: Chat) -> None:
    """The worker may never have heard that the server took it: text and file alike."""
    bot_id = await bots.add_bot("Deployer", None)
    posted, _ = await bots.post("@Deployer go")
    query = {"bot_id": bot_id, "message_id": posted.message_id}
    async with control_client(chat.engine.settings) as client:
        first = await client.post("/bots/answers", b"done", id="msg_1/1", **query)
        again = await client.post("/bots/answers", b"done", id="msg_1/1", **query)
        file = await client.post("/bots/answers", b"%PDF-", id="msg_2/1", file="attachment.pdf", **query)
        file_again = await client.post("/bots/answers", b"%PDF-", id="msg_2/1", file="attachment.pdf", **query)
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert (file["message_id"], True) == (file_again["message_id"], file_again["duplicate"])
    assert len(bots.said) == 2


async def test_a_message_deleted_before_its_bot_was_called_never_leaves(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """The call is cancelled."""
    await bots.add_bot("Deployer", sink.url)
    posted, _ = await bots.post("@Deployer forget this")
    await bots.delete(posted)
    worker.start()
    await until(chat, lambda status: status.cancelled == 1)
    assert sink.received == []


async def test_an_answer_to_a_message_deleted_meanwhile_is_dropped_with_its_words(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess, tmp_path: Path
) -> None:
    """It would quote what somebody took back; after a scrub nothing of it is in the outbox."""
    await bots.close_control()
    sink.answer = says("you said Quetzalcoatl")
    await bots.add_bot("Parrot", sink.url)
    worker.start()
    posted, _ = await bots.post("@Parrot Quetzalcoatl")
    await until(chat, lambda status: status.answers.waiting == 1)
    await bots.delete(posted)
    status = await until(chat, lambda status: status.answers.dropped == 1)
    assert status.answers.last_reason == "the message was deleted"
    await Scrubber(chat.engine).sweep(at_once=True)
    async with asyncio.timeout(60):
        while any(b"Quetzalcoatl" in path.read_bytes() for path in (tmp_path / "data").glob("*.db*")):
            await asyncio.sleep(0.02)
    await bots.open_control()
    await bots.post("@Parrot hello")
    await bots.until_said(1)
    assert len(bots.said) == 1


async def test_a_bot_that_left_the_room_says_nothing_there_any_more(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """Its answer is dropped, and why is on record."""
    await bots.close_control()
    sink.answer = says("done")
    bot_id = await bots.add_bot("Deployer", sink.url)
    worker.start()
    await bots.post("@Deployer go")
    await until(chat, lambda status: status.answers.waiting == 1)
    engine = chat.engine
    await engine.perform(
        lambda: decide_remove_member(
            engine.directory, room_id=chat.room_id, user_id=bot_id, actor_id=chat.user_id, at=1
        )
    )
    await bots.open_control()
    status = await until(chat, lambda status: status.answers.dropped == 1)
    assert "ROOM_ACCESS_DENIED" in (status.answers.last_reason or "") and bots.said == []


@pytest.mark.parametrize("leaves", ["server", "room"])
async def test_a_bot_that_is_gone_is_not_called_any_more(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess, leaves: str
) -> None:
    """What waited for it is cancelled."""
    bot_id = await bots.add_bot("Deployer", sink.url)
    await bots.post("@Deployer go")
    engine = chat.engine
    if leaves == "server":
        await engine.perform(lambda: decide_deactivate(engine.directory, user_id=bot_id, actor_id=chat.user_id, at=1))
    else:
        await engine.perform(
            lambda: decide_remove_member(
                engine.directory, room_id=chat.room_id, user_id=bot_id, actor_id=chat.user_id, at=1
            )
        )
    worker.start()
    await until(chat, lambda status: status.cancelled == 1)
    assert sink.received == []


async def test_a_bot_without_an_address_is_called_nowhere(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """That is no failure: it may follow the feed instead."""
    await bots.add_bot("Reader", None)
    await bots.add_bot("Deployer", sink.url, token="another12345")
    worker.start()
    await bots.post("@Reader @Deployer go")
    status = await until(chat, lambda status: status.delivered == 1)
    assert (len(bots.calls), status.pending, status.dead, len(sink.received)) == (2, 0, 0, 1)


async def test_the_key_of_the_moment_is_told(bots: BotChat, sink: Sink, worker: WorkerProcess) -> None:
    """Also to a call that was planned under the old one."""
    bot_id = await bots.add_bot("Deployer", sink.url)
    await bots.post("@Deployer go")
    await bots.rotate_key(bot_id, "freshfresh12")
    worker.start()
    await sink.until(1)
    assert json.loads(sink.received[0].body)["room"]["path"].endswith("-freshfresh12/messages")


async def test_bots_do_not_answer_each_others_answers(
    bots: BotChat, chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """Two that mention each other would go on for ever; but what a bot says of its own accord may call another."""
    sink.answer = says("@One and @Two, hello")
    one = await bots.add_bot("One", sink.url)
    two = await bots.add_bot("Two", sink.url, token="another12345")
    room_id = await bots.direct_room(one, two)
    worker.start()
    await bots.post("hello both", room_id)
    await bots.until_said(2)
    assert [call.bot_id for call in bots.calls] == sorted([one, two])
    await bots.post("@One @Two a word of my own", author_id=one)
    await bots.until_said(3)
    assert [call.bot_id for call in bots.calls[2:]] == [two]


def attempt_details(chat: Chat) -> list[str]:
    """What the attempts came to, in order."""
    connection = sqlite3.connect(f"{chat.engine.settings.outbox_path.as_uri()}?mode=ro", uri=True)
    try:
        return [row[0] for row in connection.execute("SELECT detail FROM attempts ORDER BY started_at")]
    finally:
        connection.close()


async def test_a_call_whose_message_was_recorded_on_another_page_is_planned_all_the_same(
    bots: BotChat, chat: Chat, sink: Sink
) -> None:
    """And one whose message is scrubbed by now is not: there is nothing left to tell."""
    await bots.add_bot("Deployer", sink.url)
    posted, position = await bots.post("@Deployer go")
    reader = chat.engine.reader
    called = [each for each in reader.read(position) if isinstance(each.event, BotCalled)]
    [planned] = calls_planned(called, reader, "epoch").values()
    assert (planned.message_id, planned.cause) == (posted.message_id, "call")
    await bots.delete(posted)
    await Scrubber(chat.engine).sweep(at_once=True)
    assert calls_planned(called, reader, "epoch") == {}
