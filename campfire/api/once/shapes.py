"""Messages and boosts as ONCE Campfire's bots know them: ids are short numbers, addresses absolute."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.keys import ENGINE
from campfire.api.pictures import signed_avatar_url
from campfire.api.schemas import Answer
from campfire.domain.states import RoomState, UserState
from campfire.markdown import html_of


class User(Answer, frozen=True, kw_only=True):
    id: int
    name: str
    role: str
    avatar_url: str


class Body(Answer, frozen=True, kw_only=True):
    """`plain_text` is the files' names if nothing else was said."""

    plain_text: str
    html: str


class Room(Answer, frozen=True, kw_only=True):
    id: int


class Message(Answer, frozen=True, kw_only=True):
    id: int
    created_at: str
    body: Body
    creator: User
    room: Room
    url: str


class MessageLink(Answer, frozen=True, kw_only=True):
    id: int
    url: str


class Boost(Answer, frozen=True, kw_only=True):
    id: int
    content: str
    created_at: str
    booster: User
    message: MessageLink


def origin_of(request: web.Request) -> str:
    """Where the caller found us."""
    return f"{request.scheme}://{request.host}"


def message_shape(request: web.Request, room: RoomState, message: schemas.Message) -> Message:
    names = ", ".join(file.name for file in message.attachments)
    author = request.app[ENGINE].directory.users[message.author.id]
    return Message(
        id=message.position,
        created_at=message.created_at,
        body=Body(plain_text=message.plain_text or names, html=html_of(message.body, message.mentions)),
        creator=user_shape(request, author),
        room=Room(id=room.position),
        url=message_url(request, room, message.position),
    )


def boost_shape(
    request: web.Request, room: RoomState, *, message_number: int, number: int, boost: schemas.Boost
) -> Boost:
    return Boost(
        id=number,
        content=boost.content,
        created_at=boost.created_at,
        booster=user_shape(request, request.app[ENGINE].directory.users[boost.booster.id]),
        message=MessageLink(id=message_number, url=message_url(request, room, message_number)),
    )


def user_shape(request: web.Request, user: UserState) -> User:
    avatar = signed_avatar_url(request.app[ENGINE].sealer, user)
    return User(id=user.position, name=user.name, role=user.role, avatar_url=origin_of(request) + avatar)


def message_url(request: web.Request, room: RoomState, number: int) -> str:
    """The page that opens the room around the message."""
    return f"{origin_of(request)}/rooms/{room.position}/@{number}"
