"""Boosts: a few characters on a message."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.hops import hops_said_by
from campfire.api.keys import ENGINE
from campfire.api.message_views import boost_view
from campfire.api.messages import required_state
from campfire.api.routes import Route, answer, body_of, no_content
from campfire.domain.boosts import BoostState, decide_boost, decide_remove_boost
from campfire.domain.boosts import required as required_boost
from campfire.domain.errors import BoostNotFound
from campfire.domain.events import BoostAdded
from campfire.engine import Engine
from projections.queries.details import BoostRow, boost_by_id


async def add_boost(request: web.Request) -> web.Response:
    actor = authenticated(request)
    wanted = await body_of(request, schemas.AddBoost)
    message_id, hops = request.match_info["message_id"], hops_said_by(actor, request)
    boost, _ = await give_boost(request.app[ENGINE], message_id, wanted.content, actor.user_id, hops=hops)
    return answer(boost_view(boost), 201)


async def give_boost(
    engine: Engine, message_id: str, content: str, actor_id: str, *, hops: int = 0
) -> tuple[BoostRow, int]:
    """The new boost, and its position. Raises what `decide_boost` raises."""
    message = await required_state(engine, message_id)
    [recorded] = await engine.perform(
        lambda: decide_boost(
            engine.directory,
            message,
            boost_id=engine.new_id(),
            content=content,
            actor_id=actor_id,
            hops=hops,
            at=engine.clock.now_ms(),
        )
    )
    event = recorded.event
    assert isinstance(event, BoostAdded)
    return BoostRow(event.boost_id, event.by, event.by_name, event.content, event.at), recorded.position


async def remove_boost(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    boost = await boost_by_id(engine.read_models, request.match_info["boost_id"])
    await take_boost_back(engine, boost, request.match_info["message_id"], actor.user_id)
    return no_content()


async def take_boost_back(engine: Engine, boost: BoostState | None, message_id: str, actor_id: str) -> None:
    """Raises `BoostNotFound` unless the boost is on this message, and what `decide_remove_boost` raises."""
    there = required_boost(boost)
    if there.message_id != message_id:
        raise BoostNotFound("There is no such boost on this message.")
    await engine.perform(
        lambda: decide_remove_boost(engine.directory, there, actor_id=actor_id, at=engine.clock.now_ms())
    )


_ERRORS = ("MESSAGE_NOT_FOUND", "ROOM_ACCESS_DENIED")

ROUTES = (
    Route(
        "POST",
        "/api/v1/messages/{message_id}/boosts",
        add_boost,
        "Boost a message: up to 16 characters or emoji",
        {201: schemas.Boost},
        body=schemas.AddBoost,
        errors=_ERRORS,
    ),
    Route(
        "DELETE",
        "/api/v1/messages/{message_id}/boosts/{boost_id}",
        remove_boost,
        "Take one's own boost back",
        {204: None},
        errors=("BOOST_NOT_FOUND", "PERMISSION_DENIED", *_ERRORS),
    ),
)
