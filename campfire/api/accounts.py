"""Setting the server up, and joining it."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated, new_session, with_cookie
from campfire.api.keys import ENGINE, PASSWORDS, REMOVER
from campfire.api.routes import Route, answer, body_of
from campfire.api.views import account_view, logo_url, me_view, room_view
from campfire.domain.accounts import (
    NewPerson,
    decide_change_account,
    decide_join,
    decide_rotate_join_code,
    decide_setup,
    require_join_code,
)
from campfire.domain.errors import SetupAlreadyDone, SetupRequired
from campfire.tokens import new_code
from projections.queries.unread import NOTHING


async def set_up(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.Setup)
    if engine.directory.account is not None:
        raise SetupAlreadyDone("This server has been set up already.")
    token, session = new_session(engine, request)
    person = await _person(request, wanted.name, wanted.email, wanted.password)
    room_id = engine.new_id()
    join_code = new_join_code()
    await engine.perform(
        lambda: decide_setup(
            engine.directory,
            account_name=wanted.account,
            person=person,
            session=session,
            room_id=room_id,
            join_code=join_code,
            at=engine.clock.now_ms(),
        )
    )
    directory = engine.directory
    assert directory.account is not None
    done = schemas.SetupDone(
        token=token,
        user=me_view(directory.users[person.user_id], session.session_id),
        account=account_view(directory.account, with_join_code=True),
        room=room_view(directory, directory.rooms[room_id], person.user_id, unread=NOTHING, with_members=True),
    )
    return with_cookie(answer(done, 201), request, token)


async def join(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.Join)
    join_code = request.match_info["join_code"]
    require_join_code(engine.directory, join_code)  # before the costly hash, so that guessing is cheap to refuse
    token, session = new_session(engine, request)
    person = await _person(request, wanted.name, wanted.email, wanted.password)
    await engine.perform(
        lambda: decide_join(
            engine.directory, join_code=join_code, person=person, session=session, at=engine.clock.now_ms()
        )
    )
    user = me_view(engine.directory.users[person.user_id], session.session_id)
    return with_cookie(answer(schemas.SignedIn(token=token, user=user), 201), request, token)


async def read_account(request: web.Request) -> web.Response:
    actor = authenticated(request)
    account = request.app[ENGINE].directory.account
    if account is None:
        raise SetupRequired("This server has not been set up yet.")
    return answer(account_view(account, with_join_code=actor.is_administrator))


async def welcome(request: web.Request) -> web.Response:
    account = request.app[ENGINE].directory.account
    if account is None:
        return answer(schemas.Welcome(set_up=False, name=None, logo_url=None))
    return answer(schemas.Welcome(set_up=True, name=account.name, logo_url=logo_url(account)))


async def read_invitation(request: web.Request) -> web.Response:
    directory = request.app[ENGINE].directory
    require_join_code(directory, request.match_info["join_code"])
    assert directory.account is not None
    return answer(schemas.Invitation(account=directory.account.name))


async def read_styles(request: web.Request) -> web.Response:
    account = request.app[ENGINE].directory.account
    styles = account.custom_styles if account is not None else ""
    return web.Response(text=styles, content_type="text/css", charset="utf-8", headers={"Cache-Control": "no-cache"})


async def change_account(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ChangeAccount)
    await engine.perform(
        lambda: decide_change_account(
            engine.directory,
            name=wanted.name,
            custom_styles=wanted.custom_styles,
            rooms_by_administrators_only=wanted.rooms_by_administrators_only,
            retention_days=wanted.retention_days,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    request.app[REMOVER].look_soon()
    return await read_account(request)


async def rotate_join_code(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    join_code = new_join_code()
    await engine.perform(
        lambda: decide_rotate_join_code(
            engine.directory, join_code=join_code, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return answer(schemas.JoinCode(join_code=join_code), 201)


def new_join_code() -> str:
    """Twelve letters and digits that cannot be confused, as xxxx-xxxx-xxxx: some 69 bits."""
    code = new_code()
    return "-".join((code[:4], code[4:8], code[8:]))


async def _person(request: web.Request, name: str, email: str, password: str) -> NewPerson:
    password_hash = await request.app[PASSWORDS].hash(password)
    return NewPerson(user_id=request.app[ENGINE].new_id(), name=name, email=email, password_hash=password_hash)


ROUTES = (
    Route(
        "POST",
        "/api/v1/setup",
        set_up,
        "Set the server up: account, administrator, first room",
        {201: schemas.SetupDone},
        body=schemas.Setup,
        signed_in=False,
        errors=("SETUP_ALREADY_DONE",),
    ),
    Route(
        "POST",
        "/api/v1/join/{join_code}",
        join,
        "Join with an invitation",
        {201: schemas.SignedIn},
        body=schemas.Join,
        signed_in=False,
        errors=("JOIN_CODE_INVALID", "EMAIL_TAKEN", "SETUP_REQUIRED"),
    ),
    Route(
        "GET",
        "/api/v1/join/{join_code}",
        read_invitation,
        "What an invitation leads to",
        {200: schemas.Invitation},
        signed_in=False,
        errors=("JOIN_CODE_INVALID", "SETUP_REQUIRED"),
    ),
    Route(
        "GET",
        "/api/v1/welcome",
        welcome,
        "What to greet somebody with who is not signed in",
        {200: schemas.Welcome},
        signed_in=False,
    ),
    Route("GET", "/api/v1/account", read_account, "The account", {200: schemas.Account}),
    Route(
        "PATCH",
        "/api/v1/account",
        change_account,
        "Change the account's name, styles and settings; administrators may",
        {200: schemas.Account},
        body=schemas.ChangeAccount,
        errors=("PERMISSION_DENIED",),
    ),
    Route(
        "GET",
        "/api/v1/account/styles.css",
        read_styles,
        "The account's own styles, for every page to load last",
        {200: None},
        signed_in=False,
        gives=("text/css",),
    ),
    Route(
        "POST",
        "/api/v1/account/join-code",
        rotate_join_code,
        "Make the invitation another one; administrators may",
        {201: schemas.JoinCode},
        errors=("PERMISSION_DENIED",),
    ),
)
