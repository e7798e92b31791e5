"""Who is in a room, and what each of them wants to hear of it."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.rooms import ADMINISTERED_ERRORS, ROOM_ERRORS, room_answer
from campfire.api.routes import Route, body_of, list_answer, no_content
from campfire.api.views import user_view
from campfire.domain.memberships import decide_add_member, decide_remove_member, decide_set_involvement
from campfire.domain.rooms import readable_room


async def list_members(request: web.Request) -> web.Response:
    actor = authenticated(request)
    directory = request.app[ENGINE].directory
    room = readable_room(directory, request.match_info["room_id"], actor.user_id)
    members = sorted((directory.users[user_id] for user_id in room.members), key=lambda user: user.name.casefold())
    return await list_answer("members", members, user_view)


async def add_member(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.AddMember)
    room_id = request.match_info["room_id"]
    await engine.perform(
        lambda: decide_add_member(
            engine.directory,
            room_id=room_id,
            user_id=wanted.user_id,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    return await room_answer(engine, room_id, actor.user_id)


async def remove_member(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    await engine.perform(
        lambda: decide_remove_member(
            engine.directory,
            room_id=request.match_info["room_id"],
            user_id=request.match_info["user_id"],
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    return no_content()


async def set_involvement(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.SetInvolvement)
    room_id = request.match_info["room_id"]
    await engine.perform(
        lambda: decide_set_involvement(
            engine.directory,
            room_id=room_id,
            user_id=actor.user_id,
            involvement=wanted.involvement,
            at=engine.clock.now_ms(),
        )
    )
    return await room_answer(engine, room_id, actor.user_id)


ROUTES = (
    Route(
        "GET",
        "/api/v1/rooms/{room_id}/members",
        list_members,
        "Who is in a room",
        {200: schemas.Members},
        errors=ROOM_ERRORS,
    ),
    Route(
        "POST",
        "/api/v1/rooms/{room_id}/members",
        add_member,
        "Add somebody, or join an open room",
        {200: schemas.Room},
        body=schemas.AddMember,
        errors=(*ADMINISTERED_ERRORS, "USER_NOT_FOUND"),
    ),
    Route(
        "DELETE",
        "/api/v1/rooms/{room_id}/members/{user_id}",
        remove_member,
        "Remove somebody, or leave",
        {204: None},
        errors=(*ADMINISTERED_ERRORS, "USER_NOT_FOUND"),
    ),
    Route(
        "PUT",
        "/api/v1/rooms/{room_id}/involvement",
        set_involvement,
        "What I want to hear of a room",
        {200: schemas.Room},
        body=schemas.SetInvolvement,
        errors=ROOM_ERRORS,
    ),
)
