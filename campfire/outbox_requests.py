"""Putting requests about the outbox on record, for the control socket, the API and the command line."""

from functools import partial

from campfire.domain.events import NewEvent
from campfire.domain.webhook_operations import (
    decide_drop,
    decide_operator_move,
    decide_operator_pause,
    decide_operator_resume,
    decide_replay,
    request_id,
)
from campfire.engine import Engine
from campfire.eventlog.errors import VersionConflict
from campfire.outbox_words import Drop, Move, OutboxRequest, Pause, Replay, Requested, Resume


async def put_on_record(engine: Engine, asked: OutboxRequest) -> Requested:
    """Raises what the decisions do, and what `Engine.append` does. The worker learns of it from the log."""
    now = engine.clock.now_ms()
    match asked:
        case Replay():
            name = asked.request_id or request_id("replay", asked.choice)
            return await _once(engine, decide_replay(asked.choice, replay_id=name, at=now), name)
        case Drop():
            name = asked.request_id or request_id("drop", asked.choice)
            return await _once(engine, decide_drop(asked.choice, drop_id=name, reason=asked.reason, at=now), name)
        case Pause():
            decide = partial(decide_operator_pause, engine.directory, webhook_id=asked.webhook_id, at=now)
        case Resume():
            decide = partial(
                decide_operator_resume,
                engine.directory,
                webhook_id=asked.webhook_id,
                catch_up=asked.catch_up,
                at=now,
            )
        case Move():
            decide = partial(
                decide_operator_move,
                engine.directory,
                webhook_id=asked.webhook_id,
                move_id=asked.move_id,
                after=asked.after,
                until=asked.until,
                tip=engine.position,
                at=now,
            )
    recorded = await engine.perform(decide)
    position = recorded[-1].position if recorded else engine.position
    return Requested(position=position, duplicate=not recorded)


async def _once(engine: Engine, events: list[NewEvent], name: str) -> Requested:
    try:
        [recorded] = await engine.append(events)
    except VersionConflict:
        return Requested(id=name, position=engine.position, duplicate=True)
    return Requested(id=name, position=recorded.position, duplicate=False)
