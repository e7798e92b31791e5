"""A server that is broken on purpose: it acknowledges first and commits a moment later."""

import asyncio
from collections.abc import Sequence

from campfire.cli import main
from campfire.domain.events import MessagePosted, NewEvent, RecordedEvent
from campfire.eventlog.group_commit import GroupCommit
from campfire.eventlog.recorder import Rewrite

append_durably = GroupCommit.append
late: set["asyncio.Task[object]"] = set()


async def append_later(
    self: GroupCommit, events: Sequence[NewEvent], rewrites: Sequence[Rewrite] = ()
) -> tuple[RecordedEvent, ...]:
    if not isinstance(events[0].event, MessagePosted):
        return await append_durably(self, events, rewrites)

    async def commit() -> None:
        await asyncio.sleep(0.05)
        await append_durably(self, events)

    task = asyncio.create_task(commit())
    late.add(task)
    task.add_done_callback(late.discard)
    guessed = self._recorder.tip.position + len(late)
    return tuple(RecordedEvent(guessed, new.stream_id, 1, 0, new.event) for new in events)


GroupCommit.append = append_later  # type: ignore[method-assign]
main(["serve"])
